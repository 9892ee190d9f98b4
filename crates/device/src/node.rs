use std::fmt;

use nix::errno::Errno;
use pseudotape_mtio::{MtGet, Operation};

use crate::error::Error;

/// An open tape as st shows it, here or on another machine: what [`DeviceDrive`](crate::DeviceDrive) gets the truth
/// out of. Errors are those of the system calls.
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

    /// Makes the driver forget that it owes a filemark for what was written, or a motion for what was read.
    ///
    /// Any operation does that, also one that it doesn't know (`st_ioctl`: `STps->rw = ST_IDLE`); the
    /// drive hears nothing of it. An error of an earlier write that comes out here is given back.
    fn cancel_filemark(&self) -> Result<(), Errno> {
        match self.operate(Operation::Tell, 0) {
            // st says ENOSYS, of which the kernel makes ENOTTY on FUSE and CUSE nodes.
            Ok(()) | Err(Errno::ENOSYS | Errno::ENOTTY | Errno::EINVAL) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Writes, and makes the driver owe no filemark for it, as it does also for a write that found no room.
    fn write_unmarked(&self, data: &[u8]) -> Result<usize, Errno> {
        let written = self.write(data);
        let cancelled = self.cancel_filemark();
        let written = written?;
        // An error here is the write's.
        cancelled?;
        Ok(written)
    }

    /// Closes it, and says what `close(2)` says; dropping it closes it too.
    fn close(self: Box<Self>) -> Result<(), Errno> {
        Ok(())
    }
}

/// Opens the same tape again: only then does st ask its drive whether it is ready.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn TapeNode>, Error> + Send>;
