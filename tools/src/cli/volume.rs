//! What a volume is told when it is made.

use anyhow::{Context, ensure};
use pseudotape_image::{Uuid, VolumeId};

/// The identity of a volume, as `pseudotape info` shows it.
pub(super) fn parse_volume_id(text: &str) -> anyhow::Result<VolumeId> {
    let id = Uuid::try_parse(text).context(
        "it is no UUID, as 'pseudotape info' shows one (123e4567-e89b-42d3-a456-426614174000)",
    )?;
    ensure!(
        !id.is_nil(),
        "the identity of all zeros means that a volume has none"
    );
    Ok(VolumeId(id))
}

/// Milliseconds since 1970 of a time in RFC 3339.
pub(super) fn parse_creation(text: &str) -> anyhow::Result<u64> {
    let time: jiff::Timestamp = text
        .parse()
        .context("it is no time in RFC 3339 (2026-01-31T12:00:00Z)")?;
    u64::try_from(time.as_millisecond()).context("it lies before 1970")
}
