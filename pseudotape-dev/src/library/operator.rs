//! What a library is asked by the control socket.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use pseudotape_bay::place_named;
use pseudotape_changer::{
    Address, Barcode, Cartridge, Changer as _, ElementKind, Move, Refusal, Removal, Selection,
};
use pseudotape_control::{LibraryOrder, LibraryRefusal, Peer, Response};
use pseudotape_drive::{default_early_warning_bytes, fresh_volume, make_volume};
use pseudotape_human::explain;
use pseudotape_rack::{NotDone, obey};
use pseudotape_scsi::refusal_sense;

use super::bays::{CARTRIDGES, check_no_link, is_own};
use super::served::{Changer, ServedLibrary};

/// Why an order was not done.
enum Undone {
    /// The changer refused.
    Refused(Refusal),
    /// Anything else.
    Failed(anyhow::Error),
}

impl From<Refusal> for Undone {
    fn from(refusal: Refusal) -> Self {
        Undone::Refused(refusal)
    }
}

impl From<NotDone> for Undone {
    fn from(why: NotDone) -> Self {
        match why {
            NotDone::Refused(refusal) => Undone::Refused(refusal),
            NotDone::NotHere(why) => Undone::Failed(anyhow::anyhow!(why)),
        }
    }
}

impl From<anyhow::Error> for Undone {
    fn from(error: anyhow::Error) -> Self {
        Undone::Failed(error)
    }
}

/// A new cartridge.
struct Put<'a> {
    at: Option<u16>,
    import_export: bool,
    barcode: Option<&'a str>,
    volume: Option<&'a Path>,
}

impl ServedLibrary {
    /// Does what this peer orders.
    pub fn order(&self, order: &LibraryOrder, peer: Peer) -> Response {
        let mut changer = self.changer();
        let done = self.act(&mut changer, order, peer);
        self.tell(&mut changer);
        match done {
            Ok(message) => {
                log::info!("library {}: {message}", self.name());
                Response::Done { message }
            }
            Err(Undone::Refused(refusal)) => {
                log::warn!("library {}: {refusal}", self.name());
                let sense = refusal_sense(&refusal);
                Response::Refused(LibraryRefusal {
                    message: refusal.to_string(),
                    sense: [sense.key.bits(), sense.reason.code, sense.reason.qualifier],
                })
            }
            Err(Undone::Failed(error)) => Response::Error {
                message: explain(error.chain()),
            },
        }
    }

    fn act(
        &self,
        changer: &mut Changer,
        order: &LibraryOrder,
        peer: Peer,
    ) -> Result<String, Undone> {
        match order {
            LibraryOrder::Put {
                at,
                import_export,
                barcode,
                volume,
            } => {
                own(peer)?;
                self.put(
                    changer,
                    &Put {
                        at: *at,
                        import_export: *import_export,
                        barcode: barcode.as_deref(),
                        volume: volume.as_deref(),
                    },
                )
            }
            LibraryOrder::Take {
                barcode,
                import_export,
                delete,
            } => {
                own(peer)?;
                let barcode = named(barcode)?;
                self.take(changer, barcode, *import_export, *delete)
            }
            order => {
                let message = obey(changer, order)?;
                Ok(message + &self.notices(changer, order))
            }
        }
    }

    /// What has to be said of the cartridges that an order has put into drives.
    fn notices(&self, changer: &Changer, order: &LibraryOrder) -> String {
        let to = match *order {
            LibraryOrder::Move { to, .. } => [Some(to), None],
            LibraryOrder::Exchange { first, second, .. } => [Some(first), Some(second)],
            _ => [None, None],
        };
        let drives = Changer::library(changer).layout().drives;
        let numbers = to.into_iter().flatten().filter_map(|to| {
            let number = to.checked_sub(drives.first.0)?;
            self.drives.get(usize::from(number))
        });
        let notices = numbers.filter_map(|drive| drive.idle_state()?.slot.loaded()?.notice);
        notices
            .map(|notice| format!("\nwarning: {notice}"))
            .collect()
    }

    fn put(&self, changer: &mut Changer, put: &Put<'_>) -> Result<String, Undone> {
        let kind = match put.import_export {
            true => ElementKind::ImportExport,
            false => ElementKind::Storage,
        };
        let at = match put.at {
            Some(at) => Address(at),
            None => first_empty(changer, kind)?,
        };
        let folder = self.folder.join(CARTRIDGES);
        let file = |barcode: &Barcode| folder.join(format!("{barcode}.ptape"));
        let barcode = match put.barcode {
            Some(text) => {
                let barcode = named(text)?;
                barcode.check_new().map_err(anyhow::Error::from)?;
                barcode
            }
            None => {
                let free = changer
                    .library()
                    .next_barcode(|barcode| file(barcode).exists());
                free.with_context(|| {
                    let scheme = &changer.library().design().barcodes;
                    format!("every barcode of the scheme '{scheme}' is taken: name one")
                })?
            }
        };
        if let Some(place) = changer.library().find(&barcode) {
            return Err(
                anyhow::anyhow!("cartridge {barcode} is in element {place} already").into(),
            );
        }
        let path = file(&barcode);
        let (volume, made) = match put.volume {
            Some(volume) => {
                let text = volume.to_str().context("the volume's name is no UTF-8")?;
                // What can't be loaded by its name is refused now, not at its first move.
                if !is_own(text)? {
                    let place = place_named(text).map_err(anyhow::Error::from)?;
                    self.check_no_own_link(place.image_path())?;
                    self.check_usable(place.image_path())?;
                }
                self.check_no_other(changer, text)?;
                (text.to_owned(), false)
            }
            None => {
                check_no_link(&path)?;
                let made = !path.exists();
                if made {
                    fs::create_dir_all(&folder)
                        .with_context(|| format!("can't make {}", folder.display()))?;
                    self.make(changer, &barcode, &path)?;
                }
                (format!("{CARTRIDGES}/{barcode}.ptape"), made)
            }
        };
        let cartridge = Cartridge { barcode, volume };
        if let Err(refusal) = changer.library_mut().put(at, cartridge) {
            if made && let Err(error) = fs::remove_file(&path) {
                log::warn!("{}: {error}", path.display());
            }
            return Err(refusal.into());
        }
        self.reached_into(changer.library().kind(at)?);
        let held = match put.volume.is_none() && !made {
            true => ", with what its image holds",
            false => "",
        };
        Ok(format!("put cartridge {barcode} into element {at}{held}"))
    }

    /// Refuses a volume whose file is another cartridge already: what is written to one would be gone from the other.
    fn check_no_other(&self, changer: &Changer, volume: &str) -> Result<()> {
        let Some(wanted) = self.file_of(volume) else {
            return Ok(());
        };
        let inventory = changer.library().inventory(Selection::ALL);
        for element in inventory.elements() {
            let Some(cartridge) = changer.library().cartridge_in(element.address) else {
                continue;
            };
            ensure!(
                self.file_of(&cartridge.volume) != Some(wanted),
                "volume {volume} is cartridge {} in element {} already",
                cartridge.barcode,
                element.address
            );
        }
        Ok(())
    }

    /// Refuses a volume of the daemon's vault that is blocked or away.
    fn check_usable(&self, image: Option<&Path>) -> Result<()> {
        let (Some(volumes), Some(image)) = (&self.volumes, image) else {
            return Ok(());
        };
        match volumes.label_of(image)? {
            Some(label) => volumes.expect_usable(&label),
            None => Ok(()),
        }
    }

    /// Refuses a link in the library's folder of images also where a path names it.
    fn check_no_own_link(&self, image: Option<&Path>) -> Result<()> {
        let folder = |path: &Path| path.canonicalize().ok();
        let own = folder(&self.folder.join(CARTRIDGES));
        let Some((image, parent)) = image.and_then(|image| Some((image, image.parent()?))) else {
            return Ok(());
        };
        match own.is_some() && folder(parent) == own {
            true => check_no_link(image),
            false => Ok(()),
        }
    }

    /// Device and inode of a volume's image, if it is one that is there.
    fn file_of(&self, volume: &str) -> Option<(u64, u64)> {
        let path = match is_own(volume).ok()? {
            true => self.folder.join(volume),
            false => place_named(volume).ok()?.image_path()?.to_owned(),
        };
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }

    /// A blank cartridge as the library's design says.
    fn make(&self, changer: &Changer, barcode: &Barcode, path: &Path) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.context("the clock of this machine is before 1970: set it")?;
        let mut parameters = fresh_volume(u64::try_from(now.as_millis())?);
        if let Some(capacity) = changer.library().design().capacity_bytes {
            parameters.header.capacity_bytes = Some(capacity);
            parameters.header.early_warning_bytes = default_early_warning_bytes(capacity);
        }
        parameters.barcode = barcode.to_string();
        Ok(make_volume(path, &parameters)?)
    }

    fn take(
        &self,
        changer: &mut Changer,
        barcode: Barcode,
        import_export: bool,
        delete: bool,
    ) -> Result<String, Undone> {
        let library = changer.library();
        let place = library.find(&barcode);
        let mut at = place.with_context(|| format!("no cartridge {barcode} is in the library"))?;
        if library.removal() == Removal::Prevented {
            return Err(Refusal::RemovalPrevented.into());
        }
        let ours = match library.cartridge_in(at).map(|c| is_own(&c.volume)) {
            Some(Ok(ours)) => ours,
            // The cartridge comes out anyway. A name that leads out of the folder is never followed.
            Some(Err(error)) if delete => return Err(error.into()),
            Some(Err(_)) | None => false,
        };
        if import_export && library.kind(at)? != ElementKind::ImportExport {
            let to = first_empty(changer, ElementKind::ImportExport)?;
            changer.transfer(Move::new(at, to))?;
            at = to;
        }
        let cartridge = changer.library_mut().take(at)?;
        self.reached_into(changer.library().kind(at)?);
        let path = self.folder.join(&cartridge.volume);
        match (ours, delete) {
            (true, true) => {
                fs::remove_file(&path).with_context(|| {
                    format!("cartridge {barcode} is out, but {} stays", path.display())
                })?;
                Ok(format!("took cartridge {barcode} out and deleted it"))
            }
            (true, false) => Ok(format!(
                "took cartridge {barcode} out: it is {}",
                path.display()
            )),
            (false, true) => Ok(format!(
                "took cartridge {barcode} out: it is {}, which the library did not make and does not delete",
                cartridge.volume
            )),
            (false, false) => Ok(format!(
                "took cartridge {barcode} out: it is {}",
                cartridge.volume
            )),
        }
    }
}

fn named(text: &str) -> Result<Barcode> {
    Ok(text.parse::<Barcode>()?)
}

/// A cartridge that comes or goes is a file that the daemon makes, opens or removes with its own rights.
fn own(peer: Peer) -> Result<()> {
    if !peer.is_own() {
        bail!("cartridges come in and go out by root and the daemon's own user: ask them");
    }
    Ok(())
}

fn first_empty(changer: &mut Changer, kind: ElementKind) -> Result<Address, Undone> {
    let inventory = changer.inventory(Selection::of(kind))?;
    let empty = inventory.elements().iter().find(|e| !e.is_full());
    let empty = empty.map(|element| element.address);
    Ok(empty.with_context(|| format!("the library has no empty {kind}"))?)
}
