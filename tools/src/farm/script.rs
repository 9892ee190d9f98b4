//! A command that is told of new capsules.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, User, geteuid};
use serde::Serialize;
use serde_json::{Value, json};

use super::config::{Settings, VARIABLE};
use super::shown::ShownFile;

/// As whom the command runs when root runs this one, and nobody says it.
const LIMITED_USER: &str = "nobody";

/// A file that a script is told of.
#[derive(Debug, Serialize)]
pub(super) struct ScriptFile<'a> {
    /// Where its capsule is; nothing where that is another host.
    path: Option<&'a str>,
    #[serde(flatten)]
    file: &'a ShownFile,
}

/// Where the capsules are that a script is told of.
#[derive(Clone, Copy, Debug)]
pub(super) enum At<'a> {
    /// In this folder of this host; the path of each capsule by its number.
    Here(&'a str, &'a HashMap<u64, String>),
    /// In the farm of another host that this root means.
    There(&'a str),
}

/// What runs when capsules are stored and listed.
#[derive(Debug)]
pub(super) struct Script {
    command: String,
    user: Option<User>,
    limit: Duration,
}

impl Script {
    /// The one that the settings name, found to be possible before anything is stored.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>> {
        let Some(command) = settings.script() else {
            return Ok(None);
        };
        let me = geteuid();
        let said = settings.script_user();
        let name = match (said, me.is_root()) {
            (Some(said), _) => Some(said),
            (None, true) => Some(LIMITED_USER),
            (None, false) => None,
        };
        let user = match name {
            Some(name) => {
                let found = User::from_name(name).context("can't look for users")?;
                Some(found.with_context(|| {
                    format!(
                        "script-user = \"{name}\": this host has no such user; nothing was stored"
                    )
                })?)
            }
            None => None,
        };
        // Nobody else than root becomes somebody else.
        let user = user.filter(|user| user.uid != me);
        if let Some(user) = user.as_ref().filter(|_| !me.is_root()) {
            bail!(
                "script-user = \"{}\": only root can run a script as another user; nothing was stored",
                user.name
            );
        }
        Ok(Some(Script {
            command: command.to_owned(),
            user,
            limit: settings.script_limit(),
        }))
    }

    /// Tells the command of all files that are in a volume now, and waits for its end; why it failed. They stay,
    /// whatever it does.
    pub(super) fn tell<'a>(
        &self,
        volume: &str,
        at: At<'_>,
        files: impl Iterator<Item = &'a ShownFile>,
    ) -> Option<String> {
        let path_of = |file: &ShownFile| match at {
            At::Here(_, capsules) => Some(capsules.get(&file.number).map_or("", String::as_str)),
            At::There(_) => None,
        };
        let files = files.map(|file| ScriptFile {
            path: path_of(file),
            file,
        });
        let files: Vec<ScriptFile<'_>> = files.collect();
        if files.is_empty() {
            return None;
        }
        let told = self.tell_of(volume, at, &files);
        told.err().map(|error| format!("{error:#}"))
    }

    fn tell_of(&self, volume: &str, at: At<'_>, files: &[ScriptFile<'_>]) -> Result<()> {
        let (path, root) = match at {
            At::Here(path, _) => (Some(path), None),
            At::There(root) => (None, Some(root)),
        };
        let words = json!({
            "event": "stored", "volume": volume, "path": path, "root": root, "files": files
        });
        let ended = self.run(&words, volume, at)?;
        ensure!(ended.success(), "'{}' ended with {ended}", self.command);
        Ok(())
    }

    fn run(&self, words: &Value, volume: &str, at: At<'_>) -> Result<ExitStatus> {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(&self.command)
            .env("PSEUDOTAPE_FARM_VOLUME", volume)
            .stdin(Stdio::piped())
            .stdout(Stdio::from(std::io::stderr()))
            .process_group(0);
        match at {
            At::Here(path, _) => command.env("PSEUDOTAPE_FARM_PATH", path),
            // Its own commands for farms mean that one.
            At::There(root) => command
                .env(VARIABLE, root)
                .env_remove("PSEUDOTAPE_FARM_PATH"),
        };
        if let Some(user) = &self.user {
            // Its further groups go with that.
            command.gid(user.gid.as_raw()).uid(user.uid.as_raw());
        }
        let mut child = command.spawn().context("can't start /bin/sh")?;
        let group = Pid::from_raw(i32::try_from(child.id())?);
        let mut text = words.to_string();
        text.push('\n');
        if let Some(mut input) = child.stdin.take() {
            // Beside the waiting: one that does not read is to end all the same.
            std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
        }
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || drop(sender.send(child.wait())));
        match ended.recv_timeout(self.limit) {
            Ok(ended) => ended.context("can't wait for it"),
            Err(_) => {
                // Where it ended just now, there is nothing to end.
                let _gone = killpg(group, Signal::SIGKILL);
                drop(ended.recv());
                bail!(
                    "'{}' took longer than {} s (script-seconds), and was ended",
                    self.command,
                    self.limit.as_secs()
                )
            }
        }
    }
}
