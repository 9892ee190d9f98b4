//! The server of a disk farm: single files for other hosts.

use std::process::ExitCode;

fn main() -> ExitCode {
    if pseudotape_farm_server::answers_shell() {
        return ExitCode::SUCCESS;
    }
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let arguments: Vec<_> = std::env::args_os().collect();
    pseudotape_farm_server::run(&arguments)
}
