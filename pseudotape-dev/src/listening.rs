//! What a daemon of drives listens to: signals that ask it to end, and its control socket.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use anyhow::{Context, Result};
use pseudotape_control::{ControlServer, Operator, rights_in_words};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::ControlConfig;
use crate::ends::Ends;
use crate::frontend::socket_group;

/// How another group of the control socket is named.
const CONTROL_GROUP: &str = "'group' of [control]";

/// Listens for the signals that ask the daemon to end. To be called before anything else, so that an early SIGTERM ends
/// the daemon cleanly as well.
pub fn listen_for_signals<E: Send + 'static>(
    events: Sender<E>,
    event: impl Fn(i32) -> E + Send + 'static,
    ends: Ends,
) -> Result<()> {
    let mut signals =
        Signals::new([SIGTERM, SIGINT, SIGHUP]).context("can't listen for signals")?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                if ends.once.swap(true, Ordering::SeqCst) {
                    ends.twice.store(true, Ordering::SeqCst);
                }
                if events.send(event(signal)).is_err() {
                    return;
                }
            }
        })
        .context("can't start the signal thread")?;
    Ok(())
}

/// Answers on the control socket, until the server is dropped.
pub fn listen_control<O: Operator>(
    config: &ControlConfig,
    operator: &Arc<O>,
) -> Result<ControlServer> {
    let group = socket_group(&config.group, CONTROL_GROUP)?;
    let (mode, most) = (config.mode, config.max_clients);
    let operator = Arc::clone(operator);
    Ok(ControlServer::start(
        &config.socket,
        mode,
        group,
        most,
        operator,
    )?)
}

/// Where the control socket is, and who may do what there.
pub fn control_in_words(config: &ControlConfig) -> Result<String> {
    let group = socket_group(&config.group, CONTROL_GROUP)?;
    let rights = rights_in_words(group, config.mode, &config.lent.to_string());
    Ok(format!("control: {} ({rights})", config.socket.display()))
}
