//! One changer, and the thread that answers its commands.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use anyhow::{Context, Result};
use pseudotape_changer::{Address, AddressRange, Selection};
use pseudotape_rack::{LendsChanger, LentUnit};
use pseudotape_scsi::{Program, Reason, Reply, Sense, SenseFormat, SenseKey};
use pseudotape_tcmu::{Command, Device, Outcome, Task, Way};

use crate::answering::{Answering, Answers, in_words};
use crate::changer_note::{ChangerNote, Content, MoveInHand, Moved, Verdict};
use crate::event::Event;
use crate::note::{Answered, Place};

/// The target core does not say who has sent a command: all programs are one.
const PROGRAM: Program = Program(0);

/// A changer that is served.
pub(crate) struct ServedChanger {
    name: String,
    answering: Answering,
}

impl ServedChanger {
    /// Begins to serve a changer. The note is that of the last daemon, where it is the same changer. One that is
    /// strange to the programs of its device tells them that they have to look again.
    pub(crate) fn start(
        name: String,
        owner: Arc<dyn LendsChanger>,
        device: Device,
        note: &Path,
        is_strange: bool,
        events: Sender<Event>,
    ) -> Result<ServedChanger> {
        let note = ChangerNote::open(note).with_context(|| format!("{}", note.display()))?;
        let server = Server {
            name: name.clone(),
            work: Work::new(owner, note, is_strange),
            device,
        };
        let answering = Answering::start(server, events)?;
        Ok(ServedChanger { name, answering })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Stops answering, behind the command in hand.
    pub(crate) fn stop(&self) -> Result<()> {
        self.answering.stop()
    }
}

/// The thread of a changer.
struct Server {
    name: String,
    work: Work,
    device: Device,
}

impl Answers for Server {
    fn name(&self) -> String {
        format!("changer {}", self.name)
    }

    fn device(&mut self) -> &mut Device {
        &mut self.device
    }

    fn command(&mut self, command: Command) {
        let place = Place {
            id: command.id(),
            at: command.place(),
        };
        let (mut answered, data) = self.work.answer(place, command.cdb());
        let ring = self.device.ring();
        let room = ring.with_data(&command, Way::In, |room| {
            let length = room.len().min(data.len());
            room[..length].copy_from_slice(&data[..length]);
            length
        });
        answered.read_bytes = Some(u32::try_from(room).unwrap_or(u32::MAX));
        let outcome = Outcome {
            status: answered.status,
            sense: &answered.sense,
            read_bytes: answered.read_bytes,
        };
        ring.answer(command, outcome);
        self.work.is_answered();
    }

    fn task(&mut self, task: Task) {
        log::warn!("changer {}: {}", self.name, in_words(task));
        if task.is_reset()
            && let Err(refusal) = self.work.unit.reset()
        {
            log::error!("changer {}: {refusal}", self.name);
        }
    }
}

/// What commands do, without their ring.
struct Work {
    unit: LentUnit,
    note: ChangerNote,
}

impl Work {
    fn new(owner: Arc<dyn LendsChanger>, note: ChangerNote, is_strange: bool) -> Work {
        let unit = LentUnit::new(owner);
        if !is_strange {
            unit.greet(PROGRAM);
        }
        Work { unit, note }
    }

    /// Does a command; a move that a killed daemon has begun only if that one did not do it.
    fn answer(&mut self, place: Place, cdb: &[u8]) -> (Answered, Vec<u8>) {
        if let MoveInHand::Done(done, answered) = self.note.in_hand()
            && *done == place
        {
            log::info!("a move that was done is answered");
            return (answered.clone(), Vec::new());
        }
        let Some(moved) = Moved::by(cdb) else {
            let reply = self.unit.execute(PROGRAM, cdb);
            return (answered(&reply), reply.data);
        };
        let now = self.contents(&moved);
        let verdict = match self.note.in_hand() {
            MoveInHand::Begun(begun, before) if *begun == place => moved.verdict(before, &now),
            _ => Verdict::NotDone,
        };
        let reply = match verdict {
            Verdict::Done => {
                log::info!("a move that a killed daemon has done is answered");
                Reply::good()
            }
            Verdict::Unknown => Reply::check(Sense::new(
                SenseKey::UnitAttention,
                Reason::POWER_ON_OR_RESET,
            )),
            Verdict::NotDone => {
                self.note.set(MoveInHand::Begun(place, now));
                self.unit.execute(PROGRAM, cdb)
            }
        };
        let answered = answered(&reply);
        self.note.set(MoveInHand::Done(place, answered.clone()));
        (answered, Vec::new())
    }

    /// The kernel has the answer.
    fn is_answered(&mut self) {
        self.note.set(MoveInHand::Nothing);
    }

    /// What is in the elements of a move; nothing where one of them can't be asked.
    fn contents(&self, moved: &Moved) -> Vec<Content> {
        let mut contents = Vec::new();
        self.unit.owner().lend(&mut |changer| {
            contents.clear();
            for at in moved.elements() {
                let range = AddressRange {
                    first: Address(*at),
                    count: Some(1),
                };
                let selection = Selection { kind: None, range };
                // A move that is refused is refused by the command itself.
                let inventory = changer.inventory(selection).unwrap_or_default();
                let Some(element) = inventory.elements().first() else {
                    contents.clear();
                    return;
                };
                let barcode = element.medium.map(|medium| {
                    let barcode = medium.barcode.map(|barcode| barcode.to_string());
                    barcode.unwrap_or_default()
                });
                contents.push(barcode);
            }
        });
        contents
    }
}

fn answered(reply: &Reply) -> Answered {
    let sense = reply.sense.map(|sense| sense.encode(SenseFormat::Fixed));
    Answered {
        status: reply.status.byte(),
        sense: sense.unwrap_or_default(),
        read_bytes: None,
    }
}

/// Where the note of a changer is.
pub(crate) fn changer_note_path(state: &Path, number: usize) -> PathBuf {
    state.join(format!("changer-{number}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use pseudotape_changer::{Design, FileHost, Layout, Library};
    use pseudotape_control::{LibraryOrder, Peer, Response};
    use pseudotape_dev::library::{ServedLibrary, take_libraries};
    use pseudotape_dev::tape_drive::TapeDrive;
    use pseudotape_scsi::{ChangerCommand, MoveMedium};

    use super::*;
    use crate::cli::Arguments;

    const PLACE: Place = Place { id: 5, at: 128 };
    const SLOT: u16 = 0x401;
    const DRIVE: u16 = 0x101;
    const GOOD: u8 = 0;
    const CHECK_CONDITION: u8 = 2;

    fn move_cdb(source: u16, destination: u16) -> Vec<u8> {
        let transport = 1;
        let invert = false;
        let medium = MoveMedium {
            transport,
            source,
            destination,
            invert,
        };
        ChangerCommand::Move(medium).encode()
    }

    /// A library of one drive with a cartridge in its first slot, and where the note of its changer is.
    struct Rig {
        served: Arc<ServedLibrary>,
        directory: tempfile::TempDir,
    }

    impl Rig {
        fn new() -> Rig {
            let directory = tempfile::tempdir().unwrap();
            let folder = directory.path();
            let design = Design {
                name: "vault".into(),
                serial: "PTL1".into(),
                layout: Layout::usual(1, 1, 4).unwrap(),
                barcodes: "PT####L5".into(),
                capacity_bytes: Some(8 << 20),
            };
            Library::create(FileHost::open(folder).unwrap(), design).unwrap();
            let words = [
                "pseudotape-scsi",
                "--local",
                "--library",
                folder.to_str().unwrap(),
            ];
            let config = crate::config::read(&Arguments::parse_from(words)).unwrap();
            let mut taken = take_libraries(&config.libraries, 0, 64).unwrap();
            let taken = taken.pop().unwrap();
            let drives = taken.make_drives(TapeDrive::new).unwrap();
            let served = taken.start(drives).unwrap();
            let rig = Rig { served, directory };
            rig.order(&LibraryOrder::Put {
                at: None,
                import_export: false,
                barcode: None,
                volume: None,
            });
            rig
        }

        fn order(&self, order: &LibraryOrder) {
            let own = Peer {
                uid: Some(0),
                pid: std::process::id(),
            };
            let done = self.served.order(order, own);
            assert!(matches!(done, Response::Done { .. }), "{done:?}");
        }

        fn carry(&self, from: u16, to: u16) {
            self.order(&LibraryOrder::Move {
                from,
                to,
                invert: false,
            });
        }

        /// The next daemon.
        fn work(&self) -> Work {
            let note = changer_note_path(self.directory.path(), 0);
            Work::new(
                self.served.clone(),
                ChangerNote::open(&note).unwrap(),
                false,
            )
        }

        fn places(&self) -> Vec<u16> {
            let elements = self.served.status().elements.into_iter();
            elements.filter(|e| e.full).map(|e| e.at).collect()
        }
    }

    #[test]
    fn a_move_is_done_once_wherever_the_daemon_is_killed() {
        let cdb = move_cdb(SLOT, DRIVE);
        let moved = Moved::by(&cdb).unwrap();
        for killed in ["before", "begun", "moved", "done"] {
            let rig = Rig::new();
            let mut first = rig.work();
            let before = first.contents(&moved);
            assert_eq!(before, [Some("PT0001L5".to_owned()), None]);
            match killed {
                "begun" => first.note.set(MoveInHand::Begun(PLACE, before)),
                "moved" => {
                    first.note.set(MoveInHand::Begun(PLACE, before));
                    rig.carry(SLOT, DRIVE);
                }
                "done" => assert_eq!(first.answer(PLACE, &cdb).0.status, GOOD),
                _ => {}
            }
            drop(first);
            let mut next = rig.work();
            let (answered, data) = next.answer(PLACE, &cdb);
            let told = (answered.status, answered.sense.len(), data.len());
            assert_eq!(told, (GOOD, 0, 0), "killed {killed}");
            assert_eq!(rig.places(), [DRIVE], "killed {killed}");
            // Another command at the same place of the ring is another one.
            next.is_answered();
            let (again, _) = rig.work().answer(PLACE, &cdb);
            assert_eq!(again.status, CHECK_CONDITION, "killed {killed}");
            assert_eq!(again.sense[12..14], [0x3b, 0x0e], "an empty source");
        }
    }

    #[test]
    fn a_refusal_that_was_not_answered_is_answered_as_it_was() {
        let rig = Rig::new();
        let cdb = move_cdb(SLOT + 1, DRIVE);
        let (refused, _) = rig.work().answer(PLACE, &cdb);
        assert_eq!(refused.status, CHECK_CONDITION);
        // Since then the operator has filled that slot.
        rig.carry(SLOT, SLOT + 1);
        assert_eq!(rig.work().answer(PLACE, &cdb).0, refused);
        assert_eq!(rig.places(), [SLOT + 1]);
    }

    #[test]
    fn what_moves_nothing_is_done_again_and_needs_no_note() {
        let rig = Rig::new();
        let mut work = rig.work();
        let inquiry = [0x12, 0, 0, 0, 36, 0];
        let (answered, data) = work.answer(PLACE, &inquiry);
        assert_eq!((answered.status, data.len()), (GOOD, 36));
        assert_eq!(data[0] & 0x1f, 8);
        assert_eq!(work.note.in_hand(), &MoveInHand::Nothing);
        // News of the operator is told once.
        rig.carry(SLOT, SLOT + 1);
        let ready = [0; 6];
        assert_eq!(work.answer(PLACE, &ready).0.status, GOOD);
        rig.order(&LibraryOrder::Put {
            at: None,
            import_export: true,
            barcode: None,
            volume: None,
        });
        let (told, _) = work.answer(PLACE, &ready);
        assert_eq!(told.sense[12..14], [0x28, 0x01]);
        assert_eq!(work.answer(PLACE, &ready).0.status, GOOD);
    }
}
