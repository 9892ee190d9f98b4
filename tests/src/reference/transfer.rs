//! The model's reads and writes.

use pseudotape_mtio::Booleans;
use pseudotape_st::Errno;
use pseudotape_tape::Stop;

use super::driver::{Doing, Door, Driver, Met, Readiness};
use super::tape::Unit;

/// The driver's buffer in fixed block mode, where transfers don't go directly.
const BUFFER_BYTES: usize = 32 << 10;

/// How one read of the drive ended.
enum Read {
    /// Blocks came, and more may.
    More,
    /// Something other than a block.
    Special,
}

impl Driver {
    fn check_transfer(&mut self, count: usize) -> Result<(), Errno> {
        if self.file.is_none() {
            return Err(Errno::BadDescriptor);
        }
        self.check_ready()?;
        if self.modes[self.mode].is_none() {
            return Err(Errno::NoDevice);
        }
        if self.lost {
            return Err(Errno::Io);
        }
        if count == 0 {
            return Ok(());
        }
        if self.on(Booleans::CAN_PARTITIONS) {
            self.switch_partition()?;
        }
        if let (0, Some((min, max))) = (self.block_size, self.limits)
            && !(u64::from(min)..=u64::from(max)).contains(&(count as u64))
        {
            return Err(Errno::Invalid);
        }
        if self.on(Booleans::AUTO_LOCK) && self.door == Door::Open {
            self.set_door(true);
            self.door = Door::Auto;
        }
        Ok(())
    }

    /// `write`.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, Errno> {
        self.check_transfer(data.len())?;
        if data.is_empty() {
            return Ok(0);
        }
        let size = self.block_size as usize;
        if size != 0 && !data.len().is_multiple_of(size) {
            return Err(Errno::Invalid);
        }
        if self.refuse_writes {
            return Err(Errno::Access);
        }
        let counters = *self.here();
        if counters.doing == Doing::Reading {
            self.flush(true)?;
            self.here().doing = Doing::Writing;
        } else if counters.doing == Doing::Nothing && (counters.file, counters.block) == (0, 0) {
            self.set_defaults()?;
            let compression = self.modes[self.mode].and_then(|mode| mode.compression);
            if compression.is_some()
                && !self.chose_compression
                && self.set_compression().is_err()
                && self.modes_defined
            {
                return Err(Errno::Invalid);
            }
        }
        if self.here().end == Met::Warning {
            self.here().end = Met::EndDue;
            return Err(Errno::NoSpace);
        }
        self.here().doing = Doing::Writing;
        // The defaults may have changed it.
        let length = match self.block_size {
            0 => data.len(),
            size => size as usize,
        };
        if !data.len().is_multiple_of(length) {
            // st would say that it wrote what is no whole block; here nothing is dropped (ST-WRITE-14).
            self.here().block = -1;
            return Err(Errno::Io);
        }
        let result = self.deck.write(data, length);
        let went = match self.sent(result) {
            Ok(went) => went,
            Err(errno) => {
                self.here().block = -1;
                return Err(errno);
            }
        };
        let counters = self.here();
        counters.more_blocks(went.count as i32);
        if went.stop.is_some() {
            counters.end = Met::Warning;
        } else {
            counters.end = match counters.end {
                Met::EndDue => Met::Warning,
                _ => Met::None,
            };
        }
        let undone = (data.len() / length - went.count as usize) * length;
        match data.len() - undone {
            0 => Err(Errno::NoSpace),
            bytes => Ok(bytes),
        }
    }

    /// `read`.
    pub fn read(&mut self, count: usize) -> Result<Vec<u8>, Errno> {
        self.check_transfer(count)?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let size = self.block_size as usize;
        if size != 0 && !count.is_multiple_of(size) {
            if !self.on(Booleans::READ_AHEAD) {
                return Err(Errno::Invalid);
            }
            self.file.as_mut().expect("checked").direct = false;
        }
        let direct = self.file.expect("checked").direct;
        if self.here().doing == Doing::Writing {
            self.here().doing = Doing::Reading;
        }
        if self.ahead.is_empty() {
            match self.here().end {
                Met::EndDue => {
                    self.here().end = Met::EndAgain;
                    return Ok(Vec::new());
                }
                Met::EndAgain => {
                    self.here().end = Met::EndOfData;
                    return Ok(Vec::new());
                }
                Met::EndOfData => return Err(Errno::Io),
                Met::None | Met::FilemarkUntold | Met::Filemark | Met::Warning => {}
            }
        }
        self.here().doing = Doing::Reading;
        let mut data = Vec::new();
        while data.len() < count {
            let mut special = false;
            if self.ahead.is_empty() {
                special = matches!(self.fill(count - data.len(), direct)?, Read::Special);
            }
            let given = self.ahead.len().min(count - data.len());
            data.extend(self.ahead.drain(..given));
            self.given += given;
            if special || size == 0 {
                break;
            }
        }
        if direct {
            // Nothing is kept.
            self.given = 0;
            self.ahead.clear();
        }
        self.tell_end(data.is_empty());
        Ok(data)
    }

    fn tell_end(&mut self, nothing: bool) {
        let counters = self.here();
        counters.end = match (nothing, counters.end) {
            (true, Met::FilemarkUntold) => {
                counters.block = 0;
                counters.next_file();
                Met::Filemark
            }
            (true, Met::EndDue) => {
                counters.block = 0;
                counters.next_file();
                Met::EndAgain
            }
            (true, Met::EndAgain) => Met::EndOfData,
            (false, Met::Filemark) => Met::None,
            (_, end) => end,
        };
    }

    /// Gets more from the drive.
    fn fill(&mut self, wanted: usize, direct: bool) -> Result<Read, Errno> {
        if self.here().end == Met::FilemarkUntold {
            return Ok(Read::Special);
        }
        match self.block_size as usize {
            0 => self.fill_one(wanted),
            size => {
                let buffer = (BUFFER_BYTES / size).max(1);
                let blocks = match (direct, self.on(Booleans::READ_AHEAD)) {
                    (true, _) => wanted / size,
                    (false, true) => buffer,
                    (false, false) => (wanted / size).min(buffer),
                };
                self.fill_blocks(size, blocks)
            }
        }
    }

    fn fill_one(&mut self, wanted: usize) -> Result<Read, Errno> {
        let result = self.deck.read_block(wanted);
        let got = match self.sent(result) {
            Ok(got) => got,
            Err(errno) => return self.unreadable(errno),
        };
        self.here().setmark = false;
        self.given = 0;
        let silent = self.on(Booleans::SILI);
        match got.stop {
            None => {
                let counters = self.here();
                counters.more_blocks(1);
                if got.longer && !silent {
                    return Err(Errno::NoMemory);
                }
                self.ahead = got.data;
                Ok(Read::More)
            }
            Some(Stop::Filemark | Stop::Setmark) => {
                let counters = self.here();
                counters.end = Met::FilemarkUntold;
                counters.more_blocks(1);
                Ok(Read::Special)
            }
            Some(_) => self.no_more(),
        }
    }

    fn fill_blocks(&mut self, size: usize, blocks: usize) -> Result<Read, Errno> {
        let result = self.deck.read_blocks(size, blocks);
        let got = match self.sent(result) {
            Ok(got) => got,
            Err(errno) => return self.unreadable(errno),
        };
        self.here().setmark = false;
        self.given = 0;
        let count = (got.data.len() / size) as i32;
        let special = match got.stop {
            None => Read::More,
            Some(Stop::Filemark | Stop::Setmark) => {
                self.here().end = Met::FilemarkUntold;
                Read::Special
            }
            Some(Stop::IllegalLength) => {
                let counters = self.here();
                counters.more_blocks(1);
                let back = self.space(Unit::Block, -1, 1);
                if count == 0 || back.is_err() {
                    return Err(Errno::Io);
                }
                Read::Special
            }
            Some(_) => return self.no_more(),
        };
        self.ahead = got.data;
        let counters = self.here();
        counters.more_blocks(count);
        Ok(special)
    }

    /// BLANK CHECK: zero once behind a filemark.
    fn no_more(&mut self) -> Result<Read, Errno> {
        self.here().setmark = false;
        self.here().block = -1;
        if self.here().end != Met::Filemark {
            return Err(Errno::Io);
        }
        self.here().end = Met::EndAgain;
        Ok(Read::Special)
    }

    fn unreadable(&mut self, errno: Errno) -> Result<Read, Errno> {
        self.here().setmark = false;
        self.here().block = -1;
        Err(errno)
    }

    /// Gives back what was read ahead; with `back` the tape is moved to what was not given yet.
    pub fn flush(&mut self, back: bool) -> Result<(), Errno> {
        if self.ready != Readiness::Ready {
            return Ok(());
        }
        if self.lost {
            return Err(Errno::Io);
        }
        let size = self.block_size as usize;
        if self.here().doing == Doing::Writing || size == 0 {
            return Ok(());
        }
        let blocks = (self.ahead.len() + self.given) / size - self.given.div_ceil(size);
        self.ahead.clear();
        self.given = 0;
        if self.here().end == Met::FilemarkUntold {
            if back {
                let crossed = self.cross_filemark(-1);
                if crossed.is_err() {
                    let counters = self.here();
                    counters.next_file();
                    counters.block = 0;
                }
                crossed?;
                self.here().end = Met::None;
            } else {
                let counters = self.here();
                counters.next_file();
                counters.block = 0;
                counters.end = Met::None;
            }
        }
        if back && blocks > 0 {
            return self.space(Unit::Block, -1, blocks as i32);
        }
        Ok(())
    }

    /// PREVENT or ALLOW MEDIUM REMOVAL; works without a medium, and leaves unit attentions to others.
    pub fn set_door(&mut self, locked: bool) {
        self.deck.locked = locked;
        self.door = if locked { Door::Asked } else { Door::Open };
    }
}
