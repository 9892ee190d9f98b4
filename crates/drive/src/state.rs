use pseudotape_image::{Error, Image};
use pseudotape_tape::{Done, Failed, PartitionNumber, Position, Sense, Stop};

use crate::cartridge::{Cartridge, Medium};
use crate::image_drive::{ImageDrive, Limits, Overrides};
use crate::making::default_early_warning_bytes;
use crate::sense::sense_of;

impl<M: Medium> ImageDrive<M> {
    /// What every operation on the medium does first: tells a pending unit attention, then requires a
    /// loaded medium.
    pub(crate) fn begin(&mut self) -> Result<(), Failed> {
        self.tell_attention()?;
        self.require_loaded()
    }

    pub(crate) fn tell_attention(&mut self) -> Result<(), Failed> {
        match self.attentions.take() {
            Some(sense) => {
                self.extendable = None;
                Err(Failed::at(sense, self.place()))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn require_loaded(&self) -> Result<(), Failed> {
        match (&self.cartridge, self.loaded) {
            (Some(_), true) => Ok(()),
            (Some(_), false) => Err(Failed::at(self.personality.after_unload.sense, None)),
            (None, _) => Err(Failed::at(Sense::NoMedium, None)),
        }
    }

    /// The cartridge, after [`ImageDrive::begin`] has seen it.
    pub(crate) fn tape(&self) -> &Cartridge<M> {
        self.cartridge.as_ref().expect("begin() saw a cartridge")
    }

    /// The cartridge to change, after [`ImageDrive::begin`] has seen it.
    pub(crate) fn cartridge_in(&mut self) -> &mut Cartridge<M> {
        self.cartridge.as_mut().expect("begin() saw a cartridge")
    }

    /// The image of the current partition, after [`ImageDrive::begin`] has seen a cartridge.
    pub(crate) fn image(&mut self) -> &mut Image<M::Store> {
        let partition = self.partition;
        self.cartridge_in().image_mut(partition)
    }

    /// Capacity and early warning of the current partition: the drive's own, else the cartridge's.
    pub(crate) fn limits(&self) -> Limits {
        let header = self.tape().image(self.partition).header();
        // Partitions were cut from what the drive's configuration allowed.
        let own = if header.partition_count == 1 {
            self.overrides
        } else {
            Overrides::default()
        };
        let total_bytes = own.capacity_bytes.or(header.capacity_bytes);
        let zone = header.early_warning_bytes;
        let early_warning_bytes = match (own.early_warning, own.capacity_bytes) {
            (Some(zone), _) => zone.bytes_of(total_bytes),
            // A cartridge without an end has no zone; the drive gives it an end.
            (None, Some(total)) if zone == 0 => default_early_warning_bytes(total),
            (None, _) => zone.min(total_bytes.unwrap_or(u64::MAX)),
        };
        Limits {
            total_bytes,
            early_warning_bytes,
        }
    }

    /// Capacity used by what is recorded before the tape's place.
    pub(crate) fn used_before_here(&self) -> u64 {
        let at = self.tape().image(self.partition).place();
        self.used(at.payload_bytes_before, at.file.0)
    }

    pub(crate) fn used(&self, payload_bytes: u64, marks: u64) -> u64 {
        payload_bytes.saturating_add(marks.saturating_mul(self.personality.mark_bytes))
    }

    fn past_early_warning(&self) -> bool {
        self.limits().past_early_warning(self.used_before_here())
    }

    /// Where the tape is; `None` without a loaded medium.
    pub(crate) fn place(&self) -> Option<Position> {
        self.require_loaded().ok().map(|()| self.here())
    }

    /// Where the tape is, after [`ImageDrive::begin`].
    pub(crate) fn here(&self) -> Position {
        let at = self.tape().image(self.partition).place();
        Position {
            partition: PartitionNumber(self.partition),
            object: at.object,
            file: Some(at.file),
            past_early_warning: self.past_early_warning(),
        }
    }

    pub(crate) fn done(&self, count: u64, stop: Option<Stop>) -> Done {
        Done {
            count,
            stop,
            position: self.here(),
        }
    }

    pub(crate) fn fail<T>(&self, sense: Sense, count: u64) -> Result<T, Failed> {
        Err(Failed {
            sense,
            count,
            position: self.place(),
        })
    }

    /// Turns an error of the image into a sense, and keeps its text for the log and the status.
    pub(crate) fn failed(&mut self, error: &Error, count: u64) -> Failed {
        let sense = sense_of(error);
        let place = self.place();
        self.trouble = Some(match place {
            Some(at) => format!(
                "{error}; the tape is now before object {} of partition {}",
                at.object, at.partition
            ),
            None => error.to_string(),
        });
        Failed {
            sense,
            count,
            position: place,
        }
    }
}
