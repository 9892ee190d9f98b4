//! Configurations, good and bad.

use pseudotape_human::keys_of;
use pseudotape_mirror::{Class, LegOptions, When, parse_assignment};
use pseudotape_sink::Location;
use pseudotape_testkit::manual::documented_keys;

use super::*;
use crate::cli::{Command, parse};

fn config(arguments: &[&str]) -> Result<Config> {
    let all = ["pseudotape-mirror", "run"].iter().chain(arguments);
    let all: Vec<_> = all.map(std::ffi::OsString::from).collect();
    let asked = parse(&all).expect("arguments of tests are well formed");
    match asked.command {
        Command::Run(options) => read(&options, asked.control.as_deref()),
        other => panic!("{other:?}"),
    }
}

fn error(arguments: &[&str]) -> String {
    format!("{:#}", config(arguments).unwrap_err())
}

fn file(text: &str) -> Result<Config> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mirror.toml");
    std::fs::write(&path, text).unwrap();
    config(&["--config", path.to_str().unwrap()])
}

fn file_error(text: &str) -> String {
    format!("{:#}", file(text).unwrap_err())
}

#[test]
fn a_serial_number_has_no_control_characters() {
    let error = file_error(
        "slave = \"s\"\nserial = \"M\\u001b1\"\n[[leg]]\nname = \"a\"\nsink = \"null\"\n",
    );
    let words = ["serial: ", "'M\\u{1b}1' is no serial number"];
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

#[test]
fn a_configuration_is_a_regular_file() {
    let error = error(&["--config", "/dev/zero"]);
    let words = ["/dev/zero", "it is a device"];
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

#[test]
fn a_comma_in_a_path_has_a_backslash_before_it() {
    let here = std::env::current_dir().unwrap();
    let leg = config(&["--slave", "s", "--leg", r"a=image:x\,y\\,create,when=sync"]).unwrap();
    let started = leg.legs[0].sink.clone().unwrap();
    let (name, loaded) = parse_assignment(r"a=image:x\,y\\,create").unwrap();
    assert_eq!((name.as_str(), &loaded), ("a", &started));
    assert_eq!(loaded.image_path(), Some(&*here.join(r"x,y\")));
}

#[test]
fn a_misspelt_option_of_a_leg_is_no_part_of_a_path() {
    for (leg, words) in [
        ("a=null,clas=spare", "did you mean 'class'?"),
        ("a=x.ptape,reserv=1M", "did you mean 'reserve'?"),
        ("a=image:x,craete", "did you mean 'create'?"),
    ] {
        let error = error(&["--slave", "s", "--leg", leg]);
        assert!(error.contains(words), "{leg}: {error}");
    }
    config(&["--slave", "s", "--leg", r"a=x\,clas=spare"]).unwrap();
}

#[test]
fn a_directory_is_no_volume_and_a_file_no_leg() {
    let place = tempfile::tempdir().unwrap();
    let leg = format!("a={}", place.path().display());
    let told = error(&["--slave", "s", "--leg", &leg]);
    assert!(told.contains("is a directory: a sink is"), "{told}");
    let told = error(&["--slave", "s", "--leg", "Cargo.toml"]);
    assert!(told.contains("say a=Cargo.toml for a leg a"), "{told}");
}

#[test]
fn a_leg_is_a_name_a_sink_and_options_of_both() {
    let spec = "b=image:x\\,y.ptape,create,class=spare,capacity=60M,when=deferred,reserve=1M";
    let config = config(&[
        "--slave", "s", "--leg", "a=null", "--leg", spec, "--queue", "8M",
    ])
    .unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!(config.slave, here.join("s"));
    assert_eq!(config.mirror.queue_bytes, 8 << 20);
    assert_eq!(config.legs[0].options, LegOptions::named("a"));
    let LegConfig { options, sink } = &config.legs[1];
    assert_eq!(
        (options.class, options.when),
        (Class::Spare, When::Deferred)
    );
    assert_eq!(options.reserve_bytes, Some(1 << 20));
    match &sink.as_ref().unwrap().place {
        Location::Image(image) => {
            assert_eq!(image.path, here.join("x,y.ptape"));
            assert_eq!(image.limits.capacity_bytes, Some(60 << 20));
            assert!(image.create);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn legs_may_be_empty_at_first_but_all_of_them() {
    let legs = ["--slave", "s", "--leg", "a", "--leg", "b,class=spare"];
    let empty = config(&legs).unwrap();
    assert!(empty.legs.iter().all(|leg| leg.sink.is_none()));
    assert_eq!(empty.legs[1].options.class, Class::Spare);
    let mixed = error(&["--slave", "s", "--leg", "a", "--leg", "b=null"]);
    assert!(
        mixed.contains("leg b has a volume and leg a has none"),
        "{mixed}"
    );
}

#[test]
fn what_is_wrong_with_a_leg_is_named() {
    for (leg, expected) in [
        ("=null", "a leg needs a name"),
        ("a b=null", "' ' can't be in the name"),
        (
            "a=null,class=vital",
            "class: 'vital' is none of required, spare",
        ),
        (
            "a=null,when=later",
            "when: 'later' is none of sync, unload, deferred",
        ),
        ("a=null,class=spare,class=spare", "said twice"),
        ("a=null,reserve=1M,reserve=2M", "said twice"),
        ("a=null,reserve=much", "reserve"),
        ("a=warp:9", "no kind of sink 'warp'"),
        ("a=image:x,size=3", "no option 'size=3'"),
        ("a=", "the path is empty"),
        ("a=null,when=unload", "at least one must be when=sync"),
    ] {
        let error = error(&["--slave", "s", "--leg", leg]);
        assert!(error.contains(expected), "{leg}: {error}");
    }
}

#[test]
fn what_is_wrong_with_the_whole_is_named() {
    assert!(error(&["--leg", "a=null"]).contains("--slave SOCKET_OR_NODE"));
    assert!(error(&["--slave", "s"]).contains("--leg NAME=SINK"));
    let twice = error(&["--slave", "s", "--leg", "a=null", "--leg", "a=null"]);
    assert!(twice.contains("two legs are named a"), "{twice}");
    let few = error(&["--slave", "s", "--leg", "a=null", "--min-legs", "2"]);
    assert!(
        few.contains("min-legs is 2, and the mirror has 1 leg"),
        "{few}"
    );
    let names: Vec<_> = (0..9).map(|n| format!("l{n}=null")).collect();
    let mut many = vec!["--slave", "s"];
    many.extend(names.iter().flat_map(|leg| ["--leg", leg.as_str()]));
    assert!(error(&many).contains("9 legs: a mirror has at most 8"));
}

#[test]
fn a_file_says_the_same_and_the_command_line_wins() {
    let text = "slave = \"/run/s\"\ncontrol = \"/run/c\"\nmin-legs = 2\nverify-reads = true\n\
                queue = \"1M\"\nserial = \"M1\"\nend-wait = 7\n[[leg]]\nname = \"a\"\nsink = \"null\"\n\
                [[leg]]\nname = \"b\"\nsink = \"device:/dev/nst0\"\nwhen = \"unload\"\nreserve = 65536\n";
    let config = file(text).unwrap();
    assert_eq!(
        (config.slave, config.control.socket),
        ("/run/s".into(), "/run/c".into())
    );
    assert_eq!(config.control.mode, 0o660);
    assert_eq!(config.control.lent, Lent::default());
    assert_eq!(
        config.mirror,
        MirrorOptions {
            min_legs: 2,
            verify_reads: true,
            queue_bytes: 1 << 20,
            serial: "M1".into(),
            ..MirrorOptions::default()
        }
    );
    assert_eq!(config.end_wait, Duration::from_secs(7));
    assert_eq!(config.legs[1].options.when, When::Unload);
    assert_eq!(config.legs[1].options.reserve_bytes, Some(65536));
}

#[test]
fn what_others_may_name_is_in_the_table_of_the_control_socket() {
    let text = "slave = \"/run/s\"\n[control]\ngroup = \"root\"\nmode = \"0620\"\nfolders = [\"/srv/tapes\"]\n\
                programs = [\"ssh\"]\n[[leg]]\nname = \"a\"\n";
    let control = file(text).unwrap().control;
    assert_eq!(
        (control.mode, control.group),
        (0o620, SocketGroup::Needed(0))
    );
    assert_eq!(control.lent.folders, [Path::new("/srv/tapes")]);
    assert_eq!(control.lent.programs, ["ssh"]);
    let missing = text.replace("\"root\"", "\"no such group\"");
    let missing = format!("{:#}", file(&missing).unwrap_err());
    assert!(
        missing.contains("'group' of [control] names one"),
        "{missing}"
    );
}

#[test]
fn mistakes_in_a_file_are_shown_with_their_line() {
    for (text, expected) in [
        ("slave = \"s\"\nspeed = 3\n", "speed"),
        (
            "slave = \"s\"\n[[leg]]\nname = \"a\"\nsync = \"x\"\n",
            "line 4",
        ),
        (
            "slave = \"s\"\n[[leg]]\nsink = \"null\"\n",
            "missing field `name`",
        ),
        (
            "slave = \"s\"\nqueue = \"lots\"\n[[leg]]\nname = \"a\"\n",
            "queue",
        ),
        (
            "slave = \"s\"\n[[leg]]\nname = \"a\"\nclass = \"x\"\n",
            "leg 1 (a): class",
        ),
        ("slave = [\n", "line"),
    ] {
        let error = file_error(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let missing = error(&["--config", "/nowhere/mirror.toml"]);
    assert!(
        missing.contains("can't read configuration /nowhere"),
        "{missing}"
    );
}

/// The file that packages install is a configuration, as it is and with everything said that it shows.
#[test]
fn the_packaged_configuration_is_one() {
    let text = include_str!("../../../packaging/pseudotape-mirror.toml");
    let as_it_is = file(text).unwrap();
    assert_eq!(as_it_is.legs.len(), 2);
    let key = |line: &&str| {
        let word = line.split(['=', ' ']).next().unwrap_or_default();
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    let said: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if key(&rest) || rest.starts_with("[[") => rest,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let all = file(&said).unwrap();
    assert_eq!(all.legs.len(), 3);
    assert!(all.mirror.verify_reads && all.by_changer);
    assert_eq!(all.end_wait, as_it_is.end_wait);
    assert_eq!(all.changers[0].legs.len(), 2);
    let unknown = [
        "slave",
        "socket",
        "min-legs",
        "verify-reads",
        "queue",
        "serial",
        "by-changer",
        "end-wait",
        "drives",
        "device",
        "libraries",
    ];
    for name in unknown
        .iter()
        .chain(&["name", "sink", "class", "when", "reserve"])
        .chain(&[
            "group", "mode", "folders", "devices", "keys", "remotes", "programs",
        ])
    {
        assert!(said.contains(&format!("\n{name} = ")), "{name}");
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
    let document = include_str!("../../../docs/man/pseudotape-mirror.toml.md");
    let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    for (title, keys) in [
        ("KEYS OF THE FILE", owned(keys_of::<FileConfig>())),
        ("KEYS OF [control]", control_keys()),
        ("KEYS OF [[leg]]", owned(keys_of::<LegTable>())),
        ("KEYS OF [[changer]]", owned(keys_of::<ChangerTable>())),
        (
            "KEYS OF [[changer.leg]]",
            owned(keys_of::<changer::LegTable>()),
        ),
    ] {
        let documented = documented_keys(document, title);
        assert_eq!(documented, keys.into_iter().collect(), "{title}");
    }
}
