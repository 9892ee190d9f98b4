//! Opens sinks as legs.

use pseudotape_sink::{Error, Location, Sink};

use crate::leg::{Keeps, LegOptions, NewLeg};

/// An open sink, as a leg to be put in.
pub(crate) struct Opened {
    pub(crate) leg: NewLeg,
    pub(crate) sink: Sink,
    /// Why the host did not let it be opened for writing.
    pub(crate) refusal: Option<String>,
}

/// Opens a sink as a leg. A sink that can't be written is opened for reading, as a protected volume.
pub(crate) fn open(options: &LegOptions, sink: &Sink) -> Result<Opened, Error> {
    let opened = sink.open_as_allowed()?;
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
        leg: NewLeg {
            options,
            drive: opened.volume,
        },
        refusal: opened.refusal,
        sink: sink.clone(),
    })
}
