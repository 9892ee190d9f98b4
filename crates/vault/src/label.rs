//! The names of volumes, and schemes for new ones.

use std::fmt;
use std::str::FromStr;

/// The longest label, in bytes.
const LABEL_MAX: usize = 128;
/// The longest name of an image without its ending.
const NAME_MAX: usize = 64;

/// What people call a volume: free text in one line. Each volume of a vault has its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

/// Text that is no label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Nothing is there.
    #[error("a label is not empty")]
    Empty,
    /// Too much is there.
    #[error("a label has at most {LABEL_MAX} bytes, and '{0}' has more")]
    Long(String),
    /// Something that would go to each terminal.
    #[error("the label '{0}' has control characters")]
    Control(String),
    /// Nobody could see that.
    #[error("the label '{0}' begins or ends with a blank")]
    Blank(String),
}

impl Label {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a volume serial number as on barcodes: six letters or digits.
    #[must_use]
    pub fn is_barcode(&self) -> bool {
        let mut bytes = self.0.bytes();
        self.0.len() == 6 && bytes.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    }

    /// The name of its image without the ending, where the label can be a file's name.
    #[must_use]
    pub(crate) fn file_stem(&self) -> Option<&str> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let fits = self.0.len() <= NAME_MAX && !self.0.starts_with('.');
        (fits && self.0.chars().all(allowed)).then_some(&self.0)
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        if text.is_empty() {
            Err(LabelError::Empty)
        } else if text.len() > LABEL_MAX {
            Err(LabelError::Long(text.escape_debug().to_string()))
        } else if text.contains(char::is_control) {
            Err(LabelError::Control(text.escape_debug().to_string()))
        } else if text.trim() != text {
            Err(LabelError::Blank(text.to_owned()))
        } else {
            Ok(Label(text.to_owned()))
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What labels of new volumes look like: text with `#` for each digit, as in `MON###`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    before: String,
    digits: usize,
    after: String,
}

/// Text that is no scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no scheme for labels: that is text with 1 to 9 '#' side by side, as MON###")]
pub struct SchemeError(String);

impl Scheme {
    /// The label with this number; nothing where the number has too many digits.
    #[must_use]
    pub fn label(&self, number: u64) -> Option<Label> {
        let text = format!(
            "{}{number:0width$}{}",
            self.before,
            self.after,
            width = self.digits
        );
        let length = self.before.len() + self.digits + self.after.len();
        (text.len() == length).then_some(Label(text))
    }

    /// The number in a label of this scheme.
    #[must_use]
    pub fn number(&self, label: &str) -> Option<u64> {
        let rest = label.strip_prefix(self.before.as_str())?;
        let digits = rest.strip_suffix(self.after.as_str())?;
        let fits = digits.len() == self.digits && digits.bytes().all(|c| c.is_ascii_digit());
        fits.then(|| digits.parse().ok()).flatten()
    }

    /// Labels of this scheme, as SQLite's GLOB has them.
    pub(crate) fn glob(&self) -> String {
        let quoted = |text: &str| -> String {
            let quote = |c| match c {
                '*' | '?' | '[' => format!("[{c}]"),
                c => c.to_string(),
            };
            text.chars().map(quote).collect()
        };
        quoted(&self.before) + &"[0-9]".repeat(self.digits) + &quoted(&self.after)
    }
}

impl FromStr for Scheme {
    type Err = SchemeError;

    fn from_str(text: &str) -> Result<Self, SchemeError> {
        let error = || SchemeError(text.escape_debug().to_string());
        let first = text.find('#').ok_or_else(error)?;
        let (before, rest) = text.split_at(first);
        let after = rest.trim_start_matches('#');
        let scheme = Scheme {
            before: before.to_owned(),
            digits: rest.len() - after.len(),
            after: after.to_owned(),
        };
        let fits = (1..=9).contains(&scheme.digits) && !after.contains('#');
        match scheme.label(0).map(|label| label.0.parse::<Label>()) {
            Some(Ok(_)) if fits => Ok(scheme),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}{}",
            self.before,
            "#".repeat(self.digits),
            self.after
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_free_text_in_one_line() {
        for good in ["MON001", "Büro, Montag", "a/b", &"x".repeat(128)] {
            assert_eq!(good.parse::<Label>().expect(good).as_str(), good);
        }
        for (bad, why) in [
            ("", "not empty"),
            ("a\nb", "control"),
            (" a", "blank"),
            ("a ", "blank"),
            (&"x".repeat(129), "at most 128"),
        ] {
            let error = bad.parse::<Label>().expect_err(bad).to_string();
            assert!(error.contains(why) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn six_letters_or_digits_are_the_form_of_barcodes() {
        let is_barcode = |text: &str| text.parse::<Label>().expect("a label").is_barcode();
        assert!(is_barcode("MON001"));
        for other in ["MON01", "mon001", "MON0011", "MON 01"] {
            assert!(!is_barcode(other), "{other}");
        }
    }

    #[test]
    fn only_a_harmless_label_names_a_file() {
        let stem = |text: &str| {
            text.parse::<Label>()
                .expect("a label")
                .file_stem()
                .is_some()
        };
        assert!(stem("MON001") && stem("a.b-c_d"));
        for other in ["../x", "a/b", ".hidden", "ä", "a b", &"x".repeat(65)] {
            assert!(!stem(other), "{other}");
        }
    }

    #[test]
    fn a_scheme_counts_with_as_many_digits_as_it_has() {
        let scheme: Scheme = "MON###L5".parse().expect("a scheme");
        assert_eq!(scheme.label(7).expect("fits").as_str(), "MON007L5");
        assert_eq!(scheme.label(1000), None);
        assert_eq!(scheme.number("MON007L5"), Some(7));
        for other in ["MON07L5", "MON0077L5", "MON+07L5", "MON007L6", "XON007L5"] {
            assert_eq!(scheme.number(other), None, "{other}");
        }
        assert_eq!(scheme.to_string(), "MON###L5");
        for bad in ["", "MON", "#a#", "##########", "a\n#", "#a "] {
            assert!(bad.parse::<Scheme>().is_err(), "{bad}");
        }
    }
}
