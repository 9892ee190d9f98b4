//! The way in which a system call transfers data.

/// Which way the data of a call go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `read` and its relatives.
    Read,
    /// `write` and its relatives.
    Write,
}

/// How a call names its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallShape {
    /// One buffer.
    Plain,
    /// A list of buffers (`readv`, `writev`).
    Vector,
}
