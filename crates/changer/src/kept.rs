//! The file of a library as one process keeps it.

use std::io;

use crate::file::{Log, decode, encode};
use crate::host::Host;
use crate::refusal::Refusal;
use crate::state::{Change, State, StateError};

/// A host, and what is known of the file on it.
#[derive(Debug)]
pub(crate) struct Kept<H> {
    host: H,
    /// Where the next change is appended; `None` where the next change writes the file anew.
    log: Option<Log>,
    /// What the file says is not known to be what the library says.
    unsure: bool,
    trouble: Option<String>,
}

impl<H: Host> Kept<H> {
    /// Writes the first file.
    pub(crate) fn create(mut host: H, state: &State) -> io::Result<Self> {
        let log = replace(&mut host, state)?;
        Ok(Self::with(host, Some(log)))
    }

    /// Takes the file of a host: its content, as [`Host::read`] gave it.
    pub(crate) fn open(host: H, file: &[u8]) -> Result<(Self, State), StateError> {
        let found = decode(file)?;
        let mut kept = Self::with(host, found.log);
        if found.torn {
            kept.trouble = Some(
                "library.json: its last line is not whole: the change that it was to record did not happen"
                    .to_owned(),
            );
        }
        Ok((kept, found.state))
    }

    fn with(host: H, log: Option<Log>) -> Self {
        Kept {
            host,
            log,
            unsure: false,
            trouble: None,
        }
    }

    pub(crate) fn host(&self) -> &H {
        &self.host
    }

    /// Takes what went wrong without stopping a change.
    pub(crate) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Before a change: where the file is not known to say the state, it is written anew.
    pub(crate) fn settle(&mut self, state: &State) -> Result<(), Refusal> {
        if self.unsure {
            let written = replace(&mut self.host, state);
            self.log = Some(written.map_err(|error| Refusal::NotReady {
                reason: format!("can't write library.json: {error}"),
            })?);
            self.unsure = false;
        }
        Ok(())
    }

    /// Brings a change to stable storage; `state` is what comes out of it. After an error the file decides: where it
    /// says the new state the change is done.
    pub(crate) fn save(&mut self, state: &State, change: &Change) -> Result<(), Refusal> {
        let written = match self.log {
            Some(log) if log.has_room() => append(&mut self.host, log, change),
            _ => replace(&mut self.host, state),
        };
        let error = match written {
            Ok(log) => {
                self.log = Some(log);
                return Ok(());
            }
            Err(error) => error,
        };
        // What is left of a line that failed must not get a line behind it, and what a failed sync has lost the host
        // does not write again by itself.
        self.log = None;
        let refusal = Refusal::Failed {
            reason: format!("can't write library.json: {error}"),
        };
        match self.host.read() {
            Ok(Some(found)) if decode(&found).is_ok_and(|found| found.state == *state) => {
                self.trouble = Some(format!(
                    "library.json is written, but may not survive a failure of power: {error}"
                ));
                Ok(())
            }
            Ok(_) => Err(refusal),
            Err(_) => {
                self.unsure = true;
                Err(refusal)
            }
        }
    }
}

fn append(host: &mut impl Host, log: Log, change: &Change) -> io::Result<Log> {
    let (line, next) = log.line(change);
    host.append(log.end(), &line)?;
    host.sync_appended()?;
    Ok(next)
}

fn replace(host: &mut impl Host, state: &State) -> io::Result<Log> {
    let (content, log) = encode(state);
    host.write_new(&content)?;
    host.sync_new()?;
    host.rename_new()?;
    host.sync_folder()?;
    Ok(log)
}
