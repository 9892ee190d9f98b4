use std::fmt::Write;

use anyhow::bail;
use pseudotape_control::{
    CapacityStatus, DriveLegStatus, DriveMirrorStatus, DriveStatus, MediumStatus, OpenStatus,
    PositionStatus, SlaveStatus, SlaveWay, Status, TransferStatus,
};
use pseudotape_human::{HumanBytes, Paint, Report, Screen, counted, printable};
use serde::Serialize;

use crate::Verdict;
use crate::cli::StatusOptions;
use crate::client::Daemon;
use crate::doctor::Machine;
use crate::doctor::switches::log_of;

/// Cells of the bar that shows how full a medium is.
const BAR_CELLS: u64 = 20;

pub(crate) fn run(
    options: &StatusOptions,
    daemon: &Daemon,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let mut status = daemon.status()?;
    if let Some(number) = options.drive {
        let count = status.drives.len();
        status.drives.retain(|drive| drive.drive == number);
        if status.drives.is_empty() {
            bail!(
                "the daemon has no drive {number}: it has {}, counted from 0 ('pseudotape status' shows them)",
                counted(count as u64, "drive")
            );
        }
    }
    screen.show(&Shown(status))?;
    Ok(Verdict::Well)
}

/// What the daemon says, as a report.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(Status);

impl Report for Shown {
    fn text(&self, screen: &Screen) -> String {
        let mut text = format!(
            "pseudotape-dev {} (pid {}) serves drives by {}\n",
            printable(&self.0.version),
            self.0.pid,
            printable(&self.0.frontend)
        );
        if let Some(vault) = &self.0.vault {
            let directory = vault.directory.display().to_string();
            let words = vault.trouble.as_ref().unwrap_or(&directory);
            line(&mut text, format_args!("vault {}", printable(words)));
        }
        if let Some(log) = log_of(&Machine::this(), self.0.pid) {
            let words = printable(&log);
            line(
                &mut text,
                format_args!("log RUST_LOG={words}: more or less than ordinarily is logged"),
            );
        }
        for drive in &self.0.drives {
            text.push('\n');
            drive_block(&mut text, drive, screen);
        }
        text
    }
}

fn drive_block(text: &mut String, drive: &DriveStatus, screen: &Screen) {
    let nodes: Vec<_> = drive
        .nodes
        .iter()
        .map(|n| n.display().to_string())
        .collect();
    let title = screen.paint(Paint::Heading, &format!("drive {}", drive.drive));
    line(
        text,
        format_args!("{title}  {}", printable(&nodes.join(" "))),
    );
    let mut field = |name: &str, value: String| {
        line(text, format_args!("  {name:<11} {}", printable(&value)));
    };
    field(
        "identity",
        format!("{} ({})", drive.identity, drive.personality),
    );
    if let Some(m) = &drive.mirror {
        field("mirror", mirror(drive.drive, m));
        for leg in &m.legs {
            field(&format!("leg {}", leg.name), mirror_leg(leg));
        }
    }
    match &drive.slave {
        Some(s) => field("slave", slave(s)),
        None if drive.mirror.is_some() => {}
        None => field(
            "medium",
            drive.medium.as_ref().map_or_else(
                || match &drive.library {
                    Some(name) => {
                        format!("none: 'pseudotape library move' loads one of library {name}")
                    }
                    None => "none: 'pseudotape load DRIVE VOLUME' loads one".to_owned(),
                },
                medium,
            ),
        ),
    }
    if let Some(m) = &drive.medium {
        field("volume", volume(m));
    }
    if let Some(p) = &drive.position {
        field("position", position(p));
    }
    if let Some(c) = &drive.capacity {
        field("capacity", capacity(c));
        // A filtered image is not measured: its drive is another one's.
        if c.host_bytes > 0 {
            field("image size", HumanBytes(c.host_bytes).to_string());
        }
    }
    field("moved", transfer(&drive.transfer));
    field(
        "mode",
        match drive.block_size {
            0 => format!("variable blocks, density 0x{:02x}", drive.density),
            size => format!(
                "fixed blocks of {size} bytes, density 0x{:02x}",
                drive.density
            ),
        },
    );
    field(
        "flags",
        if drive.flags.is_empty() {
            "none".to_owned()
        } else {
            drive.flags.join(" ")
        },
    );
    field(
        "open",
        drive
            .open
            .as_ref()
            .map_or_else(|| "by nobody".to_owned(), opener),
    );
    if drive.busy {
        field(
            "busy",
            "with a call; the rest is as it was before it".to_owned(),
        );
    }
    for fault in &drive.faults {
        field("fault", format!("{} {fault}", fault.number));
    }
    let last_error = drive.last_error.as_deref().map_or_else(
        || "none".to_owned(),
        |error| screen.paint(Paint::Bad, &printable(error)),
    );
    line(text, format_args!("  {:<11} {last_error}", "last error"));
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a String takes everything");
}

fn medium(medium: &MediumStatus) -> String {
    let mut words = medium.image.display().to_string();
    let by_switch = medium.write_protected && medium.read_only.is_none();
    for (is_so, word) in [
        (!medium.loaded, "not loaded ('mt load' loads it)"),
        (by_switch, "write protected"),
        (medium.worm, "WORM"),
    ] {
        if is_so {
            words = words + ", " + word;
        }
    }
    if let Some(why) = &medium.read_only {
        words = format!("{words}, read only ({})", printable(why));
    }
    if let Some(object) = medium.incomplete_from {
        words = format!(
            "{words}, INCOMPLETE ('pseudotape info' says why): it misses what begins with object {object}"
        );
    }
    if let Some(notice) = &medium.notice {
        words = format!("{words}, when it was loaded: {}", printable(notice));
    }
    if medium.partitions > 1 {
        words = format!("{words}, {} partitions", medium.partitions);
    }
    words
}

fn volume(medium: &MediumStatus) -> String {
    let mut words = medium.volume.clone();
    if let Some(label) = &medium.label {
        words = format!("{words}, label '{label}'");
    }
    if let Some(barcode) = &medium.barcode {
        words = format!("{words}, barcode '{barcode}'");
    }
    words
}

fn position(position: &PositionStatus) -> String {
    let number = |n: Option<i64>| n.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    format!(
        "file {}, block {}, object {}, partition {}",
        number(position.file),
        number(position.block),
        position.object,
        position.partition
    )
}

fn capacity(capacity: &CapacityStatus) -> String {
    let used = HumanBytes(capacity.used_bytes);
    let Some(total_bytes) = capacity.total_bytes else {
        return match capacity.left_bytes {
            None => format!("{used} used; no limit but the host's disk"),
            Some(left) => {
                let left = HumanBytes(left);
                format!("{used} used, {left} left: no limit but the host's disk")
            }
        };
    };
    let left_bytes = capacity
        .left_bytes
        .unwrap_or(total_bytes.saturating_sub(capacity.used_bytes));
    // Rounded down: only a full medium shows 100 %.
    let part_of = |whole: u64| {
        let used = u128::from(capacity.used_bytes.min(total_bytes));
        used * u128::from(whole) / u128::from(total_bytes.max(1))
    };
    let bar: String = (0..u128::from(BAR_CELLS))
        .map(|cell| if cell < part_of(BAR_CELLS) { '#' } else { '-' })
        .collect();
    format!(
        "[{bar}] {}%, {used} used, {} left of {}; early warning {} before the end",
        part_of(100),
        HumanBytes(left_bytes),
        HumanBytes(total_bytes),
        HumanBytes(capacity.early_warning_bytes)
    )
}

fn transfer(transfer: &TransferStatus) -> String {
    format!(
        "{} written in {}, {} read in {}",
        HumanBytes(transfer.written_bytes),
        counted(transfer.writes, "call"),
        HumanBytes(transfer.read_bytes),
        counted(transfer.reads, "call")
    )
}

fn slave(slave: &SlaveStatus) -> String {
    let node = slave.node.as_ref().map(|node| node.display().to_string());
    let ways = [node, Some(slave.socket.display().to_string())];
    let ways = ways.into_iter().flatten().collect::<Vec<_>>().join(" or ");
    let Some(holder) = &slave.holder else {
        return format!("nobody: a slave comes to {ways}");
    };
    let program = holder.program.as_deref().unwrap_or("a program");
    let way = match holder.way {
        SlaveWay::Node => "node",
        SlaveWay::Socket => "socket",
        SlaveWay::Unknown => "unknown way",
    };
    format!(
        "{program} (pid {}, uid {}) by the {way}, since {}",
        holder.pid, holder.uid, holder.since
    )
}

fn mirror(number: u32, mirror: &DriveMirrorStatus) -> String {
    match (&mirror.refused, mirror.degraded) {
        (Some(refused), _) => format!("refused: {refused}"),
        (None, true) => {
            format!("degraded: 'pseudotape-mirror --drive {number} status' says what to do")
        }
        (None, false) if mirror.legs.iter().all(|leg| leg.state == "empty") => {
            format!(
                "no volumes: 'pseudotape-mirror --drive {number} load LEG=SINK...' puts some in"
            )
        }
        (None, false) => "in step".to_owned(),
    }
}

fn mirror_leg(leg: &DriveLegStatus) -> String {
    let sink = leg.sink.as_deref().unwrap_or("nothing yet");
    format!("{sink} ({})", leg.state.replace('-', " "))
}

fn opener(open: &OpenStatus) -> String {
    let program = open.program.as_deref().unwrap_or("a program");
    format!(
        "{program} (pid {}, uid {}) on {}",
        open.pid, open.uid, open.node
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(total_bytes: Option<u64>, used_bytes: u64) -> String {
        capacity(&CapacityStatus {
            total_bytes,
            early_warning_bytes: 1 << 20,
            used_bytes,
            left_bytes: total_bytes.map(|t| t.saturating_sub(used_bytes)),
            host_bytes: used_bytes,
        })
    }

    #[test]
    fn the_capacity_bar_is_full_only_on_a_full_medium() {
        assert!(of(Some(1000), 999).starts_with("[###################-] 99%"));
        assert!(of(Some(1000), 1000).starts_with("[####################] 100%"));
        assert!(of(Some(1000), 0).starts_with("[--------------------] 0%"));
        assert!(of(Some(0), 0).contains("0%"));
        assert!(of(Some(u64::MAX), u64::MAX).contains("100%"));
        assert_eq!(of(None, 5), "5 B used; no limit but the host's disk");
    }
}
