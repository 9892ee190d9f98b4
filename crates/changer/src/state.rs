//! What a library remembers, and why it can not be read back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::{Address, Layout, LayoutError};
use crate::barcode::Barcode;

/// The format of files that this version writes; it reads the older ones too.
pub(crate) const FORMAT: u32 = 2;

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

/// What one change of a library changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Change {
    /// What is in these elements now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) elements: BTreeMap<Address, Option<Held>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removal_prevented: Option<bool>,
}

/// The way out where the file can't be used. The cartridges are safe: their images are files of their own.
const COPY: &str = "the newest copy of it that is whole can take its place; without one, move it away, make the library \
                    anew ('pseudotape library create') and add the cartridges";

/// Why the file of a library can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// No first line of ours.
    #[error("it is not the state of a library: {0}; {COPY}")]
    Foreign(serde_json::Error),
    /// Of a newer version.
    #[error(
        "it has format {0}, and this version reads the formats up to {FORMAT}: use the version that wrote it"
    )]
    Format(u32),
    /// Cut, or changed by hand.
    #[error("it is damaged: its checksum does not fit; {COPY}")]
    Checksum,
    /// A change that was recorded is damaged, and later ones are behind it.
    #[error("line {number} is damaged, and changes are recorded behind it; {COPY}")]
    Line {
        /// Counted from 1.
        number: usize,
    },
    /// A change that was recorded, whole and not understood.
    #[error("line {number} can't be understood: {source}; {COPY}")]
    LineContent {
        /// Counted from 1.
        number: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// Whole and not understood.
    #[error("it can't be understood: {0}; {COPY}")]
    Content(serde_json::Error),
    /// Elements that can't be.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A cartridge where no cartridge can be.
    #[error("cartridge {barcode} is in element {address}, which is none; {COPY}")]
    Nowhere {
        /// The cartridge.
        barcode: Barcode,
        /// The address.
        address: Address,
    },
    /// One cartridge in two elements.
    #[error("cartridge {barcode} is in two elements; {COPY}")]
    Twice {
        /// The cartridge.
        barcode: Barcode,
    },
}

impl State {
    /// Does what a change says.
    pub(crate) fn apply(&mut self, change: Change) {
        for (address, held) in change.elements {
            match held {
                Some(held) => self.elements.insert(address, held),
                None => self.elements.remove(&address),
            };
        }
        if let Some(prevented) = change.removal_prevented {
            self.removal_prevented = prevented;
        }
    }

    pub(crate) fn check(&self) -> Result<(), StateError> {
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
