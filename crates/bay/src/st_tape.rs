//! A drive of this process as a tape: everything that a program would see of it comes from st.

use std::fmt;
use std::mem;
use std::sync::Arc;

use nix::errno::Errno;
use pseudotape_device::TapeNode;
use pseudotape_drive::{Overrides, Personality};
use pseudotape_mtio::{MtGet, MtOp, Operation};
use pseudotape_st::{AccessMode, Caller, Node, OpenFlags, Opening, Options, St};
use pseudotape_tape::{Drive, Mark, Sense, Volume, WriteMode};

use crate::bay::{Bay, BayState};
use crate::error::Error;
use crate::sliced::Sliced;
use crate::slot::Slot;

/// Says whether whoever asked for something still waits for it.
pub type Wanted = Arc<dyn Fn() -> bool + Send + Sync>;

/// A drive with its driver. Clones are the same drive: what one opening leaves, the next one finds.
#[derive(Clone)]
pub struct StTape {
    shared: Arc<Shared>,
    caller: Caller,
    client: String,
    wanted: Wanted,
}

/// What was not done with a drive that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Who still had it open, and had written.
    pub client: String,
}

/// The bay; finished when nobody holds it any more.
struct Shared {
    /// For messages.
    name: String,
    bay: Option<Bay<Held>>,
}

/// What is known of a drive under its lock, beside the driver and the volume.
#[derive(Default)]
struct Held {
    /// A call of the open file failed in the volume.
    troubled: bool,
    volume: VolumeState,
}

/// Where the volume of a drive is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum VolumeState {
    /// In the drive.
    #[default]
    In,
    /// Closed, because nothing could be committed to it any more.
    Failed,
    /// Closed for good.
    Ended,
}

type State = BayState<Held>;

impl Shared {
    fn bay(&self) -> &Bay<Held> {
        self.bay.as_ref().expect("only a drop takes it")
    }

    /// Keeps and logs what an errno can't say.
    fn note_trouble(&self, state: &mut State) {
        if let Some(trouble) = state.slot.take_trouble() {
            log::error!("{}: {trouble}", self.name);
            state.holder.troubled = true;
        }
    }

    /// Closes the open file.
    fn close(&self, state: &mut State) -> Result<(), Errno> {
        // Whoever comes now waits for the end of this.
        self.bay().seen().opener = None;
        let (st, drive) = state.parts();
        let closed = st.close(drive);
        if closed.is_err() {
            self.note_trouble(state);
        }
        if mem::take(&mut state.holder.troubled) && !can_commit(state.slot.drive()) {
            self.give_up(state);
        }
        closed.map_err(errno)
    }

    /// Closes a volume to which nothing can be committed any more. What of it is on stable storage shows when it is
    /// opened anew.
    ///
    /// A volume that nobody finds once it is closed stays in: all that it holds would be lost. Its file can be copied
    /// as long as this process has it open.
    fn give_up(&self, state: &mut State) {
        let name = &self.name;
        if let Some(lost) = state.slot.lost_when_closed() {
            log::error!(
                "{name}: takes no commit any more, and stays open until this process ends: {lost}"
            );
            return;
        }
        state.holder.volume = VolumeState::Failed;
        match mem::replace(&mut state.slot, without_volume()).finish() {
            Ok(()) => log::error!("{name}: closed, since it takes no commit any more"),
            Err(error) => log::error!("{name}: closed, since it takes no commit any more: {error}"),
        }
        log::error!(
            "{name}: the next client that opens it has it opened anew, and has to rewind it or to go to a known place"
        );
    }
}

/// Whether what is written can be brought to stable storage, as far as the drive itself is concerned.
fn can_commit(drive: &mut dyn Drive) -> bool {
    match drive.write_marks(Mark::Filemark, 0, WriteMode::Commit) {
        Ok(_) => true,
        Err(failed) => match failed.sense {
            Sense::HardwareError | Sense::NoDrive => false,
            Sense::NoMedium
            | Sense::NotReady
            | Sense::Reset
            | Sense::MediumChanged
            | Sense::WriteProtected
            | Sense::WormOverwrite
            | Sense::MediumError
            | Sense::IllegalRequest => true,
        },
    }
}

/// What is in the place of a volume that was closed.
fn without_volume() -> Slot {
    let nothing = Overrides::default();
    Slot::new(Personality::default(), String::new(), nothing)
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(bay) = self.bay.take()
            && let Err(error) = bay.into_slot().finish()
        {
            log::error!("{}: {error}", self.name);
        }
    }
}

fn errno(errno: pseudotape_st::Errno) -> Errno {
    Errno::from_raw(errno.code())
}

impl StTape {
    /// A drive that this process holds, with its name for messages. Clients may do everything but set options of the
    /// driver, partitions included, which stay as the server's owner wants them.
    #[must_use]
    pub fn new(name: impl Into<String>, volume: Box<dyn Volume>) -> Self {
        let bay = Bay::new(Slot::fixed(volume), &Options::default(), Held::default());
        StTape {
            shared: Arc::new(Shared {
                name: name.into(),
                bay: Some(bay),
            }),
            caller: Caller { privileged: false },
            client: "a client".to_owned(),
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
    pub fn for_client(mut self, name: impl Into<String>, wanted: Wanted) -> Self {
        self.client = name.into();
        self.wanted = wanted;
        self
    }

    /// Opens it as a node, rewinding at close or not. A drive that is open already is EBUSY, at once; one without a
    /// medium is ENOMEDIUM at once, where a node would wait for one.
    pub fn open(&self, rewinding: bool, flags: OpenFlags) -> Result<Box<dyn TapeNode>, Errno> {
        let mut state = match self.shared.bay().try_lock() {
            Some(state) => state,
            // Whoever is at work has it open, and can take long. A close is waited for, so that the next client finds
            // the drive free.
            None if self.shared.bay().seen().opener.is_some() => return Err(Errno::EBUSY),
            None => self.shared.bay().lock(),
        };
        if state.holder.volume != VolumeState::In {
            return Err(Errno::ENXIO);
        }
        let (st, drive) = state.parts();
        let node = Node { mode: 0, rewinding };
        let opening = st.open(drive, node, flags);
        if opening.is_err() && self.shared.bay().seen().opener.is_none() {
            self.shared.note_trouble(&mut state);
        }
        match opening.map_err(errno)? {
            Opening::Open => {
                self.shared.bay().seen().opener = Some(self.client.clone());
                drop(state);
                Ok(Box::new(OpenStTape {
                    tape: self.clone(),
                    access: flags.access,
                    open: true,
                }))
            }
            Opening::Waiting => Err(errno(state.st.abandon_open())),
        }
    }

    /// Whether the volume was closed because nothing could be committed to it, so that the drive needs it again.
    #[must_use]
    pub fn needs_volume(&self) -> bool {
        self.shared.bay().lock().holder.volume == VolumeState::Failed
    }

    /// Puts the volume in again that the drive needs. Its place is lost, as by a reset: a program that counts on it
    /// must not overwrite what is there.
    pub fn put_in(&self, volume: Box<dyn Volume>) {
        let mut state = self.shared.bay().lock();
        if state.holder.volume == VolumeState::Failed {
            state.holder.volume = VolumeState::In;
            state.slot = Slot::fixed(volume);
            state.st.lose_position();
        }
    }

    /// Ends the drive: closes what a client still has open, as the client would have done, then commits and closes the
    /// volume. Waits for the call in hand; later calls fail. Says which client was not done.
    pub fn end(&self) -> Result<Option<Cut>, Error> {
        let mut state = self.shared.bay().lock();
        let state = &mut *state;
        if state.holder.volume != VolumeState::In {
            state.holder.volume = VolumeState::Ended;
            return Ok(None);
        }
        let (mut cut, mut closed) = (None, Ok(()));
        let client = self.shared.bay().seen().opener.take();
        if let Some(client) = client {
            cut = state.st.owes_filemark().then_some(client);
            let (st, drive) = state.parts();
            closed = st.close(drive);
            self.shared.note_trouble(state);
        }
        state.holder.volume = VolumeState::Ended;
        let finished = mem::replace(&mut state.slot, without_volume()).finish();
        finished.map_err(|source| Error::Unfinished {
            name: self.shared.name.clone(),
            source,
        })?;
        match (cut, closed) {
            (Some(client), Err(errno)) => Err(Error::Unclosed {
                name: self.shared.name.clone(),
                client,
                errno,
            }),
            (cut, _) => Ok(cut.map(|client| Cut { client })),
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
        let shared = &self.tape.shared;
        let mut state = shared.bay().lock();
        if state.holder.volume != VolumeState::In {
            return Err(Errno::EIO);
        }
        let (st, drive) = state.parts();
        let result = call(st, drive);
        if result.is_err() {
            shared.note_trouble(&mut state);
        }
        result.map_err(errno)
    }

    /// A call that can take long.
    fn at_work<T>(
        &self,
        call: impl FnOnce(&mut St, &mut dyn Drive) -> Result<T, pseudotape_st::Errno>,
    ) -> Result<T, Errno> {
        self.with(|st, drive| call(st, &mut Sliced::new(drive, &*self.tape.wanted)))
    }

    fn close_once(&mut self) -> Result<(), Errno> {
        self.open = false;
        let mut state = self.tape.shared.bay().lock();
        match state.holder.volume {
            VolumeState::In => self.tape.shared.close(&mut state),
            // The end of the drive closed it, and told how that went.
            VolumeState::Failed | VolumeState::Ended => Err(Errno::EIO),
        }
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
        self.close_once()
    }
}

impl Drop for OpenStTape {
    fn drop(&mut self) {
        if self.open
            && let Err(errno) = self.close_once()
        {
            let name = &self.tape.shared.name;
            log::error!(
                "{name}: closing the tape that its client left open: {}",
                errno.desc()
            );
        }
    }
}
