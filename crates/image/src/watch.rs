//! Looking on while an image is opened.

use std::fmt;
use std::io;
use std::sync::Arc;

/// Watches the opening of an image, which has much to read where the index is missing: is told where each read of the
/// file begins, and can end the opening.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<Look>>);

type Look = dyn Fn(u64) -> bool + Send + Sync;

impl Watch {
    /// Calls this with the place of each read, in bytes from the beginning of the file; `false` ends the opening.
    pub fn new(look: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        Watch(Some(Arc::new(look)))
    }

    pub(crate) fn see(&self, offset: u64) -> io::Result<()> {
        match &self.0 {
            Some(look) if !look(offset) => Err(io::Error::other(
                "given up, because nobody waits for the image to be opened",
            )),
            Some(_) | None => Ok(()),
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}
