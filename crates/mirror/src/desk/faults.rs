//! Faults on command: what the operator injects into legs (docs/FAULTS.md).

use anyhow::{Result, bail, ensure};
use pseudotape_control::mirror::Response;
use pseudotape_control::{FaultStatus, Peer};
use pseudotape_fault::{Fault, FaultError, Faults, Listed};

use crate::leg_config::LegConfig;

/// The faults of every leg, by its name. Whoever asks here never waits for a leg.
#[derive(Clone, Debug)]
pub(crate) struct LegFaults(Vec<(String, Faults)>);

impl LegFaults {
    pub(crate) fn of(legs: &[LegConfig]) -> Self {
        let legs = legs.iter().map(|leg| &leg.options);
        LegFaults(
            legs.map(|leg| (leg.name.clone(), leg.faults.clone()))
                .collect(),
        )
    }

    /// Removes and injects faults of a leg, all that is asked or nothing; says what there is then.
    pub(crate) fn act(
        &self,
        leg: String,
        remove: &[String],
        faults: &[String],
        peer: Peer,
    ) -> Result<Response> {
        let Some((_, listed)) = self.0.iter().find(|(name, _)| *name == leg) else {
            let names: Vec<_> = self.0.iter().map(|(name, _)| name.as_str()).collect();
            bail!("there is no leg {leg}: the legs are {}", names.join(", "));
        };
        ensure!(
            peer.is_own() || (remove.is_empty() && faults.is_empty()),
            "faults are injected and removed by root and the daemon's own user: ask them, or say 'faults' for the leg in \
             the configuration"
        );
        let understood: Result<Vec<Fault>, FaultError> =
            faults.iter().map(|text| text.parse()).collect();
        let understood = understood?;
        if !remove.is_empty() {
            listed.remove(remove)?;
        }
        if !understood.is_empty() {
            listed.inject(understood)?;
        }
        for fault in remove {
            log::info!("leg {leg}: fault {fault} removed");
        }
        for fault in faults {
            log::warn!("leg {leg}: fault injected: {fault}");
        }
        let faults = statuses(listed);
        Ok(Response::Faults { leg, faults })
    }

    /// Whether volumes can be put into these legs.
    pub(crate) fn expect_load<'a>(&self, legs: impl Iterator<Item = &'a str>) -> Result<()> {
        for leg in legs {
            let listed = self.0.iter().find(|(name, _)| name == leg);
            if let Some(number) = listed.and_then(|(_, listed)| listed.refuses_load()) {
                bail!(
                    "leg {leg}: can't load: injected fault {number}, a load failure ('pseudotape-mirror inject {leg}' \
                     shows it, and removes it with --remove {number})"
                );
            }
        }
        Ok(())
    }

    /// What ends meets no fault, and waits for none.
    pub(crate) fn end(&self) {
        self.0.iter().for_each(|(_, listed)| listed.end());
    }
}

/// The faults of a leg as they are told.
pub(crate) fn statuses(faults: &Faults) -> Vec<FaultStatus> {
    let status = |listed: Listed| FaultStatus {
        number: listed.number,
        fault: listed.fault.to_string(),
        met: listed.met,
        over: listed.over,
        seconds_left: listed.left.map(|left| left.as_secs_f64()),
    };
    faults.listed().into_iter().map(status).collect()
}
