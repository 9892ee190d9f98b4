//! MODE SELECT: all of it or nothing.

use pseudotape_tape::{ModeSelect, Partitioning, Volume};

use super::mode::{ALGORITHM_AT, COMPRESS, D_SENSE, Facts, SELECT_ALGORITHM_AT, changeable, pages};
use super::outcome::{data_missing, failed};
use super::segments::Segments;
use super::state::{TapeReply, TapeUnit};
use crate::bytes::{be16, be24, byte};
use crate::mode::{Page, page};
use crate::primary::Form;
use crate::sense::{FieldPointer, Reason, Sense, SenseFormat};

/// What a parameter list asks for.
#[derive(Debug, Default)]
struct Asked {
    drive: ModeSelect,
    sense_format: Option<SenseFormat>,
    partitioning: Option<Partitioning>,
}

fn refused(at: usize) -> Sense {
    Sense::invalid_field(FieldPointer::data(u16::try_from(at).unwrap_or(u16::MAX)))
}

impl TapeUnit {
    /// MODE SELECT.
    pub(super) fn mode_select(
        &mut self,
        form: Form,
        has_pages: bool,
        length: u16,
        segments: &mut Segments<'_, '_>,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        if length == 0 {
            return Ok(TapeReply::good(0));
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let data = segments.outgoing(&mut scratch, length.into());
        let asked = match data {
            Some(data) => self.parse(form, has_pages, data, volume),
            None => Err(data_missing()),
        };
        self.scratch = scratch;
        let asked = asked?;
        if asked.drive != ModeSelect::default() {
            self.block_size = None;
            volume
                .set_mode(asked.drive)
                .map_err(|error| match error.sense {
                    pseudotape_tape::Sense::IllegalRequest => {
                        Sense::illegal(Reason::INVALID_FIELD_IN_DATA)
                    }
                    _ => failed(error),
                })?;
            self.block_size = asked.drive.block_size;
        }
        self.sense_format = asked.sense_format.unwrap_or(self.sense_format);
        self.partitioning = asked.partitioning.or(self.partitioning);
        Ok(TapeReply::good(length.into()))
    }

    fn parse(
        &self,
        form: Form,
        has_pages: bool,
        data: &[u8],
        volume: &mut dyn Volume,
    ) -> Result<Asked, Sense> {
        let mode = volume.mode().map_err(failed)?;
        let (header_bytes, buffering_at, descriptor_bytes) = match form {
            Form::Six => (4, 2, usize::from(byte(data, 3))),
            Form::Ten => (8, 3, usize::from(be16(data, 6))),
        };
        let length_error = Sense::illegal(Reason::PARAMETER_LIST_LENGTH);
        if data.len() < header_bytes + descriptor_bytes {
            return Err(length_error);
        }
        let mut asked = Asked::default();
        let buffering = byte(data, buffering_at) >> 4 & 7;
        asked.drive.buffering = (buffering != mode.buffering).then_some(buffering);
        match descriptor_bytes {
            0 => {}
            8 => {
                let descriptor = data.get(header_bytes..).unwrap_or_default();
                self.descriptor(descriptor, header_bytes, mode, &mut asked)?;
            }
            _ => return Err(refused(header_bytes - 1)),
        }
        let mut at = header_bytes + descriptor_bytes;
        if at < data.len() && !has_pages {
            // Behind the descriptor lies what the maker likes, and nothing is known of it.
            return Err(Sense::invalid_field(FieldPointer::command_bit(1, 4)));
        }
        let partition = 0;
        let facts = self.facts(mode, partition, volume);
        while at < data.len() {
            at += page_of(data, at, facts, &mut asked)?;
        }
        Ok(asked)
    }

    fn descriptor(
        &self,
        descriptor: &[u8],
        at: usize,
        mode: pseudotape_tape::Mode,
        asked: &mut Asked,
    ) -> Result<(), Sense> {
        const DEFAULT: u8 = 0x00;
        const NO_CHANGE: u8 = 0x7f;
        if be24(descriptor, 1) != 0 {
            // So many blocks only: a mode is for the whole medium.
            return Err(refused(at + 1));
        }
        let density = match byte(descriptor, 0) {
            NO_CHANGE => mode.density,
            DEFAULT => self.features.density,
            density => density,
        };
        asked.drive.density = (density != mode.density).then_some(density);
        let size = be24(descriptor, 5);
        asked.drive.block_size = (size != mode.block_size).then_some(size);
        Ok(())
    }
}

/// One page; says how long it is.
fn page_of(data: &[u8], at: usize, facts: Facts, asked: &mut Asked) -> Result<usize, Sense> {
    const SUBPAGE_FORMAT: u8 = 0x40;
    let code = byte(data, at) & 0x3f;
    let (subpage, head, length) = match byte(data, at) & SUBPAGE_FORMAT {
        0 => (0, 2, usize::from(byte(data, at + 1))),
        _ => (byte(data, at + 1), 4, usize::from(be16(data, at + 2))),
    };
    let body_at = at + head;
    let Some(body) = data.get(body_at..body_at + length) else {
        return Err(Sense::illegal(Reason::PARAMETER_LIST_LENGTH));
    };
    let all = pages(facts);
    let known = all
        .iter()
        .find(|page| (page.code, page.subpage) == (code, subpage));
    let Some(known) = known else {
        return Err(refused(at));
    };
    let given = Page {
        body: body.to_vec(),
        ..Page::new(code, Vec::new())
    };
    if code == page::MEDIUM_PARTITION {
        asked.partitioning = partitioning(&given, known, body_at, facts)?.or(asked.partitioning);
        return Ok(head + length);
    }
    if length != known.body.len() {
        return Err(refused(at + head - 1));
    }
    check_unchangeable(body, known, body_at)?;
    match (code, subpage) {
        (page::CONTROL, 0) => {
            asked.sense_format = Some(match byte(body, 0) & D_SENSE {
                0 => SenseFormat::Fixed,
                _ => SenseFormat::Descriptor,
            });
        }
        (page::COMPRESSION, 0) if facts.mode.compression.is_some() => {
            for place in [ALGORITHM_AT, ALGORITHM_AT + 4] {
                // None, or the default one.
                if byte(body, place) > 1 {
                    return Err(refused(body_at + place));
                }
            }
            compress(byte(body, 0) & COMPRESS != 0, facts, asked);
        }
        (page::DEVICE_CONFIGURATION, 0) => {
            match (byte(body, SELECT_ALGORITHM_AT), facts.mode.compression) {
                (0, _) => compress(false, facts, asked),
                (1, Some(_)) => compress(true, facts, asked),
                _ => return Err(refused(body_at + SELECT_ALGORITHM_AT)),
            }
        }
        _ => {}
    }
    Ok(head + length)
}

fn compress(on: bool, facts: Facts, asked: &mut Asked) {
    asked.drive.compression = match facts.mode.compression {
        Some(was) if was != on => Some(on),
        // Of two pages that speak of it, the one that asks for a change counts.
        _ => asked.drive.compression,
    };
}

/// Bits that can't be changed have to be as they are.
fn check_unchangeable(body: &[u8], known: &Page, body_at: usize) -> Result<(), Sense> {
    let masks = changeable(known).body;
    let bytes = body.iter().zip(&known.body).zip(&masks);
    for (place, ((given, is), mask)) in bytes.enumerate() {
        if (given ^ is) & !mask != 0 {
            return Err(refused(body_at + place));
        }
    }
    Ok(())
}

/// What the medium partition page asks FORMAT MEDIUM for; `None` where it says nothing of how.
fn partitioning(
    given: &Page,
    known: &Page,
    at: usize,
    facts: Facts,
) -> Result<Option<Partitioning>, Sense> {
    const FIXED: u8 = 0x80;
    const BY_COUNT: u8 = 0x40;
    const BY_SIZE: u8 = 0x20;
    let body = &given.body;
    if body.len() < 6 || !body.len().is_multiple_of(2) {
        return Err(refused(at - 1));
    }
    let known_head = Page {
        body: known.body.get(..6).unwrap_or_default().to_vec(),
        ..*known
    };
    check_unchangeable(body.get(..6).unwrap_or_default(), &known_head, at)?;
    let extra = byte(body, 1);
    if extra >= facts.max_partitions || extra > 1 {
        // A drive is asked for one partition or two.
        return Err(refused(at + 1));
    }
    let how = byte(body, 2) & (FIXED | BY_COUNT | BY_SIZE);
    let units = byte(body, 2) >> 3 & 3;
    let size = |index: usize| -> Result<Option<u32>, Sense> {
        let place = 6 + 2 * index;
        if place + 2 > body.len() {
            return Err(refused(at - 1));
        }
        match be16(body, place) {
            u16::MAX => Ok(None),
            0 => Err(refused(at + place)),
            size => mebibytes(size, units, byte(body, 4) & 0xf)
                .map(Some)
                .ok_or(refused(at + 4)),
        }
    };
    match (how, extra) {
        (0, _) => Ok(None),
        (FIXED | BY_COUNT | BY_SIZE, 0) => Ok(Some(Partitioning::Single)),
        // With FDP and SDP the drive chooses the sizes: this one chooses those that the page says.
        (FIXED | BY_COUNT | BY_SIZE, _) => Ok(Some(match (size(0)?, size(1)?) {
            (Some(first), None) => Partitioning::FirstOf(first),
            (_, Some(second)) => Partitioning::SecondOf(second),
            // Both are "the rest".
            (None, None) => return Err(refused(at + 8)),
        })),
        // More than one of the three.
        _ => Err(refused(at + 2)),
    }
}

/// A size of the page in MiB, rounded up. A megabyte counts as one MiB, as `MTMKPART` counts; `None`: too large.
fn mebibytes(size: u16, units: u8, exponent: u8) -> Option<u32> {
    let size = u64::from(size);
    let bytes = match units {
        0 => size,
        1 => size.checked_mul(1000)?,
        2 => return u32::try_from(size).ok(),
        _ => size.checked_mul(10_u64.checked_pow(exponent.into())?)?,
    };
    u32::try_from(bytes.div_ceil(1 << 20)).ok()
}
