//! Tapes that lie in the slots of a changer: one after the other comes into one drive, and goes back (VT-02, VT-03).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use pseudotape_changer::{
    Address, Changer, Element, ElementKind, Layout, Move, Refusal, Selection,
};
use pseudotape_sink::{Access, Sink};

use super::shelved::slot_number;
use super::watched::Watched;
use super::{Opened, opened};
use crate::cli::ThroughChanger;
use crate::copying::tape::name_of;
use crate::ending::end_by_signal;

/// What the barcodes of cleaning cartridges begin with: one would be used up in a drive.
const CLEANING: [&str; 2] = ["CLN", "DG "];

/// Where a tape is.
#[derive(Clone, Debug)]
pub(super) enum Whence {
    /// Somebody named it.
    Named(Sink),
    /// In a slot of the changer.
    Slot(Slot),
}

/// A cartridge of the changer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Where it is, or belongs.
    at: Address,
    /// As people call it.
    name: String,
    pub(super) barcode: Option<String>,
    /// The slot as `mtx` counts it; nothing for a cartridge that stays in another drive.
    pub(super) number: Option<u16>,
    /// Why it can't be looked at.
    stays: Option<&'static str>,
}

impl Whence {
    pub(super) fn name(&self) -> String {
        match self {
            Whence::Named(sink) => name_of(sink),
            Whence::Slot(slot) => slot.name.clone(),
        }
    }

    pub(super) fn slot(&self) -> Option<&Slot> {
        match self {
            Whence::Named(_) => None,
            Whence::Slot(slot) => Some(slot),
        }
    }
}

/// Brings tapes: those that were named, and those of a changer.
pub(super) struct Shelf {
    loader: Option<Loader>,
    /// A signal asks to end. Never, where there is no changer: then nothing has to be put back, and it ends at once.
    ending: Arc<AtomicBool>,
}

/// A drive of a changer, and what it holds.
pub(super) struct Loader {
    changer: Box<dyn Changer>,
    drive: Address,
    /// What reads the cartridge in the drive.
    node: Box<dyn Fn() -> Sink>,
    /// That it is the node of this drive.
    proof: Proof,
    /// Where the cartridge belongs that is in the drive now, and the one that was there at the beginning.
    holds: Option<Address>,
    held: Option<Address>,
}

/// Whether the node is that of the drive into which the changer puts cartridges. One of another drive would show its
/// own cartridge for each slot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Open,
    /// It had no cartridge when the drive had none.
    Same,
    /// It had one.
    Other,
}

impl Shelf {
    /// Only tapes that were named.
    pub(super) fn bare() -> Self {
        Shelf {
            loader: None,
            ending: Arc::default(),
        }
    }

    /// All tapes that a command is about, those of the changer last.
    pub(super) fn new(tapes: &[Sink], through: &ThroughChanger) -> Result<(Self, Vec<Whence>)> {
        let mut all: Vec<_> = tapes.iter().cloned().map(Whence::Named).collect();
        let (Some(place), Some(drive)) = (&through.changer, &through.drive) else {
            return Ok((Shelf::bare(), all));
        };
        // Before the first move, so that an early signal ends cleanly as well.
        let ending = end_by_signal()?;
        let changer = place
            .open()
            .with_context(|| format!("can't open {place}"))?;
        let sink = drive.clone();
        let node = Box::new(move || sink.clone());
        let (loader, slots) =
            Loader::new(changer, through.drive_number, node).with_context(|| place.to_string())?;
        all.extend(slots.into_iter().map(Whence::Slot));
        let shelf = Shelf {
            loader: Some(loader),
            ending,
        };
        Ok((shelf, all))
    }

    /// What is left to do is done: no signal asks to end, and what was read was on the tapes that are named.
    pub(super) fn go_on(&self) -> Result<()> {
        if self.ending.load(Ordering::Relaxed) {
            bail!("ended by a signal");
        }
        match &self.loader {
            Some(loader) if loader.proof == Proof::Other => bail!(
                "{} has a cartridge while the drive of the changer has none, so it is the node of another drive: say the \
                 right one with --drive, or its number with --drive-number",
                name_of(&(loader.node)())
            ),
            Some(_) | None => Ok(()),
        }
    }

    /// The drive of a tape, which fails from the signal on that asks to end.
    pub(super) fn watched<'a>(&'a self, opened: &'a mut Opened) -> Watched<'a> {
        Watched::new(opened.tape.drive(), &self.ending)
    }

    /// Opens a tape to be read, which comes into the drive for that where it lies in a slot.
    pub(super) fn open(&mut self, whence: &Whence) -> Result<Opened> {
        self.go_on()?;
        match (whence, &mut self.loader) {
            (Whence::Named(sink), _) => opened(sink, Access::ReadOnly),
            (Whence::Slot(slot), Some(loader)) => {
                if let Some(why) = slot.stays {
                    bail!(why);
                }
                loader.load(slot.at)?;
                let opened = opened(&(loader.node)(), Access::ReadOnly)?;
                let name = slot.name.clone();
                Ok(Opened { name, ..opened })
            }
            (Whence::Slot(_), None) => bail!("it is in a changer, and none was named"),
        }
    }

    /// Brings back what is in the drive, and into it what was there at the beginning.
    pub(super) fn finish(mut self) -> Result<()> {
        self.loader.as_mut().map_or(Ok(()), Loader::restore)
    }
}

impl Loader {
    /// Takes a drive of a changer. Says which cartridges there are, first the one that is in the drive.
    pub(super) fn new(
        mut changer: Box<dyn Changer>,
        number: u16,
        node: Box<dyn Fn() -> Sink>,
    ) -> Result<(Self, Vec<Slot>)> {
        let layout = changer.layout();
        let count = layout.drives.count;
        let drive = layout.drives.address(number).with_context(|| {
            format!("there is no drive {number}: it has {count}, counted from 0")
        })?;
        let inventory = changer.inventory(Selection::ALL)?;
        let mut held = None;
        let mut slots = Vec::new();
        for element in inventory.elements() {
            let Some(medium) = element.medium else {
                continue;
            };
            let barcode = medium.barcode.map(|barcode| barcode.to_string());
            if element.address == drive {
                let is_free = |at: Address| {
                    let slot = inventory.at(at);
                    slot.is_some_and(|slot| is_slot(slot) && !slot.is_full())
                };
                let mut others = inventory.of(ElementKind::Storage).map(|slot| slot.address);
                let home = medium.source.filter(|at| is_free(*at));
                let home = home.or_else(|| others.find(|at| is_free(*at)));
                let home = home.with_context(|| {
                    format!("drive {number} has a cartridge, and no slot is free for it: take one out first")
                })?;
                held = Some(home);
                slots.insert(0, Slot::new(&layout, home, barcode, None));
                continue;
            }
            let stays = match element.kind {
                ElementKind::Drive => Some("it is in another drive: unload it there first"),
                ElementKind::Transport => Some("it is in the transport"),
                ElementKind::Storage | ElementKind::ImportExport => {
                    let is_cleaning =
                        |barcode: &String| CLEANING.iter().any(|word| barcode.starts_with(word));
                    let is_cleaning = barcode.as_ref().is_some_and(is_cleaning);
                    is_cleaning.then_some("it is a cleaning cartridge, by its barcode")
                }
            };
            slots.push(Slot::new(&layout, element.address, barcode, stays));
        }
        let loader = Loader {
            changer,
            drive,
            node,
            proof: Proof::Open,
            holds: held,
            held,
        };
        Ok((loader, slots))
    }

    fn load(&mut self, slot: Address) -> Result<()> {
        if self.holds == Some(slot) {
            return Ok(());
        }
        self.put_back()?;
        self.prove();
        if self.proof == Proof::Other {
            bail!("it is not loaded: what would be read lies in another drive");
        }
        self.changer.transfer(Move::new(slot, self.drive))?;
        self.holds = Some(slot);
        Ok(())
    }

    /// Looks once, while the drive is empty, whether its node says so.
    fn prove(&mut self) {
        if self.proof == Proof::Open {
            self.proof = match opened(&(self.node)(), Access::ReadOnly) {
                Ok(_) => Proof::Other,
                Err(_) => Proof::Same,
            };
        }
    }

    fn put_back(&mut self) -> Result<()> {
        let Some(slot) = self.holds else {
            return Ok(());
        };
        let back = Move::new(self.drive, slot);
        let moved = match self.changer.transfer(back) {
            // What a program has is not ejected behind its back.
            Err(refusal @ (Refusal::InUse { .. } | Refusal::DoorLocked { .. })) => Err(refusal),
            // Some changers take only what its drive has ejected.
            Err(refusal) => match self.eject() {
                Ok(()) => self.changer.transfer(back),
                Err(_) => Err(refusal),
            },
            Ok(()) => Ok(()),
        };
        moved.map_err(|refusal| anyhow!("the cartridge in the drive can't go back: {refusal}"))?;
        self.holds = None;
        Ok(())
    }

    fn eject(&self) -> Result<()> {
        let mut opened = opened(&(self.node)(), Access::ReadOnly)?;
        opened.tape.drive().unload()?;
        opened.tape.finish()
    }

    fn restore(&mut self) -> Result<()> {
        if self.holds != self.held {
            self.put_back()?;
            if let Some(slot) = self.held {
                self.load(slot)?;
            }
        }
        Ok(())
    }
}

impl Drop for Loader {
    /// Also where something failed on the way.
    fn drop(&mut self) {
        if let Err(error) = self.restore() {
            eprintln!("pseudotape: {error:#}");
        }
    }
}

impl Slot {
    fn new(
        layout: &Layout,
        at: Address,
        barcode: Option<String>,
        stays: Option<&'static str>,
    ) -> Self {
        let number = slot_number(layout, at);
        let place = match (number, layout.drives.number(at)) {
            (Some(number), _) => format!("slot {number}"),
            (None, Some(drive)) => format!("drive {drive}"),
            (None, None) => format!("element {at}"),
        };
        let name = match &barcode {
            Some(barcode) => format!("{place} ({barcode})"),
            None => place,
        };
        Slot {
            at,
            name,
            barcode,
            number,
            stays,
        }
    }
}

fn is_slot(element: &Element) -> bool {
    match element.kind {
        ElementKind::Storage | ElementKind::ImportExport => true,
        ElementKind::Transport | ElementKind::Drive => false,
    }
}

#[cfg(test)]
#[path = "slots_test.rs"]
mod slots_test;
