//! Who may load what, what may go, and what a close makes of what was known.

use pseudotape_human::shell_word;
use pseudotape_tape::Access;

use crate::event::Actor;
use crate::label::Label;
use crate::pending::Recovery;
use crate::pool::{ArchiveCopy, places};
use crate::state::{Availability, Category, FileState, Opening};
use crate::volume::{Listed, TapeFile, Volume};
use pseudotape_human::time_words;

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not there, or blocked.
    #[error("volume {label} is {availability}, set by {by}{}: {reason}", on(*since_ms))]
    Unavailable {
        /// The volume.
        label: Label,
        /// Its state.
        availability: Availability,
        /// Who said so.
        by: Actor,
        /// When, in milliseconds after 1970.
        since_ms: Option<u64>,
        /// Why.
        reason: String,
    },
    /// A drive has it.
    #[error(
        "volume {label} is open: a drive has it, or had it when its daemon died; 'pseudotape vault doctor' says which"
    )]
    Open {
        /// The volume.
        label: Label,
    },
    /// It is not for writing.
    #[error(
        "volume {label} is in the category {category}, which is not written: 'pseudotape vault set {word} --category \
         private' says that it is", word = shell_word(.label.as_str())
    )]
    NotForWriting {
        /// The volume.
        label: Label,
        /// Its category.
        category: Category,
    },
    /// What is on it would be gone.
    #[error(
        "volume {label} has {files} that somebody wants ({bytes}), and the vault knows no other copy of it as it is: \
         copy it first ('pseudotape copy'), release its files, or say --lose-last-copy", files = counted(*.files), bytes = pseudotape_human::counted(*.bytes, "byte")
    )]
    LastCopy {
        /// The volume.
        label: Label,
        /// Wanted tape files.
        files: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// There are copies of it, which nobody would find.
    #[error(
        "volume {label} has {files} that somebody wants ({bytes}); its copies stay on {places}, and the vault forgets \
         with it where they are: release its files, or say --lose-last-copy", files = counted(*.files), bytes = pseudotape_human::counted(*.bytes, "byte")
    )]
    ForgetsCopies {
        /// The volume.
        label: Label,
        /// Wanted tape files.
        files: u64,
        /// Their bytes.
        bytes: u64,
        /// The stacked volumes that have copies of it as it is.
        places: String,
    },
    /// The catalog came from a backup, and nobody has looked yet at what was lost.
    #[error(
        "the catalog of this vault was recovered from backup {} and is not in service: 'pseudotape vault report' says what \
         was lost, 'pseudotape vault online' ends the recovery", .recovery.sequence
    )]
    NotOnline {
        /// Where the catalog came from.
        recovery: Recovery,
    },
    /// The catalog came from a backup, and the recovery did not come to its end.
    #[error(
        "the catalog of this vault was recovered from backup {}, and the recovery was interrupted before it said what was \
         lost: 'pseudotape vault recover TAPE... --confirm', the same command again, goes on", .recovery.sequence
    )]
    NotReported {
        /// Where the catalog came from.
        recovery: Recovery,
    },
    /// No recovery is to be ended.
    #[error("the vault is in service: no recovery is under way")]
    IsOnline,
    /// A recovery would put something older in the place of what is there.
    #[error(
        "the catalog that is there is whole and has given out the numbers of backups up to {number}, and the newest backup \
         that was found is {backup}: there is nothing to recover; --replace does it nevertheless, and keeps the old one"
    )]
    CatalogIsNewer {
        /// The last number in the catalog.
        number: u64,
        /// That of the backup.
        backup: u64,
    },
}

/// Whether anything may be loaded at all: not while a recovery has not been ended by a person (VT-02, VT-06).
pub fn may_serve(pending: Option<Recovery>) -> Result<(), Refusal> {
    match pending {
        None => Ok(()),
        Some(recovery) if recovery.is_reported => Err(Refusal::NotOnline { recovery }),
        Some(recovery) => Err(Refusal::NotReported { recovery }),
    }
}

/// When it was, for a message.
fn on(since_ms: Option<u64>) -> String {
    since_ms.map_or_else(String::new, |ms| format!(" on {}", time_words(ms)))
}

fn counted(files: u64) -> String {
    match files {
        1 => "1 tape file".to_owned(),
        files => format!("{files} tape files"),
    }
}

/// Whether a volume may be used at all: nobody said that it is away or blocked.
pub fn may_be_used(volume: &Volume) -> Result<(), Refusal> {
    match volume.availability {
        Availability::Ok => Ok(()),
        availability @ (Availability::NoAccess
        | Availability::NotAllowed
        | Availability::AtVendor
        | Availability::Lost) => {
            let block = volume.block.as_ref();
            Err(Refusal::Unavailable {
                label: volume.label.clone(),
                availability,
                by: block.map_or(Actor::System, |block| block.by.clone()),
                since_ms: block.map(|block| block.since_ms),
                reason: block.map_or_else(String::new, |block| block.reason.clone()),
            })
        }
    }
}

/// Whether a volume may be loaded.
pub fn may_load(volume: &Volume, access: Access) -> Result<(), Refusal> {
    let label = || volume.label.clone();
    may_be_used(volume)?;
    if volume.opening == Opening::Open {
        return Err(Refusal::Open { label: label() });
    }
    match (access, volume.category) {
        (Access::ReadOnly, _) | (Access::ReadWrite, Category::Scratch | Category::Private) => {
            Ok(())
        }
        (Access::ReadWrite, category @ (Category::Insert | Category::Error)) => {
            Err(Refusal::NotForWriting {
                label: label(),
                category,
            })
        }
    }
}

/// Whether what would be lost with a volume may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastCopy {
    /// No.
    Kept,
    /// Somebody has said so.
    MayGo,
}

/// Whether a volume may leave the vault, together with its image.
///
/// What is on a scratch volume was given up, and what a lost volume had is gone: there the image is no copy.
pub fn may_remove(
    listed: &Listed,
    files: &[TapeFile],
    copies: &[ArchiveCopy],
    last_copy: LastCopy,
) -> Result<(), Refusal> {
    let volume = &listed.volume;
    if volume.opening == Opening::Open {
        return Err(Refusal::Open {
            label: volume.label.clone(),
        });
    }
    let is_given_up = volume.category == Category::Scratch;
    if is_given_up || last_copy == LastCopy::MayGo {
        return Ok(());
    }
    let wanted = files.iter().filter(|file| is_wanted(file.state));
    let (count, bytes) = wanted.fold((0, 0), |(count, bytes), file| {
        (count + 1, bytes + file.bytes)
    });
    let (label, files) = (volume.label.clone(), count);
    let mut serving = copies
        .iter()
        .filter(|copy| copy.serves(volume.generation))
        .peekable();
    match (files, serving.peek()) {
        (0, _) => Ok(()),
        (_, None) => Err(Refusal::LastCopy {
            label,
            files,
            bytes,
        }),
        (_, Some(_)) => Err(Refusal::ForgetsCopies {
            label,
            files,
            bytes,
            places: places(serving),
        }),
    }
}

/// The tape files that a volume has after it was looked at or closed.
///
/// What a person decided of a file stays while the file is the same. A file that was bad is good when it was read with
/// its digest. A digest that nobody computed this time is the old one, while the file is where and as long as it was.
#[must_use]
pub fn files_after(known: &[TapeFile], found: Vec<TapeFile>) -> Vec<TapeFile> {
    let after = |found: TapeFile| {
        let before = known.iter().find(|known| known.number == found.number);
        match before {
            Some(before) if is_same(before, &found) => TapeFile {
                digest: found.digest.or(before.digest),
                state: state_after(before, &found),
                ..found
            },
            Some(_) | None => found,
        }
    };
    found.into_iter().map(after).collect()
}

/// Whether so many bytes are what the catalog knows of a volume. Nothing where its lengths are not sure: of what could
/// not be read, only a part was counted.
pub(crate) fn is_as_long(known: &[TapeFile], bytes: u64) -> Option<bool> {
    let is_sure = known.iter().all(|file| file.state == FileState::Ok);
    is_sure.then(|| known.iter().map(|file| file.bytes).sum::<u64>() == bytes)
}

/// Whether what is on an image that was written as often as the catalog knows is something else than it knows: another
/// copy was written on elsewhere. What can't be read says nothing.
pub(crate) fn is_other(known: &[TapeFile], found: &[TapeFile]) -> bool {
    let is_sure = |file: &TapeFile| !file.state.is_faulty();
    let is_lost = |file: &TapeFile| file.state == FileState::Lost;
    match known.iter().chain(found).all(is_sure) && !known.iter().any(is_lost) {
        true => {
            known.len() != found.len()
                || known
                    .iter()
                    .zip(found)
                    .any(|(known, found)| !is_same(known, found))
        }
        false => false,
    }
}

/// The tape files that somebody wants and that are not among those that were found.
#[must_use]
pub fn dropped<'a>(known: &'a [TapeFile], found: &[TapeFile]) -> Vec<&'a TapeFile> {
    let is_there = |known: &TapeFile| {
        let mut found = found.iter();
        found.any(|found| found.number == known.number && is_same(known, found))
    };
    let wanted = known.iter().filter(|file| is_wanted(file.state));
    wanted.filter(|file| !is_there(file)).collect()
}

/// Whether somebody still wants a tape file.
pub(crate) fn is_wanted(state: FileState) -> bool {
    match state {
        FileState::Ok | FileState::Bad | FileState::Missing => true,
        FileState::Released | FileState::Lost => false,
    }
}

/// Whether what was found is the file that was known, as far as can be told.
pub(crate) fn is_same(before: &TapeFile, found: &TapeFile) -> bool {
    let place = |file: &TapeFile| (file.first_object, file.blocks, file.bytes);
    // Of a damaged file neither the count nor the digest says anything.
    let is_damaged = found.state.is_faulty() || before.state.is_faulty();
    let same_place =
        place(before) == place(found) || is_damaged && before.first_object == found.first_object;
    let same_bytes = match (before.digest, found.digest) {
        (Some(before), Some(found)) => before == found,
        (None, _) | (_, None) => true,
    };
    same_place && same_bytes
}

fn state_after(before: &TapeFile, found: &TapeFile) -> FileState {
    match (before.state, found.state) {
        (FileState::Released | FileState::Lost, _) => before.state,
        // Only reading it shows that it is good again.
        (FileState::Bad | FileState::Missing, FileState::Ok) if found.digest.is_none() => {
            before.state
        }
        (FileState::Ok | FileState::Bad | FileState::Missing, found) => found,
    }
}

#[cfg(test)]
#[path = "rules_test.rs"]
mod rules_test;
