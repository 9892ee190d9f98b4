//! What specifications open, and how they are refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pseudotape_sink::{Access, Error, Sink};
use pseudotape_tape::{Drive, Mark, Sense, Stop, Transfer, Volume, Writability, WriteMode};

fn sink(text: &str) -> Sink {
    text.parse().expect(text)
}

fn opened(text: &str, access: Access) -> Box<dyn Volume> {
    sink(text).open(access).expect(text)
}

fn refused(text: &str, access: Access) -> Error {
    match sink(text).open(access) {
        Ok(_) => panic!("{text} opens"),
        Err(error) => error,
    }
}

fn write(open: &mut Box<dyn Volume>, data: &[u8]) {
    let done = open.write(Transfer::Variable, data).expect("it fits");
    assert_eq!(done.count, 1);
}

fn read(drive: &mut dyn Drive) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 20];
    let done = drive
        .read(Transfer::Variable, &mut buffer)
        .expect("it is readable");
    buffer.truncate(done.bytes);
    buffer
}

fn key(directory: &Path, name: &str, byte: u8) -> String {
    let path = directory.join(name);
    fs::write(&path, [byte; 32]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[test]
fn an_image_is_made_once_and_opened_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape").display().to_string();
    assert!(matches!(
        refused(&path, Access::ReadWrite),
        Error::Missing { .. }
    ));
    let made = format!("image:{path},create,capacity=1M");
    assert!(
        matches!(refused(&made, Access::ReadOnly), Error::Missing { .. }),
        "reading makes nothing"
    );

    let mut open = opened(&made, Access::ReadWrite);
    let capacity = open.capacity().unwrap();
    assert_eq!(
        (capacity.total_bytes, capacity.early_warning_bytes),
        (Some(1 << 20), 64 << 10)
    );
    write(&mut open, b"block");
    open.write_marks(Mark::Setmark, 1, WriteMode::Commit)
        .unwrap();
    open.finish().unwrap();

    let mut again = opened(&made, Access::ReadWrite);
    assert_eq!(read(&mut again), b"block");
    assert!(matches!(
        refused(&path, Access::ReadOnly),
        Error::Image(pseudotape_image::Error::InUse { .. })
    ));
    again.finish().unwrap();
    let mut one = opened(&path, Access::ReadOnly);
    let mut other = opened(&path, Access::ReadOnly);
    assert_eq!(read(&mut one), read(&mut other));
    let failed = one.write(Transfer::Variable, b"x").unwrap_err();
    assert_eq!(failed.sense, Sense::WriteProtected);
    one.finish().unwrap();
}

#[test]
fn limits_of_the_text_stand_in_place_of_the_images_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape").display().to_string();
    opened(&format!("image:{path},create"), Access::ReadWrite);
    let mut open = opened(
        &format!("image:{path},capacity=5000B,early-warning=1000"),
        Access::ReadWrite,
    );
    let done = open.write(Transfer::Variable, &[0; 4000]).unwrap();
    assert_eq!(done.stop, Some(Stop::EarlyWarning));
    let done = open.write(Transfer::Variable, &[0; 4000]).unwrap();
    assert_eq!((done.count, done.stop), (0, Some(Stop::EndOfPartition)));
}

/// PT-04: filters before an image, and a wrong key.
#[test]
fn filters_lie_before_any_sink() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape").display().to_string();
    let (right, wrong) = (
        key(directory.path(), "right", 1),
        key(directory.path(), "wrong", 2),
    );
    let specification = format!("zstd+aes={right}+image:{path},create");
    let mut open = opened(&specification, Access::ReadWrite);
    let block = vec![b'x'; 100_000];
    write(&mut open, &block);
    assert!(
        open.capacity().unwrap().used_bytes < 1000,
        "it was compressed"
    );
    open.finish().unwrap();

    let mut open = opened(&specification, Access::ReadOnly);
    assert_eq!(read(&mut open), block);
    for (reader, words) in [
        (format!("aes={wrong}+{path}"), "another key"),
        (format!("lz4+{path}"), "it is encrypted"),
    ] {
        let mut open = opened(&reader, Access::ReadOnly);
        let failed = open.read(Transfer::Variable, &mut [0; 10]).unwrap_err();
        assert_eq!(failed.sense, Sense::IllegalRequest, "no damage of the tape");
        let trouble = open.take_trouble().expect("the cause is told");
        assert!(trouble.contains(words), "{trouble}");
    }
    let text = read(&mut opened(&path, Access::ReadOnly));
    assert!(
        !text.windows(4).any(|bytes| bytes == b"xxxx"),
        "it was encrypted"
    );
    assert!(matches!(
        refused("aes=/dev/null+null", Access::ReadWrite),
        Error::Key(_)
    ));
    let mut null = opened("lz4+null", Access::ReadWrite);
    write(&mut null, &block);
    assert!(null.capacity().unwrap().used_bytes < 1000);
}

/// Does something as an ordinary user, whose rights the host checks, whoever runs the tests.
fn as_ordinary_user(work: impl FnOnce() + Send) {
    let worked = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                if nix::unistd::geteuid().is_root() {
                    // Of this thread alone.
                    nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65_534));
                }
                work();
            })
            .join()
    });
    worked.expect("it worked");
}

/// A directory in which everybody may make files.
fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    directory
}

/// PT-04: what the host lets only be read, and what is to be read only, is a protected volume; a filter changes
/// nothing in that.
#[test]
fn what_can_only_be_read_is_opened_as_a_protected_volume() {
    let directory = open_directory();
    as_ordinary_user(|| {
        let path = directory.path().join("a.ptape").display().to_string();
        let filtered = format!("lz4+image:{path}");
        let mut open = opened(&format!("{filtered},create"), Access::ReadWrite);
        write(&mut open, b"block");
        open.finish().unwrap();
        let made = fs::metadata(&path).unwrap().len();
        let check = |text: &str, why: &str| {
            let mut opened = sink(text).open_as_allowed().expect(text);
            let said = opened.why_read_only().expect(text);
            assert!(said.contains(why), "{text}: {said}");
            let mut volume = opened.volume;
            assert!(volume.mode().unwrap().write_protected, "{text}");
            assert_eq!(volume.writability(), Writability::OpenedReadOnly, "{text}");
            for failed in [
                volume.write(Transfer::Variable, b"x").unwrap_err(),
                volume
                    .write_marks(Mark::Filemark, 1, WriteMode::Commit)
                    .unwrap_err(),
            ] {
                assert_eq!(failed.sense, Sense::WriteProtected, "{text}");
            }
            let block = read(&mut volume);
            assert_eq!(block == b"block", text.starts_with("lz4"), "{text}");
            volume.finish().unwrap();
        };
        let asked = "opened for reading only";
        check(&format!("image:{path},ro"), asked);
        check(&format!("{filtered},ro"), asked);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        for text in [path.clone(), format!("image:{path}"), filtered.clone()] {
            check(&text, "Permission denied");
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), made);
        // What can't be read either says why it can't be written.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        let error = sink(&path).open_as_allowed().err().expect("no rights");
        assert!(error.to_string().contains("Permission denied"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let mut free = sink(&path).open_as_allowed().unwrap();
        assert_eq!(free.why_read_only(), None);
    });
}

/// PT-04: a key that is not its user's alone, or that can be guessed, opens nothing.
#[test]
fn a_key_that_others_can_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = key(directory.path(), "key", 1);
    let sink = format!("aes={path}+null");
    opened(&sink, Access::ReadWrite).finish().unwrap();
    for (mode, content, words) in [
        (0o644, vec![1; 32], "others than its owner"),
        (0o600, vec![0; 32], "a key of zeros"),
        (0o600, vec![1; 31], "no key, but 31 bytes"),
    ] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = refused(&sink, Access::ReadWrite).to_string();
        assert!(error.contains(words) && error.contains(&path), "{error}");
    }
}

/// PT-04: blocks that were put elsewhere are refused, and read by who asks for them anywhere.
#[test]
fn blocks_that_were_moved_are_read_where_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let key = key(directory.path(), "key", 1);
    let mut open = opened(
        &format!("aes={key}+image:{},create", path("whole")),
        Access::ReadWrite,
    );
    for block in [b"one", b"two"] {
        open.write(Transfer::Variable, block).unwrap();
    }
    open.finish().unwrap();
    // The second block alone, as the first one of another image.
    let mut stored = vec![0; 1000];
    let mut from = opened(&path("whole"), Access::ReadOnly);
    from.read(Transfer::Variable, &mut stored).unwrap();
    let length = from.read(Transfer::Variable, &mut stored).unwrap().bytes;
    let mut to = opened(&format!("image:{},create", path("part")), Access::ReadWrite);
    write(&mut to, &stored[..length]);
    to.finish().unwrap();

    let mut held = opened(&format!("aes={key}+{}", path("part")), Access::ReadWrite);
    let failed = held.read(Transfer::Variable, &mut stored).unwrap_err();
    assert_eq!(failed.sense, Sense::MediumError);
    let trouble = held.take_trouble().expect("the cause is told");
    assert!(
        trouble.contains("it was written as object 1") && trouble.contains("aes-anywhere="),
        "{trouble}"
    );
    held.finish().unwrap();
    let anywhere = format!("aes-anywhere={key}+{}", path("part"));
    let mut open = opened(&anywhere, Access::ReadWrite);
    assert_eq!(read(&mut open), b"two");
    assert_eq!(open.writability(), Writability::OpenedReadOnly);
    let failed = open.write(Transfer::Variable, b"x").unwrap_err();
    assert_eq!(failed.sense, Sense::WriteProtected);
}

#[test]
fn what_is_no_sink_is_refused_by_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text").display().to_string();
    fs::write(&text, "no tape").unwrap();
    for (path, words) in [
        (directory.path().display().to_string(), "is a directory"),
        (text.clone(), "not a pseudotape image"),
        (format!("image:{text},create"), "not a pseudotape image"),
        ("/dev/null".to_owned(), "not a tape"),
        ("device:/dev/null".to_owned(), "not a tape"),
        ("device:/dev/missing".to_owned(), "no tape drive there"),
        (
            format!("{}/no/where", directory.path().display()),
            "no such image",
        ),
        (
            "rmt:nowhere:/dev/nst0,command=/no/such/program".to_owned(),
            "can't be reached",
        ),
    ] {
        let error = refused(&path, Access::ReadWrite).to_string();
        assert!(error.contains(words), "{path}: {error}");
    }
    assert_eq!(fs::read(&text).unwrap(), b"no tape");
}
