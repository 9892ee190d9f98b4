//! Reading of a capsule.

use std::fs::File;
use std::io;

use pseudotape_image::{Access, Image, Object, Store};
use pseudotape_pax::{Member, Reader};
use pseudotape_tape::{Mark, ObjectNumber};

use super::BLOCK_BYTES;
use super::packing::{Packing, Unpacked};
use super::store::CapsuleStore;
use crate::entry::{Digest, Entry, MAX_RECORD_BYTES};
use crate::error::Fault;

/// A capsule whose record was read.
pub(crate) struct Opened {
    /// What it says of itself.
    pub(crate) entry: Entry,
    image: Image<CapsuleStore>,
}

/// Opens a capsule and reads its record.
pub(crate) fn open(file: File) -> Result<Opened, Fault> {
    let (mut image, _) = Image::open(CapsuleStore::to_read(file), Access::ReadOnly)?;
    if image.missing().is_some() || image.incomplete().is_some() {
        return Err(Fault::CutOff);
    }
    let entry = record(&mut image)?;
    Ok(Opened { entry, image })
}

/// The block of tape file 1.
fn record<S: Store>(image: &mut Image<S>) -> Result<Entry, Fault> {
    if image.mark_counts() != (2, 0) {
        return Err(Fault::Form("it has not two tape files"));
    }
    // From the end: behind the archive, however long it is.
    image.to_end_of_data();
    image.space_marks(Mark::Filemark, -2)?;
    if image.read_object(&mut [])? != Object::Filemark {
        return Err(Fault::Form("it has not two tape files"));
    }
    let mut block = vec![0; MAX_RECORD_BYTES];
    let Object::Block { length, copied } = image.read_object(&mut block)? else {
        return Err(Fault::Form("it has no record"));
    };
    if u64::from(length) != copied as u64 {
        return Err(Fault::Form("its record is too long"));
    }
    let behind = image.read_object(&mut [])?;
    if behind != Object::Filemark || !image.is_at_end_of_data() {
        return Err(Fault::Form("there is more than one record"));
    }
    block.truncate(copied);
    let entry = Entry::parse(&block).map_err(Fault::Record)?;
    let identity = image.header().volume.0;
    if entry.capsule != identity {
        return Err(Fault::Other {
            what: "the identity in its record",
            found: entry.capsule.to_string(),
            expected: format!("{identity}, that of the image"),
        });
    }
    Ok(entry)
}

impl Opened {
    /// Checks that this is the capsule of a file.
    pub(crate) fn expect(&self, expected: &Entry) -> Result<(), Fault> {
        let pairs = [
            (
                "its number",
                self.entry.number.to_string(),
                expected.number.to_string(),
            ),
            (
                "its title",
                self.entry.title.to_string(),
                expected.title.to_string(),
            ),
            (
                "its identity",
                self.entry.capsule.to_string(),
                expected.capsule.to_string(),
            ),
        ];
        for (what, found, expected) in pairs {
            if found != expected {
                return Err(Fault::Other {
                    what,
                    found,
                    expected,
                });
            }
        }
        match self.entry.is_same_file_as(expected) {
            true => Ok(()),
            false => Err(Fault::Other {
                what: "its record",
                found: self.entry.state.word().to_owned(),
                expected: format!(
                    "{}, with the values of the directory",
                    expected.state.word()
                ),
            }),
        }
    }

    /// The archive, for who checks what comes from it himself.
    pub(crate) fn into_archive(mut self) -> Result<Reader<Unpacked<Image<CapsuleStore>>>, Fault> {
        self.image.locate(ObjectNumber(0))?;
        let archive = Unpacked::new(self.image, packing(&self.entry));
        Ok(Reader::new(archive.map_err(Fault::Host)?))
    }

    /// Reads the archive: `begin` gets the member, and `keep` its contents; all of it is checked.
    ///
    /// `None` where the capsule has no file. What `keep` got before an error is not to be used.
    pub(crate) fn read<T>(
        self,
        begin: impl FnOnce(&Member) -> io::Result<T>,
        mut keep: impl FnMut(&mut T, &[u8]) -> io::Result<()>,
    ) -> Result<Option<T>, Fault> {
        let expected = self.entry.digest;
        let mut digest = blake3::Hasher::new();
        let kept = self.read_undigested(begin, |kept, bytes| {
            digest.update(bytes);
            keep(kept, bytes)
        })?;
        let found = Digest(*digest.finalize().as_bytes());
        match (&kept, expected) {
            (Some(_), Some(expected)) if expected != found => Err(Fault::Digest {
                found: found.to_string(),
                expected: expected.to_string(),
            }),
            _ => Ok(kept),
        }
    }

    /// The same for who compares what comes with the digest in the record himself. The checksums of the blocks are
    /// compared here.
    pub(crate) fn read_undigested<T>(
        mut self,
        begin: impl FnOnce(&Member) -> io::Result<T>,
        mut keep: impl FnMut(&mut T, &[u8]) -> io::Result<()>,
    ) -> Result<Option<T>, Fault> {
        self.image.locate(ObjectNumber(0))?;
        let archive = Unpacked::new(&mut self.image, packing(&self.entry));
        let mut reader = Reader::new(archive.map_err(Fault::Host)?);
        let mut kept = None;
        if self.entry.state.has_file() {
            let member = next(&mut reader)?.ok_or(Fault::Form("its archive is empty"))?;
            if member.name != self.entry.title.bytes() {
                return Err(Fault::Form(
                    "its archive has another file than its record says",
                ));
            }
            let mut place = begin(&member).map_err(Fault::Host)?;
            let mut buffer = vec![0; 64 * BLOCK_BYTES as usize];
            loop {
                let bytes = contents(&mut reader, &mut buffer)?;
                if bytes == 0 {
                    break;
                }
                let part = buffer.get(..bytes).unwrap_or_default();
                keep(&mut place, part).map_err(Fault::Host)?;
            }
            kept = Some(place);
        }
        if next(&mut reader)?.is_some() {
            return Err(Fault::Form(
                "its archive has more files than its record says",
            ));
        }
        let ends_here = reader.source_mut().ends_here();
        let ends_here = ends_here.map_err(|error| fault(&mut reader, error.into()))?;
        if !ends_here {
            return Err(Fault::Form("there is more behind its archive"));
        }
        let stored = reader.source_mut().blocks().passed;
        drop(reader);
        if self.entry.stored.is_some_and(|expected| expected != stored) {
            return Err(Fault::Form(
                "its archive takes another number of bytes than its record says",
            ));
        }
        self.pass_archive()?;
        match (&kept, self.entry.digest) {
            (Some(_), None) => Err(Fault::Form("its record has no digest")),
            _ => Ok(kept),
        }
    }

    /// Reads what is left of tape file 0: zeros that fill a block.
    fn pass_archive(&mut self) -> Result<(), Fault> {
        let mut block = vec![0; BLOCK_BYTES as usize];
        loop {
            match self.image.read_object(&mut block)? {
                Object::Block { .. } => {}
                Object::Filemark => return Ok(()),
                Object::Setmark | Object::EndOfData => {
                    return Err(Fault::Form("its archive has no filemark"));
                }
            }
        }
    }
}

/// How the archive of a capsule is stored.
fn packing(entry: &Entry) -> Packing {
    match entry.stored {
        Some(_) => Packing::Zstd,
        None => Packing::Plain,
    }
}

fn next(reader: &mut Reader<Unpacked<&mut Image<CapsuleStore>>>) -> Result<Option<Member>, Fault> {
    let next = reader.next_member();
    next.map_err(|error| fault(reader, error))
}

fn contents(
    reader: &mut Reader<Unpacked<&mut Image<CapsuleStore>>>,
    buffer: &mut [u8],
) -> Result<usize, Fault> {
    let read = reader.read_contents(buffer);
    read.map_err(|error| fault(reader, error))
}

/// What the image says, where it was the image that failed.
fn fault(
    reader: &mut Reader<Unpacked<&mut Image<CapsuleStore>>>,
    error: pseudotape_pax::Error,
) -> Fault {
    match (reader.source_mut().blocks().failed.take(), error) {
        (Some(of_image), _) => of_image.into(),
        // The image gave the bytes, and they are no frame.
        (None, pseudotape_pax::Error::Read(error)) => Fault::Packed(error.to_string()),
        (None, error) => Fault::Archive(error),
    }
}
