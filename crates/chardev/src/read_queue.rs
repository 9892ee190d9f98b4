//! The queue of waiting readers of a stream.

use std::collections::VecDeque;
use std::fmt;

use crate::numbers::Errno;
use crate::stream::{
    Answered, Reader, Source, StreamRead, WAITING_POLLS_MAX, WAITING_READS_MAX, Waker, WhenEmpty,
};

/// Bytes that wait for readers, or readers that wait for bytes. Never both.
#[derive(Default)]
pub struct ReadQueue {
    bytes: Vec<u8>,
    taken: usize,
    ended: Option<Result<(), Errno>>,
    readers: VecDeque<Waiting>,
    wakers: VecDeque<Waker>,
}

struct Waiting {
    room_bytes: usize,
    reader: Box<dyn Reader>,
}

impl ReadQueue {
    /// Adds bytes and answers the readers that wait for bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_with(|queue| queue.extend_from_slice(bytes));
    }

    /// Adds the bytes that `fill` appends, and answers the readers that wait for bytes.
    pub fn push_with(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        fill(&mut self.bytes);
        while self.is_readable() {
            let Some(waiting) = self.readers.pop_front() else {
                break;
            };
            self.answer(waiting.room_bytes, waiting.reader);
        }
        self.wake();
    }

    /// Ends the stream behind the bytes that are there: reads get nothing, or this error, from then on.
    pub fn end(&mut self, how: Result<(), Errno>) {
        self.ended = Some(how);
        for waiting in std::mem::take(&mut self.readers) {
            self.answer(waiting.room_bytes, waiting.reader);
        }
        self.wake();
    }

    /// Forgets everything, so that another program can open the device. Readers that still wait get `EIO`.
    pub fn clear(&mut self) {
        self.wake();
        // The memory goes too: a record can be long, and the next record may never come.
        *self = ReadQueue::default();
    }

    /// A `read(2)`.
    pub fn read(&mut self, read: StreamRead, reader: Box<dyn Reader>) {
        if self.is_readable() {
            self.answer(read.room_bytes, reader);
            return;
        }
        match read.when_empty {
            WhenEmpty::Fail => {
                reader.answer(Err(Errno::EAGAIN));
            }
            WhenEmpty::End => {
                reader.answer(Ok(&[]));
            }
            WhenEmpty::Wait => {
                self.readers.retain(|waiting| waiting.reader.waits());
                if self.readers.len() >= WAITING_READS_MAX {
                    reader.answer(Err(Errno::EBUSY));
                    return;
                }
                self.readers.push_back(Waiting {
                    room_bytes: read.room_bytes,
                    reader,
                });
            }
        }
    }

    /// A `read(2)` where the bytes come from a source: one copy less.
    pub fn read_from(
        &mut self,
        source: &mut dyn Source,
        read: StreamRead,
        reader: Box<dyn Reader>,
    ) {
        let reader = if self.is_readable() {
            Some(reader)
        } else {
            self.hand(source, read.room_bytes, reader)
        };
        if let Some(reader) = reader {
            self.read(read, reader);
        }
    }

    /// Answers waiting readers with the bytes that the source has now.
    pub fn answer_from(&mut self, source: &mut dyn Source) {
        self.readers.retain(|waiting| waiting.reader.waits());
        while let Some(Waiting { room_bytes, reader }) = self.readers.pop_front() {
            if self.is_readable() {
                self.answer(room_bytes, reader);
            } else if let Some(reader) = self.hand(source, room_bytes, reader) {
                self.readers.push_front(Waiting { room_bytes, reader });
                break;
            }
        }
        self.wake();
    }

    /// Lets a reader take from the source; gives it back where nothing is there yet.
    fn hand(
        &mut self,
        source: &mut dyn Source,
        room_bytes: usize,
        reader: Box<dyn Reader>,
    ) -> Option<Box<dyn Reader>> {
        let mut reader = Some(reader);
        source.take(room_bytes, &mut |bytes| {
            if let Some(reader) = reader.take()
                && reader.answer(Ok(bytes)) == Answered::TooLate
            {
                self.bytes.clear();
                self.taken = 0;
                self.bytes.extend_from_slice(bytes);
            }
        });
        reader
    }

    /// Whether a read would be answered at once, without a source.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.taken < self.bytes.len() || self.ended.is_some()
    }

    /// Keeps a waker until something is readable; wakes it at once where something is.
    pub fn wake_when_readable(&mut self, waker: Waker) {
        if self.wakers.len() >= WAITING_POLLS_MAX
            && let Some(oldest) = self.wakers.pop_front()
        {
            oldest();
        }
        self.wakers.push_back(waker);
        if self.is_readable() {
            self.wake();
        }
    }

    fn wake(&mut self) {
        for waker in std::mem::take(&mut self.wakers) {
            waker();
        }
    }

    fn answer(&mut self, room_bytes: usize, reader: Box<dyn Reader>) {
        let there = self.bytes.get(self.taken..).unwrap_or_default();
        if there.is_empty() {
            let end = self.ended.unwrap_or(Err(Errno::EIO));
            reader.answer(end.map(|()| &[][..]));
            return;
        }
        let part = there.get(..room_bytes).unwrap_or(there);
        if reader.answer(Ok(part)) == Answered::Yes {
            self.taken += part.len();
        }
    }
}

impl fmt::Debug for ReadQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadQueue")
            .field("bytes", &(self.bytes.len() - self.taken))
            .field("readers", &self.readers.len())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::numbers::Handle;

    type Got = Result<Vec<u8>, Errno>;

    struct Listener {
        tell: Sender<Got>,
        gone: bool,
    }

    impl Reader for Listener {
        fn answer(self: Box<Self>, answer: Result<&[u8], Errno>) -> Answered {
            if self.gone {
                return Answered::TooLate;
            }
            self.tell
                .send(answer.map(<[u8]>::to_vec))
                .expect("the test listens");
            Answered::Yes
        }

        fn waits(&self) -> bool {
            !self.gone
        }
    }

    fn ask(queue: &mut ReadQueue, room_bytes: usize, when_empty: WhenEmpty) -> Receiver<Got> {
        let (tell, got) = channel();
        let read = StreamRead {
            handle: Handle(1),
            room_bytes,
            when_empty,
        };
        queue.read(read, Box::new(Listener { tell, gone: false }));
        got
    }

    #[test]
    fn a_read_waits_for_bytes_and_takes_what_it_has_room_for() {
        let mut queue = ReadQueue::default();
        let first = ask(&mut queue, 3, WhenEmpty::Wait);
        let second = ask(&mut queue, 100, WhenEmpty::Wait);
        assert!(first.try_recv().is_err(), "it waits");
        queue.push(b"hello");
        assert_eq!(first.try_recv(), Ok(Ok(b"hel".to_vec())));
        assert_eq!(second.try_recv(), Ok(Ok(b"lo".to_vec())));
        assert!(!queue.is_readable());
    }

    #[test]
    fn bytes_wait_for_a_read() {
        let mut queue = ReadQueue::default();
        queue.push(b"ab");
        queue.push(b"cd");
        assert_eq!(
            ask(&mut queue, 3, WhenEmpty::Wait).try_recv(),
            Ok(Ok(b"abc".to_vec()))
        );
        assert_eq!(
            ask(&mut queue, 3, WhenEmpty::End).try_recv(),
            Ok(Ok(b"d".to_vec()))
        );
        assert_eq!(
            ask(&mut queue, 3, WhenEmpty::End).try_recv(),
            Ok(Ok(Vec::new()))
        );
        assert_eq!(
            ask(&mut queue, 3, WhenEmpty::Fail).try_recv(),
            Ok(Err(Errno::EAGAIN))
        );
    }

    #[test]
    fn what_a_reader_that_gave_up_did_not_take_goes_to_the_next_one() {
        let mut queue = ReadQueue::default();
        let (tell, nothing) = channel();
        let read = StreamRead {
            handle: Handle(1),
            room_bytes: 10,
            when_empty: WhenEmpty::Wait,
        };
        queue.read(read, Box::new(Listener { tell, gone: true }));
        let next = ask(&mut queue, 10, WhenEmpty::Wait);
        queue.push(b"kept");
        assert!(nothing.try_recv().is_err());
        assert_eq!(next.try_recv(), Ok(Ok(b"kept".to_vec())));
    }

    /// Messages, then the end.
    struct Messages(Vec<&'static [u8]>);

    impl Source for Messages {
        fn take(&mut self, max: usize, use_bytes: &mut dyn FnMut(&[u8])) -> bool {
            let Some(first) = self.0.first_mut() else {
                return false;
            };
            let (now, later) = first.split_at(max.min(first.len()));
            use_bytes(now);
            *first = later;
            if later.is_empty() {
                self.0.remove(0);
            }
            true
        }
    }

    #[test]
    fn a_source_answers_readers_that_wait_and_those_that_come() {
        let mut queue = ReadQueue::default();
        let read = |room_bytes| StreamRead {
            handle: Handle(1),
            room_bytes,
            when_empty: WhenEmpty::Wait,
        };
        let listen = |gone| {
            let (tell, got) = channel();
            (Box::new(Listener { tell, gone }), got)
        };
        let mut source = Messages(Vec::new());
        let (first, got) = listen(false);
        queue.read_from(&mut source, read(3), first);
        let (gone, nothing) = listen(true);
        queue.read_from(&mut source, read(9), gone);
        assert!(got.try_recv().is_err(), "it waits");
        source.0.push(b"hello");
        queue.answer_from(&mut source);
        assert_eq!(got.try_recv(), Ok(Ok(b"hel".to_vec())));
        let (gone, _) = listen(true);
        queue.read_from(&mut source, read(9), gone);
        let (next, got) = listen(false);
        queue.read_from(&mut source, read(1), next);
        assert_eq!(got.try_recv(), Ok(Ok(b"l".to_vec())), "kept for it");
        assert_eq!(
            ask(&mut queue, 9, WhenEmpty::End).try_recv(),
            Ok(Ok(b"o".to_vec()))
        );
        source.0.push(b"");
        let (last, got) = listen(false);
        queue.read_from(&mut source, read(9), last);
        assert_eq!(got.try_recv(), Ok(Ok(Vec::new())), "the end");
        assert!(nothing.try_recv().is_err());
    }

    #[test]
    fn the_end_comes_behind_the_bytes() {
        let mut queue = ReadQueue::default();
        queue.push(b"last");
        queue.end(Ok(()));
        assert_eq!(
            ask(&mut queue, 10, WhenEmpty::Wait).try_recv(),
            Ok(Ok(b"last".to_vec()))
        );
        assert_eq!(
            ask(&mut queue, 10, WhenEmpty::Wait).try_recv(),
            Ok(Ok(Vec::new()))
        );
        let mut queue = ReadQueue::default();
        let waiting = ask(&mut queue, 10, WhenEmpty::Wait);
        queue.end(Err(Errno::EIO));
        assert_eq!(waiting.try_recv(), Ok(Err(Errno::EIO)));
    }

    #[test]
    fn as_many_reads_as_the_limit_wait_and_one_more_is_busy() {
        let mut queue = ReadQueue::default();
        let waiting: Vec<_> = (0..WAITING_READS_MAX)
            .map(|_| ask(&mut queue, 1, WhenEmpty::Wait))
            .collect();
        assert_eq!(
            ask(&mut queue, 1, WhenEmpty::Wait).try_recv(),
            Ok(Err(Errno::EBUSY))
        );
        queue.clear();
        // The readers are dropped: whoever made them answers.
        assert!(waiting.iter().all(|got| got.try_recv().is_err()));
    }

    #[test]
    fn polls_are_woken_once_by_bytes_and_beyond_the_limit() {
        let mut queue = ReadQueue::default();
        let (tell, woken) = channel();
        for number in 0..=WAITING_POLLS_MAX {
            let tell = tell.clone();
            queue.wake_when_readable(Box::new(move || tell.send(number).expect("listened to")));
        }
        assert_eq!(woken.try_iter().collect::<Vec<_>>(), [0], "the oldest one");
        queue.push(b"x");
        assert_eq!(woken.try_iter().count(), WAITING_POLLS_MAX);
        queue.push(b"y");
        assert_eq!(woken.try_iter().count(), 0);
        queue.wake_when_readable(Box::new(move || tell.send(99).expect("listened to")));
        assert_eq!(
            woken.try_iter().collect::<Vec<_>>(),
            [99],
            "something is there"
        );
    }
}
