/// The positions of the filemarks, in the part of the partition that was seen without a gap from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    /// Number of the first object of each file; the first one is 0.
    starts: Vec<u64>,
    /// Objects before this one were seen.
    covered: u64,
    /// The end of data lies directly behind the objects seen.
    ended: bool,
}

impl Default for Files {
    fn default() -> Self {
        Files {
            starts: vec![0],
            covered: 0,
            ended: false,
        }
    }
}

impl Files {
    /// Objects before this one are known.
    pub(crate) fn covered(&self) -> u64 {
        self.covered
    }

    /// Whether the end of data is known, and lies directly behind the objects seen.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// The file number of a position, if known.
    pub(crate) fn file_at(&self, object: u64) -> Option<u64> {
        (object <= self.covered).then(|| {
            let files = self.starts.partition_point(|start| *start <= object);
            files.saturating_sub(1) as u64
        })
    }

    /// The first object of a file.
    pub(crate) fn start_of(&self, file: u64) -> Option<u64> {
        usize::try_from(file)
            .ok()
            .and_then(|file| self.starts.get(file).copied())
    }

    /// Whether an object is a filemark, if known.
    pub(crate) fn is_mark(&self, object: u64) -> Option<bool> {
        (object < self.covered).then(|| self.starts.binary_search(&(object + 1)).is_ok())
    }

    /// Blocks (or setmarks) were seen from `at` on.
    pub(crate) fn saw_blocks(&mut self, at: u64, count: u64) {
        let behind = at.saturating_add(count);
        if at <= self.covered && behind > self.covered {
            self.covered = behind;
            self.ended = false;
        }
    }

    /// A filemark was seen at `at`.
    pub(crate) fn saw_mark(&mut self, at: u64) {
        if at == self.covered {
            self.covered += 1;
            self.starts.push(self.covered);
            self.ended = false;
        }
    }

    /// The end of data was seen at `at`.
    pub(crate) fn saw_end(&mut self, at: u64) {
        if at == self.covered {
            self.ended = true;
        }
    }

    /// Forgets the objects from `at` on: they were overwritten or erased.
    pub(crate) fn cut(&mut self, at: u64) {
        if at <= self.covered {
            self.covered = at;
            self.ended = true;
            let kept = self.starts.partition_point(|start| *start <= at);
            self.starts.truncate(kept.max(1));
        } else {
            self.ended = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_objects_and_objects_by_files() {
        let mut files = Files::default();
        files.saw_blocks(0, 3);
        files.saw_mark(3);
        files.saw_mark(4);
        files.saw_blocks(5, 2);
        files.saw_end(7);
        assert_eq!((files.covered(), files.ended()), (7, true));
        for (object, file) in [(0, 0), (3, 0), (4, 1), (5, 2), (7, 2)] {
            assert_eq!(files.file_at(object), Some(file), "{object}");
        }
        assert_eq!(files.file_at(8), None);
        let starts: Vec<_> = (0..4).map(|file| files.start_of(file)).collect();
        assert_eq!(starts, [Some(0), Some(4), Some(5), None]);
        let marks: Vec<_> = (0..8).map(|object| files.is_mark(object)).collect();
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(marks, [no, no, no, yes, yes, no, no, None]);
    }

    #[test]
    fn a_gap_teaches_nothing_and_a_cut_forgets() {
        let mut files = Files::default();
        files.saw_blocks(0, 2);
        files.saw_mark(5);
        files.saw_blocks(3, 1);
        assert_eq!(files.covered(), 2);
        files.saw_mark(2);
        files.saw_blocks(3, 4);
        files.cut(3);
        assert_eq!((files.covered(), files.ended()), (3, true));
        assert_eq!(files.file_at(3), Some(1));
        files.cut(2);
        assert_eq!(files.file_at(2), Some(0));
        assert_eq!(files.start_of(1), None);
        // Objects behind a gap can't be remembered.
        files.saw_blocks(1, 1);
        files.saw_blocks(2, 0);
        assert_eq!((files.covered(), files.ended()), (2, true));
        files.cut(9);
        assert_eq!((files.covered(), files.ended()), (2, false));
        // An end of data behind a gap can't be remembered.
        files.saw_end(1);
        files.saw_end(3);
        assert!(!files.ended());
        files.saw_end(2);
        assert!(files.ended());
        files.saw_mark(2);
        assert_eq!((files.covered(), files.ended()), (3, false));
    }
}
