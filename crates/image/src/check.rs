//! Checking what reading does not meet: the index.

use crate::error::Error;
use crate::frame::{Frame, Kind, Level};
use crate::image::Image;
use crate::index::{Branch, Leaf, decode_branches};
use crate::layout::{LEAF_OBJECTS_U64, NODE_LEAVES, NODE_OBJECTS_U64};
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
