//! The model's open and close.

use pseudotape_mtio::Booleans;
use pseudotape_st::{AccessMode, Errno, Node, OpenFlags};
use pseudotape_tape::{Sense, Stop};

use super::driver::{Counters, Doing, Door, Driver, Met, Mode, OpenFile, PARTITIONS, Readiness};
use super::tape::{Trouble, Unit};

/// What TEST UNIT READY told at last.
enum Found {
    Tape,
    NewTape,
    NotReady(Readiness),
}

impl Driver {
    /// `open`; a blocking one that would wait tells at once what it gets at the end.
    pub fn open(&mut self, node: Node, flags: OpenFlags) -> Result<(), Errno> {
        if self.file.is_some() {
            return Err(Errno::Busy);
        }
        self.refuse_writes = flags.access == AccessMode::Read;
        for counters in &mut self.counters {
            counters.doing = Doing::Nothing;
        }
        let file = OpenFile {
            access: flags.access,
            nonblock: flags.nonblock,
            rewinding: node.rewinding,
            rewinds: node.rewinding,
            direct: true,
        };
        self.look(file, usize::from(node.mode))?;
        if !flags.nonblock {
            self.check_ready()?;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Asks the drive for its state, and sets up what a new session begins with.
    pub fn look(&mut self, file: OpenFile, mode: usize) -> Result<(), Errno> {
        self.ready = Readiness::Ready;
        let mut new_session = mode != self.mode;
        self.mode = mode;
        match self.test_ready() {
            Found::Tape => {}
            Found::NewTape => {
                self.begin_medium();
                new_session = true;
            }
            Found::NotReady(ready) => {
                self.ready = ready;
                (self.density, self.block_size) = (0, 0);
                self.refuse_writes = false;
                (self.counters[0].file, self.counters[0].block) = (-1, -1);
                (self.partition, self.wanted) = (0, 0);
                self.door = Door::Open;
                return Ok(());
            }
        }
        let limits = self.deck.personality.limits;
        self.limits =
            (!self.on(Booleans::NO_BLOCK_LIMITS)).then_some((limits.min_bytes, limits.max_bytes));
        self.buffering = self.deck.buffering;
        self.density = self.deck.density;
        self.block_size = self.deck.block_size;
        self.drive_protected = self.deck.protected();
        self.ahead.clear();
        self.given = 0;
        if self.drive_protected {
            self.refuse_writes = true;
            if !file.nonblock && file.access != AccessMode::Read {
                return Err(Errno::ReadOnly);
            }
        }
        if self.on(Booleans::CAN_PARTITIONS) && self.partitions == 0 {
            self.locate_here()?;
            self.partition = self.deck.partition;
            self.wanted = self.partition;
            self.partitions = 1;
        }
        if new_session {
            (self.chosen_block_size, self.chosen_density) = (None, None);
            self.chose_compression = false;
            if !self.on(Booleans::DEFAULTS_FOR_WRITES) {
                self.set_defaults()?;
            }
            if let Some(buffering) = self.default_buffering {
                self.set_buffering(buffering).ok();
            }
        }
        Ok(())
    }

    fn test_ready(&mut self) -> Found {
        let found = loop {
            match self.deck.ready() {
                Ok(()) if std::mem::take(&mut self.changed) => break Found::NewTape,
                Ok(()) => break Found::Tape,
                Err(Trouble::NewMedium) => self.changed = true,
                Err(Trouble::Reset) => self.lost = true,
                Err(Trouble::NotReady | Trouble::Refused) => break Found::NotReady(self.sense()),
            }
        };
        if self.first {
            self.lost = false;
            self.first = false;
        }
        found
    }

    fn sense(&self) -> Readiness {
        let after_unload = self.deck.personality.after_unload.sense;
        match self.deck.cartridge {
            Some(_) if after_unload == Sense::NotReady => Readiness::NotReady,
            Some(_) | None => Readiness::NoTape,
        }
    }

    /// Counters of a medium that was just loaded.
    pub fn begin_medium(&mut self) {
        self.lost = false;
        (self.partition, self.wanted) = (0, 0);
        if self.on(Booleans::CAN_PARTITIONS) {
            self.partitions = 1;
        }
        self.counters = [Counters::at(0, 0); PARTITIONS];
    }

    /// Density and block size of the mode, unless the program chose others.
    pub fn set_defaults(&mut self) -> Result<(), Errno> {
        let Some(Mode {
            block_size,
            density,
            ..
        }) = self.modes[self.mode]
        else {
            return Ok(());
        };
        let density = density.filter(|d| self.chosen_density.is_none() && *d != self.density);
        let block_size =
            block_size.filter(|b| self.chosen_block_size.is_none() && *b != self.block_size);
        if density.is_none() && block_size.is_none() {
            return Ok(());
        }
        let set = self.select(
            Some(block_size.unwrap_or(self.block_size)),
            density.unwrap_or(self.density),
        );
        match set {
            Err(_) if self.modes_defined => Err(Errno::Invalid),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    /// `close`, the last one.
    pub fn close(&mut self) -> Result<(), Errno> {
        let Some(file) = self.file else {
            return Err(Errno::BadDescriptor);
        };
        let mut result = self.end_transfers(file);
        if file.rewinds {
            let rewound = self.rewind();
            result = result.and(rewound);
        }
        if self.door == Door::Auto {
            self.set_door(false);
        }
        self.file = None;
        result
    }

    fn end_transfers(&mut self, file: OpenFile) -> Result<(), Errno> {
        let from = self.partition;
        if self.on(Booleans::CAN_PARTITIONS) {
            self.switch_partition()?;
        }
        if self.counters[from].doing == Doing::Writing && !self.lost {
            return self.mark_end(from);
        }
        if file.rewinds {
            return Ok(());
        }
        let reading = self.here().doing == Doing::Reading;
        if !(self.on(Booleans::SYSV) && reading) {
            if self.on(Booleans::CAN_BSR) {
                return self.flush(true);
            }
            if self.here().end == Met::FilemarkUntold {
                let back = self.cross_filemark(-1);
                self.here().end = Met::None;
                if back.is_err() {
                    self.pass_filemark();
                }
                return back;
            }
            return Ok(());
        }
        match self.here().end {
            Met::None => self.cross_filemark(1)?,
            Met::FilemarkUntold => {}
            _ => return Ok(()),
        }
        self.pass_filemark();
        Ok(())
    }

    /// The tape is behind a filemark that the counters of the current partition learn of now.
    fn pass_filemark(&mut self) {
        let counters = self.here();
        counters.next_file();
        counters.block = 0;
        counters.end = Met::Filemark;
    }

    /// The filemark of a close behind writing, counted where the writing was.
    fn mark_end(&mut self, from: usize) -> Result<(), Errno> {
        let two = self.on(Booleans::TWO_FILEMARKS);
        let marks = 1 + u64::from(two);
        let result = self.deck.marks(Unit::Filemark, marks);
        let went = self.sent(result)?;
        if went.stop == Some(Stop::EndOfPartition) {
            return Err(Errno::Io);
        }
        let counters = &mut self.counters[from];
        counters.next_file();
        counters.block = 0;
        counters.end = Met::Filemark;
        if two {
            self.cross_filemark(-1).ok();
        }
        Ok(())
    }

    /// Over one filemark, without counting it.
    pub fn cross_filemark(&mut self, count: i64) -> Result<(), Errno> {
        let result = self.deck.space(Unit::Filemark, count);
        match self.sent(result)?.stop {
            None => Ok(()),
            Some(_) => Err(Errno::Io),
        }
    }
}
