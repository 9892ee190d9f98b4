//! Paths of `/proc`, for the record path.

use std::fmt::Write as _;

/// A path under `/proc/<tid>`, without an allocation.
pub(super) struct ProcPath {
    bytes: [u8; 40],
    length: usize,
}

impl ProcPath {
    pub(super) fn new(tid: u32, name: &str) -> Self {
        let mut path = ProcPath {
            bytes: [0; 40],
            length: 0,
        };
        write!(path, "/proc/{tid}/{name}").expect("a tid and a short name fit");
        path
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("only whole strings are written")
    }
}

impl std::fmt::Write for ProcPath {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let end = self.length + s.len();
        let place = self
            .bytes
            .get_mut(self.length..end)
            .ok_or(std::fmt::Error)?;
        place.copy_from_slice(s.as_bytes());
        self.length = end;
        Ok(())
    }
}
