//! What was lost: exactly one fate for each volume (VT-08 to VT-12), from what is known and from nothing else.

use std::collections::BTreeMap;

use pseudotape_image::{Uuid, VolumeId};

use crate::label::Label;
use crate::state::Opening;

/// Where a copy of a volume is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Its image, in the vault's own directory.
    Disk,
    /// A tape file of a stacked volume.
    Stacked {
        /// The identity of the stacked volume.
        stacked: String,
        /// The number of the tape file.
        file: u64,
    },
}

/// A copy of a volume, as a catalog knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Where.
    pub place: Place,
    /// Of which generation of the volume.
    pub generation: u64,
    /// When that generation was closed, in milliseconds after 1970.
    pub closed_ms: u64,
}

/// A volume, as the restored catalog knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its own.
    pub identity: VolumeId,
    /// What people call it.
    pub label: Label,
    /// How often it was written; a volume of generation 0 is blank.
    pub generation: u64,
    /// Whether a drive had it.
    pub opening: Opening,
    /// Its copies, of this generation and of earlier ones.
    pub copies: Vec<Copy>,
}

/// What became of a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// It is there, and can be read; what is on it, the catalog says.
    Present,
    /// It is there, and all describing members on it were read: what was not met there is not on it.
    Scanned,
    /// It is not there.
    Absent,
    /// It is there, and nothing of it can be read.
    Damaged,
}

/// What became of the image of a volume in the vault's own directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskImage {
    /// It is as the restored catalog knows it.
    Unchanged,
    /// It was written since, or an older one was put in its place. What is on it now, nobody knows: it is no copy, and
    /// says that the last that is known is not the last.
    Written,
}

/// A copy that was met on a stacked volume, as its describing member says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The volume.
    pub identity: VolumeId,
    /// What people called it then.
    pub label: Label,
    /// Of which generation.
    pub generation: u64,
    /// When that was closed.
    pub closed_ms: u64,
    /// The identity of the stacked volume.
    pub stacked: String,
    /// The tape file.
    pub file: u64,
    /// Whether all of it is there. What was cut off is no copy, and still says that the volume was written.
    pub whole: bool,
}

impl Evidence {
    /// Whether it says that something was written after a catalog was saved, and not only that a copy was made of what
    /// the catalog has. The generation decides: clocks of two machines differ.
    #[must_use]
    pub fn is_newer(&self, known: Option<&Known>) -> bool {
        known.is_none_or(|known| self.generation > known.generation)
    }
}

/// All that the report follows from.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    /// The volumes of the restored catalog.
    pub known: &'a [Known],
    /// When the backup was made that it was restored from.
    pub backup_ms: u64,
    /// After this nothing was written any more: when the machine was lost, or what a person knows of it.
    pub event_ms: u64,
    /// The volumes whose images are on this disk, and are whole as far as that was looked at. Volumes are written in
    /// these and nowhere else.
    pub on_disk: &'a BTreeMap<Uuid, DiskImage>,
    /// What became of the stacked volumes. One that is not named is absent.
    pub media: &'a BTreeMap<String, Medium>,
    /// What was met on those that were scanned.
    pub evidence: &'a [Evidence],
}

/// What became of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The last that was written on it is there.
    Current,
    /// Something older is there, of this time. What was written later is lost.
    Stale {
        /// When what is there was closed.
        date_ms: u64,
    },
    /// It is known where it was, and all those places are gone.
    LostMedium,
    /// A drive had it, and did not close it.
    LostUnclosed,
    /// It was written, and nothing says where it is.
    LostUnrecorded,
    /// What is there was the last at this time. Whether something was written after it, nothing says.
    UnknownInterval {
        /// From when nothing is known.
        since_ms: u64,
    },
}

impl Fate {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Fate::Current => "CURRENT",
            Fate::Stale { .. } => "STALE",
            Fate::LostMedium => "LOST-MEDIUM",
            Fate::LostUnclosed => "LOST-UNCLOSED",
            Fate::LostUnrecorded => "LOST-UNRECORDED",
            Fate::UnknownInterval { .. } => "UNKNOWN-INTERVAL",
        }
    }
}

/// The newest copy that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readable {
    /// Where.
    pub place: Place,
    /// Of which generation.
    pub generation: u64,
    /// When that was closed.
    pub closed_ms: u64,
}

/// One volume of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Its own.
    pub identity: VolumeId,
    /// What people call it, as the newest that is known of it says.
    pub label: Label,
    /// What became of it.
    pub fate: Fate,
    /// The last generation that is known to have been written.
    pub generation: u64,
    /// The newest copy that can be read; nothing where there is none, or where nothing was ever written.
    pub readable: Option<Readable>,
}

/// What was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossReport {
    /// The catalog is of this time.
    pub backup_ms: u64,
    /// Nothing was written after this time.
    pub event_ms: u64,
    /// Each volume once, by label.
    pub volumes: Vec<Loss>,
}

impl LossReport {
    /// Whether nothing was lost, as far as anybody can know.
    #[must_use]
    pub fn is_all_current(&self) -> bool {
        self.volumes.iter().all(|loss| loss.fate == Fate::Current)
    }
}

/// What is gathered of one volume.
struct Gathered {
    label: Label,
    /// The last generation that is known, and until when it is known to be the last.
    generation: u64,
    until_ms: u64,
    open: bool,
    /// Whether a place of the last generation was ever known.
    has_place: bool,
    readable: Option<Readable>,
    /// Its image was written after the last that is known.
    written_since: bool,
    /// What the catalog says: its generation, and when that was closed.
    in_catalog: (u64, u64),
}

/// Says of each volume what became of it.
///
/// | the newest that is known of a volume | fate |
/// |---|---|
/// | a drive had it, and no later close is known | LOST-UNCLOSED |
/// | its last generation can be read, and nothing was written after that was known | CURRENT |
/// | its last generation can be read, and something can have been written after that was known | UNKNOWN-INTERVAL |
/// | an earlier generation can be read | STALE |
/// | none can be read; places of the last one are known | LOST-MEDIUM |
/// | none can be read; no place of the last one is known | LOST-UNRECORDED |
///
/// A blank volume has nothing to be read: it counts as readable. A volume whose image was written after the last that
/// is known of it is neither CURRENT nor UNKNOWN-INTERVAL: a copy of the last that is known is an earlier one.
#[must_use]
pub fn loss_report(inquiry: &Inquiry<'_>) -> LossReport {
    let mut all: BTreeMap<Uuid, Gathered> = BTreeMap::new();
    for known in inquiry.known {
        all.insert(known.identity.0, Gathered::known(known, inquiry));
    }
    for one in inquiry.evidence {
        match inquiry.media.get(&one.stacked) {
            Some(Medium::Scanned) => {}
            Some(Medium::Present | Medium::Absent | Medium::Damaged) | None => continue,
        }
        let gathered = all.entry(one.identity.0);
        gathered
            .or_insert_with(|| Gathered::unknown(one))
            .weigh(one);
    }
    for (identity, image) in inquiry.on_disk {
        if let Some(gathered) = all.get_mut(identity) {
            gathered.weigh_image(*image, inquiry.event_ms);
        }
    }
    let mut volumes: Vec<Loss> = all
        .into_iter()
        .map(|(identity, gathered)| gathered.loss(VolumeId(identity), inquiry.event_ms))
        .collect();
    volumes
        .sort_by(|one, other| (&one.label, one.identity.0).cmp(&(&other.label, other.identity.0)));
    LossReport {
        backup_ms: inquiry.backup_ms,
        event_ms: inquiry.event_ms,
        volumes,
    }
}

impl Gathered {
    fn known(known: &Known, inquiry: &Inquiry<'_>) -> Self {
        let of_last = |copy: &&Copy| copy.generation == known.generation;
        let closed_ms = known.copies.iter().find(of_last).map(|copy| copy.closed_ms);
        let mut gathered = Gathered {
            label: known.label.clone(),
            generation: known.generation,
            until_ms: inquiry.backup_ms,
            open: known.opening == Opening::Open,
            has_place: closed_ms.is_some(),
            readable: None,
            written_since: false,
            in_catalog: (known.generation, closed_ms.unwrap_or(inquiry.backup_ms)),
        };
        for copy in &known.copies {
            let medium = match &copy.place {
                // Its directory was looked at, and says more.
                Place::Disk => None,
                Place::Stacked { stacked, .. } => inquiry.media.get(stacked),
            };
            match medium {
                Some(Medium::Present) => {
                    gathered.can_read(&copy.place, copy.generation, copy.closed_ms);
                }
                // There, what was met says it.
                Some(Medium::Scanned | Medium::Absent | Medium::Damaged) | None => {}
            }
        }
        gathered
    }

    fn unknown(one: &Evidence) -> Self {
        Gathered {
            label: one.label.clone(),
            generation: 0,
            until_ms: 0,
            open: false,
            has_place: false,
            readable: None,
            written_since: false,
            in_catalog: (0, 0),
        }
    }

    /// Its image: where it is as the catalog knows it, nothing was written since.
    fn weigh_image(&mut self, image: DiskImage, event_ms: u64) {
        let (generation, closed_ms) = self.in_catalog;
        let nothing_newer = self.generation == generation;
        match image {
            DiskImage::Unchanged => {
                if nothing_newer {
                    self.until_ms = self.until_ms.max(event_ms);
                }
                self.can_read(&Place::Disk, generation, closed_ms);
            }
            DiskImage::Written => self.written_since = nothing_newer,
        }
    }

    fn can_read(&mut self, place: &Place, generation: u64, closed_ms: u64) {
        let best = self.readable.as_ref().map(|readable| readable.generation);
        if best.is_none_or(|best| best < generation) {
            self.readable = Some(Readable {
                place: place.clone(),
                generation,
                closed_ms,
            });
        }
    }

    fn weigh(&mut self, one: &Evidence) {
        if one.generation > self.generation {
            // It was closed after the catalog was saved, whatever the catalog says of a drive.
            self.generation = one.generation;
            self.label = one.label.clone();
            self.open = false;
            self.has_place = false;
        }
        if one.generation == self.generation {
            self.until_ms = self.until_ms.max(one.closed_ms);
            self.has_place |= one.whole;
        }
        if one.whole {
            let place = Place::Stacked {
                stacked: one.stacked.clone(),
                file: one.file,
            };
            self.can_read(&place, one.generation, one.closed_ms);
        }
    }

    fn loss(self, identity: VolumeId, event_ms: u64) -> Loss {
        let is_blank = self.generation == 0;
        let best = self.readable.as_ref().map(|readable| readable.generation);
        let fate = match (self.open, &self.readable) {
            (true, _) => Fate::LostUnclosed,
            (false, _) if !self.written_since && (is_blank || best == Some(self.generation)) => {
                match self.until_ms >= event_ms {
                    true => Fate::Current,
                    false => Fate::UnknownInterval {
                        since_ms: self.until_ms,
                    },
                }
            }
            (false, Some(readable)) => Fate::Stale {
                date_ms: readable.closed_ms,
            },
            (false, None) if self.has_place => Fate::LostMedium,
            (false, None) => Fate::LostUnrecorded,
        };
        Loss {
            identity,
            label: self.label,
            fate,
            generation: self.generation,
            readable: self.readable,
        }
    }
}
