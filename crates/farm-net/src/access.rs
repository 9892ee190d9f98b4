//! Who may use a farm from another host. Nobody may who is not on the list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::fcntl::{Flock, FlockArg};

/// The list's file in the root of a farm: a name that no volume has.
pub const ACCESS_NAME: &str = ".access";
/// Every user, or every host.
pub const ANY: &str = "any";
/// The longest list that is read.
const MAX_LIST_BYTES: u64 = 16 << 20;
/// The longest name of a user or a host.
const NAME_BYTES: usize = 255;

/// A user at a host: who somebody is, or who is on the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// The user.
    pub user: String,
    /// The host.
    pub host: String,
}

/// A text that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' is no USER@HOST: two names without blanks and control characters, of at most {NAME_BYTES} bytes; \
     'any' stands for every one",
    pseudotape_human::printable(.0)
)]
pub struct BadPerson(String);

impl FromStr for Person {
    type Err = BadPerson;

    fn from_str(text: &str) -> Result<Self, BadPerson> {
        let bad = || BadPerson(text.to_owned());
        let (user, host) = text.rsplit_once('@').ok_or_else(bad)?;
        let fits = |name: &str| {
            let unfit = |c: char| c.is_control() || c.is_whitespace() || c == '#';
            !name.is_empty() && name.len() <= NAME_BYTES && !name.contains(unfit)
        };
        match fits(user) && fits(host) && !user.contains('@') {
            true => Ok(Person {
                user: user.to_owned(),
                host: host.to_owned(),
            }),
            false => Err(bad()),
        }
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

/// Why a list can't be used. Nobody comes in then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The host failed.
    #[error("can't {action} the access list {path}: {source}")]
    Host {
        /// What.
        action: &'static str,
        /// Which list.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is none.
    #[error("line {line} of the access list {path}: {source}")]
    Line {
        /// Which line, from 1 on.
        line: usize,
        /// Which list.
        path: PathBuf,
        /// Why.
        source: BadPerson,
    },
}

/// Whether two names are those of one host, which has no case (RFC 6125). What stands for every host is none.
fn is_same_host(one: &str, other: &str) -> bool {
    one == other || (one != ANY && other != ANY && one.eq_ignore_ascii_case(other))
}

/// The list: for each user the hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessList(BTreeMap<String, BTreeSet<String>>);

impl AccessList {
    /// Reads the list of a farm. Without a list nobody is on it.
    pub fn read(root: &Path) -> Result<Self, AccessError> {
        let path = root.join(ACCESS_NAME);
        let failed = |source| AccessError::Host {
            action: "read",
            path: path.clone(),
            source,
        };
        // A FIFO is not waited for, and a link leads out of the root.
        let how = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOFOLLOW;
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(how.bits())
            .open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(AccessList::default());
            }
            Err(error) => return Err(failed(error)),
        };
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("it is no regular file")));
        }
        let mut text = String::new();
        file.take(MAX_LIST_BYTES)
            .read_to_string(&mut text)
            .map_err(failed)?;
        let mut access = AccessList::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let person = line.parse().map_err(|source| AccessError::Line {
                line: at + 1,
                path: path.clone(),
                source,
            })?;
            access.add(person);
        }
        Ok(access)
    }

    /// Puts somebody on the list; `false` where he is on it.
    pub fn add(&mut self, person: Person) -> bool {
        let hosts = self.0.entry(person.user).or_default();
        let is_new = !hosts.iter().any(|host| is_same_host(host, &person.host));
        if is_new {
            hosts.insert(person.host);
        }
        is_new
    }

    /// Takes somebody off; `false` where he is not on it.
    pub fn remove(&mut self, person: &Person) -> bool {
        let Some(hosts) = self.0.get_mut(&person.user) else {
            return false;
        };
        let before = hosts.len();
        hosts.retain(|host| !is_same_host(host, &person.host));
        let removed = hosts.len() < before;
        if hosts.is_empty() {
            self.0.remove(&person.user);
        }
        removed
    }

    /// Who is on it.
    #[must_use]
    pub fn people(&self) -> Vec<Person> {
        let of = |(user, hosts): (&String, &BTreeSet<String>)| -> Vec<Person> {
            let person = |host: &String| Person {
                user: user.clone(),
                host: host.clone(),
            };
            hosts.iter().map(person).collect()
        };
        self.0.iter().flat_map(of).collect()
    }

    /// Whether somebody may come in, in the order of CW-45: the hosts of every user are looked at before the user's.
    #[must_use]
    pub fn admits(&self, person: &Person) -> bool {
        let among = |user: &str| {
            let hosts = self.0.get(user);
            let is_meant = |host: &String| host == ANY || is_same_host(host, &person.host);
            hosts.is_some_and(|hosts| hosts.iter().any(is_meant))
        };
        among(ANY) || among(&person.user)
    }

    /// Changes the list of a farm: old or new, never between, and one at a time.
    pub fn change<T>(
        root: &Path,
        change: impl FnOnce(&mut AccessList) -> T,
    ) -> Result<T, AccessError> {
        let path = root.join(ACCESS_NAME);
        let failed = |source| AccessError::Host {
            action: "write",
            path: path.clone(),
            source,
        };
        let folder = File::open(root).map_err(failed)?;
        let _held = Flock::lock(folder, FlockArg::LockExclusive)
            .map_err(|(_, errno)| failed(errno.into()))?;
        let mut access = AccessList::read(root)?;
        let done = change(&mut access);
        let new = root.join(format!("{ACCESS_NAME}.tmp"));
        let mut text = String::from(
            "# Who may use this farm from other hosts: 'pseudotape farm acl' changes it.\n",
        );
        for person in access.people() {
            text += &format!("{person}\n");
        }
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut file = File::create_new(&new).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&new, &path).map_err(failed)?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(text: &str) -> Person {
        text.parse().expect("a person")
    }

    /// CW-45: all 64 lists there are of {every user at every host, every user at the host, every user at another host,
    /// the user at every host, at the host, at another host}, against the steps as they stand in the rule.
    #[test]
    fn the_decision_table() {
        let all = ["any@any", "any@h", "any@o", "u@any", "u@h", "u@o"].map(person);
        for chosen in 0..64u32 {
            let mut access = AccessList::default();
            let on = |at: usize| chosen & (1 << at) != 0;
            for (at, person) in all.iter().enumerate() {
                if on(at) {
                    access.add(person.clone());
                }
            }
            let any_key = on(0) || on(1) || on(2);
            let user_key = on(3) || on(4) || on(5);
            let steps = [
                any_key && on(0),  // (1)
                any_key && on(1),  // (2)
                user_key && on(3), // (3), (4)
                user_key && on(4), // (3), (5)
            ];
            let expected = steps.contains(&true);
            assert_eq!(access.admits(&person("u@h")), expected, "{access:?}");
            // Somebody else has nothing of what the user has.
            assert_eq!(access.admits(&person("v@h")), on(0) || on(1), "{access:?}");
        }
    }

    /// CW-46: a root without a list lets nobody in; the open list of the source is one command away.
    #[test]
    fn nobody_may_come_in_before_somebody_says_so() {
        let root = tempfile::tempdir().expect("a folder");
        let access = AccessList::read(root.path()).expect("no list");
        assert!(!access.admits(&person("root@localhost")));
        assert!(!access.admits(&person("any@any")));
        AccessList::change(root.path(), |access| access.add(person("any@any"))).expect("a list");
        let access = AccessList::read(root.path()).expect("a list");
        assert!(access.admits(&person("u@h")));
    }

    /// The name of a host has no case, and that of a user has. `any` stands for every host in this spelling only.
    #[test]
    fn hosts_are_compared_without_case() {
        let mut access = AccessList::default();
        assert!(access.add(person("ada@Depot.Example")));
        assert!(!access.add(person("ada@depot.example")));
        assert!(access.admits(&person("ada@DEPOT.EXAMPLE")));
        assert!(!access.admits(&person("Ada@depot.example")));
        assert!(access.add(person("ada@ANY")));
        assert!(!access.admits(&person("ada@elsewhere")));
        assert!(access.add(person("ada@any")));
        assert!(access.remove(&person("ada@any")));
        assert!(!access.admits(&person("ada@elsewhere")));
        assert!(access.remove(&person("ada@DEPOT.example")));
        assert_eq!(access.people(), [person("ada@ANY")]);
    }

    /// CW-47: what is added and removed counts for whoever reads the list next.
    #[test]
    fn the_list_is_kept_in_the_root() {
        let root = tempfile::tempdir().expect("a folder");
        let change = |change: &dyn Fn(&mut AccessList) -> bool| {
            AccessList::change(root.path(), |access| change(access)).expect("a list")
        };
        assert!(change(&|access| access.add(person("ada@depot"))));
        assert!(!change(&|access| access.add(person("ada@depot"))));
        assert!(change(&|access| access.add(person("bob@any"))));
        let access = AccessList::read(root.path()).expect("a list");
        assert_eq!(access.people(), ["ada@depot", "bob@any"].map(person));
        assert!(access.admits(&person("bob@x")) && !access.admits(&person("ada@x")));
        assert!(change(&|access| access.remove(&person("ada@depot"))));
        assert!(!change(&|access| access.remove(&person("ada@depot"))));
        assert!(
            !AccessList::read(root.path())
                .expect("a list")
                .admits(&person("ada@depot"))
        );
    }

    #[test]
    fn a_list_that_can_not_be_read_lets_nobody_in_and_is_not_written_over() {
        let root = tempfile::tempdir().expect("a folder");
        let list = root.path().join(ACCESS_NAME);
        std::fs::write(&list, "ada@depot # who\n\nada depot\n").expect("a file");
        let error = AccessList::read(root.path())
            .expect_err("no list")
            .to_string();
        assert!(error.starts_with("line 3 of the access list"), "{error}");
        AccessList::change(root.path(), |access| access.add(person("bob@any"))).expect_err("kept");
        assert!(
            std::fs::read_to_string(&list)
                .expect("a file")
                .contains("ada depot")
        );
        std::fs::remove_file(&list).expect("removed");
        std::os::unix::fs::symlink("/etc/hostname", &list).expect("a link");
        AccessList::read(root.path()).expect_err("a link");
    }

    #[test]
    fn a_name_that_would_be_another_line_or_comment_is_none() {
        for bad in [
            "",
            "ada",
            "@h",
            "u@",
            "u v@h",
            "u@h\nany@any",
            "u#@h",
            "a@b@c",
        ] {
            assert!(bad.parse::<Person>().is_err(), "{bad:?}");
        }
    }
}
