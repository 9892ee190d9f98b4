//! Messages.

use std::error::Error;

/// Makes text from outside harmless to a terminal: control characters are shown, not sent.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(c),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// An error and its causes in one line. Many errors quote their cause already: no cause is said twice.
pub fn explain<'a>(chain: impl Iterator<Item = &'a (dyn Error + 'static)>) -> String {
    let mut text = String::new();
    for cause in chain {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            let separator = if text.is_empty() { "" } else { ": " };
            text = text + separator + &cause;
        }
    }
    text
}

/// A count with its noun: `1 block`, `3 blocks`.
#[must_use]
pub fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_from_outside_never_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\x07é\n"), "a\\u{1b}[2Jb\\u{7}é\n");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Cause(&'static str);

    #[test]
    fn an_error_names_each_cause_once() {
        for (causes, words) in [
            (
                ["drive 0", "image x: disk gone", "disk gone"],
                "drive 0: image x: disk gone",
            ),
            (
                ["can't open x", "no such file", "2"],
                "can't open x: no such file: 2",
            ),
            (["a", "a", "a"], "a"),
        ] {
            let chain = causes.map(Cause);
            let chain = chain.iter().map(|cause| cause as &(dyn Error + 'static));
            assert_eq!(explain(chain), words);
        }
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(0, "block"), "0 blocks");
        assert_eq!(counted(1, "block"), "1 block");
        assert_eq!(counted(2, "block"), "2 blocks");
    }
}
