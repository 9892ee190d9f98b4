//! Running of a script.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, User, geteuid};
use serde::Serialize;
use serde_json::{Value, json};

use crate::guard::Guard;
use crate::words::FileWords;

/// As whom the command runs when root runs this one, and nobody says it.
const LIMITED_USER: &str = "nobody";
/// What a script finds the root of the farm by, as `pseudotape farm` does.
const ROOT_VARIABLE: &str = "PSEUDOTAPE_FARM";
/// What it finds the folder of the volume by.
const PATH_VARIABLE: &str = "PSEUDOTAPE_FARM_PATH";
/// Who had the files stored, where that was another host's command.
const PERSON_VARIABLE: &str = "PSEUDOTAPE_FARM_PERSON";

/// A file that a script is told of.
#[derive(Debug, Serialize)]
struct ScriptFile<'a> {
    /// Where its capsule is; nothing where that is another host.
    path: Option<&'a str>,
    #[serde(flatten)]
    file: &'a FileWords,
}

/// Where the capsules are that a script is told of.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// In this folder of this host; the path of each capsule by its number.
    Here {
        /// The folder of the volume.
        path: &'a str,
        /// The paths of the capsules, by their numbers.
        capsules: &'a HashMap<u64, String>,
        /// Who had them stored and in which root, where that was another host's command.
        served: Option<Served<'a>>,
    },
    /// In the farm of another host that this root means.
    There(&'a str),
}

/// For whom a farm's host stored files.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// The root of the volume.
    pub root: &'a str,
    /// Who the other host's command was let in as.
    pub person: &'a str,
}

/// What runs when capsules are stored and listed.
#[derive(Clone, Debug)]
pub struct Script {
    command: String,
    user: Option<User>,
    limit: Duration,
    limit_name: &'static str,
}

/// Why there can be no such script. `said` is what said as whom it is to run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoScript {
    /// This host does not know the user.
    #[error("{said}: this host has no such user")]
    NoUser {
        /// What said it.
        said: String,
    },
    /// This host can't say who its users are.
    #[error("{said}: can't look for users: {source}")]
    Users {
        /// What said it.
        said: String,
        /// Why.
        source: Errno,
    },
    /// Only root becomes somebody else.
    #[error("{said}: only root can run a script as another user")]
    NotRoot {
        /// What said it.
        said: String,
    },
}

/// Why a script failed. What it was told of stays, whatever it does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failed {
    /// The host failed.
    #[error("{what}: {source}")]
    Host {
        /// At what.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It ended so.
    #[error("'{command}' ended with {status}")]
    Ended {
        /// The script.
        command: String,
        /// How.
        status: ExitStatus,
    },
    /// It did not end.
    #[error("'{command}' took longer than {seconds} s ({limit_name}), and was ended")]
    TooLong {
        /// The script.
        command: String,
        /// What it may take.
        seconds: u64,
        /// What says that.
        limit_name: &'static str,
    },
}

/// The names of the settings of a script, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Of the user.
    pub user: &'static str,
    /// Of the time it may take.
    pub limit: &'static str,
}

impl Script {
    /// A command for `/bin/sh`, found to be possible before anything is stored. `user` is as whom it runs; where root
    /// runs this program and nobody says it, as `nobody`.
    pub fn new(
        command: String,
        user: Option<&str>,
        limit: Duration,
        names: Names,
    ) -> Result<Self, NoScript> {
        let me = geteuid();
        let name = match (user, me.is_root()) {
            (Some(said), _) => Some(said),
            (None, true) => Some(LIMITED_USER),
            (None, false) => None,
        };
        let said = || format!("{} \"{}\"", names.user, name.unwrap_or_default());
        let user = match name {
            Some(name) => match User::from_name(name) {
                Ok(Some(user)) => Some(user),
                Ok(None) => return Err(NoScript::NoUser { said: said() }),
                Err(source) => {
                    return Err(NoScript::Users {
                        said: said(),
                        source,
                    });
                }
            },
            None => None,
        };
        // Nobody else than root becomes somebody else.
        let user = user.filter(|user| user.uid != me);
        if user.is_some() && !me.is_root() {
            return Err(NoScript::NotRoot { said: said() });
        }
        Ok(Script {
            command,
            user,
            limit,
            limit_name: names.limit,
        })
    }

    /// Tells the command of all files that are in a volume now, and waits for its end. Where nothing is new it does not
    /// run.
    pub fn tell<'a>(
        &self,
        volume: &str,
        at: At<'_>,
        files: impl Iterator<Item = &'a FileWords>,
    ) -> Result<(), Failed> {
        // The last member of an archive with one title took the place of those before it.
        let files = files.filter_map(|file| {
            let path = match at {
                At::Here { capsules, .. } => Some(capsules.get(&file.number)?.as_str()),
                At::There(_) => None,
            };
            Some(ScriptFile { path, file })
        });
        let files: Vec<ScriptFile<'_>> = files.collect();
        if files.is_empty() {
            return Ok(());
        }
        let (path, root, person) = match at {
            At::Here { path, served, .. } => (Some(path), None, served.map(|served| served.person)),
            At::There(root) => (None, Some(root), None),
        };
        let words = json!({
            "event": "stored", "volume": volume, "path": path, "root": root, "person": person, "files": files
        });
        let status = self.run(&words, volume, at)?;
        match status.success() {
            true => Ok(()),
            false => Err(Failed::Ended {
                command: self.command.clone(),
                status,
            }),
        }
    }

    fn run(&self, words: &Value, volume: &str, at: At<'_>) -> Result<ExitStatus, Failed> {
        let failed = |what| move |source| Failed::Host { what, source };
        let (mut child, guard) = self
            .begin(volume, at)
            .map_err(failed("can't start /bin/sh"))?;
        let group = i32::try_from(child.id()).map(Pid::from_raw);
        let mut text = words.to_string();
        text.push('\n');
        if let Some(mut input) = child.stdin.take() {
            // Beside the waiting: one that does not read is to end all the same.
            std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
        }
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || drop(sender.send(child.wait())));
        let ended_in_time = ended.recv_timeout(self.limit);
        if ended_in_time.is_ok() {
            guard.over();
        }
        match ended_in_time {
            Ok(ended) => ended.map_err(failed("can't wait for the script")),
            Err(_) => {
                // Where it ended just now, there is nothing to end.
                let _gone = group.map(|group| killpg(group, Signal::SIGKILL));
                drop(ended.recv());
                Err(Failed::TooLong {
                    command: self.command.clone(),
                    seconds: self.limit.as_secs(),
                    limit_name: self.limit_name,
                })
            }
        }
    }

    fn begin(&self, volume: &str, at: At<'_>) -> io::Result<(Child, Guard)> {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(&self.command)
            .env("PSEUDOTAPE_FARM_VOLUME", volume)
            .stdin(Stdio::piped())
            .stdout(Stdio::from(std::io::stderr()))
            .process_group(0);
        match at {
            At::Here { path, served, .. } => {
                command.env(PATH_VARIABLE, path);
                if let Some(served) = served {
                    command
                        .env(ROOT_VARIABLE, served.root)
                        .env(PERSON_VARIABLE, served.person);
                }
            }
            // Its own commands for farms mean that one.
            At::There(root) => {
                command.env(ROOT_VARIABLE, root).env_remove(PATH_VARIABLE);
            }
        }
        if let Some(user) = &self.user {
            // Its further groups go with that.
            command.gid(user.gid.as_raw()).uid(user.uid.as_raw());
        }
        let mut guard = Guard::new()?;
        let mut child = command.spawn()?;
        guard.holds(&mut child)?;
        Ok((child, guard))
    }
}
