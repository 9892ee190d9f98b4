//! What the daemon has made in the kernel's tree of targets, and in which order that comes and goes.
//!
//! A device comes before its host, and is served before its host comes: the host asks it who it is. The host goes
//! first, while the device is still served: commands in hand have to end.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pseudotape_human::counted;
use pseudotape_tcmu::{
    Backstore, ConfigFs, Device, DeviceError, Entry, Kernel, Loopback, Outcome, Settings, find,
    left_backstores,
};

use crate::config::Config;
use crate::system::{NODES, TARGET, UIO_CLASS};

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
    pub(crate) host: Loopback,
}

/// A device that was taken: it is this process's.
pub(crate) struct Taken {
    pub(crate) tree: Tree,
    pub(crate) device: Device,
    /// An earlier daemon has made it: commands may wait in its ring.
    pub(crate) was_there: bool,
}

impl Tree {
    /// A drive with a host of its own.
    pub(crate) fn drive(owner: &str, number: u32) -> Tree {
        Tree::named(&drive_name(owner, number))
    }

    /// The changer of a library: unit 0 of the library's host.
    pub(crate) fn changer(owner: &str, number: usize) -> Tree {
        Tree::named(&changer_name(owner, number))
    }

    /// A drive of the library with this number, at a unit of the library's host.
    pub(crate) fn library_drive(owner: &str, number: u32, library: usize, unit: u16) -> Tree {
        let (target, name) = (Path::new(TARGET), drive_name(owner, number));
        Tree {
            host: Loopback::unit_of(target, &changer_name(owner, library), unit, &name),
            backstore: Backstore::new(target, &name),
        }
    }

    fn named(name: &str) -> Tree {
        let target = Path::new(TARGET);
        Tree {
            backstore: Backstore::new(target, name),
            host: Loopback::new(target, name),
        }
    }

    /// Makes the device, or takes over what is there.
    pub(crate) fn take(self, config: &Config) -> Result<Taken> {
        let settings = Settings {
            command_timeout_s: config.command_timeout_s,
            data_mib: DATA_MIB,
        };
        let was_there = self.backstore.make(&Kernel, settings)?;
        match self.open() {
            Ok(device) => Ok(Taken {
                tree: self,
                device,
                was_there,
            }),
            Err(error) => {
                if !was_there && let Err(error) = self.backstore.remove(&Kernel) {
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

    /// Lets the kernel have its SCSI device. The device must be served.
    pub(crate) fn show(&self) -> Result<()> {
        // An earlier daemon can have had it in another place: with another library, or with none.
        for other in self
            .places()?
            .iter()
            .filter(|place| !place.is_at(&self.host))
        {
            other.remove(&Kernel)?;
        }
        Ok(self.host.make(&Kernel, &self.backstore.directory())?)
    }

    /// Takes the SCSI device away. The device must be served until this returns.
    pub(crate) fn hide(&self) -> Result<()> {
        Ok(self.host.remove(&Kernel)?)
    }

    /// Where the device is shown.
    fn places(&self) -> Result<Vec<Loopback>> {
        Ok(Loopback::find(
            &Kernel,
            Path::new(TARGET),
            self.backstore.name(),
        )?)
    }

    /// Takes the SCSI device away wherever an earlier daemon had it.
    fn hide_everywhere(&self) -> Result<()> {
        for place in self.places()? {
            place.remove(&Kernel)?;
        }
        // What was not made to its end.
        self.hide()
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

/// Removes what a daemon of this name has left, but these: commands that wait get NOT READY. Says what there was.
pub(crate) fn clean(owner: &str, but: &[&str]) -> Result<Option<String>> {
    let mut names = left_backstores(&Kernel, Path::new(TARGET), owner)?;
    names.retain(|name| !but.contains(&name.as_str()));
    for name in &names {
        clean_one(&Tree::named(name)).with_context(|| format!("can't remove {name}"))?;
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
            let hidden = tree.hide_everywhere();
            drop(over);
            let refused = refusing.join();
            let refused = refused.unwrap_or_else(|_| bail!("a thread panicked"));
            hidden.and(refused)
        });
        hidden?;
    } else {
        tree.hide_everywhere()?;
    }
    tree.remove()
}

/// Answers every command with NOT READY until the other end of `wake` is closed.
fn refuse_all(mut device: Device, wake: &std::os::unix::net::UnixStream) -> Result<()> {
    use std::os::fd::AsFd;
    loop {
        let mut has_answered = false;
        while let Some(entry) = device.ring().take()? {
            if let Entry::Command(command) = entry {
                let outcome = Outcome {
                    status: CHECK_CONDITION,
                    sense: &NOT_READY,
                    read_bytes: None,
                };
                device.ring().answer(command, outcome);
                has_answered = true;
            }
        }
        if has_answered {
            device.tell()?;
        }
        if device.wait(wake.as_fd())? == pseudotape_tcmu::Woken::Caller {
            return Ok(());
        }
    }
}
