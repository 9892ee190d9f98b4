//! `pseudotape changer`: the command line of mtx, and its output byte for byte.
//!
//! Bacula's mtx-changer and Amanda's chg-robot read what mtx prints, and decide by its exit code. Where there is no
//! node that answers SCSI commands (a FUSE mount can't), they use this in its place.

mod commands;
mod view;
mod words;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use commands::{Session, Trouble};
use words::Words;

/// Does what stands behind `mtx`; `socket` is the device where none is named.
pub(crate) fn run(arguments: Vec<String>, socket: PathBuf) -> ExitCode {
    let mut session = Session::new(default_device(socket));
    for step in Words::new(arguments) {
        let done = match step {
            Ok(step) => session.execute(step),
            Err(words::Misused) => Err(Trouble::Usage),
        };
        if let Err(trouble) = done {
            return end(&trouble);
        }
    }
    ExitCode::SUCCESS
}

/// mtx looks at the same variables, and then at /dev/changer.
pub(crate) fn default_device(socket: PathBuf) -> PathBuf {
    let named = ["CHANGER", "TAPE"].into_iter().find_map(std::env::var_os);
    named.map_or(socket, PathBuf::from)
}

/// mtx ends with 1 whatever went wrong.
fn end(trouble: &Trouble) -> ExitCode {
    let text = match trouble {
        Trouble::Usage => words::USAGE.to_owned(),
        Trouble::Version => format!("mtx version {}\n\n{}", words::VERSION, words::USAGE),
        Trouble::Fatal(text) => text.clone(),
        Trouble::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => String::new(),
        Trouble::Output(error) => format!("can't print: {error}\n"),
    };
    // Nobody is left to be told that nobody hears.
    io::stderr().write_all(text.as_bytes()).ok();
    ExitCode::FAILURE
}
