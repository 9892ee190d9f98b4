//! Commands of the server, for its clients.

use std::path::Path;

use super::trouble::Trouble;
use crate::access::Person;
use crate::commands::{Commands, NotRun};
use crate::link::Link;
use crate::message::Message;

pub(super) fn run(
    link: &Link,
    commands: Option<&Commands>,
    command: (&str, Vec<Vec<u8>>),
    whom: (&Person, &Path),
) -> Result<(), Trouble> {
    let Some(commands) = commands else {
        let text = "this server runs no commands for other hosts: 'pseudotape-farm serve --commands DIR' has those of one folder";
        return Err(Trouble::Words(text.to_owned()));
    };
    let print = |is_error, bytes: &[u8]| {
        let bytes = bytes.to_vec();
        link.send(&Message::Output { is_error, bytes })?;
        link.flush()
    };
    match commands.run(command, whom, print, || link.output.is_broken()) {
        Ok(ended) => Ok(link.send(&Message::Ended(ended))?),
        Err(NotRun::Words(text)) => Err(Trouble::Words(text)),
        Err(NotRun::Link(error)) => Err(Trouble::Link(error)),
    }
}
