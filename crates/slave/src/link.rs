//! The two kinds of channel of a master, behind one interface: send a request, receive its reply.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use crate::header::{Checksums, Received};
use crate::lost::Lost;
use crate::nonsense::Nonsense;
use crate::question::Question;
use crate::request::Goodbye;
use crate::socket::SocketLink;
use crate::stream::StreamCore;

/// The master's side of a channel.
pub(crate) enum Link {
    Socket(Box<SocketLink>),
    Stream(Arc<StreamCore>),
}

/// Aborts the outstanding request of a channel, from another thread than the one that waits for the reply.
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

    /// Waits for the reply and puts its payload into `into`.
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

    /// Applies what was negotiated in the greeting.
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

    /// `None` if the process has no more file descriptors.
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
