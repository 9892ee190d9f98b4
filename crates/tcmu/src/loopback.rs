//! The directories of configfs that make a SCSI host of this machine out of a device.

use std::path::{Path, PathBuf};

use crate::configfs::{ConfigFs, TreeError, ensure, remove, remove_if_unused};

/// A unit of a host of this machine (`tcm_loop`). A host comes with its first unit, and goes with its last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loopback {
    target: PathBuf,
    /// The directory of its host.
    host: String,
    /// Who sends commands to it.
    initiator: String,
    unit: u16,
    /// The backstore.
    name: String,
}

/// A name of 64 bits of the kind that everybody may make (NAA 3h, locally assigned), always the same for a text.
fn naa(text: &str) -> String {
    // FNV-1a: to be the same tomorrow is all that is asked of it.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("naa.3{:015x}", hash & 0x0fff_ffff_ffff_ffff)
}

impl Loopback {
    /// The only unit of a host of its own, for a backstore's name; it need not be there.
    #[must_use]
    pub fn new(target: &Path, backstore: &str) -> Loopback {
        Loopback::unit_of(target, backstore, 0, backstore)
    }

    /// A unit of a host that is named by a text, for a backstore's name; it need not be there.
    #[must_use]
    pub fn unit_of(target: &Path, host: &str, unit: u16, backstore: &str) -> Loopback {
        Loopback {
            target: target.to_owned(),
            host: naa(&format!("pseudotape/{host}")),
            initiator: naa(&format!("pseudotape/{host}/initiator")),
            unit,
            name: backstore.to_owned(),
        }
    }

    /// Every unit that has this backstore behind it, whatever its host.
    pub fn find(
        tree: &dyn ConfigFs,
        target: &Path,
        backstore: &str,
    ) -> Result<Vec<Loopback>, TreeError> {
        let mut found = Vec::new();
        let mut place = Loopback::new(target, backstore);
        for host in tree.names(&place.fabric())? {
            if !host.starts_with("naa.") {
                continue;
            }
            place.host = host;
            for unit in place.units(tree)? {
                place.unit = unit;
                if place.is_there(tree) {
                    found.push(place.clone());
                }
            }
        }
        Ok(found)
    }

    /// Whether both are the same unit of the same host.
    #[must_use]
    pub fn is_at(&self, other: &Loopback) -> bool {
        self.link() == other.link()
    }

    fn fabric(&self) -> PathBuf {
        self.target.join("loopback")
    }

    fn host(&self) -> PathBuf {
        self.fabric().join(&self.host)
    }

    fn group(&self) -> PathBuf {
        self.host().join("tpgt_1")
    }

    fn unit(&self, number: u16) -> PathBuf {
        self.group().join(format!("lun/lun_{number}"))
    }

    /// The units of its host, with a device or without.
    fn units(&self, tree: &dyn ConfigFs) -> Result<Vec<u16>, TreeError> {
        let names = tree.names(&self.group().join("lun"))?.into_iter();
        let numbers = names.filter_map(|name| name.strip_prefix("lun_")?.parse().ok()); // no unit's name
        Ok(numbers.collect())
    }

    fn link(&self) -> PathBuf {
        self.unit(self.unit).join(&self.name)
    }

    /// Makes the host and the unit, as far as they are not there, and puts the device behind it. The kernel asks the
    /// device who it is before this returns: it must be served.
    pub fn make(&self, tree: &dyn ConfigFs, backstore: &Path) -> Result<(), TreeError> {
        for directory in [self.fabric(), self.host(), self.group()] {
            ensure(tree, &directory)?;
        }
        // Who sends commands; without it the kernel has none to send. One that is there can't be set again.
        let nexus = self.group().join("nexus");
        if !tree
            .get(&nexus)
            .is_ok_and(|there| there.starts_with("naa."))
        {
            tree.set(&nexus, &self.initiator)?;
        }
        ensure(tree, &self.unit(self.unit))?;
        match tree.link_target(&self.link()) {
            Some(_) => Ok(()),
            None => tree.link(backstore, &self.link()),
        }
    }

    /// Whether the device is behind the unit: then the kernel has its SCSI device.
    #[must_use]
    pub fn is_there(&self, tree: &dyn ConfigFs) -> bool {
        tree.link_target(&self.link()).is_some()
    }

    /// The address of the unit, as its directory in `/sys/class/scsi_device` is named.
    pub fn address(&self, tree: &dyn ConfigFs) -> Result<String, TreeError> {
        let address = tree.get(&self.group().join("address"))?;
        Ok(format!("{address}:{}", self.unit))
    }

    /// Takes the unit away, and the host where no other unit of it has a device. Commands that it is doing end first:
    /// the device must be served until this returns.
    pub fn remove(&self, tree: &dyn ConfigFs) -> Result<(), TreeError> {
        if self.is_there(tree) {
            tree.unlink(&self.link())?;
        }
        remove(tree, &self.unit(self.unit))?;
        for unit in self.units(tree)? {
            if self.has_device(tree, unit)? {
                return Ok(());
            }
        }
        // What a process has made that was killed before its device was there.
        for unit in self.units(tree)? {
            remove(tree, &self.unit(unit))?;
        }
        let nexus = self.group().join("nexus");
        if tree
            .get(&nexus)
            .is_ok_and(|there| there.starts_with("naa."))
        {
            tree.set(&nexus, "NULL")?;
        }
        remove(tree, &self.group())?;
        remove(tree, &self.host())?;
        // Others may have hosts of this kind, and some may be about to make one.
        let names = tree.names(&self.fabric())?;
        match names.iter().any(|name| name.starts_with("naa.")) {
            true => Ok(()),
            false => remove_if_unused(tree, &self.fabric()),
        }
    }

    fn has_device(&self, tree: &dyn ConfigFs, unit: u16) -> Result<bool, TreeError> {
        let directory = self.unit(unit);
        let names = tree.names(&directory)?;
        let mut places = names.iter().map(|name| directory.join(name));
        Ok(places.any(|place| tree.link_target(&place).is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backstore::{Backstore, Settings};
    use crate::configfs::fake::Fake;

    const TARGET: &str = "/sys/kernel/config/target";
    const SETTINGS: Settings = Settings {
        command_timeout_s: 900,
        data_mib: 8,
    };

    fn pair(name: &str) -> (Backstore, Loopback) {
        let target = Path::new(TARGET);
        (Backstore::new(target, name), Loopback::new(target, name))
    }

    fn make(tree: &Fake, name: &str) -> Result<(), TreeError> {
        let (backstore, host) = pair(name);
        backstore.make(tree, SETTINGS)?;
        host.make(tree, &backstore.directory())
    }

    fn remove(tree: &Fake, name: &str) -> Result<(), TreeError> {
        let (backstore, host) = pair(name);
        host.remove(tree)?;
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
    fn a_host_is_made_and_removed_and_those_of_others_stay() {
        let tree = Fake::new();
        make(&tree, "other-0").unwrap();
        let before = tree.made();
        make(&tree, "pseudotape-0").unwrap();
        let (_, host) = pair("pseudotape-0");
        assert!(host.is_there(&tree));
        assert_eq!(host.address(&tree).unwrap(), "2:0:1:0");
        // Made twice is made once.
        make(&tree, "pseudotape-0").unwrap();
        remove(&tree, "pseudotape-0").unwrap();
        assert_eq!(tree.made(), before);
        assert!(!host.is_there(&tree));
        remove(&tree, "other-0").unwrap();
        assert_eq!(tree.made(), [""; 0]);
    }

    /// A process that is killed at any step, at the start or at the end, leaves what the next one goes on with or
    /// removes.
    #[test]
    fn what_is_left_at_any_step_is_made_whole_or_removed() {
        let tree = Fake::new();
        make(&tree, "pseudotape-0").unwrap();
        let steps = tree.log.take().len();
        remove(&tree, "pseudotape-0").unwrap();
        let back = tree.log.take().len();
        assert!(steps > 12 && back > 6, "{steps} and {back}");
        let at_rest = || {
            tree.fail_after(usize::MAX);
            remove(&tree, "pseudotape-0").unwrap();
            assert_eq!(tree.made(), [""; 0]);
        };
        for left in 0..steps {
            tree.fail_after(left);
            assert!(make(&tree, "pseudotape-0").is_err(), "{left}");
            at_rest();
            tree.fail_after(left);
            assert!(make(&tree, "pseudotape-0").is_err(), "{left}");
            tree.fail_after(usize::MAX);
            make(&tree, "pseudotape-0").unwrap();
            at_rest();
        }
        for left in 0..back {
            make(&tree, "pseudotape-0").unwrap();
            tree.fail_after(left);
            assert!(remove(&tree, "pseudotape-0").is_err(), "{left}");
            tree.fail_after(usize::MAX);
            make(&tree, "pseudotape-0").unwrap();
            at_rest();
        }
    }

    /// A library is a host with a changer and its drives.
    #[test]
    fn a_host_of_several_units_comes_with_the_first_and_goes_with_the_last() {
        let tree = Fake::new();
        let target = Path::new(TARGET);
        let names = ["pseudotape-c0", "pseudotape-0", "pseudotape-1"];
        let units = [0, 1, 2].map(|unit| {
            let name = names[usize::from(unit)];
            let backstore = Backstore::new(target, name);
            (
                backstore,
                Loopback::unit_of(target, "pseudotape-c0", unit, name),
            )
        });
        let make = |(backstore, unit): &(Backstore, Loopback)| {
            backstore.make(&tree, SETTINGS)?;
            unit.make(&tree, &backstore.directory())
        };
        // Drives first: a changer's drives are there when it comes.
        units.iter().rev().for_each(|unit| make(unit).unwrap());
        let addresses = units.iter().map(|(_, unit)| unit.address(&tree).unwrap());
        assert_eq!(
            addresses.collect::<Vec<_>>(),
            ["2:0:1:0", "2:0:1:1", "2:0:1:2"]
        );
        let found = Loopback::find(&tree, target, "pseudotape-1").unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].is_at(&units[2].1) && !found[0].is_at(&units[1].1));
        for (backstore, unit) in &units[..2] {
            unit.remove(&tree).unwrap();
            backstore.remove(&tree).unwrap();
            assert!(!unit.is_there(&tree) && units[2].1.is_there(&tree));
        }
        // The place that was looked for is as good as the one that was made.
        found[0].remove(&tree).unwrap();
        units[2].0.remove(&tree).unwrap();
        assert_eq!(tree.made(), [""; 0]);
        let found = Loopback::find(&tree, target, "pseudotape-1").unwrap();
        assert!(found.is_empty());
    }

    #[test]
    fn a_unit_without_a_device_keeps_no_host() {
        let tree = Fake::new();
        let target = Path::new(TARGET);
        let name = "pseudotape-c0";
        let changer = (
            Backstore::new(target, name),
            Loopback::unit_of(target, name, 0, name),
        );
        let drive = (
            Backstore::new(target, "pseudotape-0"),
            Loopback::unit_of(target, name, 1, "pseudotape-0"),
        );
        changer.0.make(&tree, SETTINGS).unwrap();
        drive.0.make(&tree, SETTINGS).unwrap();
        changer.1.make(&tree, &changer.0.directory()).unwrap();
        // Its directory comes, its link does not.
        tree.fail_after(1);
        assert!(drive.1.make(&tree, &drive.0.directory()).is_err());
        tree.fail_after(usize::MAX);
        changer.1.remove(&tree).unwrap();
        changer.0.remove(&tree).unwrap();
        drive.0.remove(&tree).unwrap();
        assert_eq!(tree.made(), [""; 0]);
    }
}
