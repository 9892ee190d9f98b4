//! Paths of the configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The daemon may be in another directory than whoever wrote the path.
pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path)
        .with_context(|| format!("can't make {} an absolute path", path.display()))
}
