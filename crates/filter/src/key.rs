//! The key of a file, and what blocks are encrypted with.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use crate::error::KeyError;

const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 32;
/// What a segment's key is derived for.
const SEGMENT_INFO: &[u8] = b"pseudotape filter 1: segment";
/// What the check of a key is derived for.
const CHECK_INFO: &[u8] = b"pseudotape filter 1: key check";
/// A key file with more is none.
const KEY_FILE_MAX: u64 = 4096;

/// Permissions by which others than the owner can read a key.
const OTHERS: u32 = 0o077;

struct CheckBytes;

impl KeyType for CheckBytes {
    fn len(&self) -> usize {
        8
    }
}

/// A key of 256 bits, as a file holds it: blocks are encrypted with keys that are derived from it.
#[derive(Clone)]
pub struct Key {
    bytes: [u8; KEY_BYTES],
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

impl Key {
    /// A key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        let mut check = [0; 8];
        extracted(&bytes, &[])
            .expand(&[CHECK_INFO], CheckBytes)
            .and_then(|okm| okm.fill(&mut check))
            .expect("8 bytes can be derived");
        Key { bytes, check }
    }

    /// Reads a key from a file of 32 bytes, or of 64 hexadecimal digits.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let unreadable = |source| KeyError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let no_key = || KeyError::NoKey {
            path: path.to_owned(),
        };
        // A device, or a tape named by mistake, would have no end.
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if !metadata.is_file() || metadata.len() > KEY_FILE_MAX {
            return Err(no_key());
        }
        let content = fs::read(path).map_err(unreadable)?;
        let bytes = match <[u8; KEY_BYTES]>::try_from(content.as_slice()) {
            Ok(bytes) => Some(bytes),
            Err(_) => hexadecimal(content.trim_ascii()),
        };
        bytes.map(Key::new).ok_or_else(no_key)
    }

    /// Says so where others than the owner of the file can read it.
    #[must_use]
    pub fn exposure(path: &Path) -> Option<String> {
        let mode = fs::metadata(path).ok()?.permissions().mode();
        (mode & OTHERS != 0).then(|| {
            format!(
                "{0}: others can read this key (mode {1:o}): chmod 600 {0}",
                path.display(),
                mode & 0o777
            )
        })
    }

    pub(crate) fn check(&self) -> [u8; 8] {
        self.check
    }

    /// The key of the segment with this salt.
    pub(crate) fn segment(&self, salt: [u8; SALT_BYTES]) -> Segment {
        let prk = extracted(&self.bytes, &salt);
        let okm = prk
            .expand(&[SEGMENT_INFO], &AES_256_GCM)
            .expect("32 bytes can be derived");
        Segment {
            salt,
            key: LessSafeKey::new(UnboundKey::from(okm)),
        }
    }
}

fn extracted(bytes: &[u8], salt: &[u8]) -> Prk {
    Salt::new(HKDF_SHA256, salt).extract(bytes)
}

fn hexadecimal(text: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != KEY_BYTES || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digits = std::str::from_utf8(pair).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

/// A fresh salt.
pub(crate) fn fresh_salt() -> Result<[u8; SALT_BYTES], Unspecified> {
    let mut salt = [0; SALT_BYTES];
    SystemRandom::new().fill(&mut salt)?;
    Ok(salt)
}

/// What the blocks of one segment are encrypted with: a key that no other segment has.
pub(crate) struct Segment {
    pub(crate) salt: [u8; SALT_BYTES],
    key: LessSafeKey,
}

impl Segment {
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

    /// Decrypts in place what has its tag behind it; gives the length without.
    pub(crate) fn open(
        &self,
        counter: u64,
        company: &[u8],
        bytes: &mut [u8],
    ) -> Result<usize, Unspecified> {
        let plain = self
            .key
            .open_in_place(nonce(counter), Aad::from(company), bytes)?;
        Ok(plain.len())
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

    fn written(content: &[u8], mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn a_key_is_32_bytes_or_64_digits() {
        let raw: Vec<u8> = (0..32).collect();
        let digits: String = raw.iter().map(|byte| format!("{byte:02X}")).collect();
        for content in [
            raw,
            digits.clone().into_bytes(),
            format!(" {digits}\n").into_bytes(),
        ] {
            let (_directory, path) = written(&content, 0o600);
            let key = Key::read(&path).unwrap();
            assert_eq!(key.bytes[31], 31);
        }
        let short: String = digits[1..].to_owned();
        for content in [
            b"".to_vec(),
            short.into_bytes(),
            digits.replace('0', "x").into_bytes(),
            vec![7; 33],
            vec![7; 9999],
        ] {
            let (_directory, path) = written(&content, 0o600);
            let error = Key::read(&path).unwrap_err().to_string();
            assert!(error.contains("openssl rand -hex 32"), "{error}");
        }
        assert!(matches!(
            Key::read(Path::new("/dev/zero")),
            Err(KeyError::NoKey { .. })
        ));
        assert!(matches!(
            Key::read(Path::new("missing")),
            Err(KeyError::Unreadable { .. })
        ));
    }

    #[test]
    fn a_key_that_others_can_read_is_told() {
        let (_directory, path) = written(&[1; 32], 0o640);
        let words = Key::exposure(&path).expect("the group can read it");
        assert!(
            words.contains("mode 640") && words.contains("chmod 600"),
            "{words}"
        );
        let (_directory, path) = written(&[1; 32], 0o400);
        assert_eq!(Key::exposure(&path), None);
    }

    #[test]
    fn nothing_prints_a_key() {
        let shown = format!("{:?}", Key::new([0xAB; 32]));
        assert!(
            !shown.contains("171") && !shown.to_lowercase().contains("abab"),
            "{shown}"
        );
    }
}
