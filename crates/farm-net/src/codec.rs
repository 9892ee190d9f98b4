//! Numbers, bytes and lists as they stand in the body of a packet: little-endian, lengths before what they count.

use pseudotape_farm::{Stamp, Time, Title, VolumeName};

use crate::error::Error;

/// Writes a body.
#[derive(Default)]
pub(crate) struct Body(pub(crate) Vec<u8>);

impl Body {
    pub(crate) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(crate) fn u32(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(crate) fn u64(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        // What is longer does not fit into a packet, which says so.
        self = self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn option<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => write(self.byte(1), value),
            None => self.byte(0),
        }
    }

    pub(crate) fn list<'a>(self, list: impl ExactSizeIterator<Item = &'a [u8]>) -> Self {
        let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
        list.fold(self.u32(count), Body::bytes)
    }

    pub(crate) fn titles(self, titles: &[Title]) -> Self {
        self.list(titles.iter().map(Title::bytes))
    }

    pub(crate) fn stamp(self, stamp: &Stamp) -> Self {
        self.u64(stamp.generation)
            .u64(stamp.version)
            .option(stamp.created, Body::time)
            .time(stamp.modified)
    }

    fn time(mut self, time: Time) -> Self {
        self.0.extend_from_slice(&time.seconds.to_le_bytes());
        self.u32(time.nanoseconds)
    }
}

/// Reads a body.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn of(body: &'a [u8]) -> Self {
        Fields(body)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Error> {
        Ok(u8::from_le_bytes(self.take()?))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Error> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::protocol("a flag is neither 0 nor 1")),
        }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    pub(crate) fn sixteen(&mut self) -> Result<[u8; 16], Error> {
        self.take()
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = usize::try_from(self.u32()?).map_err(|_| short())?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn text(&mut self) -> Result<String, Error> {
        let text = str::from_utf8(self.bytes()?);
        let text = text.map_err(|_| Error::protocol("words are no UTF-8"))?;
        Ok(text.to_owned())
    }

    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match self.flag()? {
            true => read(self).map(Some),
            false => Ok(None),
        }
    }

    pub(crate) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let count = self.u32()?;
        // Not as many at once as somebody says, but one after the other.
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    pub(crate) fn volume(&mut self) -> Result<VolumeName, Error> {
        let name = self.text()?;
        name.parse()
            .map_err(|error: pseudotape_farm::BadVolumeName| Error::protocol(error.to_string()))
    }

    pub(crate) fn title(&mut self) -> Result<Title, Error> {
        Title::new(self.bytes()?).ok_or_else(|| Error::protocol("a title is none"))
    }

    pub(crate) fn titles(&mut self) -> Result<Vec<Title>, Error> {
        self.list(Fields::title)
    }

    pub(crate) fn stamp(&mut self) -> Result<Stamp, Error> {
        Ok(Stamp {
            generation: self.u64()?,
            version: self.u64()?,
            created: self.option(Fields::time)?,
            modified: self.time()?,
        })
    }

    fn time(&mut self) -> Result<Time, Error> {
        let seconds = i64::from_le_bytes(self.take()?);
        match self.u32()? {
            nanoseconds @ 0..1_000_000_000 if seconds > i64::MIN => Ok(Time {
                seconds,
                nanoseconds,
            }),
            _ => Err(Error::protocol("a time is none")),
        }
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), Error> {
        match self.0 {
            [] => Ok(()),
            _ => Err(Error::protocol("a packet is longer than it should be")),
        }
    }
}

fn short() -> Error {
    Error::protocol("a packet is shorter than it should be")
}
