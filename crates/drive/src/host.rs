//! What changes files of the host beside the images' own bytes: names that come, go and change.

use std::io;

/// Asks the host for one thing.
pub(crate) fn host_call<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(test)]
    hook::before_call()?;
    call()
}

/// Tests let a call fail, or the program die, before it.
#[cfg(test)]
pub(crate) mod hook {
    use std::cell::RefCell;
    use std::io;

    type Hook = Box<dyn FnMut() -> io::Result<()>>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    /// Lets a test see each call of this thread before it is made.
    pub(crate) fn set(hook: impl FnMut() -> io::Result<()> + 'static) {
        HOOK.set(Some(Box::new(hook)));
    }

    pub(super) fn before_call() -> io::Result<()> {
        // What a test does there can be a call, too.
        let Some(mut hook) = HOOK.take() else {
            return Ok(());
        };
        let told = hook();
        HOOK.with_borrow_mut(|kept| {
            kept.get_or_insert(hook);
        });
        told
    }
}
