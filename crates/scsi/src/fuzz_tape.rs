//! Commands of unknown origin to a tape drive's unit: the entry of a fuzz target.
#![allow(
    clippy::cast_possible_truncation,
    reason = "random bits, of which any part will do"
)]

use pseudotape_tape::{
    Attribute, AttributeFormat, Attributes, AttributesError, BlockLimits, Capacity, Done, Door,
    Drive, Failed, FileNumber, Identity, Mode, ModeSelect, Motion, Noted, ObjectNumber,
    PartitionNumber, Position, ReadDone, Sense as Tape, Stop, Transfer, Volume, VolumeError,
    VolumeIdentity, Writability,
};

use crate::changer_unit::Nexus;
use crate::reply::Status;
use crate::sense::{Sense, SenseFormat};
use crate::stream::{Direction, TapeFeatures, TapeUnit, data_direction};

/// A drive that answers what comes to its mind: every answer that the trait has, also unlikely ones.
struct Moody(u64);

impl Moody {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn position(&mut self) -> Position {
        let roll = self.next();
        Position {
            partition: PartitionNumber(u8::from(roll & 7 == 0)),
            object: ObjectNumber(roll >> (roll & 63)),
            file: (roll & 8 == 0).then_some(FileNumber(roll & 0xff)),
            past_early_warning: roll & 16 == 0,
        }
    }

    fn stop(&mut self) -> Option<Stop> {
        Some(match self.next() & 15 {
            0 => Stop::Filemark,
            1 => Stop::Setmark,
            2 => Stop::EndOfData,
            3 => Stop::BeginningOfPartition,
            4 => Stop::EarlyWarning,
            5 => Stop::EndOfPartition,
            6 => Stop::IllegalLength,
            _ => return None,
        })
    }

    fn fails(&mut self) -> Result<(), Failed> {
        let sense = match self.next() & 31 {
            0 => Tape::NoDrive,
            1 => Tape::NoMedium,
            2 => Tape::NotReady,
            3 => Tape::MediumChanged,
            4 => Tape::Reset,
            5 => Tape::WriteProtected,
            6 => Tape::WormOverwrite,
            7 => Tape::MediumError,
            8 => Tape::HardwareError,
            9 => Tape::IllegalRequest,
            _ => return Ok(()),
        };
        Err(Failed {
            sense,
            count: self.next() & 3,
            position: None,
        })
    }

    fn done(&mut self, count: u64) -> Result<Done, Failed> {
        self.fails()?;
        let short = self.next() & 7 == 0;
        Ok(Done {
            count: if short { self.next() & 0xff } else { count },
            stop: self.stop(),
            position: self.position(),
        })
    }
}

impl Drive for Moody {
    fn identity(&self) -> Identity {
        Identity {
            vendor: "FUZZ".to_owned(),
            serial: self.0.to_string(),
            ..Identity::default()
        }
    }

    fn block_limits(&self) -> BlockLimits {
        BlockLimits {
            min_bytes: 1,
            max_bytes: u32::MAX,
            granularity_bytes: 0,
        }
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.fails()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.fails()?;
        let roll = self.next();
        Ok(Mode {
            block_size: [0, 0, 1, 4, 512, u32::MAX]
                .get(roll as usize % 6)
                .copied()
                .unwrap_or(0),
            density: 0x58,
            buffering: u8::from(roll & 64 == 0),
            write_protected: roll & 128 == 0,
            compression: [None, Some(false), Some(true), None]
                .get(roll as usize >> 8 & 3)
                .copied()
                .flatten(),
            last_partition: u8::from(roll & 1024 == 0),
        })
    }

    fn set_mode(&mut self, _change: ModeSelect) -> Result<(), Failed> {
        self.fails()
    }

    fn read(&mut self, _transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.fails()?;
        let roll = self.next();
        Ok(ReadDone {
            blocks: roll & 3,
            bytes: (roll as usize >> 8) & 0xff,
            block_length: u32::try_from(buffer.len()).unwrap_or(0) ^ u32::from(roll & 4 == 0),
            stop: self.stop(),
            position: self.position(),
        })
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        let blocks = match transfer {
            Transfer::Variable => 1,
            Transfer::Fixed(size) => data.len() as u64 / u64::from(size.get()),
        };
        self.done(blocks)
    }

    fn extend(&mut self, _data: &[u8]) -> Result<Done, Failed> {
        self.done(1)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        let count = match motion {
            Motion::WriteMarks { count, .. } => count.into(),
            Motion::Space { count, .. } => count.unsigned_abs(),
            _ => 0,
        };
        self.done(count)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.fails()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.fails()?;
        Ok(Moody::position(self))
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.fails()?;
        let roll = self.next();
        Ok(Capacity {
            total_bytes: (roll & 1 == 0).then_some(roll),
            used_bytes: roll >> (roll & 31),
            ..Capacity::default()
        })
    }

    fn set_door(&mut self, _door: Door) -> Result<(), Failed> {
        self.fails()
    }

    fn take_recovered(&mut self) -> u32 {
        u32::MAX
    }
}

impl Volume for Moody {
    fn take_trouble(&mut self) -> Option<String> {
        None
    }

    fn record_unreadable(&mut self, _length_bytes: u32) -> Result<Done, Failed> {
        self.done(1)
    }

    fn noted(&self) -> Noted {
        Noted::NoPlace
    }

    fn note_not_mirrored(&mut self, _from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        Ok(false)
    }

    fn known_position(&self) -> Option<Position> {
        None
    }

    fn volume_identity(&self) -> VolumeIdentity {
        VolumeIdentity {
            barcode: (self.0 & 3).to_string(),
            ..VolumeIdentity::default()
        }
    }

    fn writability(&mut self) -> Writability {
        match self.next() & 3 {
            0 => Writability::AppendOnly,
            1 => Writability::Protected,
            _ => Writability::Writable,
        }
    }

    fn attributes(&mut self, _partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        match self.next() & 7 {
            0 => Err(AttributesError::NoPlace),
            1 => Err(AttributesError::NoPartition),
            2 => Err(AttributesError::Failed(VolumeError::new("failed"))),
            3 => Err(AttributesError::Damaged {
                left: Attributes::new(),
                error: VolumeError::new("damaged"),
            }),
            length => {
                let value = vec![0x41; 200 << (length & 3)];
                let format = AttributeFormat::Text;
                Ok([(0x0803, Attribute { format, value })]
                    .into_iter()
                    .collect())
            }
        }
    }

    fn set_attributes(
        &mut self,
        _partition: PartitionNumber,
        _attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        match self.next() & 7 {
            0 => Err(AttributesError::NoPlace),
            1 => Err(AttributesError::TooLong(VolumeError::new("too long"))),
            2 => Err(AttributesError::Failed(VolumeError::new("failed"))),
            3 => Err(AttributesError::Protected),
            _ => Ok(()),
        }
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        None
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Ok(())
    }
}

/// A row of commands of unknown origin, each with data in two pieces, to a drive that answers anything: no panic, no
/// more data than there is memory for, and sense where there has to be some.
///
/// Each command is 16 bytes of CDB, a byte that says how long the data are, and the data.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn fuzz_tape(bytes: &[u8]) {
    let seed = bytes.iter().fold(0x2545_f491_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut drive = Moody(seed | 1);
    let mut unit = TapeUnit::new(TapeFeatures {
        max_partitions: (seed >> 40) as u8,
        density: 0x58,
        setmarks: seed & 64 == 0,
        hides_beginning: seed & 128 == 0,
        limits_reads: seed & 256 == 0,
        silent_load: seed & 512 == 0,
    });
    let mut rest = bytes;
    while let Some((cdb, behind)) = rest.split_at_checked(16) {
        let (&length, behind) = behind.split_first().unwrap_or((&0, &[]));
        let (data, behind) = behind.split_at(behind.len().min(length.into()));
        rest = behind;
        let nexus = Nexus(u64::from(length & 1));
        unit.greet(nexus);
        let mut memory = data.to_vec();
        let (first, second) = memory.split_at_mut(data.len() / 2);
        let reply = unit.execute(nexus, cdb, &mut [first, second], &mut drive);
        assert!(reply.transferred <= data.len(), "more than there is");
        assert_eq!(
            reply.sense.is_some(),
            reply.status == Status::CheckCondition
        );
        if let Some(sense) = reply.sense {
            let told = Sense::decode(&sense.encode(SenseFormat::Descriptor));
            assert_eq!(told, Some(sense));
        }
        if data_direction(cdb) != Direction::In {
            assert_eq!(memory, data, "what an initiator sends stays as it is");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::operations;

    #[test]
    fn any_row_of_commands_is_answered() {
        let mut random = Moody(0x9e37_79b9_7f4a_7c15);
        for _ in 0..3000 {
            let mut bytes = Vec::new();
            for _ in 0..random.next() % 8 {
                let mut cdb: Vec<u8> = (0..16).map(|_| random.next() as u8).collect();
                // Mostly codes that are known, small numbers, and no NACA.
                let known = operations()[random.next() as usize % operations().len()];
                if !random.next().is_multiple_of(16) {
                    cdb[0] = known.code;
                    cdb[1] &= random.next() as u8;
                    for at in [2, 3, 7, 10, 11, 12, 13] {
                        cdb[at] = 0;
                    }
                    cdb[5] &= 1;
                    cdb[9] &= 3;
                    cdb[15] = 0;
                }
                bytes.extend(cdb);
                let length = random.next() as u8;
                bytes.push(length);
                bytes.extend((0..length).map(|_| random.next() as u8 & random.next() as u8));
            }
            fuzz_tape(&bytes);
        }
    }
}
