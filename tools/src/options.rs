//! Options of the st driver, which `mt stshowoptions` can only read of the kernel's own drives.

use pseudotape_control::{OptionsStatus, Request};
use pseudotape_human::{Paint, Report, Screen, printable};
use serde::Serialize;

use crate::Verdict;
use crate::cli::{ModeLetter, OptionsOptions};
use crate::client::Daemon;

pub(crate) fn run(
    options: &OptionsOptions,
    daemon: &Daemon,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let mode = match options.mode {
        None => 0,
        Some(ModeLetter::L) => 1,
        Some(ModeLetter::M) => 2,
        Some(ModeLetter::A) => 3,
    };
    screen.show(&Shown(daemon.options(&Request::Options {
        drive: options.drive,
        mode,
        set: options.set.clone(),
    })?))?;
    Ok(Verdict::Well)
}

/// What the daemon says, as a report.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(OptionsStatus);

impl Report for Shown {
    fn text(&self, screen: &Screen) -> String {
        let Shown(status) = self;
        let letter = ["", ", mode l", ", mode m", ", mode a"];
        let letter = letter
            .get(usize::from(status.mode))
            .copied()
            .unwrap_or(", ?");
        let title = format!("drive {}{letter}", status.drive);
        let mut text = screen.paint(Paint::Heading, &title);
        if !status.defined {
            text.push_str("  (nothing set yet: these are the plain nodes')");
        }
        text.push('\n');
        for option in &status.options {
            text.push_str(&format!(
                "  {:<15} {}\n",
                printable(&option.name),
                printable(&option.value)
            ));
        }
        text
    }
}
