//! A library that is served.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use pseudotape_changer::{ElementKind, FileHost, Library, Robot};
use pseudotape_rack::{ByHand, LendsChanger};

use super::bays::DriveBays;
use super::delay::{Delay, Times};
use crate::tape_drive::TapeDrive;
use crate::vault::Volumes;

/// A changer over the drives of this daemon.
pub(super) type Changer = Robot<FileHost, DriveBays>;

/// A library, its drives and its folder, behind one lock: a changer has one hand.
pub struct ServedLibrary {
    name: String,
    pub(super) folder: PathBuf,
    pub(super) first_drive: u32,
    pub(super) drives: Vec<Arc<TapeDrive>>,
    changer: Mutex<Changer>,
    delay: Arc<Delay>,
    by_hand: Mutex<ByHand>,
    /// The vault of the daemon, where it has one.
    pub(super) volumes: Option<Arc<dyn Volumes>>,
}

impl ServedLibrary {
    /// Takes the library in a folder, so that no other process has it.
    pub fn open(folder: &Path) -> Result<Library<FileHost>> {
        let host = FileHost::open(folder).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                anyhow::anyhow!(
                    "another daemon or command has the library in {}",
                    folder.display()
                )
            }
            _ => anyhow::Error::from(error).context(format!(
                "can't open the library's folder {}: 'pseudotape library create' makes one",
                folder.display()
            )),
        })?;
        Library::open(host).with_context(|| format!("library {}", folder.display()))
    }

    /// Loads each drive with what the library says is in it. A drive that can't be loaded is shown, and logged.
    ///
    /// A move takes the times; what is loaded at the start takes none.
    pub fn start(
        mut library: Library<FileHost>,
        drives: Vec<Arc<TapeDrive>>,
        times: Times,
    ) -> Result<Self> {
        let Some(first_drive) = drives.first().map(|drive| drive.number()) else {
            bail!("a library without drives");
        };
        let name = library.design().name.clone();
        if let Some(trouble) = library.take_trouble() {
            log::error!("library {name}: {trouble}");
        }
        let folder = library.host().folder().to_owned();
        let delay = Arc::new(Delay::new(times));
        let volumes = drives.first().and_then(|drive| drive.volumes.clone());
        let bays = DriveBays {
            folder: folder.clone(),
            drives: drives.clone(),
            delay: Arc::clone(&delay),
        };
        let (changer, refusals) = Robot::start(library, bays);
        for refusal in refusals {
            log::error!("library {name}: {refusal}");
        }
        Ok(ServedLibrary {
            name,
            folder,
            first_drive,
            drives,
            changer: Mutex::new(changer),
            delay,
            by_hand: Mutex::default(),
            volumes,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its drives, in their order.
    #[must_use]
    pub fn drives(&self) -> &[Arc<TapeDrive>] {
        &self.drives
    }

    /// Whether a drive of the daemon is one of its drives.
    #[must_use]
    pub fn has_drive(&self, number: u32) -> bool {
        self.drives.iter().any(|drive| drive.number() == number)
    }

    /// The changer, when it is done with the move in hand.
    pub(super) fn changer(&self) -> MutexGuard<'_, Changer> {
        self.changer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs what went wrong without stopping a move.
    pub(super) fn tell(&self, changer: &mut Changer) {
        if let Some(trouble) = changer.library_mut().take_trouble() {
            log::error!("library {}: {trouble}", self.name);
        }
    }

    /// Remembers that an operator has reached into an element.
    pub(super) fn reached_into(&self, kind: ElementKind) {
        let mut by_hand = self.by_hand.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            ElementKind::ImportExport => by_hand.import_export += 1,
            _ => by_hand.slots += 1,
        }
    }

    /// Waits for the move in hand, which takes no simulated time any more.
    pub fn settle(&self) {
        self.delay.end();
        drop(self.changer());
    }
}

impl LendsChanger for ServedLibrary {
    fn lend(&self, act: &mut dyn FnMut(&mut dyn pseudotape_changer::Changer)) {
        let mut changer = self.changer();
        act(&mut *changer);
        self.tell(&mut changer);
    }

    fn by_hand(&self) -> ByHand {
        *self.by_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
