//! Serial numbers of the volumes of farms, and the series from which new ones are taken.

use std::fmt;
use std::str::FromStr;

/// The longest serial number.
const MAX_SERIAL: usize = 32;
/// A serial number that is counted has so many characters (CW-17).
const COUNTED: usize = 6;

/// The serial number of a volume.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(String);

/// Text that is no serial number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' is no serial number: that has 1 to {MAX_SERIAL} letters, digits, '-', '_' and '.', and begins with a letter or a \
     digit",
    pseudotape_human::printable(.0)
)]
pub struct BadSerial(String);

impl FromStr for Serial {
    type Err = BadSerial;

    fn from_str(text: &str) -> Result<Self, BadSerial> {
        let fits = (1..=MAX_SERIAL).contains(&text.len());
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match fits && begins && text.chars().all(allowed) {
            true => Ok(Serial(text.to_owned())),
            false => Err(BadSerial(text.to_owned())),
        }
    }
}

impl Serial {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The serial numbers that are still to be given: a prefix, and the number of the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    prefix: String,
    number: u32,
    digits: usize,
}

/// Text that begins no series.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' begins no series of serial numbers: that are {COUNTED} letters and digits, of which the last ones are the number, as \
     in DF0001",
    pseudotape_human::printable(.0)
)]
pub struct BadSeries(String);

impl FromStr for Series {
    type Err = BadSeries;

    fn from_str(text: &str) -> Result<Self, BadSeries> {
        let bad = || BadSeries(text.to_owned());
        let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric());
        if text.len() != COUNTED || !is_plain {
            return Err(bad());
        }
        let prefix = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = text.get(prefix.len()..).unwrap_or_default();
        Ok(Series {
            prefix: prefix.to_owned(),
            number: number.parse().map_err(|_| bad())?,
            digits: number.len(),
        })
    }
}

impl Series {
    /// The next serial number.
    #[must_use]
    pub fn serial(&self) -> Serial {
        Serial(self.to_string())
    }

    /// What is left behind that one; nothing where it was the last. The number never begins again.
    #[must_use]
    pub fn rest(&self) -> Option<Self> {
        let number = self.number.checked_add(1)?;
        let fits = number.to_string().len() <= self.digits;
        fits.then(|| Series {
            number,
            ..self.clone()
        })
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits;
        write!(f, "{}{:0digits$}", self.prefix, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CW-17: six characters, of which the last ones are counted, and never around.
    #[test]
    fn a_series_is_counted_up_to_its_end() {
        let series: Series = "DF0009".parse().expect("a series");
        assert_eq!(series.serial().as_str(), "DF0009");
        let rest = series.rest().expect("there are more");
        assert_eq!(rest.serial().as_str(), "DF0010");
        let last: Series = "DF9999".parse().expect("a series");
        assert_eq!(last.serial().as_str(), "DF9999");
        assert_eq!(last.rest(), None);
        let numbers: Series = "000099".parse().expect("a series");
        assert_eq!(numbers.rest().expect("more").to_string(), "000100");
        for bad in [
            "DF001", "DF00001", "ABCDEF", "", "DF 001", "DF-001", "ÄF001",
        ] {
            assert!(bad.parse::<Series>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_serial_number_is_part_of_the_name_of_a_folder() {
        for good in ["TEST01", "1", "week.48_a-b", &"x".repeat(32)] {
            assert!(good.parse::<Serial>().is_ok(), "{good}");
        }
        for bad in ["", ".x", "-x", "a]b", "a/b", "a b", &"x".repeat(33), "ä"] {
            assert!(bad.parse::<Serial>().is_err(), "{bad}");
        }
    }
}
