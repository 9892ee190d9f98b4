//! What changes a volume, as a value that every leg can be given.

use pseudotape_tape::{BlockLimits, Done, Drive, EraseExtent, Failed, Mark, Transfer, WriteMode};

use crate::late::Kind;

/// A change of the volume at the place where the tape is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    Blocks(Transfer, &'a [u8]),
    Extend(&'a [u8]),
    Marks(Mark, u32, WriteMode),
    Erase(EraseExtent),
}

impl<'a> Change<'a> {
    pub(crate) fn run(&self, drive: &mut dyn Drive) -> Result<Done, Failed> {
        match *self {
            Change::Blocks(transfer, data) => drive.write(transfer, data),
            Change::Extend(data) => drive.extend(data),
            Change::Marks(mark, count, mode) => drive.write_marks(mark, count, mode),
            Change::Erase(extent) => drive.erase(extent),
        }
    }

    /// How many objects it makes.
    pub(crate) fn units(&self) -> u64 {
        match *self {
            Change::Blocks(Transfer::Variable, _) => 1,
            Change::Blocks(Transfer::Fixed(size), data) => {
                data.len() as u64 / u64::from(size.get())
            }
            Change::Marks(_, count, _) => count.into(),
            Change::Extend(_) | Change::Erase(_) => 0,
        }
    }

    /// What a complete answer counts.
    pub(crate) fn whole_count(&self) -> u64 {
        match self {
            Change::Extend(_) => 1,
            other => other.units(),
        }
    }

    /// Whether it is only a commit.
    pub(crate) fn changes_nothing(&self) -> bool {
        matches!(self, Change::Marks(_, 0, _))
    }

    pub(crate) fn data(&self) -> &'a [u8] {
        match *self {
            Change::Blocks(_, data) | Change::Extend(data) => data,
            Change::Marks(..) | Change::Erase(_) => &[],
        }
    }

    /// One of its objects alone; a commit comes with the last one.
    pub(crate) fn unit(&self, number: u64) -> Change<'a> {
        match *self {
            Change::Blocks(Transfer::Fixed(size), data) => {
                let size = size.get() as usize;
                let start = usize::try_from(number).map_or(data.len(), |n| n * size);
                let part = data.get(start..start + size).unwrap_or_default();
                Change::Blocks(Transfer::Variable, part)
            }
            Change::Marks(mark, count, mode) => {
                let last = number + 1 == u64::from(count);
                let mode = if last { mode } else { WriteMode::Immediate };
                Change::Marks(mark, 1, mode)
            }
            other => other,
        }
    }

    /// What a queue keeps of it, beside its data; `None` where it can't wait.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match *self {
            Change::Blocks(transfer, _) => Some(Kind::Blocks(transfer)),
            Change::Marks(mark, count, mode) => Some(Kind::Marks(mark, count, mode)),
            Change::Erase(extent) => Some(Kind::Erase(extent)),
            Change::Extend(_) => None,
        }
    }

    /// Whether its blocks are of lengths that these limits allow.
    pub(crate) fn is_within(&self, limits: BlockLimits) -> bool {
        let Change::Blocks(transfer, data) = self else {
            return true;
        };
        let size = match transfer {
            Transfer::Variable => data.len(),
            Transfer::Fixed(size) => size.get() as usize,
        };
        data.len().is_multiple_of(size.max(1)) && takes(limits, size as u64)
    }
}

/// Whether these limits allow a block of this length.
pub(crate) fn takes(limits: BlockLimits, length: u64) -> bool {
    limits.contain(length) && length.is_multiple_of(u64::from(limits.granularity_bytes.max(1)))
}
