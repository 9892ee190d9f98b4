//! The node of a changer: SCSI commands by `SG_IO`, and the requests of the kernel's `ch` driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pseudotape_chardev::{
    CallTrouble, Caller, CharDevice, Errno, Handle, IoctlAreas, IoctlRequest, Opened, Told,
    Unmeasured,
};
use pseudotape_rack::{LendsChanger, LentUnit};
use pseudotape_scsi::{DeviceType, Program, Reply};

use crate::chio;
use crate::sg::{self, Sg};

/// No open file has this number.
const NOBODY: Handle = Handle(0);

/// The node `pmch0` and so on. Each open file is a program.
pub struct ChangerNode {
    name: String,
    unit: LentUnit,
    sg: Sg,
    next_handle: AtomicU64,
}

impl ChangerNode {
    /// The node of that name and number.
    #[must_use]
    pub fn new(name: String, number: u32, owner: Arc<dyn LendsChanger>) -> Self {
        ChangerNode {
            name,
            unit: LentUnit::new(owner),
            sg: Sg::new(DeviceType::Changer, number),
            next_handle: AtomicU64::new(1),
        }
    }

    fn execute(&self, handle: Handle, cdb: &[u8]) -> Reply {
        self.unit.execute(Program(handle.0), cdb)
    }

    /// For the requests of `ch`: that driver hears the news itself, and gives the command again.
    fn execute_past_news(&self, handle: Handle, cdb: &[u8]) -> Reply {
        self.unit.execute_past_news(Program(handle.0), cdb)
    }

    fn reset(&self) -> Result<(), Errno> {
        let done = self.unit.reset();
        log::info!("{}: reset", self.name);
        done.map_err(|refusal| {
            log::error!("{}: {refusal}", self.name);
            Errno::EIO
        })
    }
}

impl CharDevice for ChangerNode {
    fn open(&self, _flags: u32, _caller: Caller) -> Result<Opened, Errno> {
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        self.unit.greet(Program(handle));
        Ok(Opened::Open(Handle(handle)))
    }

    fn open_again(&self, handle: Handle) -> Result<Opened, Errno> {
        Ok(Opened::Open(handle))
    }

    fn abandon_open(&self, _handle: Handle) -> Errno {
        Errno::EINTR
    }

    fn read(&self, _handle: Handle, _buffer: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    fn check_write(&self, _handle: Handle, _length_bytes: usize) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    fn write(&self, _handle: Handle, _data: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    fn extend(&self, _handle: Handle, _data: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    fn unmeasured(&self, _handle: Handle) -> Unmeasured {
        Unmeasured::Stream { block_bytes: 1 }
    }

    fn note(&self, _handle: Handle, trouble: CallTrouble, _told: Told) {
        log::debug!("{}: {trouble}", self.name);
    }

    fn ioctl(
        &self,
        handle: Handle,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
    ) -> Result<i32, Errno> {
        if sg::is_reset(request.command) {
            return sg::reset(request, || self.reset());
        }
        if sg::is_request(request.command) {
            return self
                .sg
                .answer(request, output, |cdb, _data| Ok(self.execute(handle, cdb)));
        }
        if chio::is_request(request.command) {
            let mut execute = |command: &pseudotape_scsi::ChangerCommand| {
                self.execute_past_news(handle, &command.encode())
            };
            return chio::answer(request, output, &mut execute);
        }
        Err(Errno(libc::ENOTTY))
    }

    fn ioctl_areas(&self, request: IoctlRequest<'_>) -> Result<IoctlAreas, Errno> {
        if let Some(areas) = sg::areas(request) {
            return areas;
        }
        // Which open file asks is not known here. MODE SENSE alone is executed, which is the same for all of them.
        let mut execute = |command: &pseudotape_scsi::ChangerCommand| {
            self.execute_past_news(NOBODY, &command.encode())
        };
        chio::areas(request, &mut execute)
    }

    fn flush(&self, _handle: Handle) -> Result<(), Errno> {
        Ok(())
    }

    fn close(&self, handle: Handle) -> Result<(), Errno> {
        self.unit.dismiss(Program(handle.0));
        Ok(())
    }

    fn max_transfer_bytes(&self) -> usize {
        // Nothing is read or written; a call of any length is refused by `read` and `write`.
        usize::MAX
    }

    fn waits_for_others(&self) -> bool {
        false
    }
}
