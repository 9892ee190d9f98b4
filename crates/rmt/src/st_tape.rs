//! A drive of this process as a tape: everything that a program would see of it comes from st.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use pseudotape_device::TapeNode;
use pseudotape_mtio::{MtGet, MtOp, Operation};
use pseudotape_st::{Access, Caller, Node, OpenFlags, Opening, Options, St};
use pseudotape_tape::{Drive, Volume};

/// A drive with its driver. Clones are the same drive: what one opening leaves, the next one finds.
#[derive(Clone)]
pub struct StTape {
    shared: Arc<Mutex<Shared>>,
    caller: Caller,
}

struct Shared {
    st: St,
    /// Taken when nobody holds the tape any more.
    volume: Option<Box<dyn Volume>>,
}

impl Shared {
    fn parts(&mut self) -> (&mut St, &mut dyn Drive) {
        let volume = self.volume.as_mut().expect("only a drop takes it");
        (&mut self.st, volume)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(volume) = self.volume.take()
            && let Err(error) = volume.finish()
        {
            log::error!("{error}");
        }
    }
}

fn errno(errno: pseudotape_st::Errno) -> Errno {
    Errno::from_raw(errno.code())
}

impl StTape {
    /// A drive that this process holds. Clients may do everything but set options of the driver, partitions included,
    /// which stay as the server's owner wants them.
    #[must_use]
    pub fn new(volume: Box<dyn Volume>) -> Self {
        let st = St::new(&Options::default());
        StTape {
            shared: Arc::new(Mutex::new(Shared {
                st,
                volume: Some(volume),
            })),
            caller: Caller { privileged: false },
        }
    }

    /// Clients may set options too, as root may on a node.
    #[must_use]
    pub fn with_options(mut self) -> Self {
        self.caller = Caller { privileged: true };
        self
    }

    /// Opens it as a node, rewinding at close or not. A drive that is open already is EBUSY; one without a medium
    /// is ENOMEDIUM at once, where a node would wait for one.
    pub fn open(&self, rewinding: bool, flags: OpenFlags) -> Result<Box<dyn TapeNode>, Errno> {
        let mut shared = self.lock();
        let (st, drive) = shared.parts();
        let node = Node { mode: 0, rewinding };
        match st.open(drive, node, flags).map_err(errno)? {
            Opening::Open => {
                drop(shared);
                Ok(Box::new(OpenStTape {
                    tape: self.clone(),
                    access: flags.access,
                    open: true,
                }))
            }
            Opening::Waiting => Err(errno(st.abandon_open())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A panic in the middle of a call leaves a drive that says itself where it is.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StTape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StTape")
    }
}

#[derive(Debug)]
struct OpenStTape {
    tape: StTape,
    access: Access,
    open: bool,
}

impl OpenStTape {
    fn with<T>(
        &self,
        call: impl FnOnce(&mut St, &mut dyn Drive) -> Result<T, pseudotape_st::Errno>,
    ) -> Result<T, Errno> {
        let mut shared = self.tape.lock();
        let (st, drive) = shared.parts();
        call(st, drive).map_err(errno)
    }
}

impl TapeNode for OpenStTape {
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        // The file system's check, before st hears of it.
        if self.access == Access::Write {
            return Err(Errno::EBADF);
        }
        self.with(|st, drive| st.read(drive, buffer))
    }

    fn write(&self, data: &[u8]) -> Result<usize, Errno> {
        if self.access == Access::Read {
            return Err(Errno::EBADF);
        }
        self.with(|st, drive| st.write(drive, data))
    }

    fn operate(&self, operation: Operation, count: i32) -> Result<(), Errno> {
        let operation = MtOp { operation, count };
        self.with(|st, drive| st.op(drive, operation, self.tape.caller))
    }

    fn status(&self) -> Result<MtGet, Errno> {
        self.with(|st, drive| st.get(drive))
    }

    fn object(&self) -> Result<u64, Errno> {
        self.with(|st, drive| st.pos(drive))
            .map(|at| at.object.into())
    }

    fn close(mut self: Box<Self>) -> Result<(), Errno> {
        self.open = false;
        self.with(|st, drive| st.close(drive))
    }
}

impl Drop for OpenStTape {
    fn drop(&mut self) {
        if self.open
            && let Err(errno) = self.with(|st, drive| st.close(drive))
        {
            log::error!("closing a tape that its client left open: {}", errno.desc());
        }
    }
}
