//! Somebody who keeps the volume in a slot, and is told what becomes of it.

use pseudotape_tape::{Done, Failed, Motion, Transfer};

/// Is told what is written on a volume, what of it can't be read, and that it was closed.
///
/// `wrote` and `extended` are on the way of each record: what they do, the program that writes waits for.
pub trait Keeper: Send {
    /// A write of this data ended so.
    fn wrote(&mut self, transfer: Transfer, data: &[u8], ended: &Result<Done, Failed>);

    /// The block just written was lengthened by this data, or was to be.
    fn extended(&mut self, data: &[u8], ended: &Result<Done, Failed>);

    /// A read ended so.
    fn read_failed(&mut self, failed: &Failed);

    /// A motion ended so.
    fn moved(&mut self, motion: Motion, ended: &Result<Done, Failed>);

    /// Everything is on stable storage, and the volume was closed. Where this is not called, the closing failed.
    ///
    /// Says what is wrong with the keeper's own work, if anything is: the volume is out all the same.
    fn closed(self: Box<Self>) -> Option<String>;
}
