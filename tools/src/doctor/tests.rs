use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

/// What an ordinary user has less than root, on any machine.
const OF_USERS: [&str; 3] = ["/dev/cuse", "SCSI devices", "a fuse node"];

/// A machine made of files, on which nothing is missing.
fn whole_machine(root: &Path) {
    for (path, text) in [
        ("dev/cuse", ""),
        ("dev/fuse", ""),
        ("etc/group", "root:x:0:\ntape:x:26:\n"),
        ("proc/sys/kernel/osrelease", "6.1.0-49-amd64\n"),
        (
            "proc/meminfo",
            "MemTotal: 9 kB\nMemAvailable:   1048576 kB\n",
        ),
        (
            "proc/4711/status",
            "Gid:\t1000\t1000\t1000\t1000\nGroups:\t24 26 \nPPid:\t1\nCapEff:\t000001ffffffffff\n",
        ),
        ("proc/4711/syscall", "running\n"),
        ("proc/1/syscall", "232 0x4\n"),
        (
            "lib/modules/6.1.0-49-amd64/modules.dep",
            "kernel/fs/fuse/cuse.ko: kernel/fs/fuse/fuse.ko\n",
        ),
        ("sys/module/target_core_user/refcnt", "0\n"),
        ("sys/module/tcm_loop/refcnt", "0\n"),
        ("sys/module/st/refcnt", "0\n"),
        ("sys/module/iscsi_target_mod/refcnt", "0\n"),
        ("sys/module/fuse/parameters/enable_uring", "Y\n"),
        ("usr/bin/tar", ""),
        ("usr/bin/mt", ""),
        ("usr/bin/cpio", ""),
        ("usr/bin/fusermount3", ""),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let helper = root.join("usr/bin/fusermount3");
    fs::set_permissions(helper, fs::Permissions::from_mode(0o4755)).unwrap();
    std::os::unix::fs::symlink("4711", root.join("proc/self")).unwrap();
}

fn lacking(root: &Path, uid: u32) -> (bool, Vec<&'static str>) {
    let diagnosis = diagnose(machine_checks(&Machine::under(root.to_owned(), uid)));
    let names = diagnosis.checks.iter().filter(|check| !check.ok);
    let mut names: Vec<_> = names.map(|check| check.name).collect();
    names.dedup();
    (diagnosis.ok, names)
}

#[test]
fn on_a_whole_machine_everything_is_ok() {
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    assert_eq!(lacking(root.path(), 1000), (true, OF_USERS.to_vec()));
    assert_eq!(lacking(root.path(), 0), (true, vec![]));
}

#[test]
fn one_of_cuse_and_fuse_is_enough_and_none_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    fs::remove_file(root.path().join("dev/cuse")).unwrap();
    let limits = vec!["/dev/cuse", "a fuse node"];
    assert_eq!(lacking(root.path(), 0), (true, limits));
    fs::remove_file(root.path().join("dev/fuse")).unwrap();
    assert_eq!(
        lacking(root.path(), 0),
        (false, vec!["a drive", "/dev/cuse", "/dev/fuse"])
    );
}

/// An ordinary user's status, with one line more.
fn status_of_user(line: &str) -> String {
    format!("Gid:\t26\nPPid:\t1\nCapEff:\t0000000000000000\n{line}\n")
}

#[test]
fn who_can_mount_can_have_a_drive_and_nobody_else() {
    let bounded = "CapBnd:\t000001ffffdfffff";
    let rooted = format!("CapEff:\t000001ffffdfffff\n{bounded}\n");
    let (user, free) = (status_of_user(""), status_of_user("NoNewPrivs:\t0"));
    let (kept, caught) = (status_of_user("NoNewPrivs:\t1"), status_of_user(bounded));
    let whole = Some(0o4755);
    for (uid, status, helper, words) in [
        (0, None, None, None),
        (1000, None, whole, None),
        (1000, Some(&user), whole, None),
        (1000, Some(&free), whole, None),
        (1000, Some(&user), None, Some("fusermount3 is missing")),
        (1000, Some(&user), Some(0o755), Some("no rights of its own")),
        (1000, Some(&kept), whole, Some("get no new rights")),
        (
            1000,
            Some(&caught),
            whole,
            Some("CAP_SYS_ADMIN is not to be had"),
        ),
        (
            0,
            Some(&rooted),
            whole,
            Some("CAP_SYS_ADMIN is not to be had"),
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        whole_machine(root.path());
        if uid == 0 {
            fs::remove_file(root.path().join("dev/cuse")).unwrap();
        }
        if let Some(status) = status {
            fs::write(root.path().join("proc/4711/status"), status).unwrap();
        }
        let program = root.path().join("usr/bin/fusermount3");
        match helper {
            Some(mode) => fs::set_permissions(program, fs::Permissions::from_mode(mode)).unwrap(),
            None => fs::remove_file(program).unwrap(),
        }
        let diagnosis = diagnose(machine_checks(&Machine::under(root.path().to_owned(), uid)));
        let check = |name| {
            diagnosis
                .checks
                .iter()
                .find(|check| check.name == name)
                .unwrap()
        };
        let (drive, mount) = (check("a drive"), check("fuse mount"));
        assert_eq!(diagnosis.ok, words.is_none(), "{diagnosis:?}");
        assert_eq!(drive.ok, words.is_none(), "{drive:?}");
        assert!(mount.found.contains(words.unwrap_or("mounts")), "{mount:?}");
        let start = if words.is_none() {
            "yes: files"
        } else {
            "no: "
        };
        assert!(drive.found.starts_with(start), "{drive:?}");
    }
}

#[test]
fn a_user_namespace_is_a_way_out_where_the_host_has_them() {
    let limits = |root: &Path, path: &str, text: &str| {
        let path = root.join("proc/sys").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (changes, expected) in [
        (vec![], false),
        (vec![("user/max_user_namespaces", "0\n")], false),
        (vec![("user/max_user_namespaces", "96364\n")], true),
        (
            vec![
                ("user/max_user_namespaces", "96364\n"),
                ("kernel/unprivileged_userns_clone", "0\n"),
            ],
            false,
        ),
        (
            vec![
                ("user/max_user_namespaces", "96364\n"),
                ("kernel/apparmor_restrict_unprivileged_userns", "1\n"),
            ],
            false,
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        whole_machine(root.path());
        fs::write(root.path().join("proc/4711/status"), status_of_user("")).unwrap();
        fs::remove_file(root.path().join("usr/bin/fusermount3")).unwrap();
        for (path, text) in &changes {
            limits(root.path(), path, text);
        }
        let checks = machine_checks(&Machine::under(root.path().to_owned(), 1000));
        let drive = checks.into_iter().find(|check| check.name == "a drive");
        let drive = drive.unwrap();
        let advice = drive.advice.as_deref().unwrap_or_default();
        assert!(drive.is_lacking(), "{drive:?}");
        assert_eq!(
            advice.contains("unshare -Urm"),
            expected,
            "{changes:?}: {drive:?}"
        );
    }
}

#[test]
fn a_missing_cuse_is_told_by_modprobe_only_where_the_module_is() {
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    fs::remove_file(root.path().join("dev/cuse")).unwrap();
    let advice = || {
        let checks = machine_checks(&Machine::under(root.path().to_owned(), 0));
        let cuse = checks.into_iter().find(|check| check.name == "/dev/cuse");
        cuse.unwrap().advice.unwrap()
    };
    assert!(advice().contains("modprobe cuse"), "{}", advice());
    fs::remove_file(root.path().join("lib/modules/6.1.0-49-amd64/modules.dep")).unwrap();
    assert!(!advice().contains("modprobe"), "{}", advice());
    assert!(advice().contains("--fuse DIR"), "{}", advice());
}

#[test]
fn what_is_optional_is_noted_and_does_not_fail() {
    for (gone, name) in [
        ("usr/bin/tar", "tar"),
        ("usr/bin/mt", "mt"),
        ("usr/bin/cpio", "cpio"),
        ("etc/group", "group tape"),
        ("proc/4711/status", "group tape"),
        ("proc/meminfo", "memory"),
        ("proc/4711/syscall", "call lengths"),
        ("proc/sys/kernel/osrelease", "kernel"),
    ] {
        let root = tempfile::tempdir().unwrap();
        whole_machine(root.path());
        fs::remove_file(root.path().join(gone)).unwrap();
        let (ok, mut names) = lacking(root.path(), 1000);
        names.retain(|name| !OF_USERS.contains(name));
        assert_eq!((ok, names), (true, vec![name]), "without {gone}");
    }
}

#[test]
fn whether_call_lengths_can_be_learned_is_told_by_rights_and_kernel() {
    let with = |changes: &[(&str, &str)]| {
        let root = tempfile::tempdir().unwrap();
        whole_machine(root.path());
        fs::create_dir_all(root.path().join("proc/sys/kernel/yama")).unwrap();
        for (path, text) in changes {
            let path = root.path().join("proc").join(path);
            fs::remove_file(&path).ok();
            if !text.is_empty() {
                fs::write(path, text).unwrap();
            }
        }
        let machine = |uid| Machine::under(root.path().to_owned(), uid);
        [0, 1000].map(|uid| checks::call_lengths(&machine(uid)))
    };
    let status = |capabilities: u64| format!("Gid:\t26\nPPid:\t1\nCapEff:\t{capabilities:016x}\n");
    let plain = status(0);
    let no_trace = status(0x1ff_fff7_ffff);
    let scope = "sys/kernel/yama/ptrace_scope";
    for (changes, expected) in [
        (vec![(scope, "0\n")], [true, true]),
        (vec![(scope, "2\n")], [true, true]),
        (vec![(scope, "3\n")], [false, false]),
        // Capable in a user namespace only.
        (vec![("1/syscall", "")], [false, true]),
        // An ordinary user may ask his own programs, unless Yama says no; root without the capability has callers
        // that have more rights.
        (vec![("4711/status", plain.as_str())], [false, true]),
        (vec![("4711/status", no_trace.as_str())], [false, true]),
        (
            vec![("4711/status", &plain), (scope, "1\n")],
            [false, false],
        ),
    ] {
        let checks = with(&changes);
        assert_eq!(
            checks.clone().map(|check| check.ok),
            expected,
            "{changes:?}"
        );
        for check in checks.iter().filter(|check| !check.ok) {
            assert!(check.found.contains("fails with EIO"), "{check:?}");
            let advice = check.advice.as_deref().unwrap_or_default();
            assert!(advice.contains("CAP_SYS_PTRACE"), "{check:?}");
            assert!(!check.is_lacking(), "it is a note");
        }
    }
    // The /proc of another pid namespace names other tasks by our numbers.
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    let own = root.path().join("proc/self");
    fs::remove_file(&own).unwrap();
    std::os::unix::fs::symlink("1", own).unwrap();
    let check = checks::call_lengths(&Machine::under(root.path().to_owned(), 0));
    assert!(check.found.contains("another pid namespace"), "{check:?}");
}

#[test]
fn scsi_devices_need_root_and_three_modules() {
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    let told = |uid| drive::scsi(&Machine::under(root.path().to_owned(), uid));
    assert!(told(0).ok && told(0).found.contains("pseudotape-scsi --local"));
    let others = "; --iscsi too; not --vhost, without the module vhost_scsi";
    assert!(told(0).found.ends_with(others), "{:?}", told(0));
    assert!(!told(1000).ok && told(1000).advice.unwrap().contains("as root"));
    for module in ["tcm_loop", "st"] {
        fs::remove_dir_all(root.path().join("sys/module").join(module)).unwrap();
    }
    assert!(
        told(0).found.contains("lacks tcm_loop, st"),
        "{:?}",
        told(0)
    );
    // One that can be loaded is as good as one that is.
    fs::write(
        root.path().join("lib/modules/6.1.0-49-amd64/modules.dep"),
        "kernel/drivers/target/loopback/tcm_loop.ko: a.ko\nkernel/drivers/scsi/st.ko.xz: b.ko.xz\n",
    )
    .unwrap();
    assert!(told(0).ok, "{:?}", told(0));
}

#[test]
fn too_little_memory_is_an_error_and_an_old_kernel_a_note() {
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    fs::write(root.path().join("proc/meminfo"), "MemAvailable: 65535 kB\n").unwrap();
    assert_eq!(lacking(root.path(), 0), (false, vec!["memory"]));
    fs::write(root.path().join("proc/meminfo"), "MemAvailable: 65536 kB\n").unwrap();
    for (release, expected) in [
        ("6.0.9", vec!["kernel"]),
        ("5.15.0-1-generic", vec!["kernel"]),
        ("strange", vec!["kernel"]),
        ("6.1", vec![]),
        ("10.0-rc1", vec![]),
    ] {
        fs::write(root.path().join("proc/sys/kernel/osrelease"), release).unwrap();
        assert_eq!(lacking(root.path(), 0), (true, expected), "{release}");
    }
}

#[test]
fn the_directory_for_images_has_to_be_there() {
    let directory = tempfile::tempdir().unwrap();
    assert!(!checks::images(directory.path()).is_lacking());
    let check = checks::images(&directory.path().join("none"));
    assert!(check.is_lacking());
    assert!(
        check.found.ends_with("none is no directory"),
        "{}",
        check.found
    );
}

/// CW-80: what is on is said, here and in the daemon; by default nothing is.
#[test]
fn switches_for_tests_are_off_and_shown_when_they_are_on() {
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    let machine = Machine::under(root.path().to_owned(), 0);
    let process = root.path().join("proc/77");
    fs::create_dir_all(&process).unwrap();
    fs::write(process.join("environ"), "PATH=/bin\0RUST_LOG=\0").unwrap();
    let mut told = switches::Told {
        pid: 77,
        faults: vec![(3, Vec::new())],
    };
    for log in [None, Some("")] {
        let check = switches::check(&machine, log, Some(&told));
        assert!(check.ok, "{check:?}");
        assert!(switches::check(&machine, log, None).ok);
    }
    fs::write(process.join("environ"), "PATH=/bin\0RUST_LOG=debug\0").unwrap();
    let fault = |number, over| pseudotape_control::FaultStatus {
        number,
        fault: format!("read-error,at={number}"),
        met: 0,
        over,
        seconds_left: None,
    };
    told.faults = vec![(3, vec![fault(1, false), fault(2, true)])];
    let check = switches::check(&machine, Some("trace"), Some(&told));
    assert!(!check.ok && check.need == Need::Optional);
    let words = "RUST_LOG=trace here; RUST_LOG=debug of the daemon; drive 3: read-error,at=1";
    assert!(check.found.ends_with(words), "{}", check.found);
}

#[test]
fn each_line_says_ok_or_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    for gone in ["dev/cuse", "dev/fuse", "usr/bin/tar"] {
        fs::remove_file(root.path().join(gone)).unwrap();
    }
    let diagnosis = diagnose(machine_checks(&Machine::under(root.path().to_owned(), 0)));
    for check in &diagnosis.checks {
        assert_eq!(check.ok, check.advice.is_none(), "{check:?}");
    }
    let text = diagnosis.text(&Screen::plain());
    assert!(text.contains("MISSING /dev/fuse"), "{text}");
    assert!(text.contains("note    tar"), "{text}");
    assert!(text.contains("-> as root: apt-get install tar"), "{text}");
    assert!(text.ends_with("see the lines with MISSING\n"), "{text}");
}

#[test]
fn the_faster_way_for_calls_is_named_where_there_is_one() {
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    let check = || checks::file_calls(&Machine::under(root.path().to_owned(), 0));
    assert!(check().ok);
    let switch = root.path().join("sys/module/fuse/parameters/enable_uring");
    fs::write(&switch, "N\n").unwrap();
    let off = check();
    assert!(!off.ok && off.need == Need::Optional);
    assert!(off.advice.unwrap().contains("enable_uring"));
    fs::remove_file(&switch).unwrap();
    assert!(check().ok, "an older kernel, on no virtual machine");
    let poll = root
        .path()
        .join("sys/module/haltpoll/parameters/guest_halt_poll_ns");
    fs::create_dir_all(poll.parent().unwrap()).unwrap();
    fs::write(&poll, "0\n").unwrap();
    assert!(check().advice.unwrap().contains("guest_halt_poll_ns"));
    fs::write(&poll, "200000\n").unwrap();
    assert!(check().ok);
}
