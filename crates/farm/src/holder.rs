//! Who holds the lock of a volume's folder, as far as this host says it.

use std::fmt;
use std::fs;

/// A process that changes a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub process: u32,
    /// What it runs.
    pub program: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = pseudotape_human::printable(&self.program);
        write!(f, "process {} ({program})", self.process)
    }
}

/// Who holds the `flock` of the file with this device and number. `None` where nobody does any more, or where it can't
/// be told: by a process of another host or of another container, and on file systems that the list of locks names by
/// another device than `stat` does.
#[must_use]
pub fn of_lock((device, inode): (u64, u64)) -> Option<Holder> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let process = process(&locks, &format!("{major:02x}:{minor:02x}:{inode}"))?;
    Some(Holder {
        process,
        program: pseudotape_human::program_name(process)?,
    })
}

/// The process in a line such as `3: FLOCK  ADVISORY  WRITE 1234 fd:00:5678 0 EOF`. Those that wait have an arrow.
fn process(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (kind, process) = (words.next()?, words.nth(2)?);
        (kind == "FLOCK" && words.next()? == file).then(|| process.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_among_other_locks() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 fd:00:5678 0 EOF\n\
            2: FLOCK  ADVISORY  WRITE 12 fd:00:567 0 EOF\n\
            3: FLOCK  ADVISORY  WRITE 13 fd:00:5678 0 EOF\n\
            3: -> FLOCK  ADVISORY  WRITE 14 fd:00:5678 0 EOF\n";
        assert_eq!(process(locks, "fd:00:5678"), Some(13));
        assert_eq!(process(locks, "fd:01:5678"), None);
        assert_eq!(process("4: FLOCK\n5:\n\n", "fd:00:5678"), None);
    }
}
