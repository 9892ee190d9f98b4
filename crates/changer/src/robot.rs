//! A changer out of a library and drives.

use std::collections::BTreeMap;

use crate::address::{Address, AddressRange, ElementKind, Layout};
use crate::changer::{Changer, ChangerIdentity, DriveIdentity, Exchange, Move, Removal, Selection};
use crate::element::{Exception, Inventory};
use crate::host::Host;
use crate::library::{Cartridge, Library, Plan, Work};
use crate::refusal::Refusal;

/// The drives of a library, by their numbers within it. Whoever has the drives implements it.
pub trait Bays {
    /// Loads a cartridge: afterwards the drive is ready at the beginning of the tape. A drive that holds just this
    /// cartridge is no failure.
    fn load(&mut self, drive: u16, cartridge: &Cartridge) -> Result<(), BayFailure>;

    /// Takes the cartridge out, after all that was written is on stable storage. A drive without a cartridge is no
    /// failure. By `force` also while a program has it open or locked.
    fn unload(&mut self, drive: u16, force: bool) -> Result<(), BayFailure>;

    /// Waits for the end of a close that has returned to its program already, where a drive hears of it later. Asked
    /// before a move, so that a program can close its tape and change it.
    fn await_close(&mut self, drive: u16);

    /// What programs do with the drive. Waits for nothing.
    fn usage(&mut self, drive: u16) -> DriveUse;

    /// What the drive is.
    fn identity(&mut self, drive: u16) -> Option<DriveIdentity>;

    /// Takes the time that a part of a move takes, where a library of metal is imitated; otherwise returns at once.
    fn take_time(&mut self, step: Step);
}

/// A part of a move that takes time in a library of metal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A drive rewinds and lets its cartridge go.
    Unload,
    /// The transport carries a cartridge from one element to another.
    Carry,
    /// A drive threads the tape of a cartridge.
    Load,
}

/// Why a drive did not do its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BayFailure {
    /// A program has it open.
    InUse {
        /// The program, for a person.
        by: String,
    },
    /// A program has locked it.
    Locked,
    /// Anything else. A cartridge that was to come out may be out, and one that was to go in is not in.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What programs do with a drive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriveUse {
    /// The program that has it open, for a person.
    pub opened_by: Option<String>,
    /// A program has locked the door.
    pub locked: bool,
}

/// The pseudo changer: moves are done by the drives and remembered by the library.
///
/// The order of a move: the elements allow it, the drives are free, the drives do their part, the library commits. What
/// fails is undone in the opposite order.
#[derive(Debug)]
pub struct Robot<H, B> {
    library: Library<H>,
    bays: B,
    /// Drives with a cartridge that they could not load.
    unloaded: BTreeMap<Address, String>,
    position: Address,
}

impl<H: Host, B: Bays> Robot<H, B> {
    /// Loads each drive with the cartridge that the library says is in it, and says which could not be.
    pub fn start(library: Library<H>, bays: B) -> (Self, Vec<Refusal>) {
        let position = library.layout().transports.first;
        let mut robot = Robot {
            library,
            bays,
            unloaded: BTreeMap::new(),
            position,
        };
        let mut refusals = Vec::new();
        for drive in robot.library.layout().drives.addresses() {
            let Some(cartridge) = robot.library.cartridge_in(drive).cloned() else {
                continue;
            };
            let work = Work::Load { drive, cartridge };
            if let Err(refusal) = robot.carry_out(&work, drive, true) {
                refusals.push(refusal);
            }
        }
        (robot, refusals)
    }

    /// The library.
    #[must_use]
    pub fn library(&self) -> &Library<H> {
        &self.library
    }

    /// The library, for what an operator does by hand.
    pub fn library_mut(&mut self) -> &mut Library<H> {
        &mut self.library
    }

    /// Before which element the transport stands.
    #[must_use]
    pub fn position_now(&self) -> Address {
        self.position
    }

    /// Why the cartridge in a drive is not loaded.
    #[must_use]
    pub fn unloaded(&self, drive: Address) -> Option<&str> {
        self.unloaded.get(&drive).map(String::as_str)
    }

    /// The program that has a drive open, by the drive's number within the library.
    pub fn opened_by(&mut self, drive: u16) -> Option<String> {
        self.bays.usage(drive).opened_by
    }

    fn execute(&mut self, plan: &Plan, to: Address) -> Result<(), Refusal> {
        for drive in plan.drives() {
            self.free(drive)?;
        }
        let mut to_carry = plan.cartridges();
        for (at, work) in plan.work().iter().enumerate() {
            let source = plan.origin(work.drive()).unwrap_or(work.drive());
            match work {
                Work::Unload { .. } => self.bays.take_time(Step::Unload),
                Work::Load { .. } => {
                    self.bays.take_time(Step::Carry);
                    to_carry = to_carry.saturating_sub(1);
                    self.bays.take_time(Step::Load);
                }
            }
            if let Err(refusal) = self.carry_out(work, source, false) {
                // An unload that failed may have been done in part: the cartridge may be out.
                let failed = matches!(work, Work::Unload { .. })
                    && !matches!(refusal, Refusal::InUse { .. } | Refusal::DoorLocked { .. });
                self.undo(&plan.work()[..at + usize::from(failed)]);
                return Err(refusal);
            }
        }
        for _ in 0..to_carry {
            self.bays.take_time(Step::Carry);
        }
        if let Err(refusal) = self.library.commit(plan) {
            self.undo(plan.work());
            return Err(refusal);
        }
        self.position = to;
        Ok(())
    }

    /// Refuses a drive that a program has.
    fn free(&mut self, drive: Address) -> Result<(), Refusal> {
        let number = self.number(drive);
        self.bays.await_close(number);
        let usage = self.bays.usage(number);
        if let Some(by) = usage.opened_by {
            return Err(Refusal::InUse { drive, by });
        }
        if usage.locked {
            return Err(Refusal::DoorLocked { drive });
        }
        Ok(())
    }

    fn undo(&mut self, done: &[Work]) {
        for work in done.iter().rev() {
            let back = work.clone().reverse();
            // What can't be loaded again is remembered by carry_out, and shown as an exception of its drive.
            drop(self.carry_out(&back, back.drive(), true));
        }
    }

    /// `now_in` is where the cartridge is when the drive fails.
    fn carry_out(&mut self, work: &Work, now_in: Address, force: bool) -> Result<(), Refusal> {
        match work {
            Work::Load { drive, cartridge } => {
                let done = self.bays.load(self.number(*drive), cartridge);
                match done {
                    Ok(()) => {
                        self.unloaded.remove(drive);
                        Ok(())
                    }
                    Err(failure) => {
                        let reason = reason(failure, *drive)?;
                        if now_in == *drive {
                            self.unloaded.insert(*drive, reason.clone());
                        }
                        Err(Refusal::LoadFailed {
                            drive: *drive,
                            cartridge: cartridge.barcode,
                            reason,
                            now_in,
                        })
                    }
                }
            }
            Work::Unload { drive, .. } => match self.bays.unload(self.number(*drive), force) {
                Ok(()) => {
                    self.unloaded.remove(drive);
                    Ok(())
                }
                Err(failure) => Err(Refusal::UnloadFailed {
                    drive: *drive,
                    reason: reason(failure, *drive)?,
                    now_in: *drive,
                }),
            },
        }
    }

    fn number(&self, drive: Address) -> u16 {
        let number = self.library.layout().drives.number(drive);
        number.expect("a plan names drives of the library")
    }
}

/// The refusals that are more than a text.
fn reason(failure: BayFailure, drive: Address) -> Result<String, Refusal> {
    match failure {
        BayFailure::InUse { by } => Err(Refusal::InUse { drive, by }),
        BayFailure::Locked => Err(Refusal::DoorLocked { drive }),
        BayFailure::Failed { reason } => Ok(reason),
    }
}

impl<H: Host, B: Bays> Changer for Robot<H, B> {
    fn identity(&self) -> ChangerIdentity {
        ChangerIdentity {
            vendor: "PSEUDO".to_owned(),
            product: "CHANGER".to_owned(),
            revision: "0001".to_owned(),
            serial: self.library.design().serial.clone(),
        }
    }

    fn layout(&self) -> Layout {
        self.library.layout()
    }

    fn drive_identity(&mut self, drive: Address) -> Result<Option<DriveIdentity>, Refusal> {
        match self.library.kind(drive)? {
            ElementKind::Drive => {
                let number = self.number(drive);
                Ok(self.bays.identity(number))
            }
            kind => Err(Refusal::WrongKind {
                address: drive,
                kind,
                why: "only a drive has an identity",
            }),
        }
    }

    fn inventory(&mut self, which: Selection) -> Result<Inventory, Refusal> {
        let mut elements = self.library.inventory(which).into_elements();
        for element in &mut elements {
            if element.kind == ElementKind::Drive {
                let usage = self.bays.usage(self.number(element.address));
                element.in_use = usage.opened_by.is_some();
                element.locked = usage.locked;
                element.accessible = !element.in_use && !element.locked;
                if self.unloaded.contains_key(&element.address) {
                    element.exception = Some(Exception::LoadFailed);
                }
            }
        }
        Ok(Inventory::new(elements))
    }

    fn transfer(&mut self, cartridge: Move) -> Result<(), Refusal> {
        let plan = self.library.plan(cartridge)?;
        match plan.is_empty() {
            true => Ok(()),
            false => self.execute(&plan, cartridge.to),
        }
    }

    fn exchange(&mut self, exchange: Exchange) -> Result<(), Refusal> {
        let plan = self.library.plan_exchange(exchange)?;
        match plan.is_empty() {
            true => Ok(()),
            false => self.execute(&plan, exchange.second),
        }
    }

    fn position(&mut self, before: Address) -> Result<(), Refusal> {
        self.library.kind(before)?;
        self.position = before;
        Ok(())
    }

    fn initialize(&mut self, range: AddressRange) -> Result<(), Refusal> {
        // The state is always known: only the address can be wrong.
        match range == AddressRange::ALL {
            true => Ok(()),
            false => self.library.kind(range.first).map(|_| ()),
        }
    }

    fn set_removal(&mut self, removal: Removal) -> Result<(), Refusal> {
        self.library.set_removal(removal)
    }
}
