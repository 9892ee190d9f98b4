//! Loads that can take long. Each drive does one load at a time. A long load is logged, and given up when the daemon
//! ends.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pseudotape_human::HumanBytes;
use pseudotape_image::Watch;

use crate::tape_drive::TapeDrive;

/// How often the log tells where a long opening is.
const TELLS: Duration = Duration::from_secs(5);

/// The load in hand; other loads are refused until this is dropped.
pub(crate) struct Loading<'a>(&'a TapeDrive);

impl TapeDrive {
    pub(crate) fn begin_loading(&self) -> Result<Loading<'_>> {
        let number = self.number();
        ensure!(
            self.one_load.begin(),
            "a volume is being opened for drive {number}: wait until it is loaded"
        );
        Ok(Loading(self))
    }
}

impl Loading<'_> {
    /// Tells the log about an opening that takes long, and ends the opening with the daemon.
    pub(crate) fn watch(&self, volume: &Path) -> Watch {
        let (number, name) = (self.0.number(), volume.display().to_string());
        let ends = self.0.asked_to_end();
        let (began, told) = (Instant::now(), AtomicU64::new(0));
        Watch::new(move |offset| {
            let turn = began.elapsed().as_secs() / TELLS.as_secs();
            if told.fetch_max(turn, Ordering::Relaxed) < turn {
                let place = HumanBytes(offset);
                log::info!("drive {number}: reads {name} without an index, at {place}");
            }
            !ends.load(Ordering::SeqCst)
        })
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.one_load.end();
    }
}
