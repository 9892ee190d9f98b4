//! The tables of docs/CHANGER.md are what the code answers.

use pseudotape_changer::{Address, ElementKind, Refusal};
use pseudotape_scsi::{ChangerCommand, TapeCommand, refusal_sense};

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CHANGER.md");
    std::fs::read_to_string(path).expect("the document is there")
}

/// The cells of the rows of the table with this head.
fn table(head: &str) -> Vec<Vec<String>> {
    let text = document();
    let rows = text.lines().skip_while(|line| !line.starts_with(head));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| -> Vec<String> {
        let inner = row.trim_matches('|').split('|');
        inner.map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

fn every_refusal() -> Vec<Refusal> {
    let address = Address(1025);
    let kind = ElementKind::Storage;
    let reason = String::new;
    vec![
        Refusal::NoSuchElement { address },
        Refusal::WrongKind {
            address,
            kind,
            why: "",
        },
        Refusal::NotReachable {
            from: address,
            to: address,
            reason: reason(),
        },
        Refusal::EmptySource {
            address,
            kind,
            number: 1,
        },
        Refusal::FullDestination {
            address,
            kind,
            number: 1,
        },
        Refusal::InUse {
            drive: address,
            by: reason(),
        },
        Refusal::DoorLocked { drive: address },
        Refusal::RemovalPrevented,
        Refusal::NotInvertible,
        Refusal::NotSupported { what: "" },
        Refusal::LoadFailed {
            drive: address,
            cartridge: "PT0001L5".parse().unwrap(),
            reason: reason(),
            now_in: address,
        },
        Refusal::UnloadFailed {
            drive: address,
            reason: reason(),
            now_in: address,
        },
        Refusal::MediumError {
            address,
            reason: reason(),
        },
        Refusal::OutOfStep {
            address,
            reason: reason(),
        },
        Refusal::NotReady { reason: reason() },
        Refusal::Failed { reason: reason() },
    ]
}

#[test]
fn each_refusal_has_the_sense_of_its_row() {
    let told = every_refusal().into_iter().map(|refusal| {
        let sense = refusal_sense(&refusal);
        let debug = format!("{refusal:?}");
        let name = debug.split([' ', '{']).next().unwrap();
        let reason = sense.reason;
        let code = format!("{:02X}h/{:02X}h", reason.code, reason.qualifier);
        (format!("`{name}`"), sense.key.to_string(), code)
    });
    let rows = table("| refusal | when |");
    let documented = rows
        .into_iter()
        .map(|cells| (cells[0].clone(), cells[2].clone(), cells[3].clone()));
    assert_eq!(told.collect::<Vec<_>>(), documented.collect::<Vec<_>>());
}

/// A CDB of this code that asks for nothing special.
fn cdb(code: u8) -> [u8; 16] {
    let mut cdb = [0; 16];
    cdb[0] = code;
    if code == 0x1d {
        cdb[1] = 4; // SEND DIAGNOSTIC: the self-test
    }
    cdb
}

fn codes(rows: &[Vec<String>]) -> Vec<u8> {
    let cells = rows.iter().flat_map(|cells| cells[1].split_whitespace());
    let codes = cells.map(|code| u8::from_str_radix(code.trim_end_matches('h'), 16).unwrap());
    let mut codes: Vec<u8> = codes.collect();
    codes.sort_unstable();
    codes
}

#[test]
fn the_commands_that_are_taken_are_those_of_the_two_tables() {
    let text = document();
    let drives_at = text.find("They take what").expect("the second table");
    let all = table("| command | code |");
    let drives: Vec<Vec<String>> = text[drives_at..]
        .lines()
        .skip_while(|line| !line.starts_with("| command | code |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|row| {
            row.trim_matches('|')
                .split('|')
                .map(str::to_owned)
                .collect()
        })
        .collect();
    let taken_by_changers =
        (0..=u8::MAX).filter(|code| ChangerCommand::decode(&cdb(*code)).is_ok());
    assert_eq!(codes(&all), taken_by_changers.collect::<Vec<_>>());
    // What belongs to every unit, and is refused by a drive when it is done.
    const REFUSED: [u8; 6] = [0x16, 0x17, 0x1d, 0x1e, 0x56, 0x57];
    let taken_by_drives = (0..=u8::MAX)
        .filter(|code| TapeCommand::decode(&cdb(*code)).is_ok() && !REFUSED.contains(code));
    assert_eq!(codes(&drives), taken_by_drives.collect::<Vec<_>>());
}
