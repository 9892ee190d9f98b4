//! What stays of an image in the page cache of the host. The kernel is asked: a read that may not wait for the disk
//! gets what is there.

use std::fs::File;
use std::io::IoSliceMut;
use std::path::Path;

use pseudotape_image::{
    Access, CachePolicy, CreateParameters, FileStore, Image, Object, Store, Uuid, VolumeId,
};
use pseudotape_tape::Mark;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

const RECORD_BYTES: usize = 100_000;
const RECORDS: u64 = 400;
/// A question makes the kernel read ahead: the next one is asked behind that.
const STEP_BYTES: u64 = 1 << 20;

/// Why the page cache says nothing here, where it is so.
fn why_not_told(folder: &Path) -> Option<&'static str> {
    const TMPFS: u32 = 0x0102_1994;
    let system = rustix::fs::statfs(folder).expect("a file system");
    if u32::try_from(system.f_type) == Ok(TMPFS) {
        return Some("files are in memory alone");
    }
    let file = tempfile::tempfile_in(folder).expect("a file");
    file.set_len(1).expect("a byte");
    let mut byte = [0];
    let mut into = [IoSliceMut::new(&mut byte)];
    let told = preadv2(&file, &mut into, 0, ReadWriteFlags::NOWAIT);
    (told == Err(Errno::OPNOTSUPP)).then_some("the file system can't read without waiting")
}

/// How many of a hundred places of the file are in the page cache.
fn cached_per_cent(path: &Path) -> u64 {
    let file = File::open(path).expect("the image");
    let places = file.metadata().expect("its length").len() / STEP_BYTES;
    let mut cached = 0;
    for place in 0..places {
        let mut byte = [0];
        let mut into = [IoSliceMut::new(&mut byte)];
        match preadv2(&file, &mut into, place * STEP_BYTES, ReadWriteFlags::NOWAIT) {
            Ok(_) => cached += 1,
            Err(Errno::AGAIN) => {}
            Err(error) => panic!("{error}"),
        }
    }
    cached * 100 / places
}

fn record(number: u64) -> Vec<u8> {
    let byte = u8::try_from(number % 251).expect("less than 251");
    vec![byte; RECORD_BYTES]
}

/// An image of 40 MB, committed and closed.
fn write(path: &Path, policy: CachePolicy) {
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(7)), 0);
    let store = FileStore::create(path).expect("a new file");
    let mut image = Image::create(store, &parameters).expect("a new image");
    image.store_mut().set_cache(policy);
    for number in 0..RECORDS {
        image.append_block(&record(number)).expect("a block");
    }
    image.append_marks(Mark::Filemark, 1).expect("a mark");
    image.finish().expect("a commit");
}

fn read(path: &Path, policy: CachePolicy) {
    let store = FileStore::open(path, Access::ReadOnly).expect("the image");
    let mut image = Image::open(store, Access::ReadOnly).expect("the image").0;
    image.store_mut().set_cache(policy);
    let mut block = vec![0; RECORD_BYTES];
    for number in 0..RECORDS {
        let object = image.read_object(&mut block).expect("a block");
        assert!(
            matches!(object, Object::Block { .. }),
            "{number}: {object:?}"
        );
        assert_eq!(block, record(number), "{number}");
    }
}

#[test]
fn what_is_dropped_is_not_in_the_page_cache_and_reads_back_as_it_was_written() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    if let Some(reason) = why_not_told(directory.path()) {
        println!("skip: what is in the page cache is not known beneath target/: {reason}");
        return;
    }
    let (kept, dropped) = (directory.path().join("keep"), directory.path().join("drop"));
    write(&kept, CachePolicy::Keep);
    write(&dropped, CachePolicy::Drop);
    let cached = (cached_per_cent(&kept), cached_per_cent(&dropped));
    assert!(
        cached.0 > 90 && cached.1 < 10,
        "keep, drop: {cached:?} per cent"
    );

    read(&dropped, CachePolicy::Keep);
    assert!(cached_per_cent(&dropped) > 90, "it was read, and stays");
    read(&dropped, CachePolicy::Drop);
    let left = cached_per_cent(&dropped);
    assert!(
        left < 50,
        "the last 8 MiB, and what was read ahead, may be left: {left} per cent"
    );

    // What the host keeps of a small image is its own business.
    let auto = directory.path().join("auto");
    write(&auto, CachePolicy::Auto);
    assert!(cached_per_cent(&auto) > 90, "it is far from 1 GiB");
}
