//! What is behind the nodes of a drive: a drive of ours, or whoever holds the slave end.

use std::sync::Arc;

use anyhow::Result;
use pseudotape_drive::{FileMedium, ImageDrive, Overrides};
use pseudotape_slave::SlaveDrive;
use pseudotape_st::{EndOfTape, Options};
use pseudotape_tape::{Drive, Position, Volume};

use crate::config::ImageConfig;
use crate::slave_end::SlaveSide;

/// The drive behind the nodes.
pub(crate) enum Held {
    /// Ours, for cartridges that are images.
    Image(Box<ImageDrive<FileMedium>>),
    /// Whoever holds the slave end.
    Slave(Box<SlaveDrive>, Arc<SlaveSide>),
}

impl Held {
    pub(crate) fn image(config: &ImageConfig) -> Held {
        let overrides = Overrides {
            capacity_bytes: config.capacity_bytes,
            early_warning: config.early_warning,
        };
        let serial = config.serial.clone();
        Held::Image(Box::new(ImageDrive::new(
            config.personality,
            serial,
            overrides,
        )))
    }

    /// How st starts with this drive.
    pub(crate) fn st_options(&self, end_of_tape: EndOfTape) -> Options {
        let options = Options {
            end_of_tape,
            ..Options::default()
        };
        match self {
            Held::Image(drive) => Options {
                reports_beginning: drive.personality().reports_beginning,
                limits_reads: drive.personality().limits_reads,
                ..options
            },
            Held::Slave(..) => options,
        }
    }

    /// The drive, for st.
    pub(crate) fn drive(&mut self) -> &mut dyn Drive {
        match self {
            Held::Image(drive) => &mut **drive,
            Held::Slave(drive, _) => &mut **drive,
        }
    }

    /// The drive for cartridges of ours; where it is another one, who looks after those.
    pub(crate) fn images(&mut self) -> Result<&mut ImageDrive<FileMedium>> {
        match self {
            Held::Image(drive) => Ok(drive),
            Held::Slave(_, side) => Err(side.has_the_cartridges()),
        }
    }

    /// Vendor, product, revision and serial number.
    pub(crate) fn identity(&mut self) -> String {
        let identity = self.drive().identity();
        format!(
            "{} {} {} {}",
            identity.vendor, identity.product, identity.revision, identity.serial
        )
    }

    /// What kind of drive it is, in a word.
    pub(crate) fn personality(&self) -> &str {
        match self {
            Held::Image(drive) => drive.personality().name,
            Held::Slave(..) => "slave",
        }
    }

    /// Where the tape is, as far as is known without asking.
    pub(crate) fn peek_position(&self) -> Option<Position> {
        match self {
            Held::Image(drive) => drive.known_position(),
            Held::Slave(drive, _) => drive.known_position(),
        }
    }

    /// What an errno can't say of the last failure.
    pub(crate) fn take_trouble(&mut self) -> Option<String> {
        match self {
            Held::Image(drive) => drive.take_trouble(),
            Held::Slave(drive, side) => {
                let trouble = drive.take_trouble()?;
                let holder = side.holder_name().unwrap_or_default();
                Some(format!("{trouble} [{holder}]"))
            }
        }
    }
}
