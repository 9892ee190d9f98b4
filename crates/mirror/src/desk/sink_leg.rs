//! Opens sinks as legs.

use anyhow::{Result, bail};
use pseudotape_sink::{Location, Sink};
use pseudotape_tape::{Sense, Stop, Transfer, Volume, make_ready};

use crate::leg::{Keeps, LegOptions, NewLeg};

/// So much of a block is read to find out whether the key is right.
const FIRST_BYTES: usize = 512;
/// So many marks may be before the first block.
const FIRST_MARKS: usize = 4;

/// An open sink, as a leg to be put in.
pub(crate) struct Opened {
    pub(crate) leg: NewLeg,
    pub(crate) sink: Sink,
    /// Why the host did not let it be opened for writing.
    pub(crate) refusal: Option<String>,
}

/// Opens a sink as a leg. A sink that can't be written is opened for reading, as a protected volume.
pub(crate) fn open(options: &LegOptions, sink: &Sink) -> Result<Opened> {
    if sink.is_node() || matches!(sink.place, Location::Rmt(_)) {
        // Another host or a real drive can take minutes, or hang.
        log::info!("leg {}: opening {sink}", options.name);
    }
    let mut opened = sink.open_as_allowed()?;
    if sink.is_filtered() {
        check_key(&mut *opened.volume)?;
    }
    if let Some(notice) = sink.notice(&mut *opened.volume) {
        log::warn!("leg {}: {sink}: {notice}", options.name);
    }
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

/// Refuses a volume whose sink names the wrong key, or none where one is needed. A leg takes nothing behind blocks that
/// it can't read, so that each record would fail when other legs have it already.
fn check_key(volume: &mut dyn Volume) -> Result<()> {
    let ready = make_ready(volume).and_then(|()| volume.rewind());
    if ready.is_err() {
        // The load says why.
        return Ok(());
    }
    let mut start = [0; FIRST_BYTES];
    for _ in 0..=FIRST_MARKS {
        match volume.read(Transfer::Variable, &mut start) {
            // The block is behind it.
            Ok(done) if matches!(done.stop, Some(Stop::Filemark | Stop::Setmark)) => {}
            Err(failed) if failed.sense == Sense::IllegalRequest => {
                if let Some(trouble) = volume.take_trouble() {
                    bail!("wrong key: {trouble}");
                }
                break;
            }
            // Other failures, and a volume without a block, say nothing of the key.
            Ok(_) | Err(_) => break,
        }
    }
    if let Err(failed) = volume.rewind() {
        log::debug!("after the first block was read: {failed}");
    }
    Ok(())
}
