//! Why a rescue ended early, in words that name the file and the way on.

use std::path::Path;

use pseudotape_human::shell_word;
use pseudotape_rescue::{Error, Tape as Which};

use super::desk::Desk;
use crate::copying::tape::Tape;

/// Adds which file it was, what its drive knows beyond a sense, and the way on. `other` is the source, or the tape that
/// is written in the end, whichever the error can be of.
pub(crate) fn explained(
    error: Error,
    other: &mut Tape,
    base: &mut Tape,
    desk: &Desk,
) -> anyhow::Error {
    let found = desk.found_path();
    let (name, trouble) = match which(&error) {
        Some(Which::Base) => (Some(base.name()), base.open.take_trouble()),
        Some(Which::Found) => (Some(found.display().to_string()), None),
        Some(Which::Source | Which::Target) => (Some(other.name()), other.open.take_trouble()),
        None => (None, None),
    };
    // What a drive remembers of a block that it could not read before has nothing to do with another failure.
    let trouble = trouble.filter(|_| matches!(error, Error::Drive { .. } | Error::Full { .. }));
    let way_on = way_on(&error, &found, base, desk);
    let mut words: Vec<String> = [name, trouble].into_iter().flatten().collect();
    if let Error::Full {
        tape: Which::Found, ..
    } = error
    {
        words.push("there is no room for more on its disk".to_owned());
    }
    let mut context = words.join(": ");
    if let Some(way_on) = way_on {
        context = match context.is_empty() {
            true => way_on,
            false => format!("{context} ({way_on})"),
        };
    }
    match context.is_empty() {
        true => error.into(),
        false => anyhow::Error::from(error).context(context),
    }
}

/// Which tape it happened to.
fn which(error: &Error) -> Option<Which> {
    match error {
        Error::Drive { tape, .. }
        | Error::Position { tape, .. }
        | Error::Full { tape, .. }
        | Error::Short { tape, .. }
        | Error::Lost { tape, .. } => Some(*tape),
        Error::Memory { .. } | Error::OtherTape(_) | Error::NoFile { .. } => Some(Which::Source),
        Error::OtherBase { .. } => Some(Which::Base),
        _ => None,
    }
}

/// What can be done, where the error does not say it itself.
fn way_on(error: &Error, found: &Path, base: &Tape, desk: &Desk) -> Option<String> {
    let kept = format!("what was read is kept, and {} says so", desk.map.display());
    match error {
        Error::Full {
            tape: Which::Target,
            ..
        } if !desk.is_direct() => Some(format!(
            "what was read is kept in {}: name a DST that has room for it",
            desk.base_path().display()
        )),
        Error::Full { .. } => Some(format!("{kept}: make room, and the same command goes on")),
        Error::Short { tape, .. } => {
            let file = match tape {
                Which::Found => found.display().to_string(),
                _ => base.name(),
            };
            // What lost committed data takes nothing more before somebody has accepted that.
            let first = match tape {
                Which::Base if base.missing(0).is_ok_and(|missing| missing.is_some()) => {
                    format!(
                        "'pseudotape accept-loss {word}' lets it be written, and then ",
                        word = shell_word(&file)
                    )
                }
                _ => String::new(),
            };
            Some(format!(
                "bring {file} back as it was; where that is gone for good, {first}--reread-lost reads what it held from \
                 SRC again"
            ))
        }
        Error::Lost { .. }
        | Error::OtherBase { .. }
        | Error::OtherTape(_)
        | Error::NoFile { .. } => None,
        _ => Some(format!("{kept}: the same command goes on")),
    }
}
