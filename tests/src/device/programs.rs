use std::path::PathBuf;
use std::process::Command;

/// Where the programs under test are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The directory that holds them.
    pub directory: PathBuf,
}

impl Programs {
    /// Those in `PSEUDOTAPE_BIN`; else those beside this program, built now.
    pub fn find() -> anyhow::Result<Self> {
        if let Some(directory) = std::env::var_os("PSEUDOTAPE_BIN") {
            return Ok(Programs {
                directory: directory.into(),
            });
        }
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "pseudotape-dev", "--bins"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()?;
        anyhow::ensure!(status.success(), "pseudotape-dev could not be built");
        let test = std::env::current_exe()?;
        let profile = test
            .ancestors()
            .find(|above| above.join("pseudotape-dev").exists());
        let directory =
            profile.ok_or_else(|| anyhow::anyhow!("no pseudotape-dev above {}", test.display()))?;
        Ok(Programs {
            directory: directory.to_owned(),
        })
    }

    /// The device daemon.
    #[must_use]
    pub fn daemon(&self) -> PathBuf {
        self.directory.join("pseudotape-dev")
    }
}
