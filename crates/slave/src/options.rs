use std::time::Duration;

use pseudotape_tape::{BlockLimits, Identity};

use crate::header::Checksums;
use crate::limits::MAX_PAYLOAD_BYTES;

/// What a drive without a slave says when it is asked whether it is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutSlave {
    /// That there is no drive: an open fails at once (ENXIO).
    #[default]
    NoDrive,
    /// That it is not ready: an open waits, as for a drive that loads.
    NotReady,
}

/// How the master's side of a slave behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the drive is called in the log.
    pub name: String,
    /// What [`Drive::test_ready`](pseudotape_tape::Drive::test_ready) says while nobody is there.
    pub without_slave: WithoutSlave,
    /// How long a slave may give no sign of life while something is asked of it.
    pub silence: Duration,
    /// How long nothing may be asked of a slave until it is asked whether it is still there.
    pub keep_alive: Duration,
    /// Largest payload, and thereby the largest block; at most [`MAX_PAYLOAD_BYTES`].
    pub largest_payload: u32,
    /// Whether payloads in shared memory carry a checksum.
    pub checksums: Checksums,
    /// What the drive is while nobody is there.
    pub identity: Identity,
    /// What it takes while nobody is there.
    pub limits: BlockLimits,
}

impl Options {
    /// The same within the limits of the protocol.
    pub(crate) fn within_limits(mut self) -> Options {
        let least = Duration::from_millis(1);
        self.largest_payload = self.largest_payload.clamp(1, MAX_PAYLOAD_BYTES);
        self.silence = self.silence.max(least);
        self.keep_alive = self.keep_alive.max(least);
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        let largest_payload = 16 << 20;
        Options {
            name: "slave".into(),
            without_slave: WithoutSlave::NoDrive,
            silence: Duration::from_secs(60),
            keep_alive: Duration::from_secs(1),
            largest_payload,
            checksums: Checksums::Streamed,
            identity: Identity {
                vendor: "PSEUDO".into(),
                product: "SLAVE".into(),
                ..Identity::default()
            },
            limits: BlockLimits {
                min_bytes: 1,
                max_bytes: largest_payload,
                granularity_bytes: 1,
            },
        }
    }
}
