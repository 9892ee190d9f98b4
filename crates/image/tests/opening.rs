//! Opening what is long, empty, or no image at all: it ends, and says what it met.

use std::fs::{self, File};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pseudotape_image::{
    Access, CreateParameters, Error, FileStore, Image, MemoryStore, Uuid, VolumeId, Watch,
};

/// An image of three blocks, the last of which was not finished, and then zeros up to this length.
fn with_zero_tail(path: &Path, length: u64) {
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(0x0192)), 0);
    let store = FileStore::create(path).unwrap();
    let mut image = Image::create(store, &parameters).unwrap();
    for block in [b"one", b"two", b"six"] {
        image.append_block(block).unwrap();
    }
    image.sync().unwrap();
    let end = image.host_bytes();
    drop(image);
    let file = File::options().write(true).open(path).unwrap();
    // What was held ahead is no hole on every file system.
    file.set_len(end).unwrap();
    file.set_len(length).unwrap();
}

/// Counts reads, and gives up behind the last of so many.
fn watch(most: u64) -> (Watch, Arc<AtomicU64>) {
    let reads = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&reads);
    let watch = Watch::new(move |_| counted.fetch_add(1, Ordering::SeqCst) < most);
    (watch, reads)
}

#[test]
fn a_hole_of_a_tebibyte_costs_no_more_reads_than_one_of_a_mebibyte() {
    let directory = tempfile::tempdir().unwrap();
    let reads = [1 << 20, 1 << 40].map(|length| {
        let path = directory.path().join(format!("{length}.ptape"));
        with_zero_tail(&path, length);
        let (watch, reads) = watch(u64::MAX);
        let store = FileStore::open(&path, Access::ReadWrite).unwrap();
        let (mut image, report) = Image::open(store.watched(watch), Access::ReadWrite).unwrap();
        assert_eq!(image.end_of_data().object.0, 3);
        assert!(!report.is_damaged(), "{report}");
        assert!(report.torn_tail.is_some());
        let seen = reads.load(Ordering::SeqCst);
        // Whoever watched is not asked any more, and the tail is cut off by the first write.
        image.to_end_of_data();
        image.append_block(b"more").unwrap();
        image.finish().unwrap();
        assert_eq!(reads.load(Ordering::SeqCst), seen);
        assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
        seen
    });
    assert_eq!(reads[0], reads[1]);
    assert!(reads[0] < 40, "{reads:?}");
}

#[test]
fn an_opening_that_nobody_waits_for_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape");
    with_zero_tail(&path, 1 << 20);
    let before = fs::read(&path).unwrap();
    let (watch, reads) = watch(6);
    let store = FileStore::open(&path, Access::ReadWrite).unwrap();
    let error = Image::open(store.watched(watch), Access::ReadWrite).unwrap_err();
    assert!(error.to_string().contains("given up"), "{error}");
    assert!(reads.load(Ordering::SeqCst) > 6);
    assert_eq!(fs::read(&path).unwrap(), before, "nothing was written");
    let store = FileStore::open(&path, Access::ReadWrite).unwrap();
    assert!(Image::open(store, Access::ReadWrite).is_ok());
}

#[test]
fn what_is_no_regular_file_is_refused_at_once_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    // By a call: a process of its own would hold the locks of the other tests' images until it runs its program.
    nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _listener = UnixListener::bind(at("socket")).unwrap();
    fs::create_dir(at("directory")).unwrap();
    std::os::unix::fs::symlink(at("fifo"), at("link")).unwrap();
    for (path, what) in [
        (at("fifo"), "a FIFO"),
        (at("link"), "a FIFO"),
        (at("socket"), "a socket"),
        (at("directory"), "a directory"),
        ("/dev/null".into(), "a character device"),
    ] {
        let refused = [
            FileStore::open(&path, Access::ReadOnly).map(drop),
            FileStore::open(&path, Access::ReadWrite).map(drop),
            Image::view(&path).map(drop),
        ];
        for refused in refused {
            let error = refused.unwrap_err();
            assert!(matches!(error, Error::Unopenable { .. }), "{error}");
            let text = error.to_string();
            let named = format!("it is {what}, and an image is a regular file");
            assert!(text.contains(&named), "{text}");
            assert!(text.contains(path.to_str().unwrap()), "{text}");
        }
    }
}

const BLOCKS: u64 = 3;

/// What a killed program left: blocks, in a state of the image that `leave` makes.
fn left(leave: impl FnOnce(&mut Image<MemoryStore>)) -> Vec<u8> {
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(0x0192)), 0);
    let mut image = Image::create(MemoryStore::default(), &parameters).unwrap();
    for number in 0..BLOCKS {
        image.append_block(&number.to_le_bytes()).unwrap();
    }
    leave(&mut image);
    image.into_store().into_bytes()
}

/// Takes the proof from the record of the end of data, as images have it that were finished without a commit before.
fn without_proof(mut bytes: Vec<u8>) -> Vec<u8> {
    let root = bytes.len() - 8;
    let offset = u64::from_le_bytes(bytes[root..].try_into().unwrap());
    let at = usize::try_from(offset).unwrap();
    assert_eq!(bytes[at + 5], 1, "the flag");
    bytes[at + 5] = 0;
    let mut crc = crc32fast::Hasher::new();
    crc.update(Uuid::from_u128(0x0192).as_bytes());
    crc.update(&[0]);
    crc.update(&offset.to_le_bytes());
    crc.update(&bytes[at..at + 44]);
    bytes[at + 44..at + 48].copy_from_slice(&crc.finalize().to_le_bytes());
    bytes
}

/// Before, a small image whose program was killed was reported, and read from its beginning, at each load.
#[test]
fn what_a_killed_program_left_is_put_right_once() {
    let finished = || {
        let store = MemoryStore::new(left(|image| image.sync().unwrap()));
        let (image, _) = Image::open(store, Access::ReadWrite).unwrap();
        image.finish().unwrap().into_bytes()
    };
    let one_slot = |at: usize| {
        let mut bytes = finished();
        bytes[at] ^= 1;
        bytes
    };
    for (name, bytes) in [
        ("never committed", left(|_| ())),
        ("committed", left(|image| image.sync().unwrap())),
        ("torn", {
            let mut bytes = left(|image| {
                image.sync().unwrap();
                image.append_block(b"torn").unwrap();
            });
            bytes.pop();
            bytes
        }),
        ("no proof", without_proof(finished())),
        ("slot A", one_slot(4096)),
        ("slot B", one_slot(8192)),
    ] {
        let (image, _) = Image::open(MemoryStore::new(bytes), Access::ReadWrite).unwrap();
        let put_right = image.finish().unwrap().into_bytes();
        let store = MemoryStore::new(put_right.clone());
        let (image, report) = Image::open(store, Access::ReadWrite).unwrap();
        assert!(report.is_clean(), "{name}: {report}");
        assert_eq!(report.scanned_records, 0, "{name}");
        assert_eq!(image.end_of_data().object.0, BLOCKS, "{name}");
        let again = image.finish().unwrap().into_bytes();
        assert!(again == put_right, "{name}: nothing is left to do");
    }
}
