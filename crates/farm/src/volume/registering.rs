//! Who writes down elsewhere which files a volume gets.

use crate::entry::Entry;
use crate::source::Origin;

/// A file whose capsule is about to be committed.
#[derive(Clone, Copy, Debug)]
pub struct Coming<'a> {
    /// What the volume will know of it.
    pub entry: &'a Entry,
    /// Where it came from.
    pub origin: &'a Origin,
}

/// Is told of each batch of files before the volume has them, and behind that. Whatever is killed between, the
/// directory of the volume says which of them came. Files that are missing are not told.
pub trait Registrar {
    /// These are about to be committed. Where that can't be written down, they are not.
    fn expect(&mut self, coming: &[Coming<'_>]) -> Result<(), String>;

    /// They are committed.
    fn settle(&mut self, committed: &[&Entry]) -> Result<(), String>;
}
