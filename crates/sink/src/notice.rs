//! What the first block of an image says of the filter before it, or of the one that is not named.

use pseudotape_filter::{HEADER_BYTES, StoredAs};
use pseudotape_tape::{Failed, Stop, Transfer, Volume};

use crate::sink::Sink;

/// So many marks may be before the first block.
const FIRST_MARKS: usize = 4;
/// So much of a block tells whether a filter stored it.
pub const START_BYTES: usize = HEADER_BYTES;

/// What has to be said where a volume that begins with this block is used without a filter.
#[must_use]
pub fn notice_of_block(start: &[u8]) -> Option<&'static str> {
    match StoredAs::of(start)? {
        StoredAs::Encrypted => Some(
            "its blocks are encrypted, and no key is named: programs get them as they are stored; 'aes=KEYFILE+IMAGE' reads them",
        ),
        StoredAs::Open => Some(
            "its blocks are as a filter stored them, and none is named: programs get them so; 'zstd+IMAGE' reads them",
        ),
    }
}

impl Sink {
    /// What has to be said of a volume that was opened by this specification, where it is an image: its first block
    /// needs a filter or a key, and another one or none is named. The tape is at its beginning afterwards. Other tapes
    /// are not moved.
    pub fn notice(&self, volume: &mut dyn Volume) -> Option<String> {
        if !self.is_image() {
            return None;
        }
        let mut start = [0; START_BYTES];
        let notice = match (first_block(volume, &mut start), self.is_filtered()) {
            (Ok(Some(bytes)), false) => {
                let said = start.get(..bytes).and_then(notice_of_block);
                said.map(str::to_owned)
            }
            (Err(_), true) => volume.take_trouble(),
            (Ok(_), _) | (Err(_), false) => None,
        };
        match volume.rewind() {
            Ok(_) => notice,
            Err(failed) => notice.or(Some(format!(
                "the tape does not go back to its beginning: {failed}"
            ))),
        }
    }
}

/// Reads the beginning of the first block; says how many bytes, `None` where there is no block.
fn first_block(volume: &mut dyn Volume, start: &mut [u8]) -> Result<Option<usize>, Failed> {
    for _ in 0..=FIRST_MARKS {
        let done = volume.read(Transfer::Variable, start)?;
        match done.stop {
            Some(Stop::Filemark | Stop::Setmark) => {}
            Some(_) => return Ok(None),
            None => return Ok(Some(done.bytes)),
        }
    }
    Ok(None)
}
