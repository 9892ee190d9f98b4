//! "Can I have a drive, and which?": for this user, here and now.

use std::io;

use super::{Check, Machine};

/// The name of the answer, and of what it comes from.
pub(crate) const NAMES: [&str; 4] = [ANSWER, CUSE, FUSE, MOUNT];
const ANSWER: &str = "a drive";
const CUSE: &str = "/dev/cuse";
const FUSE: &str = "/dev/fuse";
const MOUNT: &str = "fuse mount";
const SCSI: &str = "SCSI devices";
/// capabilities(7): whoever has it mounts.
const CAP_SYS_ADMIN: u32 = 21;

/// The answer, and what it comes from: /dev/cuse, /dev/fuse, and the right to mount. One way is needed.
pub(crate) fn ways(machine: &Machine) -> Vec<Check> {
    let [cuse, fuse, mount] = [cuse(machine), fuse(machine), fuse_mount(machine)];
    let files = fuse.ok && mount.ok;
    let answer = answer(machine, cuse.ok, files, fuse.ok);
    let one_works = answer.ok;
    [answer, cuse, fuse, mount]
        .into_iter()
        .map(|check| if one_works { check } else { check.needed() })
        .collect()
}

fn answer(machine: &Machine, devices: bool, files: bool, fuse_opens: bool) -> Check {
    let own = match machine.is_root_user() {
        true => "",
        false => ", for programs of this user",
    };
    match (devices, files) {
        (true, true) => Check::ok(
            ANSWER,
            "yes: character devices (CUSE), or files in a directory (pseudotape-dev --fuse DIR)",
        ),
        (true, false) => Check::ok(ANSWER, "yes: character devices (pseudotape-dev --cuse)"),
        (false, true) => Check::ok(
            ANSWER,
            format!("yes: files in a directory (pseudotape-dev --fuse DIR){own}"),
        ),
        (false, false) => Check::missing(
            ANSWER,
            "no: this user can have neither character devices (CUSE) nor files in a directory (FUSE)",
            match fuse_opens && !machine.is_root_user() && has_user_namespaces(machine) {
                true => {
                    "one of the ways below; or 'unshare -Urm': in the shell that it starts, pseudotape-dev --fuse DIR \
                     serves the programs that are started there"
                }
                false => "one of the ways below",
            },
        ),
    }
}

/// Whether drives can be character devices.
pub(crate) fn cuse(machine: &Machine) -> Check {
    match machine.open_device(CUSE) {
        Ok(_) if machine.is_root_user() => {
            Check::ok(CUSE, "opens: drives can be character devices, /dev/pmtm0 …")
        }
        Ok(_) => Check::missing(
            CUSE,
            "opens, but only root can give the nodes in /dev to anybody",
            "start pseudotape-dev as root, or use its option --fuse DIR",
        ),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Check::missing(
            CUSE,
            "is there, but not for this user",
            "start pseudotape-dev as root, or use its option --fuse DIR",
        ),
        // Without the module a node that udev made is there all the same, and opening it says ENODEV.
        Err(_) if kernel_has(machine, "cuse") => Check::missing(
            CUSE,
            "is missing; the kernel has its module",
            "as root: modprobe cuse (and a line 'cuse' in /etc/modules-load.d/pseudotape.conf)",
        ),
        Err(error) => Check::missing(
            CUSE,
            format!("does not open ({error}), and no module cuse is installed for this kernel"),
            "use the option --fuse DIR of pseudotape-dev, or a kernel with CONFIG_CUSE",
        ),
    }
}

fn fuse(machine: &Machine) -> Check {
    match machine.open_device(FUSE) {
        Ok(_) => Check::ok(
            FUSE,
            "opens: whoever may mount can have drives as files in a directory (--fuse DIR)",
        ),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Check::missing(
            FUSE,
            "is there, but not for this user",
            "start pseudotape-dev as root, or let the administrator set its mode to 0666",
        ),
        Err(_) if kernel_has(machine, "fuse") => Check::missing(
            FUSE,
            "is missing; the kernel has its module",
            "as root: modprobe fuse",
        ),
        Err(error) => Check::missing(
            FUSE,
            format!("does not open ({error}), and no module fuse is installed for this kernel"),
            "in a container: give it the device (--device /dev/fuse); else a kernel with CONFIG_FUSE_FS",
        ),
    }
}

/// Whether drives can be SCSI devices of this machine (`pseudotape-scsi --local`), of other hosts and of guests.
pub(crate) fn scsi(machine: &Machine) -> Check {
    const MODULES: [&str; 3] = ["target_core_user", "tcm_loop", "st"];
    const OTHERS: [(&str, &str); 2] = [("iscsi_target_mod", "--iscsi"), ("vhost_scsi", "--vhost")];
    let has = |module: &str| machine.has_module(module) || kernel_has(machine, module);
    let missing: Vec<&str> = MODULES.into_iter().filter(|module| !has(module)).collect();
    if !missing.is_empty() {
        return Check::missing(
            SCSI,
            format!("no: this kernel lacks {}", missing.join(", ")),
            "nothing, where character devices or files do; else a kernel with these modules, such as Debian's own",
        );
    }
    match machine.is_root_user() {
        true => {
            let others = OTHERS.map(|(module, option)| match has(module) {
                true => format!("; {option} too"),
                false => format!("; not {option}, without the module {module}"),
            });
            Check::ok(
                SCSI,
                format!(
                    "yes: /dev/nst0 of the kernel's own st (pseudotape-scsi --local){}",
                    others.concat()
                ),
            )
        }
        false => Check::missing(
            SCSI,
            "the kernel can do it, but not for this user",
            "start pseudotape-scsi --local as root, where a program wants /dev/nst0 or /dev/sg0",
        ),
    }
}

/// Whether the running kernel's modules, or what is built into it, name this one.
fn kernel_has(machine: &Machine, module: &str) -> bool {
    let Ok(release) = machine.kernel_release() else {
        return false;
    };
    let file = format!("/{module}.ko");
    ["modules.dep", "modules.builtin"].iter().any(|list| {
        machine
            .text(&format!("/lib/modules/{release}/{list}"))
            .is_ok_and(|text| {
                text.lines()
                    .any(|line| line.split(':').next().unwrap_or(line).contains(&file))
            })
    })
}

/// Who may mount does so; for others a helper does, which root made setuid.
fn fuse_mount(machine: &Machine) -> Check {
    let may = |set: &str| may_mount(machine, set);
    if may("CapEff").unwrap_or(machine.is_root_user()) {
        return Check::ok(MOUNT, "this user mounts without a helper");
    }
    if may("CapBnd") == Some(false) {
        return Check::missing(
            MOUNT,
            "no program that is started here can mount: the capability CAP_SYS_ADMIN is not to be had",
            "in a container: give it the capability (--cap-add SYS_ADMIN), or run pseudotape-dev outside of it",
        );
    }
    let Some(helper) = machine.mount_helper() else {
        return Check::missing(
            MOUNT,
            "fusermount3 is missing: only root can use --fuse DIR",
            "as root: apt-get install fuse3",
        );
    };
    let shown = helper.display();
    if !machine.is_setuid(&helper) {
        return Check::missing(
            MOUNT,
            format!("{shown} is there, but has no rights of its own: it can't mount for users"),
            format!("as root: chmod 4755 {shown}, or dpkg-reconfigure fuse3"),
        );
    }
    if machine.status("NoNewPrivs").is_some_and(|flag| flag != "0") {
        return Check::missing(
            MOUNT,
            format!("{shown} can't mount here: programs that are started here get no new rights"),
            "start pseudotape-dev from a session without no_new_privs (systemd: NoNewPrivileges=no)",
        );
    }
    Check::ok(MOUNT, format!("{shown} mounts for users"))
}

/// Whether a set of capabilities of this process has the right to mount; `None` where that can't be read.
fn may_mount(machine: &Machine, set: &str) -> Option<bool> {
    let bits = u64::from_str_radix(&machine.status(set)?, 16).ok()?;
    Some(bits >> CAP_SYS_ADMIN & 1 == 1)
}

/// Whether an ordinary user can be root of a user namespace of his own, who may mount there.
fn has_user_namespaces(machine: &Machine) -> bool {
    let number = |path: &str| machine.text(path).ok()?.trim().parse::<u64>().ok();
    let most = number("/proc/sys/user/max_user_namespaces").unwrap_or(0);
    // Of Debian, and of Ubuntu.
    let allowed = number("/proc/sys/kernel/unprivileged_userns_clone").unwrap_or(1);
    let restricted = number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").unwrap_or(0);
    most > 0 && allowed != 0 && restricted == 0
}
