//! Shell completions and man pages.

use std::path::PathBuf;

use anyhow::Result;
use clap::CommandFactory;
use pseudotape_human::{Manual, Page, Report, Screen, completion_script, pages_of, write_pages};
use serde::Serialize;

use crate::Verdict;
use crate::cli::{Cli, CompletionsOptions, EXIT_CODES, ManOptions};

const MANUAL: Manual<'_> = Manual {
    document: include_str!("../../docs/man/pseudotape-farm.md"),
    exit_codes: EXIT_CODES,
    see_also: &["pseudotape(1)", "pseudotape-rmt(1)", "ssh(1)", "sshd(8)"],
};

#[derive(Debug, Serialize)]
struct WrittenPages {
    pages: Vec<PathBuf>,
}

impl Report for WrittenPages {
    fn text(&self, _: &Screen) -> String {
        let lines = self.pages.iter();
        lines.map(|page| format!("{}\n", page.display())).collect()
    }
}

pub(crate) fn completions(options: &CompletionsOptions, screen: &Screen) -> Result<Verdict> {
    let script = completion_script(options.shell, crate::PROGRAM);
    screen.print(script.as_bytes())?;
    Ok(Verdict::Well)
}

/// The page of the program would have the name of that of the command 'pseudotape farm', which leads to the others.
const TAKEN: &str = "pseudotape-farm.1";

fn pages() -> Vec<Page> {
    pages_of(Cli::command(), &MANUAL)
}

pub(crate) fn man_pages(options: &ManOptions, screen: &Screen) -> Result<Verdict> {
    let mut pages = pages();
    pages.retain(|page| page.file != TAKEN);
    let pages = write_pages(&options.directory, &pages)?;
    screen.show(&WrittenPages { pages })?;
    Ok(Verdict::Well)
}

#[cfg(test)]
mod tests {
    use pseudotape_testkit::manual::{examples, faults};

    use super::*;

    #[test]
    fn every_command_has_a_page_with_all_of_its_options_and_an_example() {
        let pages = pages().into_iter().map(|page| (page.file, page.text));
        let faults = faults(&Cli::command(), &pages.collect::<Vec<_>>());
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn every_example_is_a_command_of_today() {
        let words = examples(MANUAL.document, "pseudotape-farm");
        assert!(!words.is_empty());
        for words in words {
            let parsed = Cli::command().try_get_matches_from(&words);
            assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
        }
    }
}
