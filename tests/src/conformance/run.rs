//! Runs a scenario on a target and writes down what each step answered.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::pattern::pattern;
use super::runs::{Outcome, shortened};
use super::scenario::{Action, BadPointer, Memory, Probe, Step};
use super::target::{CallResult, Descriptor, HookError, Target, Whence};

/// `MTIOCTOP`.
pub const MTIOCTOP: u32 = 0x4008_6d01;
/// `MTIOCGET` of a 64-bit program.
pub const MTIOCGET: u32 = 0x8030_6d02;
/// `MTIOCPOS` of a 64-bit program.
pub const MTIOCPOS: u32 = 0x8008_6d03;

/// An open that took longer than this says so in the trace.
const LONG_OPEN_SECONDS: u64 = 20;

enum Trouble {
    Errno(String),
    Skip(String),
    Closed(String),
}

impl From<String> for Trouble {
    fn from(errno: String) -> Self {
        Trouble::Errno(errno)
    }
}

type Fields = Map<String, Value>;

struct Run<'a> {
    target: &'a mut dyn Target,
    handles: Vec<(String, Descriptor)>,
    probe: Probe,
    probing_is_off: bool,
}

/// Runs a scenario; the result is one JSON object a step. `probe` is what to look at after each step until
/// the scenario says otherwise.
pub fn run(target: &mut dyn Target, steps: &[Step], probe: Probe) -> Result<Vec<Value>, HookError> {
    target.hook(&["fresh"])?;
    let mut run = Run {
        target,
        handles: Vec::new(),
        probe,
        probing_is_off: probe == Probe::None,
    };
    let mut trace = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match run.step(step) {
            Ok(mut fields) => {
                fields.insert("i".into(), json!(index));
                fields.insert("op".into(), json!(step.text));
                trace.push(Value::Object(fields));
            }
            Err(reason) => {
                trace.push(json!({"i": index, "op": "(skipped)", "reason": reason}));
                break;
            }
        }
    }
    run.clean_up();
    Ok(trace)
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Result<Fields, String> {
        let mut fields = match self.act(step) {
            Ok(fields) => fields,
            Err(Trouble::Errno(name)) => object([("ret", json!(-1)), ("errno", json!(name))]),
            Err(Trouble::Skip(reason)) => return Err(reason),
            Err(Trouble::Closed(handle)) => {
                return Ok(object([
                    ("ret", Value::Null),
                    ("skipped", json!(format!("handle '{handle}' is not open"))),
                ]));
            }
        };
        fields.entry("ret").or_insert(json!(0));
        let seconds = self.target.open_seconds();
        if matches!(step.action, Action::Open { .. }) && seconds > LONG_OPEN_SECONDS {
            fields.insert("took_s".into(), json!((seconds + 5) / 10 * 10));
        }
        self.look(step, &mut fields);
        Ok(fields)
    }

    /// Looks at the drive through the handle of the step, or else any open one.
    fn look(&mut self, step: &Step, fields: &mut Fields) {
        if matches!(
            step.action,
            Action::Status
                | Action::Position
                | Action::Note
                | Action::Probe(_)
                | Action::Chmod { .. }
                | Action::Sleep
        ) {
            return;
        }
        let file = self
            .file(&step.handle)
            .ok()
            .or(self.handles.first().map(|(_, file)| *file));
        let Some(file) = file else {
            return;
        };
        if self.probe != Probe::None {
            let status = self
                .status(file)
                .unwrap_or_else(|name| json!({"err": name}));
            fields.insert("get".into(), status);
        }
        if self.probe == Probe::Full {
            let position = self
                .position(file)
                .unwrap_or_else(|name| json!({"err": name}));
            fields.insert("pos".into(), position);
        }
    }

    fn act(&mut self, step: &Step) -> Result<Fields, Trouble> {
        let empty = Fields::new();
        match &step.action {
            Action::Open { node, flags } => {
                let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
                let file = self.target.open(node, &flags)?;
                self.handles.retain(|(name, _)| *name != step.handle);
                self.handles.push((step.handle.clone(), file));
                return Ok(object([("ret", json!("fd"))]));
            }
            Action::SetEuid(uid) => {
                self.target.set_euid(*uid)?;
                return Ok(empty);
            }
            Action::Chmod { node, mode } => {
                self.target.chmod(node, *mode)?;
                return Ok(empty);
            }
            Action::Hook(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                return match self.target.hook(&words) {
                    Ok(()) => Ok(empty),
                    Err(error) => Err(Trouble::Skip(error.to_string())),
                };
            }
            Action::Probe(probe) => {
                if !self.probing_is_off {
                    self.probe = *probe;
                }
                return Ok(object([("ret", Value::Null)]));
            }
            Action::Note => return Ok(object([("ret", Value::Null)])),
            Action::Sleep => return Ok(empty),
            _ => {}
        }
        let file = self
            .file(&step.handle)
            .map_err(|handle| Trouble::Closed(handle.to_owned()))?;
        self.act_on(file, step).map_err(Trouble::Errno)
    }

    fn act_on(&mut self, file: Descriptor, step: &Step) -> CallResult<Fields> {
        let empty = Fields::new();
        let counted = |count: usize| object([("ret", json!(count))]);
        match &step.action {
            Action::Close => {
                self.handles.retain(|(name, _)| *name != step.handle);
                self.target.close(file)?;
            }
            Action::Dup(handle) => {
                let copy = self.target.dup(file)?;
                self.handles.push((handle.clone(), copy));
                return Ok(object([("ret", json!("fd"))]));
            }
            Action::Fsync | Action::Fdatasync => self.target.sync(file)?,
            Action::Fstat => {
                let status = self.target.fstat(file)?;
                return Ok(object([
                    ("mode", json!(format!("0o{:o}", status.mode))),
                    ("size", json!(status.size)),
                    ("blksize", json!(status.block_size)),
                ]));
            }
            Action::Poll => {
                let events: Vec<String> = self
                    .target
                    .poll(file)?
                    .iter()
                    .map(|events| format!("{events:#x}"))
                    .collect();
                return Ok(object([("ret", json!(events))]));
            }
            Action::Ftruncate(length) => self.target.ftruncate(file, *length)?,
            Action::Mmap(length) => self.target.mmap(file, *length)?,
            Action::Lseek { offset, whence } => {
                let whence = match whence.as_str() {
                    "SET" => Whence::Set,
                    "CUR" => Whence::Current,
                    _ => Whence::End,
                };
                let offset = self.target.lseek(file, *offset, whence)?;
                return Ok(object([("ret", json!(offset))]));
            }
            Action::Write { length, seed } => {
                return Ok(counted(self.target.write(file, &pattern(*seed, *length))?));
            }
            Action::Writev { lengths, seed } => {
                let data: Vec<Vec<u8>> = (*seed..)
                    .zip(lengths)
                    .map(|(seed, length)| pattern(seed, *length))
                    .collect();
                return Ok(counted(self.target.writev(file, &data)?));
            }
            Action::Pwrite { length, offset } => {
                let data = pattern(0, *length);
                return Ok(counted(self.target.pwrite(file, &data, *offset)?));
            }
            Action::Read { length, stride } => return self.read(file, *length, *stride),
            Action::Readv(lengths) => return self.readv(file, lengths),
            Action::Pread { length, offset } => {
                let mut buffer = vec![0; *length];
                return Ok(counted(self.target.pread(file, &mut buffer, *offset)?));
            }
            Action::Operation { number, count } => self.operate(file, *number, *count)?,
            Action::Status => return Ok(object([("get", self.status(file)?)])),
            Action::Position => return Ok(object([("pos", self.position(file)?)])),
            Action::BadPointer(call) => {
                let answer = match call {
                    BadPointer::Read(length) => json!(self.target.read_nowhere(file, *length)?),
                    BadPointer::Write(length) => json!(self.target.write_nowhere(file, *length)?),
                    BadPointer::Operation => json!(self.target.ioctl_nowhere(file, MTIOCTOP)?),
                    BadPointer::Status => json!(self.target.ioctl_nowhere(file, MTIOCGET)?),
                    BadPointer::Position => json!(self.target.ioctl_nowhere(file, MTIOCPOS)?),
                };
                return Ok(object([("ret", answer)]));
            }
            Action::RawIoctl(command) => {
                let answer = self.target.ioctl(file, *command, &mut [0; 4096])?;
                return Ok(object([("ret", json!(answer))]));
            }
            Action::Fill {
                length,
                most,
                seed,
                memory,
            } => {
                let data = (*seed..).take(*most);
                return Ok(self.write_many(file, *length, data, *memory, Until::Short));
            }
            Action::WriteLoop {
                length,
                times,
                seed,
                memory,
            } => {
                let data = (*seed..).take(*times);
                return Ok(self.write_many(file, *length, data, *memory, Until::Done));
            }
            Action::ReadLoop { length, most } => return Ok(self.read_many(file, *length, *most)),
            Action::WriteFiles(files) => {
                for seed in 1..=*files {
                    self.target.write(file, &pattern(seed, 1024))?;
                    self.operate(file, 5, 1)?;
                }
            }
            Action::Open { .. }
            | Action::SetEuid(_)
            | Action::Chmod { .. }
            | Action::Hook(_)
            | Action::Probe(_)
            | Action::Sleep
            | Action::Note => unreachable!("act() did it"),
        }
        Ok(empty)
    }

    fn read(&mut self, file: Descriptor, length: usize, stride: usize) -> CallResult<Fields> {
        let mut buffer = vec![0; length];
        let count = self.target.read(file, &mut buffer)?;
        let data = &buffer[..count];
        let mut fields = object([("ret", json!(count))]);
        if !data.is_empty() {
            fields.insert(
                "crc".into(),
                json!(format!("{:08x}", crc32fast::hash(data))),
            );
            fields.insert("tag".into(), json!(hex(data)));
            if stride > 0 {
                let tags: Vec<String> = data.chunks(stride).take(16).map(hex).collect();
                fields.insert("tags".into(), json!(tags));
            }
        }
        Ok(fields)
    }

    fn readv(&mut self, file: Descriptor, lengths: &[usize]) -> CallResult<Fields> {
        let mut buffers: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![0; length]).collect();
        let count = self.target.readv(file, &mut buffers)?;
        let mut left = count;
        let mut segments = Vec::new();
        for buffer in &buffers {
            let filled = left.min(buffer.len());
            left -= filled;
            let tag = if filled > 0 {
                hex(buffer)
            } else {
                String::new()
            };
            segments.push(json!([filled, tag]));
        }
        Ok(object([("ret", json!(count)), ("segs", json!(segments))]))
    }

    fn operate(&mut self, file: Descriptor, number: i16, count: i32) -> CallResult<()> {
        let mut argument = [0; 8];
        argument[..2].copy_from_slice(&number.to_le_bytes());
        argument[4..].copy_from_slice(&count.to_le_bytes());
        self.target.ioctl(file, MTIOCTOP, &mut argument)?;
        Ok(())
    }

    fn status(&mut self, file: Descriptor) -> CallResult<Value> {
        let mut bytes = [0; 48];
        self.target.ioctl(file, MTIOCGET, &mut bytes)?;
        Ok(status_json(&bytes))
    }

    fn position(&mut self, file: Descriptor) -> CallResult<Value> {
        let mut bytes = [0; 8];
        self.target.ioctl(file, MTIOCPOS, &mut bytes)?;
        Ok(json!(i64::from_le_bytes(bytes)))
    }

    fn write_many(
        &mut self,
        file: Descriptor,
        length: usize,
        seeds: impl Iterator<Item = u32>,
        memory: Memory,
        until: Until,
    ) -> Fields {
        let mut outcomes = Vec::new();
        let mut room = vec![0; length + 1];
        // What is allocated begins at an even address.
        let start = match memory {
            Memory::Aligned => 0,
            Memory::Unaligned => 1,
        };
        for seed in seeds {
            let data = &mut room[start..start + length];
            data.copy_from_slice(&pattern(seed & 0xffff, length));
            let outcome = outcome_of(self.target.write(file, data));
            let whole = outcome == Outcome::Count(length);
            outcomes.push(outcome);
            if until == Until::Short && !whole {
                break;
            }
        }
        let mut fields = object([
            ("ret", json!(outcomes.len())),
            ("runs", shortened(&outcomes)),
        ]);
        if until == Until::Short {
            fields.insert("bytes".into(), json!(bytes_of(&outcomes)));
        }
        fields
    }

    fn read_many(&mut self, file: Descriptor, length: usize, most: usize) -> Fields {
        let mut outcomes = Vec::new();
        let mut last = None;
        let mut buffer = vec![0; length];
        while outcomes.len() < most {
            let outcome = outcome_of(self.target.read(file, &mut buffer));
            if let Outcome::Count(count @ 1..) = outcome {
                last = Some(hex(&buffer[..count]));
            }
            outcomes.push(outcome);
            match outcomes.as_slice() {
                [.., Outcome::Error(_)] | [.., Outcome::Count(0), Outcome::Count(0)] => break,
                _ => {}
            }
        }
        let mut fields = object([
            ("ret", json!(outcomes.len())),
            ("runs", shortened(&outcomes)),
            ("bytes", json!(bytes_of(&outcomes))),
        ]);
        if let Some(tag) = last {
            fields.insert("last_tag".into(), json!(tag));
        }
        fields
    }

    fn file<'n>(&self, handle: &'n str) -> Result<Descriptor, &'n str> {
        self.handles
            .iter()
            .find(|(name, _)| name == handle)
            .map(|(_, file)| *file)
            .ok_or(handle)
    }

    fn clean_up(&mut self) {
        // What is left open is closed; its errors are no part of the trace.
        self.target.set_euid(0).ok();
        for (_, file) in std::mem::take(&mut self.handles) {
            self.target.close(file).ok();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Short,
    Done,
}

fn outcome_of(answer: CallResult<usize>) -> Outcome {
    match answer {
        Ok(count) => Outcome::Count(count),
        Err(name) => Outcome::Error(name),
    }
}

fn bytes_of(outcomes: &[Outcome]) -> usize {
    outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Count(count) => *count,
            Outcome::Error(_) => 0,
        })
        .sum()
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Fields {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The first four bytes.
fn hex(data: &[u8]) -> String {
    data.iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `struct mtget` as the trace shows it, with every bit that has no name.
fn status_json(bytes: &[u8; 48]) -> Value {
    let long = |index: usize| {
        let mut field = [0; 8];
        field.copy_from_slice(&bytes[index * 8..index * 8 + 8]);
        i64::from_le_bytes(field)
    };
    let int = |offset: usize| {
        let mut field = [0; 4];
        field.copy_from_slice(&bytes[offset..offset + 4]);
        i32::from_le_bytes(field)
    };
    let status = long(3).cast_unsigned();
    let low = status & 0xffff_ffff;
    let names: Vec<&str> = GMT
        .iter()
        .filter(|(_, bit)| low & bit != 0)
        .map(|(name, _)| *name)
        .collect();
    let known = GMT.iter().fold(0, |bits, (_, bit)| bits | bit);
    let mut fields: BTreeMap<&str, Value> = BTreeMap::from([
        ("type", json!(format!("{:#x}", long(0)))),
        ("resid", json!(long(1))),
        ("blksize", json!(long(2) & 0xff_ffff)),
        ("density", json!((long(2) >> 24) & 0xff)),
        ("gstat", json!(names)),
        ("erreg", json!(long(4))),
        ("file", json!(int(40))),
        ("blk", json!(int(44))),
    ]);
    if low & !known != 0 {
        fields.insert("gstat_unknown", json!(format!("{:#x}", low & !known)));
    }
    if status >> 32 != 0 {
        fields.insert("gstat_hi", json!(format!("{:#x}", status >> 32)));
    }
    json!(fields)
}

const GMT: &[(&str, u64)] = &[
    ("EOF", 0x8000_0000),
    ("BOT", 0x4000_0000),
    ("EOT", 0x2000_0000),
    ("SM", 0x1000_0000),
    ("EOD", 0x0800_0000),
    ("WR_PROT", 0x0400_0000),
    ("ONLINE", 0x0100_0000),
    ("D_6250", 0x80_0000),
    ("D_1600", 0x40_0000),
    ("D_800", 0x20_0000),
    ("DR_OPEN", 0x4_0000),
    ("IM_REP_EN", 0x1_0000),
    ("CLN", 0x8000),
];
