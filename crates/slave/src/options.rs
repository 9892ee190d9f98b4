use std::time::Duration;

use pseudotape_tape::{BlockLimits, Identity};

use crate::header::Checksums;
use crate::limits::MAX_PAYLOAD_BYTES;

/// How a drive without a slave answers TEST UNIT READY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutSlave {
    /// There is no drive: open(2) fails at once with ENXIO.
    #[default]
    NoDrive,
    /// The drive is not ready: open(2) waits, as it does for a drive that is loading.
    NotReady,
}

/// Options of the master's side.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the drive in the log.
    pub name: String,
    /// The answer of [`Drive::test_ready`](pseudotape_tape::Drive::test_ready) while no slave is attached.
    pub without_slave: WithoutSlave,
    /// Timeout of a request: a slave may send nothing for so long while a request is outstanding.
    pub silence: Duration,
    /// Interval of keep-alive requests to a slave that is idle.
    pub keep_alive: Duration,
    /// Largest payload, and so the largest block; at most [`MAX_PAYLOAD_BYTES`].
    pub largest_payload: u32,
    /// Whether payloads in shared memory have a checksum.
    pub checksums: Checksums,
    /// Identity of the drive while no slave is attached.
    pub identity: Identity,
    /// Block limits of the drive while no slave is attached.
    pub limits: BlockLimits,
}

impl Options {
    /// Returns these options, limited to what the protocol allows.
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
