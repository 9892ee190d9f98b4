//! The kernel's own st over the tape that its `scsi_debug` emulates (from Linux 6.15 on): for recordings, in a guest.

#![allow(unsafe_code)] // ioctl has no safe form.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::device::Operator;
use super::target::HookError;

/// `SCSI_IOCTL_START_UNIT`.
const START_UNIT: u64 = 0x5;
/// `SCSI_IOCTL_STOP_UNIT`.
const STOP_UNIT: u64 = 0x6;
/// `SG_SCSI_RESET`, with [`RESET_DEVICE`].
const RESET: u64 = 0x2284;
const RESET_DEVICE: libc::c_int = 1;

/// How long nodes may take to come or to go.
const PATIENCE: Duration = Duration::from_secs(120);

/// Rewinding and non-rewinding node.
pub const NODES: (&str, &str) = ("/dev/st0", "/dev/nst0");

/// Plugs the emulated drive in and works on it.
pub struct KernelOperator;

fn failed(what: &str, why: impl ToString) -> HookError {
    HookError::Failed(what.to_owned(), why.to_string())
}

fn call(program: &str, arguments: &[&str]) -> Result<(), HookError> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| failed(program, error))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(failed(program, String::from_utf8_lossy(&output.stderr)))
    }
}

fn wait_until(what: &str, come: impl Fn() -> bool) -> Result<(), HookError> {
    let begin = Instant::now();
    while !come() {
        if begin.elapsed() > PATIENCE {
            return Err(failed(what, "never came"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn new_drive() -> Result<(), HookError> {
    if Path::new("/sys/module/scsi_debug").exists() {
        call("rmmod", &["scsi_debug"])?;
        wait_until("the end of the drive", || !Path::new(NODES.1).exists())?;
    }
    call("modprobe", &["scsi_debug", "ptype=1", "delay=0"])?;
    wait_until("the drive", || {
        Path::new(NODES.0).exists() && Path::new(NODES.1).exists()
    })
}

/// Rewinds by closing the rewinding node, so that file and block are known.
fn rewind() -> Result<(), HookError> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(NODES.0)
        .map(drop)
        .map_err(|error| failed("rewind", error))
}

/// A command to the drive behind st's back.
fn command(what: &str, number: u64, argument: libc::c_int) -> Result<(), HookError> {
    let generic = std::fs::read_dir("/sys/class/scsi_tape/nst0/device/scsi_generic")
        .and_then(|mut folder| folder.next().transpose())
        .map_err(|error| failed(what, error))?
        .ok_or_else(|| failed(what, "the drive has no generic node"))?;
    let node = Path::new("/dev").join(generic.file_name());
    let file = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(node)
        .map_err(|error| failed(what, error))?;
    // SAFETY: the calls take no argument or a pointer to an int, which lives through the call.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), number, &raw const argument) };
    if result == 0 {
        Ok(())
    } else {
        Err(failed(what, std::io::Error::last_os_error()))
    }
}

impl Operator for KernelOperator {
    fn hook(&mut self, words: &[&str]) -> Result<(), HookError> {
        match words {
            ["fresh"] => {
                new_drive()?;
                rewind()
            }
            ["freshraw"] => new_drive(),
            // The emulation's tapes hold 10,000 objects of any length.
            ["smallonly"] | ["units", _] => {
                new_drive()?;
                rewind()
            }
            ["newtape"] => {
                command("newtape", STOP_UNIT, 0)?;
                command("newtape", START_UNIT, 0)
            }
            ["eject"] => command("eject", STOP_UNIT, 0),
            ["reset"] => command("reset", RESET, RESET_DEVICE),
            _ => Err(HookError::Unsupported(words.join(" "))),
        }
    }
}
