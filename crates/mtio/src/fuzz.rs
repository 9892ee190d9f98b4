//! Bytes of unknown origin: the entry of the fuzz target.

use crate::command::{Command, Width};
use crate::operation::MtOp;
use crate::option::DriverOption;
use crate::status::{MtGet, MtPos};

/// Runs every decoder over arbitrary bytes and checks what must hold of them.
///
/// # Panics
///
/// Where what was decoded does not give its bytes back.
pub fn fuzz_decode(bytes: &[u8]) {
    if let Some((number, argument)) = bytes.split_first_chunk::<4>() {
        let number = u32::from_le_bytes(*number);
        match Command::decode(number) {
            Command::Other(kept) => assert_eq!(kept, number),
            known => assert_eq!(Command::decode(known.number()), known),
        }
        if let Ok(operation) = MtOp::decode(argument) {
            assert_eq!(MtOp::decode(&operation.encode()), Ok(operation));
            // Keeps every bit it was given, so nothing is silently dropped before st decides.
            let _option: Option<DriverOption> = DriverOption::decode(operation.count);
        }
        for width in [Width::Bits64, Width::Bits32] {
            if let Ok(status) = MtGet::decode(argument, width) {
                let mut again = Vec::new();
                status.encode(width, &mut again);
                assert_eq!(MtGet::decode(&again, width), Ok(status));
            }
            if let Ok(position) = MtPos::decode(argument, width) {
                let mut again = Vec::new();
                position.encode(width, &mut again);
                assert_eq!(again, argument);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_decode_without_panic_and_round_trip() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for length in 0..64 {
            for _ in 0..200 {
                let bytes: Vec<u8> = (0..length)
                    .map(|_| {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        (state >> 32) as u8
                    })
                    .collect();
                fuzz_decode(&bytes);
            }
        }
    }
}
