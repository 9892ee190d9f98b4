//! The requests to the node.

use nix::errno::Errno;
use pseudotape_mtio::{MtGet, Operation};

use crate::state::{DeviceDrive, Flags};

impl DeviceDrive {
    pub(crate) fn operate(&self, operation: Operation, count: i32) -> Result<(), Errno> {
        let node = self.node.as_ref().ok_or(Errno::ENXIO)?;
        node.operate(operation, count)
    }

    pub(crate) fn status(&self) -> Result<MtGet, Errno> {
        let status = self.node.as_ref().ok_or(Errno::ENXIO)?.status()?;
        // MTIOCGET clears the driver's count, so the count is kept here.
        let recovered = self.recovered.get();
        self.recovered
            .set(recovered.saturating_add(status.recovered_errors.into()));
        Ok(status)
    }

    /// Asks the drive for its position.
    pub(crate) fn ask(&self) -> Result<u64, Errno> {
        self.node.as_ref().ok_or(Errno::ENXIO)?.object()
    }

    pub(crate) fn flags(&self) -> Result<Flags, Errno> {
        self.status().map(Flags::from)
    }
}
