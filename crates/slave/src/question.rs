//! The parts of sending and receiving that are the same for both kinds of channel of a master.

use crate::header::{Head, Header, Payload};
use crate::nonsense::Nonsense;
use crate::request::{FIRST_REPLY, Goodbye, Request};

/// A request to send, with its id and data.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) request: &'a Request,
    pub(crate) id: u64,
    pub(crate) data: &'a [u8],
}

/// Encodes a goodbye as a message.
pub(crate) fn goodbye_head(goodbye: &Goodbye) -> Head {
    let request = Request::Goodbye(goodbye.clone());
    Head::new(request.kind(), 0, Payload::None, |out| request.encode(out))
}

/// Checks that a received message is a reply with this id. The caller checks the rest.
pub(crate) fn check_answers(header: &Header, id: u64) -> Result<(), Nonsense> {
    if header.kind < FIRST_REPLY {
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
