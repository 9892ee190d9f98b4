//! Opening a drive, and restoring its node at the end.

use std::cell::Cell;
use std::path::Path;

use pseudotape_mtio::Operation;
use pseudotape_tape::{Access, BlockLimits, Door, Identity, Sense};

use crate::aligned::AlignedBuffer;
use crate::error::Error;
use crate::local::{identity_of, open_tape, refuse_rewinding};
use crate::node::{Opener, TapeNode};
use crate::state::{DeviceDrive, PerMedium, Readiness};

impl DeviceDrive {
    /// Opens a node without moving the tape. This also works for a drive without a medium.
    pub fn open(path: &Path, access: Access) -> Result<Self, Error> {
        refuse_rewinding(path)?;
        let at = path.to_owned();
        let opener = Box::new(move || open_tape(&at, access));
        let mut drive = Self::unopened(path, access, opener);
        drive.identity = identity_of(path);
        let node = (drive.opener)()?;
        drive.adopt(node)?;
        Ok(drive)
    }

    /// Makes a drive of an open tape node on another machine. The name is used in messages. A caller that knows
    /// the block limits passes them, because finding them takes many requests.
    pub fn over(
        name: &str,
        access: Access,
        node: Box<dyn TapeNode>,
        opener: Opener,
        limits: Option<BlockLimits>,
    ) -> Result<Self, Error> {
        let mut drive = Self::unopened(Path::new(name), access, opener);
        drive.identity.vendor = "REMOTE".into();
        drive.limits = limits;
        drive.adopt(node)?;
        Ok(drive)
    }

    fn unopened(path: &Path, access: Access, opener: Opener) -> Self {
        DeviceDrive {
            path: path.to_owned(),
            access,
            identity: Identity::default(),
            opener,
            node: None,
            readiness: Readiness::Not(Sense::NotReady),
            attention: None,
            medium: PerMedium::unknown(),
            limits: None,
            longest_read: usize::MAX,
            expected: 0,
            buffer: AlignedBuffer::default(),
            block_size: 0,
            found_block_size: None,
            buffering: None,
            compression: None,
            door: Door::Unlocked,
            partitions_allowed: false,
            trouble: None,
            recovered: Cell::new(0),
        }
    }
}

impl Drop for DeviceDrive {
    fn drop(&mut self) {
        if self.medium.dirty {
            // A drop can't return an error. A caller that needs the result commits before.
            self.commit().ok();
        }
        self.count_for_others();
        if let Some(size) = self
            .found_block_size
            .and_then(|size| i32::try_from(size).ok())
        {
            // Restores the block size of the node. A drive that refuses it stays in variable block mode.
            self.operate(Operation::SetBlockSize, size).ok();
        }
        if self.door == Door::Locked {
            // st keeps the door locked after a close, and no program would unlock it.
            self.operate(Operation::Unlock, 1).ok();
        }
        self.disallow_partitions();
        self.close();
    }
}
