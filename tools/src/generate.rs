//! Shell completions and man pages of both programs.

use std::path::PathBuf;

use clap::CommandFactory;
use pseudotape_human::{Report, Screen, completion_script, pages_of, write_pages};
use serde::Serialize;

use crate::Verdict;
use crate::cli::{CompletionsOptions, EXIT_CODES, ManOptions, Program};
use crate::rmt::Arguments;

pub(crate) fn completions(
    options: &CompletionsOptions,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let command = match options.program {
        Program::Pseudotape => crate::cli::command(),
        Program::PseudotapeRmt => Arguments::command(),
    };
    screen.print(&completion_script(options.shell, command))?;
    Ok(Verdict::Well)
}

#[derive(Debug, Serialize)]
struct ManPages {
    pages: Vec<PathBuf>,
}

impl Report for ManPages {
    fn text(&self, _: &Screen) -> String {
        self.pages
            .iter()
            .map(|page| format!("{}\n", page.display()))
            .collect()
    }
}

pub(crate) fn man_pages(options: &ManOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let mut pages = pages_of(crate::cli::command(), EXIT_CODES);
    // The server has no command for such things: its clients start it with whatever words they like.
    let server = Arguments::command();
    pages.push((server.get_name().to_owned(), server));
    let pages = write_pages(&options.directory, pages)?;
    screen.show(&ManPages { pages })?;
    Ok(Verdict::Well)
}
