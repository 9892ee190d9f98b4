//! The model's `MTIOCTOP`.

use pseudotape_drive::OversizedPartition;
use pseudotape_mtio::{BooleanChange, Booleans, DriverOption, MtOp, Operation};
use pseudotape_st::{Caller, Errno};

use super::driver::{Counters, Doing, Door, Driver, MODE_SWITCHES, Met, PARTITIONS, Readiness};
use super::tape::{Trouble, Unit};

/// Bits of a count that make an option of `MTSETDRVBUFFER`; st looks at them with any operation.
const OPTIONS: u32 = 0xf000_0000;

/// Bytes in a MiB, in which partitions are sized.
const MIB: u64 = 1 << 20;

impl Driver {
    /// `MTIOCTOP`.
    pub fn op(&mut self, mut op: MtOp, caller: Caller) -> Result<(), Errno> {
        use Operation as O;
        if self.file.is_none() {
            return Err(Errno::BadDescriptor);
        }
        if op.operation == O::SetDriveBuffer && !caller.privileged {
            return Err(Errno::Perm);
        }
        let optional = op.count.cast_unsigned() & OPTIONS != 0;
        if self.modes[self.mode].is_none() && op.operation != O::SetDriveBuffer && !optional {
            return Err(Errno::NoDevice);
        }
        if self.lost {
            self.after_reset(op.operation)?;
        } else {
            self.settle(&mut op)?;
        }
        let keeps = matches!(
            op.operation,
            O::Nothing
                | O::SetBlockSize
                | O::SetDensity
                | O::WriteSetmarks
                | O::SetDriveBuffer
                | O::SetPartition
        );
        if !keeps {
            self.here().doing = Doing::Nothing;
        }
        if op.operation == O::Offline && self.door != Door::Open {
            self.set_door(false);
        }
        match (op.operation, DriverOption::decode(op.count)) {
            (O::SetDriveBuffer, Some(option)) => self.set_option(option),
            (O::SetPartition, _) => self.choose_partition(op.count),
            (O::MakePartitions, _) => self.make_partitions(op.count),
            (O::Seek, _) => {
                let result = self.seek(op.count.cast_unsigned(), self.wanted);
                if !self.on(Booleans::CAN_PARTITIONS) {
                    self.counters[0].doing = Doing::Nothing;
                }
                result
            }
            (O::Unload | O::Offline, _) => self.unload(),
            (O::Load, _) => self.load(),
            (O::Lock | O::Unlock, _) => {
                self.set_door(op.operation == O::Lock);
                Ok(())
            }
            _ => self.do_here(op),
        }
    }

    fn do_here(&mut self, op: MtOp) -> Result<(), Errno> {
        use Operation as O;
        if self.on(Booleans::CAN_PARTITIONS) && self.ready == Readiness::Ready {
            self.switch_partition()?;
        }
        match op.operation {
            O::Compression => self.set_compression(),
            O::ForwardFilemarks => self.space(Unit::Filemark, 1, op.count),
            O::BackFilemarks => self.space(Unit::Filemark, -1, op.count),
            O::ForwardBlocks => self.space(Unit::Block, 1, op.count),
            O::BackBlocks => self.space(Unit::Block, -1, op.count),
            O::ForwardSetmarks => self.space(Unit::Setmark, 1, op.count),
            O::BackSetmarks => self.space(Unit::Setmark, -1, op.count),
            O::ForwardFilemarksBefore => {
                self.check_ready()?;
                self.space_and_return(1, op.count)
            }
            O::BackFilemarksAfter => {
                self.check_ready()?;
                self.space_and_return(-1, op.count)
            }
            O::WriteFilemarks | O::WriteFilemarksImmediate => self.marks(Unit::Filemark, op.count),
            O::WriteSetmarks => self.marks(Unit::Setmark, op.count),
            O::Rewind => self.rewind(),
            O::Retension => self.retension(),
            O::EndOfData => self.to_end(),
            O::Erase => self.erase(),
            O::SetBlockSize => self.set_block_size(op.count),
            O::SetDensity => self.set_density(op.count),
            O::SetDriveBuffer => self.set_buffering(op.count.to_le_bytes()[0]),
            O::Nothing => self.check_ready(),
            _ => {
                self.check_ready()?;
                Err(Errno::NotImplemented)
            }
        }
    }

    /// Before an operation: what was read ahead is given back, and a filemark ends what was written.
    fn settle(&mut self, op: &mut MtOp) -> Result<(), Errno> {
        use Operation as O;
        let back_over = matches!(op.operation, O::BackFilemarks | O::BackFilemarksAfter);
        let forward_over = matches!(
            op.operation,
            O::ForwardFilemarks | O::ForwardFilemarksBefore | O::EndOfData
        );
        if self.here().end == Met::FilemarkUntold && (back_over || forward_over) {
            op.count = op.count.wrapping_add(if back_over { 1 } else { -1 });
            let counters = self.here();
            counters.next_file();
        }
        let moves_anyway = match op.operation {
            O::Seek => !self.on(Booleans::CAN_PARTITIONS) || self.wanted != self.partition,
            O::Rewind | O::Offline | O::Retension | O::Lock | O::Load | O::Compression => true,
            _ => back_over || forward_over,
        };
        self.flush(!moves_anyway)?;
        let ends_file = matches!(op.operation, O::Rewind | O::Offline | O::Seek) || back_over;
        if self.here().doing == Doing::Writing && ends_file {
            self.marks(Unit::Filemark, 1)?;
            if back_over {
                op.count = op.count.wrapping_add(1);
            }
            self.here().doing = Doing::Nothing;
        }
        Ok(())
    }

    fn after_reset(&mut self, operation: Operation) -> Result<(), Errno> {
        use Operation as O;
        let finds_place = matches!(
            operation,
            O::Rewind | O::Offline | O::Retension | O::Erase | O::Seek | O::EndOfData | O::Load
        );
        if !finds_place {
            return Err(Errno::Io);
        }
        self.forget_place();
        if !matches!(operation, O::Rewind | O::Seek | O::EndOfData) {
            return Ok(());
        }
        if self.on(Booleans::CAN_PARTITIONS) {
            self.partition = 0;
            self.switch_partition().ok();
        }
        if let Some(density) = self.chosen_density {
            self.set_density(density.into()).ok();
        }
        if let Some(size) = self.chosen_block_size {
            self.set_block_size(size.cast_signed()).ok();
        }
        Ok(())
    }

    fn set_option(&mut self, option: DriverOption) -> Result<(), Errno> {
        if self.modes[self.mode].is_none() {
            self.modes[self.mode] = self.modes[0];
            self.modes_defined = true;
        }
        let ready = self.ready == Readiness::Ready;
        let mode = self.modes[self.mode].as_mut().expect("just defined");
        match option {
            DriverOption::Booleans(change, given) => {
                for (kept, part) in [
                    (&mut mode.switches, given & MODE_SWITCHES),
                    (&mut self.switches, given.difference(MODE_SWITCHES)),
                ] {
                    *kept = match change {
                        BooleanChange::Replace => part,
                        BooleanChange::Set => *kept | part,
                        BooleanChange::Clear => kept.difference(part),
                    };
                }
            }
            DriverOption::DefaultBlockSize(size) => {
                mode.block_size = size;
                if size.is_some() && ready {
                    self.chosen_block_size = None;
                    self.set_defaults().ok();
                }
            }
            DriverOption::DefaultDensity(density) => {
                mode.density = density;
                if density.is_some() && ready {
                    self.chosen_density = None;
                    self.set_defaults().ok();
                }
            }
            DriverOption::DefaultBuffering(buffering) => {
                self.default_buffering = buffering;
                if let (Some(buffering), true) = (buffering, ready) {
                    self.set_buffering(buffering).ok();
                }
            }
            DriverOption::DefaultCompression(None) => mode.compression = None,
            DriverOption::DefaultCompression(Some(given)) => {
                if given.on.is_some() {
                    mode.compression = given.on;
                    if ready {
                        self.chose_compression = false;
                        self.set_compression().ok();
                    }
                }
            }
            DriverOption::Cleaning(cleaning) => {
                if cleaning.byte != 0 && !(18..96).contains(&cleaning.byte) {
                    return Err(Errno::Invalid);
                }
            }
            DriverOption::Unknown(_) => return Err(Errno::Io),
            DriverOption::WriteThreshold
            | DriverOption::UnknownDefault(_)
            | DriverOption::TimeoutSeconds(_)
            | DriverOption::LongTimeoutSeconds(_) => {}
        }
        Ok(())
    }

    fn choose_partition(&mut self, count: i32) -> Result<(), Errno> {
        let wanted = usize::try_from(count).unwrap_or(PARTITIONS);
        if !self.on(Booleans::CAN_PARTITIONS) || wanted >= PARTITIONS {
            return Err(Errno::Invalid);
        }
        if wanted >= self.partitions {
            if self.ready != Readiness::Ready {
                return Err(Errno::Io);
            }
            self.partitions = self.deck.partitions();
        }
        if wanted >= self.partitions {
            return Err(Errno::Invalid);
        }
        self.wanted = wanted;
        Ok(())
    }

    fn make_partitions(&mut self, count: i32) -> Result<(), Errno> {
        if !self.on(Booleans::CAN_PARTITIONS) {
            return Err(Errno::Invalid);
        }
        self.load()?;
        // From 65,534 MB on the size goes out in GB, and 65,535 of them can't be said.
        let size = match count.unsigned_abs() {
            size @ ..65_534 => size,
            size if size / 1000 >= 65_535 => return Err(Errno::Invalid),
            size => size / 1000 * 1000,
        };
        let asked = u64::from(size) * MIB;
        let cartridge = self.deck.cartridge.as_ref();
        let total: Option<u64> = cartridge
            .map(|cartridge| cartridge.partitions.iter().map(|p| p.capacity_bytes).sum())
            .unwrap_or_default();
        let too_large = total.is_some_and(|total| count != 0 && asked >= total);
        // The rest gets a tenth at least, where the drive does not refuse such a size.
        let asked = total.map_or(asked, |total| asked.min(total - total / 10));
        let rest = total.map(|total| total - asked);
        let sizes = match count {
            0 => vec![total],
            1.. => vec![rest, Some(asked)],
            _ => vec![Some(asked), rest],
        };
        let personality = self.deck.personality;
        let result = match personality.max_partitions {
            0 | 1 if count != 0 => Err(Trouble::Refused),
            _ if too_large && personality.oversized_partition == OversizedPartition::Refused => {
                self.deck.refuse_partition()
            }
            _ => self.deck.partition_medium(sizes),
        };
        self.sent(result)?;
        for counters in &mut self.counters {
            counters.doing = Doing::Nothing;
            counters.setmark = false;
            counters.left_at = None;
        }
        (self.partition, self.wanted) = (0, 0);
        self.partitions = if count == 0 { 1 } else { 2 };
        self.counters[0] = Counters::at(0, 0);
        Ok(())
    }

    fn unload(&mut self) -> Result<(), Errno> {
        self.check_ready()?;
        let result = self.deck.unload();
        match self.sent(result) {
            Ok(()) => {
                self.file.as_mut().expect("open").rewinds = false;
                self.ready = Readiness::NoTape;
                Ok(())
            }
            Err(errno) => {
                (self.here().file, self.here().block) = (-1, -1);
                Err(errno)
            }
        }
    }

    fn load(&mut self) -> Result<(), Errno> {
        let result = self.deck.load();
        if let Err(errno) = self.sent(result) {
            (self.here().file, self.here().block) = (-1, -1);
            return Err(errno);
        }
        let file = self.file.as_mut().expect("open");
        file.rewinds = file.rewinding;
        let file = *file;
        // A medium that becomes ready is a new one, wherever the tape was.
        self.changed = true;
        self.look(file, self.mode)
    }
}
