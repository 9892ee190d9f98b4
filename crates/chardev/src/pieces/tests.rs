use std::sync::LazyLock;

use proptest::prelude::*;

use super::kernel::{CUSE, FUSE, Kernel, Memory};
use super::*;
use crate::device::{CallTrouble, Caller, Told, WordSize};
use crate::recorder::Event;

const ENOMEM: Errno = Errno(12);
const ENOSPC: Errno = Errno(28);
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Bytes that differ from place to place, a prefix of one sequence.
fn pattern(length: usize) -> Vec<u8> {
    static SEQUENCE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        (0..16 * MIB + 1)
            .map(|place| (place.wrapping_mul(31) >> 3) as u8 ^ place as u8)
            .collect()
    });
    SEQUENCE[..length].to_vec()
}

/// The memories of the table of sizes.
fn sizes() -> Vec<Memory> {
    let mut sizes = Vec::new();
    for length in [10, 64, 128, 256, 1024, 4096, 16 * 1024].map(|kib| kib * KIB) {
        sizes.push(Memory::aligned(length));
        sizes.push(Memory::plain(100, length));
    }
    sizes.push(Memory::vector(0, &[64 * KIB, 64 * KIB]));
    let mut apart = Memory::vector(0, &[100, 256 * KIB]);
    apart.buffers[1].page_offset = 0;
    sizes.push(apart);
    sizes.push(Memory::vector(0, &[1; 64]));
    sizes.push(Memory::vector(3500, &[1000; 40]));
    sizes
}

fn write_is_one_record(kernel: &Kernel) {
    for memory in sizes() {
        let data = pattern(memory.length());
        assert_eq!(kernel.write(7, &memory, &data), Ok(data.len()));
        assert!(kernel.device.take_written() == [data], "{memory:?}");
        assert!(!kernel.pieces.in_hand());
    }
}

#[test]
fn every_size_arrives_as_one_record() {
    for cut in [CUSE, FUSE] {
        write_is_one_record(&Kernel::telling(cut));
        write_is_one_record(&Kernel::silent(cut));
    }
}

#[test]
fn a_write_of_known_length_reaches_the_device_once() {
    let kernel = Kernel::telling(CUSE);
    let data = pattern(MIB);
    assert_eq!(kernel.write(7, &Memory::plain(100, MIB), &data), Ok(MIB));
    let events = kernel.device.take_events();
    assert_eq!(events, [Event::CheckWrite(MIB), Event::Write(MIB)]);
    assert!(!kernel.pieces.lengths_are_inferred());
}

#[test]
fn a_write_of_unknown_length_is_lengthened_and_reported_once() {
    let kernel = Kernel::silent(CUSE);
    let data = pattern(256 * KIB);
    assert_eq!(
        kernel.write(7, &Memory::aligned(256 * KIB), &data),
        Ok(256 * KIB)
    );
    let events = kernel.device.take_events();
    assert_eq!(events, [Event::Write(131_072), Event::Extend(131_072)]);
    assert!(kernel.pieces.lengths_are_inferred());
    assert!(!kernel.pieces.lengths_are_inferred());
}

#[test]
fn a_record_of_just_one_piece_is_not_lengthened_by_the_next_one() {
    for kernel in [Kernel::telling(CUSE), Kernel::silent(CUSE)] {
        let data = pattern(131_072);
        let memory = Memory::aligned(131_072);
        for _ in 0..3 {
            assert_eq!(kernel.write(7, &memory, &data), Ok(131_072));
        }
        assert_eq!(kernel.device.take_written().len(), 3);
    }
}

#[test]
fn the_usual_length_is_asked_for_once() {
    let kernel = Kernel::telling(CUSE);
    let data = pattern(10 * KIB);
    let memory = Memory::aligned(10 * KIB);
    for _ in 0..5 {
        assert_eq!(kernel.write(7, &memory, &data), Ok(10 * KIB));
    }
    assert_eq!(kernel.blocked.asked(), 1);
    // At the largest piece it must be asked each time.
    let large = Memory::aligned(128 * KIB);
    for _ in 0..5 {
        kernel.device.put(data.clone());
        assert!(kernel.read(7, &large).as_ref() == Ok(&data));
    }
    assert_eq!(kernel.blocked.asked(), 6);
}

#[test]
fn a_list_of_buffers_may_follow_plain_writes_of_its_first_pieces_length() {
    let kernel = Kernel::telling(CUSE);
    kernel
        .write(7, &Memory::aligned(32), &pattern(32))
        .expect("it is taken");
    let data = pattern(64);
    assert_eq!(kernel.write(7, &Memory::vector(0, &[1; 64]), &data), Ok(64));
    assert_eq!(kernel.device.take_written(), [pattern(32), data]);
}

#[test]
fn a_refused_write_of_several_pieces_fails_with_its_error() {
    let kernel = Kernel::telling(CUSE);
    kernel.device.set_room_bytes(200 * KIB);
    let data = pattern(256 * KIB);
    let memory = Memory::aligned(256 * KIB);
    assert_eq!(kernel.write(7, &memory, &data), Err(ENOSPC));
    assert_eq!(
        kernel.device.take_events(),
        [Event::CheckWrite(256 * KIB)],
        "the device decides once"
    );
    let fits = Memory::aligned(192 * KIB);
    assert_eq!(kernel.write(7, &fits, &data), Ok(192 * KIB));
}

#[test]
fn blocks_that_fit_before_the_end_give_a_short_count() {
    for room in [64 * KIB, 131_072, 200 * KIB] {
        let kernel = Kernel::telling(CUSE);
        kernel.device.set_block_bytes(Some(1024));
        kernel.device.set_room_bytes(room);
        let data = pattern(256 * KIB);
        let memory = Memory::plain(100, 256 * KIB);
        assert_eq!(kernel.write(7, &memory, &data), Ok(room));
        assert_eq!(kernel.device.take_written().concat(), data[..room]);
        assert_eq!(kernel.write(7, &memory, &data), Err(ENOSPC));
    }
}

#[test]
fn a_late_error_gives_a_short_count_and_fails_the_next_write() {
    let kernel = Kernel::telling(CUSE);
    let data = pattern(256 * KIB);
    let memory = Memory::aligned(256 * KIB);
    kernel.device.fail_next_write(Errno::EIO);
    assert_eq!(kernel.write(7, &memory, &data), Ok(131_072));
    assert_eq!(kernel.write(7, &memory, &data), Err(Errno::EIO));
    assert_eq!(kernel.write(7, &memory, &data), Ok(256 * KIB));
}

#[test]
fn a_late_error_is_told_at_flush_where_no_write_follows() {
    let kernel = Kernel::telling(CUSE);
    let data = pattern(256 * KIB);
    kernel.device.fail_next_write(Errno::EIO);
    kernel
        .write(7, &Memory::aligned(256 * KIB), &data)
        .expect("a short count");
    assert_eq!(kernel.pieces.flush(Handle(1), 7), Err(Errno::EIO));
    assert_eq!(kernel.pieces.flush(Handle(1), 7), Ok(()));
}

#[test]
fn a_transfer_at_the_limit_works_and_one_past_it_is_invalid() {
    let kernel = Kernel::telling(FUSE);
    let data = pattern(16 * MIB + 1);
    let at = Memory::aligned(16 * MIB);
    let past = Memory::aligned(16 * MIB + 1);
    assert_eq!(kernel.write(7, &at, &data), Ok(16 * MIB));
    assert_eq!(kernel.write(7, &past, &data), Err(Errno::EINVAL));
    kernel.device.put(pattern(16 * MIB));
    assert_eq!(kernel.read(7, &at).map(|d| d.len()), Ok(16 * MIB));
    assert_eq!(kernel.read(7, &past), Err(Errno::EINVAL));
}

#[test]
fn a_writer_killed_between_pieces_leaves_nothing() {
    let kernel = Kernel::telling(CUSE);
    let data = pattern(256 * KIB);
    let mut call = kernel.start_write(1, 7, &Memory::aligned(256 * KIB));
    assert_eq!(call.write_piece(&data), None);
    call.kill();
    assert!(kernel.pieces.in_hand());
    kernel.device.open(2, Caller::default()).expect("it opens");
    kernel.pieces.close(Handle(1)).expect("it closes");
    assert!(kernel.device.take_written().is_empty());
    assert!(!kernel.pieces.in_hand());
}

#[test]
fn a_call_that_the_kernel_ends_early_is_written_as_far_as_it_came() {
    // 64 pages of which 40 are there: the last piece says so by its length.
    let kernel = Kernel::telling(CUSE);
    let data = pattern(256 * KIB);
    let mut call = kernel.start_write(1, 7, &Memory::aligned(256 * KIB));
    assert_eq!(call.write_piece(&data), None);
    let last = Piece {
        handle: Handle(1),
        tid: 7,
        offset: 131_072,
        first: FirstPiece::AtZero,
    };
    let answer = kernel.pieces.write(last, &data[131_072..163_840]);
    assert_eq!(answer, Ok(32_768));
    assert!(kernel.device.take_written() == [data[..163_840].to_vec()]);

    // 64 pages of which 32 are there: only the task's next call says so.
    let mut call = kernel.start_write(1, 7, &Memory::aligned(256 * KIB));
    assert_eq!(call.write_piece(&data), None);
    call.kill();
    kernel
        .write(7, &Memory::aligned(KIB), &data[..KIB])
        .expect("it is taken");
    let written = kernel.device.take_written();
    assert!(written == [data[..131_072].to_vec(), data[..KIB].to_vec()]);
}

#[test]
fn an_ioctl_ends_the_callers_call_before_it_is_done() {
    let kernel = Kernel::telling(CUSE);
    let data = pattern(256 * KIB);
    let mut call = kernel.start_write(1, 7, &Memory::aligned(256 * KIB));
    assert_eq!(call.write_piece(&data), None);
    let request = IoctlRequest {
        command: 1,
        argument: 0,
        input: &[],
        caller: Caller {
            tid: 7,
            ..Caller::default()
        },
        word_size: WordSize::Bits64,
    };
    kernel
        .pieces
        .ioctl(Handle(1), request, &mut Vec::new())
        .expect("it is done");
    let events = kernel.device.take_events();
    assert_eq!(
        events[..2],
        [Event::CheckWrite(256 * KIB), Event::Write(131_072)]
    );
    assert!(matches!(events[2], Event::Ioctl { .. }));
}

#[test]
fn calls_of_two_tasks_may_interleave() {
    let kernel = Kernel::telling(CUSE);
    let (a, b) = (pattern(300 * KIB), vec![7; 400 * KIB]);
    let mut first = kernel.start_write(1, 7, &Memory::aligned(a.len()));
    let mut second = kernel.start_write(1, 8, &Memory::plain(100, b.len()));
    let mut over = 0;
    while over < 2 {
        let ended = [first.write_piece(&a), second.write_piece(&b)];
        over += ended.iter().flatten().count();
    }
    let mut written = kernel.device.take_written();
    written.sort_by_key(Vec::len);
    assert!(written == [a, b]);
}

#[test]
fn without_lengths_the_interrupted_record_ends_and_its_task_gets_a_short_count() {
    let kernel = Kernel::silent(CUSE);
    let data = pattern(256 * KIB);
    let mut first = kernel.start_write(1, 7, &Memory::aligned(data.len()));
    assert_eq!(first.write_piece(&data), None);
    assert_eq!(
        kernel.write(8, &Memory::aligned(data.len()), &data),
        Ok(data.len())
    );
    assert_eq!(first.write_piece(&data), Some(Ok(131_072)));
    let lengths: Vec<_> = kernel.device.take_written().iter().map(Vec::len).collect();
    assert_eq!(lengths, [131_072, 256 * KIB]);
}

#[test]
fn as_many_calls_as_the_limit_may_be_in_hand_and_one_more_is_busy() {
    let kernel = Kernel::telling(CUSE);
    let data = pattern(256 * KIB);
    let memory = Memory::aligned(data.len());
    let mut calls: Vec<_> = (1..=CALLS_IN_HAND_MAX as u32)
        .map(|tid| kernel.start_write(1, tid, &memory))
        .collect();
    for call in &mut calls {
        assert_eq!(call.write_piece(&data), None);
    }
    assert_eq!(kernel.write(99, &memory, &data), Err(Errno::EBUSY));
    // A killed task's place is free again.
    calls.pop().expect("there are calls").kill();
    assert_eq!(kernel.write(99, &memory, &data), Ok(data.len()));
    for call in &mut calls {
        assert_eq!(call.write_piece(&data), Some(Ok(data.len())));
    }
    assert_eq!(kernel.device.take_written().len(), CALLS_IN_HAND_MAX);
}

#[test]
fn a_read_with_room_gets_the_record_and_with_too_little_enomem() {
    for cut in [CUSE, FUSE] {
        let kernel = Kernel::telling(cut);
        for length in [10 * KIB, 128 * KIB, 130 * KIB, MIB, MIB + 1, 4 * MIB] {
            for (room, misfit) in [
                (length, 0),
                (length + 1, 0),
                (2 * length, 0),
                (length - 1, 1),
            ] {
                for offset in [0, 100] {
                    let record = pattern(length);
                    kernel.device.put(record.clone());
                    let read = kernel.read(7, &Memory::plain(offset, room));
                    if misfit == 0 {
                        assert!(read == Ok(record), "{length} into {room}");
                    } else {
                        assert_eq!(read, Err(ENOMEM), "{length} into {room}");
                    }
                    assert_eq!(kernel.device.left(), 0);
                    assert!(!kernel.pieces.in_hand(), "{length} into {room}");
                }
            }
        }
    }
}

#[test]
fn a_read_into_a_list_of_buffers_is_one_read() {
    let kernel = Kernel::telling(CUSE);
    kernel.device.put(pattern(40_000));
    let read = kernel.read(7, &Memory::vector(3500, &[1000; 40]));
    assert!(read == Ok(pattern(40_000)));
    assert_eq!(kernel.device.take_events(), [Event::Read(40_000)]);
}

/// A read of unknown length that gets 128 KiB of a block of 256 KiB.
fn lose_a_rest(kernel: &Kernel) {
    kernel.device.put(pattern(256 * KIB));
    let large = kernel.read(7, &Memory::aligned(128 * KIB));
    assert!(large == Ok(pattern(256 * KIB)[..128 * KIB].to_vec()));
    kernel.device.take_events();
}

fn rest_lost(told: Told) -> Event {
    let trouble = CallTrouble::RestLost {
        read_bytes: 128 * KIB,
        block_bytes: 256 * KIB,
    };
    Event::Note(trouble, told)
}

fn ioctl(kernel: &Kernel) -> Result<i32, Errno> {
    let request = IoctlRequest {
        command: 1,
        argument: 0,
        input: &[],
        caller: Caller {
            tid: 7,
            ..Caller::default()
        },
        word_size: WordSize::Bits64,
    };
    kernel.pieces.ioctl(Handle(1), request, &mut Vec::new())
}

#[test]
fn without_lengths_a_small_buffer_is_enomem_and_a_large_one_gets_the_block() {
    let kernel = Kernel::silent(CUSE);
    kernel.device.put(pattern(20 * KIB));
    let small = kernel.read(7, &Memory::aligned(10 * KIB));
    assert_eq!(small, Err(ENOMEM));
    for room in [256 * KIB, MIB] {
        kernel.device.put(pattern(256 * KIB));
        let fits = kernel.read(7, &Memory::aligned(room));
        assert!(fits == Ok(pattern(256 * KIB)), "{room}");
    }
    assert_eq!(ioctl(&kernel), Ok(0));
}

#[test]
fn without_lengths_the_call_after_a_read_that_lost_a_rest_fails_once() {
    let block = pattern(KIB);
    type NextCall = fn(&Kernel) -> Result<(), Errno>;
    let calls: [(&str, NextCall); 5] = [
        ("read", |k| k.read(7, &Memory::aligned(KIB)).map(drop)),
        ("read of another task", |k| {
            k.read(8, &Memory::aligned(KIB)).map(drop)
        }),
        ("write", |k| {
            let data = pattern(KIB);
            k.write(7, &Memory::aligned(KIB), &data).map(drop)
        }),
        ("ioctl", |k| ioctl(k).map(drop)),
        ("close", |k| k.pieces.flush(Handle(1), 7)),
    ];
    for (name, call) in calls {
        let kernel = Kernel::silent(CUSE);
        lose_a_rest(&kernel);
        kernel.device.put(block.clone());
        assert_eq!(call(&kernel), Err(Errno::EIO), "{name}");
        let events = kernel.device.take_events();
        assert_eq!(
            events,
            [rest_lost(Told::ByACall)],
            "{name}: nothing is done"
        );
        assert_eq!(call(&kernel), Ok(()), "{name}: the second time");
    }
}

#[test]
fn without_lengths_a_rest_that_no_call_can_tell_of_is_noted_at_the_close() {
    let kernel = Kernel::silent(CUSE);
    kernel.device.open(2, Caller::default()).expect("it opens");
    lose_a_rest(&kernel);
    // Another process closes its descriptor: the reader may still be in its call.
    assert_eq!(kernel.pieces.flush(Handle(1), 8), Ok(()));
    kernel.pieces.close(Handle(1)).expect("it closes");
    let events = kernel.device.take_events();
    let expected = [Event::Flush, rest_lost(Told::ToNobody), Event::Close];
    assert_eq!(events, expected);
}

#[test]
fn with_lengths_nothing_is_lost_and_nothing_noted() {
    let kernel = Kernel::telling(CUSE);
    kernel.device.put(pattern(256 * KIB));
    let large = kernel.read(7, &Memory::aligned(128 * KIB));
    assert_eq!(large, Err(ENOMEM));
    assert_eq!(kernel.pieces.flush(Handle(1), 7), Ok(()));
    assert_eq!(ioctl(&kernel), Ok(0));
}

#[test]
fn parts_of_a_splice_are_refused_and_the_writes_behind_are_blocks() {
    let kernel = Kernel::telling(FUSE);
    let data = pattern(64 * KIB);
    let mut position = 0;
    for _ in 0..2 {
        let spliced = kernel.splice(&mut position, &data);
        assert_eq!(spliced, Err(Errno::EINVAL));
        for _ in 0..3 {
            let written = kernel.write(7, &Memory::aligned(data.len()), &data);
            assert_eq!(written, Ok(data.len()));
        }
        let written = kernel.device.take_written();
        assert!(written == vec![data.clone(); 3]);
        // Elsewhere in the file, as sendfile(2) behind one of another length.
        position = 100;
    }
    assert_eq!(kernel.pieces.flush(Handle(1), 7), Ok(()));
}

/// One that is as long as the writes before is not asked about where the file begins: it is a block of its own, and
/// the next one is refused.
#[test]
fn a_splice_of_the_usual_length_is_never_glued() {
    let kernel = Kernel::telling(FUSE);
    let data = pattern(64 * KIB);
    let memory = Memory::aligned(data.len());
    for _ in 0..2 {
        assert_eq!(kernel.write(7, &memory, &data), Ok(data.len()));
    }
    let mut position = 0;
    assert_eq!(kernel.splice(&mut position, &data), Ok(data.len()));
    let second = kernel.splice(&mut position, &data);
    assert_eq!(second, Err(Errno::EINVAL));
    assert_eq!(kernel.write(7, &memory, &data), Ok(data.len()));
    assert!(kernel.device.take_written() == vec![data; 4]);
}

#[test]
fn without_lengths_a_second_splice_is_refused_and_the_call_after_it_fails_once() {
    let kernel = Kernel::silent(FUSE);
    let data = pattern(64 * KIB);
    let memory = Memory::aligned(data.len());
    let mut position = 0;
    assert_eq!(kernel.splice(&mut position, &data), Ok(data.len()));
    kernel.device.take_events();
    let second = kernel.splice(&mut position, &data);
    assert_eq!(second, Err(Errno::EINVAL));
    let noted = Event::Note(CallTrouble::BlockCut, Told::ByACall);
    assert_eq!(kernel.device.take_events(), [noted]);
    // It may have been a further piece of a list of buffers, whose caller got a short count.
    assert_eq!(kernel.write(7, &memory, &data), Err(Errno::EIO));
    assert_eq!(kernel.write(7, &memory, &data), Ok(data.len()));
    assert!(kernel.device.take_written() == vec![data; 2]);
}

#[test]
fn a_read_through_splice_is_refused_at_any_place() {
    let kernel = Kernel::telling(FUSE);
    kernel.device.put(pattern(KIB));
    for offset in [0, 128 * KIB as u64] {
        let answer = kernel.splice_out(offset, 128 * KIB);
        assert_eq!(answer, Err(Errno::EINVAL), "{offset}");
    }
    assert_eq!(kernel.device.left(), 1, "nothing was read");
}

fn put_blocks(kernel: &Kernel, block: usize, data: &[u8]) {
    for part in data.chunks(block) {
        kernel.device.put(part.to_vec());
    }
}

#[test]
fn without_lengths_fixed_blocks_are_read_piece_by_piece_and_no_more_than_asked() {
    let kernel = Kernel::silent(CUSE);
    kernel.device.set_block_bytes(Some(10 * KIB));
    let data = pattern(500 * KIB);
    put_blocks(&kernel, 10 * KIB, &data);
    let read = kernel.read(7, &Memory::plain(100, 300 * KIB));
    assert!(read == Ok(data[..300 * KIB].to_vec()));
    assert_eq!(kernel.device.left(), 20);
    let read = kernel.read(7, &Memory::plain(100, 300 * KIB));
    assert!(read == Ok(data[300 * KIB..].to_vec()));
}

#[test]
fn without_lengths_a_filemark_at_a_pieces_border_is_not_lost() {
    let kernel = Kernel::silent(CUSE);
    kernel.device.set_block_bytes(Some(1024));
    let data = pattern(256 * KIB);
    put_blocks(&kernel, 1024, &data[..128 * KIB]);
    kernel.device.put(Vec::new());
    put_blocks(&kernel, 1024, &data[128 * KIB..]);
    let memory = Memory::aligned(256 * KIB);
    assert!(kernel.read(7, &memory) == Ok(data[..128 * KIB].to_vec()));
    assert_eq!(kernel.read(7, &memory), Ok(Vec::new()));
    assert!(kernel.read(7, &memory) == Ok(data[128 * KIB..].to_vec()));
}

#[test]
fn without_lengths_fixed_blocks_are_written_whole() {
    for block in [5000, 10 * KIB, 200 * KIB] {
        let kernel = Kernel::silent(CUSE);
        kernel.device.set_block_bytes(Some(block));
        let data = pattern(block * 30);
        let memory = Memory::plain(100, data.len());
        assert_eq!(kernel.write(7, &memory, &data), Ok(data.len()));
        assert!(kernel.device.take_written().concat() == data);
        // Not a whole number of blocks: too late for this call, so the next one is told.
        let odd = Memory::plain(100, data.len() - 1);
        assert_eq!(kernel.write(7, &odd, &data), Ok(data.len() - 1));
        assert_eq!(kernel.write(7, &memory, &data), Err(Errno::EINVAL));
    }
}

#[test]
fn appending_opens_take_any_offset_for_a_beginning() {
    for kernel in [Kernel::telling(FUSE), Kernel::silent(FUSE)] {
        let mut end = 0;
        for length in [512, 512, 3 * MIB, 3 * MIB, 10 * KIB] {
            let data = pattern(length);
            let memory = Memory::plain(100, length);
            assert_eq!(kernel.append(end, &memory, &data), Ok(length));
            assert!(kernel.device.take_written() == [data]);
            end += length as u64;
        }
    }
    // Two records of just one piece: only a known length tells them apart.
    let kernel = Kernel::telling(FUSE);
    let data = pattern(MIB);
    for end in [0, MIB as u64] {
        assert_eq!(kernel.append(end, &Memory::aligned(MIB), &data), Ok(MIB));
    }
    assert_eq!(kernel.device.take_written().len(), 2);
}

#[test]
fn a_piece_that_continues_nothing_is_an_error() {
    let kernel = Kernel::telling(CUSE);
    let piece = Piece {
        handle: Handle(1),
        tid: 7,
        offset: 131_072,
        first: FirstPiece::AtZero,
    };
    assert_eq!(kernel.pieces.write(piece, &[0; 100]), Err(Errno::EIO));
    let read = kernel
        .pieces
        .read(piece, &mut [0; 100], |answer| answer.map(<[u8]>::len));
    assert_eq!(read, Ok(0));
    assert!(kernel.device.take_events().is_empty());
}

#[test]
fn memory_of_large_calls_is_given_back_at_the_last_close() {
    let kernel = Kernel::telling(CUSE);
    kernel.device.open(2, Caller::default()).expect("it opens");
    let data = pattern(16 * MIB);
    let memory = Memory::aligned(data.len());
    for _ in 0..3 {
        assert_eq!(kernel.write(7, &memory, &data), Ok(data.len()));
        kernel.device.put(data.clone());
        assert!(kernel.read(7, &memory).as_ref() == Ok(&data));
        kernel.device.take_written();
    }
    assert_eq!(kernel.pieces.lock().staging.kept_bytes(), 16 * MIB);
    kernel.pieces.close(Handle(1)).expect("it closes");
    assert_eq!(kernel.pieces.lock().staging.kept_bytes(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Write(Memory),
    /// A record of this length is read into this memory.
    Read(usize, Memory),
    Ioctl,
}

fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![
        1..20_000_usize,
        1..700_000_usize,
        (0..6_usize, 0..5000_usize).prop_map(|(n, less)| n * 131_072 + 131_072 - less),
        (1..6_usize).prop_map(|n| n * 131_072),
        (1..3_usize, 0..9000_usize).prop_map(|(n, less)| n * 1_048_576 + 4096 - less),
    ]
}

fn memories(length: impl Strategy<Value = usize>) -> impl Strategy<Value = Memory> {
    (length, prop_oneof![Just(0), 0..4096_usize], any::<u64>()).prop_map(
        |(length, offset, seed)| {
            // One in four is a list of buffers.
            if seed % 4 != 0 || length < 2 {
                return Memory::plain(offset, length);
            }
            let count = (seed / 4 % 100 + 2) as usize;
            let part = (length / count).max(1);
            let mut parts = vec![part; length / part];
            if length % part > 0 {
                parts.push(length % part);
            }
            Memory::vector(offset, &parts)
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => memories(lengths()).prop_map(Step::Write),
        4 => (lengths(), memories(lengths())).prop_map(|(r, m)| Step::Read(r, m)),
        2 => lengths().prop_flat_map(|r| memories(Just(r)).prop_map(move |m| Step::Read(r, m))),
        1 => Just(Step::Ioctl),
    ];
    proptest::collection::vec(step, 1..20)
}

/// What a read must give: the record, or `ENOMEM`.
fn expected_read(record: &[u8], memory: &Memory, cut: Cut, told: bool) -> Result<usize, Errno> {
    let asked = memory.length();
    let first = memory.pieces(cut)[0];
    if record.len() <= asked && (told || memory.shape == CallShape::Plain) {
        Ok(record.len())
    } else if told || first + cut.page_bytes <= cut.max_bytes {
        // Untold, a list of buffers is not known from a plain call of its first piece's length.
        if record.len() <= first {
            Ok(record.len())
        } else {
            Err(ENOMEM)
        }
    } else {
        Ok(record.len().min(asked))
    }
}

/// Where a list of buffers ends that could be parts of a `splice` as well: nobody tells, and the file has a position.
fn torn_at(memory: &Memory, cut: Cut, told: bool) -> Option<usize> {
    if told || cut != FUSE {
        return None;
    }
    let pieces = memory.pieces(cut);
    let small = pieces.iter().position(|piece| !cut.may_go_on(*piece))?;
    (small + 1 < pieces.len()).then(|| pieces[..=small].iter().sum())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn random_calls_arrive_whole(
        steps in steps(),
        told in any::<bool>(),
        max_bytes in prop_oneof![Just(131_072_usize), Just(126_976), Just(65_536), Just(1 << 20)],
    ) {
        let cut = Cut { max_bytes, page_bytes: 4096 };
        let kernel = if told { Kernel::telling(cut) } else { Kernel::silent(cut) };
        let source = pattern(4 * MIB);
        let mut usual = 0;
        for step in steps {
            match step {
                Step::Write(memory) => {
                    let data = &source[..memory.length()];
                    let answer = kernel.write(7, &memory, data);
                    let written = kernel.device.take_written();
                    prop_assert_eq!(written.len(), 1);
                    if let Some(count) = torn_at(&memory, cut, told) {
                        prop_assert_eq!(answer, Ok(count));
                        prop_assert!(written[0] == data[..count]);
                        // It gets a short count, and the next call says that it should not have.
                        let next = kernel.write(7, &Memory::aligned(KIB), &source[..KIB]);
                        prop_assert_eq!(next, Err(Errno::EIO));
                        continue;
                    }
                    prop_assert_eq!(answer, Ok(data.len()));
                    prop_assert!(written[0] == data);
                }
                Step::Read(length, memory) => {
                    let record = &source[..length];
                    let first = memory.pieces(cut)[0];
                    if memory.shape == CallShape::Vector && first == usual {
                        // The one case that is not asked about (see `Measured::Usual`).
                        continue;
                    }
                    kernel.device.put(record.to_vec());
                    let read = kernel.read(7, &memory);
                    let expected = expected_read(record, &memory, cut, told);
                    prop_assert_eq!(read.as_ref().map(Vec::len).map_err(|e| *e), expected);
                    if let Ok(bytes) = read {
                        prop_assert!(bytes == record[..bytes.len()]);
                        if bytes.len() < length {
                            prop_assert!(!told);
                            prop_assert_eq!(ioctl(&kernel), Err(Errno::EIO));
                        }
                    }
                    prop_assert_eq!(kernel.device.left(), 0);
                    if memory.shape == CallShape::Plain {
                        usual = first;
                    }
                }
                Step::Ioctl => prop_assert_eq!(ioctl(&kernel), Ok(0)),
            }
            prop_assert!(!kernel.pieces.in_hand());
        }
    }
}
