//! How long commands about farms wait.

use clap::Args;

/// For commands that change a volume.
#[derive(Debug, Args)]
pub(crate) struct LockWait {
    /// So long it waits for another command that changes the volume; 0 does not wait [default: what the configuration
    /// says, else 60].
    #[arg(long, value_name = "SECONDS")]
    pub lock_wait: Option<u64>,
}
