//! PT-02. System calls of real programs on a FUSE mount arrive whole, as one operation each.
//!
//! Needs root and `/dev/fuse`; without them these tests fail.

mod recorded;

use std::fs::OpenOptions;
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::sync::LazyLock;
use std::thread;

use pseudotape_chardev::Errno;
use recorded::{Mount, errno};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const PAGE: usize = 4096;

/// Memory that begins at a chosen place of a page.
struct Memory {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Memory {
    fn new(page_offset: usize, length: usize) -> Self {
        let bytes = vec![0; length + 2 * PAGE];
        let start = (PAGE - bytes.as_ptr() as usize % PAGE) % PAGE + page_offset;
        Memory {
            bytes,
            start,
            length,
        }
    }

    /// Filled with something that differs from place to place.
    fn filled(page_offset: usize, length: usize) -> Self {
        let mut memory = Self::new(page_offset, length);
        memory.get_mut().copy_from_slice(&pattern()[..length]);
        memory
    }

    fn get(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length]
    }

    fn get_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.length]
    }
}

fn pattern() -> &'static [u8] {
    static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
        (0..17 * MIB)
            .map(|place| (place.wrapping_mul(31) >> 3) as u8 ^ place as u8)
            .collect()
    });
    &PATTERN
}

#[test]
fn writes_of_the_table_of_sizes_are_one_record_each() {
    let mount = Mount::new();
    let mut file = mount.open();
    for length in [10, 64, 128, 256, 1024, 4096, 16 * 1024].map(|kib| kib * KIB) {
        for page_offset in [0, 100] {
            let memory = Memory::filled(page_offset, length);
            let written = file.write(memory.get()).expect("it is written");
            assert_eq!(written, length);
            let records = mount.device.take_written();
            assert_eq!(records.len(), 1, "{length} bytes at {page_offset}");
            assert!(
                records[0] == memory.get(),
                "{length} bytes at {page_offset}"
            );
        }
    }
}

#[test]
fn lengths_that_are_no_round_number_are_one_record_each() {
    let mount = Mount::new();
    let mut file = mount.open();
    let mut length = 1;
    while length < 5 * MIB {
        for page_offset in [0, 1, 4095] {
            let memory = Memory::filled(page_offset, length);
            assert_eq!(file.write(memory.get()).expect("it is written"), length);
            let lengths: Vec<_> = mount.device.take_written().iter().map(Vec::len).collect();
            assert_eq!(lengths, [length]);
        }
        length = length * 3 / 2 + 1;
    }
}

#[test]
fn a_writev_is_one_record() {
    let mount = Mount::new();
    let mut file = mount.open();
    let memory = Memory::filled(3500, 300 * KIB);
    let cut = |lengths: &[usize]| {
        let mut rest = memory.get();
        let mut parts = Vec::new();
        for &length in lengths {
            let (part, behind) = rest.split_at(length);
            parts.push(IoSlice::new(part));
            rest = behind;
        }
        parts
    };
    let cases = [
        vec![64 * KIB, 64 * KIB],
        vec![100, 256 * KIB],
        vec![1; 64],
        vec![1000; 40],
        vec![1; 1000],
    ];
    for lengths in cases {
        let whole: usize = lengths.iter().sum();
        // Twice: the second one has the usual length.
        for _ in 0..2 {
            let written = file.write_vectored(&cut(&lengths)).expect("it is written");
            assert_eq!(written, whole);
            let records = mount.device.take_written();
            assert_eq!(records.len(), 1, "{lengths:?}");
            assert!(records[0] == memory.get()[..whole], "{lengths:?}");
        }
    }
}

#[test]
fn reads_with_larger_equal_and_smaller_buffers_are_exact() {
    let mount = Mount::new();
    let mut file = mount.open();
    for length in [1, 10 * KIB, 128 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB] {
        for page_offset in [0, 100] {
            for room in [length, length + 1, 2 * length, length + MIB] {
                if room > 16 * MIB {
                    continue;
                }
                mount.device.put(pattern()[..length].to_vec());
                let mut memory = Memory::new(page_offset, room);
                let read = file.read(memory.get_mut()).expect("it fits");
                assert_eq!(read, length, "room for {room}");
                assert!(memory.get()[..read] == pattern()[..length]);
            }
            if length > 1 {
                mount.device.put(pattern()[..length].to_vec());
                let mut memory = Memory::new(page_offset, length - 1);
                let read = file.read(memory.get_mut());
                assert_eq!(errno(read), libc::ENOMEM, "{length} into one less");
                assert_eq!(mount.device.left(), 0, "the record is passed over");
            }
        }
    }
}

#[test]
fn a_longer_transfer_than_the_longest_is_invalid() {
    let mount = Mount::new();
    let mut file = mount.open();
    let mut memory = Memory::new(0, 16 * MIB + 1);
    assert_eq!(errno(file.write(memory.get())), libc::EINVAL);
    assert_eq!(errno(file.read(memory.get_mut())), libc::EINVAL);
    assert!(mount.device.take_written().is_empty());
}

#[test]
fn a_readv_is_one_read() {
    let mount = Mount::new();
    let mut file = mount.open();
    let mut memory = Memory::new(3500, 40_000);
    for _ in 0..2 {
        mount.device.put(pattern()[..40_000].to_vec());
        let mut parts: Vec<_> = memory
            .get_mut()
            .chunks_mut(1000)
            .map(IoSliceMut::new)
            .collect();
        assert_eq!(file.read_vectored(&mut parts).expect("it fits"), 40_000);
        assert!(memory.get() == &pattern()[..40_000]);
    }
}

#[test]
fn an_empty_record_is_the_end_of_a_file() {
    let mount = Mount::new();
    let mut file = mount.open();
    for room in [100, 128 * KIB, MIB, 4 * MIB] {
        mount.device.put(Vec::new());
        mount.device.put(vec![1; 50]);
        let mut memory = Memory::new(0, room);
        assert_eq!(file.read(memory.get_mut()).expect("the end"), 0);
        assert_eq!(file.read(memory.get_mut()).expect("a record"), 50);
    }
}

#[test]
fn a_refused_write_of_any_length_has_its_error() {
    let mount = Mount::new();
    let mut file = mount.open();
    mount.device.set_room_bytes(9 * KIB);
    for length in [10 * KIB, 128 * KIB, MIB, 4 * MIB] {
        for page_offset in [0, 100] {
            let memory = Memory::filled(page_offset, length);
            assert_eq!(errno(file.write(memory.get())), libc::ENOSPC, "{length}");
        }
    }
    assert_eq!(file.write(&[1; 9 * KIB]).expect("it fits"), 9 * KIB);
    assert_eq!(mount.device.take_written().len(), 1);
}

#[test]
fn an_error_that_could_not_be_told_fails_the_next_write() {
    let mount = Mount::new();
    let mut file = mount.open();
    let memory = Memory::filled(0, 4 * MIB);
    mount.device.fail_next_write(Errno::EIO);
    let short = file.write(memory.get()).expect("pieces were acknowledged");
    assert!(short < 4 * MIB);
    assert_eq!(errno(file.write(memory.get())), libc::EIO);
}

#[test]
fn an_error_that_could_not_be_told_comes_at_close() {
    let mount = Mount::new();
    let memory = Memory::filled(0, 4 * MIB);
    let mut file = mount.open();
    mount.device.fail_next_write(Errno::EIO);
    let short = file.write(memory.get()).expect("pieces were acknowledged");
    assert!(short < 4 * MIB);
    assert_eq!(nix::unistd::close(file), Err(nix::errno::Errno::EIO));
}

#[test]
fn appending_opens_write_one_record_each() {
    let mount = Mount::new();
    let mut file = OpenOptions::new()
        .append(true)
        .open(mount.path())
        .expect("it opens");
    for length in [512, 512, MIB, MIB, 3 * MIB, 10 * KIB] {
        let memory = Memory::filled(100, length);
        assert_eq!(file.write(memory.get()).expect("it is written"), length);
        let aligned = Memory::filled(0, length);
        assert_eq!(file.write(aligned.get()).expect("it is written"), length);
        let lengths: Vec<_> = mount.device.take_written().iter().map(Vec::len).collect();
        assert_eq!(lengths, [length, length]);
    }
}

#[test]
fn threads_on_one_open_file_write_whole_records() {
    let mount = Mount::new();
    let file = mount.open();
    thread::scope(|scope| {
        for number in 1..=3_u8 {
            let file = &file;
            scope.spawn(move || {
                let data = vec![number; 3 * MIB + usize::from(number)];
                for _ in 0..5 {
                    let written = { file }.write(&data).expect("it is written");
                    assert_eq!(written, data.len());
                }
            });
        }
    });
    let records = mount.device.take_written();
    assert_eq!(records.len(), 15);
    for record in records {
        let number = record[0];
        assert_eq!(record.len(), 3 * MIB + usize::from(number));
        assert!(
            record.iter().all(|byte| *byte == number),
            "one writer's data"
        );
    }
}
