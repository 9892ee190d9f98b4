//! Shell completions and man pages, made from the definition of the command line.

use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;

/// Why man pages could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// Their directory can't be made.
    #[error("can't make the directory {directory}: {source}")]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The host's reason.
        source: io::Error,
    },
    /// A page can't be written.
    #[error("can't write {page}: {source}")]
    Page {
        /// The file.
        page: PathBuf,
        /// The host's reason.
        source: io::Error,
    },
}

/// The script with which `shell` completes the words of a command.
#[must_use]
pub fn completion_script(shell: Shell, mut command: Command) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

/// A command and its subcommands, each with the name of its page. The pages of subcommands end in the
/// exit codes.
#[must_use]
pub fn pages_of(command: Command, exit_codes: &str) -> Vec<(String, Command)> {
    // The page of 'help' would say less than the others.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let program = command.get_name().to_owned();
    let mut pages: Vec<_> = command
        .get_subcommands()
        .map(|subcommand| {
            let name = format!("{program}-{}", subcommand.get_name());
            let ending = match subcommand.get_after_help() {
                Some(words) => format!("{words}\n\n{exit_codes}"),
                None => exit_codes.to_owned(),
            };
            let page_of = subcommand
                .clone()
                .display_name(&name)
                .version(env!("CARGO_PKG_VERSION"))
                .after_long_help(ending);
            (name, page_of)
        })
        .collect();
    pages.insert(0, (program, command));
    pages
}

/// Writes a man page for each command into a directory, which is made where it is missing. The result
/// is the paths of the pages.
pub fn write_pages(
    directory: &Path,
    pages: Vec<(String, Command)>,
) -> Result<Vec<PathBuf>, PagesError> {
    std::fs::create_dir_all(directory).map_err(|source| PagesError::Directory {
        directory: directory.to_owned(),
        source,
    })?;
    pages
        .into_iter()
        .map(|(name, page_of)| {
            let page = directory.join(format!("{name}.1"));
            match write_page(&page, &name, page_of) {
                Ok(()) => Ok(page),
                Err(source) => Err(PagesError::Page { page, source }),
            }
        })
        .collect()
}

fn write_page(path: &Path, name: &str, page_of: Command) -> io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(page_of)
        .title(name.to_uppercase())
        .source(concat!("pseudotape ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)?;
    std::fs::write(path, page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        Command::new("tape").subcommand(Command::new("wind").about("Winds").after_help("Slowly."))
    }

    #[test]
    fn each_command_gets_a_page_with_the_exit_codes() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join("man");
        let pages = write_pages(&directory, pages_of(command(), "Exit codes: 0.")).expect("pages");
        assert_eq!(
            pages,
            [directory.join("tape.1"), directory.join("tape-wind.1")]
        );
        let page = std::fs::read_to_string(&pages[1]).expect("a page");
        for words in ["Winds", "Slowly.", "Exit codes: 0.", ".TH TAPE-WIND"] {
            assert!(page.contains(words), "{words}: {page}");
        }
    }

    #[test]
    fn a_page_that_cannot_be_written_is_named() {
        let place = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(place.path().join("tape.1")).expect("a directory");
        let error = write_pages(place.path(), pages_of(command(), "")).expect_err("no page");
        assert!(error.to_string().contains("tape.1"), "{error}");
        let error = write_pages(Path::new("/dev/null/man"), Vec::new()).expect_err("no directory");
        assert!(error.to_string().contains("/dev/null/man"), "{error}");
    }

    #[test]
    fn a_script_completes_the_subcommands() {
        let script = completion_script(Shell::Bash, command());
        let script = String::from_utf8(script).expect("text");
        assert!(script.contains("wind"), "{script}");
    }
}
