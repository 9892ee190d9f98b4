use crate::sense::{Sense, SenseKey};

/// How a command ended (SAM-5 §5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// Done.
    #[default]
    Good,
    /// There is sense data to look at.
    CheckCondition,
    /// The unit has no time.
    Busy,
    /// Another initiator has reserved the unit.
    ReservationConflict,
    /// No room for another command.
    TaskSetFull,
    /// Any other status.
    Other(u8),
}

impl Status {
    /// The status byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Status::Good => 0x00,
            Status::CheckCondition => 0x02,
            Status::Busy => 0x08,
            Status::ReservationConflict => 0x18,
            Status::TaskSetFull => 0x28,
            Status::Other(byte) => byte,
        }
    }

    /// What a status byte says.
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            0x00 => Status::Good,
            0x02 => Status::CheckCondition,
            0x08 => Status::Busy,
            0x18 => Status::ReservationConflict,
            0x28 => Status::TaskSetFull,
            other => Status::Other(other),
        }
    }
}

/// What a unit answers to one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// How the command ended.
    pub status: Status,
    /// Why, with [`Status::CheckCondition`].
    pub sense: Option<Sense>,
    /// What goes to the initiator: never more than the command's allocation length.
    pub data: Vec<u8>,
}

impl Reply {
    /// Done, and there is nothing to send.
    #[must_use]
    pub fn good() -> Self {
        Reply::default()
    }

    /// Done: as much of this as the initiator has room for.
    #[must_use]
    pub fn data(mut data: Vec<u8>, allocation: u32) -> Self {
        data.truncate(usize::try_from(allocation).unwrap_or(usize::MAX));
        Reply {
            data,
            ..Reply::default()
        }
    }

    /// CHECK CONDITION with this sense.
    #[must_use]
    pub fn check(sense: Sense) -> Self {
        Reply {
            status: Status::CheckCondition,
            sense: Some(sense),
            data: Vec::new(),
        }
    }

    /// Another initiator has the unit.
    #[must_use]
    pub fn conflict() -> Self {
        Reply {
            status: Status::ReservationConflict,
            ..Reply::default()
        }
    }

    /// Whether the answer is an ILLEGAL REQUEST.
    #[must_use]
    pub fn is_illegal(&self) -> bool {
        let key = self.sense.map(|sense| sense.key);
        key == Some(SenseKey::IllegalRequest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_byte_is_kept() {
        for byte in 0..=u8::MAX {
            assert_eq!(Status::from_byte(byte).byte(), byte);
        }
    }

    #[test]
    fn an_answer_is_no_longer_than_its_allocation() {
        for allocation in 0..12 {
            let answer = Reply::data(vec![7; 8], allocation);
            assert_eq!(answer.data.len(), 8.min(allocation as usize));
        }
    }
}
