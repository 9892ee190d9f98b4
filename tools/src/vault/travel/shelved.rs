//! What is in a changer, and how other programs print it.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use pseudotape_changer::{Address, Changer, ElementKind, Inventory, Layout, Selection};
use pseudotape_rack::ChangerPlace;

use crate::cli::InventoryOf;

/// A drive or a slot of a changer.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    kind: Kind,
    /// As `mtx` counts it: drives from 0, slots from 1, those for import and export behind the others.
    number: u16,
    cartridge: Option<Cartridge>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Drive,
    Slot,
    Door,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cartridge {
    /// Empty where it has none that can be read.
    barcode: String,
    /// Of one in a drive: the slot where it belongs.
    source: Option<u16>,
}

/// What is in a changer: drives first, then slots, then those for import and export.
#[derive(Debug, Default)]
pub(super) struct Shelved {
    places: Vec<Place>,
}

impl Shelved {
    /// Looks into the changer, if one is named.
    pub(super) fn of(place: Option<&ChangerPlace>) -> Result<Self> {
        let Some(place) = place else {
            return Ok(Shelved::default());
        };
        let opened = place.open();
        let mut changer = opened.with_context(|| format!("can't open {place}"))?;
        let inventory = changer.inventory(Selection::ALL);
        let inventory = inventory.with_context(|| place.to_string())?;
        Ok(Shelved::in_elements(&changer.layout(), &inventory))
    }

    fn in_elements(layout: &Layout, inventory: &Inventory) -> Self {
        let mut places = Vec::new();
        for (element, kind) in [
            (ElementKind::Drive, Kind::Drive),
            (ElementKind::Storage, Kind::Slot),
            (ElementKind::ImportExport, Kind::Door),
        ] {
            for one in inventory.of(element) {
                let number = match kind {
                    Kind::Drive => layout.drives.number(one.address),
                    Kind::Slot | Kind::Door => slot_number(layout, one.address),
                };
                let Some(number) = number else { continue };
                let barcode = |medium: &pseudotape_changer::Medium| {
                    let barcode = medium.barcode;
                    barcode.map_or_else(String::new, |barcode| barcode.to_string())
                };
                let cartridge = one.medium.map(|medium| Cartridge {
                    barcode: barcode(&medium),
                    source: medium.source.and_then(|at| slot_number(layout, at)),
                });
                places.push(Place {
                    kind,
                    number,
                    cartridge,
                });
            }
        }
        let mut shelved = Shelved { places };
        shelved.find_sources();
        shelved
    }

    /// As `mtx` does: a source that is full again is none; such a drive gets one of the empty slots, in their order.
    fn find_sources(&mut self) {
        let empty = |place: &&Place| place.kind != Kind::Drive && place.cartridge.is_none();
        let empty: Vec<(Kind, u16)> = self
            .places
            .iter()
            .filter(empty)
            .map(|place| (place.kind, place.number))
            .collect();
        let mut others = empty.iter().filter(|(kind, _)| *kind == Kind::Slot);
        let drives = self
            .places
            .iter_mut()
            .filter(|place| place.kind == Kind::Drive);
        for cartridge in drives.filter_map(|place| place.cartridge.as_mut()) {
            let is_free = |source: &u16| empty.iter().any(|(_, number)| number == source);
            let known = cartridge.source.filter(is_free);
            cartridge.source = known.or_else(|| others.next().map(|(_, number)| *number));
        }
    }

    /// The cartridges that have a barcode, each with the slot where it is, or from where it came.
    pub(super) fn barcodes(&self) -> impl Iterator<Item = (&str, u16)> {
        self.places.iter().filter_map(|place| {
            let cartridge = place.cartridge.as_ref()?;
            let slot = match place.kind {
                Kind::Drive => cartridge.source?,
                Kind::Slot | Kind::Door => place.number,
            };
            Some((cartridge.barcode.as_str(), slot)).filter(|(barcode, _)| !barcode.is_empty())
        })
    }

    /// In the words of another program. A cartridge has the vault's label where `is_volume` says so of its barcode.
    pub(super) fn printed(&self, program: InventoryOf, is_volume: impl Fn(&str) -> bool) -> String {
        match program {
            InventoryOf::Bacula => self.listed(),
            InventoryOf::Bareos => self.all_listed(),
            InventoryOf::Amanda => self.as_amtape(is_volume),
        }
    }

    /// As `mtx-changer list` prints it: what `update slots` of Bacula reads. It has no slots for import and export.
    fn listed(&self) -> String {
        let slots = self.places.iter().filter(|one| one.kind == Kind::Slot);
        let drives = self.places.iter().filter(|one| one.kind == Kind::Drive);
        let mut text = String::new();
        for place in slots.chain(drives) {
            let Some(cartridge) = &place.cartridge else {
                continue;
            };
            let number = match place.kind {
                Kind::Drive => cartridge.source,
                Kind::Slot | Kind::Door => Some(place.number),
            };
            if let Some(number) = number {
                line(&mut text, &format!("{number}:{}", cartridge.barcode));
            }
        }
        text
    }

    /// As `mtx-changer listall` prints it: what `update slots` of Bareos reads.
    fn all_listed(&self) -> String {
        let mut text = String::new();
        for place in &self.places {
            let number = place.number;
            let kind = match place.kind {
                Kind::Drive => 'D',
                Kind::Slot => 'S',
                Kind::Door => 'I',
            };
            match (place.kind, &place.cartridge) {
                (_, None) => line(&mut text, &format!("{kind}:{number}:E")),
                (Kind::Drive, Some(Cartridge { barcode, source })) => {
                    // One for which no slot is free is not listed there, either.
                    if let Some(source) = source {
                        line(&mut text, &format!("D:{number}:F:{source}:{barcode}"));
                    }
                }
                (Kind::Slot | Kind::Door, Some(Cartridge { barcode, .. })) => {
                    line(&mut text, &format!("{kind}:{number}:F:{barcode}"));
                }
            }
        }
        text
    }

    /// As `amtape CONFIG inventory` prints it: slots only, also those whose cartridge is in a drive.
    fn as_amtape(&self, is_volume: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        for place in self.places.iter().filter(|one| one.kind != Kind::Drive) {
            let loaded = self.places.iter().find_map(|drive| {
                let is_drive = drive.kind == Kind::Drive && place.cartridge.is_none();
                let cartridge = drive.cartridge.as_ref().filter(|_| is_drive)?;
                (cartridge.source == Some(place.number)).then_some((drive.number, cartridge))
            });
            let drive = loaded.map(|(drive, _)| drive);
            let cartridge = loaded.map(|(_, cartridge)| cartridge);
            let mut words = format!("slot {}:", place.number);
            match cartridge.or(place.cartridge.as_ref()) {
                None => words += " empty",
                Some(Cartridge { barcode, .. }) => {
                    match is_volume(barcode) {
                        true => words += &format!(" label {barcode}"),
                        false => words += " unknown state",
                    }
                    if !barcode.is_empty() {
                        words += &format!(" barcode {barcode}");
                    }
                }
            }
            if let Some(drive) = drive {
                words += &format!(" (in drive {drive})");
            }
            if place.kind == Kind::Door {
                words += " (import/export slot)";
            }
            line(&mut text, &words);
        }
        text
    }
}

/// The number of a slot as `mtx` counts them: from 1, those for import and export behind the others.
pub(super) fn slot_number(layout: &Layout, at: Address) -> Option<u16> {
    let storage = layout.slots.number(at).map(|number| number + 1);
    storage.or_else(|| Some(layout.slots.count + 1 + layout.import_export.number(at)?))
}

fn line(text: &mut String, words: &str) {
    writeln!(text, "{words}").expect("memory takes it");
}

#[cfg(test)]
mod tests {
    use pseudotape_changer::{Element, Medium};

    use super::*;

    /// Two drives, three slots, one for import and export, and cartridges in some of them.
    fn shelved() -> Shelved {
        let layout = Layout::usual(2, 1, 3).unwrap();
        let full = |at: Address, kind, barcode: &str, source| {
            let medium = Medium {
                barcode: (!barcode.is_empty()).then(|| barcode.parse().unwrap()),
                source,
                inverted: false,
            };
            let mut element = Element::empty(at, kind);
            element.medium = Some(medium);
            element
        };
        let at = |number| layout.slots.address(number).unwrap();
        let drive = |number| layout.drives.address(number).unwrap();
        let door = layout.import_export.address(0).unwrap();
        let elements = vec![
            full(drive(0), ElementKind::Drive, "MON002", Some(at(1))),
            Element::empty(drive(1), ElementKind::Drive),
            full(door, ElementKind::ImportExport, "OLD001", None),
            full(at(0), ElementKind::Storage, "MON001", None),
            Element::empty(at(1), ElementKind::Storage),
            full(at(2), ElementKind::Storage, "", None),
        ];
        Shelved::in_elements(&layout, &Inventory::new(elements))
    }

    /// VT-05: each cartridge with the slot where it is, or from where it came.
    #[test]
    fn a_cartridge_in_a_drive_has_the_slot_that_it_came_from() {
        let mut shelved = shelved();
        let barcodes = |shelved: &Shelved| {
            let mut all: Vec<_> = shelved
                .barcodes()
                .map(|(barcode, slot)| (barcode.to_owned(), slot))
                .collect();
            all.sort_unstable();
            all
        };
        let expected = |slot| [("MON001", 1), ("MON002", slot), ("OLD001", 4)];
        let expected = |slot| expected(slot).map(|(barcode, slot)| (barcode.to_owned(), slot));
        assert_eq!(barcodes(&shelved), expected(2));
        // Somebody put another cartridge into it: then it is the first that is empty.
        let drive = &mut shelved.places[0];
        drive.cartridge.as_mut().unwrap().source = Some(1);
        shelved.find_sources();
        assert_eq!(barcodes(&shelved), expected(2));
        // All are full.
        shelved.places[3].cartridge = shelved.places[2].cartridge.clone();
        shelved.find_sources();
        assert_eq!(shelved.places[0].cartridge.as_ref().unwrap().source, None);
    }

    /// VT-06: what other programs print of it; scenarios compare with the programs themselves.
    #[test]
    fn a_changer_is_printed_as_other_programs_do() {
        let printed = |program| shelved().printed(program, |barcode| barcode.starts_with("MON"));
        assert_eq!(printed(InventoryOf::Bacula), "1:MON001\n3:\n2:MON002\n");
        assert_eq!(
            printed(InventoryOf::Bareos),
            "D:0:F:2:MON002\nD:1:E\nS:1:F:MON001\nS:2:E\nS:3:F:\nI:4:F:OLD001\n"
        );
        assert_eq!(
            printed(InventoryOf::Amanda),
            "slot 1: label MON001 barcode MON001\n\
             slot 2: label MON002 barcode MON002 (in drive 0)\n\
             slot 3: unknown state\n\
             slot 4: unknown state barcode OLD001 (import/export slot)\n"
        );
    }
}
