//! The index: where objects are. Derived from the frames, never the only witness.

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::frame::Kind;
use crate::layout::{
    FRAME_BYTES, LEAF_OBJECTS, LEAF_OBJECTS_U64, NODE_LEAVES, NODE_OBJECTS_U64, RECORDS_OFFSET,
    ROOT_INTERVAL_OBJECTS, wide,
};

/// Where a leaf or node is, and what lies before it, as it lies in the file.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct BranchBytes {
    pub offset: U64,
    pub first_file: U32,
    pub first_setmark: U32,
}

/// Beginning of a leaf's payload; 512 entries follow.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct LeafBytes {
    pub first_file: U32,
    pub first_setmark: U32,
}

/// Beginning of a root's payload; nodes, leaves, entries and the root's own offset follow.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct RootBytes {
    pub previous_root: U64,
    pub node_count: U32,
    pub leaf_count: U32,
    pub entry_count: U32,
    pub setmarks: U32,
    pub first_file: U32,
    pub first_setmark: U32,
}

const _: () = assert!(
    size_of::<BranchBytes>() == 16 && size_of::<LeafBytes>() == 8 && size_of::<RootBytes>() == 32
);

/// Marks before a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub files: u32,
    pub setmarks: u32,
}

/// Where a leaf or node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its frame; 0: not known, to be made anew from the frames.
    pub offset: u64,
    /// Marks before its first object.
    pub first: Marks,
}

/// What an entry points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    Block,
    Filemark,
    Setmark,
    /// Lost in a gap that begins at the entry's offset.
    LostBlock,
    /// Lost in a gap, but known to be a filemark by the file number behind.
    LostFilemark,
}

/// Where an object is and what it is: offset in the lower 56 bits, kind in the upper 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(u64);

const OFFSET_BITS: u32 = 56;

impl Entry {
    pub fn new(offset: u64, kind: EntryKind) -> Self {
        let code = match kind {
            EntryKind::Block => 1,
            EntryKind::Filemark => 2,
            EntryKind::Setmark => 3,
            EntryKind::LostBlock => 0x81,
            EntryKind::LostFilemark => 0x82,
        };
        Entry((offset & ((1 << OFFSET_BITS) - 1)) | code << OFFSET_BITS)
    }

    /// `None` for what is no object.
    pub fn of(kind: Kind, offset: u64) -> Option<Self> {
        let kind = match kind {
            Kind::Block | Kind::BadBlock => EntryKind::Block,
            Kind::Filemark => EntryKind::Filemark,
            Kind::Setmark => EntryKind::Setmark,
            Kind::Index(_) | Kind::EndOfData | Kind::Optional => return None,
        };
        Some(Entry::new(offset, kind))
    }

    pub fn offset(self) -> u64 {
        self.0 & ((1 << OFFSET_BITS) - 1)
    }

    /// An unknown kind counts as a lost block: reading there tells the truth.
    pub fn kind(self) -> EntryKind {
        match self.0 >> OFFSET_BITS {
            1 => EntryKind::Block,
            2 => EntryKind::Filemark,
            3 => EntryKind::Setmark,
            0x82 => EntryKind::LostFilemark,
            _ => EntryKind::LostBlock,
        }
    }

    pub fn is_filemark(self) -> bool {
        matches!(self.kind(), EntryKind::Filemark | EntryKind::LostFilemark)
    }

    pub fn is_setmark(self) -> bool {
        self.kind() == EntryKind::Setmark
    }
}

/// Up to 512 entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaf {
    pub first: Marks,
    pub entries: Vec<Entry>,
}

impl Leaf {
    pub fn with_room() -> Self {
        Leaf {
            first: Marks::default(),
            entries: Vec::with_capacity(LEAF_OBJECTS),
        }
    }

    /// Marks before the entry at `place`.
    pub fn marks_before(&self, place: usize) -> Marks {
        let mut marks = self.first;
        for entry in self.entries.iter().take(place) {
            marks.count(*entry);
        }
        marks
    }

    pub fn set(&mut self, other: &Leaf) {
        self.first = other.first;
        self.entries.clear();
        self.entries.extend_from_slice(&other.entries);
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let first = LeafBytes {
            first_file: self.first.files.into(),
            first_setmark: self.first.setmarks.into(),
        };
        out.extend_from_slice(first.as_bytes());
        encode_entries(&self.entries, out);
    }

    /// Takes a leaf's payload; `false` where it can't be one.
    pub fn decode(&mut self, payload: &[u8]) -> bool {
        self.entries.clear();
        let Ok((first, rest)) = LeafBytes::read_from_prefix(payload) else {
            return false;
        };
        let Ok(entries) = <[U64]>::ref_from_bytes(rest) else {
            return false;
        };
        self.first = Marks {
            files: first.first_file.get(),
            setmarks: first.first_setmark.get(),
        };
        self.entries.extend(
            entries
                .iter()
                .take(LEAF_OBJECTS)
                .map(|raw| Entry(raw.get())),
        );
        entries.len() == LEAF_OBJECTS
    }
}

impl Marks {
    pub fn count(&mut self, entry: Entry) {
        self.files = self.files.saturating_add(u32::from(entry.is_filemark()));
        self.setmarks = self.setmarks.saturating_add(u32::from(entry.is_setmark()));
    }
}

fn encode_entries(entries: &[Entry], out: &mut Vec<u8>) {
    for entry in entries {
        out.extend_from_slice(&entry.0.to_le_bytes());
    }
}

pub fn encode_branches(branches: &[Branch], out: &mut Vec<u8>) {
    for branch in branches {
        let bytes = BranchBytes {
            offset: branch.offset.into(),
            first_file: branch.first.files.into(),
            first_setmark: branch.first.setmarks.into(),
        };
        out.extend_from_slice(bytes.as_bytes());
    }
}

/// Takes the branches in a payload; `false` where they can't be some.
pub fn decode_branches(payload: &[u8], branches: &mut Vec<Branch>) -> bool {
    branches.clear();
    let Ok(raw) = <[BranchBytes]>::ref_from_bytes(payload) else {
        return false;
    };
    branches.extend(raw.iter().map(|raw| Branch {
        offset: raw.offset.get(),
        first: Marks {
            files: raw.first_file.get(),
            setmarks: raw.first_setmark.get(),
        },
    }));
    true
}

/// What is held of the index of an open image: all nodes' places, and what no node has yet.
#[derive(Clone, Debug)]
pub struct Index {
    pub nodes: Vec<Branch>,
    /// Leaves that no node has yet.
    pub leaves: Vec<Branch>,
    /// Entries that no leaf has yet.
    pub partial: Leaf,
    /// Marks up to the end of data.
    pub marks: Marks,
    /// The newest root among the records; 0: none.
    pub inner_root: u64,
    /// The object that followed it.
    pub inner_root_object: u64,
}

impl Index {
    pub fn new() -> Self {
        Index {
            nodes: Vec::new(),
            leaves: Vec::with_capacity(NODE_LEAVES),
            partial: Leaf::with_room(),
            marks: Marks::default(),
            inner_root: 0,
            inner_root_object: 0,
        }
    }

    /// Leaves that are complete.
    pub fn leaf_count(&self) -> u64 {
        wide(self.nodes.len()) * wide(NODE_LEAVES) + wide(self.leaves.len())
    }

    /// Objects that the index knows.
    pub fn object_count(&self) -> u64 {
        self.leaf_count() * LEAF_OBJECTS_U64 + wide(self.partial.entries.len())
    }

    pub fn leaf_is_due(&self) -> bool {
        self.partial.entries.len() >= LEAF_OBJECTS
    }

    pub fn node_is_due(&self) -> bool {
        self.leaves.len() >= NODE_LEAVES
    }

    /// Whether enough objects came since the last root; rarer as roots grow, so that their share stays small.
    pub fn root_is_due(&self) -> bool {
        let interval = ROOT_INTERVAL_OBJECTS.max(self.root_bytes() / 2);
        self.partial.entries.is_empty()
            && self.object_count().saturating_sub(self.inner_root_object) >= interval
    }

    /// Takes the next object. A full leaf that was never recorded counts as one of unknown place.
    pub fn push(&mut self, entry: Entry) {
        if self.leaf_is_due() {
            self.leaf_recorded(0);
        }
        if self.node_is_due() {
            self.node_recorded(0);
        }
        self.partial.entries.push(entry);
        self.marks.count(entry);
    }

    /// The full leaf is recorded at `offset`.
    pub fn leaf_recorded(&mut self, offset: u64) {
        self.leaves.push(Branch {
            offset,
            first: self.partial.first,
        });
        self.partial.entries.clear();
        self.partial.first = self.marks;
    }

    /// The full node is recorded at `offset`.
    pub fn node_recorded(&mut self, offset: u64) {
        let first = self.leaves.first().map_or(self.marks, |leaf| leaf.first);
        self.nodes.push(Branch { offset, first });
        self.leaves.clear();
    }

    fn root_bytes(&self) -> u64 {
        wide(
            size_of::<RootBytes>()
                + (self.nodes.len() + self.leaves.len()) * size_of::<BranchBytes>()
                + self.partial.entries.len() * 8
                + 8,
        )
    }

    /// Makes the payload of a root that will lie at `offset`.
    pub fn encode_root(&self, offset: u64, out: &mut Vec<u8>) {
        let count = |length: usize| U32::new(u32::try_from(length).unwrap_or(u32::MAX));
        let root = RootBytes {
            previous_root: self.inner_root.into(),
            node_count: count(self.nodes.len()),
            leaf_count: count(self.leaves.len()),
            entry_count: count(self.partial.entries.len()),
            setmarks: self.marks.setmarks.into(),
            first_file: self.partial.first.files.into(),
            first_setmark: self.partial.first.setmarks.into(),
        };
        out.extend_from_slice(root.as_bytes());
        encode_branches(&self.nodes, out);
        encode_branches(&self.leaves, out);
        encode_entries(&self.partial.entries, out);
        out.extend_from_slice(&offset.to_le_bytes());
    }

    /// Takes the payload of the root at `offset`, before object `object` in file `file`, where it fits to them.
    pub fn decode_root(payload: &[u8], offset: u64, object: u64, file: u32) -> Option<Self> {
        let (root, rest) = RootBytes::read_from_prefix(payload).ok()?;
        let part = |count: U32, size: usize| usize::try_from(count.get()).ok()?.checked_mul(size);
        let (nodes, rest) =
            rest.split_at_checked(part(root.node_count, size_of::<BranchBytes>())?)?;
        let (leaves, rest) =
            rest.split_at_checked(part(root.leaf_count, size_of::<BranchBytes>())?)?;
        let (entries, own_offset) = rest.split_at_checked(part(root.entry_count, 8)?)?;
        if own_offset != offset.to_le_bytes() {
            return None;
        }
        let mut index = Index::new();
        let readable =
            decode_branches(nodes, &mut index.nodes) && decode_branches(leaves, &mut index.leaves);
        let entries = <[U64]>::ref_from_bytes(entries).ok()?;
        if !readable || index.leaves.len() > NODE_LEAVES || entries.len() > LEAF_OBJECTS {
            return None;
        }
        index.partial.first = Marks {
            files: root.first_file.get(),
            setmarks: root.first_setmark.get(),
        };
        index
            .partial
            .entries
            .extend(entries.iter().map(|raw| Entry(raw.get())));
        index.marks = Marks {
            files: file,
            setmarks: root.setmarks.get(),
        };
        index.inner_root = root.previous_root.get();
        let room = offset.saturating_sub(RECORDS_OFFSET) / FRAME_BYTES;
        let fits = index.object_count() == object && object <= room && index.is_in_order(offset);
        fits.then_some(index)
    }

    /// Whether places and numbers rise, and all lie between the first record and `end`.
    fn is_in_order(&self, end: u64) -> bool {
        let mut last = Marks::default();
        let mut last_offset = RECORDS_OFFSET;
        let branches_rise = self.nodes.iter().chain(&self.leaves).all(|branch| {
            let offset_fits =
                branch.offset == 0 || (last_offset <= branch.offset && branch.offset < end);
            let marks_rise =
                last.files <= branch.first.files && last.setmarks <= branch.first.setmarks;
            last_offset = last_offset.max(branch.offset);
            last = branch.first;
            offset_fits && marks_rise
        });
        let entries_fit = self
            .partial
            .entries
            .iter()
            .all(|entry| RECORDS_OFFSET <= entry.offset() && entry.offset() <= end);
        branches_rise
            && entries_fit
            && self.partial.marks_before(LEAF_OBJECTS) == self.marks
            && self.inner_root < end
    }
}

/// The leaf that has an object, and the object's place in it.
pub fn leaf_of(object: u64) -> (u64, usize) {
    let place = usize::try_from(object % LEAF_OBJECTS_U64).expect("less than 512");
    (object / LEAF_OBJECTS_U64, place)
}

/// The node that has a leaf, and the leaf's place in it.
pub fn node_of(leaf: u64) -> (u64, usize) {
    let leaves = NODE_OBJECTS_U64 / LEAF_OBJECTS_U64;
    let place = usize::try_from(leaf % leaves).expect("less than 512");
    (leaf / leaves, place)
}
