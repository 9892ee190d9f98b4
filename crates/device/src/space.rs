//! Spacing on a drive that reports its position: exact counts from positions, flags and file numbers.

use nix::errno::Errno;
use pseudotape_mtio::Operation;
use pseudotape_tape::{Done, Failed, Sense, SpaceUnit, Stop};

use crate::state::{DeviceDrive, Flags, Locating};

/// The largest count of a SPACE command (24 bits with sign).
const MOST: u64 = 0x7f_ffff;

/// The result of one spacing operation: how far it went, and why it ended.
struct Spaced {
    count: u64,
    stop: Option<Stop>,
}

impl Spaced {
    fn all(count: u64) -> Self {
        Spaced { count, stop: None }
    }

    fn stopped(count: u64, stop: Stop) -> Self {
        Spaced {
            count,
            stop: Some(stop),
        }
    }
}

impl DeviceDrive {
    pub(crate) fn space_over(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        self.begin()?;
        if unit == SpaceUnit::Setmarks && !self.medium.setmarks {
            return self.fail(Sense::IllegalRequest, 0);
        }
        if self.medium.locating == Locating::Counted {
            return self.count_over(unit, count);
        }
        let asked = count.unsigned_abs();
        let mut done = 0;
        while done < asked {
            let some = (asked - done).min(MOST);
            let spaced = match (unit, count > 0) {
                (SpaceUnit::Blocks, true) => self.blocks_forward(some),
                (SpaceUnit::Blocks, false) => self.blocks_back(some),
                (SpaceUnit::Filemarks, true) => self.filemarks_forward(some),
                (SpaceUnit::Filemarks, false) => self.filemarks_back(some),
                (SpaceUnit::Setmarks, true) => self.setmark_forward(),
                (SpaceUnit::Setmarks, false) => self.setmark_back(),
            };
            let spaced = spaced.map_err(|failed| Failed {
                count: failed.count + done,
                ..failed
            })?;
            done += spaced.count;
            if let Some(stop) = spaced.stop {
                if stop == Stop::EndOfData {
                    self.medium.edge = true;
                }
                return Ok(self.done(done, Some(stop)));
            }
        }
        Ok(self.done(done, None))
    }

    /// Sends SPACE. After an EIO the flags and the position are fetched at once.
    fn step(
        &mut self,
        operation: Operation,
        count: u64,
    ) -> Result<Result<u64, (Flags, u64)>, Failed> {
        let arguments = i32::try_from(count).map_err(|_| Errno::EINVAL);
        let moved = arguments.and_then(|count| self.operate(operation, count));
        match moved {
            Ok(()) => match self.ask() {
                Ok(object) => Ok(Ok(object)),
                Err(errno) => Err(self.lost_by("asking for the position", errno)),
            },
            Err(Errno::EIO) => {
                let flags = match self.flags() {
                    Ok(flags) => flags,
                    Err(errno) => return Err(self.failed("asking for the status", errno)),
                };
                let object = self.find("spacing", Errno::EIO)?;
                Ok(Err((flags, object)))
            }
            Err(errno) => Err(self.failed("spacing", errno)),
        }
    }

    fn blocks_forward(&mut self, count: u64) -> Result<Spaced, Failed> {
        let at = self.begin()?;
        match self.step(Operation::ForwardBlocks, count)? {
            Ok(object) if object == at + count => {
                self.medium.files.saw_blocks(at, count);
                self.arrive(object, self.medium.file);
                Ok(Spaced::all(count))
            }
            Err((flags, object)) if flags.end_of_data && object >= at => {
                self.medium.files.saw_blocks(at, object - at);
                self.medium.files.saw_end(object);
                self.arrive(object, self.medium.file);
                Ok(Spaced::stopped(object - at, Stop::EndOfData))
            }
            Err((flags, object)) if flags.mark && object > at => {
                let blocks = object - at - 1;
                self.medium.files.saw_blocks(at, blocks);
                self.arrive(object - 1, self.medium.file);
                let kind = self.mark_behind(object)?;
                if kind == Stop::Filemark {
                    self.passed_filemark(object - 1);
                } else {
                    self.medium.files.saw_blocks(object - 1, 1);
                    self.arrive(object, self.medium.file);
                }
                Ok(Spaced::stopped(blocks, kind))
            }
            Err((_, object)) if object >= at && object != 0 => {
                self.arrive(object, None);
                Err(Failed {
                    sense: Sense::MediumError,
                    count: object - at,
                    position: self.here(),
                })
            }
            Ok(object) | Err((_, object)) => Err(self.found_elsewhere(object)),
        }
    }

    fn blocks_back(&mut self, count: u64) -> Result<Spaced, Failed> {
        let at = self.begin()?;
        if at == 0 {
            return Ok(Spaced::stopped(0, Stop::BeginningOfPartition));
        }
        match self.step(Operation::BackBlocks, count)? {
            Ok(object) if object.checked_add(count) == Some(at) => {
                self.arrive(object, self.medium.file);
                Ok(Spaced::all(count))
            }
            Err((_, object)) if object < at => {
                let met = if object == 0 {
                    self.mark_at_beginning()?
                } else {
                    Some(self.mark_ahead(object)?)
                };
                let file = self.medium.file;
                let file = match met {
                    Some(Stop::Filemark) => file.and_then(|file| file.checked_sub(1)),
                    _ => file,
                };
                self.arrive(object, file);
                Ok(match met {
                    Some(mark) => Spaced::stopped(at - object - 1, mark),
                    None => Spaced::stopped(at, Stop::BeginningOfPartition),
                })
            }
            Ok(object) | Err((_, object)) => Err(self.found_elsewhere(object)),
        }
    }

    /// Finds the kind of the mark directly behind the current position. The tape ends up at the same position.
    fn mark_ahead(&mut self, object: u64) -> Result<Stop, Failed> {
        if !self.medium.setmarks {
            return Ok(Stop::Filemark);
        }
        // Spacing over blocks stops behind the mark.
        self.step(Operation::ForwardBlocks, 1)?.ok();
        let kind = self.mark_behind(object + 1)?;
        self.go_back(object)?;
        Ok(kind)
    }

    /// Backward spacing ended early at the beginning. Finds out whether a mark stopped it, which is the first
    /// object then, or the beginning of the partition. The tape ends up at the beginning again.
    fn mark_at_beginning(&mut self) -> Result<Option<Stop>, Failed> {
        if self.medium.files.is_mark(0) == Some(true) {
            return Ok(Some(Stop::Filemark));
        }
        let met = match self.step(Operation::ForwardBlocks, 1)? {
            Ok(_) => None,
            Err((flags, 1)) if flags.mark => Some(self.mark_behind(1)?),
            Err(_) => None,
        };
        self.go_back(0)?;
        Ok(met)
    }

    fn filemarks_forward(&mut self, count: u64) -> Result<Spaced, Failed> {
        let at = self.begin()?;
        // st corrects the file number by the marks that it did not pass. If st does not know the file number,
        // only single steps are exact.
        let before = self.flags().ok().and_then(|flags| flags.file);
        let count = if before.is_some() { count } else { 1 };
        match self.step(Operation::ForwardFilemarks, count)? {
            Ok(object) if object > at => {
                if count == 1 {
                    self.medium.files.saw_blocks(at, object - at - 1);
                    self.medium.files.saw_mark(object - 1);
                }
                self.arrive(object, self.medium.file.map(|file| file + count));
                Ok(Spaced::all(count))
            }
            Err((flags, object)) if object >= at => {
                let passed = self.passed(before, flags.file, count);
                if passed == Some(0) && flags.end_of_data {
                    self.medium.files.saw_blocks(at, object - at);
                }
                let file = self.medium.file.zip(passed);
                self.arrive(object, file.map(|(file, passed)| file + passed));
                let stop = if flags.end_of_data {
                    self.medium.files.saw_end(object);
                    Stop::EndOfData
                } else if self.medium.setmarks && object > at {
                    Stop::Setmark
                } else {
                    return self.fail(Sense::MediumError, passed.unwrap_or(0));
                };
                match passed {
                    Some(passed) => Ok(Spaced::stopped(passed, stop)),
                    None => self.fail(Sense::HardwareError, 0),
                }
            }
            Ok(object) | Err((_, object)) => Err(self.found_elsewhere(object)),
        }
    }

    fn filemarks_back(&mut self, count: u64) -> Result<Spaced, Failed> {
        let at = self.begin()?;
        if at == 0 {
            return Ok(Spaced::stopped(0, Stop::BeginningOfPartition));
        }
        let before = self.flags().ok().and_then(|flags| flags.file);
        let count = if before.is_some() { count } else { 1 };
        match self.step(Operation::BackFilemarks, count)? {
            Ok(object) if object < at => {
                let file = self.medium.file.and_then(|file| file.checked_sub(count));
                self.arrive(object, file);
                Ok(Spaced::all(count))
            }
            Err((flags, object)) if object < at => {
                let passed = self.passed(flags.file, before, count);
                let setmark = if !self.medium.setmarks {
                    false
                } else if object == 0 {
                    self.mark_at_beginning()? == Some(Stop::Setmark)
                } else {
                    true
                };
                let file = self.medium.file.zip(passed);
                let file = file.and_then(|(file, passed)| file.checked_sub(passed));
                self.arrive(object, file);
                let stop = match (setmark, object) {
                    (true, _) => Stop::Setmark,
                    (false, 0) => Stop::BeginningOfPartition,
                    (false, _) => return self.fail(Sense::MediumError, passed.unwrap_or(0)),
                };
                match passed {
                    Some(passed) => Ok(Spaced::stopped(passed, stop)),
                    None => self.fail(Sense::HardwareError, 0),
                }
            }
            Ok(object) | Err((_, object)) => Err(self.found_elsewhere(object)),
        }
    }

    /// The number of filemarks that an incomplete operation passed; 0 for an operation with a count of 1.
    fn passed(&self, from: Option<u64>, to: Option<u64>, count: u64) -> Option<u64> {
        if count == 1 {
            return Some(0);
        }
        from.zip(to).and_then(|(from, to)| to.checked_sub(from))
    }

    /// Spaces over setmarks one by one, because st does not count them.
    fn setmark_forward(&mut self) -> Result<Spaced, Failed> {
        let at = self.begin()?;
        match self.step(Operation::ForwardSetmarks, 1)? {
            Ok(object) if object > at => {
                self.arrive(object, None);
                Ok(Spaced::all(1))
            }
            Err((flags, object)) if flags.end_of_data && object >= at => {
                self.arrive(object, None);
                Ok(Spaced::stopped(0, Stop::EndOfData))
            }
            Ok(object) | Err((_, object)) => Err(self.found_elsewhere(object)),
        }
    }

    fn setmark_back(&mut self) -> Result<Spaced, Failed> {
        let at = self.begin()?;
        if at == 0 {
            return Ok(Spaced::stopped(0, Stop::BeginningOfPartition));
        }
        match self.step(Operation::BackSetmarks, 1)? {
            Ok(object) if object < at => {
                self.arrive(object, None);
                Ok(Spaced::all(1))
            }
            Err((_, 0)) => {
                self.arrive(0, Some(0));
                Ok(Spaced::stopped(0, Stop::BeginningOfPartition))
            }
            Ok(object) | Err((_, object)) => Err(self.found_elsewhere(object)),
        }
    }
}
