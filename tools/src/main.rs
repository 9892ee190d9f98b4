//! The `pseudotape` command.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    if pseudotape_tools::answers_shell() {
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<_> = std::env::args_os().collect();
    let called = arguments.first();
    // Changer scripts name one program, with no room for words of ours.
    if called.is_some_and(|called| {
        Path::new(&called)
            .file_name()
            .is_some_and(|name| name == "mtx")
    }) {
        let words = arguments.iter().skip(1);
        let words = words.map(|word| word.to_string_lossy().into_owned());
        return pseudotape_tools::run_as_mtx(words.collect());
    }
    pseudotape_tools::run(&arguments)
}
