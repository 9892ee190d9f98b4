//! Bytes from the other side, with a limit for everything that has no length of its own.

use std::io::{self, ErrorKind, Read};

const BUFFER_BYTES: usize = 64 * 1024;

/// A stream that is read byte by byte, in lines, or in pieces of known length.
pub(crate) struct Input<R> {
    source: R,
    buffer: Vec<u8>,
    /// What of the buffer waits.
    waiting: std::ops::Range<usize>,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Without its end.
    Whole(Vec<u8>),
    /// Longer than the limit: its beginning. The rest was read too, up to the limit of what is skipped.
    TooLong(Vec<u8>),
    /// The stream ended before the line did.
    Ended,
}

/// Of a line that is too long so much is skipped at most.
const SKIPPED_BYTES: usize = 64 * 1024;

impl<R: Read> Input<R> {
    pub(crate) fn new(source: R) -> Self {
        Input {
            source,
            buffer: vec![0; BUFFER_BYTES],
            waiting: 0..0,
        }
    }

    pub(crate) fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// Whether bytes were received that nobody has read.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// `None` at the end of the stream.
    pub(crate) fn byte(&mut self) -> io::Result<Option<u8>> {
        if self.waiting.is_empty() && self.fill()? == 0 {
            return Ok(None);
        }
        let byte = self.buffer.get(self.waiting.start).copied();
        self.waiting.start += 1;
        Ok(byte)
    }

    /// A line of at most `limit` bytes.
    pub(crate) fn line(&mut self, limit: usize) -> io::Result<Line> {
        let mut line = Vec::new();
        let mut skipped = 0;
        loop {
            match self.byte()? {
                None => return Ok(Line::Ended),
                Some(b'\n') if skipped == 0 => return Ok(Line::Whole(line)),
                Some(b'\n') => return Ok(Line::TooLong(line)),
                Some(byte) if line.len() < limit => line.push(byte),
                Some(_) => {
                    skipped += 1;
                    if skipped > SKIPPED_BYTES {
                        return Ok(Line::TooLong(line));
                    }
                }
            }
        }
    }

    /// Fills the whole of `to`; fails with `UnexpectedEof` where the stream ends before.
    pub(crate) fn exact(&mut self, mut to: &mut [u8]) -> io::Result<()> {
        while !to.is_empty() {
            let got = if self.waiting.is_empty() {
                self.receive(to)?
            } else {
                let some = self.waiting.len().min(to.len());
                let from = self.waiting.start..self.waiting.start + some;
                let waiting = self.buffer.get(from).unwrap_or_default();
                to.split_at_mut(some).0.copy_from_slice(waiting);
                self.waiting.start += some;
                some
            };
            if got == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            to = to.get_mut(got..).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads and drops so many bytes; fails where the stream ends before.
    pub(crate) fn skip(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            if self.waiting.is_empty() && self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let some = usize::try_from(count)
                .map_or(self.waiting.len(), |count| count.min(self.waiting.len()));
            self.waiting.start += some;
            count -= some as u64;
        }
        Ok(())
    }

    fn fill(&mut self) -> io::Result<usize> {
        let got = loop {
            match self.source.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.waiting = 0..got;
        Ok(got)
    }

    /// Large pieces go straight to where they belong.
    fn receive(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.len() < BUFFER_BYTES {
            let got = self.fill()?;
            if got == 0 {
                return Ok(0);
            }
            let some = got.min(to.len());
            let (to, _) = to.split_at_mut(some);
            to.copy_from_slice(self.buffer.get(..some).unwrap_or_default());
            self.waiting.start = some;
            return Ok(some);
        }
        loop {
            match self.source.read(to) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes a few at a time.
    struct Dripping<'a>(&'a [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let some = self.1.min(to.len()).min(self.0.len());
            to[..some].copy_from_slice(&self.0[..some]);
            self.0 = &self.0[some..];
            Ok(some)
        }
    }

    #[test]
    fn lines_and_pieces_come_whole_however_they_arrive() {
        let bytes = [b"W5\nhello\nlong line\n".as_slice(), &[7; 200_000]].concat();
        for pace in [1, 3, 5, 70_000, 1_000_000] {
            let mut input = Input::new(Dripping(&bytes, pace));
            assert_eq!(input.byte().unwrap(), Some(b'W'));
            assert_eq!(input.line(10).unwrap(), Line::Whole(b"5".to_vec()));
            let mut word = [0; 5];
            input.exact(&mut word).unwrap();
            assert_eq!(&word, b"hello");
            assert_eq!(input.line(10).unwrap(), Line::Whole(Vec::new()));
            assert_eq!(input.line(4).unwrap(), Line::TooLong(b"long".to_vec()));
            input.skip(100).unwrap();
            let mut rest = vec![0; 199_900];
            input.exact(&mut rest).unwrap();
            assert!(rest.iter().all(|byte| *byte == 7));
            assert_eq!(input.byte().unwrap(), None);
            assert_eq!(input.line(4).unwrap(), Line::Ended);
            assert!(input.exact(&mut word).is_err());
            assert!(input.skip(1).is_err());
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let bytes = vec![b'x'; SKIPPED_BYTES + 100];
        let mut input = Input::new(Dripping(&bytes, 4096));
        assert_eq!(input.line(3).unwrap(), Line::TooLong(b"xxx".to_vec()));
    }
}
