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

/// The files in the root on which servers have a lock, those of all hosts' volumes and those of private ones: names
/// that no volume has.
const SERVED_NAME: &str = ".served";
const SERVED_PRIVATELY_NAME: &str = ".served-privately";

/// A root is served as long as this lives; any number can be, by any number of servers.
#[derive(Debug)]
pub struct Serving {
    served: File,
}

impl Serving {
    /// Begins. The lock ends with the process, however that ends; the file stays, and says nothing by itself.
    pub fn begin(root: &Path) -> Result<Self, Error> {
        Serving::locked(root, SERVED_NAME)
    }

    /// Begins to serve each host its private volumes.
    pub fn begin_privately(root: &Path) -> Result<Self, Error> {
        Serving::locked(root, SERVED_PRIVATELY_NAME)
    }

    /// Refuses a root of which another server serves the volumes otherwise. It is asked behind `begin`: so of two
    /// servers that begin at one moment at least one is refused.
    pub fn expect_no_other(root: &Path, privately: bool) -> Result<(), Error> {
        let other = match privately {
            true => SERVED_NAME,
            false => SERVED_PRIVATELY_NAME,
        };
        match is_locked(&root.join(other))? {
            true => Err(Error::ServedOtherwise {
                root: root.to_owned(),
                is: if privately { "shared" } else { "private" },
            }),
            false => Ok(()),
        }
    }

    fn locked(root: &Path, name: &str) -> Result<Self, Error> {
        let path = root.join(name);
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
        match is_locked(&self.path().join(SERVED_NAME))? {
            true => Err(Error::Served {
                root: self.path().to_owned(),
            }),
            false => Ok(()),
        }
    }
}

/// Whether a server has a lock on a file, which need not be there.
fn is_locked(path: &Path) -> Result<bool, Error> {
    let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match open(path, how, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(false),
        Err(errno) => return Err(Error::host("open", path, errno)),
    };
    for look in 1..=LOOKS {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                flock(&file, FlockOperation::Unlock)
                    .map_err(|errno| Error::host("unlock", path, errno))?;
                return Ok(false);
            }
            Err(Errno::WOULDBLOCK) if look < LOOKS => thread::sleep(PAUSE),
            Err(Errno::WOULDBLOCK) => break,
            Err(errno) => return Err(Error::host("lock", path, errno)),
        }
    }
    Ok(true)
}
