//! The `pseudotape` command.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use pseudotape_tools::Cli;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next();
    // Changer scripts name one program, with no room for words of ours.
    if called.is_some_and(|called| {
        Path::new(&called)
            .file_name()
            .is_some_and(|name| name == "mtx")
    }) {
        let words = arguments.map(|word| word.to_string_lossy().into_owned());
        return pseudotape_tools::run_as_mtx(words.collect());
    }
    pseudotape_tools::run(Cli::parse())
}
