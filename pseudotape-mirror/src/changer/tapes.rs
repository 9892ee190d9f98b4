//! A mirror of changers whose drives are mirrors of tapes.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pseudotape_changer::{
    Address, AddressRange, Barcode, Changer, ChangerIdentity, DriveIdentity, ElementKind, Exchange,
    Inventory, Layout, MirrorChanger, Move, Refusal, Removal, Selection,
};
use pseudotape_control::call;
use pseudotape_rack::{OpenChanger, PATIENCE};

use pseudotape_control::mirror::{MirrorStatus, Request, Response, SlaveEndStatus};

/// How long a question may take.
const QUESTION: Duration = Duration::from_secs(60);
/// How long a close(2) may be on its way: the kernel tells the server of a FUSE mount after the program.
const LAST_CLOSE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The changer, and the mirrors that are its drives.
pub(super) struct TapedChanger {
    pub(super) mirror: MirrorChanger<OpenChanger>,
    /// Control sockets of the mirrors, by the numbers of the drives.
    pub(super) drives: Vec<PathBuf>,
    /// Of the daemon that has the nodes.
    pub(super) device: Option<PathBuf>,
}

/// What a mirror of tapes was asked, and did not do.
fn asked(socket: &Path, request: &Request, patience: Duration) -> Result<Response, String> {
    match call(socket, request, patience) {
        Ok(Response::Error { message }) => Err(message),
        Ok(response) => Ok(response),
        Err(error) => Err(error.to_string()),
    }
}

fn mirror_status(socket: &Path) -> Result<MirrorStatus, String> {
    match asked(socket, &Request::Status, QUESTION)? {
        Response::Status(status) => Ok(*status),
        _ => Err("the mirror answered something else than its status".to_owned()),
    }
}

fn load(socket: &Path) -> Result<(), String> {
    let legs = Vec::new();
    asked(socket, &Request::Load { legs }, PATIENCE).map(drop)
}

impl TapedChanger {
    /// The mirror that is the drive at an address.
    fn tape(&self, address: Address) -> Option<&Path> {
        let number = self.mirror.layout().drives.number(address)?;
        self.drives.get(usize::from(number)).map(PathBuf::as_path)
    }

    /// The program that has the drive of a mirror open, where the device daemon can say it.
    fn opener(&self, status: &MirrorStatus) -> Result<Option<String>, String> {
        let Some(device) = &self.device else {
            return Ok(None);
        };
        let answer = call(device, &pseudotape_control::Request::Status, QUESTION);
        let pseudotape_control::Response::Status(told) = answer.map_err(|e| e.to_string())? else {
            return Err("the device daemon answered something else than its status".to_owned());
        };
        let slave_end = status.slave.as_ref();
        let drive = told.drives.iter().find(|drive| {
            let both = slave_end.zip(drive.slave.as_ref());
            both.is_some_and(|(SlaveEndStatus { path, .. }, slave)| {
                slave.socket == *path || slave.node.as_ref() == Some(path)
            })
        });
        Ok(drive.and_then(|drive| drive.open.as_ref()).map(|open| {
            let name = open.program.as_deref().unwrap_or("a program");
            format!("{name} (pid {})", open.pid)
        }))
    }

    /// Has the mirror that is a drive give its volumes up. Says whether it had some.
    fn give_up(&self, drive: Address) -> Result<bool, Refusal> {
        let Some(socket) = self.tape(drive) else {
            return Ok(false);
        };
        let away = |reason: String| Refusal::NotReady {
            reason: format!("the mirror that is drive element {drive}: {reason}"),
        };
        let end = Instant::now() + LAST_CLOSE;
        let status = loop {
            let status = mirror_status(socket).map_err(away)?;
            match self.opener(&status).map_err(away)? {
                None => break status,
                Some(by) if Instant::now() >= end => return Err(Refusal::InUse { drive, by }),
                Some(_) => thread::sleep(LOOK_AGAIN),
            }
        };
        if !status.loaded {
            return Ok(false);
        }
        let Err(reason) = asked(socket, &Request::Unload { force: false }, PATIENCE) else {
            return Ok(true);
        };
        match mirror_status(socket).map_err(away)?.loaded {
            true => Err(Refusal::InUse { drive, by: reason }),
            // They are out, and the next move goes on: this one has to say that some are no copies.
            false => Err(Refusal::UnloadFailed {
                drive,
                reason,
                now_in: drive,
            }),
        }
    }

    /// Has mirrors take again what they gave up.
    fn take_again(&self, drives: &[Address]) {
        for drive in drives {
            if let Some(Err(error)) = self.tape(*drive).map(load) {
                log::error!("drive element {drive} has no volumes any more: {error}");
            }
        }
    }

    /// Has the mirrors of these drives give up their volumes, all or none. Says which had some.
    fn all_give_up(&self, addresses: &[Address]) -> Result<Vec<Address>, Refusal> {
        let mut given = Vec::new();
        for (at, drive) in addresses.iter().enumerate() {
            if addresses[..at].contains(drive) {
                continue;
            }
            match self.give_up(*drive) {
                Ok(true) => given.push(*drive),
                Ok(false) => {}
                Err(refusal) => {
                    self.take_again(&given);
                    return Err(refusal);
                }
            }
        }
        Ok(given)
    }

    /// Moves in the legs. A mirror of tapes has closed its nodes, and the libraries may hear of that a little later.
    fn moved(
        &mut self,
        act: impl Fn(&mut MirrorChanger<OpenChanger>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let end = Instant::now() + LAST_CLOSE;
        loop {
            match act(&mut self.mirror) {
                Err(Refusal::InUse { drive, .. })
                    if self.tape(drive).is_some() && Instant::now() < end =>
                {
                    thread::sleep(LOOK_AGAIN);
                }
                result => return result,
            }
        }
    }

    fn barcode(&mut self, address: Address) -> Option<Barcode> {
        let range = AddressRange {
            first: address,
            count: Some(1),
        };
        let inventory = self
            .mirror
            .inventory(Selection { kind: None, range })
            .ok()?;
        inventory.at(address)?.medium?.barcode
    }

    /// Has the mirror of a drive take what has come. Where it can't, `back` undoes the move.
    fn arrived(
        &mut self,
        drive: Address,
        now_in: Address,
        back: impl Fn(&mut MirrorChanger<OpenChanger>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let Some(Err(reason)) = self.tape(drive).map(load) else {
            return Ok(());
        };
        let cartridge = self.barcode(drive);
        // What it took all the same goes out again.
        if let Err(refusal) = self.give_up(drive) {
            log::warn!("after a load that failed: {refusal}");
        }
        let undone = self.moved(back);
        match (undone, cartridge) {
            (Err(refusal), _) => Err(Refusal::OutOfStep {
                address: drive,
                reason: format!("its volumes can't be loaded: {reason}; then {refusal}"),
            }),
            (Ok(()), Some(cartridge)) => Err(Refusal::LoadFailed {
                drive,
                cartridge,
                reason,
                now_in,
            }),
            (Ok(()), None) => Err(Refusal::Failed { reason }),
        }
    }

    /// As `MirrorChanger::settle`; then the drives' mirrors have what is in their drives.
    pub(super) fn settle(&mut self, right: usize) -> Result<Vec<Address>, Refusal> {
        let drives: Vec<Address> = self.mirror.layout().drives.addresses().collect();
        self.all_give_up(&drives)?;
        let end = Instant::now() + LAST_CLOSE;
        let left = loop {
            match self.mirror.settle(right) {
                Err(Refusal::InUse { .. }) if Instant::now() < end => thread::sleep(LOOK_AGAIN),
                result => break result,
            }
        };
        let inventory = self.mirror.inventory(Selection::of(ElementKind::Drive))?;
        let full = inventory.elements().iter();
        let full = full.filter(|drive| drive.is_full() && drive.exception.is_none());
        let full: Vec<Address> = full.map(|drive| drive.address).collect();
        self.take_again(&full);
        left
    }
}

impl Changer for TapedChanger {
    fn identity(&self) -> ChangerIdentity {
        self.mirror.identity()
    }

    fn layout(&self) -> Layout {
        self.mirror.layout()
    }

    fn drive_identity(&mut self, drive: Address) -> Result<Option<DriveIdentity>, Refusal> {
        self.mirror.drive_identity(drive)
    }

    /// A drive whose nodes its mirror has open is free for moves: the mirror gives them up.
    fn inventory(&mut self, which: Selection) -> Result<Inventory, Refusal> {
        let inventory = self.mirror.inventory(which)?;
        let mut elements = inventory.into_elements();
        for element in &mut elements {
            let Some(status) = self.tape(element.address).map(mirror_status) else {
                continue;
            };
            let Ok(status) = status else {
                continue;
            };
            let opener = self.opener(&status).ok().flatten();
            element.in_use = opener.is_some() || status.in_file;
            element.accessible = !element.in_use && !element.locked;
        }
        Ok(Inventory::new(elements))
    }

    fn transfer(&mut self, cartridge: Move) -> Result<(), Refusal> {
        let Move { from, to, side } = cartridge;
        if from == to {
            return self.mirror.transfer(cartridge);
        }
        // What is refused for its addresses disturbs no drive.
        self.mirror.pairing().check(from, to)?;
        let given = self.all_give_up(&[from, to])?;
        if let Err(refusal) = self.moved(|mirror| mirror.transfer(cartridge)) {
            self.take_again(&given);
            return Err(refusal);
        }
        let back = Move {
            from: to,
            to: from,
            side,
        };
        let arrived = self.arrived(to, from, |mirror| mirror.transfer(back));
        if arrived.is_err() && given.contains(&from) {
            self.take_again(&[from]);
        }
        arrived
    }

    fn exchange(&mut self, exchange: Exchange) -> Result<(), Refusal> {
        let Exchange {
            source,
            first,
            second,
            ..
        } = exchange;
        self.mirror.pairing().check(source, first)?;
        self.mirror.pairing().check(first, second)?;
        let given = self.all_give_up(&[source, first, second])?;
        if let Err(refusal) = self.moved(|mirror| mirror.exchange(exchange)) {
            self.take_again(&given);
            return Err(refusal);
        }
        let back = Exchange {
            source: second,
            first,
            second: source,
            ..exchange
        };
        self.arrived(first, source, |mirror| mirror.exchange(back))?;
        // The second cartridge is where it was to go, whatever its drive says of it.
        match self.tape(second).map(load) {
            Some(Err(reason)) => Err(Refusal::OutOfStep {
                address: second,
                reason: format!("its volumes can't be loaded: {reason}"),
            }),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn position(&mut self, before: Address) -> Result<(), Refusal> {
        self.mirror.position(before)
    }

    fn initialize(&mut self, range: AddressRange) -> Result<(), Refusal> {
        self.mirror.initialize(range)
    }

    fn set_removal(&mut self, removal: Removal) -> Result<(), Refusal> {
        self.mirror.set_removal(removal)
    }
}
