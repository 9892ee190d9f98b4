//! How a farm of another host is reached.

use std::ffi::OsString;
use std::path::Path;

use pseudotape_farm_net::{Client, Place};
use pseudotape_human::printable;

use super::config::Settings;

/// The other host, where the root is one of another host.
pub(super) fn place(root: &Path) -> anyhow::Result<Option<Place>> {
    match root.to_str().filter(|text| Place::is_meant(text)) {
        Some(text) => Ok(Some(text.parse()?)),
        None => Ok(None),
    }
}

/// A connection to the farm.
pub(super) fn reach(rsh: &OsString, settings: &Settings, place: &Place) -> anyhow::Result<Client> {
    let waiting = |text: &str| eprintln!("pseudotape: {}", printable(text));
    Ok(match place {
        Place::Tls(host) => Client::over_tls(host, &settings.tls()?, waiting)?,
        Place::Ssh(host) => Client::over_ssh(host, rsh, waiting)?,
    })
}
