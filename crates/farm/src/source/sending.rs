//! Files of this host for a farm on another one.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::attributes::Owners;
use super::file::OfFolder;
use super::tree::{Met, Place, Tree};
use super::{LeftOut, NotOffered, Offered};
use crate::capsule::PAX_NAME;
use crate::entry::{FileKind, Stamp};
use crate::step::Steps;
use crate::title::Title;

/// Device and number of no folder: the volume's own is on the other host.
const NOWHERE: (u64, u64) = (u64::MAX, u64::MAX);

/// A walk through paths, one after the other, as [`crate::Adding::path`] walks.
#[derive(Default)]
pub struct Walk {
    tree: Option<Tree>,
    met: HashMap<Title, (u64, u64)>,
    owners: Owners,
}

/// What a walk met.
pub enum Walked {
    /// A file that can be opened.
    File(FoundFile),
    /// What is not added.
    LeftOut(LeftOut),
}

/// A file that is not open.
pub struct FoundFile {
    title: Title,
    place: Place,
}

impl FoundFile {
    /// Its title.
    #[must_use]
    pub fn title(&self) -> &Title {
        &self.title
    }
}

impl Walk {
    /// Goes to a file, or to a folder with all that is in it.
    pub fn begin(&mut self, path: &Path) -> Result<(), LeftOut> {
        self.tree = Some(Tree::of(path, NOWHERE)?);
        Ok(())
    }

    /// Goes on to the next file; `None` behind the last one of the path.
    pub fn next_file(&mut self) -> Option<Walked> {
        let met = self.tree.as_mut()?.next()?;
        Some(match met {
            Met::LeftOut(left_out) => Walked::LeftOut(left_out),
            Met::File(title, place) => {
                let first = self.met.entry(title.clone()).or_insert(place.identity);
                match *first == place.identity {
                    true => Walked::File(FoundFile { title, place }),
                    false => Walked::LeftOut(LeftOut {
                        path: place.path,
                        why: NotOffered::SameTitle,
                    }),
                }
            }
        })
    }

    /// Opens a file that was met.
    pub fn open(&mut self, found: &FoundFile) -> Result<Outgoing, LeftOut> {
        let place = &found.place;
        let title = found.title.clone();
        match OfFolder::open(&place.folder, &place.name, title, &mut self.owners) {
            Ok(file) => Ok(Outgoing(file)),
            Err(why) => Err(LeftOut {
                path: place.path.clone(),
                why,
            }),
        }
    }
}

/// A file that is sent.
pub struct Outgoing(OfFolder);

impl Outgoing {
    /// Which one of its title it is.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.0.stamp()
    }

    /// Its headers, as they stand in an archive.
    #[must_use]
    pub fn headers(&self) -> Vec<u8> {
        self.0.member().headers(PAX_NAME)
    }

    /// Bytes that follow the headers.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self.0.kind() {
            FileKind::File => self.0.member().length,
            FileKind::SymbolicLink | FileKind::Fifo => 0,
        }
    }

    /// Reads of the contents; 0 at their end.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer, &Steps::default())
    }

    /// After the reading: whether the file is another one than it was before.
    pub fn has_changed(&self) -> io::Result<bool> {
        self.0.has_changed()
    }

    /// Begins again, with what the file is now.
    pub fn again(&mut self) -> Result<(), NotOffered> {
        self.0.again().map(drop)
    }
}
