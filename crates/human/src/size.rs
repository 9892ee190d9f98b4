//! Sizes as people write and read them, the same in every command and configuration file.

use std::fmt;

/// A size that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Nothing, or no digits.
    #[error("'{0}' is not a size: write a number and a unit, such as 64K, 10G or 1500MB")]
    NotANumber(String),
    /// A `%` behind something else than 0 to 100.
    #[error("'{0}' is not a part of a tape: write a size, or 0% to 100%")]
    NotPerCent(String),
    /// The letters behind the number.
    #[error(
        "'{text}': no unit '{unit}'; K M G T P (or KiB …) are powers of 1024, KB MB GB TB PB powers of 1000"
    )]
    UnknownUnit {
        /// All of it.
        text: String,
        /// The part that is not known.
        unit: String,
    },
    /// A capacity of 0.
    #[error("'{0}': a capacity of 0 holds nothing: leave it out for no limit")]
    NoCapacity(String),
    /// A small number without a unit.
    #[error(
        "'{0}' without a unit is {0} bytes, too few for a tape: say {0}M or {0}G, or {0}B for bytes"
    )]
    NoUnit(String),
    /// More than 2^64 - 1 bytes.
    #[error("'{0}' is too large: at most 2^64-1 bytes")]
    TooLarge(String),
}

/// Reads a size: a number, perhaps with decimals, and a unit; without unit it is bytes.
///
/// K, M, G, T, P and KiB … PiB are powers of 1024, as in `tar` and `dd`; KB … PB are powers of 1000.
/// Case does not matter. A fraction of a byte is dropped.
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let trimmed = text.trim();
    let not_a_number = || SizeError::NotANumber(text.to_owned());
    let too_large = || SizeError::TooLarge(text.to_owned());
    let end = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || fraction.contains('.') || fraction.len() > 6 {
        return Err(not_a_number());
    }
    let unit_bytes = unit_bytes(unit.trim()).ok_or_else(|| SizeError::UnknownUnit {
        text: text.to_owned(),
        unit: unit.trim().to_owned(),
    })?;
    let digits: u128 = format!("{whole}{fraction}")
        .parse()
        .map_err(|_| too_large())?;
    // Six decimals at most, so the divisor is small.
    let divisor = (0..fraction.len()).fold(1_u128, |divisor, _| divisor * 10);
    let bytes = digits
        .checked_mul(u128::from(unit_bytes))
        .ok_or_else(too_large)?
        / divisor;
    u64::try_from(bytes).map_err(|_| too_large())
}

/// Below it a capacity needs a unit: who writes 100 means another one than bytes.
const SMALLEST_WITHOUT_UNIT: u64 = 1 << 20;

/// Reads a capacity: a size of more than 0 bytes, with a unit if it is a small one.
pub fn parse_capacity(text: &str) -> Result<u64, SizeError> {
    let has_unit = text.contains(|c: char| c.is_ascii_alphabetic());
    match parse_size(text)? {
        0 => Err(SizeError::NoCapacity(text.to_owned())),
        1..SMALLEST_WITHOUT_UNIT if !has_unit => Err(SizeError::NoUnit(text.trim().to_owned())),
        bytes => Ok(bytes),
    }
}

/// A capacity as [`parse_capacity`] reads it: in bytes, with their unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapacityBytes(pub u64);

impl fmt::Display for CapacityBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.0 < SMALLEST_WITHOUT_UNIT {
            "B"
        } else {
            ""
        };
        write!(f, "{}{unit}", self.0)
    }
}

fn unit_bytes(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    if unit.is_empty() || unit == "b" {
        return Some(1);
    }
    let mut letters = unit.chars();
    let power = "kmgtp".find(letters.next()?)? as u32 + 1;
    match letters.as_str() {
        "" | "ib" => Some(1024_u64.pow(power)),
        "b" => Some(1000_u64.pow(power)),
        _ => None,
    }
}

/// A part of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of it.
    PerCent(u8),
}

impl Portion {
    /// Bytes that this is of a tape of `whole_bytes`.
    #[must_use]
    pub fn of(self, whole_bytes: u64) -> u64 {
        match self {
            Portion::Bytes(bytes) => bytes,
            Portion::PerCent(hundredths) => {
                let hundredths = u64::from(hundredths);
                whole_bytes / 100 * hundredths + whole_bytes % 100 * hundredths / 100
            }
        }
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Portion::Bytes(bytes) => HumanBytes(*bytes).fmt(f),
            Portion::PerCent(hundredths) => f.pad(&format!("{hundredths}%")),
        }
    }
}

/// Reads a size, or a number of per cent with `%` behind it, up to 100.
pub fn parse_portion(text: &str) -> Result<Portion, SizeError> {
    let Some(number) = text.trim().strip_suffix('%') else {
        return parse_size(text).map(Portion::Bytes);
    };
    match number.trim().parse() {
        Ok(hundredths @ 0..=100) => Ok(Portion::PerCent(hundredths)),
        Ok(_) | Err(_) => Err(SizeError::NotPerCent(text.to_owned())),
    }
}

/// A number of bytes that prints as people read it: `10.0 GiB`, `512 B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HumanBytes(pub u64);

impl fmt::Display for HumanBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1024 {
            return f.pad(&format!("{} B", self.0));
        }
        let (mut unit_bytes, mut unit) = (1024_u64, "KiB");
        for next in ["MiB", "GiB", "TiB", "PiB", "EiB"] {
            // Switches where one decimal would show "1024.0".
            if u128::from(self.0) * 20 < u128::from(unit_bytes) * 20_479 {
                break;
            }
            (unit_bytes, unit) = (unit_bytes * 1024, next);
        }
        let tenths =
            (u128::from(self.0) * 10 + u128::from(unit_bytes / 2)) / u128::from(unit_bytes);
        f.pad(&format!("{}.{} {unit}", tenths / 10, tenths % 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_both_families_of_units() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("512b", 512),
            ("64K", 65_536),
            ("64KiB", 65_536),
            ("64kb", 64_000),
            ("10G", 10 << 30),
            ("10 GiB", 10 << 30),
            ("10GB", 10_000_000_000),
            ("1.5T", 1_649_267_441_664),
            ("1.5TB", 1_500_000_000_000),
            ("0.5", 0),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_is_refused_by_its_cause() {
        for text in ["", "G", "-1", "1.", ".5", "1.2.3", "1.0000001G", "ten"] {
            assert_eq!(
                parse_size(text),
                Err(SizeError::NotANumber(text.to_owned())),
                "{text}"
            );
        }
        for (text, unit) in [("10Q", "Q"), ("1e3", "e3"), ("5GiBs", "GiBs"), ("4é", "é")] {
            assert_eq!(
                parse_size(text),
                Err(SizeError::UnknownUnit {
                    text: text.to_owned(),
                    unit: unit.to_owned()
                }),
                "{text}"
            );
        }
        for text in [
            "18446744073709551616",
            "16384P",
            "99999999999999999999999999999999999999999",
        ] {
            assert_eq!(parse_size(text), Err(SizeError::TooLarge(text.to_owned())));
        }
    }

    #[test]
    fn a_capacity_holds_something() {
        assert_eq!(parse_capacity("1K"), Ok(1024));
        for text in ["0", "0G", "0.5"] {
            let nothing = Err(SizeError::NoCapacity(text.to_owned()));
            assert_eq!(parse_capacity(text), nothing, "{text}");
        }
        assert!(matches!(parse_capacity("x"), Err(SizeError::NotANumber(_))));
    }

    /// A tape of 100 bytes was made of what was meant as 100 gigabytes, and the first write found it full.
    #[test]
    fn a_small_capacity_says_its_unit() {
        for text in ["1", "100", " 64 ", "1048575", "4.5"] {
            let error = parse_capacity(text).expect_err(text);
            assert!(matches!(error, SizeError::NoUnit(_)), "{text}: {error}");
        }
        let words = parse_capacity("100").unwrap_err().to_string();
        assert!(
            words.contains("say 100M or 100G, or 100B for bytes"),
            "{words}"
        );
        for (text, bytes) in [("100B", 100), ("1K", 1024), ("1048576", 1 << 20)] {
            assert_eq!(parse_capacity(text), Ok(bytes), "{text}");
            let written = CapacityBytes(bytes).to_string();
            assert_eq!(parse_capacity(&written), Ok(bytes), "{written}");
        }
    }

    #[test]
    fn a_part_of_a_tape_is_a_size_or_per_cent() {
        for (text, portion, of_2000) in [
            ("64K", Portion::Bytes(65_536), 65_536),
            ("0%", Portion::PerCent(0), 0),
            (" 5 %", Portion::PerCent(5), 100),
            ("100%", Portion::PerCent(100), 2000),
        ] {
            assert_eq!(parse_portion(text), Ok(portion), "{text}");
            assert_eq!(portion.of(2000), of_2000, "{text}");
        }
        assert_eq!(Portion::PerCent(50).of(u64::MAX), u64::MAX / 2);
        assert_eq!(Portion::PerCent(50).of(3), 1);
        for text in ["101%", "-1%", "%", "1.5%", "5K%", "300%"] {
            assert_eq!(
                parse_portion(text),
                Err(SizeError::NotPerCent(text.to_owned()))
            );
        }
        assert_eq!(Portion::PerCent(7).to_string(), "7%");
        assert_eq!(Portion::Bytes(1024).to_string(), "1.0 KiB");
    }

    #[test]
    fn bytes_print_with_one_decimal_in_the_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (10 << 30, "10.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(HumanBytes(bytes).to_string(), text);
        }
        assert_eq!(format!("{:>10}", HumanBytes(5)), "       5 B");
    }
}
