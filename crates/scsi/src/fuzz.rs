//! Bytes of unknown origin: the entries of the fuzz targets.

use pseudotape_tape::{
    BlockLimits, Capacity, Failed, Identity, Mode, ObjectNumber, PartitionNumber, Position,
};

use crate::cdb::CdbError;
use crate::changer_command::ChangerCommand;
use crate::elements::decode_element_status;
use crate::inquiry::UnitIdentity;
use crate::mode::{ElementAddresses, find_page};
use crate::primary::Form;
use crate::sense::Sense;
use crate::tape_command::TapeCommand;
use crate::tape_unit::{Counters, TapeView, execute_tape};

/// A drive that says what some bytes say.
struct Told<'a>(&'a [u8]);

impl Told<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    fn large(&self, at: usize) -> u64 {
        u64::from(self.byte(at)) << (self.byte(at + 1) & 63)
    }

    fn failure(&self) -> Result<(), Failed> {
        use pseudotape_tape::Sense as Tape;
        match self.byte(0) & 7 {
            1 => Err(Failed::at(Tape::NoMedium, None)),
            2 => Err(Failed::at(Tape::MediumChanged, None)),
            _ => Ok(()),
        }
    }
}

impl TapeView for Told<'_> {
    fn identity(&self) -> Identity {
        let text = String::from_utf8_lossy(self.0).into_owned();
        Identity {
            vendor: text.clone(),
            product: text.clone(),
            revision: text.clone(),
            serial: text,
        }
    }

    fn block_limits(&self) -> BlockLimits {
        let number = |at| u32::from(self.byte(at)) << (self.byte(at + 1) & 31);
        BlockLimits {
            min_bytes: number(1),
            max_bytes: number(3),
            granularity_bytes: number(5),
        }
    }

    fn ready(&mut self) -> Result<(), Failed> {
        self.failure()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.failure()?;
        Ok(Mode {
            block_size: u32::MAX >> (self.byte(1) & 31),
            density: self.byte(2),
            buffering: self.byte(3),
            write_protected: self.byte(4) & 1 != 0,
            compression: Some(self.byte(4) & 2 != 0),
            last_partition: self.byte(5),
        })
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.failure()?;
        Ok(Position {
            partition: PartitionNumber(self.byte(1)),
            object: ObjectNumber(self.large(2)),
            file: None,
            past_early_warning: self.byte(4) & 1 != 0,
        })
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.failure()?;
        Ok(Capacity {
            total_bytes: Some(self.large(1)),
            used_bytes: self.large(3),
            ..Capacity::default()
        })
    }

    fn counters(&self) -> Counters {
        Counters {
            written_bytes: self.large(1),
            read_bytes: self.large(3),
        }
    }
}

/// The most data that a CDB allows, where it says so: what every answer is held against.
pub(crate) fn allocation(cdb: &[u8]) -> usize {
    let at = |place: usize| usize::from(cdb.get(place).copied().unwrap_or(0));
    match at(0) {
        0x03 | 0x1a => at(4),
        0x12 => at(3) << 8 | at(4),
        0x4d | 0x5a => at(7) << 8 | at(8),
        0xa0 => at(6) << 24 | at(7) << 16 | at(8) << 8 | at(9),
        0xb8 => at(7) << 16 | at(8) << 8 | at(9),
        0x05 => 6,
        0x34 => match at(1) & 0x1f {
            8 => at(7) << 8 | at(8),
            6 => 32,
            _ => 20,
        },
        _ => 0,
    }
}

/// A command of unknown origin: no panic, no more data than its allocation length, and the same command from its own
/// bytes.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn fuzz_command(bytes: &[u8]) {
    let (cdb, told) = bytes.split_at(bytes.len().min(16));
    let refused = |error: CdbError| {
        let sense = error.sense();
        for format in [crate::SenseFormat::Fixed, crate::SenseFormat::Descriptor] {
            assert_eq!(Sense::decode(&sense.encode(format)), Some(sense));
        }
    };
    match ChangerCommand::decode(cdb) {
        Ok(command) => {
            let again = command.encode();
            assert_eq!(ChangerCommand::decode(&again), Ok(command));
        }
        Err(error) => refused(error),
    }
    match TapeCommand::decode(cdb) {
        Ok(command) => assert_eq!(TapeCommand::decode(&command.encode()), Ok(command)),
        Err(error) => refused(error),
    }
    let answer = execute_tape(cdb, &mut Told(told));
    assert!(answer.data.len() <= allocation(cdb), "more than allowed");
    assert!(answer.sense.is_none() || answer.data.is_empty());
}

/// Data that claim to come from a changer: no panic, and what was read of a report is what it says again.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn fuzz_data(bytes: &[u8]) {
    if let Ok(report) = decode_element_status(bytes) {
        assert!(report.elements.len() <= bytes.len() / 12);
    }
    if let Some(sense) = Sense::decode(bytes) {
        let fixed = sense.encode(crate::SenseFormat::Descriptor);
        assert_eq!(Sense::decode(&fixed), Some(sense));
    }
    for form in [Form::Six, Form::Ten] {
        for code in 0..0x40 {
            if let Some(page) = find_page(bytes, form, code) {
                assert!(page.body.len() <= bytes.len());
                let addresses = ElementAddresses::decode(&page);
                let again = addresses.map(|addresses| addresses.page());
                assert_eq!(
                    again.and_then(|page| ElementAddresses::decode(&page)),
                    addresses
                );
            }
        }
    }
    if let Some(unit) = UnitIdentity::decode(bytes) {
        assert!(unit.vendor.chars().count() <= 8 && unit.product.chars().count() <= 16);
    }
    assert!(
        UnitIdentity::decode_serial(bytes).is_none_or(|serial| serial.len() <= 2 * bytes.len())
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_answered_within_their_allocation() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for length in 0..80_usize {
            for round in 0..200 {
                let mut bytes: Vec<u8> = (0..length)
                    .map(|_| {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        (state >> 32) as u8
                    })
                    .collect();
                fuzz_data(&bytes);
                // The known codes, so that something else than a refusal is met.
                let codes = [
                    0x00, 0x03, 0x05, 0x12, 0x1a, 0x34, 0x4d, 0x5a, 0xa0, 0xa5, 0xb8,
                ];
                if let (Some(first), Some(code)) = (bytes.first_mut(), codes.get(round % 16)) {
                    *first = *code;
                }
                fuzz_command(&bytes);
            }
        }
    }
}
