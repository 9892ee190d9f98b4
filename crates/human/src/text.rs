//! Messages.

use std::error::Error;
use std::ffi::OsStr;

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

/// A serial number that can't be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' is no serial number: that has 1 to {SERIAL_MAX} printable characters of ASCII",
    printable(.0).replace('\n', "\\n")
)]
pub struct SerialError(String);

/// The longest serial number that also fits into what a drive says of itself by SCSI.
const SERIAL_MAX: usize = 64;

/// Reads the serial number of a unit. A control character in it would go to every terminal that shows the drive.
pub fn parse_serial(text: &str) -> Result<String, SerialError> {
    let fits = (1..=SERIAL_MAX).contains(&text.len());
    match fits && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err(SerialError(text.to_owned())),
    }
}

/// A name that people give to a volume, as its label: anything but control characters.
pub fn parse_label(text: &str) -> Result<String, LabelError> {
    match text.contains(char::is_control) {
        true => Err(LabelError(text.to_owned())),
        false => Ok(text.to_owned()),
    }
}

/// A label that can't be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' has control characters", printable(.0).replace('\n', "\\n"))]
pub struct LabelError(String);

/// Text as one word of a shell, in a command that is printed between apostrophes: as it is where that is one already,
/// else between double quotes.
#[must_use]
pub fn shell_word(text: impl AsRef<OsStr>) -> String {
    let text = text.as_ref().to_string_lossy();
    let plain = |letter: char| letter.is_alphanumeric() || "-_./:=@%+,".contains(letter);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.into_owned();
    }
    let mut word = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' | '$' | '`' => word.extend(['\\', letter]),
            // In double quotes an interactive shell takes it for a command of before.
            '!' => word.push_str("\"'!'\""),
            letter => word.push(letter),
        }
    }
    word + "\""
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
    use std::process::Command;

    use super::*;

    /// A printed command is pasted as it stands.
    #[test]
    fn a_word_of_a_shell_is_the_text_again() {
        for text in [
            "MON001",
            "MON001 damaged 1",
            "/srv/my tapes/a.ptape",
            "it's",
            "a \"b\" $HOME `id` \\ ! *",
            "",
            "#1",
            "~",
            "äöü",
            "two\nlines",
        ] {
            let line = format!("printf %s {}", shell_word(text));
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), text, "{line}");
        }
        assert_eq!(shell_word("MON001"), "MON001");
        assert_eq!(shell_word("MON 1"), "\"MON 1\"");
        assert_eq!(shell_word("-f"), "\"-f\"");
    }

    #[test]
    fn control_characters_from_outside_never_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\x07é\n"), "a\\u{1b}[2Jb\\u{7}é\n");
    }

    #[test]
    fn serial_numbers_and_labels_have_no_control_characters() {
        let longest = "x".repeat(64);
        for good in ["PT00000000", "X,1", "a serial", &longest] {
            assert_eq!(parse_serial(good).as_deref(), Ok(good));
        }
        for bad in ["", "X\n1", "X\0", "a\x1b[2J", "é", &"x".repeat(65)] {
            let error = parse_serial(bad).expect_err(bad).to_string();
            assert!(error.contains("1 to 64 printable"), "{error}");
            assert!(!error.contains('\x1b'), "{error}");
        }
        assert_eq!(parse_label("Büro, Montag").as_deref(), Ok("Büro, Montag"));
        for bad in ["a\nb", "a\x1b[2J", "\u{9b}2J", "a\0"] {
            let error = parse_label(bad).expect_err(bad).to_string();
            assert!(!error.contains(char::is_control), "{error}");
        }
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
