//! Waiting for a volume that another command changes.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::holder::{self, Holder};
use crate::place::Place;
use crate::title::VolumeName;

/// So often the lock is tried. The kernel's own waiting for it has no end that one can say.
const STEP: Duration = Duration::from_millis(50);

type Tell = dyn Fn(&VolumeName, Option<&Holder>) + Send + Sync;

/// How long is waited, and who is told that it is. Without a word nothing is waited for.
#[derive(Clone, Default)]
pub(crate) struct Waiting {
    longest: Duration,
    tell: Option<Arc<Tell>>,
    /// Whether whoever waits is gone.
    is_over: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.longest.fmt(f)
    }
}

impl Waiting {
    pub(crate) fn new(
        longest: Duration,
        tell: impl Fn(&VolumeName, Option<&Holder>) + Send + Sync + 'static,
    ) -> Self {
        Waiting {
            longest,
            tell: Some(Arc::new(tell)),
            is_over: None,
        }
    }

    /// The same, until nobody waits any more.
    pub(crate) fn until(self, is_over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Waiting {
            is_over: Some(Arc::new(is_over)),
            ..self
        }
    }

    /// Locks the folder of a volume, which is sought before each try: who held it may have deleted it, and somebody
    /// made it again.
    pub(crate) fn lock(
        &self,
        name: &VolumeName,
        seek: impl Fn() -> Result<Place, Error>,
    ) -> Result<Place, Error> {
        let mut told = false;
        let begun = Instant::now();
        loop {
            let place = seek()?;
            if place.lock()? {
                match place.is_there()? {
                    true => return Ok(place),
                    false => continue,
                }
            }
            let holder = holder::of_lock(place.identity()?);
            let is_over = self.is_over.as_ref().is_some_and(|is_over| is_over());
            if is_over || begun.elapsed() >= self.longest {
                return Err(Error::Busy {
                    volume: name.clone(),
                    holder,
                });
            }
            if let (false, Some(tell)) = (told, &self.tell) {
                tell(name, holder.as_ref());
                told = true;
            }
            std::thread::sleep(STEP);
        }
    }
}
