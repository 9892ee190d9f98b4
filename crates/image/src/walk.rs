//! Reading frames one after the other, and finding the next one behind damage.

use std::io;

use crate::frame::{FRAME_MAGIC, Frame, Key, Kind};
use crate::layout::{FRAME_BYTES, RECORDS_OFFSET, wide};
use crate::report::Gap;
use crate::store::Store;

/// A place between objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Where the next record begins.
    pub offset: u64,
    /// The next object.
    pub object: u64,
    /// Filemarks before.
    pub file: u32,
    /// Payload of blocks before.
    pub payload: u64,
    /// The frame of the object before; 0 at the beginning.
    pub previous: u64,
}

impl Spot {
    /// The beginning of the partition.
    pub const BEGINNING: Spot = Spot {
        offset: RECORDS_OFFSET,
        object: 0,
        file: 0,
        payload: 0,
        previous: 0,
    };

    /// Before the record at `offset`.
    pub fn before(frame: &Frame, offset: u64) -> Self {
        Spot {
            offset,
            object: frame.object,
            file: frame.file,
            payload: frame.payload_before,
            previous: match frame.back {
                0 => 0,
                back => offset.saturating_sub(u64::from(back)),
            },
        }
    }

    /// Behind the record at `offset`.
    pub fn behind(frame: &Frame, offset: u64) -> Self {
        let before = Spot::before(frame, offset);
        Spot {
            offset: offset.saturating_add(frame.record_bytes()),
            object: frame.object_after(),
            file: frame.file_after(),
            payload: frame.payload_after(),
            previous: if frame.kind.is_object() {
                offset
            } else {
                before.previous
            },
        }
    }
}

/// Which frames are leftovers of dropped data.
#[derive(Clone, Copy, Debug)]
pub struct SegmentRule {
    /// Frames from `start` on have at least this segment number.
    pub segment: u32,
    /// Where it began.
    pub start: u64,
}

/// What lies at a place.
#[derive(Clone, Copy, Debug)]
pub enum Met {
    /// A whole frame that follows from those before; its record may be longer than the file.
    Record(Frame),
    /// Nothing more.
    End,
    /// Something else.
    Broken,
}

/// Goes over frames.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    pub spot: Spot,
    /// Segment of the frame before.
    pub segment: u32,
    pub rule: SegmentRule,
    /// Where reading ends.
    pub limit: u64,
    pub key: Key,
}

/// Bytes looked through at a time.
const WINDOW_BYTES: usize = 64 * 1024;
/// Bytes that are asked at once whether a frame can begin in them.
const SEARCH_PART_BYTES: usize = 512;
/// What the host can't read is passed over in steps of this size,
const PAGE_BYTES: u64 = 4096;
/// and no more of them than this: a host that reads nothing has another problem.
const MOST_UNREADABLE_STEPS: u32 = 1024;

impl Walk {
    /// Looks at the record here; goes nowhere.
    pub fn look<S: Store>(&self, store: &S) -> io::Result<Met> {
        if self.spot.offset >= self.limit {
            return Ok(Met::End);
        }
        let mut bytes = [0; 48];
        let count = store.read_at(&mut bytes, self.spot.offset)?;
        let frame = bytes.get(..count).and_then(|bytes| self.take(bytes));
        Ok(frame.map_or(Met::Broken, Met::Record))
    }

    /// Takes the bytes of this place for a frame, where they are one that follows.
    pub fn take(&self, bytes: &[u8]) -> Option<Frame> {
        let frame = self.key.decode(bytes, self.spot.offset);
        frame.filter(|frame| self.follows(frame))
    }

    /// Goes behind a record that lies here.
    pub fn pass(&mut self, frame: &Frame) {
        self.spot = Spot::behind(frame, self.spot.offset);
        self.segment = frame.segment;
    }

    fn follows(&self, frame: &Frame) -> bool {
        Spot::before(frame, self.spot.offset) == self.spot
            && self.is_current(frame, self.spot.offset)
    }

    fn is_current(&self, frame: &Frame, offset: u64) -> bool {
        frame.segment >= self.segment
            && (offset < self.rule.start || frame.segment >= self.rule.segment)
    }

    /// Whether the objects in between can have been where there is damage now.
    fn is_reachable(&self, frame: &Frame, offset: u64) -> bool {
        let room = offset.saturating_sub(self.spot.offset) / FRAME_BYTES;
        let objects = frame.object.checked_sub(self.spot.object);
        let files = frame.file.checked_sub(self.spot.file).map(u64::from);
        matches!((objects, files), (Some(objects), Some(files)) if files <= objects && objects <= room)
    }

    /// Finds the next whole frame from here on that can be one of these records, and goes there.
    ///
    /// `None`: there is none, and the place is unchanged.
    pub fn resynchronise<S: Store>(&mut self, store: &S) -> io::Result<Option<Gap>> {
        let from = self.spot;
        let found = self.search(store, |frame, offset| {
            let end = offset.saturating_add(frame.record_bytes());
            (end <= self.limit && frame.kind != Kind::Optional).then_some((*frame, offset))
        })?;
        let Some((frame, offset)) = found else {
            return Ok(None);
        };
        self.spot = Spot::before(&frame, offset);
        self.segment = frame.segment;
        Ok(Some(Gap {
            offset: from.offset,
            bytes: offset - from.offset,
            first_object: from.object,
            objects: frame.object - from.object,
        }))
    }

    /// Finds the last frame behind this place that says all before it was committed.
    pub fn last_proof<S: Store>(&self, store: &S) -> io::Result<Option<u64>> {
        let mut last = None;
        self.search(store, |frame, offset| -> Option<()> {
            if frame.synced_before() {
                last = Some(offset);
            }
            None
        })?;
        Ok(last)
    }

    /// Looks through the bytes from here on for frames, until `take` takes one.
    fn search<S: Store, T>(
        &self,
        store: &S,
        mut take: impl FnMut(&Frame, u64) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let magic = FRAME_MAGIC.to_le_bytes();
        let mut window = vec![0; WINDOW_BYTES];
        let mut start = self.spot.offset;
        let mut unreadable = 0;
        while start.saturating_add(FRAME_BYTES) <= self.limit {
            // No frame begins in a hole of the file.
            start = store.next_data(start)?.max(start);
            if start.saturating_add(FRAME_BYTES) > self.limit {
                break;
            }
            // What the host can't read is passed over in small steps.
            let step = step_bytes(start);
            let (wanted, read) = match store.read_at(&mut window, start) {
                Ok(count) => (WINDOW_BYTES, Ok(count)),
                Err(_) => {
                    let small = window.get_mut(..step).unwrap_or_default();
                    (step, store.read_at(small, start))
                }
            };
            let count = match read {
                Ok(count) => count,
                Err(_) if unreadable < MOST_UNREADABLE_STEPS => {
                    unreadable += 1;
                    start = start.saturating_add(wide(step));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let bytes = window.get(..count).unwrap_or_default();
            let mut from = 0;
            while let Some(place) = position(bytes, from, &magic) {
                let offset = start.saturating_add(wide(place));
                let candidate = bytes.get(place..).unwrap_or_default();
                let frame = self.key.decode(candidate, offset).filter(|frame| {
                    offset.saturating_add(FRAME_BYTES) <= self.limit
                        && self.is_reachable(frame, offset)
                        && self.is_current(frame, offset)
                });
                if let Some(taken) = frame.and_then(|frame| take(&frame, offset)) {
                    return Ok(Some(taken));
                }
                from = place + 1;
            }
            if count < wanted {
                break;
            }
            // A frame that begins in the last bytes is whole in the next window.
            start = start.saturating_add(wide(count) - (FRAME_BYTES - 1));
        }
        Ok(None)
    }
}

/// To the end of the host's page in which a frame that begins at `start` can end.
fn step_bytes(start: u64) -> usize {
    let end = start
        .saturating_add(FRAME_BYTES)
        .next_multiple_of(PAGE_BYTES);
    usize::try_from(end - start).unwrap_or(WINDOW_BYTES)
}

/// Where a byte is for the first time. Long zeros are passed over by the word.
fn first_of(bytes: &[u8], byte: u8) -> Option<usize> {
    let mut passed = 0;
    for part in bytes.chunks(SEARCH_PART_BYTES) {
        if part.contains(&byte) {
            let place = part.iter().position(|found| *found == byte)?;
            return Some(passed + place);
        }
        passed += part.len();
    }
    None
}

/// Where `needle` begins in `bytes`, from `from` on.
fn position(bytes: &[u8], from: usize, needle: &[u8; 4]) -> Option<usize> {
    let [first, ..] = *needle;
    let mut at = from;
    loop {
        at += first_of(bytes.get(at..)?, first)?;
        if bytes.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        at += 1;
    }
}
