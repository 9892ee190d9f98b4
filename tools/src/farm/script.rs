//! The command that is told of new capsules, as the settings of this host have it.

use anyhow::{Result, anyhow};
use pseudotape_farm_script::{Names, NoScript, Script};

use super::config::Settings;

/// How the settings are called.
const NAMES: Names = Names {
    user: "script-user =",
    limit: "script-seconds",
};

/// The one that the settings name, found to be possible before anything is stored.
pub(super) fn of(settings: &Settings) -> Result<Option<Script>> {
    possible(settings).map_err(|error| anyhow!("{error}; nothing was stored"))
}

/// The one that the settings name; else why there can be none.
pub(super) fn possible(settings: &Settings) -> Result<Option<Script>, NoScript> {
    let Some(command) = settings.script() else {
        return Ok(None);
    };
    let script = Script::new(
        command.to_owned(),
        settings.script_user(),
        settings.script_limit(),
        NAMES,
    );
    script.map(Some)
}
