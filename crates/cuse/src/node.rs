use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use log::warn;
use nix::poll::PollTimeout;
use nix::unistd::{Gid, chown};
use pseudotape_chardev::{Calls, CharDevice, ProcCalls};

use crate::channel::{Channel, Delivered, Received, StopSignal};
use crate::error::CuseError;
use crate::server::{Server, TRANSFER_MAX_BYTES};
use pseudotape_wire::{Request, RequestKind, abi};

/// Longest name of a device.
pub const NAME_MAX_CHARS: usize = 200;

/// How long a node may take to appear.
const APPEAR_MAX: Duration = Duration::from_secs(30);

/// How the first request may be late.
const INIT_MAX_MS: u16 = 30_000;

/// What a device node looks like.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Its name under `/dev`; may contain `/`.
    pub name: String,
    /// Its permissions.
    pub mode: u32,
    /// Its group; `None`: root's.
    pub gid: Option<u32>,
    /// Which memory of a caller an `ioctl` reaches.
    pub ioctls: IoctlMode,
}

/// Which memory of a caller an `ioctl` reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IoctlMode {
    /// What the request number says: safe, and one round trip.
    #[default]
    Restricted,
    /// Any that the device asks for ([`CharDevice::ioctl_areas`]): for `SG_IO`.
    Unrestricted,
}

/// A device node that is being served by a thread of its own.
#[derive(Debug)]
pub struct CuseNode {
    name: String,
    path: PathBuf,
    stop: StopSignal,
    thread: Option<JoinHandle<Result<(), CuseError>>>,
}

/// Whether this machine has CUSE (its module may still be loaded on first use).
#[must_use]
pub fn is_available() -> bool {
    Path::new("/dev/cuse").exists()
}

impl CuseNode {
    /// Makes a device node and serves it. When this returns the node is there, with its mode.
    ///
    /// `ended` is told why, if the node ends without [`CuseNode::stop`].
    pub fn create(
        options: NodeOptions,
        device: Arc<dyn CharDevice>,
        ended: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self, CuseError> {
        check_name(&options.name)?;
        let channel = Channel::open()?;
        negotiate(&channel, &options)?;
        let path = Path::new("/dev").join(&options.name);
        let calls = Arc::new(ProcCalls::new());
        // Served before it is touched: whoever finds the node first may open it.
        let node = Self::serve(device, calls, channel, options.name.clone(), path, ended)?;
        node.wait_for_node()?;
        node.set_permissions(&options)?;
        Ok(node)
    }

    /// Serves a device to something that speaks as `/dev/cuse` does, for tests. The descriptor must
    /// not block.
    pub fn on_descriptor(
        options: NodeOptions,
        device: Arc<dyn CharDevice>,
        calls: Arc<dyn Calls>,
        descriptor: OwnedFd,
        ended: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self, CuseError> {
        check_name(&options.name)?;
        let channel = Channel::from_fd(descriptor);
        negotiate(&channel, &options)?;
        Self::serve(device, calls, channel, options.name, PathBuf::new(), ended)
    }

    /// The node's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks the serving thread to finish the system call in hand and to remove the node. Returns at
    /// once; [`CuseNode::join`] waits.
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Whether its serving has ended: the node is gone.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the node is gone.
    pub fn join(mut self) -> Result<(), CuseError> {
        self.wait()
    }

    fn wait(&mut self) -> Result<(), CuseError> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(CuseError::Panicked {
                name: self.name.clone(),
            }),
        }
    }

    fn serve(
        device: Arc<dyn CharDevice>,
        calls: Arc<dyn Calls>,
        channel: Channel,
        name: String,
        path: PathBuf,
        ended: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self, CuseError> {
        let (stop, stopped) = StopSignal::new().map_err(|e| CuseError::io("make a pipe", e))?;
        let server = Server::new(name.clone(), device, calls, channel);
        let thread = thread::Builder::new()
            .name(name.clone())
            .spawn(move || {
                let result = server.run(&stopped);
                if let Err(e) = &result {
                    ended(e.to_string());
                }
                result
            })
            .map_err(|e| CuseError::io("start a thread", e))?;
        Ok(CuseNode {
            name,
            path,
            stop,
            thread: Some(thread),
        })
    }

    fn wait_for_node(&self) -> Result<(), CuseError> {
        let since = Instant::now();
        loop {
            match std::fs::metadata(&self.path) {
                Ok(node) if node.file_type().is_char_device() => return Ok(()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(CuseError::io(format!("stat {}", self.path.display()), e)),
            }
            if since.elapsed() > APPEAR_MAX {
                return Err(CuseError::NoNode {
                    path: self.path.clone(),
                    waited: APPEAR_MAX,
                });
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn set_permissions(&self, options: &NodeOptions) -> Result<(), CuseError> {
        let what = |verb: &str| format!("{verb} {}", self.path.display());
        // Group first: the mode may give it rights that the old group must not have.
        if let Some(gid) = options.gid {
            chown(&self.path, None, Some(Gid::from_raw(gid)))
                .map_err(|e| CuseError::io(what("chown"), e))?;
        }
        let permissions = std::fs::Permissions::from_mode(options.mode & 0o7777);
        std::fs::set_permissions(&self.path, permissions)
            .map_err(|e| CuseError::io(what("chmod"), e))
    }
}

impl Drop for CuseNode {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop();
            if let Err(e) = self.wait() {
                warn!("{e}");
            }
        }
    }
}

fn check_name(name: &str) -> Result<(), CuseError> {
    let good = !name.is_empty()
        && name.len() <= NAME_MAX_CHARS
        && name
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
        && !name.contains(['\0', '\n']);
    if good {
        Ok(())
    } else {
        Err(CuseError::BadName {
            name: name.to_owned(),
            max: NAME_MAX_CHARS,
        })
    }
}

/// Reads CUSE_INIT and answers it; the device exists when this returns.
fn negotiate(channel: &Channel, options: &NodeOptions) -> Result<(), CuseError> {
    let mut buffer = Server::request_buffer();
    let received = channel
        .receive(&mut buffer, None, PollTimeout::from(INIT_MAX_MS))
        .map_err(|e| CuseError::io("read CUSE_INIT", e))?;
    let Received::Request(length) = received else {
        let found = match received {
            Received::Nothing => "nothing",
            Received::Request(_) | Received::Stop | Received::Ended => "its end",
        };
        return Err(CuseError::NoInit {
            found: found.to_owned(),
        });
    };
    let no_init = |found: String| CuseError::NoInit { found };
    let bytes = buffer.get(..length).unwrap_or(&buffer);
    let request = Request::decode(bytes).map_err(|e| no_init(e.to_string()))?;
    let RequestKind::Init { major, minor, .. } = request.kind else {
        return Err(no_init(format!("{:?}", request.kind)));
    };
    if major != abi::VERSION_MAJOR || minor < abi::VERSION_MINOR_MIN {
        return Err(CuseError::Version {
            major,
            minor,
            minor_min: abi::VERSION_MINOR_MIN,
        });
    }
    let out = abi::InitOut {
        major: abi::VERSION_MAJOR,
        minor: minor.min(abi::VERSION_MINOR),
        flags: match options.ioctls {
            IoctlMode::Restricted => 0,
            IoctlMode::Unrestricted => abi::UNRESTRICTED_IOCTL,
        },
        max_read: TRANSFER_MAX_BYTES,
        max_write: TRANSFER_MAX_BYTES,
        // 0: the kernel chooses.
        dev_major: 0,
        dev_minor: 0,
        ..abi::InitOut::default()
    };
    let info = format!("DEVNAME={}\0", options.name);
    let delivered = channel.init(request.unique, &out, info.as_bytes());
    if delivered == Delivered::Yes && channel.is_connected() {
        Ok(())
    } else {
        Err(CuseError::Refused {
            name: options.name.clone(),
        })
    }
}

// `DEVNAME=`, a NUL, and the longest name fit.
const _: () = assert!(NAME_MAX_CHARS + 9 <= abi::INIT_INFO_MAX_BYTES);
