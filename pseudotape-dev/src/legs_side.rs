//! A drive that is a mirror of legs in this daemon, as operators see it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, anyhow, bail};
use pseudotape_control::mirror::{Request, Response};
use pseudotape_control::{DriveLegStatus, DriveMirrorStatus, Operator, Peer};
use pseudotape_mirror::{
    Asked, Desk, GivenUp, Holder, MirrorDrive, Overtime, Place, Public, Served,
};
use pseudotape_tape::{BlockLimits, Drive};

use crate::config::LegsConfig;

/// The operators' side of the mirror that a drive is.
pub(crate) struct LegsSide {
    number: u32,
    desk: Arc<Desk>,
    public: Arc<Public>,
    overtime: Arc<Overtime>,
}

/// The drive itself has the mirror: `st` asks it for its limits whenever they matter, and nobody has to be told.
struct ThisDrive;

impl Holder for ThisDrive {
    fn was_greeted(&self) {}

    fn was_told(&self, _: BlockLimits) {}

    fn hear_limits(&self, _: BlockLimits) {}

    fn part(&self) {}
}

impl LegsSide {
    /// The mirror with the volumes that the configuration names; the flag tells that the daemon is to end.
    pub(crate) fn new(
        number: u32,
        config: &LegsConfig,
        ending: Arc<AtomicBool>,
    ) -> Result<(Served, Arc<LegsSide>)> {
        let mirror = MirrorDrive::new(config.options.clone());
        let place = Place::Drive(number);
        let mut legs = config.legs.clone();
        for leg in &mut legs {
            leg.options.command = place.command();
        }
        let public = Arc::new(Public::new(
            place,
            &config.options,
            &legs,
            mirror.block_limits(),
        ));
        let desk = Arc::new(Desk::new(
            mirror,
            &legs,
            Arc::clone(&public),
            Arc::new(ThisDrive),
            config.lent.clone(),
            Arc::clone(&ending),
        ));
        let overtime = Overtime::new(Arc::clone(&public), config.end_wait);
        let asked = Asked {
            once: &ending,
            twice: &AtomicBool::new(false),
        };
        let loads = Arc::clone(&desk);
        if !overtime.attempt(asked, move || loads.load_first())?? {
            log::info!(
                "drive {number}: no volumes yet: 'pseudotape-mirror --drive {number} load' puts them in"
            );
        }
        let served = desk.drive();
        let side = LegsSide {
            number,
            desk,
            public,
            overtime,
        };
        Ok((served, Arc::new(side)))
    }

    /// Does what an operator asks of the mirror.
    pub(crate) fn act(&self, request: Request, peer: Peer) -> Response {
        self.desk.answer(request, peer)
    }

    /// Takes the volumes out, for an operator who unloads the drive.
    pub(crate) fn unload(&self, force: bool) -> Result<String> {
        let daemon = Peer {
            pid: std::process::id(),
            uid: None,
        };
        match self.act(Request::Unload { force }, daemon) {
            Response::Done { message } => Ok(format!("drive {}: {message}", self.number)),
            Response::Error { message } => bail!("drive {}: {message}", self.number),
            Response::Status(_) | Response::Faults { .. } => {
                bail!(
                    "drive {}: an unload was answered by something else",
                    self.number
                )
            }
        }
    }

    /// Says why the drive takes no cartridge, and what takes one.
    pub(crate) fn has_the_cartridges(&self) -> anyhow::Error {
        let number = self.number;
        anyhow!(
            "drive {number} is a mirror of legs, and each leg has a volume: 'pseudotape-mirror --drive {number} load \
             LEG=SINK...' loads them, and what is done to one of them is done to its image while it is unloaded"
        )
    }

    /// The state in short; waits for nobody.
    pub(crate) fn summary(&self) -> DriveMirrorStatus {
        let status = self.public.brief();
        let legs = status.legs.into_iter();
        DriveMirrorStatus {
            degraded: status.degraded,
            refused: status.refused,
            legs: legs
                .map(|leg| DriveLegStatus {
                    name: leg.name,
                    sink: leg.sink,
                    state: leg.state.word().to_owned(),
                })
                .collect(),
        }
    }

    /// Notes how much each leg has stored. To be called once a second.
    pub(crate) fn sample(&self) {
        self.public.sample();
    }

    /// What ends meets no fault, and waits for none.
    pub(crate) fn end_faults(&self) {
        self.desk.end_faults();
    }

    /// Does something of the end of the drive, and waits for it as long as the legs do something.
    pub(crate) fn attempt<R: Send + 'static>(
        &self,
        asked: Asked<'_>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, GivenUp> {
        self.overtime.attempt(asked, work)
    }

    /// Brings all legs to stable storage and closes them; a volume that is no copy then is an error.
    pub(crate) fn end(&self) -> Result<()> {
        self.desk.end()?;
        let status = self.public.brief();
        let lost: Vec<_> = status
            .legs
            .iter()
            .filter_map(|leg| {
                let from = leg.not_mirrored_from?;
                Some(format!(
                    "leg {}: not mirrored from object {from} on",
                    leg.name
                ))
            })
            .collect();
        match lost.is_empty() {
            true => Ok(()),
            false => bail!("{}", lost.join("; ")),
        }
    }
}
