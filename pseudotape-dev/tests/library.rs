//! PT-13. The drives of a library: when a move returns, the drive is ready; what a program has is not taken from it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use pseudotape_changer::{Address, Cartridge, Design, FileHost, Layout, Library};
use pseudotape_chardev::{Caller, CharDevice, Handle, IoctlRequest, Opened, WordSize};
use pseudotape_control::{LibraryOrder, LibraryRefusal, LibraryStatus, Peer, Response};
use pseudotape_dev::cli::Arguments;
use pseudotape_dev::config;
use pseudotape_dev::library::{ServedLibrary, Times};
use pseudotape_dev::tape_drive::TapeDrive;
use pseudotape_dev::tape_node::TapeNode;
use pseudotape_mtio::{MtOp, Operation};
use pseudotape_st::Node;

const CALLER: Caller = Caller {
    tid: 0,
    uid: 1000,
    gid: 100,
};
const SLOT: u16 = 1025;
const DRIVE: u16 = 257;
const MTIOCTOP: u32 = 0x4008_6d01;
const MTIOCGET: u32 = 0x8030_6d02;
const BOT: u64 = 0x4000_0000;
const ONLINE: u64 = 0x0100_0000;
const O_NONBLOCK: u32 = 0o4000;

/// A library with one drive and its nodes, in a folder.
struct Served {
    library: ServedLibrary,
    drive: Arc<TapeDrive>,
    node: TapeNode,
}

fn create(folder: &Path, slots: u16) {
    let design = Design {
        name: "vault".into(),
        serial: "PTL1".into(),
        layout: Layout::usual(1, 1, slots).unwrap(),
        barcodes: "PT####L5".into(),
        capacity_bytes: Some(8 << 20),
    };
    Library::create(FileHost::open(folder).unwrap(), design).unwrap();
}

fn serve(folder: &Path) -> Served {
    let arguments =
        Arguments::parse_from(["pseudotape-dev", "--library", folder.to_str().unwrap()]);
    let config = config::read(&arguments).unwrap();
    let drive = Arc::new(TapeDrive::new(0, &config.libraries[0].drive).unwrap());
    let library = ServedLibrary::open(folder).unwrap();
    let library =
        ServedLibrary::start(library, vec![Arc::clone(&drive)], Times::default()).unwrap();
    let node = Node {
        mode: 0,
        rewinding: false,
    };
    let node = TapeNode::new(Arc::clone(&drive), "npmtm0".into(), node, Duration::ZERO);
    Served {
        library,
        drive,
        node,
    }
}

impl Served {
    fn order(&self, order: &LibraryOrder) -> Response {
        let own = Peer {
            uid: Some(0),
            pid: std::process::id(),
        };
        self.library.order(order, own)
    }

    fn done(&self, order: &LibraryOrder) -> String {
        match self.order(order) {
            Response::Done { message } => message,
            other => panic!("{order:?}: {other:?}"),
        }
    }

    fn refused(&self, order: &LibraryOrder) -> LibraryRefusal {
        match self.order(order) {
            Response::Refused(refusal) => refusal,
            other => panic!("{order:?}: {other:?}"),
        }
    }

    fn put(&self) -> String {
        self.done(&LibraryOrder::Put {
            at: None,
            import_export: false,
            barcode: None,
            volume: None,
        })
    }

    /// Barcode and address of every cartridge.
    fn places(&self) -> Vec<(String, u16)> {
        let LibraryStatus { elements, .. } = self.library.status();
        let full = elements.into_iter().filter(|element| element.full);
        full.map(|element| (element.barcode.unwrap(), element.at))
            .collect()
    }

    fn open(&self, flags: u32) -> Handle {
        match self.node.open(flags, CALLER) {
            Ok(Opened::Open(handle)) => handle,
            other => panic!("it does not open: {other:?}"),
        }
    }

    fn operate(&self, handle: Handle, operation: Operation) {
        let input = MtOp {
            operation,
            count: 1,
        };
        let input = input.encode();
        let done = self
            .node
            .ioctl(handle, request(MTIOCTOP, &input), &mut Vec::new());
        done.unwrap();
    }

    /// The general status as `mt status` asks for it: through an open of its own.
    fn general_status(&self) -> u64 {
        let handle = self.open(O_NONBLOCK);
        let mut output = Vec::new();
        self.node
            .ioctl(handle, request(MTIOCGET, &[]), &mut output)
            .unwrap();
        self.node.close(handle).unwrap();
        u64::from_le_bytes(output[24..32].try_into().unwrap())
    }
}

fn request(command: u32, input: &[u8]) -> IoctlRequest<'_> {
    IoctlRequest {
        command,
        argument: 0,
        input,
        caller: CALLER,
        word_size: WordSize::Bits64,
    }
}

fn carry(from: u16, to: u16) -> LibraryOrder {
    LibraryOrder::Move {
        from,
        to,
        invert: false,
    }
}

#[test]
fn after_each_of_a_thousand_loads_the_drive_is_online_at_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), 4);
    let served = serve(folder.path());
    (0..3).for_each(|_| drop(served.put()));
    for round in 0..1000 {
        let slot = SLOT + round % 3;
        served.done(&carry(slot, DRIVE));
        let status = served.general_status();
        assert_eq!(
            status & (BOT | ONLINE),
            BOT | ONLINE,
            "round {round}: {status:x}"
        );
        served.done(&carry(DRIVE, slot));
        let status = served.general_status();
        assert_eq!(status & (BOT | ONLINE), 0, "round {round}: {status:x}");
    }
}

#[test]
fn a_cartridge_that_a_program_has_stays_and_one_put_offline_comes() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), 4);
    let served = serve(folder.path());
    served.put();
    served.done(&carry(SLOT, DRIVE));
    let handle = served.open(2);
    let refusal = served.refused(&carry(DRIVE, SLOT));
    assert!(
        refusal.message.contains("is open by"),
        "{}",
        refusal.message
    );
    assert_eq!(refusal.sense[0], 5, "illegal request");
    served.operate(handle, Operation::Lock);
    served.node.close(handle).unwrap();
    let refusal = served.refused(&carry(DRIVE, SLOT));
    assert!(refusal.message.contains("mt lock"), "{}", refusal.message);
    assert_eq!(served.places(), [("PT0001L5".into(), DRIVE)]);
    let shown = served.library.status();
    assert!(shown.elements[0].locked);

    let handle = served.open(2);
    served.operate(handle, Operation::Unlock);
    served.operate(handle, Operation::Offline);
    served.node.close(handle).unwrap();
    assert_eq!(served.general_status() & ONLINE, 0);
    served.done(&carry(DRIVE, SLOT));
    assert_eq!(served.places(), [("PT0001L5".into(), SLOT)]);
}

#[test]
fn an_impossible_move_is_refused_with_the_sense_of_a_library() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), 2);
    let served = serve(folder.path());
    served.put();
    assert_eq!(
        served.refused(&carry(SLOT + 1, DRIVE)).sense,
        [5, 0x3b, 0x0e]
    );
    served.put();
    assert_eq!(
        served.refused(&carry(SLOT, SLOT + 1)).sense,
        [5, 0x3b, 0x0d]
    );
    assert_eq!(served.refused(&carry(SLOT, 9)).sense, [5, 0x21, 0x01]);
    let others = Peer {
        uid: Some(12345),
        pid: 1,
    };
    let put = LibraryOrder::Put {
        at: None,
        import_export: true,
        barcode: None,
        volume: None,
    };
    let answer = served.library.order(&put, others);
    assert!(
        matches!(&answer, Response::Error { message } if message.contains("own user")),
        "{answer:?}"
    );
    // A move is what others may do, as they may use the drives.
    let moved = served.library.order(&carry(SLOT, DRIVE), others);
    assert!(matches!(moved, Response::Done { .. }), "{moved:?}");
}

#[test]
fn an_image_that_can_not_be_loaded_is_back_in_its_slot() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), 2);
    let served = serve(folder.path());
    served.put();
    std::fs::write(folder.path().join("cartridges/PT0001L5.ptape"), "no image").unwrap();
    let refusal = served.refused(&carry(SLOT, DRIVE));
    assert!(
        refusal.message.contains("is in element 1025 again"),
        "{}",
        refusal.message
    );
    assert_eq!(served.places(), [("PT0001L5".into(), SLOT)]);
    assert_eq!(served.general_status() & ONLINE, 0);
}

#[test]
fn the_next_start_finds_the_cartridge_in_its_drive() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), 2);
    let served = serve(folder.path());
    served.put();
    served.done(&carry(SLOT, DRIVE));
    let second = ServedLibrary::open(folder.path())
        .err()
        .map(|e| e.to_string());
    assert!(
        second
            .unwrap()
            .contains("another daemon or command has the library")
    );
    served.drive.end().unwrap();
    drop(served);
    let served = serve(folder.path());
    assert_eq!(served.places(), [("PT0001L5".into(), DRIVE)]);
    assert_eq!(served.general_status() & (BOT | ONLINE), BOT | ONLINE);
    let out = LibraryOrder::Take {
        barcode: "PT0001L5".into(),
        import_export: true,
        delete: true,
    };
    served.done(&out);
    assert_eq!(served.places(), []);
    assert!(!folder.path().join("cartridges/PT0001L5.ptape").exists());
}

fn put(barcode: Option<&str>, volume: Option<&str>) -> LibraryOrder {
    LibraryOrder::Put {
        at: None,
        import_export: false,
        barcode: barcode.map(str::to_owned),
        volume: volume.map(Into::into),
    }
}

#[test]
fn a_barcode_leads_to_no_other_folder_and_names_no_element() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("vault");
    std::fs::create_dir(&folder).unwrap();
    create(&folder, 8);
    let served = serve(&folder);
    let refused = |order: &LibraryOrder, said: &str| match served.order(order) {
        Response::Error { message } => assert!(message.contains(said), "{message}"),
        other => panic!("{order:?}: {other:?}"),
    };
    for barcode in ["../../OUT", "/tmp/OUT", "sub/OUT"] {
        refused(&put(Some(barcode), None), "leads to another folder");
    }
    refused(&put(Some(".."), None), "hidden");
    refused(&put(Some("-x"), None), "as options of commands do");
    for barcode in ["slot1", "drive0", "ie1", "@1025"] {
        refused(&put(Some(barcode), None), "is how an element is named");
    }
    for volume in ["cartridges/../../OUT.ptape", "cartridges/sub/OUT.ptape"] {
        refused(&put(Some("OUT"), Some(volume)), "leads out of the folder");
    }
    // A link in the place of an image that is to be made, and of one that is to be loaded.
    std::fs::create_dir_all(folder.join("cartridges")).unwrap();
    let outside = outer.path().join("OUT.ptape");
    std::os::unix::fs::symlink(&outside, folder.join("cartridges/LINK.ptape")).unwrap();
    refused(&put(Some("LINK"), None), "is a link");
    assert!(!outside.exists(), "nothing was made behind the link");
    served.done(&put(Some("slots1"), None));
    let image = folder.join("cartridges/slots1.ptape");
    std::fs::rename(&image, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &image).unwrap();
    let refusal = served.refused(&carry(SLOT, DRIVE));
    assert!(refusal.message.contains("is a link"), "{}", refusal.message);
    assert_eq!(served.places(), [("slots1".into(), SLOT)]);
}

#[test]
fn a_volume_is_one_cartridge_only() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("vault");
    std::fs::create_dir(&folder).unwrap();
    create(&folder, 8);
    let served = serve(&folder);
    served.done(&put(Some("FIRST"), None));
    let image = folder.join("cartridges/FIRST.ptape");
    let link = outer.path().join("link.ptape");
    std::os::unix::fs::symlink(&image, &link).unwrap();
    for volume in [
        image.to_str().unwrap(),
        link.to_str().unwrap(),
        "cartridges/FIRST.ptape",
    ] {
        match served.order(&put(Some("SECOND"), Some(volume))) {
            Response::Error { message } => {
                assert!(
                    message.contains("is cartridge FIRST in element"),
                    "{message}"
                );
            }
            other => panic!("{volume}: {other:?}"),
        }
    }
    assert_eq!(served.places(), [("FIRST".into(), SLOT)]);
    // A copy of it is another volume.
    let copy = outer.path().join("copy.ptape");
    std::fs::copy(&image, &copy).unwrap();
    served.done(&put(Some("SECOND"), copy.to_str()));
}

/// A state that was written by hand is no way out either.
#[test]
fn a_state_that_names_a_file_elsewhere_loads_and_deletes_nothing_there() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("vault");
    std::fs::create_dir(&folder).unwrap();
    create(&folder, 2);
    let outside = outer.path().join("OUT.ptape");
    std::fs::write(&outside, "of others").unwrap();
    let mut library = Library::open(FileHost::open(&folder).unwrap()).unwrap();
    let cartridge = Cartridge {
        barcode: "OUT".parse().unwrap(),
        volume: "cartridges/../../OUT.ptape".into(),
    };
    library.put(Address(SLOT), cartridge).unwrap();
    drop(library);
    let served = serve(&folder);
    let refusal = served.refused(&carry(SLOT, DRIVE));
    assert!(
        refusal.message.contains("leads out of the folder"),
        "{}",
        refusal.message
    );
    let take = LibraryOrder::Take {
        barcode: "OUT".into(),
        import_export: false,
        delete: true,
    };
    let answer = served.order(&take);
    assert!(
        matches!(&answer, Response::Error { message } if message.contains("leads out of")),
        "{answer:?}"
    );
    assert!(outside.exists());
    assert_eq!(served.places(), [("OUT".into(), SLOT)]);
    let take = LibraryOrder::Take {
        barcode: "OUT".into(),
        import_export: false,
        delete: false,
    };
    served.done(&take);
    assert!(outside.exists());
}

#[test]
fn a_fifo_as_configuration_or_state_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("library.json");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let error = ServedLibrary::open(folder.path()).err().unwrap();
    assert!(
        format!("{error:#}").contains("it is no regular file"),
        "{error:#}"
    );
    let arguments = Arguments::parse_from(["pseudotape-dev", "--config", fifo.to_str().unwrap()]);
    let error = config::read(&arguments).unwrap_err();
    assert!(
        format!("{error:#}").contains("has to be a regular file"),
        "{error:#}"
    );
}

/// Where the driver is the kernel's, opens are not seen here: what a program has begun to write stays all the same.
#[test]
fn a_tape_file_without_an_end_stays_and_each_exchange_is_told() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), 2);
    let served = serve(folder.path());
    served.put();
    let exchanges = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = Arc::clone(&exchanges);
    served.drive.on_exchange(move |slot| {
        told.lock().unwrap().push(slot.loaded().is_some());
    });
    let carry = |from, to| LibraryOrder::Move {
        from,
        to,
        invert: false,
    };
    served.done(&carry(SLOT, DRIVE));
    served.drive.set_unfinished(true);
    let refused = served.refused(&carry(DRIVE, SLOT));
    assert_eq!(refused.sense, [0x05, 0x53, 0x03]);
    assert!(refused.message.contains("has no end yet"), "{refused:?}");
    served.drive.set_unfinished(false);
    served.done(&carry(DRIVE, SLOT));
    assert_eq!(*exchanges.lock().unwrap(), [true, false]);
}
