//! Records scenarios on the kernel's own st: `record OUT NAME.tc...` writes `OUT/NAME.jsonl`. To be run as root in a
//! guest whose kernel emulates a tape; `tests/conformance/record` boots one.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use pseudotape_st::OPEN_WAIT;
use pseudotape_tests::conformance::device::Device;
use pseudotape_tests::conformance::kernel::{KernelOperator, NODES};
use pseudotape_tests::conformance::run::run;
use pseudotape_tests::conformance::scenario::{self, Probe};

fn record(folder: &Path, path: &Path) -> anyhow::Result<()> {
    let name = path
        .file_stem()
        .ok_or_else(|| anyhow::anyhow!("{} has no name", path.display()))?;
    let steps = scenario::load(path)?;
    let mut device = Device::new(NODES.0.into(), NODES.1.into(), KernelOperator, OPEN_WAIT);
    let trace = run(&mut device, &steps, Probe::Full)?;
    let mut file = std::fs::File::create(folder.join(name).with_extension("jsonl"))?;
    for mut step in trace {
        // The emulation keeps only the first four bytes of a block.
        if let Some(fields) = step.as_object_mut() {
            fields.remove("crc");
            if fields.get("tag").is_some_and(|tag| tag == "00000000") {
                fields.remove("tag");
            }
        }
        writeln!(file, "{step}")?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(folder) = arguments.next() else {
        eprintln!("usage: record OUT NAME.tc...");
        return ExitCode::from(2);
    };
    let mut code = ExitCode::SUCCESS;
    for path in arguments {
        let path = Path::new(&path);
        if let Err(error) = record(Path::new(&folder), path) {
            eprintln!("record: {}: {error:#}", path.display());
            code = ExitCode::FAILURE;
        }
    }
    code
}
