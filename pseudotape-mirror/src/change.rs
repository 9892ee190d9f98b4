//! What changes a volume, as a value that every leg can be given.

use pseudotape_tape::{BlockLimits, Done, Drive, EraseExtent, Failed, Motion, Transfer, WriteMode};

/// An operation that changes the volume where the tape is, without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Blocks(Transfer),
    Extend,
    /// Writes marks or erases. Other motions change nothing and are never here.
    Motion(Motion),
}

/// A deed and its data. The data belongs to the caller or to an entry of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) deed: Deed,
    /// Empty where no block is written.
    pub(crate) data: &'a [u8],
}

impl<'a> Change<'a> {
    pub(crate) fn blocks(transfer: Transfer, data: &'a [u8]) -> Self {
        Change {
            deed: Deed::Blocks(transfer),
            data,
        }
    }

    /// Lengthens the last block.
    pub(crate) fn extend(data: &'a [u8]) -> Self {
        Change {
            deed: Deed::Extend,
            data,
        }
    }

    /// Writes marks or erases.
    pub(crate) fn motion(motion: Motion) -> Self {
        Change {
            deed: Deed::Motion(motion),
            data: &[],
        }
    }

    /// Makes the end of data here.
    pub(crate) fn cut() -> Self {
        Change::motion(Motion::Erase(EraseExtent::Short))
    }

    pub(crate) fn run(&self, drive: &mut dyn Drive) -> Result<Done, Failed> {
        match self.deed {
            Deed::Blocks(transfer) => drive.write(transfer, self.data),
            Deed::Extend => drive.extend(self.data),
            Deed::Motion(motion) => drive.execute(motion),
        }
    }

    /// How many bytes of blocks the change has.
    pub(crate) fn bytes(&self) -> u64 {
        self.data.len() as u64
    }

    /// How many objects the change makes.
    pub(crate) fn units(&self) -> u64 {
        match self.deed {
            Deed::Blocks(Transfer::Variable) => 1,
            Deed::Blocks(Transfer::Fixed(size)) => self.bytes() / u64::from(size.get()),
            Deed::Motion(Motion::WriteMarks { count, .. }) => count.into(),
            Deed::Extend | Deed::Motion(_) => 0,
        }
    }

    /// What a complete answer counts.
    pub(crate) fn whole_count(&self) -> u64 {
        match self.deed {
            Deed::Extend => 1,
            Deed::Blocks(_) | Deed::Motion(_) => self.units(),
        }
    }

    /// How many bytes the first so many of the objects have.
    pub(crate) fn bytes_of(&self, objects: u64) -> u64 {
        match self.deed {
            Deed::Blocks(Transfer::Fixed(size)) => objects.saturating_mul(size.get().into()),
            Deed::Blocks(Transfer::Variable) if objects > 0 => self.bytes(),
            Deed::Blocks(_) | Deed::Extend | Deed::Motion(_) => 0,
        }
    }

    /// Whether the change makes objects.
    pub(crate) fn makes_objects(&self) -> bool {
        self.units() > 0
    }

    /// Whether the change is only a commit (marks with a count of 0).
    pub(crate) fn changes_nothing(&self) -> bool {
        matches!(self.deed, Deed::Motion(Motion::WriteMarks { count: 0, .. }))
    }

    /// Whether everything is on stable storage when the change is done.
    pub(crate) fn commits(&self) -> bool {
        let mode = match self.deed {
            Deed::Motion(Motion::WriteMarks { mode, .. }) => mode,
            Deed::Blocks(_) | Deed::Extend | Deed::Motion(_) => WriteMode::Immediate,
        };
        mode == WriteMode::Commit
    }

    pub(crate) fn is_extension(&self) -> bool {
        self.deed == Deed::Extend
    }

    pub(crate) fn is_blocks(&self) -> bool {
        matches!(self.deed, Deed::Blocks(_))
    }

    pub(crate) fn is_erasure(&self) -> bool {
        matches!(self.deed, Deed::Motion(Motion::Erase(_)))
    }

    /// The change that makes one of the objects alone. Only the last one commits.
    pub(crate) fn unit(&self, number: u64) -> Change<'a> {
        match self.deed {
            Deed::Blocks(Transfer::Fixed(size)) => {
                let mut parts = self.data.chunks(size.get() as usize);
                let part = usize::try_from(number).ok().and_then(|n| parts.nth(n));
                Change::blocks(Transfer::Variable, part.unwrap_or_default())
            }
            Deed::Motion(Motion::WriteMarks { mark, count, mode }) => {
                let is_last = number.saturating_add(1) == u64::from(count);
                let mode = if is_last { mode } else { WriteMode::Immediate };
                let count = 1;
                Change::motion(Motion::WriteMarks { mark, count, mode })
            }
            Deed::Blocks(Transfer::Variable) | Deed::Extend | Deed::Motion(_) => *self,
        }
    }

    /// Whether these limits allow the lengths of the blocks.
    pub(crate) fn is_within(&self, limits: BlockLimits) -> bool {
        let size = match self.deed {
            Deed::Blocks(Transfer::Variable) => self.data.len(),
            Deed::Blocks(Transfer::Fixed(size)) => size.get() as usize,
            Deed::Extend | Deed::Motion(_) => return true,
        };
        self.data.len().is_multiple_of(size.max(1)) && takes(limits, size as u64)
    }
}

/// Whether these limits allow a block of this length.
pub(crate) fn takes(limits: BlockLimits, length: u64) -> bool {
    limits.contain(length) && length.is_multiple_of(u64::from(limits.granularity_bytes.max(1)))
}
