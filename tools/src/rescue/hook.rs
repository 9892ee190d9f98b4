//! Who wants to know at once that an object is bad.

use anyhow::Result;
use pseudotape_rescue::BadObject;
use serde_json::json;

use super::desk::Desk;
use super::report::{errno_name, when_words};
use crate::cli::RescueOptions;
use crate::copying::tape::name_of;
use crate::hook;

/// Runs the command in a shell, with JSON about the object on its standard input, and waits for its end.
pub(crate) fn tell(
    command: &str,
    options: &RescueOptions,
    desk: &Desk,
    bad: &BadObject,
) -> Result<()> {
    let words = json!({
        "object": bad.object.0,
        "file": bad.file,
        "tries": bad.attempt.tries,
        "tries_in_all": bad.tries,
        "errno": bad.attempt.errno,
        "error": errno_name(bad.attempt.errno),
        "drive": bad.drive,
        "when": when_words(bad.attempt.when),
        "source": name_of(&options.source),
        "target": options.target.as_ref().map(name_of),
        "map": desk.map,
    });
    hook::tell(command, &words)
}
