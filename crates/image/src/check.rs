//! Checking what reading does not meet: the index. And trying everything on bytes of unknown origin.

use pseudotape_tape::{Mark, ObjectNumber};

use crate::error::Error;
use crate::file_store::Access;
use crate::frame::{Frame, Kind, Level};
use crate::image::Image;
use crate::index::{Branch, Leaf, decode_branches};
use crate::layout::{LEAF_OBJECTS_U64, NODE_LEAVES, NODE_OBJECTS_U64, wide};
use crate::memory_store::MemoryStore;
use crate::read::Object;
use crate::store::Store;

/// A part of the index that is damaged or missing. It costs time, no data: it is made anew when needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexDamage {
    /// The first object that this part is about.
    pub first_object: u64,
    /// How many objects it is about.
    pub objects: u64,
    /// Where it should be; 0 where that is not known.
    pub offset: u64,
}

impl<S: Store> Image<S> {
    /// Checks every part of the index that is in the file. Moves nothing.
    pub fn check_index(&mut self) -> Result<Vec<IndexDamage>, Error> {
        let mut damage = Vec::new();
        let mut payload = Vec::new();
        let mut leaf = Leaf::with_room();
        let mut leaves = Vec::with_capacity(NODE_LEAVES);
        for (number, branch) in (0..).zip(self.index.nodes.clone()) {
            let read = self.read_part(branch.offset, Kind::Index(Level::Node), &mut payload)?;
            let end = (number + 1) * NODE_OBJECTS_U64;
            let whole = ends_at(read, end)
                && decode_branches(&payload, &mut leaves)
                && leaves.len() == NODE_LEAVES;
            if !whole {
                damage.push(IndexDamage {
                    first_object: number * NODE_OBJECTS_U64,
                    objects: NODE_OBJECTS_U64,
                    offset: branch.offset,
                });
            }
        }
        for number in 0..self.index.leaf_count() {
            let Branch { offset, .. } = self.leaf_branch(number)?;
            let read = self.read_part(offset, Kind::Index(Level::Leaf), &mut payload)?;
            let whole = ends_at(read, (number + 1) * LEAF_OBJECTS_U64) && leaf.decode(&payload);
            if !whole {
                damage.push(IndexDamage {
                    first_object: number * LEAF_OBJECTS_U64,
                    objects: LEAF_OBJECTS_U64,
                    offset,
                });
            }
        }
        Ok(damage)
    }
}

fn ends_at(read: Option<Frame>, object: u64) -> bool {
    read.is_some_and(|frame| frame.object == object)
}

/// Opens bytes as an image and reads, spaces and writes all over it: the entry of the fuzz target.
///
/// Whatever the bytes are, this ends, and nothing panics.
///
/// # Panics
///
/// Where an invariant does not hold: a place behind the end of data, a motion that does not move on, or an
/// image that after writing does not open again.
pub fn fuzz_open(bytes: &[u8]) {
    let Ok((mut image, _)) = Image::open(MemoryStore::new(bytes.to_vec()), Access::ReadWrite)
    else {
        return;
    };
    let mut buffer = [0; 4096];
    let objects = image.end_of_data().object.0;
    let mut last = None;
    loop {
        let place = image.place().object.0;
        assert!(last < Some(place) && place <= objects, "reading moves on");
        last = Some(place);
        match image.read_object(&mut buffer) {
            Ok(Object::EndOfData) => break,
            Ok(Object::Block { .. } | Object::Filemark | Object::Setmark) => {}
            Err(error) => assert!(error.is_damage(), "{error}"),
        }
    }
    let step = i64::try_from(objects / 7 + 1).unwrap_or(i64::MAX);
    for count in [-1, -step, 1, step, i64::MIN, i64::MAX] {
        drop(image.space_blocks(count));
        for mark in [Mark::Filemark, Mark::Setmark] {
            drop(image.space_marks(mark, count));
        }
        assert!(image.place().object.0 <= objects);
    }
    drop(image.check_index());
    for object in [objects / 2, objects / 3, objects.saturating_sub(1)] {
        drop(image.locate(ObjectNumber(object)));
        drop(image.objects_since_filemark());
        drop(image.look_ahead());
    }
    drop(image.locate(ObjectNumber(objects / 2)));
    if image.append_block(b"behind damage").is_ok() && image.append_marks(Mark::Filemark, 1).is_ok()
    {
        let end = image.end_of_data();
        if let Ok(store) = image.finish() {
            let (again, _) = Image::open(store, Access::ReadOnly).expect("what was finished opens");
            assert_eq!(again.end_of_data(), end);
            assert!(wide(again.label().len()) <= 3 * wide(crate::LABEL_BYTES));
        }
    }
}
