//! What a vault knows of its own backups and recoveries.

use std::collections::HashMap;
use std::time::Duration;

use super::Vault;
use crate::error::Error;
use crate::event::{Change, Order, Subject};
use crate::pending::Recovery;
use crate::recovery::loss::{Copy, Known, Place};
use crate::rules::Refusal;

impl Vault {
    /// The recovery that no person has ended yet. While there is one, no volume is loaded (VT-06).
    pub fn pending_recovery(&self) -> Result<Option<Recovery>, Error> {
        self.catalog.rows().pending_recovery()
    }

    /// The number of the last backup; 0 where there was none.
    pub fn last_backup(&self) -> Result<u64, Error> {
        self.catalog.rows().last_backup()
    }

    /// Says that the vault is in service again: a person has seen what was lost.
    pub fn set_online(&mut self, order: &Order) -> Result<Recovery, Error> {
        self.change(|_, rows, now| {
            let Some(recovery) = rows.pending_recovery()? else {
                return Err(Refusal::IsOnline.into());
            };
            rows.end_recovery(now)?;
            let from = Some(format!("backup {}", recovery.sequence));
            let change = Change::new(Subject::Recovery, from, Some("online".to_owned()), order);
            rows.log(now, None, &change)?;
            Ok(recovery)
        })
    }

    /// The volumes, as the loss report wants them.
    pub fn known(&self) -> Result<Vec<Known>, Error> {
        let rows = self.catalog.rows();
        let written: HashMap<_, _> = rows.written()?.into_iter().collect();
        let all = rows.all()?;
        let known = all.into_iter().map(|(key, listed)| {
            let volume = listed.volume;
            let closed_ms = written.get(&key).copied().unwrap_or(volume.added_ms);
            let copies = match volume.image {
                Some(_) => vec![Copy {
                    place: Place::Disk,
                    generation: volume.generation,
                    closed_ms,
                }],
                None => Vec::new(),
            };
            Known {
                identity: volume.identity,
                label: volume.label,
                generation: volume.generation,
                opening: volume.opening,
                copies,
            }
        });
        Ok(known.collect())
    }

    pub(crate) fn count_backup(&mut self) -> Result<(u64, u64), Error> {
        let configuration = self.configuration.text();
        self.change(|_, rows, now| Ok((rows.count_backup(now, &configuration)?, now)))
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.configuration.wait_seconds)
    }
}
