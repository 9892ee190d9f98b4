//! A changer that several programs use, one command after the other.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use pseudotape_changer::{
    Address, AddressRange, Changer, ChangerIdentity, ChangerServer, DriveIdentity, Exchange,
    Inventory, Layout, Move, Refusal, Removal, Selection, serve_changer,
};
use pseudotape_control::Conversation;

use crate::road::OpenChanger;

/// Whoever has a changer, and lends it for one command.
pub trait LendsChanger: Send + Sync {
    /// Calls `act` once with the changer, when nobody else has it.
    fn lend(&self, act: &mut dyn FnMut(&mut dyn Changer));

    /// What an operator has done by hand so far, as far as that is known here.
    fn by_hand(&self) -> ByHand;
}

/// How often an operator has put cartridges in or taken them out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByHand {
    /// Of slots, for which he opens the cabinet.
    pub slots: u64,
    /// Of import/export slots.
    pub import_export: u64,
}

/// A changer that is lent anew for each call.
pub struct Lent(Arc<dyn LendsChanger>);

impl Lent {
    /// Uses what the owner lends.
    #[must_use]
    pub fn new(owner: Arc<dyn LendsChanger>) -> Self {
        Lent(owner)
    }

    fn with<T>(&self, act: impl FnOnce(&mut dyn Changer) -> T) -> T {
        let (mut act, mut result) = (Some(act), None);
        self.0.lend(&mut |changer| {
            if let Some(act) = act.take() {
                result = Some(act(changer));
            }
        });
        result.expect("an owner calls back once")
    }
}

impl Changer for Lent {
    fn identity(&self) -> ChangerIdentity {
        self.with(|changer| changer.identity())
    }

    fn layout(&self) -> Layout {
        self.with(|changer| changer.layout())
    }

    fn drive_identity(&mut self, drive: Address) -> Result<Option<DriveIdentity>, Refusal> {
        self.with(|changer| changer.drive_identity(drive))
    }

    fn inventory(&mut self, which: Selection) -> Result<Inventory, Refusal> {
        self.with(|changer| changer.inventory(which))
    }

    fn transfer(&mut self, cartridge: Move) -> Result<(), Refusal> {
        self.with(|changer| changer.transfer(cartridge))
    }

    fn exchange(&mut self, exchange: Exchange) -> Result<(), Refusal> {
        self.with(|changer| changer.exchange(exchange))
    }

    fn position(&mut self, before: Address) -> Result<(), Refusal> {
        self.with(|changer| changer.position(before))
    }

    fn initialize(&mut self, range: AddressRange) -> Result<(), Refusal> {
        self.with(|changer| changer.initialize(range))
    }

    fn set_removal(&mut self, removal: Removal) -> Result<(), Refusal> {
        self.with(|changer| changer.set_removal(removal))
    }
}

/// The way in for remote changers: all clients of one changer come by one of these.
pub struct ChangerDoor(Arc<Mutex<ChangerServer<Lent>>>);

impl ChangerDoor {
    /// Serves what the owner lends.
    #[must_use]
    pub fn new(owner: Arc<dyn LendsChanger>) -> Self {
        ChangerDoor(Arc::new(Mutex::new(ChangerServer::new(Lent::new(owner)))))
    }

    /// Serves one client of a control socket.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        let server = Arc::clone(&self.0);
        Box::new(move |connection| serve_changer(&server, connection))
    }
}

/// How a changer is opened; says why it is not there, for a person.
type Opening = Box<dyn Fn() -> io::Result<OpenChanger> + Send + Sync>;

/// A changer that is opened when it is first needed: it may come later than who uses it.
pub struct OnDemand {
    open: Opening,
    name: String,
    opened: Mutex<Option<OpenChanger>>,
}

impl OnDemand {
    /// Opens the changer by this function, again and again until it succeeds.
    #[must_use]
    pub fn new(
        name: String,
        open: impl Fn() -> io::Result<OpenChanger> + Send + Sync + 'static,
    ) -> Self {
        OnDemand {
            open: Box::new(open),
            name,
            opened: Mutex::default(),
        }
    }
}

impl LendsChanger for OnDemand {
    fn lend(&self, act: &mut dyn FnMut(&mut dyn Changer)) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.is_none() {
            match (self.open)() {
                Ok(changer) => *opened = Some(changer),
                Err(error) => {
                    let reason = format!("{}: {error}", self.name);
                    log::warn!("changer {reason}");
                    return act(&mut Away::new(reason));
                }
            }
        }
        if let Some(changer) = &mut *opened {
            act(&mut **changer);
        }
    }

    fn by_hand(&self) -> ByHand {
        // Only the daemon that has the library knows, and the protocol of remote changers has no message for news. A
        // comparison of two inventories would also find what another client has moved, and call that an operator's
        // hand. So a program learns of the operator when it asks what is where.
        ByHand::default()
    }
}

/// A changer that is not there yet.
#[derive(Debug)]
pub struct Away {
    reason: String,
}

impl Away {
    /// It is not there for this reason.
    #[must_use]
    pub fn new(reason: String) -> Self {
        Away { reason }
    }

    fn refusal<T>(&self) -> Result<T, Refusal> {
        let reason = self.reason.clone();
        Err(Refusal::NotReady { reason })
    }
}

impl Changer for Away {
    fn identity(&self) -> ChangerIdentity {
        ChangerIdentity {
            vendor: "PSEUDO".to_owned(),
            product: "CHANGER".to_owned(),
            revision: "0001".to_owned(),
            serial: String::new(),
        }
    }

    fn layout(&self) -> Layout {
        Layout::UNKNOWN
    }

    fn drive_identity(&mut self, _: Address) -> Result<Option<DriveIdentity>, Refusal> {
        self.refusal()
    }

    fn inventory(&mut self, _: Selection) -> Result<Inventory, Refusal> {
        self.refusal()
    }

    fn transfer(&mut self, _: Move) -> Result<(), Refusal> {
        self.refusal()
    }

    fn exchange(&mut self, _: Exchange) -> Result<(), Refusal> {
        self.refusal()
    }

    fn position(&mut self, _: Address) -> Result<(), Refusal> {
        self.refusal()
    }

    fn initialize(&mut self, _: AddressRange) -> Result<(), Refusal> {
        self.refusal()
    }

    fn set_removal(&mut self, _: Removal) -> Result<(), Refusal> {
        self.refusal()
    }
}
