//! What is asked of a library, and what it says of itself.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a library is to do. Addresses are those of its elements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LibraryOrder {
    /// Moves a cartridge.
    Move {
        /// From this element.
        from: u16,
        /// To that one.
        to: u16,
        /// Turned over.
        #[serde(default)]
        invert: bool,
    },
    /// Moves two cartridges: from `source` to `first`, and from `first` to `second`.
    Exchange {
        /// Where the first cartridge is.
        source: u16,
        /// Where it goes, and where the second one is.
        first: u16,
        /// Where the second one goes.
        second: u16,
        /// The first one turned over.
        #[serde(default)]
        invert: bool,
        /// The second one turned over.
        #[serde(default)]
        invert2: bool,
    },
    /// Puts the transport before an element.
    Position {
        /// The element.
        at: u16,
    },
    /// Looks what is in the elements.
    Initialize,
    /// Prevents or allows that an operator takes cartridges out.
    Removal {
        /// Prevented or not.
        prevented: bool,
    },
    /// An operator puts a cartridge in.
    Put {
        /// Into this element; `None`: the first empty one of its kind.
        at: Option<u16>,
        /// Into an import/export slot instead of a slot.
        #[serde(default)]
        import_export: bool,
        /// Its barcode; `None`: the next one of the library's scheme.
        barcode: Option<String>,
        /// The volume in it, with absolute paths; `None`: a new image in the library's folder.
        volume: Option<PathBuf>,
    },
    /// An operator takes a cartridge out, and out of the library.
    Take {
        /// Its barcode.
        barcode: String,
        /// The transport brings it to an import/export slot first.
        #[serde(default)]
        import_export: bool,
        /// Its image is removed too, where it lies in the library's folder.
        #[serde(default)]
        delete: bool,
    },
}

/// Why a library refused, in a form that programs can tell apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryRefusal {
    /// Why, and the way out.
    pub message: String,
    /// Sense key, additional code and qualifier with which a SCSI changer refuses this.
    pub sense: [u8; 3],
}

/// The state of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryStatus {
    /// Its name.
    pub name: String,
    /// Vendor, product, revision and serial number.
    #[serde(default)]
    pub identity: [String; 4],
    /// Its folder.
    #[serde(default)]
    pub folder: PathBuf,
    /// The nodes of its changer; none where programs reach it by the control socket only.
    #[serde(default)]
    pub nodes: Vec<PathBuf>,
    /// The transports.
    pub transports: SpanStatus,
    /// The slots.
    pub slots: SpanStatus,
    /// The import/export slots.
    pub import_export: SpanStatus,
    /// The drives.
    pub drives: SpanStatus,
    /// The number of the daemon's drive that is the library's first one; the others follow.
    pub first_drive: u32,
    /// Whether a program prevents that cartridges are taken out.
    #[serde(default)]
    pub removal_prevented: bool,
    /// What barcodes of new cartridges look like.
    #[serde(default)]
    pub barcodes: String,
    /// How much fits on a new cartridge.
    pub capacity_bytes: Option<u64>,
    /// The elements of which there is something to say: the full ones, and every drive.
    #[serde(default)]
    pub elements: Vec<ElementStatus>,
}

/// The elements of one kind: consecutive addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanStatus {
    /// The lowest address.
    pub first: u16,
    /// How many there are.
    pub count: u16,
}

impl SpanStatus {
    /// The number of an element within its kind, counted from 0.
    #[must_use]
    pub fn number(&self, address: u16) -> Option<u16> {
        let number = address.checked_sub(self.first)?;
        (number < self.count).then_some(number)
    }
}

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementStatus {
    /// Its address.
    pub at: u16,
    /// A cartridge is in it.
    #[serde(default)]
    pub full: bool,
    /// The barcode of the cartridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barcode: Option<String>,
    /// The slot that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<u16>,
    /// An import/export slot: an operator put it there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_operator: bool,
    /// A drive: the program that has it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// A drive: its nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<PathBuf>,
    /// A drive: a program has locked it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub locked: bool,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}
