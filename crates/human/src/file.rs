//! Files that a person names: a configuration that is something else is refused by its name, and never waited for.

use std::fs::{self, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

/// Reads a text from a regular file.
///
/// To open anything else can wait for ever (a FIFO) or move something (a tape node), and to read it can have no end (a
/// device). So it is looked at first; and looked at again, as it may have been replaced between.
pub fn read_text_file(path: &Path) -> io::Result<String> {
    expect_regular(fs::metadata(path)?.file_type())?;
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    expect_regular(file.metadata()?.file_type())?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn expect_regular(found: FileType) -> io::Result<()> {
    let what = if found.is_file() {
        return Ok(());
    } else if found.is_dir() {
        "a directory"
    } else if found.is_fifo() {
        "a FIFO"
    } else if found.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("it is {what}, and has to be a regular file"),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn only_a_regular_file_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("text"), "some text").expect("a file");
        std::os::unix::fs::symlink(at("text"), at("link")).expect("a link");
        for name in ["text", "link"] {
            assert_eq!(read_text_file(&at(name)).expect(name), "some text");
        }
        // Nobody ever writes into it: a test that waits for that is a failed one.
        mkfifo(&at("fifo"), Mode::S_IRUSR).expect("a FIFO");
        let _socket = UnixListener::bind(at("socket")).expect("a socket");
        for (path, what) in [
            (at("fifo"), "it is a FIFO"),
            (at("socket"), "it is a socket"),
            (at("."), "it is a directory"),
            ("/dev/zero".into(), "it is a device"),
            (at("nothing"), "No such file"),
        ] {
            let error = read_text_file(&path).expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
