//! What the next daemon has to know where this one is killed: where the tape is, and how the command in hand stands.
//!
//! The kernel keeps a command until it is answered, so that the next daemon gets it again. A command that was begun is
//! done again from where the tape was before it: a write that did come to the volume is overwritten by itself. One that
//! was done and not answered is answered with what is noted here. So each command is done once, as far as anybody sees.

use std::io;
use std::path::Path;

use pseudotape_tape::{Mode, PartitionNumber, Position};
use pseudotape_tcmu::Kept;

/// The format of what is kept; another one is not understood.
const VERSION: u8 = 1;

/// Which command of the ring: its number there, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: u16,
    pub(crate) at: u32,
}

/// What was answered, or is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u8,
    pub(crate) sense: Vec<u8>,
    pub(crate) read_bytes: Option<u32>,
}

/// How the command in hand stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum InHand {
    #[default]
    Nothing,
    Begun(Place),
    Done(Place, Answered),
}

/// How the drive was, before the command in hand where it was begun, else behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// What is loaded, by the name that loads it.
    pub(crate) volume: Option<String>,
    /// Whether the drive can work on it: not unloaded by a program.
    pub(crate) is_ready: bool,
    pub(crate) position: Option<Position>,
    pub(crate) mode: Option<Mode>,
    pub(crate) is_locked: bool,
    /// The last thing that changed the medium was a write: its tape file has no end yet.
    pub(crate) is_file_open: bool,
}

/// The note of one drive.
pub(crate) struct Note {
    kept: Kept,
    pub(crate) settled: Settled,
    pub(crate) in_hand: InHand,
    bytes: Vec<u8>,
}

impl Note {
    /// Opens the note of a drive; `None` where there is nothing that can be understood.
    pub(crate) fn open(path: &Path) -> io::Result<(Note, bool)> {
        let kept = Kept::open(path)?;
        let found = decode(&kept.read());
        let is_found = found.is_some();
        let (settled, in_hand) = found.unwrap_or_default();
        let bytes = Vec::new();
        let note = Note {
            kept,
            settled,
            in_hand,
            bytes,
        };
        Ok((note, is_found))
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.settled = Settled::default();
        self.in_hand = InHand::Nothing;
        self.write();
    }

    /// Writes down how things stand.
    pub(crate) fn write(&mut self) {
        self.bytes.clear();
        encode(&self.settled, &self.in_hand, &mut self.bytes);
        self.kept.write(&self.bytes);
    }

    /// What to answer to a command that was done before, and not answered.
    pub(crate) fn answered(&self, command: Place) -> Option<&Answered> {
        match &self.in_hand {
            InHand::Done(place, answered) if *place == command => Some(answered),
            _ => None,
        }
    }
}

pub(crate) fn put_text(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend(bytes.iter().take(length.into()));
}

/// What is not there is one byte.
pub(crate) fn put_some<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(value.is_some().into());
    if let Some(value) = value {
        put(out, value);
    }
}

pub(crate) fn put_place(out: &mut Vec<u8>, place: Place) {
    out.extend_from_slice(&place.id.to_le_bytes());
    out.extend_from_slice(&place.at.to_le_bytes());
}

pub(crate) fn put_answered(out: &mut Vec<u8>, answered: &Answered) {
    out.push(answered.status);
    put_some(out, answered.read_bytes, |out, bytes| {
        out.extend_from_slice(&bytes.to_le_bytes());
    });
    put_text(out, &answered.sense);
}

fn encode(settled: &Settled, in_hand: &InHand, out: &mut Vec<u8>) {
    out.push(VERSION);
    put_some(out, settled.volume.as_ref(), |out, volume| {
        put_text(out, volume.as_bytes());
    });
    out.push(settled.is_ready.into());
    put_some(out, settled.position, |out, position| {
        out.push(position.partition.0);
        out.extend_from_slice(&position.object.0.to_le_bytes());
    });
    put_some(out, settled.mode, |out, mode| {
        out.extend_from_slice(&mode.block_size.to_le_bytes());
        out.extend_from_slice(&[mode.density, mode.buffering]);
        put_some(out, mode.compression, |out, on| out.push(on.into()));
    });
    out.extend_from_slice(&[settled.is_locked.into(), settled.is_file_open.into()]);
    match in_hand {
        InHand::Nothing => out.push(0),
        InHand::Begun(place) => {
            out.push(1);
            put_place(out, *place);
        }
        InHand::Done(place, answered) => {
            out.push(2);
            put_place(out, *place);
            put_answered(out, answered);
        }
    }
}

/// What is left to read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok() // as long as was asked for
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        Some(u8::from_le_bytes(self.array()?))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_le_bytes(self.array()?);
        self.bytes(length.into())
    }

    /// The outer `None`: it can't be read.
    pub(crate) fn some<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.flag()? {
            false => Some(None),
            true => read(self).map(Some),
        }
    }

    pub(crate) fn place(&mut self) -> Option<Place> {
        Some(Place {
            id: u16::from_le_bytes(self.array()?),
            at: u32::from_le_bytes(self.array()?),
        })
    }
}

impl Reader<'_> {
    pub(crate) fn answered(&mut self) -> Option<Answered> {
        Some(Answered {
            status: self.byte()?,
            read_bytes: self.some(|reader| Some(u32::from_le_bytes(reader.array()?)))?,
            sense: self.text()?.to_vec(),
        })
    }
}

fn decode(bytes: &[u8]) -> Option<(Settled, InHand)> {
    let mut reader = Reader(bytes);
    if reader.byte()? != VERSION {
        return None;
    }
    let volume = reader.some(|reader| String::from_utf8(reader.text()?.to_vec()).ok())?;
    let is_ready = reader.flag()?;
    let position = reader.some(|reader| {
        Some(Position {
            partition: PartitionNumber(reader.byte()?),
            object: pseudotape_tape::ObjectNumber(u64::from_le_bytes(reader.array()?)),
            ..Position::default()
        })
    })?;
    let mode = reader.some(|reader| {
        Some(Mode {
            block_size: u32::from_le_bytes(reader.array()?),
            density: reader.byte()?,
            buffering: reader.byte()?,
            compression: reader.some(Reader::flag)?,
            ..Mode::default()
        })
    })?;
    let settled = Settled {
        volume,
        is_ready,
        position,
        mode,
        is_locked: reader.flag()?,
        is_file_open: reader.flag()?,
    };
    let in_hand = match reader.byte()? {
        0 => InHand::Nothing,
        1 => InHand::Begun(reader.place()?),
        2 => InHand::Done(reader.place()?, reader.answered()?),
        _ => return None,
    };
    reader.0.is_empty().then_some((settled, in_hand))
}

#[cfg(test)]
mod tests {
    use pseudotape_tape::ObjectNumber;

    use super::*;

    fn samples() -> Vec<(Settled, InHand)> {
        let place = Place { id: 7, at: 4096 };
        let answered = Answered {
            status: 2,
            sense: vec![0x70; 18],
            read_bytes: Some(512),
        };
        let full = Settled {
            volume: Some("zstd+image:/srv/ä.ptape".into()),
            is_ready: true,
            position: Some(Position {
                partition: PartitionNumber(1),
                object: ObjectNumber(1 << 40),
                ..Position::default()
            }),
            mode: Some(Mode {
                block_size: 512,
                density: 0x58,
                buffering: 1,
                compression: Some(false),
                ..Mode::default()
            }),
            is_locked: true,
            is_file_open: true,
        };
        vec![
            (Settled::default(), InHand::Nothing),
            (full.clone(), InHand::Begun(place)),
            (full, InHand::Done(place, answered)),
        ]
    }

    #[test]
    fn the_next_daemon_reads_what_this_one_wrote() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0");
        let (mut note, is_found) = Note::open(&path).unwrap();
        assert!(!is_found);
        for (settled, in_hand) in samples() {
            (note.settled, note.in_hand) = (settled, in_hand);
            note.write();
            let (next, is_found) = Note::open(&path).unwrap();
            assert!(is_found);
            assert_eq!(
                (&next.settled, &next.in_hand),
                (&note.settled, &note.in_hand)
            );
        }
        let answered = |id, at| note.answered(Place { id, at }).is_some();
        assert!(answered(7, 4096) && !answered(7, 0) && !answered(8, 4096));
        note.clear();
        assert_eq!(Note::open(&path).unwrap().0.in_hand, InHand::Nothing);
    }

    #[test]
    fn what_is_cut_or_changed_is_not_understood_or_is_something_else() {
        for (settled, in_hand) in samples() {
            let mut bytes = Vec::new();
            encode(&settled, &in_hand, &mut bytes);
            assert!(decode(&bytes).is_some());
            for length in 0..bytes.len() {
                assert_eq!(decode(&bytes[..length]), None, "{length}");
            }
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 0xff;
                assert_ne!(decode(&changed), Some((settled.clone(), in_hand.clone())));
            }
            bytes.push(0);
            assert_eq!(decode(&bytes), None);
        }
    }
}
