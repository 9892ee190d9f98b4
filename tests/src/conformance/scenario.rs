//! The scenario language: one operation a line, `#` starts a comment.

use std::path::Path;

/// One step, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line as the trace shows it.
    pub text: String,
    /// The handle it is about.
    pub handle: String,
    /// What to do.
    pub action: Action,
}

/// Where a system call with a pointer gets a bad one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPointer {
    /// `read` of a length.
    Read(usize),
    /// `write` of a length.
    Write(usize),
    /// `MTIOCTOP`.
    Operation,
    /// `MTIOCGET`.
    Status,
    /// `MTIOCPOS`.
    Position,
}

/// Where the data of a write lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Where the drive can fetch it.
    Aligned,
    /// At an odd address: the kernel's st copies it and writes behind the program's back.
    Unaligned,
}

/// What to look at after each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `MTIOCGET` and `MTIOCPOS`.
    Full,
    /// `MTIOCGET`.
    Status,
    /// Nothing.
    None,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are the arguments of the call of that name"
)]
pub enum Action {
    /// `open(2)` of a node (`n`, `r`, `nl` …) with flags.
    Open { node: String, flags: Vec<String> },
    /// `close(2)`.
    Close,
    /// `dup(2)` into another handle.
    Dup(String),
    /// `fsync(2)`.
    Fsync,
    /// `fdatasync(2)`.
    Fdatasync,
    /// `fstat(2)`.
    Fstat,
    /// `poll(2)`.
    Poll,
    /// `ftruncate(2)`.
    Ftruncate(i64),
    /// `mmap(2)`.
    Mmap(usize),
    /// `lseek(2)`.
    Lseek { offset: i64, whence: String },
    /// `write(2)`.
    Write { length: usize, seed: u32 },
    /// `writev(2)`.
    Writev { lengths: Vec<usize>, seed: u32 },
    /// `pwrite(2)`.
    Pwrite { length: usize, offset: i64 },
    /// `read(2)`.
    Read { length: usize, stride: usize },
    /// `readv(2)`.
    Readv(Vec<usize>),
    /// `pread(2)`.
    Pread { length: usize, offset: i64 },
    /// `MTIOCTOP`.
    Operation { number: i16, count: i32 },
    /// `MTIOCGET`.
    Status,
    /// `MTIOCPOS`.
    Position,
    /// A call with a bad pointer.
    BadPointer(BadPointer),
    /// Another `ioctl`.
    RawIoctl(u32),
    /// Writes until one is not whole.
    Fill {
        length: usize,
        most: usize,
        seed: u32,
        memory: Memory,
    },
    /// Writes a number of times.
    WriteLoop {
        length: usize,
        times: usize,
        seed: u32,
        memory: Memory,
    },
    /// Reads until the second 0 in a row or an error.
    ReadLoop { length: usize, most: usize },
    /// Files of one block and a filemark.
    WriteFiles(u32),
    /// Another user.
    SetEuid(u32),
    /// Another mode of a node.
    Chmod { node: String, mode: u32 },
    /// Something done to the drive from outside.
    Hook(Vec<String>),
    /// What to look at from here on.
    Probe(Probe),
    /// Waits.
    Sleep,
    /// Says something.
    Note,
}

/// A line that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file can't be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not of the language.
    #[error("line {line}: '{text}': {reason}")]
    Line {
        /// Its number.
        line: usize,
        /// The line.
        text: String,
        /// What is wrong.
        reason: String,
    },
}

/// Reads a scenario file.
pub fn load(path: &Path) -> Result<Vec<Step>, ScenarioError> {
    let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::File {
        path: path.display().to_string(),
        source,
    })?;
    parse(&text)
}

/// Reads a scenario.
pub fn parse(text: &str) -> Result<Vec<Step>, ScenarioError> {
    let mut steps = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let wrong = |reason: String| ScenarioError::Line {
            line: number + 1,
            text: line.to_owned(),
            reason,
        };
        let (times, line) = match line.strip_prefix("repeat ") {
            Some(rest) => {
                let (times, rest) = rest
                    .trim_start()
                    .split_once(char::is_whitespace)
                    .ok_or_else(|| wrong("repeat needs a number and a step".into()))?;
                (parse_number(times).map_err(&wrong)?, rest.trim_start())
            }
            None => (1, line),
        };
        let step = parse_step(line).map_err(&wrong)?;
        for _ in 0..times {
            steps.push(step.clone());
        }
    }
    Ok(steps)
}

fn parse_step(line: &str) -> Result<Step, String> {
    let mut words = line.split_whitespace();
    let first = words.next().ok_or("an empty step")?;
    let arguments: Vec<&str> = words.collect();
    let (handle, name) = match first.split_once(':') {
        Some((handle, name)) if handle.chars().all(char::is_alphabetic) => (handle, name),
        _ => ("A", first),
    };
    let mut step = Step {
        text: line.to_owned(),
        handle: handle.to_owned(),
        action: parse_action(name, &arguments)?,
    };
    if let (Action::Open { .. }, [.., "as", handle]) = (&step.action, arguments.as_slice()) {
        step.handle = (*handle).to_owned();
    }
    Ok(step)
}

struct Arguments<'a> {
    name: &'a str,
    words: &'a [&'a str],
}

impl<'a> Arguments<'a> {
    fn word(&self, index: usize) -> Result<&'a str, String> {
        self.words
            .get(index)
            .copied()
            .ok_or_else(|| format!("{} needs {} arguments", self.name, index + 1))
    }

    fn number<N: TryFrom<i64>>(&self, index: usize) -> Result<N, String> {
        parse_number(self.word(index)?)
    }
}

fn parse_action(name: &str, arguments: &[&str]) -> Result<Action, String> {
    let given = Arguments {
        name,
        words: arguments,
    };
    let seed = || match arguments.iter().find_map(|word| word.strip_prefix('@')) {
        Some(seed) => parse_number(seed),
        None => Ok(0),
    };
    let memory = || {
        if arguments.contains(&"unaligned") {
            Memory::Unaligned
        } else {
            Memory::Aligned
        }
    };
    let lengths =
        || -> Result<Vec<usize>, String> { given.word(0)?.split(',').map(parse_number).collect() };
    Ok(match name {
        "open" => Action::Open {
            node: given.word(0)?.to_owned(),
            flags: given.word(1)?.split(',').map(str::to_owned).collect(),
        },
        "close" => Action::Close,
        "dup" => Action::Dup(given.word(0)?.to_owned()),
        "fsync" => Action::Fsync,
        "fdatasync" => Action::Fdatasync,
        "fstat" => Action::Fstat,
        "poll" => Action::Poll,
        "ftruncate" => Action::Ftruncate(given.number(0)?),
        "mmap" => Action::Mmap(given.number(0)?),
        "lseek" => Action::Lseek {
            offset: given.number(0)?,
            whence: given.word(1)?.to_owned(),
        },
        "write" => Action::Write {
            length: given.number(0)?,
            seed: seed()?,
        },
        "writev" => Action::Writev {
            lengths: lengths()?,
            seed: seed()?,
        },
        "pwrite" => Action::Pwrite {
            length: given.number(0)?,
            offset: given.number(1)?,
        },
        "read" => Action::Read {
            length: given.number(0)?,
            stride: match arguments.get(1) {
                Some(stride) => parse_number(stride.trim_start_matches('/'))?,
                None => 0,
            },
        },
        "readv" => Action::Readv(lengths()?),
        "pread" => Action::Pread {
            length: given.number(0)?,
            offset: given.number(1)?,
        },
        "op" => Action::Operation {
            number: operation_number(given.word(0)?)?,
            count: arguments.get(1).map_or(Ok(1), |count| parse_count(count))?,
        },
        "get" => Action::Status,
        "pos" => Action::Position,
        "badptr" => Action::BadPointer(match given.word(0)? {
            "read" => BadPointer::Read(given.number(1)?),
            "write" => BadPointer::Write(given.number(1)?),
            "op" => BadPointer::Operation,
            "get" => BadPointer::Status,
            "pos" => BadPointer::Position,
            other => return Err(format!("no bad pointer for '{other}'")),
        }),
        "rawioctl" => Action::RawIoctl(given.number(0)?),
        "fill" => Action::Fill {
            length: given.number(0)?,
            most: given.number(1)?,
            seed: seed()?,
            memory: memory(),
        },
        "wloop" => Action::WriteLoop {
            length: given.number(0)?,
            times: given.number(1)?,
            seed: seed()?,
            memory: memory(),
        },
        "rloop" => Action::ReadLoop {
            length: given.number(0)?,
            most: given.number(1)?,
        },
        "wfile" => Action::WriteFiles(given.number(0)?),
        "seteuid" => Action::SetEuid(given.number(0)?),
        "chmod" => Action::Chmod {
            node: given.word(0)?.to_owned(),
            mode: u32::from_str_radix(given.word(1)?, 8).map_err(|error| error.to_string())?,
        },
        "hook" => Action::Hook(arguments.iter().map(|word| (*word).to_owned()).collect()),
        "probe" => Action::Probe(match given.word(0)? {
            "full" => Probe::Full,
            "get" => Probe::Status,
            "none" => Probe::None,
            other => return Err(format!("no probe '{other}'")),
        }),
        "sleep" => Action::Sleep,
        "note" => Action::Note,
        other => return Err(format!("unknown step '{other}'")),
    })
}

fn parse_number<N: TryFrom<i64>>(word: &str) -> Result<N, String> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16),
        None => digits.parse(),
    }
    .map_err(|error| format!("'{word}': {error}"))?;
    let value = if negative { -value } else { value };
    N::try_from(value).map_err(|_| format!("'{word}' is out of range"))
}

/// A count: numbers and names of option bits, joined by `|`, in 32 bits.
fn parse_count(word: &str) -> Result<i32, String> {
    let mut bits = 0_i64;
    for part in word.split('|') {
        bits |= match SYMBOLS.iter().find(|(name, _)| *name == part) {
            Some((_, value)) => i64::from(*value),
            None => parse_number(part)?,
        };
    }
    // Numbers above 2^31 stand for the bits of a negative count.
    let [a, b, c, d, ..] = bits.to_le_bytes();
    Ok(i32::from_le_bytes([a, b, c, d]))
}

fn operation_number(word: &str) -> Result<i16, String> {
    match OPERATIONS.iter().find(|(name, _)| *name == word) {
        Some((_, number)) => Ok(*number),
        None => parse_number(word),
    }
}

const OPERATIONS: &[(&str, i16)] = &[
    ("MTRESET", 0),
    ("MTFSF", 1),
    ("MTBSF", 2),
    ("MTFSR", 3),
    ("MTBSR", 4),
    ("MTWEOF", 5),
    ("MTREW", 6),
    ("MTOFFL", 7),
    ("MTNOP", 8),
    ("MTRETEN", 9),
    ("MTBSFM", 10),
    ("MTFSFM", 11),
    ("MTEOM", 12),
    ("MTERASE", 13),
    ("MTRAS1", 14),
    ("MTRAS2", 15),
    ("MTRAS3", 16),
    ("MTSETBLK", 20),
    ("MTSETDENSITY", 21),
    ("MTSEEK", 22),
    ("MTTELL", 23),
    ("MTSETDRVBUFFER", 24),
    ("MTFSS", 25),
    ("MTBSS", 26),
    ("MTWSM", 27),
    ("MTLOCK", 28),
    ("MTUNLOCK", 29),
    ("MTLOAD", 30),
    ("MTUNLOAD", 31),
    ("MTCOMPRESSION", 32),
    ("MTSETPART", 33),
    ("MTMKPART", 34),
    ("MTWEOFI", 35),
];

const SYMBOLS: &[(&str, u32)] = &[
    ("BOOLEANS", 0x1000_0000),
    ("SETBOOL", 0x3000_0000),
    ("CLRBOOL", 0x4000_0000),
    ("WRTHR", 0x2000_0000),
    ("DEFBLK", 0x5000_0000),
    ("DEFDENS", 0x6010_0000),
    ("DEFCOMP", 0x6020_0000),
    ("DEFDRVBUF", 0x6030_0000),
    ("TIMEOUT", 0x7000_0000),
    ("LONGTIMEOUT", 0x7010_0000),
    ("CLN", 0x8000_0000),
    ("BUFFER_WRITES", 0x1),
    ("ASYNC_WRITES", 0x2),
    ("READ_AHEAD", 0x4),
    ("DEBUGGING", 0x8),
    ("TWO_FM", 0x10),
    ("FAST_EOM", 0x20),
    ("AUTO_LOCK", 0x40),
    ("DEF_WRITES", 0x80),
    ("CAN_BSR", 0x100),
    ("NO_BLKLIMS", 0x200),
    ("CAN_PARTITIONS", 0x400),
    ("SCSI2LOGICAL", 0x800),
    ("SYSV", 0x1000),
    ("NOWAIT", 0x2000),
    ("SILI", 0x4000),
    ("NOWAIT_EOF", 0x8000),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Step {
        let mut steps = parse(line).unwrap();
        assert_eq!(steps.len(), 1, "{line}");
        steps.remove(0)
    }

    #[test]
    fn handles_comments_and_repeats_are_understood() {
        let steps =
            parse("# all\nopen n rw,nonblock as B  # why\n\nrepeat 2 B:read 512\n").unwrap();
        assert_eq!(steps.len(), 3);
        assert_eq!(steps[0].handle, "B");
        assert_eq!(steps[0].text, "open n rw,nonblock as B");
        assert_eq!(steps[1].text, "B:read 512");
        assert_eq!(steps[1], steps[2]);
    }

    #[test]
    fn counts_are_numbers_or_option_bits() {
        for (line, count) in [
            ("op MTFSF", 1),
            ("op MTFSF -1", -1),
            ("op MTSETDRVBUFFER SETBOOL|TWO_FM", 0x3000_0010),
            ("op MTSETDRVBUFFER DEFBLK|0xffffff", 0x50ff_ffff),
            ("op MTSETDRVBUFFER CLN|5", -0x7fff_fffb),
            ("op MTSETDRVBUFFER 0x90000000", -0x7000_0000),
        ] {
            let Action::Operation { count: found, .. } = one(line).action else {
                panic!("{line}");
            };
            assert_eq!(found, count, "{line}");
        }
    }

    #[test]
    fn unknown_steps_are_errors_with_their_line() {
        let error = parse("close\nfly 1\n").unwrap_err().to_string();
        assert_eq!(error, "line 2: 'fly 1': unknown step 'fly'");
        assert!(parse("read\n").is_err());
        assert!(parse("op MTFSF 1x\n").is_err());
    }
}
