//! A mirror of changers that is served.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pseudotape_changer::{Changer, ChangerLeg, MirrorChanger, Refusal};
use pseudotape_control::{ControlServer, Conversation, Operator, Peer};
use pseudotape_human::explain;
use pseudotape_rack::{Away, ByHand, ChangerDoor, LendsChanger, NotDone, answer, obey, status};

use super::messages::{Disagreement, LegsStatus, Request, Response};
use super::tapes::TapedChanger;
use crate::config::{ChangerConfig, ControlConfig};

/// How long a person waits for the move in hand before he is told that there is one.
const SOON: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The changer, once every leg could be asked for its elements. Its lock is held for one move.
struct Holder {
    config: ChangerConfig,
    opened: Mutex<Option<TapedChanger>>,
}

impl Holder {
    /// Calls `act` with the changer, which is opened where it is not yet.
    fn with<T>(&self, act: impl FnOnce(&mut TapedChanger) -> T) -> io::Result<T> {
        let opened = self.opened.lock();
        self.with_opened(opened.unwrap_or_else(PoisonError::into_inner), act)
    }

    /// The same for a person who asks: he does not wait for the end of a long move.
    fn with_soon<T>(&self, act: impl FnOnce(&mut TapedChanger) -> T) -> io::Result<T> {
        let end = Instant::now() + SOON;
        loop {
            match self.opened.try_lock() {
                Ok(opened) => return self.with_opened(opened, act),
                Err(TryLockError::Poisoned(opened)) => {
                    return self.with_opened(opened.into_inner(), act);
                }
                Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(LOOK_AGAIN),
                Err(TryLockError::WouldBlock) => {
                    let text = "a move or another question is going on: ask again later";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
            }
        }
    }

    fn with_opened<T>(
        &self,
        mut opened: MutexGuard<'_, Option<TapedChanger>>,
        act: impl FnOnce(&mut TapedChanger) -> T,
    ) -> io::Result<T> {
        if opened.is_none() {
            *opened = Some(open(&self.config)?);
            log::info!("changer {}: every leg answers", self.config.name);
        }
        opened
            .as_mut()
            .map(act)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

fn open(config: &ChangerConfig) -> io::Result<TapedChanger> {
    let mut legs = Vec::new();
    for leg in &config.legs {
        let mut libraries = Vec::new();
        for place in &leg.libraries {
            let changer = place.open_with(config.question).map_err(|error| {
                let text = format!("leg {}, {place}: {error}", leg.name);
                io::Error::new(error.kind(), text)
            })?;
            libraries.push((place.to_string(), changer));
        }
        legs.push(ChangerLeg {
            name: leg.name.clone(),
            libraries,
        });
    }
    let mirror = MirrorChanger::new(config.serial.clone(), legs).map_err(io::Error::other)?;
    Ok(TapedChanger {
        mirror,
        drives: config.drives.clone(),
        device: config.device.clone(),
    })
}

impl LendsChanger for Holder {
    fn lend(&self, act: &mut dyn FnMut(&mut dyn Changer)) {
        if let Err(error) = self.with(|changer| act(changer)) {
            log::warn!("changer {}: {error}", self.config.name);
            act(&mut Away::new(error.to_string()));
        }
    }

    fn by_hand(&self) -> ByHand {
        // The legs' own daemons know.
        ByHand::default()
    }
}

/// A mirror of changers behind its socket; ends when it is dropped, after the move in hand.
pub(crate) struct ServedChanger {
    server: Option<ControlServer>,
    desk: Arc<Desk>,
}

impl ServedChanger {
    /// Listens. The legs may come later.
    pub(crate) fn start(config: &ChangerConfig, control: &ControlConfig) -> Result<Self> {
        let holder = Arc::new(Holder {
            config: config.clone(),
            opened: Mutex::default(),
        });
        let desk = Arc::new(Desk {
            door: ChangerDoor::new(holder.clone()),
            holder,
        });
        let server = ControlServer::start(
            &config.socket,
            control.mode,
            control.group,
            control.max_clients,
            Arc::clone(&desk),
        );
        let server = server.with_context(|| format!("changer {}", config.name))?;
        Ok(ServedChanger {
            server: Some(server),
            desk,
        })
    }
}

impl Drop for ServedChanger {
    fn drop(&mut self) {
        drop(self.server.take());
        let opened = &self.desk.holder.opened;
        drop(opened.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Does what is asked on the socket.
struct Desk {
    holder: Arc<Holder>,
    door: ChangerDoor,
}

impl Desk {
    fn act(&self, request: &Request) -> Result<Response> {
        let name = &self.holder.config.name;
        match request {
            Request::Libraries { library } => {
                self.named(library.as_deref())?;
                let told = self.holder.with(|changer| status(changer, name))??;
                let libraries = vec![told];
                Ok(Response::Library(pseudotape_control::Response::Libraries {
                    libraries,
                }))
            }
            Request::Library { library, order } => {
                self.named(library.as_deref())?;
                let mut done = Err(NotDone::NotHere("it was not asked"));
                self.holder.lend(&mut |changer| done = obey(changer, order));
                match &done {
                    Ok(message) => log::info!("changer {name}: {message}"),
                    Err(NotDone::Refused(refusal)) => log::warn!("changer {name}: {refusal}"),
                    Err(NotDone::NotHere(_)) => {}
                }
                Ok(Response::Library(answer(done)))
            }
            // The one that there is has begun a conversation.
            Request::Changer { library } => {
                self.named(library.as_deref())?;
                bail!("changer {name} can't be reached");
            }
            Request::Legs => Ok(Response::Legs { legs: self.legs() }),
            Request::Settle { leg } => {
                let message = self.settle(leg)?;
                log::info!("changer {name}: {message}");
                Ok(Response::Library(pseudotape_control::Response::Done {
                    message,
                }))
            }
        }
    }

    fn named(&self, name: Option<&str>) -> Result<()> {
        let own = &self.holder.config.name;
        match name {
            Some(other) if other != own => bail!("there is no library {other}: here is {own}"),
            Some(_) | None => Ok(()),
        }
    }

    fn legs(&self) -> LegsStatus {
        let config = &self.holder.config;
        let legs = config.legs.iter().map(|leg| {
            let libraries = leg.libraries.iter().map(ToString::to_string);
            (leg.name.clone(), libraries.collect())
        });
        let mut status = LegsStatus {
            name: config.name.clone(),
            legs: legs.collect(),
            pairing: None,
            problem: None,
            out_of_step: Vec::new(),
        };
        let asked = self.holder.with_soon(|changer| {
            status.pairing = Some(changer.mirror.pairing().to_string());
            changer.mirror.disagreements()
        });
        match asked {
            Ok(Ok(all)) => {
                let all = all.into_iter().map(|(element, says)| Disagreement {
                    element: element.0,
                    says,
                });
                status.out_of_step = all.collect();
            }
            Ok(Err(refusal)) => status.problem = Some(refusal.to_string()),
            Err(error) => status.problem = Some(error.to_string()),
        }
        status
    }

    fn settle(&self, leg: &str) -> Result<String> {
        let legs = &self.holder.config.legs;
        let right = legs.iter().position(|other| other.name == leg);
        let right = right.with_context(|| {
            let names: Vec<&str> = legs.iter().map(|leg| leg.name.as_str()).collect();
            format!("there is no leg {leg}: the legs are {}", names.join(", "))
        })?;
        let left: Result<_, Refusal> = self.holder.with(|changer| changer.settle(right))?;
        let left = left?;
        if left.is_empty() {
            return Ok(format!("every cartridge is where it is in leg {leg}"));
        }
        let (says, lacking) = self.holder.with(|changer| -> Result<_, Refusal> {
            let says = changer.mirror.disagreements()?;
            Ok((says, changer.mirror.lacking(right)?))
        })??;
        let says = says
            .iter()
            .map(|(element, says)| format!("element {element}: {says}"));
        let lacking = lacking.iter().map(|(barcode, leg)| {
            format!(
                "leg {leg} has no {barcode}: 'pseudotape library add' puts it into that library"
            )
        });
        let all: Vec<String> = says.chain(lacking).collect();
        bail!("still out of step: {}", all.join("; "));
    }
}

impl Operator for Desk {
    type Request = Request;
    type Response = Response;

    fn answer(&self, request: Request, _: Peer) -> Response {
        self.act(&request).unwrap_or_else(|error| {
            let message = explain(error.chain());
            log::warn!("changer {}: {message}", self.holder.config.name);
            self.refusal(message)
        })
    }

    fn refusal(&self, message: String) -> Response {
        Response::Library(pseudotape_control::Response::Error { message })
    }

    fn conversation(&self, request: &Request, _: Peer) -> Option<(Response, Conversation)> {
        match request {
            Request::Changer { library } => {
                self.named(library.as_deref()).ok()?;
                let message = format!("changer {}", self.holder.config.name);
                let done = Response::Library(pseudotape_control::Response::Done { message });
                Some((done, self.door.conversation()))
            }
            _ => None,
        }
    }
}
