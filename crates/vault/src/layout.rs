//! What lies where in a vault's directory.

use std::path::{Path, PathBuf};

/// What makes a directory a vault.
pub const CONFIGURATION_FILE: &str = "vault.toml";
/// The catalog.
pub(crate) const CATALOG_FILE: &str = "catalog.sqlite";
/// What is committed and not yet in the catalog's own file.
pub(crate) const LOG_FILE: &str = "catalog.sqlite-wal";
/// Who changes the vault.
pub(crate) const LOCK_FILE: &str = "lock";
/// The directory of the images.
pub(crate) const IMAGES: &str = "images";
/// The name, in there, of an image that is being made. One that is left over is no volume yet.
pub(crate) const MAKING: &str = ".making.ptape";

/// The vault in whose directory of images a file is.
#[must_use]
pub fn vault_of(image: &Path) -> Option<PathBuf> {
    let image = image.canonicalize().ok()?;
    let folder = image.parent()?;
    let vault = folder.parent()?;
    let is_one = folder.ends_with(IMAGES) && vault.join(CONFIGURATION_FILE).is_file();
    is_one.then(|| vault.to_owned())
}
/// How the names of images begin that are being brought back. One that is left over is no volume yet.
pub(crate) const RECALLING: &str = ".recalling-";
