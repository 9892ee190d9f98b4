use std::io;

use nix::errno::Errno;

/// Why a remote tape could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection.
    #[error(
        "{remote}: can't be reached: {source}; does 'ssh HOST true' work without a password, or is the server running?"
    )]
    Unreachable {
        /// The tape.
        remote: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The connection ended before the tape was open.
    #[error(
        "{remote}: the connection ended before the tape was open: {why}; is an rmt installed there ('apt-get install tar', or pseudotape-rmt)?"
    )]
    Cut {
        /// The tape.
        remote: String,
        /// What was seen of it.
        why: String,
    },
    /// The connection ended later.
    #[error(
        "{remote}: the connection broke: {why}; what the server had confirmed is on the tape, and a filemark of its driver may be behind it"
    )]
    Broken {
        /// The tape.
        remote: String,
        /// What was seen of it.
        why: String,
    },
    /// What answered is no rmt.
    #[error(
        "{remote}: what answers there is no rmt server: it sent {got}; a login script that prints something is the usual reason"
    )]
    Nonsense {
        /// The tape.
        remote: String,
        /// The beginning of what came.
        got: String,
    },
    /// The server refused.
    #[error("{remote}: the server refuses to open it: {text}")]
    Refused {
        /// The tape.
        remote: String,
        /// What it means here.
        errno: Errno,
        /// What the server said.
        text: String,
    },
    /// The server's system is not Linux: what its status says is not known here.
    #[error(
        "{remote}: the server gives no status that is known here ({got}): it has to run on Linux, or be pseudotape-rmt"
    )]
    ForeignStatus {
        /// The tape.
        remote: String,
        /// What it gave.
        got: String,
    },
    /// The tape is open, but of no use.
    #[error(transparent)]
    Drive(#[from] pseudotape_device::Error),
}
