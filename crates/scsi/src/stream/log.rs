//! What LOG SENSE tells of a drive: what was moved, what failed, how much fits.

use pseudotape_tape::Capacity;

use super::state::{Tally, TapeUnit};
use super::view::View;
use crate::bytes::Put;
use crate::log::{LogPage, Parameter, alert, page, tape_alert};
use crate::tape_unit::{TapeView, log_pages};

/// A counter of two bytes.
fn short(code: u16, value: u16) -> Parameter {
    let mut bytes = Vec::new();
    bytes.put16(value);
    Parameter {
        code,
        control: 0x03,
        value: bytes,
    }
}

fn saturated(value: u32) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

/// Errors while reading or writing: repaired (0003h), all bytes (0005h), not repaired (0006h).
fn errors(code: u8, recovered: u32, bytes: u64, failed: u32) -> LogPage {
    LogPage {
        code,
        parameters: vec![
            Parameter::counter(3, recovered.into()),
            Parameter::counter(5, bytes),
            Parameter::counter(6, failed.into()),
        ],
    }
}

/// Errors that have nothing to do with the medium: there were none, or the drive would not answer.
fn other_errors() -> LogPage {
    LogPage {
        code: page::OTHER_ERRORS,
        parameters: vec![Parameter::counter(0, 0)],
    }
}

/// The temperature, which no drive here has: FFh is "not known" (SPC-4 §7.3.21).
fn temperature() -> LogPage {
    LogPage {
        code: page::TEMPERATURE,
        parameters: vec![short(0, 0x00ff)],
    }
}

/// What the medium went through since the unit was made, as LTO drives tell it.
fn usage(tally: &Tally) -> LogPage {
    LogPage {
        code: page::TAPE_USAGE,
        parameters: vec![
            Parameter::number(1, tally.loads),
            short(4, saturated(tally.failed_writes)),
            short(9, saturated(tally.failed_reads)),
        ],
    }
}

/// How data were compressed: a drive here tells what came and went, and stores as much.
fn compression(code: u8, tally: &Tally, enabled: bool) -> LogPage {
    const HUNDREDTHS: u16 = 100;
    const MEGABYTE: u64 = 1 << 20;
    let (read, written) = (tally.counters.read_bytes, tally.counters.written_bytes);
    let megabytes = |bytes: u64| u32::try_from(bytes / MEGABYTE).unwrap_or(u32::MAX);
    let rest = |bytes: u64| u32::try_from(bytes % MEGABYTE).unwrap_or(0);
    let mut parameters = vec![short(0, HUNDREDTHS), short(1, HUNDREDTHS)];
    // To the server, from the tape; from the server, to the tape.
    let bytes = [read, read, written, written];
    for (code, bytes) in (2..).step_by(2).zip(bytes) {
        parameters.push(Parameter::number(code, megabytes(bytes)));
        parameters.push(Parameter::number(code + 1, rest(bytes)));
    }
    if code == page::COMPRESSION {
        parameters.push(short(0x100, u16::from(enabled)));
    }
    LogPage { code, parameters }
}

/// One number for each partition (SSC-4 §8.2.10).
fn by_partition(code: u16, numbers: impl Iterator<Item = (u8, u64)>) -> Parameter {
    let mut value = Vec::new();
    for (partition, bytes) in numbers {
        value.extend_from_slice(&[7, 0]);
        value.put16(partition.into());
        value.put32(u32::try_from(bytes / 1_000_000).unwrap_or(u32::MAX));
    }
    Parameter {
        code,
        control: 0x03,
        value,
    }
}

impl TapeUnit {
    /// The partitions whose capacity has a limit, as far as they were seen.
    fn limited(&self) -> impl Iterator<Item = (u8, u64, &Capacity)> {
        let known = self.capacities.iter();
        known.filter_map(|(partition, seen)| Some((*partition, seen.total_bytes?, seen)))
    }

    /// Volume statistics (17h): loads and failures, and capacities of the partitions that the tape was in.
    fn statistics(&self) -> LogPage {
        let tally = &self.tally;
        let mut parameters = vec![
            Parameter {
                code: 0,
                control: 0x03,
                value: vec![1],
            },
            Parameter::number(1, tally.loads),
            Parameter::number(4, tally.failed_writes),
            Parameter::number(9, tally.failed_reads),
        ];
        if self.limited().next().is_some() {
            let total = self.limited().map(|(n, total, _)| (n, total));
            parameters.push(by_partition(0x202, total));
            let used = self.limited().map(|(n, _, seen)| (n, seen.used_bytes));
            parameters.push(by_partition(0x203, used));
            let left = self
                .limited()
                .map(|(n, total, seen)| (n, total.saturating_sub(seen.used_bytes)));
            parameters.push(by_partition(0x204, left));
        }
        LogPage {
            code: page::VOLUME_STATISTICS,
            parameters,
        }
    }

    /// Tape capacity (31h), in MiB: what is left, and what there is; partition 0 and partition 1.
    fn capacity(&self) -> Option<LogPage> {
        let mebibytes = |bytes: u64| u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        let mut parameters = Vec::new();
        let first = |(n, total, seen): (u8, u64, &Capacity)| {
            let left = total.saturating_sub(seen.used_bytes);
            Parameter::number(1 + u16::from(n), mebibytes(left))
        };
        let both = |(n, _, _): &(u8, u64, &Capacity)| *n < 2;
        parameters.extend(self.limited().filter(both).map(first));
        let whole = |(n, total, _): (u8, u64, &Capacity)| {
            Parameter::number(3 + u16::from(n), mebibytes(total))
        };
        parameters.extend(self.limited().filter(both).map(whole));
        (!parameters.is_empty()).then_some(LogPage {
            code: page::TAPE_CAPACITY,
            parameters,
        })
    }

    /// Looks how much fits on the partition where the tape is.
    fn look_at_capacity(&mut self, view: &mut View<'_>) {
        if let (Ok(capacity), Ok(here)) = (view.capacity(), view.position()) {
            self.capacities.insert(here.partition.0, capacity);
        }
    }

    /// Every page, in the order of the codes.
    pub(super) fn log_pages(&mut self, view: &mut View<'_>) -> Vec<LogPage> {
        let repaired = view.volume.take_recovered();
        self.tally.recovered = self.tally.recovered.saturating_add(repaired);
        self.look_at_capacity(view);
        let mode = view.mode().ok();
        let protected = mode.is_some_and(|mode| mode.write_protected);
        let enabled = mode.is_some_and(|mode| mode.compression == Some(true));
        let tally = self.tally;
        let counters = tally.counters;
        let raised = [
            (tally.unread || tally.unwritten, alert::HARD_ERROR),
            (tally.unread, alert::READ_FAILURE),
            (tally.unwritten, alert::WRITE_FAILURE),
            (protected, alert::WRITE_PROTECT),
        ];
        let raised: Vec<u8> = raised
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, n)| *n)
            .collect();
        let mut pages = vec![
            errors(
                page::WRITE_ERRORS,
                0,
                counters.written_bytes,
                tally.failed_writes,
            ),
            errors(
                page::READ_ERRORS,
                tally.recovered,
                counters.read_bytes,
                tally.failed_reads,
            ),
            other_errors(),
            temperature(),
            self.statistics(),
            compression(page::COMPRESSION, &tally, enabled),
            tape_alert(&raised),
            usage(&tally),
            compression(page::COMPRESSION_OF_LTO, &tally, enabled),
        ];
        pages.extend(self.capacity());
        // What every way to the drive tells, and is not told in another way here.
        for page in log_pages(view) {
            if pages.iter().all(|known| known.code != page.code) {
                pages.push(page);
            }
        }
        pages.sort_by_key(|page| page.code);
        pages
    }
}
