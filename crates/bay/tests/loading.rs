//! What can be loaded into a bay, and how st sees it come and go (PT-04).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pseudotape_bay::{Bay, Error, Slot, place_named};
use pseudotape_drive::{Cartridge, FileMedium, Overrides, Personality};
use pseudotape_image::{CachePolicy, WriteProtect};
use pseudotape_mtio::GeneralStatus;
use pseudotape_sink::{Access, Sink};
use pseudotape_st::{AccessMode, Errno, Node, OpenFlags, Opening, Options};
use pseudotape_tape::{Bare, Door, Drive, Failed, ModeSelect, Noted, Sense};
use pseudotape_testkit::{ModelCartridge, ModelDrive};

const NODE: Node = Node {
    mode: 0,
    rewinding: true,
};

const READ_WRITE: OpenFlags = OpenFlags {
    access: AccessMode::ReadWrite,
    nonblock: true,
};

fn bay() -> Bay<()> {
    let slot = Slot::new(Personality::default(), "BAY".into(), Overrides::default());
    Bay::new(slot, &Options::default(), ())
}

/// Makes a blank image.
fn blank(directory: &Path, name: &str) -> String {
    let path = directory.join(name).display().to_string();
    let made: Sink = format!("image:{path},create").parse().unwrap();
    made.open(Access::ReadWrite).unwrap().finish().unwrap();
    path
}

fn key(directory: &Path) -> String {
    let path = directory.join("key");
    fs::write(&path, [7; 32]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

fn load(bay: &Bay<()>, text: &str) -> Result<String, Error> {
    let sink = place_named(text)?;
    bay.lock().slot.load(&sink).map(|(name, _)| name)
}

fn open(bay: &Bay<()>) -> Result<Opening, Errno> {
    let mut state = bay.lock();
    let (st, drive) = state.parts();
    st.open(drive, NODE, READ_WRITE)
}

fn close(bay: &Bay<()>) {
    let mut state = bay.lock();
    let (st, drive) = state.parts();
    st.close(drive).unwrap();
}

/// Writes a block as a program does, with a filemark and a rewind by the close.
fn write(bay: &Bay<()>, block: &[u8]) {
    assert_eq!(open(bay), Ok(Opening::Open));
    {
        let mut state = bay.lock();
        let (st, drive) = state.parts();
        assert_eq!(st.write(drive, block), Ok(block.len()));
    }
    close(bay);
}

fn read(bay: &Bay<()>) -> Vec<u8> {
    assert_eq!(open(bay), Ok(Opening::Open));
    let mut buffer = vec![0; 1 << 16];
    let length = {
        let mut state = bay.lock();
        let (st, drive) = state.parts();
        st.read(drive, &mut buffer).unwrap()
    };
    buffer.truncate(length);
    close(bay);
    buffer
}

#[test]
fn an_image_and_any_filtered_one_can_be_behind_one_node() {
    let directory = tempfile::tempdir().unwrap();
    let plain = blank(directory.path(), "plain.ptape");
    let under = blank(directory.path(), "under.ptape");
    let secret = format!("zstd+aes={}+image:{under}", key(directory.path()));
    let bay = bay();
    for (text, block) in [
        (&plain, &b"plain"[..]),
        (&secret, b"secret"),
        (&plain, b"again"),
    ] {
        load(&bay, text).unwrap();
        write(&bay, block);
        assert_eq!(read(&bay), block, "{text}");
        let used = bay.lock().slot.drive().capacity().unwrap().used_bytes;
        // The close wrote a filemark behind the block.
        assert!(used > block.len() as u64, "{text}: {used} bytes");
        assert_eq!(bay.lock().slot.take_trouble(), None, "{text}");
        bay.lock().slot.unload(false).unwrap();
        assert!(bay.lock().slot.loaded().is_none());
    }
    // What is on the image are frames: nothing of the block, and the volume opens only with its key.
    let bytes = fs::read(&under).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"secret"));
    load(&bay, &secret).unwrap();
    assert_eq!(read(&bay), b"secret");
}

/// PT-04: programs would get stored blocks, or errors, and nobody would know why.
#[test]
fn a_load_says_that_a_filter_or_a_key_is_missing_or_another_one() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let (plain, secret, packed) = (
        blank(place, "plain.ptape"),
        blank(place, "secret.ptape"),
        blank(place, "packed.ptape"),
    );
    let key = key(place);
    let other = place.join("other").display().to_string();
    fs::write(&other, [8; 32]).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
    let bay = bay();
    let notice = |text: &str| {
        load(&bay, text).unwrap();
        bay.lock().slot.loaded().unwrap().notice
    };
    for text in [
        &plain,
        &format!("aes={key}+{secret}"),
        &format!("lz4+{packed}"),
    ] {
        assert_eq!(notice(text), None, "{text} is blank");
        write(&bay, b"what is on it");
        bay.lock().slot.unload(false).unwrap();
    }
    for (text, said) in [
        (plain.clone(), None),
        (format!("aes={key}+{secret}"), None),
        (format!("zstd+{packed}"), None),
        (secret.clone(), Some("encrypted, and no key is named")),
        (
            format!("image:{secret},ro"),
            Some("encrypted, and no key is named"),
        ),
        (
            format!("image:{secret},capacity=1G"),
            Some("encrypted, and no key is named"),
        ),
        (format!("zstd+{secret}"), Some("it is encrypted")),
        (format!("aes={other}+{secret}"), Some("with another key")),
        (
            packed.clone(),
            Some("a filter stored them, and none is named"),
        ),
        (format!("aes={key}+{packed}"), Some("not encrypted")),
        (
            format!("aes={key}+{plain}"),
            Some("not written through a filter"),
        ),
    ] {
        let notice = notice(&text);
        let is_said = match (&notice, said) {
            (Some(notice), Some(words)) => notice.contains(words),
            (notice, said) => notice.is_none() && said.is_none(),
        };
        assert!(is_said, "{text}: {notice:?}");
        // The tape is where any load leaves it, and no trouble is left behind.
        let mut state = bay.lock();
        assert_eq!(state.slot.take_trouble(), None, "{text}");
        let drive = state.slot.drive();
        let at = drive.position().or_else(|_| drive.position()).unwrap();
        assert_eq!(at.object.0, 0, "{text}");
        state.slot.unload(false).unwrap();
    }
}

#[test]
fn an_empty_bay_has_no_medium_and_says_so_after_an_unload() {
    let directory = tempfile::tempdir().unwrap();
    let under = blank(directory.path(), "a.ptape");
    let bay = bay();
    let opened_without_medium = |bay: &Bay<()>| {
        // O_NONBLOCK opens an empty drive; writing is what fails.
        let opened = open(bay);
        let mut state = bay.lock();
        let (st, drive) = state.parts();
        let result = opened.and_then(|_| st.write(drive, b"x").map(drop));
        // Nothing was written: what the close says is no matter here.
        let closed = st.close(drive);
        result.and(closed)
    };
    assert!(opened_without_medium(&bay).is_err());
    load(&bay, &format!("lz4+image:{under}")).unwrap();
    write(&bay, b"x");
    bay.lock().slot.unload(false).unwrap();
    assert!(opened_without_medium(&bay).is_err());
}

#[test]
fn what_can_not_be_loaded_or_unloaded_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let one = blank(directory.path(), "one.ptape");
    let bay = bay();
    assert!(matches!(bay.lock().slot.unload(true), Err(Error::Empty)));
    let missing = directory.path().join("missing").display().to_string();
    assert!(matches!(load(&bay, &missing), Err(Error::Image { name, .. }) if name == missing));
    let text = format!("zstd+image:{missing}");
    assert!(matches!(load(&bay, &text), Err(Error::Sink { name, .. }) if name == text));
    assert!(matches!(load(&bay, "tape:x"), Err(Error::Specification(_))));
    load(&bay, &one).unwrap();
    assert!(matches!(load(&bay, &one), Err(Error::Holds { holds }) if holds == one));
    bay.lock().slot.drive().set_door(Door::Locked).unwrap();
    assert!(matches!(bay.lock().slot.unload(false), Err(Error::Locked)));
    assert_eq!(bay.lock().slot.unload(true).unwrap(), one);
}

/// As long as it is loaded, what the removed image holds can be copied.
#[test]
fn a_removed_image_stays_in_until_somebody_insists() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    for (filter, name) in [("", "plain.ptape"), ("zstd+", "packed.ptape")] {
        let bay = bay();
        let text = format!("{filter}{}", blank(place, name));
        let name = load(&bay, &text).unwrap();
        write(&bay, b"block");
        fs::remove_file(place.join(text.trim_start_matches(filter))).unwrap();
        for _ in 0..2 {
            let error = bay.lock().slot.unload(false).unwrap_err();
            assert!(matches!(error, Error::Unfindable { .. }), "{error}");
            let told = error.to_string();
            assert!(
                told.contains("/fd/") && told.contains("stays loaded"),
                "{told}"
            );
        }
        assert!(bay.lock().slot.loaded().is_some());
        let unloaded = bay.lock().slot.unload(true).unwrap();
        assert_eq!(
            unloaded,
            format!("{name} (its file is gone, and what it held with it)")
        );
        assert!(bay.lock().slot.loaded().is_none());
    }
}

#[test]
fn the_door_of_a_filtered_volume_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("lz4+image:{}", blank(directory.path(), "a.ptape"));
    let bay = bay();
    load(&bay, &text).unwrap();
    bay.lock().slot.drive().set_door(Door::Locked).unwrap();
    assert!(matches!(bay.lock().slot.unload(false), Err(Error::Locked)));
    assert!(matches!(
        bay.lock().slot.write_protect(WriteProtect::On),
        Err(Error::NoSwitch { name }) if name == text
    ));
    assert!(matches!(bay.lock().slot.reset(), Err(Error::NoReset { name }) if name == text));
    assert_eq!(bay.lock().slot.unload(true).unwrap(), text);
}

#[test]
fn the_kind_of_a_drive_is_known_and_a_guest_says_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), "a.ptape");
    let kind = Personality::named("lto5").unwrap();
    let slot = Slot::new(kind, "LTO".into(), Overrides::default());
    assert_eq!(slot.personality(), Some(&kind));
    let bay = bay();
    let own = bay.lock().slot.drive().identity();
    assert_eq!(own.serial, "BAY");
    load(&bay, &format!("zstd+image:{path}")).unwrap();
    let mut state = bay.lock();
    let volume = state.slot.volume().identity();
    assert_eq!(state.slot.drive().identity(), volume);
    assert_ne!(volume, own);
}

#[test]
fn the_identity_of_a_volume_goes_through_its_filter() {
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), "a.ptape");
    let bay = bay();
    load(&bay, &path).unwrap();
    let plain = bay.lock().slot.volume().volume_identity();
    assert!(plain.id.is_some());
    bay.lock().slot.unload(false).unwrap();
    load(&bay, &format!("zstd+image:{path}")).unwrap();
    let filtered = bay.lock().slot.volume().volume_identity();
    assert_eq!((plain.id, plain.label), (filtered.id, filtered.label));
    assert_eq!(bay.lock().slot.volume().noted(), Noted::Mirrored);
}

#[test]
fn a_fixed_volume_is_not_changed_by_an_operator() {
    let mut model = ModelDrive::new(Personality::default());
    model.insert(ModelCartridge::default());
    let bay = Bay::new(Slot::fixed(Box::new(Bare(model))), &Options::default(), ());
    write(&bay, b"fixed");
    assert_eq!(read(&bay), b"fixed");
    let mut state = bay.lock();
    assert!(matches!(state.slot.unload(true), Err(Error::Fixed)));
    assert!(matches!(
        state.slot.load(&"null".parse().unwrap()),
        Err(Error::Fixed)
    ));
    assert!(matches!(state.slot.reset(), Err(Error::Fixed)));
    assert!(state.slot.loaded().is_none());
    drop(state);
    bay.into_slot().finish().unwrap();
}

/// The switch of a filtered image is seen, and so is a file that can only be read.
#[test]
fn a_protected_volume_behind_a_filter_is_shown_as_protected() {
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), "a.ptape");
    let text = format!("zstd+image:{path}");
    let bay = bay();
    load(&bay, &text).unwrap();
    assert!(!bay.lock().slot.loaded().unwrap().write_protected);
    bay.lock().slot.unload(false).unwrap();
    load(&bay, &path).unwrap();
    bay.lock().slot.write_protect(WriteProtect::On).unwrap();
    assert!(bay.lock().slot.loaded().unwrap().write_protected);
    bay.lock().slot.unload(false).unwrap();
    load(&bay, &text).unwrap();
    assert!(bay.lock().slot.loaded().unwrap().write_protected);
    let read_write = OpenFlags {
        nonblock: false,
        ..READ_WRITE
    };
    let mut state = bay.lock();
    let (st, drive) = state.parts();
    assert_eq!(st.open(drive, NODE, read_write), Err(Errno::ReadOnly));
}

/// Does something as an ordinary user, whose rights the host checks, whoever runs the tests.
fn as_ordinary_user(work: impl FnOnce() + Send) {
    let worked = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                if nix::unistd::geteuid().is_root() {
                    // Of this thread alone.
                    nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65_534));
                }
                work();
            })
            .join()
    });
    worked.expect("it worked");
}

/// What a program gets from a volume that can only be read: WR_PROT, EROFS when it opens to write, EACCES where it
/// opened all the same, and all that is recorded.
fn only_read(bay: &Bay<()>, why: &str) {
    let loaded = bay.lock().slot.loaded().expect("it is loaded");
    assert!(loaded.write_protected, "{why}");
    let said = loaded.read_only.expect("it says why");
    assert!(said.contains(why), "{said}");
    let opened = |access, nonblock| {
        let mut state = bay.lock();
        let (st, drive) = state.parts();
        st.open(drive, NODE, OpenFlags { access, nonblock })
    };
    for access in [AccessMode::Write, AccessMode::ReadWrite] {
        assert_eq!(opened(access, false), Err(Errno::ReadOnly), "{why}");
    }
    for (access, nonblock) in [(AccessMode::Read, false), (AccessMode::ReadWrite, true)] {
        assert_eq!(opened(access, nonblock), Ok(Opening::Open), "{why}");
        let mut state = bay.lock();
        let (st, drive) = state.parts();
        let general = st.get(drive).expect("always told").general;
        assert!(general.contains(GeneralStatus::WR_PROT), "{why}");
        assert_eq!(st.write(drive, b"x"), Err(Errno::Access), "{why}");
        let mut buffer = [0; 100];
        assert_eq!(st.read(drive, &mut buffer), Ok(5), "{why}");
        st.close(drive).unwrap();
    }
}

#[test]
fn a_volume_that_can_only_be_read_is_a_protected_cartridge_for_programs() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    as_ordinary_user(|| {
        let path = blank(directory.path(), "a.ptape");
        let filtered = format!("lz4+image:{path}");
        let bay = bay();
        let check = |text: &str, why: &str| {
            load(&bay, text).unwrap();
            only_read(&bay, why);
            assert!(bay.lock().slot.write_protect(WriteProtect::Off).is_err());
            bay.lock().slot.unload(false).unwrap();
        };
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for text in [&path, &filtered] {
            mode(0o600);
            load(&bay, text).unwrap();
            write(&bay, b"block");
            assert_eq!(bay.lock().slot.loaded().unwrap().read_only, None);
            bay.lock().slot.unload(false).unwrap();
            let plain = text == &path;
            let asked = match plain {
                true => format!("image:{text},ro"),
                false => format!("{text},ro"),
            };
            check(&asked, "opened for reading only");
            mode(0o444);
            check(text, "Permission denied");
        }
    });
}

/// One mark hid that committed data were missing: nothing is written on such a volume until somebody accepts it.
#[test]
fn a_volume_that_misses_committed_data_is_a_protected_cartridge_until_the_loss_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let bay = bay();
    for filtered in [false, true] {
        let path = blank(directory.path(), &format!("{filtered}.ptape"));
        let text = match filtered {
            true => format!("aes={}+image:{path}", key(directory.path())),
            false => path.clone(),
        };
        load(&bay, &text).unwrap();
        write(&bay, b"block");
        bay.lock().slot.unload(false).unwrap();
        let cartridge = |access| Cartridge::open(FileMedium::new(Path::new(&path), access));
        // The filemark behind the block goes.
        let kept = cartridge(Access::ReadOnly).unwrap().0.host_bytes() - 10;
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_len(kept).unwrap();
        drop(file);
        for _ in 0..2 {
            load(&bay, &text).unwrap();
            only_read(&bay, "committed data are missing");
            bay.lock().slot.unload(false).unwrap();
        }
        let (mut cartridge, _) = cartridge(Access::ReadWrite).unwrap();
        let accepted = cartridge.accept_loss().unwrap();
        assert!(matches!(accepted[..], [(0, _)]), "{accepted:?}");
        cartridge.finish().unwrap();
        load(&bay, &text).unwrap();
        assert!(!bay.lock().slot.loaded().unwrap().write_protected);
        let noted = bay.lock().slot.volume().noted();
        assert!(matches!(noted, Noted::NotMirroredFrom(_)), "{noted:?}");
        bay.lock().slot.unload(false).unwrap();
    }
}

#[test]
fn a_message_about_an_image_names_it_once() {
    let directory = tempfile::tempdir().unwrap();
    let bay = bay();
    let path = blank(directory.path(), "a.ptape");
    let once = |error: Error, what: &str| {
        let text = error.to_string();
        assert!(text.contains(what), "{text}");
        assert_eq!(text.matches(&path).count(), 1, "{text}");
    };
    load(&bay, &path).unwrap();
    let other_bay = self::bay();
    once(load(&other_bay, &path).unwrap_err(), "in use");
    write(&bay, b"block");
    fs::remove_file(&path).unwrap();
    once(bay.lock().slot.unload(false).unwrap_err(), "was removed");
    bay.lock().slot.unload(true).unwrap();
    once(load(&bay, &path).unwrap_err(), "No such file");
}

/// A drive of another kind, or without the capacity that was configured, would be a surprise.
#[test]
fn a_volume_that_can_not_be_what_the_drive_was_configured_to_be_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), "a.ptape");
    let text = format!("zstd+image:{path}");
    let with = |personality, overrides| {
        Bay::new(
            Slot::new(personality, "BAY".into(), overrides),
            &Options::default(),
            (),
        )
    };
    let small = Overrides {
        capacity_bytes: Some(1 << 20),
        ..Overrides::default()
    };
    let bay = with(Personality::default(), small);
    assert!(matches!(load(&bay, &text), Err(Error::Limits { name }) if name == text));
    load(&bay, &path).unwrap();
    bay.lock().slot.unload(false).unwrap();
    let dropped = Overrides {
        cache: Some(CachePolicy::Drop),
        ..Overrides::default()
    };
    let bay = with(Personality::default(), dropped);
    let refused = load(&bay, &text).unwrap_err();
    assert!(
        refused.to_string().contains("image:PATH,cache=drop"),
        "{refused}"
    );
    load(&bay, &format!("image:{path},cache=keep")).unwrap();
    bay.lock().slot.unload(false).unwrap();
    let bay = with(Personality::named("lto5").unwrap(), Overrides::default());
    let refused = load(&bay, &text).unwrap_err();
    assert!(matches!(&refused, Error::Personality { .. }));
    assert!(refused.to_string().contains("lto5"), "{refused}");
    load(&bay, &path).unwrap();
    let mut short = Personality::default();
    short.limits.max_bytes = 65_536;
    let bay = with(short, Overrides::default());
    assert!(matches!(load(&bay, &text), Err(Error::Personality { .. })));
}

/// A drive of ours has limits of its own, so an image with others brings its drive.
#[test]
fn an_image_with_limits_of_its_own_keeps_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), "a.ptape");
    let bay = bay();
    load(&bay, &format!("image:{path},capacity=1M")).unwrap();
    let capacity = bay.lock().slot.drive().capacity().unwrap();
    assert_eq!(capacity.total_bytes, Some(1 << 20));
    let loaded = bay.lock().slot.loaded().unwrap();
    assert_eq!(loaded.host_bytes, None, "a volume with its own drive");
    bay.lock().slot.unload(false).unwrap();

    load(&bay, &format!("image:{path}")).unwrap();
    let capacity = bay.lock().slot.drive().capacity().unwrap();
    assert_eq!(capacity.total_bytes, None);
    assert!(bay.lock().slot.loaded().unwrap().host_bytes.is_some());
}

/// A volume that brought its own drive: the first operation hears that the medium may have changed, and each one
/// reaches the volume.
#[test]
fn a_guest_hears_each_operation_after_the_news() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("zstd+image:{}", blank(directory.path(), "a.ptape"));
    type Asked = fn(&mut dyn Drive) -> Result<(), Failed>;
    let asked: [Asked; 4] = [
        |drive| drive.unload(),
        |drive| drive.test_ready(),
        |drive| drive.position().map(drop),
        |drive| drive.set_mode(ModeSelect::default()),
    ];
    for ask in asked {
        let bay = bay();
        load(&bay, &text).unwrap();
        let mut state = bay.lock();
        let drive = state.slot.drive();
        assert_eq!(ask(drive).unwrap_err().sense, Sense::MediumChanged);
        ask(drive).unwrap();
    }
    let bay = bay();
    load(&bay, &text).unwrap();
    let mut state = bay.lock();
    let drive = state.slot.drive();
    assert!(drive.unload().is_err(), "news");
    drive.unload().unwrap();
    assert_eq!(drive.test_ready().unwrap_err().sense, Sense::NoMedium);
    assert_eq!(drive.take_recovered(), 0);
}
