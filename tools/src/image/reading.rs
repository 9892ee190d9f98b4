use pseudotape_image::{Ahead, Error, Image, Object, View};
use serde::Serialize;

/// Room for blocks at first; grows to the longest block met.
const FIRST_BUFFER_BYTES: usize = 1 << 20;

/// One place on the tape that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Damage {
    /// The first object that is lost.
    pub object: u64,
    /// The file it belongs to.
    pub file: u64,
    /// Its place in that file, as `mt status` counts; not known where the index is damaged too.
    pub block: Option<u64>,
    /// Where in the image the damage begins.
    pub offset: Option<u64>,
    /// How many objects are lost.
    pub objects: u64,
    /// What is wrong, in words.
    pub cause: String,
}

/// What was met on the tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// A block of this length; [`Reading::block`] has what was read of it.
    Block(u32),
    /// A filemark.
    Filemark,
    /// A setmark.
    Setmark,
    /// Something that can't be read.
    Damage(Damage),
    /// Nothing more.
    EndOfData,
}

/// Goes over a tape object by object, also where it is damaged.
pub(crate) struct Reading {
    image: Image<View>,
    buffer: Vec<u8>,
    copied: usize,
}

impl Reading {
    /// From where the image stands.
    pub(crate) fn new(image: Image<View>) -> Self {
        Reading {
            image,
            buffer: vec![0; FIRST_BUFFER_BYTES],
            copied: 0,
        }
    }

    /// Reads the next object and goes behind it. A block is read whole and checked.
    pub(crate) fn next(&mut self) -> Result<Met, Error> {
        self.step(|image, buffer| {
            if let Ahead::Block(length) = image.look_ahead()? {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                // A longer block than there is memory for is read in part, and checked all the same.
                if buffer.len() < length && buffer.try_reserve(length - buffer.len()).is_ok() {
                    buffer.resize(length, 0);
                }
            }
            image.read_object(buffer)
        })
    }

    /// As [`Reading::next`], but keeps only the first bytes of a block.
    pub(crate) fn next_start(&mut self, bytes: usize) -> Result<Met, Error> {
        self.step(|image, buffer| {
            let bytes = bytes.min(buffer.len());
            image.read_object(buffer.get_mut(..bytes).unwrap_or_default())
        })
    }

    /// Goes behind the next object; a block's bytes are neither read nor checked.
    pub(crate) fn skip(&mut self) -> Result<Met, Error> {
        self.step(|image, _| {
            Ok(match image.look_ahead()? {
                Ahead::Block(length) => {
                    image.skip_object()?;
                    Object::Block { length, copied: 0 }
                }
                // Reading one costs no more, and says what there is to say about it.
                Ahead::BadBlock | Ahead::Filemark | Ahead::Setmark | Ahead::EndOfData => {
                    image.read_object(&mut [])?
                }
            })
        })
    }

    /// What was read of the block that was just met.
    pub(crate) fn block(&self) -> &[u8] {
        self.buffer.get(..self.copied).unwrap_or_default()
    }

    /// The image, to ask what moves nothing but the place in it.
    pub(crate) fn image_mut(&mut self) -> &mut Image<View> {
        &mut self.image
    }

    pub(crate) fn image(&self) -> &Image<View> {
        &self.image
    }

    fn step(
        &mut self,
        read: impl FnOnce(&mut Image<View>, &mut Vec<u8>) -> Result<Object, Error>,
    ) -> Result<Met, Error> {
        let before = self.image.place();
        self.copied = 0;
        match read(&mut self.image, &mut self.buffer) {
            Ok(Object::Block { length, copied }) => {
                self.copied = copied;
                Ok(Met::Block(length))
            }
            Ok(Object::Filemark) => Ok(Met::Filemark),
            Ok(Object::Setmark) => Ok(Met::Setmark),
            Ok(Object::EndOfData) => Ok(Met::EndOfData),
            // Where the tape went on, reading can; elsewhere it would meet the same for ever.
            Err(error) if self.image.place().object > before.object => Ok(Met::Damage(Damage {
                object: before.object.0,
                file: before.file.0,
                block: block_of(&error),
                offset: offset_of(&error),
                objects: self.image.place().object.0 - before.object.0,
                cause: error.to_string(),
            })),
            Err(error) => Err(error),
        }
    }
}

fn block_of(error: &Error) -> Option<u64> {
    match error {
        Error::DamagedPayload { at, .. }
        | Error::BadBlock { at, .. }
        | Error::DamagedFrame { at, .. } => at.block,
        _ => None,
    }
}

fn offset_of(error: &Error) -> Option<u64> {
    match error {
        Error::DamagedPayload { offset, .. } | Error::Host { offset, .. } => Some(*offset),
        Error::DamagedFrame { gap, .. } => Some(gap.offset),
        _ => None,
    }
}
