//! The command that is told of new capsules, as the settings of this host have it.

use anyhow::{Context, Result};
use pseudotape_farm_script::{Names, Script};

use super::config::Settings;

/// How the settings are called.
const NAMES: Names = Names {
    user: "script-user =",
    limit: "script-seconds",
};

/// The one that the settings name, found to be possible before anything is stored.
pub(super) fn of(settings: &Settings) -> Result<Option<Script>> {
    let Some(command) = settings.script() else {
        return Ok(None);
    };
    let script = Script::new(
        command.to_owned(),
        settings.script_user(),
        settings.script_limit(),
        NAMES,
    );
    Ok(Some(script.context("nothing was stored")?))
}
