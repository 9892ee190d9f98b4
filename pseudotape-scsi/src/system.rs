//! What the machine must have, and what it has made of a drive.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use pseudotape_tcmu::Fabric;

/// The kernel's tree of targets.
pub(crate) const TARGET: &str = "/sys/kernel/config/target";
/// Where its devices are listed.
pub(crate) const UIO_CLASS: &str = "/sys/class/uio";
/// Where nodes are.
pub(crate) const NODES: &str = "/dev";

const MODULES: [&str; 2] = ["target_core_mod", "target_core_user"];
/// The drivers of the devices of this machine; the last one is of changers.
const DRIVERS: [&str; 3] = ["sg", "st", "ch"];
/// How long the nodes of a device may take to come: the kernel makes them by itself.
const NODES_COME: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Loads what is no module of the running kernel yet, and says what is missing.
pub(crate) fn prepare(fabrics: &[Fabric]) -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "SCSI devices are made by root: start this as root, or 'pseudotape-dev' as you are"
    );
    let is_there = |module: &str| Path::new("/sys/module").join(module).is_dir();
    let drivers = match fabrics.contains(&Fabric::Loopback) {
        true => DRIVERS.as_slice(),
        false => &[],
    };
    let of_fabrics = fabrics.iter().map(|fabric| fabric.kind().module());
    let modules = MODULES.into_iter().chain(of_fabrics);
    let modules = modules.chain(drivers.iter().copied());
    for module in modules.filter(|module| !is_there(module)) {
        let loaded = Command::new("modprobe")
            .arg(module)
            .stdin(Stdio::null())
            .output();
        match loaded {
            Ok(output) if output.status.success() => {}
            Ok(output) => log::info!(
                "modprobe {module}: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
            Err(error) => log::info!("modprobe {module}: {error}"),
        }
    }
    if !Path::new("/sys/kernel/config").is_dir() {
        bail!("this kernel has no configfs: 'pseudotape doctor' tells what is missing");
    }
    ensure!(
        Path::new(TARGET).is_dir(),
        "{TARGET} is not there: it needs the module target_core_user ('modprobe target_core_user'), and configfs \
         ('mount -t configfs none /sys/kernel/config')"
    );
    make_place_of_reservations();
    Ok(())
}

/// Makes the folder where the kernel writes down persistent reservations. Without it each PERSISTENT RESERVE OUT that
/// registers ends with NOT READY, also where nothing is to outlive a loss of power.
fn make_place_of_reservations() {
    let root = fs::read_to_string(Path::new(TARGET).join("dbroot"));
    // Kernels before 4.9 do not tell it.
    let root = root.unwrap_or_else(|_| "/var/target".to_owned());
    let folder = Path::new(root.trim_end()).join("pr");
    let mut builder = fs::DirBuilder::new();
    if !folder.is_dir()
        && let Err(error) = builder.recursive(true).mode(0o700).create(&folder)
    {
        log::warn!(
            "can't make {folder}, without which the kernel refuses to register for persistent reservations: {error} \
             ('mkdir -p {folder}' as root)",
            folder = folder.display()
        );
    }
}

/// The driver of the kernel that a device has, beside sg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// Of tape drives.
    St,
    /// Of changers.
    Ch,
}

impl Driver {
    /// The driver without which there is no node at all.
    pub(crate) fn of_nodes(self) -> &'static str {
        match self {
            Driver::St => "st",
            Driver::Ch => "sg",
        }
    }

    fn is_there(self) -> bool {
        let name = match self {
            Driver::St => "st",
            Driver::Ch => "ch",
        };
        Path::new("/sys/bus/scsi/drivers").join(name).is_dir()
    }
}

/// The nodes of the SCSI device at an address (`HOST:CHANNEL:TARGET:LUN`): st's or ch's, then sg's.
pub(crate) fn nodes(address: &str) -> Vec<PathBuf> {
    let device = Path::new("/sys/class/scsi_device")
        .join(address)
        .join("device");
    let names = |class: &str| -> Vec<String> {
        let entries = fs::read_dir(device.join(class)).into_iter().flatten();
        let names = entries.flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.collect()
    };
    let mut tapes = names("scsi_tape");
    // Those of other modes have a letter at their end.
    tapes.retain(|name| name.ends_with(|last: char| last.is_ascii_digit()));
    tapes.sort_by_key(|name| name.starts_with('n'));
    let changers = names("scsi_changer");
    let all = tapes
        .into_iter()
        .chain(changers)
        .chain(names("scsi_generic"));
    all.map(|name| Path::new(NODES).join(name)).collect()
}

/// The same, when they have come; those of the driver, where the kernel has it.
pub(crate) fn nodes_that_come(address: &str, driver: Driver) -> Vec<PathBuf> {
    let has_driver = driver.is_there();
    let until = Instant::now() + NODES_COME;
    loop {
        let nodes = nodes(address);
        let are_there = nodes.len() >= 2 && nodes.iter().all(|node| node.exists());
        if are_there || !has_driver || Instant::now() >= until {
            return nodes;
        }
        std::thread::sleep(PAUSE);
    }
}
