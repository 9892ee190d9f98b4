//! What to serve: from the configuration file and the command line, checked before anything is served.

use std::collections::BTreeSet;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pseudotape_human::{field_meant, read_text_file};
use pseudotape_rmt::ServerOptions;
use pseudotape_sink::{Location, Sink};
use serde::Deserialize;

use crate::rmt::cli::{Arguments, DialectName, SystemName};

const DEFAULT_FILE: &str = "/etc/pseudotape-rmt.toml";
/// Clients at the same time, where nobody says it.
const MAX_CLIENTS: usize = 64;
/// How long a client may take until it has opened a tape, where nobody says it.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);
/// Most names of one server.
const MAX_TAPES: usize = 256;

/// What to serve.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) speech: ServerOptions,
    pub(crate) tapes: Vec<TapeConfig>,
    pub(crate) admission: Admission,
}

/// Who of many clients is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    /// Clients at the same time.
    pub(crate) max_clients: usize,
    /// How long a client may take until it has opened a tape.
    pub(crate) open_timeout: Duration,
}

/// One tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TapeConfig {
    /// What clients call it.
    pub(crate) name: String,
    /// What they call it when it is to be rewound at close.
    pub(crate) rewinding: Option<String>,
    pub(crate) kind: TapeKind,
    pub(crate) read_only: bool,
}

/// What a tape is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TapeKind {
    /// A node whose driver does everything.
    Node(PathBuf),
    /// A sink that is opened in this process.
    Sink(Box<Sink>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    dialect: Option<DialectName>,
    errors: Option<SystemName>,
    max_clients: Option<NonZeroUsize>,
    open_timeout: Option<NonZeroU64>,
    #[serde(default)]
    tape: Vec<Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    name: String,
    rewinding: Option<String>,
    node: Option<PathBuf>,
    sink: Option<String>,
    #[serde(default)]
    read_only: bool,
}

impl Config {
    pub(crate) fn read(arguments: &Arguments) -> Result<Self> {
        let path = match &arguments.config {
            Some(path) => Some(path.as_path()),
            None if arguments.allow.is_empty() => Some(Path::new(DEFAULT_FILE)),
            None => None,
        };
        let file = match path {
            Some(path) => read_file(path)?,
            None => File::default(),
        };
        let mut tapes = Vec::new();
        for table in file.tape {
            tapes.push(tape_of(table)?);
        }
        for allowed in &arguments.allow {
            let (name, tape) = pair(allowed, "--allow")?;
            tapes.push(TapeConfig {
                name: name.to_owned(),
                rewinding: None,
                kind: kind_of(tape)?,
                read_only: false,
            });
        }
        for allowed in &arguments.allow_rewinding {
            let (name, of) = pair(allowed, "--allow-rewinding")?;
            let tape = tapes.iter_mut().find(|tape| tape.name == of);
            let tape = tape.with_context(|| {
                format!("--allow-rewinding {allowed}: no tape is allowed as '{of}'")
            })?;
            tape.rewinding = Some(name.to_owned());
        }
        check(&tapes)?;
        Ok(Config {
            speech: ServerOptions {
                dialect: arguments
                    .dialect
                    .or(file.dialect)
                    .map(Into::into)
                    .unwrap_or_default(),
                system: arguments
                    .errors
                    .or(file.errors)
                    .map(Into::into)
                    .unwrap_or_default(),
            },
            tapes,
            admission: Admission {
                max_clients: arguments
                    .max_clients
                    .or(file.max_clients)
                    .map_or(MAX_CLIENTS, NonZeroUsize::get),
                open_timeout: arguments
                    .open_timeout
                    .or(file.open_timeout)
                    .map_or(OPEN_TIMEOUT, |seconds| Duration::from_secs(seconds.get())),
            },
        })
    }
}

fn read_file(path: &Path) -> Result<File> {
    let text = read_text_file(path).with_context(|| {
        format!(
            "can't read {}: name what to serve with --config FILE or --allow NAME=TAPE",
            path.display()
        )
    })?;
    toml::from_str(&text)
        .map_err(|error| anyhow::anyhow!("{error}{}", field_meant(&error.to_string())))
        .with_context(|| path.display().to_string())
}

fn pair<'a>(text: &'a str, option: &str) -> Result<(&'a str, &'a str)> {
    text.split_once('=')
        .filter(|(name, tape)| !name.is_empty() && !tape.is_empty())
        .with_context(|| format!("{option} {text}: it has the form NAME=TAPE"))
}

fn tape_of(table: Table) -> Result<TapeConfig> {
    let kind = match (table.node, table.sink) {
        (Some(node), None) => TapeKind::Node(node),
        (None, Some(sink)) => sink_of(&sink)?,
        (None, None) | (Some(_), Some(_)) => {
            bail!("tape '{}': give it either 'node' or 'sink'", table.name)
        }
    };
    Ok(TapeConfig {
        name: table.name,
        rewinding: table.rewinding,
        kind,
        read_only: table.read_only,
    })
}

fn sink_of(text: &str) -> Result<TapeKind> {
    let sink: Sink = text.parse().with_context(|| format!("sink '{text}'"))?;
    Ok(TapeKind::Sink(Box::new(sink)))
}

/// A text of the command line: a node where one is there, or said to be; everything else is a sink.
fn kind_of(text: &str) -> Result<TapeKind> {
    let sink: Sink = text.parse().with_context(|| format!("'{text}'"))?;
    let is_image = |path: &Path| path.extension().is_some_and(|ending| ending == "ptape");
    match &sink.place {
        // A node of the FUSE mount is a regular file, and nothing but its name says so.
        Location::Path(path) if !is_image(path) => Ok(TapeKind::Node(path.clone())),
        Location::Device(path) => Ok(TapeKind::Node(path.clone())),
        Location::Path(_) | Location::Image(_) | Location::Rmt(_) | Location::Null(_) => {
            Ok(TapeKind::Sink(Box::new(sink)))
        }
    }
}

fn check(tapes: &[TapeConfig]) -> Result<()> {
    ensure!(!tapes.is_empty(), "nothing to serve: no tape is allowed");
    ensure!(
        tapes.len() <= MAX_TAPES,
        "{} tapes: {MAX_TAPES} are the most",
        tapes.len()
    );
    let mut names = BTreeSet::new();
    for tape in tapes {
        for name in std::iter::once(&tape.name).chain(&tape.rewinding) {
            ensure!(
                !name.is_empty() && !name.contains(['\n', '\0']),
                "{name:?} can't be the name of a tape"
            );
            ensure!(names.insert(name), "two tapes are called '{name}'");
        }
        if let TapeKind::Node(path) = &tape.kind {
            ensure!(
                !path.is_dir(),
                "tape '{}': {} is a directory: name a tape node or an image",
                tape.name,
                path.display()
            );
        }
        if let (TapeKind::Node(path), Some(rewinding)) = (&tape.kind, &tape.rewinding) {
            bail!(
                "tape '{rewinding}': {} rewinds or not as its driver has it; allow the node that rewinds by itself",
                path.display()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use clap::Parser;

    fn read(arguments: &[&str]) -> Result<Config> {
        let words = std::iter::once(&"pseudotape-rmt").chain(arguments);
        Config::read(&Arguments::try_parse_from(words)?)
    }

    /// The page of the file lists its keys, and no others.
    #[test]
    fn the_page_of_the_configuration_lists_its_keys() {
        use pseudotape_human::keys_of;
        let document = include_str!("../../../docs/man/pseudotape-rmt.toml.md");
        for (title, keys) in [
            ("KEYS OF THE FILE", keys_of::<File>()),
            ("KEYS OF [[tape]]", keys_of::<Table>()),
        ] {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            let documented = pseudotape_testkit::manual::documented_keys(document, title);
            assert_eq!(documented, keys, "{title}");
        }
    }

    #[test]
    fn tapes_come_from_the_file_and_the_command_line() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("rmt.toml");
        let text = "dialect = 'bsd'\nerrors = 'solaris'\n\
            [[tape]]\nname = 'nst0'\nnode = '/dev/nst0'\nread-only = true\n\
            [[tape]]\nname = 'na'\nrewinding = 'a'\nsink = 'image:/srv/a.ptape'\n";
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let config = read(&[
            "--config",
            file,
            "--allow",
            "nb=b.ptape",
            "--allow-rewinding",
            "b=nb",
        ])
        .unwrap();
        assert_eq!(config.speech.dialect, pseudotape_rmt::Dialect::Bsd);
        assert_eq!(config.speech.system, pseudotape_rmt::System::Solaris);
        let names: Vec<_> = config
            .tapes
            .iter()
            .map(|tape| (&*tape.name, tape.rewinding.as_deref()))
            .collect();
        assert_eq!(
            names,
            [("nst0", None), ("na", Some("a")), ("nb", Some("b"))]
        );
        assert_eq!(config.tapes[0].kind, TapeKind::Node("/dev/nst0".into()));
        assert!(config.tapes[0].read_only);
    }

    #[test]
    fn a_comma_in_a_path_has_a_backslash_before_it() {
        let config = read(&[
            "--allow",
            r"a=image:x\,y.ptape,create",
            "--allow",
            "b=x,y.ptape",
        ]);
        let tapes = config.unwrap().tapes;
        let paths = tapes.iter().map(|tape| match &tape.kind {
            TapeKind::Sink(sink) => sink.image_path().map(Path::to_owned),
            TapeKind::Node(node) => panic!("{node:?}"),
        });
        let expected = Some(PathBuf::from("x,y.ptape"));
        assert_eq!(paths.collect::<Vec<_>>(), [expected.clone(), expected]);
    }

    /// The file that packages install, and the example of the document, are configurations; also with all that they
    /// only show.
    #[test]
    fn the_packaged_configuration_is_one() {
        let packaged = include_str!("../../../packaging/pseudotape-rmt.toml");
        let document = include_str!("../../../docs/RMT.md");
        let example = document.split("```toml\n").nth(1).unwrap();
        let example = example.split("```").next().unwrap();
        let said: String = packaged
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') => rest,
                _ => line,
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        for (text, tapes, read_only) in [(packaged, 1, 0), (&said, 2, 1), (example, 2, 1)] {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("rmt.toml");
            fs::write(&file, text).unwrap();
            let config = read(&["--config", file.to_str().unwrap()]).unwrap();
            assert_eq!(config.tapes.len(), tapes, "{text}");
            let protected = config.tapes.iter().filter(|tape| tape.read_only).count();
            assert_eq!(protected, read_only, "{text}");
        }
    }

    #[test]
    fn what_can_not_be_served_is_refused_with_its_name() {
        for (arguments, expected) in [
            (
                &["--allow", "nst0"][..],
                "--allow nst0: it has the form NAME=TAPE",
            ),
            (&["--allow", "=x.ptape"], "--allow =x.ptape"),
            (
                &["--allow", "a=x.ptape", "--allow", "a=y.ptape"],
                "two tapes are called 'a'",
            ),
            (
                &["--allow", "a=x.ptape", "--allow-rewinding", "b=c"],
                "no tape is allowed as 'c'",
            ),
            (
                &["--allow", "a=/dev/nst0", "--allow-rewinding", "b=a"],
                "rewinds or not as its driver",
            ),
            (&["--config", "/nowhere"], "can't read /nowhere"),
            (&["--config", "/dev/zero"], "it is a device"),
        ] {
            let error = format!("{:#}", read(arguments).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
