//! Options of the st driver, which `mt stshowoptions` can only read of the kernel's own drives.

use pseudotape_control::{OptionsStatus, Request};

use crate::Verdict;
use crate::cli::{ModeLetter, OptionsOptions};
use crate::client::Daemon;
use crate::screen::{Paint, Report, Screen, printable};

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
    screen.show(&daemon.options(&Request::Options {
        drive: options.drive,
        mode,
        set: options.set.clone(),
    })?)?;
    Ok(Verdict::Well)
}

impl Report for OptionsStatus {
    fn text(&self, screen: &Screen) -> String {
        let letter = ["", ", mode l", ", mode m", ", mode a"];
        let letter = letter.get(usize::from(self.mode)).copied().unwrap_or(", ?");
        let title = format!("drive {}{letter}", self.drive);
        let mut text = screen.paint(Paint::Heading, &title);
        if !self.defined {
            text.push_str("  (nothing set yet: these are the plain nodes')");
        }
        text.push('\n');
        for option in &self.options {
            text.push_str(&format!(
                "  {:<15} {}\n",
                printable(&option.name),
                printable(&option.value)
            ));
        }
        text
    }
}
