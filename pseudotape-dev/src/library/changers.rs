//! The changers that the daemon serves: its own libraries, and changers of elsewhere to which it gives a node.

use std::sync::Arc;

use pseudotape_changer::Refusal;
use pseudotape_control::{Conversation, LibraryOrder, LibraryStatus, Response};
use pseudotape_rack::{
    ChangerDoor, ChangerPlace, LendsChanger, NotDone, OnDemand, answer, obey, status,
};

use super::served::ServedLibrary;

/// Every changer that is served, in the order of their nodes.
#[derive(Default)]
pub struct Changers(Vec<Served>);

/// One of them.
pub struct Served {
    name: String,
    owner: Arc<dyn LendsChanger>,
    door: ChangerDoor,
    /// Where it is; `None` for a library of this daemon.
    elsewhere: Option<ChangerPlace>,
}

impl Changers {
    /// Those of the libraries, then those of elsewhere, which are opened when they are first asked.
    #[must_use]
    pub fn new(libraries: &[Arc<ServedLibrary>], places: &[ChangerPlace]) -> Self {
        let own = libraries.iter().map(|library| {
            let owner: Arc<dyn LendsChanger> = library.clone();
            (library.name().to_owned(), owner, None)
        });
        let others = places.iter().enumerate().map(|(number, place)| {
            let name = format!("changer{number}");
            let opened = place.clone();
            let owner: Arc<dyn LendsChanger> =
                Arc::new(OnDemand::new(place.to_string(), move || opened.open()));
            (name, owner, Some(place.clone()))
        });
        let served = own.chain(others).map(|(name, owner, elsewhere)| Served {
            name,
            door: ChangerDoor::new(Arc::clone(&owner)),
            owner,
            elsewhere,
        });
        Changers(served.collect())
    }

    /// Who has each of them.
    pub fn owners(&self) -> impl Iterator<Item = &Arc<dyn LendsChanger>> {
        self.0.iter().map(|served| &served.owner)
    }

    /// The same, with their names.
    pub fn named(&self) -> impl Iterator<Item = (String, Arc<dyn LendsChanger>)> {
        let all = self.0.iter();
        all.map(|served| (served.name.clone(), Arc::clone(&served.owner)))
    }

    /// Those of elsewhere, with the numbers of their nodes.
    pub fn elsewhere(&self) -> impl Iterator<Item = (usize, &Served, &ChangerPlace)> {
        let numbered = self.0.iter().enumerate();
        numbered.filter_map(|(number, served)| Some((number, served, served.elsewhere.as_ref()?)))
    }

    /// The one of elsewhere with this name, or where no name is said the only changer that there is.
    #[must_use]
    pub fn other(&self, name: Option<&str>) -> Option<&Served> {
        let is_meant = |served: &&Served| match name {
            Some(name) => served.name == name,
            None => self.0.len() == 1,
        };
        let mut others = self.0.iter().filter(|served| served.elsewhere.is_some());
        others.find(is_meant)
    }

    /// Speaks the protocol of remote changers for the one with this name, or for the only one.
    #[must_use]
    pub fn conversation(&self, name: Option<&str>) -> Option<(Response, Conversation)> {
        let served = match (name, &*self.0) {
            (None, [only]) => only,
            (None, _) => return None,
            (Some(name), all) => all.iter().find(|served| served.name == name)?,
        };
        let message = format!("changer {}", served.name);
        Some((Response::Done { message }, served.door.conversation()))
    }
}

impl Served {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which cartridge is in which element.
    pub fn status(&self) -> Result<LibraryStatus, Refusal> {
        let mut told = Err(Refusal::NotReady {
            reason: "it was not asked".to_owned(),
        });
        self.owner
            .lend(&mut |changer| told = status(changer, &self.name));
        told
    }

    /// Does what is ordered.
    #[must_use]
    pub fn order(&self, order: &LibraryOrder) -> Response {
        let mut done = Err(NotDone::NotHere("it was not asked"));
        self.owner.lend(&mut |changer| done = obey(changer, order));
        answer(done)
    }
}
