//! One drive, and the thread that answers its commands.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use pseudotape_bay::Slot;
use pseudotape_dev::tape_drive::TapeDrive;
use pseudotape_scsi::{
    Direction, Nexus, Reason, Sense, SenseKey, Status, TapeFeatures, TapeReply, TapeUnit,
    changes_something, data_direction,
};
use pseudotape_tape::{Address, Door, Failed, Mode, ModeSelect, Volume, make_ready};
use pseudotape_tcmu::{Command, Device, Outcome, Ring, Task, Way};

use crate::answering::{Answering, Answers, in_words};
use crate::event::Event;
use crate::held::{Held, HeldNote};
use crate::note::{Answered, InHand, Note, Place};
use crate::trees::refuse_waiting;

/// The target core does not say which initiator has sent a command: all of them are one.
const INITIATOR: Nexus = Nexus(0);

/// Operation codes after which the state of the drive is looked at: LOAD UNLOAD, MODE SELECT, FORMAT MEDIUM, PREVENT
/// ALLOW MEDIUM REMOVAL.
const CHANGE_THE_DRIVE: [u8; 5] = [0x1b, 0x15, 0x55, 0x04, 0x1e];
/// READ and WRITE, for the counts of the status.
const READS: [u8; 2] = [0x08, 0x88];
const WRITES: [u8; 2] = [0x0a, 0x8a];

/// A drive that is served.
pub(crate) struct Served {
    drive: Arc<TapeDrive>,
    unit: Arc<Mutex<Unit>>,
    /// How it reads and writes, as it was seen last: a command that lasts has the unit.
    mode: Arc<Mutex<Option<Mode>>>,
    held: Mutex<(Held, HeldNote)>,
    answering: Answering,
}

/// What the next daemon has to know of a drive.
pub(crate) struct Notes {
    pub(crate) note: Note,
    /// What is in it.
    pub(crate) held: Held,
    pub(crate) held_note: HeldNote,
}

/// What a drive's commands change beside the drive. Its lock is taken with the drive's own, behind it.
struct Unit {
    unit: TapeUnit,
    note: Note,
    /// For who asks while a command lasts.
    mode: Arc<Mutex<Option<Mode>>>,
    /// The next daemon is to find the note as it is.
    is_left: bool,
}

impl Unit {
    /// Notes how the drive is now. The state of the drive is looked at where it may be another one.
    fn settle(&mut self, slot: &mut Slot, looks: bool) {
        let settled = &mut self.note.settled;
        settled.position = slot.known_position();
        if is_fixed(slot) {
            // Of another hand's drive it is known whether it says where the tape is. Before its first command it does
            // not.
            settled.is_ready = settled.position.is_some();
        }
        if !looks {
            return;
        }
        let loaded = slot.loaded();
        if !is_fixed(slot) {
            settled.is_ready = loaded.as_ref().is_some_and(|loaded| loaded.ready);
        }
        settled.volume = loaded.map(|loaded| loaded.name.to_string_lossy().into_owned());
        settled.mode = slot.drive().mode().ok(); // without it the next daemon leaves it as it is
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = settled.mode;
        settled.is_locked = slot.door() == Door::Locked;
    }
}

fn lock(unit: &Mutex<Unit>) -> MutexGuard<'_, Unit> {
    // A panic was answered and told where it was; the note says what it left.
    unit.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which volume the last daemon had in the drive; `None`: nobody knows.
pub(crate) fn noted_volume(note: &Note) -> Option<&str> {
    note.settled.volume.as_deref()
}

impl Served {
    /// Begins to serve a drive. One whose device was there goes on where the tape was, as far as that is noted.
    pub(crate) fn start(
        drive: Arc<TapeDrive>,
        mut device: Device,
        goes_on: bool,
        notes: Notes,
        events: Sender<Event>,
    ) -> Result<Served> {
        let number = drive.number();
        let Notes {
            note,
            held,
            held_note,
        } = notes;
        let mut refuses = false;
        let mode = Arc::default();
        let made = drive.with_slot(|slot, _| {
            let personality = slot.personality();
            let features = personality.map_or(TapeFeatures::default(), |p| TapeFeatures {
                max_partitions: p.max_partitions,
                density: p.density,
                setmarks: p.setmarks,
                hides_beginning: !p.reports_beginning,
                limits_reads: p.limits_reads,
                silent_load: !p.announces_medium,
            });
            let mut unit = Unit {
                unit: TapeUnit::new(features),
                note,
                mode: Arc::clone(&mode),
                is_left: false,
            };
            if goes_on && is_another(slot, &unit.note) {
                // The drive tells of its new cartridge itself, and a command that waits is not for that one.
                unit.unit.greet(INITIATOR);
                unit.note.clear();
                refuses = true;
            } else if goes_on {
                match go_on(slot, &unit.note) {
                    // The initiators hear of no reset: for them nothing has happened.
                    Ok(()) => unit.unit.greet(INITIATOR),
                    Err(error) => {
                        log::error!(
                            "drive {number}: where the tape was can't be found again ({error}): programs are told of a \
                             reset"
                        );
                        unit.note.in_hand = InHand::Nothing;
                    }
                }
            } else {
                unit.note.clear();
            }
            unit.settle(slot, true);
            unit.note.write();
            unit
        });
        if refuses {
            refuse_waiting(&mut device)?;
        }
        if let Some(unit) = &made {
            drive.set_unfinished(unit.note.settled.is_file_open);
        }
        let unit = Arc::new(Mutex::new(made.context("the daemon is ending")?));
        let changed = Arc::clone(&unit);
        let told = Arc::downgrade(&drive);
        // Whoever moves cartridges, this one knows at once what the next daemon has to know.
        drive.on_exchange(move |slot| {
            let mut unit = lock(&changed);
            if unit.is_left {
                return;
            }
            unit.settle(slot, true);
            unit.note.settled.is_file_open = false;
            unit.note.write();
            if let Some(drive) = told.upgrade() {
                drive.set_unfinished(false);
            }
        });
        let server = Server {
            drive: Arc::clone(&drive),
            unit: Arc::clone(&unit),
            device,
        };
        let answering = Answering::start(server, events)?;
        let served = Served {
            drive,
            unit,
            mode,
            held: Mutex::new((held, held_note)),
            answering,
        };
        served.look_at_legs();
        Ok(served)
    }

    pub(crate) fn drive(&self) -> &Arc<TapeDrive> {
        &self.drive
    }

    /// How it reads and writes, as it was seen last. Waits for no command.
    pub(crate) fn mode(&self) -> Option<Mode> {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes which volumes are in the legs, where the drive has legs.
    fn look_at_legs(&self) {
        if let Some(mirror) = self.drive.status().mirror {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let (held, note) = &mut *held;
            held.look_at(&mirror);
            note.write(held);
        }
    }

    /// After what an operator did.
    pub(crate) fn look_again(&self) {
        self.look_at_legs();
        self.drive.with_slot(|slot, _| {
            let mut unit = lock(&self.unit);
            unit.settle(slot, true);
            unit.note.settled.is_file_open = false;
            unit.note.write();
            self.drive.set_unfinished(false);
        });
    }

    /// Tells the initiators of a reset that an operator has done.
    pub(crate) fn was_reset(&self) {
        self.drive.with_slot(|slot, _| {
            let mut unit = lock(&self.unit);
            reset(&mut unit.unit, slot, self.drive.number());
        });
    }

    /// Stops answering, and leaves the device and the note to the next daemon.
    pub(crate) fn leave(&self) -> Result<()> {
        self.answering.stop()?;
        lock(&self.unit).is_left = true;
        Ok(())
    }

    /// Stops answering, and gives the device back; says whether a program was in the middle of a tape file.
    pub(crate) fn stop(&self) -> Result<bool> {
        self.answering.stop()?;
        let mut unit = lock(&self.unit);
        let is_file_open = unit.note.settled.is_file_open;
        unit.note.clear();
        Ok(is_file_open)
    }
}

/// Whether the drive is another hand's, which loads and unloads it: a slave, a mirror.
fn is_fixed(slot: &Slot) -> bool {
    slot.personality().is_none()
}

/// Whether a library has put another cartridge into the drive, or none, than the last daemon had in it.
fn is_another(slot: &Slot, note: &Note) -> bool {
    let loaded = slot.loaded().map(|loaded| loaded.name);
    let noted = note.settled.volume.as_deref();
    loaded.as_deref() != noted.map(Path::new)
}

/// Brings a drive back to where it was when the last daemon was killed.
fn go_on(slot: &mut Slot, note: &Note) -> Result<(), Failed> {
    let settled = &note.settled;
    if slot.loaded().is_none() && !is_fixed(slot) {
        return Ok(());
    }
    if is_fixed(slot) && settled.position.is_none() {
        // Nothing was in it, as far as the last daemon knew.
        return Err(Failed::at(pseudotape_tape::Sense::Reset, None));
    }
    let drive = slot.drive();
    make_ready(drive)?;
    if let Some(mode) = settled.mode {
        drive.set_mode(ModeSelect {
            block_size: Some(mode.block_size),
            density: None,
            buffering: Some(mode.buffering),
            compression: mode.compression,
        })?;
    }
    if !settled.is_ready {
        return drive.unload();
    }
    let Some(position) = settled.position else {
        return Err(Failed::at(pseudotape_tape::Sense::Reset, None));
    };
    drive.locate(Address {
        partition: Some(position.partition),
        object: position.object,
    })?;
    match settled.is_locked {
        true => drive.set_door(Door::Locked),
        false => Ok(()),
    }
}

fn reset(unit: &mut TapeUnit, slot: &mut Slot, number: u32) {
    if let Err(failed) = unit.reset(slot.volume_mut()) {
        log::warn!("drive {number}: its reset failed: {:?}", failed.sense);
    }
}

/// The thread of a drive.
struct Server {
    drive: Arc<TapeDrive>,
    unit: Arc<Mutex<Unit>>,
    device: Device,
}

impl Answers for Server {
    fn name(&self) -> String {
        format!("drive {}", self.drive.number())
    }

    fn device(&mut self) -> &mut Device {
        &mut self.device
    }

    fn task(&mut self, task: Task) {
        let number = self.drive.number();
        log::warn!("drive {number}: {}", in_words(task));
        if task.is_reset() {
            self.drive.with_slot(|slot, _| {
                let mut unit = lock(&self.unit);
                reset(&mut unit.unit, slot, number);
                unit.settle(slot, true);
                unit.note.write();
            });
        }
    }

    fn command(&mut self, command: Command) {
        let place = Place {
            id: command.id(),
            at: command.place(),
        };
        let ring = self.device.ring();
        let answered = self.drive.with_slot(|slot, transferred| {
            let unit = &mut *lock(&self.unit);
            if let Some(answered) = unit.note.answered(place) {
                log::info!(
                    "drive {}: a command that was done is answered",
                    self.drive.number()
                );
                return answered.clone();
            }
            let answered = unit.execute(ring, &command, place, slot);
            if !answered.sense.is_empty()
                && let Some(trouble) = slot.take_trouble()
            {
                log::error!("drive {}: {trouble}", self.drive.number());
            }
            self.drive.set_unfinished(unit.note.settled.is_file_open);
            let counters = unit.unit.counters();
            transferred.written_bytes = counters.written_bytes;
            transferred.read_bytes = counters.read_bytes;
            let code = command.cdb().first();
            let is_one_of = |codes: [u8; 2]| code.is_some_and(|code| codes.contains(code));
            transferred.writes += u64::from(is_one_of(WRITES));
            transferred.reads += u64::from(is_one_of(READS));
            answered
        });
        let answered = answered.unwrap_or_else(|| not_ready(Reason::NOT_READY));
        let outcome = Outcome {
            status: answered.status,
            sense: &answered.sense,
            read_bytes: answered.read_bytes,
        };
        self.device.ring().answer(command, outcome);
        let mut unit = lock(&self.unit);
        if unit.note.in_hand != InHand::Nothing {
            unit.note.in_hand = InHand::Nothing;
            unit.note.write();
        }
    }
}

impl Unit {
    /// Does a command, and notes it where to do it twice would be something else.
    fn execute(
        &mut self,
        ring: &mut Ring,
        command: &Command,
        place: Place,
        slot: &mut Slot,
    ) -> Answered {
        let cdb = command.cdb();
        let code = cdb.first().copied().unwrap_or_default();
        let changes = changes_something(cdb);
        if changes {
            self.note.in_hand = InHand::Begun(place);
            self.note.write();
        }
        let way = match data_direction(cdb) {
            Direction::Out => Way::Out,
            Direction::In | Direction::None => Way::In,
        };
        let unit = &mut self.unit;
        let done = catch_unwind(AssertUnwindSafe(|| {
            ring.with_data(command, way, |data| {
                let volume: &mut dyn Volume = slot.volume_mut();
                match data.is_empty() {
                    true => unit.execute(INITIATOR, cdb, &mut [], volume),
                    false => unit.execute(INITIATOR, cdb, &mut [data], volume),
                }
            })
        }));
        let reply = done.unwrap_or_else(|_| {
            log::error!("command {code:02x}h ended in a fault of this program: it is refused");
            TapeReply {
                status: Status::CheckCondition,
                sense: Some(Sense::new(
                    SenseKey::HardwareError,
                    Reason::INTERNAL_FAILURE,
                )),
                transferred: 0,
            }
        });
        let answered = self.answered(&reply, way);
        if changes {
            self.settle(slot, CHANGE_THE_DRIVE.contains(&code));
            let is_write = WRITES.contains(&code);
            let settled = &mut self.note.settled;
            settled.is_file_open = match is_write {
                true => settled.is_file_open || reply.transferred > 0,
                false => settled.is_file_open && (!leaves_the_file(code)),
            };
            self.note.in_hand = InHand::Done(place, answered.clone());
            self.note.write();
        }
        answered
    }

    fn answered(&self, reply: &TapeReply, way: Way) -> Answered {
        let sense = reply
            .sense
            .map(|sense| sense.encode(self.unit.sense_format()));
        let bytes = u32::try_from(reply.transferred).unwrap_or(u32::MAX);
        Answered {
            status: reply.status.byte(),
            sense: sense.unwrap_or_default(),
            read_bytes: (way == Way::In).then_some(bytes),
        }
    }
}

/// Whether the tape file that is being written has its end behind this command: a mark, or the tape is elsewhere.
fn leaves_the_file(code: u8) -> bool {
    // WRITE FILEMARKS, REWIND, LOAD UNLOAD, SPACE, LOCATE, ERASE, FORMAT MEDIUM.
    const LEAVE: [u8; 10] = [0x10, 0x80, 0x01, 0x1b, 0x11, 0x91, 0x2b, 0x92, 0x19, 0x04];
    LEAVE.contains(&code)
}

fn not_ready(reason: Reason) -> Answered {
    let sense = Sense::new(SenseKey::NotReady, reason);
    Answered {
        status: Status::CheckCondition.byte(),
        sense: sense.encode(pseudotape_scsi::SenseFormat::Fixed),
        read_bytes: None,
    }
}

/// Where the note of a drive is.
pub(crate) fn note_path(state: &Path, number: u32) -> std::path::PathBuf {
    state.join(format!("drive-{number}"))
}
