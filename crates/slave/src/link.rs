//! What a master's two channels have in common: one message out, one reply in.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::header::{Checksums, Received};
use crate::nonsense::Nonsense;
use crate::request::{Goodbye, Reason, Request};
use crate::socket::SocketLink;
use crate::stream::StreamCore;
use crate::versions::Versions;

/// Longest time for one operation, however often the slave says that it works: st's own long time-out.
const LONGEST_OPERATION: Duration = Duration::from_secs(14_000);

/// `working` this often ...
const WORKING_MAX: u32 = 1000;
/// ... takes at least this long.
const WORKING_MIN: Duration = Duration::from_secs(10);

/// Why a slave is attached no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// It closed its end, or died.
    #[error("it is gone")]
    Gone,
    /// It was already gone when something was to be asked.
    #[error("it is gone")]
    GoneBefore,
    /// It sent what can't be.
    #[error("it talks nonsense: {0}")]
    Nonsense(#[from] Nonsense),
    /// No sign of life.
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
    /// The channel failed.
    #[error("its channel failed: {0}")]
    Channel(#[from] io::Error),
    /// It speaks no version of the protocol that this side speaks.
    #[error("the master speaks {ours} of the slave protocol; {found}", ours = Versions::OURS)]
    Unsupported {
        /// What the slave said.
        found: String,
    },
    /// It was sent away.
    #[error("{0}")]
    Ended(&'static str),
}

impl Lost {
    /// What the slave is told, if it still listens.
    pub(crate) fn goodbye(&self) -> Option<Goodbye> {
        let reason = match self {
            Lost::Gone | Lost::GoneBefore | Lost::Channel(_) => return None,
            Lost::Nonsense(_) => Reason::Nonsense,
            Lost::Silent(_) => Reason::Silent,
            Lost::Ended(_) => Reason::Ending,
            Lost::Unsupported { .. } => Reason::Unsupported(Versions::OURS),
        };
        Some(Goodbye {
            reason,
            text: self.to_string(),
        })
    }
}

/// How long a slave may still work.
pub(crate) struct Patience {
    started: Instant,
    working: u32,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Patience {
            started: Instant::now(),
            working: 0,
        }
    }

    /// The slave said that it works.
    pub(crate) fn heard(&mut self) -> Result<(), Lost> {
        self.working = self.working.saturating_add(1);
        let since = self.started.elapsed();
        if self.working.is_multiple_of(WORKING_MAX)
            && since < WORKING_MIN * (self.working / WORKING_MAX)
        {
            return Err(Lost::Nonsense(Nonsense::TooBusy {
                count: self.working,
                millis: since.as_millis(),
            }));
        }
        if since > LONGEST_OPERATION {
            return Err(Lost::Silent(LONGEST_OPERATION));
        }
        Ok(())
    }
}

/// The master's side of a channel.
pub(crate) enum Link {
    Socket(Box<SocketLink>),
    Stream(Arc<StreamCore>),
}

/// Ends a question on a channel, from another thread than the one that waits for its answer.
pub(crate) enum Cutter {
    Socket(UnixStream),
    Stream(Arc<StreamCore>),
}

impl Cutter {
    pub(crate) fn cut(self) {
        match self {
            Cutter::Socket(stream) => {
                if let Err(error) = stream.shutdown(Shutdown::Both) {
                    log::debug!("a slave's socket: {error}");
                }
            }
            Cutter::Stream(core) => core.close(None),
        }
    }
}

/// What is asked, with its number.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) request: &'a Request,
    pub(crate) id: u64,
    pub(crate) data: &'a [u8],
}

impl Link {
    pub(crate) fn send(
        &mut self,
        question: Question<'_>,
        room: usize,
        silence: Duration,
    ) -> Result<(), Lost> {
        match self {
            Link::Socket(link) => link.send(question, silence),
            Link::Stream(core) => core.post(question, room),
        }
    }

    /// Waits for the reply; its payload is in `into` then.
    pub(crate) fn receive(
        &mut self,
        id: u64,
        into: &mut [u8],
        silence: Duration,
    ) -> Result<Received, Lost> {
        match self {
            Link::Socket(link) => link.receive(id, into, silence),
            Link::Stream(core) => core.wait(into, silence),
        }
    }

    /// What the slave takes of what was offered to it.
    pub(crate) fn agree(
        &mut self,
        shared_memory: bool,
        checksums: Checksums,
    ) -> Result<(), Nonsense> {
        match self {
            Link::Socket(link) => link.agree(shared_memory, checksums),
            Link::Stream(_) if shared_memory => Err(Nonsense::Value {
                request: "hello",
                what: "shared memory that was not offered",
                found: 1,
            }),
            Link::Stream(_) => Ok(()),
        }
    }

    /// `None`: out of descriptors.
    pub(crate) fn cutter(&self) -> Option<Cutter> {
        match self {
            Link::Socket(link) => link.another_descriptor().map(Cutter::Socket),
            Link::Stream(core) => Some(Cutter::Stream(Arc::clone(core))),
        }
    }

    pub(crate) fn offers_shared_memory(&self) -> bool {
        matches!(self, Link::Socket(link) if link.offers_shared_memory())
    }

    /// Whether the other end is closed.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Link::Socket(link) => link.is_gone(),
            Link::Stream(core) => core.is_closed(),
        }
    }

    /// Closes this end.
    pub(crate) fn close(self, goodbye: Option<&Goodbye>) {
        match self {
            Link::Socket(link) => link.close(goodbye),
            Link::Stream(core) => core.close(goodbye),
        }
    }
}

/// A goodbye as a message.
pub(crate) fn goodbye_head(goodbye: &Goodbye) -> crate::header::Head {
    let request = Request::Goodbye(goodbye.clone());
    crate::header::Head::new(request.kind(), 0, crate::header::Payload::None, |out| {
        request.encode(out)
    })
}

/// Whether this received message answers a request at all; the rest is the asker's to judge.
pub(crate) fn check_answers(header: &crate::header::Header, id: u64) -> Result<(), Nonsense> {
    if header.kind < crate::request::FIRST_REPLY {
        return Err(Nonsense::Kind { kind: header.kind });
    }
    if header.id != id {
        return Err(Nonsense::Id {
            expected: id,
            found: header.id,
        });
    }
    Ok(())
}
