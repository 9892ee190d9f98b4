//! Man pages, made from the definition of a command line and from documents that people write.

use std::io;
use std::path::{Path, PathBuf};

use clap::Command;

mod command;
mod file;
mod roff;
mod synopsis;

pub use file::file_page;

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

/// A page of the manual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The name of its file, `pseudotape-load.1`.
    pub file: String,
    /// Its text, in roff.
    pub text: String,
}

/// What the pages of a program say beside what its command line says.
#[derive(Clone, Copy, Debug)]
pub struct Manual<'a> {
    /// Markdown. What stands under the name of a command (`## pseudotape load`) is its EXAMPLES; headings there,
    /// `### EXIT STATUS` and `### SEE ALSO`, say what is its own. `## FILES` and `## ENVIRONMENT` are tables: the
    /// thing, the options and commands in whose pages it is (nothing: all of them), and what it is.
    pub document: &'a str,
    /// What the exit codes of all commands say: `Exit codes: 0 all is well; 1 …`.
    pub exit_codes: &'a str,
    /// Other pages: `pseudotape-dev(1)`.
    pub see_also: &'a [&'a str],
}

/// The pages of a program and of all its commands.
#[must_use]
pub fn pages_of(command: Command, manual: &Manual<'_>) -> Vec<Page> {
    // The page of 'help' would say less than the others.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    command::pages(&command, manual)
}

/// Writes pages into a directory, which is made where it is missing. The result is their paths.
pub fn write_pages(directory: &Path, pages: &[Page]) -> Result<Vec<PathBuf>, PagesError> {
    std::fs::create_dir_all(directory).map_err(|source| PagesError::Directory {
        directory: directory.to_owned(),
        source,
    })?;
    let written = pages.iter().map(|page| {
        let path = directory.join(&page.file);
        match std::fs::write(&path, &page.text) {
            Ok(()) => Ok(path),
            Err(source) => Err(PagesError::Page { page: path, source }),
        }
    });
    written.collect()
}

/// The head of a page.
fn head(name: &str, section: u8) -> String {
    let title = roff::escaped(&name.to_uppercase());
    let version = env!("CARGO_PKG_VERSION");
    format!(
        ".TH {title} {section} \"\" \"pseudotape {version}\" \"pseudotape\"\n.nh\n.ad l\n.SH NAME\n"
    )
}

/// A page of which all parts are there. A paragraph that begins a section is begun by its heading.
fn page(file: String, text: &str) -> Page {
    let mut tidy = String::with_capacity(text.len());
    let mut before = "";
    for line in text.lines() {
        if line != ".PP" || !before.starts_with(".S") {
            tidy.push_str(line);
            tidy.push('\n');
        }
        before = line;
    }
    Page { file, text: tidy }
}

/// The section of a document under a heading of two signs.
fn section_of<'a>(document: &'a str, title: &str) -> Option<&'a str> {
    let heading = format!("\n## {title}\n");
    let (_, section) = document.split_once(heading.as_str())?;
    section.split("\n## ").next()
}

/// The last section: which pages to read next.
fn see_also(pages: &[String]) -> String {
    let pages = pages.iter().map(|page| match page.split_once('(') {
        Some((name, section)) => format!("{}({section}", roff::bold(name)),
        None => roff::escaped(page),
    });
    let pages: Vec<String> = pages.collect();
    format!(".SH SEE ALSO\n{}\n", pages.join(",\n"))
}

#[cfg(test)]
mod tests;
