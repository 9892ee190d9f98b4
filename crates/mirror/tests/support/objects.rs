//! What is on a tape.
#![allow(dead_code, reason = "each test uses some of it")]

use pseudotape_tape::{Drive, Mark, Stop, Transfer};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    Block(Vec<u8>),
    Mark(Mark),
}

/// Everything on a tape.
pub fn contents(drive: &mut dyn Drive) -> Vec<Object> {
    be_ready(drive);
    drive.rewind().expect("it can be rewound");
    rest(drive)
}

/// What is behind the place of a tape.
pub fn rest(drive: &mut dyn Drive) -> Vec<Object> {
    let mut objects = Vec::new();
    let mut buffer = vec![0; 300 << 10];
    loop {
        let done = drive
            .read(Transfer::Variable, &mut buffer)
            .expect("it can be read");
        objects.push(match done.stop {
            None => Object::Block(buffer[..done.bytes].to_vec()),
            Some(Stop::Filemark) => Object::Mark(Mark::Filemark),
            Some(Stop::Setmark) => Object::Mark(Mark::Setmark),
            Some(_) => return objects,
        });
    }
}

pub fn be_ready(drive: &mut dyn Drive) {
    for _ in 0..3 {
        if drive.test_ready().is_ok() {
            return;
        }
    }
}
