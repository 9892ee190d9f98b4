//! Barcodes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Longest barcode: what a volume tag of SMC-3 holds.
pub const MAX_BARCODE_BYTES: usize = 32;

/// The barcode on a cartridge: 1 to 32 printable characters of ASCII without spaces. It is kept in place, so that an
/// inventory of ten thousand elements is one allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Barcode {
    bytes: [u8; MAX_BARCODE_BYTES],
}

/// Why a text is no barcode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BarcodeError {
    /// Empty, or too long.
    #[error("barcode '{text}' has {length} characters: a barcode has 1 to {MAX_BARCODE_BYTES}")]
    Length {
        /// The text.
        text: String,
        /// Its length.
        length: usize,
    },
    /// A character that no label has.
    #[error(
        "barcode '{text}' has the character {character:?}: a barcode has printable ASCII and no spaces"
    )]
    Character {
        /// The text.
        text: String,
        /// The character.
        character: char,
    },
    /// A label that a library of files can't give to a new cartridge.
    #[error("barcode '{text}' {why}: take another one for a new cartridge")]
    Unfit {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Barcode {
    /// The text on the label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|byte| *byte == 0);
        let bytes = &self.bytes[..end.unwrap_or(MAX_BARCODE_BYTES)];
        std::str::from_utf8(bytes).expect("only ASCII is let in")
    }

    /// Whether a new cartridge of a library of files can have it: its image has the barcode as its name, and commands
    /// tell cartridges from elements by their names. Real cartridges have whatever is on their labels.
    pub fn check_new(&self) -> Result<(), BarcodeError> {
        let text = self.as_str();
        let numbered = |word| {
            let number = text.strip_prefix(word);
            number.is_some_and(|n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        };
        let why = if text.contains('/') {
            "has a '/', which leads to another folder"
        } else if text.starts_with('.') {
            "begins with '.', as hidden files do"
        } else if text.starts_with('-') {
            "begins with '-', as options of commands do"
        } else if text.starts_with('@') || ["slot", "drive", "ie"].into_iter().any(numbered) {
            "is how an element is named"
        } else {
            return Ok(());
        };
        let text = text.to_owned();
        Err(BarcodeError::Unfit { text, why })
    }
}

impl FromStr for Barcode {
    type Err = BarcodeError;

    fn from_str(text: &str) -> Result<Self, BarcodeError> {
        if let Some(character) = text.chars().find(|c| !c.is_ascii_graphic()) {
            let text = text.to_owned();
            return Err(BarcodeError::Character { text, character });
        }
        if text.is_empty() || text.len() > MAX_BARCODE_BYTES {
            let (text, length) = (text.to_owned(), text.len());
            return Err(BarcodeError::Length { text, length });
        }
        let mut bytes = [0; MAX_BARCODE_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Barcode { bytes })
    }
}

impl fmt::Display for Barcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Barcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Barcode({})", self.as_str())
    }
}

impl Serialize for Barcode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Barcode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barcode_is_what_is_on_the_label() {
        let barcode: Barcode = "PT0001L5".parse().unwrap();
        assert_eq!(barcode.as_str(), "PT0001L5");
        assert_eq!(format!("{barcode:<10}|"), "PT0001L5  |");
        let longest = "X".repeat(32).parse::<Barcode>().unwrap();
        assert_eq!(longest.as_str().len(), 32);
    }

    #[test]
    fn what_no_label_has_is_refused() {
        assert!(matches!(
            "".parse::<Barcode>(),
            Err(BarcodeError::Length { .. })
        ));
        let long = "X".repeat(33).parse::<Barcode>().unwrap_err().to_string();
        assert!(long.contains("has 33 characters"), "{long}");
        for text in ["A B", "A\n", "Ä", "\0"] {
            let error = text.parse::<Barcode>();
            assert!(
                matches!(error, Err(BarcodeError::Character { .. })),
                "{text:?}"
            );
        }
    }
}
