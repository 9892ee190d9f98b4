//! Shell completions, made from the definition of the command line.

use clap::Command;
use clap_complete::Shell;

/// The script with which `shell` completes the words of a command.
#[must_use]
pub fn completion_script(shell: Shell, mut command: Command) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_completes_the_subcommands() {
        let command = Command::new("tape").subcommand(Command::new("wind").about("Winds"));
        let script = completion_script(Shell::Bash, command);
        let script = String::from_utf8(script).expect("text");
        assert!(script.contains("wind"), "{script}");
    }
}
