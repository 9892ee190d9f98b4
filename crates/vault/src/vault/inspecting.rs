//! Compares catalog and directory.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use pseudotape_human::{counted, shell_word};
use pseudotape_image::VolumeId;

use super::Vault;
use crate::contents::{Contents, Depth, END_IS_LOST, read_contents};
use crate::error::Error;
use crate::findings::{Finding, FindingKind};
use crate::label::Label;
use crate::layout::{MAKING, RECALLING};
use crate::rules::is_same;
use crate::state::{Availability, FileState, Opening};
use crate::volume::{TapeFile, Volume};

/// What an inspection found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Volumes that were looked at.
    pub volumes: u64,
    /// Bytes that were read.
    pub bytes: u64,
}

impl Vault {
    /// Looks at each volume and each image, and changes nothing. With digests, each block is read.
    ///
    /// `progress` is told the bytes of blocks that were looked at so far.
    pub fn inspect(
        &self,
        depth: Depth,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Inspection, Error> {
        let mut inspection = Inspection::default();
        if let Some(found) = self.catalog.check()? {
            inspection.add(FindingKind::DamagedCatalog, None, None, found);
            return Ok(inspection);
        }
        let mut known = HashSet::new();
        let mut labels = HashMap::new();
        for listed in self.volumes()? {
            let volume = listed.volume;
            labels.insert(volume.identity, volume.label.clone());
            inspection.volumes += 1;
            if let Some(image) = self.image_of(&volume) {
                known.extend(volume.image.as_ref().map(PathBuf::from));
                let files = self.files(&volume.label)?;
                inspection.look(&volume, &files, &image, depth, progress);
                if let Some(finding) = inspection.findings.last_mut()
                    && finding.kind == FindingKind::MissingImage
                    && finding.label.as_ref() == Some(&volume.label)
                    && let Some(places) = self.places_of(&volume)?
                {
                    finding.found = format!(
                        "{}; 'pseudotape vault recall {word} --drive DRIVE' brings it from {places}",
                        finding.found,
                        word = shell_word(volume.label.as_str())
                    );
                }
            }
        }
        let Some(names) = self.image_names()? else {
            let found = "the directory of images is not there";
            let images = self.images();
            inspection.add(FindingKind::MissingDirectory, None, Some(&images), found);
            return Ok(inspection);
        };
        for name in names {
            let unfinished =
                name == Path::new(MAKING) || name.to_string_lossy().starts_with(RECALLING);
            if !known.contains(&name) && !unfinished {
                inspection.unknown(&self.images().join(name), &labels);
            }
        }
        Ok(inspection)
    }
}

impl Inspection {
    /// What is wrong with one image that is to be a copy of what the catalog says. One that is in use is none.
    pub(crate) fn of_one(
        volume: &Volume,
        files: &[TapeFile],
        image: &Path,
        contents: Result<Contents, Error>,
        depth: Depth,
    ) -> Vec<Finding> {
        let mut inspection = Inspection::default();
        let place = (Some(volume), Some(image));
        match contents {
            Err(error) => {
                let found = words(error);
                inspection.add(FindingKind::UnreadableImage, place.0, place.1, found);
            }
            Ok(contents) if contents.in_use => {
                let found = "it is being written";
                inspection.add(FindingKind::Changed, place.0, place.1, found);
            }
            Ok(contents) => inspection.compare(volume, files, image, &contents, depth),
        }
        inspection.findings
    }

    fn add(
        &mut self,
        kind: FindingKind,
        volume: Option<&Volume>,
        image: Option<&Path>,
        found: impl Into<String>,
    ) {
        self.findings.push(Finding {
            kind,
            label: volume.map(|volume| volume.label.clone()),
            image: image.map(Path::to_owned),
            file: None,
            found: found.into(),
        });
    }

    /// An image that no volume has.
    fn unknown(&mut self, image: &Path, labels: &HashMap<VolumeId, Label>) {
        let read = read_contents(image, Depth::Frames, &mut |_| {});
        match read {
            Ok(contents) => {
                let copied = labels.get(&contents.identity);
                let found = match copied {
                    Some(label) => format!("it is a copy of volume {label}"),
                    None => format!("volume {} is not in the catalog", contents.identity),
                };
                self.add(FindingKind::UnknownImage, None, Some(image), found);
                if let Some(finding) = self.findings.last_mut() {
                    finding.label = copied.cloned();
                }
            }
            Err(error) => {
                self.add(FindingKind::StrangeFile, None, Some(image), words(error));
            }
        }
    }

    /// The image that a volume is said to have.
    fn look(
        &mut self,
        volume: &Volume,
        files: &[TapeFile],
        image: &Path,
        depth: Depth,
        progress: &mut dyn FnMut(u64),
    ) {
        if !image.exists() {
            // Nobody misses what is said to be away.
            let expected = match volume.availability {
                Availability::AtVendor | Availability::Lost => false,
                Availability::Ok | Availability::NoAccess | Availability::NotAllowed => true,
            };
            if expected {
                let found = "the image is not there";
                self.add(FindingKind::MissingImage, Some(volume), Some(image), found);
            }
            return;
        }
        let before = self.bytes;
        let mut read = 0;
        let contents = read_contents(image, depth, &mut |bytes| {
            read = bytes;
            progress(before + bytes);
        });
        self.bytes += read;
        match contents {
            Err(error) => {
                let found = words(error);
                self.add(
                    FindingKind::UnreadableImage,
                    Some(volume),
                    Some(image),
                    found,
                );
            }
            Ok(contents) => self.compare(volume, files, image, &contents, depth),
        }
    }

    fn compare(
        &mut self,
        volume: &Volume,
        files: &[TapeFile],
        image: &Path,
        contents: &Contents,
        depth: Depth,
    ) {
        let place = (Some(volume), Some(image));
        if contents.identity != volume.identity {
            let found = format!("the image is volume {}", contents.identity);
            self.add(FindingKind::OtherVolume, place.0, place.1, found);
            return;
        }
        if contents.in_use {
            // It is being written: what the catalog says is not to be what is on it.
            return;
        }
        if volume.opening == Opening::Open {
            let found = "the catalog says that a drive has it, and no drive has it";
            self.add(FindingKind::LeftOpen, place.0, place.1, found);
            return;
        }
        if let Some(object) = contents.missing_from {
            let found = format!("committed data are missing from object {object} on");
            self.add(FindingKind::DataMissing, place.0, place.1, found);
        } else if contents.end_is_lost {
            self.add(FindingKind::DataMissing, place.0, place.1, END_IS_LOST);
        }
        if let Some(known) = volume.image_generation
            && known > contents.generation
        {
            let found = format!(
                "it is an older image: its generation is {}, and the catalog knows {known}",
                contents.generation
            );
            self.add(FindingKind::OlderImage, place.0, place.1, found);
            return;
        }
        if volume.image_generation != Some(contents.generation) {
            let found = "it was written, and the catalog was not told what is on it now";
            self.add(FindingKind::Changed, place.0, place.1, found);
            return;
        }
        for file in files {
            let found = contents
                .files
                .iter()
                .find(|found| found.number == file.number);
            if let Some(found) = fault(file, found, depth) {
                self.findings.push(Finding {
                    kind: FindingKind::BadFile,
                    label: Some(volume.label.clone()),
                    image: Some(image.to_owned()),
                    file: Some(file.number),
                    found,
                });
            }
        }
    }
}

/// A finding names its image by itself.
fn words(error: Error) -> String {
    match error {
        Error::Image { source, .. } => source.to_string(),
        error => error.to_string(),
    }
}

/// What is wrong with a tape file that the catalog calls `ok`.
fn fault(known: &TapeFile, found: Option<&TapeFile>, depth: Depth) -> Option<String> {
    if known.state != FileState::Ok {
        return None;
    }
    let Some(found) = found else {
        return Some("it is not on the image".to_owned());
    };
    match (known.digest, found.digest) {
        _ if found.state.is_faulty() => Some("it can't be read".to_owned()),
        (Some(before), Some(now)) if before != now => {
            Some(format!("its digest is {now}, and was {before}"))
        }
        (_, None) if depth == Depth::Digests => {
            Some("its digest can't be computed: a block is longer than there is memory".to_owned())
        }
        (_, _) if !is_same(known, found) => Some(format!(
            "it has {} and {}, and had {} and {}",
            counted(found.blocks, "block"),
            counted(found.bytes, "byte"),
            known.blocks,
            known.bytes
        )),
        (_, _) => None,
    }
}
