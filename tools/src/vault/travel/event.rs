//! When nothing was written any more: what a person says of that, and what was found that says otherwise (VT-08).

use std::collections::HashMap;

use anyhow::{Result, anyhow, bail};
use pseudotape_human::printable;
use pseudotape_vault::recovery::{BackupDescription, Evidence, Found, Known, Surveyed};
use pseudotape_vault::{Clock, System};

use super::farms::Unreferred;
use super::shown::ShownContradiction;
use crate::vault::shown::time_words;

/// A warning names so many things of one place; the JSON form has all.
const NAMED: usize = 5;

/// When nothing was written any more, as a person says it.
pub(super) enum Event {
    /// Nobody says it.
    Now,
    /// At the newest backup.
    Backup,
    /// At this time.
    At(u64),
}

impl Event {
    pub(super) fn parse(text: Option<&str>) -> Result<Self> {
        match text {
            None => Ok(Event::Now),
            Some("backup") => Ok(Event::Backup),
            Some(text) => {
                let time: jiff::Timestamp = text.parse().map_err(|_| {
                    anyhow!("--event {text}: that is a time as 2026-11-30T08:00:00Z, or 'backup'")
                })?;
                u64::try_from(time.as_millisecond())
                    .map(Event::At)
                    .map_err(|_| anyhow!("--event {text}: that is before 1970"))
            }
        }
    }

    /// The time of it, for the backup that is restored, and what should be known of that. A time before the backup
    /// would leave no interval in which something can have been written, and make all volumes current.
    pub(super) fn after(
        &self,
        backup: &BackupDescription,
        is_newest: bool,
    ) -> Result<(Claim, Option<String>)> {
        let backup_ms = backup.written_ms;
        let claim = |said, event_ms| Claim {
            said,
            event_ms,
            backup_ms,
            contradictions: Vec::new(),
        };
        match self {
            Event::Now => Ok((claim(Said::Nothing, now_ms(backup_ms)), None)),
            Event::Backup if is_newest => Ok((claim(Said::Backup, backup_ms), None)),
            // Nothing was written after the newest one, and that is another.
            Event::Backup => {
                let note = format!(
                    "--event backup: backup {} is perhaps not the newest, and what was written after it is not known",
                    backup.sequence
                );
                Ok((claim(Said::Backup, now_ms(backup_ms)), Some(note)))
            }
            // Times are shown in whole seconds.
            Event::At(event_ms) if event_ms / 1000 < backup_ms / 1000 => bail!(
                "--event {}: backup {} was made later, at {}, and the vault was written until then at least: say a later \
                 time, or 'backup'; nothing was changed",
                time_words(*event_ms),
                backup.sequence,
                time_words(backup_ms)
            ),
            Event::At(event_ms) => {
                Ok((claim(Said::At(*event_ms), (*event_ms).max(backup_ms)), None))
            }
        }
    }
}

/// A clock that is behind the backup's says nothing of what came after it.
fn now_ms(backup_ms: u64) -> u64 {
    System.now_ms().max(backup_ms.saturating_add(1))
}

enum Said {
    Nothing,
    Backup,
    At(u64),
}

/// Something that was written after the event.
struct Contradiction {
    /// The tape, or the root of a farm.
    place: String,
    what: String,
    written_ms: u64,
}

/// What a person said of the event, held against what was found.
pub(super) struct Claim {
    said: Said,
    /// After this nothing was written any more.
    pub(super) event_ms: u64,
    backup_ms: u64,
    contradictions: Vec<Contradiction>,
}

impl Claim {
    /// Backups that are newer than the one that is restored, and can't be used.
    pub(super) fn weigh_backups(&mut self, surveyed: &[Surveyed], restored: &BackupDescription) {
        for one in surveyed {
            let Found::Damaged {
                description: Some(damaged),
                ..
            } = &one.found
            else {
                continue;
            };
            if damaged.site == restored.site && damaged.sequence > restored.sequence {
                let what = format!("backup {}, which is damaged", damaged.sequence);
                self.weigh(&one.name, what, damaged.written_ms);
            }
        }
    }

    /// Copies that were met on a tape.
    pub(super) fn weigh_copies<'a>(
        &mut self,
        tape: &str,
        met: impl Iterator<Item = &'a Evidence>,
        known: &[Known],
    ) {
        let known: HashMap<_, _> = known.iter().map(|one| (one.identity, one)).collect();
        for one in met.filter(|one| one.is_newer(known.get(&one.identity).copied())) {
            let what = format!("{} generation {}", one.label, one.generation);
            self.weigh(tape, what, one.closed_ms);
        }
    }

    /// Volumes of farms that got files after the backup.
    pub(super) fn weigh_farms(&mut self, farms: &Unreferred) {
        for (root, volume, last_ms) in &farms.later {
            self.weigh(root, format!("files of volume {volume}"), *last_ms);
        }
    }

    /// Something that was written after the backup.
    fn weigh(&mut self, place: &str, what: String, written_ms: u64) {
        let contradicts = match self.said {
            Said::Nothing => false,
            Said::Backup => true,
            // Times are shown in whole seconds.
            Said::At(event_ms) => written_ms / 1000 > event_ms / 1000,
        };
        if contradicts {
            self.contradictions.push(Contradiction {
                place: place.to_owned(),
                what,
                written_ms,
            });
        } else {
            // In the second of the backup, and after it.
            self.event_ms = self.event_ms.max(self.backup_ms.saturating_add(1));
        }
    }

    /// Where something contradicts the event, nothing is known of when the last was written: then the event is now, as
    /// where nobody said one, and not before the newest that was found. What should be known of that, by place.
    pub(super) fn settle(&mut self) -> Vec<String> {
        let Some(last_ms) = self.contradictions.iter().map(|one| one.written_ms).max() else {
            return Vec::new();
        };
        self.event_ms = now_ms(self.backup_ms).max(last_ms);
        let said = match self.said {
            Said::At(event_ms) => time_words(event_ms),
            Said::Backup | Said::Nothing => "backup".to_owned(),
        };
        let mut places: Vec<&str> = Vec::new();
        for one in &self.contradictions {
            if !places.contains(&&one.place[..]) {
                places.push(&one.place);
            }
        }
        let words = places.into_iter().map(|place| {
            let there = self.contradictions.iter().filter(|one| one.place == place);
            let named = there
                .clone()
                .take(NAMED)
                .map(|one| format!("{} of {}", printable(&one.what), time_words(one.written_ms)));
            let mut named = named.collect::<Vec<_>>().join(", ");
            let more = there.count().saturating_sub(NAMED) as u64;
            if more > 0 {
                named = format!("{named}, and {more} more");
            }
            format!(
                "--event {said} does not hold: on {place} something was written later ({named}); the event is {} instead, and \
                 what else was written until then is not known",
                time_words(self.event_ms)
            )
        });
        words.collect()
    }

    pub(super) fn shown(&self) -> Vec<ShownContradiction> {
        let shown = self.contradictions.iter().map(|one| ShownContradiction {
            place: one.place.clone(),
            what: one.what.clone(),
            written: time_words(one.written_ms),
        });
        shown.collect()
    }
}
