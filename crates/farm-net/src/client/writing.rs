//! Files of a farm on another host as one archive, for a tape of this one.

use std::io::{self, Read};

use pseudotape_farm::{Archive, Entry, Exported, Fault, Title, VolumeName};

use super::given::GivenFile;
use super::{Client, out_of_turn};
use crate::error::Error;
use crate::link::Link;
use crate::message::Message;

impl Client {
    /// Writes an archive of files, as the farm on this host does. Each file was found whole there before anything of
    /// it comes, and is compared with its digest on this side: where it is another one, or is cut off, the archive is
    /// none.
    pub fn write(
        &mut self,
        volume: &VolumeName,
        titles: &[Title],
        prefix: Option<&Title>,
        put: &mut dyn FnMut(&[u8]) -> io::Result<()>,
        tell: &mut dyn FnMut(Exported),
    ) -> Result<(), Error> {
        self.needs(2, "farm write")?;
        let order = Message::Write {
            volume: volume.clone(),
            titles: titles.to_vec(),
        };
        let mut archive = Archive::begin(prefix, put);
        let link = &mut self.link;
        let written = link
            .send(&order)
            .and_then(|()| write_all(link, &mut archive, tell));
        written.map_err(|error| self.explained(error))?;
        Ok(archive.end()?)
    }
}

fn write_all(
    link: &mut Link,
    archive: &mut Archive<'_>,
    tell: &mut dyn FnMut(Exported),
) -> Result<(), Error> {
    loop {
        let exported = match link.receive()? {
            Message::Done => return Ok(()),
            Message::Refused { refusal, text } => return Err(Error::Refused { refusal, text }),
            Message::Next(entry) => one(link, archive, &entry)?,
            Message::NotThere(entry) => Exported::NotThere(entry),
            Message::Bad { entry, why } => Exported::LeftOut(entry, Fault::Reported(why)),
            _ => return Err(out_of_turn()),
        };
        tell(exported);
    }
}

/// Takes one file. Of a link that is cut the error is the link's, and not the archive's.
fn one(link: &mut Link, archive: &mut Archive<'_>, entry: &Entry) -> Result<Exported, Error> {
    let headers = match link.receive()? {
        Message::File { headers, .. } => headers,
        Message::NoFile => return Ok(Exported::NotThere(entry.clone())),
        Message::Failed { why } => {
            return Ok(Exported::LeftOut(entry.clone(), Fault::Reported(why)));
        }
        Message::Refused { refusal, text } => return Err(Error::Refused { refusal, text }),
        _ => return Err(out_of_turn()),
    };
    let mut given = GivenFile::here(link, headers);
    let put = archive.file(entry, &mut given);
    // Whatever failed here, what the other side says of it comes behind the contents.
    if put.is_ok() {
        // It was read to its end already, or its name was too long: an error is the link's, which is looked at below.
        io::copy(&mut given.by_ref(), &mut io::sink()).ok();
    }
    match given.into_end_so_far() {
        Err(error) => Err(error),
        Ok(Some(why)) if put.is_ok() => Err(pseudotape_farm::ExportError::Capsule {
            title: entry.title.clone(),
            fault: Fault::Reported(why),
        }
        .into()),
        Ok(_) => Ok(put?),
    }
}
