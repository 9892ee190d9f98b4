//! The vault's side of the seam.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};
use pseudotape_image::VolumeId;
use pseudotape_tape::Access;
use pseudotape_vault::rules::may_serve;
use pseudotape_vault::{
    Error, Granted, Label, Order, Recorded, Surroundings, Vault, may_be_used, vault_of,
};

use super::{Volumes, Wanted};

/// The vault of this daemon. It is opened for each question, so that nothing of it is held while programs write, and a
/// catalog that is recovered meanwhile is found.
pub struct Desk {
    program: &'static str,
    directory: PathBuf,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Which drive has what.
    lent: Vec<Lent>,
    /// What could not be written down yet.
    untold: Vec<(VolumeId, Recorded)>,
    /// What is to be blocked, and why.
    failed: Vec<(VolumeId, String)>,
}

struct Lent {
    volume: VolumeId,
    drive: u32,
    access: Access,
}

impl Desk {
    /// Takes the vault in a directory. One whose catalog is gone or damaged is taken too: its volumes are refused
    /// until it is recovered. The catalog names the program.
    pub fn open(directory: &Path, program: &'static str) -> Result<Self> {
        let desk = Desk {
            program,
            directory: directory.to_owned(),
            held: Mutex::default(),
        };
        match desk.vault() {
            Ok(_) => Ok(desk),
            Err(error) if needs_recovery(&error) => Ok(desk),
            Err(error) => Err(error.into()),
        }
    }

    /// Why the vault can't be used, where that is so.
    pub fn trouble(&self) -> Option<String> {
        let looked = self.vault().and_then(|vault| {
            may_serve(vault.pending_recovery()?)?;
            Ok(())
        });
        Some(self.in_words(looked.err()?).to_string())
    }

    /// What is known at the start, a line each: first what is there, then what a person should see to.
    pub fn greeting(&self) -> (String, Vec<String>) {
        let name = self.directory.display();
        let looked = self.vault().and_then(|vault| {
            let mut left = Vec::new();
            for open in vault.open_volumes()? {
                // What a living daemon has is in order.
                if let error @ Error::LeftOpen { .. } = vault.who_has_it(&open.volume)? {
                    left.push(error.to_string());
                }
            }
            Ok((vault.counts()?.volumes, left))
        });
        match looked {
            Ok((volumes, left)) => (
                format!("{name}, {}", pseudotape_human::counted(volumes, "volume")),
                left,
            ),
            Err(error) => {
                let words = self.in_words(error).to_string();
                (words.clone(), vec![words])
            }
        }
    }

    /// Tries once more to write down what could not be.
    pub fn settle(&self) {
        for trouble in self.tell(&mut self.held()) {
            log::error!("{trouble}");
        }
    }

    fn vault(&self) -> Result<Vault, Error> {
        let surroundings = Surroundings::of_this_machine();
        Vault::open(&self.directory, self.program, surroundings)
    }

    fn in_words(&self, error: Error) -> anyhow::Error {
        match needs_recovery(&error) {
            true => anyhow::anyhow!(
                "the vault {} needs recovery, and none of its volumes is loaded before: {error}",
                self.directory.display()
            ),
            false => error.into(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what was not; says what went wrong.
    fn tell(&self, held: &mut Held) -> Vec<String> {
        if held.untold.is_empty() && held.failed.is_empty() {
            return Vec::new();
        }
        let mut vault = match self.vault() {
            Ok(vault) => vault,
            Err(error) => return vec![self.in_words(error).to_string()],
        };
        let mut troubles = Vec::new();
        held.failed.retain(|(volume, reason)| {
            let blocked = vault.block_for_errors(*volume, reason);
            if let Err(error) = &blocked {
                troubles.push(format!(
                    "the vault could not be told that volume {volume} is to be blocked ({reason}): {error}"
                ));
            }
            blocked.is_err()
        });
        held.untold.retain(|(volume, recorded)| {
            match vault.close_recorded(*volume, recorded, &closing()) {
                Ok(_) => false,
                Err(error) => {
                    troubles.push(format!(
                        "the vault could not be told of the close of volume {volume}, which stays open in its catalog: \
                         {error}"
                    ));
                    true
                }
            }
        });
        troubles
    }
}

impl Volumes for Desk {
    fn grant(&self, wanted: &Wanted, drive: u32) -> Result<Granted> {
        let mut held = self.held();
        self.tell(&mut held);
        let mut vault = self.vault().map_err(|error| self.in_words(error))?;
        let process = std::process::id();
        let order = Order::system(format!(
            "drive {drive} of {}, process {process}",
            self.program
        ));
        let (granted, access) = match wanted {
            Wanted::Scratch => (vault.grant_scratch(&order)?, Access::ReadWrite),
            Wanted::Volume { label, read_only } => {
                let access = match read_only {
                    true => Access::ReadOnly,
                    false => Access::ReadWrite,
                };
                let volume = vault.volume(label)?.volume;
                let has = held.lent.iter().find(|lent| {
                    let both_read = lent.access == Access::ReadOnly && access == Access::ReadOnly;
                    lent.volume == volume.identity && !both_read
                });
                if let Some(has) = has {
                    bail!(
                        "volume {label} is in drive {}: unload it there first",
                        has.drive
                    );
                }
                (vault.grant(label, access, &order)?, access)
            }
        };
        held.lent.push(Lent {
            volume: granted.listed.volume.identity,
            drive,
            access,
        });
        Ok(granted)
    }

    fn take_back(&self, volume: VolumeId, drive: u32) {
        let mut held = self.held();
        let access = held.give_back(volume, drive);
        if access == Some(Access::ReadOnly) {
            return;
        }
        let order = Order::system("it could not be loaded");
        let taken = self
            .vault()
            .and_then(|mut vault| vault.take_back(volume, &order));
        if let Err(error) = taken {
            log::error!("volume {volume} stays open in the catalog of its vault: {error}");
            held.untold.push((volume, Recorded::nothing()));
        }
    }

    fn failed(&self, volume: VolumeId, reason: String) {
        log::error!("volume {volume} is blocked: {reason}");
        let mut held = self.held();
        held.failed.push((volume, reason));
        for trouble in self.tell(&mut held) {
            log::error!("{trouble}");
        }
    }

    fn closed(&self, volume: VolumeId, drive: u32, recorded: Recorded) -> Option<String> {
        let mut held = self.held();
        match held.give_back(volume, drive) {
            // It can be that it is to be blocked, and that this could not be written down.
            Some(Access::ReadOnly) if held.failed.is_empty() => return None,
            Some(Access::ReadOnly) => {}
            Some(Access::ReadWrite) | None => held.untold.push((volume, recorded)),
        }
        let troubles = self.tell(&mut held);
        for trouble in &troubles {
            log::error!("drive {drive}: {trouble}");
        }
        (!troubles.is_empty()).then(|| troubles.join("; "))
    }

    fn label_of(&self, image: &Path) -> Result<Option<Label>> {
        let found = self.vault().and_then(|vault| vault.volume_at(image));
        match found {
            Ok(volume) => Ok(volume.map(|volume| volume.label)),
            // Of other images nobody needs to know.
            Err(error) => match vault_of(image) {
                Some(vault) if self.directory.canonicalize().is_ok_and(|own| own == vault) => {
                    Err(self.in_words(error))
                }
                Some(_) | None => Ok(None),
            },
        }
    }

    fn expect_usable(&self, label: &Label) -> Result<()> {
        let vault = self.vault().map_err(|error| self.in_words(error))?;
        let volume = vault.volume(label)?.volume;
        Ok(may_be_used(&volume)?)
    }

    fn directory(&self) -> PathBuf {
        self.directory.clone()
    }

    fn program(&self) -> &'static str {
        self.program
    }
}

impl Held {
    /// A drive has a volume no more; says how it had it.
    fn give_back(&mut self, volume: VolumeId, drive: u32) -> Option<Access> {
        let mut lent = self.lent.iter();
        let at = lent.position(|lent| lent.volume == volume && lent.drive == drive)?;
        Some(self.lent.swap_remove(at).access)
    }
}

fn closing() -> Order {
    Order::system("it was unloaded")
}

/// Whether the catalog is what has to come back.
fn needs_recovery(error: &Error) -> bool {
    matches!(
        error,
        Error::NoCatalog { .. } | Error::Damaged { .. } | Error::Foreign { .. }
    )
}
