//! Whether a file that the directory has can be had: a capsule that is gone or damaged counts as absent.

use std::collections::HashMap;

use super::inspecting::read_whole;
use super::{Volume, capsule_name};
use crate::entry::{Entry, Number};
use crate::error::Fault;
use crate::title::Title;

/// How far a capsule is read before its file counts as present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Looking {
    /// It is opened, and its record is read: that finds one that is gone, cut off, or another one.
    #[default]
    Opened,
    /// To its end: that finds changed contents as well.
    ToTheEnd,
}

/// What the capsule of a title came to.
pub(super) enum Presence {
    /// The file is there.
    There,
    /// The volume has no file with the title.
    Absent,
    /// It should be there, and can't be told: nothing may be put in its place.
    Unclear(String),
}

/// What was found of capsules that are not what was written.
#[derive(Default)]
pub(super) struct Presences {
    pub(super) looking: Looking,
    damaged: HashMap<Title, Fault>,
}

impl Presences {
    /// The file with this title that counts, as far as it is known: a capsule that has none counts as absent.
    pub(super) fn entry<'v>(&self, volume: &'v Volume, title: &Title) -> Option<&'v Entry> {
        let there = volume.directory.find(title);
        there.filter(|entry| entry.state.has_file() && !self.damaged.contains_key(title))
    }

    /// Looks at the capsule of a title.
    pub(super) fn look(&mut self, volume: &Volume, title: &Title) -> Presence {
        let Some(entry) = self.entry(volume, title) else {
            return Presence::Absent;
        };
        let opened = volume.open_capsule(entry);
        let looked = match self.looking {
            Looking::Opened => opened.map(drop),
            Looking::ToTheEnd => opened.and_then(|opened| read_whole(opened, entry)),
        };
        match looked {
            Ok(()) => Presence::There,
            Err(fault) if fault.is_damage() => {
                self.damaged.insert(title.clone(), fault);
                Presence::Absent
            }
            Err(fault) => {
                let name = capsule_name(entry.number);
                Presence::Unclear(format!(
                    "it is present, and its capsule {name} can't be looked at: {fault}; it was left as it is"
                ))
            }
        }
    }

    /// The capsule that goes when the title gets another one. What is another file's capsule stays.
    pub(super) fn replaced(&self, volume: &Volume, title: &Title) -> Option<Number> {
        let before = volume.directory.find(title)?;
        match self.damaged.get(title) {
            Some(Fault::Other { .. }) => None,
            _ => Some(before.number),
        }
    }

    /// The title has a whole capsule now; what was wrong with the one before.
    pub(super) fn mended(&mut self, title: &Title) -> Option<Fault> {
        self.damaged.remove(title)
    }
}
