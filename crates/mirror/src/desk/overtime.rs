//! The end of the daemon has an end: a leg that does not answer is not waited for without limit.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use pseudotape_human::{HumanBytes, counted};

use crate::desk::public::{LeftBehind, Place, Public};

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

/// What asks for the end of a daemon that has other work than one mirror.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The daemon is to end.
    pub once: &'a AtomicBool,
    /// It was told so again: no leg is waited for any more.
    pub twice: &'a AtomicBool,
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
        let mut silence = Silence::of(&self.public);
        while silence.lasts() < self.limit {
            std::thread::sleep(LOOK);
        }
        for line in self.last_words(self.waited()) {
            log::error!("{line}");
        }
        std::process::exit(EXIT_IMPATIENT);
    }

    /// Does something that may have to wait for legs, for a daemon that must not end with them: in a thread of its own,
    /// which is left behind when no leg has done anything for the limit since the daemon was asked to end.
    pub fn attempt<R: Send + 'static>(
        &self,
        asked: Asked<'_>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, GivenUp> {
        let (done, is_done) = sync_channel(1);
        let thread = std::thread::Builder::new().name("end".into());
        let spawned = thread.spawn(move || drop(done.send(work())));
        let thread = spawned.map_err(|error| GivenUp {
            lines: vec![format!("can't start a thread: {error}")],
        })?;
        let mut silence: Option<Silence<'_>> = None;
        loop {
            match is_done.recv_timeout(LOOK) {
                Ok(done) => return Ok(done),
                Err(RecvTimeoutError::Timeout) => {}
                // It told nothing because it panicked.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let why = if asked.twice.load(Ordering::SeqCst) {
                "was told twice to end".to_owned()
            } else if asked.once.load(Ordering::SeqCst) {
                let silence = silence.get_or_insert_with(|| Silence::of(&self.public));
                if silence.lasts() < self.limit {
                    continue;
                }
                self.waited()
            } else {
                continue;
            };
            return Err(GivenUp {
                lines: self.last_words(why),
            });
        }
        match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("it tells before it ends"),
        }
    }

    fn waited(&self) -> String {
        format!(
            "for {} s no leg did anything ('end-wait' is how long to wait)",
            self.limit.as_secs()
        )
    }

    /// What is said where something was waited for in vain.
    fn last_words(&self, why: String) -> Vec<String> {
        let mut lines = vec![format!(
            "ends at once: {why}, and something is not done yet; what every leg has stored stays, as after a kill"
        )];
        let Some((busy, legs)) = self.public.left_behind() else {
            lines.push("the state of the legs can't be told".to_owned());
            return lines;
        };
        if let Some(what) = busy {
            lines.push(format!("it waited for: {what}"));
        }
        lines.extend(legs.iter().filter_map(words));
        let command = self.public.place().command();
        let again = match self.public.place() {
            Place::SlaveEnd(_) => "the mirror",
            Place::Drive(_) => "the daemon",
        };
        lines.push(format!(
            "start {again} again: where the volumes disagree then, '{command} trust LEG' says which is \
             right, and '{command} resync LEG' brings another one in step"
        ));
        lines
    }
}

/// How long no leg has done anything.
struct Silence<'a> {
    public: &'a Public,
    seen: Option<Vec<[u64; 3]>>,
    since: Instant,
}

impl<'a> Silence<'a> {
    fn of(public: &'a Public) -> Self {
        Silence {
            public,
            seen: public.done(),
            since: Instant::now(),
        }
    }

    fn lasts(&mut self) -> Duration {
        let now = self.public.done();
        if now.is_some() && now != self.seen {
            (self.seen, self.since) = (now, Instant::now());
        }
        self.since.elapsed()
    }
}

/// Legs were not waited for any longer.
#[derive(Debug, thiserror::Error)]
pub struct GivenUp {
    /// Why, what was waited for, what each leg has not got, and what to do.
    pub lines: Vec<String>,
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.lines.first().map_or("ends at once", String::as_str))
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
