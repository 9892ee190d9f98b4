//! The tables of docs/SCSI.md are what the code answers.

mod common;

use std::collections::BTreeSet;

use common::{Rig, Told, told};
use pseudotape_scsi::{SenseKey, operations, tape_sense};
use pseudotape_tape::Sense;
use pseudotape_testkit::{ModelCartridge, ModelObject, block_of};

/// The cells of the rows of the table with this head.
fn table(head: &str) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/SCSI.md");
    let text = std::fs::read_to_string(path).expect("the document is there");
    let rows = text.lines().skip_while(|line| !line.starts_with(head));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| -> Vec<String> {
        let inner = row.trim_matches('|').split('|');
        inner.map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "{head}");
    rows
}

fn code((code, qualifier): (u8, u8)) -> String {
    format!("{code:02X}h/{qualifier:02X}h")
}

#[test]
fn the_commands_of_the_table_are_those_that_are_taken() {
    let rows = table("| command | code | what is honoured |");
    let documented: BTreeSet<u8> = rows
        .iter()
        .flat_map(|cells| cells[1].split_whitespace())
        .map(|code| u8::from_str_radix(code.trim_end_matches('h'), 16).expect("a code"))
        .collect();
    let taken: BTreeSet<u8> = operations()
        .iter()
        .map(|operation| operation.code)
        .collect();
    assert_eq!(documented, taken);
}

/// A drive behind the first of three blocks.
fn behind_the_first_block() -> Rig {
    let blocks = [100, 200, 300].map(|length| ModelObject::Block(block_of(1, length)));
    let cartridge = ModelCartridge {
        partitions: vec![blocks.into()],
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("generic", cartridge);
    rig.does(&[0x11, 0, 0, 0, 1, 0]);
    rig
}

#[test]
fn each_command_that_is_refused_has_the_sense_of_its_row() {
    for cells in table("| command | why |") {
        let cdb: Vec<u8> = cells[0]
            .trim_matches('`')
            .split(' ')
            .map(|byte| u8::from_str_radix(byte, 16).expect("a byte"))
            .collect();
        let mut rig = behind_the_first_block();
        let Told { key, reason, .. } = rig.tells(&cdb, &mut [0; 4096]);
        let answered = (SenseKey::from_bits(key).to_string(), code(reason));
        assert_eq!(
            answered,
            (cells[2].clone(), cells[3].clone()),
            "{}",
            cells[1]
        );
        assert_eq!(rig.object(), 1, "{}", cells[1]);
    }
}

#[test]
fn each_reason_of_a_drive_has_the_sense_of_its_row() {
    let all = [
        Sense::NoDrive,
        Sense::NoMedium,
        Sense::NotReady,
        Sense::MediumChanged,
        Sense::Reset,
        Sense::WriteProtected,
        Sense::WormOverwrite,
        Sense::MediumError,
        Sense::HardwareError,
        Sense::IllegalRequest,
    ];
    let answered = all.map(|reason| {
        let sense = tape_sense(reason);
        let numbers = (sense.reason.code, sense.reason.qualifier);
        vec![
            format!("`{reason:?}`"),
            sense.key.to_string(),
            code(numbers),
        ]
    });
    assert_eq!(table("| reason | sense key |"), answered);
}

/// What meets each piece of news: objects on the tape, the command, the length of its data.
fn meeting(news: &str) -> Told {
    let block = || ModelObject::Block(vec![1; 10]);
    let read: &[u8] = &[8, 0, 0, 0, 20, 0];
    let write: &[u8] = &[0x0a, 0, 0, 0, 20, 0];
    let (objects, cdb) = match news {
        "a filemark" => (vec![ModelObject::Filemark], read),
        "a setmark" => (vec![ModelObject::Setmark], read),
        "the end of data" => (vec![], read),
        "the beginning of the partition" => (vec![], &[0x11, 0, 0xff, 0xff, 0xff, 0][..]),
        "early warning" => (vec![block(), block(), block()], write),
        "the physical end" => (vec![block(), block(), block(), block()], write),
        "a block of another length" => (vec![block()], read),
        unknown => panic!("{unknown}"),
    };
    let cartridge = ModelCartridge {
        partitions: vec![objects],
        capacity_bytes: Some(50),
        early_warning_bytes: 5,
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("dds", cartridge);
    if cdb[0] == 0x0a {
        rig.does(&[0x11, 3, 0, 0, 0, 0]);
    }
    told(&rig.run(cdb, &mut [0; 20])).expect("news")
}

#[test]
fn each_piece_of_news_has_the_sense_of_its_row() {
    let rows = table("| news | sense key |");
    assert_eq!(rows.len(), 7);
    for cells in rows {
        let met = meeting(&cells[0]);
        let (filemark, end, length) = met.flags;
        let flags = [(filemark, "FILEMARK"), (end, "EOM"), (length, "ILI")];
        let flags: Vec<&str> = flags
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| *name)
            .collect();
        let answered = [
            SenseKey::from_bits(met.key).to_string(),
            code(met.reason),
            flags.join(" "),
        ];
        assert_eq!(answered[..], cells[1..4], "{}", cells[0]);
    }
}
