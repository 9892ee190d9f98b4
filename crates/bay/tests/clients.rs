//! Clients of a drive that a process holds: how a drive ends with a client, and how it survives a volume that fails.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use pseudotape_bay::{Cut, StTape};
use pseudotape_device::TapeNode;
use pseudotape_drive::{Cartridge, ImageDrive, Medium, Overrides, Personality};
use pseudotape_image::{CreateParameters, Uuid, VolumeId};
use pseudotape_mtio::Operation;
use pseudotape_sink::Sink;
use pseudotape_st::{AccessMode, OpenFlags};
use pseudotape_tape::{Access, Bare, Volume};
use pseudotape_testkit::store::{FaultyStore, StoreFault};
use pseudotape_testkit::{ModelCartridge, ModelDrive};

const READ_WRITE: OpenFlags = OpenFlags {
    access: AccessMode::ReadWrite,
    nonblock: false,
};

fn image(path: &Path, options: &str) -> Box<dyn Volume> {
    let sink: Sink = format!("image:{}{options}", path.display())
        .parse()
        .unwrap();
    sink.open(Access::ReadWrite).unwrap()
}

/// A medium of one partition in a store that fails when it is told to.
struct InStore(FaultyStore);

impl Medium for InStore {
    type Store = FaultyStore;

    fn access(&self) -> pseudotape_image::Access {
        pseudotape_image::Access::ReadWrite
    }

    fn open(&mut self, _partition: u8) -> Result<FaultyStore, pseudotape_image::Error> {
        Ok(self.0.clone())
    }

    fn create(&mut self, _partition: u8) -> Result<FaultyStore, pseudotape_image::Error> {
        Ok(self.0.clone())
    }
}

fn in_store(store: &FaultyStore) -> Box<dyn Volume> {
    let parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
    let cartridge = Cartridge::create(InStore(store.clone()), &parameters).unwrap();
    let mut drive = ImageDrive::new(Personality::default(), "S".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok());
    drive.clear_attention();
    Box::new(drive)
}

fn open(tape: &StTape, who: &str) -> Result<Box<dyn TapeNode>, Errno> {
    let client = tape.clone().for_client(who, std::sync::Arc::new(|| true));
    client.open(false, READ_WRITE)
}

/// The first block of an image and the object behind the last one.
fn content(path: &Path) -> (Vec<u8>, u64) {
    let tape = StTape::new("tape", image(path, ""));
    let node = open(&tape, "a reader").unwrap();
    node.operate(Operation::Rewind, 1).unwrap();
    let mut buffer = vec![0; 4096];
    let length = node.read(&mut buffer).unwrap();
    buffer.truncate(length);
    node.operate(Operation::EndOfData, 1).unwrap();
    (buffer, node.object().unwrap())
}

#[test]
fn the_end_of_a_drive_closes_for_a_client_that_has_written_and_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape");
    let tape = StTape::new("tape", image(&path, ",create"));
    let node = open(&tape, "the writer").unwrap();
    node.operate(Operation::Rewind, 1).unwrap();
    assert_eq!(node.write(b"block"), Ok(5));
    let cut = Cut {
        client: "the writer".to_owned(),
    };
    assert_eq!(tape.end().unwrap(), Some(cut));
    assert_eq!(tape.end().unwrap(), None, "only once");
    assert_eq!(node.write(b"more"), Err(Errno::EIO));
    assert_eq!(node.close(), Err(Errno::EIO));
    assert_eq!(open(&tape, "another").err(), Some(Errno::ENXIO));
    assert!(!tape.needs_volume(), "it ended, it did not fail");
    // The block, and the filemark that the close of the client would have written.
    assert_eq!(content(&path), (b"block".to_vec(), 2));
}

#[test]
fn the_end_of_a_drive_cuts_nobody_who_only_has_it_open() {
    let directory = tempfile::tempdir().unwrap();
    let tape = StTape::new("tape", image(&directory.path().join("a.ptape"), ",create"));
    let node = open(&tape, "a reader").unwrap();
    node.operate(Operation::Rewind, 1).unwrap();
    assert_eq!(tape.end().unwrap(), None);
}

#[test]
fn a_volume_that_takes_no_commit_fails_its_client_and_the_next_one_gets_it_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape");
    let store = FaultyStore::default();
    let tape = StTape::new("tape", in_store(&store));
    let node = open(&tape, "the unlucky one").unwrap();
    node.operate(Operation::Rewind, 1).unwrap();
    node.write(b"lost").unwrap();
    store.set_fault(Some(StoreFault::Sync));
    assert_eq!(node.close(), Err(Errno::EIO));
    assert!(tape.needs_volume());
    assert_eq!(open(&tape, "too early").err(), Some(Errno::ENXIO));

    tape.put_in(image(&path, ",create"));
    assert!(!tape.needs_volume());
    let node = open(&tape, "the next one").unwrap();
    // Whoever counts on the old place must not overwrite what is at the new one.
    assert_eq!(node.write(b"here?"), Err(Errno::EIO));
    node.operate(Operation::Rewind, 1).unwrap();
    node.write(b"anew").unwrap();
    node.close().unwrap();
    assert_eq!(tape.end().unwrap(), None);
    assert_eq!(content(&path), (b"anew".to_vec(), 2));
}

/// Closed, a removed image would be gone with all that was ever written to it. It stays open, for whoever copies it.
#[test]
fn an_image_that_was_removed_stays_open_and_can_be_copied() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape");
    let tape = StTape::new("tape", image(&path, ",create"));
    let node = open(&tape, "the first one").unwrap();
    node.operate(Operation::Rewind, 1).unwrap();
    node.write(b"kept").unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(node.close(), Err(Errno::EIO), "no commit reaches a name");
    assert!(!tape.needs_volume());
    // Each client is told, and none has it closed.
    for who in ["the second one", "the third one"] {
        let node = open(&tape, who).unwrap();
        assert_eq!(node.operate(Operation::Rewind, 1), Err(Errno::EIO));
        // The close has nothing new to tell.
        assert!(matches!(node.close(), Ok(()) | Err(Errno::EIO)));
        assert!(!tape.needs_volume());
    }
    // So a person does what the log says.
    let removed = format!("{} (deleted)", path.display());
    let mut open_files = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open_image = open_files.find(|entry| {
        fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == removed.as_str())
    });
    let copy = directory.path().join("copy.ptape");
    fs::copy(open_image.expect("it is open").path(), &copy).unwrap();
    assert_eq!(content(&copy).0, b"kept");
    // At the end of the drive it can't be kept any more.
    assert!(tape.end().is_err());
}

#[test]
fn a_close_that_fails_for_another_reason_keeps_the_volume() {
    let mut drive = ModelDrive::new(Personality::default());
    drive.insert(ModelCartridge::default());
    drive.clear_attention();
    let tape = StTape::new("tape", Box::new(Bare(drive)));
    let node = open(&tape, "a client").unwrap();
    node.operate(Operation::Rewind, 1).unwrap();
    assert!(node.operate(Operation::ForwardFilemarks, 3).is_err());
    node.close().unwrap();
    assert!(!tape.needs_volume());
    open(&tape, "the next one").unwrap().close().unwrap();
}

/// A server that dies by a panic, or forgets to end its drive: what its clients wrote is committed all the same.
#[test]
fn a_drive_that_nobody_ends_is_closed_when_nobody_holds_it_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape");
    let tape = StTape::new("tape", image(&path, ",create"));
    let node = open(&tape, "a client").unwrap();
    node.operate(Operation::Rewind, 1).unwrap();
    assert_eq!(node.write(b"kept"), Ok(4));
    drop(tape);
    // A clone is in the open file, which is closed first.
    drop(node);
    assert_eq!(content(&path), (b"kept".to_vec(), 2));
}
