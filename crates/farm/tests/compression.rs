//! Compressed volumes: made so, they stay so, and nobody who reads notices.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Place, add, archive_of, entries, name};
use pseudotape_farm::{
    Adding, Existing, Extracted, Finding, Keeping, Marks, Root, Told, Verb, annotate, extract,
    rebuild, release,
};
use pseudotape_image::{Access, FileStore, Image, Object};

const TEXT: &str = "contents that are longer than a word\n";

fn compressing(place: &Place, compressed: bool) -> Root {
    place.root().marking(Marks::compressed(compressed))
}

/// The bytes of tape file 0, whatever the lengths of its blocks.
fn stored(capsule: &Path) -> Vec<u8> {
    let store = FileStore::open(capsule, Access::ReadOnly).expect("a capsule");
    let (mut image, _) = Image::open(store, Access::ReadOnly).expect("an image");
    let mut block = vec![0; 10240];
    let mut bytes = Vec::new();
    while let Object::Block { copied, .. } = image.read_object(&mut block).expect("whole") {
        bytes.extend_from_slice(&block[..copied]);
    }
    bytes
}

fn capsule(place: &Place, volume: &str, number: u64) -> PathBuf {
    place.path(&format!("farm/{volume}/FILE{number:07}.ptape"))
}

fn wrong(root: &Root, volume: &str) -> Vec<String> {
    let volume = root.look(&name(volume)).expect("a volume");
    let mut wrong = Vec::new();
    volume.verify(volume.directory().entries(), &mut |finding| {
        if let Finding::Wrong(file, damage) = finding {
            wrong.push(format!("{file}: {damage:?}"));
        }
    });
    wrong
}

/// CW-50, CW-04: a frame is what 'zstd -d' reads, and in it is what an uncompressed capsule has; both sizes are known.
#[test]
fn a_compressed_capsule_is_one_frame_of_the_archive() {
    let place = Place::in_memory();
    let path = place.file("a", &TEXT.repeat(20_000));
    add(&compressing(&place, true), "C", Verb::Add, &[&path]).expect("added");
    add(&compressing(&place, false), "P", Verb::Add, &[&path]).expect("added");
    let packed = stored(&capsule(&place, "C", 1));
    let plain = archive_of(&capsule(&place, "P", 1));
    let unpacked = zstd::decode_all(&packed[..]).expect("a frame");
    assert!(plain.starts_with(&unpacked));
    assert!(plain[unpacked.len()..].iter().all(|byte| *byte == 0));
    let entry = entries(&place.root(), "C").remove(0);
    assert_eq!(entry.stored, Some(packed.len() as u64));
    assert_eq!(entry.length, 20_000 * TEXT.len() as u64);
    assert!(packed.len() < plain.len() / 10, "{}", packed.len());
    assert_eq!(entry.digest, entries(&place.root(), "P")[0].digest);
    assert_eq!(wrong(&place.root(), "C"), [""; 0]);
}

/// CW-48: a volume stays what it was made as, whoever adds, annotates, releases, or makes its directory anew.
#[test]
fn a_volume_stays_compressed_or_not() {
    for made in [true, false] {
        let place = Place::in_memory();
        let (first, second) = (place.file("a", TEXT), place.file("b", &TEXT.repeat(9)));
        add(&compressing(&place, made), "V", Verb::Add, &[&first]).expect("added");
        let other = compressing(&place, !made);
        add(&other, "V", Verb::Add, &[&second]).expect("added");
        let first = &place.title("a");
        annotate(&other, &name("V"), first, Some("a note".to_owned())).expect("noted");
        let titles = std::slice::from_ref(first);
        release(&other, &name("V"), titles, "ada", &mut |_| {}).expect("released");
        let is = |root: &Root| {
            let volume = root.look(&name("V")).expect("a volume");
            let entry = volume.directory().find(&place.title("b")).cloned();
            let is = entry.expect("b").stored.is_some();
            (volume.directory().marks().compressed, is)
        };
        assert_eq!(is(&other), (made, made));
        rebuild(&other, &name("V"), &mut |_| {}).expect("rebuilt");
        assert_eq!(is(&other), (made, made));
        fs::remove_file(place.path("farm/V/FILE000.dir")).expect("removed");
        rebuild(&other, &name("V"), &mut |_| {}).expect("rebuilt");
        assert_eq!(is(&other), (made, made));
        assert_eq!(wrong(&other, "V"), [""; 0]);
        let stub = entries(&other, "V").remove(1);
        assert_eq!((stub.stored, stub.state.has_file()), (None, false));
    }
}

/// CW-50: what comes back is what was added, and a merge takes it over in either direction.
#[test]
fn nobody_who_reads_notices_that_a_volume_is_compressed() {
    let place = Place::new();
    let texts = [String::new(), TEXT.to_owned(), TEXT.repeat(100_000)];
    let paths: Vec<PathBuf> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| place.file(&format!("f{number}"), text))
        .collect();
    // One with a hole.
    let sparse = fs::File::options()
        .write(true)
        .open(&paths[1])
        .expect("a file");
    sparse.set_len(1 << 20).expect("a hole");
    let expected: Vec<_> = paths
        .iter()
        .map(|path| fs::read(path).expect("a file"))
        .collect();
    let all: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    add(&compressing(&place, true), "C", Verb::Add, &all).expect("added");
    for (from, to, compressed) in [("C", "P", false), ("P", "D", true)] {
        let root = compressing(&place, compressed);
        let source = root.look(&name(from)).expect("a volume");
        let mut told = 0;
        let mut tell = |one| told += u32::from(matches!(one, Told::Added(_)));
        let mut volume = common::opened(&root, to).expect("a volume");
        let mut adding = Adding::to(&mut volume, Verb::Add, Keeping::Changed, &mut tell);
        adding
            .volume(&source, source.directory().entries())
            .expect("merged");
        adding.finish().expect("merged");
        assert_eq!(told, 3);
    }
    for volume in ["C", "P", "D"] {
        let out = place.path(&format!("out-{volume}"));
        fs::create_dir(&out).expect("a folder");
        let root = place.root();
        let volume = root.look(&name(volume)).expect("a volume");
        for (entry, expected) in volume.directory().entries().iter().zip(&expected) {
            let extracted = extract(&volume, entry, &out, Existing::Kept);
            assert!(matches!(extracted, Extracted::Done(_)), "{extracted:?}");
            let back = fs::read(out.join(entry.title.path())).expect("a file");
            assert!(back == *expected, "{}", entry.title);
            assert_eq!(
                entry.stored.is_some(),
                volume.directory().marks().compressed
            );
        }
        assert_eq!(wrong(&root, volume.name().as_str()), [""; 0]);
    }
}

/// CW-50, CW-69: a flipped bit is found, or costs nothing.
#[test]
fn damage_of_a_compressed_capsule_is_found() {
    let place = Place::in_memory();
    let path = place.file("a", &TEXT.repeat(2000));
    let root = compressing(&place, true);
    add(&root, "V", Verb::Add, &[&path]).expect("added");
    let file = capsule(&place, "V", 1);
    let good = fs::read(&file).expect("a capsule");
    let mut found = 0;
    for at in (0..good.len()).step_by(41) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&file, &bad).expect("written");
        let entry = entries(&root, "V").remove(0);
        let volume = root.look(&name("V")).expect("a volume");
        let out = place.path("out");
        fs::create_dir_all(&out).expect("a folder");
        match extract(&volume, &entry, &out, Existing::Replaced) {
            Extracted::Done(_) => {
                let back = fs::read(out.join(entry.title.path())).expect("a file");
                assert!(back == fs::read(&path).expect("a file"), "byte {at}");
            }
            Extracted::Damaged(_) => found += 1,
            other => panic!("byte {at}: {other:?}"),
        }
    }
    assert!(found > 5, "{found} found");
}
