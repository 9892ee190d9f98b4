//! The rank of a ring's threads: a scheduling policy under which callers stay where they are.
//!
//! An answer wakes its caller, and the kernel looks for an idle processor to wake it on. The one on which the answering
//! thread runs is not idle. So the caller goes to another one, which has to start first, and its next request goes to
//! that one's queue, and so on with each request. But a processor counts as idle where nothing runs except threads of
//! the policy `SCHED_IDLE`. So a thread whose callers move takes that policy, is low, and they stay.
//!
//! A low thread gets hardly any time where other threads of its scheduling group (a control group, or a session) want
//! its processor. There callers have no reason to move either, so threads become low only where callers move, and a
//! low thread that waits for its processor makes all of its connection ordinary again for a while.
#![allow(unsafe_code)] // No wrapper has this system call.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

/// After so many requests a thread that is not low asks itself how many of them came from callers that had moved.
const REQUESTS: u32 = 64;
/// With so many of them, it becomes low.
const MOVES: u32 = REQUESTS / 8;

/// How often a low thread looks how long it has waited for its processor.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// After a low thread waited more than half of that time, no thread of the connection is low for so long.
const ORDINARY_FOR: Duration = Duration::from_secs(10);

/// How many callers are remembered.
const CALLERS: usize = 64;

/// A thread of this process was low once. So nobody else chose the policy of a thread that has it.
static USED: AtomicBool = AtomicBool::new(false);

/// Makes this thread an ordinary one: for threads that a read or a write may start, which inherit a low rank.
pub fn be_ordinary() {
    let low = || matches!(policy(), Ok(libc::SCHED_IDLE));
    if USED.load(Ordering::Relaxed)
        && low()
        && let Err(error) = set_policy(libc::SCHED_OTHER)
    {
        log::warn!("a thread keeps its low rank: {error}");
    }
}

/// What the threads of a connection know together.
#[derive(Debug)]
pub(crate) struct Ranks {
    /// They should be low.
    low: AtomicBool,
    /// From then on they may be low, in nanoseconds since `begun`; none of them ever may at [`NEVER`].
    allowed_at: AtomicU64,
    begun: Instant,
    /// Which caller came last through which queue, at the place of its number's last digits.
    seen: [AtomicU64; CALLERS],
}

const NEVER: u64 = u64::MAX;

impl Ranks {
    /// Finds out whether threads of this process may be low and ordinary again.
    pub(crate) fn asked() -> Arc<Self> {
        // In a thread of its own: one that finds no way back must not be one that works.
        let tried = thread::spawn(|| {
            let policy = policy()?;
            if policy != libc::SCHED_OTHER {
                // Somebody chose it.
                return Err(io::Error::other(format!("the policy is {policy}")));
            }
            Waits::of_this_thread()?.so_far()?;
            set_policy(libc::SCHED_IDLE)?;
            set_policy(libc::SCHED_OTHER)
        });
        let allowed = match tried.join() {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                log::debug!("threads of rings stay as they are: {error}");
                false
            }
            Err(_) => false,
        };
        Arc::new(Ranks::new(allowed))
    }

    fn new(allowed: bool) -> Self {
        Ranks {
            low: AtomicBool::new(false),
            allowed_at: AtomicU64::new(if allowed { 0 } else { NEVER }),
            begun: Instant::now(),
            seen: [const { AtomicU64::new(0) }; CALLERS],
        }
    }

    /// Whether a caller came through another queue before.
    fn has_moved(&self, caller: u32, queue: u16) -> bool {
        let now = u64::from(caller) << 16 | u64::from(queue);
        let before = self.seen[caller as usize % CALLERS].swap(now, Ordering::Relaxed);
        before != now && before >> 16 == u64::from(caller)
    }

    fn since_begun(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.begun).as_nanos();
        u64::try_from(since).unwrap_or(NEVER - 1)
    }

    fn callers_move(&self, now: Instant) {
        if self.since_begun(now) >= self.allowed_at.load(Ordering::Relaxed) {
            self.low.store(true, Ordering::Relaxed);
        }
    }

    /// No thread is low from its next request on, until then.
    fn be_ordinary(&self, until: u64) {
        self.allowed_at.store(until, Ordering::Relaxed);
        self.low.store(false, Ordering::Relaxed);
    }
}

/// The rank of the thread that has this.
#[derive(Debug)]
pub(crate) struct Rank {
    ranks: Arc<Ranks>,
    low: bool,
    /// Requests since it last asked itself, and how many of them came from callers that had moved.
    requests: u32,
    moves: u32,
    waits: Option<Waits>,
    /// When it last looked how long it has waited, and how long that was.
    looked: (Instant, Duration),
}

impl Rank {
    /// Of this thread, which is an ordinary one.
    pub(crate) fn of_this_thread(ranks: Arc<Ranks>) -> Self {
        Rank {
            ranks,
            low: false,
            requests: 0,
            moves: 0,
            waits: Waits::of_this_thread().ok(),
            looked: (Instant::now(), Duration::ZERO),
        }
    }

    /// Before a request of a caller is done. One that may start programs is done by an ordinary thread, since they
    /// inherit its policy.
    pub(crate) fn choose(&mut self, caller: u32, queue: u16, starts_no_program: bool) {
        let moved = self.ranks.has_moved(caller, queue);
        if self.low {
            self.see_how_long_it_waited();
        } else {
            self.count(moved, Instant::now());
        }
        self.be(starts_no_program && self.ranks.low.load(Ordering::Relaxed));
    }

    fn count(&mut self, moved: bool, now: Instant) {
        self.requests += 1;
        self.moves += u32::from(moved);
        if self.requests >= REQUESTS {
            if self.moves >= MOVES {
                self.ranks.callers_move(now);
            }
            (self.requests, self.moves) = (0, 0);
        }
    }

    fn see_how_long_it_waited(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.looked.0) < LOOK_EVERY {
            return;
        }
        let waited = self.waited();
        self.judge(now, waited);
    }

    /// Low for a while that ends now: was it kept from its processor?
    fn judge(&mut self, now: Instant, waited: Option<Duration>) {
        let since = now.saturating_duration_since(self.looked.0);
        let kept = waited.is_none_or(|waited| waited.saturating_sub(self.looked.1) > since / 2);
        self.looked = (now, waited.unwrap_or_default());
        if kept {
            log::debug!(
                "a thread of a ring waits for its processor, and is an ordinary one for a while"
            );
            let until = now + ORDINARY_FOR;
            self.ranks.be_ordinary(self.ranks.since_begun(until));
        }
    }

    fn be(&mut self, low: bool) {
        if self.low == low {
            return;
        }
        let policy = if low {
            libc::SCHED_IDLE
        } else {
            libc::SCHED_OTHER
        };
        match set_policy(policy) {
            Ok(()) => {
                USED.store(true, Ordering::Relaxed);
                self.low = low;
                self.looked = (Instant::now(), self.waited().unwrap_or_default());
            }
            Err(error) => {
                log::warn!("the scheduling policy {policy} of a ring's thread: {error}");
                self.ranks.be_ordinary(NEVER);
            }
        }
    }

    fn waited(&self) -> Option<Duration> {
        self.waits.as_ref()?.so_far().ok()
    }
}

/// How long a thread was ready to run, and did not.
#[derive(Debug)]
struct Waits(File);

impl Waits {
    fn of_this_thread() -> io::Result<Self> {
        Ok(Waits(File::open("/proc/thread-self/schedstat")?))
    }

    fn so_far(&self) -> io::Result<Duration> {
        let mut text = [0; 96];
        let length = self.0.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(text.get(..length).unwrap_or_default());
        waited(&text)
            .ok_or_else(|| io::Error::other("this kernel does not count how long threads wait"))
    }
}

/// From `RUN WAITED TURNS`; where nothing is counted all of them are 0.
fn waited(schedstat: &str) -> Option<Duration> {
    let mut numbers = schedstat.split_whitespace().map(str::parse::<u64>);
    let (_run, waited, turns) = (
        numbers.next()?,
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
    );
    (turns > 0).then_some(Duration::from_nanos(waited))
}

/// The scheduling policy of this thread.
fn policy() -> io::Result<i32> {
    // SAFETY: takes a number, and 0 is this thread.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    Ok(Errno::result(policy).map(|policy| i32::try_from(policy).unwrap_or(-1))?)
}

fn set_policy(policy: i32) -> io::Result<()> {
    // `struct sched_param`: these policies have no priorities.
    let parameters: i32 = 0;
    // SAFETY: 0 is this thread, and the kernel reads one number of this type.
    let done = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            policy,
            &raw const parameters,
        )
    };
    Errno::result(done)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: u32 = 4711;

    fn rank(allowed: bool) -> Rank {
        let mut rank = Rank::of_this_thread(Arc::new(Ranks::new(allowed)));
        // How long this test waits for a processor must not count.
        rank.waits = None;
        rank
    }

    /// Requests, each through the other of two queues than the one before.
    fn move_about(rank: &mut Rank, requests: u32) {
        let now = Instant::now();
        for request in 0..requests {
            let moved = rank.ranks.has_moved(CALLER, u16::from(request % 2 == 0));
            rank.count(moved, now);
        }
    }

    fn wants_low(rank: &Rank) -> bool {
        rank.ranks.low.load(Ordering::Relaxed)
    }

    #[test]
    fn callers_that_move_make_threads_low_and_others_do_not() {
        let mut still = rank(true);
        let now = Instant::now();
        for request in 0..10 * REQUESTS {
            // Two callers, each through its own queue, and now and then one of them moves.
            let caller = CALLER + request % 2;
            let queue = u16::from(caller == CALLER) + 2 * u16::from(request % 32 == 0);
            let moved = still.ranks.has_moved(caller, queue);
            still.count(moved, now);
        }
        assert!(!wants_low(&still));
        let mut moving = rank(true);
        move_about(&mut moving, REQUESTS - 1);
        assert!(!wants_low(&moving));
        move_about(&mut moving, 1);
        assert!(wants_low(&moving));
        let mut forbidden = rank(false);
        move_about(&mut forbidden, 2 * REQUESTS);
        assert!(!wants_low(&forbidden));
    }

    #[test]
    fn a_thread_that_waits_for_its_processor_makes_all_ordinary_for_a_while() {
        let mut rank = rank(true);
        move_about(&mut rank, REQUESTS);
        let start = rank.looked.0;
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        rank.judge(at(100), Some(Duration::from_millis(50)));
        assert!(wants_low(&rank), "half of the time is not too long");
        rank.judge(at(200), Some(Duration::from_millis(101)));
        assert!(!wants_low(&rank));
        rank.ranks.callers_move(at(200) + ORDINARY_FOR / 2);
        assert!(!wants_low(&rank), "too early");
        rank.ranks.callers_move(at(200) + ORDINARY_FOR);
        assert!(wants_low(&rank));
        rank.judge(at(30_000), None);
        assert!(!wants_low(&rank), "nobody knows how long it waited");
    }

    #[test]
    fn only_what_starts_no_program_is_done_by_a_low_thread() {
        let ranks = Ranks::asked();
        if ranks.allowed_at.load(Ordering::Relaxed) == NEVER {
            // Where this process may not take the policy, threads stay as they are: nothing to see here.
            assert_eq!(policy().expect("a policy"), libc::SCHED_OTHER);
            return;
        }
        let mut rank = Rank::of_this_thread(ranks);
        move_about(&mut rank, REQUESTS);
        let mut policy_for = |starts_no_program| {
            let low = starts_no_program && wants_low(&rank);
            rank.be(low);
            policy().expect("a policy")
        };
        assert_eq!(policy_for(true), libc::SCHED_IDLE);
        assert_eq!(policy_for(false), libc::SCHED_OTHER);
        assert_eq!(policy_for(true), libc::SCHED_IDLE);
        let started = thread::spawn(|| {
            let inherited = policy().expect("a policy");
            be_ordinary();
            (inherited, policy().expect("a policy"))
        });
        assert_eq!(
            started.join().expect("no panic"),
            (libc::SCHED_IDLE, libc::SCHED_OTHER)
        );
        rank.ranks.be_ordinary(NEVER);
        rank.choose(CALLER, 0, true);
        assert_eq!(policy().expect("a policy"), libc::SCHED_OTHER);
    }

    #[test]
    fn a_kernel_that_counts_no_waiting_is_known() {
        assert_eq!(waited("123 456 7\n"), Some(Duration::from_nanos(456)));
        assert_eq!(waited("0 0 0\n"), None);
        assert_eq!(waited(""), None);
    }
}
