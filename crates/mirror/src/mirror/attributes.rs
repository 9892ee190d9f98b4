//! What programs keep beside the data: on every leg that has a place, and given only where the legs agree.

use std::sync::Arc;

use pseudotape_tape::{Attributes, AttributesError, Failed, PartitionNumber, VolumeError};

use super::MirrorDrive;
use crate::leg::{Cause, Core};
use crate::set::{LegNumber, LegSet};

/// What a leg says that it keeps.
type Said = (LegNumber, Result<Attributes, AttributesError>);

impl MirrorDrive {
    /// What is kept beside the data of a partition, where all legs that have it at once say the same. What differs is
    /// not given: nothing says which leg is right.
    pub fn attributes(
        &mut self,
        partition: PartitionNumber,
    ) -> Result<Attributes, AttributesError> {
        self.require_medium().map_err(failed)?;
        let prompt = self.legs.prompt();
        self.agreed(prompt, partition)
    }

    /// What the legs of a set agree on. A leg that does not know what it keeps says nothing against the others.
    fn agreed(
        &mut self,
        set: LegSet,
        partition: PartitionNumber,
    ) -> Result<Attributes, AttributesError> {
        let mut common: Option<(LegNumber, Attributes)> = None;
        let mut differing = None;
        let mut unknown = None;
        for (number, kept) in self.asked(set, partition)? {
            let name = self.legs[number].name();
            match (kept, &mut common) {
                (Ok(kept), None) => common = Some((number, kept)),
                (Ok(kept), Some((first, common))) if *common != kept => {
                    let first = self.legs[*first].name();
                    differing = Some(format!("attributes of legs {first} and {name} differ"));
                    *common = common.common(&kept);
                }
                (Ok(_), Some(_)) => {}
                (Err(error), _) => {
                    log::warn!("leg {name}: {error}");
                    unknown = Some(error);
                }
            }
        }
        let common = common.map(|(_, common)| common);
        match (differing, common, unknown) {
            (Some(text), left, _) => Err(AttributesError::Damaged {
                left: left.unwrap_or_default(),
                error: VolumeError::new(text),
            }),
            (None, Some(common), _) => Ok(common),
            (None, None, Some(error)) => Err(error),
            (None, None, None) => Err(AttributesError::NoPlace),
        }
    }

    /// What each leg of a set says that has a place. Where a required one has none, the mirror has none.
    fn asked(
        &mut self,
        set: LegSet,
        partition: PartitionNumber,
    ) -> Result<Vec<Said>, AttributesError> {
        let set = set.and(self.legs.keeping());
        let mut asked = Vec::new();
        for number in set.iter() {
            let leg = &self.legs[number];
            match leg.core().volume().attributes(partition) {
                Err(AttributesError::NoPlace) if leg.is_required() => {
                    return Err(AttributesError::NoPlace);
                }
                Err(AttributesError::NoPlace) => {}
                Err(AttributesError::NoPartition) => return Err(AttributesError::NoPartition),
                kept => asked.push((number, kept)),
            }
        }
        Ok(asked)
    }

    /// Keeps them on every leg in step that has a place, late ones too. A spare leg that can't is out of step; where a
    /// required one can't, this fails, and the legs perhaps differ until it is done again.
    pub fn set_attributes(
        &mut self,
        partition: PartitionNumber,
        attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        self.require_medium().map_err(failed)?;
        if self.protected {
            return Err(AttributesError::Protected);
        }
        self.check_legs().map_err(failed)?;
        self.leave_queues();
        self.last.is_block(None);
        self.check_legs().map_err(failed)?;
        let in_step = self.legs.in_step();
        let places = self.asked(in_step, partition)?;
        if places.is_empty() {
            return Err(AttributesError::NoPlace);
        }
        let (before, here) = (self.losses(), self.object_here());
        for (number, _) in places {
            let leg = &mut self.legs[number];
            let kept = leg.core().volume().set_attributes(partition, attributes);
            match kept {
                Ok(()) => {}
                Err(error) if leg.is_required() => {
                    log::error!("leg {}: attributes are not kept: {error}", leg.name());
                    return Err(error);
                }
                Err(error) => {
                    let error = Arc::new(VolumeError::new(error));
                    leg.lose(here, &Cause::AttributesNotKept { error });
                }
            }
        }
        self.check_losses(before).map_err(failed)
    }
}

fn failed(failed: Failed) -> AttributesError {
    AttributesError::Failed(VolumeError::new(failed))
}

/// Gives the volume of a leg that is brought in step what the leg in step keeps beside its data.
pub(super) fn bring_attributes(
    source: &str,
    from: &mut Core,
    to: &mut Core,
    last_partition: u8,
) -> Result<(), Cause> {
    for partition in (0..=last_partition).map(PartitionNumber) {
        let kept = match from.volume().attributes(partition) {
            Ok(kept) => kept,
            Err(AttributesError::NoPlace) => Attributes::new(),
            Err(error) => {
                log::warn!("leg {source}: its attributes are not copied: {error}");
                Attributes::new()
            }
        };
        let has = match to.volume().attributes(partition) {
            Err(AttributesError::NoPlace) => return Ok(()),
            has => has.ok(),
        };
        if has.as_ref() == Some(&kept) {
            continue;
        }
        let set = to.volume().set_attributes(partition, &kept);
        set.map_err(|error| Cause::AttributesNotKept {
            error: Arc::new(VolumeError::new(error)),
        })?;
    }
    Ok(())
}
