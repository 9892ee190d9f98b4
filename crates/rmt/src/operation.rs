//! Numbers and names of tape operations on the wire.

use pseudotape_mtio::Operation;

/// Whose numbers `I` has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Those of `linux/mtio.h`, as clients on Linux send them that don't ask for version 1.
    #[default]
    Linux,
    /// Those of 4.2BSD from 0 (`MTWEOF`) to 7 (`MTNOP`), as everybody else sends them, and as version 1 demands.
    Bsd,
}

/// Operations 0 to 7 of BSD and of version 1.
const BSD: [Operation; 8] = [
    Operation::WriteFilemarks,
    Operation::ForwardFilemarks,
    Operation::BackFilemarks,
    Operation::ForwardBlocks,
    Operation::BackBlocks,
    Operation::Rewind,
    Operation::Offline,
    Operation::Nothing,
];

/// Names without `MT`, as `mtio.h` has them on one system or another.
const NAMES: [(&str, Operation); 32] = [
    ("WEOF", Operation::WriteFilemarks),
    ("WEOFI", Operation::WriteFilemarksImmediate),
    ("FSF", Operation::ForwardFilemarks),
    ("BSF", Operation::BackFilemarks),
    ("FSR", Operation::ForwardBlocks),
    ("BSR", Operation::BackBlocks),
    ("REW", Operation::Rewind),
    ("OFFL", Operation::Offline),
    ("NOP", Operation::Nothing),
    ("RETEN", Operation::Retension),
    ("ERASE", Operation::Erase),
    ("EOM", Operation::EndOfData),
    ("EOD", Operation::EndOfData),
    ("BSFM", Operation::BackFilemarksAfter),
    ("FSFM", Operation::ForwardFilemarksBefore),
    ("SETBLK", Operation::SetBlockSize),
    ("SETBSIZ", Operation::SetBlockSize),
    ("SRSZ", Operation::SetBlockSize),
    ("SETDENSITY", Operation::SetDensity),
    ("SETDNSTY", Operation::SetDensity),
    ("SETDRVBUFFER", Operation::SetDriveBuffer),
    ("SEEK", Operation::Seek),
    ("FSS", Operation::ForwardSetmarks),
    ("BSS", Operation::BackSetmarks),
    ("WSS", Operation::WriteSetmarks),
    ("WSM", Operation::WriteSetmarks),
    ("LOCK", Operation::Lock),
    ("UNLOCK", Operation::Unlock),
    ("LOAD", Operation::Load),
    ("UNLOAD", Operation::Unload),
    ("COMPRESSION", Operation::Compression),
    ("SETPART", Operation::SetPartition),
];

/// What an operation of the wire is to the server's tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Operation(Operation),
    /// Does nothing here, successfully: the drive's cache is the drive's own matter.
    Nothing,
    /// `MTNBSF`: to the beginning of the file that lies so many files back; 0 is the current one.
    FilesBack,
    /// `I-1`: the client knows version 1.
    Version,
    Unknown,
}

/// `I`: a number in a dialect, or a name.
pub(crate) fn classic(text: &str, dialect: Dialect) -> Meaning {
    let Ok(number) = text.parse::<i64>() else {
        let name = text.to_ascii_uppercase();
        let name = name.strip_prefix("MT").unwrap_or(&name);
        if name == "NBSF" {
            return Meaning::FilesBack;
        }
        return NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(Meaning::Unknown, |(_, operation)| {
                Meaning::Operation(*operation)
            });
    };
    if number == -1 {
        return Meaning::Version;
    }
    match dialect {
        Dialect::Linux => i16::try_from(number)
            .map_or(Meaning::Unknown, |number| Meaning::Operation(number.into())),
        Dialect::Bsd => usize::try_from(number)
            .ok()
            .and_then(|number| BSD.get(number))
            .map_or(Meaning::Unknown, |operation| Meaning::Operation(*operation)),
    }
}

/// `i`: an operation beyond the first eight, numbered by star.
pub(crate) fn extended(text: &str) -> Meaning {
    match text.parse::<u8>() {
        Ok(0 | 1) => Meaning::Nothing,
        Ok(2) => Meaning::Operation(Operation::Retension),
        Ok(3) => Meaning::Operation(Operation::Erase),
        Ok(4) => Meaning::Operation(Operation::EndOfData),
        Ok(5) => Meaning::FilesBack,
        _ => Meaning::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_mean_what_their_dialect_says() {
        use Operation::*;
        for (number, linux, bsd) in [
            ("0", Reset, WriteFilemarks),
            ("1", ForwardFilemarks, ForwardFilemarks),
            ("2", BackFilemarks, BackFilemarks),
            ("3", ForwardBlocks, ForwardBlocks),
            ("4", BackBlocks, BackBlocks),
            ("5", WriteFilemarks, Rewind),
            ("6", Rewind, Offline),
            ("7", Offline, Nothing),
        ] {
            assert_eq!(classic(number, Dialect::Linux), Meaning::Operation(linux));
            assert_eq!(classic(number, Dialect::Bsd), Meaning::Operation(bsd));
        }
        assert_eq!(classic("22", Dialect::Linux), Meaning::Operation(Seek));
        assert_eq!(classic("22", Dialect::Bsd), Meaning::Unknown);
        assert_eq!(
            classic("99", Dialect::Linux),
            Meaning::Operation(Unsupported(99))
        );
        assert_eq!(classic("70000", Dialect::Linux), Meaning::Unknown);
        for dialect in [Dialect::Linux, Dialect::Bsd] {
            assert_eq!(classic("-1", dialect), Meaning::Version);
            assert_eq!(classic("MTREW", dialect), Meaning::Operation(Rewind));
            assert_eq!(classic("weof", dialect), Meaning::Operation(WriteFilemarks));
            assert_eq!(classic("6x", dialect), Meaning::Unknown);
        }
    }

    #[test]
    fn the_extended_operations_are_stars() {
        assert_eq!(extended("4"), Meaning::Operation(Operation::EndOfData));
        assert_eq!(extended("5"), Meaning::FilesBack);
        assert_eq!(extended("0"), Meaning::Nothing);
        for unknown in ["6", "-1", "", "eom"] {
            assert_eq!(extended(unknown), Meaning::Unknown);
        }
    }
}
