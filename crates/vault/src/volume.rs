//! What the catalog knows of a volume.

use blake3::Hasher;
use std::fmt;
use std::str::FromStr;

use pseudotape_image::VolumeId;

use crate::event::Actor;
use crate::label::Label;
use crate::state::{Availability, Category, FileState, Opening};

/// BLAKE3 over the bytes of all blocks of a tape file, as `pseudotape dump --file N` gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct DigestError;

/// Computes the digest of a tape file from its blocks, in their order.
#[derive(Clone, Debug, Default)]
pub struct FileDigest(Hasher);

impl FileDigest {
    /// The next block.
    pub fn add(&mut self, block: &[u8]) {
        self.0.update(block);
    }

    /// Of all that was added.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let mut digest = [0; 32];
        if text.len() != 64 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(DigestError);
        }
        for (at, byte) in digest.iter_mut().enumerate() {
            let pair = text.get(2 * at..2 * at + 2).ok_or(DigestError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| DigestError)?;
        }
        Ok(Digest(digest))
    }
}

/// What lies between two filemarks of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapeFile {
    /// File number, as `mt status` shows it.
    pub number: u64,
    /// The object that `mt seek` takes to get here.
    pub first_object: u64,
    /// Its blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of those bytes; nothing where they were never read, or can't be.
    pub digest: Option<Digest>,
    /// What is known of it.
    pub state: FileState,
}

/// Which tape file of a clone was which one of the volume that it is the clone of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClonedFile {
    /// On the clone.
    pub number: u64,
    /// On the volume.
    pub old_number: u64,
    /// Where it began there.
    pub old_first_object: u64,
}

/// Why a volume is not `ok`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Who said so.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// Milliseconds after 1970.
    pub since_ms: u64,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// What people call it.
    pub label: Label,
    /// What its image calls itself.
    pub identity: VolumeId,
    /// What it is for.
    pub category: Category,
    /// Whether it may be used …
    pub availability: Availability,
    /// … and why not.
    pub block: Option<Block>,
    /// Whether a drive has it.
    pub opening: Opening,
    /// Rises each time it was written.
    pub generation: u64,
    /// The name of its image in the vault's directory of images; nothing where it has none there.
    pub image: Option<String>,
    /// The generation that the image itself had when it was looked at last: another one means that somebody wrote it
    /// past the vault.
    pub image_generation: Option<u64>,
    /// Milliseconds after 1970 at which it came into the vault.
    pub added_ms: u64,
}

/// A volume, and how much is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The volume.
    pub volume: Volume,
    /// Tape files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them are bad or missing.
    pub faulty: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_shown() {
        let digest = Digest(std::array::from_fn(|at| {
            u8::try_from(at * 7).expect("small")
        }));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for bad in [
            "",
            &"0".repeat(63),
            &"g".repeat(64),
            &"+0".repeat(32),
            &"ä".repeat(32),
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestError), "{bad}");
        }
    }
}
