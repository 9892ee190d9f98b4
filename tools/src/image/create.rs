use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use pseudotape_drive::{
    FileMedium, Medium, commit_name, default_early_warning_bytes, fresh_volume, make_volume,
};
use pseudotape_human::{HumanBytes, Report, Screen};
use pseudotape_image::{Access, CreateParameters, FileStore, Image, Rewriting};
use serde::Serialize;

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
    if options.force {
        replace(image, &parameters)?;
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
        (Some(0), _) => bail!("--capacity 0: nothing would fit; leave it out for no limit"),
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
fn replace(path: &Path, parameters: &CreateParameters) -> anyhow::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(_) => return Ok(make_volume(path, parameters)?),
    };
    // A slip of the fingers must not cost a disk, or a file that is something else.
    ensure!(
        metadata.is_file(),
        "{} is no regular file: --force replaces only images",
        path.display()
    );
    // Keeps the lock on the old one until the new one has taken its place.
    let old = Image::open(FileStore::open(path, Access::ReadWrite)?, Access::ReadWrite);
    ensure!(
        metadata.len() == 0 || !matches!(old, Err(pseudotape_image::Error::NotAnImage { .. })),
        "{} is no pseudotape image: --force replaces only images; remove it first if that is meant",
        path.display()
    );
    let partition_count = old
        .as_ref()
        .map_or(1, |(old, _)| old.header().partition_count);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    make_volume(&new, parameters)?;
    fs::rename(&new, path)
        .with_context(|| format!("can't rename {} to {}", new.display(), path.display()))?;
    commit_name(path)?;
    let mut medium = FileMedium::new(path, Access::ReadWrite);
    for partition in 1..partition_count {
        medium.remove(partition)?;
    }
    Ok(())
}
