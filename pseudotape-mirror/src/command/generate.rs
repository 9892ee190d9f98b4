//! Shell completions and man pages.

use anyhow::Result;
use clap::CommandFactory;
use pseudotape_human::{Screen, completion_script, pages_of, write_pages};

use super::verdict::Verdict;
use crate::cli::{Cli, CompletionsOptions, EXIT_CODES, ManOptions};

pub(super) fn completions(options: &CompletionsOptions, screen: &Screen) -> Result<Verdict> {
    screen.print(&completion_script(options.shell, Cli::command()))?;
    Ok(Verdict::Well)
}

pub(super) fn man_pages(options: &ManOptions, screen: &Screen) -> Result<Verdict> {
    for page in write_pages(&options.directory, pages_of(Cli::command(), EXIT_CODES))? {
        screen.print(format!("{}\n", page.display()).as_bytes())?;
    }
    Ok(Verdict::Well)
}
