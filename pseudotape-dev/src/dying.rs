//! Whether a program that waits for a call is being killed.
//!
//! A signal does not wake a program whose request is at a FUSE server. The program waits for the reply, and so
//! does the process that killed it. So a long operation checks here from time to time, and ends early if its
//! program is being killed.

use std::fs;

/// Signals that end no program by themselves: their default action is to ignore them or to stop the program.
const HARMLESS: &[u32] = &[
    17, // SIGCHLD
    18, // SIGCONT
    19, // SIGSTOP
    20, // SIGTSTP
    21, // SIGTTIN
    22, // SIGTTOU
    23, // SIGURG
    28, // SIGWINCH
];

/// Whether a pending signal will end the task. `false` where nobody can tell: for a caller of another pid namespace.
pub(crate) fn is_dying(tid: u32) -> bool {
    if tid == 0 {
        return false;
    }
    match fs::read_to_string(format!("/proc/{tid}/status")) {
        Ok(status) => has_fatal_signal(&status),
        Err(_) => false,
    }
}

/// As [`is_dying`], from the text of `/proc/<tid>/status`.
fn has_fatal_signal(status: &str) -> bool {
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(0)
    };
    let pending = mask("SigPnd:") | mask("ShdPnd:");
    let survived = HARMLESS.iter().fold(
        mask("SigBlk:") | mask("SigIgn:") | mask("SigCgt:"),
        |mask, signal| mask | 1 << (signal - 1),
    );
    pending & !survived != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(pending: u64, shared: u64, caught: u64) -> String {
        format!(
            "Name:\tmt\nSigPnd:\t{pending:016x}\nShdPnd:\t{shared:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\n\
             SigCgt:\t{caught:016x}\n",
            1_u64 << 9,
            1_u64 << 12
        )
    }

    #[test]
    fn only_a_signal_that_ends_the_program_counts() {
        let kill = 1 << 8;
        let term = 1 << 14;
        assert!(has_fatal_signal(&status(kill, 0, 0)));
        assert!(has_fatal_signal(&status(0, term, 0)));
        assert!(!has_fatal_signal(&status(0, 0, 0)));
        assert!(!has_fatal_signal(&status(0, term, term)), "caught");
        assert!(!has_fatal_signal(&status(0, 1 << 9, 0)), "blocked");
        assert!(!has_fatal_signal(&status(0, 1 << 12, 0)), "ignored");
        assert!(!has_fatal_signal(&status(0, 1 << 27, 0)), "SIGWINCH");
        assert!(!has_fatal_signal(""));
    }

    #[test]
    fn this_program_lives() {
        assert!(!is_dying(std::process::id()));
        assert!(!is_dying(0));
    }
}
