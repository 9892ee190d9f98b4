//! A move of which nobody has said how it ended.

use crate::address::{Address, AddressRange};
use crate::changer::{Changer, Exchange, Move, Selection};
use crate::element::Element;
use crate::mirror::act::{Act, Content};
use crate::refusal::Refusal;

/// What was in the elements of a move before it. With this the inventory can say what became of the move.
///
/// | the elements are | the move |
/// |---|---|
/// | as the move leaves them, without an exception | was done |
/// | as before | was not done: [`Refusal::Failed`] |
/// | anything else, or not known | [`Refusal::OutOfStep`] |
#[derive(Clone, Debug)]
pub struct Doubt {
    act: Act,
    addresses: Vec<Address>,
    before: Vec<Content>,
}

impl Doubt {
    /// Looks before a move. Its two elements are two.
    pub fn before_move(changer: &mut dyn Changer, cartridge: Move) -> Result<Doubt, Refusal> {
        Self::before(changer, Act::Transfer(cartridge))
    }

    /// Looks before an exchange. Its first two elements are two.
    pub fn before_exchange(
        changer: &mut dyn Changer,
        exchange: Exchange,
    ) -> Result<Doubt, Refusal> {
        if exchange.source == exchange.first {
            // One cartridge: it goes where the second one was to go.
            return Self::before_move(changer, Move::new(exchange.first, exchange.second));
        }
        Self::before(changer, Act::Exchange(exchange))
    }

    fn before(changer: &mut dyn Changer, act: Act) -> Result<Doubt, Refusal> {
        let addresses = act.addresses();
        let before = contents(&look(changer, &addresses)?);
        Ok(Doubt {
            act,
            addresses,
            before,
        })
    }

    /// Asks the changer what became of the move; `why` says what hid that.
    pub fn settle(self, changer: &mut dyn Changer, why: &str) -> Result<(), Refusal> {
        let Doubt {
            act,
            addresses,
            before,
        } = self;
        let after = act.applied(&before);
        let unknown = |reason| Refusal::OutOfStep {
            address: addresses[0],
            reason,
        };
        let elements = look(changer, &addresses).map_err(|refusal| {
            unknown(format!(
                "{why}, and whether the move was done is not known: {refusal}"
            ))
        })?;
        let found = contents(&elements);
        if before == after {
            return Err(unknown(format!(
                "{why}, and cartridges without labels can't be told apart"
            )));
        }
        if found == before {
            return Err(Refusal::Failed {
                reason: why.to_owned(),
            });
        }
        let broken = elements.iter().find(|element| element.exception.is_some());
        match (found == after, broken) {
            (true, None) => Ok(()),
            (true, Some(element)) => Err(Refusal::OutOfStep {
                address: element.address,
                reason: format!("{why}, and its cartridge is not ready"),
            }),
            (false, _) => Err(unknown(format!(
                "{why}, and the inventory shows neither what was before nor after"
            ))),
        }
    }
}

fn contents(elements: &[Element]) -> Vec<Content> {
    elements.iter().map(Content::of).collect()
}

fn look(changer: &mut dyn Changer, addresses: &[Address]) -> Result<Vec<Element>, Refusal> {
    let mut elements = Vec::with_capacity(addresses.len());
    for address in addresses {
        let first = *address;
        if changer.layout().find(first).is_none() {
            return Err(Refusal::NoSuchElement { address: first });
        }
        let range = AddressRange {
            first,
            count: Some(1),
        };
        let inventory = changer.inventory(Selection { kind: None, range })?;
        let element = inventory.at(first).copied();
        elements.push(element.ok_or_else(|| Refusal::NotReady {
            reason: format!("the changer says nothing about element {first}"),
        })?);
    }
    Ok(elements)
}
