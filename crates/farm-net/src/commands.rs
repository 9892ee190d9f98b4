//! Commands that a server runs for its clients: executable files of one folder, by their names, and nothing else.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, User, geteuid};
use pseudotape_farm_script::Guard;
use pseudotape_human::printable;

use crate::access::Person;
use crate::error::Error;
use crate::message::Ended;

/// As whom commands run where root serves, and nobody says it.
const LIMITED_USER: &str = "nobody";
/// A command that prints more is ended.
pub const MAX_OUTPUT: u32 = 1 << 20;
/// What a command finds other programs by.
const PROGRAMS: &str = "/usr/local/bin:/usr/bin:/bin";
/// So often it is looked whether the client is still there.
const LOOK: Duration = Duration::from_millis(200);
/// Output is read in pieces of this length.
const PIECE_BYTES: usize = 64 << 10;
/// The permission of group and others to write.
const OTHERS_WRITE: u32 = 0o022;
/// The permissions to execute.
const EXECUTE: u32 = 0o111;

/// The commands of a server.
#[derive(Clone, Debug)]
pub struct Commands {
    folder: PathBuf,
    user: Option<User>,
    limit: Duration,
}

/// Why a server can't have commands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoCommands {
    /// The host failed.
    #[error("can't look at the folder of commands {path}: {source}")]
    Host {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else could put commands there.
    #[error(
        "{path}, the folder of commands, {why}: it has to be root's or of the user who serves, and nobody else may write into it"
    )]
    Unfit {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// This host does not know the user.
    #[error("--commands-user {0}: this host has no such user")]
    NoUser(String),
    /// Only root becomes somebody else.
    #[error("--commands-user {0}: only root can run commands as another user")]
    NotRoot(String),
}

/// Why a command was not run.
pub(crate) enum NotRun {
    /// The client is told why.
    Words(String),
    /// The link is of no more use.
    Link(Error),
}

impl Commands {
    /// Those of a folder, which run as this user, and no longer than that.
    pub fn open(folder: &Path, user: Option<&str>, limit: Duration) -> Result<Self, NoCommands> {
        let failed = |source| NoCommands::Host {
            path: folder.to_owned(),
            source,
        };
        let folder = std::fs::canonicalize(folder).map_err(failed)?;
        let found = std::fs::symlink_metadata(&folder).map_err(failed)?;
        let why = match found.is_dir() {
            true => unfit(&found),
            false => Some("is none".to_owned()),
        };
        if let Some(why) = why {
            return Err(NoCommands::Unfit { path: folder, why });
        }
        let me = geteuid();
        let name = match (user, me.is_root()) {
            (Some(user), _) => Some(user),
            (None, true) => Some(LIMITED_USER),
            (None, false) => None,
        };
        let user = match name {
            Some(name) => {
                let found = User::from_name(name).ok().flatten();
                Some(found.ok_or_else(|| NoCommands::NoUser(name.to_owned()))?)
            }
            None => None,
        };
        match user.filter(|user| user.uid != me) {
            Some(user) if !me.is_root() => Err(NoCommands::NotRoot(user.name)),
            user => Ok(Commands {
                folder,
                user,
                limit,
            }),
        }
    }

    /// The file of a command.
    fn find(&self, name: &str) -> Result<PathBuf, NotRun> {
        let none = || {
            NotRun::Words(format!(
                "there is no such command '{}' here",
                printable(name)
            ))
        };
        let unfit_name = |c: char| c == '/' || c.is_control();
        if name.is_empty() || name.starts_with('.') || name.contains(unfit_name) {
            return Err(none());
        }
        let path = self.folder.join(name);
        let found = std::fs::symlink_metadata(&path).map_err(|_| none())?;
        // A link could lead out of the folder.
        if !found.is_file() {
            return Err(none());
        }
        let why = match unfit(&found) {
            None if found.mode() & EXECUTE == 0 => Some("can't be executed".to_owned()),
            why => why,
        };
        match why {
            None => Ok(path),
            Some(why) => {
                log::error!("command {}: its file {why}", path.display());
                Err(NotRun::Words(format!(
                    "the command '{name}' is not run: its file {why}"
                )))
            }
        }
    }

    /// Runs a command for somebody. `print` gets what it prints; standard error with `true`.
    pub(crate) fn run(
        &self,
        (name, arguments): (&str, Vec<Vec<u8>>),
        (person, root): (&Person, &Path),
        print: impl FnMut(bool, &[u8]) -> Result<(), Error>,
        is_broken: impl Fn() -> Result<(), Error>,
    ) -> Result<Ended, NotRun> {
        let path = self.find(name)?;
        let shown: Vec<_> = arguments
            .iter()
            .map(|argument| printable(&String::from_utf8_lossy(argument)))
            .collect();
        let shown: String = shown.join(" ").chars().take(200).collect();
        let begun = self.begin(&path, name, arguments, person, root);
        let (mut child, guard) = begun.map_err(|error| {
            log::error!("{person}: command {name} can't be run: {error}");
            NotRun::Words(format!("the command '{name}' can't be run: {error}"))
        })?;
        log::info!("{person}: runs {name} {shown}");
        let ended = self.hear(&mut child, print, is_broken);
        // Also what it left behind, as long as that is in its group: the number of the group is not another one's
        // before the child is waited for.
        if let Ok(id) = i32::try_from(child.id()) {
            // Nothing is left to be ended, or it is.
            killpg(Pid::from_raw(id), Signal::SIGKILL).ok();
        }
        guard.over();
        if let Err(error) = child.wait() {
            log::error!("{person}: command {name} can't be waited for: {error}");
        }
        match &ended {
            Ok(ended) => log::info!("{person}: {name} {ended}"),
            Err(_) => log::warn!("{person}: {name} was ended, since its client is gone"),
        }
        ended.map_err(NotRun::Link)
    }

    fn begin(
        &self,
        path: &Path,
        name: &str,
        arguments: Vec<Vec<u8>>,
        person: &Person,
        root: &Path,
    ) -> io::Result<(Child, Guard)> {
        let mut command = Command::new(path);
        command
            .arg0(name)
            .args(arguments.into_iter().map(OsString::from_vec))
            .env_clear()
            .env("PATH", PROGRAMS)
            .env("PSEUDOTAPE_FARM", root)
            .env("PSEUDOTAPE_FARM_PERSON", person.to_string())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(user) = &self.user {
            // Its further groups go with that.
            command.gid(user.gid.as_raw()).uid(user.uid.as_raw());
        }
        let mut guard = Guard::new()?;
        // The thread passes on that no program gives its child more rights than this one has.
        let spawning = thread::spawn(move || {
            nix::sys::prctl::set_no_new_privs()?;
            command.spawn()
        });
        let spawned = spawning.join();
        let mut child = spawned.unwrap_or_else(|_| Err(io::Error::other("its thread ended")))?;
        guard.holds(&mut child)?;
        Ok((child, guard))
    }

    /// Passes on what it prints, until it is over, or has to be.
    fn hear(
        &self,
        child: &mut Child,
        mut print: impl FnMut(bool, &[u8]) -> Result<(), Error>,
        is_broken: impl Fn() -> Result<(), Error>,
    ) -> Result<Ended, Error> {
        let end = Instant::now() + self.limit;
        let (sender, heard) = sync_channel(4);
        if let Some(output) = child.stdout.take() {
            read(false, output, sender.clone());
        }
        if let Some(output) = child.stderr.take() {
            read(true, output, sender.clone());
        }
        let id = child.id();
        thread::spawn(move || {
            // It stays to be waited for: nobody else gets its number meanwhile.
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            let status = i32::try_from(id).map(|id| waitid(Id::Pid(Pid::from_raw(id)), flags));
            // Who hears it no more has ended the command.
            sender.send(Heard::Over(ended_of(status.ok()))).ok();
        });
        let (mut printed, mut ended, mut open) = (0u32, None, 2);
        while ended.is_none() || open > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seconds = u32::try_from(self.limit.as_secs());
                return Ok(Ended::TooLong(seconds.unwrap_or(u32::MAX)));
            }
            match heard.recv_timeout(left.min(LOOK)) {
                Ok(Heard::Printed(is_error, bytes)) => {
                    let room = usize::try_from(MAX_OUTPUT - printed).unwrap_or(0);
                    let taken = bytes.get(..room).unwrap_or(&bytes);
                    print(is_error, taken)?;
                    printed += u32::try_from(taken.len()).unwrap_or(0);
                    if taken.len() < bytes.len() {
                        return Ok(Ended::TooMuch(MAX_OUTPUT));
                    }
                }
                Ok(Heard::Closed) => open -= 1,
                Ok(Heard::Over(how)) => ended = Some(how),
                Err(RecvTimeoutError::Timeout) => is_broken()?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(ended.unwrap_or(Ended::Exited(u32::MAX)))
    }
}

/// What is heard of a command.
enum Heard {
    Printed(bool, Vec<u8>),
    Closed,
    Over(Ended),
}

/// Reads what a command prints. Who hears it no more has ended the command.
fn read(is_error: bool, mut output: impl Read + Send + 'static, heard: SyncSender<Heard>) {
    thread::spawn(move || {
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            match output.read(&mut buffer) {
                Ok(bytes @ 1..) => {
                    let bytes = buffer.get(..bytes).unwrap_or_default().to_vec();
                    if heard.send(Heard::Printed(is_error, bytes)).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => {
                    // As above.
                    heard.send(Heard::Closed).ok();
                    return;
                }
            }
        }
    });
}

fn ended_of(status: Option<nix::Result<nix::sys::wait::WaitStatus>>) -> Ended {
    use nix::sys::wait::WaitStatus;
    match status {
        Some(Ok(WaitStatus::Exited(_, status))) => {
            Ended::Exited(u32::try_from(status).unwrap_or(u32::MAX))
        }
        Some(Ok(WaitStatus::Signaled(_, signal, _))) => {
            Ended::Killed(u32::try_from(signal as i32).unwrap_or(0))
        }
        _ => Ended::Exited(u32::MAX),
    }
}

/// Why a folder or a file is not one of which only the administrator or this user says what is in it.
fn unfit(found: &std::fs::Metadata) -> Option<String> {
    let (owner, me) = (found.uid(), geteuid().as_raw());
    if owner != 0 && owner != me {
        return Some(format!("belongs to user {owner}"));
    }
    let writable = found.mode() & OTHERS_WRITE != 0;
    writable.then(|| "can be written by others (chmod go-w)".to_owned())
}
