//! The man pages of the daemon and of its configuration.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::CommandFactory;
use pseudotape_human::{Manual, Page, file_page, pages_of, write_pages};

use crate::cli::{Arguments, EXIT_CODES};

const MANUAL: Manual<'_> = Manual {
    document: include_str!("../../docs/man/pseudotape-scsi.md"),
    exit_codes: EXIT_CODES,
    see_also: &[
        "pseudotape(1)",
        "pseudotape-dev(1)",
        "pseudotape-scsi.toml(5)",
        "mt(1)",
        "st(4)",
    ],
};

const CONFIGURATION: &str = include_str!("../../docs/man/pseudotape-scsi.toml.md");

/// Writes them into a directory, which is made where it is missing. The result is their paths.
pub fn write(directory: &Path) -> Result<Vec<PathBuf>> {
    Ok(write_pages(directory, &pages())?)
}

fn pages() -> Vec<Page> {
    let mut pages = pages_of(Arguments::command(), &MANUAL);
    pages.push(file_page(
        CONFIGURATION,
        &["pseudotape-scsi(1)", "pseudotape.toml(5)"],
    ));
    pages
}

#[cfg(test)]
mod tests {
    use pseudotape_testkit::manual::{examples, faults};

    use super::*;

    #[test]
    fn the_page_has_all_options_and_an_example() {
        let pages = pages().into_iter().map(|page| (page.file, page.text));
        let faults = faults(&Arguments::command(), &pages.collect::<Vec<_>>());
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn every_example_is_a_command_line_of_today() {
        let mut count = 0;
        for document in [MANUAL.document, CONFIGURATION] {
            for words in examples(document, "pseudotape-scsi") {
                let parsed = Arguments::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
                count += 1;
            }
        }
        assert!(count > 2, "{count} examples were found");
    }
}
