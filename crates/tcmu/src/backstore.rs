//! The directory of configfs that makes a device `/dev/uioN`.

use std::io;
use std::path::{Path, PathBuf};

use crate::configfs::{ConfigFs, TreeError, ensure, remove, remove_if_unused};

/// All of ours lie in one directory of this kind, so that they are found again.
const HOST: u32 = 7074;

/// What the kernel needs to be told, though a tape has none: the size and the blocks of a disk.
const DISK_BYTES: u64 = 1 << 20;
const DISK_BLOCK_BYTES: u32 = 512;

/// What can be set of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long the kernel waits for an answer, before it gives the command up in the device's name; 0: for ever.
    pub command_timeout_s: u32,
    /// Room for the data of all commands in the ring.
    pub data_mib: u32,
}

/// A device of the target core whose commands a process answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backstore {
    target: PathBuf,
    name: String,
    /// What it says of itself, and by which its device is found.
    config: String,
}

impl Backstore {
    /// That of a name; it need not be there. `target` is the kernel's tree of targets.
    #[must_use]
    pub fn new(target: &Path, name: &str) -> Backstore {
        Backstore {
            target: target.to_owned(),
            name: name.to_owned(),
            config: format!("pseudotape/{name}"),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.host().join(&self.name)
    }

    /// The name of its device in `/sys/class/uio`.
    #[must_use]
    pub fn device_name(&self) -> String {
        let Backstore { name, config, .. } = self;
        format!("tcm-user/{HOST}/{name}/{config}")
    }

    fn host(&self) -> PathBuf {
        host(&self.target)
    }

    /// Makes the device, unless it is there. `true`: it was there, and what a process left unanswered is in its ring.
    pub fn make(&self, tree: &dyn ConfigFs, settings: Settings) -> Result<bool, TreeError> {
        let directory = self.directory();
        ensure(tree, &self.host())?;
        let enable = directory.join("enable");
        if tree.has_directory(&directory) {
            if tree.get(&enable)? == "1" {
                return Ok(true);
            }
            // One that was not made to its end.
            remove(tree, &directory)?;
        }
        tree.make(&directory)?;
        let made = self.set_up(tree, settings);
        if made.is_err() {
            // The first trouble is the one to tell.
            remove(tree, &directory).ok();
        }
        made.map(|()| false)
    }

    fn set_up(&self, tree: &dyn ConfigFs, settings: Settings) -> Result<(), TreeError> {
        let directory = self.directory();
        let control = directory.join("control");
        // One at a time: the kernel takes one for each write.
        for value in [
            format!("dev_config={}", self.config),
            format!("dev_size={DISK_BYTES}"),
            format!("hw_block_size={DISK_BLOCK_BYTES}"),
            format!("max_data_area_mb={}", settings.data_mib),
            // Nobody is to be asked over netlink whether the device may come.
            "nl_reply_supported=-1".to_owned(),
        ] {
            tree.set(&control, &value)?;
        }
        // The kernel keeps reservations of several drives in files of these names. Initiators are told another one by
        // the process that serves the device.
        tree.set(&directory.join("wwn/vpd_unit_serial"), &self.name)?;
        // Before anything uses the device: later the kernel refuses it.
        let timeout = settings.command_timeout_s.to_string();
        tree.set(&directory.join("attrib/cmd_time_out"), &timeout)?;
        tree.set(&directory.join("enable"), "1")?;
        // Since Linux 5.10; without it a command that was aborted is done all the same.
        match tree.set(&directory.join("attrib/tmr_notification"), "1") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            set => set,
        }
    }

    /// Removes the device, which nothing may use any more.
    pub fn remove(&self, tree: &dyn ConfigFs) -> Result<(), TreeError> {
        remove(tree, &self.directory())?;
        remove_if_unused(tree, &self.host())
    }
}

fn host(target: &Path) -> PathBuf {
    target.join(format!("core/user_{HOST}"))
}

/// The names of an owner's devices, made to their end or not: `OWNER-NUMBER` and `OWNER-cNUMBER`.
pub fn left_backstores(
    tree: &dyn ConfigFs,
    target: &Path,
    owner: &str,
) -> Result<Vec<String>, TreeError> {
    let is_own = |name: &String| {
        let rest = name
            .strip_prefix(owner)
            .and_then(|rest| rest.strip_prefix('-'));
        // Another owner's name can begin like this one's.
        rest.is_some_and(|rest| {
            rest.strip_prefix('c')
                .unwrap_or(rest)
                .parse::<u32>()
                .is_ok()
        })
    };
    let mut names = tree.names(&host(target))?;
    names.retain(is_own);
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configfs::fake::Fake;

    const TARGET: &str = "/sys/kernel/config/target";
    const SETTINGS: Settings = Settings {
        command_timeout_s: 900,
        data_mib: 8,
    };

    fn backstore(name: &str) -> Backstore {
        Backstore::new(Path::new(TARGET), name)
    }

    #[test]
    fn it_is_made_in_order_and_removed() {
        let tree = Fake::new();
        let mine = backstore("pseudotape-0");
        assert!(!mine.make(&tree, SETTINGS).unwrap());
        let log = tree.log.take();
        let first = ["make core/user_7074", "make core/user_7074/pseudotape-0"];
        assert_eq!(log[..2], first);
        let timeout = "set core/user_7074/pseudotape-0/attrib/cmd_time_out";
        let enable = "set core/user_7074/pseudotape-0/enable";
        let place = |what: &str| log.iter().position(|step| step == what).unwrap();
        assert!(place(timeout) < place(enable));
        assert_eq!(
            tree.value("core/user_7074/pseudotape-0/wwn/vpd_unit_serial"),
            "pseudotape-0"
        );
        assert_eq!(
            mine.device_name(),
            "tcm-user/7074/pseudotape-0/pseudotape/pseudotape-0"
        );
        let other = backstore("other-0");
        assert!(!other.make(&tree, SETTINGS).unwrap());
        let of = |owner| left_backstores(&tree, Path::new(TARGET), owner).unwrap();
        assert_eq!(of("pseudotape"), ["pseudotape-0"]);
        assert_eq!(of("other"), ["other-0"]);
        assert_eq!(of("pseudo"), [""; 0]);
        let changer = backstore("pseudotape-c1");
        changer.make(&tree, SETTINGS).unwrap();
        assert_eq!(of("pseudotape"), ["pseudotape-0", "pseudotape-c1"]);
        assert_eq!(of("pseudotape-c1"), [""; 0]);
        changer.remove(&tree).unwrap();
        mine.remove(&tree).unwrap();
        assert_eq!(tree.made(), ["core/user_7074", "core/user_7074/other-0"]);
        mine.remove(&tree).unwrap();
        other.remove(&tree).unwrap();
        assert_eq!(tree.made(), [""; 0]);
    }

    #[test]
    fn one_that_is_there_is_taken_over_and_a_half_made_one_is_made_anew() {
        let tree = Fake::new();
        let mine = backstore("pseudotape-0");
        mine.make(&tree, SETTINGS).unwrap();
        assert!(mine.make(&tree, SETTINGS).unwrap());
        mine.remove(&tree).unwrap();
        for steps in 0..10 {
            tree.fail_after(steps);
            assert!(mine.make(&tree, SETTINGS).is_err(), "{steps}");
            tree.fail_after(usize::MAX);
            assert!(
                !mine.make(&tree, SETTINGS).unwrap_or(true) || steps == 9,
                "{steps}"
            );
            mine.remove(&tree).unwrap();
            assert_eq!(tree.made(), [""; 0]);
        }
    }
}
