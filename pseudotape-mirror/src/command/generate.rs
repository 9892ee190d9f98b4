//! Shell completions and man pages.

use std::path::PathBuf;

use anyhow::Result;
use pseudotape_human::{
    Manual, Page, Report, Screen, completion_script, file_page, pages_of, write_pages,
};
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

const MANUAL: Manual<'_> = Manual {
    document: include_str!("../../../docs/man/pseudotape-mirror.md"),
    exit_codes: EXIT_CODES,
    see_also: &[
        "pseudotape-dev(1)",
        "pseudotape(1)",
        "pseudotape-mirror.toml(5)",
    ],
};

const CONFIGURATION: &str = include_str!("../../../docs/man/pseudotape-mirror.toml.md");

pub(super) fn completions(options: &CompletionsOptions, screen: &Screen) -> Result<Verdict> {
    let script = completion_script(options.shell, "pseudotape-mirror");
    screen.print(script.as_bytes())?;
    Ok(Verdict::Well)
}

fn pages() -> Vec<Page> {
    let mut pages = pages_of(crate::cli::command(), &MANUAL);
    let others = ["pseudotape-mirror(1)", "pseudotape-inject(1)"];
    pages.push(file_page(CONFIGURATION, &others));
    pages
}

pub(super) fn man_pages(options: &ManOptions, screen: &Screen) -> Result<Verdict> {
    let pages = write_pages(&options.directory, &pages())?;
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
        let faults = faults(&crate::cli::command(), &pages.collect::<Vec<_>>());
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn every_example_is_a_command_of_today() {
        let mut count = 0;
        for document in [MANUAL.document, CONFIGURATION] {
            for words in examples(document, "pseudotape-mirror") {
                let parsed = crate::cli::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
                count += 1;
            }
        }
        assert!(count > 15, "{count} examples were found");
    }
}
