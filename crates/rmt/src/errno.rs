//! Numbers of errors differ between systems; their texts hardly do.

use nix::errno::Errno;

/// One error: its number on each system, where that has it, and the texts of `strerror`.
struct Known {
    errno: Errno,
    bsd: Option<i32>,
    solaris: Option<i32>,
    texts: &'static [&'static str],
}

const fn known(
    errno: Errno,
    bsd: Option<i32>,
    solaris: Option<i32>,
    texts: &'static [&'static str],
) -> Known {
    Known {
        errno,
        bsd,
        solaris,
        texts,
    }
}

/// Errors whose number is not the same everywhere, and those whose texts tell them from such ones.
///
/// The numbers from 1 to 34, without 11, are the same on Linux, the BSDs and Solaris.
const DIFFERENT: [Known; 17] = [
    known(
        Errno::EAGAIN,
        Some(35),
        Some(11),
        &["Resource temporarily unavailable"],
    ),
    known(
        Errno::EDEADLK,
        Some(11),
        Some(45),
        &["Resource deadlock avoided"],
    ),
    known(
        Errno::ENAMETOOLONG,
        Some(63),
        Some(78),
        &["File name too long"],
    ),
    known(
        Errno::ENOSYS,
        Some(78),
        Some(89),
        &["Function not implemented", "Operation not applicable"],
    ),
    known(
        Errno::ELOOP,
        Some(62),
        Some(90),
        &["Too many levels of symbolic links"],
    ),
    known(Errno::EOVERFLOW, Some(84), Some(79), &["Value too large"]),
    known(Errno::EPROTO, Some(92), Some(71), &["Protocol error"]),
    known(Errno::EMSGSIZE, Some(40), Some(97), &["Message too long"]),
    known(
        Errno::EOPNOTSUPP,
        Some(45),
        Some(122),
        &["Operation not supported"],
    ),
    known(
        Errno::ECONNABORTED,
        Some(53),
        Some(130),
        &["Software caused connection abort"],
    ),
    known(
        Errno::ECONNRESET,
        Some(54),
        Some(131),
        &["Connection reset"],
    ),
    known(
        Errno::ENOBUFS,
        Some(55),
        Some(132),
        &["No buffer space available"],
    ),
    known(Errno::ENOTCONN, Some(57), Some(134), &["not connected"]),
    known(Errno::ETIMEDOUT, Some(60), Some(145), &["timed out"]),
    known(Errno::ESTALE, Some(70), Some(151), &["Stale"]),
    known(Errno::EDQUOT, Some(69), Some(49), &["quota exceeded"]),
    known(Errno::ENOMEDIUM, Some(85), None, &["No medium found"]),
];

/// Texts of errors that have the same number everywhere, as far as tapes meet them.
const SAME: [(Errno, &[&str]); 13] = [
    (Errno::EPERM, &["Operation not permitted", "Not owner"]),
    (Errno::ENOENT, &["No such file"]),
    (Errno::EIO, &["Input/output error", "I/O error"]),
    (
        Errno::ENXIO,
        &["No such device or address", "Device not configured"],
    ),
    (Errno::EBADF, &["Bad file"]),
    (
        Errno::ENOMEM,
        &["Cannot allocate memory", "Not enough space"],
    ),
    (Errno::EACCES, &["Permission denied"]),
    (Errno::EBUSY, &["Device or resource busy", "Device busy"]),
    (
        Errno::ENODEV,
        &["No such device", "Operation not supported by device"],
    ),
    (Errno::EINVAL, &["Invalid argument"]),
    (Errno::ENOTTY, &["Inappropriate ioctl"]),
    (Errno::ENOSPC, &["No space left on device"]),
    (Errno::EROFS, &["Read-only file system"]),
];

/// Numbers up to this one are the same everywhere, but for EAGAIN and EDEADLK.
const LAST_SHARED: i32 = 34;
const EAGAIN_OR_EDEADLK: i32 = 11;

/// A number and a text as a server sent them, as an error of this system.
///
/// A number that means the same everywhere is believed; another one where the text agrees with what it is here, or
/// says nothing; else the text decides. What nobody knows is EIO.
pub(crate) fn from_remote(number: i32, text: &str) -> Errno {
    let here = Errno::from_raw(number);
    if (1..=LAST_SHARED).contains(&number) && number != EAGAIN_OR_EDEADLK {
        return here;
    }
    if let Some(told) = from_text(text) {
        return told;
    }
    match here {
        // GNU's rmt sends 0 or worse with some complaints of its own.
        Errno::UnknownErrno => Errno::EIO,
        known if text.is_empty() || text.eq_ignore_ascii_case(&text_of(known)) => known,
        _ => Errno::EIO,
    }
}

fn from_text(text: &str) -> Option<Errno> {
    let lower = text.to_ascii_lowercase();
    let says = |texts: &[&str]| {
        texts
            .iter()
            .any(|known| lower.contains(&known.to_ascii_lowercase()))
    };
    // "No such device" is the beginning of another one's text, which comes first in its table.
    let different = DIFFERENT.iter().find(|known| says(known.texts));
    different.map(|known| known.errno).or_else(|| {
        SAME.iter()
            .find(|(_, texts)| says(texts))
            .map(|(errno, _)| *errno)
    })
}

/// What `strerror` says of it, which other programs look for.
pub(crate) fn text_of(errno: Errno) -> String {
    let text = std::io::Error::from_raw_os_error(errno as i32).to_string();
    match text.rsplit_once(" (os error ") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// Which system's numbers a client wants to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum System {
    /// Linux.
    #[default]
    Linux,
    /// FreeBSD, NetBSD, OpenBSD.
    Bsd,
    /// Solaris and its children.
    Solaris,
}

/// The number of an error on a system; EIO's where that has no such error.
pub(crate) fn to_remote(errno: Errno, system: System) -> i32 {
    let known = DIFFERENT.iter().find(|known| known.errno == errno);
    let number = match (system, known) {
        (System::Linux, _) => Some(errno as i32),
        (System::Bsd, Some(known)) => known.bsd,
        (System::Solaris, Some(known)) => known.solaris,
        (System::Bsd | System::Solaris, None) => {
            let number = errno as i32;
            (1..=LAST_SHARED).contains(&number).then_some(number)
        }
    };
    number.unwrap_or(Errno::EIO as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_other_systems_become_ours_by_their_texts() {
        for (number, text, expected) in [
            // the same everywhere, whatever the text
            (5, "Input/output error", Errno::EIO),
            (5, "I/O error", Errno::EIO),
            (28, "No space left on device", Errno::ENOSPC),
            (28, "", Errno::ENOSPC),
            (13, "Keine Berechtigung", Errno::EACCES),
            (12, "Not enough space", Errno::ENOMEM),
            (6, "Device not configured", Errno::ENXIO),
            (19, "Operation not supported by device", Errno::ENODEV),
            // Linux
            (38, "Function not implemented", Errno::ENOSYS),
            (123, "No medium found", Errno::ENOMEDIUM),
            (123, "", Errno::ENOMEDIUM),
            (11, "Resource temporarily unavailable", Errno::EAGAIN),
            (110, "Connection timed out", Errno::ETIMEDOUT),
            (
                75,
                "Value too large for defined data type",
                Errno::EOVERFLOW,
            ),
            // the BSDs
            (78, "Function not implemented", Errno::ENOSYS),
            (35, "Resource temporarily unavailable", Errno::EAGAIN),
            (11, "Resource deadlock avoided", Errno::EDEADLK),
            (60, "Operation timed out", Errno::ETIMEDOUT),
            (85, "No medium found", Errno::ENOMEDIUM),
            (45, "Operation not supported", Errno::EOPNOTSUPP),
            (63, "File name too long", Errno::ENAMETOOLONG),
            // Solaris
            (89, "Operation not applicable", Errno::ENOSYS),
            (145, "Connection timed out", Errno::ETIMEDOUT),
            (78, "File name too long", Errno::ENAMETOOLONG),
            (49, "Disc quota exceeded", Errno::EDQUOT),
            // nonsense
            (0, "Garbage command", Errno::EIO),
            (-1, "", Errno::EIO),
            (9999, "what", Errno::EIO),
            (89, "something else", Errno::EIO),
        ] {
            assert_eq!(from_remote(number, text), expected, "{number} {text:?}");
        }
    }

    #[test]
    fn our_errors_reach_each_system_as_its_own_numbers() {
        for (errno, linux, bsd, solaris) in [
            (Errno::EIO, 5, 5, 5),
            (Errno::ENOSPC, 28, 28, 28),
            (Errno::ENOSYS, 38, 78, 89),
            (Errno::ENOMEDIUM, 123, 85, 5),
            (Errno::ETIMEDOUT, 110, 60, 145),
            (Errno::ENOTCONN, 107, 57, 134),
            (Errno::EREMOTEIO, 121, 5, 5),
        ] {
            assert_eq!(to_remote(errno, System::Linux), linux);
            assert_eq!(to_remote(errno, System::Bsd), bsd);
            assert_eq!(to_remote(errno, System::Solaris), solaris);
        }
    }

    #[test]
    fn every_text_is_found_as_its_own_error() {
        for known in &DIFFERENT {
            for text in known.texts {
                assert_eq!(from_text(text), Some(known.errno), "{text}");
            }
            assert_eq!(
                from_text(&text_of(known.errno)),
                Some(known.errno),
                "{:?}",
                known.errno
            );
        }
        for (errno, texts) in SAME {
            for text in texts {
                // Of a number that is the same everywhere the text is not asked.
                assert_eq!(from_remote(errno as i32, text), errno, "{text}");
            }
        }
    }
}
