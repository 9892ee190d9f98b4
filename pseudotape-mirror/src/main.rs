//! The mirror daemon and its commands.

use std::process::ExitCode;

use pseudotape_mirror_daemon::command;

fn main() -> ExitCode {
    if pseudotape_mirror_daemon::completion::answers_shell() {
        return ExitCode::SUCCESS;
    }
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let arguments: Vec<_> = std::env::args_os().collect();
    command::run(&arguments)
}
