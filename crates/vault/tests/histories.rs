//! Random histories of a vault: what fails changes nothing, and the log of events tells every state.

use std::collections::BTreeMap;

use proptest::prelude::*;
use pseudotape_tape::Access;
use pseudotape_vault::{
    Availability, Category, Contents, Digest, Error, Event, FileState, Label, LastCopy, Listed,
    Opening, Order, Subject, Surroundings, TapeFile, Vault,
};

/// In memory, where that is a folder: these tests commit hundreds of times, and no power fails.
fn folder() -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).expect("a folder")
}

#[derive(Clone, Debug)]
enum Step {
    Make,
    Rename(usize, usize),
    Category(usize, Category),
    Availability(usize, Availability, bool),
    File(usize, u64, FileState, bool),
    Open(usize),
    Close(usize, u64, u8),
    Remove(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let volume = || 0..6usize;
    let category = prop::sample::select(Category::ALL);
    let availability = prop::sample::select(Availability::ALL);
    let file = prop::sample::select(FileState::ALL);
    prop_oneof![
        3 => Just(Step::Make),
        1 => (volume(), volume()).prop_map(|(v, w)| Step::Rename(v, w)),
        2 => (volume(), category).prop_map(|(v, c)| Step::Category(v, c)),
        4 => (volume(), availability, any::<bool>()).prop_map(|(v, a, s)| Step::Availability(v, a, s)),
        4 => (volume(), 0..4u64, file, any::<bool>()).prop_map(|(v, n, f, s)| Step::File(v, n, f, s)),
        3 => volume().prop_map(Step::Open),
        4 => (volume(), 0..4u64, any::<u8>()).prop_map(|(v, n, d)| Step::Close(v, n, d)),
        1 => (volume(), any::<bool>()).prop_map(|(v, l)| Step::Remove(v, l)),
    ]
}

/// Everything that a catalog says.
type All = (Vec<(Listed, Vec<TapeFile>)>, Vec<Event>);

fn all(vault: &Vault) -> All {
    let volumes = vault.volumes().expect("volumes");
    let with_files = volumes.into_iter().map(|listed| {
        let files = vault.files(&listed.volume.label).expect("files");
        (listed, files)
    });
    (
        with_files.collect(),
        vault.events(None, 10_000).expect("events"),
    )
}

fn order(by_system: bool) -> Order {
    match by_system {
        true => Order::system("found"),
        false => Order::person("ada", "decided"),
    }
}

fn contents(listed: &Listed, files: u64, digest: u8) -> Contents {
    let file = |number| TapeFile {
        number,
        first_object: number * 3,
        blocks: 2,
        bytes: 20,
        digest: Some(Digest([digest; 32])),
        state: FileState::Ok,
    };
    Contents {
        identity: listed.volume.identity,
        generation: listed.volume.image_generation.unwrap_or(0) + u64::from(digest % 2),
        label: String::new(),
        barcode: String::new(),
        partitions: 1,
        bytes: 0,
        files: (0..files).map(file).collect(),
        missing_from: None,
        end_is_lost: false,
        in_use: false,
    }
}

fn apply(vault: &mut Vault, step: &Step) -> Result<(), Error> {
    let volumes = vault.volumes().expect("volumes");
    let nobody: Label = "NOBODY".parse().expect("a label");
    let label = |at: usize| {
        let listed = volumes.get(at);
        listed.map_or_else(|| nobody.clone(), |listed| listed.volume.label.clone())
    };
    match *step {
        Step::Make => vault
            .make(None, None, Some(1 << 20), &order(false))
            .map(drop),
        Step::Rename(at, to) => vault
            .set_label(&label(at), &label(to), &order(false))
            .map(drop),
        Step::Category(at, to) => vault.set_category(&label(at), to, &order(false)).map(drop),
        Step::Availability(at, to, by) => {
            vault.set_availability(&label(at), to, &order(by)).map(drop)
        }
        Step::File(at, number, to, by) => vault
            .set_file_state(&label(at), number, to, &order(by))
            .map(drop),
        Step::Open(at) => vault
            .open_volume(&label(at), Access::ReadWrite, &order(false))
            .map(drop),
        Step::Close(at, files, digest) => {
            let listed = vault.volume(&label(at))?;
            let contents = contents(&listed, files, digest);
            vault
                .close_volume(&label(at), &contents, &order(true))
                .map(drop)
        }
        Step::Remove(at, any) => {
            let last_copy = if any { LastCopy::MayGo } else { LastCopy::Kept };
            vault.remove(&label(at), last_copy, &order(false)).map(drop)
        }
    }
}

/// What the log says that each volume is: its category, availability, opening, generation.
fn replayed(events: &[Event]) -> BTreeMap<String, [String; 4]> {
    let mut volumes: BTreeMap<String, [String; 4]> = BTreeMap::new();
    for event in events {
        let change = &event.change;
        let label = || event.label.clone().expect("a volume's");
        let mut set = |at: usize| {
            let state = volumes.get_mut(&label()).expect("it came before");
            assert_eq!(change.from.as_ref(), state.get(at), "{event:?}");
            state[at] = change.to.clone().expect("a state");
        };
        match change.subject {
            Subject::Vault
            | Subject::File
            | Subject::Recovery
            | Subject::StackedVolume
            | Subject::Copy
            | Subject::FarmVolume
            | Subject::Reference => {}
            Subject::Volume => match &change.to {
                Some(category) => {
                    let state = [category.as_str(), "ok", "closed", "0"].map(str::to_owned);
                    assert_eq!(volumes.insert(label(), state), None);
                }
                None => assert!(volumes.remove(&label()).is_some()),
            },
            Subject::Label => {
                let state = volumes.remove(change.from.as_ref().expect("a label"));
                volumes.insert(label(), state.expect("it came before"));
            }
            Subject::Category => set(0),
            Subject::Availability => set(1),
            Subject::Opening => set(2),
            Subject::Generation => set(3),
        }
    }
    volumes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_fails_changes_nothing_and_the_log_tells_every_state(
        seed: u64,
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let folder = folder();
        let directory = folder.path().join("vault");
        let surroundings = || Surroundings::seeded(seed, 1_000_000);
        let mut vault =
            Vault::create(&directory, "test", None, &order(false), surroundings()).expect("a vault");
        for step in &steps {
            let before = all(&vault);
            if let Err(error) = apply(&mut vault, step) {
                prop_assert_eq!(&all(&vault), &before, "{:?}: {}", step, error);
            }
        }
        let (volumes, events) = all(&vault);
        let states = volumes.iter().map(|(listed, _)| {
            let volume = &listed.volume;
            let state = [
                volume.category.to_string(),
                volume.availability.to_string(),
                volume.opening.to_string(),
                volume.generation.to_string(),
            ];
            (volume.label.to_string(), state)
        });
        prop_assert_eq!(states.collect::<BTreeMap<_, _>>(), replayed(&events));
        for (listed, files) in &volumes {
            let block = listed.volume.block.is_some();
            prop_assert_eq!(block, listed.volume.availability != Availability::Ok);
            prop_assert_eq!(listed.files, files.len() as u64);
            let faulty = files.iter().filter(|file| file.state.is_faulty()).count();
            prop_assert_eq!(listed.faulty, faulty as u64);
        }
        // The same from the disk, and for one who only looks.
        drop(vault);
        prop_assert_eq!(all(&Vault::look(&directory).expect("to look")), (volumes, events));
    }
}

#[test]
fn the_same_seed_makes_the_same_vault() {
    let folder = folder();
    let history = |name: &str| {
        let directory = folder.path().join(name);
        let surroundings = Surroundings::seeded(7, 1_000_000);
        let mut vault =
            Vault::create(&directory, "test", None, &order(false), surroundings).expect("a vault");
        for _ in 0..3 {
            vault
                .make(None, None, Some(1 << 20), &order(false))
                .expect("a volume");
        }
        all(&vault)
    };
    assert_eq!(history("one"), history("other"));
}

/// EN-02: a load is refused with the state, and a person's reason.
#[test]
fn an_open_volume_is_closed_with_what_is_on_it() {
    let folder = folder();
    let surroundings = Surroundings::seeded(7, 1_000_000);
    let mut vault =
        Vault::create(folder.path(), "test", None, &order(false), surroundings).expect("a vault");
    let made = vault
        .make(None, None, Some(1 << 20), &order(false))
        .expect("a volume");
    let label = made.volume.label.clone();
    let (open, image) = vault
        .open_volume(&label, Access::ReadWrite, &order(false))
        .expect("it is free");
    assert_eq!(open.volume.opening, Opening::Open);
    assert!(image.is_file());
    let again = vault.open_volume(&label, Access::ReadOnly, &order(false));
    assert!(
        again.expect_err("open").to_string().contains("is open"),
        "a drive has it"
    );
    let closed = vault
        .close_volume(&label, &contents(&open, 3, 1), &order(true))
        .expect("it is open");
    assert_eq!(closed.volume.opening, Opening::Closed);
    assert_eq!(
        (closed.volume.category, closed.volume.generation),
        (Category::Private, 1)
    );
    assert_eq!((closed.files, closed.bytes), (3, 60));
    vault
        .set_availability(&label, Availability::NotAllowed, &order(false))
        .expect("by a person");
    let refused = vault.open_volume(&label, Access::ReadOnly, &order(false));
    let refused = refused.expect_err("blocked").to_string();
    assert!(
        refused.starts_with(&format!("volume {label} is notallowed, set by ada on "))
            && refused.ends_with("Z: decided"),
        "{refused}"
    );
    let kept = vault.remove(&label, LastCopy::Kept, &order(false));
    assert!(
        kept.expect_err("wanted")
            .to_string()
            .contains("3 tape files"),
        "the last copy"
    );
    assert!(image.is_file());
}
