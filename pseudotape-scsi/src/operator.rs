//! The drives, as the control socket sees them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use pseudotape_control::{
    Conversation, DriveStatus, Operator, Peer, PositionStatus, Request, Response, Status,
    VaultStatus, mirror,
};
use pseudotape_dev::library::{Libraries, ServesNodes};
use pseudotape_dev::vault::{Desk, Volumes, Wanted};
use pseudotape_human::explain;
use pseudotape_sink::Lent;

use crate::served::Served;
use crate::served_changer::ServedChanger;
use crate::system::{self, Driver};
use crate::trees::Tree;

/// What serves: `frontend` of the status.
const FRONTEND: &str = "scsi";

/// What this daemon serves.
#[derive(Default)]
pub(crate) struct Devices {
    pub(crate) drives: Vec<(Tree, Served)>,
    pub(crate) changers: Vec<(Tree, ServedChanger)>,
    pub(crate) libraries: Libraries,
}

impl Extend<(Tree, Served)> for Devices {
    fn extend<T: IntoIterator<Item = (Tree, Served)>>(&mut self, drives: T) {
        self.drives.extend(drives);
    }
}

impl Extend<(Tree, ServedChanger)> for Devices {
    fn extend<T: IntoIterator<Item = (Tree, ServedChanger)>>(&mut self, changers: T) {
        self.changers.extend(changers);
    }
}

/// The drives and libraries of this daemon.
pub(crate) struct Drives {
    pub(crate) devices: Devices,
    pub(crate) desk: Option<Arc<Desk>>,
    pub(crate) lent: Lent,
}

impl Drives {
    fn find(&self, number: u32) -> Result<&Served> {
        let found = self.devices.drives.iter().map(|(_, served)| served);
        match found
            .into_iter()
            .find(|served| served.drive().number() == number)
        {
            Some(served) => Ok(served),
            None => bail!(
                "there is no drive {number}: this daemon has 0 to {}",
                self.devices.drives.len().saturating_sub(1)
            ),
        }
    }

    /// A drive into which cartridges are put by hand. A drive of a library gets its cartridges from the library.
    fn find_by_hand(&self, number: u32) -> Result<&Served> {
        let served = self.find(number)?;
        self.devices.libraries.expect_by_hand(number)?;
        Ok(served)
    }

    /// Where a changer is, and what it has; one line.
    pub(crate) fn changer_in_words(&self, tree: &Tree, served: &ServedChanger) -> Result<String> {
        let places = tree.places(Driver::Ch)?.join(" ");
        let (name, libraries) = (served.name(), &self.devices.libraries);
        let own = libraries
            .own()
            .iter()
            .find(|library| library.name() == name);
        Ok(match own {
            Some(library) => format!("library {name}: {places}, {}", library.in_words()),
            None => format!("{name}: {places}"),
        })
    }

    pub(crate) fn status(&self, tree: &Tree, served: &Served) -> DriveStatus {
        let status = served.drive().status();
        let mode = served.mode().unwrap_or_default();
        let library = self.devices.libraries.of_drive(status.drive);
        DriveStatus {
            library: library.map(|library| library.name().to_owned()),
            nodes: nodes(tree),
            // The driver is the kernel's: only the tape is known here.
            flags: Vec::new(),
            position: status.position.map(|position| PositionStatus {
                file: None,
                block: None,
                ..position
            }),
            block_size: mode.block_size,
            density: mode.density,
            ..status
        }
    }

    fn act(&self, request: Request, peer: Peer) -> Result<Response> {
        let message = match request {
            Request::Status => {
                let drives = self.devices.drives.iter();
                let drives = drives.map(|(tree, served)| self.status(tree, served));
                return Ok(Response::Status(Box::new(Status {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    pid: std::process::id(),
                    frontend: FRONTEND.to_owned(),
                    vault: self.desk.as_ref().map(|desk| VaultStatus {
                        directory: desk.directory(),
                        trouble: desk.trouble(),
                    }),
                    drives: drives.collect(),
                })));
            }
            Request::Load { drive, image } => {
                let served = self.find_by_hand(drive)?;
                let message = served.drive().load_for(&image, &self.lent, peer)?;
                served.look_again();
                message
            }
            Request::Unload { drive, force } => {
                let served = self.find_by_hand(drive)?;
                let message = served.drive().unload(force)?;
                served.look_again();
                message
            }
            Request::WriteProtect { drive, on } => {
                let served = self.find(drive)?;
                let message = served.drive().write_protect(on)?;
                served.look_again();
                message
            }
            Request::Reset { drive } => {
                let served = self.find(drive)?;
                let message = served.drive().reset()?;
                served.was_reset();
                served.look_again();
                message
            }
            Request::Inject {
                drive,
                remove,
                faults,
            } => {
                ensure!(
                    peer.is_own() || (remove.is_empty() && faults.is_empty()),
                    "faults are injected and removed by root and the daemon's own user: ask them, or say 'faults' for \
                     the drive in the daemon's configuration"
                );
                let faults = self.find(drive)?.drive().inject(&remove, &faults)?;
                return Ok(Response::Faults(faults));
            }
            Request::Options { .. } => bail!(
                "the st driver of a SCSI device is the kernel's own: 'mt -f NODE stsetoptions' sets its options"
            ),
            Request::LoadVolume {
                drive,
                volume,
                read_only,
            } => {
                let served = self.find_by_hand(drive)?;
                let wanted = Wanted::asked(volume.as_deref(), read_only)?;
                let message = served.drive().load_wanted(&wanted, &self.lent, peer)?;
                served.look_again();
                message
            }
            Request::Mirror { drive, ask } => {
                let served = self.find(drive)?;
                let changes_volumes = matches!(
                    ask,
                    mirror::Request::Load { .. } | mirror::Request::Unload { .. }
                );
                let told = served.drive().ask_mirror(ask, peer)?;
                // A command may wait for any other order, and has the drive.
                if changes_volumes {
                    served.look_again();
                }
                return Ok(Response::Mirror { drive, told });
            }
            Request::Libraries { .. } | Request::Library { .. } | Request::Changer { .. } => {
                let done = self.devices.libraries.act(&request, peer, self);
                return done.unwrap_or_else(|| bail!("it is no request of a library"));
            }
        };
        Ok(Response::Done { message })
    }
}

impl ServesNodes for Drives {
    fn of_changer(&self, number: usize) -> Vec<PathBuf> {
        let served = self.devices.changers.get(number);
        served.map_or_else(Vec::new, |(tree, _)| nodes(tree))
    }

    fn of_drive(&self, number: u32) -> Vec<PathBuf> {
        let mut drives = self.devices.drives.iter();
        let served = drives.find(|(_, served)| served.drive().number() == number);
        served.map_or_else(Vec::new, |(tree, _)| nodes(tree))
    }
}

/// The nodes of a device. Whoever wants the status sees none where the kernel has none.
fn nodes(tree: &Tree) -> Vec<PathBuf> {
    let address = tree.address().ok().flatten();
    address.map_or_else(Vec::new, |address| system::nodes(&address))
}

impl Operator for Drives {
    type Request = Request;
    type Response = Response;

    fn answer(&self, request: Request, peer: Peer) -> Response {
        self.act(request, peer)
            .unwrap_or_else(|error| Response::Error {
                message: explain(error.chain()),
            })
    }

    fn refusal(&self, message: String) -> Response {
        Response::Error { message }
    }

    fn conversation(&self, request: &Request, _: Peer) -> Option<(Response, Conversation)> {
        self.devices.libraries.conversation(request)
    }
}
