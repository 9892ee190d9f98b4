//! Shell completions and man pages, made from the definition of the command line.

use std::fs;

use anyhow::{Context, Result};
use clap::CommandFactory;

use super::Verdict;
use super::show::Screen;
use crate::cli::{Cli, CompletionsOptions, EXIT_CODES, ManOptions};

const NAME: &str = "pseudotape-mirror";

pub(super) fn completions(options: &CompletionsOptions, screen: &Screen) -> Result<Verdict> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), NAME, &mut script);
    screen.print(&String::from_utf8_lossy(&script))?;
    Ok(Verdict::Well)
}

pub(super) fn man_pages(options: &ManOptions, screen: &Screen) -> Result<Verdict> {
    let directory = &options.directory;
    fs::create_dir_all(directory)
        .with_context(|| format!("can't make the directory {}", directory.display()))?;
    // The page of 'help' would say less than the others.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let subcommands: Vec<_> = command.get_subcommands().cloned().collect();
    let pages = subcommands.into_iter().map(|subcommand| {
        let name = format!("{NAME}-{}", subcommand.get_name());
        let ending = match subcommand.get_after_help() {
            Some(words) => format!("{words}\n\n{EXIT_CODES}"),
            None => EXIT_CODES.to_owned(),
        };
        let page_of = subcommand
            .display_name(&name)
            .version(env!("CARGO_PKG_VERSION"))
            .after_long_help(ending);
        (name, page_of)
    });
    for (name, page_of) in std::iter::once((NAME.to_owned(), command.clone())).chain(pages) {
        let path = directory.join(format!("{name}.1"));
        let mut page = Vec::new();
        clap_mangen::Man::new(page_of)
            .title(name.to_uppercase())
            .source(concat!("pseudotape ", env!("CARGO_PKG_VERSION")))
            .render(&mut page)?;
        fs::write(&path, page).with_context(|| format!("can't write {}", path.display()))?;
        screen.print(&format!("{}\n", path.display()))?;
    }
    Ok(Verdict::Well)
}
