//! An archive, read from the blocks of a tape file.

use blake3::Hasher;

use crate::description::Description;
use crate::digest::Digest;
use crate::error::{Error, Skipped};
use crate::member::{self, Head, RECORD};
use crate::outgoing::{blocks_of, digest_member, length_from};
use crate::source::{Next, Source};

/// The longest description: that of a volume with some hundred thousand tape files.
const DESCRIPTION_MAX: u64 = 64 << 20;
/// The longest pax records.
const PAX_MAX: u64 = 64 << 10;
/// The longest member with a digest.
const DIGEST_MAX: u64 = 4 << 10;
const LONG_BLOCK: &str = "a block is longer than those of archives";
const SETMARK: &str = "a setmark is in it";

fn foreign(why: &str) -> Skipped {
    let why = why.to_owned();
    Skipped::Foreign { why }
}

/// What a tape file is found to be.
pub(crate) enum Opened<S> {
    /// An archive of ours, read up to its payload.
    Archive(Box<(Description, Unpacking<S>)>),
    /// Something else; the tape is behind it.
    Skipped(Skipped),
    /// There is no tape file: the data end here.
    EndOfData,
}

/// An archive whose description was read.
pub(crate) struct Unpacking<S> {
    source: S,
    block: Vec<u8>,
    at: usize,
    /// How the tape file ended, where it did.
    ended: Option<Next>,
    /// Bytes taken of it.
    taken: u64,
    /// Blocks of the whole archive.
    pub(crate) blocks: u64,
    /// Bytes of the payload that were not read yet.
    left: u64,
    hasher: Hasher,
    /// The name of the member with the digest, and the digest that the description has, if there is a payload.
    expected: Option<(String, Option<Digest>)>,
    /// The digest that the reader knows, where it does.
    pub(crate) wanted: Option<Digest>,
    /// Everything was read, and is what was written.
    verified: bool,
}

impl<S: Source> Unpacking<S> {
    /// Looks at the tape file that begins here.
    pub(crate) fn open(source: S) -> Result<Opened<S>, Error> {
        let mut unpacking = Unpacking {
            source,
            block: Vec::new(),
            at: 0,
            ended: None,
            taken: 0,
            blocks: 0,
            left: 0,
            hasher: Hasher::new(),
            expected: None,
            wanted: None,
            verified: false,
        };
        if !unpacking.has_more()? {
            let why = match unpacking.ended {
                Some(Next::EndOfData) => return Ok(Opened::EndOfData),
                Some(Next::Filemark) | Some(Next::Block) | None => Skipped::Empty,
                Some(Next::LongBlock) => foreign(LONG_BLOCK),
                Some(Next::Setmark) => foreign(SETMARK),
            };
            return Ok(Opened::Skipped(unpacking.skipped(why)?));
        }
        match unpacking.head()? {
            Ok(description) => Ok(Opened::Archive(Box::new((description, unpacking)))),
            Err(why) => Ok(Opened::Skipped(unpacking.skipped(why)?)),
        }
    }

    fn skipped(&mut self, why: Skipped) -> Result<Skipped, Error> {
        self.pass()?;
        Ok(why)
    }

    /// Goes behind the filemark; whether there is one.
    pub(crate) fn pass(&mut self) -> Result<bool, Error> {
        match self.ended {
            Some(Next::Filemark) => Ok(true),
            Some(Next::EndOfData) => Ok(false),
            _ => {
                let marked = self.source.pass_file()?;
                self.ended = Some(match marked {
                    true => Next::Filemark,
                    false => Next::EndOfData,
                });
                Ok(marked)
            }
        }
    }

    /// Reads everything before the payload.
    fn head(&mut self) -> Result<Result<Description, Skipped>, Error> {
        let (name, length) = match self.member() {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Err(foreign("an archive of nothing"))),
            Err(Error::Damaged(why)) => return Ok(Err(foreign(why))),
            Err(Error::CutOff) => return Ok(Err(foreign("too short for an archive"))),
            Err(error) => return Err(error),
        };
        if !name.ends_with(b".json") || length > DESCRIPTION_MAX {
            return Ok(Err(foreign(
                "an archive that does not begin with a description",
            )));
        }
        let description = match self.contents(length) {
            Ok(bytes) => match Description::parse(&bytes) {
                Ok(description) => description,
                Err(why) => return Ok(Err(why)),
            },
            Err(Error::CutOff) => return Ok(Err(Skipped::CutOff)),
            Err(error) => return Err(error),
        };
        let malformed = |why: &str| Skipped::Malformed {
            why: why.to_owned(),
        };
        let next = match self.member() {
            Ok(next) => next,
            Err(Error::CutOff) => return Ok(Err(Skipped::CutOff)),
            Err(Error::Damaged(why)) => return Ok(Err(malformed(why))),
            Err(error) => return Err(error),
        };
        match (&description.payload, next) {
            (None, None) => self.blocks = blocks_of(self.taken),
            (Some(payload), Some((name, length)))
                if name == payload.name.as_bytes()
                    && length == payload.length
                    && member::is_name(&payload.name) =>
            {
                self.left = length;
                self.expected = Some((digest_member(&payload.name), payload.digest));
                self.blocks = blocks_of(length_from(self.taken, Some(payload)));
            }
            _ => return Ok(Err(malformed("another member follows than it says"))),
        }
        Ok(Ok(description))
    }

    /// Reads some of the payload. Nothing is behind its end, once all of it was found to be what was written.
    pub(crate) fn some(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        if self.left > 0 && !out.is_empty() {
            self.require_more()?;
            let ready = self.block.get(self.at..).unwrap_or_default();
            let most = usize::try_from(self.left).unwrap_or(usize::MAX);
            let bytes = ready.len().min(out.len()).min(most);
            if let (Some(out), Some(ready)) = (out.get_mut(..bytes), ready.get(..bytes)) {
                out.copy_from_slice(ready);
                self.hasher.update(ready);
            }
            self.take(bytes);
            self.left -= bytes as u64;
            return Ok(bytes);
        }
        if self.left == 0 && !self.verified {
            self.verify()?;
        }
        Ok(0)
    }

    /// Reads what stands behind the payload, and goes behind the filemark.
    fn verify(&mut self) -> Result<(), Error> {
        if let Some((name, said)) = self.expected.take() {
            let length = self.hasher.count();
            self.drop_bytes(member::padding(length) as u64)?;
            let (found, length) = self
                .member()?
                .ok_or(Error::Damaged("the digest of its payload is not there"))?;
            if found != name.as_bytes() || length > DIGEST_MAX {
                return Err(Error::Damaged("something else follows its payload"));
            }
            let line = self.contents(length)?;
            let digits = line
                .get(..64)
                .and_then(|digits| str::from_utf8(digits).ok());
            let expected = digits.and_then(|digits| digits.parse::<Digest>().ok());
            let expected =
                expected.ok_or(Error::Damaged("the digest of its payload is no digest"))?;
            let found = Digest::from(self.hasher.finalize());
            for expected in [Some(expected), said, self.wanted].into_iter().flatten() {
                if expected != found {
                    return Err(Error::Digest { expected, found });
                }
            }
            if self.member()?.is_some() {
                return Err(Error::Damaged("more members follow than it should have"));
            }
        }
        match self.pass()? {
            true => self.verified = true,
            // Its writer was killed before the filemark, and writes over it.
            false => return Err(Error::CutOff),
        }
        Ok(())
    }

    /// The next member with contents, by name and length; nothing at the end of the archive.
    fn member(&mut self) -> Result<Option<(Vec<u8>, u64)>, Error> {
        let mut pax = member::PaxRecords::default();
        loop {
            let mut record = [0; RECORD];
            self.exact(&mut record)?;
            match member::parse(&record).map_err(Error::Damaged)? {
                Head::End => return Ok(None),
                Head::File { name, length } => {
                    let name = pax.name.unwrap_or(name);
                    return Ok(Some((name, pax.length.unwrap_or(length))));
                }
                Head::Pax(length) | Head::Global(length) if length > PAX_MAX => {
                    return Err(Error::Damaged("its pax records are too long"));
                }
                Head::Pax(length) => {
                    let records = self.contents(length)?;
                    pax = member::parse_pax(&records).map_err(Error::Damaged)?;
                }
                Head::Global(length) => {
                    self.contents(length)?;
                }
                Head::Other => return Err(Error::Damaged("a member is no file")),
            }
        }
    }

    /// The contents of a member, with its padding passed.
    fn contents(&mut self, length: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        // What is said of the length is believed as far as there are bytes.
        let mut left = length;
        while left > 0 {
            self.require_more()?;
            let ready = self.block.get(self.at..).unwrap_or_default();
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(ready.len());
            bytes.extend_from_slice(ready.get(..most).unwrap_or_default());
            self.take(most);
            left -= most as u64;
        }
        self.drop_bytes(member::padding(length) as u64)?;
        Ok(bytes)
    }

    fn exact(&mut self, out: &mut [u8]) -> Result<(), Error> {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            self.require_more()?;
            let ready = self.block.get(self.at..).unwrap_or_default();
            let bytes = ready.len().min(rest.len());
            if let (Some(rest), Some(ready)) = (rest.get_mut(..bytes), ready.get(..bytes)) {
                rest.copy_from_slice(ready);
            }
            self.take(bytes);
            filled += bytes;
        }
        Ok(())
    }

    fn drop_bytes(&mut self, mut count: u64) -> Result<(), Error> {
        while count > 0 {
            self.require_more()?;
            let ready = self.block.len().saturating_sub(self.at);
            let bytes = usize::try_from(count).unwrap_or(usize::MAX).min(ready);
            self.take(bytes);
            count -= bytes as u64;
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
        self.taken = self.taken.saturating_add(bytes as u64);
    }

    fn require_more(&mut self) -> Result<(), Error> {
        match self.has_more()? {
            true => Ok(()),
            false => Err(match self.ended {
                Some(Next::LongBlock) => Error::Damaged(LONG_BLOCK),
                Some(Next::Setmark) => Error::Damaged(SETMARK),
                _ => Error::CutOff,
            }),
        }
    }

    /// Sees to it that a byte can be taken, and says whether there is one.
    fn has_more(&mut self) -> Result<bool, Error> {
        while self.at >= self.block.len() {
            if self.ended.is_some() {
                return Ok(false);
            }
            self.at = 0;
            match self.source.next_block(&mut self.block)? {
                Next::Block => {}
                end => {
                    self.block.clear();
                    self.ended = Some(end);
                }
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
#[path = "unpacking_test.rs"]
mod tests;
