//! The file of a library: a line that says what follows, the state as JSON, and a line for each change since then.
//!
//! ```text
//! {"pseudotape-library":2,"bytes":812,"crc32":305419896}
//! {"design":{"name":"vault",…
//! {"crc32":2596996162,"elements":{"257":{"barcode":"PT0001L5",…},"1025":null}}
//! {"crc32":1268118805,"removal-prevented":true}
//! ```
//!
//! docs/CHANGER.md describes it. A line's checksum is of what follows its comma, continued from that of the line
//! before.
//! So a line that is lost, or that belongs to another file, is found as well as one that was changed.
//!
//! The first number is that of the format. Format 1 has no lines behind the state; it is read, and written no more. A
//! program refuses what it does not know, fields included: to leave out what a newer version wrote would lose it at the
//! next move.

use serde::{Deserialize, Serialize};

use crate::state::{Change, FORMAT, State, StateError};

/// A log as long as this is no reason to write a small file anew.
const SMALL_LOG_BYTES: u64 = 64 << 10;

/// How each line of the log starts.
const START: &[u8] = b"{\"crc32\":";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    #[serde(rename = "pseudotape-library")]
    format: u32,
    bytes: usize,
    crc32: u32,
}

/// Where the next line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    /// The checksum that the next one continues.
    crc32: u32,
    /// Bytes of the first line and the state.
    state_bytes: u64,
    /// Bytes of the whole file.
    file_bytes: u64,
}

impl Log {
    /// The length of the file.
    pub(crate) fn end(&self) -> u64 {
        self.file_bytes
    }

    /// Whether to write the file anew costs more than to read the log once more.
    pub(crate) fn has_room(&self) -> bool {
        self.file_bytes - self.state_bytes <= self.state_bytes.max(SMALL_LOG_BYTES)
    }

    /// The line of a change, and what comes behind it.
    pub(crate) fn line(&self, change: &Change) -> (Vec<u8>, Log) {
        let body = serde_json::to_vec(change).expect("maps have keys that are numbers or texts");
        // The bytes between the braces: the checksum is put in front of them.
        let body = &body[1..];
        let crc32 = checksum(self.crc32, body);
        let mut line = format!("{{\"crc32\":{crc32},").into_bytes();
        line.extend_from_slice(body);
        line.push(b'\n');
        let next = Log {
            crc32,
            file_bytes: self.file_bytes + line.len() as u64,
            ..*self
        };
        (line, next)
    }
}

fn checksum(before: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(bytes);
    hasher.finalize()
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) state: State,
    /// Where the next line goes; `None` where the file has to be written anew first.
    pub(crate) log: Option<Log>,
    /// The last line was not written to its end: its change did not happen.
    pub(crate) torn: bool,
}

/// The state alone, in the format of today.
pub(crate) fn encode(state: &State) -> (Vec<u8>, Log) {
    let body = serde_json::to_vec(state).expect("maps have keys that are numbers or texts");
    let crc32 = crc32fast::hash(&body);
    let head = Head {
        format: FORMAT,
        bytes: body.len(),
        crc32,
    };
    let mut file = serde_json::to_vec(&head).expect("three numbers");
    file.push(b'\n');
    file.extend_from_slice(&body);
    file.push(b'\n');
    let bytes = file.len() as u64;
    let log = Log {
        crc32,
        state_bytes: bytes,
        file_bytes: bytes,
    };
    (file, log)
}

pub(crate) fn decode(file: &[u8]) -> Result<Found, StateError> {
    let end = file.iter().position(|byte| *byte == b'\n');
    let (head, rest) = file.split_at(end.unwrap_or(file.len()));
    let head: Head = serde_json::from_slice(head).map_err(StateError::Foreign)?;
    if !(1..=FORMAT).contains(&head.format) {
        return Err(StateError::Format(head.format));
    }
    let rest = rest.get(1..).ok_or(StateError::Checksum)?;
    let (body, rest) = rest
        .split_at_checked(head.bytes)
        .ok_or(StateError::Checksum)?;
    let lines = rest.strip_prefix(b"\n").ok_or(StateError::Checksum)?;
    if crc32fast::hash(body) != head.crc32 || (head.format == 1 && !lines.is_empty()) {
        return Err(StateError::Checksum);
    }
    let mut state: State = serde_json::from_slice(body).map_err(StateError::Content)?;
    let state_bytes = (file.len() - lines.len()) as u64;
    let mut log = Log {
        crc32: head.crc32,
        state_bytes,
        file_bytes: state_bytes,
    };
    let torn = replay(&mut state, &mut log, lines)?;
    state.check()?;
    Ok(Found {
        state,
        log: (head.format == FORMAT && !torn).then_some(log),
        torn,
    })
}

/// Does what the lines say; says whether the last one is torn.
fn replay(state: &mut State, log: &mut Log, mut lines: &[u8]) -> Result<bool, StateError> {
    // The head and the state are lines 1 and 2.
    let mut number = 3;
    while !lines.is_empty() {
        let end = lines.iter().position(|byte| *byte == b'\n');
        let (line, rest) = lines.split_at(end.map_or(lines.len(), |end| end + 1));
        let Some((crc32, body)) = whole(line, log.crc32) else {
            // Pages reach a disk in any order: the end of a torn line can be there without its middle.
            return match rest.is_empty() && !holds_a_second_line(line) {
                true => Ok(true),
                false => Err(StateError::Line { number }),
            };
        };
        let change: Change = serde_json::from_slice(&body)
            .map_err(|source| StateError::LineContent { number, source })?;
        state.apply(change);
        log.crc32 = crc32;
        log.file_bytes += line.len() as u64;
        (lines, number) = (rest, number + 1);
    }
    Ok(false)
}

/// Whether the end of a line was damaged, so that the next one seems to be a part of it. Within a line no text has
/// quotation marks as they are.
fn holds_a_second_line(line: &[u8]) -> bool {
    let mut windows = line.windows(START.len()).skip(1);
    windows.any(|window| window == START)
}

/// The checksum of a line and its change, where the checksum is right.
fn whole(line: &[u8], before: u32) -> Option<(u32, Vec<u8>)> {
    let line = line.strip_suffix(b"\n")?.strip_prefix(START)?;
    let comma = line.iter().position(|byte| *byte == b',')?;
    let (digits, body) = (&line[..comma], &line[comma + 1..]);
    let crc32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    // A number has one spelling, so that no byte of a line can change unseen.
    let spelled = format!("{crc32}").into_bytes() == digits;
    (spelled && checksum(before, body) == crc32).then(|| {
        let mut change = b"{".to_vec();
        change.extend_from_slice(body);
        (crc32, change)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::address::{Address, Layout};
    use crate::state::{Cartridge, Design, Held};

    const FORMAT_1: &str = include_str!("../../../tests/vectors/library-v1.json");
    const FORMAT_2: &str = include_str!("../../../tests/vectors/library-v2.json");

    fn held() -> Held {
        Held {
            cartridge: Cartridge {
                barcode: "PT0001L5".parse().unwrap(),
                volume: "PT0001L5.ptape".into(),
            },
            source: Some(Address(1026)),
            by_operator: false,
        }
    }

    fn state() -> State {
        State {
            design: Design {
                name: "vault".into(),
                serial: "PTL0".into(),
                layout: Layout::usual(2, 1, 5).unwrap(),
                barcodes: "PT####L5".into(),
                capacity_bytes: Some(1 << 20),
            },
            removal_prevented: false,
            elements: BTreeMap::from([(Address(257), held())]),
        }
    }

    /// Back into its slot, and a locked door.
    fn changes() -> [Change; 2] {
        let back = Change {
            elements: BTreeMap::from([(Address(257), None), (Address(1026), Some(held()))]),
            removal_prevented: None,
        };
        let locked = Change {
            elements: BTreeMap::new(),
            removal_prevented: Some(true),
        };
        [back, locked]
    }

    fn file() -> (Vec<u8>, State) {
        let mut state = state();
        let (mut file, mut log) = encode(&state);
        for change in changes() {
            let (line, next) = log.line(&change);
            file.extend_from_slice(&line);
            state.apply(change);
            log = next;
            assert_eq!(log.end(), file.len() as u64);
        }
        (file, state)
    }

    /// A released format is never changed: a change of it gets a number and a reader for the old one.
    #[test]
    fn the_file_has_these_bytes() {
        let (file, state) = file();
        assert_eq!(String::from_utf8(file).unwrap(), FORMAT_2);
        let found = decode(FORMAT_2.as_bytes()).unwrap();
        assert_eq!(found.state, state);
        assert!(found.log.is_some() && !found.torn);
    }

    #[test]
    fn format_1_is_read_and_has_to_be_written_anew() {
        let found = decode(FORMAT_1.as_bytes()).unwrap();
        assert_eq!(found.state, state());
        assert!(found.log.is_none() && !found.torn);
        let long = format!("{FORMAT_1}{{}}\n");
        assert!(matches!(decode(long.as_bytes()), Err(StateError::Checksum)));
    }

    #[test]
    fn a_state_that_was_cut_or_changed_is_refused() {
        for file in [encode(&state()).0, FORMAT_1.as_bytes().to_vec()] {
            for length in 0..file.len() {
                assert!(decode(&file[..length]).is_err(), "{length}");
            }
            for at in 0..file.len() {
                let mut changed = file.clone();
                changed[at] ^= 1;
                let decoded = decode(&changed);
                assert!(decoded.is_err(), "{at}: {decoded:?}");
            }
        }
    }

    #[test]
    fn a_last_line_that_is_cut_or_damaged_did_not_happen() {
        let (file, whole) = file();
        let before_last = file[..file.len() - 1].iter().rposition(|b| *b == b'\n');
        let last = before_last.unwrap() + 1;
        let mut before = state();
        before.apply(changes()[0].clone());
        for length in last..file.len() {
            let found = decode(&file[..length]).unwrap();
            assert_eq!(found.state, before, "{length}");
            assert_eq!(found.torn, length > last, "{length}");
            assert_eq!(found.log.is_some(), length == last, "{length}");
        }
        for at in last..file.len() {
            let mut damaged = file.clone();
            damaged[at] = 0;
            let found = decode(&damaged).unwrap();
            assert_eq!((found.state, found.torn), (before.clone(), true), "{at}");
        }
        assert_eq!(decode(&file).unwrap().state, whole);
    }

    #[test]
    fn a_damaged_or_missing_line_in_the_middle_is_named() {
        let (file, _) = file();
        let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
        let start = lines[0].len() + lines[1].len();
        // The end of the line too, which makes one line of two.
        for at in start..start + lines[2].len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            let error = decode(&damaged).unwrap_err();
            assert!(
                matches!(error, StateError::Line { number: 3 }),
                "{at}: {error}"
            );
        }
        // Without the line that the next one continues, the next one is wrong. Something has to follow it: a last
        // line alone could be torn.
        let without = [lines[0], lines[1], lines[3], lines[3]].concat();
        let error = decode(&without).unwrap_err().to_string();
        assert!(error.starts_with("line 3 is damaged"), "{error}");
    }

    #[test]
    fn a_line_that_is_whole_and_not_understood_is_named() {
        let (mut file, log) = encode(&state());
        let body = br#""door":"open"}"#;
        let crc32 = checksum(log.crc32, body);
        file.extend_from_slice(format!("{{\"crc32\":{crc32},").as_bytes());
        file.extend_from_slice(body);
        file.push(b'\n');
        let error = decode(&file).unwrap_err().to_string();
        assert!(error.starts_with("line 3 can't be understood"), "{error}");
    }

    #[test]
    fn a_newer_format_is_named() {
        let text = String::from_utf8(encode(&state()).0).unwrap();
        let newer = text.replace("library\":2", "library\":3");
        let error = decode(newer.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("it has format 3"), "{error}");
    }

    #[test]
    fn a_cartridge_in_two_places_or_none_is_refused() {
        let mut twice = state();
        twice.elements.insert(Address(1025), held());
        assert!(matches!(
            decode(&encode(&twice).0),
            Err(StateError::Twice { .. })
        ));
        for address in [Address(1), Address(9)] {
            let mut nowhere = state();
            nowhere.elements = BTreeMap::from([(address, held())]);
            assert!(matches!(
                decode(&encode(&nowhere).0),
                Err(StateError::Nowhere { .. })
            ));
        }
    }
}
