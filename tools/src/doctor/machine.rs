use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;

use pseudotape_chardev::Reach;

/// The machine that is looked at, as files under a root; tests give another root.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    /// Directories in which programs are looked for.
    path: Vec<PathBuf>,
    uid: u32,
    pid: u32,
}

impl Machine {
    /// The machine that this runs on, for the user who runs it.
    #[must_use]
    pub fn this() -> Self {
        let mut path: Vec<PathBuf> = std::env::var_os("PATH")
            .map(|path| std::env::split_paths(&path).collect())
            .unwrap_or_default();
        // Where mt, dump and modprobe are is often not in an ordinary user's path.
        path.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
        Machine {
            root: PathBuf::from("/"),
            path,
            uid: nix::unistd::geteuid().as_raw(),
            pid: std::process::id(),
        }
    }

    #[cfg(test)]
    pub(crate) fn under(root: PathBuf, uid: u32) -> Self {
        let path = vec![root.join("usr/bin")];
        Machine {
            root,
            path,
            uid,
            pid: 4711,
        }
    }

    pub(crate) fn is_root_user(&self) -> bool {
        self.uid == 0
    }

    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// Of which programs the length of a system call can be learned from here.
    pub(crate) fn reach(&self) -> Reach {
        Reach::find(&self.path_of("/proc"), self.pid)
    }

    fn path_of(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub(crate) fn text(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(self.path_of(path))
    }

    /// Opens a device for reading and writing, which tells more than its mode does.
    pub(crate) fn open_device(&self, path: &str) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path_of(path))
    }

    /// Where a program is, by its first name that is found.
    pub(crate) fn program(&self, names: &[&str]) -> Option<PathBuf> {
        names
            .iter()
            .flat_map(|name| self.path.iter().map(move |directory| directory.join(name)))
            .find(|program| program.is_file())
    }

    /// The running kernel: `6.1.0-49-amd64`.
    pub(crate) fn kernel_release(&self) -> io::Result<String> {
        Ok(self.text("/proc/sys/kernel/osrelease")?.trim().to_owned())
    }

    /// The number behind `key:` in a file such as `/proc/meminfo`.
    pub(crate) fn number_of(&self, path: &str, key: &str) -> Option<u64> {
        let text = self.text(path).ok()?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    }
}
