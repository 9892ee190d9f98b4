//! Which callers' system calls can be looked up.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;

/// Whose system calls have a length that can be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The calls of every program in this pid namespace.
    Every,
    /// The calls of programs of the same user that have no more rights than this process.
    Equals,
    /// The calls of no program that matters.
    Nobody(Blind),
}

/// Why the length of no call can be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blind {
    /// The kernel has no `/proc/<pid>/syscall`.
    NotTold,
    /// `/proc` is not mounted, or is that of another pid namespace.
    OtherNamespace,
    /// The right to trace other tasks is missing.
    NoRight,
}

/// `CAP_SYS_PTRACE` in the sets of `/proc/<pid>/status`.
const SYS_PTRACE: u64 = 1 << 19;

/// The largest `ptrace_scope` of Yama at which the capability helps.
const SCOPE_CAPABLE: u32 = 2;

impl Reach {
    /// Looks at the `/proc` of the calling process, which has this number.
    #[must_use]
    pub fn find(proc: &Path, pid: u32) -> Self {
        if let Err(blind) = is_told(proc, pid) {
            return Reach::Nobody(blind);
        }
        // A kernel without Yama has no such file.
        let scope = fs::read_to_string(proc.join("sys/kernel/yama/ptrace_scope"))
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0);
        let own = fs::read_to_string(proc.join("self/status")).unwrap_or_default();
        let capable = effective(&own) & SYS_PTRACE != 0;
        match scope {
            _ if scope > SCOPE_CAPABLE => Reach::Nobody(Blind::NoRight),
            // The capability of a user namespace does not reach those outside, and a security module may say no.
            _ if capable && (pid == 1 || reads_another(proc, &own)) => Reach::Every,
            _ if capable || scope == 0 => Reach::Equals,
            _ => Reach::Nobody(Blind::NoRight),
        }
    }

    /// As [`Reach::find`], for the calling process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Reach::find(Path::new("/proc"), std::process::id())
    }

    /// Whether this reach is enough for a daemon of this user: the mount of an ordinary user is for the user's own
    /// programs alone.
    #[must_use]
    pub fn suffices(self, uid: u32) -> bool {
        match self {
            Reach::Every => true,
            Reach::Equals => uid != 0,
            Reach::Nobody(_) => false,
        }
    }

    /// What to do where the reach does not suffice.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Reach::Every => "nothing",
            Reach::Equals | Reach::Nobody(Blind::NoRight) => {
                "give the daemon CAP_SYS_PTRACE (in a container: --cap-add SYS_PTRACE), and see that \
                 kernel.yama.ptrace_scope is below 3"
            }
            Reach::Nobody(Blind::NotTold) => "use a kernel that has /proc/PID/syscall",
            Reach::Nobody(Blind::OtherNamespace) => {
                "mount the /proc of the daemon's own pid namespace"
            }
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reach::Every => "can be learned of every program",
            Reach::Equals => {
                "can be learned only of programs of the same user that have no more rights"
            }
            Reach::Nobody(Blind::NotTold) => {
                "can't be learned: this kernel has no /proc/PID/syscall"
            }
            Reach::Nobody(Blind::OtherNamespace) => {
                "can't be learned: /proc is not mounted, or is that of another pid namespace"
            }
            Reach::Nobody(Blind::NoRight) => {
                "can't be learned: the right to trace other programs is missing"
            }
        })
    }
}

/// Whether this `/proc` tells system calls of tasks by the numbers that the kernel tells us.
pub(super) fn is_told(proc: &Path, pid: u32) -> Result<(), Blind> {
    let own = fs::read_link(proc.join("self"));
    if own.map_or(true, |own| own != Path::new(&pid.to_string())) {
        return Err(Blind::OtherNamespace);
    }
    File::open(proc.join("self/syscall")).map_or(Err(Blind::NotTold), |_| Ok(()))
}

/// Whether the first process or the parent can be asked; true where there are none.
fn reads_another(proc: &Path, own: &str) -> bool {
    let parent = own
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))
        .map_or("0", str::trim);
    let reads = |pid: &str| fs::read(proc.join(pid).join("syscall")).is_ok();
    parent == "0" || reads(parent) || reads("1")
}

/// The capabilities in effect, by the text of `/proc/<pid>/status`; none where it does not say.
fn effective(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .unwrap_or(0)
}
