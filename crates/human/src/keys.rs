//! The keys of a table of a configuration, as its type has them: for documents and completions, so that they stay true.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// The keys that a table can have, of a type that derives `Deserialize`. Any other type has none.
#[must_use]
pub fn keys_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    match T::deserialize(Asked) {
        Ok(_) | Err(Keys(None)) => &[],
        Err(Keys(Some(keys))) => keys,
    }
}

/// What a type is made from that is only to say its keys.
struct Asked;

/// The answer, as an error: there is nothing to make a value of.
#[derive(Debug)]
struct Keys(Option<&'static [&'static str]>);

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the keys of a table")
    }
}

impl std::error::Error for Keys {}

impl de::Error for Keys {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Keys(None)
    }
}

impl<'de> Deserializer<'de> for Asked {
    type Error = Keys;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Keys> {
        Err(Keys(None))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Keys> {
        Err(Keys(Some(keys)))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only its keys are asked for")]
    struct Table {
        name: String,
        open_wait: Option<u64>,
    }

    #[test]
    fn a_table_says_its_keys_as_they_are_written() {
        assert_eq!(keys_of::<Table>(), ["name", "open-wait"]);
        assert!(keys_of::<String>().is_empty());
    }
}
