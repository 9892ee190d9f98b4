//! The file with the user and the secret of CHAP: nobody else's, and told in no message.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::OFlag;
use nix::unistd::Uid;
use pseudotape_tcmu::{Account, Chap};

/// A longer file is none.
const FILE_MAX: u64 = 4096;
/// Permissions by which others than the owner can read or change it.
const OTHERS: u32 = 0o077;
/// What the kernel takes. Shorter secrets are found by trying: the standard asks for 96 bits.
const USER_MAX: usize = 255;
const SECRET: std::ops::RangeInclusive<usize> = 12..=255;
const KEYS: [&str; 4] = ["user", "secret", "mutual-user", "mutual-secret"];

/// Reads it. It has to belong to root or to the user of this process, and nobody else may read it.
pub(crate) fn read_chap(path: &Path) -> Result<Chap> {
    let shown = path.display();
    // A pipe would let the opening wait.
    let nonblocking = OFlag::O_NONBLOCK.bits();
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(nonblocking).open(path);
    let file = file.with_context(|| format!("can't read {shown}"))?;
    // Asked of what was opened: the path can lead elsewhere meanwhile.
    let found = file.metadata().with_context(|| format!("{shown}"))?;
    ensure!(found.is_file(), "{shown} is no regular file");
    let user = Uid::effective().as_raw();
    ensure!(
        found.uid() == 0 || found.uid() == user,
        "{shown} belongs to the user {}, who could change it: 'chown root {shown}'",
        found.uid()
    );
    ensure!(
        found.mode() & OTHERS == 0,
        "{shown} has the mode {:04o}, others can read or change it: 'chmod 600 {shown}'",
        found.mode() & 0o7777
    );
    let mut text = String::new();
    let mut start = file.take(FILE_MAX + 1);
    start
        .read_to_string(&mut text)
        .with_context(|| format!("can't read {shown}"))?;
    ensure!(
        text.len() as u64 <= FILE_MAX,
        "{shown} has more than {FILE_MAX} bytes: it is no file of a secret"
    );
    parse(&text).with_context(|| format!("{shown}"))
}

/// The parser's own messages show lines, and with them the secret.
fn parse(text: &str) -> Result<Chap> {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(_) => bail!("is no TOML: it needs lines such as user = \"host\" and secret = \"...\""),
    };
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        bail!(
            "the key '{key}' is not known: there are {}",
            KEYS.join(", ")
        );
    }
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(anyhow::anyhow!("'{key}' is no text: put it in quotes")),
    };
    let initiator = account(text("user")?, text("secret")?, ["user", "secret"])?;
    let mutual = ["mutual-user", "mutual-secret"];
    let target = match (text(mutual[0])?, text(mutual[1])?) {
        (None, None) => None,
        (user, secret) => Some(account(user, secret, mutual)?),
    };
    if let Some(target) = &target {
        ensure!(
            target.secret != initiator.secret,
            "'secret' and 'mutual-secret' are the same: whoever heard one answer could give the other"
        );
    }
    Ok(Chap { initiator, target })
}

fn account(user: Option<String>, secret: Option<String>, keys: [&str; 2]) -> Result<Account> {
    let [of_user, of_secret] = keys;
    let (Some(user), Some(secret)) = (user, secret) else {
        bail!("it needs both '{of_user}' and '{of_secret}'");
    };
    // The kernel takes a line, and one that begins with NULL as none.
    let is_line =
        |text: &str| text.chars().all(|c| c.is_ascii_graphic()) && !text.starts_with("NULL");
    ensure!(
        (1..=USER_MAX).contains(&user.len()) && is_line(&user),
        "'{of_user}' has 1 to {USER_MAX} ASCII characters without blanks, and does not begin with NULL"
    );
    ensure!(
        SECRET.contains(&secret.len()) && is_line(&secret),
        "'{of_secret}' has {} to {} ASCII characters without blanks, and does not begin with NULL",
        SECRET.start(),
        SECRET.end()
    );
    Ok(Account { user, secret })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const GOOD: &str = "user = \"host\"\nsecret = \"twelve-chars\"\n";

    fn refused(text: &str) -> String {
        format!("{:#}", parse(text).unwrap_err())
    }

    #[test]
    fn a_file_names_one_side_or_both() {
        let chap = parse(GOOD).unwrap();
        assert_eq!(chap.initiator.user, "host");
        assert_eq!(chap.initiator.secret, "twelve-chars");
        assert_eq!(chap.target, None);
        let both = format!("{GOOD}mutual-user = \"tape\"\nmutual-secret = \"another-secret\"\n");
        assert_eq!(parse(&both).unwrap().target.unwrap().user, "tape");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        let long = "x".repeat(256);
        for (text, told) in [
            ("", "both 'user' and 'secret'"),
            ("user = \"host\"", "both 'user' and 'secret'"),
            (
                "user = \"host\"\nsecret = \"short\"",
                "'secret' has 12 to 255",
            ),
            (
                &format!("user = \"{long}\"\nsecret = \"secret-of-host\""),
                "'user' has 1 to 255",
            ),
            (
                "user = \"NULL\"\nsecret = \"secret-of-host\"",
                "begin with NULL",
            ),
            (
                "user = \"h\"\nsecret = \"secret-of-host\\n\"",
                "'secret' has",
            ),
            ("user = \"h\"\nsecret = \"secret-of-host", "is no TOML"),
            ("user = \"h\"\nsecret = 123456789012", "'secret' is no text"),
            (
                "user = \"h\"\npassword = \"secret-of-host\"",
                "'password' is not known",
            ),
            (
                &format!("{GOOD}mutual-user = \"tape\""),
                "both 'mutual-user'",
            ),
            (
                &format!("{GOOD}mutual-user = \"tape\"\nmutual-secret = \"twelve-chars\""),
                "are the same",
            ),
        ] {
            let message = refused(text);
            assert!(message.contains(told), "{message}");
            for secret in ["secret-of-host", "123456789012", "twelve-chars"] {
                assert!(!message.contains(secret), "{message}");
            }
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chap");
        fs::write(&path, GOOD).unwrap();
        let with = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            read_chap(&path)
        };
        for mode in [0o640, 0o604, 0o620, 0o644] {
            let told = format!("{:#}", with(mode).unwrap_err());
            assert!(told.contains("chmod 600"), "{told}");
        }
        for mode in [0o600, 0o400] {
            assert!(with(mode).is_ok());
        }
        fs::write(&path, " ".repeat(5000)).unwrap();
        let told = format!("{:#}", with(0o600).unwrap_err());
        assert!(told.contains("4096 bytes"), "{told}");
        let told = format!("{:#}", read_chap(directory.path()).unwrap_err());
        assert!(told.contains("no regular file"), "{told}");
    }
}
