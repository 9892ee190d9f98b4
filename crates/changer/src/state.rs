//! The file of a library: a line that says what follows, and the state as JSON.
//!
//! ```text
//! {"pseudotape-library":1,"bytes":812,"crc32":305419896}
//! {"name":"vault","serial":…}
//! ```
//!
//! The first number is that of the format. A program refuses what it does not know, fields included: to leave out what
//! a newer version wrote would lose it at the next move.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::{Address, Layout, LayoutError};
use crate::barcode::Barcode;

/// The format that this version reads and writes.
const FORMAT: u32 = 1;

/// What a library is made as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Design {
    /// Its name.
    pub name: String,
    /// Unit serial number.
    pub serial: String,
    /// Which elements it has.
    pub layout: Layout,
    /// What barcodes of new cartridges look like: `PT####L5`, with a digit for each `#`.
    pub barcodes: String,
    /// How many bytes of blocks fit on a new cartridge; `None`: as much as the host holds.
    pub capacity_bytes: Option<u64>,
}

/// A cartridge of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cartridge {
    /// Its barcode.
    pub barcode: Barcode,
    /// What is in it, as whoever loads it understands that: for the daemon a path in the library's folder, or the
    /// specification of a volume.
    pub volume: String,
}

/// A cartridge in its element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Held {
    #[serde(flatten)]
    pub(crate) cartridge: Cartridge,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Address>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) by_operator: bool,
}

/// Everything that a library remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct State {
    pub(crate) design: Design,
    pub(crate) removal_prevented: bool,
    pub(crate) elements: BTreeMap<Address, Held>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    #[serde(rename = "pseudotape-library")]
    format: u32,
    bytes: usize,
    crc32: u32,
}

/// Why the file of a library can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// No first line of ours.
    #[error("it is not the state of a library: {0}")]
    Foreign(serde_json::Error),
    /// Of a newer version.
    #[error(
        "it has format {0}, and this version reads format {FORMAT}: use the version that wrote it"
    )]
    Format(u32),
    /// Cut, or changed by hand.
    #[error(
        "it is damaged: its checksum does not fit; the newest copy of it that is whole can take its place"
    )]
    Checksum,
    /// Whole and not understood.
    #[error("it can't be understood: {0}")]
    Content(serde_json::Error),
    /// Elements that can't be.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A cartridge where no cartridge can be.
    #[error("cartridge {barcode} is in element {address}, which is none")]
    Nowhere {
        /// The cartridge.
        barcode: Barcode,
        /// The address.
        address: Address,
    },
    /// One cartridge in two elements.
    #[error("cartridge {barcode} is in two elements")]
    Twice {
        /// The cartridge.
        barcode: Barcode,
    },
}

impl State {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let body = serde_json::to_vec(self).expect("maps have keys that are numbers or texts");
        let head = Head {
            format: FORMAT,
            bytes: body.len(),
            crc32: crc32fast::hash(&body),
        };
        let mut file = serde_json::to_vec(&head).expect("three numbers");
        file.push(b'\n');
        file.extend_from_slice(&body);
        file.push(b'\n');
        file
    }

    pub(crate) fn decode(file: &[u8]) -> Result<State, StateError> {
        let end = file.iter().position(|byte| *byte == b'\n');
        let (head, rest) = file.split_at(end.unwrap_or(file.len()));
        let head: Head = serde_json::from_slice(head).map_err(StateError::Foreign)?;
        if head.format != FORMAT {
            return Err(StateError::Format(head.format));
        }
        let body = rest.get(1..).and_then(|rest| rest.strip_suffix(b"\n"));
        let body = body.ok_or(StateError::Checksum)?;
        if body.len() != head.bytes || crc32fast::hash(body) != head.crc32 {
            return Err(StateError::Checksum);
        }
        let state: State = serde_json::from_slice(body).map_err(StateError::Content)?;
        state.check()?;
        Ok(state)
    }

    fn check(&self) -> Result<(), StateError> {
        let layout = &self.design.layout;
        layout.check()?;
        let mut seen = std::collections::HashSet::new();
        for (address, held) in &self.elements {
            let barcode = held.cartridge.barcode;
            if layout.find(*address).is_none() || layout.transports.number(*address).is_some() {
                let address = *address;
                return Err(StateError::Nowhere { barcode, address });
            }
            if !seen.insert(barcode) {
                return Err(StateError::Twice { barcode });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let held = Held {
            cartridge: Cartridge {
                barcode: "PT0001L5".parse().unwrap(),
                volume: "PT0001L5.ptape".into(),
            },
            source: Some(Address(1026)),
            by_operator: false,
        };
        State {
            design: Design {
                name: "vault".into(),
                serial: "PTL0".into(),
                layout: Layout::usual(2, 1, 5).unwrap(),
                barcodes: "PT####L5".into(),
                capacity_bytes: Some(1 << 20),
            },
            removal_prevented: false,
            elements: BTreeMap::from([(Address(257), held)]),
        }
    }

    /// A released format is never changed: a change of it gets a number and a reader for the old one.
    #[test]
    fn the_file_has_these_bytes() {
        let text = concat!(
            r#"{"pseudotape-library":1,"bytes":350,"crc32":4166983412}"#,
            "\n",
            r#"{"design":{"name":"vault","serial":"PTL0","layout":{"transports":{"first":1,"count":1},"#,
            r#""slots":{"first":1025,"count":5},"import-export":{"first":769,"count":1},"#,
            r#""drives":{"first":257,"count":2}},"barcodes":"PT####L5","capacity-bytes":1048576},"#,
            r#""removal-prevented":false,"elements":{"257":{"barcode":"PT0001L5","#,
            r#""volume":"PT0001L5.ptape","source":1026}}}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(state().encode()).unwrap(), text);
        assert_eq!(State::decode(text.as_bytes()).unwrap(), state());
    }

    #[test]
    fn a_file_that_was_cut_or_changed_is_refused() {
        let file = state().encode();
        for length in 0..file.len() {
            assert!(State::decode(&file[..length]).is_err(), "{length}");
        }
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            let decoded = State::decode(&changed);
            assert!(decoded.is_err(), "{at}: {decoded:?}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let text = String::from_utf8(state().encode()).unwrap();
        let newer = text.replace("library\":1", "library\":2");
        let error = State::decode(newer.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("it has format 2"), "{error}");
    }

    #[test]
    fn a_cartridge_in_two_places_or_none_is_refused() {
        let mut twice = state();
        let held = twice.elements[&Address(257)].clone();
        twice.elements.insert(Address(1025), held.clone());
        assert!(matches!(
            State::decode(&twice.encode()),
            Err(StateError::Twice { .. })
        ));
        for address in [Address(1), Address(9)] {
            let mut nowhere = state();
            nowhere.elements = BTreeMap::from([(address, held.clone())]);
            assert!(matches!(
                State::decode(&nowhere.encode()),
                Err(StateError::Nowhere { .. })
            ));
        }
    }
}
