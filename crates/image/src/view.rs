//! Looking at an image that another process may hold open: up to its last commit, without a lock.

use std::io::{self, IoSlice, IoSliceMut};
use std::path::Path;

use pseudotape_tape::Access;

use crate::error::Error;
use crate::file_store::FileStore;
use crate::header;
use crate::image::{Image, key_of};
use crate::report::OpenReport;
use crate::slot::{self, FoundSlots};
use crate::store::{Reserved, Store};
use crate::watch::Watch;

/// Tries to read both slots whole while their writer may be writing one of them.
const SLOT_TRIES: u32 = 64;

/// An image file that is only looked at.
///
/// A file that nobody writes is locked against writers, as [`FileStore::open`] does it. A file that
/// another process has open for writing is shown up to its last commit: what is behind may still grow,
/// and a power failure may take it away.
#[derive(Debug)]
pub struct View {
    file: FileStore,
    /// Where the last commit ended; `None` where the file is ours to look at as a whole.
    committed_end: Option<u64>,
}

impl View {
    fn open(path: &Path, watch: Watch) -> Result<Self, Error> {
        match FileStore::open(path, Access::ReadOnly) {
            Ok(file) => Ok(View {
                file: file.watched(watch),
                committed_end: None,
            }),
            Err(Error::InUse { .. }) => Self::of_file_in_use(path),
            Err(error) => Err(error),
        }
    }

    fn of_file_in_use(path: &Path) -> Result<Self, Error> {
        let file = FileStore::open_unlocked(path)?;
        let found = header::read(&file)?;
        let slots = whole_slots(&file, key_of(&found.header));
        let committed_end = slots.newest.map(|(_, state)| state.committed_end);
        Ok(View {
            file,
            committed_end,
        })
    }
}

/// Both slots. A slot that its writer is writing may be met half old and half new: it is read again.
fn whole_slots<S: Store>(store: &S, key: crate::frame::Key) -> FoundSlots {
    let mut slots = slot::read(store, key);
    for _ in 1..SLOT_TRIES {
        if slots.newest.is_some() && slots.older.is_some() {
            break;
        }
        slots = slot::read(store, key);
    }
    slots
}

impl Image<View> {
    /// Opens an image to look at it, also while another process writes it.
    ///
    /// The image shows what was committed when it was opened. Its writer may drop that at any time: ask
    /// [`Image::is_current`] after reading.
    pub fn view(path: &Path) -> Result<(Self, OpenReport), Error> {
        Image::view_watched(path, Watch::default())
    }

    /// The same, watched: an opening that has much to read tells where it is.
    pub fn view_watched(path: &Path, watch: Watch) -> Result<(Self, OpenReport), Error> {
        for _ in 1..SLOT_TRIES {
            let opened = Image::open(View::open(path, watch.clone())?, Access::ReadOnly)?;
            if !opened.0.was_overtaken() {
                return Ok(opened);
            }
        }
        Image::open(View::open(path, watch)?, Access::ReadOnly)
    }

    /// Whether the writer committed more between the two looks at its slots: it would seem to be missing.
    fn was_overtaken(&self) -> bool {
        let end = self.store.committed_end;
        end.is_some_and(|end| self.missing.is_some() && self.state.committed_end > end)
    }

    /// Whether another process had the image open for writing.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.store.committed_end.is_some()
    }

    /// Whether everything that this image shows is still recorded there: nothing of it was written over or
    /// erased since it was opened.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.store.committed_end.is_none_or(|committed_end| {
            let newest = whole_slots(&self.store.file, self.key).newest;
            newest.is_some_and(|(_, state)| {
                state.segment == self.state.segment && state.committed_end >= committed_end
            })
        })
    }
}

impl Store for View {
    fn read_vectored_at(&self, buffers: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
        let Some(committed_end) = self.committed_end else {
            return self.file.read_vectored_at(buffers, offset);
        };
        // Behind the last commit there is nothing to see.
        let visible = committed_end.saturating_sub(offset);
        let count = self.file.read_vectored_at(buffers, offset)?;
        Ok(count.min(usize::try_from(visible).unwrap_or(usize::MAX)))
    }

    fn length(&self) -> io::Result<u64> {
        let length = self.file.length()?;
        Ok(self.committed_end.map_or(length, |end| end.min(length)))
    }

    fn next_data(&self, offset: u64) -> io::Result<u64> {
        self.file.next_data(offset)
    }

    fn opened(&mut self) {
        self.file.opened();
    }

    fn write_vectored_at(&mut self, _: &mut [IoSlice<'_>], _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(read_only())
    }

    fn reserve(&mut self, _: u64) -> io::Result<Reserved> {
        Err(read_only())
    }
}

fn read_only() -> io::Error {
    io::ErrorKind::ReadOnlyFilesystem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CreateParameters;
    use pseudotape_tape::{Mark, VolumeId};
    use uuid::Uuid;

    fn image(path: &Path) -> Image<FileStore> {
        let store = FileStore::create(path).expect("a new file");
        let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(1)), 0);
        Image::create(store, &parameters).expect("a new image")
    }

    fn objects(image: &Image<View>) -> u64 {
        image.end_of_data().object.0
    }

    #[test]
    fn an_image_in_use_is_shown_up_to_its_last_commit() {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let path = directory.path().join("a.ptape");
        let mut written = image(&path);
        written.append_block(b"one").expect("a block");
        written.append_marks(Mark::Filemark, 1).expect("a mark");
        written.sync().expect("a commit");
        written.append_block(b"not committed").expect("a block");
        let (mut seen, report) = Image::view(&path).expect("an image in use can be looked at");
        assert!(report.is_clean(), "{report}");
        assert!(seen.is_in_use() && seen.is_current());
        assert_eq!(objects(&seen), 2);
        let mut buffer = [0; 8];
        seen.read_object(&mut buffer).expect("the block");
        assert_eq!(&buffer[..3], b"one");
        // What comes behind changes nothing of what is shown.
        written.append_block(b"more").expect("a block");
        written.sync().expect("a commit");
        assert!(seen.is_current());
        assert_eq!(objects(&seen), 2);
        let (seen, report) = Image::view(&path).expect("an image in use can be looked at");
        assert!(report.is_clean(), "{report}");
        assert_eq!(objects(&seen), 4);
    }

    #[test]
    fn a_view_knows_that_what_it_shows_was_written_over() {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let path = directory.path().join("a.ptape");
        let mut written = image(&path);
        for _ in 0..4 {
            written.append_block(b"old").expect("a block");
        }
        written.sync().expect("a commit");
        let (seen, _) = Image::view(&path).expect("an image in use can be looked at");
        written.rewind();
        written.append_block(b"new").expect("a block");
        assert!(!seen.is_current());
        drop(written);
        let (seen, _) = Image::view(&path).expect("nobody writes the image");
        assert!(!seen.is_in_use() && seen.is_current());
        assert_eq!(objects(&seen), 1);
    }

    #[test]
    fn nobody_writes_an_image_that_is_looked_at_as_a_whole() {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let path = directory.path().join("a.ptape");
        drop(image(&path).finish().expect("a commit"));
        let (seen, _) = Image::view(&path).expect("nobody writes the image");
        assert!(matches!(
            FileStore::open(&path, Access::ReadWrite),
            Err(Error::InUse { .. })
        ));
        drop(seen);
        FileStore::open(&path, Access::ReadWrite).expect("nobody looks any more");
    }
}
