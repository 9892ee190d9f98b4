//! The bytes of a backup: the catalog, compressed with zstd.

use std::io::{self, Read, Write};

use super::description::{BackupDescription, Measured};
use crate::volume::Digest;

const LEVEL: i32 = 3;
/// A frame of this level needs 2 MiB to be unpacked; what asks for more than this was not made here.
const WINDOW_LOG_MAX: u32 = 25;
const PIECE: usize = 256 << 10;

/// Why the bytes of a backup are not those that its description names.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// They end early, or go on.
    #[error("it has {found} bytes, and {expected} were written: it is torn")]
    Length {
        /// As they were written.
        expected: u64,
        /// As they are.
        found: u64,
    },
    /// They are others.
    #[error("its digest is {found}, and {expected} was written: it is damaged")]
    Digest {
        /// As they were written.
        expected: Digest,
        /// As they are.
        found: Digest,
    },
    /// They can't be read.
    #[error("it can't be read: {0}")]
    Read(io::Error),
    /// They can't be unpacked.
    #[error("it can't be unpacked: {0}")]
    Packing(io::Error),
    /// What is in them can't be stored.
    #[error("{0}")]
    Write(io::Error),
}

/// Counts what goes through.
struct Counting<T> {
    inner: T,
    bytes: u64,
    hasher: blake3::Hasher,
    failed: Option<io::Error>,
}

impl<T> Counting<T> {
    fn new(inner: T) -> Self {
        Counting {
            inner,
            bytes: 0,
            hasher: blake3::Hasher::new(),
            failed: None,
        }
    }

    fn saw(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
    }

    fn measured(&self) -> Measured {
        Measured {
            bytes: self.bytes,
            digest: Digest(*self.hasher.finalize().as_bytes()),
        }
    }
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(count) => {
                self.saw(buffer.get(..count).unwrap_or_default());
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                // The one above would make another error of it.
                let told = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(error);
                Err(told)
            }
        }
    }
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.saw(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Compresses a catalog. What was read and what was written is counted.
pub(super) fn pack(from: impl Read, to: impl Write) -> io::Result<(Measured, Measured)> {
    let mut from = Counting::new(from);
    let mut encoder = zstd::Encoder::new(Counting::new(to), LEVEL)?;
    encoder.include_checksum(true)?;
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => encoder.write_all(piece.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut to = encoder.finish()?;
    to.flush()?;
    Ok((to.measured(), from.measured()))
}

/// Unpacks the payload of a backup, and proves that it is the one that was described. `told` hears how many bytes
/// of the catalog are there.
///
/// Nothing of what was written may be used where this fails. Never writes more than the description says.
pub fn unpack(
    description: &BackupDescription,
    payload: impl Read,
    to: impl Write,
    told: &mut dyn FnMut(u64),
) -> Result<(), PayloadError> {
    let mut payload = Counting::new(payload);
    let mut catalog = Counting::new(to);
    let unpacked = unpack_into(description, &mut payload, &mut catalog, told);
    if let Some(error) = payload.failed.take() {
        return Err(PayloadError::Read(error));
    }
    if let Err(error @ PayloadError::Write(_)) = unpacked {
        return Err(error);
    }
    // What is wrong with the bytes themselves explains whatever came of it.
    let rest = io::copy(&mut payload, &mut io::sink());
    if let Some(error) = payload.failed.take() {
        return Err(PayloadError::Read(error));
    }
    rest.map_err(PayloadError::Read)?;
    expect_same(payload.measured(), description.length, description.digest)?;
    unpacked?;
    expect_same(
        catalog.measured(),
        description.catalog_length,
        description.catalog_digest,
    )
}

fn unpack_into(
    description: &BackupDescription,
    payload: &mut Counting<impl Read>,
    catalog: &mut Counting<impl Write>,
    told: &mut dyn FnMut(u64),
) -> Result<(), PayloadError> {
    let mut decoder = zstd::Decoder::new(payload).map_err(PayloadError::Packing)?;
    decoder
        .window_log_max(WINDOW_LOG_MAX)
        .map_err(PayloadError::Packing)?;
    let mut piece = vec![0; PIECE];
    loop {
        let count = match decoder.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(PayloadError::Packing(error)),
        };
        let found = catalog.bytes + count as u64;
        if found > description.catalog_length {
            return Err(PayloadError::Length {
                expected: description.catalog_length,
                found,
            });
        }
        catalog
            .write_all(piece.get(..count).unwrap_or_default())
            .map_err(PayloadError::Write)?;
        told(catalog.bytes);
    }
    catalog.flush().map_err(PayloadError::Write)
}

fn expect_same(found: Measured, length: u64, digest: Digest) -> Result<(), PayloadError> {
    if found.bytes != length {
        return Err(PayloadError::Length {
            expected: length,
            found: found.bytes,
        });
    }
    if found.digest != digest {
        return Err(PayloadError::Digest {
            expected: digest,
            found: found.digest,
        });
    }
    Ok(())
}
