//! The directories of configfs that make a SCSI host of this machine out of a device.

use std::path::{Path, PathBuf};

use crate::configfs::{ConfigFs, TreeError, ensure, remove, remove_if_unused};

/// A host of this machine (`tcm_loop`) with one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loopback {
    target: PathBuf,
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
    /// That of a backstore's name; it need not be there.
    #[must_use]
    pub fn new(target: &Path, backstore: &str) -> Loopback {
        Loopback {
            target: target.to_owned(),
            name: backstore.to_owned(),
        }
    }

    fn fabric(&self) -> PathBuf {
        self.target.join("loopback")
    }

    fn host(&self) -> PathBuf {
        self.fabric()
            .join(naa(&format!("pseudotape/{}", self.name)))
    }

    fn group(&self) -> PathBuf {
        self.host().join("tpgt_1")
    }

    fn unit(&self) -> PathBuf {
        self.group().join("lun/lun_0")
    }

    fn link(&self) -> PathBuf {
        self.unit().join(&self.name)
    }

    /// Makes the host, as far as it is not there, and puts the device behind it. The kernel asks the device who it is
    /// before this returns: it must be served.
    pub fn make(&self, tree: &dyn ConfigFs, backstore: &Path) -> Result<(), TreeError> {
        for directory in [self.fabric(), self.host(), self.group()] {
            ensure(tree, &directory)?;
        }
        // Who sends commands; without it the kernel has none to send. One that is there can't be set again.
        let nexus = self.group().join("nexus");
        let initiator = naa(&format!("pseudotape/{}/initiator", self.name));
        if !tree
            .get(&nexus)
            .is_ok_and(|there| there.starts_with("naa."))
        {
            tree.set(&nexus, &initiator)?;
        }
        ensure(tree, &self.unit())?;
        match tree.link_target(&self.link()) {
            Some(_) => Ok(()),
            None => tree.link(backstore, &self.link()),
        }
    }

    /// Whether the device is behind the host: then the kernel has its SCSI device.
    #[must_use]
    pub fn is_there(&self, tree: &dyn ConfigFs) -> bool {
        tree.link_target(&self.link()).is_some()
    }

    /// The address of the unit, as its directory in `/sys/class/scsi_device` is named.
    pub fn address(&self, tree: &dyn ConfigFs) -> Result<String, TreeError> {
        let address = tree.get(&self.group().join("address"))?;
        Ok(format!("{address}:0"))
    }

    /// Takes the host away. Commands that it is doing end first: the device must be served until this returns.
    pub fn remove(&self, tree: &dyn ConfigFs) -> Result<(), TreeError> {
        if self.is_there(tree) {
            tree.unlink(&self.link())?;
        }
        remove(tree, &self.unit())?;
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
}
