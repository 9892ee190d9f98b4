use std::path::{Path, PathBuf};

use pseudotape_control::Request;
use pseudotape_drive::{Cartridge, CartridgeError, FileMedium};
use pseudotape_human::{Report, Screen};
use pseudotape_image::{Access, WriteProtect};
use serde::Serialize;

use super::explained;
use crate::Verdict;
use crate::cli::{Switch, WriteProtectOptions};
use crate::client::Daemon;

#[derive(Debug, Serialize)]
struct Switched {
    image: PathBuf,
    write_protected: bool,
}

impl Report for Switched {
    fn text(&self, _: &Screen) -> String {
        let state = match self.write_protected {
            true => "write protected",
            false => "no longer write protected",
        };
        format!("{} is {state}\n", self.image.display())
    }
}

pub(crate) fn run(
    options: &WriteProtectOptions,
    daemon: &Daemon,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let on = options.switch == Switch::On;
    if let Some(drive) = drive_number(&options.target) {
        screen.show(&daemon.order(&Request::WriteProtect { drive, on })?)?;
        return Ok(Verdict::Well);
    }
    let medium = FileMedium::new(&options.target, Access::ReadWrite);
    let (mut cartridge, _) = Cartridge::open(medium).map_err(|error| match error {
        CartridgeError::Image(error) => explained(&options.target, error),
        CartridgeError::Mismatch { .. } => error.into(),
    })?;
    let moved = cartridge.set_write_protect(match options.switch {
        Switch::On => WriteProtect::On,
        Switch::Off => WriteProtect::Off,
    });
    moved
        .and_then(|()| cartridge.finish())
        .map_err(|error| explained(&options.target, error))?;
    screen.show(&Switched {
        image: options.target.clone(),
        write_protected: on,
    })?;
    Ok(Verdict::Well)
}

/// A word of digits is a drive; a file of such a name is reached as `./7`.
fn drive_number(target: &Path) -> Option<u32> {
    let word = target.to_str()?;
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_of_digits_are_drives() {
        assert_eq!(drive_number(Path::new("0")), Some(0));
        assert_eq!(drive_number(Path::new("12")), Some(12));
        for path in ["./7", "7.ptape", "", "+1", "99999999999"] {
            assert_eq!(drive_number(Path::new(path)), None, "{path}");
        }
    }
}
