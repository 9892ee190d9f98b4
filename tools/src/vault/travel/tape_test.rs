//! A drive that can't go to the end of its tape, as one with a hole in it.

use pseudotape_fault::{Faults, Faulty};
use pseudotape_sink::{Access, Sink};

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Transfer,
};

use super::*;

/// The digest of nothing.
const EMPTY: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

fn catalog() -> Description {
    let digest: pseudotape_stack::Digest = EMPTY.parse().unwrap();
    Description {
        written_by: "a test".to_owned(),
        written_ms: 1,
        site: Site {
            identity: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
            name: "mondays".to_owned(),
        },
        stacked_volume: StackedVolume {
            identity: "00000000-0000-7000-8000-000000000002".parse().unwrap(),
            label: "a".to_owned(),
            pool: String::new(),
        },
        sequence: 1,
        subject: Subject::Catalog {
            catalog: CatalogDescription {
                schema: 3,
                volumes: 1,
                unpacked_bytes: 0,
                unpacked_digest: digest,
            },
        },
        payload: Some(Payload {
            name: PAYLOAD.to_owned(),
            length: 0,
            digest: Some(digest),
        }),
    }
}

/// VT-03: what is behind the hole may have been a newer backup; what lies before it is found.
#[test]
fn a_backup_before_a_hole_is_found_and_the_hole_is_told() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.ptape");
    let sink = format!("image:{},create,capacity=4M", path.display());
    let sink: Sink = sink.parse().unwrap();
    let mut volume = sink.open(Access::ReadWrite).unwrap();
    write_archive(&mut volume, &catalog(), &mut std::io::empty()).unwrap();
    // The way back is the first motion, the way to the end the second one.
    for (fault, found) in [
        (None, 1),
        (Some("hardware-error,on=motion,every=2,times=1"), 2),
    ] {
        let faults = Faults::default();
        let fault = fault.map(|fault| fault.parse().unwrap());
        faults.inject(fault.into_iter().collect()).unwrap();
        let mut drive = Faulty::with(volume, faults);
        let looked = look(&mut drive, Depth::Digest, &[], None).unwrap();
        volume = drive.into_behind();
        assert_eq!(looked.backups.len(), found, "{looked:?}");
        let mut backups = looked.backups.iter().rev().map(|met| &met.found);
        assert!(
            matches!(backups.next(), Some(Found::Backup(_))),
            "{looked:?}"
        );
        let is_told = match backups.next() {
            None => true,
            Some(Found::Damaged { cause, .. }) => cause.contains("can't go to its end"),
            Some(_) => false,
        };
        assert!(is_told, "{looked:?}");
    }
}

/// A drive that notes which objects it read.
struct Noting<D> {
    drive: D,
    read: Vec<u64>,
}

impl<D: Drive> Drive for Noting<D> {
    fn identity(&self) -> Identity {
        self.drive.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.drive.block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.drive.test_ready()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.drive.mode()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.drive.set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.read.push(self.drive.position()?.object.0);
        self.drive.read(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.drive.write(transfer, data)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.drive.extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.drive.execute(motion)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.drive.unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.drive.position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.drive.capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.drive.set_door(door)
    }

    fn take_recovered(&mut self) -> u32 {
        self.drive.take_recovered()
    }
}

/// The survey of 100 stacked volumes reads the beginning of each and the backup at its end, and nothing of what lies
/// before that, however much it is: the objects that are read are counted.
#[test]
fn a_survey_of_100_tapes_reads_nothing_of_what_lies_before_the_backups() {
    let place = tempfile::tempdir().unwrap();
    let volume = |number: u64| Description {
        sequence: number,
        subject: Subject::Volume {
            volume: VolumeDescription {
                identity: "00000000-0000-7000-8000-000000000003".parse().unwrap(),
                label: "MON001".to_owned(),
                category: "private".to_owned(),
                generation: number,
                closed_ms: number,
                files: Vec::new(),
            },
        },
        payload: Some(Payload {
            name: "MON001.ptape".to_owned(),
            length: 300_000,
            digest: None,
        }),
        ..catalog()
    };
    let beginning = Description {
        subject: Subject::StackedVolume,
        payload: None,
        ..catalog()
    };
    let path = place.path().join("tape.ptape");
    let mut read = 0;
    for number in 0..100_u64 {
        // One at a time: what is open takes more room on the disk than it needs.
        let sink: Sink = format!("image:{},create", path.display()).parse().unwrap();
        let mut tape = sink.open(Access::ReadWrite).unwrap();
        let write = |tape: &mut dyn Drive, what: &Description, payload: &[u8]| {
            let mut payload = payload;
            let done = write_archive(tape, what, &mut payload).unwrap();
            assert!(matches!(done, Outcome::Written(_)), "the disk is full");
        };
        write(&mut tape, &beginning, &[]);
        // No tape has as much on it as the one before.
        let copies = number % 3;
        for copy in 0..copies {
            write(&mut tape, &volume(copy), &[7; 300_000]);
        }
        let before = tape.position().unwrap().object.0;
        write(&mut tape, &catalog(), &[]);
        let mut drive = Noting {
            drive: tape,
            read: Vec::new(),
        };
        let looked = look(&mut drive, Depth::Digest, &[], None).unwrap();
        assert!(matches!(looked.backups[0].found, Found::Backup(_)));
        let between: Vec<_> = drive
            .read
            .iter()
            .filter(|at| (2..before).contains(*at))
            .collect();
        assert!(between.is_empty(), "tape {number}: {between:?} of {before}");
        assert!(
            copies == 0 || before > 4,
            "there is something to pass: {before}"
        );
        read += drive.read.len();
        assert!(drive.read.len() <= 4, "{:?}", drive.read);
        drive.drive.finish().unwrap();
        std::fs::remove_file(&path).unwrap();
    }
    assert!(read >= 200, "a beginning and a backup of each: {read}");
}
