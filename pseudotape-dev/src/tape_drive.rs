//! One drive as the daemon holds it: st, the drive and what the operator wants to know, behind one lock.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pseudotape_chardev::Handle;
use pseudotape_control::{
    CapacityStatus, DriveStatus, MediumStatus, OpenStatus, PositionStatus, TransferStatus,
};
use pseudotape_drive::{Cartridge, CartridgeError, FileMedium, ImageDrive, Overrides};
use pseudotape_image::{Access, Error, OpenReport, WriteProtect};
use pseudotape_st::{Errno, Options, St};
use pseudotape_tape::Drive;

use crate::config::DriveConfig;

/// How long the pieces of a write may take to arrive once the daemon was asked to end.
const WRITE_IN_HAND: Duration = Duration::from_secs(2);

/// A drive, shared by its nodes and the control socket.
pub struct TapeDrive {
    number: u32,
    state: Mutex<DriveState>,
}

/// What the lock protects.
pub(crate) struct DriveState {
    pub(crate) st: St,
    pub(crate) drive: ImageDrive<FileMedium>,
    pub(crate) transfer: TransferStatus,
    /// The open file, or the open that waits.
    pub(crate) handle: Option<Handle>,
    pub(crate) opener: Option<OpenStatus>,
    /// Whether the open file has written.
    pub(crate) wrote: bool,
    /// An error that a close could not report; the next blocking open does.
    pub(crate) untold: Option<Errno>,
    pub(crate) last_error: Option<String>,
    /// A write of several pieces was allowed, and its data is still on its way.
    pub(crate) announced: bool,
    /// The daemon ends: nothing new begins.
    pub(crate) ending: bool,
    nodes: Vec<PathBuf>,
    next_handle: u64,
}

impl TapeDrive {
    /// A drive as configured, with its cartridge if it has one.
    pub fn new(number: u32, config: &DriveConfig) -> Result<TapeDrive> {
        let overrides = Overrides {
            capacity_bytes: config.capacity_bytes,
            early_warning_bytes: config.early_warning_bytes,
        };
        let options = Options {
            reports_beginning: config.personality.reports_beginning,
            ..Options::default()
        };
        let drive = TapeDrive {
            number,
            state: Mutex::new(DriveState {
                st: St::new(&options),
                drive: ImageDrive::new(config.personality, config.serial.clone(), overrides),
                transfer: TransferStatus::default(),
                handle: None,
                opener: None,
                wrote: false,
                untold: None,
                last_error: None,
                announced: false,
                ending: false,
                nodes: Vec::new(),
                next_handle: 1,
            }),
        };
        if let Some(image) = &config.image {
            drive.load(image)?;
        }
        Ok(drive)
    }

    /// Number of the drive.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Names of the nodes: rewinding, non-rewinding.
    #[must_use]
    pub fn node_names(&self) -> [String; 2] {
        [
            format!("pmtm{}", self.number),
            format!("npmtm{}", self.number),
        ]
    }

    /// Tells where the nodes are.
    pub fn set_nodes(&self, nodes: Vec<PathBuf>) {
        self.state().nodes = nodes;
    }

    /// A panic while the lock was held is a bug that was printed when it happened. What is on the image
    /// checks itself, and a program that waits for its tape is served better by going on than by a hang.
    pub(crate) fn state(&self) -> MutexGuard<'_, DriveState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an image into the drive and loads it.
    pub fn load(&self, image: &Path) -> Result<String> {
        let mut state = self.state();
        ensure!(!state.ending, "the daemon is ending");
        if let Some(cartridge) = state.drive.cartridge() {
            let holds = cartridge.medium().path().display().to_string();
            bail!(
                "drive {} already holds {holds}: unload it first",
                self.number
            );
        }
        let (cartridge, reports) = open_cartridge(image)?;
        for report in reports.iter().filter(|report| !report.is_clean()) {
            log::warn!("drive {}: {}: {report}", self.number, image.display());
        }
        if state.drive.insert(cartridge).is_err() {
            bail!(
                "drive {} already holds a cartridge: unload it first",
                self.number
            );
        }
        log::info!("drive {}: loaded {}", self.number, image.display());
        Ok(format!(
            "loaded {} into drive {}",
            image.display(),
            self.number
        ))
    }

    /// Takes the cartridge out: commits and closes its image.
    pub fn unload(&self, force: bool) -> Result<String> {
        let mut state = self.state();
        if let (Some(opener), false) = (&state.opener, force) {
            let program = opener.program.as_deref().unwrap_or("a program");
            bail!(
                "drive {} is open by {program} (pid {}): end it first, or use --force",
                self.number,
                opener.pid
            );
        }
        state
            .take_out(self.number)?
            .with_context(|| format!("drive {} holds no cartridge", self.number))
    }

    /// Sets or clears the write-protect switch of the cartridge.
    pub fn write_protect(&self, on: bool) -> Result<String> {
        let mut state = self.state();
        ensure!(
            state.handle.is_none(),
            "drive {} is in use: the switch can't be moved while a program has it open",
            self.number
        );
        let cartridge = state.drive.cartridge_mut();
        let cartridge =
            cartridge.with_context(|| format!("drive {} holds no cartridge", self.number))?;
        cartridge.set_write_protect(if on {
            WriteProtect::On
        } else {
            WriteProtect::Off
        })?;
        let what = if on { "write protected" } else { "writable" };
        Ok(format!("the cartridge in drive {} is {what}", self.number))
    }

    /// Resets the drive: its position is lost until rewind.
    pub fn reset(&self) -> String {
        self.state().drive.reset();
        log::info!("drive {}: reset", self.number);
        format!(
            "drive {} was reset: its position is lost until rewind",
            self.number
        )
    }

    /// Lets the write in hand finish and no new call begin, commits and closes the image.
    pub fn end(&self) -> Result<()> {
        let deadline = Instant::now() + WRITE_IN_HAND;
        let mut state = self.state();
        while state.announced && Instant::now() < deadline {
            drop(state);
            std::thread::sleep(Duration::from_millis(2));
            state = self.state();
        }
        state.ending = true;
        state.take_out(self.number).map(|_| ())
    }

    /// What the operator sees.
    #[must_use]
    pub fn status(&self) -> DriveStatus {
        let mut state = self.state();
        let state = &mut *state;
        let identity = state.drive.identity();
        let snapshot = state.st.snapshot();
        let position = state.drive.peek_position().map(|at| PositionStatus {
            partition: at.partition.0,
            file: snapshot.file.map(i64::from),
            block: snapshot.block.map(i64::from),
            object: at.object.0,
        });
        DriveStatus {
            drive: self.number,
            nodes: state.nodes.clone(),
            identity: format!(
                "{} {} {} {}",
                identity.vendor, identity.product, identity.revision, identity.serial
            ),
            personality: state.drive.personality().name.to_owned(),
            medium: state.medium_status(),
            position,
            capacity: state.capacity_status(),
            transfer: state.transfer,
            flags: snapshot
                .general
                .iter_names()
                .map(|(name, _)| name.to_owned())
                .collect(),
            block_size: snapshot.block_size,
            density: snapshot.density,
            last_error: state.last_error.clone().or(snapshot.last_error),
            open: state.opener.clone(),
        }
    }
}

fn open_cartridge(image: &Path) -> Result<(Cartridge<FileMedium>, Vec<OpenReport>)> {
    // A file that can't be written is a protected cartridge, as on any drive.
    let writable = Cartridge::open(FileMedium::new(image, Access::ReadWrite));
    match writable {
        Err(error) if is_read_only(&error) => {
            Cartridge::open(FileMedium::new(image, Access::ReadOnly))
        }
        result => result,
    }
    .with_context(|| format!("can't load {}", image.display()))
}

fn is_read_only(error: &CartridgeError) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match error {
        CartridgeError::Image(Error::Unopenable { source, .. }) => {
            matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem)
        }
        CartridgeError::Image(Error::ReadOnlyFeatures { .. }) => true,
        CartridgeError::Image(_) | CartridgeError::Mismatch { .. } => false,
    }
}

impl DriveState {
    /// A handle that no open file had before.
    pub(crate) fn new_handle(&mut self) -> Handle {
        let handle = Handle(self.next_handle);
        self.next_handle += 1;
        handle
    }

    /// After any call: keeps and logs what an errno can't say.
    pub(crate) fn note_trouble(&mut self, number: u32) {
        if let Some(trouble) = self.drive.take_trouble() {
            log::error!("drive {number}: {trouble}");
            self.last_error = Some(trouble);
        }
    }

    /// Commits and closes the cartridge; says what was taken out, `None` where there was none.
    fn take_out(&mut self, number: u32) -> Result<Option<String>> {
        let Some(cartridge) = self.drive.eject() else {
            return Ok(None);
        };
        let path = cartridge.medium().path().display().to_string();
        if let Err(error) = cartridge.finish() {
            let message = format!("{path}: {error}");
            log::error!("drive {number}: {message}");
            self.last_error = Some(message.clone());
            bail!(
                "{message}: what was written after the last commit may be lost; 'pseudotape verify' tells"
            );
        }
        log::info!("drive {number}: unloaded {path}");
        Ok(Some(format!("unloaded {path} from drive {number}")))
    }

    fn medium_status(&self) -> Option<MediumStatus> {
        let cartridge = self.drive.cartridge()?;
        Some(MediumStatus {
            image: cartridge.medium().path().to_owned(),
            volume: cartridge.header().volume.to_string(),
            label: Some(cartridge.label().to_owned()).filter(|label| !label.is_empty()),
            barcode: Some(cartridge.barcode().to_owned()).filter(|barcode| !barcode.is_empty()),
            loaded: self.drive.is_loaded(),
            write_protected: cartridge.is_write_protected(),
            worm: cartridge.is_worm(),
            partitions: cartridge.partition_count(),
        })
    }

    fn capacity_status(&mut self) -> Option<CapacityStatus> {
        let capacity = self.drive.capacity().ok()?;
        Some(CapacityStatus {
            total_bytes: capacity.total_bytes,
            early_warning_bytes: capacity.early_warning_bytes,
            used_bytes: capacity.used_bytes,
            left_bytes: capacity.left_bytes(),
            host_bytes: self.drive.cartridge().map_or(0, Cartridge::host_bytes),
        })
    }
}
