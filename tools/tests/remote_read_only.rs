//! A server that answers the opening for writing with EROFS, as a client of it sees that.

use std::fs;

use pseudotape_sink::{Access, Sink};
use pseudotape_tape::{Drive, Sense, Transfer, Volume, Writability};

/// PT-18: the remote tape is a protected volume, which can be read.
#[test]
fn a_remote_tape_that_can_only_be_read_is_a_protected_volume() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape").display().to_string();
    let made: Sink = format!("image:{path},create").parse().unwrap();
    let mut volume = made.open(Access::ReadWrite).unwrap();
    volume.write(Transfer::Variable, b"block").unwrap();
    volume.finish().unwrap();
    let config = directory.path().join("rmt.toml");
    let program = env!("CARGO_BIN_EXE_pseudotape-rmt");
    let serve = |option: &str| {
        let text = format!("[[tape]]\nname = 'a'\nsink = 'image:{path}'\n{option}\n");
        fs::write(&config, text).unwrap();
        let command = format!("{program} --config {}", config.display());
        let remote = format!("rmt:vault:a,command={command}");
        remote.parse::<Sink>().unwrap()
    };
    let mut free = serve("").open_as_allowed().unwrap();
    assert_eq!(free.why_read_only(), None);
    free.volume.finish().unwrap();
    let kept = serve("read-only = true");
    assert!(kept.open(Access::ReadWrite).is_err(), "E30");
    let mut kept = kept.open_as_allowed().unwrap();
    let why = kept.why_read_only().unwrap();
    assert!(why.contains("Read-only file system"), "{why}");
    let mut volume = kept.volume;
    assert_eq!(volume.writability(), Writability::OpenedReadOnly);
    assert!(volume.mode().unwrap().write_protected);
    let failed = volume.write(Transfer::Variable, b"x").unwrap_err();
    assert_eq!(failed.sense, Sense::WriteProtected);
    let mut buffer = [0; 9];
    let done = volume.read(Transfer::Variable, &mut buffer).unwrap();
    assert_eq!(buffer[..done.bytes], *b"block");
    volume.finish().unwrap();
}

/// The remote end gives out what is left, and takes nothing.
#[test]
fn a_remote_tape_that_misses_committed_data_can_only_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape").display().to_string();
    let made: Sink = format!("image:{path},create").parse().unwrap();
    let mut volume = made.open(Access::ReadWrite).unwrap();
    volume.write(Transfer::Variable, b"block").unwrap();
    volume.write(Transfer::Variable, b"lost").unwrap();
    volume.finish().unwrap();
    let length = fs::metadata(&path).unwrap().len();
    let file = fs::File::options().write(true).open(&path).unwrap();
    // The record of the end of data is shorter than what goes.
    file.set_len(length - 130).unwrap();
    drop(file);
    let config = directory.path().join("rmt.toml");
    let program = env!("CARGO_BIN_EXE_pseudotape-rmt");
    fs::write(
        &config,
        format!("[[tape]]\nname = 'a'\nsink = 'image:{path}'\n"),
    )
    .unwrap();
    let command = format!("{program} --config {}", config.display());
    let remote: Sink = format!("rmt:vault:a,command={command}").parse().unwrap();
    let mut opened = remote.open_as_allowed().unwrap();
    assert_eq!(opened.why_read_only().as_deref(), Some("write protected"));
    let mut volume = opened.volume;
    assert!(volume.mode().unwrap().write_protected);
    let failed = volume.write(Transfer::Variable, b"x").unwrap_err();
    assert_eq!(failed.sense, Sense::WriteProtected);
    let mut buffer = [0; 9];
    let done = volume.read(Transfer::Variable, &mut buffer).unwrap();
    assert_eq!(buffer[..done.bytes], *b"block");
    volume.finish().unwrap();
}
