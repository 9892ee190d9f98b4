use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use nix::sys::statfs::{FUSE_SUPER_MAGIC, statfs};
use pseudotape_device::DeviceDrive;
use pseudotape_drive::{FileMedium, ImageDrive};
use pseudotape_filter::{Filter, FilterDrive, Key};
use pseudotape_image::Access;
use pseudotape_rmt::{Reach, Remote, RmtDrive};
use pseudotape_tape::{Drive, Mark, Sense, WriteMode};

use crate::error::Error;
use crate::image;
use crate::null::NullDrive;
use crate::sink::{ImageSink, Limits, Place, RmtSink, Sink};

/// A sink that was opened: a drive with a medium in it.
pub enum OpenSink {
    /// An image, locked against others as long as this lives.
    Image(Box<ImageDrive<FileMedium>>),
    /// A tape node of this machine.
    Device(Box<DeviceDrive>),
    /// A tape of another machine.
    Rmt(Box<RmtDrive>),
    /// An image behind a filter.
    FilteredImage(Box<FilterDrive<ImageDrive<FileMedium>>>),
    /// A tape node behind a filter.
    FilteredDevice(Box<FilterDrive<DeviceDrive>>),
    /// A remote tape behind a filter.
    FilteredRmt(Box<FilterDrive<RmtDrive>>),
    /// Any other drive.
    Drive(Box<dyn Drive>),
}

impl OpenSink {
    /// The drive.
    pub fn drive(&mut self) -> &mut dyn Drive {
        match self {
            OpenSink::Image(drive) => drive.as_mut(),
            OpenSink::Device(drive) => drive.as_mut(),
            OpenSink::Rmt(drive) => drive.as_mut(),
            OpenSink::FilteredImage(drive) => drive.as_mut(),
            OpenSink::FilteredDevice(drive) => drive.as_mut(),
            OpenSink::FilteredRmt(drive) => drive.as_mut(),
            OpenSink::Drive(drive) => drive.as_mut(),
        }
    }

    /// The drive over the image, where it is one; behind a filter its blocks are frames.
    pub fn image(&mut self) -> Option<&mut ImageDrive<FileMedium>> {
        match self {
            OpenSink::Image(drive) => Some(drive),
            OpenSink::FilteredImage(drive) => Some(drive.below_mut()),
            OpenSink::Device(_)
            | OpenSink::Rmt(_)
            | OpenSink::FilteredDevice(_)
            | OpenSink::FilteredRmt(_)
            | OpenSink::Drive(_) => None,
        }
    }

    /// Takes the text of the last trouble, where the drive has one: what a sense can't say.
    pub fn take_trouble(&mut self) -> Option<String> {
        match self {
            OpenSink::Image(drive) => drive.take_trouble(),
            OpenSink::Device(drive) => drive.take_trouble(),
            OpenSink::Rmt(drive) => drive.take_trouble(),
            OpenSink::FilteredImage(drive) => {
                let own = drive.take_trouble();
                own.or_else(|| drive.below_mut().take_trouble())
            }
            OpenSink::FilteredDevice(drive) => {
                let own = drive.take_trouble();
                own.or_else(|| drive.below_mut().take_trouble())
            }
            OpenSink::FilteredRmt(drive) => {
                let own = drive.take_trouble();
                own.or_else(|| drive.below_mut().take_trouble())
            }
            OpenSink::Drive(_) => None,
        }
    }

    /// Brings everything to stable storage and closes the sink.
    ///
    /// Without this an image is left as a crash of the program leaves it: nothing written is lost.
    pub fn finish(mut self, sink: &Sink) -> Result<(), Error> {
        if let Some(drive) = self.image() {
            return match drive.eject() {
                Some(cartridge) => Ok(cartridge.finish()?),
                None => Ok(()),
            };
        }
        match self
            .drive()
            .write_marks(Mark::Filemark, 0, WriteMode::Commit)
        {
            // What can't be written has nothing to commit.
            Err(failed) if failed.sense != Sense::WriteProtected => Err(Error::Unfinished {
                sink: sink.to_string(),
                reason: failed.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

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

impl Sink {
    /// Opens what the specification names.
    ///
    /// Blocks for as long as the host takes. The tape is where the drive has it: an image at its beginning.
    pub fn open(&self, access: Access) -> Result<OpenSink, Error> {
        let filter = self.filter()?;
        let opened = match &self.place {
            Place::Path(path) => match look(path)? {
                Found::Image => open_image(&existing(path), access)?,
                Found::Device => open_device(path, access)?,
                Found::Either => match open_device(path, access) {
                    Err(Error::Device(pseudotape_device::Error::NotATape { .. })) => {
                        open_image(&existing(path), access)?
                    }
                    opened => opened?,
                },
            },
            Place::Image(image) => open_image(image, access)?,
            Place::Device(path) => open_device(path, access)?,
            Place::Rmt(rmt) => open_remote(rmt, access)?,
            Place::Null(limits) => {
                let drive = NullDrive::new(*limits);
                return Ok(OpenSink::Drive(match filter {
                    Some(filter) => Box::new(FilterDrive::new(drive, filter)),
                    None => Box::new(drive),
                }));
            }
        };
        Ok(match filter {
            Some(filter) => opened.behind(filter),
            None => opened,
        })
    }

    /// What is unwise about the specification, though it works: a key that others can read.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.key_file.as_deref().and_then(Key::exposure)
    }

    fn filter(&self) -> Result<Option<Filter>, Error> {
        let key = self.key_file.as_deref().map(Key::read).transpose()?;
        Ok(self.is_filtered().then_some(Filter {
            compression: self.compression,
            key,
        }))
    }
}

impl OpenSink {
    fn behind(self, filter: Filter) -> Self {
        match self {
            OpenSink::Image(drive) => {
                OpenSink::FilteredImage(Box::new(FilterDrive::new(*drive, filter)))
            }
            OpenSink::Device(drive) => {
                OpenSink::FilteredDevice(Box::new(FilterDrive::new(*drive, filter)))
            }
            OpenSink::Rmt(drive) => {
                OpenSink::FilteredRmt(Box::new(FilterDrive::new(*drive, filter)))
            }
            other @ (OpenSink::FilteredImage(_)
            | OpenSink::FilteredDevice(_)
            | OpenSink::FilteredRmt(_)
            | OpenSink::Drive(_)) => other,
        }
    }
}

fn existing(path: &Path) -> ImageSink {
    ImageSink {
        path: path.to_owned(),
        create: false,
        limits: Limits::default(),
    }
}

fn open_image(image: &ImageSink, access: Access) -> Result<OpenSink, Error> {
    Ok(OpenSink::Image(Box::new(image::open(image, access)?)))
}

fn open_device(path: &Path, access: Access) -> Result<OpenSink, Error> {
    let access = match access {
        Access::ReadOnly => pseudotape_device::Access::ReadOnly,
        Access::ReadWrite => pseudotape_device::Access::ReadWrite,
    };
    Ok(OpenSink::Device(Box::new(DeviceDrive::open(path, access)?)))
}

fn open_remote(rmt: &RmtSink, access: Access) -> Result<OpenSink, Error> {
    let named = rmt.tape.parse::<Remote>();
    let mut remote = named.map_err(|error| Error::Remote(error.to_string()))?;
    remote.access = match access {
        Access::ReadOnly => pseudotape_rmt::Access::ReadOnly,
        Access::ReadWrite => pseudotape_rmt::Access::ReadWrite,
    };
    let program = |program: &Option<String>| program.as_ref().map(OsString::from);
    let (shell, server) = (program(&rmt.remote_shell), program(&rmt.server));
    let mut remote = remote.with_programs(shell.as_deref(), server.as_deref());
    if let Some(command) = &rmt.command {
        remote.reach = Reach::Command(command.split_whitespace().map(OsString::from).collect());
    }
    Ok(OpenSink::Rmt(Box::new(RmtDrive::connect(&remote)?)))
}
