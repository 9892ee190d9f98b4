//! The program that has a drive open.

use std::fmt;

use pseudotape_control::OpenStatus;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opener {
    /// Process (thread) id.
    pub(crate) pid: u32,
    /// Name of the program, where it can be found.
    pub(crate) program: Option<String>,
    pub(crate) uid: u32,
    /// The node that it opened.
    pub(crate) node: String,
}

/// For a person: `tar (pid 17)`.
impl fmt::Display for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.as_deref().unwrap_or("a program");
        write!(f, "{program} (pid {})", self.pid)
    }
}

impl From<Opener> for OpenStatus {
    fn from(opener: Opener) -> Self {
        let Opener {
            pid,
            program,
            uid,
            node,
        } = opener;
        OpenStatus {
            pid,
            program,
            uid,
            node,
        }
    }
}
