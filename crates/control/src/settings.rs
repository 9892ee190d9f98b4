//! What a configuration says about a control socket: where it is, whom it lets in, and what those may name.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use nix::unistd::Group;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::group::is_mapped;
use crate::socket::SocketGroup;

/// `control = "SOCKET"`, or a table `[control]`.
///
/// The lists are for callers that are neither root nor the daemon's own user: what these name has to be on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlSettings {
    /// The socket.
    pub socket: Option<PathBuf>,
    /// The group that may connect.
    pub group: Option<String>,
    /// Permission bits of the socket, octal.
    pub mode: Option<String>,
    /// Most clients at a time.
    pub max_clients: Option<NonZeroUsize>,
    /// Folders whose images may be named.
    pub folders: Vec<PathBuf>,
    /// Tape nodes that may be named.
    pub devices: Vec<PathBuf>,
    /// Key files that may be named.
    pub keys: Vec<PathBuf>,
    /// Remote tapes that may be named: `[USER@]HOST:TAPE`, or `[USER@]HOST:` for every tape of a host.
    pub remotes: Vec<String>,
    /// Programs that may be named as a remote shell, a server or a command.
    pub programs: Vec<String>,
}

/// Why a setting of a socket can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// No permission bits.
    #[error("mode '{text}' is not a permission of three octal digits, such as 0660")]
    Mode {
        /// The text.
        text: String,
    },
    /// A group that is not there.
    #[error("there is no group '{name}': {option} names one that exists")]
    NoGroup {
        /// Its name.
        name: String,
        /// How another one is named.
        option: &'static str,
    },
    /// A group of which the kernel knows nothing here.
    #[error(
        "group '{name}' ({gid}) has no number in this user namespace, nobody could write to what belongs to it: {option} \
         names one that has ('unshare --map-groups' and newgidmap give more of them one)"
    )]
    UnmappedGroup {
        /// Its name.
        name: String,
        /// Its number outside.
        gid: u32,
        /// How another one is named.
        option: &'static str,
    },
    /// The groups can't be looked up.
    #[error("can't look up group {name}: {source}")]
    Groups {
        /// Its name.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// Reads permission bits.
pub fn parse_mode(text: &str) -> Result<u32, SettingError> {
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| *mode <= 0o777)
        .ok_or_else(|| SettingError::Mode {
            text: text.to_owned(),
        })
}

/// The number of a group; `None` where there is no such group.
pub fn find_group(name: &str) -> Result<Option<u32>, SettingError> {
    let found = Group::from_name(name).map_err(|errno| SettingError::Groups {
        name: name.to_owned(),
        source: errno.into(),
    })?;
    Ok(found.map(|group| group.gid.as_raw()))
}

/// The group that a socket was configured to have, which has to be there.
pub fn named_group(name: &str, option: &'static str) -> Result<SocketGroup, SettingError> {
    match find_group(name)? {
        Some(gid) if is_mapped(gid) => Ok(SocketGroup::Needed(gid)),
        Some(gid) => Err(SettingError::UnmappedGroup {
            name: name.to_owned(),
            gid,
            option,
        }),
        None => Err(SettingError::NoGroup {
            name: name.to_owned(),
            option,
        }),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    socket: Option<PathBuf>,
    group: Option<String>,
    mode: Option<String>,
    max_clients: Option<NonZeroUsize>,
    #[serde(default)]
    folders: Vec<PathBuf>,
    #[serde(default)]
    devices: Vec<PathBuf>,
    #[serde(default)]
    keys: Vec<PathBuf>,
    #[serde(default)]
    remotes: Vec<String>,
    #[serde(default)]
    programs: Vec<String>,
}

fn check_lists(table: &Table) -> Result<(), String> {
    let paths = [
        ("folders", &table.folders),
        ("devices", &table.devices),
        ("keys", &table.keys),
    ];
    for (key, list) in paths {
        if let Some(path) = list.iter().find(|path| !is_plain(path)) {
            let path = path.display();
            return Err(format!(
                "{key}: '{path}' is no absolute path without '..': only such ones can be lent"
            ));
        }
    }
    if let Some(remote) = table.remotes.iter().find(|remote| !remote.contains(':')) {
        return Err(format!(
            "remotes: '{remote}' is neither [USER@]HOST:TAPE nor [USER@]HOST:"
        ));
    }
    Ok(())
}

fn is_plain(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|part| part.as_os_str() == "..")
}

impl<'de> Deserialize<'de> for ControlSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = ControlSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a socket, or a table")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ControlSettings, E> {
                let socket = PathBuf::deserialize(StrDeserializer::<E>::new(text))?;
                Ok(ControlSettings {
                    socket: Some(socket),
                    ..ControlSettings::default()
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ControlSettings, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                check_lists(&table).map_err(de::Error::custom)?;
                Ok(ControlSettings {
                    socket: table.socket,
                    group: table.group,
                    mode: table.mode,
                    max_clients: table.max_clients,
                    folders: table.folders,
                    devices: table.devices,
                    keys: table.keys,
                    remotes: table.remotes,
                    programs: table.programs,
                })
            }
        }

        deserializer.deserialize_any(Form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> Result<ControlSettings, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_socket_is_a_text_or_a_key_of_the_table() {
        let text = settings("\"/run/c\"").unwrap();
        assert_eq!(text, settings("{\"socket\":\"/run/c\"}").unwrap());
        assert_eq!(text.socket.as_deref(), Some(Path::new("/run/c")));
        assert!(text.folders.is_empty() && text.group.is_none());
        let full = settings(
            "{\"group\":\"tape\",\"mode\":\"0660\",\"folders\":[\"/srv/tapes\"],\"devices\":[\"/dev/nst0\"],\
             \"keys\":[\"/etc/k\"],\"remotes\":[\"vault:\"],\"programs\":[\"ssh\"]}",
        );
        let full = full.unwrap();
        assert_eq!(full.folders, [PathBuf::from("/srv/tapes")]);
        assert_eq!((full.remotes.len(), full.programs.len()), (1, 1));
    }

    #[test]
    fn what_can_not_be_lent_is_named() {
        for (json, words) in [
            ("{\"colour\":1}", "colour"),
            (
                "{\"folders\":[\"srv\"]}",
                "folders: 'srv' is no absolute path",
            ),
            ("{\"folders\":[\"/srv/../etc\"]}", "without '..'"),
            ("{\"keys\":[\"k\"]}", "keys: 'k'"),
            ("{\"remotes\":[\"vault\"]}", "remotes: 'vault' is neither"),
            ("7", "the path of a socket, or a table"),
        ] {
            let error = settings(json).unwrap_err();
            assert!(error.contains(words), "{json}: {error}");
        }
    }

    #[test]
    fn a_mode_is_octal_and_a_group_is_there() {
        assert_eq!(parse_mode("0660").unwrap(), 0o660);
        for text in ["rw", "1777", "", "-1", "8"] {
            let error = parse_mode(text).unwrap_err().to_string();
            assert!(error.contains("octal"), "{text}: {error}");
        }
        assert!(matches!(
            named_group("root", "group"),
            Ok(SocketGroup::Needed(0))
        ));
        let error = named_group("no such group", "control.group").unwrap_err();
        assert!(
            error.to_string().contains("control.group names one"),
            "{error}"
        );
    }
}
