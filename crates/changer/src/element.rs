//! What is in the elements of a changer.

use crate::address::{Address, ElementKind};
use crate::barcode::Barcode;

/// One element, as it is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Where it is.
    pub address: Address,
    /// What it is for.
    pub kind: ElementKind,
    /// The cartridge in it.
    pub medium: Option<Medium>,
    /// Whether the transport can take from it and put into it now. It can't where a program has the drive open, or has
    /// locked it.
    pub accessible: bool,
    /// What is wrong with it.
    pub exception: Option<Exception>,
    /// An import/export slot: the cartridge was put there by the operator, not by the transport.
    pub placed_by_operator: bool,
    /// A drive: a program has it open.
    pub in_use: bool,
    /// A drive: a program has locked its door ('mt lock').
    pub locked: bool,
}

impl Element {
    /// An empty element without news.
    #[must_use]
    pub fn empty(address: Address, kind: ElementKind) -> Self {
        Element {
            address,
            kind,
            medium: None,
            accessible: true,
            exception: None,
            placed_by_operator: false,
            in_use: false,
            locked: false,
        }
    }

    /// Whether a cartridge is in it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.medium.is_some()
    }
}

/// A cartridge in an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Medium {
    /// What is on its label; `None` where the label can't be read.
    pub barcode: Option<Barcode>,
    /// The last slot or import/export slot that it was in before this element.
    pub source: Option<Address>,
    /// It was turned over on its way.
    pub inverted: bool,
}

/// What is wrong with an element. What stands here is shown by READ ELEMENT STATUS as an exception with its sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exception {
    /// The drive could not load the cartridge, which is still in it.
    LoadFailed,
    /// The label can't be read.
    Unlabelled,
    /// A changer that is several disagrees with itself here: nothing is moved from or to it until it is settled.
    OutOfStep,
}

/// Elements in the order of their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    elements: Vec<Element>,
}

impl Inventory {
    /// Takes elements in any order.
    #[must_use]
    pub fn new(mut elements: Vec<Element>) -> Self {
        elements.sort_by_key(|element| element.address);
        Inventory { elements }
    }

    /// The elements, from the lowest address on.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The elements themselves, in the same order.
    #[must_use]
    pub fn into_elements(self) -> Vec<Element> {
        self.elements
    }

    /// The element at an address.
    #[must_use]
    pub fn at(&self, address: Address) -> Option<&Element> {
        let at = self
            .elements
            .binary_search_by_key(&address, |element| element.address);
        at.ok().map(|at| &self.elements[at])
    }

    /// The elements of a kind, from the lowest address on.
    pub fn of(&self, kind: ElementKind) -> impl Iterator<Item = &Element> {
        self.elements
            .iter()
            .filter(move |element| element.kind == kind)
    }
}
