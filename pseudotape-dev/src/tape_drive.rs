//! One drive of the daemon: a bay, the open file, and the way from the first open to the end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use pseudotape_bay::{Bay, BayGuard, BayState, Seen, Sighting, Slot, Transferred};
use pseudotape_chardev::{Handle, LastClose, News};
use pseudotape_drive::Overrides;
use pseudotape_fault::Faults;
use pseudotape_mirror::{Asked, GivenUp};
use pseudotape_st::{Errno, Node, OpenFlags, Options};

use crate::config::{DriveConfig, HeldConfig, Modes};
use crate::ends::Ends;
use crate::legs_side::LegsSide;
use crate::one_load::OneLoad;
use crate::opener::Opener;
use crate::slave_end::SlaveSide;
use crate::vault::Volumes;

/// How long the pieces of a write may take to arrive once the daemon was asked to end.
const WRITE_IN_HAND: Duration = Duration::from_secs(2);

/// A drive, shared by its nodes and the control socket.
pub struct TapeDrive {
    number: u32,
    slave: Option<Arc<SlaveSide>>,
    legs: Option<Arc<LegsSide>>,
    bay: Bay<Files, Opener>,
    /// What goes wrong on command; known without the drive's lock.
    faults: Faults,
    /// Where its nodes are.
    nodes: Mutex<Vec<PathBuf>>,
    /// The daemon was asked to end: operations that take long are given up.
    asked_to_end: Arc<AtomicBool>,
    /// The load that is under way.
    pub(crate) one_load: OneLoad,
    /// Whoever keeps volumes that are loaded by their labels.
    pub(crate) volumes: Option<Arc<dyn Volumes>>,
    /// Tells of loads, slaves that come and files that are closed.
    news: Arc<News>,
    last_close: LastClose,
    unfinished: AtomicBool,
    /// Whoever wants to know of another cartridge at once.
    exchanged: OnceLock<Exchanged>,
}

/// Is told under the drive's lock, when its cartridge has come or gone.
type Exchanged = Box<dyn Fn(&mut Slot) + Send + Sync>;

/// An open that waits for a slave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaiting {
    pub(crate) flags: OpenFlags,
    pub(crate) until: Instant,
}

/// What the lock of a drive protects.
pub(crate) type DriveState = BayState<Files>;
/// The lock of a drive.
pub(crate) type DriveGuard<'a> = BayGuard<'a, Files>;

/// What the daemon keeps of a drive under its lock, beside the driver and the volume: for as long as the drive lives,
/// and for as long as a file is open.
pub(crate) struct Files {
    /// The open file, or the open that waits.
    pub(crate) open: Option<OpenFile>,
    /// An error that a close could not report; the next blocking open does.
    pub(crate) untold: Option<Errno>,
    /// The daemon ends: nothing new begins.
    pub(crate) ending: bool,
    next_handle: u64,
}

/// One open file, from its open to its close.
pub(crate) struct OpenFile {
    pub(crate) handle: Handle,
    /// Whether its program has written.
    pub(crate) wrote: bool,
    /// A write of several pieces was allowed, and the data of this write is still on its way.
    pub(crate) announced: bool,
    /// It is not open yet, but waits for a slave.
    pub(crate) awaiting: Option<Awaiting>,
}

impl TapeDrive {
    /// A drive as configured, with its cartridge if it has one.
    pub fn new(number: u32, config: &DriveConfig) -> Result<TapeDrive> {
        Self::new_until(number, config, Arc::default())
    }

    /// The same in a daemon that may be asked to end in the meantime: this flag tells so.
    pub fn new_until(
        number: u32,
        config: &DriveConfig,
        asked_to_end: Arc<AtomicBool>,
    ) -> Result<TapeDrive> {
        Self::with_vault(number, config, asked_to_end, None)
    }

    /// The same with a vault, whose volumes it loads.
    pub fn with_vault(
        number: u32,
        config: &DriveConfig,
        asked_to_end: Arc<AtomicBool>,
        volumes: Option<Arc<dyn Volumes>>,
    ) -> Result<TapeDrive> {
        let news = Arc::new(News::default());
        let (slot, slave, legs) = match &config.held {
            HeldConfig::Image(image) => {
                let overrides = Overrides {
                    capacity_bytes: image.capacity_bytes,
                    early_warning: image.early_warning,
                    cache: image.cache,
                };
                let slot = Slot::new(image.personality, image.serial.clone(), overrides);
                (slot, None, None)
            }
            HeldConfig::Slave(slave) => {
                let (drive, side) = SlaveSide::new(number, slave, Arc::clone(&news))?;
                (Slot::fixed(Box::new(drive)), Some(side), None)
            }
            HeldConfig::Legs(legs) => {
                let (served, side) = LegsSide::new(number, legs, Arc::clone(&asked_to_end))?;
                (Slot::fixed(Box::new(served)), None, Some(side))
            }
        };
        let faults = slot.faults().clone();
        let options = Options {
            end_of_tape: config.end_of_tape,
            ..Options::default()
        };
        let files = Files {
            open: None,
            untold: None,
            ending: false,
            next_handle: 1,
        };
        let drive = TapeDrive {
            number,
            slave,
            legs,
            faults,
            bay: Bay::new(slot, &options, files),
            nodes: Mutex::default(),
            asked_to_end,
            one_load: OneLoad::default(),
            volumes,
            last_close: LastClose::new(Arc::clone(&news)),
            news,
            unfinished: AtomicBool::new(false),
            exchanged: OnceLock::new(),
        };
        drive.configure(&config.options)?;
        if let HeldConfig::Image(image) = &config.held
            && let Some(image) = &image.image
        {
            drive.load(image)?;
        }
        // Only now: a fault is for the drive as it is in use.
        drive.inject(&[], &config.faults)?;
        // From now on there is something to tell while a call has the drive.
        drive.look(Duration::ZERO);
        Ok(drive)
    }

    /// Number of the drive.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What goes wrong on command.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The slave end, where another process is the drive.
    pub(crate) fn slave_side(&self) -> Option<&Arc<SlaveSide>> {
        self.slave.as_ref()
    }

    /// The mirror, where the drive is one of legs in this daemon.
    pub(crate) fn legs_side(&self) -> Option<&Arc<LegsSide>> {
        self.legs.as_ref()
    }

    /// Whether the drive is a mirror of legs in this daemon.
    #[must_use]
    pub fn is_mirror(&self) -> bool {
        self.legs.is_some()
    }

    /// Notes how much each leg has stored, where the drive is a mirror. To be called once a second.
    pub fn sample(&self) {
        if let Some(legs) = &self.legs {
            legs.sample();
        }
    }

    /// What ends meets no fault, and waits for none.
    pub fn end_faults(&self) {
        self.faults.end();
        if let Some(legs) = &self.legs {
            legs.end_faults();
        }
    }

    /// The nodes by name: rewinding and non-rewinding, and those of the other modes where wanted.
    #[must_use]
    pub fn nodes(&self, modes: Modes) -> Vec<(String, Node)> {
        let letters = match modes {
            Modes::Plain => &[""][..],
            Modes::All => &["", "l", "m", "a"],
        };
        let number = self.number;
        (0..)
            .zip(letters)
            .flat_map(|(mode, letter)| {
                [("", true), ("n", false)].map(|(prefix, rewinding)| {
                    let name = format!("{prefix}pmtm{number}{letter}");
                    (name, Node { mode, rewinding })
                })
            })
            .collect()
    }

    /// Tells where the nodes are.
    pub fn set_nodes(&self, nodes: Vec<PathBuf>) {
        *self.known_nodes() = nodes;
    }

    pub(crate) fn known_nodes(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// State that can be told without the drive's lock.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen<Opener>> {
        self.bay.seen()
    }

    /// The drive as it is, or as it was seen last where a call has it for longer than this.
    pub(crate) fn look(&self, patience: Duration) -> Sighting<Opener> {
        self.bay.look(patience)
    }

    /// Works on the drive when no call has it, past the driver; keeps the trouble that comes of it. `None`: the daemon
    /// is ending.
    pub fn with_slot<R>(&self, work: impl FnOnce(&mut Slot, &mut Transferred) -> R) -> Option<R> {
        let mut state = self.state();
        if state.holder.ending {
            return None;
        }
        let inner = &mut *state;
        let result = work(&mut inner.slot, &mut inner.transferred);
        self.note_trouble(&mut state);
        Some(result)
    }

    /// Where programs do not open the drive here: a program has written, and its tape file has no end yet.
    pub fn set_unfinished(&self, is_unfinished: bool) {
        self.unfinished.store(is_unfinished, Ordering::SeqCst);
    }

    /// The program from which a library does not take the cartridge, for a person.
    pub(crate) fn user(&self) -> Option<String> {
        let opener = self.seen().opener.as_ref().map(ToString::to_string);
        let is_unfinished = || self.unfinished.load(Ordering::SeqCst);
        opener.or_else(|| {
            is_unfinished().then(|| "a program whose tape file has no end yet".to_owned())
        })
    }

    /// Has this called under the drive's lock whenever a cartridge has come or gone; only the first one that is said.
    pub fn on_exchange(&self, tell: impl Fn(&mut Slot) + Send + Sync + 'static) {
        drop(self.exchanged.set(Box::new(tell)));
    }

    /// A cartridge has come or gone.
    pub(crate) fn tell_exchange(&self, state: &mut DriveState) {
        if let Some(tell) = self.exchanged.get() {
            tell(&mut state.slot);
        }
    }

    /// The drive, when no call has it.
    pub(crate) fn state(&self) -> DriveGuard<'_> {
        self.bay.lock()
    }

    /// As [`TapeDrive::state`], but `None` where a call has the lock.
    pub(crate) fn idle_state(&self) -> Option<DriveGuard<'_>> {
        self.bay.try_lock()
    }

    /// The open file is closed, or did not come to be.
    pub(crate) fn forget_open(&self, state: &mut DriveState) {
        state.holder.open = None;
        self.bay.tell();
        self.seen().opener = None;
        self.last_close.done();
    }

    /// Whether the last close of the open file is on its way.
    pub(crate) fn last_close(&self) -> &LastClose {
        &self.last_close
    }

    /// Tells of the events that opens wait for.
    pub(crate) fn news(&self) -> &News {
        &self.news
    }

    /// The data of a write that was announced has come.
    pub(crate) fn announced_came(&self, state: &mut DriveState) {
        if let Some(open) = &mut state.holder.open
            && std::mem::take(&mut open.announced)
        {
            self.bay.tell();
        }
    }

    /// After any call: keeps and logs the trouble that an errno can't express.
    pub(crate) fn note_trouble(&self, state: &mut DriveState) {
        let Some(mut trouble) = state.slot.take_trouble() else {
            return;
        };
        if let Some(side) = &self.slave {
            let holder = side.holder_name().unwrap_or_default();
            trouble = format!("{trouble} [{holder}]");
        }
        log::error!("drive {}: {trouble}", self.number);
        state.trouble = Some(trouble);
    }

    /// The flag by which long operations learn that the daemon ends.
    pub(crate) fn asked_to_end(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.asked_to_end)
    }

    /// Whether the daemon was asked to end. Known before the drive's lock is free.
    pub(crate) fn is_asked_to_end(&self) -> bool {
        self.asked_to_end.load(Ordering::SeqCst)
    }

    /// Waits for the end of a `close(2)` that has returned to its program already: on a FUSE mount the kernel's message
    /// of the last close comes later. Without this wait, an operator who acts right after a program is told that the
    /// drive is still open.
    pub(crate) fn await_close(&self) {
        if self.seen().opener.is_some() {
            self.last_close.wait();
        }
    }

    /// Whether a program has the drive open, and is not about to close it.
    pub(crate) fn is_held_open(&self) -> bool {
        self.seen().opener.is_some() && !self.last_close.is_being_done()
    }

    /// Lets the write in hand finish and no new call begin; closes an open file as its program would have done, then
    /// commits and closes the image, or parts with the slave. Says which file a program was not done with.
    pub fn end(&self) -> Result<Option<String>> {
        self.asked_to_end.store(true, Ordering::SeqCst);
        self.end_faults();
        let deadline = Instant::now() + WRITE_IN_HAND;
        self.one_load.await_end(WRITE_IN_HAND);
        if let Some(legs) = &self.legs {
            let closed = self.close_for_program(&mut self.last_call(deadline));
            let ended = legs.end();
            if let (Err(_), Ok(Some(cut))) = (&ended, &closed) {
                log::error!("drive {}: {cut}", self.number);
            }
            return ended.and_then(|()| closed.map_err(Into::into));
        }
        let Some(side) = &self.slave else {
            let mut state = self.last_call(deadline);
            let closed = self.close_for_program(&mut state);
            return self
                .take_out(&mut state, true)
                .and_then(|_| closed.map_err(Into::into));
        };
        let closed = self.while_parting(|| self.close_for_program(&mut self.last_call(deadline)));
        side.end();
        Ok(closed?)
    }

    /// Does something of the end of the drive. Where the drive is a mirror, it is left behind when the legs do nothing
    /// for as long as the configuration says: then nothing that touches the drive returns any more.
    pub fn within_end_wait<R: Send + 'static>(
        &self,
        ends: &Ends,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, GivenUp> {
        let Some(legs) = &self.legs else {
            return Ok(work());
        };
        let asked = Asked {
            once: &ends.once,
            twice: &ends.twice,
        };
        let done = legs.attempt(asked, work);
        if let Err(GivenUp { lines }) = &done {
            for line in lines {
                log::error!("drive {}: {line}", self.number);
            }
        }
        done
    }

    /// Does something that waits for the call in hand. A slave that takes too long over it is cut off.
    pub fn while_parting<R>(&self, work: impl FnOnce() -> R) -> R {
        let Some(side) = &self.slave else {
            return work();
        };
        let (done, waits) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                if waits.recv_timeout(WRITE_IN_HAND) == Err(RecvTimeoutError::Timeout) {
                    // The slave's operation is cut off, whatever it is.
                    side.end();
                }
            });
            let result = work();
            drop(done);
            result
        })
    }

    /// The lock, when the write in hand has come; no call begins any more.
    fn last_call(&self, deadline: Instant) -> DriveGuard<'_> {
        let mut state = self.state();
        let is_on_its_way = |state: &mut DriveState| state.holder.is_announced();
        self.bay.wait_while(&mut state, is_on_its_way, deadline);
        state.holder.ending = true;
        state
    }

    /// Closes the file that is still open. Where its program has written, says which program was not done.
    fn close_for_program(&self, state: &mut DriveState) -> Result<Option<String>, CloseFailed> {
        let Some(open) = state.holder.open.take() else {
            return Ok(None);
        };
        let is_done = state.st.is_closed_early();
        let by = self.seen().opener.take();
        let closed = match open.awaiting {
            None => state.st.close(state.slot.drive()),
            Some(_) => Ok(()),
        };
        self.note_trouble(state);
        let (node, program) = match &by {
            Some(by) => (by.node.as_str(), by.to_string()),
            None => ("its node", "a program".to_owned()),
        };
        match closed {
            Ok(()) if open.wrote && !is_done => Ok(Some(format!(
                "{node} was still open by {program}, which had written: its tape file ends here, with a filemark, and \
                 whatever the program had still to write is not on the tape"
            ))),
            Ok(()) => Ok(None),
            Err(errno) if open.wrote => Err(CloseFailed {
                node: node.to_owned(),
                program,
                errno,
            }),
            Err(errno) => {
                log::info!(
                    "drive {}: closing {node} of {program}: {errno}",
                    self.number
                );
                Ok(None)
            }
        }
    }
}

/// The close of a file that a program still had open failed.
#[derive(Debug)]
struct CloseFailed {
    node: String,
    program: String,
    errno: Errno,
}

impl std::fmt::Display for CloseFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let CloseFailed {
            node,
            program,
            errno,
        } = self;
        write!(
            f,
            "{node} was still open by {program}, which had written, and closing it failed: {errno}"
        )
    }
}

impl std::error::Error for CloseFailed {}

impl Files {
    /// Opens a file with a handle that no open file had before.
    pub(crate) fn open(&mut self, awaiting: Option<Awaiting>) -> Handle {
        let handle = Handle(self.next_handle);
        self.next_handle += 1;
        self.open = Some(OpenFile {
            handle,
            wrote: false,
            announced: false,
            awaiting,
        });
        handle
    }

    /// The open file, where it is the one of this handle.
    pub(crate) fn file(&mut self, handle: Handle) -> Option<&mut OpenFile> {
        self.open.as_mut().filter(|open| open.handle == handle)
    }

    fn is_announced(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_named_by_drive_and_mode() {
        let arguments = clap::Parser::parse_from(["pseudotape-dev", "--drive", ""]);
        let config = crate::config::read(&arguments).unwrap();
        let drive = TapeDrive::new(3, &config.drives[0]).unwrap();
        let names = |modes| -> Vec<String> {
            let nodes = drive.nodes(modes).into_iter();
            nodes.map(|(name, _)| name).collect()
        };
        assert_eq!(names(Modes::Plain), ["pmtm3", "npmtm3"]);
        let all = "pmtm3 npmtm3 pmtm3l npmtm3l pmtm3m npmtm3m pmtm3a npmtm3a";
        assert_eq!(names(Modes::All).join(" "), all);
        let last = drive.nodes(Modes::All).pop().unwrap().1;
        assert_eq!((last.mode, last.rewinding), (3, false));
    }
}
