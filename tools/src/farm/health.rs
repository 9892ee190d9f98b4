//! What `pseudotape doctor` says of the farm that this host uses.

use std::ffi::OsString;
use std::path::Path;

use clap::{Args, Command, FromArgMatches};
use nix::unistd::{AccessFlags, access};
use pseudotape_farm::Root;
use pseudotape_farm_net::AccessList;
use pseudotape_human::{counted, explain};

use super::config::{DEFAULT_FILE, Settings, VARIABLE};
use super::reaching;
use crate::cli::FarmOptions;

/// What was found of the farm.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nobody says one.
    None,
    /// It can be used.
    Well(String),
    /// It can't.
    Ill {
        /// Why.
        found: String,
        /// What to do.
        advice: String,
    },
}

impl Health {
    fn ill(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Health::Ill {
            found: found.into(),
            advice: advice.into(),
        }
    }
}

/// The farm that the environment or the usual configuration says.
pub(crate) fn health() -> Health {
    health_of(std::env::var_os(VARIABLE), Path::new(DEFAULT_FILE))
}

fn health_of(environment: Option<OsString>, usual: &Path) -> Health {
    let configured = usual.exists() || environment.is_some();
    let settings = said_by(environment, usual);
    let (options, settings) = match settings {
        Ok(settings) => settings,
        Err(error) => {
            return Health::ill(
                explain(error.chain()),
                format!("correct {}: pseudotape-farm.toml(5)", usual.display()),
            );
        }
    };
    let root = match settings.root() {
        Ok(root) if configured => root,
        _ => return Health::None,
    };
    match reaching::place(root) {
        Ok(None) => here(root),
        Ok(Some(place)) => match reaching::reach(&options.rsh, &settings, &place) {
            Ok(client) => {
                let greeting = client.greeting();
                Health::Well(format!(
                    "{} of {place}, which takes this host for {}",
                    greeting.root.display(),
                    greeting.person
                ))
            }
            Err(error) => Health::ill(
                explain(error.chain()),
                "on the farm's host 'pseudotape-farm serve' has to run, or sshd",
            ),
        },
        Err(error) => Health::ill(explain(error.chain()), "write the root as it says"),
    }
}

fn said_by(environment: Option<OsString>, usual: &Path) -> anyhow::Result<(FarmOptions, Settings)> {
    let line = FarmOptions::augment_args(Command::new("farm"));
    let line = line.try_get_matches_from(["farm", "config", "show"])?;
    let options = FarmOptions::from_arg_matches(&line)?;
    let settings = Settings::of(&options, environment, usual)?;
    Ok((options, settings))
}

/// A farm of this host.
fn here(root: &Path) -> Health {
    let shown = root.display();
    if !root.is_dir() {
        return Health::ill(
            format!("{shown}: there is no such folder"),
            "mount the disk it is on, or make it: a root is never made by itself",
        );
    }
    let volumes = Root::open(root).and_then(|opened| opened.volumes());
    let volumes = match volumes {
        Ok(volumes) => volumes.len() as u64,
        Err(error) => return Health::ill(error.to_string(), "make the folder readable"),
    };
    if access(root, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        return Health::ill(
            format!("{shown}: this user can't write into it"),
            "use it as its owner, or make it writable: volumes can be read only",
        );
    }
    match AccessList::read(root) {
        Ok(list) => Health::Well(format!(
            "{shown}: {}; its access list has {} of other hosts",
            counted(volumes, "volume"),
            match list.people().len() as u64 {
                0 => "nobody".to_owned(),
                people => counted(people, "user"),
            }
        )),
        Err(error) => Health::ill(
            error.to_string(),
            "correct it: nobody comes in from other hosts meanwhile",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// CW-65: each part that is broken is named, and what to do.
    #[test]
    fn each_fault_of_a_farm_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (root, file) = (folder.path().join("farm"), folder.path().join("farm.toml"));
        let look =
            |environment: Option<&str>| match health_of(environment.map(OsString::from), &file) {
                Health::Ill { found, .. } => found,
                health => panic!("{health:?}"),
            };
        let well = || health_of(None, &file);
        assert_eq!(well(), Health::None);
        let say = |text: &str| fs::write(&file, text).unwrap();
        say(&format!("root = \"{}\"\n", root.display()));
        assert!(look(None).contains("there is no such folder"));
        fs::create_dir(&root).unwrap();
        let Health::Well(text) = well() else {
            panic!("it is well")
        };
        assert!(
            text.ends_with("0 volumes; its access list has nobody of other hosts"),
            "{text}"
        );
        fs::write(root.join(".access"), "ada depot\n").unwrap();
        assert!(look(None).contains("line 1 of the access list"));
        fs::write(root.join(".access"), "ada@depot\n").unwrap();
        assert!(
            matches!(well(), Health::Well(text) if text.ends_with("has 1 user of other hosts"))
        );
        // The environment goes before the file.
        assert!(look(Some("/nowhere/farm")).contains("/nowhere/farm: there is no such folder"));
        assert!(look(Some("tls:127.0.0.1:/")).contains("tls-cert"));
        assert!(look(Some("tls:far")).contains("names no farm of another host"));
        say("colour = \"red\"\n");
        assert!(look(None).contains("unknown field"));
        let key = folder.path().join("key");
        fs::write(&key, "").unwrap();
        let path = key.display();
        say(&format!(
            "tls-cert = \"{path}\"\ntls-key = \"{path}\"\ntls-ca = \"{path}\"\n"
        ));
        let found = look(Some("tls:127.0.0.1:"));
        assert!(found.contains("there is no certificate in it"), "{found}");
    }
}
