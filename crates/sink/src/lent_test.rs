//! What passes the lists, and what does not.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

/// A lent folder with an image in it, in a folder with a secret.
struct Place {
    directory: tempfile::TempDir,
    lent: Lent,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("lent");
        fs::create_dir_all(folder.join("inner")).unwrap();
        for name in ["lent/a.ptape", "lent/inner/b.ptape", "secret"] {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        let lent = Lent {
            folders: vec![folder],
            ..Lent::default()
        };
        let place = Place { directory, lent };
        for folder in ["", "lent", "lent/inner"] {
            place.set_mode(folder, 0o755);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn check(&self, name: &str) -> Result<(), NotLent> {
        self.lent.check(&Sink::at(&self.path(name)))
    }
}

fn check(lent: &Lent, text: &str) -> Result<(), NotLent> {
    lent.check(&text.parse().expect(text))
}

#[test]
fn images_of_a_lent_folder_pass_also_new_ones() {
    let place = Place::new();
    for name in [
        "lent/a.ptape",
        "lent/inner/b.ptape",
        "lent/new.ptape",
        "lent/no/new.ptape",
    ] {
        assert_eq!(place.check(name), Ok(()), "{name}");
    }
    let new = format!(
        "zstd+image:{},create,capacity=1M",
        place.path("lent/new").display()
    );
    assert_eq!(check(&place.lent, &new), Ok(()));
}

#[test]
fn nothing_outside_passes_and_nothing_tells_what_is_there() {
    let place = Place::new();
    let told = |name: &str| {
        let error = place.check(name).expect_err(name);
        assert!(
            matches!(error, NotLent::Unlisted { key: "folders", .. }),
            "{name}: {error}"
        );
        error
            .to_string()
            .replacen(&place.path(name).display().to_string(), "PATH", 1)
    };
    let missing = told("nothing");
    for name in ["secret", "lent", "lentil", "", "secret/inner"] {
        assert_eq!(told(name), missing, "{name}");
    }
    assert!(missing.contains("'folders' of [control]"), "{missing}");
    let none = Lent::default();
    let error = none
        .check(&Sink::at(&place.path("lent/a.ptape")))
        .unwrap_err();
    assert!(
        error.to_string().contains("lists what is (nothing)"),
        "{error}"
    );
}

#[test]
fn no_link_leads_out_of_a_lent_folder() {
    let place = Place::new();
    symlink(place.path("secret"), place.path("lent/link")).unwrap();
    symlink("a.ptape", place.path("lent/within")).unwrap();
    symlink(place.directory.path(), place.path("lent/out")).unwrap();
    for name in [
        "lent/link",
        "lent/within",
        "lent/out/secret",
        "lent/../secret",
        "lent/inner/../a.ptape",
    ] {
        let refused = place.check(name);
        assert!(
            matches!(refused, Err(NotLent::Link { .. })),
            "{name}: {refused:?}"
        );
    }
    // The folder itself is the administrator's to name, also by a link.
    symlink(place.path("lent"), place.path("named")).unwrap();
    let named = Lent {
        folders: vec![place.path("named")],
        ..Lent::default()
    };
    let path = place.path("named/a.ptape");
    assert_eq!(named.check(&Sink::at(&path)), Ok(()));
}

#[test]
fn only_regular_files_of_a_folder_are_images() {
    let place = Place::new();
    nix::unistd::mkfifo(&place.path("lent/fifo"), Mode::S_IRWXU).unwrap();
    for name in ["lent/fifo", "lent/inner"] {
        let refused = place.check(name);
        assert!(
            matches!(refused, Err(NotLent::NoFile { .. })),
            "{name}: {refused:?}"
        );
    }
}

/// Who can change a folder could put a link there after the check.
#[test]
fn a_folder_that_others_can_change_is_not_lent() {
    let place = Place::new();
    for (folder, image, mode) in [
        ("lent", "lent/a.ptape", 0o775),
        ("lent", "lent/a.ptape", 0o1777),
        ("lent/inner", "lent/inner/b.ptape", 0o757),
        ("", "lent/a.ptape", 0o777),
    ] {
        place.set_mode(folder, mode);
        let refused = place.check(image);
        assert!(
            matches!(refused, Err(NotLent::Open { .. })),
            "{folder}: {refused:?}"
        );
        assert!(refused.unwrap_err().to_string().contains("chmod go-w"));
        place.set_mode(folder, 0o755);
        assert_eq!(place.check(image), Ok(()));
    }
    // Above the folder a sticky one is enough, as /tmp is.
    place.set_mode("", 0o1777);
    assert_eq!(place.check("lent/a.ptape"), Ok(()));
}

#[test]
fn the_walk_of_old_kernels_finds_the_same() {
    let place = Place::new();
    symlink(place.path("secret"), place.path("lent/link")).unwrap();
    symlink("inner", place.path("lent/in")).unwrap();
    let folder = OwnedFd::from(fs::File::open(place.path("lent")).unwrap());
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut kinds = Vec::new();
    for rest in [
        "a.ptape",
        "inner/b.ptape",
        "link",
        "in/b.ptape",
        "../secret",
        "no",
        "a.ptape/x",
    ] {
        let seen = |opened: Result<OwnedFd, Errno>| match opened {
            Ok(file) => Ok(fstat(&file).unwrap().st_ino),
            Err(errno) => Err(matches!(errno, Errno::ENOENT)),
        };
        let resolved = seen(resolve(&folder, Path::new(rest), flags));
        assert_eq!(
            resolved,
            seen(walk(&folder, Path::new(rest), flags)),
            "{rest}"
        );
        kinds.push(resolved.is_ok());
    }
    assert_eq!(kinds, [true, true, true, false, false, false, false]);
}

#[test]
fn devices_keys_remotes_and_programs_are_named_one_by_one() {
    let lent = Lent {
        folders: Vec::new(),
        devices: vec!["/dev/nst0".into()],
        keys: vec!["/etc/pseudotape/key".into()],
        remotes: vec!["backup@vault:/dev/nst0".into(), "depot:".into()],
        programs: vec!["/usr/bin/ssh".into(), "nc -U s".into()],
    };
    for text in [
        "/dev/nst0",
        "device:/dev/nst0",
        "null:capacity=1M",
        "aes=/etc/pseudotape/key+device:/dev/nst0",
        "rmt:backup@vault:/dev/nst0",
        "rmt:depot:anything,rsh=/usr/bin/ssh",
        "rmt:depot:x,command=nc -U s",
    ] {
        assert_eq!(check(&lent, text), Ok(()), "{text}");
    }
    for (text, key) in [
        ("device:/dev/nst1", "devices"),
        ("device:/dev/../dev/nst0", "devices"),
        ("/dev/sda", "folders"),
        ("image:/dev/nst0", "folders"),
        ("aes=/etc/shadow+null", "keys"),
        ("rmt:vault:/dev/nst0", "remotes"),
        ("rmt:root@depot:x", "remotes"),
        ("rmt:backup@vault:/dev/nst1", "remotes"),
        ("rmt:depot:x,rsh=/tmp/evil", "programs"),
        ("rmt:depot:x,server=/tmp/evil", "programs"),
        ("rmt:depot:x,command=nc -U t", "programs"),
        ("rmt:elsewhere:x,command=nc -U s", "remotes"),
    ] {
        let error = check(&lent, text).expect_err(text);
        assert!(
            matches!(error, NotLent::Unlisted { key: found, .. } if found == key),
            "{text}: {error}"
        );
        assert!(
            error.to_string().contains(&format!("'{key}' of [control]")),
            "{error}"
        );
    }
}

#[test]
fn a_name_is_looked_for_in_the_folders_in_their_order() {
    let place = Place::new();
    let mut lent = place.lent.clone();
    lent.folders.push(place.path("lent/inner"));
    let found = |text: &str| {
        lent.find(&text.parse().unwrap())
            .map(|sink| sink.to_string())
    };
    let path = |name: &str| place.path(name).display().to_string();
    assert_eq!(found("a.ptape"), Ok(path("lent/a.ptape")));
    assert_eq!(
        found("lz4+image:b.ptape"),
        Ok(format!("lz4+image:{}", path("lent/inner/b.ptape")))
    );
    assert_eq!(
        found("image:c,create"),
        Ok(format!("image:{},create", path("lent/c")))
    );
    assert_eq!(found("/x/a.ptape"), Ok("/x/a.ptape".into()));
    assert_eq!(found("rmt:host:tape"), Ok("rmt:host:tape".into()));
    let error = found("c.ptape").unwrap_err().to_string();
    assert!(
        error.contains("no volume 'c.ptape'") && error.contains("'folders'"),
        "{error}"
    );
}
