//! A leg that ends in a sink.

use pseudotape_sink::{Access, Error, Place, Sink, is_read_only};
use pseudotape_tape::{Drive, ObjectNumber, Volume};

use crate::leg::{Keeps, LegDrive, LegOptions, NewLeg, Noted};

/// An open sink, as a leg to be put in.
pub(crate) struct Opened {
    pub(crate) leg: NewLeg,
    pub(crate) sink: Sink,
}

/// An open sink.
pub(crate) struct SinkLeg {
    open: Box<dyn Volume>,
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
    let drive = Box::new(SinkLeg { open });
    let options = LegOptions {
        keeps,
        ..options.clone()
    };
    Ok(Opened {
        leg: NewLeg { options, drive },
        sink: sink.clone(),
    })
}

impl LegDrive for SinkLeg {
    fn drive(&mut self) -> &mut dyn Drive {
        &mut self.open
    }

    fn noted(&mut self) -> Noted {
        Volume::noted(&self.open)
    }

    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, String> {
        let noted = Volume::note_not_mirrored(&mut self.open, from);
        noted.map_err(|error| error.to_string())
    }

    fn take_trouble(&mut self) -> Option<String> {
        Volume::take_trouble(&mut self.open)
    }

    fn finish(self: Box<Self>) -> Result<(), String> {
        Volume::finish(Box::new(self.open)).map_err(|error| error.to_string())
    }
}
