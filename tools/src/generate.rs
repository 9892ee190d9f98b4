//! Shell completions and man pages, made from the definition of the command line.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::CommandFactory;
use serde::Serialize;

use crate::Verdict;
use crate::cli::{Cli, CompletionsOptions, EXIT_CODES, ManOptions, Program};
use crate::rmt::Arguments;
use crate::screen::{Report, Screen};

pub(crate) fn completions(
    options: &CompletionsOptions,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    if screen.is_json() {
        bail!("a completion script is no JSON: leave --json out");
    }
    let mut script = Vec::new();
    let (name, mut command) = match options.program {
        Program::Pseudotape => ("pseudotape", Cli::command()),
        Program::PseudotapeRmt => (RMT, Arguments::command()),
    };
    clap_complete::generate(options.shell, &mut command, name, &mut script);
    screen.print(&script)?;
    Ok(Verdict::Well)
}

/// The server, which has no command for such things: its clients start it with whatever words they like.
const RMT: &str = "pseudotape-rmt";

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
    let directory = &options.directory;
    fs::create_dir_all(directory)
        .with_context(|| format!("can't make the directory {}", directory.display()))?;
    // The page of 'help' would say less than the others.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    let server = (RMT.to_owned(), Arguments::command());
    for (name, page_of) in pages_of(command).into_iter().chain([server]) {
        let path = directory.join(format!("{name}.1"));
        let mut page = Vec::new();
        clap_mangen::Man::new(page_of)
            .title(name.to_uppercase())
            .source(concat!("pseudotape ", env!("CARGO_PKG_VERSION")))
            .render(&mut page)?;
        fs::write(&path, page).with_context(|| format!("can't write {}", path.display()))?;
        pages.push(path);
    }
    screen.show(&ManPages { pages })?;
    Ok(Verdict::Well)
}

/// The command and its subcommands, each with the name of its page.
fn pages_of(command: clap::Command) -> Vec<(String, clap::Command)> {
    let mut pages: Vec<_> = command
        .get_subcommands()
        .map(|subcommand| {
            let name = format!("pseudotape-{}", subcommand.get_name());
            let ending = match subcommand.get_after_help() {
                Some(words) => format!("{words}\n\n{EXIT_CODES}"),
                None => EXIT_CODES.to_owned(),
            };
            let page_of = subcommand
                .clone()
                .display_name(&name)
                .version(env!("CARGO_PKG_VERSION"))
                .after_long_help(ending);
            (name, page_of)
        })
        .collect();
    pages.insert(0, ("pseudotape".to_owned(), command));
    pages
}
