//! The image of a volume while a copy of it is made: nobody writes it, and its blocks are checked on their way.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;

use pseudotape_image::{Error as ImageError, FileStore, Flaw, Image, Passing};
use pseudotape_tape::Access;

use super::Vault;
use super::inspecting::Inspection;
use crate::contents::{Depth, read_contents};
use crate::error::Error;
use crate::event::Subject;
use crate::findings::{Finding, FindingKind};
use crate::label::Label;
use crate::pool::places;
use crate::rules::{Refusal, is_other};
use crate::state::{Availability, FileState, Opening};
use crate::volume::{Listed, TapeFile, Volume};

/// As many lines of the log are looked through for when a tape file was found bad.
const EVENTS: u32 = 10_000;

/// The image of a closed volume, as the catalog knows it. It is read once, and checked on the way.
pub(super) struct Held {
    /// Against those who would write it.
    _lock: FileStore,
    pub(super) path: PathBuf,
    pub(super) length: u64,
    file: File,
    /// Nothing where all of it was read before, and what the check needs is damaged.
    check: Option<Passing>,
    files: Vec<TapeFile>,
    /// The first thing that is not as it was recorded, where the catalog does not know that.
    flaw: Option<Flaw>,
}

impl Read for Held {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(out)?;
        let bytes = out.get(..count).unwrap_or_default();
        if let Some(check) = &mut self.check {
            let (files, flaw) = (&self.files, &mut self.flaw);
            check.pass(bytes, &mut |met| {
                let is_known = match met {
                    Flaw::Block { object } => is_faulty(files, object),
                    Flaw::Frame { .. } => false,
                };
                if flaw.is_none() && !is_known {
                    *flaw = Some(met);
                }
            });
        }
        match self.flaw {
            Some(flaw) => Err(io::Error::other(words(flaw))),
            None => Ok(count),
        }
    }
}

/// Whether the catalog says that the tape file of an object can't be read.
fn is_faulty(files: &[TapeFile], object: u64) -> bool {
    let before = files.iter().take_while(|file| file.first_object <= object);
    before.last().is_some_and(|file| file.state.is_faulty())
}

fn words(flaw: Flaw) -> String {
    match flaw {
        Flaw::Block { object } => format!("object {object} has another checksum than it should"),
        Flaw::Frame { offset } => format!("at byte {offset} something is damaged"),
    }
}

impl Held {
    /// From its beginning again, without a check of the blocks.
    fn again(&mut self) -> Result<(), Error> {
        (self.check, self.flaw) = (None, None);
        let rewound = self.file.rewind();
        rewound.map_err(|error| Error::host("read", &self.path, error))
    }
}

impl Vault {
    /// What is to be said where a closed volume was written, and the catalog was not told: its copies are of before.
    pub(super) fn written_past(&self, volume: &Volume) -> Option<Error> {
        let path = self.image_of(volume)?;
        // What can't be looked at is told where it is to be read.
        let (viewed, _) = Image::view(&path).ok()?;
        let is_past = volume.opening == Opening::Closed
            && !viewed.is_in_use()
            && viewed.header().volume == volume.identity
            && Some(viewed.generation()) != volume.image_generation;
        is_past.then(|| Error::other_generation(volume, path, viewed.generation()))
    }

    /// Holds the image of a volume. Of what is on it only the blocks' own bytes are not looked at yet. What is found
    /// damaged and was not known is written down, and is an error.
    pub(super) fn hold_image(&mut self, listed: &Listed) -> Result<Held, Error> {
        let volume = &listed.volume;
        let label = || volume.label.clone();
        if volume.opening == Opening::Open {
            return Err(Refusal::Open { label: label() }.into());
        }
        let path = self
            .image_of(volume)
            .ok_or_else(|| Error::NoImage { label: label() })?;
        let lock = match FileStore::open(&path, Access::ReadOnly) {
            Ok(lock) => lock,
            Err(ImageError::InUse { .. }) => return Err(Error::InUse { path }),
            Err(error) => return Err(Error::image(path, error)),
        };
        let contents = read_contents(&path, Depth::Frames, &mut |_| {})?;
        let files = self.files(&volume.label)?;
        let is_whole = contents.missing_from.is_none() && !contents.end_is_lost;
        if contents.identity != volume.identity
            || Some(contents.generation) != volume.image_generation
            || is_whole && is_other(&files, &contents.files)
        {
            return Err(Error::Unfit {
                path,
                why: format!(
                    "it is not what the catalog knows as {}: 'pseudotape vault doctor' says what to do",
                    volume.label
                ),
            });
        }
        let findings = Inspection::of_one(volume, &files, &path, Ok(contents), Depth::Frames);
        if is_news(volume, &findings) {
            // Its blocks, too: what is bad is written down at one time.
            return Err(self.damage_of(listed, None)?.unwrap_or_else(|| {
                let found = findings.first().map(|finding| finding.found.clone());
                damaged(volume, found.unwrap_or_default(), None)
            }));
        }
        let image = Image::view(&path).map_err(|error| Error::image(&path, error))?;
        let file = File::open(&path).map_err(|error| Error::host("open", &path, error))?;
        let about = file.metadata();
        let length = about.map_err(|error| Error::host("look at", &path, error))?;
        Ok(Held {
            _lock: lock,
            path,
            length: length.len(),
            file,
            check: Some(image.0.passing()),
            files,
            flaw: None,
        })
    }

    /// What is to be said of an image that could not be copied. Nothing where it can be after all: it is at its
    /// beginning then, and all of its blocks were read.
    pub(super) fn judge_held(
        &mut self,
        listed: &Listed,
        held: &mut Held,
        error: pseudotape_stack::Error,
    ) -> Result<Option<Error>, Error> {
        if let Some(damage) = self.damage_of(listed, held.flaw)? {
            return Ok(Some(damage));
        }
        match held.flaw {
            // What the check went by is damaged, as a part of the index can be, and no block.
            Some(Flaw::Frame { .. }) => {
                held.again()?;
                Ok(None)
            }
            Some(Flaw::Block { .. }) | None => Ok(Some(error.into())),
        }
    }

    /// Reads each block of a volume, and writes down what is bad and was not known: of its tape files, and that the
    /// volume is blocked.
    fn damage_of(&mut self, listed: &Listed, flaw: Option<Flaw>) -> Result<Option<Error>, Error> {
        let volume = &listed.volume;
        let Some(path) = self.image_of(volume) else {
            return Ok(None);
        };
        let contents = read_contents(&path, Depth::Digests, &mut |_| {});
        let files = self.files(&volume.label)?;
        let findings = Inspection::of_one(volume, &files, &path, contents, Depth::Digests);
        if !is_news(volume, &findings) {
            return Ok(None);
        }
        let bad: Vec<u64> = findings.iter().filter_map(|finding| finding.file).collect();
        let numbers: Vec<String> = bad.iter().map(u64::to_string).collect();
        let found = match (flaw, findings.first()) {
            (Some(flaw), _) => words(flaw),
            (None, Some(finding)) => finding.found.clone(),
            (None, None) => String::new(),
        };
        let found = match numbers.is_empty() {
            true => found,
            false => format!("tape file {}: {found}", numbers.join(", ")),
        };
        self.mark_found(
            &volume.label,
            &bad,
            &format!("found before a copy: {found}"),
        )?;
        let copies = self.copies_of_before(&volume.label)?;
        Ok(Some(damaged(volume, found, copies)))
    }

    /// The stacked volumes with copies of a volume as it is that were made before anything of it was found bad, in
    /// words.
    pub fn copies_of_before(&self, label: &Label) -> Result<Option<String>, Error> {
        let since = self.faulty_since(label)?;
        let generation = self.volume(label)?.volume.generation;
        let mut copies = self.copies(label)?;
        copies.retain(|copy| copy.generation == generation && copy.is_left() && copy.at_ms < since);
        Ok((!copies.is_empty()).then(|| places(&copies)))
    }

    /// When the first of the tape files of a volume that are bad or missing became so, in milliseconds after 1970: 0
    /// where it came so, and the end of time where none is.
    pub(super) fn faulty_since(&self, label: &Label) -> Result<u64, Error> {
        let files = self.files(label)?;
        let is_fault = |word: &Option<String>| {
            let state = word.as_deref().map(str::parse::<FileState>);
            matches!(state, Some(Ok(state)) if state.is_faulty())
        };
        let mut since = u64::MAX;
        let mut events = Vec::new();
        for file in files.iter().filter(|file| file.state.is_faulty()) {
            if events.is_empty() {
                events = self.events(Some(label), EVENTS)?;
            }
            let became = events.iter().rev().find(|event| {
                let change = &event.change;
                (change.subject, change.file) == (Subject::File, Some(file.number))
                    && is_fault(&change.to)
                    && !is_fault(&change.from)
            });
            since = since.min(became.map_or(0, |event| event.at_ms));
        }
        Ok(since)
    }
}

/// Whether something was found that the catalog does not know.
fn is_news(volume: &Volume, findings: &[Finding]) -> bool {
    let is_free = volume.availability == Availability::Ok;
    findings.iter().any(|finding| match finding.kind {
        FindingKind::BadFile => true,
        FindingKind::DataMissing | FindingKind::UnreadableImage => is_free,
        _ => false,
    })
}

fn damaged(volume: &Volume, found: String, copies: Option<String>) -> Error {
    Error::FoundDamaged {
        label: volume.label.clone(),
        found,
        copies,
    }
}
