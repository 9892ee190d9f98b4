//! Configurations, good and bad.

use super::*;
use clap::Parser;
use pseudotape_drive::{EarlyWarning, Personality};
use pseudotape_human::keys_of;
use pseudotape_image::CachePolicy;
use pseudotape_st::EndOfTape;
use pseudotape_testkit::manual::documented_keys;

fn image(drive: &DriveConfig) -> &ImageConfig {
    match &drive.held {
        HeldConfig::Image(image) => image,
        other => panic!("{other:?}"),
    }
}

fn config(arguments: &[&str]) -> Result<Config> {
    let all = ["pseudotape-dev"].iter().chain(arguments);
    read(&Arguments::try_parse_from(all).expect("arguments of tests are well formed"))
}

fn error(arguments: &[&str]) -> String {
    format!("{:#}", config(arguments).unwrap_err())
}

fn file(text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pseudotape.toml");
    std::fs::write(&path, text).unwrap();
    error(&["--config", path.to_str().unwrap()])
}

#[test]
fn a_configuration_is_a_regular_file() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (path, what) in [
        (fifo.as_path(), "it is a FIFO"),
        (directory.path(), "it is a directory"),
        ("/dev/zero".as_ref(), "it is a device"),
    ] {
        let name = path.to_str().unwrap();
        let error = error(&["--config", name]);
        assert!(error.contains(name) && error.contains(what), "{error}");
    }
    let name = fifo.to_str().unwrap();
    let error = error(&["--library", name]);
    assert!(
        error.contains(&format!("{name}: it is no folder")),
        "{error}"
    );
}

#[test]
fn the_vault_is_named_by_the_command_line_or_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pseudotape.toml");
    std::fs::write(&path, "vault = \"/srv/file\"\n[[drive]]\n").unwrap();
    let path = path.to_str().unwrap();
    let vault = |arguments: &[&str]| config(arguments).unwrap().vault;
    assert_eq!(vault(&["--config", path]), Some("/srv/file".into()));
    let both = vault(&["--config", path, "--vault", "/srv/said"]);
    assert_eq!(both, Some("/srv/said".into()));
    let here = std::env::current_dir().unwrap();
    assert_eq!(
        vault(&["--drive", "", "--vault", "v"]),
        Some(here.join("v"))
    );
    assert_eq!(vault(&["--drive", ""]), None);
}

#[test]
fn a_bare_path_is_a_drive_with_defaults() {
    let config = config(&["--drive", "a.ptape", "--fuse", "mnt", "--control", "c"]).unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!(config.frontend, Frontend::Fuse(here.join("mnt")));
    assert_eq!((config.node_mode, config.group), (0o660, Group::Default));
    assert_eq!(config.open_wait, Duration::from_secs(5));
    let drive = image(&config.drives[0]);
    assert_eq!(drive.image, Some(here.join("a.ptape")));
    assert_eq!(drive.personality, Personality::default());
    assert_eq!(drive.serial, "PT00000000");
}

#[test]
fn a_comma_in_a_path_has_a_backslash_before_it() {
    let here = std::env::current_dir().unwrap();
    for (spec, path, serial) in [
        (r"a\,b.ptape,serial=X1", "a,b.ptape", "X1"),
        (r"serial=X1,image=a\,b=c.ptape", "a,b=c.ptape", "X1"),
        (r"a\\,serial=X\,1", r"a\", "X,1"),
        (r"a\b.ptape", r"a\b.ptape", "PT00000000"),
    ] {
        let config = config(&["--drive", spec, "--cuse"]).unwrap();
        let drive = image(&config.drives[0]);
        assert_eq!(drive.image, Some(here.join(path)), "{spec}");
        assert_eq!(drive.serial, serial, "{spec}");
    }
    let slave = &config(&["--drive", r"slave=a\,b", "--cuse"])
        .unwrap()
        .drives[0];
    match &slave.held {
        HeldConfig::Slave(slave) => assert_eq!(slave.socket, here.join("a,b")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_of_a_drive_are_read_with_units() {
    let spec = "image=b,personality=lto5,serial=X1,capacity=2G,early-warning=64M,cache=drop,min-block=512,max-block=1M";
    let config = config(&["--drive", "", "--drive", spec, "--cuse"]).unwrap();
    let drive = image(&config.drives[1]);
    assert_eq!(drive.personality.product, "ULT3580-TD5");
    assert_eq!(
        (drive.capacity_bytes, drive.early_warning),
        (Some(2 << 30), Some(EarlyWarning::Bytes(64 << 20)))
    );
    assert_eq!(drive.cache, Some(CachePolicy::Drop));
    assert_eq!(
        (
            drive.personality.limits.min_bytes,
            drive.personality.limits.max_bytes
        ),
        (512, 1 << 20)
    );
    assert_eq!(drive.serial, "X1");
}

#[test]
fn options_of_the_driver_are_read_for_each_mode() {
    let spec = "options=sili;can-bsr=off;defblksize=1024,options-l=sysv";
    let drive = &config(&["--drive", spec, "--cuse"]).unwrap().drives[0];
    let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let wanted = words(&["sili", "can-bsr=off", "defblksize=1024"]);
    assert_eq!(drive.options, [wanted, words(&["sysv"]), vec![], vec![]]);
    let wrong = error(&["--drive", "options=silly"]);
    assert!(
        wrong.contains("drive 0: there is no option 'silly'"),
        "{wrong}"
    );
}

#[test]
fn a_slave_is_configured_by_its_socket_alone() {
    let config = config(&[
        "--drive",
        "slave=s,slave-wait=2.5",
        "--drive",
        "slave=t,options=sili",
    ])
    .unwrap();
    let here = std::env::current_dir().unwrap();
    let first = SlaveConfig {
        socket: here.join("s"),
        wait: Duration::from_millis(2500),
        timeout: Duration::from_secs(60),
        mode: 0o600,
        gid: None,
    };
    assert_eq!(config.drives[0].held, HeldConfig::Slave(first.clone()));
    let second = SlaveConfig {
        socket: here.join("t"),
        wait: Duration::ZERO,
        ..first
    };
    assert_eq!(config.drives[1].held, HeldConfig::Slave(second));
    assert_eq!(config.drives[1].options[0], ["sili"]);
}

#[test]
fn a_slave_in_a_file_has_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pseudotape.toml");
    let text = "[[drive]]\nslave = \"/run/s\"\nslave-wait = 5\nslave-timeout = 0.5\n";
    std::fs::write(&path, text).unwrap();
    let config = config(&["--config", path.to_str().unwrap()]).unwrap();
    let expected = SlaveConfig {
        socket: "/run/s".into(),
        wait: Duration::from_secs(5),
        timeout: Duration::from_millis(500),
        mode: 0o600,
        gid: None,
    };
    assert_eq!(config.drives[0].held, HeldConfig::Slave(expected));
}

/// Who holds the slave end has all that is written.
#[test]
fn only_the_daemons_user_may_be_a_slave_unless_a_group_is_named() {
    let rights = |spec: &str| match &config(&["--drive", spec]).unwrap().drives[0].held {
        HeldConfig::Slave(slave) => (slave.mode, slave.gid),
        other => panic!("{other:?}"),
    };
    assert_eq!(rights("slave=s"), (0o600, None));
    assert_eq!(rights("slave=s,slave-group=root"), (0o660, Some(0)));
    assert_eq!(
        rights("slave=s,slave-group=root,slave-mode=0620"),
        (0o620, Some(0))
    );
    assert!(error(&["--drive", "slave=s,slave-mode=rw"]).contains("slave-mode: mode 'rw'"));
    let missing = error(&["--drive", "slave=s,slave-group=nobody here"]);
    assert!(
        missing.contains("slave-group names one that exists"),
        "{missing}"
    );
}

#[test]
fn the_control_socket_has_the_rights_of_the_nodes_unless_it_has_its_own() {
    let of_file = |text: &str| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pseudotape.toml");
        std::fs::write(&path, format!("{text}[[drive]]\n")).unwrap();
        config(&["--config", path.to_str().unwrap()])
            .unwrap()
            .control
    };
    let plain = of_file("control = \"/run/c\"\nmode = \"0644\"\ngroup = \"disk\"\n");
    assert_eq!(plain.socket, Path::new("/run/c"));
    assert_eq!(
        (plain.mode, plain.group),
        (0o640, Group::Named("disk".into()))
    );
    assert_eq!(plain.lent, Lent::default());
    let table = of_file(
        "[control]\nsocket = \"/run/c\"\nmode = \"0600\"\ngroup = \"tape\"\nfolders = [\"/srv/tapes\"]\n\
         remotes = [\"vault:\"]\n",
    );
    assert_eq!(table.socket, Path::new("/run/c"));
    assert_eq!(
        (table.mode, table.group),
        (0o600, Group::Named("tape".into()))
    );
    assert_eq!(table.lent.folders, [Path::new("/srv/tapes")]);
    assert_eq!(table.lent.remotes, ["vault:"]);
    let wrong = file("[control]\nfolder = [\"/srv\"]\n");
    assert!(
        wrong.contains("`folder`") && wrong.contains("line 2"),
        "{wrong}"
    );
    assert!(file("[control]\nfolders = [\"srv\"]\n").contains("no absolute path"));
}

#[test]
fn keys_that_contradict_a_slave_are_named() {
    for key in [
        "image",
        "personality",
        "serial",
        "capacity",
        "early-warning",
        "min-block",
        "max-block",
        "announces-medium",
    ] {
        let value = match key {
            "personality" => "lto5",
            "announces-medium" => "true",
            _ => "1M",
        };
        let message = error(&["--drive", &format!("slave=s,{key}={value}")]);
        assert!(
            message.contains(&format!("'{key}' does not go with 'slave'")),
            "{message}"
        );
    }
    assert!(error(&["--drive", "a,slave-wait=5"]).contains("'slave-wait' needs 'slave'"));
    assert!(error(&["--drive", "slave-timeout=5"]).contains("'slave-timeout' needs 'slave'"));
    assert!(error(&["--drive", "slave-group=root"]).contains("'slave-group' needs 'slave'"));
    assert!(error(&["--drive", "slave-mode=0600"]).contains("'slave-mode' needs 'slave'"));
    assert!(error(&["--drive", "slave="]).contains("slave=SOCKET"));
    assert!(error(&["--drive", "slave=s,slave-timeout=0"]).contains("needs some time"));
    assert!(error(&["--drive", "slave=s,slave-wait=soon"]).contains("'soon' is not a time"));
    assert!(error(&["--drive", "slave=s,slave-wait=-1"]).contains("'-1' is not a time"));
    let twice = error(&["--drive", "slave=s", "--drive", "slave=./s"]);
    assert!(twice.contains("drive 1: another socket"), "{twice}");
    assert!(error(&["--drive", "slave=s", "--control", "s"]).contains("another socket"));
}

#[test]
fn early_warning_is_a_size_or_a_part_of_the_tape() {
    let zone = |drive: &str| image(&config(&["--drive", drive]).unwrap().drives[0]).early_warning;
    assert_eq!(zone("a.ptape"), None);
    assert_eq!(zone("early-warning=0"), Some(EarlyWarning::Bytes(0)));
    assert_eq!(
        zone("capacity=1M,early-warning=512K"),
        Some(EarlyWarning::Bytes(512 << 10))
    );
    for hundredths in [0, 5, 50] {
        assert_eq!(
            zone(&format!("early-warning={hundredths}%")),
            Some(EarlyWarning::PerCent(hundredths))
        );
    }
}

#[test]
fn a_drive_may_keep_a_new_medium_to_itself() {
    let announces = |drive: &str| {
        let config = config(&["--drive", drive]).unwrap();
        image(&config.drives[0]).personality.announces_medium
    };
    assert!(announces("a.ptape"));
    assert!(!announces("a.ptape,announces-medium=false"));
    assert!(announces("personality=lto5"));
    assert!(!announces("personality=lto5,announces-medium=false"));
    assert!(announces("personality=lto5,announces-medium=true"));
    assert!(error(&["--drive", "announces-medium=1"]).contains("'1' is neither true nor false"));
}

#[test]
fn nodes_of_other_modes_are_there_on_request() {
    let modes = |arguments: &[&str]| config(arguments).unwrap().modes;
    assert_eq!(modes(&["--drive", ""]), Modes::Plain);
    assert_eq!(modes(&["--drive", "", "--mode-nodes"]), Modes::All);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pseudotape.toml");
    std::fs::write(&path, "mode-nodes = true\n[[drive]]\n").unwrap();
    assert_eq!(modes(&["--config", path.to_str().unwrap()]), Modes::All);
}

#[test]
fn wrong_specs_name_the_key_and_the_way_out() {
    assert!(error(&["--drive", "speed=9"]).contains("unknown field `speed`"));
    assert!(error(&["--drive", "capacity=lots"]).contains("'lots' is not a size"));
    assert!(error(&["--drive", "a,image=b"]).contains("'image' is given twice"));
    for (spec, key, words) in [
        ("capacity=0", "capacity", "holds nothing"),
        ("capacity=-1", "capacity", "'-1' is not a size"),
        ("capacity=100", "capacity", "say 100M or 100G, or 100B"),
        ("personality=lto", "personality", "did you mean 'lto5'?"),
        ("options=sill", "option", "did you mean 'sili'?"),
        ("image=a,capcity=1G", "capcity", "did you mean 'capacity'?"),
        ("capacity=99999999999999999999", "capacity", "too large"),
        ("capacity=9999999999999T", "capacity", "too large"),
        ("early-warning=-1", "early-warning", "'-1' is not a size"),
        ("max-block=-1", "max-block", "'-1' is not a size"),
        ("min-block=0", "min-block", "1 to 16777216 bytes"),
        ("serial=", "serial", "1 to 64 printable"),
        ("serial=a\x1b[2J", "serial", "1 to 64 printable"),
        ("serial=a\nb", "serial", "1 to 64 printable"),
    ] {
        let error = error(&["--drive", spec]);
        assert!(error.contains(key) && error.contains(words), "{error}");
        let said = error
            .strip_prefix(&format!("--drive '{spec}': "))
            .unwrap_or(&error);
        assert!(said.contains(key), "the key is named: {error}");
    }
    for (line, words) in [
        ("capacity = 0", "holds nothing"),
        ("capacity = 100", "say 100M or 100G"),
        ("capacity = -5", "invalid value: integer `-5`"),
        ("capacity = 99999999999999999999", "line 2"),
        ("serial = \"a\\u001bb\"", "'a\\u{1b}b' is no serial number"),
    ] {
        let error = file(&format!("[[drive]]\n{line}\n"));
        assert!(error.contains(words), "{error}");
        assert!(error.contains(line.split(' ').next().unwrap()), "{error}");
    }
    assert!(
        error(&["--drive", "personality=vhs"])
            .contains("there are generic, scsi_debug, mhvtl, lto5, lto6, lto7, lto8, lto9, dds")
    );
    assert!(error(&["--drive", "min-block=2M,max-block=1M"]).contains("larger than max-block"));
    assert!(error(&["--drive", "max-block=64M"]).contains("1 to 16777216 bytes"));
    assert!(error(&["--drive", "max-block=0"]).contains("1 to 16777216 bytes"));
    assert!(error(&["--drive", "capacity=1M,early-warning=600K"]).contains("more than half"));
    assert!(error(&["--drive", "early-warning=51%"]).contains("at most 50%"));
    assert!(error(&["--drive", "early-warning=x%"]).contains("'x%' is not a part of a tape"));
    assert!(error(&["--drive", "a", "--mode", "rw"]).contains("octal"));
    assert!(error(&[]).contains("no drive to serve"));
}

#[test]
fn one_drive_more_than_the_limit_is_refused() {
    let drives = |count| {
        std::iter::repeat_n(["--drive", ""], count)
            .flatten()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        config(&drives(MAX_DRIVES)).unwrap().drives.len(),
        MAX_DRIVES
    );
    assert!(error(&drives(MAX_DRIVES + 1)).contains("at most 256"));
}

#[test]
fn unknown_keys_of_a_file_are_named_with_their_line() {
    let message = file("control = \"/c\"\n\n[[drive]]\nimage = \"a\"\nspeed = 9\n");
    assert!(
        message.contains("line 5") && message.contains("`speed`"),
        "{message}"
    );
    let message = file("colour = \"red\"\n");
    assert!(
        message.contains("line 1") && message.contains("`colour`"),
        "{message}"
    );
    assert!(file("frontend = \"fuse\"\n[[drive]]\n").contains("mount = \"DIR\""));
    assert!(file("frontend = \"smoke\"\n").contains("unknown variant `smoke`"));
}

fn legs(config: &Config) -> &LegsConfig {
    match &config.drives[0].held {
        HeldConfig::Legs(legs) => legs,
        other => panic!("{other:?}"),
    }
}

/// PT-07.
#[test]
fn legs_are_texts_or_tables_and_one_text_on_the_command_line() {
    let line = r"legs=a=image:/d/a.ptape\,create;b=/d/b.ptape\,class=spare\,when=deferred,min-legs=2,verify-reads=true,queue=1M,end-wait=2.5";
    let said = config(&["--drive", line]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pseudotape.toml");
    let text = "[[drive]]\nlegs = [\"a=image:/d/a.ptape,create\", { name = \"b\", sink = \"/d/b.ptape\", class = \"spare\", \
                when = \"deferred\" }]\nmin-legs = 2\nverify-reads = true\nqueue = \"1M\"\nend-wait = 2.5\n\
                [control]\nfolders = [\"/d\"]\n";
    std::fs::write(&path, text).unwrap();
    let written = config(&["--config", path.to_str().unwrap()]).unwrap();
    assert_eq!(legs(&said).legs, legs(&written).legs);
    assert_eq!(legs(&said).options, legs(&written).options);
    assert_eq!(legs(&said).end_wait, Duration::from_millis(2500));
    assert_eq!(legs(&written).end_wait, Duration::from_millis(2500));
    let LegsConfig {
        legs: two, options, ..
    } = legs(&said);
    assert_eq!(two[1].options.name, "b");
    assert_eq!(two[1].options.when.to_string(), "deferred");
    assert_eq!(
        two[0].sink.as_ref().unwrap().to_string(),
        "image:/d/a.ptape,create"
    );
    assert_eq!((options.min_legs, options.queue_bytes), (2, 1 << 20));
    assert!(options.verify_reads);
    assert_eq!(options.serial, "PT00000000");
    // What others may load is known to the legs as well.
    assert_eq!(legs(&written).lent.folders, [Path::new("/d")]);
    let own = config(&["--drive", "legs=a=null,serial=TWO"]).unwrap();
    assert_eq!(legs(&own).options.serial, "TWO");
    assert_eq!(legs(&own).options.min_legs, 1);
    // Less than the units give the daemons.
    let unit = include_str!("../../../packaging/systemd/pseudotape.service");
    let most = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="));
    assert!(legs(&own).end_wait.as_secs() < most.unwrap().parse().unwrap());
}

#[test]
fn wrong_legs_name_the_leg_and_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (a, link) = (at("a.ptape"), at("link.ptape"));
    std::fs::write(&a, b"").unwrap();
    std::os::unix::fs::symlink(&a, &link).unwrap();
    for (specs, expected) in [
        (vec!["legs=".to_owned()], "'legs' names no leg"),
        (vec!["legs=a=/x;a=/y".to_owned()], "two legs are named a"),
        (
            vec![format!("legs=a={a};b={link}")],
            "is in drive 0, leg a already",
        ),
        (
            vec![format!(
                "legs=a=image:{}\\,create;b=image:{}/./n.ptape\\,create",
                at("n.ptape"),
                at("")
            )],
            "is in drive 0, leg a already",
        ),
        (
            vec![a.clone(), format!("legs=x=null;b={link}")],
            "drive 1, leg b: ",
        ),
        (
            vec![format!("legs=x=null;b={link}"), a.clone()],
            "is in drive 0, leg b already",
        ),
        (
            vec![format!("legs=a=null,image={a}")],
            "'image' does not go with 'legs'",
        ),
        (
            vec!["legs=a=null,slave=/s".to_owned()],
            "'slave' does not go with 'legs'",
        ),
        (
            vec!["legs=a=null,slave-wait=1".to_owned()],
            "'slave-wait' does not go with 'legs'",
        ),
        (
            vec!["legs=a=null,capacity=1G".to_owned()],
            "'capacity' does not go with 'legs'",
        ),
        (
            vec!["legs=a=null,min-legs=2".to_owned()],
            "min-legs is 2, and the mirror has 1 leg",
        ),
        (
            vec!["legs=a=null,min-legs=many".to_owned()],
            "'many' is not a number of legs",
        ),
        (
            vec!["legs=a=null\\,when=deferred".to_owned()],
            "every leg is late",
        ),
        (
            vec!["legs=a=null\\,clas=spare".to_owned()],
            "no option 'clas'",
        ),
        (vec!["legs=a=null;b".to_owned()], "leg b has none"),
        (vec!["min-legs=1".to_owned()], "'min-legs' needs 'legs'"),
        (vec!["end-wait=1".to_owned()], "'end-wait' needs 'legs'"),
        (
            vec!["legs=a=null,end-wait=0".to_owned()],
            "end-wait is 0: legs need some time",
        ),
        (vec!["slave=/s,queue=1M".to_owned()], "'queue' needs 'legs'"),
    ] {
        let arguments: Vec<&str> = specs
            .iter()
            .flat_map(|spec| ["--drive", spec.as_str()])
            .collect();
        let message = error(&arguments);
        assert!(message.contains(expected), "{specs:?}: {message}");
    }
    for (text, expected) in [
        ("[[drive]]\nlegs = 3\n", "legs is a list"),
        ("[[drive]]\nlegs = [3]\n", "a leg is \"NAME=SINK\""),
        (
            "[[drive]]\nlegs = [{ name = \"a\", sinc = \"null\" }]\n",
            "`sinc`",
        ),
        (
            "[[library]]\nfolder = \"f\"\n[library.drive]\nlegs = [\"a=null\"]\n",
            "'legs' do not go with a drive of a library",
        ),
    ] {
        let message = file(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn the_sample_configuration_is_one() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/pseudotape.toml");
    let config = config(&["--config", sample.to_str().unwrap()]).unwrap();
    assert!(!config.drives.is_empty());
}

#[test]
fn a_missing_file_is_named() {
    assert!(error(&["--config", "no/such.toml"]).contains("no/such.toml"));
}

#[test]
fn the_end_of_the_tape_is_that_of_linux_or_of_bsd() {
    let ending = |spec: &str| config(&["--drive", spec, "--cuse"]).unwrap().drives[0].end_of_tape;
    assert_eq!(ending("a.ptape"), EndOfTape::Linux);
    assert_eq!(ending("a.ptape,end-of-tape=bsd"), EndOfTape::Bsd);
    assert_eq!(ending("slave=s,end-of-tape=bsd"), EndOfTape::Bsd);
    let wrong = error(&["--drive", "end-of-tape=hpux"]);
    assert!(
        wrong.contains("end-of-tape is 'linux' or 'bsd', not 'hpux'"),
        "{wrong}"
    );
}

#[test]
fn a_library_takes_the_times_of_its_table_and_none_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("vault");
    std::fs::create_dir(&library).unwrap();
    let config_file = folder.path().join("pseudotape.toml");
    let read = |delay: &str| {
        let text = format!("[[library]]\nfolder = '{}'\n{delay}", library.display());
        std::fs::write(&config_file, text).unwrap();
        config(&["--config", config_file.to_str().unwrap()])
    };
    assert_eq!(read("").unwrap().libraries[0].times, Times::default());
    let times = read("[library.delay]\ncarry = 2.5\nload = 60").unwrap();
    assert_eq!(
        times.libraries[0].times,
        Times {
            unload: Duration::ZERO,
            carry: Duration::from_millis(2500),
            load: Duration::from_secs(60),
        }
    );
    for (delay, said) in [
        ("load = 60.5", "delay.load: 60.5 s is more than 60 s"),
        ("carry = -1", "'-1' is not a time in seconds"),
        ("carry = nan", "'NaN' is not a time in seconds"),
        ("travel = 1", "unknown field `travel`"),
    ] {
        let error = read(&format!("[library.delay]\n{delay}")).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(said), "{delay}: {error}");
    }
}

/// What `[control]` can have: its type reads a path or a table, and says its keys where one is wrong.
fn control_keys() -> Vec<String> {
    let error = toml::from_str::<ControlSettings>("none-of-them = 1").unwrap_err();
    let (_, keys) = error.message().split_once("expected one of").unwrap();
    keys.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_page_of_the_configuration_lists_its_keys() {
    let document = include_str!("../../../docs/man/pseudotape.toml.md");
    let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    for (title, keys) in [
        ("KEYS OF THE FILE", owned(keys_of::<FileConfig>())),
        ("KEYS OF [control]", control_keys()),
        ("KEYS OF [[drive]]", owned(keys_of::<DriveTable>())),
        ("KEYS OF [[library]]", owned(keys_of::<LibraryTable>())),
        ("KEYS OF [library.delay]", owned(keys_of::<DelayTable>())),
    ] {
        let documented = documented_keys(document, title);
        assert_eq!(documented, keys.into_iter().collect(), "{title}");
    }
}

/// The unit does not start the daemon again for it.
#[test]
fn a_directory_is_no_image_and_a_file_no_mount() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().to_str().unwrap();
    let told = error(&["--drive", directory]);
    assert!(told.contains("is a directory, and an image is"), "{told}");
    let file = place.path().join("f");
    std::fs::write(&file, "").unwrap();
    let told = error(&["--drive", "a.ptape", "--fuse", file.to_str().unwrap()]);
    assert!(told.contains("is no directory: choose another"), "{told}");
}
