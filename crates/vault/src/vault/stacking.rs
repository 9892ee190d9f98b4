//! Volumes go to stacked volumes.

use pseudotape_human::shell_word;
use pseudotape_image::Uuid;
use pseudotape_stack::{
    Description, Error as StackError, Met, Outcome, Payload, Site, StackedFile, Subject as Kind,
    VolumeDescription, go_to_end, read_archive, skip_file, write_archive,
};
use pseudotape_tape::{Drive, ObjectNumber, make_ready};

use super::{Vault, found};
use crate::error::Error;
use crate::event::{Change, Order, Subject};
use crate::label::Label;
use crate::pool::{ArchiveCopy, StackState, StackedVolume, places};
use crate::rules::{LastCopy, may_serve};
use crate::state::{Availability, Category, Opening};
use crate::volume::{Digest, Listed, Volume};

/// The stacked volume in a drive, with the tape where the next archive goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cartridge {
    /// What it is.
    pub stacked: StackedVolume,
    /// The number of the next tape file.
    pub next_file: u64,
    /// Something was cut off there, which the next archive is written over.
    pub cut_off: bool,
    /// It was blank, or given up, and is begun.
    pub begun: bool,
}

/// What became of a volume that was to be stacked.
#[derive(Debug)]
pub enum Stacked {
    /// It has a new copy.
    Copied(ArchiveCopy),
    /// The pool has a copy of this generation already.
    Already(ArchiveCopy),
    /// It did not fit: the stacked volume is full, and has no copy of it.
    Full,
    /// The volume can't be copied. The next one can.
    Unreadable(Error),
}

impl Vault {
    /// All stacked volumes, by pool and label.
    pub fn stacked_volumes(&self) -> Result<Vec<StackedVolume>, Error> {
        self.catalog.rows().stacked_volumes()
    }

    /// The copies of a volume, of all its generations, the newest of them first.
    pub fn copies(&self, label: &Label) -> Result<Vec<ArchiveCopy>, Error> {
        let rows = self.catalog.rows();
        rows.copies(found(rows, label)?.0)
    }

    /// The stacked volumes that have a volume as it is, in words.
    pub(super) fn places_of(&self, volume: &Volume) -> Result<Option<String>, Error> {
        let mut copies = self.copies(&volume.label)?;
        copies.retain(|copy| copy.generation == volume.generation && copy.is_left());
        Ok((!copies.is_empty()).then(|| places(&copies)))
    }

    /// The closed private volumes with an image of which a pool has no copy that is of their generation, and those that
    /// were written past the vault.
    ///
    /// A volume that is away or lost has nothing to copy. One that a clone took the place of was given up for that.
    pub fn without_copy(&self, pool: &Label) -> Result<Vec<Label>, Error> {
        let rows = self.catalog.rows();
        let replaced = rows.replaced()?;
        let mut without = Vec::new();
        for (key, listed) in rows.all()? {
            let volume = listed.volume;
            let wanted = volume.category == Category::Private
                && volume.opening == Opening::Closed
                && !matches!(
                    volume.availability,
                    Availability::AtVendor | Availability::Lost
                )
                && !replaced.contains(&volume.identity)
                && volume.image.is_some();
            if !wanted {
                continue;
            }
            let copies = rows.copies(key)?;
            if copy_in(&copies, pool, volume.generation).is_none()
                || self.written_past(&volume).is_some()
            {
                without.push(volume.label);
            }
        }
        Ok(without)
    }

    /// Writes down where a stacked volume is, in the words of a specification.
    pub fn set_stack_place(&mut self, stacked: Uuid, place: Option<&str>) -> Result<(), Error> {
        self.change(|_, rows, _| match rows.stacked_by_identity(stacked)? {
            Some((key, known)) if known.place.as_deref() != place => {
                rows.set_stack_place(key, place)
            }
            Some(_) | None => Ok(()),
        })
    }

    /// Looks which stacked volume is in a drive, and goes behind its last whole archive. A blank one is begun, with the
    /// label `new`.
    ///
    /// | condition | result | the tape |
    /// |---|---|---|
    /// | the pool's one that fills | `Ok` | behind its last archive |
    /// | blank or the pool's scratch, and nothing fills in the pool | `Ok` | begun with its description |
    /// | a description that has no filemark, alone on it | as blank | |
    /// | anything else | `Stacking`, which says what it is | unchanged |
    pub fn open_cartridge(
        &mut self,
        drive: &mut dyn Drive,
        pool: &Label,
        new: Option<&Label>,
        order: &Order,
    ) -> Result<Cartridge, Error> {
        may_serve(self.pending_recovery()?)?;
        make_ready(drive)?;
        drive.rewind()?;
        let description = match read_archive(drive)? {
            Met::EndOfData => None,
            Met::Archive(reading) => {
                let is_a_beginning = reading.description().payload.is_none();
                match reading.skip() {
                    Err(StackError::CutOff) if is_a_beginning && has_no_mark(drive)? => {
                        // What a killed command began: it has no filemark yet, and nothing else is on the tape.
                        drive.rewind()?;
                        None
                    }
                    skipped => Some(skipped?),
                }
            }
            Met::Skipped(why) => {
                return Err(stacking(format!(
                    "what is in the drive is no stacked volume ({why}): put a blank one in ('pseudotape create' makes \
                     an image, 'mt erase' empties a tape)"
                )));
            }
        };
        let was = description.as_ref().map(|met| met.stacked_volume.identity);
        let stacked = match description {
            None => self.begin_cartridge(drive, pool, new, order)?,
            Some(description) => self.known_cartridge(drive, pool, &description, order)?,
        };
        let stacked_identity = stacked.identity;
        let (tail, next_file) = end_of(drive)?;
        let known = self.change(|_, rows, _| {
            let found = rows.stacked_by_identity(stacked.identity)?;
            let (key, _) = found.ok_or_else(|| no_such(&stacked.label))?;
            rows.next_stacked_file(key)
        })?;
        if next_file < known {
            return Err(stacking(format!(
                "{} ends before tape file {next_file}, and the catalog knows copies up to tape file {}: somebody wrote \
                 over it, or it is an old state of it; mark it 'read-only-recovery', and look what is on it",
                stacked.label,
                known - 1
            )));
        }
        Ok(Cartridge {
            stacked,
            next_file,
            cut_off: tail > 0,
            begun: was != Some(stacked_identity),
        })
    }

    /// A cartridge that describes itself is written when it is this vault's, of the pool, and fills.
    fn known_cartridge(
        &mut self,
        drive: &mut dyn Drive,
        pool: &Label,
        description: &Description,
        order: &Order,
    ) -> Result<StackedVolume, Error> {
        let says = &description.stacked_volume;
        let own = self.configuration.identity;
        if description.site.identity != own {
            return Err(stacking(format!(
                "what is in the drive is stacked volume {} of another vault, {} ({}): put one of this vault in, or a \
                 blank one",
                says.label, description.site.name, description.site.identity
            )));
        }
        let known = self.catalog.rows().stacked_by_identity(says.identity)?;
        let Some((_, stacked)) = known else {
            // What a killed command began: its description alone is on it.
            if !matches!(read_archive(drive)?, Met::EndOfData) {
                return Err(stacking(format!(
                    "what is in the drive is stacked volume {}, with archives that the catalog does not know: it is not \
                     written over",
                    says.label
                )));
            }
            let label = says.label.parse().map_err(|_| no_label(&says.label))?;
            let of_pool = says.pool.parse().map_err(|_| no_label(&says.pool))?;
            let stacked = new_stacked(label, says.identity, of_pool, description.written_ms);
            expect_pool(&stacked, pool)?;
            return self.came_stacked(&stacked, order);
        };
        expect_pool(&stacked, pool)?;
        match stacked.state {
            StackState::Filling => Ok(stacked),
            // The pool's own scratch: it is written from its beginning.
            StackState::Erase | StackState::Empty => {
                drive.rewind()?;
                let label = stacked.label;
                self.begin_cartridge(drive, pool, Some(&label), order)
            }
            state => Err(stacking(format!(
                "stacked volume {} is {state}: nothing is written on it. Put the one in that fills in pool {pool} \
                 ('pseudotape vault pool'), or a blank one",
                stacked.label
            ))),
        }
    }

    fn begin_cartridge(
        &mut self,
        drive: &mut dyn Drive,
        pool: &Label,
        new: Option<&Label>,
        order: &Order,
    ) -> Result<StackedVolume, Error> {
        let label = new.ok_or_else(|| {
            stacking(
                "what is in the drive is blank: --new LABEL makes a stacked volume of it".into(),
            )
        })?;
        let rows = self.catalog.rows();
        let known = rows.stacked_by_label(label)?;
        if known.is_some_and(|(_, known)| !known.is_scratch_of(pool)) {
            return Err(stacking(format!(
                "there is a stacked volume {label} already: give it another label with --new LABEL"
            )));
        }
        if let Some((_, filling)) = rows.filling(pool)? {
            return Err(stacking(format!(
                "in pool {pool} {} fills, and one does at a time: put that in, or mark it full ('pseudotape vault pool \
                 {word} full --by NAME --reason TEXT')",
                filling.label,
                word = shell_word(filling.label.as_str())
            )));
        }
        let now = self.surroundings.now_ms();
        let identity = self.surroundings.identity(now).0;
        let stacked = new_stacked(label.clone(), identity, pool.clone(), now);
        let sequence = self.change(|_, rows, _| rows.count_archive())?;
        let description = self.describe(&stacked, sequence, now, Kind::StackedVolume, None);
        match write_archive(drive, &description, &mut std::io::empty())? {
            Outcome::Written(_) => self.came_stacked(&stacked, order),
            Outcome::EndOfMedium(_) => Err(stacking(
                "what is in the drive is too small for anything".into(),
            )),
        }
    }

    fn came_stacked(&mut self, new: &StackedVolume, order: &Order) -> Result<StackedVolume, Error> {
        self.change(|_, rows, now| {
            if let Some((_, filling)) = rows.filling(&new.pool)? {
                return Err(stacking(format!(
                    "in pool {} {} fills already",
                    new.pool, filling.label
                )));
            }
            let empty = StackState::Empty.become_state(StackState::Filling, order)?;
            let from = match rows.stacked_by_label(&new.label)? {
                Some((key, old)) if old.is_scratch_of(&new.pool) => {
                    rows.renew_stacked(key, new)?;
                    Some(old.state.word().to_owned())
                }
                Some(_) | None => {
                    rows.insert_stacked(new)?;
                    None
                }
            };
            let came = Change { from, ..empty };
            rows.log(now, None, &named(came, &new.label))
        })?;
        Ok(new.clone())
    }

    pub(super) fn describe(
        &self,
        stacked: &StackedVolume,
        sequence: u64,
        now: u64,
        subject: Kind,
        payload: Option<Payload>,
    ) -> Description {
        Description {
            written_by: concat!("pseudotape ", env!("CARGO_PKG_VERSION")).to_owned(),
            written_ms: now,
            site: Site {
                identity: self.configuration.identity,
                name: self.configuration.name.clone(),
            },
            stacked_volume: pseudotape_stack::StackedVolume {
                identity: stacked.identity,
                label: stacked.label.to_string(),
                pool: stacked.pool.to_string(),
            },
            sequence,
            subject,
            payload,
        }
    }

    /// Writes a copy of a volume, as it is closed, on the stacked volume in a drive.
    ///
    /// | condition | result | after |
    /// |---|---|---|
    /// | fits | [`Stacked::Copied`] | a copy of this generation |
    /// | the pool has one | [`Stacked::Already`] | nothing is written |
    /// | does not fit | [`Stacked::Full`] | no copy; the stacked volume is full |
    /// | open, without an image, written past the vault, or in use | [`Stacked::Unreadable`] | nothing is written |
    /// | can't be read, or is not what another copy is | [`Stacked::Unreadable`] | no copy; what is bad is written down |
    /// | the drive or the catalog fails | an error | no copy |
    /// | killed | – | no copy, and what was written is written over; or the copy |
    pub fn stack(
        &mut self,
        drive: &mut dyn Drive,
        cartridge: &mut Cartridge,
        label: &Label,
        order: &Order,
    ) -> Result<Stacked, Error> {
        let listed = self.volume(label)?;
        let copies = self.copies(label)?;
        let generation = listed.volume.generation;
        if let Some(error) = self.written_past(&listed.volume) {
            return Ok(Stacked::Unreadable(error));
        }
        if let Some(copy) = copy_in(&copies, &cartridge.stacked.pool, generation) {
            return Ok(Stacked::Already(copy.clone()));
        }
        let mut held = match self.hold_image(&listed) {
            Ok(held) => held,
            Err(error) => return Ok(Stacked::Unreadable(error)),
        };
        let same = copies.iter().find(|copy| copy.generation == generation);
        let payload = Payload {
            name: listed.volume.image.clone().unwrap_or_default(),
            length: held.length,
            digest: same
                .and_then(|copy| copy.digest)
                .map(|digest| pseudotape_stack::Digest(digest.0)),
        };
        let volume = self.description_of(&listed)?;
        let closed_ms = volume.closed_ms;
        let now = self.surroundings.now_ms();
        let sequence = self.change(|_, rows, _| rows.count_archive())?;
        let subject = Kind::Volume { volume };
        let description = self.describe(&cartridge.stacked, sequence, now, subject, Some(payload));
        let outcome = loop {
            match write_archive(drive, &description, &mut held) {
                Ok(outcome) => break outcome,
                // The tape is where it began: the next one is written over what there is of it.
                Err(error) if error.is_of_payload() => {
                    if let Some(why) = self.judge_held(&listed, &mut held, error)? {
                        return Ok(Stacked::Unreadable(why));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        match outcome {
            Outcome::Written(written) => {
                let stacked = &cartridge.stacked;
                let copy = ArchiveCopy {
                    stacked_volume: stacked.label.clone(),
                    stacked_identity: stacked.identity,
                    pool: stacked.pool.clone(),
                    state: stacked.state,
                    file: cartridge.next_file,
                    generation,
                    length: held.length,
                    digest: written.digest.map(|digest| Digest(digest.0)),
                    closed_ms,
                    at_ms: now,
                };
                self.copied(&copy, &listed, order)?;
                cartridge.next_file += 1;
                Ok(Stacked::Copied(copy))
            }
            Outcome::EndOfMedium(_) => {
                let order = Order::system("the next volume did not fit");
                let label = cartridge.stacked.label.clone();
                cartridge.stacked =
                    self.set_stack_state(&label, StackState::Full, LastCopy::Kept, &order)?;
                Ok(Stacked::Full)
            }
        }
    }

    fn description_of(&self, listed: &Listed) -> Result<VolumeDescription, Error> {
        let volume = &listed.volume;
        let rows = self.catalog.rows();
        let key = found(rows, &volume.label)?.0;
        let files = rows.files(key)?;
        let files = files.into_iter().map(|file| StackedFile {
            file: file.number,
            first_object: file.first_object,
            blocks: file.blocks,
            bytes: file.bytes,
            digest: file.digest.map(|digest| pseudotape_stack::Digest(digest.0)),
            state: file.state.word().to_owned(),
        });
        Ok(VolumeDescription {
            identity: volume.identity.0,
            label: volume.label.to_string(),
            category: volume.category.word().to_owned(),
            generation: volume.generation,
            closed_ms: rows.written_at(key)?.unwrap_or(volume.added_ms),
            files: files.collect(),
        })
    }

    /// Writes a copy down, if the volume is still what was copied.
    fn copied(&mut self, copy: &ArchiveCopy, listed: &Listed, order: &Order) -> Result<(), Error> {
        self.change(|_, rows, now| {
            let known = rows.stacked_by_identity(copy.stacked_identity)?;
            let (to, _) = known.ok_or_else(|| no_such(&copy.stacked_volume))?;
            let is = rows.find_identity(listed.volume.identity)?;
            let Some((key, is)) = is.filter(|(_, is)| {
                is.volume.generation == listed.volume.generation
                    && is.volume.opening == Opening::Closed
            }) else {
                return Err(stacking(format!(
                    "{} was written or taken away meanwhile: what was copied is no copy of it",
                    listed.volume.label
                )));
            };
            rows.insert_copy(key, to, copy)?;
            let place = format!("{} file {}", copy.stacked_volume, copy.file);
            let change = Change::new(Subject::Copy, None, Some(place), order);
            rows.log(now, Some((key, &is.volume.label)), &change)
        })
    }
}

/// The copy of a generation that can be read in a pool.
fn copy_in<'a>(
    copies: &'a [ArchiveCopy],
    pool: &Label,
    generation: u64,
) -> Option<&'a ArchiveCopy> {
    copies
        .iter()
        .find(|copy| copy.pool == *pool && copy.serves(generation))
}

/// Goes behind the last archive: how many objects were cut off there, and the number of the next tape file.
fn end_of(drive: &mut dyn Drive) -> Result<(u64, u64), Error> {
    let tail = go_to_end(drive)?;
    if let Some(file) = tail.at.file {
        return Ok((tail.cut_off, file.0));
    }
    // A drive that does not count them.
    drive.rewind()?;
    let mut files = 0;
    while skip_file(drive)? {
        files += 1;
    }
    go_to_end(drive)?;
    Ok((tail.cut_off, files))
}

/// Whether no filemark is on the tape.
fn has_no_mark(drive: &mut dyn Drive) -> Result<bool, Error> {
    Ok(go_to_end(drive)?.at.object == ObjectNumber(0))
}

fn new_stacked(label: Label, identity: Uuid, pool: Label, added_ms: u64) -> StackedVolume {
    StackedVolume {
        label,
        identity,
        pool,
        state: StackState::Filling,
        added_ms,
        copies: 0,
        bytes: 0,
        backup: None,
        place: None,
    }
}

fn expect_pool(stacked: &StackedVolume, pool: &Label) -> Result<(), Error> {
    match stacked.pool == *pool {
        true => Ok(()),
        false => Err(stacking(format!(
            "what is in the drive is stacked volume {} of pool {}, and pool {pool} was asked for",
            stacked.label, stacked.pool
        ))),
    }
}

/// The log has no column for stacked volumes: their label stands before the state.
pub(super) fn named(change: Change, label: &Label) -> Change {
    let words = |state: Option<String>| state.map(|state| format!("{label} {state}"));
    Change {
        from: words(change.from.clone()),
        to: words(change.to.clone()),
        ..change
    }
}

pub(super) fn stacking(text: String) -> Error {
    Error::Stacking(text)
}

pub(super) fn no_such(label: &Label) -> Error {
    stacking(format!(
        "there is no stacked volume {label}: 'pseudotape vault pool' lists them"
    ))
}

fn no_label(text: &str) -> Error {
    stacking(format!(
        "what is in the drive calls itself '{}', which is no label",
        text.escape_debug()
    ))
}
