//! What is said of a backup of the catalog.

use pseudotape_image::Uuid;

use crate::volume::Digest;

/// A backup of the catalog. How this is written beside the payload is the affair of whoever stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupDescription {
    /// Whose catalog it is: the identity of the vault.
    pub site: Uuid,
    /// What people call that vault.
    pub site_name: String,
    /// Rises with each backup of a vault.
    pub sequence: u64,
    /// Milliseconds after 1970, by the clock of its machine.
    pub written_ms: u64,
    /// Of the catalog's tables.
    pub schema: i64,
    /// How many volumes the catalog knows.
    pub volumes: u64,
    /// Bytes of the payload: the catalog, compressed with zstd.
    pub length: u64,
    /// Of those bytes.
    pub digest: Digest,
    /// Bytes of the catalog.
    pub catalog_length: u64,
    /// Of those bytes.
    pub catalog_digest: Digest,
}

/// What is counted of a payload and of the catalog in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) bytes: u64,
    pub(super) digest: Digest,
}
