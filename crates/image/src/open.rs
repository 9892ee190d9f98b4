//! Opening: from unproven bytes to an image.

use crate::error::Error;
use crate::frame::{Frame, Key, Kind, Level};
use crate::header;
use crate::image::{Image, Tail, key_of};
use crate::index::Index;
use crate::layout::{FRAME_BYTES, RECORDS_OFFSET, ROOT_INTERVAL_OBJECTS};
use crate::lookup::{Step, feed, read_payload};
use crate::report::{Missing, OpenReport, TornTail};
use crate::slot::{self, State};
use crate::store::Store;
use crate::walk::{Met, SegmentRule, Spot, Walk};
use pseudotape_tape::Access;

/// Where the reading of frames begins: a root that is proven, or the first record.
struct Start {
    index: Index,
    /// Behind the root, or before it where it is the end of data.
    end: Spot,
    /// Where to look for more.
    next: Spot,
    segment: u32,
    /// No root was found.
    from_beginning: bool,
}

/// What reading the frames found.
struct Found {
    index: Index,
    end: Spot,
    segment: u32,
    /// Behind the last whole record, derived ones too.
    whole_end: u64,
}

impl<S: Store> Image<S> {
    /// Opens an image, and says what was found wrong with it.
    ///
    /// Nothing is written. An interrupted write is cut back: on the file itself by the first write or by
    /// [`Image::finish`]. The image is at the beginning.
    pub fn open(store: S, access: Access) -> Result<(Self, OpenReport), Error> {
        let found = header::read(&store)?;
        if access == Access::ReadWrite && found.unknown_read_only != 0 {
            return Err(Error::ReadOnlyFeatures {
                bits: found.unknown_read_only,
            });
        }
        let key = key_of(&found.header);
        let slots = slot::read(&store, key);
        let mut report = OpenReport {
            header_copy_used: found.copy_used,
            header_copy_damaged: found.copy_damaged,
            damaged_slots: u8::from(slots.newest.is_none()) + u8::from(slots.older.is_none()),
            ..OpenReport::default()
        };
        let hints = hints(
            slots.newest.as_ref().map(|(_, state)| state),
            slots.older.as_ref(),
        );
        let (durable_slot, mut state) = slots.newest.unwrap_or((0, unknown_state()));
        let length = store
            .length()
            .map_err(|source| Error::host("read", 0, 0, source))?;
        let mut recovery = Recovery {
            store: &store,
            key,
            length,
            committed_end: state.committed_end.min(length),
            proof_sought: false,
            rule: SegmentRule {
                segment: state.segment,
                start: state.segment_start,
            },
            report: &mut report,
            payload: Vec::new(),
        };
        let start = recovery.start(&hints)?;
        let from_beginning = start.from_beginning;
        let found_data = recovery.read_on(start)?;
        let committed_end = recovery.committed_end;
        let hinted = hints.iter().any(|hint| *hint != 0);
        report.index_rebuilt =
            from_beginning && (hinted || found_data.end.object >= ROOT_INTERVAL_OBJECTS);
        if found_data.segment > state.segment {
            // The slot that knew where it began is lost; what comes from here on is not older.
            state.segment = found_data.segment;
            state.segment_start = found_data.end.offset;
        }
        let promised_end = committed_end.max(state.committed_end);
        report.missing = missing(promised_end, &found_data.end);
        if report.missing.is_some() {
            // What lies there is what is left of committed data. The slot goes on promising them, so that each
            // opening finds it, until somebody accepts the loss.
            report.torn_tail = None;
            state.committed_end = promised_end;
        } else {
            state.committed_end = committed_end.min(found_data.end.offset);
        }
        let mut image = Image::assemble(store, access, found.header, key, state);
        image.durable_slot = durable_slot;
        image.tail = if length <= found_data.end.offset {
            Tail::Clean
        } else if found_data.whole_end == length {
            Tail::EndRecord
        } else {
            Tail::Stale
        };
        // What was read twice because no root was near need not be read a third time.
        let is_finished = image.tail == Tail::EndRecord && !report.index_rebuilt;
        image.unfinished = !is_finished && found_data.end.object > 0
            || image.tail == Tail::Stale
            // Both slots are written where the other one is unreadable.
            || report.damaged_slots == 1;
        image.missing = report.missing;
        // The slot that is left may be the older one: what was committed after it may have been cut off.
        report.end_unknown =
            report.damaged_slots > 0 && report.missing.is_none() && image.tail != Tail::EndRecord;
        image.end_unknown = report.end_unknown;
        image.committed_object = found_data.end.object;
        image.proof_due = false;
        image.index = found_data.index;
        image.end = found_data.end;
        image.store.opened();
        Ok((image, report))
    }
}

/// What was committed and is not there any more.
fn missing(promised_end: u64, end: &Spot) -> Option<Missing> {
    let bytes = promised_end.saturating_sub(end.offset);
    (bytes > 0).then_some(Missing {
        from_object: end.object,
        bytes,
    })
}

/// Both slots are unreadable: write protected until somebody says otherwise.
fn unknown_state() -> State {
    State {
        write_protected: true,
        ..State::default()
    }
}

/// Where a root may be, as the slots say; later ones first.
fn hints(newest: Option<&State>, older: Option<&State>) -> [u64; 4] {
    let of =
        |state: Option<&State>| state.map_or([0, 0], |state| [state.last_root, state.inner_root]);
    let ([a, b], [c, d]) = (of(newest), of(older));
    let mut hints = [a, b, c, d];
    hints.sort_unstable_by(|a, b| b.cmp(a));
    hints
}

/// Reads frames up to where the data end.
struct Recovery<'a, S> {
    store: &'a S,
    key: Key,
    length: u64,
    /// Everything before was on stable storage once: what is wrong there is damage, not interruption.
    committed_end: u64,
    proof_sought: bool,
    rule: SegmentRule,
    report: &'a mut OpenReport,
    payload: Vec<u8>,
}

impl<S: Store> Recovery<'_, S> {
    /// Finds the last root that can be proven.
    fn start(&mut self, hints: &[u64]) -> Result<Start, Error> {
        let own_hint = self.hint_at_the_end()?;
        for hint in own_hint.iter().chain(hints) {
            // A root that the host can't read is as good as damaged.
            if let Ok(Some(start)) = self.start_at(*hint) {
                return Ok(start);
            }
        }
        Ok(Start {
            index: Index::new(),
            end: Spot::BEGINNING,
            next: Spot::BEGINNING,
            segment: 0,
            from_beginning: true,
        })
    }

    /// A finished image ends in the offset of its last root.
    fn hint_at_the_end(&self) -> Result<Option<u64>, Error> {
        let Some(offset) = self.length.checked_sub(8) else {
            return Ok(None);
        };
        let mut bytes = [0; 8];
        let count = self
            .store
            .read_at(&mut bytes, offset)
            .map_err(|source| Error::host("read", offset, 8, source))?;
        Ok((count == 8).then(|| u64::from_le_bytes(bytes)))
    }

    fn frame_at(&self, offset: u64) -> Result<Option<Frame>, Error> {
        if offset < RECORDS_OFFSET || offset >= self.length {
            return Ok(None);
        }
        let mut bytes = [0; 48];
        let count = self
            .store
            .read_at(&mut bytes, offset)
            .map_err(|source| Error::host("read", offset, FRAME_BYTES, source))?;
        Ok(bytes
            .get(..count)
            .and_then(|bytes| self.key.decode(bytes, offset)))
    }

    fn start_at(&mut self, offset: u64) -> Result<Option<Start>, Error> {
        let Some(frame) = self.frame_at(offset)? else {
            return Ok(None);
        };
        let is_root = matches!(frame.kind, Kind::Index(Level::Root) | Kind::EndOfData);
        let is_committed = offset < self.committed_end || frame.synced_before();
        let is_current = offset < self.rule.start || frame.segment >= self.rule.segment;
        let fits = offset.saturating_add(frame.record_bytes()) <= self.length;
        let is_proven = is_root && is_committed && is_current && fits;
        if !is_proven || !read_payload(self.store, &frame, offset, &mut self.payload)? {
            return Ok(None);
        }
        let Some(mut index) = Index::decode_root(&self.payload, offset, frame.object, frame.file)
        else {
            return Ok(None);
        };
        let behind = Spot::behind(&frame, offset);
        let end = if frame.kind == Kind::EndOfData {
            index.inner_root_object = self
                .frame_at(index.inner_root)?
                .map_or(0, |inner| inner.object);
            Spot::before(&frame, offset)
        } else {
            index.inner_root = offset;
            index.inner_root_object = frame.object;
            behind
        };
        Ok(Some(Start {
            index,
            end,
            next: behind,
            segment: frame.segment,
            from_beginning: false,
        }))
    }

    /// Reads the frames behind the start, up to the end of the file or an interrupted write.
    fn read_on(&mut self, start: Start) -> Result<Found, Error> {
        let mut walk = Walk {
            spot: start.next,
            segment: start.segment,
            rule: self.rule,
            limit: self.length,
            key: self.key,
        };
        let mut found = Found {
            index: start.index,
            end: start.end,
            segment: start.segment,
            whole_end: start.next.offset,
        };
        loop {
            let offset = walk.spot.offset;
            let met = walk
                .look(self.store)
                .map_err(|source| Error::host("read", offset, FRAME_BYTES, source))?;
            match met {
                Met::End => break,
                Met::Record(frame) if self.is_whole(&walk, &frame)? => {
                    self.report.scanned_records += 1;
                    feed(&mut found.index, &Step::Record(frame, offset));
                    walk.pass(&frame);
                    found.segment = found.segment.max(frame.segment);
                    // The record of the end of data is overwritten by what is appended.
                    if frame.kind != Kind::EndOfData {
                        found.end = walk.spot;
                    }
                    found.whole_end = walk.spot.offset;
                }
                Met::Record(_) | Met::Broken => {
                    if !self.pass_damage(&mut walk, &mut found)? {
                        break;
                    }
                }
            }
        }
        if found.whole_end < self.length {
            self.report.torn_tail = Some(TornTail {
                offset: found.whole_end,
                bytes: self.length - found.whole_end,
                object: found.end.object,
            });
        }
        Ok(found)
    }

    /// Whether a record is all there. What was committed is checked when it is read.
    fn is_whole(&mut self, walk: &Walk, frame: &Frame) -> Result<bool, Error> {
        let offset = walk.spot.offset;
        if offset.saturating_add(frame.record_bytes()) > self.length {
            return Ok(false);
        }
        if offset < self.committed_end {
            return Ok(true);
        }
        match read_payload(self.store, frame, offset, &mut self.payload) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            // Derived data are no reason to refuse the image.
            Err(_) if frame.kind == Kind::EndOfData => {}
            Err(error) => return Err(error),
        }
        // A damaged payload that was committed costs only itself.
        self.seek_proof(walk)?;
        Ok(offset < self.committed_end)
    }

    /// Goes behind damage in what was committed; `false` where this is an interrupted write.
    fn pass_damage(&mut self, walk: &mut Walk, found: &mut Found) -> Result<bool, Error> {
        let from = walk.spot;
        self.seek_proof(walk)?;
        if from.offset >= self.committed_end {
            return Ok(false);
        }
        let gap = walk
            .resynchronise(self.store)
            .map_err(|source| Error::host("read", from.offset, FRAME_BYTES, source))?;
        let Some(gap) = gap else {
            return Ok(false);
        };
        feed(
            &mut found.index,
            &Step::Gap(gap, walk.spot.file - from.file),
        );
        // The lost objects count, also where nothing but the end of data comes behind them.
        found.end = walk.spot;
        found.whole_end = walk.spot.offset;
        self.report.gaps.push(gap);
        Ok(true)
    }

    /// Looks once for frames behind that say that what is before them was committed.
    fn seek_proof(&mut self, walk: &Walk) -> Result<(), Error> {
        if !self.proof_sought && walk.spot.offset >= self.committed_end {
            self.proof_sought = true;
            let proof = walk
                .last_proof(self.store)
                .map_err(|source| Error::host("read", walk.spot.offset, FRAME_BYTES, source))?;
            self.committed_end = self.committed_end.max(proof.unwrap_or(0)).min(self.length);
        }
        Ok(())
    }
}
