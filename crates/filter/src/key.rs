//! The key of a file, and what blocks are encrypted with.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroize;

use crate::header::{Seal, lengthened};

pub(crate) const KEY_BYTES: usize = 32;
/// What a segment's key is derived for, in version 1.
const SEGMENT_INFO: &[u8] = b"pseudotape filter 1: segment";
/// What a segment's key is derived for, in version 2.
const BOUND_SEGMENT_INFO: &[u8] = b"pseudotape filter 2: segment";
/// What the check of a key is derived for.
const CHECK_INFO: &[u8] = b"pseudotape filter 1: key check";
struct CheckBytes;

impl KeyType for CheckBytes {
    fn len(&self) -> usize {
        8
    }
}

/// A key of 256 bits, as a file holds it: blocks are encrypted with keys that are derived from it.
///
/// Its bytes are wiped when it is dropped; those of the keys that are derived are by their library.
#[derive(Clone)]
pub struct Key {
    pub(crate) bytes: [u8; KEY_BYTES],
    /// Tells the key from others without telling it.
    check: [u8; 8],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("check", &self.check)
            .finish_non_exhaustive()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl Key {
    /// A key of these bytes.
    #[must_use]
    pub fn new(mut bytes: [u8; KEY_BYTES]) -> Self {
        let mut check = [0; 8];
        extracted(&bytes, &[])
            .expand(&[CHECK_INFO], CheckBytes)
            .and_then(|okm| okm.fill(&mut check))
            .expect("8 bytes can be derived");
        let key = Key { bytes, check };
        bytes.zeroize();
        key
    }

    pub(crate) fn check(&self) -> [u8; 8] {
        self.check
    }

    /// The key of a segment of version 1 with this salt.
    pub(crate) fn segment(&self, salt: [u8; 32]) -> Segment {
        self.derived(&salt, SEGMENT_INFO, salt, false)
    }

    /// The key of a segment of version 2 with this salt.
    pub(crate) fn bound_segment(&self, salt: [u8; 16]) -> Segment {
        self.derived(&salt, BOUND_SEGMENT_INFO, lengthened(&salt), true)
    }

    /// The key of the segment that a block is of.
    pub(crate) fn segment_of(&self, seal: &Seal) -> Segment {
        match seal.bound {
            None => self.segment(seal.salt),
            Some(_) => self.bound_segment(shortened(&seal.salt)),
        }
    }

    fn derived(&self, salt: &[u8], info: &[u8], shown: [u8; 32], bound: bool) -> Segment {
        let okm = extracted(&self.bytes, salt);
        let info = [info];
        let okm = okm
            .expand(&info, &AES_256_GCM)
            .expect("32 bytes can be derived");
        Segment {
            salt: shown,
            bound,
            key: LessSafeKey::new(UnboundKey::from(okm)),
        }
    }
}

/// The salt of version 2 that has zeros behind it here.
pub(crate) fn shortened(salt: &[u8; 32]) -> [u8; 16] {
    let mut short = [0; 16];
    short
        .iter_mut()
        .zip(salt)
        .for_each(|(to, from)| *to = *from);
    short
}

fn extracted(bytes: &[u8], salt: &[u8]) -> Prk {
    Salt::new(HKDF_SHA256, salt).extract(bytes)
}

/// A fresh salt.
pub(crate) fn fresh_salt() -> Result<[u8; 16], Unspecified> {
    let mut salt = [0; 16];
    SystemRandom::new().fill(&mut salt)?;
    Ok(salt)
}

/// What the blocks of one segment are encrypted with: a key that no other segment has.
pub(crate) struct Segment {
    pub(crate) salt: [u8; 32],
    bound: bool,
    key: LessSafeKey,
}

impl Segment {
    /// Whether a block is of this segment.
    pub(crate) fn has(&self, seal: &Seal) -> bool {
        self.salt == seal.salt && self.bound == seal.bound.is_some()
    }

    /// Whether its blocks are bound to volume and place.
    pub(crate) fn is_bound(&self) -> bool {
        self.bound
    }

    /// Encrypts in place; gives the tag.
    pub(crate) fn seal(
        &self,
        counter: u64,
        company: &[u8],
        bytes: &mut [u8],
    ) -> Result<[u8; 16], Unspecified> {
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(counter), Aad::from(company), bytes)?;
        tag.as_ref().try_into().map_err(|_| Unspecified)
    }

    /// Decrypts in place what has its tag behind it.
    pub(crate) fn open(
        &self,
        counter: u64,
        company: &[u8],
        bytes: &mut [u8],
    ) -> Result<(), Unspecified> {
        self.key
            .open_in_place(nonce(counter), Aad::from(company), bytes)?;
        Ok(())
    }
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_a_key() {
        let shown = format!("{:?}", Key::new([0xAB; 32]));
        assert!(
            !shown.contains("171") && !shown.to_lowercase().contains("abab"),
            "{shown}"
        );
    }
}
