/// How wide the caller's `long` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// A 64-bit program.
    Bits64,
    /// A 32-bit program.
    Bits32,
}

/// What an `ioctl` request number asks of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `MTIOCTOP`: do an operation.
    Operation,
    /// `MTIOCGET`: say the status.
    Status(Width),
    /// `MTIOCPOS`: say the position.
    Position(Width),
    /// Anything else.
    Other(u32),
}

/// Bytes that are not what the request number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Too few or too many bytes.
    #[error("struct {name} has {expected} bytes, not {found}")]
    Length {
        /// The structure.
        name: &'static str,
        /// Its size.
        expected: usize,
        /// Bytes that came.
        found: usize,
    },
}

const TYPE_TAPE: u32 = b'm' as u32;

impl Command {
    /// Reads a request number. As st, it looks at type, number and size, not at the direction.
    #[must_use]
    pub fn decode(number: u32) -> Self {
        let kind = (number >> 8) & 0xff;
        let size = (number >> 16) & 0x3fff;
        if kind != TYPE_TAPE {
            return Command::Other(number);
        }
        match (number & 0xff, size) {
            (1, 8) => Command::Operation,
            (2, 48) => Command::Status(Width::Bits64),
            (2, 28) => Command::Status(Width::Bits32),
            (3, 8) => Command::Position(Width::Bits64),
            (3, 4) => Command::Position(Width::Bits32),
            _ => Command::Other(number),
        }
    }

    /// The request number that a program uses.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Command::Operation => 0x4008_6d01,
            Command::Status(Width::Bits64) => 0x8030_6d02,
            Command::Status(Width::Bits32) => 0x801c_6d02,
            Command::Position(Width::Bits64) => 0x8008_6d03,
            Command::Position(Width::Bits32) => 0x8004_6d03,
            Command::Other(number) => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_request_numbers_are_known_by_type_number_and_size() {
        for (number, command) in [
            (0x4008_6d01, Command::Operation),
            (0x8030_6d02, Command::Status(Width::Bits64)),
            (0x801c_6d02, Command::Status(Width::Bits32)),
            (0x8008_6d03, Command::Position(Width::Bits64)),
            (0x8004_6d03, Command::Position(Width::Bits32)),
        ] {
            assert_eq!(Command::decode(number), command);
            assert_eq!(command.number(), number);
        }
        // Direction bits don't matter to st.
        assert_eq!(Command::decode(0xc008_6d01), Command::Operation);
        for other in [0x2285, 0x4004_6d01, 0x8008_6d02, 0x4008_6e01, 0, u32::MAX] {
            assert_eq!(Command::decode(other), Command::Other(other));
        }
    }
}
