use pseudotape_tape::{Door, Identity, Sense};

use crate::cartridge::{Cartridge, Medium};
use crate::personality::Personality;

/// Limits that the drive's configuration sets in place of the cartridge's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Bytes of blocks up to the physical end.
    pub capacity_bytes: Option<u64>,
    /// Length of the early-warning zone.
    pub early_warning_bytes: Option<u64>,
}

/// Where early warning and the physical end of a partition are, in bytes of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) total_bytes: Option<u64>,
    pub(crate) early_warning_bytes: u64,
}

impl Limits {
    pub(crate) fn past_early_warning(&self, used_bytes: u64) -> bool {
        self.total_bytes
            .is_some_and(|total| used_bytes >= total.saturating_sub(self.early_warning_bytes))
    }

    /// How much still fits before the physical end.
    pub(crate) fn room(&self, used_bytes: u64) -> u64 {
        self.total_bytes
            .map_or(u64::MAX, |total| total.saturating_sub(used_bytes))
    }
}

/// A tape drive over a cartridge whose partitions are images.
///
/// What it counts as capacity is the length of blocks (and marks, where the personality says so); what
/// the image format adds lies outside, at most 64 bytes a block.
pub struct ImageDrive<M: Medium> {
    pub(crate) personality: Personality,
    pub(crate) serial: String,
    pub(crate) overrides: Overrides,
    pub(crate) cartridge: Option<Cartridge<M>>,
    pub(crate) loaded: bool,
    pub(crate) attention: Option<Sense>,
    pub(crate) door: Door,
    pub(crate) block_size: u32,
    pub(crate) density: u8,
    pub(crate) buffering: u8,
    pub(crate) compression: bool,
    pub(crate) partition: u8,
    /// Length of the block just written, as long as it can be lengthened.
    pub(crate) extendable: Option<u64>,
    pub(crate) trouble: Option<String>,
}

impl<M: Medium> ImageDrive<M> {
    /// A drive without a cartridge.
    #[must_use]
    pub fn new(personality: Personality, serial: String, overrides: Overrides) -> Self {
        ImageDrive {
            personality,
            serial,
            overrides,
            cartridge: None,
            loaded: false,
            attention: None,
            door: Door::Unlocked,
            block_size: 0,
            density: personality.density,
            buffering: personality.buffering,
            compression: false,
            partition: 0,
            extendable: None,
            trouble: None,
        }
    }

    /// Puts a cartridge in and loads it; gives it back where the drive already holds one.
    pub fn insert(&mut self, cartridge: Cartridge<M>) -> Result<(), Cartridge<M>> {
        if self.cartridge.is_some() {
            return Err(cartridge);
        }
        self.cartridge = Some(cartridge);
        self.loaded = true;
        self.extendable = None;
        // Also a cartridge that was taken out of a drive in the middle of its tape.
        self.go_to_beginning(0);
        self.attention = self
            .personality
            .announces_medium
            .then_some(Sense::MediumChanged);
        Ok(())
    }

    /// Takes the cartridge out; nothing is committed by this. The door is no obstacle: this is the
    /// operator's hand.
    pub fn eject(&mut self) -> Option<Cartridge<M>> {
        self.loaded = false;
        self.partition = 0;
        self.extendable = None;
        self.door = Door::Unlocked;
        self.cartridge.take()
    }

    /// Resets the drive, as a bus reset does.
    pub fn reset(&mut self) {
        self.extendable = None;
        self.door = Door::Unlocked;
        self.attention = Some(Sense::Reset);
    }

    /// Forgets a pending unit attention, as when another command had fetched it.
    pub fn clear_attention(&mut self) {
        self.attention = None;
    }

    /// The cartridge, whether it is loaded or not.
    #[must_use]
    pub fn cartridge(&self) -> Option<&Cartridge<M>> {
        self.cartridge.as_ref()
    }

    /// The cartridge, whether it is loaded or not.
    pub fn cartridge_mut(&mut self) -> Option<&mut Cartridge<M>> {
        self.cartridge.as_mut()
    }

    /// Whether a cartridge is in the drive and loaded.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.loaded && self.cartridge.is_some()
    }

    /// What kind of drive this is.
    #[must_use]
    pub fn personality(&self) -> &Personality {
        &self.personality
    }

    /// Where the tape is, without touching anything; `None` without a loaded medium.
    #[must_use]
    pub fn peek_position(&self) -> Option<pseudotape_tape::Position> {
        self.place()
    }

    /// Takes the text of the last trouble with the image: what a sense can't say.
    pub fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    pub(crate) fn inquiry(&self) -> Identity {
        Identity {
            vendor: self.personality.vendor.into(),
            product: self.personality.product.into(),
            revision: concat!(
                env!("CARGO_PKG_VERSION_MAJOR"),
                ".",
                env!("CARGO_PKG_VERSION_MINOR")
            )
            .into(),
            serial: self.serial.clone(),
        }
    }
}
