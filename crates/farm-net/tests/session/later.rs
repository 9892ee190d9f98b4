//! The commands of version 2: notes, repairs, archives.

use std::fs;

use pseudotape_farm::{Existing, Exported, Extracted, Rebuilt, Remedy, Repair, Title};
use pseudotape_farm_net::{Client, Error, How, Message, Reached};

use crate::common::{Farm, Meddling, Ways, boundaries, name, out_of, words};
use crate::shared::whole;

const DIRECTORY: &str = "V/FILE000.dir";

impl Farm {
    /// The title of the file of this name in the tree.
    fn title(&self, name: &str) -> Title {
        Title::of_path(&self.path("tree").join(name)).unwrap()
    }

    fn note(&self) -> Option<String> {
        let entries = whole(&self.root(), "V");
        let one = entries
            .iter()
            .find(|entry| entry.title == self.title("one"));
        one.unwrap().note.clone()
    }
}

fn repair(client: &mut Client, apply: bool) -> Result<Vec<(Remedy, bool)>, Error> {
    let how = Repair {
        apply,
        drop_replaced: false,
    };
    let mut found = Vec::new();
    client.repair(&name("V"), how, 0, |told| {
        found.push((told.remedy, told.done));
    })?;
    Ok(found)
}

fn archive(client: &mut Client, prefix: Option<&Title>) -> Result<(Vec<u8>, Vec<String>), Error> {
    let (mut bytes, mut told) = (Vec::new(), Vec::new());
    let mut put = |part: &[u8]| {
        bytes.extend_from_slice(part);
        Ok(())
    };
    let mut tell = |exported| {
        told.push(match exported {
            Exported::Done(_) => "done".to_owned(),
            Exported::NotThere(_) => "not there".to_owned(),
            Exported::LeftOut(_, fault) => fault.to_string(),
            other => panic!("{other:?}"),
        });
    };
    client.write(&name("V"), &[], prefix, &mut put, &mut tell)?;
    Ok((bytes, told))
}

/// CW-73 over a link: a note is written down, and taken away; one that is none is refused by the farm's host too.
#[test]
fn a_note_is_made_at_the_farms_host() {
    let farm = Farm::new();
    farm.add(How::Copy).unwrap();
    let (mut client, serving) = farm.reach();
    let one = farm.title("one");
    let note = |text: &str| Some(text.to_owned());
    let (path, entry) = client
        .annotate(&name("V"), &one, note("for Ada"), 0)
        .unwrap();
    assert!(path.starts_with(farm.root()) && entry.note == note("for Ada"));
    assert_eq!(farm.note(), note("for Ada"));
    client.annotate(&name("V"), &one, None, 0).unwrap();
    assert_eq!(farm.note(), None);
    drop(client);
    serving.join().unwrap().unwrap();
    for (text, why) in [
        ("x".repeat(1001), "it has 1001 characters"),
        ("x".repeat(900_000), "it has 900000 characters"),
        ("a\nb".to_owned(), "one line, without control characters"),
        ("\x1b[2J".to_owned(), "one line, without control characters"),
        (String::new(), "a note has words in it"),
    ] {
        let (mut client, serving) = farm.reach();
        let refused = client
            .annotate(&name("V"), &one, Some(text), 0)
            .unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains(why) && refused.len() < 200, "{refused}");
        assert_eq!(farm.note(), None);
        drop(client);
        assert!(serving.join().unwrap().is_err());
    }
}

/// CW-02, CW-77 over a link: what is wrong is shown, and done only when that is said. CW-63: not while another one
/// changes the volume.
#[test]
fn a_volume_is_repaired_and_rebuilt_where_it_is() {
    let farm = Farm::new();
    farm.add(How::Copy).unwrap();
    let (mut client, serving) = farm.reach();
    assert_eq!(repair(&mut client, false).unwrap(), []);
    let capsule = farm.root().join("V/FILE0000002.ptape");
    fs::rename(&capsule, farm.path("kept")).unwrap();
    let checked = client.check(&name("V"), &[]).unwrap();
    let bad = checked.iter().filter(|(_, why)| why.is_some()).count();
    assert_eq!((checked.len(), bad), (4, 1));
    assert_eq!(repair(&mut client, false).unwrap(), [(Remedy::Fill, false)]);
    assert!(!capsule.exists(), "it was only shown");
    assert_eq!(repair(&mut client, true).unwrap(), [(Remedy::Fill, true)]);
    assert!(capsule.exists());
    assert_eq!(whole(&farm.root(), "V").len(), 4);
    fs::remove_file(farm.root().join(DIRECTORY)).unwrap();
    assert_eq!(
        repair(&mut client, false).unwrap(),
        [(Remedy::Rebuild, false)]
    );
    let mut listed = 0;
    let mut tell = |told| match told {
        Rebuilt::Listed(_) => listed += 1,
        other => panic!("{other:?}"),
    };
    client.rebuild(&name("V"), 0, &mut tell).unwrap();
    assert_eq!(listed, 4);
    assert_eq!(whole(&farm.root(), "V").len(), 4);
    drop(client);
    serving.join().unwrap().unwrap();

    let held = farm.local().open_volume(&name("V")).unwrap();
    type Change = fn(&mut Client, &Farm) -> Result<(), Error>;
    let changes: [Change; 3] = [
        |client, _| repair(client, true).map(drop),
        |client, _| client.rebuild(&name("V"), 0, |_| {}),
        |client, farm| {
            let done = client.annotate(&name("V"), &farm.title("one"), None, 0);
            done.map(drop)
        },
    ];
    for change in changes {
        let (mut client, serving) = farm.reach();
        let busy = change(&mut client, &farm).unwrap_err().to_string();
        assert!(busy.contains("volume V is busy, held by"), "{busy}");
        drop(client);
        assert!(serving.join().unwrap().is_err());
    }
    drop(held);
}

/// CW-05 over a link: the archive is the one that the farm's host would write, byte by byte, with holes and renamed; a
/// damaged capsule is left out.
#[test]
fn an_archive_comes_as_the_farms_host_would_write_it() {
    let farm = Farm::new();
    let holes = fs::File::create(farm.path("tree/holes")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&holes, b"end", 1 << 20).unwrap();
    farm.add(How::Copy).unwrap();
    let prefix = Title::new(b"META").unwrap();
    for prefix in [None, Some(&prefix)] {
        let mut expected = Vec::new();
        let volume = farm.local().look(&name("V")).unwrap();
        let entries = volume.chosen(&[]).unwrap();
        let mut put = |part: &[u8]| {
            expected.extend_from_slice(part);
            Ok(())
        };
        volume
            .export(&entries, prefix, &mut put, &mut |_| {})
            .unwrap();
        let (mut client, serving) = farm.reach();
        let (bytes, told) = archive(&mut client, prefix).unwrap();
        assert_eq!(told, ["done"; 5]);
        assert!(bytes == expected, "{} and {}", bytes.len(), expected.len());
        drop(client);
        serving.join().unwrap().unwrap();
        fs::write(farm.path("a.tar"), bytes).unwrap();
        let mut tar = std::process::Command::new("tar");
        let listed = out_of(tar.arg("-tf").arg(farm.path("a.tar")));
        assert_eq!(String::from_utf8(listed).unwrap().lines().count(), 5);
    }
    let path = farm.root().join("V/FILE0000001.ptape");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let (mut client, serving) = farm.reach();
    let (_, told) = archive(&mut client, None).unwrap();
    let done = told.iter().filter(|word| *word == "done").count();
    assert_eq!((told.len(), done), (5, 4), "{told:?}");
    drop(client);
    serving.join().unwrap().unwrap();
}

/// CW-62 of these commands: a link that is cut in any packet leaves a volume as it was before or as it is after; and an
/// archive that is cut off is not taken for a whole one.
#[test]
fn a_cut_leaves_a_volume_old_or_new() {
    type Change = fn(&mut Client, &Farm) -> Result<(), Error>;
    let changes: [(Change, bool); 4] = [
        (
            |client, farm| {
                let note = Some("noted".to_owned());
                client
                    .annotate(&name("V"), &farm.title("one"), note, 0)
                    .map(drop)
            },
            false,
        ),
        (|client, _| client.rebuild(&name("V"), 0, |_| {}), false),
        (|client, _| repair(client, true).map(drop), true),
        (|client, _| archive(client, None).map(drop), false),
    ];
    for (change, is_broken) in changes {
        let run = |meddling: (Meddling, Meddling), ways: &Ways| {
            let farm = Farm::new();
            farm.add(How::Copy).unwrap();
            if is_broken {
                fs::remove_file(farm.root().join("V/FILE0000003.ptape")).unwrap();
                fs::remove_file(farm.root().join("V/FILE0000004.ptape")).unwrap();
            }
            let (client, serving) = farm.try_reach("ada@depot", "", ways, meddling);
            let done = client.and_then(|mut client| change(&mut client, &farm));
            drop(serving.join().unwrap());
            let names = fs::read_dir(farm.root().join("V")).unwrap();
            let names = names.map(|entry| entry.unwrap().file_name());
            let left: Vec<_> = names
                .filter(|name| name.to_str().unwrap().ends_with(".tmp"))
                .collect();
            assert!(left.is_empty(), "{left:?}");
            // The same command goes on.
            let (mut client, serving) = farm.reach();
            change(&mut client, &farm).unwrap();
            drop(client);
            serving.join().unwrap().unwrap();
            assert_eq!(whole(&farm.root(), "V").len(), 4);
            done
        };
        let ways = Ways::default();
        run((Meddling::Nothing, Meddling::Nothing), &ways).unwrap();
        let (to_server, to_client) = (
            boundaries(&ways.to_server.lock().unwrap()),
            boundaries(&ways.to_client.lock().unwrap()),
        );
        // The last packet of a client is no part of the command: it has heard all before.
        for pair in to_server.windows(2) {
            for at in [pair[0], (pair[0] + pair[1]) / 2] {
                let done = run((Meddling::Cut(at), Meddling::Nothing), &Ways::default());
                assert!(done.is_err(), "{at}");
            }
        }
        for pair in to_client.windows(2) {
            for at in [pair[0], (pair[0] + pair[1]) / 2] {
                let done = run((Meddling::Nothing, Meddling::Cut(at)), &Ways::default());
                assert!(done.is_err(), "{at}");
            }
        }
    }
}

/// Files that a killed session had committed are taken in by the next one, and are not stored a second time.
#[test]
fn what_a_killed_session_left_is_taken_in() {
    let farm = Farm::new();
    let kept = farm.path("kept");
    fs::create_dir(&kept).unwrap();
    for file in ["sub", "link", "one"] {
        fs::rename(farm.path("tree").join(file), kept.join(file)).unwrap();
    }
    fs::rename(kept.join("one"), farm.path("tree/one")).unwrap();
    farm.add(How::Copy).unwrap();
    let before = fs::read(farm.root().join(DIRECTORY)).unwrap();
    for file in ["sub", "link"] {
        fs::rename(kept.join(file), farm.path("tree").join(file)).unwrap();
    }
    farm.add(How::Add).unwrap();
    // As a kill behind the last rename of a capsule leaves it.
    fs::write(farm.root().join(DIRECTORY), before).unwrap();
    let (client, serving) = farm.reach();
    let mut told = Vec::new();
    let mut tell = |what| told.push(words(&what));
    client.add(farm.order(How::Add), &mut tell).unwrap();
    serving.join().unwrap().unwrap();
    let adopted = told
        .iter()
        .filter(|word| word.starts_with("Adopted"))
        .count();
    let present = told
        .iter()
        .filter(|word| word.starts_with("present"))
        .count();
    assert_eq!((adopted, present, told.len()), (3, 4, 7), "{told:?}");
    assert_eq!(farm.check(), 4);
    assert!(!farm.root().join("V/FILE0000005.ptape").exists());
}

/// CW-48, CW-53 over a link: a volume is made as it is asked for, and who asks for something else of one that is there
/// hears that it stays.
#[test]
fn a_volume_is_made_as_it_is_asked_for() {
    let farm = Farm::new();
    let add = |structured, compression: Option<bool>| {
        let (mut client, serving) = farm.reach();
        client.making(structured, compression, None).unwrap();
        let mut order = farm.order(How::Add);
        order.compressed = compression.unwrap_or(false);
        let added = client.add(order, &mut |_| {});
        drop(serving.join().unwrap());
        added.map_err(|error| error.to_string())
    };
    add(true, Some(true)).unwrap();
    let marks = farm.local().look(&name("V")).unwrap().directory().marks();
    assert!(marks.structured && marks.compressed);
    assert!(
        !farm.root().join("V/FILE0000001.ptape").exists(),
        "it lies in a folder"
    );
    add(false, None).unwrap();
    let refused = add(false, Some(false)).unwrap_err();
    assert!(
        refused.contains("volume V is compressed, and stays"),
        "{refused}"
    );
    fs::remove_dir_all(farm.root().join("V")).unwrap();
    add(false, None).unwrap();
    let refused = add(true, None).unwrap_err();
    assert!(
        refused.contains("volume V is not structured, and stays"),
        "{refused}"
    );
    assert_eq!(farm.check(), 4);
}

/// The numbers of the messages are those of the protocol's document, and a body that is cut off is none.
#[test]
fn messages_of_version_2_are_not_taken_for_others() {
    for kind in 24..=31 {
        assert!(Message::decode(kind, b"x").is_err(), "{kind}");
    }
    assert!(Message::decode(60, b"").is_err());
}

/// One title of a large volume is extracted, verified and written by the index: that the record of another file is
/// damaged does not matter, and would where the directory were read.
#[test]
fn one_title_is_found_by_the_index() {
    let farm = Farm::new();
    let tree = farm.path("tree");
    for number in 0..4200 {
        fs::write(tree.join(format!("many{number}")), b"").unwrap();
    }
    farm.add(How::Copy).unwrap();
    let path = farm.root().join(DIRECTORY);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (mut client, serving) = farm.reach();
    let titles = [farm.title("one")];
    let entries = client.files(&name("V"), &titles).unwrap();
    let out = farm.path("out");
    fs::create_dir(&out).unwrap();
    let mut done = 0;
    let mut tell = |_: &_, extracted| {
        assert!(matches!(extracted, Extracted::Done(_)), "{extracted:?}");
        done += 1;
    };
    client
        .extract(&name("V"), &entries, &out, Existing::Kept, &mut tell)
        .unwrap();
    client
        .verify(&name("V"), &titles, |reached| match reached {
            Reached::Sound(_) => done += 1,
            Reached::Wrong(wrong) => panic!("{wrong:?}"),
        })
        .unwrap();
    let mut archive = 0;
    client
        .write(
            &name("V"),
            &titles,
            None,
            &mut |bytes| {
                archive += bytes.len();
                Ok(())
            },
            &mut |_| done += 1,
        )
        .unwrap();
    assert!(done == 3 && archive > 0, "{done} {archive}");
    drop(client);
    serving.join().unwrap().unwrap();

    let (mut client, serving) = farm.reach();
    let whole = client.verify(&name("V"), &[], |_| {}).unwrap_err();
    assert!(whole.to_string().contains("damaged"), "{whole}");
    drop(client);
    drop(serving.join().unwrap());
}
