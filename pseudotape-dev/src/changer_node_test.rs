//! PT-13. A changer's node in process: the kernel's rounds of SG_IO, and the requests of the `ch` driver.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pseudotape_changer::{
    Address, BayFailure, Bays, Cartridge, Changer, Design, DriveIdentity, DriveUse, Layout,
    Library, MemoryHost, Robot, Step,
};
use pseudotape_chardev::{Caller, CharDevice, Errno, Handle, IoctlRequest, Opened, WordSize};

use crate::caller_test::{Program, header, with_data};
use crate::changer_node::ChangerNode;
use pseudotape_rack::{ByHand, LendsChanger};

const FILE: Handle = Handle(1);

/// Drives that are a list.
#[derive(Default)]
struct List(BTreeMap<u16, String>);

impl Bays for List {
    fn load(&mut self, drive: u16, cartridge: &Cartridge) -> Result<(), BayFailure> {
        self.0.insert(drive, cartridge.barcode.to_string());
        Ok(())
    }

    fn unload(&mut self, drive: u16, _force: bool) -> Result<(), BayFailure> {
        self.0.remove(&drive);
        Ok(())
    }

    fn await_close(&mut self, _drive: u16) {}

    fn usage(&mut self, _drive: u16) -> DriveUse {
        DriveUse::default()
    }

    fn identity(&mut self, drive: u16) -> Option<DriveIdentity> {
        Some(DriveIdentity {
            vendor: "PSEUDO".into(),
            product: "TAPE".into(),
            serial: format!("D{drive}"),
        })
    }

    fn take_time(&mut self, _step: Step) {}
}

struct Cabinet {
    robot: Mutex<Robot<MemoryHost, List>>,
    by_hand: Mutex<ByHand>,
}

impl LendsChanger for Cabinet {
    fn lend(&self, act: &mut dyn FnMut(&mut dyn Changer)) {
        act(&mut *self.robot.lock().unwrap());
    }

    fn by_hand(&self) -> ByHand {
        *self.by_hand.lock().unwrap()
    }
}

/// Two drives (257, 258), an import/export slot (769), 20 slots (1025 and on), three of them full.
fn node() -> ChangerNode {
    served().0
}

/// The same, and its owner.
fn served() -> (ChangerNode, Arc<Cabinet>) {
    let design = Design {
        name: "test".into(),
        serial: "PTL0000001".into(),
        layout: Layout::usual(2, 1, 20).unwrap(),
        barcodes: "PT####L5".into(),
        capacity_bytes: None,
    };
    let mut library = Library::create(MemoryHost::default(), design).unwrap();
    for number in 1..4_u16 {
        let barcode = format!("PT{number:04}L5");
        let cartridge = Cartridge {
            barcode: barcode.parse().unwrap(),
            volume: barcode,
        };
        library.put(Address(1024 + number), cartridge).unwrap();
    }
    let (robot, refusals) = Robot::start(library, List::default());
    assert_eq!(refusals, []);
    let cabinet = Arc::new(Cabinet {
        robot: Mutex::new(robot),
        by_hand: Mutex::default(),
    });
    let node = ChangerNode::new("pmch0".into(), 0, cabinet.clone());
    (node, cabinet)
}

fn both() -> [Program; 2] {
    [
        Program::new(WordSize::Bits64),
        Program::new(WordSize::Bits32),
    ]
}

fn number(program: &Program, at: u64) -> u32 {
    u32::from_le_bytes(*program.at(at, 4).first_chunk().unwrap())
}

#[test]
fn what_mtx_asks_before_its_first_command_is_answered() {
    let node = node();
    let mut program = Program::new(WordSize::Bits64);
    let at = program.put(&[0; 64]);
    let mut ask = |command| program.ioctl(&node, FILE, command, at);
    assert_eq!(ask(0x2282), Ok(0));
    assert_eq!(ask(0x5386), Ok(0));
    assert_eq!(ask(0x5382), Ok(0));
    assert_eq!(ask(0x2276), Ok(0));
    assert_eq!(number(&program, at + 16), 8, "a media changer");
    assert_eq!(program.ioctl(&node, FILE, 0x2282, at), Ok(0));
    assert!(number(&program, at) >= 30_000);
    program.memory[..4].copy_from_slice(&500_u32.to_le_bytes());
    assert_eq!(program.ioctl(&node, FILE, 0x2201, at), Ok(0));
    assert_eq!(program.ioctl(&node, FILE, 0x2202, 0), Ok(500));
    assert_eq!(program.ioctl(&node, FILE, 0x2203, at), Ok(0));
    assert_eq!(program.ioctl(&node, FILE, 0x2272, at), Ok(0));
    assert!(number(&program, at) >= 64 << 10);
    let unknown = program.ioctl(&node, FILE, 0x1234, at);
    assert_eq!(unknown, Err(Errno(libc::ENOTTY)));
}

#[test]
fn a_command_takes_three_rounds_and_its_data_are_as_long_as_they_are() {
    for mut program in both() {
        let node = node();
        let sent = program
            .send(&node, FILE, &[0x12, 0, 0, 0, 36, 0], 96)
            .unwrap();
        assert_eq!(program.rounds, 3);
        assert_eq!(
            (sent.status, sent.driver_status, sent.data.len()),
            (0, 0, 36)
        );
        assert_eq!(sent.data[0], 8);
        assert_eq!(sent.behind, [0xee; 60], "nothing is stored behind the data");
    }
}

#[test]
fn a_refusal_has_its_sense_and_leaves_the_data_alone() {
    for mut program in both() {
        let node = node();
        let sent = program.send(&node, FILE, &[0xaa; 12], 16).unwrap();
        assert_eq!((sent.status, sent.driver_status), (2, 8));
        assert_eq!(sent.reason(), [5, 0x20, 0]);
        assert_eq!(sent.behind, [0xee; 16]);
        // From a slot without a cartridge.
        let load = [0xa5, 0, 0, 1, 4, 4, 1, 1, 0, 0, 0, 0];
        let sent = program.send(&node, FILE, &load, 0).unwrap();
        assert_eq!(sent.reason(), [5, 0x3b, 0x0e]);
    }
}

#[test]
fn a_move_by_one_program_is_seen_by_the_other() {
    let node = node();
    let [mut one, mut other] = both();
    let load = [0xa5, 0, 0, 1, 4, 1, 1, 1, 0, 0, 0, 0];
    assert_eq!(one.send(&node, FILE, &load, 0).unwrap().status, 0);
    let ask = [0xb8, 0x14, 1, 1, 0, 1, 0, 0, 4, 0, 0, 0];
    let sent = other.send(&node, FILE, &ask, 1024).unwrap();
    let report = pseudotape_scsi::decode_element_status(&sent.data).unwrap();
    let drive = &report.elements[0];
    assert_eq!((drive.address, drive.source), (257, Some(1025)));
    assert_eq!(drive.volume_tag.as_deref(), Some("PT0001L5"));
}

#[test]
fn what_sg_refuses_is_refused() {
    let node = node();
    let mut program = Program::new(WordSize::Bits64);
    let good = header(WordSize::Bits64, -1, 6, 0x1000, 0, 0);
    let mut refused = |at: usize, byte: u8| {
        let mut header = good.clone();
        header[at] = byte;
        program.put(&[0; 16]);
        let at = program.put(&header);
        program.ioctl(&node, FILE, 0x2285, at)
    };
    assert_eq!(
        refused(0, b'Q'),
        Err(Errno::ENOSYS),
        "no interface of version 3"
    );
    assert_eq!(
        refused(8, 5),
        Err(Errno(libc::EMSGSIZE)),
        "a CDB of 5 bytes"
    );
    assert_eq!(refused(8, 33), Err(Errno(libc::EMSGSIZE)));
    assert_eq!(refused(4, 0xf0), Err(Errno::EINVAL), "no direction");
    assert_eq!(refused(11, 5), Err(Errno::EINVAL), "1280 pieces of memory");
    assert_eq!(refused(44, 4), Err(Errno::EINVAL), "mapped memory");
    assert_eq!(refused(9, 0), Ok(0));
}

#[test]
fn a_header_that_changed_between_the_rounds_is_refused() {
    let node = node();
    let to_device = header(WordSize::Bits64, -2, 6, 0x1000, 0, 0);
    let to_device = with_data(to_device, WordSize::Bits64, 100, 0x2000);
    // Header and CDB came, and the data did not.
    let mut input = to_device;
    input.extend_from_slice(&[0; 6]);
    for length in [0, 40, 88, 93, 94] {
        let request = IoctlRequest {
            command: 0x2285,
            argument: 0x1000,
            input: &input[..length],
            caller: Default::default(),
            word_size: WordSize::Bits64,
        };
        let result = node.ioctl(FILE, request, &mut Vec::new());
        assert_eq!(result, Err(Errno::EINVAL), "{length} bytes");
    }
}

/// A header whose data are in these pieces, for `room` bytes.
fn in_pieces(program: &mut Program, cdb: &[u8], room: u32, pieces: &[(u64, u32)]) -> u64 {
    let (cdb_at, sense_at) = (program.put(cdb), program.put(&[0xee; 32]));
    let width = if program.word_size == WordSize::Bits64 {
        8
    } else {
        4
    };
    let list: Vec<u8> = pieces
        .iter()
        .flat_map(|(address, length)| {
            let number = |value: u64| value.to_le_bytes()[..width].to_vec();
            [number(*address), number((*length).into())].concat()
        })
        .collect();
    let list_at = program.put(&list);
    let header = header(program.word_size, -3, cdb.len(), cdb_at, 32, sense_at);
    let mut header = with_data(header, program.word_size, room, list_at);
    header[10] = u8::try_from(pieces.len()).unwrap();
    program.put(&header)
}

#[test]
fn data_that_lie_in_pieces_of_memory_come_piece_by_piece() {
    for mut program in both() {
        let node = node();
        let one = program.put(&[0xee; 16]);
        let other = program.put(&[0xee; 16]);
        let third = program.put(&[0xee; 80]);
        let inquiry = [0x12, 0, 0, 0, 96, 0];
        // 74 bytes of data: the first piece lies behind the second, one is empty, the last is longer than what is left.
        let pieces = [(other, 5), (one, 0), (one, 7), (third, 80)];
        let at = in_pieces(&mut program, &inquiry, 90, &pieces);
        assert_eq!(program.ioctl(&node, FILE, 0x2285, at), Ok(0));
        assert_eq!(program.rounds, 4, "the list is fetched before the data");
        let whole = Program::new(program.word_size);
        let whole = { whole }.send(&node, FILE, &inquiry, 96).unwrap().data;
        assert_eq!(whole.len(), 74);
        assert_eq!(program.at(other, 5), &whole[..5]);
        assert_eq!(program.at(other + 5, 11), [0xee; 11]);
        assert_eq!(program.at(one, 7), &whole[5..12]);
        assert_eq!(program.at(one + 7, 9), [0xee; 9]);
        assert_eq!(program.at(third, 62), &whole[12..]);
        assert_eq!(program.at(third + 62, 18), [0xee; 18]);
        let residual = if program.word_size == WordSize::Bits64 {
            72
        } else {
            52
        };
        assert_eq!(number(&program, at + residual), 90 - 74);
        // Shorter pieces than the data: the shorter one counts.
        let at = in_pieces(&mut program, &inquiry, 96, &[(one, 8), (other, 8)]);
        assert_eq!(program.ioctl(&node, FILE, 0x2285, at), Ok(0));
        assert_eq!(program.at(other, 8), &whole[8..16]);
        let at = in_pieces(&mut program, &inquiry, 96, &[(one, 0)]);
        assert_eq!(program.ioctl(&node, FILE, 0x2285, at), Err(Errno::EINVAL));
        // A command without data does not look at its list.
        let at = in_pieces(&mut program, &[0; 6], 0, &[(0, 7)]);
        assert_eq!(program.ioctl(&node, FILE, 0x2285, at), Ok(0));
    }
}

fn open(node: &ChangerNode) -> Handle {
    match node.open(0, Caller::default()) {
        Ok(Opened::Open(handle)) => handle,
        other => panic!("it does not open: {other:?}"),
    }
}

#[test]
fn what_an_operator_does_is_news_to_each_program_that_has_the_node_open() {
    let (node, cabinet) = served();
    let (one, other) = (open(&node), open(&node));
    let mut program = Program::new(WordSize::Bits64);
    let mut ready = |handle| program.send(&node, handle, &[0; 6], 0).unwrap();
    assert_eq!(ready(one).status, 0);
    cabinet.by_hand.lock().unwrap().import_export += 1;
    let late = open(&node);
    assert_eq!(ready(one).reason(), [6, 0x28, 1]);
    assert_eq!(ready(one).status, 0);
    assert_eq!(ready(late).status, 0, "what was before it is no news to it");
    cabinet.by_hand.lock().unwrap().slots += 3;
    assert_eq!(ready(other).reason(), [6, 0x28, 1]);
    assert_eq!(ready(other).reason(), [6, 0x28, 0]);
    assert_eq!(ready(other).status, 0);
    // The requests of `ch` hear it themselves.
    let mut caller = Program::new(WordSize::Bits64);
    let parameters = caller.put(&[0; 20]);
    assert_eq!(caller.ioctl(&node, one, 0x8014_6306, parameters), Ok(0));
    for handle in [one, other, late] {
        node.close(handle).unwrap();
    }
}

#[test]
fn a_reset_is_for_root_and_is_told_to_each_program() {
    let node = node();
    let (one, other) = (open(&node), open(&node));
    let mut program = Program::new(WordSize::Bits64);
    let mut reset = |uid, value: i32| {
        program.caller.uid = uid;
        let at = program.put(&value.to_le_bytes());
        program.ioctl(&node, one, 0x2284, at)
    };
    assert_eq!(reset(1000, 1), Err(Errno(libc::EACCES)));
    assert_eq!(reset(0, 7), Err(Errno::EIO));
    assert_eq!(reset(0, 0), Ok(0), "of nothing");
    let mut program = Program::new(WordSize::Bits64);
    let mut ready = |handle| program.send(&node, handle, &[0; 6], 0).unwrap();
    assert_eq!(ready(other).status, 0);
    let mut caller = Program::new(WordSize::Bits64);
    let at = caller.put(&0x101_i32.to_le_bytes());
    assert_eq!(caller.ioctl(&node, one, 0x2284, at), Ok(0));
    for handle in [one, other] {
        assert_eq!(ready(handle).reason(), [6, 0x29, 0]);
        assert_eq!(ready(handle).status, 0);
    }
}

fn structure(numbers: &[i32]) -> Vec<u8> {
    let numbers = numbers.iter();
    numbers.flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn the_requests_of_the_ch_driver_move_and_tell() {
    let node = node();
    let mut program = Program::new(WordSize::Bits64);
    let parameters = program.put(&[0; 20]);
    assert_eq!(program.ioctl(&node, FILE, 0x8014_6306, parameters), Ok(0));
    let counts: Vec<u32> = (0..5)
        .map(|n| number(&program, parameters + n * 4))
        .collect();
    assert_eq!(counts, [0, 1, 20, 1, 2]);
    // CHIOMOVE: slot 0 to drive 1.
    let go = program.put(&structure(&[1, 0, 3, 1, 0]));
    assert_eq!(program.ioctl(&node, FILE, 0x4014_6301, go), Ok(0));
    let empty = program.ioctl(&node, FILE, 0x4014_6301, go);
    assert_eq!(empty, Err(Errno(libc::EBADE)));
    let full = program.put(&structure(&[1, 1, 3, 1, 0]));
    let full = program.ioctl(&node, FILE, 0x4014_6301, full);
    assert_eq!(full, Err(Errno(libc::EXFULL)));
    let nowhere = program.put(&structure(&[1, 20, 3, 0, 0]));
    let nowhere = program.ioctl(&node, FILE, 0x4014_6301, nowhere);
    assert_eq!(nowhere, Err(Errno(libc::EBADSLT)));
    // CHIOGELEM of drive 1.
    let mut element = structure(&[3, 1]);
    element.resize(108, 0);
    let element = program.put(&element);
    assert_eq!(program.ioctl(&node, FILE, 0x406c_6310, element), Ok(0));
    assert_eq!(number(&program, element + 8) & 1, 1, "full");
    assert_eq!(number(&program, element + 16), 1, "it came from a slot");
    assert_eq!(program.at(element + 32, 9), b"PT0001L5\0");
    assert_eq!(number(&program, element + 104), 0x14);
    // CHIOGSTATUS of the slots.
    let states = program.put(&[0xee; 21]);
    let mut ask = structure(&[1, 0]);
    ask.extend_from_slice(&states.to_le_bytes());
    let ask = program.put(&ask);
    assert_eq!(program.ioctl(&node, FILE, 0x4010_6308, ask), Ok(0));
    let full: Vec<u8> = program.at(states, 21).iter().map(|s| s & 1).collect();
    assert_eq!(full[..4], [0, 1, 1, 0]);
    assert_eq!(program.at(states, 21)[20], 0xee, "one byte for each slot");
    // CHIOEXCHANGE: slot 1 to drive 1, and what was there to slot 0. CHIOPOSITION, CHIOINITELEM.
    let exchange = program.put(&structure(&[1, 1, 3, 1, 1, 0, 0]));
    assert_eq!(program.ioctl(&node, FILE, 0x401c_6302, exchange), Ok(0));
    let position = program.put(&structure(&[1, 3, 0]));
    assert_eq!(program.ioctl(&node, FILE, 0x400c_6303, position), Ok(0));
    assert_eq!(program.ioctl(&node, FILE, 0x6311, 0), Ok(0));
    assert_eq!(program.ioctl(&node, FILE, 0x406c_6310, element), Ok(0));
    assert_eq!(program.at(element + 32, 9), b"PT0002L5\0");
}

#[test]
fn the_pointer_of_a_32_bit_program_is_where_it_says() {
    let node = node();
    let mut program = Program::new(WordSize::Bits32);
    let states = program.put(&[0xee; 2]);
    let ask = structure(&[3, i32::try_from(states).unwrap()]);
    let ask = program.put(&ask);
    assert_eq!(program.ioctl(&node, FILE, 0x4008_6308, ask), Ok(0));
    assert_eq!(program.at(states, 2), [8, 8]);
}
