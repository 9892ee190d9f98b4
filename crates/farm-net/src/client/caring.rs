//! Notes, checks, `rebuild` and `repair` of a farm on another host.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use pseudotape_farm::{Entry, Fault, Rebuilt, Repair, Title, VolumeName};

use super::{Client, out_of_turn};
use crate::error::Error;
use crate::message::{Ended, Message, Remedied};

impl Client {
    /// Says how volumes are made by the commands that follow, and what is expected of those that are there.
    pub fn making(
        &mut self,
        structured: bool,
        compression: Option<bool>,
        script: Option<&str>,
    ) -> Result<(), Error> {
        let what = match (structured, script) {
            (true, _) => "--structured",
            (_, Some(_)) => "--script",
            // An older server takes such a volume as it is.
            _ if self.greeting.version < 2 => return Ok(()),
            _ => "--compression",
        };
        self.needs(2, what)?;
        let order = Message::Making {
            structured,
            compression,
            script: script.map(str::to_owned),
        };
        self.ordered(&order, |_| Err(out_of_turn()))
    }

    /// Says whose volumes the commands that follow mean: the private ones of this host, to read them, or the client's
    /// own private ones.
    pub fn whose(&mut self, host: Option<&VolumeName>) -> Result<(), Error> {
        let what = match host {
            Some(_) => "--owner",
            None => "volumes = \"private\"",
        };
        self.needs(2, what)?;
        let host = host.cloned();
        self.ordered(&Message::Whose { host }, |_| Err(out_of_turn()))
    }

    /// Has a command of the server run. `print` gets what it prints; standard error with `true`.
    pub fn run(
        &mut self,
        name: &str,
        arguments: Vec<Vec<u8>>,
        mut print: impl FnMut(bool, &[u8]),
    ) -> Result<Ended, Error> {
        self.needs(2, "farm remote")?;
        let name = name.to_owned();
        let mut over = None;
        self.ordered(&Message::Run { name, arguments }, |message| {
            match message {
                Message::Output { is_error, bytes } => print(is_error, &bytes),
                Message::Ended(ended) => over = Some(ended),
                _ => return Err(out_of_turn()),
            }
            Ok(())
        })?;
        over.ok_or_else(out_of_turn)
    }

    /// Notes something about a file, or takes the note away: the entry of the file, and where its capsule is.
    pub fn annotate(
        &mut self,
        volume: &VolumeName,
        title: &Title,
        note: Option<String>,
        lock_wait: u64,
    ) -> Result<(PathBuf, Entry), Error> {
        self.needs(2, "farm annotate")?;
        let order = Message::Annotate {
            volume: volume.clone(),
            title: title.clone(),
            note,
            lock_wait,
        };
        let mut shown = None;
        self.ordered(&order, |message| match message {
            Message::Shown { path, entry } => {
                shown = Some((PathBuf::from(OsStr::from_bytes(&path)), entry));
                Ok(())
            }
            _ => Err(out_of_turn()),
        })?;
        shown.ok_or_else(out_of_turn)
    }

    /// As [`Client::files`], and each capsule is opened: what is wrong with it comes with its entry.
    pub fn check(
        &mut self,
        volume: &VolumeName,
        titles: &[Title],
    ) -> Result<Vec<(Entry, Option<String>)>, Error> {
        self.needs(2, "farm ls --check")?;
        let order = Message::Check {
            volume: volume.clone(),
            titles: titles.to_vec(),
        };
        let mut entries = Vec::new();
        self.ordered(&order, |message| {
            entries.push(match message {
                Message::Entry(entry) => (entry, None),
                Message::Bad { entry, why } => (entry, Some(why)),
                _ => return Err(out_of_turn()),
            });
            Ok(())
        })?;
        Ok(entries)
    }

    /// Has the directory of a volume made anew from its capsules.
    pub fn rebuild(
        &mut self,
        volume: &VolumeName,
        lock_wait: u64,
        mut tell: impl FnMut(Rebuilt),
    ) -> Result<(), Error> {
        self.needs(2, "farm rebuild")?;
        let order = Message::Rebuild {
            volume: volume.clone(),
            lock_wait,
        };
        self.ordered(&order, |message| {
            tell(match message {
                Message::Listed(entry) => Rebuilt::Listed(entry),
                Message::NotListed { file, why } => Rebuilt::Unusable(file, Fault::Reported(why)),
                _ => return Err(out_of_turn()),
            });
            Ok(())
        })
    }

    /// Has all looked for that is wrong with a volume, and what helps done where `how` says so.
    pub fn repair(
        &mut self,
        volume: &VolumeName,
        how: Repair,
        lock_wait: u64,
        mut tell: impl FnMut(Remedied),
    ) -> Result<(), Error> {
        self.needs(2, "farm repair")?;
        let order = Message::Repair {
            volume: volume.clone(),
            apply: how.apply,
            drop_replaced: how.drop_replaced,
            lock_wait,
        };
        self.ordered(&order, |message| match message {
            Message::Remedied(found) => {
                tell(found);
                Ok(())
            }
            _ => Err(out_of_turn()),
        })
    }
}
