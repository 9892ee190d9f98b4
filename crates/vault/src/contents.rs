//! What is on an image: its tape files, their lengths, and their digests where that is asked.

use std::path::Path;

use blake3::Hasher;
use pseudotape_image::{Ahead, Error as ImageError, Image, Object, View, VolumeId};

use crate::error::Error;
use crate::state::FileState;
use crate::volume::{Digest, TapeFile};

/// How an image is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Only where the records lie and how long they are.
    Frames,
    /// Every block, with its checksum and the digest of each file.
    Digests,
}

pub(crate) const END_IS_LOST: &str =
    "nothing on it says where its data end: what was last on it may be missing";

/// What was found on an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Its identity.
    pub identity: VolumeId,
    /// Its own generation.
    pub generation: u64,
    /// Its own label; may be empty.
    pub label: String,
    /// Its barcode; may be empty.
    pub barcode: String,
    /// Of how many partitions it is the first.
    pub partitions: u8,
    /// Bytes of all its blocks, by the place where its data end.
    pub bytes: u64,
    /// What is on it, in its order.
    pub files: Vec<TapeFile>,
    /// The first object of committed data that are not there any more.
    pub missing_from: Option<u64>,
    /// Nothing that is left of it says where its data end: what was last on it may be gone.
    pub end_is_lost: bool,
    /// A drive has it: this is what was committed.
    pub in_use: bool,
}

impl Contents {
    /// What is wrong with it, in words.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        if let Some(object) = self.missing_from {
            return Some(format!(
                "committed data are missing from object {object} on"
            ));
        }
        if self.end_is_lost {
            return Some(END_IS_LOST.to_owned());
        }
        let faulty = self.files.iter().filter(|file| file.state.is_faulty());
        let numbers: Vec<String> = faulty.map(|file| file.number.to_string()).collect();
        (!numbers.is_empty()).then(|| format!("can't be read: tape file {}", numbers.join(", ")))
    }
}

/// Reads what is on an image, and changes nothing. `progress` is told the bytes of blocks so far.
///
/// A block that can't be read makes its file bad, and the reading goes on behind it.
pub fn read_contents(
    path: &Path,
    depth: Depth,
    progress: &mut dyn FnMut(u64),
) -> Result<Contents, Error> {
    let (mut reading, mut contents) = Reading::open(path, depth)?;
    let mut file = Building::new(0, 0);
    loop {
        let place = reading.image.place();
        progress(place.payload_bytes_before);
        let met = reading.next().map_err(|error| Error::image(path, error))?;
        if met == Met::EndOfData {
            break;
        }
        file.add(met, reading.block());
        let behind = reading.image.place();
        if behind.file.0 > file.number {
            contents.files.push(file.finish());
            // A gap can swallow filemarks, and whole files with them.
            for number in contents.files.len() as u64..behind.file.0 {
                contents.files.push(TapeFile {
                    number,
                    first_object: place.object.0,
                    blocks: 0,
                    bytes: 0,
                    digest: None,
                    state: FileState::Missing,
                });
            }
            file = Building::new(behind.file.0, behind.object.0);
        }
    }
    if contents.missing_from.is_some() {
        file.damaged = true;
    }
    if !file.is_empty() {
        contents.files.push(file.finish());
    }
    Ok(contents)
}

/// What an image says of itself, without its tape files: none of its blocks is looked at.
pub(crate) fn glance(path: &Path) -> Result<Contents, Error> {
    Ok(Reading::open(path, Depth::Frames)?.1)
}

/// Reads one tape file of an image, from its medium.
pub fn read_file(path: &Path, number: u64, first_object: u64) -> Result<TapeFile, Error> {
    read_one(path, number, first_object, Depth::Digests)
}

fn read_one(path: &Path, number: u64, first_object: u64, depth: Depth) -> Result<TapeFile, Error> {
    let (mut reading, _) = Reading::open(path, depth)?;
    let whole = |error| Error::image(path, error);
    reading
        .image
        .locate(pseudotape_tape::ObjectNumber(first_object))
        .map_err(whole)?;
    let mut file = Building::new(number, first_object);
    loop {
        let met = reading.next().map_err(whole)?;
        file.add(met, reading.block());
        if met == Met::EndOfData || reading.image.place().file.0 > number {
            return Ok(file.finish());
        }
    }
}

/// Looks how long one tape file of an image is. No block is read.
pub(crate) fn measure(path: &Path, number: u64, first_object: u64) -> Result<TapeFile, Error> {
    read_one(path, number, first_object, Depth::Frames)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Block(u32),
    Mark,
    Damage,
    EndOfData,
}

/// A tape file of which not all was met yet.
struct Building {
    number: u64,
    first_object: u64,
    blocks: u64,
    bytes: u64,
    marks: bool,
    damaged: bool,
    /// Blocks of which only the frames were looked at.
    unread: bool,
    hasher: Hasher,
}

impl Building {
    fn new(number: u64, first_object: u64) -> Self {
        Building {
            number,
            first_object,
            blocks: 0,
            bytes: 0,
            marks: false,
            damaged: false,
            unread: false,
            hasher: Hasher::new(),
        }
    }

    fn add(&mut self, met: Met, block: Option<&[u8]>) {
        match (met, block) {
            (Met::Block(length), block) => {
                self.blocks += 1;
                self.bytes += u64::from(length);
                match block {
                    Some(block) => {
                        self.hasher.update(block);
                    }
                    None => self.unread = true,
                }
            }
            (Met::Mark, _) => self.marks = true,
            (Met::Damage, _) => self.damaged = true,
            (Met::EndOfData, _) => {}
        }
    }

    fn is_empty(&self) -> bool {
        self.blocks == 0 && !self.marks && !self.damaged
    }

    fn finish(self) -> TapeFile {
        let digest = Digest(self.hasher.finalize().into());
        TapeFile {
            number: self.number,
            first_object: self.first_object,
            blocks: self.blocks,
            bytes: self.bytes,
            digest: (!self.damaged && !self.unread).then_some(digest),
            state: match self.damaged {
                true => FileState::Bad,
                false => FileState::Ok,
            },
        }
    }
}

/// Goes over an image object by object, also where it is damaged.
struct Reading {
    image: Image<View>,
    depth: Depth,
    buffer: Vec<u8>,
    /// How much of the buffer is the block that was just met; nothing where it was not read.
    read: Option<usize>,
}

impl Reading {
    fn open(path: &Path, depth: Depth) -> Result<(Self, Contents), Error> {
        let (image, report) = Image::view(path).map_err(|error| Error::image(path, error))?;
        let header = image.header();
        let contents = Contents {
            identity: header.volume,
            generation: image.generation(),
            label: image.label().to_owned(),
            barcode: image.barcode().to_owned(),
            partitions: header.partition_count,
            bytes: image.end_of_data().payload_bytes_before,
            files: Vec::new(),
            missing_from: image.missing().map(|missing| missing.from_object),
            end_is_lost: report.damaged_slots == 2 || report.end_unknown,
            in_use: image.is_in_use(),
        };
        if header.partition.0 > 0 {
            let why = format!(
                "it is partition {} of one: name the file of partition 0",
                header.partition.0
            );
            return Err(Error::Unfit {
                path: path.to_owned(),
                why,
            });
        }
        let reading = Reading {
            image,
            depth,
            buffer: Vec::new(),
            read: None,
        };
        Ok((reading, contents))
    }

    fn block(&self) -> Option<&[u8]> {
        self.buffer.get(..self.read?)
    }

    fn next(&mut self) -> Result<Met, ImageError> {
        let before = self.image.place();
        self.read = None;
        match self.read_object() {
            Ok(Object::Block { length, copied }) => {
                let whole = usize::try_from(length).is_ok_and(|length| length == copied);
                self.read = (self.depth == Depth::Digests && whole).then_some(copied);
                Ok(Met::Block(length))
            }
            Ok(Object::Filemark | Object::Setmark) => Ok(Met::Mark),
            Ok(Object::EndOfData) => Ok(Met::EndOfData),
            // Where the tape went on, reading can; elsewhere it would meet the same for ever.
            Err(_) if self.image.place().object > before.object => Ok(Met::Damage),
            Err(error) => Err(error),
        }
    }

    fn read_object(&mut self) -> Result<Object, ImageError> {
        match (self.image.look_ahead()?, self.depth) {
            (Ahead::Block(length), Depth::Digests) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                // A longer block than there is memory for is read in part and checked, and its file has no digest.
                if self.buffer.len() < length
                    && self.buffer.try_reserve(length - self.buffer.len()).is_ok()
                {
                    self.buffer.resize(length, 0);
                }
                self.image.read_object(&mut self.buffer)
            }
            (Ahead::Block(length), Depth::Frames) => {
                self.image.skip_object()?;
                Ok(Object::Block { length, copied: 0 })
            }
            (Ahead::BadBlock | Ahead::Filemark | Ahead::Setmark | Ahead::EndOfData, _) => {
                self.image.read_object(&mut [])
            }
        }
    }
}
