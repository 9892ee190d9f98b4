//! Options by the names that `mt stsetoptions` has for them.

use std::fmt;

use crate::option::{BooleanChange, Booleans, Compression, DriverOption};

/// Switches and their names.
const SWITCHES: [(Booleans, &str); 16] = [
    (Booleans::BUFFER_WRITES, "buffer-writes"),
    (Booleans::ASYNC_WRITES, "async-writes"),
    (Booleans::READ_AHEAD, "read-ahead"),
    (Booleans::DEBUGGING, "debug"),
    (Booleans::TWO_FILEMARKS, "two-fms"),
    (Booleans::FAST_EOM, "fast-eod"),
    (Booleans::AUTO_LOCK, "auto-lock"),
    (Booleans::DEFAULTS_FOR_WRITES, "def-writes"),
    (Booleans::CAN_BSR, "can-bsr"),
    (Booleans::NO_BLOCK_LIMITS, "no-blklimits"),
    (Booleans::CAN_PARTITIONS, "can-partitions"),
    (Booleans::SCSI2_LOGICAL, "scsi2logical"),
    (Booleans::SYSV, "sysv"),
    (Booleans::NO_WAIT, "no-wait"),
    (Booleans::SILI, "sili"),
    (Booleans::NO_WAIT_FILEMARKS, "no-wait-eof"),
];

/// Why a text names no option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// No option has this name.
    #[error("there is no option '{0}'; there are {names}, each with =on or =off, and defblksize=BYTES, defdensity=CODE, defdrvbuffer=0..7, defcompression=on|off (or =none)", names = SwitchNames)]
    Unknown(String),
    /// The value is none for this option.
    #[error("'{name}={value}': {expected} is wanted")]
    Value {
        /// The option.
        name: String,
        /// What was given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
}

struct SwitchNames;

impl fmt::Display for SwitchNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = SWITCHES.iter().map(|(_, name)| *name).collect();
        f.write_str(&names.join(", "))
    }
}

impl Booleans {
    /// Every switch with its name, in the order of their bits.
    pub fn named() -> impl Iterator<Item = (Booleans, &'static str)> {
        SWITCHES.into_iter()
    }
}

impl DriverOption {
    /// Reads `sili` or `sili=on`, `sili=off`, `defblksize=1024`, `defblksize=none`.
    pub fn parse(text: &str) -> Result<Self, OptionError> {
        let (name, value) = text.split_once('=').unwrap_or((text, "on"));
        if let Some((switch, _)) = SWITCHES.iter().find(|(_, known)| *known == name) {
            let change = match value {
                "on" => BooleanChange::Set,
                "off" => BooleanChange::Clear,
                _ => {
                    return Err(OptionError::Value {
                        name: name.to_owned(),
                        value: value.to_owned(),
                        expected: "'on' or 'off'",
                    });
                }
            };
            return Ok(DriverOption::Booleans(change, *switch));
        }
        default_option(name, value).unwrap_or_else(|| Err(OptionError::Unknown(text.to_owned())))
    }
}

/// `None`: no such default.
fn default_option(name: &str, value: &str) -> Option<Result<DriverOption, OptionError>> {
    let value = Some(value).filter(|value| *value != "none");
    Some(match name {
        "defblksize" => given(name, value, "0 to 16777215 bytes or 'none'", |v| {
            v.parse().ok().filter(|size| *size < 1 << 24)
        })
        .map(DriverOption::DefaultBlockSize),
        "defdensity" => given(
            name,
            value,
            "a density code (0 to 255 or 0x00 to 0xff) or 'none'",
            |v| match v.strip_prefix("0x") {
                Some(digits) => u8::from_str_radix(digits, 16).ok(),
                None => v.parse().ok(),
            },
        )
        .map(DriverOption::DefaultDensity),
        "defdrvbuffer" => given(name, value, "0 to 7 or 'none'", |v| {
            v.parse().ok().filter(|mode| *mode < 8)
        })
        .map(DriverOption::DefaultBuffering),
        "defcompression" => given(name, value, "'on', 'off' or 'none'", |v| match v {
            "on" => Some(Compression {
                algorithm: None,
                on: Some(true),
            }),
            "off" => Some(Compression {
                algorithm: None,
                on: Some(false),
            }),
            _ => None,
        })
        .map(DriverOption::DefaultCompression),
        _ => return None,
    })
}

fn given<T>(
    name: &str,
    value: Option<&str>,
    expected: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, OptionError> {
    let Some(value) = value else { return Ok(None) };
    read(value).map(Some).ok_or_else(|| OptionError::Value {
        name: name.to_owned(),
        value: value.to_owned(),
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_has_one_name_that_sets_and_clears_it() {
        let mut all = Booleans::empty();
        for (switch, name) in Booleans::named() {
            assert!(!all.contains(switch), "{name} has two names");
            all |= switch;
            let set = DriverOption::Booleans(BooleanChange::Set, switch);
            assert_eq!(DriverOption::parse(name), Ok(set));
            let clear = DriverOption::Booleans(BooleanChange::Clear, switch);
            assert_eq!(DriverOption::parse(&format!("{name}=off")), Ok(clear));
        }
        assert_eq!(all, Booleans::all());
    }

    #[test]
    fn defaults_take_values_within_their_limits_or_none() {
        use DriverOption::*;
        for (text, option) in [
            ("defblksize=0", DefaultBlockSize(Some(0))),
            ("defblksize=16777215", DefaultBlockSize(Some(16_777_215))),
            ("defblksize=none", DefaultBlockSize(None)),
            ("defdensity=0x58", DefaultDensity(Some(0x58))),
            ("defdensity=255", DefaultDensity(Some(255))),
            ("defdrvbuffer=7", DefaultBuffering(Some(7))),
            ("defcompression=none", DefaultCompression(None)),
        ] {
            assert_eq!(DriverOption::parse(text), Ok(option), "{text}");
        }
        for text in [
            "defblksize=16777216",
            "defblksize=1k",
            "defdensity=256",
            "defdensity=0x",
            "defdrvbuffer=8",
            "defcompression=maybe",
        ] {
            let error = DriverOption::parse(text).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("none"), "{error}");
        }
    }

    #[test]
    fn what_is_no_option_is_told_with_all_that_are() {
        let error = DriverOption::parse("sili=1").unwrap_err().to_string();
        assert_eq!(error, "'sili=1': 'on' or 'off' is wanted");
        for text in ["silly", "silly=off", "Sili", "", "=on"] {
            let error = DriverOption::parse(text).unwrap_err().to_string();
            assert!(error.contains("no-wait-eof"), "{error}");
            assert!(error.contains(&format!("'{text}'")), "{error}");
        }
    }
}
