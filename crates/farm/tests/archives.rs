//! Files that come in an archive: GNU tar wrote it.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use common::{
    Place, add, attributes, entries, make_fifo, name, opened, set_attribute, set_times,
    tar as untar,
};
use pseudotape_farm::{Adding, Error, Existing, Extracted, Keeping, State, Told, Verb, extract};

fn tar(options: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new("tar")
        .arg("-C")
        .arg(folder)
        .args(options)
        .arg("-cf")
        .args(["-", "."])
        .output();
    let output = output.expect("GNU tar is there");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn added(place: &Place, archive: &[u8]) -> (Vec<Told>, Result<(), Error>) {
    let mut told = Vec::new();
    let mut tell = |one| told.push(one);
    let mut volume = opened(&place.root(), "V").expect("a volume");
    let mut adding = Adding::to(&mut volume, Verb::Add, Keeping::Changed, &mut tell);
    let done = adding.archive(archive).and_then(|()| adding.finish());
    (told, done)
}

#[test]
fn files_of_an_archive_come_back_with_all_attributes() {
    for format in ["pax", "gnu"] {
        let place = Place::new();
        let src = place.path("src");
        let names: [&[u8]; 4] = [b"plain", b"with\nnewline", b"not\xffutf8", &[b'n'; 250]];
        for name in names {
            fs::write(src.join(OsStr::from_bytes(name)), name).expect("a file");
        }
        place.file(&format!("{0}/{0}/end", "d".repeat(120)), "deep");
        std::os::unix::fs::symlink("l".repeat(200), src.join("link")).expect("a link");
        make_fifo(&src.join("fifo"));
        let mut options = vec!["--format", format];
        if format == "pax" {
            set_attribute(&src.join("plain"), "user.vault.cycle", b"7");
            set_times(&src.join("plain"), 5000);
            let sparse = fs::File::create(src.join("sparse")).expect("a file");
            sparse
                .write_all_at(b"in the middle", 300_000)
                .expect("written");
            sparse.set_len(900_000).expect("longer");
            options.extend(["--xattrs", "--sparse"]);
        }
        let (told, done) = added(&place, &tar(&options, &src));
        done.expect("a whole archive");
        let listed = entries(&place.root(), "V");
        let files = if format == "pax" { 8 } else { 7 };
        assert_eq!((told.len(), listed.len()), (files, files), "{told:?}");
        let out = place.path("out");
        fs::create_dir(&out).expect("a folder");
        let volume = place.root().look(&name("V")).expect("a volume");
        for entry in &listed {
            let got = extract(&volume, entry, &out, Existing::Kept);
            assert!(
                matches!(&got, Extracted::Done(notes) if notes.is_empty()),
                "{got:?}"
            );
            let (one, other) = (src.join(entry.title.path()), out.join(entry.title.path()));
            match format {
                "pax" => assert_eq!(attributes(&other), attributes(&one)),
                // GNU's own format has no parts of seconds.
                _ if one.is_file() => assert_eq!(fs::read(&other).ok(), fs::read(&one).ok()),
                _ => assert_eq!(fs::read_link(&other).ok(), fs::read_link(&one).ok()),
            }
        }
        let plain = listed
            .iter()
            .find(|entry| entry.title.bytes() == b"plain")
            .expect("added");
        assert_eq!(plain.stamp.generation, if format == "pax" { 7 } else { 0 });
    }
}

/// Each way in which GNU tar writes holes, with so many that the old format takes records behind the header.
#[test]
fn files_with_holes_of_every_format_of_gnu_tar_come_back() {
    for options in [
        &["--format=gnu"][..],
        &["--format=pax", "--sparse-version=0.0"],
        &["--format=pax", "--sparse-version=0.1"],
        &["--format=pax", "--sparse-version=1.0"],
    ] {
        let place = Place::new();
        for (name, parts) in [("few", 3), ("many", 60)] {
            let file = fs::File::create(place.path("src").join(name)).expect("a file");
            for part in 0..parts {
                let text = format!("{name} {part}");
                let at = part * 300_000 + 100_000;
                file.write_all_at(text.as_bytes(), at).expect("written");
            }
            file.set_len(parts * 300_000 + 200_000).expect("longer");
        }
        place.file("next", "behind them");
        let archive = tar(&[options, &["--sparse"]].concat(), &place.path("src"));
        assert!(archive.len() < 2 << 20, "tar saw the holes");
        let (told, done) = added(&place, &archive);
        done.unwrap_or_else(|error| panic!("{options:?}: {error}"));
        assert_eq!(told.len(), 3, "{options:?}: {told:?}");
        let (out, by_tar) = (place.path("out"), place.path("by-tar"));
        fs::create_dir(&out).expect("a folder");
        let volume = place.root().look(&name("V")).expect("a volume");
        for entry in entries(&place.root(), "V") {
            let got = extract(&volume, &entry, &out, Existing::Kept);
            assert!(
                matches!(&got, Extracted::Done(notes) if notes.is_empty()),
                "{options:?}: {got:?}"
            );
            let original = fs::read(place.path("src").join(entry.title.path())).expect("a file");
            assert_eq!(entry.length, original.len() as u64);
            untar(&volume.capsule_path(entry.number), &by_tar, &["-p"]);
            for got in [&out, &by_tar] {
                let got = fs::read(got.join(entry.title.path())).expect("a file");
                assert!(got == original, "{options:?}: {}", entry.title);
            }
        }
    }
}

/// In keys of pax records `tar` writes `=` and `%` of names as `%3D` and `%25`.
#[test]
fn names_of_extended_attributes_with_equals_signs_and_percent_signs_come_back() {
    for from_archive in [false, true] {
        let place = Place::new();
        let path = place.file("f", "text");
        let names = ["a=b", "a%3Db", "x%3Dy", "p%25", "q%", "r%3d", "=", "%%3D"];
        for name in names {
            set_attribute(&path, &format!("user.{name}"), name.as_bytes());
        }
        set_times(&path, 5000);
        match from_archive {
            true => {
                let (_, done) = added(
                    &place,
                    &tar(&["--format=pax", "--xattrs"], &place.path("src")),
                );
                done.expect("a whole archive");
            }
            false => {
                add(&place.root(), "V", Verb::Add, &[&path]).expect("added");
            }
        }
        let (out, by_tar) = (place.path("out"), place.path("by-tar"));
        fs::create_dir(&out).expect("a folder");
        let volume = place.root().look(&name("V")).expect("a volume");
        let listed = entries(&place.root(), "V");
        let title = listed[0].title.path();
        let got = extract(&volume, &listed[0], &out, Existing::Kept);
        assert!(
            matches!(&got, Extracted::Done(notes) if notes.is_empty()),
            "{got:?}"
        );
        untar(
            &place.path("farm/V/FILE0000001.ptape"),
            &by_tar,
            &["--xattrs", "-p"],
        );
        assert_eq!(attributes(&out.join(&title)), attributes(&path));
        assert_eq!(attributes(&by_tar.join(&title)), attributes(&path));
    }
}

/// `tar -r` puts a newer file behind the older one with its name, and `tar -x` gives the newer one.
#[test]
fn of_members_with_one_title_the_last_one_counts_and_what_was_there_before_stays() {
    let place = Place::new();
    let src = place.path("src");
    for text in ["first", "second, longer", "third"] {
        place.file("f", text);
        place.file(&format!("other {}", text.len()), text);
        let done = Command::new("tar")
            .arg("-C")
            .arg(&src)
            .arg("-rf")
            .arg(place.path("a.tar"))
            .arg("f")
            .status();
        assert!(done.expect("GNU tar is there").success());
    }
    let archive = fs::read(place.path("a.tar")).expect("an archive");
    let (told, done) = added(&place, &archive);
    done.expect("a whole archive");
    assert!(
        matches!(
            &told[..],
            [Told::Added(_), Told::Replaced(_), Told::Replaced(_)]
        ),
        "{told:?}"
    );
    let out = place.path("out");
    fs::create_dir(&out).expect("a folder");
    let listed = entries(&place.root(), "V");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        place.capsules("V").len(),
        2,
        "its directory and one capsule"
    );
    let volume = place.root().look(&name("V")).expect("a volume");
    extract(&volume, &listed[0], &out, Existing::Kept);
    assert_eq!(fs::read(out.join("f")).expect("a file"), b"third");
    drop(volume);

    let before = place.bytes("V");
    let (told, done) = added(&place, &archive);
    done.expect("a whole archive");
    assert!(
        told.iter().all(|one| matches!(one, Told::Present(_))),
        "{told:?}"
    );
    assert_eq!(place.bytes("V"), before);
}

#[test]
fn what_an_archive_should_not_have_is_named_and_an_archive_that_is_cut_adds_what_came_before() {
    let place = Place::new();
    let src = place.path("src");
    fs::write(src.join("a"), "first").expect("a file");
    fs::hard_link(src.join("a"), src.join("b")).expect("a link");
    let (told, done) = added(
        &place,
        &tar(
            &["--sort=name", "--transform", "s,^\\./a,./x/../../a,", "-P"],
            &src,
        ),
    );
    done.expect("a whole archive");
    let why: Vec<String> = told
        .iter()
        .map(|one| match one {
            Told::LeftOut(left) => left.why.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(why.iter().any(|why| why.contains("leads out")), "{why:?}");
    assert!(why.iter().any(|why| why.contains("hard link")), "{why:?}");

    fs::remove_file(src.join("b")).expect("removed");
    fs::write(src.join("z"), "x".repeat(5000)).expect("a file");
    let whole = tar(&["--sort=name"], &src);
    let at = whole
        .windows(100)
        .position(|part| part == [b'x'; 100])
        .expect("its contents");
    let (_, done) = added(&place, &whole[..at + 1000]);
    let error = done.expect_err("it is cut off");
    assert!(error.to_string().contains("cut off"), "{error}");
    let listed = entries(&place.root(), "V");
    let states: Vec<_> = listed
        .iter()
        .map(|entry| (entry.title.to_string(), entry.state))
        .collect();
    assert_eq!(
        states,
        [
            ("a".to_owned(), State::Ok),
            ("z".to_owned(), State::Missing)
        ]
    );
    let (told, done) = added(&place, &whole);
    done.expect("the whole one");
    assert!(
        matches!(&told[..], [Told::Present(_), Told::Replaced(_)]),
        "{told:?}"
    );
    let (_, done) = added(&place, b"no archive");
    assert!(done.expect_err("nonsense").to_string().contains("cut off"));
}
