//! Finding objects by the index, and making its parts anew from the frames where they are damaged.

use crate::error::Error;
use crate::frame::{Frame, Kind, Level};
use crate::image::Image;
use crate::index::{
    Branch, Entry, EntryKind, Index, Leaf, Marks, decode_branches, leaf_of, node_of,
};
use crate::layout::{FRAME_BYTES, LEAF_OBJECTS_U64, NODE_LEAVES, NODE_OBJECTS_U64, wide};
use crate::report::Gap;
use crate::store::Store;
use crate::walk::{Met, Spot, Walk};

impl<S: Store> Image<S> {
    /// The entry of an object before the end of data.
    pub(crate) fn entry(&mut self, object: u64) -> Result<Entry, Error> {
        let (leaf, place) = leaf_of(object);
        let found = self.leaf(leaf)?.entries.get(place).copied();
        // An index that lies about how much it holds says "lost", and reading there finds the truth.
        Ok(found.unwrap_or_else(|| Entry::new(self.end.offset, EntryKind::LostBlock)))
    }

    /// The frame of an object and its offset, where it is whole and in its place.
    pub(crate) fn frame_of(&mut self, object: u64) -> Result<Option<(Frame, u64)>, Error> {
        let offset = self.entry(object)?.offset();
        let frame = self.read_frame(offset)?;
        Ok(frame
            .filter(|frame| frame.object == object && frame.kind.is_object())
            .map(|frame| (frame, offset)))
    }

    /// The frame at an offset, where there is a whole one.
    pub(crate) fn read_frame(&self, offset: u64) -> Result<Option<Frame>, Error> {
        if offset >= self.end.offset {
            return Ok(None);
        }
        let mut bytes = [0; 48];
        let count = self
            .store
            .read_at(&mut bytes, offset)
            .map_err(|source| Error::host("read", offset, FRAME_BYTES, source))?;
        Ok(bytes
            .get(..count)
            .and_then(|bytes| self.key.decode(bytes, offset)))
    }

    /// Marks before an object, or before the end of data.
    pub(crate) fn marks_before(&mut self, object: u64) -> Result<Marks, Error> {
        if object >= self.end.object {
            return Ok(self.index.marks);
        }
        let (leaf, place) = leaf_of(object);
        Ok(self.leaf(leaf)?.marks_before(place))
    }

    /// The leaf with this number, from the file or from what is not in the file yet.
    pub(crate) fn leaf(&mut self, number: u64) -> Result<&Leaf, Error> {
        if number >= self.index.leaf_count() {
            return Ok(&self.index.partial);
        }
        if self.cached_leaf != Some(number) {
            self.cached_leaf = None;
            let branch = self.leaf_branch(number)?;
            let mut payload = std::mem::take(&mut self.scratch);
            let read = self.read_part(branch.offset, Kind::Index(Level::Leaf), &mut payload);
            let whole = matches!(&read, Ok(Some(frame))
                if frame.object == (number + 1) * LEAF_OBJECTS_U64 && self.leaf.decode(&payload));
            self.scratch = payload;
            read?;
            if !whole {
                self.remake_leaf(number, branch)?;
            }
            self.cached_leaf = Some(number);
        }
        Ok(&self.leaf)
    }

    /// Where a leaf is that is complete.
    pub(crate) fn leaf_branch(&mut self, number: u64) -> Result<Branch, Error> {
        let (node, place) = node_of(number);
        let found = if node < wide(self.index.nodes.len()) {
            self.load_node(node)?;
            self.node.get(place)
        } else {
            self.index.leaves.get(place)
        };
        Ok(found.copied().unwrap_or(Branch {
            offset: 0,
            first: Marks::default(),
        }))
    }

    /// Where a node is that is complete.
    pub(crate) fn node_branch(&self, number: u64) -> Option<Branch> {
        usize::try_from(number)
            .ok()
            .and_then(|place| self.index.nodes.get(place))
            .copied()
    }

    /// Brings the leaves of a node into `self.node`.
    pub(crate) fn load_node(&mut self, number: u64) -> Result<(), Error> {
        if self.cached_node == Some(number) {
            return Ok(());
        }
        self.cached_node = None;
        let offset = self.node_branch(number).map_or(0, |branch| branch.offset);
        let mut payload = std::mem::take(&mut self.scratch);
        let read = self.read_part(offset, Kind::Index(Level::Node), &mut payload);
        let whole = matches!(&read, Ok(Some(frame))
            if frame.object == (number + 1) * NODE_OBJECTS_U64
                && decode_branches(&payload, &mut self.node)
                && self.node.len() == NODE_LEAVES);
        self.scratch = payload;
        read?;
        if !whole {
            self.remake_node(number)?;
        }
        self.cached_node = Some(number);
        Ok(())
    }

    /// Reads the payload of the index record at `offset`; `None` where it is damaged or another one.
    pub(crate) fn read_part(
        &self,
        offset: u64,
        kind: Kind,
        payload: &mut Vec<u8>,
    ) -> Result<Option<Frame>, Error> {
        payload.clear();
        if offset == 0 {
            return Ok(None);
        }
        let Some(frame) = self.read_frame(offset)?.filter(|frame| frame.kind == kind) else {
            return Ok(None);
        };
        if offset.saturating_add(frame.record_bytes()) > self.end.offset {
            return Ok(None);
        }
        let whole = read_payload(&self.store, &frame, offset, payload)?;
        Ok(whole.then_some(frame))
    }

    /// Makes a leaf anew from the frames.
    fn remake_leaf(&mut self, number: u64, branch: Branch) -> Result<(), Error> {
        let start = self.known_spot_before(number)?;
        let mut walk = self.walk_from(start);
        let first = number * LEAF_OBJECTS_U64;
        let end = first + LEAF_OBJECTS_U64;
        self.leaf.entries.clear();
        self.leaf.first = branch.first;
        while walk.spot.object < end {
            let from = walk.spot.object;
            let Some(step) = step(&mut walk, &self.store)? else {
                break;
            };
            match step {
                Step::Record(frame, offset) => {
                    if let Some(entry) = Entry::of(frame.kind, offset).filter(|_| from >= first) {
                        self.leaf.entries.push(entry);
                    }
                }
                Step::Gap(gap, files) => {
                    for (place, entry) in (from..).zip(lost_entries(&gap, files)) {
                        if (first..end).contains(&place) {
                            self.leaf.entries.push(entry);
                        }
                    }
                }
            }
        }
        let lost = Entry::new(walk.spot.offset, EntryKind::LostBlock);
        let full = usize::try_from(LEAF_OBJECTS_U64).expect("512");
        self.leaf.entries.resize(full, lost);
        Ok(())
    }

    /// A place before a leaf's first object where a frame begins.
    fn known_spot_before(&mut self, leaf: u64) -> Result<Spot, Error> {
        let mut number = leaf;
        while let Some(earlier) = number.checked_sub(1) {
            let offset = self.leaf_branch(earlier)?.offset;
            if offset != 0
                && let Some(frame) = self.read_frame(offset)?
                && frame.object == number * LEAF_OBJECTS_U64
            {
                return Ok(Spot::before(&frame, offset));
            }
            number = earlier;
        }
        Ok(Spot::BEGINNING)
    }

    /// Makes a node anew from the frames.
    fn remake_node(&mut self, number: u64) -> Result<(), Error> {
        let mut start = Spot::BEGINNING;
        let mut marks = Marks::default();
        let mut earlier = number;
        while let Some(before) = earlier.checked_sub(1) {
            let offset = self.node_branch(before).map_or(0, |branch| branch.offset);
            if let Some(frame) = self.read_frame(offset)?
                && offset != 0
                && frame.object == earlier * NODE_OBJECTS_U64
            {
                start = Spot::before(&frame, offset);
                marks = self
                    .node_branch(earlier)
                    .map_or(marks, |branch| branch.first);
                break;
            }
            earlier = before;
        }
        let walk = self.walk_from(start);
        let found = collect(walk, &self.store, marks, (number + 1) * NODE_OBJECTS_U64)?;
        let skip = usize::try_from((number - earlier) * wide(NODE_LEAVES)).unwrap_or(usize::MAX);
        self.node.clear();
        self.node
            .extend(found.into_iter().skip(skip).take(NODE_LEAVES));
        let unknown = Branch {
            offset: 0,
            first: self.node.last().map_or(marks, |branch| branch.first),
        };
        self.node.resize(NODE_LEAVES, unknown);
        Ok(())
    }

    /// Makes the index that of the first `object` objects.
    pub(crate) fn cut_index(&mut self, object: u64) -> Result<(), Error> {
        let marks = self.marks_before(object)?;
        // What is recorded only before the next object is not recorded yet.
        let leaves = object.saturating_sub(1) / LEAF_OBJECTS_U64;
        let nodes = object.saturating_sub(1) / NODE_OBJECTS_U64;
        let entries = usize::try_from(object - leaves * LEAF_OBJECTS_U64).expect("at most 512");
        if leaves < self.index.leaf_count() {
            self.leaf(leaves)?;
            self.index.partial.set(&self.leaf);
        }
        self.index.partial.entries.truncate(entries);
        if nodes < wide(self.index.nodes.len()) {
            self.load_node(nodes)?;
            self.index.leaves.clear();
            self.index.leaves.extend_from_slice(&self.node);
        }
        let keep = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        self.index.nodes.truncate(keep(nodes));
        self.index
            .leaves
            .truncate(keep(leaves - nodes * wide(NODE_LEAVES)));
        self.index.marks = marks;
        self.cached_leaf = None;
        self.cached_node = None;
        self.cut_roots(object)
    }

    /// Goes back along the roots to the last one before an object.
    fn cut_roots(&mut self, object: u64) -> Result<(), Error> {
        let mut payload = Vec::new();
        while self.index.inner_root != 0 && self.index.inner_root_object >= object.max(1) {
            let offset = self.index.inner_root;
            let read = self.read_part(offset, Kind::Index(Level::Root), &mut payload)?;
            let previous = read
                .and_then(|frame| Index::decode_root(&payload, offset, frame.object, frame.file))
                .map_or(0, |index| index.inner_root);
            let previous_frame = match previous {
                0 => None,
                _ => self.read_frame(previous)?,
            };
            self.index.inner_root = previous_frame.map_or(0, |_| previous);
            self.index.inner_root_object = previous_frame.map_or(0, |frame| frame.object);
        }
        Ok(())
    }
}

/// One step over the records.
pub(crate) enum Step {
    /// A record at this offset.
    Record(Frame, u64),
    /// Damage, and how many filemarks it cost.
    Gap(Gap, u32),
}

/// Goes over one record or gap; `None` at the end, or where nothing more is found before it.
pub(crate) fn step<S: Store>(walk: &mut Walk, store: &S) -> Result<Option<Step>, Error> {
    let offset = walk.spot.offset;
    let host = |source| Error::host("read", offset, FRAME_BYTES, source);
    match walk.look(store).map_err(host)? {
        Met::Record(frame) => {
            walk.pass(&frame);
            Ok(Some(Step::Record(frame, offset)))
        }
        Met::End => Ok(None),
        Met::Broken => {
            let file = walk.spot.file;
            let gap = walk.resynchronise(store).map_err(host)?;
            Ok(gap.map(|gap| Step::Gap(gap, walk.spot.file - file)))
        }
    }
}

/// Entries for the objects in a gap; which of them were the filemarks can't be known.
pub(crate) fn lost_entries(gap: &Gap, files: u32) -> impl Iterator<Item = Entry> + use<> {
    let offset = gap.offset;
    (0..gap.objects).map(move |place| {
        let kind = if place < u64::from(files) {
            EntryKind::LostFilemark
        } else {
            EntryKind::LostBlock
        };
        Entry::new(offset, kind)
    })
}

/// Where the leaves are that end at or before `end`, found by their own frames.
fn collect<S: Store>(
    mut walk: Walk,
    store: &S,
    marks: Marks,
    end: u64,
) -> Result<Vec<Branch>, Error> {
    let mut index = Index::new();
    index.marks = marks;
    index.partial.first = marks;
    let mut found = Vec::new();
    while walk.spot.object < end || index.leaf_is_due() {
        let Some(step) = step(&mut walk, store)? else {
            break;
        };
        match step {
            Step::Gap(gap, files) => {
                for entry in lost_entries(&gap, files) {
                    index.push(entry);
                    found.append(&mut index.leaves);
                }
            }
            Step::Record(..) => feed(&mut index, &step),
        }
        found.append(&mut index.leaves);
        if walk.spot.object > end {
            break;
        }
    }
    found.append(&mut index.leaves);
    Ok(found)
}

/// Takes what one step met into an index.
pub(crate) fn feed(index: &mut Index, step: &Step) {
    match step {
        Step::Gap(gap, files) => lost_entries(gap, *files).for_each(|entry| index.push(entry)),
        Step::Record(frame, offset) => match frame.kind {
            Kind::Index(Level::Leaf) if index.leaf_is_due() => index.leaf_recorded(*offset),
            Kind::Index(Level::Node) if index.node_is_due() => index.node_recorded(*offset),
            Kind::Index(Level::Root) => {
                index.inner_root = *offset;
                index.inner_root_object = frame.object;
            }
            kind => {
                if let Some(entry) = Entry::of(kind, *offset) {
                    index.push(entry);
                }
            }
        },
    }
}

/// Reads a record's payload; `false` where it fails its check.
pub(crate) fn read_payload<S: Store>(
    store: &S,
    frame: &Frame,
    offset: u64,
    payload: &mut Vec<u8>,
) -> Result<bool, Error> {
    let Ok(length) = usize::try_from(frame.length) else {
        return Ok(false);
    };
    let start = offset + FRAME_BYTES;
    payload.clear();
    // The frame says how long it is, whatever memory there is.
    if payload.try_reserve_exact(length).is_err() {
        let source = std::io::ErrorKind::OutOfMemory.into();
        return Err(Error::host("read", start, u64::from(frame.length), source));
    }
    payload.resize(length, 0);
    let count = store
        .read_at(payload, start)
        .map_err(|source| Error::host("read", start, u64::from(frame.length), source))?;
    Ok(count == length && crc32fast::hash(payload) == frame.payload_crc)
}
