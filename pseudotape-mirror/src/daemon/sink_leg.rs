//! Opens sinks as legs.

use pseudotape_sink::{Access, Error, Location, Sink, is_read_only};

use crate::leg::{Keeps, LegOptions, NewLeg};

/// An open sink, as a leg to be put in.
pub(crate) struct Opened {
    pub(crate) leg: NewLeg,
    pub(crate) sink: Sink,
}

/// Opens a sink as a leg. A sink that can't be written is opened for reading, as a protected volume.
pub(crate) fn open(options: &LegOptions, sink: &Sink) -> Result<Opened, Error> {
    if let Some(warning) = sink.warning() {
        log::warn!("leg {}: {warning}", options.name);
    }
    let drive = match sink.open(Access::ReadWrite) {
        Err(error) if is_read_only(&error) => match sink.open(Access::ReadOnly) {
            Ok(drive) => drive,
            Err(_) => return Err(error),
        },
        opened => opened?,
    };
    let keeps = match sink.place {
        Location::Null(_) => Keeps::Nothing,
        Location::Path(_) | Location::Image(_) | Location::Device(_) | Location::Rmt(_) => {
            Keeps::Blocks
        }
    };
    let options = LegOptions {
        keeps,
        ..options.clone()
    };
    Ok(Opened {
        leg: NewLeg { options, drive },
        sink: sink.clone(),
    })
}
