//! That a root is served to other hosts: whose volumes are meant does not change meanwhile.

use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

use crate::error::Error;
use crate::volume::Root;

/// Two commands can look at one moment, and each takes the other one for a server: they look again.
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// The file in the root on which servers have a lock: a name that no volume has.
const SERVED_NAME: &str = ".served";

/// A root is served as long as this lives; any number can be, by any number of servers.
#[derive(Debug)]
pub struct Serving {
    served: File,
}

impl Serving {
    /// Begins. The lock ends with the process, however that ends; the file stays, and says nothing by itself.
    pub fn begin(root: &Path) -> Result<Self, Error> {
        let path = root.join(SERVED_NAME);
        let how = OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = open(&path, how | OFlags::RDONLY, Mode::from_raw_mode(0o644));
        let served = opened.map_err(|errno| Error::host("open", &path, errno))?;
        flock(&served, FlockOperation::LockShared)
            .map_err(|errno| Error::host("lock", &path, errno))?;
        Ok(Serving {
            served: served.into(),
        })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A child process may share the open folder for a moment. Where this fails, the close does it.
        flock(&self.served, FlockOperation::Unlock).ok();
    }
}

impl Root {
    /// Refuses a root whose volumes are served as those of all hosts: they are not private then (CW-43).
    pub fn expect_unserved(&self) -> Result<(), Error> {
        let path = &self.path().join(SERVED_NAME);
        let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match open(path, how, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(Error::host("open", path, errno)),
        };
        for look in 1..=LOOKS {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    return flock(&file, FlockOperation::Unlock)
                        .map_err(|errno| Error::host("unlock", path, errno));
                }
                Err(Errno::WOULDBLOCK) if look < LOOKS => thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK) => break,
                Err(errno) => return Err(Error::host("lock", path, errno)),
            }
        }
        Err(Error::Served {
            root: self.path().to_owned(),
        })
    }
}
