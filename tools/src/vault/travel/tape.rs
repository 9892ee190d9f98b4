//! Backups of a catalog on a tape, and volumes that describe themselves.

use pseudotape_image::VolumeId;
use pseudotape_stack::{
    CatalogDescription, Description, Error, Met, Outcome, Payload, Reading, Site, Skipped,
    StackedVolume, Subject, VolumeDescription, file_before, go_to_end, read_archive, skip_file,
    write_archive,
};
use pseudotape_tape::{Address, Drive, Mark, ObjectNumber, WriteMode};
use pseudotape_vault::recovery::{Backup, BackupDescription, Evidence, Found, Rolled};
use pseudotape_vault::{ArchiveCopy, Digest, StackState, TapeFile};

/// The name of the payload in its archive.
const PAYLOAD: &str = "catalog.sqlite.zst";
/// The pool, in the catalog, of a tape that has none.
const NO_POOL: &str = "none";
/// So many tape files that a drive can't read end the search for a backup on a tape.
const ERRORS_MAX: u32 = 16;

/// How exactly a backup is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// That all its blocks are there.
    Blocks,
    /// That they are those that were written: it is read.
    Digest,
}

/// What begins a tape.
#[derive(Debug)]
pub(super) enum Head {
    Blank,
    Ours { site: Site, volume: StackedVolume },
    Foreign(String),
}

/// A backup that was met, or what is left of one.
#[derive(Debug)]
pub(super) struct MetBackup {
    pub(super) found: Found,
    pub(super) at: ObjectNumber,
}

/// What there is on a tape, newest first: at most one whole backup, and damaged ones behind it.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) head: Head,
    /// What is wrong with the beginning of the tape, where it can't be read or is foreign, and an archive lies behind
    /// it. That one says the head then.
    pub(super) beginning: Option<String>,
    pub(super) backups: Vec<MetBackup>,
}

/// Where a backup was written.
#[derive(Debug)]
pub(in crate::vault) struct Stored {
    pub(in crate::vault) object: u64,
    /// The tape file, where the drive counts them.
    pub(in crate::vault) file: Option<u64>,
}

/// Reads what begins a tape.
pub(super) fn head(drive: &mut dyn Drive) -> Result<Head, Error> {
    rewind(drive)?;
    Ok(match read_archive(drive)? {
        Met::EndOfData => Head::Blank,
        Met::Archive(reading) => {
            let description = reading.description().clone();
            Head::Ours {
                site: description.site,
                volume: description.stacked_volume,
            }
        }
        Met::Skipped(why) => Head::Foreign(why.to_string()),
    })
}

/// Looks for the newest backup, from the end of the tape on. What lies before it is not read. Those at `distrusted` are
/// known to be damaged. `lost_end` says why more was on the tape than there is now, where that is known.
pub(super) fn look(
    drive: &mut dyn Drive,
    depth: Depth,
    distrusted: &[ObjectNumber],
    lost_end: Option<&str>,
) -> Result<Looked, Error> {
    // What lies behind a beginning that is no archive is found from the end of the tape.
    let (mut head, mut foreign, mut unreadable) = (None, None, None);
    match self::head(drive) {
        Ok(Head::Foreign(why)) => foreign = Some(why),
        Ok(found) => head = Some(found),
        Err(error) => unreadable = Some(error),
    }
    let (mut behind, mut backups) = match end(drive, lost_end) {
        Ok(end) => end,
        Err(error) => return Err(unreadable.unwrap_or(error)),
    };
    let mut errors = 0;
    while let Some(extent) = file_before(drive, behind)? {
        behind = extent.first;
        let at = extent.first;
        let found = match read_archive(drive) {
            Ok(Met::Archive(reading)) => {
                let Description {
                    site,
                    stacked_volume: volume,
                    ..
                } = reading.description().clone();
                head.get_or_insert(Head::Ours { site, volume });
                match found_in(*reading, extent.objects, depth) {
                    Some(Found::Backup(backup)) if distrusted.contains(&at) => {
                        Some(damaged(&"the catalog in it is damaged", Some(backup)))
                    }
                    found => found,
                }
            }
            Ok(Met::Skipped(why @ (Skipped::Newer { .. } | Skipped::UnknownKind { .. }))) => {
                Some(Found::Newer {
                    cause: why.to_string(),
                })
            }
            Ok(Met::Skipped(why @ Skipped::Malformed { .. })) => Some(damaged(&why, None)),
            Ok(Met::Skipped(_) | Met::EndOfData) => None,
            Err(error) => {
                errors += 1;
                if errors > ERRORS_MAX {
                    return Err(error);
                }
                Some(damaged(&error, None))
            }
        };
        let is_whole = matches!(found, Some(Found::Backup(_)));
        backups.extend(found.map(|found| MetBackup { found, at }));
        if is_whole {
            break;
        }
    }
    let damaged = unreadable.map(|error| format!("its beginning is damaged: {error}"));
    Ok(match (head, foreign) {
        (Some(head), foreign) => {
            let strange = foreign.map(|why| format!("it begins with something foreign ({why})"));
            Looked {
                head,
                beginning: damaged.or(strange),
                backups,
            }
        }
        (None, Some(why)) => Looked {
            head: Head::Foreign(why),
            beginning: None,
            backups,
        },
        (None, None) => Looked {
            head: Head::Foreign(damaged.clone().unwrap_or_default()),
            beginning: damaged,
            backups,
        },
    })
}

/// Goes to the end of what can be read. Says where the last tape file ends, and what was damaged behind that.
fn end(
    drive: &mut dyn Drive,
    lost_end: Option<&str>,
) -> Result<(ObjectNumber, Vec<MetBackup>), Error> {
    let mut backups = Vec::new();
    let at = match go_to_end(drive) {
        Ok(tail) => {
            let at = tail.at.object;
            if tail.cut_off > 0 {
                backups.extend(cut_off(drive, at));
                go_to(drive, at)?;
            }
            at
        }
        // There is a hole before the end: what lies before the hole can still be had.
        Err(error) => {
            let at = before_hole(drive, error)?;
            let cause = "a drive can't go to its end";
            let found = damaged(&cause, None);
            backups.push(MetBackup { found, at });
            at
        }
    };
    if let (Some(cause), true) = (lost_end, backups.is_empty()) {
        let found = damaged(&cause, None);
        backups.push(MetBackup { found, at });
    }
    Ok((at, backups))
}

/// Goes over the tape files from the beginning on, up to where the drive can't go on; nothing can be had where that is
/// the first one.
fn before_hole(drive: &mut dyn Drive, error: Error) -> Result<ObjectNumber, Error> {
    rewind(drive)?;
    let mut behind = None;
    while let Ok(true) = skip_file(drive) {
        let position = drive.position();
        behind = position.ok().map(|position| position.object).or(behind);
    }
    behind.ok_or(error)
}

/// What was being written when it ended, where that was a backup, or nobody can say what it was.
fn cut_off(drive: &mut dyn Drive, at: ObjectNumber) -> Option<MetBackup> {
    let description = match read_archive(drive) {
        Ok(Met::Archive(reading)) => reading.description().clone(),
        Ok(Met::Skipped(why @ Skipped::CutOff)) => {
            let found = damaged(&why, None);
            return Some(MetBackup { found, at });
        }
        Err(error) => {
            let found = damaged(&error, None);
            return Some(MetBackup { found, at });
        }
        Ok(Met::Skipped(_) | Met::EndOfData) => return None,
    };
    let backup = backup_of(&description)?;
    let found = damaged(&"it was cut off while it was written", Some(backup));
    Some(MetBackup { found, at })
}

/// The backup in an archive, if it is one.
fn found_in(reading: Reading<'_>, objects: u64, depth: Depth) -> Option<Found> {
    if !matches!(reading.description().subject, Subject::Catalog { .. }) {
        return None;
    }
    let Some(backup) = backup_of(reading.description()) else {
        return Some(damaged(&"its description is not whole", None));
    };
    if reading.blocks() != objects {
        return Some(damaged(&"it has not all its blocks", Some(backup)));
    }
    match depth {
        Depth::Blocks => {}
        Depth::Digest => {
            if let Err(error) = reading.verify() {
                return Some(damaged(&error, Some(backup)));
            }
        }
    }
    Some(Found::Backup(backup))
}

fn damaged(cause: &dyn std::fmt::Display, description: Option<BackupDescription>) -> Found {
    Found::Damaged {
        cause: cause.to_string(),
        description,
    }
}

fn backup_of(description: &Description) -> Option<BackupDescription> {
    let Subject::Catalog { catalog } = &description.subject else {
        return None;
    };
    let payload = description.payload.as_ref()?;
    Some(BackupDescription {
        site: description.site.identity,
        site_name: description.site.name.clone(),
        sequence: description.sequence,
        written_ms: description.written_ms,
        schema: i64::from(catalog.schema),
        volumes: catalog.volumes,
        length: payload.length,
        digest: Digest(payload.digest?.0),
        catalog_length: catalog.unpacked_bytes,
        catalog_digest: Digest(catalog.unpacked_digest.0),
    })
}

/// Goes before a backup, so that its payload can be read.
pub(super) fn open_backup(
    drive: &mut dyn Drive,
    at: ObjectNumber,
) -> Result<Option<Box<Reading<'_>>>, Error> {
    go_to(drive, at)?;
    Ok(match read_archive(drive)? {
        Met::Archive(reading) => Some(reading),
        Met::Skipped(_) | Met::EndOfData => None,
    })
}

/// Writes a backup behind what is on a stacked volume; nothing where it does not fit.
pub(in crate::vault) fn store(
    drive: &mut dyn Drive,
    on: &StackedVolume,
    backup: &mut Backup,
) -> Result<Option<Stored>, Error> {
    let saved = &backup.description;
    go_to_end(drive)?;
    let catalog = CatalogDescription {
        schema: u32::try_from(saved.schema).unwrap_or(u32::MAX),
        volumes: saved.volumes,
        unpacked_bytes: saved.catalog_length,
        unpacked_digest: pseudotape_stack::Digest(saved.catalog_digest.0),
    };
    let payload = Payload {
        name: PAYLOAD.to_owned(),
        length: saved.length,
        digest: Some(pseudotape_stack::Digest(saved.digest.0)),
    };
    let description = Description {
        written_by: concat!("pseudotape ", env!("CARGO_PKG_VERSION")).to_owned(),
        written_ms: saved.written_ms,
        site: Site {
            identity: saved.site,
            name: saved.site_name.clone(),
        },
        stacked_volume: on.clone(),
        sequence: saved.sequence,
        subject: Subject::Catalog { catalog },
        payload: Some(payload),
    };
    match write_archive(drive, &description, &mut backup.payload)? {
        Outcome::Written(written) => Ok(Some(Stored {
            object: written.at.object.0,
            file: written.at.file.map(|file| file.0),
        })),
        Outcome::EndOfMedium(_) => {
            // What was cut off is no damaged backup that a survey should warn of: a mark in its place ends the tape.
            let marked = drive.write_marks(Mark::Filemark, 1, WriteMode::Commit);
            marked.map_err(|failed| Error::Drive {
                action: "write a filemark",
                failed,
            })?;
            Ok(None)
        }
    }
}

/// What a scan of all describing members of a tape met.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) evidence: Vec<Evidence>,
    /// The whole copies, as the catalog takes them in.
    pub(super) rolled: Vec<Rolled>,
    /// What was met and is no volume of ours.
    pub(super) notes: Vec<String>,
}

/// Reads all describing members of a tape, and what is behind them only where it is to be verified.
pub(super) fn scan(
    drive: &mut dyn Drive,
    site: &Site,
    stacked: &StackedVolume,
    depth: Depth,
) -> Result<Scan, Error> {
    let mut scan = Scan::default();
    rewind(drive)?;
    for file in 0.. {
        let met = match read_archive(drive) {
            Ok(Met::EndOfData) => break,
            Ok(Met::Skipped(why)) => {
                scan.notes.push(format!("tape file {file}: {why}"));
                continue;
            }
            Ok(Met::Archive(reading)) => {
                let description = reading.description().clone();
                let end = reading.at().object.0 + reading.blocks() + 1;
                match is_whole(*reading, depth) {
                    // It can be too short, and have its filemark.
                    Ok(()) => Ok((description, is_before(drive, end)?)),
                    Err(Error::CutOff) => Ok((description, false)),
                    Err(error) => Err((Some(description), error)),
                }
            }
            Err(error) => Err((None, error)),
        };
        let (description, whole) = match met {
            Ok(met) => met,
            Err((description, error)) => {
                scan.notes.push(format!("tape file {file}: {error}"));
                if let Some(description) = description {
                    scan.take(&description, site, stacked, file, false);
                }
                match skip_file(drive) {
                    Ok(true) => continue,
                    Ok(false) | Err(_) => break,
                }
            }
        };
        scan.take(&description, site, stacked, file, whole);
    }
    Ok(scan)
}

fn is_before(drive: &mut dyn Drive, object: u64) -> Result<bool, Error> {
    let position = drive.position().map_err(|failed| Error::Drive {
        action: "tell the position",
        failed,
    })?;
    Ok(position.object.0 == object)
}

/// Goes behind an archive, and says whether it is whole.
fn is_whole(reading: Reading<'_>, depth: Depth) -> Result<(), Error> {
    match depth {
        Depth::Blocks => reading.skip(),
        Depth::Digest => reading.verify(),
    }
    .map(|_| ())
}

impl Scan {
    fn take(
        &mut self,
        description: &Description,
        site: &Site,
        stacked: &StackedVolume,
        file: u64,
        whole: bool,
    ) {
        let Subject::Volume { volume } = &description.subject else {
            return;
        };
        // A rest of what the tape held before it began anew, or of somebody else.
        if description.site.identity != site.identity
            || description.stacked_volume.identity != stacked.identity
        {
            self.notes.push(format!(
                "tape file {file}: it belongs to another tape or vault"
            ));
            return;
        }
        let (Ok(label), Ok(category)) = (volume.label.parse(), volume.category.parse()) else {
            self.notes
                .push(format!("tape file {file}: its label or category is none"));
            return;
        };
        let label: pseudotape_vault::Label = label;
        let identity = VolumeId(volume.identity);
        self.evidence.push(Evidence {
            identity,
            label: label.clone(),
            generation: volume.generation,
            closed_ms: volume.closed_ms,
            stacked: stacked.identity.to_string(),
            file,
            whole,
        });
        let files = volume.files.iter().map(|file| {
            Some(TapeFile {
                number: file.file,
                first_object: file.first_object,
                blocks: file.blocks,
                bytes: file.bytes,
                digest: file.digest.map(|digest| Digest(digest.0)),
                state: file.state.parse().ok()?,
            })
        });
        match (whole, files.collect()) {
            (true, Some(files)) => {
                let copy = copy_of(description, volume, file);
                if copy.is_none() {
                    self.notes.push(format!(
                        "tape file {file}: 'pseudotape vault recall' can't bring it back: the label or the pool of its \
                         tape is none, or it has no payload"
                    ));
                }
                self.rolled.push(Rolled {
                    identity,
                    label,
                    category,
                    generation: volume.generation,
                    closed_ms: volume.closed_ms,
                    files,
                    copy,
                });
            }
            (true, None) => {
                self.notes
                    .push(format!("tape file {file}: a state in it is none"));
            }
            (false, _) => {}
        }
    }
}

/// The copy that an archive is, as the catalog takes it in.
fn copy_of(
    description: &Description,
    volume: &VolumeDescription,
    file: u64,
) -> Option<ArchiveCopy> {
    let stacked = &description.stacked_volume;
    let payload = description.payload.as_ref()?;
    let pool = match stacked.pool.is_empty() {
        // A tape that a backup of the catalog began.
        true => NO_POOL,
        false => &stacked.pool,
    };
    Some(ArchiveCopy {
        stacked_volume: stacked.label.parse().ok()?,
        stacked_identity: stacked.identity,
        pool: pool.parse().ok()?,
        state: StackState::ReadOnlyRecovery,
        file,
        generation: volume.generation,
        length: payload.length,
        digest: payload.digest.map(|digest| Digest(digest.0)),
        closed_ms: volume.closed_ms,
        at_ms: description.written_ms,
    })
}

fn rewind(drive: &mut dyn Drive) -> Result<(), Error> {
    let done = drive.rewind();
    done.map(|_| ()).map_err(|failed| Error::Drive {
        action: "rewind",
        failed,
    })
}

fn go_to(drive: &mut dyn Drive, object: ObjectNumber) -> Result<(), Error> {
    let to = Address {
        partition: None,
        object,
    };
    let done = drive.locate(to);
    done.map(|_| ()).map_err(|failed| Error::Drive {
        action: "position",
        failed,
    })
}

#[cfg(test)]
#[path = "tape_test.rs"]
mod tape_test;
