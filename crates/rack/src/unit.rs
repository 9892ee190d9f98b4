//! The unit of a changer that is lent: its commands, and the news of its operator.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pseudotape_changer::Refusal;
use pseudotape_scsi::{ChangerUnit, Nexus, Program, Reason, Reply, SenseKey};

use crate::lend::{ByHand, LendsChanger};

/// A changer behind a host adapter sees one initiator, whatever program uses it, and so does this one: what one program
/// has reserved, others can use. News is told to each program.
const HOST: Nexus = Nexus(0);

/// A unit, and what of the operator's changes it has told.
#[derive(Default)]
struct Unit {
    unit: ChangerUnit,
    told: ByHand,
}

/// SCSI commands for a changer, whoever carries them.
pub struct LentUnit {
    owner: Arc<dyn LendsChanger>,
    unit: Mutex<Unit>,
}

impl LentUnit {
    /// A unit that nobody has come to.
    #[must_use]
    pub fn new(owner: Arc<dyn LendsChanger>) -> Self {
        LentUnit {
            owner,
            unit: Mutex::default(),
        }
    }

    /// Whoever has the changer.
    #[must_use]
    pub fn owner(&self) -> &Arc<dyn LendsChanger> {
        &self.owner
    }

    /// A program comes: what happened before is no news to it.
    pub fn greet(&self, program: Program) {
        self.unit().unit.greet(HOST, program);
    }

    /// A program goes.
    pub fn dismiss(&self, program: Program) {
        self.unit().unit.dismiss(HOST, program);
    }

    /// Does one command of a program.
    pub fn execute(&self, program: Program, cdb: &[u8]) -> Reply {
        let mut unit = self.unit();
        let mut reply = Reply::default();
        self.owner
            .lend(&mut |changer| reply = unit.unit.execute(HOST, program, cdb, changer));
        if let Some(sense) = reply.sense {
            log::debug!("{cdb:02x?}: {sense}");
        }
        reply
    }

    /// The same for a driver that hears the news itself, and gives the command again.
    pub fn execute_past_news(&self, program: Program, cdb: &[u8]) -> Reply {
        loop {
            let reply = self.execute(program, cdb);
            let news = |sense: &pseudotape_scsi::Sense| sense.key == SenseKey::UnitAttention;
            if !reply.sense.as_ref().is_some_and(news) {
                return reply;
            }
        }
    }

    /// The unit is reset.
    pub fn reset(&self) -> Result<(), Refusal> {
        let mut unit = self.unit();
        let mut done = Ok(());
        self.owner
            .lend(&mut |changer| done = unit.unit.reset(changer));
        done
    }

    /// The unit, with the news up to now.
    fn unit(&self) -> MutexGuard<'_, Unit> {
        let mut unit = self.unit.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.owner.by_hand();
        if now.import_export != unit.told.import_export {
            unit.unit.tell_all(Reason::IMPORT_EXPORT_ACCESSED);
        }
        if now.slots != unit.told.slots {
            unit.unit.tell_all(Reason::MEDIUM_MAY_HAVE_CHANGED);
        }
        unit.told = now;
        unit
    }
}
