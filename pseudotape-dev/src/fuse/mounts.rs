//! Finds mounts in `/proc/self/mountinfo`, and takes them away.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{AtFlags, StatxFlags, statx};

/// Programs that unmount for ordinary users, in their path or beside it.
const HELPERS: [&str; 4] = [
    "fusermount3",
    "fusermount",
    "/bin/fusermount3",
    "/bin/fusermount",
];
/// What names another one, as for mounting (`fuser`).
const HELPER_NAME: &str = "FUSERMOUNT_PATH";

/// How long the requests of a dead daemon may take to be cancelled, and how often somebody looks.
const DYING_MAX: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A mount, as a line of mountinfo has it: `id parent DEV root POINT options … - TYPE SOURCE options` (proc(5)).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MountLine {
    pub(super) device: Device,
    /// Where it is mounted.
    pub(super) point: PathBuf,
    /// What it calls itself.
    pub(super) source: String,
}

/// Which file system it is, wherever it is mounted: major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device(pub(super) u32, pub(super) u32);

impl MountLine {
    /// The mounts of this process, of several at one place the topmost last.
    pub(super) fn all() -> Result<Vec<Self>> {
        let text = fs::read_to_string("/proc/self/mountinfo")
            .context("can't read /proc/self/mountinfo")?;
        Ok(text.lines().filter_map(Self::read).collect())
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let (place, source) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(2);
        let (major, minor) = fields.next()?.split_once(':')?;
        Some(MountLine {
            device: Device(major.parse().ok()?, minor.parse().ok()?),
            point: unescape(fields.nth(1)?).into(),
            source: unescape(source.split(' ').nth(1)?),
        })
    }
}

/// Blank, tab, newline, `#` and backslash are written as three octal digits.
fn unescape(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\043", "#"),
        ("\\134", "\\"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (code, character)| {
        text.replace(code, character)
    })
}

/// A mount that this process made. It is taken away once: by [`OwnMount::take_away`], else when this is dropped.
#[derive(Debug)]
pub(super) struct OwnMount {
    directory: PathBuf,
    /// `None` when it is gone.
    device: Option<Device>,
    /// A descriptor of `/dev/fuse`, by which the kernel tells whether the mount's connection lives.
    connection: OwnedFd,
}

impl OwnMount {
    /// What has just been mounted on a directory, and is served by this connection.
    pub(super) fn new(directory: &Path, connection: OwnedFd) -> Result<Self> {
        let mounts = MountLine::all()?;
        let on_it = mounts.iter().rfind(|mount| mount.point == directory);
        Ok(OwnMount {
            directory: directory.to_owned(),
            device: on_it.map(|mount| mount.device),
            connection,
        })
    }

    pub(super) fn device(&self) -> Option<Device> {
        self.device
    }

    /// Takes the mount away at once, whoever has files of it open, and cuts the connection to the kernel where this
    /// user may: then nobody waits for an answer, also in another mount namespace that has a copy.
    ///
    /// Another mount at the same directory, above or below, is not touched.
    pub(super) fn take_away(&mut self) -> Result<()> {
        let Some(device) = self.device.take() else {
            return Ok(());
        };
        let mounts = MountLine::all()?;
        let places = || mounts.iter().filter(|mount| mount.device == device);
        let at_home = places().any(|mount| mount.point == self.directory);
        let place = match places().next() {
            // Somebody else unmounted it.
            None => return Ok(()),
            Some(_) if at_home => &self.directory,
            // Moved, or a directory above was renamed.
            Some(mount) => &mount.point,
        };
        let shown = place.display();
        let root = open_root(place).with_context(|| format!("can't find the mount {shown}"))?;
        if device_of(&root)? != device {
            bail!(
                "something else is mounted over {shown}: unmount that, then 'umount -l {shown}' for what was below"
            );
        }
        // The descriptor names this very mount, which a path does not if somebody mounts or unmounts there just now.
        let exact = PathBuf::from(format!("/proc/self/fd/{}", root.as_raw_fd()));
        // When somebody has unmounted ours, another mount may have its number by now. The number is not free as long as
        // the connection lives, and the descriptor keeps what it names: so asked in this order, the answer is true.
        let still_ours = self.is_connected() || at_home && is_dead(&exact);
        if !still_ours {
            return Ok(());
        }
        let forced = match umount2(&exact, MntFlags::MNT_FORCE | MntFlags::MNT_DETACH) {
            // Root of a user namespace may unmount, but not by force.
            Err(Errno::EPERM) => umount2(&exact, MntFlags::MNT_DETACH),
            other => other,
        };
        let unmounted = match forced {
            // Somebody else was faster.
            Ok(()) | Err(Errno::EINVAL) => Ok(()),
            Err(Errno::EPERM) => detach_by_helper(place),
            Err(error) => Err(error.into()),
        };
        cut(device);
        unmounted.with_context(|| format!("can't unmount {shown}: try 'umount -l {shown}'"))
    }

    /// Whether the kernel still has the connection. It ends with the mount, or when somebody cuts it.
    fn is_connected(&self) -> bool {
        let mut asked = [PollFd::new(self.connection.as_fd(), PollFlags::empty())];
        let cut = |asked: &PollFd| asked.revents() != Some(PollFlags::empty());
        poll(&mut asked, PollTimeout::ZERO).is_ok() && !asked.iter().any(cut)
    }
}

impl Drop for OwnMount {
    fn drop(&mut self) {
        if let Err(error) = self.take_away() {
            log::warn!("{error:#}");
        }
    }
}

/// Its root directory, without a question to whoever serves it.
fn open_root(place: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(place)
}

/// The same.
fn device_of(root: &File) -> io::Result<Device> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let asked = statx(root, "", flags, StatxFlags::empty())?;
    Ok(Device(asked.stx_dev_major, asked.stx_dev_minor))
}

/// Cuts a FUSE connection, where the kernel's control file system is mounted. A forced unmount does the same, but that
/// is only for root.
fn cut(device: Device) {
    let Device(_major, minor) = device;
    let connection = format!("/sys/fs/fuse/connections/{minor}/abort");
    if let Err(error) = fs::write(&connection, "1") {
        // Not mounted there, or gone already.
        log::debug!("{connection}: {error}");
    }
}

/// Whether this is the mount of a program that is no more: "Transport endpoint is not connected". A mount over io_uring
/// first cancels the requests that are still on their way.
pub(super) fn is_dead(directory: &Path) -> bool {
    let since = Instant::now();
    loop {
        let errno = match fs::metadata(directory) {
            Ok(_) => return false,
            Err(error) => error.raw_os_error().map(Errno::from_raw),
        };
        match errno {
            Some(Errno::ENOTCONN) => return true,
            Some(Errno::ECANCELED | Errno::ECONNABORTED) if since.elapsed() < DYING_MAX => {
                thread::sleep(LOOK_EVERY);
            }
            _ => return false,
        }
    }
}

/// Takes the topmost mount of a directory away at once, and for those who have files of it open when they close them.
pub(super) fn detach(directory: &Path) -> Result<()> {
    match umount2(directory, MntFlags::MNT_DETACH) {
        Err(Errno::EPERM) => detach_by_helper(directory),
        other => Ok(other?),
    }
}

/// The same for an ordinary user, who may not: a helper does it for the user whose mount it is.
fn detach_by_helper(directory: &Path) -> Result<()> {
    let named = std::env::var_os(HELPER_NAME).map(|name| vec![name]);
    for helper in named.unwrap_or_else(|| HELPERS.map(OsString::from).to_vec()) {
        match Command::new(&helper)
            .args(["-u", "-z", "--"])
            .arg(directory)
            .output()
        {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => bail!(
                "{}: {}",
                helper.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        }
    }
    bail!("only root may, or an ordinary user with fusermount3: install fuse3")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo_tells_what_is_mounted_where() {
        let line = "36 25 0:31 / /mnt/my\\040tapes\\043\\134040 rw,nosuid shared:5 - fuse.pseudotape pseudotape rw,user_id=0";
        let mount = MountLine::read(line).expect("a line of mountinfo");
        assert_eq!(mount.device, Device(0, 31));
        assert_eq!(mount.point, Path::new("/mnt/my tapes#\\040"));
        assert_eq!(mount.source, "pseudotape");
        assert_eq!(MountLine::read("nonsense"), None);
        assert_eq!(MountLine::read("1 2 no / / rw - t s"), None);
    }

    #[test]
    fn a_mount_that_is_gone_is_nothing_to_take_away() {
        let scratch = tempfile::tempdir().expect("a directory");
        let null = || OwnedFd::from(File::open("/dev/null").expect("it is there"));
        let mut nothing = OwnMount::new(scratch.path(), null()).expect("mountinfo can be read");
        assert_eq!(nothing.device(), None);
        nothing.take_away().expect("nothing to do");
        let mut gone = OwnMount {
            directory: scratch.path().to_owned(),
            device: Some(Device(u32::MAX, 0)),
            connection: null(),
        };
        gone.take_away().expect("somebody else did it");
    }
}
