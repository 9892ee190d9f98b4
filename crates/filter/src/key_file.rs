//! The key as a file holds it: nobody else's, of its length, and not guessed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::prctl::set_dumpable;
use nix::unistd::Uid;
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::key::{KEY_BYTES, Key};

/// A key file with more is none.
const KEY_FILE_MAX: usize = 4096;

/// Permissions by which others than the owner can read or change a key.
const OTHERS: u32 = 0o077;

impl Key {
    /// Reads a key from a file of 32 bytes, or of 64 hexadecimal digits.
    ///
    /// The file has to belong to root or to the user of this process, and nobody else may read it. From then on the
    /// process leaves no core file, and only root can look into its memory: what is derived from the key, and what it
    /// decrypts, lies in many places.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let unreadable = |source| KeyError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let no_key = |found: String| KeyError::NoKey {
            path: path.to_owned(),
            found,
        };
        // A pipe would let the opening wait.
        let nonblocking = OFlag::O_NONBLOCK.bits();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(nonblocking)
            .open(path)
            .map_err(unreadable)?;
        // Asked of what was opened: the path can lead elsewhere meanwhile.
        let metadata = file.metadata().map_err(unreadable)?;
        // A device, or a tape named by mistake, would have no end.
        if !metadata.is_file() {
            return Err(no_key("no regular file".to_owned()));
        }
        let (owner, user) = (metadata.uid(), Uid::effective().as_raw());
        if !is_trusted(owner, user) {
            return Err(KeyError::Owner {
                path: path.to_owned(),
                owner,
                user,
            });
        }
        if metadata.mode() & OTHERS != 0 {
            return Err(KeyError::Exposed {
                path: path.to_owned(),
                mode: metadata.mode() & 0o777,
            });
        }
        set_dumpable(false).map_err(|errno| KeyError::Dumpable {
            path: path.to_owned(),
            source: errno.into(),
        })?;
        let mut content = Zeroizing::new([0; KEY_FILE_MAX + 1]);
        let length = fill(&file, content.as_mut_slice()).map_err(unreadable)?;
        let content = content.get(..length).unwrap_or_default();
        let raw = <[u8; KEY_BYTES]>::try_from(content)
            .ok()
            .map(Zeroizing::new);
        let Some(bytes) = raw.or_else(|| hexadecimal(content.trim_ascii())) else {
            return Err(no_key(match length {
                0 => "an empty file".to_owned(),
                1..=KEY_FILE_MAX => format!("{length} bytes"),
                _ => format!("more than {KEY_FILE_MAX} bytes"),
            }));
        };
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(KeyError::Zeros {
                path: path.to_owned(),
            });
        }
        Ok(Key::new(*bytes))
    }
}

/// Whether a key of this owner is safe from everybody but its user, and root.
fn is_trusted(owner: u32, user: u32) -> bool {
    owner == 0 || owner == user
}

/// Reads to the end of the file, or of the buffer.
fn fill(mut file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(space) = buffer.get_mut(length..).filter(|space| !space.is_empty()) {
        match file.read(space) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

fn hexadecimal(text: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != KEY_BYTES || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digits = std::str::from_utf8(pair).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use nix::sys::prctl::get_dumpable;

    use super::*;

    fn written(content: &[u8], mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    fn refused(content: &[u8], mode: u32) -> String {
        let (_directory, path) = written(content, mode);
        let error = Key::read(&path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        error
    }

    #[test]
    fn a_key_is_32_bytes_or_64_digits() {
        let raw: Vec<u8> = (0..32).collect();
        let digits: String = raw.iter().map(|byte| format!("{byte:02X}")).collect();
        for content in [
            raw,
            digits.clone().into_bytes(),
            format!(" {digits}\n").into_bytes(),
        ] {
            let (_directory, path) = written(&content, 0o600);
            let key = Key::read(&path).unwrap();
            assert_eq!(key.bytes[31], 31);
        }
        for (content, found) in [
            (vec![], "an empty file"),
            (vec![7; 31], "31 bytes"),
            (vec![7; 33], "33 bytes"),
            (vec![7; 9999], "more than 4096 bytes"),
            (digits[1..].into(), "63 bytes"),
            (digits.replace('0', "x").into(), "64 bytes"),
        ] {
            let error = refused(&content, 0o600);
            assert!(error.contains(&format!("no key, but {found}")), "{error}");
            assert!(error.contains("openssl rand -hex 32"), "{error}");
        }
        let error = Key::read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.contains("no regular file"), "{error}");
        assert!(matches!(
            Key::read(Path::new("missing")),
            Err(KeyError::Unreadable { .. })
        ));
    }

    #[test]
    fn a_pipe_is_no_key_and_nobody_waits_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let error = Key::read(&path).unwrap_err().to_string();
        assert!(error.contains("no regular file"), "{error}");
    }

    #[test]
    fn a_key_of_zeros_is_refused() {
        for content in [vec![0; 32], vec![b'0'; 64]] {
            let error = refused(&content, 0o600);
            assert!(error.contains("a key of zeros"), "{error}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o644, 0o602, 0o610] {
            let error = refused(&[1; 32], mode);
            let words = format!("mode {mode:o}");
            assert!(
                error.contains(&words) && error.contains("chmod 600"),
                "{error}"
            );
        }
        for mode in [0o600, 0o400] {
            let (_directory, path) = written(&[1; 32], mode);
            assert!(Key::read(&path).is_ok());
        }
    }

    #[test]
    fn a_key_belongs_to_root_or_to_its_user() {
        for (owner, user, trusted) in [
            (0, 0, true),
            (0, 1000, true),
            (1000, 1000, true),
            (1000, 0, false),
            (1001, 1000, false),
        ] {
            assert_eq!(is_trusted(owner, user), trusted, "{owner} {user}");
        }
    }

    /// Only root can give a file away: what an ordinary user can see of this is tested above.
    #[test]
    fn a_key_that_was_given_away_is_refused() {
        let (_directory, path) = written(&[1; 32], 0o600);
        let given = std::os::unix::fs::chown(&path, Some(65_534), None);
        let read = Key::read(&path);
        match given {
            Ok(()) => {
                let error = read.unwrap_err().to_string();
                assert!(error.contains("belongs to user 65534"), "{error}");
            }
            Err(_) => assert!(read.is_ok()),
        }
    }

    #[test]
    fn who_holds_a_key_leaves_no_core_file() {
        let (_directory, path) = written(&[1; 32], 0o600);
        Key::read(&path).unwrap();
        assert!(!get_dumpable().unwrap());
    }
}
