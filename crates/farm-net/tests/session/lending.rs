//! Capsules of one farm for another one (CW-32, CW-34): from each host to each host.

use std::fs;

use pseudotape_farm::{Entry, Existing, Extracted, State, VolumeName};
use pseudotape_farm_net::{AddOrder, Capsules, Error, How, LentHere, LentThere, Loan};

use crate::common::{Farm, Meddling, Ways, boundaries, last, name, words};
use crate::shared::{order, whole};

/// A farm with a volume V of its tree, one of whose files is released, and one whose capsule is damaged.
fn lender() -> Farm {
    let farm = Farm::new();
    fs::write(farm.path("tree/sub/rotten"), b"rotten").unwrap();
    fs::write(farm.path("tree/sub/given up"), b"given up").unwrap();
    farm.add(How::Copy).unwrap();
    let volume = farm.local().look(&name("V")).unwrap();
    let entries = volume.directory().entries().to_vec();
    let entry = |of: &str| entries.iter().find(|entry| last(&entry.title) == of);
    let given_up = [entry("given up").unwrap().title.clone()];
    pseudotape_farm::release(&farm.local(), &name("V"), &given_up, "Ada", &mut |_| {}).unwrap();
    let rotten = volume.capsule_path(entry("rotten").unwrap().number);
    let mut bytes = fs::read(&rotten).unwrap();
    let at = bytes
        .windows(6)
        .rposition(|part| part == b"rotten")
        .unwrap();
    bytes[at] ^= 1;
    fs::write(&rotten, bytes).unwrap();
    farm
}

fn here(farm: &Farm) -> Box<dyn Capsules> {
    let volume = farm.local().look(&name("V")).unwrap();
    Box::new(LentHere::of(vec![volume]))
}

fn there(farm: &Farm, ways: &Ways, meddling: Meddling) -> Result<Box<dyn Capsules>, Error> {
    let meddled = (Meddling::Nothing, meddling);
    let (client, _serving) = farm.try_reach("ada@depot", "", ways, meddled);
    let there = LentThere::of(client?, &[name("V")])?;
    Ok(Box::new(there))
}

/// Has a volume W made of them in a farm behind a link; what was told.
fn lent(to: &Farm, how: How, capsules: Box<dyn Capsules>) -> (Result<(), Error>, Vec<String>) {
    let (client, serving) = to.reach();
    let order = AddOrder {
        paths: Vec::new(),
        capsules: Some(capsules),
        ..order("W", how, &to.path("tree"))
    };
    let mut told = Vec::new();
    let done = client.add(order, &mut |what| told.push(words(&what)));
    drop(serving.join().unwrap());
    (done, told)
}

/// The files of W are those of V with a whole capsule, with all that is known of them there.
fn compare(from: &Farm, to: &Farm, count: usize) {
    let source = from.local().look(&name("V")).unwrap();
    let entries = whole(&to.root(), "W");
    assert_eq!(entries.len(), count);
    let volume = to.local().look(&name("W")).unwrap();
    let out = tempfile::tempdir().unwrap();
    for entry in &entries {
        let was = source.directory().find(&entry.title).unwrap();
        let alike = |entry: &Entry| {
            (
                entry.stamp,
                entry.digest,
                entry.length,
                entry.kind,
                entry.state,
            )
        };
        assert_eq!(alike(entry), alike(was));
        let done = pseudotape_farm::extract(&volume, entry, out.path(), Existing::Kept);
        assert!(matches!(done, Extracted::Done(_)), "{done:?}");
    }
}

#[test]
fn files_go_from_farm_to_farm_with_what_is_known_of_them() {
    let from = lender();
    let no = Meddling::Nothing;
    for capsules in [here(&from), there(&from, &Ways::default(), no).unwrap()] {
        let to = Farm::new();
        let (done, told) = lent(&to, How::Copy, capsules);
        done.unwrap();
        let left_out: Vec<_> = told
            .iter()
            .filter(|told| told.starts_with("left out"))
            .collect();
        assert_eq!(left_out.len(), 2, "{told:?}");
        assert!(
            left_out
                .iter()
                .any(|told| told.ends_with("not on V: released")),
            "{told:?}"
        );
        assert!(
            left_out.iter().any(|told| told.contains("of V is damaged")),
            "{told:?}"
        );
        compare(&from, &to, 4);
        let (done, told) = lent(&to, How::Add, here(&from));
        done.unwrap();
        assert_eq!(
            told.iter()
                .filter(|told| told.starts_with("present"))
                .count(),
            4
        );
        let (done, told) = lent(&to, How::CompareAdd, here(&from));
        done.unwrap();
        assert_eq!(
            told.iter()
                .filter(|told| told.starts_with("not better"))
                .count(),
            4
        );
        compare(&from, &to, 4);
    }
}

/// Wherever the link to the farm of the sources is cut or faulty, nothing half and nothing missing comes, the error
/// says which farm is gone, and the same command goes on.
#[test]
fn a_farm_of_sources_that_goes_leaves_nothing_half() {
    let from = lender();
    let ways = Ways::default();
    let to = Farm::new();
    lent(
        &to,
        How::Copy,
        there(&from, &ways, Meddling::Nothing).unwrap(),
    )
    .0
    .unwrap();
    let bytes = ways.to_client.lock().unwrap().clone();
    let mut places: Vec<usize> = boundaries(&bytes);
    places.extend((0..bytes.len()).step_by(bytes.len() / 20));
    let mut some_came = false;
    for at in places.into_iter().filter(|at| *at < bytes.len()) {
        for meddling in [Meddling::Cut(at), Meddling::Flip(at)] {
            let to = Farm::new();
            let Ok(capsules) = there(&from, &Ways::default(), meddling) else {
                continue;
            };
            let (done, _) = lent(&to, How::Copy, capsules);
            let came = match to.root().join("W").exists() {
                true => whole(&to.root(), "W").len(),
                false => 0,
            };
            compare_if_any(&from, &to, came);
            some_came |= (1..4).contains(&came);
            match done {
                // Behind the last file nobody waits for more.
                Ok(()) => assert_eq!(came, 4, "{meddling:?}"),
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.starts_with("the farm of the sources: "), "{text}");
                }
            }
            lent(&to, How::Add, here(&from)).0.unwrap();
            compare(&from, &to, 4);
        }
    }
    assert!(some_came, "no cut was between two files");
}

fn compare_if_any(from: &Farm, to: &Farm, came: usize) {
    if came > 0 {
        compare(from, to, came);
    }
}

/// Gives other contents than the record says, as a server that is broken or lies.
struct Liar(Box<dyn Capsules>);

impl Capsules for Liar {
    fn next(&mut self) -> Option<(VolumeName, Vec<Entry>)> {
        self.0.next()
    }

    fn lend(
        &mut self,
        volume: &VolumeName,
        wanted: &[Entry],
        take: &mut dyn FnMut(&Entry, Loan<'_>) -> bool,
    ) -> Result<(), Error> {
        self.0.lend(volume, wanted, &mut |entry, loan| match loan {
            Loan::File(headers, contents) if entry.length == 9 => {
                std::io::copy(contents, &mut std::io::sink()).unwrap();
                take(entry, Loan::File(headers, &mut &b"the worst"[..]))
            }
            loan => take(entry, loan),
        })
    }
}

/// Contents that are not those of the record never count as the file.
#[test]
fn contents_that_differ_from_their_digest_are_not_taken_for_the_file() {
    let from = lender();
    let to = Farm::new();
    let (done, told) = lent(&to, How::Copy, Box::new(Liar(here(&from))));
    done.unwrap();
    let volume = to.local().look(&name("W")).unwrap();
    let entries = volume.directory().entries();
    let one = entries
        .iter()
        .find(|entry| last(&entry.title) == "one")
        .unwrap();
    assert_eq!(one.state, State::Missing, "{told:?}");
    let why = one.why.as_deref().unwrap();
    assert!(why.contains("not those that were written"), "{why}");
    assert_eq!(
        entries
            .iter()
            .filter(|entry| entry.state == State::Ok)
            .count(),
        3
    );
}
