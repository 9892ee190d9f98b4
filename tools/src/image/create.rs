use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use pseudotape_drive::{
    MakingError, Replaceable, ReplacingError, default_early_warning_bytes, fresh_volume,
    make_volume, replace_volume,
};
use pseudotape_human::{HumanBytes, Report, Screen};
use pseudotape_image::{CreateParameters, Error, Rewriting};
use serde::Serialize;

use super::in_use;
use crate::Verdict;
use crate::cli::CreateOptions;

#[derive(Debug, Serialize)]
struct Created {
    image: PathBuf,
    volume: String,
    capacity_bytes: Option<u64>,
    early_warning_bytes: u64,
}

impl Report for Created {
    fn text(&self, _: &Screen) -> String {
        let capacity = match self.capacity_bytes {
            Some(bytes) => format!(
                "capacity {}, early warning {} before the end",
                HumanBytes(bytes),
                HumanBytes(self.early_warning_bytes)
            ),
            None => "no limit but the host's disk".to_owned(),
        };
        format!(
            "made {}: volume {}, {capacity}\n",
            self.image.display(),
            self.volume
        )
    }
}

pub(crate) fn run(options: &CreateOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let parameters = parameters(options)?;
    let image = &options.image;
    ensure!(
        !image.is_dir(),
        "{0} is a directory: name a file in it, such as {0}/tape.ptape",
        image.display()
    );
    if options.force {
        replace(options, &parameters)?;
    } else {
        ensure!(
            fs::symlink_metadata(image).is_err(),
            "{} exists: choose another name, or --force to replace it (what is on it is lost)",
            image.display()
        );
        make_volume(image, &parameters)?;
    }
    screen.show(&Created {
        image: image.clone(),
        volume: parameters.header.volume.to_string(),
        capacity_bytes: parameters.header.capacity_bytes,
        early_warning_bytes: parameters.header.early_warning_bytes,
    })?;
    Ok(Verdict::Well)
}

/// A fresh volume without limits.
pub(crate) fn fresh() -> anyhow::Result<CreateParameters> {
    let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond())
        .context("the clock of this machine is before 1970: set it")?;
    Ok(fresh_volume(now_ms))
}

fn parameters(options: &CreateOptions) -> anyhow::Result<CreateParameters> {
    let mut parameters = fresh()?;
    let header = &mut parameters.header;
    header.volume = options.volume_id.unwrap_or(header.volume);
    header.created_ms = options.created_ms.unwrap_or(header.created_ms);
    header.capacity_bytes = options.capacity;
    header.early_warning_bytes = early_warning_bytes(options)?;
    header.block_limits.min_bytes = block_size("--min-block", options.min_block)?;
    header.block_limits.max_bytes = block_size("--max-block", options.max_block)?;
    ensure!(
        options.min_block <= options.max_block,
        "--min-block {} is larger than --max-block {}",
        options.min_block,
        options.max_block
    );
    header.rewriting = match options.worm {
        true => Rewriting::AppendOnly,
        false => Rewriting::Allowed,
    };
    parameters.label = options.label.clone().unwrap_or_default();
    parameters.barcode = options.barcode.clone().unwrap_or_default();
    Ok(parameters)
}

fn early_warning_bytes(options: &CreateOptions) -> anyhow::Result<u64> {
    match (options.capacity, options.early_warning) {
        (Some(capacity), Some(early_warning)) => {
            ensure!(
                early_warning.of(capacity) <= capacity / 2,
                "--early-warning {early_warning} is more than half of --capacity {}",
                HumanBytes(capacity)
            );
            Ok(early_warning.of(capacity))
        }
        (Some(capacity), None) => Ok(default_early_warning_bytes(capacity)),
        (None, Some(_)) => bail!("--early-warning needs a --capacity, before whose end it warns"),
        (None, None) => Ok(0),
    }
}

fn block_size(option: &str, bytes: u64) -> anyhow::Result<u32> {
    let most = u64::from(pseudotape_image::MAX_BLOCK_BYTES);
    ensure!(
        (1..=most).contains(&bytes),
        "{option} {bytes}: a block has 1 to {most} bytes"
    );
    Ok(u32::try_from(bytes).expect("the limit fits"))
}

/// Replaces an image at one stroke, if there is one and nobody uses it.
fn replace(options: &CreateOptions, parameters: &CreateParameters) -> anyhow::Result<()> {
    let path = &options.image;
    match fs::symlink_metadata(path) {
        // A slip of the fingers must not cost a disk, or a file that is something else.
        Ok(metadata) => ensure!(
            metadata.is_file(),
            "{} is no regular file: --force replaces only images",
            path.display()
        ),
        Err(_) => return Ok(make_volume(path, parameters)?),
    }
    let replaceable = match options.destroy_worm {
        true => Replaceable::Worm,
        false => Replaceable::Rewritable,
    };
    match replace_volume(path, parameters, replaceable) {
        Err(ReplacingError::Making(MakingError::File(error @ Error::InUse { .. }))) => {
            Err(in_use(&error))
        }
        done => Ok(done?),
    }
}
