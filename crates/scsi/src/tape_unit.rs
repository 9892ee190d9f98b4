//! A tape drive as SCSI sees it, as far as nothing moves and nothing changes.

use pseudotape_tape::{BlockLimits, Capacity, Failed, Identity, Mode, Position};

use crate::bytes::Put;
use crate::inquiry::{DeviceType, UnitIdentity, inquiry};
use crate::log::{LogPage, Parameter, alert, log_sense, page, tape_alert};
use crate::luns::report_luns;
use crate::mode::{
    BlockDescriptor, ModeHeader, compression, device_configuration, medium_partitions, mode_sense,
};
use crate::primary::PrimaryCommand;
use crate::reply::Reply;
use crate::sense::{Reason, Sense, SenseKey};
use crate::tape_command::{PositionForm, TapeCommand};

/// What a drive has moved since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes that programs wrote.
    pub written_bytes: u64,
    /// Bytes that programs read.
    pub read_bytes: u64,
}

/// A drive that can be looked at. Nothing here moves the tape.
pub trait TapeView {
    /// Who it is.
    fn identity(&self) -> Identity;

    /// The lengths of blocks that it takes.
    fn block_limits(&self) -> BlockLimits;

    /// Whether it has a medium that it can work on.
    fn ready(&mut self) -> Result<(), Failed>;

    /// How it reads and writes.
    fn mode(&mut self) -> Result<Mode, Failed>;

    /// Where the tape is.
    fn position(&mut self) -> Result<Position, Failed>;

    /// How much fits on the partition where the tape is.
    fn capacity(&mut self) -> Result<Capacity, Failed>;

    /// What it has moved.
    fn counters(&self) -> Counters;
}

/// What a drive's failure is in SCSI's words.
#[must_use]
pub fn tape_sense(sense: pseudotape_tape::Sense) -> Sense {
    use pseudotape_tape::Sense as Tape;
    let (key, reason) = match sense {
        Tape::NoDrive => (SenseKey::NotReady, Reason::NO_ANSWER),
        Tape::NoMedium => (SenseKey::NotReady, Reason::NO_MEDIUM),
        Tape::NotReady => (SenseKey::NotReady, Reason::NOT_READY),
        Tape::MediumChanged => (SenseKey::UnitAttention, Reason::MEDIUM_MAY_HAVE_CHANGED),
        Tape::Reset => (SenseKey::UnitAttention, Reason::POWER_ON_OR_RESET),
        Tape::WriteProtected => (SenseKey::DataProtect, Reason::WRITE_PROTECTED),
        Tape::WormOverwrite => (SenseKey::DataProtect, Reason::WORM_OVERWRITE),
        Tape::MediumError => (SenseKey::MediumError, Reason::UNRECOVERED_READ),
        Tape::HardwareError => (SenseKey::HardwareError, Reason::INTERNAL_FAILURE),
        Tape::IllegalRequest => (SenseKey::IllegalRequest, Reason::INVALID_FIELD_IN_CDB),
    };
    Sense::new(key, reason)
}

/// Does a command that only looks; every other one is refused with ILLEGAL REQUEST, INVALID COMMAND OPERATION CODE.
pub fn execute_tape(cdb: &[u8], drive: &mut dyn TapeView) -> Reply {
    let answer = match TapeCommand::decode(cdb) {
        Ok(TapeCommand::Primary(command)) => primary(command, drive),
        Ok(TapeCommand::ReadBlockLimits) => Ok(Reply::data(block_limits(drive), u32::MAX)),
        Ok(TapeCommand::ReadPosition { form, allocation }) => {
            let allocation = match form {
                PositionForm::Extended => allocation.into(),
                // They have a length, and no allocation.
                PositionForm::Short | PositionForm::ShortVendor | PositionForm::Long => u32::MAX,
            };
            position(drive, form).map(|data| Reply::data(data, allocation))
        }
        Err(error) => Err(error.sense()),
    };
    answer.unwrap_or_else(Reply::check)
}

fn failed(failed: Failed) -> Sense {
    tape_sense(failed.sense)
}

fn unit(identity: Identity) -> UnitIdentity {
    UnitIdentity {
        device_type: DeviceType::Tape,
        vendor: identity.vendor,
        product: identity.product,
        revision: identity.revision,
        serial: identity.serial,
        reads_barcodes: false,
    }
}

fn primary(command: PrimaryCommand, drive: &mut dyn TapeView) -> Result<Reply, Sense> {
    match command {
        PrimaryCommand::TestUnitReady => {
            drive.ready().map_err(failed)?;
            Ok(Reply::good())
        }
        PrimaryCommand::RequestSense { format, allocation } => {
            let sense = match drive.ready() {
                Ok(()) => Sense::none(),
                Err(error) => failed(error),
            };
            Ok(Reply::data(sense.encode(format), allocation.into()))
        }
        PrimaryCommand::Inquiry { page, allocation } => {
            let unit = unit(drive.identity());
            inquiry(&unit, page).map(|data| Reply::data(data, allocation.into()))
        }
        PrimaryCommand::ModeSense(command) => {
            let mode = drive.mode().map_err(failed)?;
            let partition = drive.position().map_or(0, |position| position.partition.0);
            let pages = [
                compression(mode.compression),
                device_configuration(partition, mode.compression),
                medium_partitions(mode.last_partition, mode.last_partition),
            ];
            let data = mode_sense(command, header(mode), &pages)?;
            Ok(Reply::data(data, command.allocation.into()))
        }
        PrimaryCommand::LogSense(command) => {
            let data = log_sense(command, &log_pages(drive))?;
            Ok(Reply::data(data, command.allocation.into()))
        }
        PrimaryCommand::ReportLuns { select, allocation } => {
            Ok(Reply::data(report_luns(select), allocation))
        }
        // The st driver holds the drive: who reserves it or locks its door goes by the node's own calls.
        PrimaryCommand::Reserve(_)
        | PrimaryCommand::Release(_)
        | PrimaryCommand::PreventRemoval(_)
        | PrimaryCommand::SelfTest => Err(Sense::illegal(Reason::INVALID_OPERATION_CODE)),
    }
}

/// What the header and the block descriptor say of a drive.
pub(crate) fn header(mode: Mode) -> ModeHeader {
    const WRITE_PROTECTED: u8 = 0x80;
    let protected = if mode.write_protected {
        WRITE_PROTECTED
    } else {
        0
    };
    ModeHeader {
        medium_type: 0,
        device_specific: protected | (mode.buffering & 7) << 4,
        block: Some(BlockDescriptor {
            density: mode.density,
            block_bytes: mode.block_size,
        }),
    }
}

fn block_limits(drive: &dyn TapeView) -> Vec<u8> {
    let limits = drive.block_limits();
    let granularity = limits.granularity_bytes.max(1).ilog2();
    let mut out = vec![u8::try_from(granularity).unwrap_or(0) & 0x1f];
    out.put24(limits.max_bytes);
    out.put16(u16::try_from(limits.min_bytes).unwrap_or(u16::MAX));
    out
}

fn position(drive: &mut dyn TapeView, form: PositionForm) -> Result<Vec<u8>, Sense> {
    const BEGINNING: u8 = 0x80;
    const NOT_KNOWN: u8 = 0x04;
    const PAST_EARLY_WARNING: u8 = 0x01;
    /// Of the short and the extended form: what lies in the buffer is not told.
    const COUNTS_UNKNOWN: u8 = 0x30;
    let position = drive.position().map_err(failed)?;
    let edges = |bit: bool, value| if bit { value } else { 0 };
    let flags = edges(position.at_beginning(), BEGINNING)
        | edges(position.past_early_warning, PAST_EARLY_WARNING);
    let partition = position.partition.0;
    let object = position.object.0;
    let mut out = Vec::with_capacity(32);
    match form {
        PositionForm::Short | PositionForm::ShortVendor => {
            let (object, overflow) = match u32::try_from(object) {
                Ok(object) => (object, 0),
                // LOLU: the number does not fit.
                Err(_) => (0, NOT_KNOWN),
            };
            out.extend_from_slice(&[flags | COUNTS_UNKNOWN | overflow, partition, 0, 0]);
            out.put32(object);
            out.put32(object);
            out.zeros(8);
        }
        PositionForm::Long => {
            const FILE_NOT_KNOWN: u8 = 0x08;
            let unknown = edges(position.file.is_none(), FILE_NOT_KNOWN);
            out.extend_from_slice(&[flags | unknown, 0, 0, 0]);
            out.put32(partition.into());
            out.put64(object);
            out.put64(position.file.map_or(0, |file| file.0));
            out.put64(0);
        }
        PositionForm::Extended => {
            out.extend_from_slice(&[flags | COUNTS_UNKNOWN, partition]);
            out.put16(0x1c);
            out.zeros(4);
            out.put64(object);
            out.put64(object);
            out.put64(0);
        }
    }
    Ok(out)
}

/// The log pages that every way to a drive tells.
pub(crate) fn log_pages(drive: &mut dyn TapeView) -> Vec<LogPage> {
    const BYTES_PROCESSED: u16 = 5;
    let counters = drive.counters();
    let errors = |code, bytes| LogPage {
        code,
        parameters: vec![Parameter::counter(BYTES_PROCESSED, bytes)],
    };
    let moved = [
        counters.written_bytes,
        counters.written_bytes,
        counters.read_bytes,
        counters.read_bytes,
    ];
    let moved = (0..).zip(moved);
    let protected = drive.mode().is_ok_and(|mode| mode.write_protected);
    let alerts: &[u8] = if protected {
        &[alert::WRITE_PROTECT]
    } else {
        &[]
    };
    let mut pages = vec![
        errors(page::WRITE_ERRORS, counters.written_bytes),
        errors(page::READ_ERRORS, counters.read_bytes),
        LogPage {
            code: page::SEQUENTIAL_ACCESS,
            parameters: moved.map(|(n, v)| Parameter::counter(n, v)).collect(),
        },
        tape_alert(alerts),
    ];
    pages.extend(capacity_page(drive));
    pages
}

/// How much fits, in MiB; not there where the medium has no limit of its own.
fn capacity_page(drive: &mut dyn TapeView) -> Option<LogPage> {
    let capacity = drive.capacity().ok()?;
    let partition = drive.position().ok()?.partition.0;
    let second = u16::from(partition == 1);
    if partition > 1 {
        return None;
    }
    let mebibytes = |bytes: u64| u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
    let left = mebibytes(capacity.left_bytes()?);
    let total = mebibytes(capacity.total_bytes?);
    Some(LogPage {
        code: page::TAPE_CAPACITY,
        parameters: vec![
            Parameter::number(1 + second, left),
            Parameter::number(3 + second, total),
        ],
    })
}

#[cfg(test)]
#[path = "tape_unit_test.rs"]
mod tests;
