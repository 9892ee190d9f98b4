use pseudotape_chardev::{Caller, Handle, WordSize};
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::abi::{self, opcode};

/// One request of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Names the request; the reply carries it.
    pub unique: RequestId,
    /// The file or directory; a CUSE device has but one, and no number.
    pub node: NodeId,
    /// The task whose system call it is.
    pub caller: Caller,
    /// What is wanted.
    pub kind: RequestKind<'a>,
}

/// Number of a file or directory of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(pub u64);

/// Names a request that waits for its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

/// What the kernel wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind<'a> {
    /// The first request: the kernel says its protocol.
    Init {
        /// Major version of the protocol.
        major: u32,
        /// Minor version of the protocol.
        minor: u32,
        /// What the kernel can do.
        flags: u32,
    },
    /// `open(2)`.
    Open {
        /// The file's flags.
        flags: u32,
    },
    /// A piece of `read(2)`.
    Read(Transfer),
    /// A piece of `write(2)`.
    Write(Transfer, &'a [u8]),
    /// `ioctl(2)`.
    Ioctl(Ioctl<'a>),
    /// `poll(2)`.
    Poll(Poll),
    /// `close(2)` of one of several descriptors.
    Flush(Handle),
    /// `fsync(2)`.
    Fsync(Handle),
    /// The last `close(2)`.
    Release(Handle),
    /// The caller of an earlier request has a signal. Needs no reply.
    Interrupt(RequestId),
    /// The kernel forgets an inode. Needs no reply.
    Forget,
    /// What only a mount is asked.
    Files(FileRequest<'a>),
    /// The device ends.
    Destroy,
    /// Something that this crate does not know.
    Unsupported(u32),
}

/// What the kernel asks a mount about its names and attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRequest<'a> {
    /// A name is looked for in a directory.
    Lookup(&'a [u8]),
    /// `stat(2)`.
    GetAttr,
    /// `chmod(2)`, `chown(2)`, `truncate(2)`, `utimensat(2)`.
    SetAttr(SetAttr),
    /// `opendir(3)`.
    OpenDir,
    /// A part of the names of a directory.
    ReadDir(Transfer),
    /// `closedir(3)`.
    ReleaseDir,
    /// `statfs(2)`.
    StatFs,
    /// A name is to be made, moved, or removed.
    ChangeNames,
}

/// A piece of a `read` or `write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The open file.
    pub handle: Handle,
    /// Where in the system call the piece begins.
    pub offset: u64,
    /// Its length.
    pub length_bytes: usize,
    /// Whether the file is set not to block (`O_NONBLOCK`).
    pub nonblock: bool,
    /// The file's flags.
    pub flags: u32,
}

/// A change of attributes, as far as it means something for a device's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetAttr {
    /// The new mode, where it is to change.
    pub mode: Option<u32>,
    /// Whether the owner or the group is to change.
    pub owner: bool,
}

/// A `poll(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The open file.
    pub handle: Handle,
    /// Whom to wake when the file becomes ready; `None`: nobody wants to be.
    pub wake: Option<PollId>,
}

/// Names a file that is polled, to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PollId(pub u64);

/// An `ioctl(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ioctl<'a> {
    /// The open file.
    pub handle: Handle,
    /// The request number.
    pub command: u32,
    /// The argument.
    pub argument: u64,
    /// What was fetched from the caller's memory.
    pub input: &'a [u8],
    /// How much can be stored into the caller's memory.
    pub output_max_bytes: usize,
    /// Whether other areas of the caller's memory can be asked for.
    pub areas: Areas,
    /// How wide the caller's words are.
    pub word_size: WordSize,
}

/// Which memory of the caller an `ioctl` can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Areas {
    /// What the request number says.
    OfCommand,
    /// Any.
    OnDemand,
}

/// Why bytes are no request.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// Shorter than a header.
    #[error("request of {length} bytes is shorter than its header of {needed}")]
    NoHeader {
        /// Bytes there.
        length: usize,
        /// Length of a header.
        needed: usize,
    },
    /// The header names another length.
    #[error("request {unique:?} (opcode {opcode}) of {length} bytes says that it has {said}")]
    WrongLength {
        /// The request.
        unique: RequestId,
        /// Its opcode.
        opcode: u32,
        /// Bytes there.
        length: usize,
        /// Length in the header.
        said: u32,
    },
    /// Ends before its arguments do.
    #[error("request {unique:?} (opcode {opcode}): {length} bytes of arguments, needs {needed}")]
    Truncated {
        /// The request.
        unique: RequestId,
        /// Its opcode.
        opcode: u32,
        /// Bytes behind the header.
        length: usize,
        /// Bytes needed.
        needed: usize,
    },
}

impl DecodeError {
    /// The request to answer with an error, so that its caller does not wait for ever.
    #[must_use]
    pub fn to_answer(&self) -> Option<RequestId> {
        match *self {
            DecodeError::NoHeader { .. } => None,
            DecodeError::WrongLength { unique, opcode, .. }
            | DecodeError::Truncated { unique, opcode, .. } => {
                needs_reply(opcode).then_some(unique)
            }
        }
    }
}

fn needs_reply(opcode: u32) -> bool {
    !matches!(
        opcode,
        opcode::FORGET | opcode::BATCH_FORGET | opcode::INTERRUPT
    )
}

impl<'a> Request<'a> {
    /// Takes the bytes of one request apart.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let Ok((header, body)) = abi::InHeader::read_from_prefix(bytes) else {
            return Err(DecodeError::NoHeader {
                length: bytes.len(),
                needed: size_of::<abi::InHeader>(),
            });
        };
        let unique = RequestId(header.unique);
        if usize::try_from(header.len) != Ok(bytes.len()) {
            return Err(DecodeError::WrongLength {
                unique,
                opcode: header.opcode,
                length: bytes.len(),
                said: header.len,
            });
        }
        Body {
            header: &header,
            fixed: None,
            bytes: body,
        }
        .request()
    }

    /// Takes a request apart that came over `io_uring`: its header, its arguments of fixed length, and the rest.
    pub fn of_parts(
        header: &abi::InHeader,
        fixed: &'a [u8],
        rest: &'a [u8],
    ) -> Result<Self, DecodeError> {
        Body {
            header,
            fixed: Some(fixed),
            bytes: rest,
        }
        .request()
    }
}

/// What follows a header.
struct Body<'a, 'h> {
    header: &'h abi::InHeader,
    /// The arguments of fixed length, where they lie apart from the rest.
    fixed: Option<&'a [u8]>,
    bytes: &'a [u8],
}

impl<'a> Body<'a, '_> {
    fn request(&self) -> Result<Request<'a>, DecodeError> {
        let header = self.header;
        Ok(Request {
            unique: RequestId(header.unique),
            node: NodeId(header.nodeid),
            caller: Caller {
                tid: header.pid,
                uid: header.uid,
                gid: header.gid,
            },
            kind: self.decode()?,
        })
    }

    fn decode(&self) -> Result<RequestKind<'a>, DecodeError> {
        Ok(match self.header.opcode {
            opcode::CUSE_INIT => {
                let (init, _) = self.arguments::<abi::InitIn>()?;
                RequestKind::Init {
                    major: init.major,
                    minor: init.minor,
                    flags: init.flags,
                }
            }
            opcode::OPEN => RequestKind::Open {
                flags: self.arguments::<abi::OpenIn>()?.0.flags,
            },
            opcode::READ => RequestKind::Read(self.arguments::<abi::TransferIn>()?.0.into()),
            opcode::WRITE => {
                let (write, data) = self.arguments::<abi::TransferIn>()?;
                RequestKind::Write(write.into(), self.exactly(data, write.size)?)
            }
            opcode::IOCTL => {
                let (ioctl, input) = self.arguments::<abi::IoctlIn>()?;
                RequestKind::Ioctl(Ioctl::new(&ioctl, self.exactly(input, ioctl.in_size)?))
            }
            opcode::POLL => RequestKind::Poll(self.arguments::<abi::PollIn>()?.0.into()),
            opcode::FLUSH => RequestKind::Flush(Handle(self.arguments::<abi::FlushIn>()?.0.fh)),
            opcode::FSYNC => RequestKind::Fsync(Handle(self.arguments::<abi::FsyncIn>()?.0.fh)),
            opcode::RELEASE => {
                RequestKind::Release(Handle(self.arguments::<abi::ReleaseIn>()?.0.fh))
            }
            opcode::INTERRUPT => {
                RequestKind::Interrupt(RequestId(self.arguments::<abi::InterruptIn>()?.0.unique))
            }
            opcode::FORGET | opcode::BATCH_FORGET => RequestKind::Forget,
            opcode::LOOKUP => RequestKind::Files(FileRequest::Lookup(self.name())),
            opcode::GETATTR => RequestKind::Files(FileRequest::GetAttr),
            opcode::SETATTR => {
                let (change, _) = self.arguments::<abi::SetattrIn>()?;
                RequestKind::Files(FileRequest::SetAttr(SetAttr {
                    mode: (change.valid & abi::FATTR_MODE != 0).then_some(change.mode),
                    owner: change.valid & (abi::FATTR_UID | abi::FATTR_GID) != 0,
                }))
            }
            opcode::OPENDIR => RequestKind::Files(FileRequest::OpenDir),
            opcode::READDIR => {
                let part = self.arguments::<abi::TransferIn>()?.0.into();
                RequestKind::Files(FileRequest::ReadDir(part))
            }
            opcode::RELEASEDIR => RequestKind::Files(FileRequest::ReleaseDir),
            opcode::STATFS => RequestKind::Files(FileRequest::StatFs),
            opcode::CREATE
            | opcode::MKNOD
            | opcode::MKDIR
            | opcode::SYMLINK
            | opcode::LINK
            | opcode::UNLINK
            | opcode::RENAME
            | opcode::RENAME2 => RequestKind::Files(FileRequest::ChangeNames),
            opcode::DESTROY => RequestKind::Destroy,
            unknown => RequestKind::Unsupported(unknown),
        })
    }

    fn arguments<T: FromBytes + KnownLayout + Immutable>(
        &self,
    ) -> Result<(T, &'a [u8]), DecodeError> {
        let truncated = || self.truncated(size_of::<T>());
        match self.fixed {
            Some(fixed) => match T::read_from_prefix(fixed) {
                Ok((arguments, _)) => Ok((arguments, self.bytes)),
                Err(_) => Err(truncated()),
            },
            None => T::read_from_prefix(self.bytes).map_err(|_| truncated()),
        }
    }

    /// A name, without the zero that ends it.
    fn name(&self) -> &'a [u8] {
        let end = self.bytes.iter().position(|byte| *byte == 0);
        self.bytes
            .get(..end.unwrap_or(self.bytes.len()))
            .unwrap_or(self.bytes)
    }

    fn exactly(&self, bytes: &'a [u8], length: u32) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        bytes
            .get(..length)
            .ok_or_else(|| self.truncated((self.bytes.len() - bytes.len()).saturating_add(length)))
    }

    fn truncated(&self, needed: usize) -> DecodeError {
        DecodeError::Truncated {
            unique: RequestId(self.header.unique),
            opcode: self.header.opcode,
            length: self.bytes.len(),
            needed,
        }
    }
}

impl From<abi::TransferIn> for Transfer {
    fn from(transfer: abi::TransferIn) -> Self {
        Transfer {
            handle: Handle(transfer.fh),
            offset: transfer.offset,
            length_bytes: usize::try_from(transfer.size).unwrap_or(usize::MAX),
            nonblock: transfer.flags & nix::fcntl::OFlag::O_NONBLOCK.bits().cast_unsigned() != 0,
            flags: transfer.flags,
        }
    }
}

impl From<abi::PollIn> for Poll {
    fn from(poll: abi::PollIn) -> Self {
        Poll {
            handle: Handle(poll.fh),
            wake: (poll.flags & abi::POLL_SCHEDULE_NOTIFY != 0).then_some(PollId(poll.kh)),
        }
    }
}

impl<'a> Ioctl<'a> {
    fn new(ioctl: &abi::IoctlIn, input: &'a [u8]) -> Self {
        Ioctl {
            handle: Handle(ioctl.fh),
            command: ioctl.cmd,
            argument: ioctl.arg,
            input,
            output_max_bytes: usize::try_from(ioctl.out_size).unwrap_or(usize::MAX),
            areas: if ioctl.flags & abi::IOCTL_UNRESTRICTED == 0 {
                Areas::OfCommand
            } else {
                Areas::OnDemand
            },
            word_size: if ioctl.flags & abi::IOCTL_32BIT == 0 {
                WordSize::Bits64
            } else {
                WordSize::Bits32
            },
        }
    }
}

/// Takes any bytes apart, for a fuzzer: there is no input that makes it panic.
#[cfg(any(test, feature = "fuzz"))]
pub fn fuzz_decode(bytes: &[u8]) {
    match Request::decode(bytes) {
        Ok(request) => {
            if let RequestKind::Write(transfer, data) = request.kind {
                assert_eq!(transfer.length_bytes, data.len());
            }
        }
        Err(error) => assert!(
            error.to_answer().is_none() || bytes.len() >= size_of::<abi::InHeader>(),
            "only a request with a header can be answered"
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerocopy::IntoBytes;

    use super::*;

    fn header(opcode: u32, body: usize) -> abi::InHeader {
        abi::InHeader {
            len: (size_of::<abi::InHeader>() + body) as u32,
            opcode,
            unique: 42,
            nodeid: 0,
            uid: 1000,
            gid: 100,
            pid: 4711,
            total_extlen: 0,
            padding: 0,
        }
    }

    fn encode(opcode: u32, body: &[u8]) -> Vec<u8> {
        [header(opcode, body.len()).as_bytes(), body].concat()
    }

    #[test]
    fn a_write_carries_its_data() {
        let arguments = abi::TransferIn {
            fh: 3,
            offset: 131_072,
            size: 5,
            transfer_flags: 2,
            lock_owner: 1,
            flags: 0x8001,
            padding: 0,
        };
        let bytes = encode(opcode::WRITE, &[arguments.as_bytes(), b"hello"].concat());
        let request = Request::decode(&bytes).expect("it is whole");
        let expected = Transfer {
            handle: Handle(3),
            offset: 131_072,
            length_bytes: 5,
            nonblock: false,
            flags: 0x8001,
        };
        assert_eq!(request.kind, RequestKind::Write(expected, b"hello"));
        assert_eq!(request.unique, RequestId(42));
        assert_eq!(request.caller.tid, 4711);
    }

    #[test]
    fn an_unknown_request_keeps_its_number() {
        let bytes = encode(9999, b"anything");
        let request = Request::decode(&bytes).expect("it has a header");
        assert_eq!(request.kind, RequestKind::Unsupported(9999));
    }

    #[test]
    fn a_truncated_request_says_what_it_lacks() {
        let bytes = encode(opcode::OPEN, &[0; 7]);
        let error = Request::decode(&bytes).expect_err("it is too short");
        let expected = DecodeError::Truncated {
            unique: RequestId(42),
            opcode: opcode::OPEN,
            length: 7,
            needed: 8,
        };
        assert_eq!(error, expected);
        assert_eq!(error.to_answer(), Some(RequestId(42)));
        let error = Request::decode(&bytes[..39]).expect_err("no header");
        assert_eq!(error.to_answer(), None);
        let interrupt = encode(opcode::INTERRUPT, &[]);
        let error = Request::decode(&interrupt).expect_err("it is too short");
        assert_eq!(error.to_answer(), None, "nobody waits for it");
    }

    #[test]
    fn a_length_other_than_the_headers_is_refused() {
        let mut bytes = encode(opcode::DESTROY, &[]);
        bytes.push(0);
        assert!(matches!(
            Request::decode(&bytes),
            Err(DecodeError::WrongLength {
                length: 41,
                said: 40,
                ..
            })
        ));
    }

    proptest! {
        #[test]
        fn no_bytes_make_decode_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            fuzz_decode(&bytes);
        }

        #[test]
        fn no_body_makes_decode_panic(
            opcode in prop_oneof![0..50_u32, Just(opcode::CUSE_INIT), any::<u32>()],
            body in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            fuzz_decode(&encode(opcode, &body));
        }

        #[test]
        fn a_transfer_of_another_size_than_its_data_is_refused(size in any::<u32>(), length in 0..64_usize) {
            let arguments = abi::TransferIn {
                fh: 0, offset: 0, size, transfer_flags: 0, lock_owner: 0, flags: 0, padding: 0,
            };
            let bytes = encode(opcode::WRITE, &[arguments.as_bytes(), &vec![0; length]].concat());
            let fits = size as usize <= length;
            prop_assert_eq!(Request::decode(&bytes).is_ok(), fits);
        }
    }
}
