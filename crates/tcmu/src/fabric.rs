//! The directories of configfs that let somebody reach a device: programs of this machine, initiators on the network,
//! guests.
//!
//! All fabrics of the target core have the same shape, `FABRIC/NAME/tpgt_1/lun/lun_N`, and in that a link to the
//! device. What differs is what the group `tpgt_1` needs beside it: `tcm_loop` and `vhost_scsi` who sends commands,
//! the iSCSI target what is in [`Iscsi`].

use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::configfs::{ConfigFs, TreeError, ensure, is_used, links_in, remove, remove_if_unused};
use crate::iscsi::{Iscsi, close_group};

/// The directory in a target that holds its units. One target could have several.
const GROUP: &str = "tpgt_1";

/// Through what devices are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fabric {
    /// SCSI hosts of this machine (`tcm_loop`): one for each library, and one for each drive that is in none.
    Loopback,
    /// One target of the kernel's iSCSI target, with all devices.
    Iscsi(Iscsi),
    /// One host of guests (`vhost_scsi`), with all devices. It has a name of the kind `naa.` with 16 digits.
    Vhost(String),
}

/// Which unit a device is.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a> {
    /// What names its host of this machine, where others can be as well.
    pub host: &'a str,
    /// Its unit of that host.
    pub unit: u32,
    /// Its unit of a target with all devices.
    pub of_all: u32,
}

/// The fabrics, by their directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `tcm_loop`
    Loopback,
    /// `iscsi_target_mod`
    Iscsi,
    /// `vhost_scsi`
    Vhost,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Loopback, Kind::Iscsi, Kind::Vhost];

    /// Its directory in the kernel's tree of targets.
    #[must_use]
    pub fn directory(self) -> &'static str {
        match self {
            Kind::Loopback => "loopback",
            Kind::Iscsi => "iscsi",
            Kind::Vhost => "vhost",
        }
    }

    /// The kernel's module.
    #[must_use]
    pub fn module(self) -> &'static str {
        match self {
            Kind::Loopback => "tcm_loop",
            Kind::Iscsi => "iscsi_target_mod",
            Kind::Vhost => "vhost_scsi",
        }
    }

    /// Whether commands need the name of who sends them; without it the kernel has none to send.
    fn has_nexus(self) -> bool {
        self != Kind::Iscsi
    }
}

impl Fabric {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Fabric::Loopback => Kind::Loopback,
            Fabric::Iscsi(_) => Kind::Iscsi,
            Fabric::Vhost(_) => Kind::Vhost,
        }
    }

    /// A device as this fabric has it: that of a backstore's name. It need not be there.
    #[must_use]
    pub fn export(&self, target: &Path, backstore: &str, seat: Seat<'_>) -> Export {
        let (wwn, unit) = match self {
            Fabric::Loopback => (naa(&format!("pseudotape/{}", seat.host)), seat.unit),
            Fabric::Iscsi(iscsi) => (iscsi.name.clone(), seat.of_all),
            Fabric::Vhost(name) => (name.clone(), seat.of_all),
        };
        Export {
            target: target.to_owned(),
            kind: self.kind(),
            wwn,
            unit,
            backstore: backstore.to_owned(),
        }
    }

    /// Lets initiators in, when all devices are there.
    pub fn open(&self, tree: &dyn ConfigFs, target: &Path) -> Result<(), TreeError> {
        match self {
            Fabric::Loopback | Fabric::Vhost(_) => Ok(()),
            Fabric::Iscsi(iscsi) => {
                let directory = target.join(Kind::Iscsi.directory()).join(&iscsi.name);
                iscsi.open_group(tree, &directory.join(GROUP))
            }
        }
    }
}

/// A device behind a fabric: a unit of one of its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    target: PathBuf,
    kind: Kind,
    wwn: String,
    unit: u32,
    backstore: String,
}

/// A name of 64 bits of the kind that everybody may make (NAA 3h, locally assigned), always the same for a text.
fn naa(text: &str) -> String {
    // FNV-1a: to be the same tomorrow is all that is asked of it.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("naa.3{:015x}", hash & 0x0fff_ffff_ffff_ffff)
}

/// Whether this is the name of a target, and no directory that the kernel has made.
fn is_target(name: &str) -> bool {
    ["naa.", "iqn.", "eui."]
        .iter()
        .any(|kind| name.starts_with(kind))
}

/// The units that are in a directory, with a device or without.
fn unit_numbers(tree: &dyn ConfigFs, units: &Path) -> Result<Vec<u32>, TreeError> {
    let names = tree.names(units)?.into_iter();
    let numbers = names.filter_map(|name| name.strip_prefix("lun_")?.parse().ok()); // no unit's name
    Ok(numbers.collect())
}

/// The units that a target has for a backstore, whoever made them and by which fabric.
pub fn exports_of(
    tree: &dyn ConfigFs,
    target: &Path,
    backstore: &str,
) -> Result<Vec<Export>, TreeError> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let fabric = target.join(kind.directory());
        for wwn in tree.names(&fabric)?.into_iter().filter(|n| is_target(n)) {
            let units = fabric.join(&wwn).join(GROUP).join("lun");
            for unit in unit_numbers(tree, &units)? {
                let export = Export {
                    target: target.to_owned(),
                    kind,
                    wwn: wwn.clone(),
                    unit,
                    backstore: backstore.to_owned(),
                };
                if export.is_there(tree) {
                    found.push(export);
                }
            }
        }
    }
    Ok(found)
}

impl Export {
    /// By which fabric.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name of the target.
    #[must_use]
    pub fn wwn(&self) -> &str {
        &self.wwn
    }

    /// The number of the unit in the target.
    #[must_use]
    pub fn unit(&self) -> u32 {
        self.unit
    }

    fn fabric(&self) -> PathBuf {
        self.target.join(self.kind.directory())
    }

    fn host(&self) -> PathBuf {
        self.fabric().join(&self.wwn)
    }

    fn group(&self) -> PathBuf {
        self.host().join(GROUP)
    }

    fn units(&self) -> PathBuf {
        self.group().join("lun")
    }

    fn unit_directory(&self, unit: u32) -> PathBuf {
        self.units().join(format!("lun_{unit}"))
    }

    fn link(&self) -> PathBuf {
        self.unit_directory(self.unit).join(&self.backstore)
    }

    /// Makes the target, as far as it is not there, and puts the device behind it. The kernel asks a device of this
    /// machine who it is before this returns: it must be served.
    pub fn make(&self, tree: &dyn ConfigFs, backstore: &Path) -> Result<(), TreeError> {
        for directory in [self.fabric(), self.host(), self.group()] {
            ensure(tree, &directory)?;
        }
        if self.kind.has_nexus() && !has_nexus(tree, &self.group()) {
            // One that is there can't be set again.
            let initiator = naa(&format!("{}/initiator", self.wwn));
            tree.set(&self.group().join("nexus"), &initiator)?;
        }
        ensure(tree, &self.unit_directory(self.unit))?;
        if self.is_of_another(tree)? {
            return Err(TreeError {
                what: "make",
                path: self.link(),
                source: Errno::EEXIST.into(),
            });
        }
        match tree.link_target(&self.link()) {
            Some(_) => Ok(()),
            None => tree.link(backstore, &self.link()),
        }
    }

    /// Whether the device is behind the target: then it can be reached.
    #[must_use]
    pub fn is_there(&self, tree: &dyn ConfigFs) -> bool {
        tree.link_target(&self.link()).is_some()
    }

    /// The address of a unit of this machine, as its directory in `/sys/class/scsi_device` is named; `None` of others.
    pub fn address(&self, tree: &dyn ConfigFs) -> Result<Option<String>, TreeError> {
        if self.kind != Kind::Loopback {
            return Ok(None);
        }
        let address = tree.get(&self.group().join("address"))?;
        Ok(Some(format!("{address}:{}", self.unit)))
    }

    /// Takes the device from the target, and the target away where no other unit of it has a device. Commands in hand
    /// end first: the device must be served until this returns. `false`: a guest still has the empty host, which stays.
    pub fn remove(&self, tree: &dyn ConfigFs) -> Result<bool, TreeError> {
        if self.is_of_another(tree)? {
            return Ok(true);
        }
        self.remove_mapped(tree, self.unit)?;
        if self.is_there(tree) {
            tree.unlink(&self.link())?;
        }
        remove(tree, &self.unit_directory(self.unit))?;
        let others = unit_numbers(tree, &self.units())?;
        for unit in &others {
            if !links_in(tree, &self.unit_directory(*unit))?.is_empty() {
                return Ok(true);
            }
        }
        // What a process has made that was killed before its device was there.
        for unit in others {
            self.remove_mapped(tree, unit)?;
            remove(tree, &self.unit_directory(unit))?;
        }
        if let Err(error) = self.remove_group(tree) {
            return match self.kind == Kind::Vhost && is_used(&error.source) {
                true => Ok(false),
                false => Err(error),
            };
        }
        remove(tree, &self.host())?;
        // Others may have targets of this kind, and some may be about to make one.
        match tree.names(&self.fabric())?.iter().any(|n| is_target(n)) {
            true => Ok(true),
            false => remove_if_unused(tree, &self.fabric()).map(|()| true),
        }
    }

    /// Whether the unit leads to another device.
    fn is_of_another(&self, tree: &dyn ConfigFs) -> Result<bool, TreeError> {
        let devices = links_in(tree, &self.unit_directory(self.unit))?;
        Ok(devices.iter().any(|name| *name != self.backstore))
    }

    /// What initiators that are known by name have of a unit leads to it, and goes before it.
    fn remove_mapped(&self, tree: &dyn ConfigFs, unit: u32) -> Result<(), TreeError> {
        let initiators = self.group().join("acls");
        for initiator in tree.names(&initiators)? {
            let mapped = initiators.join(initiator).join(format!("lun_{unit}"));
            for name in tree.names(&mapped)? {
                let link = mapped.join(name);
                if tree.link_target(&link).is_some() {
                    tree.unlink(&link)?;
                }
            }
            remove(tree, &mapped)?;
        }
        Ok(())
    }

    fn remove_group(&self, tree: &dyn ConfigFs) -> Result<(), TreeError> {
        let group = self.group();
        if self.kind.has_nexus() && has_nexus(tree, &group) {
            tree.set(&group.join("nexus"), "NULL")?;
        }
        if self.kind == Kind::Iscsi {
            close_group(tree, &group)?;
        }
        remove(tree, &group)
    }
}

fn has_nexus(tree: &dyn ConfigFs, group: &Path) -> bool {
    let nexus = tree.get(&group.join("nexus"));
    nexus.is_ok_and(|there| there.starts_with("naa."))
}

#[cfg(test)]
#[path = "fabric_test.rs"]
mod tests;
