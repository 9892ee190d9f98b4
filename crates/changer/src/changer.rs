//! The seam of changers.

use crate::address::{Address, AddressRange, ElementKind, Layout};
use crate::element::Inventory;
use crate::refusal::Refusal;

/// A media changer: pseudo, real, on another host, or several that are one.
///
/// Moves are synchronous: when one returns `Ok`, the cartridge is where it was to go, and a drive that got one is ready
/// at the beginning of its tape. A refused or failed move has left every cartridge where it was, unless the
/// [`Refusal`] says otherwise by its name. No method has a default, so that no changer forgets one.
///
/// | call | condition | result |
/// |---|---|---|
/// | any | an address that is no element | `NoSuchElement` |
/// | transfer, exchange | no cartridge at the source | `EmptySource` |
/// | transfer | a cartridge at the destination | `FullDestination` |
/// | transfer, exchange | a drive that a program has open | `InUse` |
/// | transfer, exchange | a drive whose door is locked | `DoorLocked` |
/// | transfer, exchange | to turn a cartridge over that has one side | `NotInvertible` |
pub trait Changer {
    /// What it is.
    fn identity(&self) -> ChangerIdentity;

    /// Which elements it has.
    fn layout(&self) -> Layout;

    /// What the drive at an address is; `None` where only the drive itself could tell.
    fn drive_identity(&mut self, drive: Address) -> Result<Option<DriveIdentity>, Refusal>;

    /// What is in the selected elements. Asks no drive to move, and does not wait for a program.
    fn inventory(&mut self, which: Selection) -> Result<Inventory, Refusal>;

    /// Moves one cartridge. A move from an element to itself is done as soon as the element is known to be full.
    fn transfer(&mut self, cartridge: Move) -> Result<(), Refusal>;

    /// Puts the cartridge at `source` into `first`, and the one that was there into `second`: both or none.
    fn exchange(&mut self, exchange: Exchange) -> Result<(), Refusal>;

    /// Puts the transport before an element.
    fn position(&mut self, before: Address) -> Result<(), Refusal>;

    /// Looks what is in the elements of a range, labels included.
    fn initialize(&mut self, range: AddressRange) -> Result<(), Refusal>;

    /// Prevents or allows that an operator takes cartridges out of the cabinet. Moves go on.
    fn set_removal(&mut self, removal: Removal) -> Result<(), Refusal>;
}

impl<C: Changer + ?Sized> Changer for Box<C> {
    fn identity(&self) -> ChangerIdentity {
        (**self).identity()
    }

    fn layout(&self) -> Layout {
        (**self).layout()
    }

    fn drive_identity(&mut self, drive: Address) -> Result<Option<DriveIdentity>, Refusal> {
        (**self).drive_identity(drive)
    }

    fn inventory(&mut self, which: Selection) -> Result<Inventory, Refusal> {
        (**self).inventory(which)
    }

    fn transfer(&mut self, cartridge: Move) -> Result<(), Refusal> {
        (**self).transfer(cartridge)
    }

    fn exchange(&mut self, exchange: Exchange) -> Result<(), Refusal> {
        (**self).exchange(exchange)
    }

    fn position(&mut self, before: Address) -> Result<(), Refusal> {
        (**self).position(before)
    }

    fn initialize(&mut self, range: AddressRange) -> Result<(), Refusal> {
        (**self).initialize(range)
    }

    fn set_removal(&mut self, removal: Removal) -> Result<(), Refusal> {
        (**self).set_removal(removal)
    }
}

/// What a changer is, as INQUIRY says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangerIdentity {
    /// Up to 8 characters.
    pub vendor: String,
    /// Up to 16 characters.
    pub product: String,
    /// Up to 4 characters.
    pub revision: String,
    /// Unit serial number.
    pub serial: String,
}

/// What a drive of a changer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveIdentity {
    /// Up to 8 characters.
    pub vendor: String,
    /// Up to 16 characters.
    pub product: String,
    /// Unit serial number.
    pub serial: String,
}

/// Which elements are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Only this kind.
    pub kind: Option<ElementKind>,
    /// Only these addresses.
    pub range: AddressRange,
}

impl Selection {
    /// Every element.
    pub const ALL: Selection = Selection {
        kind: None,
        range: AddressRange::ALL,
    };

    /// Every element of a kind.
    #[must_use]
    pub fn of(kind: ElementKind) -> Self {
        Selection {
            kind: Some(kind),
            ..Selection::ALL
        }
    }

    /// Whether an element is meant.
    #[must_use]
    pub fn contains(&self, kind: ElementKind, address: Address) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind) && self.range.contains(address)
    }
}

/// How a cartridge arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// As it was taken.
    #[default]
    Same,
    /// Turned over. Cartridges of tape have one side, and are refused.
    Other,
}

/// One cartridge from one element to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Where it is.
    pub from: Address,
    /// Where it is to go.
    pub to: Address,
    /// Which side is up then.
    pub side: Side,
}

impl Move {
    /// A move that turns nothing over.
    #[must_use]
    pub fn new(from: Address, to: Address) -> Self {
        let side = Side::Same;
        Move { from, to, side }
    }
}

/// Two cartridges: from `source` to `first`, and from `first` to `second`, which can be `source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Where the first cartridge is.
    pub source: Address,
    /// Where it goes, and where the second cartridge is.
    pub first: Address,
    /// Where the second cartridge goes.
    pub second: Address,
    /// Which side of the first cartridge is up then.
    pub first_side: Side,
    /// Which side of the second cartridge is up then.
    pub second_side: Side,
}

/// Whether an operator may take cartridges out of the cabinet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// He may.
    #[default]
    Allowed,
    /// Its door stays shut.
    Prevented,
}
