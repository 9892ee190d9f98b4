//! Files with holes: the map that stands before their data in an archive (GNU sparse format 1.0).

use std::io;
use std::os::fd::AsFd;

use pseudotape_pax::{Member, RECORD};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

/// Holes that are together shorter are written as zeros.
const WORTH_BYTES: u64 = 4096;
/// The longest map that is read.
const MAX_MAP_BYTES: u64 = 64 << 20;

/// A part of a file that has data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// Where a file of this length has data; `None` where it has no holes that are worth it, or nobody knows.
pub(crate) fn extents(file: impl AsFd, length: u64) -> Option<Vec<Extent>> {
    let file = file.as_fd();
    let mut extents = Vec::new();
    let mut held = 0;
    let mut at = 0;
    while at < length {
        let from = match seek(file, SeekFrom::Data(at)) {
            Ok(from) if from < length => from,
            Ok(_) | Err(Errno::NXIO) => break,
            Err(_) => return None,
        };
        let to = seek(file, SeekFrom::Hole(from)).ok()?.min(length);
        if to <= from {
            return None;
        }
        extents.push(Extent {
            offset: from,
            length: to - from,
        });
        held += to - from;
        at = to;
    }
    (length - held >= WORTH_BYTES).then_some(extents)
}

/// The bytes of a map, whole records.
pub(crate) fn encode(extents: &[Extent]) -> Vec<u8> {
    let mut text = format!("{}\n", extents.len());
    for extent in extents {
        text += &format!("{}\n{}\n", extent.offset, extent.length);
    }
    let mut bytes = text.into_bytes();
    bytes.resize(bytes.len().next_multiple_of(RECORD), 0);
    bytes
}

/// Says in a member that it has holes: its name and its length stand in records then.
pub(crate) fn declare(member: &mut Member, extents: &[Extent], length: u64) -> Vec<u8> {
    let mut with_end = extents.to_vec();
    if extents
        .last()
        .is_none_or(|last| last.offset + last.length < length)
    {
        // GNU tar knows by this that there is a hole at the end.
        with_end.push(Extent {
            offset: length,
            length: 0,
        });
    }
    let map = encode(&with_end);
    let data: u64 = extents.iter().map(|extent| extent.length).sum();
    member.further.add("GNU.sparse.major", "1");
    member.further.add("GNU.sparse.minor", "0");
    member.further.add("GNU.sparse.name", member.name.clone());
    member
        .further
        .add("GNU.sparse.realsize", length.to_string());
    member.length = map.len() as u64 + data;
    map
}

/// The name and the length of a member that says it has holes.
pub(crate) fn declared(member: &Member) -> Option<(Vec<u8>, u64)> {
    let text = |key| str::from_utf8(member.further.value(key)?).ok();
    if (text("GNU.sparse.major"), text("GNU.sparse.minor")) != (Some("1"), Some("0")) {
        return None;
    }
    let name = member.further.value("GNU.sparse.name");
    let length = text("GNU.sparse.realsize")?.parse().ok()?;
    Some((name.unwrap_or(&member.name).to_vec(), length))
}

/// Takes the contents of a member apart as they come: first the map, then data.
pub(crate) struct Placing {
    length: u64,
    map: Option<Vec<u8>>,
    extents: std::vec::IntoIter<Extent>,
    current: Extent,
}

impl Placing {
    /// Contents without a map, or with one before them.
    pub(crate) fn of(member: &Member) -> Self {
        let whole = |length| Extent { offset: 0, length };
        match declared(member) {
            Some((_, length)) => Placing {
                length,
                map: Some(Vec::new()),
                extents: Vec::new().into_iter(),
                current: whole(0),
            },
            None => Placing {
                length: member.length,
                map: None,
                extents: Vec::new().into_iter(),
                current: whole(member.length),
            },
        }
    }

    /// The length of the file.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Gives each part of the bytes that belongs into the file to `put`, with its place.
    pub(crate) fn place(
        &mut self,
        bytes: &[u8],
        mut put: impl FnMut(&[u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut rest = self.take_map(bytes)?;
        while !rest.is_empty() {
            if self.current.length == 0 {
                let next = self.extents.next();
                self.current = next.ok_or_else(|| wrong("it has more data than its map says"))?;
                continue;
            }
            let most = usize::try_from(self.current.length).unwrap_or(usize::MAX);
            let (now, behind) = rest.split_at(most.min(rest.len()));
            put(now, self.current.offset)?;
            self.current.offset += now.len() as u64;
            self.current.length -= now.len() as u64;
            rest = behind;
        }
        Ok(())
    }

    /// Whether all data have come.
    pub(crate) fn is_whole(&self) -> bool {
        let rest: u64 = self
            .extents
            .as_slice()
            .iter()
            .map(|extent| extent.length)
            .sum();
        self.map.is_none() && self.current.length == 0 && rest == 0
    }

    /// Adds to the map until it is whole; what is behind it.
    fn take_map<'a>(&mut self, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        let Some(map) = &mut self.map else {
            return Ok(bytes);
        };
        let before = map.len();
        map.extend_from_slice(bytes);
        let Some((extents, used)) = parse(map, self.length)? else {
            let fits = map.len() as u64 <= MAX_MAP_BYTES;
            return match fits {
                true => Ok(&[]),
                false => Err(wrong("its map of holes has no end")),
            };
        };
        self.extents = extents.into_iter();
        self.map = None;
        let behind = bytes.get(used.saturating_sub(before)..);
        Ok(behind.unwrap_or_default())
    }
}

/// Reads a map; its extents and how many bytes it takes, `None` where there are more to come.
fn parse(bytes: &[u8], length: u64) -> io::Result<Option<(Vec<Extent>, usize)>> {
    let mut at = 0;
    let mut number = || -> io::Result<Option<u64>> {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            return match rest.len() > 20 {
                true => Err(wrong("its map of holes is malformed")),
                false => Ok(None),
            };
        };
        at += end + 1;
        let text = str::from_utf8(rest.get(..end).unwrap_or_default()).ok();
        let number = text.and_then(|text| text.parse().ok());
        number
            .map(Some)
            .ok_or_else(|| wrong("its map of holes is malformed"))
    };
    let Some(count) = number()? else {
        return Ok(None);
    };
    let mut extents: Vec<Extent> = Vec::new();
    for _ in 0..count {
        let (Some(offset), Some(extent)) = (number()?, number()?) else {
            return Ok(None);
        };
        let before = extents.last().map_or(0, |last| last.offset + last.length);
        let end = offset.checked_add(extent);
        if offset < before || end.is_none_or(|end| end > length) {
            return Err(wrong("its map of holes is malformed"));
        }
        extents.push(Extent {
            offset,
            length: extent,
        });
    }
    let used = at.next_multiple_of(RECORD);
    Ok((bytes.len() >= used).then_some((extents, used)))
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn placed(extents: &[Extent], length: u64, cut: usize) -> io::Result<Vec<u8>> {
        let mut member = Member::default();
        let mut bytes = declare(&mut member, extents, length);
        let data = member.length - bytes.len() as u64;
        bytes.extend((0..data).map(|at| u8::try_from(at % 251 + 1).expect("a byte")));
        let mut file = vec![0; usize::try_from(length).expect("a short file")];
        let mut placing = Placing::of(&member);
        for part in bytes.chunks(cut) {
            placing.place(part, |bytes, at| {
                let at = usize::try_from(at).expect("a short file");
                file[at..at + bytes.len()].copy_from_slice(bytes);
                Ok(())
            })?;
        }
        assert!(placing.is_whole());
        Ok(file)
    }

    #[test]
    fn the_bytes_of_a_map_are_those_of_gnu_tar() {
        let map = encode(&[Extent {
            offset: 4096,
            length: 7,
        }]);
        assert_eq!(&map[..9], b"1\n4096\n7\n");
        assert_eq!(map.len(), RECORD);
        assert!(map[9..].iter().all(|byte| *byte == 0));
    }

    proptest! {
        #[test]
        fn data_come_to_their_places_however_they_are_cut(
            gaps in prop::collection::vec((0u64..5, 1u64..9), 0..6), end in 0u64..9, cut in 1usize..900
        ) {
            let mut extents = Vec::new();
            let mut at = 0;
            for (gap, length) in gaps {
                extents.push(Extent { offset: at + gap, length });
                at += gap + length;
            }
            let file = placed(&extents, at + end, cut).expect("a map");
            let held = |at: u64| extents.iter().any(|part| (part.offset..part.offset + part.length).contains(&at));
            for (at, byte) in file.iter().enumerate() {
                prop_assert_eq!(*byte != 0, held(at as u64));
            }
        }

        #[test]
        fn a_map_of_any_bytes_is_read_or_refused(bytes in "[0-9\n]{0,60}") {
            if let Ok(Some((extents, _))) = parse(bytes.as_bytes(), 1 << 40) {
                prop_assert!(extents.iter().all(|part| part.offset + part.length <= 1 << 40));
            }
        }
    }
}
