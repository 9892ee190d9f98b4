//! How a client asks to open: a decimal number, names joined by `|`, or both.

use std::fmt;

use pseudotape_st::{AccessMode, OpenFlags};

/// Names that a client may send, without `O_`. Those that mean nothing for a tape are known and ignored.
const IGNORED: [&str; 14] = [
    "APPEND",
    "BINARY",
    "CREAT",
    "DSYNC",
    "EXCL",
    "LARGEFILE",
    "NOCTTY",
    "PRIV",
    "RSYNC",
    "SYNC",
    "TEXT",
    "TRUNC",
    "CLOEXEC",
    "ASYNC",
];

/// `O_NONBLOCK` of Linux, the only bit above the access mode that is looked at in a number.
const LINUX_NONBLOCK: u32 = 0o4000;

/// Flags that say nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("open flags {0:?} are neither a number nor names such as O_RDWR|O_CREAT")]
pub struct BadFlags(pub(crate) String);

/// Reads `2`, `O_RDWR`, `rdwr|creat` or `2 O_RDWR`; names go before a number, whose bits differ between systems.
pub(crate) fn parse(text: &str) -> Result<OpenFlags, BadFlags> {
    let bad = || BadFlags(text.chars().take(40).collect());
    let mut words = text
        .split([' ', '\t', '\r'])
        .filter(|word| !word.is_empty());
    let (first, second) = (words.next().ok_or_else(bad)?, words.next());
    let number = first.parse::<u32>().ok();
    let names = match (number, second) {
        (Some(number), None) => return from_number(number).ok_or_else(bad),
        (Some(_), Some(names)) => names,
        (None, _) => first,
    };
    from_names(names).ok_or_else(bad)
}

fn from_number(number: u32) -> Option<OpenFlags> {
    Some(OpenFlags {
        access: access(number & 3)?,
        nonblock: number & LINUX_NONBLOCK != 0,
    })
}

fn access(mode: u32) -> Option<AccessMode> {
    Some(match mode {
        0 => AccessMode::Read,
        1 => AccessMode::Write,
        2 => AccessMode::ReadWrite,
        _ => return None,
    })
}

fn from_names(names: &str) -> Option<OpenFlags> {
    let mut mode = 0;
    let mut nonblock = false;
    for name in names.split('|') {
        if let Ok(bits) = name.parse::<u32>() {
            mode |= bits & 3;
            continue;
        }
        let name = name.to_ascii_uppercase();
        match name.strip_prefix("O_").unwrap_or(&name) {
            "RDONLY" => {}
            "WRONLY" => mode |= 1,
            "RDWR" => mode |= 2,
            "NONBLOCK" | "NDELAY" => nonblock = true,
            other if IGNORED.contains(&other) => {}
            _ => return None,
        }
    }
    Some(OpenFlags {
        access: access(mode)?,
        nonblock,
    })
}

/// The flags as every server understands them: the portable bits as a number, then all by name.
pub(crate) struct Text(pub(crate) OpenFlags);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, name) = match self.0.access {
            AccessMode::Read => (0, "O_RDONLY"),
            AccessMode::Write => (1, "O_WRONLY"),
            AccessMode::ReadWrite => (2, "O_RDWR"),
        };
        write!(f, "{number} {name}")?;
        if self.0.nonblock {
            write!(f, "|O_NONBLOCK")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn flags(access: AccessMode, nonblock: bool) -> OpenFlags {
        OpenFlags { access, nonblock }
    }

    #[test]
    fn numbers_names_and_both_are_understood() {
        for (text, expected) in [
            ("0", flags(AccessMode::Read, false)),
            ("1", flags(AccessMode::Write, false)),
            ("2", flags(AccessMode::ReadWrite, false)),
            ("66", flags(AccessMode::ReadWrite, false)),
            (
                "577 O_WRONLY|O_CREAT|O_TRUNC",
                flags(AccessMode::Write, false),
            ),
            ("0 O_RDONLY", flags(AccessMode::Read, false)),
            ("2050", flags(AccessMode::ReadWrite, true)),
            ("O_RDWR|O_NONBLOCK", flags(AccessMode::ReadWrite, true)),
            ("2 O_RDWR|O_NDELAY", flags(AccessMode::ReadWrite, true)),
            ("rdwr|creat", flags(AccessMode::ReadWrite, false)),
            // Solaris: O_RDWR|O_NONBLOCK is 130 there; the names go before it.
            (
                "130 O_RDWR|O_NONBLOCK|O_LARGEFILE",
                flags(AccessMode::ReadWrite, true),
            ),
            ("64|2", flags(AccessMode::ReadWrite, false)),
            ("2\r", flags(AccessMode::ReadWrite, false)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            " ",
            "rw",
            "0 O_BOGUS",
            "3",
            "-1",
            "0x2",
            "O_RDWR|",
            "99999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_we_send_is_what_we_understand() {
        for access in [AccessMode::Read, AccessMode::Write, AccessMode::ReadWrite] {
            for nonblock in [false, true] {
                let sent = flags(access, nonblock);
                assert_eq!(parse(&Text(sent).to_string()), Ok(sent));
            }
        }
    }
}
