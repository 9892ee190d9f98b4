//! What changes a volume, as a value that every leg can be given.

use pseudotape_tape::{BlockLimits, Done, Drive, EraseExtent, Failed, Motion, Transfer, WriteMode};

/// An operation that changes the volume where the tape is, without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Blocks(Transfer),
    Extend,
    /// Writes marks or erases. Other motions change nothing and are never here.
    Motion(Motion),
}

/// An operation and its data. The data belongs to the caller or to an entry of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) operation: Operation,
    /// Empty where no block is written.
    pub(crate) data: &'a [u8],
}

impl<'a> Change<'a> {
    pub(crate) fn blocks(transfer: Transfer, data: &'a [u8]) -> Self {
        Change {
            operation: Operation::Blocks(transfer),
            data,
        }
    }

    /// Lengthens the last block.
    pub(crate) fn extend(data: &'a [u8]) -> Self {
        Change {
            operation: Operation::Extend,
            data,
        }
    }

    /// Writes marks or erases.
    pub(crate) fn motion(motion: Motion) -> Self {
        Change {
            operation: Operation::Motion(motion),
            data: &[],
        }
    }

    /// Makes the end of data here.
    pub(crate) fn cut() -> Self {
        Change::motion(Motion::Erase(EraseExtent::Short))
    }

    pub(crate) fn run(&self, drive: &mut dyn Drive) -> Result<Done, Failed> {
        match self.operation {
            Operation::Blocks(transfer) => drive.write(transfer, self.data),
            Operation::Extend => drive.extend(self.data),
            Operation::Motion(motion) => drive.execute(motion),
        }
    }

    /// How many bytes of blocks the change has.
    pub(crate) fn bytes(&self) -> u64 {
        self.data.len() as u64
    }

    /// How many objects the change makes.
    pub(crate) fn units(&self) -> u64 {
        match self.operation {
            Operation::Blocks(Transfer::Variable) => 1,
            Operation::Blocks(Transfer::Fixed(size)) => self.bytes() / u64::from(size.get()),
            Operation::Motion(Motion::WriteMarks { count, .. }) => count.into(),
            Operation::Extend | Operation::Motion(_) => 0,
        }
    }

    /// What a complete answer counts.
    pub(crate) fn whole_count(&self) -> u64 {
        match self.operation {
            Operation::Extend => 1,
            Operation::Blocks(_) | Operation::Motion(_) => self.units(),
        }
    }

    /// How many bytes the first so many of the objects have.
    pub(crate) fn bytes_of(&self, objects: u64) -> u64 {
        match self.operation {
            Operation::Blocks(Transfer::Fixed(size)) => objects.saturating_mul(size.get().into()),
            Operation::Blocks(Transfer::Variable) if objects > 0 => self.bytes(),
            Operation::Blocks(_) | Operation::Extend | Operation::Motion(_) => 0,
        }
    }

    /// Whether the change makes objects.
    pub(crate) fn makes_objects(&self) -> bool {
        self.units() > 0
    }

    /// Whether the change is only a commit (marks with a count of 0).
    pub(crate) fn changes_nothing(&self) -> bool {
        matches!(
            self.operation,
            Operation::Motion(Motion::WriteMarks { count: 0, .. })
        )
    }

    /// Whether everything is on stable storage when the change is done.
    pub(crate) fn commits(&self) -> bool {
        let mode = match self.operation {
            Operation::Motion(Motion::WriteMarks { mode, .. }) => mode,
            Operation::Blocks(_) | Operation::Extend | Operation::Motion(_) => WriteMode::Immediate,
        };
        mode == WriteMode::Commit
    }

    pub(crate) fn is_extension(&self) -> bool {
        self.operation == Operation::Extend
    }

    pub(crate) fn is_blocks(&self) -> bool {
        matches!(self.operation, Operation::Blocks(_))
    }

    pub(crate) fn is_erasure(&self) -> bool {
        matches!(self.operation, Operation::Motion(Motion::Erase(_)))
    }

    /// The change that makes one of the objects alone. Only the last one commits.
    pub(crate) fn unit(&self, number: u64) -> Change<'a> {
        match self.operation {
            Operation::Blocks(Transfer::Fixed(size)) => {
                let mut parts = self.data.chunks(size.get() as usize);
                let part = usize::try_from(number).ok().and_then(|n| parts.nth(n));
                Change::blocks(Transfer::Variable, part.unwrap_or_default())
            }
            Operation::Motion(Motion::WriteMarks { mark, count, mode }) => {
                let is_last = number.saturating_add(1) == u64::from(count);
                let mode = if is_last { mode } else { WriteMode::Immediate };
                let count = 1;
                Change::motion(Motion::WriteMarks { mark, count, mode })
            }
            Operation::Blocks(Transfer::Variable) | Operation::Extend | Operation::Motion(_) => {
                *self
            }
        }
    }

    /// Whether these limits allow the lengths of the blocks.
    pub(crate) fn is_within(&self, limits: BlockLimits) -> bool {
        let size = match self.operation {
            Operation::Blocks(Transfer::Variable) => self.data.len(),
            Operation::Blocks(Transfer::Fixed(size)) => size.get() as usize,
            Operation::Extend | Operation::Motion(_) => return true,
        };
        self.data.len().is_multiple_of(size.max(1)) && takes(limits, size as u64)
    }
}

/// Whether these limits allow a block of this length.
pub(crate) fn takes(limits: BlockLimits, length: u64) -> bool {
    limits.contain(length) && length.is_multiple_of(u64::from(limits.granularity_bytes.max(1)))
}
