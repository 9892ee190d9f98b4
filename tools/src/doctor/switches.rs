//! Switches for tests and for the search of faults: off, unless somebody has switched them on (CW-80).

use pseudotape_control::{FaultStatus, Status};

use super::{Check, Machine};

/// What a daemon says of its switches.
pub(crate) struct Told {
    pub(crate) pid: u32,
    /// The number of each drive, and its faults.
    pub(crate) faults: Vec<(u32, Vec<FaultStatus>)>,
}

impl Told {
    pub(crate) fn by(status: &Status) -> Self {
        let drives = status.drives.iter();
        Told {
            pid: status.pid,
            faults: drives
                .map(|drive| (drive.drive, drive.faults.clone()))
                .collect(),
        }
    }
}

/// Whether one is on: what is logged, here and by the daemon, and faults of its drives.
pub(crate) fn check(machine: &Machine, log: Option<&str>, daemon: Option<&Told>) -> Check {
    const NAME: &str = "switches";
    let mut on = Vec::new();
    if let Some(log) = log.filter(|log| !log.is_empty()) {
        on.push(format!("RUST_LOG={log} here"));
    }
    if let Some(told) = daemon {
        let log = log_of(machine, told.pid);
        on.extend(log.map(|log| format!("RUST_LOG={log} of the daemon")));
        for (drive, faults) in &told.faults {
            let faults = faults.iter().filter(|fault| !fault.over);
            on.extend(faults.map(|fault| format!("drive {drive}: {}", fault.fault)));
        }
    }
    match on.is_empty() {
        true => Check::ok(NAME, "none for tests or for the search of faults is on"),
        false => Check::missing(
            NAME,
            format!("on, and can make a drive slow or fail: {}", on.join("; ")),
            "start programs without RUST_LOG; 'pseudotape inject DRIVE --remove all' ends faults",
        ),
    }
}

/// What a process was told to log, where this user may know that.
pub(crate) fn log_of(machine: &Machine, pid: u32) -> Option<String> {
    let environment = machine.text(&format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split('\0');
    let log = variables.find_map(|variable| variable.strip_prefix("RUST_LOG="));
    log.filter(|log| !log.is_empty()).map(str::to_owned)
}
