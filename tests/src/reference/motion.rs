//! The model's motions, marks and settings: what st sends to the drive, and what it counts afterwards.

use pseudotape_mtio::Booleans;
use pseudotape_st::Errno;
use pseudotape_tape::Stop;

use super::driver::{Counters, Doing, Driver, Met, PARTITIONS, Readiness};
use super::tape::{Trouble, Unit, Went};

/// The count of a SPACE: 24 bits with a sign.
fn signed_24(count: i32) -> i64 {
    i64::from((count << 8) >> 8)
}

/// What st learns from a motion that did not do its count.
struct Undone {
    count: i32,
    stop: Option<Stop>,
}

impl Driver {
    /// Moves over units; `direction` is −1 for the operations that go back.
    pub fn space(&mut self, unit: Unit, direction: i32, count: i32) -> Result<(), Errno> {
        self.check_ready()?;
        let asked = signed_24(count.wrapping_mul(direction));
        let result = self.deck.space(unit, asked);
        let undone = match self.sent(result) {
            Ok(Went { stop: None, .. }) => {
                self.spaced(unit, direction, count);
                return Ok(());
            }
            Ok(Went { count: done, stop }) => Undone {
                count: (asked.unsigned_abs() - done) as i32,
                stop,
            },
            Err(_) => Undone {
                count: 0,
                stop: None,
            },
        };
        let counters = self.here();
        let mark = matches!(undone.stop, Some(Stop::Filemark | Stop::Setmark));
        let blocks = moved(counters.block, direction, count);
        let files = moved(counters.file, direction, count);
        if undone.stop == Some(Stop::BeginningOfPartition) {
            counters.block = 0;
        }
        match (unit, direction) {
            (Unit::Filemark, 1) => {
                if counters.file >= 0 {
                    counters.file = match files {
                        0.. => files.wrapping_sub(undone.count),
                        _ => files,
                    };
                }
                counters.block = -1;
            }
            (Unit::Filemark, _) => {
                if counters.file >= 0 {
                    counters.file = files.wrapping_add(undone.count);
                }
                counters.block = 0;
            }
            (Unit::Block, 1) if mark => {
                counters.next_file();
                counters.block = 0;
            }
            (Unit::Block, 1) => {
                counters.block = match blocks >= undone.count {
                    true => blocks.wrapping_sub(undone.count),
                    false => -1,
                };
            }
            (Unit::Block, _) if mark => {
                counters.file = counters.file.wrapping_sub(1);
                counters.block = -1;
            }
            (Unit::Block, _) => {
                if counters.block >= 0 {
                    counters.block = blocks.wrapping_add(undone.count);
                }
            }
            (Unit::Setmark, _) => {}
        }
        counters.end = match undone.stop {
            Some(Stop::EndOfData) => Met::EndOfData,
            _ if unit == Unit::Block && direction == 1 && mark => Met::Filemark,
            _ => Met::None,
        };
        Err(Errno::Io)
    }

    fn spaced(&mut self, unit: Unit, direction: i32, count: i32) {
        let counters = self.here();
        if unit == Unit::Setmark {
            if count != 0 {
                (counters.file, counters.block) = (-1, -1);
                counters.setmark = true;
            }
            counters.end = Met::None;
            return;
        }
        counters.setmark &= count == 0;
        match unit {
            Unit::Filemark => {
                counters.file = moved(counters.file, direction, count);
                counters.block = if direction == 1 { 0 } else { -1 };
            }
            Unit::Block | Unit::Setmark => {
                counters.block = moved(counters.block, direction, count);
            }
        }
        counters.end = match (unit, direction) {
            (Unit::Filemark, 1) => Met::Filemark,
            _ => Met::None,
        };
    }

    /// `MTFSFM`, `MTBSFM`: there, and one back over.
    pub fn space_and_return(&mut self, direction: i32, count: i32) -> Result<(), Errno> {
        let end = self.here().end;
        self.space(Unit::Filemark, direction, count)?;
        self.here().end = end;
        self.space(Unit::Filemark, -direction, 1)
    }

    /// `MTEOM`.
    pub fn to_end(&mut self) -> Result<(), Errno> {
        self.check_ready()?;
        let mut file = -1;
        if !self.on(Booleans::FAST_EOM) {
            self.space(Unit::Filemark, 1, 0x7f_ffff).ok();
            if self.here().end >= Met::EndDue {
                return Ok(());
            }
            file = self.here().file;
        }
        let result = self.deck.end_of_data();
        let sent = self.sent(result);
        let counters = self.here();
        if sent.is_ok() {
            counters.setmark = false;
            counters.file = file;
        } else {
            counters.file = -1;
        }
        counters.block = -1;
        counters.end = Met::EndOfData;
        sent
    }

    /// `MTWEOF`, `MTWEOFI`, `MTWSM`.
    pub fn marks(&mut self, unit: Unit, count: i32) -> Result<(), Errno> {
        self.check_ready()?;
        if self.refuse_writes {
            return Err(Errno::Access);
        }
        let asked = u64::from(count.cast_unsigned() & 0xff_ffff);
        let result = self.deck.marks(unit, asked);
        let sent = self.sent(result);
        let counters = self.here();
        let file = moved(counters.file, 1, count);
        let Ok(went) = sent else {
            // No EOM comes with it, so nothing is counted.
            counters.end = Met::None;
            return Err(Errno::Io);
        };
        let undone = (asked - went.count) as i32;
        counters.block = 0;
        if went.stop.is_none() {
            counters.file = file;
            counters.setmark = unit == Unit::Setmark;
            counters.end = Met::None;
            if unit == Unit::Filemark {
                counters.doing = Doing::Nothing;
            }
            return Ok(());
        }
        if unit == Unit::Setmark {
            counters.end = Met::None;
            return Err(Errno::Io);
        }
        if went.stop == Some(Stop::EarlyWarning) {
            counters.file = file;
            counters.end = Met::None;
            return Ok(());
        }
        counters.file = if file >= 0 {
            file.wrapping_sub(undone)
        } else {
            file
        };
        // Counts are compared as unsigned numbers.
        let some = count < 0 || undone < count;
        counters.end = if some { Met::None } else { Met::Warning };
        Err(Errno::Io)
    }

    fn at_beginning(&mut self, result: Result<(), Trouble>) -> Result<(), Errno> {
        let sent = self.sent(result);
        let counters = self.here();
        counters.end = Met::None;
        sent?;
        (counters.file, counters.block, counters.setmark) = (0, 0, false);
        Ok(())
    }

    /// `MTREW`.
    pub fn rewind(&mut self) -> Result<(), Errno> {
        self.check_ready()?;
        let result = self.deck.rewind();
        self.at_beginning(result)
    }

    /// `MTRETEN`.
    pub fn retension(&mut self) -> Result<(), Errno> {
        self.check_ready()?;
        let result = self.deck.load();
        self.at_beginning(result)
    }

    /// `MTERASE`.
    pub fn erase(&mut self) -> Result<(), Errno> {
        self.check_ready()?;
        if self.refuse_writes {
            return Err(Errno::Access);
        }
        let result = self.deck.erase();
        let sent = self.sent(result);
        self.here().end = Met::None;
        sent
    }

    /// Sets block size and density (MODE SELECT).
    pub fn select(&mut self, block_size: Option<u32>, density: u8) -> Result<(), Errno> {
        self.check_ready()?;
        if !self.ahead.is_empty() {
            return Err(Errno::Io);
        }
        let size = block_size.map(|size| size & 0xff_ffff);
        if let (Some(size @ 1..), Some((min, max))) = (size, self.limits)
            && !(min..=max).contains(&size)
        {
            return Err(Errno::Invalid);
        }
        let personality = self.deck.personality;
        let refused = personality.refused_densities.contains(&density)
            || size.is_some_and(|size| !personality.takes_block_size(size));
        let result = self.deck.ready().and(match refused {
            true => Err(Trouble::Refused),
            false => Ok(()),
        });
        self.sent(result)?;
        if let Some(size) = size {
            (self.deck.block_size, self.block_size) = (size, size);
            self.ahead.clear();
            self.given = 0;
        }
        (self.deck.density, self.density) = (density, density);
        Ok(())
    }

    /// `MTSETBLK`.
    pub fn set_block_size(&mut self, count: i32) -> Result<(), Errno> {
        let bits = count.cast_unsigned();
        self.check_ready()?;
        let size = bits & 0xff_ffff;
        let within = self
            .limits
            .is_none_or(|(min, max)| size == 0 || (min..=max).contains(&size));
        if within && self.ahead.is_empty() {
            self.chosen_block_size = Some(bits);
        }
        self.select(Some(bits), self.density)
    }

    /// `MTSETDENSITY`.
    pub fn set_density(&mut self, count: i32) -> Result<(), Errno> {
        self.check_ready()?;
        let [density, ..] = count.to_le_bytes();
        self.chosen_density = Some(density);
        self.select(None, density)
    }

    /// `MTCOMPRESSION`: mode page and back; on or off makes no difference to what is on the tape.
    pub fn set_compression(&mut self) -> Result<(), Errno> {
        if self.ready != Readiness::Ready || !self.deck.personality.compression {
            return Err(Errno::Io);
        }
        let result = self.deck.ready();
        self.sent(result)?;
        self.chose_compression = true;
        Ok(())
    }

    /// `MTSETDRVBUFFER` with a mode.
    pub fn set_buffering(&mut self, buffering: u8) -> Result<(), Errno> {
        self.check_ready()?;
        let result = self.deck.ready();
        self.sent(result)?;
        self.buffering = buffering & 7;
        self.deck.buffering = self.buffering;
        Ok(())
    }

    /// `MTSEEK`, and the way to another partition.
    pub fn seek(&mut self, object: u32, partition: usize) -> Result<(), Errno> {
        if self.ready != Readiness::Ready {
            return Err(Errno::Io);
        }
        if !self.on(Booleans::CAN_PARTITIONS) && partition != 0 {
            return Err(Errno::Invalid);
        }
        let from = self.partition;
        if partition != from {
            self.counters[from].left_at = self.locate_here().ok();
        }
        let target = (partition != from).then_some(partition);
        let result = self.deck.locate(target, object.into());
        let sent = self.sent(result);
        let counters = self.here();
        (counters.file, counters.block, counters.end) = (-1, -1, Met::None);
        if sent.is_err() {
            if self.on(Booleans::CAN_PARTITIONS) && self.locate_here().is_ok() {
                self.partition = self.deck.partition;
            }
            return sent;
        }
        if self.on(Booleans::CAN_PARTITIONS) {
            self.partition = partition;
            let counters = self.here();
            if counters.left_at != Some(object) {
                counters.setmark = false;
                counters.doing = Doing::Nothing;
            }
        } else {
            self.here().setmark = false;
        }
        if object == 0 {
            (self.here().file, self.here().block) = (0, 0);
        }
        Ok(())
    }

    /// Goes to the partition that was asked for.
    pub fn switch_partition(&mut self) -> Result<(), Errno> {
        if self.partition == self.wanted {
            return Ok(());
        }
        let object = self.counters[self.wanted].left_at.unwrap_or(0);
        self.seek(object, self.wanted)
    }

    /// After a reset, when a motion to a known place is asked.
    pub fn forget_place(&mut self) {
        self.lost = false;
        self.ahead.clear();
        self.given = 0;
        self.counters = [Counters::at(-1, -1); PARTITIONS];
        if self.on(Booleans::CAN_PARTITIONS) {
            self.partition = match self.locate_here() {
                Ok(_) => self.deck.partition,
                Err(_) => 0,
            };
        }
    }
}

/// A counter after a motion; unknown stays unknown.
fn moved(counter: i32, direction: i32, count: i32) -> i32 {
    match counter {
        0.. => counter.wrapping_add(count.wrapping_mul(direction)),
        _ => counter,
    }
}
