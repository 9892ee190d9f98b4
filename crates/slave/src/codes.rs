//! The numbers that the protocol uses for the enums of the crate `tape`.

use pseudotape_tape::{Door, EraseExtent, LoadKind, Mark, Sense, SpaceUnit, Stop, WriteMode};

use crate::nonsense::Nonsense;

/// A value that a message carries as a number of one byte.
pub(crate) trait Code: Copy + 'static {
    /// Name of the enum in docs/SLAVE-PROTOCOL.md and in errors.
    const WHAT: &'static str;
    /// Every number with its value and the value's name.
    const TABLE: &'static [(u8, Self, &'static str)];

    fn code(self) -> u8;

    fn from_code(code: u8) -> Result<Self, Nonsense> {
        let row = Self::TABLE.iter().find(|(number, ..)| *number == code);
        row.map(|(_, word, _)| *word).ok_or(Nonsense::Code {
            what: Self::WHAT,
            found: code,
        })
    }
}

macro_rules! codes {
    ($type:ident, $what:literal: $($word:ident = $number:literal),*) => {
        impl Code for $type {
            const WHAT: &'static str = $what;
            const TABLE: &'static [(u8, Self, &'static str)] =
                &[$(($number, $type::$word, stringify!($word))),*];

            fn code(self) -> u8 {
                match self {
                    $($type::$word => $number),*
                }
            }
        }
    };
}

codes!(Stop, "stop": Filemark = 1, Setmark = 2, EndOfData = 3, BeginningOfPartition = 4,
    EarlyWarning = 5, EndOfPartition = 6, IllegalLength = 7);
codes!(Sense, "sense": NoDrive = 1, NoMedium = 2, NotReady = 3, MediumChanged = 4, Reset = 5,
    WriteProtected = 6, WormOverwrite = 7, MediumError = 8, HardwareError = 9, IllegalRequest = 10);
codes!(Mark, "mark": Filemark = 0, Setmark = 1);
codes!(WriteMode, "write mode": Commit = 0, Immediate = 1);
codes!(SpaceUnit, "space unit": Blocks = 0, Filemarks = 1, Setmarks = 2);
codes!(LoadKind, "load kind": Load = 0, Retension = 1);
codes!(EraseExtent, "erase extent": Short = 0, Long = 1);
codes!(Door, "door": Unlocked = 0, Locked = 1);
