//! Digests of contents.

use std::fmt;

/// A BLAKE3 digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// A directory of a million files has 64 million digits: no step of this waits for what one of them is.
    pub(crate) fn from_hex(text: &[u8]) -> Option<Self> {
        let mut digest = Digest([0; 32]);
        let (pairs, rest) = text.as_chunks();
        if !rest.is_empty() || pairs.len() != digest.0.len() {
            return None;
        }
        let value = |digit: u8| {
            let number = digit.wrapping_sub(b'0');
            let letter = digit.to_ascii_lowercase().wrapping_sub(b'a');
            match (number < 10, letter < 6) {
                (true, _) => number,
                (_, true) => letter.wrapping_add(10),
                _ => u8::MAX,
            }
        };
        let mut seen = 0;
        for (byte, [high, low]) in digest.0.iter_mut().zip(pairs) {
            let (high, low) = (value(*high), value(*low));
            seen |= high | low;
            *byte = high << 4 | low;
        }
        (seen < 16).then_some(digest)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        blake3::Hash::from_bytes(self.0).to_hex().fmt(f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_digest_is_what_the_library_reads(text in "[0-9a-fA-F]{64}|[0-9a-fg/:@`G]{64}|[0-9a-f]{62,66}|.{64}") {
            let library = blake3::Hash::from_hex(&text).ok();
            prop_assert_eq!(Digest::from_hex(text.as_bytes()), library.map(|hash| Digest(*hash.as_bytes())));
        }
    }
}
