//! A drive of this process as a tape: everything that a program would see of it comes from st.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use pseudotape_device::TapeNode;
use pseudotape_mtio::{MtGet, MtOp, Operation};
use pseudotape_st::{AccessMode, Caller, Node, OpenFlags, Opening, Options, St};
use pseudotape_tape::{Drive, Volume};

use crate::bay::Bay;
use crate::sliced::Sliced;
use crate::slot::Slot;

/// Says whether whoever asked for something still waits for it.
pub type Wanted = Arc<dyn Fn() -> bool + Send + Sync>;

/// A drive with its driver. Clones are the same drive: what one opening leaves, the next one finds.
#[derive(Clone)]
pub struct StTape {
    shared: Arc<Shared>,
    caller: Caller,
    wanted: Wanted,
}

/// The bay; finished when nobody holds it any more.
struct Shared {
    bay: Option<Bay<()>>,
    /// A client that has it open does something with it that can take long.
    busy: AtomicBool,
}

impl Shared {
    fn bay(&self) -> &Bay<()> {
        self.bay.as_ref().expect("only a drop takes it")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(bay) = self.bay.take()
            && let Err(error) = bay.into_slot().finish()
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
        let bay = Bay::new(Slot::fixed(volume), &Options::default(), ());
        StTape {
            shared: Arc::new(Shared {
                bay: Some(bay),
                busy: AtomicBool::new(false),
            }),
            caller: Caller { privileged: false },
            wanted: Arc::new(|| true),
        }
    }

    /// Clients may set options too, as root may on a node.
    #[must_use]
    pub fn with_options(mut self) -> Self {
        self.caller = Caller { privileged: true };
        self
    }

    /// The same drive for a client who may go away: what takes long is given up when he no longer waits for it.
    #[must_use]
    pub fn for_client(mut self, wanted: Wanted) -> Self {
        self.wanted = wanted;
        self
    }

    /// Opens it as a node, rewinding at close or not. A drive that is open already is EBUSY, at once; one without a
    /// medium is ENOMEDIUM at once, where a node would wait for one.
    pub fn open(&self, rewinding: bool, flags: OpenFlags) -> Result<Box<dyn TapeNode>, Errno> {
        let mut state = match self.shared.bay().try_lock() {
            Some(state) => state,
            // Whoever is at work has it open. A close is waited for, so that the next client finds the drive free.
            None if self.shared.busy.load(Ordering::SeqCst) => return Err(Errno::EBUSY),
            None => self.shared.bay().lock(),
        };
        let (st, drive) = state.parts();
        let node = Node { mode: 0, rewinding };
        match st.open(drive, node, flags).map_err(errno)? {
            Opening::Open => {
                drop(state);
                Ok(Box::new(OpenStTape {
                    tape: self.clone(),
                    access: flags.access,
                    open: true,
                }))
            }
            Opening::Waiting => Err(errno(st.abandon_open())),
        }
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
    access: AccessMode,
    open: bool,
}

impl OpenStTape {
    fn with<T>(
        &self,
        call: impl FnOnce(&mut St, &mut dyn Drive) -> Result<T, pseudotape_st::Errno>,
    ) -> Result<T, Errno> {
        let mut state = self.tape.shared.bay().lock();
        let (st, drive) = state.parts();
        call(st, drive).map_err(errno)
    }

    /// A call that can take long.
    fn at_work<T>(
        &self,
        call: impl FnOnce(&mut St, &mut dyn Drive) -> Result<T, pseudotape_st::Errno>,
    ) -> Result<T, Errno> {
        self.tape.shared.busy.store(true, Ordering::SeqCst);
        let result = self.with(|st, drive| call(st, &mut Sliced::new(drive, &*self.tape.wanted)));
        self.tape.shared.busy.store(false, Ordering::SeqCst);
        result
    }
}

impl TapeNode for OpenStTape {
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        // The file system's check, before st hears of it.
        if self.access == AccessMode::Write {
            return Err(Errno::EBADF);
        }
        self.with(|st, drive| st.read(drive, buffer))
    }

    fn write(&self, data: &[u8]) -> Result<usize, Errno> {
        if self.access == AccessMode::Read {
            return Err(Errno::EBADF);
        }
        self.with(|st, drive| st.write(drive, data))
    }

    fn operate(&self, operation: Operation, count: i32) -> Result<(), Errno> {
        let operation = MtOp { operation, count };
        self.at_work(|st, drive| st.op(drive, operation, self.tape.caller))
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
