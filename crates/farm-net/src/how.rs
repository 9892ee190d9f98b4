//! The verbs that add files.

/// By which verb files are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Into a new volume.
    Copy,
    /// Those whose titles are not there.
    Add,
    /// Those, and those that are better than what is there.
    CompareAdd,
}

impl How {
    pub(crate) fn code(self) -> u8 {
        match self {
            How::Copy => 1,
            How::Add => 2,
            How::CompareAdd => 3,
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        let all = [How::Copy, How::Add, How::CompareAdd];
        all.into_iter().find(|how| how.code() == code)
    }
}
