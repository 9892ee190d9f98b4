//! Older ways in which GNU tar writes a file with holes, read as the newest one (format 1.0): there the map of what has
//! data stands before the data, as decimal numbers in lines.
//!
//! | format | where its map stands |
//! |---|---|
//! | old GNU | four places in the header of kind `S`, more in records behind it |
//! | 0.0 | a pair of pax records for each place |
//! | 0.1 | one pax record |

use std::ops::Range;

use crate::member::Member;
use crate::ustar::number_of;
use crate::{RECORD, Records};

// Where the fields of the old format lie (GNU tar, "struct oldgnu_header" and "struct sparse_header").
const IN_HEADER: Range<usize> = 386..482;
const HEADER_GOES_ON: usize = 482;
const REAL_LENGTH: Range<usize> = 483..495;
const IN_FURTHER: Range<usize> = 0..504;
const FURTHER_GOES_ON: usize = 504;
const NUMBER: usize = 12;

/// The places of a file that have data, each with its length.
#[derive(Debug, Default)]
pub(crate) struct Map {
    places: Vec<(u64, u64)>,
    /// Length of the file, with its holes.
    length: u64,
}

impl Map {
    /// The map in a header of kind `S`, and whether records with more of it follow.
    pub(crate) fn of_header(record: &[u8; RECORD]) -> Result<(Self, bool), &'static str> {
        let length = record.get(REAL_LENGTH).and_then(number_of);
        let mut map = Map {
            places: Vec::new(),
            length: length.ok_or("the header of a file with holes has no length of the file")?,
        };
        map.add(record, IN_HEADER)?;
        Ok((
            map,
            record.get(HEADER_GOES_ON).is_some_and(|byte| *byte != 0),
        ))
    }

    /// Adds what stands in a record behind the header; whether another one follows.
    pub(crate) fn add_further(&mut self, record: &[u8; RECORD]) -> Result<bool, &'static str> {
        self.add(record, IN_FURTHER)?;
        Ok(record.get(FURTHER_GOES_ON).is_some_and(|byte| *byte != 0))
    }

    fn add(&mut self, record: &[u8; RECORD], fields: Range<usize>) -> Result<(), &'static str> {
        let fields = record.get(fields).unwrap_or_default();
        for place in fields.chunks_exact(2 * NUMBER) {
            let (offset, length) = place.split_at(NUMBER);
            if length.first() == Some(&0) {
                // Behind the last place there are zeros.
                break;
            }
            let place = number_of(offset).zip(number_of(length));
            self.places
                .push(place.ok_or("a map of holes is malformed")?);
        }
        Ok(())
    }

    /// So many places it has.
    pub(crate) fn places(&self) -> u64 {
        self.places.len() as u64
    }

    /// The map in pax records of the formats 0.0 and 0.1; `None` where there is none.
    fn of_records(records: &Records) -> Result<Option<Self>, &'static str> {
        let number = |value: &[u8]| str::from_utf8(value).ok()?.parse().ok();
        let Some(length) = records.value("GNU.sparse.size") else {
            return Ok(None);
        };
        let wrong = "a map of holes is malformed";
        let numbers: Option<Vec<u64>> = match records.value("GNU.sparse.map") {
            Some([]) => Some(Vec::new()),
            Some(map) => map.split(|byte| *byte == b',').map(number).collect(),
            None => {
                let pairs = records.iter();
                let pairs = pairs.filter(|(key, _)| {
                    matches!(*key, b"GNU.sparse.offset" | b"GNU.sparse.numbytes")
                });
                pairs.map(|(_, value)| number(value)).collect()
            }
        };
        let numbers = numbers.ok_or(wrong)?;
        let places = numbers.chunks(2).map(|pair| match pair {
            [offset, length] => Ok((*offset, *length)),
            _ => Err(wrong),
        });
        Ok(Some(Map {
            places: places.collect::<Result<_, _>>()?,
            length: number(length).ok_or(wrong)?,
        }))
    }

    /// Makes a member one of format 1.0; what then stands before its data.
    pub(crate) fn declare(self, member: &mut Member) -> Result<Vec<u8>, &'static str> {
        let mut text = format!("{}\n", self.places.len());
        let mut data = 0u64;
        for (offset, length) in self.places {
            text += &format!("{offset}\n{length}\n");
            data = data
                .checked_add(length)
                .ok_or("a map of holes is malformed")?;
        }
        if data != member.length {
            return Err("a file with holes has not as much data as its map says");
        }
        let mut map = text.into_bytes();
        map.resize(map.len().next_multiple_of(RECORD), 0);
        let mut further = Records::default();
        for (key, value) in member.further.iter() {
            if !key.starts_with(b"GNU.sparse.") {
                further.add(key, value);
            }
        }
        let name = member.further.value("GNU.sparse.name");
        let name = name.unwrap_or(&member.name).to_vec();
        further.add("GNU.sparse.major", "1");
        further.add("GNU.sparse.minor", "0");
        further.add("GNU.sparse.name", name);
        further.add("GNU.sparse.realsize", self.length.to_string());
        member.further = further;
        let before = map.len() as u64;
        member.length = before
            .checked_add(data)
            .ok_or("a map of holes is malformed")?;
        Ok(map)
    }
}

/// Makes a member one of format 1.0 where its records have an older map; what then stands before its data.
pub(crate) fn renewed(member: &mut Member) -> Result<Vec<u8>, &'static str> {
    match Map::of_records(&member.further)? {
        Some(map) => map.declare(member),
        None => Ok(Vec::new()),
    }
}
