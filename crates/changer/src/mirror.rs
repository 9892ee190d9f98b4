//! PT-14: several changers that are one.

pub(crate) mod act;
mod view;

use act::{Act, Content, agree};

use crate::address::{Address, AddressRange, ElementKind, Layout};
use crate::changer::{
    Changer, ChangerIdentity, DriveIdentity, Exchange, Move, Removal, Selection, Side,
};
use crate::element::{Element, Exception, Inventory};
use crate::pairing::{PairedLeg, PairedLibrary, Pairing, PairingError, Place};
use crate::refusal::Refusal;

/// A leg of a [`MirrorChanger`].
#[derive(Debug)]
pub struct ChangerLeg<C> {
    /// Its name, for a person.
    pub name: String,
    /// Its libraries, with their names.
    pub libraries: Vec<(String, C)>,
}

/// Several changers that are one: each move is done in every leg, or in none.
///
/// Nothing is remembered about what is out of step: before each move, and after one that failed, the legs are asked
/// what is in the elements. Cartridges that are one have one barcode; where a leg can't read a label, only full and
/// empty are compared.
///
/// | a leg's move | and | answer | cartridges |
/// |---|---|---|---|
/// | succeeds in all | – | `Ok` | moved in all legs |
/// | fails in one | the others are moved back | the leg's refusal | where they were |
/// | fails in one | a leg can't be moved back or asked | `OutOfStep` | the inventory says it for each element |
#[derive(Debug)]
pub struct MirrorChanger<C> {
    serial: String,
    pairing: Pairing,
    legs: Vec<Vec<C>>,
    removal: Removal,
}

impl<C: Changer> MirrorChanger<C> {
    /// Makes one changer of the legs, with the elements that all of them have. `serial` is the mirror's own number.
    pub fn new(serial: String, legs: Vec<ChangerLeg<C>>) -> Result<Self, PairingError> {
        let paired = legs.iter().map(|leg| {
            let libraries = leg.libraries.iter().map(|(name, changer)| PairedLibrary {
                name: name.clone(),
                layout: changer.layout(),
            });
            PairedLeg {
                name: leg.name.clone(),
                libraries: libraries.collect(),
            }
        });
        let pairing = Pairing::compute(paired.collect())?;
        let changers = |leg: ChangerLeg<C>| {
            leg.libraries
                .into_iter()
                .map(|(_, changer)| changer)
                .collect()
        };
        Ok(MirrorChanger {
            serial,
            pairing,
            legs: legs.into_iter().map(changers).collect(),
            removal: Removal::Allowed,
        })
    }

    /// Which elements of the legs are one.
    #[must_use]
    pub fn pairing(&self) -> &Pairing {
        &self.pairing
    }

    /// The elements about which the legs disagree.
    pub fn out_of_step(&mut self) -> Result<Vec<Address>, Refusal> {
        let inventory = self.inventory(Selection::ALL)?;
        let elements = inventory.elements().iter();
        let out = elements.filter(|element| element.exception == Some(Exception::OutOfStep));
        Ok(out.map(|element| element.address).collect())
    }

    /// The elements about which the legs disagree, and what each of them says.
    pub fn disagreements(&mut self) -> Result<Vec<(Address, String)>, Refusal> {
        let mut all = Vec::new();
        for address in self.out_of_step()? {
            let mut said = Vec::new();
            for leg in 0..self.legs.len() {
                let content = match self.pairing.place(leg, address) {
                    Some(_) => self.look_at_contents(leg, &[address])?[0].to_string(),
                    None => "its transport is asked".to_owned(),
                };
                said.push(format!("{} has {content}", self.pairing.legs()[leg].name));
            }
            all.push((address, said.join(", ")));
        }
        Ok(all)
    }

    /// The operator says that one leg is right. In the other legs, each cartridge that is in another element than in
    /// this leg is moved to where it is there, when it can be. Says which elements are still out of step: there a
    /// cartridge is missing in a leg, or is in the way, and a person has to do it.
    pub fn settle(&mut self, right: usize) -> Result<Vec<Address>, Refusal> {
        for leg in (0..self.legs.len()).filter(|leg| *leg != right) {
            // Each round brings one element in step at least.
            while let Some(act) = self.next_step(right, leg)? {
                self.perform(leg, act)?;
            }
        }
        self.out_of_step()
    }

    fn next_step(&mut self, right: usize, leg: usize) -> Result<Option<Act>, Refusal> {
        let (wanted, have) = (self.contents(right)?, self.contents(leg)?);
        let there = |barcode: Content| have.iter().find(|(_, content)| *content == barcode);
        for ((address, wants), (_, has)) in wanted.iter().zip(&have) {
            let Content::Labelled(_) = wants else {
                continue;
            };
            let Some((from, _)) = there(*wants).filter(|(from, _)| from != address) else {
                continue;
            };
            if self.pairing.check(*from, *address).is_err() {
                continue;
            }
            let freed = wanted
                .iter()
                .find(|(at, _)| at == from)
                .map(|(_, content)| *content);
            if *has == Content::Nothing {
                return Ok(Some(Act::Transfer(Move::new(*from, *address))));
            } else if freed == Some(*has) {
                return Ok(Some(Act::Exchange(Exchange {
                    source: *from,
                    first: *address,
                    second: *from,
                    first_side: Side::Same,
                    second_side: Side::Same,
                })));
            }
        }
        Ok(None)
    }

    /// What a leg has in each element of the mirror, transports left out.
    fn contents(&mut self, leg: usize) -> Result<Vec<(Address, Content)>, Refusal> {
        let inventories = self.ask(leg, None)?;
        let layout = self.pairing.layout();
        let kinds = layout.kinds().into_iter();
        let addresses = kinds.flat_map(|kind| layout.span(kind).addresses());
        let with = addresses.filter_map(|address| {
            let place = self.pairing.place(leg, address)?;
            let element = inventories.get(place.library)?.at(place.address)?;
            Some((address, Content::of(element)))
        });
        Ok(with.collect())
    }

    /// The inventories of a leg's libraries.
    fn ask(&mut self, leg: usize, kind: Option<ElementKind>) -> Result<Vec<Inventory>, Refusal> {
        let which = Selection {
            kind,
            ..Selection::ALL
        };
        let name = &self.pairing.legs()[leg].name;
        let libraries = self.legs[leg].iter_mut();
        let asked = libraries.map(|library| {
            library
                .inventory(which)
                .map_err(|refusal| not_ready(name, &refusal))
        });
        asked.collect()
    }

    /// Single elements of a leg.
    fn look(&mut self, leg: usize, addresses: &[Address]) -> Result<Vec<Element>, Refusal> {
        let mut elements = Vec::with_capacity(addresses.len());
        for address in addresses {
            let place = self.place(leg, *address)?;
            let which = Selection {
                kind: None,
                range: AddressRange {
                    first: place.address,
                    count: Some(1),
                },
            };
            let found = self.legs[leg][place.library].inventory(which);
            let name = &self.pairing.legs()[leg].name;
            let found = found.map_err(|refusal| not_ready(name, &refusal))?;
            let element = found.at(place.address).ok_or_else(|| Refusal::NotReady {
                reason: format!("{name}: it says nothing about element {}", place.address),
            })?;
            elements.push(*element);
        }
        Ok(elements)
    }

    fn look_at_contents(
        &mut self,
        leg: usize,
        addresses: &[Address],
    ) -> Result<Vec<Content>, Refusal> {
        let elements = self.look(leg, addresses)?;
        Ok(elements.iter().map(Content::of).collect())
    }

    fn place(&self, leg: usize, address: Address) -> Result<Place, Refusal> {
        let found = self.pairing.place(leg, address);
        found.ok_or(Refusal::NoSuchElement { address })
    }

    /// Does it in one leg.
    fn perform(&mut self, leg: usize, act: Act) -> Result<(), Refusal> {
        let (library, done) = match act {
            Act::Transfer(wanted) => {
                let (from, to) = (self.place(leg, wanted.from)?, self.place(leg, wanted.to)?);
                let there = Move {
                    from: from.address,
                    to: to.address,
                    ..wanted
                };
                (from.library, self.legs[leg][from.library].transfer(there))
            }
            Act::Exchange(wanted) => {
                let source = self.place(leg, wanted.source)?;
                let there = Exchange {
                    source: source.address,
                    first: self.place(leg, wanted.first)?.address,
                    second: self.place(leg, wanted.second)?.address,
                    ..wanted
                };
                (
                    source.library,
                    self.legs[leg][source.library].exchange(there),
                )
            }
        };
        done.map_err(|refusal| self.translated(leg, library, refusal))
    }

    /// Does it in every leg, or in none.
    fn carry_out(&mut self, act: Act) -> Result<(), Refusal> {
        let addresses = act.addresses();
        let mut before = Vec::with_capacity(self.legs.len());
        for leg in 0..self.legs.len() {
            let elements = self.look(leg, &addresses)?;
            self.free(leg, &addresses, &elements)?;
            before.push(elements.iter().map(Content::of).collect::<Vec<_>>());
        }
        self.agreed(&addresses, &before)?;
        self.possible(act, &addresses, &before[0])?;
        let after: Vec<_> = before.iter().map(|before| act.applied(before)).collect();
        if before
            .iter()
            .zip(&after)
            .any(|(before, after)| before == after)
        {
            // An exchange of two cartridges without labels: after a failure nobody could tell what is where.
            return Err(Refusal::Failed {
                reason: format!(
                    "the cartridges in elements {} and {} have no labels",
                    addresses[0], addresses[1]
                ),
            });
        }
        for leg in 0..self.legs.len() {
            if let Err(refusal) = self.perform(leg, act) {
                return self.undo(leg, act, &before, &after, refusal);
            }
        }
        Ok(())
    }

    /// Refuses a drive that a program has in a leg, before anything is moved in another one.
    fn free(&self, leg: usize, addresses: &[Address], elements: &[Element]) -> Result<(), Refusal> {
        for (drive, element) in addresses.iter().zip(elements) {
            if element.in_use {
                let by = format!("a program ({})", self.pairing.legs()[leg].name);
                return Err(Refusal::InUse { drive: *drive, by });
            }
            if element.locked {
                return Err(Refusal::DoorLocked { drive: *drive });
            }
        }
        Ok(())
    }

    /// Refuses elements about which the legs disagree.
    fn agreed(&self, addresses: &[Address], contents: &[Vec<Content>]) -> Result<(), Refusal> {
        for (at, address) in addresses.iter().enumerate() {
            let all: Vec<Content> = contents.iter().map(|contents| contents[at]).collect();
            if !agree(&all) {
                return Err(self.disagreement(*address, &all));
            }
        }
        Ok(())
    }

    fn disagreement(&self, address: Address, contents: &[Content]) -> Refusal {
        let legs = self.pairing.legs().iter().zip(contents);
        let said: Vec<String> = legs
            .map(|(leg, content)| format!("{} has {content}", leg.name))
            .collect();
        let reason = said.join(", ");
        Refusal::OutOfStep { address, reason }
    }

    fn possible(
        &self,
        act: Act,
        addresses: &[Address],
        contents: &[Content],
    ) -> Result<(), Refusal> {
        let full = |at: usize| contents[at] != Content::Nothing;
        let (sources, room) = match act {
            Act::Transfer(_) => (1, Some(1)),
            Act::Exchange(_) => (2, (addresses.len() == 3).then_some(2)),
        };
        if let Some(at) = (0..sources).find(|at| !full(*at)) {
            let (kind, number) = self.numbered(addresses[at])?;
            let address = addresses[at];
            return Err(Refusal::EmptySource {
                address,
                kind,
                number,
            });
        }
        match room.filter(|at| full(*at)) {
            None => Ok(()),
            Some(at) => self.occupied(addresses[at]),
        }
    }

    fn occupied(&self, address: Address) -> Result<(), Refusal> {
        let (kind, number) = self.numbered(address)?;
        Err(Refusal::FullDestination {
            address,
            kind,
            number,
        })
    }

    /// The number of an element as people count it: drives from 0, all others from 1.
    fn numbered(&self, address: Address) -> Result<(ElementKind, u16), Refusal> {
        let found = self.pairing.layout().find(address);
        let (kind, number) = found.ok_or(Refusal::NoSuchElement { address })?;
        let base = u16::from(kind != ElementKind::Drive);
        Ok((kind, number.saturating_add(base)))
    }

    /// Leg `failed` did not do it. It is undone where it is done, and then each leg is asked what it has.
    fn undo(
        &mut self,
        failed: usize,
        act: Act,
        before: &[Vec<Content>],
        after: &[Vec<Content>],
        refusal: Refusal,
    ) -> Result<(), Refusal> {
        let addresses = act.addresses();
        for leg in (0..=failed).rev() {
            let done = match self.look_at_contents(leg, &addresses) {
                Ok(found) => found == after[leg],
                // A leg that succeeded and can't be asked now has done it. The failed one is not touched blindly.
                Err(_) => leg != failed,
            };
            if done {
                // Whether the way back worked, the look below says.
                drop(self.perform(leg, act.reverse()));
            }
        }
        let mut found = Vec::with_capacity(self.legs.len());
        let mut broken = None;
        for leg in 0..self.legs.len() {
            let elements = self.look(leg, &addresses);
            let elements = elements.map_err(|asked| Refusal::OutOfStep {
                address: addresses[0],
                reason: format!("{refusal}; then it can't be asked what is where: {asked}"),
            })?;
            broken = broken.or(elements
                .iter()
                .position(|element| element.exception.is_some()));
            found.push(elements.iter().map(Content::of).collect::<Vec<_>>());
        }
        if found == before {
            return Err(refusal);
        }
        if found == after && broken.is_none() {
            // The leg has done it after all, and no leg would take it back.
            return Ok(());
        }
        self.agreed(&addresses, &found)?;
        Err(Refusal::OutOfStep {
            address: addresses[broken.unwrap_or(0)],
            reason: format!("{refusal}; it could not be undone"),
        })
    }
}

fn not_ready(leg: &str, refusal: &Refusal) -> Refusal {
    let reason = match refusal {
        Refusal::NotReady { reason } => format!("{leg}: {reason}"),
        other => format!("{leg}: {other}"),
    };
    Refusal::NotReady { reason }
}

impl<C: Changer> Changer for MirrorChanger<C> {
    fn identity(&self) -> ChangerIdentity {
        ChangerIdentity {
            vendor: "PSEUDO".to_owned(),
            product: "CHANGER MIRROR".to_owned(),
            revision: "0001".to_owned(),
            serial: self.serial.clone(),
        }
    }

    fn layout(&self) -> Layout {
        self.pairing.layout()
    }

    fn drive_identity(&mut self, drive: Address) -> Result<Option<DriveIdentity>, Refusal> {
        match self.numbered(drive)? {
            // The drive is a mirror too, and only that mirror knows what it says that it is.
            (ElementKind::Drive, _) => Ok(None),
            (kind, _) => Err(Refusal::WrongKind {
                address: drive,
                kind,
                why: "only a drive has an identity",
            }),
        }
    }

    fn inventory(&mut self, which: Selection) -> Result<Inventory, Refusal> {
        let mut legs = Vec::with_capacity(self.legs.len());
        for leg in 0..self.legs.len() {
            legs.push(self.ask(leg, which.kind)?);
        }
        let layout = self.pairing.layout();
        let mut elements = Vec::new();
        for kind in layout.kinds() {
            let addresses = layout.span(kind).addresses();
            for address in addresses.filter(|address| which.contains(kind, *address)) {
                elements.push(match kind {
                    ElementKind::Transport => Self::transport(address, &legs),
                    ElementKind::Storage | ElementKind::ImportExport | ElementKind::Drive => {
                        self.merged(address, kind, &legs)
                    }
                });
            }
        }
        Ok(Inventory::new(elements))
    }

    fn transfer(&mut self, cartridge: Move) -> Result<(), Refusal> {
        let Move { from, to, side } = cartridge;
        self.pairing.check(from, to)?;
        if side == Side::Other {
            return Err(Refusal::NotInvertible);
        }
        if from == to {
            let mut contents = Vec::with_capacity(self.legs.len());
            for leg in 0..self.legs.len() {
                contents.push(self.look_at_contents(leg, &[from])?);
            }
            self.agreed(&[from], &contents)?;
            let (kind, number) = self.numbered(from)?;
            return match contents[0][0] {
                Content::Nothing => Err(Refusal::EmptySource {
                    address: from,
                    kind,
                    number,
                }),
                Content::Labelled(_) | Content::Unlabelled => Ok(()),
            };
        }
        self.carry_out(Act::Transfer(cartridge))
    }

    fn exchange(&mut self, exchange: Exchange) -> Result<(), Refusal> {
        let Exchange {
            source,
            first,
            second,
            ..
        } = exchange;
        self.pairing.check(source, first)?;
        self.pairing.check(first, second)?;
        if exchange.first_side == Side::Other || exchange.second_side == Side::Other {
            return Err(Refusal::NotInvertible);
        }
        if source == first {
            // One cartridge: it goes where the second one was to go.
            return self.transfer(Move::new(first, second));
        }
        if second == first {
            // It can't be done; an element that is empty is told as that.
            for address in [source, first] {
                self.transfer(Move::new(address, address))?;
            }
            return self.occupied(first);
        }
        self.carry_out(Act::Exchange(exchange))
    }

    fn position(&mut self, before: Address) -> Result<(), Refusal> {
        if let (ElementKind::Transport, _) = self.numbered(before)? {
            return Ok(());
        }
        for leg in 0..self.legs.len() {
            let place = self.place(leg, before)?;
            let done = self.legs[leg][place.library].position(place.address);
            done.map_err(|refusal| self.translated(leg, place.library, refusal))?;
        }
        Ok(())
    }

    fn initialize(&mut self, range: AddressRange) -> Result<(), Refusal> {
        if range != AddressRange::ALL {
            self.numbered(range.first)?;
        }
        for leg in 0..self.legs.len() {
            for library in 0..self.legs[leg].len() {
                // A range of the mirror is several in a library. To look at all of it answers for each of them.
                let done = self.legs[leg][library].initialize(AddressRange::ALL);
                done.map_err(|refusal| self.translated(leg, library, refusal))?;
            }
        }
        Ok(())
    }

    fn set_removal(&mut self, removal: Removal) -> Result<(), Refusal> {
        let before = self.removal;
        let mut done = Vec::new();
        for leg in 0..self.legs.len() {
            for library in 0..self.legs[leg].len() {
                done.push((leg, library));
                let Err(refusal) = self.legs[leg][library].set_removal(removal) else {
                    continue;
                };
                for (leg, library) in done {
                    // A door that can't be set back stays as it is; the command has failed, and can be given again.
                    drop(self.legs[leg][library].set_removal(before));
                }
                return Err(self.translated(leg, library, refusal));
            }
        }
        self.removal = removal;
        Ok(())
    }
}
