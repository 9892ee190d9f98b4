//! Steps that checks are made of.

use anyhow::{anyhow, ensure};
use pseudotape_tape::{Address, Drive, Mark, ObjectNumber, Stop, Transfer, WriteMode};
use pseudotape_testkit::block_of;

/// Says in one line where two values differ.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the values are made for the call"
)]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: T,
    expected: T,
) -> anyhow::Result<()> {
    ensure!(
        found == expected,
        "{what}: found {found:?}, expected {expected:?}"
    );
    Ok(())
}

pub(crate) fn put(drive: &mut dyn Drive, seed: u64, length: usize) -> anyhow::Result<Option<Stop>> {
    let done = drive.write(Transfer::Variable, &block_of(seed, length))?;
    same("blocks written", done.count, 1)?;
    Ok(done.stop)
}

pub(crate) fn filemark(drive: &mut dyn Drive) -> anyhow::Result<()> {
    let done = drive.write_marks(Mark::Filemark, 1, WriteMode::Commit)?;
    same("filemarks written", done.count, 1)
}

pub(crate) fn to(object: u64) -> Address {
    Address {
        partition: None,
        object: ObjectNumber(object),
    }
}

pub(crate) fn expect_block(drive: &mut dyn Drive, seed: u64, length: usize) -> anyhow::Result<()> {
    // More than twice the block: a smaller excess makes tgt mix up the bytes.
    let mut buffer = vec![0; 2 * length + 1];
    let done = drive.read(Transfer::Variable, &mut buffer)?;
    let got = (done.stop, done.block_length as usize);
    same(&format!("block {seed}"), got, (None, length))?;
    ensure!(
        buffer[..length] == block_of(seed, length),
        "block {seed} came back different"
    );
    Ok(())
}

pub(crate) fn expect_stop(drive: &mut dyn Drive, stop: Stop) -> anyhow::Result<()> {
    let done = drive.read(Transfer::Variable, &mut [0; 100])?;
    same("a read where no block is", done.stop, Some(stop))
}

pub(crate) fn object(drive: &mut dyn Drive) -> anyhow::Result<u64> {
    Ok(drive.position()?.object.0)
}

/// Writes blocks of one length until one does not fit; says after how many early warning came, and how many
/// fitted.
pub(crate) fn fill(drive: &mut dyn Drive, length: usize) -> anyhow::Result<(Option<u64>, u64)> {
    let mut warned = None;
    for seed in 0.. {
        let done = drive.write(Transfer::Variable, &block_of(seed, length))?;
        same(
            "the place after a write",
            done.position.object.0,
            seed + done.count,
        )?;
        match (done.count, done.stop) {
            (1, None) => ensure!(warned.is_none(), "early warning was taken back at {seed}"),
            (1, Some(Stop::EarlyWarning)) => {
                warned.get_or_insert(seed + 1);
                ensure!(
                    done.position.past_early_warning,
                    "past early warning at {seed}"
                );
            }
            (0, Some(Stop::EndOfPartition)) => return Ok((warned, seed)),
            other => return Err(anyhow!("a write came to {other:?}")),
        }
    }
    Err(anyhow!("the tape has no end"))
}
