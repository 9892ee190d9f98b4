//! What both channels of a master do with a message, however its bytes travel.

use crate::header::{Head, Header, Payload};
use crate::nonsense::Nonsense;
use crate::request::{FIRST_REPLY, Goodbye, Request};

/// What is asked, with its number.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) request: &'a Request,
    pub(crate) id: u64,
    pub(crate) data: &'a [u8],
}

/// A goodbye as a message.
pub(crate) fn goodbye_head(goodbye: &Goodbye) -> Head {
    let request = Request::Goodbye(goodbye.clone());
    Head::new(request.kind(), 0, Payload::None, |out| request.encode(out))
}

/// Whether this received message answers a request at all; the rest is the asker's to judge.
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
