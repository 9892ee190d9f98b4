use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pseudotape_chardev::Reach;

/// The machine that is looked at, as files under a root; tests give another root.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    /// Directories in which programs are looked for.
    path: Vec<PathBuf>,
    /// The program that mounts, where the environment names one.
    mount_helper: Option<PathBuf>,
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
            mount_helper: std::env::var_os("FUSERMOUNT_PATH").map(PathBuf::from),
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
            mount_helper: None,
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

    /// The program that mounts for ordinary users, where the daemon looks for it.
    pub(crate) fn mount_helper(&self) -> Option<PathBuf> {
        if let Some(named) = &self.mount_helper {
            return Some(named.clone()).filter(|helper| helper.is_file());
        }
        let fixed = ["bin/fusermount3", "bin/fusermount"].map(|path| self.root.join(path));
        self.program(&["fusermount3", "fusermount"])
            .or_else(|| fixed.into_iter().find(|helper| helper.is_file()))
    }

    /// Whether a program runs with the rights of its owner.
    pub(crate) fn is_setuid(&self, program: &Path) -> bool {
        const SETUID: u32 = 0o4000;
        fs::metadata(program).is_ok_and(|metadata| metadata.permissions().mode() & SETUID != 0)
    }

    /// What the status of this process has behind `key:`.
    pub(crate) fn status(&self, key: &str) -> Option<String> {
        let status = self.text(&format!("/proc/{}/status", self.pid)).ok()?;
        status.lines().find_map(|line| {
            let value = line.strip_prefix(key)?.strip_prefix(':')?;
            Some(value.trim().to_owned())
        })
    }

    /// Whether a module is in the running kernel: loaded, or built in.
    pub(crate) fn has_module(&self, module: &str) -> bool {
        self.path_of("/sys/module").join(module).is_dir()
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
