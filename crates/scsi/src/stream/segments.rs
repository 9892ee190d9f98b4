//! The memory of a data phase: pieces, one behind the other.

/// The pieces. What is asked of them never goes beyond their end.
pub(crate) struct Segments<'a, 'b>(&'a mut [&'b mut [u8]]);

impl<'a, 'b> Segments<'a, 'b> {
    pub(crate) fn new(pieces: &'a mut [&'b mut [u8]]) -> Self {
        Segments(pieces)
    }

    /// Bytes of all pieces.
    pub(crate) fn total(&self) -> usize {
        self.0.iter().map(|piece| piece.len()).sum()
    }

    /// The first bytes as one run: where they lie, if they lie in the first piece, else through `scratch`. `None` where
    /// there are not so many.
    pub(crate) fn outgoing<'c>(
        &'c self,
        scratch: &'c mut Vec<u8>,
        count: usize,
    ) -> Option<&'c [u8]> {
        if let Some(run) = self.0.first().and_then(|piece| piece.get(..count)) {
            return Some(run);
        }
        if count > self.total() {
            return None;
        }
        scratch.clear();
        let mut left = count;
        for piece in self.0.iter() {
            let part = piece.get(..left).unwrap_or(piece);
            scratch.extend_from_slice(part);
            left -= part.len();
        }
        Some(scratch)
    }

    /// Lets `fill` write into the first `count` bytes as one run, and say how many of them it filled: in place, if they
    /// lie in the first piece, else through `scratch`. `None` where there are not so many.
    pub(crate) fn incoming<T>(
        &mut self,
        scratch: &mut Vec<u8>,
        count: usize,
        fill: impl FnOnce(&mut [u8]) -> (usize, T),
    ) -> Option<(usize, T)> {
        if let Some(run) = self.0.first_mut().and_then(|piece| piece.get_mut(..count)) {
            return Some(fill(run));
        }
        if count > self.total() {
            return None;
        }
        if scratch.len() < count {
            scratch.resize(count, 0);
        }
        let (filled, told) = fill(scratch.get_mut(..count)?);
        self.put(scratch.get(..filled)?);
        Some((filled, told))
    }

    /// Copies as much as there is room for to the beginning, and says how much that is.
    pub(crate) fn put(&mut self, data: &[u8]) -> usize {
        let mut rest = data;
        for piece in self.0.iter_mut() {
            let (part, behind) = rest.split_at(rest.len().min(piece.len()));
            if let Some(place) = piece.get_mut(..part.len()) {
                place.copy_from_slice(part);
            }
            rest = behind;
        }
        data.len() - rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_one_piece_is_not_copied() {
        let mut piece = *b"abcdef";
        let at = piece.as_ptr();
        let mut pieces: [&mut [u8]; 1] = [&mut piece];
        let mut segments = Segments::new(&mut pieces);
        let mut scratch = Vec::new();
        let run = segments.outgoing(&mut scratch, 4).unwrap();
        assert_eq!((run, run.as_ptr()), (&b"abcd"[..], at));
        let filled = segments.incoming(&mut scratch, 3, |run| {
            assert_eq!(run.as_ptr(), at);
            run[..2].copy_from_slice(b"xy");
            (2, ())
        });
        assert_eq!(filled, Some((2, ())));
        assert_eq!(scratch.capacity(), 0);
        assert_eq!(&piece, b"xycdef");
    }

    #[test]
    fn what_lies_in_several_pieces_is_one_run() {
        let (mut first, mut second, mut third) = (*b"ab", *b"", *b"cdef");
        let mut pieces: [&mut [u8]; 3] = [&mut first, &mut second, &mut third];
        let mut segments = Segments::new(&mut pieces);
        let mut scratch = Vec::new();
        assert_eq!(segments.total(), 6);
        assert_eq!(segments.outgoing(&mut scratch, 5).unwrap(), b"abcde");
        assert_eq!(segments.outgoing(&mut scratch, 6).unwrap(), b"abcdef");
        assert_eq!(segments.outgoing(&mut scratch, 7), None);
        let filled = segments.incoming(&mut scratch, 5, |run| {
            run.copy_from_slice(b"12345");
            (3, "told")
        });
        assert_eq!(filled, Some((3, "told")));
        assert!(segments.incoming(&mut scratch, 7, |_| (0, ())).is_none());
        assert_eq!(segments.put(b"12345678"), 6);
        assert_eq!((&first, &third), (b"12", b"3456"));
    }

    #[test]
    fn nothing_is_asked_of_no_pieces() {
        let mut segments = Segments::new(&mut []);
        let mut scratch = Vec::new();
        assert_eq!(segments.outgoing(&mut scratch, 0), Some(&[][..]));
        assert_eq!(segments.outgoing(&mut scratch, 1), None);
        assert!(segments.incoming(&mut scratch, 0, |_| (0, ())).is_some());
        assert_eq!(segments.put(b"1"), 0);
    }
}
