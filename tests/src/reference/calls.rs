//! Random calls of a program, and random hands of an operator.

use pseudotape_drive::Personality;
use pseudotape_mtio::{MtOp, Operation};
use pseudotape_st::{AccessMode, Node, OpenFlags};

use super::Driver;

/// What cartridge a drive is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blank {
    /// Bytes to the physical end.
    pub capacity_bytes: Option<u64>,
    /// Length of the zone before it.
    pub early_warning_bytes: u64,
    /// Append only.
    pub worm: bool,
}

/// One call, or one hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `open`.
    Open(Node, OpenFlags),
    /// `close`.
    Close,
    /// `read` of so many bytes.
    Read(usize),
    /// `write` of so many bytes, made from the seed.
    Write(u32, usize),
    /// `MTIOCTOP`, by root or not.
    Op(MtOp, bool),
    /// `MTIOCGET`.
    Get,
    /// `MTIOCPOS`.
    Pos,
    /// Another request.
    Other,
    /// Moves the cartridge's switch.
    Protect(bool),
    /// Puts a blank cartridge in, in place of the old one.
    Replace(Blank),
    /// Takes the cartridge out and puts it in again.
    Reinsert,
    /// Takes the cartridge out.
    Eject,
    /// Resets the drive.
    Reset,
    /// Spoils the block with this number, counted around, in the current partition.
    Damage(usize),
}

/// Bytes that tell which write they are of, and where in it they lie.
#[must_use]
pub fn pattern(seed: u32, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    let mut word = u64::from(seed) << 32;
    while bytes.len() < length {
        word += 1;
        bytes.extend_from_slice(&word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A source of numbers (splitmix64): the same for the same seed on every machine.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// A source of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Dice(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A personality.
    pub fn personality(&mut self) -> Personality {
        self.pick(Personality::ALL)
    }

    /// A cartridge; most have an end that is soon met.
    pub fn blank(&mut self) -> Blank {
        let capacity_bytes = match self.below(6) {
            0 | 1 => None,
            2 => Some(4 << 20),
            3 => Some(self.below(3_000) + 1),
            _ => Some(self.below(60_000) + 1_000),
        };
        let early_warning_bytes = match (self.below(4), capacity_bytes) {
            (0, _) | (_, None) => 0,
            (1, Some(capacity)) => self.below(capacity / 2 + 1),
            (_, Some(capacity)) => self.below(5_000).min(capacity),
        };
        Blank {
            capacity_bytes,
            early_warning_bytes,
            worm: self.once_in(8),
        }
    }

    /// A call that makes sense, mostly, in the state that the model is in.
    pub fn call(&mut self, model: &Driver) -> Call {
        if model.file.is_none() && !self.once_in(8) {
            return self.open();
        }
        match self.below(100) {
            0..4 => Call::Close,
            4 => self.open(),
            5..24 => Call::Read(self.length(model)),
            24..48 => {
                let seed = self.roll() as u32;
                let length = self.length(model);
                Call::Write(seed, length)
            }
            48..70 => self.motion(),
            70..79 => self.setting(model),
            79..87 => Call::Get,
            87..93 => Call::Pos,
            93 => Call::Other,
            94 => {
                let count = self.count();
                let number = self.below(44) as i16 - 2;
                self.marks_in_bounds(number, count, model)
            }
            _ => self.hand(),
        }
    }

    fn open(&mut self) -> Call {
        let mode = if self.once_in(8) { self.below(4) } else { 0 };
        let node = Node {
            mode: mode as u8,
            rewinding: self.once_in(5),
        };
        let access = match self.below(10) {
            0 => AccessMode::Read,
            1 => AccessMode::Write,
            _ => AccessMode::ReadWrite,
        };
        let nonblock = self.once_in(3);
        Call::Open(node, OpenFlags { access, nonblock })
    }

    fn length(&mut self, model: &Driver) -> usize {
        let size = model.block_size as usize;
        // Blocks of many MiB cost time, and few of them show as much.
        let few = size > 1 << 20 && !self.once_in(8);
        if size != 0 && !few && !self.once_in(6) {
            let most = if size > 1 << 16 { 2 } else { 7 };
            let blocks = size * (1 + self.below(most) as usize);
            return match self.below(5) {
                0 => blocks + self.below(size as u64) as usize,
                _ => blocks,
            };
        }
        let limits = model.deck.personality.limits;
        match self.below(40) {
            0 => 0,
            1 => 1,
            2 => self.below(8) as usize,
            3 => limits.min_bytes as usize - 1,
            4 => limits.min_bytes as usize,
            5 => 33_000 + self.below(60_000) as usize,
            6 if self.once_in(8) => limits.max_bytes as usize + self.below(2) as usize,
            7..12 => self.below(3_000) as usize,
            _ => self.pick(&[512, 700, 1024, 1024, 1024, 1400, 2048, 4096, 10_240]),
        }
    }

    fn count(&mut self) -> i32 {
        match self.below(24) {
            0 => self.pick(&[-1, -2, -5]),
            1 => self.pick(&[
                0x7f_ffff,
                0x80_0000,
                0xff_ffff,
                0x100_0000,
                0x100_0001,
                i32::MAX,
                i32::MIN,
            ]),
            2..5 => 0,
            5..16 => 1,
            _ => self.below(7) as i32,
        }
    }

    fn motion(&mut self) -> Call {
        let number = self.pick(&[
            1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 10, 10, 11, 11, 12, 12, 22,
            22, 22, 25, 26, 27, 35, 13, 9, 30, 31, 7, 8, 28, 29,
        ]);
        let count = match number {
            5 | 27 | 35 => self.pick(&[0, 1, 1, 1, 1, 2, 3]),
            22 => self.pick(&[0, 0, 1, 2, 3, 5, 8, 20]),
            _ => self.count(),
        };
        op(number, count, true)
    }

    fn setting(&mut self, model: &Driver) -> Call {
        let root = !self.once_in(12);
        match self.below(10) {
            0..4 => {
                let own = model.deck.personality.limits;
                let sizes = [
                    0,
                    0,
                    512,
                    512,
                    1024,
                    1024,
                    700,
                    3,
                    40_000,
                    own.max_bytes as i32,
                    own.max_bytes as i32 + 1,
                    own.min_bytes as i32 - 1,
                    1 << 24,
                    -1,
                ];
                op(20, self.pick(&sizes), root)
            }
            4 => op(21, self.pick(&[0, 1, 2, 3, 0x58, 101, 0x25]), root),
            5 => op(32, self.below(2) as i32, root),
            6 => op(33, self.pick(&[0, 0, 1, 1, 1, 2, 3, 4, -1]), root),
            7 if self.once_in(3) => op(34, self.pick(&[0, 1, 1, 2, -1, -2]), root),
            _ => {
                let option = self.option();
                op(24, option, root)
            }
        }
    }

    fn option(&mut self) -> i32 {
        const DEFAULTS: u32 = 0x107;
        let bits = match self.below(16) {
            0..7 => {
                let form = self.pick(&[0x3000_0000, 0x4000_0000]);
                form | (1 << self.below(16))
            }
            7 => 0x3000_0400,
            8 => 0x1000_0000 | DEFAULTS | (1 << self.below(16)),
            9 => 0x5000_0000 | self.pick(&[0, 512, 1024, 3, 0xfff_ffff, 0xfff_ffff]),
            10 => 0x6010_0000 | self.pick(&[1, 2, 0x58, 101, 0xf_ffff, 0xf_ffff]),
            11 => 0x6020_0000 | self.pick(&[0, 1, 0x1001, 0xff, 0xf_ffff]),
            12 => 0x6030_0000 | self.pick(&[0, 1, 9, 0xf_ffff]),
            13 => self.below(16) as u32,
            14 => 0x8000_0000 | self.pick(&[0, 17, 18, 95, 96, 0x3_0214]),
            _ => self.pick(&[
                0x2000_0020,
                0x7000_0064,
                0x7010_0064,
                0x6040_0000,
                0x9000_0000,
                0xf000_0000,
            ]),
        };
        bits.cast_signed()
    }

    /// Keeps sixteen million marks from being written where they would fit.
    fn marks_in_bounds(&mut self, number: i16, count: i32, model: &Driver) -> Call {
        let marks = matches!(number, 5 | 27 | 35);
        let ends = model.deck.personality.mark_bytes > 0
            && model.deck.cartridge.as_ref().is_some_and(|cartridge| {
                let mut ends = cartridge.partitions.iter().map(|p| p.capacity_bytes);
                ends.all(|end| end.is_some_and(|end| end < 10_000))
            });
        let count = if marks && !ends {
            count.clamp(0, 9)
        } else {
            count
        };
        op(number, count, true)
    }

    fn hand(&mut self) -> Call {
        match self.below(20) {
            0 => Call::Reset,
            1 => Call::Eject,
            2 => Call::Replace(self.blank()),
            3 => Call::Reinsert,
            4..6 => Call::Protect(self.once_in(2)),
            6..9 => Call::Damage(self.below(64) as usize),
            _ => Call::Get,
        }
    }
}

fn op(number: i16, count: i32, root: bool) -> Call {
    let operation = Operation::from(number);
    Call::Op(MtOp { operation, count }, root)
}
