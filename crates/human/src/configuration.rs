//! Sizes in a configuration: a number of bytes, or text with a unit.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::size::{Portion, SizeError, parse_capacity, parse_portion, parse_size};

/// A size in a configuration, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// A capacity in a configuration, in bytes: more than 0, and with a unit if it is a small one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity(pub u64);

/// What can be written as a number of bytes or as text.
trait Written: Sized {
    const EXPECTED: &'static str;

    fn from_bytes(bytes: u64) -> Result<Self, SizeError>;

    fn from_text(text: &str) -> Result<Self, SizeError>;
}

impl Written for Size {
    const EXPECTED: &'static str = "a size, such as \"64M\" or a number of bytes";

    fn from_bytes(bytes: u64) -> Result<Self, SizeError> {
        Ok(Size(bytes))
    }

    fn from_text(text: &str) -> Result<Self, SizeError> {
        parse_size(text).map(Size)
    }
}

impl Written for Capacity {
    const EXPECTED: &'static str = "a capacity, such as \"10G\" or a number of bytes";

    fn from_bytes(bytes: u64) -> Result<Self, SizeError> {
        parse_capacity(&bytes.to_string()).map(Capacity)
    }

    fn from_text(text: &str) -> Result<Self, SizeError> {
        parse_capacity(text).map(Capacity)
    }
}

impl Written for Portion {
    const EXPECTED: &'static str = "a size or per cent, such as \"64M\" or \"5%\"";

    fn from_bytes(bytes: u64) -> Result<Self, SizeError> {
        Ok(Portion::Bytes(bytes))
    }

    fn from_text(text: &str) -> Result<Self, SizeError> {
        parse_portion(text)
    }
}

struct Reader<W>(PhantomData<W>);

impl<W: Written> Visitor<'_> for Reader<W> {
    type Value = W;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(W::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<W, E> {
        W::from_text(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<W, E> {
        match u64::try_from(bytes) {
            Ok(bytes) => self.visit_u64(bytes),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(bytes), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<W, E> {
        W::from_bytes(bytes).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Capacity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Portion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct File {
        size: Size,
        zone: Portion,
    }

    #[test]
    fn a_small_capacity_says_its_unit_here_too() {
        #[derive(Debug, Deserialize)]
        struct Tape {
            capacity: Capacity,
        }

        for (text, bytes) in [("1048576", 1 << 20), ("\"100B\"", 100), ("\"1M\"", 1 << 20)] {
            let tape: Tape = toml::from_str(&format!("capacity = {text}")).expect(text);
            assert_eq!(tape.capacity, Capacity(bytes), "{text}");
        }
        for (text, words) in [
            ("100", "say 100M or 100G"),
            ("\"100\"", "say 100M"),
            ("0", "holds nothing"),
        ] {
            let read = toml::from_str::<Tape>(&format!("capacity = {text}"));
            let error = read.expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    fn read(text: &str) -> Result<File, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_size_is_a_number_or_text() {
        let file = |size, zone| {
            Ok(File {
                size: Size(size),
                zone,
            })
        };
        assert_eq!(read("size = 512\nzone = 64"), file(512, Portion::Bytes(64)));
        assert_eq!(
            read("size = \"64K\"\nzone = \"5%\""),
            file(65_536, Portion::PerCent(5))
        );
    }

    #[test]
    fn what_is_no_size_is_refused_with_what_it_should_be() {
        for (text, words) in [
            ("size = \"much\"\nzone = 0", "'much' is not a size"),
            ("size = -1\nzone = 0", "expected a size"),
            ("size = true\nzone = 0", "expected a size"),
            ("size = 0\nzone = \"101%\"", "0% to 100%"),
            ("size = 0\nzone = [1]", "expected a size or per cent"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
