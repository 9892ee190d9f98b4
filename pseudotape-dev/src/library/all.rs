//! All libraries and changers of a daemon, as the control socket sees them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use pseudotape_control::{Conversation, LibraryStatus, Peer, Request, Response};
use pseudotape_rack::ChangerPlace;

use super::changers::Changers;
use super::served::ServedLibrary;

/// What a daemon knows of its nodes.
pub trait ServesNodes {
    /// The nodes of the changer with this number.
    fn of_changer(&self, number: usize) -> Vec<PathBuf>;
    /// The nodes of the drive with this number.
    fn of_drive(&self, number: u32) -> Vec<PathBuf>;
}

/// The libraries that a daemon serves, and the changers of elsewhere.
#[derive(Default)]
pub struct Libraries {
    own: Vec<Arc<ServedLibrary>>,
    changers: Changers,
}

impl Libraries {
    /// Those of this daemon, then those of elsewhere.
    #[must_use]
    pub fn new(own: Vec<Arc<ServedLibrary>>, elsewhere: &[ChangerPlace]) -> Self {
        let changers = Changers::new(&own, elsewhere);
        Libraries { own, changers }
    }

    /// Every changer that is served.
    #[must_use]
    pub fn changers(&self) -> &Changers {
        &self.changers
    }

    /// The libraries of this daemon, in their order.
    #[must_use]
    pub fn own(&self) -> &[Arc<ServedLibrary>] {
        &self.own
    }

    /// The library that has this drive of the daemon.
    #[must_use]
    pub fn of_drive(&self, number: u32) -> Option<&ServedLibrary> {
        let mut libraries = self.own.iter().map(|library| &**library);
        libraries.find(|library| library.has_drive(number))
    }

    /// Refuses a drive that gets its cartridges from its library.
    pub fn expect_by_hand(&self, number: u32) -> Result<()> {
        match self.of_drive(number) {
            Some(library) => bail!(
                "drive {number} is one of library {}: 'pseudotape library move' loads and unloads it",
                library.name()
            ),
            None => Ok(()),
        }
    }

    /// Waits for the moves in hand, which take no simulated time any more.
    pub fn settle(&self) {
        self.own.iter().for_each(|library| library.settle());
    }

    fn find(&self, name: Option<&str>) -> Result<&ServedLibrary> {
        let names = || {
            let names = self.own.iter().map(|library| library.name());
            names.collect::<Vec<_>>().join(", ")
        };
        match (name, &*self.own) {
            (_, []) if self.changers.elsewhere().next().is_some() => {
                let names = self.changers.elsewhere();
                let names: Vec<&str> = names.map(|(_, served, _)| served.name()).collect();
                bail!(
                    "this daemon has no library of its own; its changers of elsewhere are {}",
                    names.join(", ")
                )
            }
            (_, []) => bail!(
                "this daemon has no library: 'pseudotape library create' makes one, [[library]] in the configuration or \
                 --library serves it"
            ),
            (None, [only]) => Ok(&**only),
            (None, _) => bail!("this daemon has several libraries: name one of {}", names()),
            (Some(name), all) => all
                .iter()
                .find(|library| library.name() == name)
                .map(|library| &**library)
                .with_context(|| {
                    format!("there is no library {name}: this daemon has {}", names())
                }),
        }
    }

    /// Does what is asked of libraries and changers; `None`: the request is about something else.
    pub fn act(
        &self,
        request: &Request,
        peer: Peer,
        nodes: &dyn ServesNodes,
    ) -> Option<Result<Response>> {
        match request {
            Request::Libraries { library } => Some(self.status(library.as_deref(), nodes)),
            Request::Library { library, order } => {
                let name = library.as_deref();
                Some(match self.changers.other(name) {
                    Some(other) => Ok(other.order(order)),
                    None => self.find(name).map(|library| library.order(order, peer)),
                })
            }
            // One that there is has begun a conversation.
            Request::Changer { library } => Some(match self.find(library.as_deref()) {
                Ok(library) => Err(anyhow::anyhow!(
                    "library {} can't be reached",
                    library.name()
                )),
                Err(error) => Err(error),
            }),
            _ => None,
        }
    }

    fn status(&self, name: Option<&str>, nodes: &dyn ServesNodes) -> Result<Response> {
        let mut libraries = match (self.changers.other(name), name) {
            (Some(other), _) => vec![other.status()?],
            (None, None) => self.own.iter().map(|library| library.status()).collect(),
            (None, Some(_)) => vec![self.find(name)?.status()],
        };
        for library in &mut libraries {
            self.name_nodes(library, nodes);
        }
        Ok(Response::Libraries { libraries })
    }

    /// Says where programs find a changer, and the drives of one that is this daemon's.
    fn name_nodes(&self, library: &mut LibraryStatus, nodes: &dyn ServesNodes) {
        let mut named = self.changers.named();
        if let Some(number) = named.position(|(name, _)| name == library.name) {
            library.nodes = nodes.of_changer(number);
        }
        if self.own.iter().any(|own| own.name() == library.name) {
            for element in &mut library.elements {
                if let Some(number) = library.drives.number(element.at) {
                    element.nodes = nodes.of_drive(library.first_drive + u32::from(number));
                }
            }
        }
    }

    /// Speaks the protocol of remote changers, where that is asked for.
    #[must_use]
    pub fn conversation(&self, request: &Request) -> Option<(Response, Conversation)> {
        match request {
            Request::Changer { library } => self.changers.conversation(library.as_deref()),
            _ => None,
        }
    }
}
