//! Who hears at the farm's host of what clients have stored (CW-55, CW-59).

use std::sync::{Arc, Mutex};

use pseudotape_farm::{Root, Told};
use pseudotape_farm_net::{Error, Hook, How, MergeOrder, Stored};

use crate::common::{Farm, Meddling, Ways, last, name, words};
use crate::shared::whole;

/// Writes down what it hears, and looks at it.
#[derive(Debug, Default)]
struct Hearer {
    heard: Mutex<Vec<String>>,
    failure: Option<String>,
}

impl Hook for Hearer {
    fn stored(&self, stored: &Stored<'_>) -> Result<(), String> {
        // It is in the directory, and nobody holds the volume.
        let entries = whole(stored.root, stored.volume.as_str());
        let volume = Root::open(stored.root).unwrap();
        let volume = volume.open_volume(stored.volume).unwrap();
        assert_eq!(volume.path(), stored.path);
        let mut files = Vec::new();
        for (entry, capsule) in stored.files {
            assert!(entries.contains(entry), "{entry:?}");
            assert!(capsule.starts_with(stored.path) && capsule.is_file());
            let inside = capsule.strip_prefix(stored.path).unwrap();
            files.push(format!("{} {}", last(&entry.title), inside.display()));
        }
        files.sort();
        let heard = format!("{} {}: {}", stored.person, stored.volume, files.join(", "));
        self.heard.lock().unwrap().push(heard);
        self.failure.clone().map_or(Ok(()), Err)
    }
}

impl Hearer {
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

fn farm_with(failure: Option<&str>) -> (Farm, Arc<Hearer>) {
    let hearer = Arc::new(Hearer {
        failure: failure.map(str::to_owned),
        ..Hearer::default()
    });
    let mut farm = Farm::new();
    farm.hook = Some(Arc::clone(&hearer) as Arc<dyn Hook>);
    (farm, hearer)
}

fn merge(farm: &Farm) -> Result<Vec<String>, Error> {
    let (mut client, serving) = farm.reach();
    let order = MergeOrder {
        volume: name("M"),
        sources: vec![name("V")],
        how: How::Add,
        lock_wait: 0,
        check_present: false,
        compressed: false,
    };
    let mut told = Vec::new();
    let merged = client.merge(&order, |what| told.push(words(&what)));
    drop(client);
    drop(serving.join().unwrap());
    merged.map(|()| told)
}

#[test]
fn a_hook_hears_of_what_is_in_the_volume_and_of_nothing_else() {
    let (farm, hearer) = farm_with(None);
    farm.add(How::Copy).unwrap();
    let one_to_four = "ada@depot V: empty FILE0000003.ptape, link FILE0000001.ptape, one FILE0000002.ptape, \
                       two FILE0000004.ptape";
    assert_eq!(hearer.heard(), [one_to_four]);
    farm.add(How::Add).unwrap();
    assert!(hearer.heard().is_empty(), "all was present");
    std::fs::write(farm.path("tree/one"), b"a later first").unwrap();
    let added = farm.add(How::CompareAdd).unwrap();
    assert!(added.contains(&"replaced one".to_owned()), "{added:?}");
    assert_eq!(hearer.heard(), ["ada@depot V: one FILE0000005.ptape"]);
    merge(&farm).unwrap();
    assert_eq!(hearer.heard().len(), 1);
}

/// CW-59: in a structured volume the capsules are where they lie.
#[test]
fn a_hook_hears_where_the_capsules_of_a_structured_volume_lie() {
    let (farm, hearer) = farm_with(None);
    let (mut client, serving) = farm.reach();
    client.making(true, None, None).unwrap();
    client.add(farm.order(How::Copy), &mut |_| {}).unwrap();
    drop(serving.join().unwrap());
    let heard = hearer.heard().remove(0);
    let two = heard.split(", ").find(|file| file.starts_with("two "));
    let two = two.expect("a file two");
    assert!(two.ends_with("/tree/sub/FILE0000004.ptape"), "{heard}");
}

#[test]
fn the_root_of_private_volumes_is_the_folder_of_the_host() {
    let (mut farm, hearer) = farm_with(None);
    farm.privately = true;
    farm.add(How::Copy).unwrap();
    assert_eq!(hearer.heard().len(), 1);
    assert!(farm.root().join("depot/V/FILE000.dir").exists());
}

/// A failure undoes nothing, and the client hears of it behind all files.
#[test]
fn a_client_hears_that_the_hook_failed() {
    let (farm, _) = farm_with(Some("no paper in the printer"));
    for told in [farm.add(How::Copy).unwrap(), merge(&farm).unwrap()] {
        assert_eq!(told.len(), 5, "{told:?}");
        let failed = Told::ScriptFailed("no paper in the printer".to_owned());
        assert_eq!(told[4], format!("{failed:?}"));
    }
    assert_eq!(farm.check(), 4);
}

/// Wherever a link is cut, the hook hears of the files that are in the volume, once, and of no others.
#[test]
fn a_hook_hears_of_what_came_before_the_link_was_cut() {
    let (farm, _) = farm_with(None);
    let ways = Ways::default();
    let run = |farm: &Farm, ways: &Ways, meddling| {
        let meddled = (meddling, Meddling::Nothing);
        let (client, serving) = farm.try_reach("ada@depot", "", ways, meddled);
        // Where it is cut the command ends with an error, which the tests of links look at.
        drop(client.and_then(|client| client.add(farm.order(How::Copy), &mut |_| {})));
        drop(serving.join().unwrap());
    };
    run(&farm, &ways, Meddling::Nothing);
    let whole_way = ways.to_server.lock().unwrap().len();
    let mut some_were_kept = false;
    for at in (0..whole_way).step_by(whole_way / 40) {
        let (farm, hearer) = farm_with(None);
        run(&farm, &Ways::default(), Meddling::Cut(at));
        let kept = farm.check();
        let heard: usize = hearer
            .heard()
            .iter()
            .map(|heard| heard.split(',').count())
            .sum();
        assert_eq!(heard, kept, "cut at {at}");
        some_were_kept |= (1..4).contains(&kept);
    }
    assert!(some_were_kept, "no cut was between two files");
}
