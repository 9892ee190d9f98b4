//! Reading of an archive from its beginning on.

use std::io::{ErrorKind, Read};

use crate::error::Error;
use crate::member::{Kind, Member};
use crate::records::Records;
use crate::sparse::{self, Map};
use crate::ustar::{Magic, Ustar};
use crate::{RECORD, padding};

/// The longest headers of one member that are taken into memory.
const MAX_HEADERS: u64 = 16 << 20;

/// The members of an archive, one after the other.
pub struct Reader<R> {
    source: R,
    /// Bytes taken from the source.
    offset: u64,
    /// Bytes of the member's contents that were not taken.
    left: u64,
    /// Zeros behind them.
    padding: u64,
    for_all: Records,
    /// What the member's contents begin with that is not in the archive, in the opposite order.
    ahead: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// An archive that begins here.
    pub fn new(source: R) -> Self {
        Reader {
            source,
            offset: 0,
            left: 0,
            padding: 0,
            for_all: Records::default(),
            ahead: Vec::new(),
        }
    }

    /// Goes to the next member, past what was not read of the one before; `None` where the archive ends.
    pub fn next_member(&mut self) -> Result<Option<Member>, Error> {
        self.pass_contents()?;
        let mut of_next = Records::default();
        let mut record = [0; RECORD];
        loop {
            let at = self.offset;
            if !self.record(&mut record)? {
                return Err(self.cut_off("its members: it has no end"));
            }
            let malformed = |what| Error::Malformed { offset: at, what };
            let Some(header) = Ustar::parse(&record).map_err(malformed)? else {
                return Ok(None);
            };
            let kind = header.kind;
            match (kind, header.magic) {
                (b'x' | b'g', _) => {
                    let bytes = self.headers(&header, at)?;
                    let records = Records::parse(&bytes).map_err(malformed)?;
                    match kind {
                        b'g' => self.for_all.extend(&records),
                        _ => of_next.extend(&records),
                    }
                }
                (b'L' | b'K', _) => {
                    let mut name = self.headers(&header, at)?;
                    name.truncate(
                        name.iter()
                            .position(|byte| *byte == 0)
                            .unwrap_or(name.len()),
                    );
                    of_next.add(if kind == b'L' { "path" } else { "linkpath" }, name);
                }
                _ => {
                    let map = match (kind, header.magic) {
                        (b'S', Magic::Gnu) => Some(self.map(&record, at)?),
                        _ => None,
                    };
                    let mut records = self.for_all.clone();
                    records.extend(&of_next);
                    let mut member = Member::of(header, &records).map_err(malformed)?;
                    self.left = member.length;
                    self.padding = padding(member.length) as u64;
                    let ahead = match map {
                        Some(map) => {
                            member.kind = Kind::File;
                            map.declare(&mut member)
                        }
                        None => sparse::renewed(&mut member),
                    };
                    self.ahead = ahead.map_err(malformed)?;
                    self.ahead.reverse();
                    return Ok(Some(member));
                }
            }
        }
    }

    /// Where the bytes come from. Whoever reads there loses his place in the archive.
    pub fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    /// Bytes of the member's contents that were not read yet.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left.saturating_add(self.ahead.len() as u64)
    }

    /// Reads of the member's contents: as much as there is, up to the length of the buffer. 0 at their end only.
    pub fn read_contents(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        for (place, byte) in buffer
            .iter_mut()
            .zip(std::iter::from_fn(|| self.ahead.pop()))
        {
            *place = byte;
            filled += 1;
        }
        while self.left > 0 {
            let most = usize::try_from(self.left).unwrap_or(usize::MAX);
            let rest = buffer.get_mut(filled..).unwrap_or_default();
            let most = most.min(rest.len());
            let Some(rest) = rest.get_mut(..most).filter(|rest| !rest.is_empty()) else {
                break;
            };
            match self.source.read(rest) {
                Ok(0) => return Err(self.cut_off("the contents of a member")),
                Ok(bytes) => {
                    filled += bytes;
                    self.left -= bytes as u64;
                    self.offset += bytes as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(filled)
    }

    fn pass_contents(&mut self) -> Result<(), Error> {
        self.ahead.clear();
        self.left = self.left.saturating_add(std::mem::take(&mut self.padding));
        let mut dropped = vec![0; if self.left > 512 { 64 << 10 } else { 512 }];
        while self.read_contents(&mut dropped)? > 0 {}
        Ok(())
    }

    /// The map in a header of a file with holes, and in the records behind it.
    fn map(&mut self, header: &[u8; RECORD], at: u64) -> Result<Map, Error> {
        let malformed = |what| Error::Malformed { offset: at, what };
        let (mut map, mut goes_on) = Map::of_header(header).map_err(malformed)?;
        let mut record = [0; RECORD];
        while goes_on {
            if !self.record(&mut record)? {
                return Err(self.cut_off("a map of holes"));
            }
            goes_on = map.add_further(&record).map_err(malformed)?;
            let length = map.places().saturating_mul(24);
            if length > MAX_HEADERS {
                return Err(Error::LongHeaders {
                    offset: at,
                    length,
                    max: MAX_HEADERS,
                });
            }
        }
        Ok(map)
    }

    /// The contents of a member that is a header of the next one.
    fn headers(&mut self, header: &Ustar, at: u64) -> Result<Vec<u8>, Error> {
        let length = header.size.ok_or(Error::Malformed {
            offset: at,
            what: "a header has no length",
        })?;
        if length > MAX_HEADERS {
            return Err(Error::LongHeaders {
                offset: at,
                length,
                max: MAX_HEADERS,
            });
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.left = length;
        self.padding = padding(length) as u64;
        self.read_contents(&mut bytes)?;
        self.pass_contents()?;
        Ok(bytes)
    }

    /// Reads one record; `false` where the source ends before it.
    fn record(&mut self, record: &mut [u8; RECORD]) -> Result<bool, Error> {
        let mut filled = 0;
        while filled < RECORD {
            let rest = record.get_mut(filled..).unwrap_or_default();
            match self.source.read(rest) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(self.cut_off("a header")),
                Ok(bytes) => {
                    filled += bytes;
                    self.offset += bytes as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn cut_off(&self, within: &'static str) -> Error {
        Error::CutOff {
            offset: self.offset,
            within,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{END, Kind};

    fn archive(contents: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, content) in contents.iter().enumerate() {
            let member = Member {
                name: format!("f{number}").into(),
                length: content.len() as u64,
                ..Member::default()
            };
            bytes.extend(member.headers("PaxHeaders/f"));
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len() + padding(content.len() as u64), 0);
        }
        bytes.extend(END);
        bytes
    }

    #[test]
    fn members_are_read_one_after_the_other_and_passed_where_they_are_not() {
        let bytes = archive(&[b"first", b"", &[7; 1000]]);
        let mut reader = Reader::new(&bytes[..]);
        let mut buffer = [0; 600];
        assert_eq!(reader.next_member().unwrap().unwrap().name, b"f0");
        assert_eq!(reader.next_member().unwrap().unwrap().name, b"f1");
        assert_eq!(reader.read_contents(&mut buffer).unwrap(), 0);
        let last = reader.next_member().unwrap().unwrap();
        assert_eq!((last.length, last.kind), (1000, Kind::File));
        assert_eq!(reader.read_contents(&mut buffer).unwrap(), 600);
        assert_eq!(reader.left(), 400);
        assert!(reader.next_member().unwrap().is_none());
    }

    #[test]
    fn an_archive_that_is_cut_anywhere_has_no_end() {
        let bytes = archive(&[b"first", &[7; 1000]]);
        for length in 0..bytes.len() - END.len() {
            let mut reader = Reader::new(&bytes[..length]);
            let error = loop {
                match reader.next_member() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("cut at {length}: it has an end"),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, Error::CutOff { .. }), "{length}: {error}");
        }
    }

    #[test]
    fn a_length_that_no_header_has_is_refused_before_memory_is_asked_for() {
        let header = Ustar {
            kind: b'x',
            mode: Some(0),
            size: Some(5 << 30),
            ..Ustar::default()
        };
        let bytes = header.encode();
        let error = Reader::new(&bytes[..]).next_member().unwrap_err();
        assert!(matches!(error, Error::LongHeaders { .. }), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_end_or_an_error(
            at in 0usize..2048, byte in any::<u8>(), cut in 0usize..4096
        ) {
            let mut bytes = archive(&[b"first", &[7; 1000]]);
            bytes[at] = byte;
            bytes.truncate(cut.max(at + 1));
            let mut reader = Reader::new(&bytes[..]);
            while let Ok(Some(_)) = reader.next_member() {}
        }
    }
}
