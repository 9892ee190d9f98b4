//! What a volume knows of one file: the same bytes in its capsule and in the volume's directory.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU64;

use pseudotape_pax::{Records, Time, pairs};
use uuid::Uuid;

pub use crate::digest::Digest;
use crate::title::Title;

/// The latest version of the record that this program writes: that of a capsule whose archive is compressed.
pub const RECORD_VERSION: u64 = 2;
/// That of all other ones.
const PLAIN_VERSION: u64 = 1;
/// The word for the one way in which archives are compressed.
const ZSTD: &str = "zstd";
/// The longest record: the longest title, and words.
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 10;
/// The longest words in it, in characters: why a file is missing, and notes.
pub const MAX_WORDS: usize = 1000;

/// The number of a capsule in its volume, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(pub NonZeroU64);

impl Number {
    /// The first one.
    pub const FIRST: Number = Number(NonZeroU64::MIN);

    /// The one behind it.
    #[must_use]
    pub fn next(self) -> Self {
        Number(self.0.saturating_add(1))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A symbolic link.
    SymbolicLink,
    /// A FIFO.
    Fifo,
}

const KINDS: [(FileKind, &str); 3] = [
    (FileKind::File, "file"),
    (FileKind::SymbolicLink, "symlink"),
    (FileKind::Fifo, "fifo"),
];

impl FileKind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            FileKind::File => "file",
            FileKind::SymbolicLink => "symlink",
            FileKind::Fifo => "fifo",
        }
    }
}

/// What a capsule has of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All of it, as it was at one moment.
    Ok,
    /// All of it, but it changed while it was read.
    Changed,
    /// Nothing: it could not be read.
    Missing,
    /// Nothing any more: it was released.
    Released,
}

const STATES: [(State, &str); 4] = [
    (State::Ok, "ok"),
    (State::Changed, "changed"),
    (State::Missing, "missing"),
    (State::Released, "released"),
];

impl State {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Changed => "changed",
            State::Missing => "missing",
            State::Released => "released",
        }
    }

    /// Whether the file can be had from the capsule.
    #[must_use]
    pub fn has_file(self) -> bool {
        match self {
            State::Ok | State::Changed => true,
            State::Missing | State::Released => false,
        }
    }
}

/// What tells which of two files with one title is the better one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its extended attribute `user.vault.cycle`, else 0.
    pub generation: u64,
    /// Its extended attribute `user.vault.version`, else 0.
    pub version: u64,
    /// When it was made, where its file system knows that.
    pub created: Option<Time>,
    /// When it was changed.
    pub modified: Time,
}

impl Stamp {
    /// Whether this file is better than another one: higher in generation, then in version, then made later, then
    /// changed later. Of a file whose making is not known, it is the same as the other's.
    #[must_use]
    pub fn is_better_than(&self, other: &Stamp) -> bool {
        let created = match (self.created, other.created) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => Ordering::Equal,
        };
        let order = self.generation.cmp(&other.generation);
        let order = order.then(self.version.cmp(&other.version));
        order.then(created).then(self.modified.cmp(&other.modified)) == Ordering::Greater
    }
}

/// What a volume knows of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of its capsule.
    pub number: Number,
    /// The identity of the capsule's image.
    pub capsule: Uuid,
    /// Its title.
    pub title: Title,
    /// What it was.
    pub kind: FileKind,
    /// What the capsule has of it.
    pub state: State,
    /// Its length.
    pub length: u64,
    /// Which one of its title it is.
    pub stamp: Stamp,
    /// Of the contents of its member in the archive, where the capsule has them or had them.
    pub digest: Option<Digest>,
    /// Bytes of its archive as it is stored, where it is compressed.
    pub stored: Option<u64>,
    /// When the capsule was made, in milliseconds after 1970.
    pub added_ms: u64,
    /// Why the capsule has not the file, or who released it.
    pub why: Option<String>,
    /// What somebody noted about it. The directory's is the newer one: capsules are not changed.
    pub note: Option<String>,
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// They are malformed.
    #[error("{0}")]
    Malformed(&'static str),
    /// A later program wrote it.
    #[error("it has version {0} of the record, which a later pseudotape reads")]
    Newer(u64),
    /// A value is missing, or none that it can have.
    #[error("its value '{0}' is missing or wrong")]
    Value(&'static str),
}

impl Entry {
    /// The bytes of the record: pax records, of which the first one says what it is.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut records = Records::default();
        let version = match self.stored {
            Some(_) => RECORD_VERSION,
            None => PLAIN_VERSION,
        };
        records.add("pseudotape.farm", version.to_string());
        records.add("number", self.number.to_string());
        records.add("capsule", self.capsule.to_string());
        records.add("title", self.title.bytes());
        records.add("kind", self.kind.word());
        records.add("state", self.state.word());
        records.add("length", self.length.to_string());
        records.add("generation", self.stamp.generation.to_string());
        records.add("version", self.stamp.version.to_string());
        if let Some(created) = self.stamp.created {
            records.add("created", created.text());
        }
        records.add("modified", self.stamp.modified.text());
        if let Some(digest) = self.digest {
            records.add("blake3", digest.to_string());
        }
        if let Some(stored) = self.stored {
            records.add("compression", ZSTD);
            records.add("stored", stored.to_string());
        }
        records.add("added_ms", self.added_ms.to_string());
        if let Some(why) = &self.why {
            records.add("why", cut(why));
        }
        if let Some(note) = &self.note {
            records.add("note", cut(note));
        }
        records.encode()
    }

    /// Whether both say the same of a file; notes come later.
    pub(crate) fn is_same_file_as(&self, other: &Entry) -> bool {
        let without_note = |entry: &Entry| Entry {
            note: None,
            ..entry.clone()
        };
        without_note(self) == without_note(other)
    }

    /// Reads a record. What it does not know is passed over.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let fields = Fields::of(bytes)?;
        if fields.first != KEYS.first().map(|key| key.as_bytes()) {
            return Err(RecordError::Malformed("it is no record of a disk farm"));
        }
        let stored = match fields.number(Key::Farm)? {
            PLAIN_VERSION => None,
            RECORD_VERSION if fields.text(Key::Compression) == Some(ZSTD) => {
                Some(fields.number(Key::Stored)?)
            }
            RECORD_VERSION => return Err(RecordError::Value(Key::Compression.name())),
            newer @ 3.. => return Err(RecordError::Newer(newer)),
            _ => return Err(RecordError::Value(Key::Farm.name())),
        };
        let word = |key: Key| fields.text(key).ok_or(RecordError::Value(key.name()));
        let kind = word(Key::Kind)?;
        let kind = KINDS.iter().find(|(_, known)| *known == kind);
        let state = word(Key::State)?;
        let state = STATES.iter().find(|(_, known)| *known == state);
        let number = NonZeroU64::new(fields.number(Key::Number)?);
        let title = fields.value(Key::Title).and_then(Title::new);
        let digest = match fields.value(Key::Blake3) {
            Some(text) => {
                Some(Digest::from_hex(text).ok_or(RecordError::Value(Key::Blake3.name()))?)
            }
            None => None,
        };
        let created = match fields.text(Key::Created) {
            Some(text) => Some(Time::parse(text).ok_or(RecordError::Value(Key::Created.name()))?),
            None => None,
        };
        let modified = word(Key::Modified)?;
        let capsule = Uuid::try_parse(word(Key::Capsule)?);
        Ok(Entry {
            number: Number(number.ok_or(RecordError::Value(Key::Number.name()))?),
            capsule: capsule.map_err(|_| RecordError::Value(Key::Capsule.name()))?,
            title: title.ok_or(RecordError::Value(Key::Title.name()))?,
            kind: kind.ok_or(RecordError::Value(Key::Kind.name()))?.0,
            state: state.ok_or(RecordError::Value(Key::State.name()))?.0,
            length: fields.number(Key::Length)?,
            stamp: Stamp {
                generation: fields.number(Key::Generation)?,
                version: fields.number(Key::Version)?,
                created,
                modified: Time::parse(modified).ok_or(RecordError::Value(Key::Modified.name()))?,
            },
            digest,
            stored,
            added_ms: fields.number(Key::AddedMs)?,
            why: fields.text(Key::Why).map(cut),
            note: fields.text(Key::Note).map(cut),
        })
    }
}

/// The keys of a record, in the order of [`KEYS`].
#[derive(Clone, Copy)]
enum Key {
    Farm,
    Number,
    Capsule,
    Title,
    Kind,
    State,
    Length,
    Generation,
    Version,
    Created,
    Modified,
    Blake3,
    Compression,
    Stored,
    AddedMs,
    Why,
    Note,
}

/// How the keys are called; the first one says what the record is.
const KEYS: [&str; 17] = [
    "pseudotape.farm",
    "number",
    "capsule",
    "title",
    "kind",
    "state",
    "length",
    "generation",
    "version",
    "created",
    "modified",
    "blake3",
    "compression",
    "stored",
    "added_ms",
    "why",
    "note",
];

impl Key {
    fn name(self) -> &'static str {
        KEYS.get(self as usize).copied().unwrap_or_default()
    }
}

/// The values of a record, where they stand in its bytes: a directory has a million of them.
#[derive(Default)]
struct Fields<'a> {
    first: Option<&'a [u8]>,
    values: [Option<&'a [u8]>; KEYS.len()],
}

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let mut fields = Fields::default();
        let mut next = 0;
        for pair in pairs(bytes) {
            let (key, value) = pair.map_err(RecordError::Malformed)?;
            fields.first.get_or_insert(key);
            // As they are written, each comes behind the one before; but in whichever order they come, they are found.
            let behind = KEYS.iter().enumerate().skip(next);
            let mut known = behind.chain(KEYS.iter().enumerate());
            let at = known.find(|(_, known)| known.as_bytes() == key);
            if let Some(at) = at.map(|(at, _)| at)
                && let Some(place) = fields.values.get_mut(at)
            {
                // Of a key that stands twice the last one counts.
                *place = Some(value);
                next = at + 1;
            }
        }
        Ok(fields)
    }

    fn value(&self, key: Key) -> Option<&'a [u8]> {
        *self.values.get(key as usize)?
    }

    fn text(&self, key: Key) -> Option<&'a str> {
        str::from_utf8(self.value(key)?).ok()
    }

    fn number(&self, key: Key) -> Result<u64, RecordError> {
        let digits = self.value(key).filter(|digits| !digits.is_empty());
        let number = digits.and_then(|digits| {
            digits.iter().try_fold(0u64, |number, digit| match digit {
                b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
                _ => None,
            })
        });
        number.ok_or(RecordError::Value(key.name()))
    }
}

/// Words that are no longer than a record takes.
fn cut(words: &str) -> String {
    words.chars().take(MAX_WORDS).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn entries() -> impl Strategy<Value = Entry> {
        let title = prop::collection::vec(1u8..=255, 1..200)
            .prop_filter_map("a title", |bytes| Title::new(&bytes));
        let time = || (any::<i64>(), 0u32..1_000_000_000);
        let time = || {
            time().prop_map(|(seconds, nanoseconds)| Time {
                seconds: seconds.max(-i64::MAX),
                nanoseconds,
            })
        };
        let stamp = (any::<u64>(), any::<u64>(), prop::option::of(time()), time());
        let rest = (any::<u64>(), any::<u128>(), any::<u64>(), any::<u64>());
        let digest = prop::option::of(any::<[u8; 32]>());
        let digest = (digest, prop::option::of(any::<u64>()));
        (
            title,
            0..3usize,
            0..4usize,
            stamp,
            rest,
            digest,
            (prop::option::of(".{0,30}"), prop::option::of(".{0,30}")),
        )
            .prop_map(
                |(
                    title,
                    kind,
                    state,
                    stamp,
                    (number, capsule, length, added_ms),
                    (digest, stored),
                    (why, note),
                )| {
                    Entry {
                        number: Number(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)),
                        capsule: Uuid::from_u128(capsule),
                        title,
                        kind: KINDS[kind].0,
                        state: STATES[state].0,
                        length,
                        stamp: Stamp {
                            generation: stamp.0,
                            version: stamp.1,
                            created: stamp.2,
                            modified: stamp.3,
                        },
                        digest: digest.map(Digest),
                        stored,
                        added_ms,
                        why,
                        note,
                    }
                },
            )
    }

    pub(crate) fn example() -> Entry {
        Entry {
            number: Number::FIRST.next(),
            capsule: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0007),
            title: Title::new(b"a\xff/b").expect("a title"),
            kind: FileKind::File,
            state: State::Changed,
            length: 1234,
            stamp: Stamp {
                generation: 3,
                version: 4,
                created: None,
                modified: Time {
                    seconds: 5,
                    nanoseconds: 600_000_000,
                },
            },
            digest: Some(Digest([0xab; 32])),
            stored: None,
            added_ms: 1_700_000_000_000,
            why: Some("because".to_owned()),
            note: None,
        }
    }

    /// The bytes of version 1, as a table in docs/FARM.md has them.
    pub(crate) const EXAMPLE: &[u8] = b"21 pseudotape.farm=1\n12 number=2\n\
        48 capsule=01900000-0000-7000-8000-000000000007\n14 title=a\xff/b\n13 kind=file\n17 state=changed\n\
        15 length=1234\n16 generation=3\n13 version=4\n16 modified=5.6\n\
        75 blake3=abababababababababababababababababababababababababababababababab\n\
        26 added_ms=1700000000000\n15 why=because\n";

    #[test]
    fn the_bytes_of_a_record_are_these() {
        assert_eq!(
            example().encode().escape_ascii().to_string(),
            EXAMPLE.escape_ascii().to_string()
        );
        assert_eq!(Entry::parse(EXAMPLE), Ok(example()));
    }

    /// The bytes of version 2, as the same table has them.
    #[test]
    fn the_bytes_of_a_record_of_a_compressed_archive_are_these() {
        let compressed = Entry {
            stored: Some(400),
            ..example()
        };
        let text = EXAMPLE.escape_ascii().to_string();
        let text = text.replace("pseudotape.farm=1", "pseudotape.farm=2");
        let added = r"20 compression=zstd\n14 stored=400\n26 added_ms";
        let golden = text.replace("26 added_ms", added);
        assert_eq!(compressed.encode().escape_ascii().to_string(), golden);
        assert_eq!(Entry::parse(&compressed.encode()), Ok(compressed));
    }

    #[test]
    fn words_and_their_tables_agree() {
        assert!(KINDS.iter().all(|(kind, word)| kind.word() == *word));
        assert!(STATES.iter().all(|(state, word)| state.word() == *word));
    }

    /// CW-09: all 3^4 combinations of less, equal and more decide in this order.
    #[test]
    fn better_is_generation_then_version_then_creation_then_change() {
        let time = |seconds| Time {
            seconds,
            nanoseconds: 0,
        };
        let stamp = |[generation, version, created, modified]: [u8; 4]| Stamp {
            generation: generation.into(),
            version: version.into(),
            created: Some(time(created.into())),
            modified: time(modified.into()),
        };
        let mut seen = 0;
        for combination in 0..81u8 {
            let of = |power: u8| combination / power % 3;
            let one = [of(27), of(9), of(3), of(1)];
            let better = one > [1; 4];
            assert_eq!(stamp(one).is_better_than(&stamp([1; 4])), better, "{one:?}");
            assert_eq!(
                stamp([1; 4]).is_better_than(&stamp(one)),
                one < [1; 4],
                "{one:?}"
            );
            seen += 1;
        }
        assert_eq!(seen, 81);
        // Whose making is not known differs in nothing by that.
        let unknown = |modified| Stamp {
            created: None,
            ..stamp([1, 1, 0, modified])
        };
        assert!(!unknown(1).is_better_than(&stamp([1, 1, 2, 1])));
        assert!(!stamp([1, 1, 2, 1]).is_better_than(&unknown(1)));
        assert!(unknown(2).is_better_than(&stamp([1, 1, 2, 1])));
    }

    #[test]
    fn a_record_that_is_none_is_refused_and_a_later_one_is_told() {
        let refused = |text: &str| Entry::parse(text.as_bytes()).expect_err(text);
        assert!(matches!(refused(""), RecordError::Malformed(_)));
        assert!(matches!(refused("x"), RecordError::Malformed(_)));
        assert!(matches!(
            refused("12 number=1\n"),
            RecordError::Malformed(_)
        ));
        assert_eq!(refused("21 pseudotape.farm=3\n"), RecordError::Newer(3));
        let other = "21 pseudotape.farm=2\n18 compression=lz\n";
        assert_eq!(refused(other), RecordError::Value("compression"));
        assert_eq!(
            refused("21 pseudotape.farm=1\n"),
            RecordError::Value("kind")
        );
    }

    proptest! {
        #[test]
        fn any_record_is_read_back(entry in entries()) {
            let bytes = entry.encode();
            prop_assert!(bytes.len() <= MAX_RECORD_BYTES);
            prop_assert_eq!(Entry::parse(&bytes), Ok(entry));
        }

        #[test]
        fn a_record_with_a_changed_byte_is_read_or_refused(
            entry in entries(), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut bytes = entry.encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(read) = Entry::parse(&bytes) {
                prop_assert_eq!(Entry::parse(&read.encode()), Ok(read));
            }
        }
    }
}
