//! An open image.

use crc32fast::Hasher;
use pseudotape_tape::{FileNumber, ObjectNumber};

use crate::error::Error;
use crate::frame::{Frame, Key};
use crate::header::{CreateParameters, Header};
use crate::index::{Branch, Index, Leaf};
use crate::layout::{
    HEADER_COPY_OFFSET, HEADER_OFFSET, NODE_LEAVES, RECORDS_OFFSET, SLOT_OFFSETS, wide,
};
use crate::report::Missing;
use crate::room::Room;
use crate::slot::{self, Incomplete, State};
use crate::store::Store;
use crate::walk::{SegmentRule, Spot, Walk};
use pseudotape_tape::Access;

/// Where an image is: before the object with number `object`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The object that the next read would meet.
    pub object: ObjectNumber,
    /// Filemarks before.
    pub file: FileNumber,
    /// Payload bytes of all blocks before.
    pub payload_bytes_before: u64,
}

/// What lies behind the end of data in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Clean,
    /// Only derived data: the end-of-data record.
    EndRecord,
    /// Leftovers, which must never be met again once something new is written.
    Stale,
}

/// The block just written, as long as it can be lengthened.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub frame: Frame,
    pub offset: u64,
    pub crc: Hasher,
}

/// One partition of one volume: blocks and marks as records in a store.
///
/// Every operation leaves the image at a place that [`Image::place`] tells, failed ones too. Writing
/// anywhere drops all that follows. Dropping the value without [`Image::finish`] is what a crash of
/// the program is: nothing written is lost, the next opening takes a little longer.
#[derive(Debug)]
pub struct Image<S> {
    pub(crate) store: S,
    pub(crate) access: Access,
    pub(crate) header: Header,
    pub(crate) key: Key,
    pub(crate) state: State,
    /// The slot that is on stable storage; the other one is free to be written.
    pub(crate) durable_slot: usize,
    /// The other slot was written since the last commit.
    pub(crate) slot_pending: bool,
    pub(crate) index: Index,
    /// The end of data.
    pub(crate) end: Spot,
    pub(crate) tail: Tail,
    /// Where the image is.
    pub(crate) cursor: Spot,
    /// The frame at the cursor, where it is known; then `cursor.offset` is its place.
    pub(crate) next: Option<Frame>,
    pub(crate) open_block: Option<Open>,
    /// Something was written since the last commit.
    pub(crate) dirty: bool,
    /// The end-of-data record (or the last root) is not up to date.
    pub(crate) unfinished: bool,
    /// The next frame says that all before it was committed.
    pub(crate) proof_due: bool,
    /// Objects before this one were on stable storage at the last commit.
    pub(crate) committed_object: u64,
    /// Committed data that the opening did not find: nothing is written until somebody accepts that.
    pub(crate) missing: Option<Missing>,
    /// Nothing that the opening found says where the data end.
    pub(crate) end_unknown: bool,
    /// A program uses the tape for itself, and makes no copy on it.
    pub(crate) used_for_itself: bool,
    /// A commit failed; objects from here on may be lost.
    pub(crate) failed_from: Option<u64>,
    pub(crate) room: Room,
    pub(crate) cached_node: Option<u64>,
    pub(crate) node: Vec<Branch>,
    pub(crate) cached_leaf: Option<u64>,
    pub(crate) leaf: Leaf,
    pub(crate) scratch: Vec<u8>,
}

impl<S: Store> Image<S> {
    /// Makes a new, empty image; what the store held is gone.
    pub fn create(mut store: S, parameters: &CreateParameters) -> Result<Self, Error> {
        parameters.check()?;
        let key = key_of(&parameters.header);
        let state = State {
            label: parameters.label.clone(),
            barcode: parameters.barcode.clone(),
            sequence: 2,
            segment: 1,
            segment_start: RECORDS_OFFSET,
            committed_end: RECORDS_OFFSET,
            ..State::default()
        };
        let host = |action, source| Error::host(action, HEADER_OFFSET, RECORDS_OFFSET, source);
        store
            .truncate(0)
            .and_then(|()| store.sync())
            .map_err(|source| host("truncate", source))?;
        let region = head_region(&parameters.header, &state, key);
        store
            .write_at(&region, HEADER_OFFSET)
            .map_err(|source| host("write", source))?;
        store.sync().map_err(|source| host("commit", source))?;
        Ok(Image::assemble(
            store,
            Access::ReadWrite,
            parameters.header.clone(),
            key,
            state,
        ))
    }

    /// An image of no records; what opening found is put in by the caller.
    pub(crate) fn assemble(
        store: S,
        access: Access,
        header: Header,
        key: Key,
        state: State,
    ) -> Self {
        Image {
            room: Room::new(&header),
            store,
            access,
            header,
            key,
            state,
            durable_slot: 1,
            slot_pending: false,
            index: Index::new(),
            end: Spot::BEGINNING,
            tail: Tail::Clean,
            cursor: Spot::BEGINNING,
            next: None,
            open_block: None,
            dirty: false,
            unfinished: false,
            proof_due: true,
            committed_object: 0,
            missing: None,
            end_unknown: false,
            used_for_itself: false,
            failed_from: None,
            cached_node: None,
            node: Vec::with_capacity(NODE_LEAVES),
            cached_leaf: None,
            leaf: Leaf::with_room(),
            scratch: Vec::with_capacity(64 * 1024),
        }
    }

    /// Says that whoever writes uses the tape for what it is, and makes no copy on it. An unfinished copy that is
    /// written over from its first object is gone, and so is the mark that says so. Who makes copies clears the mark
    /// himself, when the copy is whole.
    pub fn use_for_itself(&mut self) {
        self.used_for_itself = true;
    }

    /// What the volume is from its making on.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How the image was opened.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// Rises with each commit of a change: the sequence number of the state in memory.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.state.sequence
    }

    /// The volume's label; may be empty.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.state.label
    }

    /// The volume's barcode; may be empty.
    #[must_use]
    pub fn barcode(&self) -> &str {
        &self.state.barcode
    }

    /// Whether the volume is write protected.
    #[must_use]
    pub fn is_write_protected(&self) -> bool {
        self.state.write_protected
    }

    /// What is marked as missing on this volume.
    #[must_use]
    pub fn incomplete(&self) -> Option<Incomplete> {
        self.state.incomplete
    }

    /// The first object that is missing on this volume, where something is marked as missing.
    #[must_use]
    pub fn incomplete_from(&self) -> Option<ObjectNumber> {
        self.state.incomplete.map(|incomplete| incomplete.from)
    }

    /// Committed data that the opening did not find. The image can't be written before [`Image::accept_loss`].
    #[must_use]
    pub fn missing(&self) -> Option<Missing> {
        self.missing
    }

    /// Whether nothing that the opening found says where the data end: a slot of the state is damaged, and there
    /// is no record of the end of data either. What was last on the volume may be gone: the slot that is left may be
    /// the older one.
    #[must_use]
    pub fn end_is_unknown(&self) -> bool {
        self.end_unknown
    }

    /// Where the image is.
    #[must_use]
    pub fn place(&self) -> Place {
        place_of(&self.cursor)
    }

    /// Where the recorded data end.
    #[must_use]
    pub fn end_of_data(&self) -> Place {
        place_of(&self.end)
    }

    /// Whether the next read would meet the end of data.
    #[must_use]
    pub fn is_at_end_of_data(&self) -> bool {
        self.cursor.object == self.end.object
    }

    /// Filemarks and setmarks recorded.
    #[must_use]
    pub fn mark_counts(&self) -> (u64, u64) {
        (
            self.index.marks.files.into(),
            self.index.marks.setmarks.into(),
        )
    }

    /// Payload bytes of all blocks recorded.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.end.payload
    }

    /// Bytes of the file up to the end of data, frames and index included.
    #[must_use]
    pub fn host_bytes(&self) -> u64 {
        self.end.offset
    }

    /// Whether something was written since the last commit.
    #[must_use]
    pub fn has_uncommitted(&self) -> bool {
        self.dirty
    }

    /// Whether the host can't keep the room ahead that a program needs to end its work in time.
    ///
    /// Known from the last append on; a drive reports it as early warning.
    #[must_use]
    pub fn is_host_low(&self) -> bool {
        self.room.is_low()
    }

    /// Sets how much room is kept ahead on the host (default: the early-warning zone, or 32 MiB).
    pub fn set_host_ahead_bytes(&mut self, ahead_bytes: u64) {
        self.room.set_ahead(ahead_bytes);
    }

    /// The store, for tests that look at it.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The store, for its holder to tell it under which name it is. Its bytes are the image's.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Gives the store back as it is now, without finishing.
    #[must_use]
    pub fn into_store(self) -> S {
        self.store
    }

    /// A walk over the records from `spot` on to the end of data.
    ///
    /// Between the beginning and the end of data, opening has already told leftovers apart.
    pub(crate) fn walk_from(&self, spot: Spot) -> Walk {
        Walk {
            spot,
            segment: 0,
            rule: SegmentRule {
                segment: 0,
                start: u64::MAX,
            },
            limit: self.end.offset,
            key: self.key,
        }
    }

    /// Where the slot lies that may be written.
    pub(crate) fn free_slot_offset(&self) -> u64 {
        let [first, second] = SLOT_OFFSETS;
        if self.durable_slot == 0 {
            second
        } else {
            first
        }
    }

    /// Checks that writing is allowed at all.
    pub(crate) fn check_writable(&self) -> Result<(), Error> {
        if self.access == Access::ReadOnly {
            return Err(Error::ReadOnly);
        }
        match self.failed_from {
            Some(from_object) => Err(Error::CommitFailed { from_object }),
            None => Ok(()),
        }
    }
}

pub(crate) fn key_of(header: &Header) -> Key {
    Key::new(header.volume.0.as_bytes(), header.partition.0)
}

fn place_of(spot: &Spot) -> Place {
    Place {
        object: ObjectNumber(spot.object),
        file: FileNumber(spot.file.into()),
        payload_bytes_before: spot.payload,
    }
}

/// Everything before the first record.
fn head_region(header: &Header, state: &State, key: Key) -> Vec<u8> {
    let [first, second] = SLOT_OFFSETS;
    let older = State {
        sequence: state.sequence - 1,
        ..state.clone()
    };
    let mut region = Vec::new();
    let mut put = |offset: u64, bytes: &[u8]| {
        let start = usize::try_from(offset).expect("the region is 16 KiB");
        region.resize(start, 0);
        region.extend_from_slice(bytes);
        debug_assert!(wide(region.len()) <= RECORDS_OFFSET);
    };
    put(HEADER_OFFSET, &header.encode());
    put(first, &slot::encode(&older, key, first));
    put(second, &slot::encode(state, key, second));
    put(HEADER_COPY_OFFSET, &header.encode());
    put(RECORDS_OFFSET, &[]);
    region
}
