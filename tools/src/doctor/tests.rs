use std::fs;
use std::path::Path;

use super::*;

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
            "proc/self/status",
            "Gid:\t1000\t1000\t1000\t1000\nGroups:\t24 26 \n",
        ),
        (
            "lib/modules/6.1.0-49-amd64/modules.dep",
            "kernel/fs/fuse/cuse.ko: kernel/fs/fuse/fuse.ko\n",
        ),
        ("usr/bin/tar", ""),
        ("usr/bin/mt", ""),
        ("usr/bin/cpio", ""),
        ("usr/bin/fusermount3", ""),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn lacking(root: &Path, uid: u32) -> (bool, Vec<&'static str>) {
    let diagnosis = diagnose(machine_checks(&Machine::under(root.to_owned(), uid)));
    let names = diagnosis.checks.iter().filter(|check| !check.ok);
    (diagnosis.ok, names.map(|check| check.name).collect())
}

#[test]
fn on_a_whole_machine_everything_is_ok() {
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    assert_eq!(lacking(root.path(), 1000), (true, vec![]));
    assert_eq!(lacking(root.path(), 0), (true, vec![]));
}

#[test]
fn one_of_cuse_and_fuse_is_enough_and_none_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    whole_machine(root.path());
    fs::remove_file(root.path().join("dev/cuse")).unwrap();
    assert_eq!(lacking(root.path(), 0), (true, vec!["/dev/cuse"]));
    fs::remove_file(root.path().join("dev/fuse")).unwrap();
    assert_eq!(
        lacking(root.path(), 0),
        (false, vec!["/dev/cuse", "/dev/fuse"])
    );
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
        ("usr/bin/fusermount3", "fuse mount"),
        ("etc/group", "group tape"),
        ("proc/self/status", "group tape"),
        ("proc/meminfo", "memory"),
        ("proc/sys/kernel/osrelease", "kernel"),
    ] {
        let root = tempfile::tempdir().unwrap();
        whole_machine(root.path());
        fs::remove_file(root.path().join(gone)).unwrap();
        assert_eq!(
            lacking(root.path(), 1000),
            (true, vec![name]),
            "without {gone}"
        );
    }
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
