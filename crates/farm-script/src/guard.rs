//! What ends a script or command when the program that watches its time is ended itself.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// It reads the group that it guards, and waits for a second line. Where its input ends before, who watched is gone.
const WORDS: &str = r#"read -r group && { read -r over || kill -9 "-$group"; }"#;

/// Ends a process group as soon as this process ends, however it does, or drops the guard.
///
/// A terminal sends `^C` to this process and not to a group of its own, and `SIGKILL` leaves no time to do anything:
/// so it is a process beside both, which sees its input end.
#[derive(Debug)]
pub struct Guard(Child);

impl Guard {
    /// A guard that has no group yet: it is there before what it guards.
    pub fn new() -> io::Result<Self> {
        Command::new("/bin/sh")
            .args(["-c", WORDS])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(Guard)
    }

    /// Guards the group that a child leads. Where that fails, the child is ended.
    pub fn holds(&mut self, child: &mut Child) -> io::Result<()> {
        self.say(&format!("{}\n", child.id())).inspect_err(|_| {
            // It is to end; where it did, nothing is left to do.
            child.kill().ok();
            child.wait().ok();
        })
    }

    /// The group ended, or may go on.
    pub fn over(mut self) {
        // Where there is no guard any more, it ends nothing either.
        self.say("over\n").ok();
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        match &mut self.0.stdin {
            Some(input) => input.write_all(line.as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Nothing is left behind of it.
        self.0.wait().ok();
    }
}
