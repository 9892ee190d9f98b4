//! The daemon's life: volumes, slave end, control socket, then wait for the end.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pseudotape_control::{ControlServer, Readiness, rights_in_words};
use pseudotape_mirror::{Desk, EXIT_IMPATIENT, Holder, MirrorDrive, Overtime, Place, Public};
use pseudotape_tape::Drive;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::changer::ServedChanger;
use crate::config::{Config, ControlConfig};
use crate::daemon::attach::{self, SlaveEnd};
use crate::daemon::event::Event;

/// How often the throughput is sampled.
const SAMPLE: Duration = Duration::from_secs(1);

/// How the daemon ended, where it could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every volume is a copy.
    Well,
    /// Some volume is no copy, or the daemon ended by itself.
    Degraded,
}

/// Is the mirror until a signal asks to end; then brings all legs to stable storage.
pub fn run(config: &Config, mut readiness: Readiness) -> Result<Ending> {
    // Before anything else, so that an early SIGTERM ends cleanly as well.
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("can't listen for signals")?;
    let (asked, ends) = channel();
    let mirror = MirrorDrive::new(config.mirror.clone());
    let public = Arc::new(Public::new(
        Place::SlaveEnd(config.slave.clone()),
        &config.mirror,
        &config.legs,
        mirror.block_limits(),
    ));
    let overtime = Overtime::new(Arc::clone(&public), config.end_wait);
    let ending = Arc::new(AtomicBool::new(false));
    let asks = Asks {
        ending: Arc::clone(&ending),
        overtime: Arc::clone(&overtime),
        asked: asked.clone(),
    };
    listen(signals, asks)?;
    let end = Arc::new(SlaveEnd::new(config.slave.clone(), Arc::clone(&public)));
    let desk = Arc::new(Desk::new(
        mirror,
        &config.legs,
        Arc::clone(&public),
        Arc::clone(&end) as Arc<dyn Holder>,
        config.control.lent.clone(),
        Arc::clone(&ending),
    ));
    load(config, &desk)?;
    let ControlConfig {
        socket,
        mode,
        group,
        max_clients,
        ..
    } = &config.control;
    let control = ControlServer::start(socket, *mode, *group, *max_clients, Arc::clone(&desk))?;
    attach::start(end, desk.drive(), asked)?;
    let changers = config.changers.iter();
    let changers = changers.map(|changer| ServedChanger::start(changer, &config.control));
    let changers: Vec<ServedChanger> = changers.collect::<Result<_>>()?;
    announce(config, &public);
    readiness.announce();
    let event = loop {
        match ends.recv_timeout(SAMPLE) {
            Ok(event) => break event,
            Err(RecvTimeoutError::Timeout) => public.sample(),
            Err(RecvTimeoutError::Disconnected) => bail!("nobody is left to end the daemon"),
        }
    };
    match event {
        Event::Signal(signal) => {
            log::info!("ends: signal {signal}; stores what the legs still have to get");
        }
        Event::ServingEnded => {
            log::error!("ends: nothing serves the slave end any more");
            ending.store(true, Ordering::SeqCst);
            overtime.begin();
        }
    }
    readiness.announce_end();
    // What ends meets no fault, and waits for none.
    desk.end_faults();
    // A move in hand needs the mirror to its end.
    drop(changers);
    // A command that asks has to see that the daemon ends, and an order that goes on has to end first.
    drop(control);
    let ended = desk.end();
    let status = public.status();
    for leg in &status.legs {
        if let Some(from) = leg.not_mirrored_from {
            log::error!("leg {}: not mirrored from object {from} on", leg.name);
        }
    }
    ended?;
    let well = matches!(event, Event::Signal(_)) && !status.degraded;
    Ok(if well { Ending::Well } else { Ending::Degraded })
}

fn load(config: &Config, desk: &Desk) -> Result<()> {
    match desk.load_first() {
        Ok(true) => Ok(()),
        Ok(false) => {
            log::info!("no volumes yet: 'pseudotape-mirror load' puts them in");
            Ok(())
        }
        Err(error) if config.by_changer => {
            log::info!("no volumes until the changer loads some: {error:#}");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// How a signal asks the daemon to end.
struct Asks {
    /// What takes long and can be done again is given up.
    ending: Arc<AtomicBool>,
    /// What can't be given up is not waited for without limit.
    overtime: Arc<Overtime>,
    asked: Sender<Event>,
}

/// Listens for signals: the first one asks the daemon to end, the next one ends it at once.
fn listen(mut signals: Signals, asks: Asks) -> Result<()> {
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            let mut before = false;
            for signal in signals.forever() {
                asks.ending.store(true, Ordering::SeqCst);
                asks.overtime.begin();
                if before || asks.asked.send(Event::Signal(signal)).is_err() {
                    log::error!("ends at once: what was not stored yet is not on its leg");
                    std::process::exit(EXIT_IMPATIENT);
                }
                before = true;
            }
        })
        .context("can't start the signal thread")?;
    Ok(())
}

/// Prints what is mirrored where.
fn announce(config: &Config, public: &Public) {
    let mut text = format!("slave end: {}\n", config.slave.display());
    let status = public.status();
    for leg in &status.legs {
        let sink = leg.sink.as_deref().unwrap_or("nothing in it yet");
        text.push_str(&format!(
            "leg {}: {sink} ({}, {})\n",
            leg.name, leg.class, leg.when
        ));
    }
    for changer in &config.changers {
        let socket = changer.socket.display();
        text.push_str(&format!("changer {}: library:{socket}\n", changer.name));
    }
    let ControlConfig {
        socket,
        mode,
        group,
        lent,
        ..
    } = &config.control;
    let rights = rights_in_words(*group, *mode, &lent.to_string());
    text.push_str(&format!("control: {} ({rights})\n", socket.display()));
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason not to serve.
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        log::warn!("can't print what is mirrored: {error}");
    }
}
