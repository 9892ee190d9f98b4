//! Who has a file of the mount open, as `/proc` shows it.
//!
//! The kernel's st asks for the count of an open file when one of its descriptors is closed. A FUSE server is not told
//! that count: FLUSH comes for each `close(2)`, RELEASE only after the last `close(2)` has returned. But the descriptor
//! that is being closed is out of its process's table before FLUSH is sent, and a tape node has one open file at a
//! time. So a FLUSH is the last one unless a process still shows a descriptor of the node.
//!
//! Descriptors in places that `/proc` does not show (on their way through a socket, registered with io_uring, in a
//! process that this user may not look into) are not found. For their sake `CharDevice::close_early` can be taken back.

use std::fs;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

use super::mounts::Device;

/// Files of one mount, wherever it is mounted.
#[derive(Clone, Debug)]
pub(super) struct Holders {
    device: Device,
}

/// What `/proc` shows of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// By this process.
    By(u32),
    /// By none.
    ByNobody,
    /// `/proc` can't be asked.
    Unknown,
}

impl Holders {
    /// Those of a file system.
    pub(super) fn of(device: Device) -> Self {
        Holders { device }
    }

    /// Who has the file open, when a task closes one of its descriptors.
    ///
    /// Where not even that task can be looked into, nothing is known of others like it. A task that exits is not for
    /// other users than root to look into; but it has no descriptor any more when its files are closed.
    pub(super) fn after_close(&self, name: &str, tid: u32) -> Held {
        match fs::read_dir(format!("/proc/{tid}/fd")) {
            Ok(_) => self.who(name),
            Err(_) if is_exiting(tid) => self.who(name),
            Err(_) => Held::Unknown,
        }
    }

    /// Who has the file open.
    pub(super) fn who(&self, name: &str) -> Held {
        let Ok(processes) = fs::read_dir("/proc") else {
            return Held::Unknown;
        };
        let numbers = processes
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let mut holding = numbers.filter(|pid| self.holds(*pid, name));
        holding.next().map_or(Held::ByNobody, Held::By)
    }

    fn holds(&self, pid: u32, name: &str) -> bool {
        // Gone, or not for this user to see.
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            return false;
        };
        descriptors.flatten().any(|descriptor| {
            let target = fs::read_link(descriptor.path());
            let is_named = target.is_ok_and(|path| path.file_name().is_some_and(|n| n == name));
            is_named && self.is_of_mount(&descriptor.path())
        })
    }

    /// Whether a descriptor leads into this file system, however that is mounted where its process lives, and also if
    /// it is mounted there no more. The answer must not need the file's server, which may be this very daemon.
    fn is_of_mount(&self, descriptor: &Path) -> bool {
        let asked = statx(
            CWD,
            descriptor,
            AtFlags::STATX_DONT_SYNC,
            StatxFlags::empty(),
        );
        // Otherwise it was closed meanwhile.
        asked.is_ok_and(|file| Device(file.stx_dev_major, file.stx_dev_minor) == self.device)
    }
}

/// Whether a task has begun to exit.
fn is_exiting(tid: u32) -> bool {
    fs::read_to_string(format!("/proc/{tid}/stat")).is_ok_and(|stat| has_exiting_flag(&stat))
}

/// The same from the text of `/proc/<tid>/stat`: the ninth field has the task's flags.
fn has_exiting_flag(stat: &str) -> bool {
    const EXITING: u32 = 0x4;
    // The second field is a name in parentheses, in which anything may stand.
    let behind_name = stat.rsplit_once(')').map(|(_, rest)| rest);
    let flags = behind_name.and_then(|rest| rest.split_whitespace().nth(6)?.parse::<u32>().ok());
    flags.is_some_and(|flags| flags & EXITING != 0)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::linux::fs::MetadataExt;

    use super::*;

    /// Those of the file system that holds a path.
    fn holders_of(path: &Path) -> Holders {
        let device = fs::metadata(path).expect("it is there").st_dev();
        let number = |number: u64| u32::try_from(number).expect("a number of a device");
        let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
        Holders::of(Device(number(major), number(minor)))
    }

    #[test]
    fn a_file_is_held_until_its_last_descriptor_is_closed() {
        let directory = tempfile::tempdir().expect("a directory");
        let name = "npmtm-of-this-test";
        let path = directory.path().join(name);
        let first = File::create(&path).expect("a file");
        let holders = holders_of(&path);
        let me = std::process::id();
        let second = first.try_clone().expect("a second descriptor");
        assert_eq!(holders.who(name), Held::By(me));
        drop(first);
        assert_eq!(holders.after_close(name, me), Held::By(me));
        drop(second);
        assert_eq!(holders.after_close(name, me), Held::ByNobody);
    }

    #[test]
    fn a_file_of_the_same_name_elsewhere_is_another_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("npmtm-elsewhere");
        let _open = File::create(&path).expect("a file");
        let holders = Holders::of(Device(0, 0));
        assert_eq!(holders.who("npmtm-elsewhere"), Held::ByNobody);
    }

    #[test]
    fn of_a_task_that_is_not_seen_nothing_is_known() {
        let holders = Holders::of(Device(0, 0));
        assert_eq!(holders.after_close("npmtm0", 0), Held::Unknown);
        assert_eq!(holders.after_close("npmtm0", u32::MAX), Held::Unknown);
    }

    #[test]
    fn a_task_that_exits_is_known_by_its_flags() {
        let stat = |flags: u32| format!("17 (a) name) S 1 17 17 0 -1 {flags} 10 0 0 0");
        assert!(has_exiting_flag(&stat(0x0040_0104)));
        assert!(!has_exiting_flag(&stat(0x0040_0100)));
        assert!(!has_exiting_flag("17 (cut off"));
        assert!(!is_exiting(std::process::id()));
    }
}
