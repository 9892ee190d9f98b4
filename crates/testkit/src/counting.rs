//! An allocator that counts and can refuse, for tests of what must not allocate and of what must bear a refusal.
//!
//! A test makes it the allocator of its process:
//!
//! ```
//! use std::hint::black_box;
//!
//! use pseudotape_testkit::counting::{Counting, allocations};
//!
//! #[global_allocator]
//! static COUNTING: Counting = Counting;
//!
//! assert_eq!(allocations(|| drop(black_box(vec![0; 10]))), 1);
//! ```

#![allow(unsafe_code, reason = "a global allocator has no safe form")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of all threads.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static ALLOCATIONS_HERE: Cell<u64> = const { Cell::new(0) };
    static MOST_HERE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The system's allocator, with a count of what is allocated or made longer, and with a limit where a test sets one.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

/// How often `work` allocates. What other threads do meanwhile does not count.
#[must_use]
pub fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS_HERE.get();
    work();
    ALLOCATIONS_HERE.get() - before
}

/// How often any thread allocates while `work` runs, those of the test harness too.
#[must_use]
pub fn allocations_of_all_threads(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    work();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// Lets `work` get no memory of more than `most` bytes at once, as a process does at the end of its memory. What other
/// threads ask for is given.
pub fn with_no_more_than<T>(most: usize, work: impl FnOnce() -> T) -> T {
    MOST_HERE.set(most);
    let done = work();
    MOST_HERE.set(usize::MAX);
    done
}

fn count() {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    ALLOCATIONS_HERE.set(ALLOCATIONS_HERE.get() + 1);
}

// SAFETY: every call goes to the system's allocator as it came. Counting touches two numbers; a constant
// thread-local without destructor allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        if layout.size() > MOST_HERE.get() {
            return null_mut();
        }
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        if size > MOST_HERE.get() {
            return null_mut();
        }
        // SAFETY: the pointer came from `System`, with this layout; the caller keeps the contract for the size.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
