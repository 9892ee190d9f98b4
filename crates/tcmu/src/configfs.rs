//! The kernel's tree of targets, `/sys/kernel/config/target`: what is done in it, one step at a time.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use thiserror::Error;

/// A step that failed.
#[derive(Debug, Error)]
#[error("can't {what} {}: {source}", path.display())]
pub struct TreeError {
    /// What was to be done.
    pub what: &'static str,
    /// With what.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

impl TreeError {
    /// The kind of reason.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

/// The steps. The kernel has them; tests have a tree of their own, which behaves as the kernel's does.
pub trait ConfigFs {
    /// Whether there is a directory here.
    fn has_directory(&self, path: &Path) -> bool;

    /// The names in a directory; none where there is no directory.
    fn names(&self, path: &Path) -> Result<Vec<String>, TreeError>;

    /// Makes a directory: what it stands for comes to be, with the directories and attributes that it has.
    fn make(&self, path: &Path) -> Result<(), TreeError>;

    /// Removes what a directory stands for.
    fn remove(&self, path: &Path) -> Result<(), TreeError>;

    /// Sets an attribute.
    fn set(&self, path: &Path, value: &str) -> Result<(), TreeError>;

    /// Reads an attribute.
    fn get(&self, path: &Path) -> Result<String, TreeError>;

    /// Makes a link to a directory.
    fn link(&self, to: &Path, at: &Path) -> Result<(), TreeError>;

    /// Removes a link.
    fn unlink(&self, at: &Path) -> Result<(), TreeError>;

    /// Where a link leads; `None` where there is none.
    fn link_target(&self, at: &Path) -> Option<PathBuf>;
}

/// The kernel's own tree.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel;

fn step<T>(what: &'static str, path: &Path, done: io::Result<T>) -> Result<T, TreeError> {
    done.map_err(|source| TreeError {
        what,
        path: path.to_owned(),
        source,
    })
}

impl ConfigFs for Kernel {
    fn has_directory(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn names(&self, path: &Path) -> Result<Vec<String>, TreeError> {
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => step("list", path, entries)?,
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        step("list", path, names.collect())
    }

    fn make(&self, path: &Path) -> Result<(), TreeError> {
        step("make", path, fs::create_dir(path))
    }

    fn remove(&self, path: &Path) -> Result<(), TreeError> {
        step("remove", path, fs::remove_dir(path))
    }

    fn set(&self, path: &Path, value: &str) -> Result<(), TreeError> {
        let file = fs::File::options().write(true).open(path);
        let mut file = step("open", path, file)?;
        step("set", path, file.write_all(value.as_bytes()))
    }

    fn get(&self, path: &Path) -> Result<String, TreeError> {
        step("read", path, fs::read_to_string(path)).map(|text| text.trim_end().to_owned())
    }

    fn link(&self, to: &Path, at: &Path) -> Result<(), TreeError> {
        step("make", at, std::os::unix::fs::symlink(to, at))
    }

    fn unlink(&self, at: &Path) -> Result<(), TreeError> {
        step("remove", at, fs::remove_file(at))
    }

    fn link_target(&self, at: &Path) -> Option<PathBuf> {
        fs::read_link(at).ok() // no link, as far as anybody can tell
    }
}

/// Makes a directory that may be there.
pub(crate) fn ensure(tree: &dyn ConfigFs, path: &Path) -> Result<(), TreeError> {
    match tree.has_directory(path) {
        true => Ok(()),
        false => match tree.make(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made,
        },
    }
}

/// The links in a directory: that of a unit has one, to its device, or none.
pub(crate) fn links_in(tree: &dyn ConfigFs, path: &Path) -> Result<Vec<String>, TreeError> {
    let mut names = tree.names(path)?;
    names.retain(|name| tree.link_target(&path.join(name)).is_some());
    Ok(names)
}

/// Removes a directory that may be gone.
pub(crate) fn remove(tree: &dyn ConfigFs, path: &Path) -> Result<(), TreeError> {
    if !tree.has_directory(path) {
        return Ok(());
    }
    match tree.remove(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes a directory that others may use as well: then it stays.
pub(crate) fn remove_if_unused(tree: &dyn ConfigFs, path: &Path) -> Result<(), TreeError> {
    match remove(tree, path) {
        Err(error) if is_used(&error.source) => Ok(()),
        removed => removed,
    }
}

pub(crate) fn is_used(error: &io::Error) -> bool {
    let used = [Errno::ENOTEMPTY, Errno::EBUSY];
    let code = error.raw_os_error().map(Errno::from_raw);
    code.is_some_and(|code| used.contains(&code))
}

/// A tree in memory that behaves as the kernel's, as far as ours need it: what a directory has by itself, what keeps
/// one from being removed, and an end at a step that a test chooses.
#[cfg(test)]
pub(crate) mod fake {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Thing {
        /// Made by somebody.
        Made,
        /// Comes and goes with the directory that it is in.
        Own,
        Attribute(String),
        Link(PathBuf),
    }

    pub(crate) struct Fake {
        things: RefCell<BTreeMap<PathBuf, Thing>>,
        /// How many changes are still made before all further ones fail.
        left: Cell<usize>,
        /// What was done, in order.
        pub(crate) log: RefCell<Vec<String>>,
    }

    const TARGET: &str = "/sys/kernel/config/target";
    const ACCOUNTS: &[&str] = &[
        "auth/userid",
        "auth/password",
        "auth/userid_mutual",
        "auth/password_mutual",
    ];

    impl Fake {
        pub(crate) fn new() -> Fake {
            let things = ["", "/core", "/core/alua"].map(|name| {
                let path = PathBuf::from(format!("{TARGET}{name}"));
                (path, Thing::Own)
            });
            Fake {
                things: RefCell::new(things.into()),
                left: Cell::new(usize::MAX),
                log: RefCell::default(),
            }
        }

        pub(crate) fn fail_after(&self, changes: usize) {
            self.left.set(changes);
        }

        /// What somebody made: directories and links.
        pub(crate) fn made(&self) -> Vec<String> {
            let things = self.things.borrow();
            let made = things
                .iter()
                .filter(|(_, thing)| matches!(thing, Thing::Made | Thing::Link(_)));
            made.map(|(path, _)| {
                path.display()
                    .to_string()
                    .replace(&format!("{TARGET}/"), "")
            })
            .collect()
        }

        fn is_iscsi(&self, path: &Path) -> bool {
            path.starts_with(format!("{TARGET}/iscsi"))
        }

        /// The value of an attribute, for a test.
        pub(crate) fn value(&self, short: &str) -> String {
            self.get(&Path::new(TARGET).join(short)).unwrap()
        }

        fn change(&self, what: &'static str, path: &Path) -> Result<(), TreeError> {
            let left = self.left.get();
            if left == 0 {
                return error(what, path, Errno::EIO);
            }
            self.left.set(left.saturating_sub(1));
            let short = path
                .display()
                .to_string()
                .replace(&format!("{TARGET}/"), "");
            self.log.borrow_mut().push(format!("{what} {short}"));
            Ok(())
        }

        /// What a new directory has by itself.
        fn come_with(&self, path: &Path) {
            let text = path.display().to_string();
            let short = text.strip_prefix(&format!("{TARGET}/")).unwrap().to_owned();
            let parts: Vec<&str> = short.split('/').collect();
            let (own, attributes): (&[&str], &[&str]) = match &*parts {
                ["core", hba] if hba.starts_with("user_") => (&[], &["hba_info"]),
                ["core", _, _] => (
                    &["attrib", "wwn"],
                    &[
                        "control",
                        "enable",
                        "attrib/cmd_time_out",
                        "attrib/tmr_notification",
                        "wwn/vpd_unit_serial",
                        "action/reset_ring",
                        "wwn/vpd_unit_serial",
                    ],
                ),
                ["loopback" | "iscsi" | "vhost"] => (&["discovery_auth"], &["version"]),
                ["loopback" | "iscsi" | "vhost", _] => (&["fabric_statistics"], &[]),
                ["loopback" | "vhost", _, _] => (&["lun", "attrib"], &["nexus", "address"]),
                ["iscsi", _, _] => (
                    &["lun", "attrib", "auth", "np", "acls"],
                    &[
                        "enable",
                        "attrib/authentication",
                        "attrib/demo_mode_discovery",
                        "attrib/demo_mode_write_protect",
                        "attrib/generate_node_acls",
                        "auth/userid",
                        "auth/password",
                        "auth/userid_mutual",
                        "auth/password_mutual",
                    ],
                ),
                ["iscsi", _, _, "acls", _] => (&["auth"], ACCOUNTS),
                ["iscsi", _, _, "acls", _, _] => (&["statistics"], &["write_protect"]),
                ["iscsi", _, _, "np", _] => (&[], &["tcp"]),
                [_, _, _, "lun", _] => (&["statistics"], &["alua_tg_pt_gp"]),
                _ => panic!("nothing can be made at {short}"),
            };
            let mut things = self.things.borrow_mut();
            for name in own {
                things.insert(path.join(name), Thing::Own);
            }
            for name in attributes {
                let value = match *name {
                    "enable" => "0",
                    "address" => "2:0:1",
                    _ => "",
                };
                things.insert(path.join(name), Thing::Attribute(value.to_owned()));
            }
        }
    }

    fn error<T>(what: &'static str, path: &Path, errno: Errno) -> Result<T, TreeError> {
        step(what, path, Err(errno.into()))
    }

    impl ConfigFs for Fake {
        fn has_directory(&self, path: &Path) -> bool {
            let things = self.things.borrow();
            matches!(things.get(path), Some(Thing::Made | Thing::Own))
        }

        fn names(&self, path: &Path) -> Result<Vec<String>, TreeError> {
            let things = self.things.borrow();
            let inside = things.keys().filter(|thing| thing.parent() == Some(path));
            let names = inside.map(|thing| thing.file_name().unwrap().to_string_lossy().into());
            Ok(names.collect())
        }

        fn make(&self, path: &Path) -> Result<(), TreeError> {
            if !self.has_directory(path.parent().unwrap()) {
                return error("make", path, Errno::ENOENT);
            }
            if self.has_directory(path) {
                return error("make", path, Errno::EEXIST);
            }
            self.change("make", path)?;
            self.things
                .borrow_mut()
                .insert(path.to_owned(), Thing::Made);
            self.come_with(path);
            Ok(())
        }

        fn remove(&self, path: &Path) -> Result<(), TreeError> {
            let is_linked = self.things.borrow().values().any(|thing| match thing {
                Thing::Link(to) => to == path,
                Thing::Made | Thing::Own | Thing::Attribute(_) => false,
            });
            if is_linked {
                return error("remove", path, Errno::EBUSY);
            }
            let below = |thing: &PathBuf| thing != path && thing.starts_with(path);
            let things = self.things.borrow();
            match things.get(path) {
                Some(Thing::Made) => {}
                Some(Thing::Own) => return error("remove", path, Errno::EPERM),
                _ => return error("remove", path, Errno::ENOENT),
            }
            let is_full = things
                .iter()
                .any(|(name, thing)| below(name) && matches!(thing, Thing::Made | Thing::Link(_)));
            if is_full {
                return error("remove", path, Errno::ENOTEMPTY);
            }
            drop(things);
            self.change("remove", path)?;
            let mut things = self.things.borrow_mut();
            things.retain(|name, _| name != path && !below(name));
            Ok(())
        }

        fn set(&self, path: &Path, value: &str) -> Result<(), TreeError> {
            let kind = self.things.borrow().get(path).cloned();
            let Some(Thing::Attribute(old)) = kind else {
                return error("open", path, Errno::ENOENT);
            };
            // The kernel refuses to enable a device twice, and changes of one that is exported.
            if path.ends_with("enable") && old == value {
                return error("set", path, Errno::EEXIST);
            }
            self.change("set", path)?;
            let mut things = self.things.borrow_mut();
            things.insert(path.to_owned(), Thing::Attribute(value.to_owned()));
            Ok(())
        }

        fn get(&self, path: &Path) -> Result<String, TreeError> {
            match self.things.borrow().get(path) {
                Some(Thing::Attribute(value)) => Ok(value.clone()),
                _ => error("read", path, Errno::ENOENT),
            }
        }

        fn link(&self, to: &Path, at: &Path) -> Result<(), TreeError> {
            let is_mapped = at.ancestors().any(|above| above.ends_with("acls"));
            let enabled = self.get(&to.join("enable")).is_ok_and(|value| value == "1");
            let group = at.parent().unwrap().parent().unwrap().parent().unwrap();
            let nexus = self.get(&group.join("nexus"));
            let may = match is_mapped {
                // The kernel lets no initiator have a unit without a device.
                true => !links_in(self, to)?.is_empty(),
                false => {
                    enabled && nexus.is_ok_and(|value| value.starts_with("naa."))
                        || self.is_iscsi(at)
                }
            };
            if !may {
                return error("make", at, Errno::ENODEV);
            }
            if self.things.borrow().contains_key(at) {
                return error("make", at, Errno::EEXIST);
            }
            self.change("link", at)?;
            let mut things = self.things.borrow_mut();
            things.insert(at.to_owned(), Thing::Link(to.to_owned()));
            Ok(())
        }

        fn unlink(&self, at: &Path) -> Result<(), TreeError> {
            self.change("unlink", at)?;
            match self.things.borrow_mut().remove(at) {
                Some(Thing::Link(_)) => Ok(()),
                other => panic!("{} is {other:?}", at.display()),
            }
        }

        fn link_target(&self, at: &Path) -> Option<PathBuf> {
            match self.things.borrow().get(at) {
                Some(Thing::Link(to)) => Some(to.clone()),
                _ => None,
            }
        }
    }
}
