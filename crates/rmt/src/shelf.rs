use nix::errno::Errno;
use pseudotape_device::TapeNode;
use pseudotape_st::OpenFlags;

/// What a server can open: only what its owner named.
pub trait Shelf {
    /// Opens the tape of this name. A name that the shelf does not know is [`Errno::EACCES`]; it is never a path
    /// that is looked for.
    fn open(&mut self, name: &[u8], flags: OpenFlags) -> Result<Box<dyn TapeNode>, Errno>;
}
