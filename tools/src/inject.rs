//! Faults on command.

use pseudotape_control::{FaultsStatus, Request};
use pseudotape_human::{Paint, Report, Screen, printable};
use serde::Serialize;

use crate::Verdict;
use crate::cli::InjectOptions;
use crate::client::Daemon;

pub(crate) fn run(
    options: &InjectOptions,
    daemon: &Daemon,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    screen.show(&Shown(daemon.faults(&Request::Inject {
        drive: options.drive,
        remove: options.remove.clone(),
        faults: options.faults.clone(),
    })?))?;
    Ok(Verdict::Well)
}

/// What the daemon says, as a report.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(FaultsStatus);

impl Report for Shown {
    fn text(&self, screen: &Screen) -> String {
        let Shown(status) = self;
        let title = format!("drive {}", status.drive);
        let mut text = screen.paint(Paint::Heading, &title);
        if status.faults.is_empty() {
            text.push_str("  no faults");
        }
        text.push('\n');
        for fault in &status.faults {
            let words = printable(&fault.to_string());
            text.push_str(&format!("  {:<3} {words}\n", fault.number));
        }
        text
    }
}
