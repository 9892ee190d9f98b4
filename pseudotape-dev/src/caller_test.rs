//! A program with memory, and the kernel's rounds of an `ioctl` of an unrestricted node, for tests.

use pseudotape_chardev::{Area, Caller, CharDevice, Errno, Handle, IoctlRequest, WordSize};

/// A program: its memory begins at address 0x1000.
pub(crate) struct Program {
    pub(crate) memory: Vec<u8>,
    pub(crate) caller: Caller,
    pub(crate) word_size: WordSize,
    /// Rounds of the last call.
    pub(crate) rounds: u32,
}

const BASE: u64 = 0x1000;

impl Program {
    pub(crate) fn new(word_size: WordSize) -> Self {
        Program {
            memory: Vec::new(),
            caller: Caller::default(),
            word_size,
            rounds: 0,
        }
    }

    /// Puts bytes into memory; says where.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> u64 {
        let address = BASE + self.memory.len() as u64;
        self.memory.extend_from_slice(bytes);
        address
    }

    pub(crate) fn at(&self, address: u64, length: usize) -> &[u8] {
        let from = usize::try_from(address - BASE).unwrap();
        &self.memory[from..from + length]
    }

    fn fetch(&self, areas: &[Area]) -> Vec<u8> {
        let areas = areas.iter();
        let pieces = areas.map(|area| self.at(area.address, area.length_bytes as usize));
        pieces.flatten().copied().collect()
    }

    /// The call, in as many rounds as the node asks for.
    pub(crate) fn ioctl(
        &mut self,
        node: &dyn CharDevice,
        handle: Handle,
        command: u32,
        argument: u64,
    ) -> Result<i32, Errno> {
        let (mut input, mut output_bytes) = (Vec::new(), 0_usize);
        for round in 1..6 {
            self.rounds = round;
            let (caller, word_size) = (self.caller, self.word_size);
            let request = |input| IoctlRequest {
                command,
                argument,
                input,
                caller,
                word_size,
            };
            let areas = node.ioctl_areas(request(&input))?;
            let length = |areas: &[Area]| -> usize {
                areas.iter().map(|area| area.length_bytes as usize).sum()
            };
            if length(&areas.input) != input.len() || length(&areas.output) != output_bytes {
                input = self.fetch(&areas.input);
                output_bytes = length(&areas.output);
                continue;
            }
            let mut output = Vec::new();
            let result = node.ioctl(handle, request(&input), &mut output)?;
            assert!(
                output.len() <= output_bytes,
                "the kernel refuses a longer one"
            );
            let mut rest = &output[..];
            for area in &areas.output {
                let some = rest.len().min(area.length_bytes as usize);
                let at = usize::try_from(area.address - BASE).unwrap();
                self.memory[at..at + some].copy_from_slice(&rest[..some]);
                rest = &rest[some..];
            }
            return Ok(result);
        }
        panic!("the node asks for ever");
    }

    /// `SG_IO` with a command that gets data.
    pub(crate) fn send(
        &mut self,
        node: &dyn CharDevice,
        handle: Handle,
        cdb: &[u8],
        room: u32,
    ) -> Result<Sent, Errno> {
        let cdb_at = self.put(cdb);
        let sense_at = self.put(&[0xee; 32]);
        let data_at = self.put(&vec![0xee; room as usize]);
        let direction = if room == 0 { -1 } else { -3 };
        let header = header(self.word_size, direction, cdb.len(), cdb_at, 32, sense_at);
        let header = with_data(header, self.word_size, room, data_at);
        let at = self.put(&header);
        self.ioctl(node, handle, 0x2285, at)?;
        let (size, status, residual) = match self.word_size {
            WordSize::Bits64 => (88, 64, 72),
            WordSize::Bits32 => (64, 44, 52),
        };
        let header = self.at(at, size).to_vec();
        let left = i32::from_le_bytes(*header[residual..].first_chunk().unwrap());
        let count = room as usize - usize::try_from(left).unwrap();
        let sense_bytes = usize::from(header[status + 3]);
        Ok(Sent {
            status: header[status],
            driver_status: header[status + 6],
            sense: self.at(sense_at, sense_bytes).to_vec(),
            data: self.at(data_at, count).to_vec(),
            behind: self.at(data_at, room as usize)[count..].to_vec(),
        })
    }
}

/// What became of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) status: u8,
    pub(crate) driver_status: u8,
    pub(crate) sense: Vec<u8>,
    pub(crate) data: Vec<u8>,
    /// What lies behind the data in the program's buffer.
    pub(crate) behind: Vec<u8>,
}

impl Sent {
    /// Key, code and qualifier.
    pub(crate) fn reason(&self) -> [u8; 3] {
        let sense = pseudotape_scsi::Sense::decode(&self.sense).expect("sense data");
        let reason = sense.reason;
        [sense.key.bits(), reason.code, reason.qualifier]
    }
}

/// A header without data.
pub(crate) fn header(
    word_size: WordSize,
    direction: i32,
    cdb_bytes: usize,
    cdb: u64,
    sense_bytes: u8,
    sense: u64,
) -> Vec<u8> {
    let (size, cdb_at, sense_at) = match word_size {
        WordSize::Bits64 => (88, 24, 32),
        WordSize::Bits32 => (64, 20, 24),
    };
    let mut header = vec![0; size];
    header[..4].copy_from_slice(&[b'S', 0, 0, 0]);
    header[4..8].copy_from_slice(&direction.to_le_bytes());
    header[8] = u8::try_from(cdb_bytes).unwrap();
    header[9] = sense_bytes;
    let width = if size == 88 { 8 } else { 4 };
    header[cdb_at..cdb_at + width].copy_from_slice(&cdb.to_le_bytes()[..width]);
    header[sense_at..sense_at + width].copy_from_slice(&sense.to_le_bytes()[..width]);
    header
}

/// The same with data of this length there.
pub(crate) fn with_data(mut header: Vec<u8>, word_size: WordSize, bytes: u32, at: u64) -> Vec<u8> {
    header[12..16].copy_from_slice(&bytes.to_le_bytes());
    let width = if word_size == WordSize::Bits64 { 8 } else { 4 };
    header[16..16 + width].copy_from_slice(&at.to_le_bytes()[..width]);
    header
}
