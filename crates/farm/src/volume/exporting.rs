//! Files of a volume as one archive, for who has a tape for it.

use std::cell::RefCell;
use std::io;

use pseudotape_pax::{END, padding};

use super::Volume;
use super::inspecting::read_whole;
use crate::capsule::PAX_NAME;
use crate::entry::Entry;
use crate::error::Fault;
use crate::title::Title;

/// What became of a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Exported {
    /// All of it is in the archive.
    Done(Entry),
    /// Its capsule has no file.
    NotThere(Entry),
    /// Its capsule is damaged, or its name is too long. Nothing of it is in the archive.
    LeftOut(Entry, Fault),
}

/// Why an archive is none.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Who gets the bytes can't take them.
    #[error("{0}")]
    Put(io::Error),
    /// A capsule was whole, and then it was not.
    #[error("{title} can't be read on: {fault}")]
    Capsule {
        /// Its title.
        title: Title,
        /// What is wrong.
        fault: Fault,
    },
}

impl Volume {
    /// Writes an archive of files, as `tar` reads it. With a prefix each gets its title in that folder. Each capsule is
    /// read to its end before anything of it is put: what is damaged is left out, and the others come.
    pub fn export(
        &self,
        entries: &[Entry],
        prefix: Option<&Title>,
        put: &mut dyn FnMut(&[u8]) -> io::Result<()>,
        tell: &mut dyn FnMut(Exported),
    ) -> Result<(), ExportError> {
        for entry in entries {
            if !entry.state.has_file() {
                tell(Exported::NotThere(entry.clone()));
                continue;
            }
            let Some(name) = renamed(&entry.title, prefix) else {
                let fault = Fault::Form("its name would be longer than 4095 bytes");
                tell(Exported::LeftOut(entry.clone(), fault));
                continue;
            };
            let whole = self.open_capsule(entry);
            if let Err(fault) = whole.and_then(|opened| read_whole(opened, entry)) {
                tell(Exported::LeftOut(entry.clone(), fault));
                continue;
            }
            self.put(entry, &name, put)?;
            tell(Exported::Done(entry.clone()));
        }
        put(&END).map_err(ExportError::Put)
    }

    fn put(
        &self,
        entry: &Entry,
        name: &Title,
        put: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), ExportError> {
        let capsule = |fault| ExportError::Capsule {
            title: entry.title.clone(),
            fault,
        };
        // Which of the two failed, a fault does not say.
        let mut refused = None;
        let try_put = |bytes: &[u8]| {
            put(bytes).map_err(|error| {
                let text = error.to_string();
                refused = Some(error);
                io::Error::other(text)
            })
        };
        let put = RefCell::new(try_put);
        let mut length = 0;
        let read = self.open_capsule(entry).and_then(|opened| {
            opened.read(
                |member| {
                    length = member.length;
                    let mut member = member.clone();
                    member.name = name.bytes().to_vec();
                    put.borrow_mut()(&member.headers(PAX_NAME))
                },
                |(), bytes| put.borrow_mut()(bytes),
            )?;
            put.borrow_mut()(&vec![0; padding(length)]).map_err(Fault::Host)
        });
        match (read, refused) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(error)) => Err(ExportError::Put(error)),
            (Err(fault), None) => Err(capsule(fault)),
        }
    }
}

/// The name of a file in the archive.
fn renamed(title: &Title, prefix: Option<&Title>) -> Option<Title> {
    match prefix {
        Some(prefix) => Title::new(&[prefix.bytes(), b"/", title.bytes()].concat()),
        None => Some(title.clone()),
    }
}
