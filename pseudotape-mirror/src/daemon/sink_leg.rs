//! A leg that ends in a sink.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use pseudotape_sink::{Access, Error, OpenSink, Place, Sink};
use pseudotape_tape::{Drive, ObjectNumber, Sense};

use crate::leg::{Keeps, LegDrive, LegOptions, NewLeg, Noted};

/// An open sink, as a leg to be put in.
pub(crate) struct Opened {
    pub(crate) leg: NewLeg,
    pub(crate) sink: Sink,
}

/// An open sink.
pub(crate) struct SinkLeg {
    sink: Sink,
    open: OpenSink,
}

/// Opens a sink as a leg. What can't be written is a protected volume, as in any drive.
pub(crate) fn open(options: &LegOptions, sink: &Sink) -> Result<Opened, Error> {
    if let Some(warning) = sink.warning() {
        log::warn!("leg {}: {warning}", options.name);
    }
    let open = match sink.open(Access::ReadWrite) {
        Err(error) if is_read_only(&error) => match sink.open(Access::ReadOnly) {
            Ok(open) => open,
            Err(_) => return Err(error),
        },
        opened => opened?,
    };
    let keeps = match sink.place {
        Place::Null(_) => Keeps::Nothing,
        Place::Path(_) | Place::Image(_) | Place::Device(_) | Place::Rmt(_) => Keeps::Blocks,
    };
    let drive = Box::new(SinkLeg {
        sink: sink.clone(),
        open,
    });
    let options = LegOptions {
        keeps,
        ..options.clone()
    };
    Ok(Opened {
        leg: NewLeg { options, drive },
        sink: sink.clone(),
    })
}

fn is_read_only(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            );
        }
        cause = error.source();
    }
    false
}

impl LegDrive for SinkLeg {
    fn drive(&mut self) -> &mut dyn Drive {
        self.open.drive()
    }

    fn noted(&mut self) -> Noted {
        match self.open.image().and_then(|image| image.cartridge()) {
            Some(cartridge) => match cartridge.incomplete_from() {
                Some(from) => Noted::NotMirroredFrom(from),
                None => Noted::Mirrored,
            },
            None => Noted::NoPlace,
        }
    }

    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, String> {
        let Some(cartridge) = self.open.image().and_then(|image| image.cartridge_mut()) else {
            return Ok(false);
        };
        if cartridge.incomplete_from() != from {
            let noted = cartridge.set_incomplete_from(from);
            noted.map_err(|error| error.to_string())?;
        }
        Ok(true)
    }

    fn take_trouble(&mut self) -> Option<String> {
        self.open.take_trouble()
    }

    fn finish(mut self: Box<Self>) -> Result<(), String> {
        if self.open.image().is_none() && is_empty(self.open.drive()) {
            // What was unloaded was committed then.
            return Ok(());
        }
        let SinkLeg { sink, open } = *self;
        open.finish(&sink).map_err(|error| error.to_string())
    }
}

/// Whether nothing is in a drive, as far as it can say.
fn is_empty(drive: &mut dyn Drive) -> bool {
    let ready = pseudotape_copy::make_ready(drive);
    matches!(ready, Err(failed) if matches!(failed.sense, Sense::NoMedium | Sense::NotReady))
}
