//! What a model drive holds.

use pseudotape_tape::Attributes;

/// One object of the model tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelObject {
    /// A block.
    Block(Vec<u8>),
    /// A block of this length that can't be read.
    Damaged(u32),
    /// A filemark.
    Filemark,
    /// A setmark.
    Setmark,
}

/// A cartridge: partitions of objects.
#[derive(Clone, Debug)]
pub struct ModelCartridge {
    /// The partitions.
    pub partitions: Vec<Vec<ModelObject>>,
    /// Bytes of blocks up to the physical end of each partition.
    pub capacity_bytes: Option<u64>,
    /// Length of the early-warning zone.
    pub early_warning_bytes: u64,
    /// Write-protect switch.
    pub write_protected: bool,
    /// Append-only medium.
    pub worm: bool,
    /// What programs keep beside the data of the first partitions.
    pub attributes: Vec<Attributes>,
}

impl Default for ModelCartridge {
    fn default() -> Self {
        ModelCartridge {
            partitions: vec![Vec::new()],
            capacity_bytes: None,
            early_warning_bytes: 0,
            write_protected: false,
            worm: false,
            attributes: Vec::new(),
        }
    }
}
