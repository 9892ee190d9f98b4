//! The states of volumes and tape files, and which can follow which.
//!
//! Each transition returns the [`Change`] to be logged; one that is not in the tables of docs/VAULT.md is
//! [`Illegal`], which names both states.

use crate::event::{Actor, Change, Order, Subject};
use crate::words::words;

/// A transition that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject} is {from} and can't become {to}: {why}")]
pub struct Illegal {
    /// What was to change.
    pub subject: String,
    /// The state that it has.
    pub from: &'static str,
    /// The state that was wanted.
    pub to: &'static str,
    /// What can be done instead.
    pub why: &'static str,
}

/// Why nothing becomes what it is.
const ALREADY: &str = "it is that already";

/// What a volume is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// Free to be written: what is on it, if anything, was given up.
    Scratch,
    /// Holds data that somebody wants.
    Private,
    /// New in the vault, and nobody has said yet what it is for.
    Insert,
    /// Something is wrong with it, and a person has to look.
    Error,
}

words!(Category, "category": Scratch = "scratch", Private = "private", Insert = "insert", Error = "error");

impl Category {
    /// The category becomes another one.
    pub fn become_category(self, to: Category, order: &Order) -> Result<Change, Illegal> {
        let why = match (self, to) {
            (Category::Scratch, Category::Scratch)
            | (Category::Private, Category::Private)
            | (Category::Insert, Category::Insert)
            | (Category::Error, Category::Error) => ALREADY,
            (_, Category::Insert) => "only a volume that is new in the vault is 'insert'",
            (Category::Scratch, Category::Private | Category::Error)
            | (Category::Private, Category::Scratch | Category::Error)
            | (Category::Insert, Category::Scratch | Category::Private | Category::Error)
            | (Category::Error, Category::Scratch | Category::Private) => {
                return Ok(changed(
                    Subject::Category,
                    None,
                    self.word(),
                    to.word(),
                    order,
                ));
            }
        };
        Err(illegal("the category", self.word(), to.word(), why))
    }
}

/// Whether a volume may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Availability {
    /// It may.
    Ok,
    /// The system has blocked it because of errors.
    NoAccess,
    /// A person has blocked it.
    NotAllowed,
    /// It is away, with somebody who tries to recover it.
    AtVendor,
    /// It is gone, and what was only on it is lost.
    Lost,
}

words!(Availability, "availability": Ok = "ok", NoAccess = "noaccess", NotAllowed = "notallowed",
    AtVendor = "at-vendor", Lost = "lost");

impl Availability {
    /// The availability becomes another one. Only the system sets `noaccess`, and nothing else.
    pub fn become_availability(self, to: Availability, order: &Order) -> Result<Change, Illegal> {
        use Availability::{AtVendor, Lost, NoAccess, NotAllowed, Ok as Usable};
        let by_system = order.actor == Actor::System;
        let why = match (self, to) {
            (Usable, Usable)
            | (NoAccess, NoAccess)
            | (NotAllowed, NotAllowed)
            | (AtVendor, AtVendor)
            | (Lost, Lost) => ALREADY,
            (_, NoAccess) if !by_system => {
                "the system sets 'noaccess' itself; a person blocks a volume with 'notallowed'"
            }
            (_, Usable | NotAllowed | AtVendor | Lost) if by_system => "only a person decides that",
            (NotAllowed | AtVendor | Lost, NoAccess) => "a person has blocked it already",
            (AtVendor, Usable) => {
                "a volume that comes back is 'notallowed' until somebody has looked at it"
            }
            (Lost, Usable | AtVendor) => {
                "a volume that is found again is 'notallowed' until somebody has looked at it"
            }
            (Usable, NoAccess | NotAllowed | AtVendor | Lost)
            | (NoAccess, Usable | NotAllowed | AtVendor | Lost)
            | (NotAllowed, Usable | AtVendor | Lost)
            | (AtVendor, NotAllowed | Lost)
            | (Lost, NotAllowed) => {
                return Ok(changed(
                    Subject::Availability,
                    None,
                    self.word(),
                    to.word(),
                    order,
                ));
            }
        };
        Err(illegal("the volume", self.word(), to.word(), why))
    }
}

/// Whether a drive has the volume and may write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opening {
    /// What the catalog says of it is what is on it.
    Closed,
    /// What is on it may be more than the catalog knows.
    Open,
}

words!(Opening, "opening": Closed = "closed", Open = "open");

impl Opening {
    /// The volume is opened or closed.
    pub fn become_opening(self, to: Opening, order: &Order) -> Result<Change, Illegal> {
        match (self, to) {
            (Opening::Closed, Opening::Open) | (Opening::Open, Opening::Closed) => Ok(changed(
                Subject::Opening,
                None,
                self.word(),
                to.word(),
                order,
            )),
            (Opening::Closed, Opening::Closed) | (Opening::Open, Opening::Open) => {
                Err(illegal("the volume", self.word(), to.word(), ALREADY))
            }
        }
    }
}

/// What is known of a tape file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileState {
    /// It can be read, as far as is known.
    Ok,
    /// Reading it failed; another try may succeed.
    Bad,
    /// It never arrived, or was passed over.
    Missing,
    /// Nobody wants it any more.
    Released,
    /// A person has declared it lost.
    Lost,
}

words!(FileState, "state of a tape file": Ok = "ok", Bad = "bad", Missing = "missing", Released = "released",
    Lost = "lost");

impl FileState {
    /// Whether it is wanted, and can't be had just now.
    #[must_use]
    pub fn is_faulty(self) -> bool {
        matches!(self, FileState::Bad | FileState::Missing)
    }

    /// The state of the tape file with this number becomes another one. What can be read is found out by the system;
    /// what is wanted is decided by a person.
    pub fn become_state(
        self,
        to: FileState,
        number: u64,
        order: &Order,
    ) -> Result<Change, Illegal> {
        use FileState::{Bad, Lost, Missing, Ok as Good, Released};
        let by_system = order.actor == Actor::System;
        let why = match (self, to) {
            (Good, Good)
            | (Bad, Bad)
            | (Missing, Missing)
            | (Released, Released)
            | (Lost, Lost) => ALREADY,
            (_, Released | Lost) if by_system => "only a person decides that",
            (Bad | Missing, Good) if !by_system => {
                "a file becomes ok when it was read again with its digest, not by a word"
            }
            (Released, Bad | Missing | Lost) => {
                "nobody wants it any more; make it 'ok' first if somebody does"
            }
            (Lost, Good | Missing | Released) => {
                "what was declared lost is 'bad' until it was read again"
            }
            (Released, Good) | (Lost, Bad) if by_system => "only a person decides that",
            (Good, Bad | Missing | Released | Lost)
            | (Bad, Good | Missing | Released | Lost)
            | (Missing, Good | Bad | Released | Lost)
            | (Released, Good)
            | (Lost, Bad) => {
                return Ok(changed(
                    Subject::File,
                    Some(number),
                    self.word(),
                    to.word(),
                    order,
                ));
            }
        };
        Err(Illegal {
            subject: format!("tape file {number}"),
            from: self.word(),
            to: to.word(),
            why,
        })
    }
}

fn changed(
    subject: Subject,
    file: Option<u64>,
    from: &'static str,
    to: &'static str,
    order: &Order,
) -> Change {
    Change {
        subject,
        file,
        from: Some(from.to_owned()),
        to: Some(to.to_owned()),
        order: order.clone(),
    }
}

fn illegal(subject: &str, from: &'static str, to: &'static str, why: &'static str) -> Illegal {
    Illegal {
        subject: subject.to_owned(),
        from,
        to,
        why,
    }
}

#[cfg(test)]
#[path = "state_test.rs"]
mod state_test;
