//! What the daemon has made in the kernel's tree of targets, and in which order that comes and goes.
//!
//! A device comes before its host, and is served before its host comes: the host asks it who it is. The host goes
//! first, while the device is still served: commands in hand have to end.

use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pseudotape_human::counted;
use pseudotape_tcmu::{
    Backstore, ConfigFs, Device, DeviceError, Entry, Export, Fabric, Kernel, Kind, Outcome, Seat,
    Settings, TreeError, exports_of, find, left_backstores,
};

use crate::config::{Config, MAX_DRIVES};
use crate::system::{Driver, NODES, TARGET, UIO_CLASS, nodes_that_come};

/// Room for the data of the commands in a ring: the longest block, and as much again.
const DATA_MIB: u32 = 32;
/// How long the node of a device may take to come.
const NODE_COMES: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// SCSI's CHECK CONDITION, with NOT READY, LOGICAL UNIT NOT READY.
const CHECK_CONDITION: u8 = 0x02;
const NOT_READY: [u8; 18] = [
    0x70, 0, 0x02, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0,
];

/// One drive or changer in the tree.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) backstore: Backstore,
    /// Through what it is reached.
    pub(crate) exports: Vec<Export>,
    /// An earlier daemon has made it.
    pub(crate) was_there: bool,
}

/// A device that was taken: it is this process's.
pub(crate) struct Taken {
    pub(crate) tree: Tree,
    pub(crate) device: Device,
}

impl Tree {
    /// A drive with a host of its own.
    pub(crate) fn drive(owner: &str, number: u32, fabrics: &[Fabric]) -> Tree {
        let name = drive_name(owner, number);
        Tree::at(&name, own_host(&name, number), fabrics)
    }

    /// The changer of a library: unit 0 of the library's host. Of a target with all devices it is a unit behind all
    /// that drives can be, so that it is the same with more drives.
    pub(crate) fn changer(owner: &str, number: usize, fabrics: &[Fabric]) -> Tree {
        let name = changer_name(owner, number);
        let of_all = u32::try_from(MAX_DRIVES + number).unwrap_or(u32::MAX); // a daemon has few
        Tree::at(&name, own_host(&name, of_all), fabrics)
    }

    /// A drive of the library with this number, at a unit of the library's host.
    pub(crate) fn library_drive(
        owner: &str,
        number: u32,
        library: usize,
        unit: u32,
        fabrics: &[Fabric],
    ) -> Tree {
        let seat = Seat {
            host: &changer_name(owner, library),
            unit,
            of_all: number,
        };
        Tree::at(&drive_name(owner, number), seat, fabrics)
    }

    /// What an earlier daemon has left by this name, wherever it was shown.
    fn left(name: &str, fabrics: &[Fabric]) -> Tree {
        Tree::at(name, own_host(name, 0), fabrics)
    }

    fn at(name: &str, seat: Seat<'_>, fabrics: &[Fabric]) -> Tree {
        let target = Path::new(TARGET);
        let exports = fabrics.iter();
        let exports = exports.map(|fabric| fabric.export(target, name, seat));
        Tree {
            backstore: Backstore::new(target, name),
            exports: exports.collect(),
            was_there: false,
        }
    }

    /// Where it is reached.
    pub(crate) fn places(&self, driver: Driver) -> Result<Vec<String>> {
        let mut places = Vec::new();
        if let Some(address) = self.address()? {
            let nodes = nodes_that_come(&address, driver);
            places.extend(nodes.iter().map(|node| node.display().to_string()));
            if places.is_empty() {
                places.push(format!(
                    "SCSI device {address}, without a node: is the module {} loaded?",
                    driver.of_nodes()
                ));
            }
        }
        let others = self.exports.iter();
        let others = others.filter(|export| export.kind() != Kind::Loopback);
        places.extend(others.map(|export| format!("unit {} of {}", export.unit(), export.wwn())));
        Ok(places)
    }

    /// Where the nodes of this machine's SCSI device are, if there is one.
    pub(crate) fn address(&self) -> Result<Option<String>> {
        for export in &self.exports {
            if let Some(address) = export.address(&Kernel)? {
                return Ok(Some(address));
            }
        }
        Ok(None)
    }

    fn found(&self) -> Result<Vec<Export>> {
        let name = self.backstore.name();
        Ok(exports_of(&Kernel, Path::new(TARGET), name)?)
    }

    /// Makes the device, or takes over what is there: then commands may wait in its ring.
    pub(crate) fn take(mut self, config: &Config) -> Result<Taken> {
        let settings = Settings {
            command_timeout_s: config.command_timeout_s,
            data_mib: DATA_MIB,
        };
        self.was_there = self.backstore.make(&Kernel, settings)?;
        match self.open() {
            Ok(device) => Ok(Taken { tree: self, device }),
            Err(error) => {
                if !self.was_there
                    && let Err(error) = self.backstore.remove(&Kernel)
                {
                    log::warn!("{error}");
                }
                Err(error)
            }
        }
    }

    /// Opens the device of the backstore. This process has it then, and no other.
    fn open(&self) -> Result<Device> {
        let name = self.backstore.device_name();
        let until = Instant::now() + NODE_COMES;
        loop {
            let found = find(Path::new(UIO_CLASS), Path::new(NODES), &name)?;
            match found {
                // Whoever makes nodes may be later than the kernel.
                Some(found) if found.node.exists() || Instant::now() >= until => {
                    return Device::open(&found).map_err(|error| match error {
                        DeviceError::Busy(_) => anyhow::anyhow!(
                            "another daemon serves {}: end it first, or give this one another --name",
                            self.backstore.name()
                        ),
                        error => error.into(),
                    });
                }
                None if Instant::now() >= until => bail!(
                    "the kernel has made no device for {}: 'dmesg' tells why",
                    self.backstore.name()
                ),
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Its name in the kernel's tree.
    pub(crate) fn name(&self) -> &str {
        self.backstore.name()
    }

    /// Takes the device from where an earlier daemon had it, and this one does not: with another fabric, another
    /// library or none. It must be served.
    pub(crate) fn leave_old_places(&self) -> Result<()> {
        for old in self.found()? {
            if !self.exports.contains(&old) {
                take_away(&old)?;
            }
        }
        Ok(())
    }

    /// Puts the device behind its fabrics, where nothing else is. It must be served.
    pub(crate) fn show(&self) -> Result<()> {
        for export in &self.exports {
            let made = export.make(&Kernel, &self.backstore.directory());
            made.map_err(|error| in_the_way(export, error))?;
        }
        Ok(())
    }

    /// Takes the device from all fabrics. It must be served until this returns.
    pub(crate) fn hide(&self) -> Result<()> {
        let found = self.found()?;
        // What is half made is not found.
        let others = self.exports.iter().filter(|export| !found.contains(export));
        for export in found.iter().chain(others) {
            take_away(export)?;
        }
        Ok(())
    }

    /// Removes the device, which nobody has any more.
    pub(crate) fn remove(&self) -> Result<()> {
        Ok(self.backstore.remove(&Kernel)?)
    }
}

fn drive_name(owner: &str, number: u32) -> String {
    format!("{owner}-{number}")
}

fn changer_name(owner: &str, number: usize) -> String {
    format!("{owner}-c{number}")
}

/// The first unit of a host of its own, and this one of a target with all devices.
fn own_host(name: &str, of_all: u32) -> Seat<'_> {
    Seat {
        host: name,
        unit: 0,
        of_all,
    }
}

fn take_away(export: &Export) -> Result<()> {
    if !export.remove(&Kernel)? {
        log::warn!(
            "the host {} is empty, and stays: a guest still has it",
            export.wwn()
        );
    }
    Ok(())
}

/// What keeps an export from being made, in words that say what to do.
fn in_the_way(export: &Export, error: TreeError) -> anyhow::Error {
    let module = export.kind().module();
    let why = match (export.kind(), error.kind()) {
        (Kind::Iscsi | Kind::Vhost, ErrorKind::AlreadyExists) => format!(
            "unit {} of {} is another daemon's: give this one another name of its target",
            export.unit(),
            export.wwn()
        ),
        _ if !has_fabric(export.kind()) => {
            format!(
                "the kernel's module {module} is missing ('modprobe {module}'; 'pseudotape doctor' tells more)"
            )
        }
        _ => return error.into(),
    };
    anyhow::Error::from(error).context(why)
}

/// Whether the kernel has made the directory of the fabric, which it does when it has the module.
fn has_fabric(kind: Kind) -> bool {
    Path::new(TARGET).join(kind.directory()).is_dir()
}

/// Lets initiators in, when all devices are there.
pub(crate) fn open_fabrics(fabrics: &[Fabric]) -> Result<()> {
    for fabric in fabrics {
        if let Fabric::Iscsi(iscsi) = fabric {
            warn_of_strange_address(iscsi.portal.ip());
        }
        let opened = fabric.open(&Kernel, Path::new(TARGET));
        opened.map_err(|error| match fabric {
            // The kernel tells its log alone why.
            Fabric::Iscsi(iscsi)
                if error
                    .path
                    .parent()
                    .is_some_and(|above| above.ends_with("np")) =>
            {
                anyhow::Error::from(error).context(format!(
                    "can't listen at {}: something else may ('ss -ltnp'), or its port is below 1024 and this \
                     process lacks the capability NET_BIND_SERVICE; 'dmesg' tells",
                    iscsi.portal
                ))
            }
            _ => error.into(),
        })?;
    }
    Ok(())
}

/// The kernel listens at addresses that the machine does not have, too: they may come later.
fn warn_of_strange_address(address: IpAddr) {
    if let Err(error) = TcpListener::bind((address, 0))
        && error.kind() == ErrorKind::AddrNotAvailable
    {
        log::warn!(
            "{address} is no address of this machine now ('ip address' lists them): nobody reaches the drives there before \
             it is one"
        );
    }
}

/// Whether devices of a daemon of this name are there.
pub(crate) fn are_there(owner: &str) -> Result<bool> {
    Ok(!left_backstores(&Kernel, Path::new(TARGET), owner)?.is_empty())
}

/// Removes what a daemon of this name has left, but these: commands that wait get NOT READY. Says what there was.
/// `fabrics` may have what is half made.
pub(crate) fn clean(owner: &str, but: &[&str], fabrics: &[Fabric]) -> Result<Option<String>> {
    let mut names = left_backstores(&Kernel, Path::new(TARGET), owner)?;
    names.retain(|name| !but.contains(&name.as_str()));
    for name in &names {
        clean_one(&Tree::left(name, fabrics)).with_context(|| format!("can't remove {name}"))?;
    }
    if but.is_empty() {
        // A target that was left empty, since somebody had it then.
        Tree::drive(owner, 0, fabrics).hide()?;
    }
    let is_changer = |name: &&String| name.starts_with(&format!("{owner}-c"));
    let changers = names.iter().filter(is_changer).count();
    let drives = names.len() - changers;
    let words = [(drives, "drive"), (changers, "changer")];
    let words = words.iter().filter(|(count, _)| *count > 0);
    let words = words.map(|(count, what)| counted(*count as u64, what));
    let words = words.collect::<Vec<_>>().join(" and ");
    Ok((!words.is_empty()).then_some(words))
}

fn clean_one(tree: &Tree) -> Result<()> {
    let enabled = tree.backstore.directory().join("enable");
    if Kernel.get(&enabled)? == "1" {
        let device = tree.open()?;
        let (over, wake) = std::os::unix::net::UnixStream::pair()?;
        let hidden = std::thread::scope(|scope| {
            let refusing = scope.spawn(move || refuse_all(device, &wake));
            let hidden = tree.hide();
            drop(over);
            let refused = refusing.join();
            let refused = refused.unwrap_or_else(|_| bail!("a thread panicked"));
            hidden.and(refused)
        });
        hidden?;
    } else {
        tree.hide()?;
    }
    tree.remove()
}

/// Answers every command with NOT READY until the other end of `wake` is closed.
fn refuse_all(mut device: Device, wake: &std::os::unix::net::UnixStream) -> Result<()> {
    use std::os::fd::AsFd;
    loop {
        refuse_waiting(&mut device)?;
        if device.wait(wake.as_fd())? == pseudotape_tcmu::Woken::Caller {
            return Ok(());
        }
    }
}

/// Answers every command that waits in the ring with NOT READY, and says how many these were.
pub(crate) fn refuse_waiting(device: &mut Device) -> Result<u64> {
    let mut refused = 0;
    while let Some(entry) = device.ring().take()? {
        if let Entry::Command(command) = entry {
            let outcome = Outcome {
                status: CHECK_CONDITION,
                sense: &NOT_READY,
                read_bytes: None,
            };
            device.ring().answer(command, outcome);
            refused += 1;
        }
    }
    if refused > 0 {
        device.tell()?;
    }
    Ok(refused)
}

#[cfg(test)]
mod tests {
    use pseudotape_tcmu::Iscsi;

    use super::*;

    const TAPES: &str = "iqn.2026-11.com.example:tapes";
    const GUEST: &str = "naa.5001405000000001";

    /// A host of this machine for each library; one target with all devices elsewhere, in which a drive is the unit of
    /// its number, and changers are behind all that drives can be.
    #[test]
    fn a_library_is_a_host_here_and_units_of_one_target_elsewhere() {
        let fabrics = [
            Fabric::Loopback,
            Fabric::Iscsi(Iscsi {
                name: TAPES.to_owned(),
                portal: "127.0.0.1:3260".parse().unwrap(),
                initiators: Vec::new(),
                chap: None,
            }),
            Fabric::Vhost(GUEST.to_owned()),
        ];
        let trees = [
            Tree::drive("x", 0, &fabrics),
            Tree::library_drive("x", 1, 0, 1, &fabrics),
            Tree::library_drive("x", 2, 1, 1, &fabrics),
            Tree::changer("x", 0, &fabrics),
            Tree::changer("x", 1, &fabrics),
        ];
        let names = trees.iter().map(|tree| tree.backstore.name());
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["x-0", "x-1", "x-2", "x-c0", "x-c1"]
        );
        let units = |fabric: usize| trees.each_ref().map(|tree| tree.exports[fabric].unit());
        assert_eq!(units(0), [0, 1, 1, 0, 0]);
        for (fabric, wwn) in [(1, TAPES), (2, GUEST)] {
            assert_eq!(units(fabric), [0, 1, 2, 64, 65]);
            assert!(trees.iter().all(|tree| tree.exports[fabric].wwn() == wwn));
        }
        let hosts = trees.each_ref().map(|tree| tree.exports[0].wwn());
        assert_eq!((hosts[1], hosts[2]), (hosts[3], hosts[4]));
        let alone = hosts[0];
        assert!(alone != hosts[3] && alone != hosts[4] && hosts[3] != hosts[4]);
    }
}
