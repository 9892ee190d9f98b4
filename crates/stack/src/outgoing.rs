//! The bytes of an archive, in order.

use std::io::{ErrorKind, Read};

use blake3::Hasher;

use crate::BLOCK_BYTES;
use crate::description::{Description, Payload, Subject};
use crate::digest::Digest;
use crate::error::Error;
use crate::member;

/// Blocks that are made at once.
const BATCH_BYTES: usize = 4 * BLOCK_BYTES;

/// The name of the member with the digest of a payload.
pub(crate) fn digest_member(payload: &str) -> String {
    format!("{payload}.b3")
}

/// What `b3sum --check` takes.
fn digest_line(digest: Digest, payload: &str) -> String {
    format!("{digest}  {payload}\n")
}

/// What stands behind a payload: its padding, the member with its digest, the end of the archive.
fn tail(payload: &Payload, digest: Digest, mtime_s: u64) -> Vec<u8> {
    let mut bytes = vec![0; member::padding(payload.length)];
    let line = digest_line(digest, &payload.name);
    append(
        &mut bytes,
        &digest_member(&payload.name),
        line.as_bytes(),
        mtime_s,
    );
    bytes.extend_from_slice(&member::END);
    bytes
}

/// Adds a whole member.
fn append(bytes: &mut Vec<u8>, name: &str, contents: &[u8], mtime_s: u64) {
    let length = contents.len() as u64;
    bytes.extend_from_slice(&member::header(name, length, mtime_s));
    bytes.extend_from_slice(contents);
    bytes.resize(bytes.len() + member::padding(length), 0);
}

/// Length of an archive whose payload begins at a place, without what fills its last block.
pub(crate) fn length_from(payload_at: u64, payload: Option<&Payload>) -> u64 {
    let behind = match payload {
        // Every digest has the same length.
        Some(payload) => {
            let tail = tail(payload, Digest([0; 32]), 0).len() as u64;
            payload.length.saturating_add(tail)
        }
        None => member::END.len() as u64,
    };
    payload_at.saturating_add(behind)
}

/// How many blocks so many bytes fill.
pub(crate) fn blocks_of(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES as u64)
}

/// What an archive with this description takes on a tape, without its filemark.
#[must_use]
pub fn archive_bytes(description: &Description) -> u64 {
    let head = head(description).len() as u64;
    let bytes = length_from(head, description.payload.as_ref());
    blocks_of(bytes).saturating_mul(BLOCK_BYTES as u64)
}

/// What stands before the payload.
fn head(description: &Description) -> Vec<u8> {
    let mtime_s = description.written_ms / 1000;
    let mut bytes = Vec::new();
    append(
        &mut bytes,
        description.subject.member(),
        &description.encode(),
        mtime_s,
    );
    if let Some(payload) = &description.payload {
        let closed_s = match &description.subject {
            Subject::Volume { volume } => volume.closed_ms / 1000,
            Subject::StackedVolume | Subject::Catalog { .. } => mtime_s,
        };
        bytes.extend_from_slice(&member::header(&payload.name, payload.length, closed_s));
    }
    bytes
}

/// Blocks in a row.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    used: usize,
    /// What comes behind them, where nothing more does: the digest of the payload, if there is one.
    pub(crate) end: Option<Result<Option<Digest>, Error>>,
}

impl Batch {
    /// The bytes of all blocks.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        let bytes = self.bytes.get(..self.used).unwrap_or_default();
        bytes.chunks(BLOCK_BYTES)
    }
}

/// An archive on its way to a tape.
pub(crate) struct Outgoing<'a> {
    description: &'a Description,
    payload: &'a mut (dyn Read + Send),
    /// Bytes that are made, and how many of them were taken.
    made: Vec<u8>,
    taken: usize,
    /// Bytes of the payload that were not read yet.
    left: u64,
    hasher: Hasher,
    digest: Option<Digest>,
    /// Nothing is made behind what is made.
    complete: bool,
}

impl<'a> Outgoing<'a> {
    /// Nothing of it is taken yet.
    pub(crate) fn new(
        description: &'a Description,
        payload: &'a mut (dyn Read + Send),
    ) -> Result<Self, Error> {
        let about = description.payload.as_ref();
        if let Some(about) = about
            && !member::is_name(&about.name)
        {
            return Err(Error::Name(about.name.escape_debug().to_string()));
        }
        let mut made = head(description);
        if about.is_none() {
            made.extend_from_slice(&member::END);
        }
        Ok(Outgoing {
            description,
            payload,
            made,
            taken: 0,
            left: about.map_or(0, |about| about.length),
            hasher: Hasher::new(),
            digest: None,
            complete: about.is_none(),
        })
    }

    /// Makes the next blocks; says whether the batch is the last one.
    pub(crate) fn fill(&mut self, batch: &mut Batch) -> bool {
        batch.bytes.resize(BATCH_BYTES, 0);
        batch.used = 0;
        batch.end = None;
        while batch.used < BATCH_BYTES && batch.end.is_none() {
            let room = batch.bytes.get_mut(batch.used..).unwrap_or_default();
            match self.some(room) {
                Ok(0) => batch.end = Some(Ok(self.digest)),
                Ok(bytes) => batch.used += bytes,
                Err(error) => batch.end = Some(Err(error)),
            }
        }
        let whole = batch.used.next_multiple_of(BLOCK_BYTES);
        if let Some(rest) = batch.bytes.get_mut(batch.used..whole) {
            rest.fill(0);
        }
        batch.used = whole;
        batch.end.is_some()
    }

    /// Some of what comes next; none at the end.
    fn some(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let ready = self.made.get(self.taken..).unwrap_or_default();
        if !ready.is_empty() {
            let bytes = ready.len().min(out.len());
            if let (Some(out), Some(ready)) = (out.get_mut(..bytes), ready.get(..bytes)) {
                out.copy_from_slice(ready);
            }
            self.taken += bytes;
            return Ok(bytes);
        }
        if self.complete {
            return Ok(0);
        }
        if self.left > 0 {
            return self.some_payload(out);
        }
        self.end_payload()?;
        self.some(out)
    }

    fn some_payload(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(out.len());
        let out = out.get_mut(..most).unwrap_or_default();
        let bytes = read(self.payload, out)?;
        if bytes == 0 {
            let said = self.left + self.hasher.count();
            let found = self.hasher.count();
            return Err(Error::PayloadLength { said, found });
        }
        self.hasher.update(out.get(..bytes).unwrap_or_default());
        self.left -= bytes as u64;
        Ok(bytes)
    }

    /// Checks that the payload is what was said, and makes what stands behind it.
    fn end_payload(&mut self) -> Result<(), Error> {
        if read(self.payload, &mut [0])? > 0 {
            let said = self.hasher.count();
            return Err(Error::PayloadLength {
                said,
                found: said.saturating_add(1),
            });
        }
        let found = Digest::from(self.hasher.finalize());
        if let Some(payload) = &self.description.payload {
            match payload.digest {
                Some(said) if said != found => return Err(Error::PayloadDigest { said, found }),
                Some(_) | None => {}
            }
            self.made = tail(payload, found, self.description.written_ms / 1000);
            self.taken = 0;
        }
        self.digest = Some(found);
        self.complete = true;
        Ok(())
    }
}

/// Reads some bytes; none at the end.
fn read(payload: &mut dyn Read, out: &mut [u8]) -> Result<usize, Error> {
    loop {
        match payload.read(out) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other.map_err(Error::PayloadRead),
        }
    }
}

#[cfg(test)]
#[path = "outgoing_test.rs"]
mod tests;
