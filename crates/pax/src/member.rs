//! A member: its attributes, and the headers that carry them.

use crate::ustar::{ID_END, OWNER_NAME_BYTES, Ustar};
use crate::{RECORD, Records, USTAR_END, USTAR_NAME, padding};

/// What a member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    #[default]
    File,
    /// Another name of a member before it.
    HardLink,
    /// A symbolic link.
    SymbolicLink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A directory.
    Directory,
    /// A FIFO.
    Fifo,
    /// Anything else, by its letter.
    Other(u8),
}

impl Kind {
    /// What a header's letter means. Contiguous files are files, and so is what has no letter (before POSIX).
    #[must_use]
    pub fn of_letter(letter: u8) -> Self {
        match letter {
            b'0' | b'7' | 0 => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::SymbolicLink,
            b'3' => Kind::CharacterDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => Kind::Other(other),
        }
    }

    fn letter(self) -> u8 {
        match self {
            Kind::File => b'0',
            Kind::HardLink => b'1',
            Kind::SymbolicLink => b'2',
            Kind::CharacterDevice => b'3',
            Kind::BlockDevice => b'4',
            Kind::Directory => b'5',
            Kind::Fifo => b'6',
            Kind::Other(letter) => letter,
        }
    }
}

/// A time: seconds since 1970, and the nanoseconds that come on top of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds, before 1970 less than 0.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanoseconds: u32,
}

impl Time {
    /// As pax records have it: a decimal number, with a fraction where there is one.
    #[must_use]
    pub fn text(self) -> String {
        let (seconds, fraction) = match self.seconds {
            // The fraction is counted away from zero there.
            before if before < 0 && self.nanoseconds > 0 => (
                i128::from(before) + 1,
                1_000_000_000 - i64::from(self.nanoseconds),
            ),
            _ => (i128::from(self.seconds), i64::from(self.nanoseconds)),
        };
        let sign = if self.seconds < 0 { "-" } else { "" };
        let whole = seconds.unsigned_abs();
        match fraction {
            0 => format!("{sign}{whole}"),
            _ => {
                let digits = format!("{fraction:09}");
                format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
            }
        }
    }

    /// Reads it; digits behind the ninth are dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, number) = match text.strip_prefix('-') {
            Some(number) => (-1, number),
            None => (1, text),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let nine = fraction.bytes().chain([b'0'; 9]).take(9);
        let nanoseconds = nine.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        Some(match (sign, nanoseconds) {
            (-1, 1..) => Time {
                seconds: (-whole).checked_sub(1)?,
                nanoseconds: 1_000_000_000 - nanoseconds,
            },
            (-1, 0) => Time {
                seconds: -whole,
                nanoseconds: 0,
            },
            _ => Time {
                seconds: whole,
                nanoseconds,
            },
        })
    }
}

/// A member and its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its name: a path.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Where a link leads.
    pub link: Vec<u8>,
    /// Permissions.
    pub mode: u32,
    /// Number of the owner.
    pub uid: u64,
    /// Number of the group.
    pub gid: u64,
    /// Name of the owner; may be empty.
    pub owner: Vec<u8>,
    /// Name of the group; may be empty.
    pub group: Vec<u8>,
    /// Length of what follows the headers.
    pub length: u64,
    /// When it was changed.
    pub mtime: Time,
    /// Pax records that none of the fields above has.
    pub further: Records,
}

/// Keys of the fields.
const OF_FIELDS: [&[u8]; 8] = [
    b"path",
    b"linkpath",
    b"size",
    b"uid",
    b"gid",
    b"uname",
    b"gname",
    b"mtime",
];

impl Member {
    /// What stands before its contents. `pax_name` is the name of the member that holds the pax records: programs that
    /// do not know them make a file of it.
    #[must_use]
    pub fn headers(&self, pax_name: &str) -> Vec<u8> {
        let records = self.records();
        let mut bytes = Vec::new();
        if !records.is_empty() {
            let records = records.encode();
            let length = records.len() as u64;
            let header = Ustar {
                kind: b'x',
                name: pax_name.into(),
                mode: Some(0o644),
                size: Some(length),
                mtime_s: u64::try_from(self.mtime.seconds).ok(),
                ..Ustar::default()
            };
            bytes.extend_from_slice(&header.encode());
            bytes.extend_from_slice(&records);
            bytes.resize(bytes.len() + padding(length), 0);
        }
        bytes.extend_from_slice(&self.ustar().encode());
        bytes
    }

    fn ustar(&self) -> Ustar {
        Ustar {
            kind: self.kind.letter(),
            name: plain(&self.name, USTAR_NAME),
            mode: Some(self.mode.into()),
            uid: Some(self.uid),
            gid: Some(self.gid),
            size: Some(self.length),
            mtime_s: u64::try_from(self.mtime.seconds).ok(),
            link: plain(&self.link, USTAR_NAME),
            owner: plain(&self.owner, OWNER_NAME_BYTES),
            group: plain(&self.group, OWNER_NAME_BYTES),
            ..Ustar::default()
        }
    }

    /// What the ustar header has no room for.
    fn records(&self) -> Records {
        let mut records = Records::default();
        let texts = [
            ("path", &self.name, USTAR_NAME),
            ("linkpath", &self.link, USTAR_NAME),
            ("uname", &self.owner, OWNER_NAME_BYTES),
            ("gname", &self.group, OWNER_NAME_BYTES),
        ];
        for (key, text, most) in texts {
            if text.len() > most || !text.is_ascii() {
                records.add(key, text.clone());
            }
        }
        let numbers = [
            ("size", self.length, USTAR_END),
            ("uid", self.uid, ID_END),
            ("gid", self.gid, ID_END),
        ];
        for (key, number, end) in numbers {
            if number >= end {
                records.add(key, number.to_string());
            }
        }
        let in_ustar = u64::try_from(self.mtime.seconds).is_ok_and(|seconds| seconds < USTAR_END);
        if !in_ustar || self.mtime.nanoseconds > 0 {
            records.add("mtime", self.mtime.text());
        }
        records.extend(&self.further);
        records
    }

    /// A member from its header and the pax records before it.
    pub(crate) fn of(header: Ustar, records: &Records) -> Result<Self, &'static str> {
        let text = |key: &str, plain: Vec<u8>| match records.value(key) {
            Some(value) => value.to_vec(),
            None => plain,
        };
        let number = |key: &str, plain: Option<u64>, wrong: &'static str| match records.value(key) {
            Some(value) => decimal(value).ok_or(wrong),
            None => plain.ok_or(wrong),
        };
        let mtime = match records.value("mtime") {
            Some(value) => str::from_utf8(value).ok().and_then(Time::parse),
            None => header.mtime_s.and_then(|seconds| {
                Some(Time {
                    seconds: i64::try_from(seconds).ok()?,
                    nanoseconds: 0,
                })
            }),
        };
        let mut further = Records::default();
        for (key, value) in records.iter() {
            if !OF_FIELDS.contains(&key) {
                further.add(key, value);
            }
        }
        let mode = header.mode.ok_or("a header has no permissions")? & 0o7777;
        Ok(Member {
            kind: Kind::of_letter(header.kind),
            name: text("path", header.name),
            link: text("linkpath", header.link),
            mode: u32::try_from(mode).map_err(|_| "a header has no permissions")?,
            uid: number("uid", header.uid, "a header has no owner")?,
            gid: number("gid", header.gid, "a header has no group")?,
            owner: text("uname", header.owner),
            group: text("gname", header.group),
            length: number("size", header.size, "a header has no length")?,
            mtime: mtime.ok_or("a header has no time")?,
            further,
        })
    }
}

fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit);
    digits.then(|| str::from_utf8(value).ok()?.parse().ok())?
}

/// Text in a field of ASCII.
fn plain(text: &[u8], most: usize) -> Vec<u8> {
    let bytes = text.iter().take(most);
    bytes
        .map(|byte| if byte.is_ascii() { *byte } else { b'_' })
        .collect()
}

const _: () = assert!(RECORD == 512);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Reader;

    fn members() -> impl Strategy<Value = Member> {
        let name = || prop::collection::vec(1u8..=255, 1..300);
        let owner = prop::collection::vec(1u8..=255, 0..60);
        let time = (any::<i64>(), 0u32..1_000_000_000);
        let xattr = prop::collection::vec(any::<u8>(), 0..100);
        (
            name(),
            name(),
            0u32..0o10000,
            any::<u64>(),
            owner,
            any::<u64>(),
            time,
            xattr,
        )
            .prop_map(
                |(name, link, mode, uid, owner, length, (seconds, nanoseconds), xattr)| {
                    let mut further = Records::default();
                    further.add("SCHILY.xattr.user.x", xattr);
                    Member {
                        name,
                        kind: Kind::SymbolicLink,
                        link,
                        mode,
                        uid,
                        gid: uid / 3,
                        owner: owner.clone(),
                        group: owner,
                        length,
                        mtime: Time {
                            seconds: seconds.max(-i64::MAX),
                            nanoseconds,
                        },
                        further,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn any_member_is_read_back(member in members()) {
            let bytes = member.headers("PaxHeaders/x");
            let mut reader = Reader::new(&bytes[..]);
            let read = reader.next_member().expect("a member").expect("one");
            prop_assert_eq!(read, member);
        }

        #[test]
        fn any_time_is_read_back(seconds in any::<i64>(), nanoseconds in 0u32..1_000_000_000) {
            let time = Time { seconds: seconds.max(-i64::MAX), nanoseconds };
            prop_assert_eq!(Time::parse(&time.text()), Some(time));
        }
    }

    #[test]
    fn times_are_what_gnu_tar_writes() {
        for (seconds, nanoseconds, text) in [
            (0, 0, "0"),
            (1_700_000_000, 120_000_000, "1700000000.12"),
            (-1, 0, "-1"),
            (-1, 750_000_000, "-0.25"),
            (-2, 500_000_000, "-1.5"),
        ] {
            let time = Time {
                seconds,
                nanoseconds,
            };
            assert_eq!(time.text(), text);
            assert_eq!(Time::parse(text), Some(time));
        }
        for bad in ["", "-", ".", "1.x", "+1", "1e3", "99999999999999999999"] {
            assert_eq!(Time::parse(bad), None, "{bad}");
        }
    }
}
