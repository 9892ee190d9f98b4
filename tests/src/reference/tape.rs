//! The model's tape drive: partitions of objects, a place, and what the operator can do.

use pseudotape_drive::{ErasePolicy, Personality};
use pseudotape_tape::Stop;

/// What lies on the tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A block; a damaged one can't be read.
    Block {
        /// What was written.
        data: Vec<u8>,
        /// Whether it can't be read any more.
        damaged: bool,
    },
    /// A filemark.
    Filemark,
    /// A setmark.
    Setmark,
}

/// One partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// Its objects.
    pub objects: Vec<Object>,
    /// Bytes to the physical end; `None`: endless.
    pub capacity_bytes: Option<u64>,
    /// Length of the early-warning zone before it.
    pub early_warning_bytes: u64,
}

/// What a drive can hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cartridge {
    /// Its partitions.
    pub partitions: Vec<Partition>,
    /// The switch.
    pub protected: bool,
    /// Can only be appended to.
    pub worm: bool,
}

/// Why the drive did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Unit attention: another medium.
    NewMedium,
    /// Unit attention: reset.
    Reset,
    /// No medium, or not loaded.
    NotReady,
    /// Anything else; st makes no difference.
    Refused,
}

/// How far a motion or a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Went {
    /// Units done.
    pub count: u64,
    /// Why no more, or what comes with it.
    pub stop: Option<Stop>,
}

/// What a read brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// The data.
    pub data: Vec<u8>,
    /// Why no more.
    pub stop: Option<Stop>,
    /// Whether the block was longer than asked (variable block mode).
    pub longer: bool,
}

/// A tape drive.
#[derive(Clone, Debug)]
pub struct Deck {
    /// What kind.
    pub personality: Personality,
    /// What is in it.
    pub cartridge: Option<Cartridge>,
    /// Whether that is loaded.
    pub loaded: bool,
    /// What the next commands are told instead of being done, the first one first.
    pub news: Vec<Trouble>,
    /// Current partition.
    pub partition: usize,
    /// Current object.
    pub at: usize,
    /// Block size of fixed block mode, or 0.
    pub block_size: u32,
    /// Density code.
    pub density: u8,
    /// Buffering mode.
    pub buffering: u8,
    /// Whether the door is locked.
    pub locked: bool,
}

/// What is counted when moving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Blocks.
    Block,
    /// Filemarks.
    Filemark,
    /// Setmarks.
    Setmark,
}

impl Deck {
    /// An empty drive.
    #[must_use]
    pub fn new(personality: Personality) -> Self {
        Deck {
            cartridge: None,
            loaded: false,
            news: Vec::new(),
            partition: 0,
            at: 0,
            block_size: 0,
            density: personality.density,
            buffering: personality.buffering,
            locked: false,
            personality,
        }
    }

    /// The operator puts a cartridge in.
    pub fn insert(&mut self, cartridge: Cartridge) {
        self.cartridge = Some(cartridge);
        self.loaded = true;
        (self.partition, self.at) = (0, 0);
        if self.personality.announces_medium {
            self.news.retain(|news| *news == Trouble::Reset);
            self.news.push(Trouble::NewMedium);
        }
    }

    /// The operator takes it out.
    pub fn eject(&mut self) -> Option<Cartridge> {
        self.loaded = false;
        self.locked = false;
        self.partition = 0;
        self.cartridge.take()
    }

    /// The bus is reset. The tape stays; settings are those of the power-on.
    pub fn reset(&mut self) {
        self.block_size = 0;
        self.density = self.personality.density;
        self.buffering = self.personality.buffering;
        self.news.retain(|news| *news != Trouble::Reset);
        self.news.insert(0, Trouble::Reset);
        self.locked = false;
    }

    /// The state of the loaded medium, unless there is something to tell first.
    pub fn ready(&mut self) -> Result<(), Trouble> {
        self.attentive()?;
        match self.loaded {
            true => Ok(()),
            false => Err(Trouble::NotReady),
        }
    }

    /// Commands that need no medium.
    pub fn attentive(&mut self) -> Result<(), Trouble> {
        match self.news.is_empty() {
            true => Ok(()),
            false => Err(self.news.remove(0)),
        }
    }

    fn cartridge(&mut self) -> &mut Cartridge {
        self.cartridge.as_mut().expect("loaded")
    }

    fn here(&mut self) -> &mut Partition {
        let partition = self.partition;
        &mut self.cartridge().partitions[partition]
    }

    /// Whether the medium's switch forbids to write.
    #[must_use]
    pub fn protected(&self) -> bool {
        self.cartridge.as_ref().is_some_and(|c| c.protected) && self.loaded
    }

    /// Bytes before the current place, as the drive counts them.
    fn used(&mut self) -> u64 {
        let (at, mark) = (self.at, self.personality.mark_bytes);
        let cost = |object: &Object| match object {
            Object::Block { data, .. } => data.len() as u64,
            Object::Filemark => mark,
            // It needs room to be written, and is not counted: no record of an image tells how many lie before it.
            Object::Setmark => 0,
        };
        self.here().objects[..at].iter().map(cost).sum()
    }

    fn warning(&mut self) -> Option<Stop> {
        let (used, zone) = (self.used(), self.here().early_warning_bytes);
        let total = self.here().capacity_bytes?;
        (used + zone >= total).then_some(Stop::EarlyWarning)
    }

    /// Checks that something can be written here.
    fn cut(&mut self) -> Result<(), Trouble> {
        let at = self.at;
        if self.cartridge().protected {
            return Err(Trouble::Refused);
        }
        if self.cartridge().worm && at < self.here().objects.len() {
            return Err(Trouble::Refused);
        }
        Ok(())
    }

    fn append(&mut self, object: Object) {
        let at = self.at;
        self.here().objects.truncate(at);
        self.here().objects.push(object);
        self.at += 1;
    }

    /// Writes blocks of one length.
    pub fn write(&mut self, data: &[u8], length: usize) -> Result<Went, Trouble> {
        self.ready()?;
        self.cut()?;
        if !self.personality.takes_block(length as u64) {
            return Err(Trouble::Refused);
        }
        let mut count = 0;
        // Counted once: blocks can be of one byte, and many.
        let mut used = self.used();
        for block in data.chunks_exact(length) {
            let fits = self
                .here()
                .capacity_bytes
                .is_none_or(|total| used + length as u64 <= total);
            if !fits {
                let stop = Some(Stop::EndOfPartition);
                return Ok(Went { count, stop });
            }
            self.append(Object::Block {
                data: block.to_vec(),
                damaged: false,
            });
            used += length as u64;
            count += 1;
        }
        let stop = self.warning();
        Ok(Went { count, stop })
    }

    /// Writes marks.
    pub fn marks(&mut self, unit: Unit, asked: u64) -> Result<Went, Trouble> {
        self.ready()?;
        if unit == Unit::Setmark && asked > 0 && !self.personality.setmarks {
            return Err(Trouble::Refused);
        }
        if asked == 0 {
            let (count, stop) = (0, None);
            return Ok(Went { count, stop });
        }
        self.cut()?;
        let (mut used, cost) = (self.used(), self.personality.mark_bytes);
        for count in 0..asked {
            let always = self.personality.mark_fits_at_end;
            let fits = always || self.here().capacity_bytes.is_none_or(|t| used + cost <= t);
            if !fits {
                let stop = Some(Stop::EndOfPartition);
                return Ok(Went { count, stop });
            }
            self.append(match unit {
                Unit::Setmark => Object::Setmark,
                Unit::Block | Unit::Filemark => Object::Filemark,
            });
            used += cost;
        }
        let stop = self.warning();
        Ok(Went { count: asked, stop })
    }

    fn next_object(&mut self) -> Option<Object> {
        let at = self.at;
        let object = self.here().objects.get(at).cloned()?;
        self.at += 1;
        Some(object)
    }

    /// Reads one block of any length.
    pub fn read_block(&mut self, room: usize) -> Result<Got, Trouble> {
        self.ready()?;
        // With no-block-limits only it comes to that.
        if self.personality.limits_reads && !self.personality.limits.contain(room as u64) {
            return Err(Trouble::Refused);
        }
        let nothing = |stop| Got {
            data: Vec::new(),
            stop: Some(stop),
            longer: false,
        };
        Ok(match self.next_object() {
            None => nothing(Stop::EndOfData),
            Some(Object::Filemark) => nothing(Stop::Filemark),
            Some(Object::Setmark) => nothing(Stop::Setmark),
            Some(Object::Block { damaged: true, .. }) => return Err(Trouble::Refused),
            Some(Object::Block { mut data, .. }) => {
                let longer = data.len() > room;
                data.truncate(room);
                Got {
                    data,
                    stop: None,
                    longer,
                }
            }
        })
    }

    /// Reads blocks of one length until something else comes.
    pub fn read_blocks(&mut self, length: usize, asked: usize) -> Result<Got, Trouble> {
        self.ready()?;
        let mut data = Vec::new();
        let mut stop = None;
        for _ in 0..asked {
            match self.next_object() {
                None => stop = Some(Stop::EndOfData),
                Some(Object::Filemark) => stop = Some(Stop::Filemark),
                Some(Object::Setmark) => stop = Some(Stop::Setmark),
                Some(Object::Block { damaged: true, .. }) => return Err(Trouble::Refused),
                Some(Object::Block { data: block, .. }) if block.len() == length => {
                    data.extend_from_slice(&block);
                }
                Some(Object::Block { .. }) => stop = Some(Stop::IllegalLength),
            }
            if stop.is_some() {
                break;
            }
        }
        Ok(Got {
            data,
            stop,
            longer: false,
        })
    }

    /// Moves over units, backwards where negative.
    pub fn space(&mut self, unit: Unit, count: i64) -> Result<Went, Trouble> {
        self.ready()?;
        if unit == Unit::Setmark && !self.personality.setmarks {
            return Err(Trouble::Refused);
        }
        let mut done = 0;
        let stop = loop {
            if done == count.unsigned_abs() {
                break None;
            }
            let at = self.at;
            let passed = match count > 0 {
                true if at == self.here().objects.len() => break Some(Stop::EndOfData),
                false if at == 0 => break Some(Stop::BeginningOfPartition),
                true => at,
                false => at - 1,
            };
            self.at = if count > 0 { at + 1 } else { passed };
            match (unit, &self.here().objects[passed]) {
                (Unit::Block, Object::Block { .. })
                | (Unit::Filemark, Object::Filemark)
                | (Unit::Setmark, Object::Setmark) => done += 1,
                (Unit::Block, Object::Filemark) => break Some(Stop::Filemark),
                (Unit::Block | Unit::Filemark, Object::Setmark) => break Some(Stop::Setmark),
                (Unit::Filemark | Unit::Setmark, Object::Block { .. })
                | (Unit::Setmark, Object::Filemark) => {}
            }
        };
        Ok(Went { count: done, stop })
    }

    /// Moves to the end of data.
    pub fn end_of_data(&mut self) -> Result<(), Trouble> {
        self.ready()?;
        self.at = self.here().objects.len();
        Ok(())
    }

    /// Moves to an object.
    pub fn locate(&mut self, partition: Option<usize>, object: u64) -> Result<(), Trouble> {
        self.ready()?;
        if let Some(partition) = partition {
            if partition >= self.cartridge().partitions.len() {
                return Err(Trouble::Refused);
            }
            self.partition = partition;
        }
        let end = self.here().objects.len();
        self.at = usize::try_from(object).map_or(end, |at| at.min(end));
        if object > end as u64 {
            return Err(Trouble::Refused);
        }
        Ok(())
    }

    /// What MODE SENSE tells of partitions, also without a medium; it leaves news to others.
    #[must_use]
    pub fn partitions(&self) -> usize {
        match &self.cartridge {
            Some(cartridge) if self.loaded => cartridge.partitions.len(),
            Some(_) | None => 1,
        }
    }

    /// Rewinds the current partition.
    pub fn rewind(&mut self) -> Result<(), Trouble> {
        self.ready()?;
        self.at = 0;
        Ok(())
    }

    /// Loads what is in the drive.
    pub fn load(&mut self) -> Result<(), Trouble> {
        self.attentive()?;
        let kept = self.loaded || self.personality.after_unload.keeps_cartridge;
        if self.cartridge.is_none() || !kept {
            return Err(Trouble::NotReady);
        }
        self.loaded = true;
        (self.partition, self.at) = (0, 0);
        Ok(())
    }

    /// Unloads.
    pub fn unload(&mut self) -> Result<(), Trouble> {
        self.ready()?;
        if self.locked {
            return Err(Trouble::Refused);
        }
        self.loaded = false;
        Ok(())
    }

    /// Erases from here on.
    pub fn erase(&mut self) -> Result<(), Trouble> {
        self.ready()?;
        let at = self.at;
        self.cut()?;
        if self.personality.erase == ErasePolicy::AtBeginning && at > 0 {
            return Err(Trouble::Refused);
        }
        self.here().objects.truncate(at);
        Ok(())
    }

    /// What a drive answers that does not cut a medium into parts of the size that is asked for.
    pub fn refuse_partition(&mut self) -> Result<(), Trouble> {
        self.ready()?;
        Err(Trouble::Refused)
    }

    /// Cuts the medium: the sizes of its partitions, `None` for the rest of an endless medium.
    pub fn partition_medium(&mut self, sizes: Vec<Option<u64>>) -> Result<(), Trouble> {
        self.ready()?;
        self.cut()?;
        let cartridge = self.cartridge();
        if cartridge.worm
            && cartridge
                .partitions
                .iter()
                .any(|part| !part.objects.is_empty())
        {
            return Err(Trouble::Refused);
        }
        if sizes.contains(&Some(0)) {
            return Err(Trouble::Refused);
        }
        // At most half of each is the zone.
        let zone = self.cartridge().partitions[0].early_warning_bytes;
        self.cartridge().partitions = sizes
            .into_iter()
            .map(|capacity_bytes| Partition {
                objects: Vec::new(),
                capacity_bytes,
                early_warning_bytes: zone.min(capacity_bytes.map_or(zone, |total| total / 2)),
            })
            .collect();
        (self.partition, self.at) = (0, 0);
        Ok(())
    }
}
