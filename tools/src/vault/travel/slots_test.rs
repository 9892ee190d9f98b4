//! A changer of which moves fail, and a drive that is the image of the cartridge in it.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use pseudotape_changer::{
    AddressRange, Barcode, ChangerIdentity, DriveIdentity, Exchange, Inventory, Medium, Refusal,
    Removal,
};

use pseudotape_tape::{Drive, Sense, Transfer};

use super::*;

/// Barcodes in elements.
#[derive(Clone)]
struct Fake(Rc<RefCell<State>>);

struct State {
    layout: Layout,
    elements: Vec<(Element, ElementKind)>,
    moves: Vec<(u16, u16)>,
    /// The move with this number is refused.
    refused: Option<usize>,
}

impl Fake {
    /// With two drives and some slots.
    fn new(slots: &[&str]) -> Self {
        let layout = Layout::usual(2, 1, slots.len().try_into().unwrap()).unwrap();
        let empty = |at: Address, kind| (Element::empty(at, kind), kind);
        let drives = layout
            .drives
            .addresses()
            .map(|at| empty(at, ElementKind::Drive));
        let doors = layout.import_export.addresses();
        let doors = doors.map(|at| empty(at, ElementKind::ImportExport));
        let storage = layout.slots.addresses();
        let storage = storage.map(|at| empty(at, ElementKind::Storage));
        let elements = drives.chain(doors).chain(storage).collect();
        let fake = Fake(Rc::new(RefCell::new(State {
            layout,
            elements,
            moves: Vec::new(),
            refused: None,
        })));
        for (number, barcode) in slots.iter().enumerate() {
            if !barcode.is_empty() {
                fake.put(1025 + u16::try_from(number).unwrap(), barcode, None);
            }
        }
        fake
    }

    fn put(&self, at: u16, barcode: &str, source: Option<u16>) {
        let mut state = self.0.borrow_mut();
        let mut elements = state.elements.iter_mut();
        let (element, _) = elements.find(|(one, _)| one.address.0 == at).unwrap();
        let barcode: Barcode = barcode.parse().unwrap();
        element.medium = Some(Medium {
            barcode: Some(barcode),
            source: source.map(Address),
            inverted: false,
        });
    }

    fn at(&self, at: u16) -> String {
        let state = self.0.borrow();
        let mut elements = state.elements.iter();
        let (element, _) = elements.find(|(one, _)| one.address.0 == at).unwrap();
        let barcode = element.medium.and_then(|medium| medium.barcode);
        barcode.map_or_else(String::new, |barcode| barcode.to_string())
    }

    fn moves(&self) -> Vec<(u16, u16)> {
        self.0.borrow().moves.clone()
    }
}

impl Changer for Fake {
    fn identity(&self) -> ChangerIdentity {
        unreachable!("nobody asks")
    }

    fn layout(&self) -> Layout {
        self.0.borrow().layout
    }

    fn drive_identity(&mut self, _: Address) -> Result<Option<DriveIdentity>, Refusal> {
        Ok(None)
    }

    fn inventory(&mut self, _: Selection) -> Result<Inventory, Refusal> {
        let elements = self
            .0
            .borrow()
            .elements
            .iter()
            .map(|(one, _)| *one)
            .collect();
        Ok(Inventory::new(elements))
    }

    fn transfer(&mut self, cartridge: Move) -> Result<(), Refusal> {
        let mut state = self.0.borrow_mut();
        let number = state.moves.len();
        state.moves.push((cartridge.from.0, cartridge.to.0));
        if state.refused == Some(number) {
            return Err(Refusal::Failed {
                reason: "it was told to fail".to_owned(),
            });
        }
        let find = |state: &State, at: Address| {
            let mut elements = state.elements.iter();
            elements.position(|(one, _)| one.address == at).unwrap()
        };
        let (from, to) = (find(&state, cartridge.from), find(&state, cartridge.to));
        assert!(state.elements[to].0.medium.is_none(), "{cartridge:?}");
        let medium = state.elements[from].0.medium.take();
        state.elements[to].0.medium = Some(medium.expect("a cartridge"));
        Ok(())
    }

    fn exchange(&mut self, _: Exchange) -> Result<(), Refusal> {
        unreachable!("nobody asks")
    }

    fn position(&mut self, _: Address) -> Result<(), Refusal> {
        unreachable!("nobody asks")
    }

    fn initialize(&mut self, _: AddressRange) -> Result<(), Refusal> {
        unreachable!("nobody asks")
    }

    fn set_removal(&mut self, _: Removal) -> Result<(), Refusal> {
        unreachable!("nobody asks")
    }
}

/// A shelf with drive 0 of a changer; the tapes are images that are called as the barcodes are.
fn shelf(fake: &Fake, images: &[&str]) -> (tempfile::TempDir, Shelf, Vec<Slot>) {
    let place = tempfile::tempdir().unwrap();
    for name in images {
        let path = place.path().join(name);
        let sink: Sink = format!("image:{},create", path.display()).parse().unwrap();
        sink.open(Access::ReadWrite).unwrap().finish().unwrap();
    }
    let (drive, folder): (Fake, PathBuf) = (fake.clone(), place.path().to_owned());
    let node = Box::new(move || Sink::at(&folder.join(drive.at(257))));
    let (loader, slots) = Loader::new(Box::new(fake.clone()), 0, node).unwrap();
    let shelf = Shelf {
        loader: Some(loader),
        ending: Arc::default(),
    };
    (place, shelf, slots)
}

fn names(slots: &[Slot]) -> Vec<&str> {
    slots.iter().map(|slot| slot.name.as_str()).collect()
}

/// VT-02, VT-03: each cartridge comes into the drive and goes back, and the one that was there is there again.
#[test]
fn each_cartridge_comes_into_the_drive_and_goes_back() {
    let fake = Fake::new(&["A1", "", "B1", "CLN001"]);
    fake.put(257, "C1", Some(1026));
    fake.put(258, "D1", None);
    let (_place, mut shelf, slots) = shelf(&fake, &["A1", "B1", "C1"]);
    let expected = [
        "slot 2 (C1)",
        "drive 1 (D1)",
        "slot 1 (A1)",
        "slot 3 (B1)",
        "slot 4 (CLN001)",
    ];
    assert_eq!(names(&slots), expected);
    for slot in &slots {
        let is_looked_at = !["D1", "CLN001"].contains(&slot.barcode.as_deref().unwrap());
        let opened = shelf.open(&Whence::Slot(slot.clone()));
        assert_eq!(opened.is_ok(), is_looked_at, "{slot:?}");
        if let Ok(opened) = opened {
            assert_eq!(opened.name, slot.name);
            assert_eq!(Some(fake.at(257)), slot.barcode);
        }
    }
    shelf.finish().unwrap();
    let (drive, c) = (257, 1026);
    let expected = [
        (drive, c),
        (1025, drive),
        (drive, 1025),
        (1027, drive),
        (drive, 1027),
        (c, drive),
    ];
    assert_eq!(fake.moves(), expected);
    assert_eq!(fake.at(257), "C1");
}

/// What fails on the way leaves no cartridge in the drive that was not there.
#[test]
fn a_failure_brings_the_cartridges_back() {
    for refused in 0..5 {
        let fake = Fake::new(&["A1", "B1"]);
        fake.0.borrow_mut().refused = Some(refused);
        // B1 is no image.
        let (_place, mut shelf, slots) = shelf(&fake, &["A1"]);
        let failed = slots
            .iter()
            .filter(|slot| shelf.open(&Whence::Slot((*slot).clone())).is_err());
        assert!(failed.count() >= 1);
        drop(shelf);
        let last = fake.moves().len() == refused + 1;
        let there = [fake.at(1025), fake.at(1026)];
        assert!(
            last || there == ["A1", "B1"],
            "{refused}: {:?}",
            fake.moves()
        );
    }
}

#[test]
fn a_drive_that_there_is_not_is_told() {
    let fake = Fake::new(&["A1"]);
    let node = Box::new(|| Sink::at("nowhere".as_ref()));
    let error = Loader::new(Box::new(fake), 2, node).err().unwrap();
    assert!(
        error.to_string().contains("it has 2, counted from 0"),
        "{error}"
    );
}

/// Two drives, and the node of the other one: it would show its own cartridge for each slot.
#[test]
fn the_node_of_another_drive_is_told() {
    let fake = Fake::new(&["A1", "B1"]);
    fake.put(258, "D1", None);
    let (place, mut shelf, slots) = shelf(&fake, &["A1", "B1", "D1"]);
    let other = place.path().join("D1");
    shelf.loader.as_mut().unwrap().node = Box::new(move || Sink::at(&other));
    let a1 = slots.iter().find(|slot| slot.name == "slot 1 (A1)");
    let whence = Whence::Slot(a1.unwrap().clone());
    assert!(shelf.open(&whence).is_err());
    let error = shelf.go_on().unwrap_err().to_string();
    assert!(error.contains("it is the node of another drive"), "{error}");
    shelf.finish().unwrap();
    assert_eq!(fake.moves(), []);
}

/// From the signal on nothing is read, and everything goes back.
#[test]
fn a_signal_ends_what_is_read_and_the_cartridges_go_back() {
    let fake = Fake::new(&["A1", "B1", ""]);
    fake.put(257, "C1", None);
    let (_place, mut shelf, slots) = shelf(&fake, &["A1", "B1", "C1"]);
    let whence = |name: &str| {
        let slot = slots.iter().find(|slot| slot.name == name);
        Whence::Slot(slot.unwrap().clone())
    };
    let mut opened = shelf.open(&whence("slot 1 (A1)")).unwrap();
    assert_eq!(fake.at(257), "A1");
    shelf.watched(&mut opened).rewind().unwrap();
    shelf.ending.store(true, Ordering::Relaxed);
    let failed = shelf.watched(&mut opened).rewind().unwrap_err();
    assert_eq!(failed.sense, Sense::NoDrive);
    let mut buffer = [0; 512];
    let read = shelf.watched(&mut opened);
    let read = { read }.read(Transfer::Variable, &mut buffer);
    assert!(read.is_err());
    drop(opened);
    assert!(shelf.open(&whence("slot 2 (B1)")).is_err());
    assert_eq!(shelf.go_on().unwrap_err().to_string(), "ended by a signal");
    let moves = fake.moves().len();
    drop(shelf);
    assert_eq!((fake.at(257), fake.at(1025)), ("C1".into(), "A1".into()));
    assert_eq!(fake.moves().len(), moves + 2);
}
