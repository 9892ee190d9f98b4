use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use nix::sys::statfs::{FUSE_SUPER_MAGIC, statfs};
use pseudotape_device::DeviceDrive;
use pseudotape_drive::{NullDrive, NullLimits};
use pseudotape_filter::{Binding, Filter, FilterDrive, Key};
use pseudotape_human::explain;
use pseudotape_rmt::{Reach, Remote, RmtDrive};
use pseudotape_tape::{Access, Volume};

use crate::error::Error;
use crate::image;
use crate::sink::{ImageSink, Limits, Location, RmtSink, Sink};

/// What is at a path.
enum Found {
    Image,
    Device,
    /// Only opening it tells.
    Either,
}

fn look(path: &Path) -> Result<Found, Error> {
    let metadata = fs::metadata(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::Missing {
            path: path.to_owned(),
        },
        _ => Error::Unreachable {
            path: path.to_owned(),
            source,
        },
    })?;
    let kind = metadata.file_type();
    let found = if kind.is_file() {
        return Ok(match statfs(path) {
            // Our own nodes look like files there.
            Ok(system) if system.filesystem_type() == FUSE_SUPER_MAGIC => Found::Either,
            _ => Found::Image,
        });
    } else if kind.is_char_device() {
        return Ok(Found::Device);
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_block_device() {
        "a block device"
    } else {
        "no regular file"
    };
    Err(Error::NoSink {
        path: path.to_owned(),
        found,
    })
}

/// A volume that was opened for as much as the host allows.
pub struct Opened {
    /// The volume.
    pub volume: Box<dyn Volume>,
    /// Why the host did not let it be opened for writing, where that is so.
    pub refusal: Option<String>,
}

impl Opened {
    /// Why the volume can only be read, as exactly as that is known; `None` where it can be written. Asks the drive
    /// where only the drive knows.
    pub fn why_read_only(&mut self) -> Option<String> {
        let refusal = self.volume.writability().refusal()?;
        Some(self.refusal.clone().unwrap_or_else(|| refusal.to_owned()))
    }
}

impl Sink {
    /// Opens what the specification names for reading and writing, or, where the host refuses the writing, for reading
    /// alone: such a volume is a protected one, as in any drive.
    pub fn open_as_allowed(&self) -> Result<Opened, Error> {
        let error = match self.open(Access::ReadWrite) {
            Ok(volume) => {
                let refusal = None;
                return Ok(Opened { volume, refusal });
            }
            Err(error) if error.leaves_reading() => error,
            Err(error) => return Err(error),
        };
        match self.open(Access::ReadOnly) {
            Ok(volume) => {
                let chain =
                    std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
                        error.source()
                    });
                let refusal = Some(explain(chain));
                Ok(Opened { volume, refusal })
            }
            // What is asked for is the writing, and that refusal says more.
            Err(_) => Err(error),
        }
    }

    /// Opens what the specification names; for reading only where it says so.
    ///
    /// Blocks for as long as the host takes. The tape is where the drive has it: an image at its beginning.
    pub fn open(&self, access: Access) -> Result<Box<dyn Volume>, Error> {
        let access = match self.read_only || self.anywhere {
            true => Access::ReadOnly,
            false => access,
        };
        let filter = self.filter()?;
        let opened: Box<dyn Volume> = match &self.place {
            Location::Path(path) => match look(path)? {
                Found::Image => open_image(&existing(path), access)?,
                Found::Device => open_device(path, access)?,
                Found::Either => match open_device(path, access) {
                    Err(Error::Device(pseudotape_device::Error::NotATape { .. })) => {
                        open_image(&existing(path), access)?
                    }
                    opened => opened?,
                },
            },
            Location::Image(image) => open_image(image, access)?,
            Location::Device(path) => open_device(path, access)?,
            Location::Rmt(rmt) => open_remote(rmt, access)?,
            Location::Null(limits) => Box::new(NullDrive::new(NullLimits {
                capacity_bytes: limits.capacity_bytes,
                early_warning_bytes: limits.early_warning_bytes,
            })),
        };
        Ok(match filter {
            Some(filter) => Box::new(FilterDrive::new(opened, filter)),
            None => opened,
        })
    }

    /// Whether a tape node is at the path that it names. A node of a FUSE mount looks like a file: `device:PATH` names
    /// it.
    #[must_use]
    pub fn is_node(&self) -> bool {
        match &self.place {
            Location::Device(_) => true,
            Location::Path(path) => matches!(look(path), Ok(Found::Device)),
            Location::Image(_) | Location::Rmt(_) | Location::Null(_) => false,
        }
    }

    /// Whether it names an image, and that is there.
    pub(crate) fn is_image(&self) -> bool {
        let path = self.image_path();
        path.is_some_and(|path| matches!(look(path), Ok(Found::Image)))
    }

    fn filter(&self) -> Result<Option<Filter>, Error> {
        let key = self.key_file.as_deref().map(Key::read).transpose()?;
        Ok(self.is_filtered().then_some(Filter {
            compression: self.compression,
            key,
            binding: match self.anywhere {
                true => Binding::Ignored,
                false => Binding::Checked,
            },
        }))
    }
}

fn existing(path: &Path) -> ImageSink {
    ImageSink {
        path: path.to_owned(),
        create: false,
        limits: Limits::default(),
        cache: None,
    }
}

fn open_image(image: &ImageSink, access: Access) -> Result<Box<dyn Volume>, Error> {
    Ok(Box::new(image::open(image, access)?))
}

fn open_device(path: &Path, access: Access) -> Result<Box<dyn Volume>, Error> {
    Ok(Box::new(DeviceDrive::open(path, access)?))
}

fn open_remote(rmt: &RmtSink, access: Access) -> Result<Box<dyn Volume>, Error> {
    let named = rmt.tape.parse::<Remote>();
    let mut remote = named.map_err(|error| Error::Remote(error.to_string()))?;
    remote.access = access;
    let program = |program: &Option<String>| program.as_ref().map(OsString::from);
    let (shell, server) = (program(&rmt.remote_shell), program(&rmt.server));
    let mut remote = remote.with_programs(shell.as_deref(), server.as_deref());
    if let Some(command) = &rmt.command {
        remote.reach = Reach::Command(command.split_whitespace().map(OsString::from).collect());
    }
    Ok(Box::new(RmtDrive::connect(&remote)?))
}
