//! The line to the attached slave: it carries one request at a time, and then its reply.

use std::time::Duration;

use crate::check::Asked;
use crate::header::Received;
use crate::link::Link;
use crate::lost::Lost;
use crate::nonsense::Nonsense;
use crate::question::Question;
use crate::reply::{Known, Outcome, Reply, Welcome};
use crate::request::Request;

/// The unit attentions that the next operations report after a new slave has attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attention {
    /// Reported first: the position is lost. So an open file can't go on with the new slave where it stopped
    /// with another one.
    Reset,
    /// Reported second: the medium may be another one.
    MediumChanged,
}

/// The state of the line. An operation holds the lock on it from its request to the reply.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) link: Option<Link>,
    pub(crate) attention: Option<Attention>,
    /// Counts requests over all slaves, so that an old reply never matches a new request.
    next_id: u64,
}

/// A reply that was checked against its request.
pub(crate) enum Answer {
    Done(Outcome, usize),
    Failed(pseudotape_tape::Failed),
    Mode(pseudotape_tape::Mode),
    Capacity(pseudotape_tape::Capacity),
}

impl Line {
    /// Takes the id for the next request.
    pub(crate) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Sends a request and waits for the reply; `None` if no slave is attached.
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

/// Checks that the kind of reply answers the request, and that its content is possible.
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

/// Sends the greeting to a slave and checks its reply.
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
