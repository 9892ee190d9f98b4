//! Shell completions and man pages.

use std::path::PathBuf;

use anyhow::Result;
use pseudotape_human::{Report, Screen, completion_script, pages_of, write_pages};
use serde::Serialize;

use super::verdict::Verdict;
use crate::cli::{CompletionsOptions, EXIT_CODES, ManOptions};

#[derive(Debug, Serialize)]
pub(super) struct WrittenPages {
    pub pages: Vec<PathBuf>,
}

impl Report for WrittenPages {
    fn text(&self, _: &Screen) -> String {
        let lines = self.pages.iter();
        lines.map(|page| format!("{}\n", page.display())).collect()
    }
}

pub(super) fn completions(options: &CompletionsOptions, screen: &Screen) -> Result<Verdict> {
    screen.print(&completion_script(options.shell, crate::cli::command()))?;
    Ok(Verdict::Well)
}

pub(super) fn man_pages(options: &ManOptions, screen: &Screen) -> Result<Verdict> {
    let pages = write_pages(
        &options.directory,
        pages_of(crate::cli::command(), EXIT_CODES),
    )?;
    screen.show(&WrittenPages { pages })?;
    Ok(Verdict::Well)
}
