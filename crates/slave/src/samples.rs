//! Sample messages for the tests of the format: every kind of message, with every form of its values.

use std::num::NonZeroU32;

use pseudotape_tape::{
    Address, BlockLimits, Capacity, Door, EraseExtent, Failed, FileNumber, Identity, LoadKind,
    Mark, Mode, ModeSelect, Motion, ObjectNumber, PartitionNumber, Partitioning, Position, Sense,
    SpaceUnit, Stop, Transfer, WriteMode,
};

use crate::reply::{Known, Outcome, Reply, Welcome};
use crate::request::{Goodbye, Hello, Reason, Request};
use crate::versions::Versions;

fn fixed(size: u32) -> Transfer {
    Transfer::Fixed(NonZeroU32::new(size).expect("samples are not 0"))
}

/// A position whose numbers are all different.
pub(crate) fn place() -> Position {
    Position {
        partition: PartitionNumber(1),
        object: ObjectNumber(0x0102_0304_0506_0708),
        file: Some(FileNumber(0x1112_1314_1516_1718)),
        past_early_warning: true,
    }
}

/// Requests with the data that go with them.
pub(crate) fn requests() -> Vec<(Request, &'static [u8])> {
    let plain = |request| (request, &[][..]);
    let goodbye = |reason, text: &str| {
        plain(Request::Goodbye(Goodbye {
            reason,
            text: text.into(),
        }))
    };
    let locate = |partition, object| {
        plain(Request::Motion(Motion::Locate(Address {
            partition,
            object: ObjectNumber(object),
        })))
    };
    vec![
        plain(Request::Hello(Hello {
            largest_payload: 16 << 20,
            silence_ms: 60_000,
            shared_memory: true,
            needs: 0,
        })),
        plain(Request::KeepAlive),
        goodbye(Reason::Busy, "another slave is attached: end it first"),
        goodbye(Reason::Nonsense, "é"),
        goodbye(Reason::Silent, ""),
        goodbye(Reason::Ending, "the master is ending"),
        plain(Request::TestReady),
        plain(Request::Mode),
        plain(Request::SetMode(ModeSelect {
            block_size: Some(0x0102_0304),
            density: Some(0x58),
            buffering: Some(1),
            compression: Some(true),
        })),
        plain(Request::SetMode(ModeSelect {
            compression: Some(false),
            ..ModeSelect::default()
        })),
        plain(Request::Read {
            transfer: Transfer::Variable,
            length: 65_536,
        }),
        plain(Request::Read {
            transfer: fixed(512),
            length: 10_240,
        }),
        (Request::Write(Transfer::Variable), b"one block"),
        (Request::Write(fixed(4)), b"two blks"),
        (Request::Extend, b" that grows"),
        plain(Request::Motion(Motion::WriteMarks {
            mark: Mark::Filemark,
            count: 2,
            mode: WriteMode::Commit,
        })),
        plain(Request::Motion(Motion::WriteMarks {
            mark: Mark::Setmark,
            count: 1,
            mode: WriteMode::Immediate,
        })),
        plain(Request::Motion(Motion::Space {
            unit: SpaceUnit::Blocks,
            count: -3,
        })),
        plain(Request::Motion(Motion::Space {
            unit: SpaceUnit::Filemarks,
            count: 1,
        })),
        plain(Request::Motion(Motion::Space {
            unit: SpaceUnit::Setmarks,
            count: i64::MAX,
        })),
        plain(Request::Motion(Motion::SpaceToEndOfData)),
        locate(Some(PartitionNumber(1)), 0x0102_0304_0506_0708),
        locate(None, 9),
        plain(Request::Motion(Motion::Rewind)),
        plain(Request::Motion(Motion::Load(LoadKind::Load))),
        plain(Request::Motion(Motion::Load(LoadKind::Retension))),
        plain(Request::Unload),
        plain(Request::Motion(Motion::Erase(EraseExtent::Short))),
        plain(Request::Motion(Motion::Erase(EraseExtent::Long))),
        plain(Request::Position),
        plain(Request::Capacity),
        plain(Request::SetDoor(Door::Locked)),
        plain(Request::SetDoor(Door::Unlocked)),
        plain(Request::Motion(Motion::MakePartitions(
            Partitioning::Single,
        ))),
        plain(Request::Motion(Motion::MakePartitions(
            Partitioning::SecondOf(1000),
        ))),
        plain(Request::Motion(Motion::MakePartitions(
            Partitioning::FirstOf(5),
        ))),
    ]
}

/// Requests that were added to version 1 later. They are kept apart because the vectors contain the numbers of
/// the samples.
pub(crate) fn added_requests() -> Vec<Request> {
    vec![
        Request::Hello(Hello {
            largest_payload: 16 << 20,
            silence_ms: 60_000,
            shared_memory: true,
            needs: 1,
        }),
        Request::Goodbye(Goodbye {
            reason: Reason::Unsupported(Versions {
                oldest: 2,
                newest: 3,
            }),
            text: "this side does not speak version 1".into(),
        }),
    ]
}

/// Replies with the data that go with them.
pub(crate) fn replies() -> Vec<(Reply, &'static [u8])> {
    let plain = |reply| (reply, &[][..]);
    let done = |count, stop, position| {
        plain(Reply::Done(Outcome {
            count,
            block_length: 0,
            stop,
            position,
            recovered: false,
        }))
    };
    let mut replies = vec![
        plain(Reply::Welcome(Welcome {
            identity: Identity {
                vendor: "PSEUDO".into(),
                product: "TAPE".into(),
                revision: "0.1".into(),
                serial: "0123456789abcdef0123456789abcdef".into(),
            },
            limits: BlockLimits {
                min_bytes: 1,
                max_bytes: 16 << 20,
                granularity_bytes: 4,
            },
            shared_memory: true,
        })),
        (
            Reply::Done(Outcome {
                count: 1,
                block_length: 65_536,
                stop: None,
                position: Some(place()),
                recovered: false,
            }),
            b"one block",
        ),
        done(0, None, None),
        plain(Reply::Mode(Mode {
            block_size: 0x0102_0304,
            density: 0x58,
            buffering: 1,
            write_protected: true,
            compression: Some(true),
            last_partition: 1,
        })),
        plain(Reply::Mode(Mode::default())),
        plain(Reply::Capacity(Capacity {
            total_bytes: Some(0x0102_0304_0506_0708),
            early_warning_bytes: 0x1112_1314_1516_1718,
            used_bytes: 0x2122_2324_2526_2728,
            room_bytes: Some(0x3132_3334_3536_3738),
        })),
        plain(Reply::Capacity(Capacity::default())),
        plain(Reply::Working),
    ];
    let stops = <Stop as crate::codes::Code>::TABLE;
    let at = Position {
        file: None,
        past_early_warning: false,
        ..place()
    };
    replies.extend(
        stops
            .iter()
            .map(|(_, stop, _)| done(1, Some(*stop), Some(at))),
    );
    let senses = <Sense as crate::codes::Code>::TABLE;
    replies.extend(senses.iter().map(|(_, sense, _)| {
        plain(Reply::Failed(Failed {
            sense: *sense,
            count: 2,
            position: Some(place()),
        }))
    }));
    replies.push(plain(Reply::Done(Outcome {
        count: 3,
        position: Some(place()),
        recovered: true,
        ..Outcome::default()
    })));
    replies.push(plain(Reply::Unsupported(Known {
        versions: Versions {
            oldest: 1,
            newest: 0x0203,
        },
        features: 1,
    })));
    replies
}
