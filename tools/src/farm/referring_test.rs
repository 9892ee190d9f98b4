//! What a crash leaves of files and their references, at each step of both.

use std::fs;
use std::path::PathBuf;

use pseudotape_farm::{Adding, Keeping, Step, Verb, Witness};

use super::*;

/// Copies of a farm and of its vault, as the death of the command would leave them at each step.
struct Snapshots {
    home: PathBuf,
    to: PathBuf,
    count: usize,
}

impl Snapshots {
    fn take(&mut self) {
        let to = self.to.join(self.count.to_string());
        self.count += 1;
        for (folder, names) in [
            (
                "vault",
                &["vault.toml", "catalog.sqlite", "catalog.sqlite-wal"][..],
            ),
            ("farm/V[S1]", &[]),
        ] {
            let (from, to) = (self.home.join(folder), to.join(folder));
            fs::create_dir_all(&to).unwrap();
            for entry in fs::read_dir(&from).unwrap().map(Result::unwrap) {
                let name = entry.file_name();
                let is_wanted = names.is_empty() || names.iter().any(|wanted| name == *wanted);
                if is_wanted {
                    fs::copy(entry.path(), to.join(&name)).unwrap();
                }
            }
        }
        fs::create_dir_all(to.join("vault/images")).unwrap();
    }
}

impl Witness for Snapshots {
    fn step(&mut self, step: Step<'_>) -> std::io::Result<()> {
        match step {
            Step::Reading { .. } | Step::Writing { .. } | Step::Wrote { .. } => {}
            _ => self.take(),
        }
        Ok(())
    }
}

fn ledger(directory: &Path, root: &Path) -> Ledger {
    let surroundings = Surroundings::of_this_machine();
    let order = Order::person("ada", "");
    let vault = match directory.join("vault.toml").exists() {
        true => Vault::open(directory, "test", surroundings).unwrap(),
        false => Vault::create(directory, "test", None, &order, surroundings).unwrap(),
    };
    let serial: Serial = "S1".parse().unwrap();
    Ledger {
        vault,
        wanted: WantedVolume {
            place: FarmPlace {
                name: "V".to_owned(),
                host: "castor".to_owned(),
                root: root.display().to_string(),
                folder: "V[S1]".to_owned(),
            },
            serial: Some(serial.clone()),
            namesakes: Namesakes::Refused,
        },
        kinds: Kinds {
            backup: Some(Slots::First),
            archive: true,
        },
        unknown: Unknown::Entered,
        order,
        serial,
        cataloged: Vec::new(),
        archived: Vec::new(),
        without_entry: Vec::new(),
    }
}

fn titles(vault: &Vault) -> Vec<Vec<u8>> {
    let files = vault.referred_files().unwrap();
    let titles = files.iter().map(|file| {
        assert_eq!(file.references.len(), 2, "a backup, and one in the archive");
        file.references[0].title.clone()
    });
    titles.collect()
}

/// CW-10: whatever a crash leaves, the next command makes references of exactly the files that the volume has.
#[test]
fn a_crash_at_each_step_leaves_references_that_the_volume_settles() {
    let counts = after_each_crash(|ledger, volume| ledger.begin(volume).unwrap());
    assert_eq!(
        (counts.first(), counts.last()),
        (Some(&0), Some(&3)),
        "{counts:?}"
    );
}

/// `refs` and `purge` behind a kill: what was committed counts, also where the directory has not got it yet.
#[test]
fn who_looks_after_a_crash_forgets_no_reference_of_a_capsule_that_is_there() {
    let counts = after_each_crash(|ledger, volume| {
        let order = &ledger.order;
        settle(&mut ledger.vault, &ledger.serial, volume, order).unwrap();
    });
    assert_eq!(
        (counts.first(), counts.last()),
        (Some(&0), Some(&3)),
        "{counts:?}"
    );
}

/// At each step of an `add`: the command is killed, `then` happens, and the same command again brings the rest. How
/// many files the volume had between, without repetitions.
fn after_each_crash(then: impl Fn(&mut Ledger, &mut Volume)) -> Vec<usize> {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let farm = home.join("farm");
    fs::create_dir_all(&farm).unwrap();
    let sources = folder.path().join("sources");
    fs::create_dir(&sources).unwrap();
    for name in ["a", "b", "c"] {
        fs::write(sources.join(name), name).unwrap();
    }
    let name: VolumeName = "V[S1]".parse().unwrap();
    // A volume that is there, so that each snapshot has one.
    Root::open(&farm).unwrap().create(&name).unwrap();
    let mut ledger_now = ledger(&home.join("vault"), &farm);
    let snapshots = folder.path().join("snapshots");
    let witness = Snapshots {
        home: home.clone(),
        to: snapshots.clone(),
        count: 0,
    };
    let root = Root::open(&farm).unwrap().watched(witness);
    let mut volume = root.open_or_create(&name).unwrap();
    ledger_now.begin(&mut volume).unwrap();
    let mut told = |_| {};
    let mut adding = Adding::to(&mut volume, Verb::Add, Keeping::Changed, &mut told)
        .registered(Some(&mut ledger_now));
    adding.path(&sources).unwrap();
    adding.finish().unwrap();
    assert_eq!(ledger_now.cataloged.len(), 3);
    assert_eq!(ledger_now.archived.len(), 3);
    drop((volume, ledger_now, root));

    let mut counts = Vec::new();
    for number in 0.. {
        let snapshot = snapshots.join(number.to_string());
        if !snapshot.exists() {
            break;
        }
        let farm = snapshot.join("farm");
        let mut ledger = ledger(&snapshot.join("vault"), &home.join("farm"));
        let mut volume = Root::open(&farm).unwrap().open_volume(&name).unwrap();
        then(&mut ledger, &mut volume);
        let listed = volume.directory().entries().iter();
        let listed: Vec<Vec<u8>> = listed.map(|entry| entry.title.bytes().to_vec()).collect();
        assert_eq!(titles(&ledger.vault), listed, "snapshot {number}");
        assert!(ledger.vault.unsettled_volumes().unwrap().is_empty());
        // The same command again brings the rest, and refers to each once.
        ledger.begin(&mut volume).unwrap();
        let mut told = |_| {};
        let mut adding = Adding::to(&mut volume, Verb::Add, Keeping::Changed, &mut told)
            .registered(Some(&mut ledger));
        adding.path(&sources).unwrap();
        adding.finish().unwrap();
        assert_eq!(titles(&ledger.vault).len(), 3, "snapshot {number}");
        counts.push(listed.len());
    }
    counts.dedup();
    counts
}
