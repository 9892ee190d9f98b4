//! PT-13. Ten thousand moves of a library that is served: memory and descriptors do not grow. It is a file of its own,
//! so that no other test has part in what is measured.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use pseudotape_changer::{Design, FileHost, Layout, Library};
use pseudotape_control::{LibraryOrder, Peer, Response};
use pseudotape_dev::cli::Arguments;
use pseudotape_dev::config;
use pseudotape_dev::library::{ServedLibrary, Times};
use pseudotape_dev::tape_drive::TapeDrive;

/// What the process has of something, as the kernel says: bytes that are resident.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1024
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn serve(folder: &Path) -> ServedLibrary {
    let design = Design {
        name: "vault".into(),
        serial: "PTL1".into(),
        layout: Layout::usual(1, 1, 4).unwrap(),
        barcodes: "PT####L5".into(),
        capacity_bytes: Some(8 << 20),
    };
    drop(Library::create(FileHost::open(folder).unwrap(), design).unwrap());
    let arguments =
        Arguments::parse_from(["pseudotape-dev", "--library", folder.to_str().unwrap()]);
    let config = config::read(&arguments).unwrap();
    let drive = TapeDrive::new(0, &config.libraries[0].drive).unwrap();
    let library = ServedLibrary::open(folder).unwrap();
    ServedLibrary::start(library, vec![Arc::new(drive)], Times::default()).unwrap()
}

fn done(library: &ServedLibrary, order: &LibraryOrder) {
    let own = Peer {
        uid: Some(0),
        pid: std::process::id(),
    };
    let answer = library.order(order, own);
    assert!(matches!(answer, Response::Done { .. }), "{answer:?}");
}

/// Five moves: into the drive and back, to another slot, through the import/export slot and back.
fn round(library: &ServedLibrary) {
    const DRIVE: u16 = 257;
    const MAILBOX: u16 = 769;
    const SLOT: u16 = 1025;
    let moves = [
        (SLOT, DRIVE),
        (DRIVE, SLOT),
        (SLOT + 1, SLOT + 2),
        (SLOT + 2, MAILBOX),
        (MAILBOX, SLOT + 1),
    ];
    for (from, to) in moves {
        let order = LibraryOrder::Move {
            from,
            to,
            invert: false,
        };
        done(library, &order);
    }
}

#[test]
fn ten_thousand_moves_leave_memory_and_descriptors_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let library = serve(folder.path());
    let put = LibraryOrder::Put {
        at: None,
        import_export: false,
        barcode: None,
        volume: None,
    };
    (0..2).for_each(|_| done(&library, &put));
    // What is made once: buffers, the allocator's own pages, the file's longest log.
    (0..200).for_each(|_| round(&library));
    let before = (resident_bytes(), descriptors());
    (0..2000).for_each(|_| round(&library));
    let after = (resident_bytes(), descriptors());
    assert_eq!(after.1, before.1, "descriptors");
    let grown = after.0.saturating_sub(before.0);
    // 200 bytes that stay of each move would be 2 MB.
    assert!(grown < 1_500_000, "{grown} bytes more after 10,000 moves");
    let file = folder.path().join("library.json");
    assert!(
        file.metadata().unwrap().len() < 80 << 10,
        "the file does not grow for ever"
    );
}
