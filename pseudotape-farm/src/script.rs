//! The script of the farm's host, which is told of what clients have stored.

use std::collections::HashMap;
use std::time::Duration;

use pseudotape_farm_net::{Hook, Stored};
use pseudotape_farm_script::{At, FileWords, Names, NoScript, Script, Served};

/// How its options are called.
const NAMES: Names = Names {
    user: "--script-user",
    limit: "--script-seconds",
};

/// The script of a server.
#[derive(Debug)]
pub(crate) struct Told(Script);

impl Told {
    /// A command for `/bin/sh`, as this user.
    pub(crate) fn new(
        command: &str,
        user: Option<&str>,
        limit: Duration,
    ) -> Result<Self, NoScript> {
        Script::new(command.to_owned(), user, limit, NAMES).map(Told)
    }
}

impl Hook for Told {
    fn stored(&self, stored: &Stored<'_>) -> Result<(), String> {
        let (root, path) = (stored.root.display().to_string(), stored.path.display());
        let capsules: HashMap<_, _> = stored
            .files
            .iter()
            .map(|(entry, capsule)| (entry.number.0.get(), capsule.display().to_string()))
            .collect();
        let files: Vec<_> = stored
            .files
            .iter()
            .map(|(entry, _)| FileWords::new(entry))
            .collect();
        let at = At::Here {
            path: &path.to_string(),
            capsules: &capsules,
            served: Some(Served {
                root: &root,
                person: &stored.person.to_string(),
            }),
        };
        let told = self.0.tell(stored.volume.as_str(), at, files.iter());
        told.map_err(|failed| format!("on the farm's host: {failed}"))
    }
}
