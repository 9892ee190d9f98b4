//! Shell completions and man pages of both programs.

use std::path::PathBuf;

use clap::CommandFactory;
use pseudotape_human::{
    Manual, Page, Report, Screen, completion_script, file_page, pages_of, write_pages,
};
use serde::Serialize;

use crate::Verdict;
use crate::cli::{CompletionsOptions, EXIT_CODES, ManOptions, Program};
use crate::rmt::{self, Arguments};

const MANUAL: Manual<'_> = Manual {
    document: include_str!("../../docs/man/pseudotape.md"),
    exit_codes: EXIT_CODES,
    see_also: &[
        "pseudotape-dev(1)",
        "pseudotape-mirror(1)",
        "pseudotape-rmt(1)",
    ],
};

const SERVER_MANUAL: Manual<'_> = Manual {
    document: include_str!("../../docs/man/pseudotape-rmt.md"),
    exit_codes: rmt::EXIT_CODES,
    see_also: &[
        "pseudotape(1)",
        "pseudotape-rmt.toml(5)",
        "tar(1)",
        "ssh(1)",
    ],
};

const SERVER_CONFIGURATION: &str = include_str!("../../docs/man/pseudotape-rmt.toml.md");
const FARM_CONFIGURATION: &str = include_str!("../../docs/man/pseudotape-farm.toml.md");
const VAULT_CONFIGURATION: &str = include_str!("../../docs/man/pseudotape-vault.toml.md");

pub(crate) fn completions(
    options: &CompletionsOptions,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let program = match options.program {
        Program::Pseudotape => "pseudotape",
        Program::PseudotapeRmt => "pseudotape-rmt",
    };
    screen.print(completion_script(options.shell, program).as_bytes())?;
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

fn pages() -> Vec<Page> {
    let mut pages = pages_of(crate::cli::command(), &MANUAL);
    // The server has no command for such things: its clients start it with whatever words they like.
    pages.extend(pages_of(Arguments::command(), &SERVER_MANUAL));
    let others = ["pseudotape-rmt(1)", "pseudotape-copy(1)"];
    pages.push(file_page(SERVER_CONFIGURATION, &others));
    pages.push(file_page(FARM_CONFIGURATION, &["pseudotape-farm(1)"]));
    pages.push(file_page(VAULT_CONFIGURATION, &["pseudotape-vault(1)"]));
    pages
}

pub(crate) fn man_pages(options: &ManOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let pages = write_pages(&options.directory, &pages())?;
    screen.show(&ManPages { pages })?;
    Ok(Verdict::Well)
}

#[cfg(test)]
mod tests {
    use pseudotape_human::keys_of;
    use pseudotape_testkit::manual::{documented_keys, examples, faults};

    use super::*;

    #[test]
    fn every_command_has_a_page_with_all_of_its_options_and_an_example() {
        let pages = pages().into_iter().map(|page| (page.file, page.text));
        let pages: Vec<_> = pages.collect();
        let mut faults = faults(&crate::cli::command(), &pages);
        faults.extend(pseudotape_testkit::manual::faults(
            &Arguments::command(),
            &pages,
        ));
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn every_example_is_a_command_of_today() {
        let documents = [
            MANUAL.document,
            SERVER_MANUAL.document,
            SERVER_CONFIGURATION,
            FARM_CONFIGURATION,
            include_str!("../../docs/man/pseudotape-dev.md"),
            include_str!("../../docs/man/pseudotape.toml.md"),
        ];
        let mut count = 0;
        for document in documents {
            for words in examples(document, "pseudotape") {
                let parsed = crate::cli::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
                count += 1;
            }
            for words in examples(document, "pseudotape-rmt") {
                let parsed = Arguments::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
            }
        }
        assert!(count > 100, "{count} examples were found");
    }

    #[test]
    fn the_page_of_a_vaults_configuration_lists_its_keys() {
        let keys = keys_of::<pseudotape_vault::Configuration>();
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(documented_keys(VAULT_CONFIGURATION, "KEYS"), keys);
    }
}
