//! An allocator that counts, for tests of what must not allocate.
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
use std::sync::atomic::{AtomicU64, Ordering};

/// Of all threads.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static ALLOCATIONS_HERE: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, with a count of what is allocated or made longer.
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

fn count() {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    ALLOCATIONS_HERE.set(ALLOCATIONS_HERE.get() + 1);
}

// SAFETY: every call goes to the system's allocator as it came. Counting touches two numbers; a constant
// thread-local without destructor allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the pointer came from `System`, with this layout; the caller keeps the contract for the size.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
