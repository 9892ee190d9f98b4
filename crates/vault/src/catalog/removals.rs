//! What the log says of volumes that were removed.

use pseudotape_image::{Uuid, VolumeId};
use rusqlite::params;

use super::rows::{Key, Rows, positive, signed, unsigned};
use crate::error::Error;
use crate::event::{Actor, Order, Subject};
use crate::label::Label;
use crate::recovery::rolled::Removal;
use crate::volume::Volume;

impl Rows<'_> {
    /// Logs that a volume is removed: with its identity, so that its copies on tapes are known later.
    pub(crate) fn log_removal(
        &self,
        at_ms: u64,
        key: Key,
        volume: &Volume,
        order: &Order,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO event (at_ms, volume, label, subject, old, who, why, identity, generation) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.connection.execute(
            sql,
            params![
                signed(at_ms)?,
                key.0,
                volume.label.as_str(),
                Subject::Volume.word(),
                volume.category.word(),
                order.actor.name(),
                order.reason,
                volume.identity.to_string(),
                signed(volume.generation)?
            ],
        )?;
        Ok(())
    }

    /// The volumes that were removed, in the order in which that was done.
    pub(crate) fn removals(&self) -> Result<Vec<Removal>, Error> {
        let sql = "SELECT at_ms, label, who, why, identity, generation FROM event \
            WHERE subject = ?1 AND new IS NULL ORDER BY number";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([Subject::Volume.word()])?;
        let mut removals = Vec::new();
        while let Some(row) = rows.next()? {
            let damaged = |cause: String| Error::Damaged {
                cause: format!("a removed volume: {cause}"),
            };
            let label: Option<String> = row.get(1)?;
            let label = label.map(|text| text.parse::<Label>()).transpose();
            let identity: Option<String> = row.get(4)?;
            let identity = identity.map(|text| text.parse::<Uuid>()).transpose();
            let who: Option<String> = row.get(2)?;
            removals.push(Removal {
                identity: identity
                    .map_err(|error| damaged(error.to_string()))?
                    .map(VolumeId),
                label: label.map_err(|error| damaged(error.to_string()))?,
                generation: row.get::<_, Option<i64>>(5)?.map(positive).transpose()?,
                at_ms: unsigned(row, 0)?,
                order: Order {
                    actor: who.map_or(Actor::System, Actor::Person),
                    reason: row.get(3)?,
                },
            });
        }
        Ok(removals)
    }
}
