//! What a device was started with, and which volumes operators have put into legs since. The next daemon goes on with
//! the device only where it is the same one: a command that waits for a tape must not come to another one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pseudotape_control::DriveMirrorStatus;
use pseudotape_dev::config::{DriveConfig, HeldConfig};
use pseudotape_tcmu::Kept;
use serde::{Deserialize, Serialize};

/// A leg without a volume.
const EMPTY: &str = "empty";

/// That of one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// What the configuration has there, for a person, too.
    configured: String,
    /// The volumes of the legs, by their names.
    legs: BTreeMap<String, String>,
}

impl Held {
    /// What a drive has by its configuration.
    pub(crate) fn of_drive(drive: &DriveConfig) -> Held {
        let mut held = Held::named(match &drive.held {
            HeldConfig::Image(image) => match &image.image {
                Some(path) => path.display().to_string(),
                None => "a drive without a cartridge".to_owned(),
            },
            HeldConfig::Slave(slave) => format!("the slave end {}", slave.socket.display()),
            HeldConfig::Legs(_) => "legs".to_owned(),
        });
        if let HeldConfig::Legs(legs) = &drive.held {
            for leg in &legs.legs {
                let sink = leg.sink.as_ref().map(ToString::to_string);
                let shown = sink.as_deref().unwrap_or(EMPTY);
                let name = &leg.options.name;
                held.configured.push_str(&format!(" {name}={shown}"));
                if let Some(sink) = sink {
                    held.legs.insert(name.clone(), sink);
                }
            }
        }
        held
    }

    /// What has no legs.
    pub(crate) fn named(configured: String) -> Held {
        Held {
            configured,
            legs: BTreeMap::new(),
        }
    }

    /// The configuration of what is there, for a person.
    pub(crate) fn configured(&self) -> &str {
        &self.configured
    }

    /// Whether the configuration has the same there.
    pub(crate) fn is_same(&self, other: &Held) -> bool {
        self.configured == other.configured
    }

    /// The volumes that are in the legs now.
    pub(crate) fn look_at(&mut self, mirror: &DriveMirrorStatus) {
        let legs = mirror.legs.iter();
        let full = legs.filter(|leg| !["empty", "leaving"].contains(&leg.state.as_str()));
        self.legs = full
            .filter_map(|leg| Some((leg.name.clone(), leg.sink.clone()?)))
            .collect();
    }

    /// Puts the volumes that were in the legs there in the place of those of the configuration.
    pub(crate) fn put_into(&self, drive: &mut DriveConfig) -> Result<()> {
        let HeldConfig::Legs(legs) = &mut drive.held else {
            return Ok(());
        };
        for leg in &mut legs.legs {
            let name = &leg.options.name;
            let sink = self.legs.get(name).map(|sink| sink.parse());
            leg.sink = sink
                .transpose()
                .with_context(|| format!("the volume that was in leg {name}"))?;
        }
        Ok(())
    }
}

/// The same where it outlives the process.
pub(crate) struct HeldNote(Kept);

impl HeldNote {
    /// Opens the one of a device.
    pub(crate) fn open(path: &Path) -> io::Result<HeldNote> {
        Ok(HeldNote(Kept::open(path)?))
    }

    /// What the last daemon had; `None`: nobody knows.
    pub(crate) fn read(&self) -> Option<Held> {
        let text = String::from_utf8(self.0.read()).ok()?; // another version's
        toml::from_str(&text).ok() // the same, or it was too long to be kept
    }

    /// Notes what this daemon has.
    pub(crate) fn write(&self, held: &Held) {
        match toml::to_string(held) {
            Ok(text) => self.0.write(text.as_bytes()),
            Err(error) => log::error!("can't note '{}': {error}", held.configured),
        }
    }
}

/// Where that of a device is: beside its note.
pub(crate) fn held_path(note: &Path) -> PathBuf {
    note.with_extension("held")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pseudotape_control::DriveLegStatus;
    use pseudotape_dev::config::{check_drive, parse_spec};

    fn drive(spec: &str) -> DriveConfig {
        check_drive(0, parse_spec(spec).unwrap()).unwrap()
    }

    #[test]
    fn another_configuration_is_another_drive() {
        let specs = [
            "",
            "image=/srv/a.ptape",
            "image=/srv/b.ptape",
            "slave=/run/a",
            "slave=/run/b",
            "legs=a=image:/srv/a.ptape;b=image:/srv/b.ptape",
            "legs=b=image:/srv/a.ptape;a=image:/srv/b.ptape",
            "legs=a=image:/srv/a.ptape",
        ];
        for (number, one) in specs.iter().enumerate() {
            for (other_number, other) in specs.iter().enumerate() {
                let (one, other) = (drive(one), drive(other));
                let is_same = Held::of_drive(&one).is_same(&Held::of_drive(&other));
                assert_eq!(is_same, number == other_number, "{one:?} {other:?}");
            }
        }
        // What is no other tape.
        let written_protected = drive("image=/srv/a.ptape,capacity=2G");
        assert!(Held::of_drive(&written_protected).is_same(&Held::of_drive(&drive(specs[1]))));
    }

    #[test]
    fn the_volumes_of_an_operator_come_back_into_the_legs() {
        let directory = tempfile::tempdir().unwrap();
        let path = held_path(&directory.path().join("drive-0"));
        let note = HeldNote::open(&path).unwrap();
        assert_eq!(note.read(), None);
        let mut configured = drive("legs=a=image:/srv/a.ptape;b=image:/srv/b.ptape;c=image:/c");
        let mut held = Held::of_drive(&configured);
        let leg = |name: &str, sink: &str, state: &str| DriveLegStatus {
            name: name.to_owned(),
            sink: Some(sink.to_owned()),
            state: state.to_owned(),
        };
        held.look_at(&DriveMirrorStatus {
            degraded: false,
            refused: None,
            legs: vec![
                leg("a", "zstd+image:/srv/ä.ptape", "in-step"),
                leg("b", "image:/srv/b.ptape", "empty"),
                leg("c", "image:/c", "dropped"),
            ],
        });
        note.write(&held);
        let next = HeldNote::open(&path).unwrap().read().unwrap();
        assert_eq!(next, held);
        assert!(next.is_same(&Held::of_drive(&configured)));
        next.put_into(&mut configured).unwrap();
        let HeldConfig::Legs(legs) = &configured.held else {
            panic!("no legs")
        };
        let sinks = legs.legs.iter().map(|leg| leg.sink.as_ref());
        let sinks: Vec<_> = sinks.map(|sink| sink.map(ToString::to_string)).collect();
        let expected = [Some("zstd+image:/srv/ä.ptape"), None, Some("image:/c")];
        assert_eq!(sinks, expected.map(|sink| sink.map(str::to_owned)));
    }

    #[test]
    fn what_is_too_long_to_be_kept_is_not_known() {
        let directory = tempfile::tempdir().unwrap();
        let note = HeldNote::open(&held_path(&directory.path().join("drive-0"))).unwrap();
        note.write(&Held::named("x".repeat(5000)));
        assert_eq!(note.read(), None);
    }
}
