//! What MODE SENSE tells of a drive, and which bits of it MODE SELECT can change.

use pseudotape_tape::{Mode, Partitioning, Volume, Writability};

use super::outcome::failed;
use super::state::TapeUnit;
use crate::bytes::Put;
use crate::cdb::flag;
use crate::mode::{
    Page, compression, device_configuration, medium_partitions, mode_data, page, page_selected,
};
use crate::primary::{ModeSense, PageControl};
use crate::sense::{Reason, Sense, SenseFormat};
use crate::tape_unit::header;

/// D_SENSE in the third byte of the control page, as its body counts.
pub(super) const D_SENSE: u8 = 0x04;
/// DCE of the compression page.
pub(super) const COMPRESS: u8 = 0x80;
/// Where the last byte of COMPRESSION ALGORITHM is, in the body of its page.
pub(super) const ALGORITHM_AT: usize = 5;
/// Where SELECT DATA COMPRESSION ALGORITHM is, in the body of the device configuration page.
pub(super) const SELECT_ALGORITHM_AT: usize = 12;

/// What the pages are made of.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub(super) mode: Mode,
    pub(super) partition: u8,
    pub(super) sense_format: SenseFormat,
    pub(super) max_partitions: u8,
    pub(super) partitioning: Option<Partitioning>,
    pub(super) setmarks: bool,
    pub(super) append_only: bool,
    /// Density code of a fresh medium, where it is known.
    pub(super) density: Option<u8>,
}

impl Facts {
    /// As it is after a power on.
    fn at_power_on(self) -> Self {
        let compression = self.mode.compression.map(|_| false);
        Facts {
            mode: Mode {
                compression,
                block_size: 0,
                density: self.density.unwrap_or(self.mode.density),
                ..self.mode
            },
            sense_format: SenseFormat::default(),
            partitioning: None,
            ..self
        }
    }
}

/// Every page, in the order of the codes.
pub(super) fn pages(facts: Facts) -> Vec<Page> {
    vec![
        control(facts.sense_format),
        compression(facts.mode.compression),
        configuration(facts),
        configuration_extension(),
        partitions(facts),
        exceptions(),
        medium_configuration(facts.append_only),
    ]
}

/// For each bit of this page whether it can be changed.
pub(super) fn changeable(page: &Page) -> Page {
    let mut body = vec![0; page.body.len()];
    let mut set = |at: usize, bits: u8| {
        if let Some(byte) = body.get_mut(at) {
            *byte = bits;
        }
    };
    match (page.code, page.subpage) {
        (page::CONTROL, 0) => set(0, D_SENSE),
        (page::COMPRESSION, 0) if page.body.first().is_some_and(|byte| byte & 0x40 != 0) => {
            set(0, COMPRESS);
            set(ALGORITHM_AT, u8::MAX);
            set(ALGORITHM_AT + 4, u8::MAX);
        }
        (page::DEVICE_CONFIGURATION, 0) => set(SELECT_ALGORITHM_AT, u8::MAX),
        (page::MEDIUM_PARTITION, 0) => {
            set(1, u8::MAX);
            // FDP, SDP, IDP, PSUM.
            set(2, 0xf8);
            set(4, 0x0f);
            for at in 6..page.body.len() {
                set(at, u8::MAX);
            }
        }
        _ => {}
    }
    Page { body, ..*page }
}

/// How errors are told (0Ah).
fn control(format: SenseFormat) -> Page {
    // GLTSD: what LOG SENSE counts is not saved.
    const NOT_SAVED: u8 = 0x02;
    let descriptors = if format == SenseFormat::Descriptor {
        D_SENSE
    } else {
        0
    };
    let mut body = vec![descriptors | NOT_SAVED];
    body.zeros(9);
    Page::new(page::CONTROL, body)
}

fn configuration(facts: Facts) -> Page {
    /// RSMK: setmarks are told.
    const SETMARKS: u8 = 5;
    let mut page = device_configuration(facts.partition, facts.mode.compression);
    if let Some(byte) = page.body.get_mut(6) {
        *byte |= flag(facts.setmarks, SETMARKS);
    }
    page
}

/// More of how a drive works (10h, 01h): what is written over is gone, an erase that is not long writes the end of
/// data, and there is no programmable early warning.
fn configuration_extension() -> Page {
    const END_OF_DATA: u8 = 0x02;
    let mut body = vec![0, END_OF_DATA];
    body.zeros(26);
    Page {
        subpage: 1,
        ..Page::new(page::DEVICE_CONFIGURATION, body)
    }
}

/// The partitions (11h): as FORMAT MEDIUM is going to make them, where MODE SELECT has said so.
fn partitions(facts: Facts) -> Page {
    // IDP, sizes in MB, POFM: it is FORMAT MEDIUM that makes partitions.
    const BY_SIZE: u8 = 0x20;
    const BY_FORMAT: u8 = 0x04;
    let most = facts.max_partitions.saturating_sub(1);
    let mut page = medium_partitions(facts.mode.last_partition, most);
    let sizes = match facts.partitioning {
        None => None,
        Some(Partitioning::Single) => Some(vec![u16::MAX]),
        Some(Partitioning::FirstOf(mib)) => Some(vec![size16(mib), u16::MAX]),
        Some(Partitioning::SecondOf(mib)) => Some(vec![u16::MAX, size16(mib)]),
    };
    if let Some(sizes) = &sizes {
        page.body.truncate(6);
        for size in sizes {
            page.body.put16(*size);
        }
        if let Some(byte) = page.body.get_mut(1) {
            *byte = u8::try_from(sizes.len() - 1).unwrap_or(0);
        }
    }
    if let Some(byte) = page.body.get_mut(2) {
        *byte |= BY_FORMAT | if sizes.is_some() { BY_SIZE } else { 0 };
    }
    page
}

fn size16(mib: u32) -> u16 {
    u16::try_from(mib).unwrap_or(u16::MAX)
}

/// Informational exceptions (1Ch): none are told; TapeAlert is read by LOG SENSE.
fn exceptions() -> Page {
    const DISABLED: u8 = 0x08;
    let mut body = vec![DISABLED];
    body.zeros(9);
    Page::new(page::EXCEPTIONS, body)
}

/// Whether the medium can only be appended to (1Dh).
fn medium_configuration(append_only: bool) -> Page {
    let mut body = vec![flag(append_only, 0)];
    body.zeros(29);
    Page::new(page::MEDIUM_CONFIGURATION, body)
}

impl TapeUnit {
    /// What the mode pages are made of.
    pub(super) fn facts(&self, mode: Mode, partition: u8, volume: &mut dyn Volume) -> Facts {
        let known = match self.features.max_partitions {
            0 => 2,
            known => known,
        };
        Facts {
            mode,
            partition,
            sense_format: self.sense_format,
            max_partitions: known.max(mode.last_partition.saturating_add(1)),
            partitioning: self.partitioning,
            setmarks: self.features.setmarks,
            density: (self.features.density > 0).then_some(self.features.density),
            append_only: volume.writability() == Writability::AppendOnly,
        }
    }

    /// MODE SENSE.
    pub(super) fn mode_sense(
        &mut self,
        command: ModeSense,
        partition: u8,
        volume: &mut dyn Volume,
    ) -> Result<Vec<u8>, Sense> {
        if command.control == PageControl::Saved {
            return Err(Sense::illegal(Reason::SAVING_NOT_SUPPORTED));
        }
        let mode = volume.mode().map_err(failed)?;
        self.block_size = Some(mode.block_size);
        let now = self.facts(mode, partition, volume);
        let facts = match command.control {
            PageControl::Default => now.at_power_on(),
            _ => now,
        };
        let mut header = header(facts.mode);
        let mut told = page_selected(command, pages(facts))?;
        if command.control == PageControl::Changeable {
            told = told.iter().map(changeable).collect();
            if let Some(block) = &mut header.block {
                // All of the descriptor that is told can be set, and of the header how writes are buffered.
                block.density = u8::MAX;
                block.block_bytes = (1 << 24) - 1;
            }
            header.device_specific = 0x70;
        }
        Ok(mode_data(command, header, &told))
    }
}
