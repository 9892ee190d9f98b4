//! A library of ten thousand cartridges: what a move takes, by the control socket, and what its table as mtx prints it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pseudotape_changer::{Cartridge, Design, Host, Layout, Library, MemoryHost};
use pseudotape_control::{LibraryOrder, Request, Response};

use crate::mounted::{Server, create_image};
use crate::report::Report;

const CARTRIDGES: u16 = 10_000;
const DRIVES: u16 = 4;
/// Those that are loaded, each with an image.
const IMAGES: u16 = 8;
const ROUNDS: u16 = 200;
/// Addresses of the first drive and the first slot.
const DRIVE: u16 = 257;
const SLOT: u16 = 1025;

pub fn run(report: &mut Report, programs: &Path, scratch: &Path) -> Result<()> {
    let folder = scratch.join("library");
    make(programs, &folder)?;
    let (mount, control) = (scratch.join("library-nodes"), scratch.join("control"));
    let arguments = [
        "--library",
        text(&folder)?,
        "--fuse",
        text(&mount)?,
        "--control",
        text(&control)?,
    ];
    let daemon = programs.join("pseudotape-dev");
    let server = Server::start(&daemon, &arguments, &mount, "npmtm3")?;
    let carry = |from, to| -> Result<f64> {
        let start = Instant::now();
        order(&control, from, to)?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    let (mut loads, mut unloads, mut transfers) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (slot, drive) = (SLOT + round % IMAGES, DRIVE + round % DRIVES);
        loads.push(carry(slot, drive)?);
        unloads.push(carry(drive, slot)?);
        // The last slot is free.
        let free = SLOT + CARTRIDGES;
        transfers.push(carry(SLOT + 5000 + round, free)?);
        carry(free, SLOT + 5000 + round)?;
    }
    let program = programs.join("pseudotape");
    let mut tables = Vec::new();
    for _ in 0..15 {
        let start = Instant::now();
        let done = Command::new(&program)
            .args(["changer", "-f", text(&control)?, "status"])
            .stderr(Stdio::inherit())
            .output()?;
        tables.push(start.elapsed().as_secs_f64() * 1e3);
        let lines = done.stdout.split(|byte| *byte == b'\n').count();
        ensure!(
            done.status.success() && lines > usize::from(CARTRIDGES),
            "the table has {lines} lines"
        );
    }
    drop(server);
    for (what, values) in [
        ("load", loads),
        ("unload", unloads),
        ("transfer", transfers),
    ] {
        let name = format!("{what}, library of {CARTRIDGES} cartridges");
        let longest = values.iter().copied().fold(0.0, f64::max);
        report.at_most(&name, "ms", 20.0, values);
        report.at_most(&format!("{name}: the longest"), "ms", 20.0, vec![longest]);
    }
    report.at_most("mtx status of it, 4 drives", "ms", 200.0, tables);
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Every slot but the last is full. Only the cartridges that are loaded have an image.
fn make(programs: &Path, folder: &Path) -> Result<()> {
    let design = Design {
        name: "bench".into(),
        serial: "PTLbench".into(),
        layout: Layout::usual(DRIVES, 0, CARTRIDGES + 1)?,
        barcodes: "PT#####".into(),
        capacity_bytes: Some(1 << 20),
    };
    let mut library = Library::create(MemoryHost::default(), design)?;
    for number in 0..CARTRIDGES {
        let barcode = format!("PT{:05}", number + 1);
        let at = library.layout().slots.address(number);
        let cartridge = Cartridge {
            volume: format!("cartridges/{barcode}.ptape"),
            barcode: barcode.parse()?,
        };
        library.put(at.context("a slot for each")?, cartridge)?;
    }
    let file = library.host().clone().read()?.context("it was written")?;
    let cartridges = folder.join("cartridges");
    fs::create_dir_all(&cartridges)?;
    fs::write(folder.join("library.json"), file)?;
    for number in 1..=IMAGES {
        create_image(programs, &cartridges.join(format!("PT{number:05}.ptape")))?;
    }
    Ok(())
}

fn order(control: &Path, from: u16, to: u16) -> Result<()> {
    let request = Request::Library {
        library: None,
        order: LibraryOrder::Move {
            from,
            to,
            invert: false,
        },
    };
    match pseudotape_control::call(control, &request, Duration::from_secs(60))? {
        Response::Done { .. } => Ok(()),
        other => bail!("from {from} to {to}: {other:?}"),
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}
