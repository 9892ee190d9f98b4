//! What makes things last: commit, state slots, finish; and what makes things go: dropping.

use pseudotape_tape::{Access, ObjectNumber};

use crate::error::Error;
use crate::frame::Kind;
use crate::header::check_text;
use crate::image::{Image, Tail};
use crate::layout::{BARCODE_BYTES, LABEL_BYTES};
use crate::report::Missing;
use crate::slot::{self, Incomplete, IncompleteCause};
use crate::store::Store;
use crate::walk::Spot;

impl<S: Store> Image<S> {
    /// Returns when everything written before is on stable storage (the commit point).
    ///
    /// After a failure nothing can be written any more: what the host kept is not known until the
    /// image is opened anew. Does nothing where nothing was written.
    pub fn sync(&mut self) -> Result<(), Error> {
        if let Some(from_object) = self.failed_from {
            // A file that is gone says more.
            self.check_presence()?;
            return Err(Error::CommitFailed { from_object });
        }
        self.open_block = None;
        if !self.dirty {
            return Ok(());
        }
        self.store_sync()?;
        self.state.committed_end = self.end.offset;
        self.state.inner_root = self.index.inner_root;
        self.state.last_root = self.index.inner_root;
        // Only hints, so they need not be stable themselves.
        self.write_slot()
    }

    /// Checks that others find what was written where the image was opened. What was opened for reading only is
    /// nobody's loss.
    pub fn check_presence(&mut self) -> Result<(), Error> {
        match self.access {
            Access::ReadOnly => Ok(()),
            Access::ReadWrite => self.store.check_presence(self.end.offset),
        }
    }

    /// Commits, records where everything is and gives back the host's room.
    ///
    /// On an image where nothing was written and which is in order, nothing is written.
    pub fn finish(mut self) -> Result<S, Error> {
        let writable = self.check_writable().is_ok() && self.check_unprotected().is_ok();
        if !writable || !(self.unfinished || self.dirty) {
            self.check_presence()?;
            return match self.failed_from {
                Some(from_object) => Err(Error::CommitFailed { from_object }),
                None => Ok(self.store),
            };
        }
        self.cursor = self.end;
        self.next = None;
        self.prepare_tail()?;
        self.sync()?;
        if !self.proof_due {
            // What another process wrote may be in the host's memory only. The record of the end of data has to prove
            // that all before is on stable storage: else the next opening can't rely on its root.
            self.store_sync()?;
        }
        let end = self.end;
        self.append_index_record(Kind::EndOfData)?;
        // The next append begins where the record of the end of data begins.
        let length = self.end.offset;
        self.end = end;
        self.store
            .truncate(length)
            .map_err(|source| Error::host("truncate", length, 0, source))?;
        self.store_sync()?;
        self.state.committed_end = end.offset;
        self.state.last_root = end.offset;
        self.state.inner_root = self.index.inner_root;
        self.write_slot()?;
        Ok(self.store)
    }

    /// Erases from here to the end of data; committed when it returns.
    pub fn erase_from_here(&mut self) -> Result<(), Error> {
        self.check_writable()?;
        self.check_unprotected()?;
        self.open_block = None;
        match self.drops() || self.ends_a_copy() {
            true => self.drop_behind(),
            false => Ok(()),
        }
    }

    /// Sets or clears the volume's write protection; committed when it returns.
    pub fn set_write_protect(&mut self, protection: WriteProtect) -> Result<(), Error> {
        self.change_state(|state| state.write_protected = protection == WriteProtect::On)
    }

    /// Notes that this is a copy which misses what was written elsewhere from this object on, or (`None`)
    /// that it misses nothing any more; committed when it returns.
    pub fn set_incomplete_from(&mut self, object: Option<ObjectNumber>) -> Result<(), Error> {
        self.change_state(|state| {
            state.incomplete = object.map(|from| Incomplete {
                from,
                cause: IncompleteCause::NotCopied,
            });
        })
    }

    /// Notes that what was recorded from this object on was lost, where not more is marked as missing already;
    /// committed when it returns.
    pub fn note_lost(&mut self, from: ObjectNumber) -> Result<(), Error> {
        self.change_state(|state| state.note_lost(from))
    }

    /// Accepts that committed data are lost, so that the image can be written again; committed when it returns. The
    /// volume says from then on from which object on it misses something, until an object before is written anew.
    ///
    /// Says what was accepted; `None` where nothing was missing.
    pub fn accept_loss(&mut self) -> Result<Option<Missing>, Error> {
        let Some(missing) = self.missing else {
            return Ok(None);
        };
        self.check_writable()?;
        let (before, cursor) = (self.state.clone(), self.cursor);
        self.state.note_lost(ObjectNumber(missing.from_object));
        self.cursor = self.end;
        let done = self.drop_behind();
        self.cursor = cursor;
        self.next = None;
        match done {
            Ok(()) => {
                self.missing = None;
                Ok(Some(missing))
            }
            Err(error) => {
                self.state = before;
                Err(error)
            }
        }
    }

    /// Changes the volume's label; committed when it returns.
    pub fn set_label(&mut self, label: &str) -> Result<(), Error> {
        check_text("label", label, LABEL_BYTES)?;
        self.change_state(|state| label.clone_into(&mut state.label))
    }

    /// Changes the volume's barcode; committed when it returns.
    pub fn set_barcode(&mut self, barcode: &str) -> Result<(), Error> {
        check_text("barcode", barcode, BARCODE_BYTES)?;
        self.change_state(|state| barcode.clone_into(&mut state.barcode))
    }

    fn change_state(&mut self, change: impl FnOnce(&mut slot::State)) -> Result<(), Error> {
        self.check_writable()?;
        self.sync()?;
        let before = self.state.clone();
        change(&mut self.state);
        let done = self.write_slot().and_then(|()| self.store_sync());
        if done.is_err() {
            self.state = before;
        }
        done
    }

    pub(crate) fn check_unprotected(&self) -> Result<(), Error> {
        if let Some(missing) = self.missing {
            return Err(Error::DataMissing { missing });
        }
        if self.state.write_protected {
            return Err(Error::WriteProtected);
        }
        Ok(())
    }

    /// Writes the state into the slot that is not the one on stable storage.
    fn write_slot(&mut self) -> Result<(), Error> {
        self.state.sequence = self.state.sequence.saturating_add(1);
        let offset = self.free_slot_offset();
        let bytes = slot::encode(&self.state, self.key, offset);
        self.store
            .write_at(&bytes, offset)
            .map_err(|source| Error::host("write", offset, 0, source))?;
        self.slot_pending = true;
        Ok(())
    }

    pub(crate) fn store_sync(&mut self) -> Result<(), Error> {
        let end = self.end.offset;
        let stable = self.store.sync();
        let stable = stable.map_err(|source| Error::host("commit", end, 0, source));
        // What nobody finds is lost, however stable it is.
        match stable.and_then(|()| self.store.check_presence(end)) {
            Ok(()) => {
                if self.slot_pending {
                    self.durable_slot = 1 - self.durable_slot;
                    self.slot_pending = false;
                }
                self.dirty = false;
                self.proof_due = true;
                self.committed_object = self.end.object;
                Ok(())
            }
            Err(error) => {
                self.failed_from = Some(self.committed_object);
                Err(error)
            }
        }
    }

    /// Makes the end of the file the end of data, before something is appended there.
    pub(crate) fn prepare_tail(&mut self) -> Result<(), Error> {
        if self.drops() {
            return self.drop_behind();
        }
        if self.tail == Tail::EndRecord {
            self.truncate_to_end()?;
        }
        Ok(())
    }

    /// Whether something stands where something is to be written.
    fn drops(&self) -> bool {
        self.cursor.object != self.end.object || self.tail == Tail::Stale
    }

    /// Whether something marked as a copy that is not whole is written over from its beginning, by somebody who makes
    /// no copy. The mark counts objects of the first partition: of several ones another can miss something.
    pub(crate) fn ends_a_copy(&self) -> bool {
        let marked = self.state.incomplete;
        let is_copy = marked.is_some_and(|noted| noted.cause == IncompleteCause::NotCopied);
        let alone = self.header.partition_count == 1;
        is_copy && self.used_for_itself && alone && self.cursor.object == 0
    }

    /// Drops what follows the cursor, so that nothing of it can ever be taken for new.
    ///
    /// The slot says since where only the new segment counts. It is on stable storage before the file is cut, so that
    /// a crash between the two leaves no slot that promises more than the file has. Nothing new is written before both
    /// are on stable storage.
    pub(crate) fn drop_behind(&mut self) -> Result<(), Error> {
        self.unfinished = true;
        self.open_block = None;
        self.next = None;
        let wanted = self.cursor.object;
        // What was lost behind an object that is dropped now would be dropped with it. The mark goes with the slot that
        // drops what it is about: after a crash the old data have it.
        let ends_a_copy = self.ends_a_copy();
        self.state.incomplete = self.state.incomplete.filter(|noted| match noted.cause {
            IncompleteCause::NotCopied => !ends_a_copy,
            IncompleteCause::Lost => noted.from.0 <= wanted,
        });
        if wanted < self.end.object {
            let end = self.end_for(wanted)?;
            self.cut_index(end.object)?;
            self.end = end;
        }
        self.tail = Tail::Stale;
        self.cursor = self.end;
        self.committed_object = self.committed_object.min(self.end.object);
        self.state.segment = self.state.segment.saturating_add(1);
        self.state.segment_start = self.end.offset;
        self.state.committed_end = self.state.committed_end.min(self.end.offset);
        self.state.inner_root = self.index.inner_root;
        self.state.last_root = self.index.inner_root;
        self.write_slot()?;
        self.store_sync()?;
        // The cut is on stable storage before anything new is written: else a crash could keep the new and not the cut.
        self.truncate_to_end()?;
        self.store_sync()?;
        self.state.committed_end = self.end.offset;
        self.append_placeholders(wanted)
    }

    fn truncate_to_end(&mut self) -> Result<(), Error> {
        let length = self.end.offset;
        self.store
            .truncate(length)
            .map_err(|source| Error::host("truncate", length, 0, source))?;
        self.room.release();
        self.tail = Tail::Clean;
        Ok(())
    }

    /// Where the data can end so that `object` is the next one, or an earlier one where all between are lost.
    fn end_for(&mut self, object: u64) -> Result<Spot, Error> {
        let Some(previous) = object.checked_sub(1) else {
            return Ok(Spot::BEGINNING);
        };
        if let Some((frame, offset)) = self.frame_of(previous)? {
            return Ok(Spot::behind(&frame, offset));
        }
        // The frame before is damaged. Where the one here is whole, what is damaged can stay.
        if let Some((frame, offset)) = self.frame_of(object)? {
            return Ok(Spot::before(&frame, offset));
        }
        let mut whole = previous;
        while let Some(earlier) = whole.checked_sub(1) {
            if let Some((frame, offset)) = self.frame_of(earlier)? {
                return Ok(Spot::behind(&frame, offset));
            }
            whole = earlier;
        }
        Ok(Spot::BEGINNING)
    }
}

/// Write protection of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteProtect {
    /// Protected.
    On,
    /// Not protected.
    Off,
}
