//! Backups of the catalog on stacked volumes: when one is to be written, and where it went.

use pseudotape_image::Uuid;

use super::Vault;
use crate::error::Error;
use crate::event::Order;
use crate::label::Label;
use crate::pool::{StackState, StackedVolume};
use crate::rules::LastCopy;

/// The pool of tapes that a backup of the catalog begins, where nobody says another one.
const BACKUPS: &str = "backups";

impl Vault {
    /// Whether a backup of the catalog belongs on a stacked volume now (VT-01): the catalog knows none on it, or
    /// volumes were closed as often as `backup-every` says since the newest one.
    pub fn backup_is_due(&self, stacked: Uuid) -> Result<bool, Error> {
        let rows = self.catalog.rows();
        let known = rows.stacked_by_identity(stacked)?;
        if known.is_none_or(|(_, stacked)| stacked.backup.is_none()) {
            return Ok(true);
        }
        let every = u64::from(self.configuration.backup_every);
        Ok(every > 0 && rows.closes_since_backup()? >= every)
    }

    /// Writes down that a backup is whole on a stacked volume. Of one that the catalog does not know nothing is kept.
    pub fn note_backup(&mut self, stacked: Uuid, file: u64, sequence: u64) -> Result<(), Error> {
        self.change(|_, rows, _| match rows.stacked_by_identity(stacked)? {
            Some((key, _)) => rows.insert_stacked_backup(key, file, sequence),
            None => Ok(()),
        })
    }

    /// Writes down that a stacked volume is full, if it fills. Returns its label then.
    pub fn note_full(&mut self, stacked: Uuid, why: &str) -> Result<Option<Label>, Error> {
        let rows = self.catalog.rows();
        let known = rows.stacked_by_identity(stacked)?;
        let fills = known.filter(|(_, known)| known.state == StackState::Filling);
        let Some((_, StackedVolume { label, .. })) = fills else {
            return Ok(None);
        };
        let order = Order::system(why);
        self.set_stack_state(&label, StackState::Full, LastCopy::Kept, &order)?;
        Ok(Some(label))
    }

    /// The pool of a tape that a backup begins. In the one that nobody named, a new tape ends the filling of the tape
    /// before it, since each backup is as good on another tape.
    pub fn pool_for_backup(&mut self, said: Option<&Label>) -> Result<Label, Error> {
        if let Some(pool) = said {
            return Ok(pool.clone());
        }
        let pool: Label = BACKUPS.parse().expect("it is a label");
        let filling = self.catalog.rows().filling(&pool)?;
        if let Some((_, filling)) = filling {
            self.note_full(filling.identity, "another tape was begun for backups")?;
        }
        Ok(pool)
    }
}
