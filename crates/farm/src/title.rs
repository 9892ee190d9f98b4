//! Names: of volumes, and of the files in them.

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// The longest name of a volume: it is the label of each capsule's image, and the name of a folder.
const VOLUME_BYTES: usize = 100;
/// The longest title. Linux takes no longer path in one call.
pub(crate) const TITLE_BYTES: usize = 4095;

/// The name of a file within a volume: a relative path that leads nowhere else, of any bytes but NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Title(Vec<u8>);

impl Title {
    /// The title that these bytes are, if they are one.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let harmless = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
        let fits = bytes.len() <= TITLE_BYTES;
        let is_one = fits && bytes.split(|byte| *byte == b'/').all(harmless);
        is_one.then(|| Title(bytes.to_vec()))
    }

    /// The title that a file with this path gets, as `tar` names it: without what leads out of a folder. `None` where
    /// nothing is left, or more than a title can have.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let mut parts: Vec<&OsStr> = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(part) => parts.push(part),
                Component::ParentDir => parts.clear(),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        Title::new(&parts.join(&b'/'))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The relative path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        OsString::from_vec(self.0.clone()).into()
    }

    /// As JSON has it: the text, where it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }

    /// Whether this is the file that is meant, or one in the folder that is.
    #[must_use]
    pub fn is_within(&self, meant: &Title) -> bool {
        let rest = self.0.strip_prefix(meant.bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }
}

/// For people: what a terminal would obey, and what is no text, is shown in escapes.
impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~');
        if let Some(text) = self.text().filter(|_| self.0.iter().all(is_plain)) {
            return f.write_str(text);
        }
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c.is_control() {
                    true => write!(f, "{}", c.escape_default())?,
                    false => f.write_char(c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The name of a volume: that of its folder in the root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumeName(String);

/// Text that can't be the name of a volume.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' can't be the name of a volume: that is the name of a folder, of at most {VOLUME_BYTES} bytes, without '/' and \
     control characters, and does not begin with a dot",
    pseudotape_human::printable(.0)
)]
pub struct BadVolumeName(pub String);

impl std::str::FromStr for VolumeName {
    type Err = BadVolumeName;

    fn from_str(text: &str) -> Result<Self, BadVolumeName> {
        let allowed = |c: char| !c.is_control() && c != '/';
        let fits = !text.is_empty() && text.len() <= VOLUME_BYTES;
        match fits && !text.starts_with('.') && text.chars().all(allowed) {
            true => Ok(VolumeName(text.to_owned())),
            false => Err(BadVolumeName(text.to_owned())),
        }
    }
}

impl VolumeName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CW-01: names that lead elsewhere are refused.
    #[test]
    fn the_name_of_a_volume_is_that_of_a_folder_in_the_root_and_of_nothing_else() {
        for good in ["V", "MON 01", "Größe", &"x".repeat(100)] {
            assert!(good.parse::<VolumeName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".x",
            "a/b",
            "/",
            "../x",
            "a\nb",
            "a\0b",
            &"x".repeat(101),
        ] {
            let error = bad.parse::<VolumeName>().expect_err(bad);
            assert!(!error.to_string().contains('\0'), "{error}");
        }
    }

    #[test]
    fn a_title_is_what_tar_calls_the_file() {
        for (path, title) in [
            ("a", "a"),
            ("/etc/passwd", "etc/passwd"),
            ("./a//b/./c", "a/b/c"),
            ("../../x/y", "x/y"),
            ("a/../b", "b"),
            ("a\nb", "a\nb"),
        ] {
            let made = Title::of_path(Path::new(path)).expect(path);
            assert_eq!(made.bytes(), title.as_bytes());
        }
        for bad in ["", "/", ".", "a/..", &"x/".repeat(2100)] {
            assert_eq!(Title::of_path(Path::new(bad)), None, "{bad}");
        }
        for bad in [
            &b""[..],
            b"..",
            b"a/../b",
            b"/a",
            b"a/",
            b"a//b",
            b"./a",
            b"a\0b",
        ] {
            assert_eq!(Title::new(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_in_escapes() {
        let title = Title::new(b"a\n\x1b[2J\xff\xc3\xbc").expect("a title");
        assert_eq!(title.to_string(), "a\\n\\u{1b}[2J\\xffü");
        assert_eq!(title.text(), None);
    }
}
