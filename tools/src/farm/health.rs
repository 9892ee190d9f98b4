//! What `pseudotape doctor` says of the farm that this host uses.

use std::ffi::OsString;
use std::path::Path;

use clap::{Args, Command, FromArgMatches};
use nix::unistd::{AccessFlags, access};
use pseudotape_farm::Root;
use pseudotape_farm_net::{AccessList, Error, Place, Refusal};
use pseudotape_human::{counted, explain};

use super::config::{DEFAULT_FILE, Settings, VARIABLE};
use super::{reaching, script};
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
    if let Err(error) = script::possible(&settings) {
        return Health::ill(
            format!("the script: {error}"),
            format!("correct it in {}", usual.display()),
        );
    }
    match reaching::place(root) {
        Ok(None) => here(root),
        Ok(Some(place)) => there(&options, &settings, &place, usual),
        Err(error) => Health::ill(explain(error.chain()), "write the root as it says"),
    }
}

/// A farm of another host.
fn there(options: &FarmOptions, settings: &Settings, place: &Place, usual: &Path) -> Health {
    let reached = reaching::reach(&options.rsh, settings, place).and_then(|mut client| {
        settings.tell_whose(&mut client)?;
        Ok(client)
    });
    match reached {
        Ok(client) => {
            let greeting = client.greeting();
            Health::Well(format!(
                "{} of {place}, which takes this host for {}",
                greeting.root.display(),
                greeting.person
            ))
        }
        Err(error) => Health::ill(explain(error.chain()), advice(&error, usual)),
    }
}

/// What helps where a farm of another host can't be used.
fn advice(error: &anyhow::Error, usual: &Path) -> String {
    let usual = usual.display();
    match error.downcast_ref() {
        Some(Error::Unreachable { .. }) => {
            "on the farm's host 'pseudotape-farm serve' has to run, or sshd".to_owned()
        }
        Some(Error::Refused {
            refusal: Refusal::Access,
            ..
        }) => "have the administrator of the farm's host say that".to_owned(),
        Some(Error::Refused { .. }) => format!("correct {usual} here, or the server there"),
        // The certificate of the other host, or what this one has of its own.
        Some(Error::Untrusted { .. }) | None => {
            format!("see tls-cert, tls-key and tls-ca in {usual}")
        }
        Some(_) => "try again; then see what the server's log says".to_owned(),
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
        let both =
            |environment: Option<&str>| match health_of(environment.map(OsString::from), &file) {
                Health::Ill { found, advice } => (found, advice),
                health => panic!("{health:?}"),
            };
        let look = |environment: Option<&str>| both(environment).0;
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
        let (found, advice) = both(Some("tls:127.0.0.1:/"));
        assert!(found.contains("write tls-cert"), "{found}");
        assert!(
            advice.starts_with("see tls-cert, tls-key and tls-ca in "),
            "{advice}"
        );
        assert!(look(Some("tls:far")).contains("names no farm of another host"));
        // A script is set, but nobody is to run it: no file could be added.
        let root = root.display();
        say(&format!(
            "root = \"{root}\"\nscript = \"true\"\nscript-user = \"no such user\"\n"
        ));
        let (found, advice) = both(None);
        assert!(found.contains("this host has no such user"), "{found}");
        assert!(advice.ends_with("farm.toml"), "{advice}");
        say("colour = \"red\"\n");
        assert!(look(None).contains("unknown field"));
        let key = folder.path().join("key");
        fs::write(&key, "").unwrap();
        let path = key.display();
        say(&format!(
            "tls-cert = \"{path}\"\ntls-key = \"{path}\"\ntls-ca = \"{path}\"\n"
        ));
        let (found, advice) = both(Some("tls:127.0.0.1:"));
        assert!(found.contains("there is no certificate in it"), "{found}");
        assert!(advice.starts_with("see tls-cert"), "{advice}");
        // The file can say a farm of another host, too.
        say(&format!(
            "root = \"tls:127.0.0.1:\"\ntls-cert = \"{path}\"\ntls-key = \"{path}\"\ntls-ca = \"{path}\"\n"
        ));
        assert!(look(None).contains("there is no certificate in it"));
    }

    /// CW-65: what helps belongs to what is wrong.
    #[test]
    fn each_fault_of_a_farm_of_another_host_has_its_advice() {
        let (host, why) = (String::new(), String::new());
        let refused = |refusal| Error::Refused {
            refusal,
            text: String::new(),
        };
        for (error, words) in [
            (
                Error::Unreachable {
                    host: host.clone(),
                    why: why.clone(),
                },
                "'pseudotape-farm serve' has to run",
            ),
            (Error::Untrusted { host, why }, "see tls-cert"),
            (refused(Refusal::Access), "the administrator"),
            (refused(Refusal::Command), "correct farm.toml here"),
            (Error::Silent(60), "try again"),
        ] {
            let told = advice(&error.into(), Path::new("farm.toml"));
            assert!(told.contains(words), "{told}");
        }
    }
}
