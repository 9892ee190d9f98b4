//! What becomes of a drive's mode while volumes come and go (ST-OPEN-03).

use pseudotape_bay::{Bay, Slot, place_named};
use pseudotape_drive::{Overrides, Personality};
use pseudotape_sink::{Access, Sink};
use pseudotape_st::{AccessMode, Node, OpenFlags, Opening, Options};
use pseudotape_tape::{Mode, ModeSelect};

const NODE: Node = Node {
    mode: 0,
    rewinding: true,
};

const READ_WRITE: OpenFlags = OpenFlags {
    access: AccessMode::ReadWrite,
    nonblock: false,
};

/// Puts another volume in, and opens and closes the node as a program does, which makes a change where one is given.
/// Says the mode that the program found.
fn next(bay: &Bay<()>, sink: &str, change: Option<ModeSelect>) -> Mode {
    let mut state = bay.lock();
    if state.slot.loaded().is_some() {
        state.slot.unload(false).unwrap();
    }
    let sink = place_named(sink).unwrap();
    state.slot.load(&sink).unwrap();
    let (st, drive) = state.parts();
    assert_eq!(st.open(drive, NODE, READ_WRITE), Ok(Opening::Open));
    let found = drive.mode().unwrap();
    if let Some(change) = change {
        drive.set_mode(change).unwrap();
    }
    st.close(drive).unwrap();
    found
}

#[test]
fn the_drive_is_the_same_one_whichever_kind_of_volume_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let blank = |name: &str| {
        let path = directory.path().join(name).display().to_string();
        let made: Sink = format!("image:{path},create").parse().unwrap();
        made.open(Access::ReadWrite).unwrap().finish().unwrap();
        path
    };
    let plain = blank("plain.ptape");
    let packed = format!("zstd+image:{}", blank("packed.ptape"));
    let sealed = format!("lz4+image:{}", blank("sealed.ptape"));
    let slot = Slot::new(Personality::default(), "BAY".into(), Overrides::default());
    let bay = Bay::new(slot, &Options::default(), ());
    let blocks_of = |size| {
        Some(ModeSelect {
            block_size: Some(size),
            ..ModeSelect::default()
        })
    };
    let unbuffered = Some(ModeSelect {
        buffering: Some(0),
        ..ModeSelect::default()
    });

    assert_eq!(next(&bay, &plain, blocks_of(512)).block_size, 0);
    let found = next(&bay, &packed, unbuffered);
    assert_eq!((found.block_size, found.buffering), (512, 1));
    let found = next(&bay, &sealed, blocks_of(2048));
    assert_eq!((found.block_size, found.buffering), (512, 0));
    let found = next(&bay, &plain, None);
    assert_eq!((found.block_size, found.buffering), (2048, 0));
    // Without a change by a program since then.
    let found = next(&bay, &packed, None);
    assert_eq!((found.block_size, found.buffering), (2048, 0));

    let found = next(&bay, &plain, None);
    assert_eq!(found.block_size, 2048);
    bay.lock().slot.reset().unwrap();
    assert_eq!(next(&bay, &packed, None).block_size, 0);
}
