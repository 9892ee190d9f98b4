//! A tape node in this process: our st over an image in memory. Tests can set the result of a system call in
//! advance.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};

use nix::errno::Errno;
use pseudotape_device::{Access, DeviceDrive, Error, TapeNode};
use pseudotape_drive::{Cartridge, ImageDrive, MemoryMedium, Overrides, Personality};
use pseudotape_mtio::{MtGet, MtOp, Operation};
use pseudotape_st::{Caller, Node, OpenFlags, Options, St};
use pseudotape_tape::{
    Address, BlockLimits, Done, Drive, Failed, Mark, ObjectNumber, ReadDone, Transfer, WriteMode,
};
use pseudotape_testkit::{SuiteMedium, cartridge_on};

/// A system call of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Read,
    Write,
    Status,
    Object,
    Operate(Operation),
}

/// The result that replaces the one of a system call, and whether the drive does the operation nevertheless.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub call: Call,
    pub errno: Errno,
    pub is_done: bool,
    /// Number of calls of this kind that succeed before.
    pub after: u32,
    /// Number of calls with this result; `u32::MAX`: all.
    pub times: u32,
}

pub struct World {
    st: St,
    pub drive: ImageDrive<MemoryMedium>,
    pub faults: Vec<Fault>,
    /// The operations that the driver got, with their counts.
    pub operations: Vec<(Operation, i32)>,
    /// The lengths of the buffers of reads.
    pub reads: Vec<usize>,
    /// Changes a status before it is returned.
    pub status: Option<fn(&mut MtGet)>,
    /// The result of the next opens.
    pub opening: Option<Errno>,
    pub opened: u32,
}

/// The node, with the operator's actions. All clones share one node.
#[derive(Clone)]
pub struct Tape(Arc<Mutex<World>>);

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tape")
    }
}

pub fn cartridge(wanted: SuiteMedium) -> Cartridge<MemoryMedium> {
    cartridge_on(MemoryMedium, wanted)
}

impl Tape {
    /// A drive without a cartridge.
    pub fn empty(personality: Personality) -> Self {
        let drive = ImageDrive::new(personality, "NODE".into(), Overrides::default());
        Tape(Arc::new(Mutex::new(World {
            st: St::new(&Options::default()),
            drive,
            faults: Vec::new(),
            operations: Vec::new(),
            reads: Vec::new(),
            status: None,
            opening: None,
            opened: 0,
        })))
    }

    pub fn new(personality: Personality, wanted: SuiteMedium) -> Self {
        let tape = Tape::empty(personality);
        tape.insert(cartridge(wanted));
        tape.world().drive.clear_attention();
        tape
    }

    pub fn generic() -> Self {
        Tape::new(Personality::default(), SuiteMedium::default())
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("no test panics with it")
    }

    pub fn insert(&self, cartridge: Cartridge<MemoryMedium>) {
        assert!(self.world().drive.insert(cartridge).is_ok(), "it is empty");
    }

    pub fn eject(&self) -> Cartridge<MemoryMedium> {
        self.world().drive.eject().expect("it holds one")
    }

    /// The next call of this kind returns this errno, and the drive gets no command.
    pub fn refuse(&self, call: Call, errno: Errno) {
        self.fault(call, errno, 0, 1, false);
    }

    /// Each call of this kind returns this errno.
    pub fn always(&self, call: Call, errno: Errno) {
        self.fault(call, errno, 0, u32::MAX, false);
    }

    /// The next call of this kind is done, and returns this errno nevertheless.
    pub fn do_and_refuse(&self, call: Call, errno: Errno) {
        self.fault(call, errno, 0, 1, true);
    }

    pub fn fault(&self, call: Call, errno: Errno, after: u32, times: u32, is_done: bool) {
        self.world().faults.push(Fault {
            call,
            errno,
            is_done,
            after,
            times,
        });
    }

    pub fn mend(&self) {
        let mut world = self.world();
        world.faults.clear();
        world.opening = None;
        world.status = None;
    }

    pub fn mend_status(&self) {
        self.world().status = None;
    }

    pub fn take_operations(&self) -> Vec<(Operation, i32)> {
        std::mem::take(&mut self.world().operations)
    }

    pub fn open(&self) -> Result<Box<dyn TapeNode>, Error> {
        let mut world = self.world();
        world.opened += 1;
        if let Some(errno) = world.opening {
            return Err(Error::of_open("tape".as_ref(), errno));
        }
        let World { st, drive, .. } = &mut *world;
        let node = Node {
            mode: 0,
            rewinding: false,
        };
        let flags = OpenFlags {
            access: pseudotape_st::AccessMode::ReadWrite,
            nonblock: true,
        };
        st.open(drive, node, flags)
            .map_err(|errno| Error::of_open("tape".as_ref(), Errno::from_raw(errno.code())))?;
        drop(world);
        Ok(Box::new(OpenTape(self.clone())))
    }

    /// Opens the node as a drive, and finds its block limits.
    pub fn drive(&self) -> DeviceDrive {
        self.drive_with(Access::ReadWrite, None).expect("it works")
    }

    /// Opens the node as a drive with known limits, so that the record contains the operations of the test
    /// only.
    pub fn known(&self) -> DeviceDrive {
        let limits = BlockLimits {
            min_bytes: 1,
            max_bytes: 1 << 20,
            granularity_bytes: 1,
        };
        let drive = self
            .drive_with(Access::ReadWrite, Some(limits))
            .expect("it works");
        self.take_operations();
        drive
    }

    pub fn drive_with(
        &self,
        access: Access,
        limits: Option<BlockLimits>,
    ) -> Result<DeviceDrive, Error> {
        let again = self.clone();
        DeviceDrive::over(
            "tape",
            access,
            self.open()?,
            Box::new(move || again.open()),
            limits,
        )
    }
}

#[derive(Debug)]
struct OpenTape(Tape);

impl Drop for OpenTape {
    fn drop(&mut self) {
        let mut world = self.0.world();
        let World { st, drive, .. } = &mut *world;
        st.close(drive).ok();
    }
}

impl OpenTape {
    fn call<T>(
        &self,
        call: Call,
        run: impl FnOnce(&mut St, &mut dyn Drive) -> Result<T, pseudotape_st::Errno>,
    ) -> Result<T, Errno> {
        let mut world = self.0.world();
        let mut refused = None;
        for fault in &mut world.faults {
            if fault.call == call && fault.times > 0 && refused.is_none() {
                if fault.after > 0 {
                    fault.after -= 1;
                } else {
                    fault.times -= u32::from(fault.times != u32::MAX);
                    refused = Some(*fault);
                }
            }
        }
        if let Some(fault) = refused
            && !fault.is_done
        {
            return Err(fault.errno);
        }
        let World { st, drive, .. } = &mut *world;
        let result = run(st, drive).map_err(|errno| Errno::from_raw(errno.code()));
        match refused {
            Some(fault) => Err(fault.errno),
            None => result,
        }
    }
}

impl TapeNode for OpenTape {
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.0.world().reads.push(buffer.len());
        self.call(Call::Read, |st, drive| st.read(drive, buffer))
    }

    fn write(&self, data: &[u8]) -> Result<usize, Errno> {
        self.call(Call::Write, |st, drive| st.write(drive, data))
    }

    fn operate(&self, operation: Operation, count: i32) -> Result<(), Errno> {
        self.0.world().operations.push((operation, count));
        let asked = MtOp { operation, count };
        let root = Caller { privileged: true };
        self.call(Call::Operate(operation), |st, drive| {
            st.op(drive, asked, root)
        })
    }

    fn status(&self) -> Result<MtGet, Errno> {
        let mut status = self.call(Call::Status, |st, drive| st.get(drive))?;
        if let Some(change) = self.0.world().status {
            change(&mut status);
        }
        Ok(status)
    }

    fn object(&self) -> Result<u64, Errno> {
        self.call(Call::Object, |st, drive| st.pos(drive))
            .map(|at| at.object.into())
    }
}

pub fn write(drive: &mut dyn Drive, length: usize) -> Done {
    drive
        .write(Transfer::Variable, &vec![7; length])
        .expect("takes the block")
}

pub fn filemarks(drive: &mut dyn Drive, count: u32) -> Done {
    drive
        .write_marks(Mark::Filemark, count, WriteMode::Commit)
        .expect("takes marks")
}

pub fn read(drive: &mut dyn Drive, length: usize) -> Result<ReadDone, Failed> {
    drive.read(Transfer::Variable, &mut vec![0; length])
}

pub fn object(drive: &mut dyn Drive) -> u64 {
    drive.position().expect("it is known").object.0
}

pub fn at(failed: Failed) -> Option<u64> {
    failed.position.map(|position| position.object.0)
}

/// An operation of the drive, without its result on success.
pub type Operate = fn(&mut DeviceDrive) -> Result<(), Failed>;

pub const GONE: [Errno; 5] = [
    Errno::ENXIO,
    Errno::ENODEV,
    Errno::ENOTCONN,
    Errno::ECONNABORTED,
    Errno::ESHUTDOWN,
];

pub const REWIND: Call = Call::Operate(Operation::Rewind);
pub const NOTHING: Call = Call::Operate(Operation::Nothing);

pub fn to(object: u64) -> Address {
    Address {
        partition: None,
        object: ObjectNumber(object),
    }
}

pub fn fixed(size: u32) -> Transfer {
    Transfer::Fixed(NonZeroU32::new(size).expect("not 0"))
}

pub fn dds() -> Tape {
    let personality = Personality::named("dds").expect("a personality");
    Tape::new(personality, SuiteMedium::default())
}

/// A tape whose drive can't report its position.
pub fn counted() -> Tape {
    let tape = Tape::generic();
    tape.always(Call::Object, Errno::EIO);
    tape.always(Call::Operate(Operation::Seek), Errno::EIO);
    tape
}
