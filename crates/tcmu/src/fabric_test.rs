use super::*;
use crate::backstore::{Backstore, Settings};
use crate::configfs::fake::Fake;
use crate::iscsi::{Account, Chap};

const TARGET: &str = "/sys/kernel/config/target";
const SETTINGS: Settings = Settings {
    command_timeout_s: 900,
    data_mib: 8,
};
const GUEST: &str = "naa.5001405000000001";
const TAPES: &str = "iqn.2026-11.internal.pseudotape:tapes";
const HOST: &str = "iqn.2026-11.test.pseudotape:host";

fn account(user: &str) -> Account {
    Account {
        user: user.to_owned(),
        secret: format!("{user}-secret-123"),
    }
}

fn iscsi() -> Iscsi {
    Iscsi {
        name: TAPES.to_owned(),
        portal: "127.0.0.1:3260".parse().unwrap(),
        initiators: vec![HOST.to_owned()],
        chap: Some(Chap {
            initiator: account("host"),
            target: Some(account("tapes")),
        }),
    }
}

fn fabrics() -> [Fabric; 3] {
    [
        Fabric::Loopback,
        Fabric::Iscsi(iscsi()),
        Fabric::Vhost(GUEST.to_owned()),
    ]
}

/// A device with a host of its own.
fn pair(fabric: &Fabric, name: &str) -> (Backstore, Export) {
    let of_all = name.rsplit_once('-').unwrap().1.parse().unwrap();
    let (host, unit) = (name, 0);
    unit_of(fabric, name, Seat { host, unit, of_all })
}

fn unit_of(fabric: &Fabric, name: &str, seat: Seat<'_>) -> (Backstore, Export) {
    let target = Path::new(TARGET);
    (
        Backstore::new(target, name),
        fabric.export(target, name, seat),
    )
}

/// A library: its changer and two drives.
fn library(fabric: &Fabric) -> [(Backstore, Export); 3] {
    let host = "pseudotape-c0";
    let seats = [
        ("pseudotape-c0", 0, 16),
        ("pseudotape-0", 1, 0),
        ("pseudotape-1", 2, 1),
    ];
    seats.map(|(name, unit, of_all)| unit_of(fabric, name, Seat { host, unit, of_all }))
}

fn make(tree: &Fake, fabric: &Fabric, name: &str) -> Result<(), TreeError> {
    let (backstore, export) = pair(fabric, name);
    backstore.make(tree, SETTINGS)?;
    export.make(tree, &backstore.directory())?;
    fabric.open(tree, Path::new(TARGET))
}

/// As one that is to be removed is found: without its configuration, where it is whole; else by it.
fn remove(tree: &Fake, fabric: &Fabric, name: &str) -> Result<(), TreeError> {
    let (backstore, export) = pair(fabric, name);
    for found in exports_of(tree, Path::new(TARGET), name)? {
        found.remove(tree)?;
    }
    export.remove(tree)?;
    backstore.remove(tree)
}

#[test]
fn names_are_locally_assigned_and_stay() {
    assert_eq!(
        naa("pseudotape/pseudotape-0"),
        naa("pseudotape/pseudotape-0")
    );
    assert_ne!(
        naa("pseudotape/pseudotape-0"),
        naa("pseudotape/pseudotape-1")
    );
    let name = naa("");
    assert_eq!(name, "naa.3bf29ce484222325");
    assert_eq!(name.len(), "naa.".len() + 16);
}

#[test]
fn a_target_is_made_and_removed_and_those_of_others_stay() {
    for fabric in fabrics() {
        let tree = Fake::new();
        make(&tree, &fabric, "other-1").unwrap();
        let before = tree.made();
        make(&tree, &fabric, "pseudotape-0").unwrap();
        let (_, export) = pair(&fabric, "pseudotape-0");
        assert!(export.is_there(&tree));
        let found = exports_of(&tree, Path::new(TARGET), "pseudotape-0").unwrap();
        assert_eq!(found, std::slice::from_ref(&export));
        let address = export.address(&tree).unwrap();
        let of_this_machine = (fabric == Fabric::Loopback).then(|| "2:0:1:0".to_owned());
        assert_eq!(address, of_this_machine);
        // Made twice is made once.
        let whole = tree.made();
        make(&tree, &fabric, "pseudotape-0").unwrap();
        assert_eq!(tree.made(), whole);
        remove(&tree, &fabric, "pseudotape-0").unwrap();
        assert_eq!(tree.made(), before);
        assert!(!export.is_there(&tree));
        remove(&tree, &fabric, "other-1").unwrap();
        assert_eq!(tree.made(), [""; 0]);
    }
}

/// A process that is killed at any step, at the start or at the end, leaves what the next one goes on with or removes.
#[test]
fn what_is_left_at_any_step_is_made_whole_or_removed() {
    for fabric in fabrics() {
        let tree = Fake::new();
        make(&tree, &fabric, "pseudotape-0").unwrap();
        let steps = tree.log.take().len();
        remove(&tree, &fabric, "pseudotape-0").unwrap();
        let back = tree.log.take().len();
        assert!(steps > 12 && back > 6, "{steps} and {back}");
        let at_rest = || {
            tree.fail_after(usize::MAX);
            remove(&tree, &fabric, "pseudotape-0").unwrap();
            assert_eq!(tree.made(), [""; 0]);
        };
        for left in 0..steps {
            tree.fail_after(left);
            assert!(make(&tree, &fabric, "pseudotape-0").is_err(), "{left}");
            at_rest();
            tree.fail_after(left);
            assert!(make(&tree, &fabric, "pseudotape-0").is_err(), "{left}");
            tree.fail_after(usize::MAX);
            make(&tree, &fabric, "pseudotape-0").unwrap();
            at_rest();
        }
        for left in 0..back {
            make(&tree, &fabric, "pseudotape-0").unwrap();
            tree.fail_after(left);
            assert!(remove(&tree, &fabric, "pseudotape-0").is_err(), "{left}");
            tree.fail_after(usize::MAX);
            make(&tree, &fabric, "pseudotape-0").unwrap();
            at_rest();
        }
    }
}

/// Nobody finds an open port before the target knows whom to let in.
#[test]
fn an_iscsi_target_listens_when_it_knows_whom_to_let_in() {
    let tree = Fake::new();
    make(&tree, &Fabric::Iscsi(iscsi()), "pseudotape-0").unwrap();
    let log = tree.log.take();
    let group = format!("iscsi/{TAPES}/tpgt_1");
    let place = |step: &str| {
        let step = step.replace("GROUP", &group);
        let found = log.iter().position(|did| *did == step);
        found.unwrap_or_else(|| panic!("{step} is not in {log:#?}"))
    };
    let listens = place("make GROUP/np/127.0.0.1:3260");
    for before in [
        "set GROUP/attrib/authentication",
        "set GROUP/auth/password",
        "set GROUP/attrib/generate_node_acls",
        &format!("set GROUP/acls/{HOST}/auth/password_mutual"),
        &format!("link GROUP/acls/{HOST}/lun_0/lun_0"),
    ] {
        assert!(place(before) < listens, "{before}");
    }
    assert_eq!(place("set GROUP/enable"), log.len() - 1);
    let value = |short: &str| tree.value(&format!("{group}/{short}"));
    assert_eq!(value("attrib/authentication"), "1");
    assert_eq!(value("attrib/generate_node_acls"), "0");
    for directory in ["auth", &format!("acls/{HOST}/auth")] {
        assert_eq!(value(&format!("{directory}/userid")), "host");
        assert_eq!(value(&format!("{directory}/password")), "host-secret-123");
        assert_eq!(value(&format!("{directory}/userid_mutual")), "tapes");
    }
}

/// A daemon that is started again with other options has no more of the old ones.
#[test]
fn a_target_becomes_what_is_asked_for_now() {
    let tree = Fake::new();
    make(&tree, &Fabric::Iscsi(iscsi()), "pseudotape-0").unwrap();
    let open = Iscsi {
        portal: "[::1]:860".parse().unwrap(),
        initiators: Vec::new(),
        chap: None,
        ..iscsi()
    };
    make(&tree, &Fabric::Iscsi(open), "pseudotape-0").unwrap();
    let group = format!("iscsi/{TAPES}/tpgt_1");
    let made = tree.made();
    let inside = made.iter().filter_map(|path| path.strip_prefix(&group));
    let expected = ["", "/lun/lun_0", "/lun/lun_0/pseudotape-0", "/np/[::1]:860"];
    assert_eq!(inside.collect::<Vec<_>>(), expected);
    let value = |short: &str| tree.value(&format!("{group}/{short}"));
    assert_eq!(value("attrib/authentication"), "0");
    assert_eq!(value("attrib/generate_node_acls"), "1");
    assert_eq!(value("attrib/demo_mode_write_protect"), "0");
    assert_eq!(value("auth/userid"), "NULL");
    assert_eq!(value("auth/password_mutual"), "NULL");
}

#[test]
fn a_device_is_behind_several_fabrics_at_once() {
    let tree = Fake::new();
    for fabric in fabrics() {
        make(&tree, &fabric, "pseudotape-3").unwrap();
    }
    let found = exports_of(&tree, Path::new(TARGET), "pseudotape-3").unwrap();
    let all = fabrics().map(|fabric| pair(&fabric, "pseudotape-3").1);
    assert_eq!(found, all);
    assert_eq!(
        found.iter().map(Export::unit).collect::<Vec<_>>(),
        [0, 3, 3]
    );
    for export in &found {
        assert!(export.remove(&tree).unwrap());
    }
    assert_eq!(
        tree.made(),
        ["core/user_7074", "core/user_7074/pseudotape-3"]
    );
}

/// Two daemons whose targets have the same name: the second one is refused its unit, and takes nothing of the first.
#[test]
fn a_unit_of_another_daemon_stays_his() {
    for fabric in [Fabric::Iscsi(iscsi()), Fabric::Vhost(GUEST.to_owned())] {
        let tree = Fake::new();
        make(&tree, &fabric, "pseudotape-0").unwrap();
        let before = tree.made();
        let error = make(&tree, &fabric, "other-0").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        remove(&tree, &fabric, "other-0").unwrap();
        assert_eq!(tree.made(), before);
    }
}

#[test]
fn secrets_are_in_no_log() {
    let told = format!("{:?}", iscsi());
    assert!(told.contains("host") && !told.contains("secret"), "{told}");
}

/// A library is a host with a changer and its drives; over iSCSI and for guests all are units of one target.
#[test]
fn a_target_of_several_units_comes_with_the_first_and_goes_with_the_last() {
    for fabric in fabrics() {
        let tree = Fake::new();
        let target = Path::new(TARGET);
        let units = library(&fabric);
        // Drives first: a changer's drives are there when it comes.
        for (backstore, unit) in units.iter().rev() {
            backstore.make(&tree, SETTINGS).unwrap();
            unit.make(&tree, &backstore.directory()).unwrap();
        }
        fabric.open(&tree, target).unwrap();
        if fabric == Fabric::Loopback {
            let addresses = units.iter().map(|(_, unit)| unit.address(&tree).unwrap());
            let addresses: Vec<_> = addresses.map(Option::unwrap).collect();
            assert_eq!(addresses, ["2:0:1:0", "2:0:1:1", "2:0:1:2"]);
        }
        let wwns = units.iter().map(|(_, unit)| unit.wwn());
        assert!(wwns.clone().all(|wwn| wwn == units[0].1.wwn()));
        let found = exports_of(&tree, target, "pseudotape-1").unwrap();
        assert_eq!(found, std::slice::from_ref(&units[2].1));
        assert_ne!(found[0], units[1].1);
        for (backstore, unit) in &units[..2] {
            assert!(unit.remove(&tree).unwrap());
            backstore.remove(&tree).unwrap();
            assert!(!unit.is_there(&tree) && units[2].1.is_there(&tree));
        }
        // The place that was looked for is as good as the one that was made.
        assert!(found[0].remove(&tree).unwrap());
        units[2].0.remove(&tree).unwrap();
        assert_eq!(tree.made(), [""; 0]);
        let found = exports_of(&tree, target, "pseudotape-1").unwrap();
        assert!(found.is_empty());
    }
}

/// What a killed daemon had begun to make is given to no initiator, and keeps no target.
#[test]
fn a_unit_without_a_device_keeps_no_target() {
    for fabric in fabrics() {
        let tree = Fake::new();
        let [changer, drive, _] = library(&fabric);
        changer.0.make(&tree, SETTINGS).unwrap();
        drive.0.make(&tree, SETTINGS).unwrap();
        changer.1.make(&tree, &changer.0.directory()).unwrap();
        // Its directory comes, its link does not.
        tree.fail_after(1);
        assert!(drive.1.make(&tree, &drive.0.directory()).is_err());
        tree.fail_after(usize::MAX);
        fabric.open(&tree, Path::new(TARGET)).unwrap();
        assert!(changer.1.remove(&tree).unwrap());
        changer.0.remove(&tree).unwrap();
        drive.0.remove(&tree).unwrap();
        assert_eq!(tree.made(), [""; 0]);
    }
}
