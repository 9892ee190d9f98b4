//! The ring against a kernel in memory: what it puts in comes out, in order, and is answered.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::layout::COMMAND_BYTES as LEAST;

const MEMORY: usize = 64 * 1024;
const RING_AT: u32 = 128;
const RING: u32 = 2048;
const DATA_AT: usize = (RING_AT + RING) as usize;

/// What the kernel's side keeps of a command.
struct Waiting {
    place: u32,
    length: u32,
    segments: Vec<Range<usize>>,
}

/// The kernel's side, as `drivers/target/target_core_user.c` does it.
struct Kernel {
    memory: Arc<Memory>,
    head: u32,
    /// Behind what it has seen answered.
    seen: u32,
    waiting: VecDeque<Waiting>,
    next_id: u16,
    next_data: usize,
}

/// What it is answered.
#[derive(Debug, PartialEq, Eq)]
struct Answered {
    status: u8,
    read: Option<u32>,
    sense: [u8; 18],
    /// The first bytes of each segment.
    data: Vec<u8>,
}

impl Kernel {
    fn new() -> Kernel {
        let memory = Arc::new(Memory::new(MEMORY).unwrap());
        memory.set_u32(mailbox::VERSION, 0x000f_0002).unwrap();
        memory.set_u32(mailbox::RING_AT, RING_AT).unwrap();
        memory.set_u32(mailbox::RING_BYTES, RING).unwrap();
        Kernel {
            memory,
            head: 0,
            seen: 0,
            waiting: VecDeque::new(),
            next_id: 1,
            next_data: 0,
        }
    }

    fn ring(&self) -> Ring {
        Ring::new(Arc::clone(&self.memory)).unwrap()
    }

    fn put(&self, at: u32, value: u32) {
        self.memory.set_u32((RING_AT + at) as usize, value).unwrap();
    }

    fn put_long(&self, at: u32, value: u64) {
        let place = (RING_AT + at) as usize;
        self.memory.copy_in(place, &value.to_le_bytes()).unwrap();
    }

    fn move_head(&mut self, by: u32) {
        self.head = (self.head + by) % RING;
        self.memory.release_u32(mailbox::HEAD, self.head).unwrap();
    }

    /// Room for an entry of this length at the head: padding to the end of the ring where it does not fit before it.
    /// `false`: the ring is full.
    fn make_room(&mut self, length: u32) -> bool {
        let room = |head: u32, tail: u32| {
            if head >= tail {
                RING - head + tail
            } else {
                tail - head
            }
        };
        let to_end = RING - self.head;
        let need = if to_end < length {
            to_end + length
        } else {
            length
        };
        // A full ring would look like an empty one.
        if room(self.head, self.seen) < need + ENTRY_ALIGNMENT {
            return false;
        }
        if to_end < length {
            self.put(self.head, to_end | KIND_PADDING);
            self.put(self.head + 4, 0);
            self.move_head(to_end);
        }
        true
    }

    /// Posts a command whose data are in pieces of these lengths; its number, `None` where there is no room.
    fn command(&mut self, cdb: &[u8], pieces: &[usize]) -> Option<u16> {
        let list = 48 + 16 * pieces.len() as u32;
        let base = list.max(LEAST);
        let length = (base + cdb.len() as u32).next_multiple_of(ENTRY_ALIGNMENT);
        if !self.make_room(length) {
            return None;
        }
        let (at, id) = (self.head, self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.put(at, length | KIND_COMMAND);
        self.put(at + 4, id.into());
        self.put(at + 8, pieces.len() as u32);
        self.put(at + 12, 0);
        self.put(at + 16, 0);
        self.put_long(at + 24, (RING_AT + at + base).into());
        let mut segments = Vec::new();
        for (number, bytes) in (0..).zip(pieces) {
            // A gap between the pieces, so that they can't be taken for one.
            let room = MEMORY - DATA_AT - bytes - 3;
            let start = DATA_AT
                + if self.next_data > room {
                    0
                } else {
                    self.next_data
                };
            self.next_data = start - DATA_AT + bytes + 3;
            self.put_long(at + 48 + 16 * number, start as u64);
            self.put_long(at + 56 + 16 * number, *bytes as u64);
            segments.push(start..start + bytes);
        }
        self.memory
            .copy_in((RING_AT + at + base) as usize, cdb)
            .unwrap();
        self.waiting.push_back(Waiting {
            place: at,
            length,
            segments,
        });
        self.move_head(length);
        Some(id)
    }

    fn task(&mut self, function: u8, ids: &[u16]) -> bool {
        let length = (32 + 2 * ids.len() as u32).next_multiple_of(ENTRY_ALIGNMENT);
        if !self.make_room(length) {
            return false;
        }
        let at = self.head;
        self.put(at, length | KIND_TASK);
        self.put(at + 4, 0);
        self.put(at + 8, function.into());
        self.put(at + 12, ids.len() as u32);
        for (number, id) in ids.iter().enumerate() {
            let place = (RING_AT + at) as usize + 32 + 2 * number;
            self.memory.copy_in(place, &id.to_le_bytes()).unwrap();
        }
        self.move_head(length);
        true
    }

    fn fill(&self, segments: &[Range<usize>], byte: u8) {
        for segment in segments {
            let bytes = vec![byte; segment.len()];
            self.memory.copy_in(segment.start, &bytes).unwrap();
        }
    }

    /// Takes the answers up to the tail.
    fn answers(&mut self) -> Vec<Answered> {
        let tail = self.memory.acquire_u32(mailbox::TAIL).unwrap();
        let mut all = Vec::new();
        while self.seen != tail {
            let place = (RING_AT + self.seen) as usize;
            let word = self.memory.get_u32(place).unwrap();
            if word & KIND_MASK == KIND_COMMAND {
                let waiting = self.waiting.pop_front().unwrap();
                assert_eq!(
                    (waiting.place, waiting.length),
                    (self.seen, word & !KIND_MASK)
                );
                let flags = self.memory.get_u8(place + 7).unwrap();
                let read =
                    (flags & HAS_READ_LEN != 0).then(|| self.memory.get_u32(place + 12).unwrap());
                let mut sense = [0; 18];
                self.memory.copy_out(place + 16, &mut sense).unwrap();
                let first = |segment: &Range<usize>| self.memory.get_u8(segment.start).unwrap();
                let segments = waiting
                    .segments
                    .iter()
                    .filter(|segment| !segment.is_empty());
                all.push(Answered {
                    status: self.memory.get_u8(place + 8).unwrap(),
                    read,
                    sense,
                    data: segments.map(first).collect(),
                });
            }
            self.seen = (self.seen + (word & !KIND_MASK)) % RING;
        }
        all
    }
}

fn next_command(ring: &mut Ring) -> Command {
    match ring.take().unwrap() {
        Some(Entry::Command(command)) => command,
        other => panic!("no command, but {other:?}"),
    }
}

fn good(read_bytes: Option<u32>) -> Outcome<'static> {
    Outcome {
        status: 0,
        sense: &[],
        read_bytes,
    }
}

#[test]
fn a_command_comes_with_its_data_and_is_answered() {
    let mut kernel = Kernel::new();
    let mut ring = kernel.ring();
    assert_eq!(ring.take(), Ok(None));
    let id = kernel.command(&[0x0a, 0, 0, 0, 9, 0], &[4, 0, 5]).unwrap();
    kernel.fill(&kernel.waiting[0].segments.clone(), 0x5a);
    let command = next_command(&mut ring);
    assert_eq!((command.id(), command.place()), (id, 0));
    assert!(command.cdb().starts_with(&[0x0a, 0, 0, 0, 9, 0]));
    assert_eq!(command.data_bytes(), 9);
    ring.with_data(&command, Way::Out, |data| assert_eq!(data, [0x5a; 9]));
    ring.answer(command, good(None));
    assert_eq!(ring.take(), Ok(None));
    let answers = kernel.answers();
    assert_eq!(answers.len(), 1);
    assert_eq!((answers[0].status, answers[0].read), (0, None));
}

/// A tape's short block: data and sense, and how much of the data is data.
#[test]
fn a_short_read_has_data_and_sense() {
    let mut kernel = Kernel::new();
    let mut ring = kernel.ring();
    kernel.command(&[0x08, 0, 0, 0, 9, 0], &[4, 5]).unwrap();
    let command = next_command(&mut ring);
    ring.with_data(&command, Way::In, |data| data.copy_from_slice(b"abcdefghi"));
    let outcome = Outcome {
        status: CHECK_CONDITION,
        sense: &INTERNAL_FAILURE,
        read_bytes: Some(6),
    };
    ring.answer(command, outcome);
    let answer = kernel.answers().remove(0);
    assert_eq!((answer.status, answer.read), (CHECK_CONDITION, Some(6)));
    assert_eq!(answer.sense, INTERNAL_FAILURE);
    assert_eq!(answer.data, b"ae");
}

/// The kernel takes a length of 0 for none, and gives the initiator all that lies there.
#[test]
fn a_read_of_nothing_leaves_nothing_of_others_behind() {
    let mut kernel = Kernel::new();
    let mut ring = kernel.ring();
    kernel.command(&[0x12, 0, 0, 0, 9, 0], &[4, 5]).unwrap();
    kernel.fill(&kernel.waiting[0].segments.clone(), 0x5a);
    let command = next_command(&mut ring);
    ring.answer(command, good(Some(0)));
    assert_eq!(kernel.answers()[0].data, [0, 0]);
}

#[test]
fn what_a_killed_process_left_comes_again() {
    let mut kernel = Kernel::new();
    let mut ring = kernel.ring();
    kernel.command(&[1; 6], &[]).unwrap();
    let done = next_command(&mut ring);
    ring.answer(done, good(None));
    let left = kernel.command(&[2; 10], &[8]).unwrap();
    assert_eq!(next_command(&mut ring).id(), left);
    drop(ring);
    let mut ring = kernel.ring();
    let again = next_command(&mut ring);
    assert_eq!(again.id(), left);
    assert_eq!(next_command(&mut ring), again, "until it is answered");
    ring.answer(again, good(None));
    assert_eq!(ring.take(), Ok(None));
    assert_eq!(kernel.answers().len(), 2);
}

#[test]
fn an_aborted_command_is_not_begun() {
    let mut kernel = Kernel::new();
    let mut ring = kernel.ring();
    let first = kernel.command(&[1; 6], &[]).unwrap();
    let aborted = kernel.command(&[2; 6], &[]).unwrap();
    let third = kernel.command(&[3; 6], &[]).unwrap();
    assert!(kernel.task(Task::ABORT_TASK, &[aborted]));
    let command = next_command(&mut ring);
    assert_eq!(command.id(), first);
    ring.answer(command, good(None));
    let command = next_command(&mut ring);
    assert_eq!(command.id(), third);
    ring.answer(command, good(None));
    let task = Task {
        function: Task::ABORT_TASK,
        ended: 1,
    };
    assert!(!task.is_reset());
    assert_eq!(ring.take(), Ok(Some(Entry::Task(task))));
    assert_eq!(ring.take(), Ok(None));
    let statuses: Vec<u8> = kernel.answers().iter().map(|a| a.status).collect();
    assert_eq!(statuses, [0, TASK_ABORTED, 0]);
}

#[test]
fn an_entry_of_a_later_kernel_is_flagged_and_left_out() {
    let mut kernel = Kernel::new();
    let mut ring = kernel.ring();
    assert!(kernel.make_room(16));
    kernel.put(0, 16 | 5);
    kernel.move_head(16);
    assert_eq!(ring.take(), Ok(None));
    assert_eq!(
        kernel.memory.get_u8(RING_AT as usize + 7),
        Some(UNKNOWN_KIND)
    );
    assert!(kernel.answers().is_empty());
    assert_eq!(kernel.seen, 16);
}

/// One word of the mailbox is wrong.
#[test]
fn a_mailbox_that_is_wrong_is_refused() {
    let with = |at: usize, value: u32| {
        let kernel = Kernel::new();
        kernel.memory.set_u32(at, value).unwrap();
        Ring::new(Arc::clone(&kernel.memory)).map(|_| ())
    };
    assert_eq!(
        with(mailbox::VERSION, 0x000f_0001),
        Err(RingError::Version(1))
    );
    assert_eq!(
        with(mailbox::VERSION, 0x000d_0002),
        Err(RingError::NoShortReads)
    );
    for at in [0, 64, 132, MEMORY as u32, u32::MAX - 7] {
        let error = with(mailbox::RING_AT, at).unwrap_err();
        assert!(matches!(error, RingError::Place { .. }), "{at}: {error}");
    }
    for bytes in [0, 4, MEMORY as u32, u32::MAX - 7] {
        let error = with(mailbox::RING_BYTES, bytes).unwrap_err();
        assert!(matches!(error, RingError::Place { .. }), "{bytes}: {error}");
    }
    for tail in [4, RING, u32::MAX] {
        let error = with(mailbox::TAIL, tail).unwrap_err();
        assert!(
            matches!(error, RingError::Position { .. }),
            "{tail}: {error}"
        );
    }
    let memory = Arc::new(Memory::new(64).unwrap());
    let error = Ring::new(memory).unwrap_err();
    assert!(matches!(error, RingError::Place { .. }), "{error}");
}

#[test]
fn a_head_or_a_length_that_is_wrong_ends_the_ring() {
    for head in [4, RING, u32::MAX] {
        let kernel = Kernel::new();
        kernel.memory.set_u32(mailbox::HEAD, head).unwrap();
        let error = kernel.ring().take().unwrap_err();
        assert!(
            matches!(error, RingError::Position { .. }),
            "{head}: {error}"
        );
    }
    for length in [0, 8, 104, 128, RING, !7] {
        let mut kernel = Kernel::new();
        let mut ring = kernel.ring();
        kernel.command(&[1; 6], &[]).unwrap();
        kernel.put(0, length | KIND_COMMAND);
        let error = ring.take().unwrap_err();
        assert!(
            matches!(error, RingError::Length { .. }),
            "{length}: {error}"
        );
        assert_eq!(ring.take(), Err(error));
    }
}

/// Each number of a command's entry, with values that lead out of where it may be.
#[test]
fn a_command_whose_parts_are_elsewhere_is_refused_and_the_next_one_is_served() {
    let memory = MEMORY as u64;
    let wrong: [(u32, u64); 17] = [
        // How many pieces there are; more than the entry has room for.
        (8, 5),
        (8, 0xffff_ffff),
        (12, 0xffff_ffff),
        // Where the CDB is: in the list, before the entry, behind it, nowhere.
        (24, (RING_AT + 48).into()),
        (24, 0),
        (24, (RING_AT + 8).into()),
        (24, (RING_AT + 200).into()),
        (24, memory),
        (24, u64::MAX),
        // Where the data are: the mailbox, the ring, over the end of the memory, nowhere.
        (48, 0),
        (48, (RING_AT + RING - 8).into()),
        (48, memory - 8),
        (48, u64::MAX - 4),
        // How long they are.
        (56, memory),
        (56, u64::MAX),
        (56, u64::MAX - DATA_AT as u64),
        (64, DATA_AT as u64 - 1),
    ];
    for (at, value) in wrong {
        let mut kernel = Kernel::new();
        let mut ring = kernel.ring();
        kernel.command(&[0x0a; 6], &[16, 16]).unwrap();
        match u32::try_from(value) {
            Ok(short) if at < 24 => kernel.put(at, short),
            _ => kernel.put_long(at, value),
        }
        let behind = kernel.command(&[0; 6], &[]).unwrap();
        let command = next_command(&mut ring);
        assert_eq!(command.id(), behind, "{value:#x} at {at}");
        ring.answer(command, good(None));
        let answers = kernel.answers();
        assert_eq!(answers.len(), 2, "{value:#x} at {at}");
        assert_eq!(answers[0].status, CHECK_CONDITION);
        assert_eq!(answers[0].sense, INTERNAL_FAILURE);
    }
}

/// Data in both directions: no tape's command has them, and its own direction is served.
#[test]
fn data_that_go_back_are_left_alone() {
    let mut kernel = Kernel::new();
    let mut ring = kernel.ring();
    kernel.command(&[0x0a; 6], &[16, 16]).unwrap();
    kernel.put(8, 1);
    kernel.put(12, 1);
    let command = next_command(&mut ring);
    assert_eq!(command.data_bytes(), 16);
}

proptest! {
    /// Wrapped entries, padding, data in any pieces: what goes in comes out in its order, with its bytes, and each
    /// answer reaches its own command.
    #[test]
    fn any_legal_sequence_is_served_in_order(
        steps in prop::collection::vec(
            (0_u8..4, prop::collection::vec(0_usize..700, 0..5), 6_usize..17, any::<bool>()),
            1..120,
        )
    ) {
        let mut kernel = Kernel::new();
        let mut ring = kernel.ring();
        let mut expected = VecDeque::new();
        let mut expected_answers = VecDeque::new();
        for (kind, pieces, cdb_bytes, starts_anew) in steps {
            if kind < 3 {
                let number = expected.len() as u8;
                let cdb = vec![number; cdb_bytes];
                if let Some(id) = kernel.command(&cdb, &pieces) {
                    let waiting = kernel.waiting.back().unwrap();
                    kernel.fill(&waiting.segments, id as u8);
                    expected.push_back((id, cdb, pieces.iter().sum::<usize>()));
                    continue;
                }
            }
            if starts_anew {
                ring = kernel.ring();
            }
            while let Some((id, cdb, bytes)) = expected.pop_front() {
                let command = next_command(&mut ring);
                prop_assert_eq!(command.id(), id);
                prop_assert!(command.cdb().starts_with(&cdb));
                prop_assert_eq!(command.data_bytes(), bytes);
                let as_sent = ring.with_data(&command, Way::Out, |data| {
                    data.len() == bytes && data.iter().all(|byte| *byte == id as u8)
                });
                prop_assert!(as_sent);
                ring.with_data(&command, Way::In, |data| data.fill(!(id as u8)));
                let status = (id % 3) as u8;
                ring.answer(command, Outcome { status, sense: &[], read_bytes: Some(bytes as u32) });
                expected_answers.push_back((status, bytes as u32, !(id as u8)));
            }
            prop_assert_eq!(ring.take(), Ok(None));
            for answer in kernel.answers() {
                let (status, bytes, filled) = expected_answers.pop_front().unwrap();
                prop_assert_eq!((answer.status, answer.read), (status, Some(bytes)));
                prop_assert!(answer.data.iter().all(|byte| *byte == filled));
            }
            prop_assert!(expected_answers.is_empty());
        }
    }
}
