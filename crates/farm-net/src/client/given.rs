//! The headers and the contents of a file that comes over a link.
//!
//! A long file is received by a thread of its own: to decrypt and check what comes takes as long as to digest and store
//! it. That thread reads to the end of the file whatever becomes of it, since the next answer stands behind it.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, ScopedJoinHandle, scope};

use super::out_of_turn;
use crate::error::Error;
use crate::link::Link;
use crate::message::Message;

/// From this length on a second thread gains more than its start costs.
const LONG_BYTES: u64 = 4 << 20;
/// So many parts, each of a packet, wait between the threads.
const PARTS: usize = 4;

/// How a file ended: with the reason for which it is not to be used, if there is one; or why nothing more comes.
type End = Result<Option<String>, Error>;

/// Has a file used that comes behind its headers, and takes what is left of it. `length` is what it should have.
pub(super) fn take<T>(
    link: &mut Link,
    headers: Vec<u8>,
    length: u64,
    using: impl FnOnce(&mut dyn Read) -> T,
) -> (T, End) {
    if length < LONG_BYTES {
        return used(GivenFile::here(link, headers), using);
    }
    let (full, filled) = sync_channel(PARTS);
    let (empty, emptied) = channel();
    let beside = scope(|scope| {
        let lent = &mut *link;
        let receive = move || receive(lent, full, &emptied);
        let thread = Builder::new().name("receive".into());
        match thread.spawn_scoped(scope, receive) {
            Ok(thread) => {
                let source = Source::Beside {
                    filled,
                    empty,
                    thread,
                };
                Ok(used(GivenFile::of(source, headers), using))
            }
            Err(error) => {
                log::debug!("no second thread for a long file: {error}");
                Err((headers, using))
            }
        }
    });
    beside.unwrap_or_else(|(headers, using)| used(GivenFile::here(link, headers), using))
}

fn used<T>(mut given: GivenFile<'_>, using: impl FnOnce(&mut dyn Read) -> T) -> (T, End) {
    let used = using(&mut given);
    (used, given.into_end())
}

/// The next part of a file in the place of what is in `part`; or the end.
fn next(link: &mut Link, part: &mut Vec<u8>) -> Option<End> {
    Some(match link.input.receive_contents(part) {
        Ok(None) => return None,
        Ok(Some(Message::Whole)) => Ok(None),
        Ok(Some(Message::Failed { why })) => Ok(Some(why)),
        Ok(Some(Message::NoFile)) => Ok(Some("it has no file".to_owned())),
        Ok(Some(Message::Refused { refusal, text })) => Err(Error::Refused { refusal, text }),
        Ok(Some(_)) => Err(out_of_turn()),
        Err(error) => Err(error),
    })
}

/// The thread that receives a long file. Where nobody takes its parts any more, it reads on to the end of the file.
fn receive(link: &mut Link, full: SyncSender<Vec<u8>>, emptied: &Receiver<Vec<u8>>) -> End {
    let mut full = Some(full);
    loop {
        let mut part = emptied.try_recv().unwrap_or_default();
        if let Some(end) = next(link, &mut part) {
            return end;
        }
        if full.as_ref().is_some_and(|full| full.send(part).is_err()) {
            full = None;
        }
    }
}

/// Where the parts of a file come from.
enum Source<'a> {
    /// From the link, a packet at a time.
    Here(&'a mut Link),
    /// From the thread that receives it, to which parts go back that were used.
    Beside {
        filled: Receiver<Vec<u8>>,
        empty: Sender<Vec<u8>>,
        thread: ScopedJoinHandle<'a, End>,
    },
    /// Nothing more comes.
    Ended(End),
}

/// The headers and the contents of a file that comes.
pub(super) struct GivenFile<'a> {
    source: Source<'a>,
    part: Vec<u8>,
    at: usize,
}

impl<'a> GivenFile<'a> {
    /// One that this thread receives.
    pub(super) fn here(link: &'a mut Link, headers: Vec<u8>) -> Self {
        GivenFile::of(Source::Here(link), headers)
    }

    fn of(source: Source<'a>, headers: Vec<u8>) -> Self {
        GivenFile {
            source,
            part: headers,
            at: 0,
        }
    }

    /// Gets the next part; `false` at the end.
    fn go_on(&mut self) -> bool {
        self.at = 0;
        let source = std::mem::replace(&mut self.source, Source::Ended(Ok(None)));
        let (source, is_more) = match source {
            Source::Here(link) => match next(link, &mut self.part) {
                None => (Source::Here(link), true),
                Some(end) => (Source::Ended(end), false),
            },
            Source::Beside {
                filled,
                empty,
                thread,
            } => match filled.recv() {
                Ok(part) => {
                    let used = std::mem::replace(&mut self.part, part);
                    // A thread that has ended needs no more of them.
                    empty.send(used).ok();
                    let source = Source::Beside {
                        filled,
                        empty,
                        thread,
                    };
                    (source, true)
                }
                Err(_) => (Source::Ended(end_of(thread)), false),
            },
            ended @ Source::Ended(_) => (ended, false),
        };
        if !is_more {
            self.part.clear();
        }
        self.source = source;
        is_more
    }

    /// Takes what is left of the file, which was not wanted; how the file ended.
    fn into_end(mut self) -> End {
        if let Source::Beside { filled, thread, .. } = self.source {
            // The thread hears by it that nobody takes its parts any more.
            drop(filled);
            return end_of(thread);
        }
        while self.go_on() {}
        self.into_end_so_far()
    }

    /// How it ended, as far as it was read.
    pub(super) fn into_end_so_far(self) -> End {
        match self.source {
            Source::Ended(end) => end,
            Source::Here(_) | Source::Beside { .. } => Ok(None),
        }
    }
}

fn end_of(thread: ScopedJoinHandle<'_, End>) -> End {
    let ended = thread.join();
    ended.unwrap_or_else(|_| {
        Err(Error::protocol(
            "the thread that receives a file has failed",
        ))
    })
}

impl Read for GivenFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let ready = self.part.get(self.at..).unwrap_or_default();
            let bytes = ready.len().min(buffer.len());
            if bytes > 0 {
                if let (Some(buffer), Some(ready)) = (buffer.get_mut(..bytes), ready.get(..bytes)) {
                    buffer.copy_from_slice(ready);
                }
                self.at += bytes;
                return Ok(bytes);
            }
            match &self.source {
                Source::Ended(Ok(None)) => return Ok(0),
                Source::Ended(Ok(Some(why))) => return Err(io::Error::other(why.clone())),
                Source::Ended(Err(_)) => return Err(pseudotape_farm::Gone.into()),
                Source::Here(_) | Source::Beside { .. } => {}
            }
            if buffer.is_empty() {
                return Ok(0);
            }
            self.go_on();
        }
    }
}

#[cfg(test)]
#[path = "given_test.rs"]
mod given_test;
