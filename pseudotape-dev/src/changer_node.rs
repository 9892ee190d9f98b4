//! The node of a changer: SCSI commands by `SG_IO`, and the requests of the kernel's `ch` driver.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pseudotape_chardev::{
    CallTrouble, Caller, CharDevice, Errno, Handle, IoctlAreas, IoctlRequest, Opened, Told,
    Unmeasured,
};
use pseudotape_rack::{ByHand, LendsChanger};
use pseudotape_scsi::{ChangerUnit, DeviceType, Nexus, Program, Reason, Reply, SenseKey};

use crate::chio;
use crate::sg::{self, Sg};

/// A changer behind a host adapter sees one initiator, whatever program uses it, and so does this one: what one program
/// has reserved, others can use. News is told to each open file.
const HOST: Nexus = Nexus(0);

/// No open file has this number.
const NOBODY: Handle = Handle(0);

/// A unit, and what of the operator's changes it has told.
#[derive(Default)]
struct Unit {
    unit: ChangerUnit,
    told: ByHand,
}

/// The node `pmch0` and so on.
pub struct ChangerNode {
    name: String,
    owner: Arc<dyn LendsChanger>,
    unit: Mutex<Unit>,
    sg: Sg,
    next_handle: AtomicU64,
}

impl ChangerNode {
    /// The node of that name and number.
    #[must_use]
    pub fn new(name: String, number: u32, owner: Arc<dyn LendsChanger>) -> Self {
        ChangerNode {
            name,
            owner,
            unit: Mutex::default(),
            sg: Sg::new(DeviceType::Changer, number),
            next_handle: AtomicU64::new(1),
        }
    }

    /// The unit, with the news up to now.
    fn unit(&self) -> MutexGuard<'_, Unit> {
        let mut unit = self.unit.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.owner.by_hand();
        if now.import_export != unit.told.import_export {
            unit.unit.tell_all(Reason::IMPORT_EXPORT_ACCESSED);
        }
        if now.slots != unit.told.slots {
            unit.unit.tell_all(Reason::MEDIUM_MAY_HAVE_CHANGED);
        }
        unit.told = now;
        unit
    }

    fn execute(&self, handle: Handle, cdb: &[u8]) -> Reply {
        let mut unit = self.unit();
        let program = Program(handle.0);
        let mut reply = Reply::default();
        self.owner
            .lend(&mut |changer| reply = unit.unit.execute(HOST, program, cdb, changer));
        if let Some(sense) = reply.sense {
            log::debug!("{}: {cdb:02x?}: {sense}", self.name);
        }
        reply
    }

    /// For the requests of `ch`: that driver hears the news itself, and gives the command again.
    fn execute_past_news(&self, handle: Handle, cdb: &[u8]) -> Reply {
        loop {
            let reply = self.execute(handle, cdb);
            let news = |sense: &pseudotape_scsi::Sense| sense.key == SenseKey::UnitAttention;
            if !reply.sense.as_ref().is_some_and(news) {
                return reply;
            }
        }
    }

    fn reset(&self) -> Result<(), Errno> {
        let mut unit = self.unit();
        let mut done = Ok(());
        self.owner
            .lend(&mut |changer| done = unit.unit.reset(changer));
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
        self.unit().unit.greet(HOST, Program(handle));
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
        self.unit().unit.dismiss(HOST, Program(handle.0));
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
