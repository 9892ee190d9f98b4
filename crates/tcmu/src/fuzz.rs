//! A ring that holds anything at all.

use std::sync::Arc;

use crate::layout::{CAN_READ_LEN, VERSION, mailbox};
use crate::memory::Memory;
use crate::ring::{Entry, Outcome, Ring, Way};

const MEMORY_BYTES: usize = 3 * 4096;
const RING_AT: usize = 128;
const RING_BYTES: u32 = 4096;

/// Takes everything out of a ring that the bytes describe. With an odd first byte they are the mailbox as well; else
/// the mailbox is in order, the next four bytes are head and tail, and the rest stands in the ring.
pub fn fuzz_ring(bytes: &[u8]) {
    let memory = Arc::new(Memory::new(MEMORY_BYTES).expect("memory"));
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let put = |at: usize, bytes: &[u8]| {
        let room = MEMORY_BYTES - at;
        let bytes = bytes.get(..room).unwrap_or(bytes);
        memory.copy_in(at, bytes).expect("it fits");
    };
    if first % 2 == 1 {
        put(0, rest);
    } else {
        let mut positions = [0; 4];
        let (head, entries) = rest.split_at(rest.len().min(positions.len()));
        positions
            .iter_mut()
            .zip(head)
            .for_each(|(to, from)| *to = *from);
        let [a, b, c, d] = positions.map(u32::from);
        let flags_and_version = u32::from(VERSION) | u32::from(CAN_READ_LEN) << 16;
        memory
            .set_u32(mailbox::VERSION, flags_and_version)
            .expect("a place");
        memory
            .set_u32(mailbox::RING_AT, RING_AT as u32)
            .expect("a place");
        memory
            .set_u32(mailbox::RING_BYTES, RING_BYTES)
            .expect("a place");
        memory.set_u32(mailbox::HEAD, a | b << 8).expect("a place");
        memory.set_u32(mailbox::TAIL, c | d << 8).expect("a place");
        put(RING_AT, entries);
    }
    let mut before = [0; mailbox::TAIL];
    memory.copy_out(0, &mut before).expect("a place");
    let Ok(mut ring) = Ring::new(Arc::clone(&memory)) else {
        return;
    };
    // Each turn takes at least 8 bytes out of the ring.
    for turn in 0.. {
        assert!(turn <= MEMORY_BYTES / 8, "the ring has no end");
        match ring.take() {
            Err(error) => {
                assert_eq!(ring.take(), Err(error), "there is no way on");
                break;
            }
            Ok(None) => break,
            Ok(Some(Entry::Task(_))) => {}
            Ok(Some(Entry::Command(command))) => {
                assert!(!command.cdb().is_empty());
                for way in [Way::Out, Way::In] {
                    let told = ring.with_data(&command, way, |data| {
                        data.fill(turn as u8);
                        data.len()
                    });
                    assert_eq!(told, command.data_bytes());
                }
                let outcome = Outcome {
                    status: 0,
                    sense: &[0x70; 18],
                    read_bytes: Some(0),
                };
                ring.answer(command, outcome);
            }
        }
    }
    let mut after = [0; mailbox::TAIL];
    memory.copy_out(0, &mut after).expect("a place");
    assert_eq!(
        before, after,
        "the kernel's part of the mailbox is left alone"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad_rings_come_to_an_end() {
        fuzz_ring(&[]);
        fuzz_ring(&[1]);
        fuzz_ring(&[0; 5000]);
        fuzz_ring(&[0xff; 20_000]);
        // One command of 112 bytes with a CDB behind its list, then one that reaches over the head.
        let mut bytes = vec![0, 240, 0, 0, 0];
        let mut entry = vec![0_u8; 112];
        entry[0] = 112 | 1;
        entry[24..26].copy_from_slice(&[176, 0]);
        bytes.extend_from_slice(&entry);
        entry[0] = 240 | 1;
        bytes.extend_from_slice(&entry);
        fuzz_ring(&bytes);
    }
}
