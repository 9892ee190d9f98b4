use std::fmt;

use nix::errno::Errno;
use pseudotape_mtio::{MtGet, Operation};

use crate::error::Error;

/// An open tape node, on this machine or on another one. [`DeviceDrive`](crate::DeviceDrive) uses a drive
/// through it. Errors are those of the system calls.
pub trait TapeNode: Send + fmt::Debug {
    /// `read(2)`.
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// `write(2)`.
    fn write(&self, data: &[u8]) -> Result<usize, Errno>;

    /// `MTIOCTOP`.
    fn operate(&self, operation: Operation, count: i32) -> Result<(), Errno>;

    /// `MTIOCGET`.
    fn status(&self) -> Result<MtGet, Errno>;

    /// `MTIOCPOS`: the number of the next object.
    fn object(&self) -> Result<u64, Errno>;

    /// Cancels what the driver would do at close: write a filemark after a write, or move the tape after a
    /// read.
    ///
    /// Any operation does that, even one that the driver does not know (`st_ioctl`: `STps->rw = ST_IDLE`). No
    /// command reaches the drive. If an error of an earlier write appears here, it is returned.
    fn cancel_filemark(&self) -> Result<(), Errno> {
        match self.operate(Operation::Tell, 0) {
            // st returns ENOSYS. On FUSE and CUSE nodes the kernel turns it into ENOTTY.
            Ok(()) | Err(Errno::ENOSYS | Errno::ENOTTY | Errno::EINVAL) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Writes, then cancels the driver's pending filemark. There is one even after a write that found no room.
    fn write_unmarked(&self, data: &[u8]) -> Result<usize, Errno> {
        let written = self.write(data);
        let cancelled = self.cancel_filemark();
        let written = written?;
        // An error here belongs to the write.
        cancelled?;
        Ok(written)
    }

    /// Closes the node and returns the result of `close(2)`. Dropping the node closes it too.
    fn close(self: Box<Self>) -> Result<(), Errno> {
        Ok(())
    }
}

/// Opens the same node again: st asks a drive whether it is ready only at an open.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn TapeNode>, Error> + Send>;
