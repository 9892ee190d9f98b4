//! What is on the disk at any moment is the state before a change or the one after it.

use std::fs;
use std::path::Path;

use pseudotape_vault::{
    Availability, Event, FileState, Listed, Order, Surroundings, TapeFile, Vault,
};

/// In memory, where that is a folder: these tests commit hundreds of times, and no power fails.
fn folder() -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).expect("a folder")
}

type All = (Vec<(Listed, Vec<TapeFile>)>, Vec<Event>);

fn all(directory: &Path) -> Result<All, pseudotape_vault::Error> {
    let vault = Vault::open(directory, "test", Surroundings::seeded(2, 0))?;
    let mut volumes = Vec::new();
    for listed in vault.volumes()? {
        let files = vault.files(&listed.volume.label)?;
        volumes.push((listed, files));
    }
    Ok((volumes, vault.events(None, 1000)?))
}

/// Copies a vault as the death of its processes leaves it: without the memory that they shared.
fn copied(from: &Path, to: &Path, log: &[u8]) {
    fs::create_dir_all(to.join("images")).expect("a folder");
    for name in ["vault.toml", "catalog.sqlite"] {
        fs::copy(from.join(name), to.join(name)).expect(name);
    }
    fs::write(to.join("catalog.sqlite-wal"), log).expect("the log");
}

#[test]
fn a_log_that_was_cut_anywhere_gives_the_old_state_or_the_new_one() {
    let folder = folder();
    let home = folder.path().join("home");
    let order = Order::person("ada", "why");
    let surroundings = Surroundings::seeded(1, 0);
    let mut vault = Vault::create(&home, "test", None, &order, surroundings).expect("a vault");
    let made = vault
        .make(None, None, Some(1 << 20), &order)
        .expect("a volume");
    let label = made.volume.label;
    let log = || fs::read(home.join("catalog.sqlite-wal")).expect("the log of an open vault");
    let before_log = log();
    let old_home = folder.path().join("old");
    copied(&home, &old_home, &before_log);
    let old = all(&old_home).expect("the old state");

    // One change of three rows in three tables.
    let (open, _) = vault
        .open_volume(&label, pseudotape_tape::Access::ReadWrite, &order)
        .expect("free");
    let file = |number| TapeFile {
        number,
        first_object: number,
        blocks: 1,
        bytes: 1,
        digest: None,
        state: FileState::Ok,
    };
    let contents = pseudotape_vault::Contents {
        identity: open.volume.identity,
        generation: 99,
        label: String::new(),
        barcode: String::new(),
        partitions: 1,
        bytes: 0,
        files: (0..300).map(file).collect(),
        missing_from: None,
        end_is_lost: false,
        in_use: false,
    };
    let open_log = log();
    let open_home = folder.path().join("open");
    copied(&home, &open_home, &open_log);
    let opened = all(&open_home).expect("the state between");
    vault.close_volume(&label, &contents, &order).expect("open");
    let after_log = log();
    let new_home = folder.path().join("new");
    copied(&home, &new_home, &after_log);
    let new = all(&new_home).expect("the new state");
    assert!(old != opened && opened != new && new.0[0].1.len() == 300);
    assert!(after_log.len() > open_log.len() && open_log.len() > before_log.len());

    let mut counts = [0; 3];
    let states = [&old, &opened, &new];
    let step = ((after_log.len() - before_log.len()) / 150).max(1);
    for cut in (before_log.len()..=after_log.len()).step_by(step) {
        let torn = folder.path().join("torn");
        copied(&home, &torn, &after_log[..cut]);
        let found = all(&torn).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        let which = states.iter().position(|state| **state == found);
        let which = which.unwrap_or_else(|| panic!("cut at {cut}: neither old nor new"));
        let least = [before_log.len(), open_log.len(), after_log.len()];
        assert!(
            cut >= least[which],
            "cut at {cut}: state {which} was not there yet"
        );
        counts[which] += 1;
        fs::remove_dir_all(&torn).expect("ours");
    }
    // What a power failure leaves of a page that was not written.
    for at in (open_log.len() + 40..after_log.len()).step_by(step * 3) {
        let mut log = after_log.clone();
        log[at] ^= 0x40;
        let torn = folder.path().join("torn");
        copied(&home, &torn, &log);
        assert!(
            all(&torn).expect("it opens") == opened,
            "a wrong byte at {at}"
        );
        fs::remove_dir_all(&torn).expect("ours");
    }
    assert!(counts[0] > 0 && counts[1] > 10, "{counts:?}");
}

#[test]
fn a_change_that_does_not_end_is_none() {
    let folder = folder();
    let order = Order::person("ada", "why");
    let surroundings = Surroundings::seeded(1, 0);
    let mut vault =
        Vault::create(folder.path(), "test", None, &order, surroundings).expect("a vault");
    let made = vault
        .make(None, None, Some(1 << 20), &order)
        .expect("a volume");
    let label = made.volume.label;
    // The reason is missing, the file is missing, the state is illegal: each in the middle of a change.
    let nobody = Order::person("ada", " ");
    let before = vault.events(None, 100).expect("events");
    vault
        .set_availability(&label, Availability::Lost, &nobody)
        .expect_err("no reason");
    vault
        .set_file_state(&label, 5, FileState::Lost, &order)
        .expect_err("no such file");
    vault
        .mark_found(&label, &[5], "bad")
        .expect_err("no such file");
    assert_eq!(vault.events(None, 100).expect("events"), before);
    assert_eq!(
        vault.volume(&label).expect("there").volume.availability,
        Availability::Ok
    );
}
