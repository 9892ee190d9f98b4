//! The pseudo changer's elements and cartridges.

use std::collections::HashMap;
use std::io;

use crate::address::{Address, ElementKind, Layout};
use crate::barcode::{Barcode, BarcodeError};
use crate::changer::{Exchange, Move, Removal, Selection, Side};
use crate::element::{Element, Inventory, Medium};
use crate::host::Host;
use crate::kept::Kept;
use crate::refusal::Refusal;
use crate::state::{Change, Held, State, StateError};

pub use crate::state::{Cartridge, Design};

/// Which cartridge is in which element, on stable storage.
///
/// The state says what is in each drive; a daemon that starts loads its drives by it. So a move has one commit point,
/// the line in the file that records it: who dies before it finds the move not done, who dies after it finds it done.
#[derive(Debug)]
pub struct Library<H> {
    kept: Kept<H>,
    state: State,
    places: HashMap<Barcode, Address>,
}

/// Why a library can't be made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The host's file.
    #[error("can't {action}: {source}")]
    Host {
        /// What failed.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// One is there already.
    #[error("there is a library already")]
    Exists,
    /// None is there.
    #[error("there is no library: 'pseudotape library create' makes one")]
    Missing,
    /// Its file can't be used.
    #[error("library.json: {0}")]
    State(#[from] StateError),
    /// Barcodes without a number.
    #[error(
        "barcodes '{0}' have no place for a number: write it with # for each digit, as in PT####L5"
    )]
    Scheme(String),
    /// Barcodes that no new cartridge can have.
    #[error(transparent)]
    Barcode(#[from] BarcodeError),
}

/// Something that a drive has to do for a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// The cartridge comes out.
    Unload {
        /// The drive.
        drive: Address,
        /// The cartridge.
        cartridge: Cartridge,
    },
    /// The cartridge goes in.
    Load {
        /// The drive.
        drive: Address,
        /// The cartridge.
        cartridge: Cartridge,
    },
}

impl Work {
    /// The drive that has to do it.
    #[must_use]
    pub fn drive(&self) -> Address {
        match self {
            Work::Unload { drive, .. } | Work::Load { drive, .. } => *drive,
        }
    }

    /// What undoes it.
    #[must_use]
    pub fn reverse(self) -> Work {
        match self {
            Work::Unload { drive, cartridge } => Work::Load { drive, cartridge },
            Work::Load { drive, cartridge } => Work::Unload { drive, cartridge },
        }
    }
}

/// A move or an exchange that the elements allow, and that is not done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// From where to where, each cartridge once.
    steps: Vec<(Address, Address)>,
    /// What the drives have to do, in this order.
    work: Vec<Work>,
}

impl Plan {
    /// What the drives have to do, in this order, before the plan is committed.
    #[must_use]
    pub fn work(&self) -> &[Work] {
        &self.work
    }

    /// The drives that take part.
    pub fn drives(&self) -> impl Iterator<Item = Address> {
        self.work.iter().map(Work::drive)
    }

    /// Whether nothing is to be done at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many cartridges change their place.
    pub(crate) fn cartridges(&self) -> usize {
        self.steps.len()
    }

    /// Where the cartridge comes from that goes into an element.
    #[must_use]
    pub fn origin(&self, of: Address) -> Option<Address> {
        let mut steps = self.steps.iter();
        steps.find(|(_, to)| *to == of).map(|(from, _)| *from)
    }
}

impl<H: Host> Library<H> {
    /// Makes an empty library on a host that has none.
    pub fn create(mut host: H, design: Design) -> Result<Self, LibraryError> {
        design.layout.check().map_err(StateError::Layout)?;
        if !design.barcodes.contains('#') {
            return Err(LibraryError::Scheme(design.barcodes));
        }
        let example: Barcode = design.barcodes.replace('#', "0").parse()?;
        example.check_new()?;
        let found = host.read().map_err(failed("look for library.json"))?;
        if found.is_some() {
            return Err(LibraryError::Exists);
        }
        let state = State {
            design,
            removal_prevented: false,
            elements: Default::default(),
        };
        let kept = Kept::create(host, &state).map_err(failed("write library.json"))?;
        Ok(Self::with(kept, state))
    }

    /// Opens the library of a host.
    pub fn open(mut host: H) -> Result<Self, LibraryError> {
        let found = host.read().map_err(failed("read library.json"))?;
        let file = found.ok_or(LibraryError::Missing)?;
        let (kept, state) = Kept::open(host, &file)?;
        Ok(Self::with(kept, state))
    }

    fn with(kept: Kept<H>, state: State) -> Self {
        let elements = state.elements.iter();
        let places = elements.map(|(address, held)| (held.cartridge.barcode, *address));
        Library {
            kept,
            places: places.collect(),
            state,
        }
    }

    /// What it was made as.
    #[must_use]
    pub fn design(&self) -> &Design {
        &self.state.design
    }

    /// Which elements it has.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.state.design.layout
    }

    /// Whether an operator may take cartridges out.
    #[must_use]
    pub fn removal(&self) -> Removal {
        match self.state.removal_prevented {
            true => Removal::Prevented,
            false => Removal::Allowed,
        }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &H {
        self.kept.host()
    }

    /// Takes what went wrong without stopping a move.
    pub fn take_trouble(&mut self) -> Option<String> {
        self.kept.take_trouble()
    }

    /// The cartridge in an element.
    #[must_use]
    pub fn cartridge_in(&self, address: Address) -> Option<&Cartridge> {
        let held = self.state.elements.get(&address)?;
        Some(&held.cartridge)
    }

    /// Where a cartridge is.
    #[must_use]
    pub fn find(&self, barcode: &Barcode) -> Option<Address> {
        self.places.get(barcode).copied()
    }

    /// The elements, without what only the drives know.
    #[must_use]
    pub fn inventory(&self, which: Selection) -> Inventory {
        let layout = self.layout();
        let mut elements = Vec::with_capacity(match which {
            Selection::ALL => layout.count(),
            _ => 0,
        });
        for kind in layout.kinds() {
            let addresses = layout.span(kind).addresses();
            elements.extend(
                addresses
                    .filter(|address| which.contains(kind, *address))
                    .map(|address| self.element(address, kind)),
            );
        }
        Inventory::new(elements)
    }

    fn element(&self, address: Address, kind: ElementKind) -> Element {
        let mut element = Element::empty(address, kind);
        if let Some(held) = self.state.elements.get(&address) {
            element.medium = Some(Medium {
                barcode: Some(held.cartridge.barcode),
                source: held.source,
                inverted: false,
            });
            element.placed_by_operator = held.by_operator && kind == ElementKind::ImportExport;
        }
        element
    }

    /// What kind of element is at an address.
    pub fn kind(&self, address: Address) -> Result<ElementKind, Refusal> {
        match self.layout().find(address) {
            Some((kind, _)) => Ok(kind),
            None => Err(Refusal::NoSuchElement { address }),
        }
    }

    /// An element that can hold a cartridge.
    fn holder(&self, address: Address) -> Result<ElementKind, Refusal> {
        match self.kind(address)? {
            kind @ ElementKind::Transport => Err(Refusal::WrongKind {
                address,
                kind,
                why: "no cartridge stays in it",
            }),
            kind => Ok(kind),
        }
    }

    fn held(&self, address: Address) -> Result<&Held, Refusal> {
        match self.state.elements.get(&address) {
            Some(held) => Ok(held),
            None => {
                let (kind, number) = self.numbered(address)?;
                Err(Refusal::EmptySource {
                    address,
                    kind,
                    number,
                })
            }
        }
    }

    fn room(&self, address: Address) -> Result<(), Refusal> {
        if self.state.elements.contains_key(&address) {
            let (kind, number) = self.numbered(address)?;
            return Err(Refusal::FullDestination {
                address,
                kind,
                number,
            });
        }
        Ok(())
    }

    /// The number of an element as people count it: drives from 0, all others from 1.
    fn numbered(&self, address: Address) -> Result<(ElementKind, u16), Refusal> {
        let found = self.layout().find(address);
        let (kind, number) = found.ok_or(Refusal::NoSuchElement { address })?;
        Ok(match kind {
            ElementKind::Drive => (kind, number),
            ElementKind::Transport | ElementKind::Storage | ElementKind::ImportExport => {
                (kind, number.saturating_add(1))
            }
        })
    }

    /// Checks a move against the elements.
    pub fn plan(&self, wanted: Move) -> Result<Plan, Refusal> {
        self.holder(wanted.from)?;
        self.holder(wanted.to)?;
        if wanted.side == Side::Other {
            return Err(Refusal::NotInvertible);
        }
        self.held(wanted.from)?;
        if wanted.from == wanted.to {
            return self.planned(Vec::new());
        }
        self.room(wanted.to)?;
        self.planned(vec![(wanted.from, wanted.to)])
    }

    /// Checks an exchange against the elements.
    pub fn plan_exchange(&self, wanted: Exchange) -> Result<Plan, Refusal> {
        let Exchange {
            source,
            first,
            second,
            first_side,
            second_side,
        } = wanted;
        for address in [source, first, second] {
            self.holder(address)?;
        }
        if first_side == Side::Other || second_side == Side::Other {
            return Err(Refusal::NotInvertible);
        }
        self.held(source)?;
        self.held(first)?;
        if source == first {
            // One cartridge: it goes where the second one was to go.
            return self.plan(Move::new(first, second));
        }
        if second != source && second != first {
            self.room(second)?;
        }
        if second == first {
            let (kind, number) = self.numbered(first)?;
            let address = first;
            return Err(Refusal::FullDestination {
                address,
                kind,
                number,
            });
        }
        self.planned(vec![(source, first), (first, second)])
    }

    fn planned(&self, steps: Vec<(Address, Address)>) -> Result<Plan, Refusal> {
        let drives = self.layout().drives;
        let is_drive = |address: Address| drives.number(address).is_some();
        let mut work = Vec::new();
        for (from, _) in steps.iter().filter(|(from, _)| is_drive(*from)) {
            let (drive, cartridge) = (*from, self.held(*from)?.cartridge.clone());
            work.push(Work::Unload { drive, cartridge });
        }
        for (from, to) in steps.iter().filter(|(_, to)| is_drive(*to)) {
            let (drive, cartridge) = (*to, self.held(*from)?.cartridge.clone());
            work.push(Work::Load { drive, cartridge });
        }
        Ok(Plan { steps, work })
    }

    /// Writes down that a plan was carried out. Where that fails nothing has changed here, and whoever carried the plan
    /// out undoes it.
    pub fn commit(&mut self, plan: &Plan) -> Result<(), Refusal> {
        self.kept.settle(&self.state)?;
        let layout = self.layout();
        let keeps = |address: Address| {
            let kind = layout.find(address).map(|(kind, _)| kind);
            matches!(kind, Some(ElementKind::Storage | ElementKind::ImportExport))
        };
        let mut changes: Vec<(Address, Option<Held>)> = Vec::new();
        for (from, _) in &plan.steps {
            changes.push((*from, None));
        }
        for (from, to) in &plan.steps {
            let held = self.held(*from)?;
            let moved = Held {
                cartridge: held.cartridge.clone(),
                source: if keeps(*from) {
                    Some(*from)
                } else {
                    held.source
                },
                by_operator: false,
            };
            changes.retain(|(address, _)| address != to);
            changes.push((*to, Some(moved)));
        }
        self.change(changes)
    }

    /// An operator puts a cartridge into a slot.
    pub fn put(&mut self, at: Address, cartridge: Cartridge) -> Result<(), Refusal> {
        self.operator_at(at)?;
        self.kept.settle(&self.state)?;
        if let Some(place) = self.find(&cartridge.barcode) {
            return Err(Refusal::Failed {
                reason: format!(
                    "cartridge {} is in element {place} already",
                    cartridge.barcode
                ),
            });
        }
        self.room(at)?;
        let held = Held {
            cartridge,
            source: None,
            by_operator: true,
        };
        self.change(vec![(at, Some(held))])
    }

    /// An operator takes a cartridge out of a slot, and out of the library.
    pub fn take(&mut self, at: Address) -> Result<Cartridge, Refusal> {
        self.operator_at(at)?;
        self.kept.settle(&self.state)?;
        let cartridge = self.held(at)?.cartridge.clone();
        self.change(vec![(at, None)])?;
        Ok(cartridge)
    }

    fn operator_at(&self, address: Address) -> Result<(), Refusal> {
        match self.holder(address)? {
            ElementKind::Storage | ElementKind::ImportExport => {}
            kind @ (ElementKind::Drive | ElementKind::Transport) => {
                return Err(Refusal::WrongKind {
                    address,
                    kind,
                    why: "an operator reaches slots only",
                });
            }
        }
        match self.removal() {
            Removal::Allowed => Ok(()),
            Removal::Prevented => Err(Refusal::RemovalPrevented),
        }
    }

    /// Prevents or allows that an operator opens the cabinet. It is remembered until it is said otherwise.
    pub fn set_removal(&mut self, removal: Removal) -> Result<(), Refusal> {
        self.kept.settle(&self.state)?;
        let before = self.state.removal_prevented;
        self.state.removal_prevented = removal == Removal::Prevented;
        if before == self.state.removal_prevented {
            return Ok(());
        }
        let change = Change {
            removal_prevented: Some(self.state.removal_prevented),
            ..Change::default()
        };
        let saved = self.kept.save(&self.state, &change);
        if saved.is_err() {
            self.state.removal_prevented = before;
        }
        saved
    }

    /// A barcode by the library's scheme that no cartridge has, and that `taken` does not know.
    pub fn next_barcode(&self, taken: impl Fn(&Barcode) -> bool) -> Option<Barcode> {
        let scheme = &self.design().barcodes;
        let digits = scheme.matches('#').count();
        let most = 10_u64.checked_pow(u32::try_from(digits).ok()?)?;
        (1..most).find_map(|number| {
            let number = format!("{number:0digits$}");
            let mut next = number.chars();
            let text: String = scheme
                .chars()
                .map(|c| {
                    if c == '#' {
                        next.next().unwrap_or('0')
                    } else {
                        c
                    }
                })
                .collect();
            let barcode = text.parse().ok()?;
            (self.find(&barcode).is_none() && !taken(&barcode)).then_some(barcode)
        })
    }

    /// Changes elements, on stable storage too, or not at all.
    fn change(&mut self, changes: Vec<(Address, Option<Held>)>) -> Result<(), Refusal> {
        let change = Change {
            elements: changes.iter().cloned().collect(),
            removal_prevented: None,
        };
        let before = self.set(changes);
        let saved = self.kept.save(&self.state, &change);
        if saved.is_err() {
            self.set(before);
        }
        saved
    }

    /// Says what was there before.
    fn set(&mut self, changes: Vec<(Address, Option<Held>)>) -> Vec<(Address, Option<Held>)> {
        let mut before = Vec::with_capacity(changes.len());
        for (address, held) in changes {
            if let Some(held) = &held {
                self.places.insert(held.cartridge.barcode, address);
            }
            let was = match held {
                Some(held) => self.state.elements.insert(address, held),
                None => self.state.elements.remove(&address),
            };
            if let Some(was) = &was
                && self.places.get(&was.cartridge.barcode) == Some(&address)
                && self.cartridge_in(address).map(|c| c.barcode) != Some(was.cartridge.barcode)
            {
                self.places.remove(&was.cartridge.barcode);
            }
            before.push((address, was));
        }
        before.reverse();
        before
    }
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> LibraryError {
    move |source| LibraryError::Host { action, source }
}
