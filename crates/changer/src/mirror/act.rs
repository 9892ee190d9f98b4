//! What a mirror of changers does in each leg, and what it compares.

use std::fmt;

use crate::address::Address;
use crate::barcode::Barcode;
use crate::changer::{Exchange, Move};
use crate::element::Element;

/// What is in an element of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Nothing,
    Labelled(Barcode),
    Unlabelled,
}

impl Content {
    pub(crate) fn of(element: &Element) -> Self {
        match element.medium.map(|medium| medium.barcode) {
            None => Content::Nothing,
            Some(Some(barcode)) => Content::Labelled(barcode),
            Some(None) => Content::Unlabelled,
        }
    }

    /// Whether two legs can have the same cartridge here, as far as labels tell.
    pub(crate) fn agrees(self, other: Self) -> bool {
        match (self, other) {
            (Content::Labelled(one), Content::Labelled(other)) => one == other,
            (one, other) => (one == Content::Nothing) == (other == Content::Nothing),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Nothing => f.write_str("no cartridge"),
            Content::Labelled(barcode) => barcode.fmt(f),
            Content::Unlabelled => f.write_str("a cartridge without a label"),
        }
    }
}

/// What is done in every leg.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Transfer(Move),
    Exchange(Exchange),
}

impl Act {
    /// The elements that take part.
    pub(crate) fn addresses(self) -> Vec<Address> {
        match self {
            Act::Transfer(Move { from, to, .. }) => vec![from, to],
            Act::Exchange(Exchange {
                source,
                first,
                second,
                ..
            }) => {
                let mut all = vec![source, first, second];
                all.truncate(if second == source { 2 } else { 3 });
                all
            }
        }
    }

    /// What is in the addresses afterwards.
    pub(crate) fn applied(self, before: &[Content]) -> Vec<Content> {
        let (one, other) = (before[0], before[1]);
        match self {
            Act::Transfer(_) => vec![Content::Nothing, one],
            Act::Exchange(_) if before.len() == 3 => vec![Content::Nothing, one, other],
            Act::Exchange(_) => vec![other, one],
        }
    }

    /// What undoes it.
    pub(crate) fn reverse(self) -> Act {
        match self {
            Act::Transfer(Move { from, to, side }) => Act::Transfer(Move {
                from: to,
                to: from,
                side,
            }),
            Act::Exchange(exchange) => Act::Exchange(Exchange {
                source: exchange.second,
                second: exchange.source,
                ..exchange
            }),
        }
    }
}

/// Whether all legs can have the same cartridge in an element.
pub(crate) fn agree(contents: &[Content]) -> bool {
    let pairs = contents.iter().enumerate();
    pairs
        .into_iter()
        .all(|(at, one)| contents[at + 1..].iter().all(|other| one.agrees(*other)))
}
