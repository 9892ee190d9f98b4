use pseudotape_image::CachePolicy;
use pseudotape_tape::{Door, Identity, ModeSelect, Sense};

use crate::cartridge::{Cartridge, Medium};
use crate::personality::Personality;

/// What the drive's configuration sets in place of the cartridge's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Bytes of blocks up to the physical end.
    pub capacity_bytes: Option<u64>,
    /// The early-warning zone. `None`: the cartridge's own; where it has none, and the drive sets the capacity, that
    /// of a new volume of this capacity.
    pub early_warning: Option<EarlyWarning>,
    /// What stays in the host's page cache, of a cartridge for which nobody said it.
    pub cache: Option<CachePolicy>,
}

/// Length of an early-warning zone; at most half of the tape counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyWarning {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the capacity.
    PerCent(u8),
}

impl EarlyWarning {
    /// Bytes of a tape of this capacity; an endless one has no zone before its end.
    pub(crate) fn bytes_of(self, total_bytes: Option<u64>) -> u64 {
        let Some(total) = total_bytes else {
            return 0;
        };
        let bytes = match self {
            EarlyWarning::Bytes(bytes) => bytes,
            EarlyWarning::PerCent(hundredths) => {
                let hundredths = u64::from(hundredths);
                // The parts of a hundred, and what is left over of the last hundred.
                total / 100 * hundredths + total % 100 * hundredths / 100
            }
        };
        bytes.min(total / 2)
    }
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

/// Unit attentions that nobody was told yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attentions {
    pub(crate) reset: bool,
    pub(crate) medium_changed: bool,
}

impl Attentions {
    /// Takes the one to be told next: a reset before a change of the medium, as SCSI ranks them.
    pub(crate) fn take(&mut self) -> Option<Sense> {
        if std::mem::take(&mut self.reset) {
            return Some(Sense::Reset);
        }
        std::mem::take(&mut self.medium_changed).then_some(Sense::MediumChanged)
    }
}

/// A tape drive over a cartridge whose partitions are images.
///
/// What it counts as capacity is the length of blocks, and for a mark what the personality says; what
/// the image format adds to blocks lies outside, at most 64 bytes a block.
pub struct ImageDrive<M: Medium> {
    pub(crate) personality: Personality,
    pub(crate) serial: String,
    pub(crate) overrides: Overrides,
    pub(crate) cartridge: Option<Cartridge<M>>,
    pub(crate) loaded: bool,
    pub(crate) attentions: Attentions,
    pub(crate) door: Door,
    pub(crate) block_size: u32,
    pub(crate) density: u8,
    pub(crate) buffering: u8,
    pub(crate) compression: bool,
    pub(crate) chosen: ModeSelect,
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
            attentions: Attentions::default(),
            door: Door::Unlocked,
            block_size: 0,
            density: personality.density,
            buffering: personality.buffering,
            compression: false,
            chosen: ModeSelect::default(),
            partition: 0,
            extendable: None,
            trouble: None,
        }
    }

    /// Puts a cartridge in and loads it; gives it back where the drive already holds one.
    pub fn insert(&mut self, mut cartridge: Cartridge<M>) -> Result<(), Cartridge<M>> {
        if self.cartridge.is_some() {
            return Err(cartridge);
        }
        if let Some(policy) = self.overrides.cache {
            cartridge.set_default_cache(policy);
        }
        self.cartridge = Some(cartridge);
        self.loaded = true;
        self.extendable = None;
        // Also a cartridge that was taken out of a drive in the middle of its tape.
        self.go_to_beginning(0);
        self.attentions.medium_changed = self.personality.announces_medium;
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

    /// Whether a program prevents the removal of the cartridge.
    #[must_use]
    pub fn door(&self) -> Door {
        self.door
    }

    /// Resets the drive, as a bus reset does: its mode is what it was at power-on.
    pub fn reset(&mut self) {
        self.extendable = None;
        self.door = Door::Unlocked;
        self.block_size = 0;
        self.density = self.personality.density;
        self.buffering = self.personality.buffering;
        self.compression = false;
        self.chosen = ModeSelect::default();
        self.attentions.reset = true;
    }

    /// What programs chose of the mode since power-on or the last reset; never a density, which is the medium's.
    #[must_use]
    pub fn chosen(&self) -> ModeSelect {
        self.chosen
    }

    /// Takes what programs chose of the mode while a volume with a drive of its own stood in this one's place. It needs
    /// no cartridge, and leaves what this drive can't do.
    pub fn adopt_mode(&mut self, chosen: ModeSelect) {
        let takes = |size: &u32| self.personality.takes_block_size(*size);
        let adopted = ModeSelect {
            block_size: chosen.block_size.filter(takes),
            density: None,
            buffering: chosen.buffering,
            compression: chosen.compression.filter(|_| self.personality.compression),
        };
        self.choose(adopted);
    }

    /// Sets what was found to be possible.
    pub(crate) fn choose(&mut self, change: ModeSelect) {
        self.block_size = change.block_size.unwrap_or(self.block_size);
        self.density = change.density.unwrap_or(self.density);
        self.buffering = change.buffering.unwrap_or(self.buffering);
        self.compression = change.compression.unwrap_or(self.compression);
        self.chosen = self.chosen.and_then(change);
    }

    /// Forgets pending unit attentions, as when other commands had fetched them.
    pub fn clear_attention(&mut self) {
        self.attentions = Attentions::default();
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
