//! A driver with a model drive on a bench.

use pseudotape_drive::Personality;
use pseudotape_mtio::{GeneralStatus, MtGet, MtOp, Operation};
use pseudotape_st::{AccessMode, Caller, Errno, Node, OpenFlags, Opening, Options, St};
use pseudotape_testkit::{ModelCartridge, ModelDrive, ModelObject, block_of};

use crate::witness::Witness;

pub const ROOT: Caller = Caller { privileged: true };
pub const READ_WRITE: OpenFlags = OpenFlags {
    access: AccessMode::ReadWrite,
    nonblock: false,
};
pub const NONBLOCK: OpenFlags = OpenFlags {
    access: AccessMode::ReadWrite,
    nonblock: true,
};
pub const NON_REWINDING: Node = Node {
    mode: 0,
    rewinding: false,
};
pub const REWINDING: Node = Node {
    mode: 0,
    rewinding: true,
};

pub const SET: i32 = 0x3000_0000;
pub const CLEAR: i32 = 0x4000_0000;

pub struct Bench {
    pub st: St,
    pub drive: Witness,
}

pub fn personality(name: &str) -> Personality {
    Personality::named(name).expect("a personality of pseudotape-drive")
}

impl Bench {
    /// A drive with this cartridge, not open.
    pub fn with(personality: Personality, cartridge: ModelCartridge) -> Self {
        let mut drive = ModelDrive::new(personality);
        drive.insert(cartridge);
        Bench {
            st: St::new(&Options {
                reports_beginning: personality.reports_beginning,
                limits_reads: personality.limits_reads,
                ..Options::default()
            }),
            drive: Witness::new(drive),
        }
    }

    /// A drive with a blank cartridge, open.
    pub fn open_blank(name: &str) -> Self {
        let mut bench = Bench::with(personality(name), ModelCartridge::default());
        bench.open(NON_REWINDING, READ_WRITE).expect("opens");
        bench
    }

    /// The same with a cartridge of this size.
    pub fn open_small(name: &str, capacity: u64, early_warning: u64) -> Self {
        let cartridge = ModelCartridge {
            capacity_bytes: Some(capacity),
            early_warning_bytes: early_warning,
            ..ModelCartridge::default()
        };
        let mut bench = Bench::with(personality(name), cartridge);
        bench.open(NON_REWINDING, READ_WRITE).expect("opens");
        bench
    }

    pub fn open(&mut self, node: Node, flags: OpenFlags) -> Result<Opening, Errno> {
        self.st.open(&mut self.drive, node, flags)
    }

    pub fn close(&mut self) -> Result<(), Errno> {
        self.st.close(&mut self.drive)
    }

    pub fn reopen(&mut self) {
        self.close().expect("closes");
        assert_eq!(self.open(NON_REWINDING, READ_WRITE), Ok(Opening::Open));
    }

    pub fn read(&mut self, length: usize) -> Result<Vec<u8>, Errno> {
        let mut buffer = vec![0; length];
        let count = self.st.read(&mut self.drive, &mut buffer)?;
        buffer.truncate(count);
        Ok(buffer)
    }

    pub fn read_length(&mut self, length: usize) -> Result<usize, Errno> {
        self.read(length).map(|data| data.len())
    }

    pub fn write(&mut self, length: usize) -> Result<usize, Errno> {
        self.st
            .write(&mut self.drive, &block_of(length as u64, length))
    }

    /// Blocks of 1024 bytes.
    pub fn write_blocks(&mut self, blocks: usize) {
        for _ in 0..blocks {
            assert_eq!(self.write(1024), Ok(1024));
        }
    }

    pub fn op(&mut self, operation: Operation, count: i32) -> Result<(), Errno> {
        self.st.op(&mut self.drive, MtOp { operation, count }, ROOT)
    }

    /// An operation that succeeds.
    pub fn does(&mut self, operation: Operation, count: i32) {
        assert_eq!(self.op(operation, count), Ok(()), "{operation:?} {count}");
    }

    pub fn get(&mut self) -> MtGet {
        self.st.get(&mut self.drive).expect("status is answered")
    }

    /// File and block.
    pub fn at(&mut self) -> (i32, i32) {
        let status = self.get();
        (status.file, status.block)
    }

    pub fn flag(&mut self, flag: GeneralStatus) -> bool {
        self.get().general.contains(flag)
    }

    pub fn pos(&mut self) -> u32 {
        self.st
            .pos(&mut self.drive)
            .expect("position is answered")
            .object
    }

    /// What is recorded in partition 0, a letter an object.
    pub fn tape(&self) -> String {
        self.partition(0)
    }

    pub fn partition(&self, number: usize) -> String {
        self.drive
            .cartridge()
            .expect("a cartridge is in")
            .partitions[number]
            .iter()
            .map(|object| match object {
                ModelObject::Block(_) => 'b',
                ModelObject::Damaged(_) => 'd',
                ModelObject::Filemark => 'f',
                ModelObject::Setmark => 's',
            })
            .collect()
    }
}
