//! The line to the slave at hand: one request out, one reply in.

use std::time::Duration;

use crate::check::Asked;
use crate::header::Received;
use crate::link::Link;
use crate::lost::Lost;
use crate::nonsense::Nonsense;
use crate::question::Question;
use crate::reply::{Known, Outcome, Reply, Welcome};
use crate::request::Request;

/// What the next operation reports of a slave that is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attention {
    /// First that the position is lost: nothing that was begun with another slave goes on with this one ...
    Reset,
    /// ... then that the medium may be another one.
    MediumChanged,
}

/// What the operations hold a lock on while they ask.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) link: Option<Link>,
    pub(crate) attention: Option<Attention>,
    /// Grows over all slaves, so that no reply fits an older request.
    next_id: u64,
}

/// A reply that fits its request.
pub(crate) enum Answer {
    Done(Outcome, usize),
    Failed(pseudotape_tape::Failed),
    Mode(pseudotape_tape::Mode),
    Capacity(pseudotape_tape::Capacity),
}

impl Line {
    /// The numbers of the next requests.
    pub(crate) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Asks the slave; `None` where there is none.
    pub(crate) fn ask(
        &mut self,
        asked: Asked<'_>,
        data: &[u8],
        into: &mut [u8],
        silence: Duration,
    ) -> Option<Result<Answer, Lost>> {
        let id = self.take_id();
        let link = self.link.as_mut()?;
        let question = Question {
            request: asked.request,
            id,
            data,
        };
        Some(
            exchange(link, question, into, silence).and_then(|received| {
                let payload = received.header.payload_length as usize;
                Ok(judge(asked, &received, payload)?)
            }),
        )
    }
}

fn exchange(
    link: &mut Link,
    question: Question<'_>,
    into: &mut [u8],
    silence: Duration,
) -> Result<Received, Lost> {
    link.send(question, into.len(), silence)?;
    link.receive(question.id, into, silence)
}

/// Which reply answers which request, and whether it can be.
fn judge(asked: Asked<'_>, received: &Received, payload: usize) -> Result<Answer, Nonsense> {
    let kind = received.header.kind;
    let reply = Reply::decode(kind, received.body())?;
    let wrong = || Nonsense::Answer {
        kind,
        request: asked.request.name(),
    };
    if payload > 0 && !matches!(reply, Reply::Done(_)) {
        return Err(Nonsense::PayloadTooLong {
            length: received.header.payload_length,
            max: 0,
        });
    }
    match reply {
        Reply::Failed(failed) => {
            asked.check_failed(failed.count)?;
            Ok(Answer::Failed(failed))
        }
        Reply::Mode(mode) if *asked.request == Request::Mode => Ok(Answer::Mode(mode)),
        Reply::Capacity(capacity) if *asked.request == Request::Capacity => {
            Ok(Answer::Capacity(capacity))
        }
        Reply::Done(outcome) if !matches!(asked.request, Request::Mode | Request::Capacity) => {
            asked.check_done(&outcome, payload)?;
            Ok(Answer::Done(outcome, payload))
        }
        Reply::Done(_)
        | Reply::Mode(_)
        | Reply::Capacity(_)
        | Reply::Welcome(_)
        | Reply::Unsupported(_)
        | Reply::Working => Err(wrong()),
    }
}

/// Greets a slave.
pub(crate) fn greet(
    link: &mut Link,
    request: &Request,
    id: u64,
    silence: Duration,
) -> Result<Welcome, Lost> {
    let question = Question {
        request,
        id,
        data: &[],
    };
    let received = exchange(link, question, &mut [], silence).map_err(|lost| match lost {
        Lost::Nonsense(Nonsense::Version { found }) => {
            let found = format!("the slave answers in version {found}");
            Lost::Unsupported { found }
        }
        lost => lost,
    })?;
    let kind = received.header.kind;
    match Reply::decode(kind, received.body())? {
        Reply::Welcome(welcome) => Ok(welcome),
        Reply::Unsupported(known) => {
            let Known { versions, features } = known;
            let found = format!("the slave knows {versions} and features {features:#x}");
            Err(Lost::Unsupported { found })
        }
        Reply::Done(_)
        | Reply::Failed(_)
        | Reply::Mode(_)
        | Reply::Capacity(_)
        | Reply::Working => Err(Lost::Nonsense(Nonsense::Answer {
            kind,
            request: request.name(),
        })),
    }
}
