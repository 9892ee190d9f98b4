//! Writing of a long file by a thread of its own, while its caller reads, digests and frames what comes next.

use std::fs::File;
use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use rustix::fs::{Advice, fadvise};

/// So many writes are under way at most.
const UNDER_WAY: usize = 3;

/// So much is written before the disk is asked to store it: enough that the asking costs nothing, little enough that
/// the disk is never idle. The step of an image's file (docs/decisions/0017-page-cache.md).
const STEP_BYTES: u64 = 8 << 20;

/// What was written and is not on its way to the disk.
#[derive(Debug, Default)]
struct Early {
    stretch: Range<u64>,
}

impl Early {
    /// Notes a write; says what is to go to the disk.
    fn wrote(&mut self, offset: u64, bytes: u64) -> Option<Range<u64>> {
        if offset != self.stretch.end {
            self.stretch = offset..offset;
        }
        self.stretch.end = offset.saturating_add(bytes);
        if self.stretch.end - self.stretch.start < STEP_BYTES {
            return None;
        }
        let end = self.stretch.end;
        Some(std::mem::replace(&mut self.stretch, end..end))
    }
}

/// Has the disk begin with what is in the page cache alone: the commit of a long capsule would wait for all of it. What
/// is on its way stays in the cache. Without this a host begins when a tenth of its memory waits, or after 30 s.
fn begin_storing(file: &File, stretch: &Range<u64>) {
    let length = NonZeroU64::new(stretch.end.saturating_sub(stretch.start));
    // An advice that is not taken changes nothing but speed.
    fadvise(file, stretch.start, length, Advice::DontNeed).unwrap_or_default();
}

/// Bytes, and where they go.
struct Write {
    bytes: Vec<u8>,
    offset: u64,
}

/// A thread that writes to a file. What fails is told by one of the next calls, and by each call after that.
pub(super) struct Behind {
    to: Option<Sender<Write>>,
    /// Each write comes back when it is done, with its buffer.
    done: Receiver<io::Result<Vec<u8>>>,
    under_way: usize,
    spare: Vec<Vec<u8>>,
    failed: Option<io::Error>,
    thread: Option<JoinHandle<()>>,
}

impl Behind {
    /// Starts the thread; an error where the host has none left.
    pub(super) fn start(file: Arc<File>) -> io::Result<Self> {
        let (to, work) = channel::<Write>();
        let (tell, done) = channel();
        let thread = thread::Builder::new().name("capsule".into());
        let thread = thread.spawn(move || {
            let mut early = Early::default();
            for Write { bytes, offset } in work {
                let written = file.write_all_at(&bytes, offset);
                if let Some(stretch) = early.wrote(offset, bytes.len() as u64) {
                    begin_storing(&file, &stretch);
                }
                if tell.send(written.map(|()| bytes)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Behind {
            to: Some(to),
            done,
            under_way: 0,
            spare: Vec::new(),
            failed: None,
            thread: Some(thread),
        })
    }

    /// Has bytes written, in the order of the calls. Waits where too much is under way.
    pub(super) fn write(&mut self, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        while self.under_way >= UNDER_WAY {
            self.take_back();
        }
        self.check()?;
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        buffers
            .iter()
            .for_each(|part| bytes.extend_from_slice(part));
        if let Some(to) = &self.to
            && to.send(Write { bytes, offset }).is_ok()
        {
            self.under_way += 1;
        } else {
            self.failed = Some(gone());
        }
        self.check()
    }

    /// Returns when all is written, or something failed.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        while self.under_way > 0 {
            self.take_back();
        }
        self.check()
    }

    fn take_back(&mut self) {
        match self.done.recv() {
            Ok(Ok(buffer)) => self.spare.push(buffer),
            Ok(Err(error)) => {
                self.failed.get_or_insert(error);
            }
            Err(_) => {
                self.failed.get_or_insert_with(gone);
                self.under_way = 0;
                return;
            }
        }
        self.under_way -= 1;
    }

    fn check(&self) -> io::Result<()> {
        match &self.failed {
            None => Ok(()),
            Some(error) => Err(match error.raw_os_error() {
                Some(errno) => io::Error::from_raw_os_error(errno),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
        }
    }
}

/// The thread ends only with what gives it work.
fn gone() -> io::Error {
    io::Error::other("the thread that writes has ended")
}

impl Drop for Behind {
    fn drop(&mut self) {
        // The thread ends when nobody can give it anything any more.
        self.to = None;
        if let Some(thread) = self.thread.take() {
            // It only writes: what failed is known by then.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_in_the_file_in_the_order_of_the_calls() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut behind = Behind::start(Arc::clone(&file)).unwrap();
        for number in 0..100_u8 {
            let (first, second) = ([number; 700], [number; 300]);
            let parts = [IoSlice::new(&first), IoSlice::new(&second)];
            behind.write(&parts, u64::from(number) * 1000).unwrap();
            // The later one stays.
            behind.write(&[IoSlice::new(&[200])], 0).unwrap();
        }
        behind.wait().unwrap();
        let mut found = vec![0; 100_001];
        assert_eq!(file.read_at(&mut found, 0).unwrap(), 100_000);
        assert_eq!(found[0], 200);
        for number in 1..100_u8 {
            let from = usize::from(number) * 1000;
            assert_eq!(found[from..from + 1000], [number; 1000]);
        }
    }

    #[test]
    fn each_byte_of_a_long_file_is_sent_to_the_disk_once() {
        let mut early = Early::default();
        let mut sent = Vec::new();
        for megabyte in 0..40 {
            sent.extend(early.wrote(megabyte << 20, 1 << 20));
        }
        let steps = (0..5).map(|n| n * STEP_BYTES..(n + 1) * STEP_BYTES);
        assert_eq!(sent, steps.collect::<Vec<_>>());
        // Elsewhere in the file, as the header is.
        assert_eq!(early.wrote(64, 100), None);
        assert_eq!(early.wrote(40 << 20, STEP_BYTES), Some(40 << 20..48 << 20));
    }

    #[test]
    fn what_fails_is_told_by_each_call_after_it_and_nothing_hangs() {
        let full = Arc::new(File::options().write(true).open("/dev/full").unwrap());
        let mut behind = Behind::start(Arc::clone(&full)).unwrap();
        behind.write(&[IoSlice::new(b"x")], 0).unwrap();
        for _ in 0..2 {
            let failed = behind.wait().unwrap_err();
            assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        }
        let failed = behind.write(&[IoSlice::new(b"x")], 0).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        let mut behind = Behind::start(full).unwrap();
        let ended = (0..=UNDER_WAY).find_map(|_| behind.write(&[IoSlice::new(b"x")], 0).err());
        assert_eq!(ended.unwrap().kind(), io::ErrorKind::StorageFull);
    }
}
