//! What the tests of links and those of the server share: a tree of files, an order to add it, a look at what is there.

use std::fs;
use std::path::Path;

use pseudotape_farm::{Entry, Finding, Keeping, Root, VolumeName};
use pseudotape_farm_net::{AddOrder, How};

/// A short file, and a longer one in a folder.
pub fn make_tree(tree: &Path) {
    fs::create_dir_all(tree.join("sub")).unwrap();
    fs::write(tree.join("one"), b"the first").unwrap();
    fs::write(tree.join("sub/two"), vec![7; 300_000]).unwrap();
}

/// The order that adds a tree.
pub fn order(volume: &str, how: How, tree: &Path) -> AddOrder {
    AddOrder {
        volume: volume.parse().unwrap(),
        how,
        keeping: Keeping::Changed,
        lock_wait: 0,
        check_present: false,
        compressed: false,
        paths: vec![tree.to_owned()],
        archive: None,
        capsules: None,
    }
}

/// The files of a volume, all of which are whole; nothing else is in its folder.
pub fn whole(root: &Path, volume: &str) -> Vec<Entry> {
    let volume: VolumeName = volume.parse().unwrap();
    let volume = Root::open(root).unwrap().look(&volume).unwrap();
    let entries = volume.directory().entries().to_vec();
    let mut wrong = Vec::new();
    let mut tell = |finding| {
        if let Finding::Wrong(file, damage) = finding {
            wrong.push((file, damage));
        }
    };
    volume.verify(&entries, &mut tell);
    volume.find_foreign(&mut tell).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    entries
}
