//! The commands of version 1.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use pseudotape_farm::{Existing, Extracted, Released, Told};
use pseudotape_farm_net::{
    AccessList, Client, Error, HEADER_BYTES, How, Link, MergeOrder, Pipe, Reached, Refusal,
    ReleaseOrder, Served, serve,
};

use crate::common::{Farm, Meddling, Serving, Ways, boundaries, last, name, out_of, same, words};

/// CW-06: what one host adds, another one lists, verifies and gets back.
#[test]
fn files_go_to_another_host_and_come_back() {
    let farm = Farm::new();
    let added = ["added link", "added one", "added empty", "added two"];
    assert_eq!(farm.add(How::Copy).unwrap(), added);
    assert_eq!(farm.check(), 4);
    // CW-07: the words are those of the farm, and nothing is changed.
    let refused = farm.add(How::Copy).unwrap_err();
    assert!(refused.to_string().contains("but not copied"), "{refused}");
    // CW-08, CW-09
    let present = added.map(|word| word.replace("added", "present"));
    assert_eq!(farm.add(How::Add).unwrap(), present);
    let not_better = added.map(|word| word.replace("added", "not better"));
    assert_eq!(farm.add(How::CompareAdd).unwrap(), not_better);
    let one = fs::File::options()
        .write(true)
        .open(farm.path("tree/one"))
        .unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    one.set_modified(later).unwrap();
    let told = farm.add(How::CompareAdd).unwrap();
    assert!(told.contains(&"replaced one".to_owned()), "{told:?}");

    let (mut client, serving) = farm.reach();
    assert_eq!(client.greeting().person, "ada@depot");
    assert_eq!(client.greeting().root, farm.root());
    let volumes = client.volumes().unwrap();
    assert_eq!(volumes.len(), 1);
    assert_eq!(volumes[0].inside.map(|inside| inside.files), Some(4));
    let entries = client.files(&name("V"), &[]).unwrap();
    assert_eq!(entries.len(), 4);
    let (path, entry) = client.show(&name("V"), &entries[0].title).unwrap();
    assert!(path.starts_with(farm.root()) && entry == entries[0]);
    let mut sound = 0;
    client
        .verify(&name("V"), &[], |reached| match reached {
            Reached::Sound(_) => sound += 1,
            Reached::Wrong(wrong) => panic!("{wrong:?}"),
        })
        .unwrap();
    assert_eq!(sound, 4);
    let out = farm.path("out");
    fs::create_dir(&out).unwrap();
    let mut extract = |existing| {
        let mut done = Vec::new();
        let mut tell = |_: &_, extracted| done.push(extracted);
        client
            .extract(&name("V"), &entries, &out, existing, &mut tell)
            .unwrap();
        done
    };
    assert!(
        extract(Existing::Kept)
            .iter()
            .all(|done| matches!(done, Extracted::Done(_)))
    );
    assert!(
        extract(Existing::Kept)
            .iter()
            .all(|done| matches!(done, Extracted::InTheWay))
    );
    assert!(
        extract(Existing::Replaced)
            .iter()
            .all(|done| matches!(done, Extracted::Done(_)))
    );
    for entry in &entries {
        let inside = entry.title.path();
        same(&Path::new("/").join(&inside), &out.join(&inside));
    }
    let mode = fs::metadata(
        out.join(entries[0].title.path().parent().unwrap())
            .join("one"),
    );
    assert_eq!(mode.unwrap().permissions().mode() & 0o777, 0o640);
    drop(client);
    serving.join().unwrap().unwrap();
}

/// CW-69 over a link: a damaged capsule is named, and not extracted; the others are.
#[test]
fn a_damaged_capsule_is_named_and_leaves_nothing() {
    let farm = Farm::new();
    farm.add(How::Copy).unwrap();
    let volume = farm.local().look(&name("V")).unwrap();
    let two = volume
        .directory()
        .entries()
        .iter()
        .find(|entry| entry.length == 300_000);
    let path = volume.capsule_path(two.unwrap().number);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (mut client, serving) = farm.reach();
    let mut wrong = Vec::new();
    client
        .verify(&name("V"), &[], |reached| {
            if let Reached::Wrong(what) = reached {
                wrong.push(what);
            }
        })
        .unwrap();
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].what, "damaged");
    let entries = client.files(&name("V"), &[]).unwrap();
    let out = farm.path("out");
    fs::create_dir(&out).unwrap();
    let mut damaged = Vec::new();
    let mut tell = |entry: &pseudotape_farm::Entry, extracted| match extracted {
        Extracted::Done(_) => {}
        Extracted::Damaged(_) => damaged.push(last(&entry.title)),
        other => panic!("{other:?}"),
    };
    client
        .extract(&name("V"), &entries, &out, Existing::Kept, &mut tell)
        .unwrap();
    assert_eq!(damaged, ["two"]);
    let folder = out.join(entries[0].title.path()).with_file_name("sub");
    let names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["empty"]);
    drop(client);
    serving.join().unwrap().unwrap();
}

/// CW-32, CW-33, CW-34: volumes are merged where they are: only records come back, each behind its commit. Where a
/// source is not there nothing is done.
#[test]
fn a_merge_sends_no_contents() {
    let farm = Farm::new();
    farm.add(How::Copy).unwrap();
    let ways = Ways::default();
    let no = (Meddling::Nothing, Meddling::Nothing);
    let (client, serving) = farm.try_reach("ada@depot", "", &ways, no);
    let mut client = client.unwrap();
    let mut order = MergeOrder {
        volume: name("all"),
        sources: vec![name("V")],
        how: How::Copy,
        lock_wait: 0,
        check_present: false,
        compressed: false,
    };
    let mut recorded = Vec::new();
    let root = farm.local();
    client
        .merge(&order, |told| {
            let Told::Added(entry) = told else {
                panic!("{told:?}");
            };
            let there = root.look(&name("all")).unwrap();
            assert!(
                there.directory().find(&entry.title).is_some(),
                "told before it is there"
            );
            recorded.push(last(&entry.title));
        })
        .unwrap();
    assert_eq!(recorded.len(), 4);
    assert!(
        ways.to_client.lock().unwrap().len() < 5_000,
        "contents came"
    );
    assert!(ways.to_server.lock().unwrap().len() < 500, "contents went");
    drop(client);
    serving.join().unwrap().unwrap();

    let (mut client, serving) = farm.reach();
    order.volume = name("none");
    order.sources.push(name("elsewhere"));
    let refused = client.merge(&order, |_| {}).unwrap_err().to_string();
    assert!(
        refused.contains("there is no volume elsewhere"),
        "{refused}"
    );
    assert!(!farm.root().join("none").exists());
    drop(client);
    drop(serving.join().unwrap());
}

#[test]
fn a_release_names_whom_the_session_serves() {
    let farm = Farm::new();
    farm.add(How::Copy).unwrap();
    let (mut client, serving) = farm.reach();
    let entries = client.files(&name("V"), &[]).unwrap();
    let order = ReleaseOrder {
        volume: name("V"),
        titles: vec![entries[1].title.clone()],
        by: Some("root".to_owned()),
        lock_wait: 0,
    };
    let mut released = Vec::new();
    client
        .release(&order, |told| match told {
            Released::Done(entry) => released.push(entry),
            other => panic!("{other:?}"),
        })
        .unwrap();
    assert_eq!(released.len(), 1);
    // What a client says of itself never stands alone.
    assert_eq!(
        released[0].why.as_deref(),
        Some("released by root (ada@depot)")
    );
    drop(client);
    serving.join().unwrap().unwrap();
}

/// CW-46: closed by default. CW-47: the list counts for the next connection, and cuts nobody.
#[test]
fn who_is_not_on_the_list_is_refused() {
    let farm = Farm::new();
    let no = (Meddling::Nothing, Meddling::Nothing);
    let try_as = |person: &str, root: &str| {
        let (client, serving) = farm.try_reach(person, root, &Ways::default(), no);
        (client, serving)
    };
    let refused = |(client, serving): (Result<Client, Error>, Serving)| {
        let Err(Error::Refused { refusal, text }) = client else {
            panic!("not refused");
        };
        drop(serving.join().unwrap());
        (refusal, text)
    };
    let (refusal, text) = refused(try_as("bob@depot", ""));
    assert_eq!(refusal, Refusal::Access);
    assert!(text.contains("bob@depot may not use this farm"), "{text}");
    let (mut inside, serving) = farm.reach();
    let change = |change: &dyn Fn(&mut AccessList) -> bool| {
        AccessList::change(&farm.root(), |access| change(access)).unwrap();
    };
    change(&|access| access.add("bob@any".parse().unwrap()));
    change(&|access| access.remove(&"ada@depot".parse().unwrap()));
    let (client, of_bob) = try_as("bob@depot", "");
    drop(client.unwrap());
    of_bob.join().unwrap().unwrap();
    assert_eq!(refused(try_as("ada@depot", "")).0, Refusal::Access);
    inside.volumes().unwrap();
    drop(inside);
    serving.join().unwrap().unwrap();
    // A root that is not the served one would be a silent mistake.
    let (refusal, text) = refused(try_as("bob@depot", "/another"));
    assert_eq!(refusal, Refusal::Command);
    assert!(text.contains("and not /another"), "{text}");
    let root = farm.root().to_str().unwrap().to_owned();
    let (client, of_bob) = try_as("bob@depot", &root);
    drop(client.unwrap());
    of_bob.join().unwrap().unwrap();
}

/// CW-63: the second writer is told who holds the volume, and comes in when the first one is gone. CW-64: readers are
/// not in its way.
/// CW-43: as long as a session runs, the root is one that is served.
#[test]
fn a_root_is_served_until_its_last_session_ends() {
    let farm = Farm::new();
    farm.add(How::Copy).unwrap();
    let (mut client, session) = farm.reach();
    assert_eq!(client.files(&name("V"), &[]).unwrap().len(), 4);
    let refused = farm.local().expect_unserved().unwrap_err();
    assert!(refused.to_string().contains("is served"), "{refused}");
    drop(client);
    session.join().unwrap().unwrap();
    farm.local().expect_unserved().unwrap();
}

#[test]
fn a_busy_volume_names_its_holder() {
    let farm = Farm::new();
    farm.add(How::Copy).unwrap();
    let held = farm.local().open_volume(&name("V")).unwrap();
    let busy = farm.add(How::Add).unwrap_err().to_string();
    // A session has its process in common with this test.
    let us = format!(
        "volume V is busy, held by ada@depot (process {} ",
        std::process::id()
    );
    assert!(busy.starts_with(&us), "{busy}");
    let (mut one, of_one) = farm.reach();
    let (mut other, of_other) = farm.reach();
    let entries = one.files(&name("V"), &[]).unwrap();
    for (client, folder) in [(&mut one, "out1"), (&mut other, "out2")] {
        let out = farm.path(folder);
        fs::create_dir(&out).unwrap();
        let mut tell = |_: &_, done| assert!(matches!(done, Extracted::Done(_)), "{done:?}");
        client
            .extract(&name("V"), &entries, &out, Existing::Kept, &mut tell)
            .unwrap();
    }
    drop((one, other));
    of_one.join().unwrap().unwrap();
    of_other.join().unwrap().unwrap();

    // It waits until the holder is gone: what it hears on the way lets the holder go.
    let (ours, theirs) = UnixStream::pair().unwrap();
    let served = Served {
        roots: vec![farm.root()],
        privately: false,
        commands: None,
        hook: None,
        way: "test".into(),
        person: "ada@depot".parse().unwrap(),
    };
    let serving = std::thread::spawn(move || {
        let pipe = Pipe::new(theirs).unwrap();
        let sender = pipe.sender().unwrap();
        serve(Link::new(pipe, sender), &served)
    });
    let pipe = Pipe::new(ours).unwrap();
    let sender = pipe.sender().unwrap();
    let held = Mutex::new(Some(held));
    let client = Client::over(Link::new(pipe, sender), "here", "", move |text| {
        assert!(text.contains("is changing volume V"), "{text}");
        drop(held.lock().unwrap().take());
    });
    let mut order = farm.order(How::Add);
    order.lock_wait = 1000;
    let mut present = 0;
    client.unwrap().add(order, &mut |_| present += 1).unwrap();
    assert_eq!(present, 4);
    serving.join().unwrap().unwrap();
}

/// The packets of a command both ways, without meddling.
fn packets(how: How) -> (Vec<usize>, Vec<usize>) {
    let farm = Farm::new();
    let ways = Ways::default();
    let no = (Meddling::Nothing, Meddling::Nothing);
    run(&farm, how, &ways, no).unwrap().unwrap();
    let of = |way: &Arc<Mutex<Vec<u8>>>| boundaries(&way.lock().unwrap());
    (of(&ways.to_server), of(&ways.to_client))
}

/// Adds the tree. `None` where the meddling did not come to its turn: times of files have more or fewer digits.
fn run(
    farm: &Farm,
    how: How,
    ways: &Ways,
    meddling: (Meddling, Meddling),
) -> Option<Result<usize, Error>> {
    let (client, serving) = farm.try_reach("ada@depot", "", ways, meddling);
    let mut told = 0;
    let added = client.and_then(|client| client.add(farm.order(how), &mut |_| told += 1));
    // What was told is there, whatever became of the session.
    drop(serving.join().unwrap());
    let there = farm.check();
    assert!(told <= there, "{told} were told, and {there} are there");
    let (place, way) = match meddling {
        (Meddling::Cut(at) | Meddling::Flip(at), _) => (at, &ways.to_server),
        (_, Meddling::Cut(at) | Meddling::Flip(at)) => (at, &ways.to_client),
        _ => return Some(added.map(|()| told)),
    };
    let is_late = added.is_ok() && way.lock().unwrap().len() <= place;
    (!is_late).then(|| added.map(|()| told))
}

/// CW-62, and what a cut link leaves: cut at each boundary between packets and within each packet, both ways. Nothing
/// half is left, what was told is there, and the same command goes on (of a copy: 'add').
#[test]
fn a_link_that_is_cut_anywhere_leaves_nothing_half() {
    for how in [How::Add, How::Copy] {
        let (to_server, to_client) = packets(how);
        let middles = |all: &[usize]| -> Vec<usize> {
            let pairs = all.windows(2);
            let middle = pairs.map(|pair| pair[0] + (pair[1] - pair[0]) / 2);
            let begin = all[..all.len() - 1].iter().copied();
            match how {
                How::Copy => begin.collect(),
                _ => begin.chain(middle).collect(),
            }
        };
        let cuts = middles(&to_server)
            .into_iter()
            .map(|at| (Meddling::Cut(at), Meddling::Nothing));
        let back = middles(&to_client)
            .into_iter()
            .map(|at| (Meddling::Nothing, Meddling::Cut(at)));
        let (mut partial, mut late) = (0, 0);
        for meddling in cuts.chain(back) {
            let farm = Farm::new();
            let Some(done) = run(&farm, how, &Ways::default(), meddling) else {
                late += 1;
                continue;
            };
            assert!(done.is_err(), "{how:?} {meddling:?}: {done:?}");
            partial += usize::from((1..4).contains(&farm.check()));
            // It goes on: what is there counts as present.
            farm.add(How::Add).unwrap();
            assert_eq!(farm.check(), 4, "{how:?} {meddling:?}");
        }
        assert!(partial > 2, "what came whole is kept: {partial}");
        assert!(late < 4, "{late} were never cut");
    }
}

/// CW-62: one bit that is flipped anywhere fails the session, and no file with another content is committed.
#[test]
fn a_flipped_bit_fails_the_session() {
    let (to_server, to_client) = packets(How::Add);
    // In each packet one field of the header in turn (the magic, the kind, the number, the length, the checksums), and
    // the body where there is one.
    let places = |all: &[usize]| -> Vec<usize> {
        let fields = [0, 4, 6, 8, 12, 16, 20].into_iter().cycle();
        let packet = |(pair, field): (&[usize], usize)| {
            let (begin, end) = (pair[0], pair[1]);
            let body = (begin + HEADER_BYTES < end).then(|| (begin + HEADER_BYTES + end) / 2);
            [begin + field].into_iter().chain(body)
        };
        all.windows(2).zip(fields).flat_map(packet).collect()
    };
    let mut late = 0;
    let flips = places(&to_server)
        .into_iter()
        .map(|at| (Meddling::Flip(at), Meddling::Nothing));
    let back = places(&to_client)
        .into_iter()
        .map(|at| (Meddling::Nothing, Meddling::Flip(at)));
    for meddling in flips.chain(back) {
        let farm = Farm::new();
        match run(&farm, How::Add, &Ways::default(), meddling) {
            Some(done) => assert!(done.is_err(), "{meddling:?}: {done:?}"),
            None => late += 1,
        }
    }
    assert!(late < 4, "{late} were never flipped");
}

/// An archive goes as it is; one that is cut leaves nothing of the member at hand.
#[test]
fn an_archive_goes_through() {
    let farm = Farm::new();
    let tar = |path: &Path| {
        let mut command = std::process::Command::new("tar");
        out_of(command.args(["-cf", "-", "-C"]).arg(path).arg("tree"))
    };
    let bytes = tar(farm.folder.path());
    let send = |bytes: Vec<u8>| {
        let (client, serving) = farm.reach();
        let mut order = farm.order(How::Add);
        order.paths.clear();
        order.archive = Some(Box::new(io::Cursor::new(bytes)));
        let mut told = Vec::new();
        let added = client.add(order, &mut |what| told.push(words(&what)));
        drop(serving.join().unwrap());
        (added, told)
    };
    let (added, told) = send(bytes);
    added.unwrap();
    assert_eq!(told.len(), 4, "{told:?}");
    let (added, _) = send(vec![1; 2000]);
    let text = added.unwrap_err().to_string();
    assert!(text.contains("of the archive"), "{text}");
}

/// What is no client is told so, and harms nobody.
#[test]
fn what_does_not_speak_the_protocol_is_refused() {
    let farm = Farm::new();
    let served = Served {
        roots: vec![farm.root()],
        privately: false,
        commands: None,
        hook: None,
        way: "test".into(),
        person: "ada@depot".parse().unwrap(),
    };
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n12345678"[..], b"PTFN", b""] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let served = served.clone();
        let serving = std::thread::spawn(move || {
            let pipe = Pipe::new(theirs).unwrap();
            let sender = pipe.sender().unwrap();
            serve(Link::new(pipe, sender), &served)
        });
        ours.write_all(bytes).unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        ours.read_to_end(&mut answer).unwrap();
        assert!(serving.join().unwrap().is_err());
    }
}
