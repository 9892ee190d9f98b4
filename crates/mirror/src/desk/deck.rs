//! The volumes in the mirror: how they come in and go out.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};
use pseudotape_sink::Sink;
use pseudotape_tape::Drive;

use crate::desk::gone::Gone;
use crate::desk::public::{LoadedLeg, Public, Volume};
use crate::desk::sink_leg::{self, Opened};
use crate::leg::{LegFailure, LegOptions, When};
use crate::leg_config::LegConfig;
use crate::mirror::MirrorDrive;

/// The mirror, and which volumes are or were in its legs.
pub(crate) struct Deck {
    pub(crate) mirror: MirrorDrive,
    legs: Vec<LegConfig>,
    public: Arc<Public>,
    /// Volumes that were unloaded, and whose queues are not empty yet.
    leaving: Vec<Leaving>,
}

/// A volume that is being closed.
pub(crate) struct Leaving {
    name: String,
    thread: JoinHandle<Result<(), LegFailure>>,
}

impl Leaving {
    /// Waits until the volume is closed.
    pub(crate) fn wait(self) -> Result<(), String> {
        let Leaving { name, thread } = self;
        match thread.join() {
            Ok(finished) => finished.map_err(|failure| failure.to_string()),
            Err(_) => Err(format!("leg {name}: it panicked")),
        }
    }
}

impl Deck {
    pub(crate) fn new(legs: &[LegConfig], mirror: MirrorDrive, public: Arc<Public>) -> Self {
        Deck {
            mirror,
            legs: legs.to_vec(),
            public,
            leaving: Vec::new(),
        }
    }

    /// How the legs are treated, and which volumes are or were in them.
    pub(crate) fn legs(&self) -> &[LegConfig] {
        &self.legs
    }

    /// The options of a leg.
    pub(crate) fn options(&self, name: &str) -> Result<(LegOptions, Option<Sink>)> {
        match self.legs.iter().find(|leg| leg.options.name == name) {
            Some(leg) => Ok((leg.options.clone(), leg.sink.clone())),
            None => bail!("there is no leg {name}: the legs are {}", self.names()),
        }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.legs.iter().map(|leg| &*leg.options.name).collect();
        names.join(", ")
    }

    /// Whether volumes are in that the program did not unload.
    pub(crate) fn is_loaded(&self) -> bool {
        self.mirror.has_legs()
    }

    /// Puts opened volumes in, one for each leg, in the order of the configuration.
    pub(crate) fn insert(&mut self, opened: Vec<Opened>) -> Result<()> {
        let mut legs = Vec::new();
        let mut sinks = Vec::new();
        let mut refusals = Vec::new();
        for Opened { leg, sink, refusal } in opened {
            legs.push(leg);
            sinks.push(sink);
            refusals.push(refusal);
        }
        self.mirror.insert(legs)?;
        let legs = self.mirror.legs().zip(&sinks).zip(refusals);
        let public = legs.map(|(((options, board), sink), refusal)| LoadedLeg {
            options: options.clone(),
            sink: sink.clone(),
            refusal,
            board,
        });
        self.public.set_loaded(public.collect());
        self.public.set_refused(self.mirror.refusal());
        self.public.set_limits(self.mirror.block_limits());
        for (leg, sink) in self.legs.iter_mut().zip(sinks) {
            leg.sink = Some(sink);
        }
        Ok(())
    }

    /// Opens the last volumes again: a program unloaded them, and loads now. Nothing where volumes are in.
    pub(crate) fn insert_again(&mut self) -> Result<()> {
        if self.is_loaded() {
            return Ok(());
        }
        let sinks: Option<Vec<_>> = self.legs.iter().map(|leg| leg.sink.clone()).collect();
        let Some(sinks) = sinks else {
            bail!("no volumes were ever put in: 'pseudotape-mirror load' does");
        };
        for leaving in self.take_leaving() {
            leaving.wait().map_err(anyhow::Error::msg)?;
        }
        let opened = open(&self.legs, &sinks)?;
        self.insert(opened)?;
        // A program that loads volumes knows that they are new: it is not told of a changed medium.
        if let Err(failed) = self.mirror.test_ready() {
            log::debug!("after the load: {failed}");
        }
        Ok(())
    }

    /// Takes all volumes out and closes them; deferred legs catch up and are closed afterwards.
    pub(crate) fn eject(&mut self) -> Result<()> {
        let mut closing = Vec::new();
        for (options, _, ejected) in self.mirror.eject() {
            let name = options.name.clone();
            let public = Arc::clone(&self.public);
            public.set_volume(&name, Volume::Leaving);
            let thread = std::thread::Builder::new()
                .name(format!("close {name}"))
                .spawn(move || {
                    let finished = ejected.finish();
                    if let Err(failure) = &finished {
                        log::error!("{failure}");
                    }
                    public.set_volume(&options.name, Volume::None);
                    finished
                })
                .context("can't start the thread that closes a leg")?;
            closing.push((options_when(&self.legs, &name), Leaving { name, thread }));
        }
        self.public.set_unloaded();
        let mut failures = Vec::new();
        for (when, leaving) in closing {
            match when {
                When::Deferred => self.leaving.push(leaving),
                When::Sync | When::Unload => failures.extend(leaving.wait().err()),
            }
        }
        if failures.is_empty() {
            return Ok(());
        }
        bail!("{}", failures.join("; "))
    }

    /// The volumes that are still being closed.
    pub(crate) fn take_leaving(&mut self) -> Vec<Leaving> {
        std::mem::take(&mut self.leaving)
    }

    /// Closes a leg that is out of step, or was dropped. In its place is no drive until another one is put there.
    pub(crate) fn part_with(&mut self, name: &str) -> Result<()> {
        let old = self.mirror.replace_drive(name, Box::new(Gone))?;
        if let Err(reason) = old.finish() {
            // Only a warning: the volume was no copy any more.
            log::warn!("leg {name}: {reason}");
        }
        Ok(())
    }

    /// Another sink is in a leg.
    pub(crate) fn set_sink(&mut self, name: &str, sink: &Sink, refusal: Option<String>) {
        for leg in &mut self.legs {
            if leg.options.name == name {
                leg.sink = Some(sink.clone());
            }
        }
        self.public.set_sink(name, sink, refusal);
    }
}

fn options_when(legs: &[LegConfig], name: &str) -> When {
    let leg = legs.iter().find(|leg| leg.options.name == name);
    leg.map_or(When::Sync, |leg| leg.options.when)
}

/// Opens a sink for every leg, in their order; the first that can't be opened is the error.
pub(crate) fn open(legs: &[LegConfig], sinks: &[Sink]) -> Result<Vec<Opened>> {
    let opened = legs.iter().zip(sinks).map(|(leg, sink)| {
        sink_leg::open(&leg.options, sink).with_context(|| format!("leg {}", leg.options.name))
    });
    opened.collect()
}
