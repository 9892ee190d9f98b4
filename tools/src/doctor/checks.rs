use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};
use pseudotape_control::{FILE_NODE_LIMITS, Status};
use pseudotape_human::{HumanBytes, counted, explain, printable};

use super::{Check, Machine, drive};
use crate::farm::health::Health;

/// The oldest kernel that pseudotape is tested on.
const TESTED_KERNEL: (u32, u32) = (6, 1);
/// What a daemon with one drive and the largest blocks takes.
const NEEDED_MEMORY: u64 = 64 << 20;
/// Below this much room an image soon meets the end of the host's disk.
const LITTLE_ROOM: u64 = 1 << 30;

pub(crate) fn kernel(machine: &Machine) -> Check {
    let (major, minor) = TESTED_KERNEL;
    let release = match machine.kernel_release() {
        Ok(release) => release,
        Err(error) => {
            return Check::missing(
                "kernel",
                format!("its version can't be read: {error}"),
                "mount /proc",
            );
        }
    };
    let mut numbers = release.split(['.', '-']).map(|n| n.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(a), Some(b)) if (a, b) >= TESTED_KERNEL => Check::ok("kernel", release),
        _ => Check::missing(
            "kernel",
            format!("{release}: pseudotape is tested from Linux {major}.{minor} on"),
            "use a newer kernel if something does not work",
        ),
    }
}

/// What files of a mount are not, where there will be nothing else.
pub(crate) fn file_nodes(machine: &Machine) -> Vec<Check> {
    if drive::cuse(machine).ok || machine.open_device("/dev/fuse").is_err() {
        return Vec::new();
    }
    FILE_NODE_LIMITS
        .iter()
        .map(|limit| {
            let found = format!("{} {}", limit.program, limit.what);
            Check::missing("a fuse node", found, format!("use {}", limit.instead))
        })
        .collect()
}

/// How the calls of files of a mount come, where there may be a faster way.
pub(crate) fn file_calls(machine: &Machine) -> Check {
    const NAME: &str = "calls of --fuse";
    const URING: &str = "/sys/module/fuse/parameters/enable_uring";
    const HALT_POLL: &str = "/sys/module/haltpoll/parameters/guest_halt_poll_ns";
    match machine.text(URING).as_deref().map(str::trim) {
        Ok("Y" | "1") => return Check::ok(NAME, "come over io_uring"),
        Ok(_) => {
            return Check::missing(
                NAME,
                "come through /dev/fuse; this kernel can bring them over io_uring, which wakes no other processor for \
                 each record",
                format!(
                    "as root: echo 1 > {URING} (and a line 'options fuse enable_uring=1' in /etc/modprobe.d/fuse.conf)"
                ),
            );
        }
        Err(_) => {}
    }
    match machine.text(HALT_POLL).as_deref().map(str::trim) {
        Ok("0") => Check::missing(
            NAME,
            "come through /dev/fuse (io_uring needs Linux 6.14), and an idle processor of this virtual machine stops at \
             once: to wake it for each record takes longer than the record",
            format!("as root: echo 200000 > {HALT_POLL}, which costs the host some processor time"),
        ),
        _ => Check::ok(NAME, "come through /dev/fuse (io_uring needs Linux 6.14)"),
    }
}

pub(crate) fn tape_group(machine: &Machine) -> Check {
    const NAME: &str = "group tape";
    let Some(group) = tape_group_id(machine) else {
        return Check::missing(
            NAME,
            "there is none: the drives will belong to the daemon's own group",
            "as root: groupadd --system tape",
        );
    };
    if machine.is_root_user() || own_groups(machine).contains(&group) {
        return Check::ok(NAME, "is there, and this user may use drives of it");
    }
    Check::missing(
        NAME,
        "is there, but this user is not in it: drives of root's daemon can't be opened",
        "as root: usermod -aG tape USER, then log in again",
    )
}

/// Whether a daemon that is started as this is can learn how long the read or write is of which the kernel shows it
/// pieces.
pub(crate) fn call_lengths(machine: &Machine) -> Check {
    const NAME: &str = "call lengths";
    let reach = machine.reach();
    if reach.suffices(machine.uid()) {
        return Check::ok(NAME, format!("the length of a read or write {reach}"));
    }
    Check::missing(
        NAME,
        format!(
            "the length of a read or write {reach}: a read of 128 KiB or more (--fuse: 1 MiB) that is shorter than \
             its block gets no ENOMEM, the call after it fails with EIO"
        ),
        reach.advice(),
    )
}

fn tape_group_id(machine: &Machine) -> Option<u32> {
    let groups = machine.text("/etc/group").ok()?;
    let line = groups.lines().find(|line| line.starts_with("tape:"))?;
    line.split(':').nth(2)?.parse().ok()
}

fn own_groups(machine: &Machine) -> Vec<u32> {
    let status = machine.text("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .filter_map(|line| {
            line.strip_prefix("Groups:")
                .or_else(|| line.strip_prefix("Gid:"))
        })
        .flat_map(str::split_whitespace)
        .filter_map(|group| group.parse().ok())
        .collect()
}

pub(crate) fn memory(machine: &Machine) -> Check {
    const NAME: &str = "memory";
    let available = machine
        .number_of("/proc/meminfo", "MemAvailable")
        .and_then(|kib| kib.checked_mul(1024));
    match available {
        None => Check::missing(
            NAME,
            "/proc/meminfo does not say how much is free",
            "mount /proc",
        ),
        Some(bytes) if bytes >= NEEDED_MEMORY => {
            Check::ok(NAME, format!("{} available", HumanBytes(bytes)))
        }
        Some(bytes) => Check::missing(
            NAME,
            format!("only {} available", HumanBytes(bytes)),
            format!(
                "a drive takes up to {}: free some",
                HumanBytes(NEEDED_MEMORY)
            ),
        )
        .needed(),
    }
}

/// The programs that people use with a tape; pseudotape itself needs none of them.
pub(crate) fn programs(machine: &Machine) -> Vec<Check> {
    const PROGRAMS: &[(&str, &[&str], &str)] = &[
        ("tar", &["tar"], "tar"),
        ("mt", &["mt-st", "mt", "mt-gnu"], "mt-st"),
        ("cpio", &["cpio"], "cpio"),
    ];
    let check = |(name, names, package): &(&'static str, &[&str], &str)| {
        machine.program(names).map_or_else(
            || {
                Check::missing(
                    name,
                    "is not installed",
                    format!("as root: apt-get install {package}"),
                )
            },
            |program| Check::ok(name, program.display().to_string()),
        )
    };
    PROGRAMS.iter().map(check).collect()
}

/// The directory for images: it has to be writable, and should have room.
pub(crate) fn images(directory: &Path) -> Check {
    const NAME: &str = "images";
    let shown = directory.display();
    if !directory.is_dir() {
        return Check::missing(
            NAME,
            format!("{shown} is no directory"),
            "make it, or name another one: pseudotape doctor DIR",
        )
        .needed();
    }
    if let Err(error) = access(directory, AccessFlags::W_OK | AccessFlags::X_OK) {
        return Check::missing(
            NAME,
            format!("this user can't write in {shown}: {}", error.desc()),
            "name another directory: pseudotape doctor DIR",
        )
        .needed();
    }
    let room = match statvfs(directory) {
        Ok(host) => host.blocks_available().saturating_mul(host.fragment_size()),
        Err(error) => {
            return Check::missing(
                NAME,
                format!("the room in {shown} can't be told: {}", error.desc()),
                "name another directory: pseudotape doctor DIR",
            );
        }
    };
    let found = format!("{} free in {shown}", HumanBytes(room));
    if room >= LITTLE_ROOM {
        return Check::ok(NAME, found);
    }
    Check::missing(
        NAME,
        found,
        "free some, or keep images elsewhere: a full disk ends a tape early",
    )
}

/// The farm that this host uses, if it uses one: what is said has to be true.
pub(crate) fn farm(health: Health) -> Check {
    const NAME: &str = "farm";
    match health {
        Health::None => Check::ok(NAME, "none is used where nobody says --root"),
        Health::Well(found) => Check::ok(NAME, found),
        Health::Ill { found, advice } => Check::missing(NAME, found, advice).needed(),
    }
}

pub(crate) fn daemon(status: anyhow::Result<Status>) -> Check {
    const NAME: &str = "daemon";
    match status {
        Ok(status) => Check::ok(
            NAME,
            format!(
                "pseudotape-dev {} (pid {}) serves {} by {}",
                status.version,
                status.pid,
                counted(status.drives.len() as u64, "drive"),
                status.frontend
            ),
        ),
        Err(error) => Check::missing(
            NAME,
            printable(&explain(error.chain())),
            "start it: pseudotape-dev --drive IMAGE (or name its socket with --control)",
        ),
    }
}
