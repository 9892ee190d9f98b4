//! Who has a file of the mount open, as `/proc` shows it.
//!
//! The kernel's st asks for the count of an open file when one of its descriptors is closed. A FUSE server is not told
//! that count: FLUSH comes for each `close(2)`, RELEASE only after the last `close(2)` has returned. But the descriptor
//! that is being closed is out of its process's table before FLUSH is sent, and a tape node has one open file at a
//! time. So a FLUSH is the last one unless a process still shows a descriptor of the node.
//!
//! Descriptors in places that `/proc` does not show (on their way through a socket, registered with io_uring, in a
//! process that this user may not look into) are not found. For their sake `CharDevice::close_early` can be taken back.

//!
//! What is asked must not wait for a process that waits for us. A process closes descriptors in the middle of an
//! `execve(2)`, and waits for FLUSH there. Of such a process Linux 6.18 answers `stat`, `syscall` and the links beneath
//! `fd` only when its `execve` is over; it lists `fd`, and tells `fdinfo` and `status`, at any time.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

use super::mounts::Device;

/// Files of one mount, wherever it is mounted.
#[derive(Clone, Debug)]
pub(super) struct Holders {
    device: Device,
}

/// A file of the mount.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeName<'a> {
    /// Its name in the directory.
    pub(super) name: &'a str,
    /// Its inode number, which no other file of the host has: see [`first_inode`].
    pub(super) inode: u64,
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

/// A number for the first file of a mount, those of the other files follow: by such a number alone `fdinfo` tells whose
/// file is open. Drawn at random from the upper half of 32 bits, where other files hardly ever are. A number of more
/// bits is an error for 32-bit programs that ask for the file's status.
pub(super) fn first_inode() -> u64 {
    const UPPER_HALF: u64 = 0x8000_0000;
    /// For the files that follow.
    const FILES: u64 = 0x1_0000;
    let random = RandomState::new().build_hasher().finish();
    UPPER_HALF + random % (UPPER_HALF - FILES)
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
    pub(super) fn after_close(&self, node: NodeName<'_>, tid: u32) -> Held {
        match fs::read_dir(format!("/proc/{tid}/fd")) {
            Ok(_) => self.who(node),
            Err(_) if is_exiting(tid) => self.who(node),
            Err(_) => Held::Unknown,
        }
    }

    /// Who has the file open.
    pub(super) fn who(&self, node: NodeName<'_>) -> Held {
        let Ok(processes) = fs::read_dir("/proc") else {
            return Held::Unknown;
        };
        let numbers = processes
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let mut holding = numbers.filter(|pid| self.holds(*pid, node));
        holding.next().map_or(Held::ByNobody, Held::By)
    }

    fn holds(&self, pid: u32, node: NodeName<'_>) -> bool {
        // Gone, or not for this user to see.
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else {
            return false;
        };
        descriptors.flatten().any(|descriptor| {
            let Ok(info) = fs::read_to_string(descriptor.path()) else {
                return false;
            };
            match inode_in(&info) {
                Some(inode) => inode == node.inode,
                // Linux before 5.14 does not tell it. There the links beneath `fd` are told at any time.
                None => {
                    let number = descriptor.file_name();
                    let link = Path::new("/proc")
                        .join(pid.to_string())
                        .join("fd")
                        .join(number);
                    self.leads_to(&link, node.name)
                }
            }
        })
    }

    fn leads_to(&self, link: &Path, name: &str) -> bool {
        let target = fs::read_link(link);
        let is_named = target.is_ok_and(|path| path.file_name().is_some_and(|n| n == name));
        is_named && self.is_of_mount(link)
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

/// The inode number in the text of `/proc/<pid>/fdinfo/<descriptor>`.
fn inode_in(info: &str) -> Option<u64> {
    let mut numbers = info.lines().filter_map(|line| line.strip_prefix("ino:"));
    numbers.next()?.trim().parse().ok()
}

/// Whether a task has begun to exit: it has given its memory back then, before its descriptors.
fn is_exiting(tid: u32) -> bool {
    fs::read_to_string(format!("/proc/{tid}/status")).is_ok_and(|status| !has_memory(&status))
}

/// The same from the text of `/proc/<tid>/status`.
fn has_memory(status: &str) -> bool {
    status.lines().any(|line| line.starts_with("VmSize:"))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::os::linux::fs::MetadataExt;

    use super::*;

    /// Those of the file system that holds a path.
    fn holders_of(path: &Path) -> Holders {
        let device = fs::metadata(path).expect("it is there").st_dev();
        let number = |number: u64| u32::try_from(number).expect("a number of a device");
        let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
        Holders::of(Device(number(major), number(minor)))
    }

    /// Where `/proc` shows an open file of ours.
    fn link_of(file: &File) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
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
        let inode = first.metadata().expect("it is open").st_ino();
        let node = NodeName { name, inode };
        assert_eq!(holders.who(node), Held::By(me));
        assert!(holders.leads_to(Path::new(&link_of(&first)), name));
        drop(first);
        assert_eq!(holders.after_close(node, me), Held::By(me));
        drop(second);
        assert_eq!(holders.after_close(node, me), Held::ByNobody);
    }

    #[test]
    fn a_file_of_the_same_name_elsewhere_is_another_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("npmtm-elsewhere");
        let open = File::create(&path).expect("a file");
        let holders = Holders::of(Device(0, 0));
        let (name, inode) = ("npmtm-elsewhere", first_inode());
        assert_eq!(holders.who(NodeName { name, inode }), Held::ByNobody);
        assert!(!holders.leads_to(Path::new(&link_of(&open)), name));
    }

    #[test]
    fn of_a_task_that_is_not_seen_nothing_is_known() {
        let holders = Holders::of(Device(0, 0));
        let (name, inode) = ("npmtm0", 2);
        for tid in [0, u32::MAX] {
            let held = holders.after_close(NodeName { name, inode }, tid);
            assert_eq!(held, Held::Unknown);
        }
    }

    #[test]
    fn a_task_that_exits_has_no_memory() {
        assert!(!is_exiting(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().expect("starts");
        let began = std::time::Instant::now();
        while !is_exiting(child.id()) {
            assert!(began.elapsed() < std::time::Duration::from_secs(100));
            std::thread::yield_now();
        }
        child.wait().expect("it has ended");
        assert!(!is_exiting(u32::MAX), "nobody");
    }

    #[test]
    fn an_inode_number_is_read_where_it_is_told() {
        let info = "pos:\t0\nflags:\t0100002\nmnt_id:\t29\nino:\t2147483650\n";
        assert_eq!(inode_in(info), Some(2_147_483_650));
        assert_eq!(inode_in("pos:\t0\nflags:\t02\nmnt_id:\t29\n"), None);
        assert_eq!(inode_in("ino:\tx\n"), None);
    }

    #[test]
    fn the_number_of_a_first_file_has_32_bits_and_is_another_each_time() {
        let drawn = [first_inode(), first_inode(), first_inode()];
        assert!(drawn.iter().all(|inode| inode >> 31 == 1), "{drawn:x?}");
        assert!(drawn[0] != drawn[1] || drawn[1] != drawn[2], "{drawn:x?}");
    }
}
