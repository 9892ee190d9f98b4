//! Volumes: what is added, listed and got back; `tar` as the judge.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use common::{Place, add, attributes, entries, make_fifo, name, set_attribute, set_times, tar};
use pseudotape_farm::{Error, Existing, Extracted, State, Title, Told, Verb, differences, extract};

fn titles(told: &[Told], which: impl Fn(&Told) -> Option<Title>) -> Vec<String> {
    told.iter()
        .filter_map(which)
        .map(|title| title.to_string())
        .collect()
}

fn added(told: &[Told]) -> Vec<String> {
    titles(told, |one| match one {
        Told::Added(entry) => Some(entry.title.clone()),
        _ => None,
    })
}

/// CW-20: whoever gives a file up for its copy hears of all that the copy has not.
#[test]
fn what_a_file_has_otherwise_than_its_capsule_is_told() {
    let place = Place::new();
    let path = place.file("file", "some text\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("permissions");
    set_attribute(&path, "user.kind", b"letter");
    set_times(&path, 1_234_567_890);
    let root = place.root();
    add(&root, "V", Verb::Add, &[&path]).expect("added");
    let volume = root.look(&name("V")).expect("a volume");
    let entry = &volume.directory().entries()[0];
    let found = || differences(&volume, entry, &path).expect("a whole capsule");
    assert_eq!(found(), [""; 0]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
    assert_eq!(found(), ["permissions 0600, and 0640 in the capsule"]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("permissions");
    set_attribute(&path, "user.kind", b"bill");
    set_attribute(&path, "user.\n", b"");
    assert_eq!(found(), ["attribute user.\\n", "attribute user.kind"]);
    set_attribute(&path, "user.kind", b"letter");
    rustix::fs::removexattr(&path, "user.\n").expect("removed");
    set_times(&path, 1_234_567_891);
    let words = "changed at 1234567891.123456789, and at 1234567890.123456789 in the capsule (seconds after 1970)";
    assert_eq!(found(), [words]);
    set_times(&path, 1_234_567_890);
    // user::rw-, user:7:---, group::r--, mask::r--, other::---: the mode stays 0640 with it.
    let list = [
        (1, 6, u32::MAX),
        (2, 0, 7),
        (4, 4, u32::MAX),
        (16, 4, u32::MAX),
        (32, 0, u32::MAX),
    ];
    set_attribute(&path, "system.posix_acl_access", &access_list(&list));
    assert_eq!(found(), ["access list"]);
}

/// An access list as Linux keeps it.
fn access_list(list: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in list {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

/// CW-04: each capsule is a complete volume: GNU tar gives back the file with all its attributes from it alone.
#[test]
fn tar_gets_a_file_with_all_attributes_from_its_capsule_alone() {
    let place = Place::new();
    let path = place.file("deep/er/file", "some text\n");
    // Who is not root gives nobody the right to be another user.
    let mode = if nix::unistd::geteuid().is_root() {
        0o4640
    } else {
        0o640
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
    set_attribute(&path, "user.note", b"with \0 and \n in it");
    // user::rw-, user:12345:r--, group::r--, group:54321:-wx, mask::rwx, other::---
    let list = [
        (1, 6, u32::MAX),
        (2, 4, 12345),
        (4, 4, u32::MAX),
        (8, 3, 54321),
        (16, 7, u32::MAX),
        (32, 0, u32::MAX),
    ];
    set_attribute(&path, "system.posix_acl_access", &access_list(&list));
    set_times(&path, 1_234_567_890);
    let root = place.root();
    let told = add(&root, "V", Verb::Add, &[&path]).expect("added");
    assert_eq!(added(&told).len(), 1, "{told:?}");
    let title = place.title("deep/er/file");

    let capsule = place.path("farm/V/FILE0000001.ptape");
    let elsewhere = place.path("alone.ptape");
    fs::copy(&capsule, &elsewhere).expect("a copy of one file");
    fs::remove_dir_all(place.path("farm")).expect("the farm is gone");
    let out = place.path("out");
    tar(
        &elsewhere,
        &out,
        &[
            "--xattrs",
            "--xattrs-include=*",
            "--acls",
            "-p",
            "--same-owner",
        ],
    );
    assert_eq!(attributes(&out.join(title.path())), attributes(&path));
}

/// CW-01, CW-03, CW-71: what is in a tree comes back, whatever the names are, each file from a capsule of its own.
#[test]
fn a_tree_of_strange_names_and_kinds_comes_back_by_the_farm_and_by_tar() {
    let place = Place::new();
    let src = place.path("src");
    let long = "n".repeat(255);
    let names: [&[u8]; 8] = [
        b"plain",
        b"with\nnewline",
        b"not\xffutf8",
        "größe".as_bytes(),
        long.as_bytes(),
        b"-x",
        b"a b",
        b"...",
    ];
    for name in names {
        fs::write(src.join(OsStr::from_bytes(name)), name).expect("a file");
    }
    let deep = format!("{0}/{0}/{0}/end", "d".repeat(200));
    place.file(&deep, "deep");
    place.file("empty", "");
    symlink("/nowhere/at all", src.join("link")).expect("a link");
    symlink("l".repeat(300), src.join("long link")).expect("a link");
    fs::hard_link(src.join("plain"), src.join("hard")).expect("a link");
    make_fifo(&src.join("fifo"));
    let sparse = fs::File::create(src.join("sparse")).expect("a file");
    sparse
        .write_all_at(b"in the middle", 300_000)
        .expect("written");
    sparse.set_len(900_000).expect("longer");
    let big: Vec<u8> = (0..3_000_000u32)
        .map(|at| at.to_le_bytes()[at as usize % 3])
        .collect();
    fs::write(src.join("big"), big).expect("a file");

    let root = place.root();
    let told = add(&root, "V", Verb::Add, &[&src]).expect("added");
    let listed = entries(&root, "V");
    assert_eq!((added(&told).len(), listed.len()), (16, 16), "{told:?}");
    let numbers: Vec<u64> = listed.iter().map(|entry| entry.number.0.get()).collect();
    assert_eq!(numbers, (1..=16).collect::<Vec<u64>>());

    let volume = root.look(&name("V")).expect("a volume");
    let (out, by_tar) = (place.path("out"), place.path("by-tar"));
    fs::create_dir(&out).expect("a folder");
    for entry in &listed {
        let got = extract(&volume, entry, &out, Existing::Kept);
        assert!(
            matches!(&got, Extracted::Done(notes) if notes.is_empty()),
            "{got:?}"
        );
        tar(
            &volume.capsule_path(entry.number),
            &by_tar,
            &["-p", "--same-owner"],
        );
        let original = Path::new("/").join(entry.title.path());
        assert_eq!(
            attributes(&out.join(entry.title.path())),
            attributes(&original)
        );
        assert_eq!(
            attributes(&by_tar.join(entry.title.path())),
            attributes(&original)
        );
    }
    let blocks = |path: &Path| fs::metadata(path).expect("a file").blocks();
    let sparse = place.title("sparse").path();
    let most = 900_000 / 512 / 2;
    assert!(blocks(&out.join(&sparse)) < most && blocks(&by_tar.join(&sparse)) < most);
    let mut damage = Vec::new();
    volume.verify(&listed, &mut |finding| damage.push(format!("{finding:?}")));
    assert!(
        damage.iter().all(|finding| finding.starts_with("Whole")),
        "{damage:?}"
    );
}

/// CW-04, CW-71: links and FIFOs have them too, where the kernel lets somebody set them.
#[test]
fn extended_attributes_of_links_and_fifos_come_back_by_the_farm_and_by_tar() {
    let place = Place::new();
    let src = place.path("src");
    make_fifo(&src.join("fifo"));
    symlink("fifo", src.join("link")).expect("a link");
    let set = |name: &str, attribute: &str, value: &[u8]| {
        let none = rustix::fs::XattrFlags::empty();
        rustix::fs::lsetxattr(src.join(name), attribute, value, none).expect("an attribute");
    };
    // user::rw-, user:12345:r--, group::r--, mask::r--, other::---
    let list = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\x39\x30\0\0\
        \x04\0\x04\0\xff\xff\xff\xff\x10\0\x04\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff";
    set("fifo", "system.posix_acl_access", list);
    // Only root can give a link one, or a FIFO one that is no access list.
    let is_root = nix::unistd::geteuid().is_root();
    if is_root {
        set("link", "trusted.of-link", b"with \0 in it");
        set("fifo", "trusted.of-fifo", b"x");
    }
    let names = |path: &Path| -> Vec<(String, Vec<u8>)> {
        let mut names = vec![0; 4096];
        let length = rustix::fs::llistxattr(path, &mut names[..]).expect("names");
        let names = names[..length].split(|byte| *byte == 0);
        let mut pairs: Vec<_> = names
            .filter(|name| !name.is_empty())
            .map(|name| {
                let mut value = vec![0; 4096];
                let length = rustix::fs::lgetxattr(path, name, &mut value[..]).expect("a value");
                value.truncate(length);
                (String::from_utf8_lossy(name).into_owned(), value)
            })
            .collect();
        pairs.sort();
        pairs
    };
    let root = place.root();
    add(&root, "V", Verb::Add, &[&src]).expect("added");
    let (out, by_tar) = (place.path("out"), place.path("by-tar"));
    fs::create_dir(&out).expect("a folder");
    let volume = root.look(&name("V")).expect("a volume");
    for entry in entries(&root, "V") {
        let got = extract(&volume, &entry, &out, Existing::Kept);
        assert!(
            matches!(&got, Extracted::Done(notes) if notes.is_empty()),
            "{got:?}"
        );
        let all = ["--xattrs", "--xattrs-include=*", "--acls", "-p"];
        tar(&volume.capsule_path(entry.number), &by_tar, &all);
    }
    for name in ["fifo", "link"] {
        let path = place.title(name).path();
        let expected = names(&src.join(name));
        assert!(!expected.is_empty() || (name == "link" && !is_root));
        assert_eq!(names(&out.join(&path)), expected, "{name}");
        assert_eq!(names(&by_tar.join(&path)), expected, "{name} by tar");
    }
}

/// CW-07: COPY makes a new volume only; one that is there is not touched, and neither is an empty one.
#[test]
fn a_copy_onto_a_volume_that_is_there_changes_not_a_byte() {
    let place = Place::new();
    let path = place.file("a", "first");
    let root = place.root();
    drop(root.create(&name("V")).expect("a new volume"));
    let empty = place.bytes("V");
    let error = root.create(&name("V")).expect_err("it is there");
    let words = "Files may be added to V, but not copied, as a Volume called V already exists";
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(place.bytes("V"), empty);
    add(&root, "V", Verb::Add, &[&path]).expect("added");
    let full = place.bytes("V");
    root.create(&name("V")).expect_err("it is there");
    assert_eq!(place.bytes("V"), full);
    fs::create_dir(place.path("farm/E")).expect("a folder");
    root.create(&name("E")).expect_err("a folder is there");
    assert!(place.capsules("E").is_empty());
}

/// CW-08: ADD never replaces, even by a newer file.
#[test]
fn add_leaves_alone_what_is_there() {
    let place = Place::new();
    let a = place.file("a", "first");
    let root = place.root();
    add(&root, "V", Verb::Add, &[&a]).expect("added");
    let before = place.bytes("V");
    place.file("a", "second, and newer");
    set_times(&a, 4_000_000_000);
    let b = place.file("b", "another");
    let told = add(&root, "V", Verb::Add, &[&a, &b]).expect("added");
    assert_eq!(added(&told), [place.title("b").to_string()]);
    let present = titles(&told, |one| match one {
        Told::Present(title) => Some(title.clone()),
        _ => None,
    });
    assert_eq!(present, [place.title("a").to_string()]);
    let after = place.bytes("V");
    assert!(
        before
            .iter()
            .filter(|(name, _)| name.ends_with(".ptape"))
            .all(|file| after.contains(file))
    );
}

/// CW-09, CW-03: ADD&COMPARE replaces by better only: a new capsule with a new number, and the old one goes.
#[test]
fn compare_add_replaces_only_by_better() {
    let place = Place::new();
    let a = place.file("a", "first");
    let root = place.root();
    let compare = || add(&root, "V", Verb::AddAndCompare, &[&a]).expect("added");
    let numbers = || {
        entries(&root, "V")
            .iter()
            .map(|entry| entry.number.0.get())
            .collect::<Vec<_>>()
    };
    assert_eq!(added(&compare()).len(), 1);
    assert!(
        matches!(&compare()[..], [Told::NotBetter(_)]),
        "identical is not better"
    );
    assert_eq!(numbers(), [1]);
    // Another generation outweighs an older time.
    set_attribute(&a, "user.vault.cycle", b"2");
    set_times(&a, 1000);
    assert!(matches!(&compare()[..], [Told::Replaced(_)]));
    assert_eq!(numbers(), [2]);
    assert_eq!(place.capsules("V"), ["FILE000.dir", "FILE0000002.ptape"]);
    set_attribute(&a, "user.vault.version", b"7");
    assert!(matches!(&compare()[..], [Told::Replaced(_)]));
    set_attribute(&a, "user.vault.version", b"6");
    set_times(&a, 3_000_000_000);
    assert!(matches!(&compare()[..], [Told::NotBetter(_)]));
    set_attribute(&a, "user.vault.version", b"7");
    assert!(
        matches!(&compare()[..], [Told::Replaced(_)]),
        "a later time, of the same generation and version"
    );
    assert_eq!(numbers(), [4]);
    set_attribute(&a, "user.vault.cycle", b"two");
    assert!(
        matches!(&compare()[..], [Told::LeftOut(left)] if left.why.to_string().contains("should be a number"))
    );
    assert_eq!(numbers(), [4]);
}

/// CW-63: one writer for each volume; CW-64: readers read meanwhile, also what is being replaced.
#[test]
fn one_changes_a_volume_and_others_read_it() {
    let place = Place::new();
    let a = place.file("a", "first");
    let root = place.root();
    add(&root, "V", Verb::Add, &[&a]).expect("added");
    let held = root.open_volume(&name("V")).expect("free");
    let busy = root.open_or_create(&name("V")).expect_err("held");
    assert!(matches!(busy, Error::Busy { .. }), "{busy}");
    assert_eq!(entries(&root, "V").len(), 1);
    drop(held);
    root.open_volume(&name("V")).expect("free again");
}

/// CW-63: the second writer waits, is told who holds the volume, and goes on when that one is gone.
#[test]
fn who_waits_for_a_volume_is_told_for_whom_and_gets_it() {
    let place = Place::new();
    let a = place.file("a", "first");
    add(&place.root(), "V", Verb::Add, &[&a]).expect("added");
    let held = place.root().open_volume(&name("V")).expect("free");
    let (tell, told) = std::sync::mpsc::channel();
    let root = place
        .root()
        .waiting(Duration::from_secs(1000), move |volume, holder| {
            tell.send((volume.clone(), holder.cloned()))
                .expect("somebody listens");
        });
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| root.open_volume(&name("V")).map(drop));
        let (volume, holder) = told.recv().expect("it waits");
        assert_eq!(volume, name("V"));
        // A file system whose device `stat` calls by another number has none.
        if let Some(holder) = holder {
            assert_eq!(holder.process, std::process::id());
        }
        drop(held);
        waiting.join().expect("no panic").expect("it got it");
    });
    assert!(told.try_recv().is_err(), "it is told once");
}

/// Who waits for a volume that is deleted meanwhile finds none, and one who adds makes it anew.
#[test]
fn a_volume_that_is_deleted_while_somebody_waits_is_not_there() {
    let place = Place::new();
    let a = place.file("a", "first");
    let title = place.title("a");
    for makes in [false, true] {
        add(&place.root(), "V", Verb::Add, &[&a]).expect("added");
        let held = fs::File::open(place.path("farm/V")).expect("the folder");
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("free");
        let (tell, told) = std::sync::mpsc::channel();
        let root = place
            .root()
            .waiting(Duration::from_secs(1000), move |_, _| {
                tell.send(()).expect("somebody listens");
            });
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| match makes {
                true => root.open_or_create(&name("V")),
                false => root.open_volume(&name("V")),
            });
            told.recv().expect("it waits");
            fs::remove_dir_all(place.path("farm/V")).expect("deleted");
            drop(held);
            match (makes, waiting.join().expect("no panic")) {
                (false, Err(Error::NoVolume { .. })) => {}
                (true, Ok(volume)) => assert!(volume.directory().find(&title).is_none()),
                (_, other) => panic!("{other:?}"),
            }
        });
        assert_eq!(place.path("farm/V").exists(), makes);
        if makes {
            assert_eq!(place.capsules("V"), ["FILE000.dir"]);
        }
    }
}

/// CW-01, CW-52: what a hostile root has in the place of a volume is not taken for one, and not waited for.
#[test]
fn a_hostile_root_is_refused() {
    let place = Place::new();
    let a = place.file("a", "first");
    let root = place.root();
    fs::write(place.path("farm/file"), "x").expect("a file");
    make_fifo(&place.path("farm/fifo"));
    for (link, target) in [
        ("to-file", "file"),
        ("to-fifo", "fifo"),
        ("to-nothing", "nowhere/x"),
    ] {
        symlink(target, place.path("farm").join(link)).expect("a link");
    }
    for bad in ["file", "fifo", "to-file", "to-fifo", "to-nothing"] {
        for error in [
            add(&root, bad, Verb::Add, &[&a]).expect_err(bad),
            root.look(&name(bad)).expect_err(bad),
        ] {
            match bad.starts_with("to-") {
                true => assert!(matches!(error, Error::Redirected { .. }), "{error}"),
                false => assert!(matches!(error, Error::NoFolder { .. }), "{error}"),
            }
        }
    }

    add(&root, "V", Verb::Add, &[&a]).expect("added");
    let capsule = place.path("farm/V/FILE0000001.ptape");
    let directory = place.path("farm/V/FILE000.dir");
    let kept = place.path("kept.ptape");
    fs::rename(&capsule, &kept).expect("moved");
    let listed = entries(&root, "V");
    let out = place.path("out");
    fs::create_dir(&out).expect("a folder");
    let got = || {
        let volume = root.look(&name("V")).expect("a volume");
        extract(&volume, &listed[0], &out, Existing::Kept)
    };
    assert!(matches!(got(), Extracted::Damaged(_)));
    symlink(&kept, &capsule).expect("a link");
    assert!(
        matches!(got(), Extracted::Damaged(fault) if fault.to_string().contains("symbolic link"))
    );
    fs::remove_file(&capsule).expect("removed");
    make_fifo(&capsule);
    assert!(matches!(got(), Extracted::Damaged(fault) if fault.to_string().contains("FIFO")));
    fs::remove_file(&directory).expect("removed");
    make_fifo(&directory);
    let error = root.look(&name("V")).expect_err("a FIFO");
    assert!(error.to_string().contains("FIFO"), "{error}");
    assert!(
        fs::read_dir(&out).expect("a folder").next().is_none(),
        "nothing was extracted"
    );
}

/// Titles come from files of others: no link in the target is followed, and nothing is replaced that was not asked for.
#[test]
fn an_extraction_stays_in_its_folder() {
    let place = Place::new();
    let a = place.file("sub/a", "first");
    let root = place.root();
    add(&root, "V", Verb::Add, &[&a]).expect("added");
    let volume = root.look(&name("V")).expect("a volume");
    let entry = &volume.directory().entries()[0];
    let title = entry.title.path();
    let out = place.path("out");
    let target = out.join(&title);
    let trap = target.parent().expect("a folder");
    fs::create_dir_all(trap.parent().expect("a folder")).expect("folders");
    fs::create_dir(place.path("elsewhere")).expect("a folder");
    symlink(place.path("elsewhere"), trap).expect("a link");
    let got = extract(&volume, entry, &out, Existing::Replaced);
    assert!(
        matches!(&got, Extracted::Failed(error) if error.to_string().contains("not followed")),
        "{got:?}"
    );
    assert!(
        fs::read_dir(place.path("elsewhere"))
            .expect("a folder")
            .next()
            .is_none()
    );
    fs::remove_file(trap).expect("removed");
    fs::create_dir(trap).expect("a folder");
    fs::write(&target, "mine").expect("a file");
    assert!(matches!(
        extract(&volume, entry, &out, Existing::Kept),
        Extracted::InTheWay
    ));
    assert_eq!(fs::read(&target).expect("a file"), b"mine");
    assert!(matches!(
        extract(&volume, entry, &out, Existing::Replaced),
        Extracted::Done(_)
    ));
    assert_eq!(fs::read(&target).expect("a file"), b"first");
    assert_eq!(
        fs::read_dir(trap).expect("a folder").count(),
        1,
        "nothing unfinished is left"
    );
}

/// CW-01, CW-76: a root that is not there is not made, and a folder without a directory is no volume.
#[test]
fn what_is_not_there_is_said() {
    let place = Place::new();
    let error = pseudotape_farm::Root::open(&place.path("nowhere")).expect_err("no folder");
    assert!(error.to_string().contains("has to be there"), "{error}");
    let root = place.root();
    let error = root.look(&name("V")).expect_err("no volume");
    assert!(matches!(error, Error::NoVolume { .. }), "{error}");
    fs::create_dir(place.path("farm/V")).expect("a folder");
    let error = root.look(&name("V")).expect_err("no volume");
    assert!(matches!(error, Error::NeverMade { .. }), "{error}");
    let a = place.file("a", "first");
    add(&root, "V", Verb::Add, &[&a]).expect("the folder becomes a volume");
    assert_eq!(entries(&root, "V").len(), 1);
    let titles = [Title::new(b"nothing").expect("a title")];
    let error = root
        .look(&name("V"))
        .expect("a volume")
        .chosen(&titles)
        .expect_err("no such file");
    assert!(
        error.to_string().contains("nothing is not in volume V"),
        "{error}"
    );
    fs::remove_file(place.path("farm/V/FILE000.dir")).expect("removed");
    for error in [
        root.look(&name("V")).expect_err("no directory"),
        add(&root, "V", Verb::Add, &[&a]).expect_err("no directory"),
    ] {
        assert!(error.to_string().contains("farm rebuild"), "{error}");
    }
}

/// CW-02, CW-68: a listing needs the directory alone.
#[test]
fn a_listing_opens_no_capsule() {
    let place = Place::new();
    let a = place.file("a", "first");
    let root = place.root();
    add(&root, "V", Verb::Add, &[&a]).expect("added");
    fs::remove_file(place.path("farm/V/FILE0000001.ptape")).expect("removed");
    let listed = entries(&root, "V");
    assert_eq!((listed[0].length, listed[0].state), (5, State::Ok));
    assert_eq!(listed[0].title, place.title("a"));
}

#[test]
fn a_source_that_is_not_there_or_no_file_is_named_and_the_others_are_added() {
    let place = Place::new();
    let a = place.file("a", "first");
    let root = place.root();
    let listener =
        std::os::unix::net::UnixListener::bind(place.path("src/socket")).expect("a socket");
    let gone = place.path("src/gone");
    let volume = place.path("farm");
    let told = add(&root, "V", Verb::Add, &[&gone, &place.path("src"), &volume]).expect("added");
    drop(listener);
    let left_out: Vec<String> = told
        .iter()
        .filter_map(|one| match one {
            Told::LeftOut(left) => Some(format!("{}: {}", left.path.display(), left.why)),
            _ => None,
        })
        .collect();
    assert_eq!(added(&told).len(), 1, "{told:?}");
    assert!(left_out[0].contains("gone: No such file"), "{left_out:?}");
    assert!(left_out[1].contains("it is a socket"), "{left_out:?}");
    assert!(
        left_out[2].contains("the folder of the volume itself"),
        "{left_out:?}"
    );
    drop(a);
}

/// What stands before `..` is no part of a title.
#[test]
fn another_file_with_a_title_that_the_command_has_met_is_left_out_and_the_same_file_is_present() {
    for verb in [Verb::Add, Verb::AddAndCompare] {
        let place = Place::new();
        for folder in ["a/z", "b/z"] {
            fs::create_dir_all(place.path("src").join(folder)).expect("a folder");
        }
        place.file("a/s/f", "one");
        place.file("b/s/f", "another");
        let (one, other) = (place.path("src/a/z/../s/f"), place.path("src/b/z/../s"));
        let told = add(&place.root(), "V", verb, &[&one, &other, &one]).expect("added");
        let left_out: Vec<_> = told
            .iter()
            .filter_map(|one| match one {
                Told::LeftOut(left) => Some((left.path.clone(), left.why.to_string())),
                _ => None,
            })
            .collect();
        assert_eq!(left_out.len(), 1, "{told:?}");
        assert_eq!(left_out[0].0, other.join("f"));
        assert!(left_out[0].1.contains("same title"), "{left_out:?}");
        assert_eq!(added(&told), ["s/f"], "{told:?}");
        let again = |one: &&Told| matches!(one, Told::Present(_) | Told::NotBetter(_));
        assert_eq!(told.iter().filter(again).count(), 1, "{told:?}");
        assert_eq!(entries(&place.root(), "V")[0].length, 3);
    }
}

/// Files of the kernel say that they are empty.
#[test]
fn a_file_that_gives_more_bytes_than_its_length_is_not_kept_as_an_empty_one() {
    let place = Place::new();
    let empty = place.file("empty", "");
    let kernel = Path::new("/proc/version");
    let told = add(&place.root(), "V", Verb::Add, &[kernel, &empty]).expect("added");
    let [Told::Added(entry), Told::Added(empty)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!((entry.state, empty.state), (State::Missing, State::Ok));
    let why = entry.why.as_deref().unwrap_or_default();
    assert!(why.contains("more bytes than its length"), "{why}");
}

/// What a killed command left goes by its name. A link of that name goes as well, and what it leads to is not touched;
/// a folder stays. Only one in the place of the next directory is in the way, and is named with the way out.
#[test]
fn what_has_the_name_of_an_unfinished_file_loses_nothing() {
    let place = Place::in_memory();
    let root = place.root();
    add(&root, "V", Verb::Add, &[&place.file("a", "a")]).expect("added");
    let names = [
        "FILE000.dir.tmp",
        ".FILE000.idx.tmp",
        "FILE0000002.ptape.tmp",
    ];
    for (number, name) in (0..).zip(names) {
        let path = place.path("farm/V").join(name);
        let precious = place.file("precious", "precious");
        symlink(&precious, &path).expect("a link");
        let file = place.file(&format!("link{number}"), "x");
        add(&root, "V", Verb::Add, &[&file]).expect("added");
        assert_eq!(fs::read(&precious).expect("it is there"), b"precious");
        assert!(path.symlink_metadata().is_err(), "{name} is a leftover");

        fs::create_dir(&path).expect("a folder");
        fs::write(path.join("mine"), "mine").expect("written");
        let file = place.file(&format!("folder{number}"), "x");
        if number > 0 {
            add(&root, "V", Verb::Add, &[&file]).expect("nothing is in the way");
            assert_eq!(fs::read(path.join("mine")).expect("it is there"), b"mine");
            fs::remove_dir_all(&path).expect("removed");
            continue;
        }
        let before = entries(&root, "V").len();
        let error = add(&root, "V", Verb::Add, &[&file]).expect_err("it is in the way");
        let told = error.to_string();
        assert!(
            told.contains(name) && told.contains("move it away"),
            "{told}"
        );
        assert_eq!(entries(&root, "V").len(), before);
        assert_eq!(fs::read(path.join("mine")).expect("it is there"), b"mine");
        fs::rename(&path, place.path("away")).expect("moved");
        add(&root, "V", Verb::Add, &[&file]).expect("added");
        fs::remove_dir_all(place.path("away")).expect("removed");
    }
}
