//! The end of the daemon has an end: a leg that does not answer is not waited for without limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pseudotape_human::{HumanBytes, counted};

use crate::desk::public::{LeftBehind, Public};

/// Exit code of a daemon that ended before everything was stored.
pub const EXIT_IMPATIENT: i32 = 1;
/// Time between two looks at what the legs do.
const LOOK: Duration = Duration::from_millis(100);

/// Watches the end of the daemon in a thread of its own.
pub struct Overtime {
    public: Arc<Public>,
    limit: Duration,
    is_watching: AtomicBool,
}

impl Overtime {
    /// Watches the end of a mirror that is known here: so long without a sign of its legs is too long.
    #[must_use]
    pub fn new(public: Arc<Public>, limit: Duration) -> Arc<Self> {
        Arc::new(Overtime {
            public,
            limit,
            is_watching: AtomicBool::new(false),
        })
    }

    /// From now on the process ends when no leg has done anything for the limit. As long as the legs store what they
    /// still have to get, they get it all.
    pub fn begin(self: &Arc<Self>) {
        if self.is_watching.swap(true, Ordering::SeqCst) {
            return;
        }
        let watch = Arc::clone(self);
        let thread = std::thread::Builder::new().name("end".into());
        if let Err(error) = thread.spawn(move || watch.watch()) {
            log::warn!("can't start the thread that watches the end, which may take long: {error}");
        }
    }

    fn watch(&self) -> ! {
        let mut seen = self.public.done();
        let mut since = Instant::now();
        while since.elapsed() < self.limit {
            std::thread::sleep(LOOK);
            let now = self.public.done();
            if now.is_some() && now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
        for line in self.last_words() {
            log::error!("{line}");
        }
        std::process::exit(EXIT_IMPATIENT);
    }

    /// What is said where something was waited for in vain.
    fn last_words(&self) -> Vec<String> {
        let seconds = self.limit.as_secs();
        let mut lines = vec![format!(
            "ends at once: for {seconds} s no leg did anything, and something is not done yet; what every leg has stored \
             stays, as after a kill ('end-wait' is how long to wait)"
        )];
        let Some((busy, legs)) = self.public.left_behind() else {
            lines.push("the state of the legs can't be told".to_owned());
            return lines;
        };
        if let Some(what) = busy {
            lines.push(format!("it waited for: {what}"));
        }
        lines.extend(legs.iter().filter_map(words));
        lines.push(
            "start the mirror again: where the volumes disagree then, 'pseudotape-mirror trust LEG' says which is right, \
             and 'pseudotape-mirror resync LEG' brings another one in step"
                .to_owned(),
        );
        lines
    }
}

/// What a leg left, where it left something.
fn words(leg: &LeftBehind) -> Option<String> {
    let name = &leg.name;
    let mut words = Vec::new();
    if leg.queued_objects > 0 {
        words.push(format!(
            "{} ({}) of its queue are not on its volume",
            counted(leg.queued_objects, "object"),
            HumanBytes(leg.queued_bytes)
        ));
    }
    if let Some(from) = leg.not_mirrored_from {
        words.push(format!("not mirrored from object {from} on"));
    }
    if leg.is_open {
        words.push("its volume was not closed".to_owned());
    }
    (!words.is_empty()).then(|| format!("leg {name}: {}", words.join("; ")))
}
