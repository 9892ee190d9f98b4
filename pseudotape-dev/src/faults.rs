//! Faults on command: what the operator injects into a drive (docs/FAULTS.md).

use anyhow::{Result, bail};
use pseudotape_control::{FaultStatus, FaultsStatus};
use pseudotape_fault::{Fault, FaultError, Listed};

use crate::tape_drive::TapeDrive;

impl TapeDrive {
    /// Removes and injects faults, all that is asked or nothing, and says what there is then. Never waits for a call:
    /// a drive that hangs is to be told to go on.
    pub fn inject(&self, remove: &[String], faults: &[String]) -> Result<FaultsStatus> {
        let number = self.number();
        let understood = faults.iter().map(|text| text.parse());
        let understood: Vec<Fault> = understood.collect::<Result<_, FaultError>>()?;
        self.check_places(&understood)?;
        if !remove.is_empty() {
            self.faults().remove(remove)?;
        }
        if !understood.is_empty() {
            self.faults().inject(understood)?;
        }
        for fault in remove {
            log::info!("drive {number}: fault {fault} removed");
        }
        for fault in faults {
            log::warn!("drive {number}: fault injected: {fault}");
        }
        Ok(FaultsStatus {
            drive: number,
            faults: self.listed_faults(),
        })
    }

    /// A block that is to be read is one of the medium that is in the drive, where that is known.
    fn check_places(&self, faults: &[Fault]) -> Result<()> {
        if faults
            .iter()
            .all(|fault| fault.block_to_be_read().is_none())
        {
            return Ok(());
        }
        let Some(state) = self.idle_state() else {
            bail!(
                "drive {} is busy with a call, so that nobody knows whether the block is there: try again",
                self.number()
            );
        };
        let Some(objects) = state.slot.objects() else {
            return Ok(());
        };
        for fault in faults {
            fault.check_place(&objects)?;
        }
        Ok(())
    }

    pub(crate) fn listed_faults(&self) -> Vec<FaultStatus> {
        self.faults().listed().into_iter().map(status).collect()
    }
}

fn status(listed: Listed) -> FaultStatus {
    let Listed {
        number,
        fault,
        met,
        over,
        left,
    } = listed;
    FaultStatus {
        number,
        fault: fault.to_string(),
        met,
        over,
        seconds_left: left.map(|left| left.as_secs_f64()),
    }
}
