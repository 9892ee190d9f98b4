//! What the next daemon has to know of a changer where this one is killed: how the move in hand stands.
//!
//! Where the cartridges are is the changer's own to know. A move that was begun is done, or it is not: what was in its
//! elements before tells which.

use std::io;
use std::path::Path;

use pseudotape_scsi::ChangerCommand;
use pseudotape_tcmu::Kept;

use crate::note::{Answered, Place, Reader, put_answered, put_place, put_some, put_text};

/// The format of what is kept; another one is not understood.
const VERSION: u8 = 1;

/// What is in an element: a cartridge with its barcode, which can be empty, or nothing.
pub(crate) type Content = Option<String>;

/// A command that moves cartridges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// From the first element to the second.
    One([u16; 2]),
    /// From the first element to the second, and from the second to the third, which can be the first.
    Two([u16; 3]),
}

/// Whether a move that was begun is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    NotDone,
    /// Cartridges without barcodes that have changed places look as before.
    Unknown,
}

impl Moved {
    /// The move that a command is; `None`: it moves nothing.
    pub(crate) fn by(cdb: &[u8]) -> Option<Moved> {
        match ChangerCommand::decode(cdb) {
            Ok(ChangerCommand::Move(medium)) => {
                Some(Moved::One([medium.source, medium.destination]))
            }
            Ok(ChangerCommand::Exchange(medium)) => Some(Moved::Two([
                medium.source,
                medium.first_destination,
                medium.second_destination,
            ])),
            _ => None,
        }
    }

    /// Its elements.
    pub(crate) fn elements(&self) -> &[u16] {
        match self {
            Moved::One(elements) => elements,
            Moved::Two(elements) => elements,
        }
    }

    /// Judges by what was in its elements before, and what is in them now.
    pub(crate) fn verdict(&self, before: &[Content], now: &[Content]) -> Verdict {
        if before.len() != self.elements().len() || now.len() != before.len() {
            return Verdict::NotDone;
        }
        let is_done = match self {
            Moved::One(_) => before[0].is_some() && before[1].is_none() && now[1] == before[0],
            Moved::Two(_) => {
                let were_full = before[0].is_some() && before[1].is_some();
                were_full && now[1] == before[0] && now[2] == before[1]
            }
        };
        match (is_done, before == now) {
            (true, true) => Verdict::Unknown,
            (true, false) => Verdict::Done,
            (false, _) => Verdict::NotDone,
        }
    }
}

/// How the move in hand stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum MoveInHand {
    #[default]
    Nothing,
    /// With what was in its elements before.
    Begun(Place, Vec<Content>),
    Done(Place, Answered),
}

/// The note of one changer.
pub(crate) struct ChangerNote {
    kept: Kept,
    in_hand: MoveInHand,
}

impl ChangerNote {
    /// Opens the note of a changer; what can't be understood is as nothing.
    pub(crate) fn open(path: &Path) -> io::Result<ChangerNote> {
        let kept = Kept::open(path)?;
        let in_hand = decode(&kept.read()).unwrap_or_default();
        Ok(ChangerNote { kept, in_hand })
    }

    /// How the move in hand stands.
    pub(crate) fn in_hand(&self) -> &MoveInHand {
        &self.in_hand
    }

    /// Notes that.
    pub(crate) fn set(&mut self, in_hand: MoveInHand) {
        if self.in_hand != in_hand {
            self.kept.write(&encode(&in_hand));
            self.in_hand = in_hand;
        }
    }
}

fn encode(in_hand: &MoveInHand) -> Vec<u8> {
    let mut out = vec![VERSION];
    match in_hand {
        MoveInHand::Nothing => out.push(0),
        MoveInHand::Begun(place, before) => {
            out.push(1);
            put_place(&mut out, *place);
            out.push(u8::try_from(before.len()).unwrap_or(0)); // two or three
            for content in before {
                put_some(&mut out, content.as_ref(), |out, barcode| {
                    put_text(out, barcode.as_bytes());
                });
            }
        }
        MoveInHand::Done(place, answered) => {
            out.push(2);
            put_place(&mut out, *place);
            put_answered(&mut out, answered);
        }
    }
    out
}

fn decode(bytes: &[u8]) -> Option<MoveInHand> {
    let mut reader = Reader(bytes);
    if reader.byte()? != VERSION {
        return None;
    }
    let in_hand = match reader.byte()? {
        0 => MoveInHand::Nothing,
        1 => {
            let place = reader.place()?;
            let count = reader.byte()?;
            let before = (0..count).map(|_| {
                reader.some(|reader| String::from_utf8(reader.text()?.to_vec()).ok())
                // no text of ours
            });
            MoveInHand::Begun(place, before.collect::<Option<_>>()?)
        }
        2 => MoveInHand::Done(reader.place()?, reader.answered()?),
        _ => return None,
    };
    reader.0.is_empty().then_some(in_hand)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(barcode: &str) -> Content {
        Some(barcode.to_owned())
    }

    fn samples() -> Vec<MoveInHand> {
        let place = Place { id: 3, at: 512 };
        vec![
            MoveInHand::Nothing,
            MoveInHand::Begun(place, vec![full("PT0001L5"), None, full("")]),
            MoveInHand::Done(
                place,
                Answered {
                    status: 2,
                    sense: vec![0x70; 18],
                    read_bytes: None,
                },
            ),
        ]
    }

    #[test]
    fn the_next_daemon_reads_what_this_one_wrote() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("changer-0");
        let mut note = ChangerNote::open(&path).unwrap();
        assert_eq!(note.in_hand(), &MoveInHand::Nothing);
        for sample in samples() {
            note.set(sample.clone());
            assert_eq!(ChangerNote::open(&path).unwrap().in_hand(), &sample);
        }
    }

    #[test]
    fn what_is_cut_or_longer_is_not_understood() {
        for sample in samples() {
            let mut bytes = encode(&sample);
            assert_eq!(decode(&bytes), Some(sample));
            for length in 0..bytes.len() {
                assert_eq!(decode(&bytes[..length]), None, "{length}");
            }
            bytes.push(0);
            assert_eq!(decode(&bytes), None);
        }
    }

    #[test]
    fn what_is_in_the_elements_tells_whether_a_move_is_done() {
        let one = Moved::by(&[0xa5, 0, 0, 1, 4, 1, 1, 1, 0, 0, 0, 0]).unwrap();
        assert_eq!(one, Moved::One([0x401, 0x101]));
        let before = [full("A"), None];
        assert_eq!(one.verdict(&before, &before), Verdict::NotDone);
        assert_eq!(one.verdict(&before, &[None, full("A")]), Verdict::Done);
        // A refused one: the destination is full.
        let full_destination = [full("A"), full("B")];
        let verdict = one.verdict(&full_destination, &full_destination);
        assert_eq!(verdict, Verdict::NotDone);
        assert_eq!(one.verdict(&[None, None], &[None, None]), Verdict::NotDone);
        // Elements that could not be asked.
        assert_eq!(one.verdict(&[], &[None, full("A")]), Verdict::NotDone);

        let two = Moved::by(&[0xa6, 0, 0, 1, 4, 1, 1, 1, 4, 1, 0, 0]).unwrap();
        assert_eq!(two, Moved::Two([0x401, 0x101, 0x401]));
        let before = [full("A"), full("B"), full("A")];
        assert_eq!(two.verdict(&before, &before), Verdict::NotDone);
        let now = [full("B"), full("A"), full("B")];
        assert_eq!(two.verdict(&before, &now), Verdict::Done);
        let unlabelled = [full(""), full(""), full("")];
        assert_eq!(two.verdict(&unlabelled, &unlabelled), Verdict::Unknown);
        assert_eq!(Moved::by(&[0x12, 0, 0, 0, 36, 0]), None);
    }
}
