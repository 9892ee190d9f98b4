//! What the kernel answers itself before or instead of st, for the target in process.
//!
//! | call | the kernel |
//! |---|---|
//! | `read` on `O_WRONLY`, `write` on `O_RDONLY` | EBADF, also for no bytes |
//! | `open` with `O_CREAT\|O_EXCL` | EEXIST; `O_CREAT`, `O_TRUNC`, `O_APPEND`, `O_SYNC` mean nothing |
//! | `open` with `O_DIRECT` | the driver opens, then EINVAL and the driver releases without flushing |
//! | `open` against the mode of the node | EACCES |
//! | `readv`, `writev` | one call of the driver an element, until one is not whole |
//! | `pread`, `pwrite` | ESPIPE |
//! | `lseek` | 0, always |
//! | `fsync`, `fdatasync`, `ftruncate` | EINVAL |
//! | `mmap` | ENODEV |
//! | `poll` | readable and writable |
//! | `dup` | one open file; the driver hears of its last `close` |
//! | a bad pointer | EFAULT: for `MTIOCTOP` before anything is done, for `write` behind its checks, for what comes from the driver when it is there |

use std::time::Duration;

use pseudotape_mtio::{Command, MtOp, Width};
use pseudotape_st::{AccessMode, Caller, Errno, Node, OPEN_WAIT, OpenFlags, Opening, Options, St};

use super::in_process::{Workshop, length_of};
use super::target::{CallResult, Descriptor, FileStatus, HookError, Target, Whence};

struct OpenFile {
    access: AccessMode,
    descriptors: Vec<i32>,
}

/// `St` on a drive in this process, behind a small kernel.
pub struct InProcess<W> {
    workshop: W,
    st: St,
    files: Vec<OpenFile>,
    next_descriptor: i32,
    euid: u32,
    modes: [(char, u32); 2],
    open_time: Duration,
}

fn named(errno: Errno) -> String {
    errno.name().to_owned()
}

impl<W: Workshop> InProcess<W> {
    /// A target on the drive that the workshop makes.
    pub fn new(workshop: W) -> Self {
        InProcess {
            st: St::new(&Options::default()),
            workshop,
            files: Vec::new(),
            next_descriptor: 3,
            euid: 0,
            modes: [('n', 0o600), ('r', 0o600)],
            open_time: Duration::ZERO,
        }
    }

    fn caller(&self) -> Caller {
        Caller {
            privileged: self.euid == 0,
        }
    }

    fn file(&self, descriptor: Descriptor) -> CallResult<&OpenFile> {
        self.files
            .iter()
            .find(|file| file.descriptors.contains(&descriptor.0))
            .ok_or_else(|| "EBADF".to_owned())
    }

    fn readable(&self, descriptor: Descriptor) -> CallResult<()> {
        match self.file(descriptor)?.access {
            AccessMode::Read | AccessMode::ReadWrite => Ok(()),
            AccessMode::Write => Err("EBADF".into()),
        }
    }

    fn writable(&self, descriptor: Descriptor) -> CallResult<()> {
        match self.file(descriptor)?.access {
            AccessMode::Write | AccessMode::ReadWrite => Ok(()),
            AccessMode::Read => Err("EBADF".into()),
        }
    }

    fn descriptor(&mut self) -> i32 {
        self.next_descriptor += 1;
        self.next_descriptor
    }

    /// A driver that has just found the drive, a blank tape, rewound.
    fn begin(&mut self, fresh: Fresh) -> Result<(), HookError> {
        self.st = St::new(&Options {
            reports_beginning: self.workshop.personality().reports_beginning,
            limits_reads: self.workshop.personality().limits_reads,
            ..Options::default()
        });
        self.files.clear();
        if fresh == Fresh::AsFound {
            return Ok(());
        }
        let flags = OpenFlags {
            access: AccessMode::Read,
            nonblock: true,
        };
        let drive = self.workshop.drive();
        let failed = |errno: Errno| HookError::Failed("fresh".into(), named(errno));
        self.st
            .open(
                drive,
                Node {
                    mode: 0,
                    rewinding: true,
                },
                flags,
            )
            .map_err(failed)?;
        self.st.close(drive).map_err(failed)
    }

    /// Waits for the drive with a clock of its own.
    fn wait_for_drive(&mut self, mut opening: Opening) -> CallResult<()> {
        self.open_time = Duration::ZERO;
        while opening == Opening::Waiting {
            if self.open_time >= OPEN_WAIT {
                return Err(named(self.st.abandon_open()));
            }
            self.open_time += Duration::from_secs(1);
            opening = self.st.open_again(self.workshop.drive()).map_err(named)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fresh {
    Rewound,
    AsFound,
}

impl<W: Workshop> Target for InProcess<W> {
    fn hook(&mut self, words: &[&str]) -> Result<(), HookError> {
        match words {
            ["fresh"] => {
                self.workshop.new_drive(Medium::Blank)?;
                self.begin(Fresh::Rewound)
            }
            ["freshraw"] => {
                self.workshop.new_drive(Medium::Blank)?;
                self.begin(Fresh::AsFound)
            }
            ["smalltape"] => {
                self.workshop.new_drive(Medium::Small)?;
                self.begin(Fresh::Rewound)
            }
            ["smallonly"] => {
                self.workshop.new_drive(Medium::FewObjects)?;
                self.begin(Fresh::Rewound)
            }
            ["units", bytes] => {
                self.workshop
                    .new_drive(Medium::Blocks(length_of(words, bytes)?))?;
                self.begin(Fresh::Rewound)
            }
            ["wp", on] => self.workshop.write_protect(*on == "1"),
            ["eject"] => self.workshop.eject(),
            ["newtape"] => self.workshop.change_medium(),
            ["reset"] => self.workshop.reset(),
            _ => Err(HookError::Unsupported(words.join(" "))),
        }
    }

    fn open(&mut self, node: &str, flags: &[&str]) -> CallResult<Descriptor> {
        self.open_time = Duration::ZERO;
        let has = |flag: &str| flags.contains(&flag);
        let access = match (has("wo"), has("rw")) {
            (true, _) => AccessMode::Write,
            (false, true) => AccessMode::ReadWrite,
            (false, false) => AccessMode::Read,
        };
        if has("creat") && has("excl") {
            return Err("EEXIST".into());
        }
        let rewinding = node.starts_with('r');
        let letter = if rewinding { 'r' } else { 'n' };
        let wants = match access {
            AccessMode::Read => 0o4,
            AccessMode::Write => 0o2,
            AccessMode::ReadWrite => 0o6,
        };
        let allowed = self
            .modes
            .iter()
            .any(|&(name, mode)| name == letter && mode & wants == wants);
        if self.euid != 0 && !allowed {
            return Err("EACCES".into());
        }
        let mode = match node.get(1..) {
            Some("l") => 1,
            Some("m") => 2,
            Some("a") => 3,
            _ => 0,
        };
        let flags = OpenFlags {
            access,
            nonblock: has("nonblock"),
        };
        if has("direct") {
            // Released without a flush, so nothing rewinds.
            let node = Node {
                mode,
                rewinding: false,
            };
            let opening = self
                .st
                .open(self.workshop.drive(), node, flags)
                .map_err(named)?;
            self.wait_for_drive(opening)?;
            self.st.close(self.workshop.drive()).map_err(named)?;
            return Err("EINVAL".into());
        }
        let opening = self
            .st
            .open(self.workshop.drive(), Node { mode, rewinding }, flags)
            .map_err(named)?;
        self.wait_for_drive(opening)?;
        let descriptor = self.descriptor();
        self.files.push(OpenFile {
            access,
            descriptors: vec![descriptor],
        });
        Ok(Descriptor(descriptor))
    }

    fn open_seconds(&self) -> u64 {
        self.open_time.as_secs()
    }

    fn close(&mut self, file: Descriptor) -> CallResult<()> {
        self.file(file)?;
        for open in &mut self.files {
            open.descriptors.retain(|&descriptor| descriptor != file.0);
        }
        let before = self.files.len();
        self.files.retain(|open| !open.descriptors.is_empty());
        if self.files.len() == before {
            return Ok(());
        }
        self.st.close(self.workshop.drive()).map_err(named)
    }

    fn dup(&mut self, file: Descriptor) -> CallResult<Descriptor> {
        self.file(file)?;
        let copy = self.descriptor();
        for open in &mut self.files {
            if open.descriptors.contains(&file.0) {
                open.descriptors.push(copy);
            }
        }
        Ok(Descriptor(copy))
    }

    fn read(&mut self, file: Descriptor, buffer: &mut [u8]) -> CallResult<usize> {
        self.readable(file)?;
        self.st.read(self.workshop.drive(), buffer).map_err(named)
    }

    fn write(&mut self, file: Descriptor, data: &[u8]) -> CallResult<usize> {
        self.writable(file)?;
        self.st.write(self.workshop.drive(), data).map_err(named)
    }

    fn readv(&mut self, file: Descriptor, buffers: &mut [Vec<u8>]) -> CallResult<usize> {
        let mut total = 0;
        for buffer in buffers {
            match self.read(file, buffer) {
                Err(errno) if total == 0 => return Err(errno),
                Err(_) => break,
                Ok(count) => {
                    total += count;
                    if count != buffer.len() {
                        break;
                    }
                }
            }
        }
        Ok(total)
    }

    fn writev(&mut self, file: Descriptor, data: &[Vec<u8>]) -> CallResult<usize> {
        let mut total = 0;
        for part in data {
            match self.write(file, part) {
                Err(errno) if total == 0 => return Err(errno),
                Err(_) => break,
                Ok(count) => {
                    total += count;
                    if count != part.len() {
                        break;
                    }
                }
            }
        }
        Ok(total)
    }

    fn pread(&mut self, _file: Descriptor, _buffer: &mut [u8], _offset: i64) -> CallResult<usize> {
        Err("ESPIPE".into())
    }

    fn pwrite(&mut self, _file: Descriptor, _data: &[u8], _offset: i64) -> CallResult<usize> {
        Err("ESPIPE".into())
    }

    fn ioctl(&mut self, file: Descriptor, command: u32, argument: &mut [u8]) -> CallResult<i32> {
        self.file(file)?;
        let caller = self.caller();
        let drive = self.workshop.drive();
        let mut output = Vec::new();
        match Command::decode(command) {
            Command::Operation => {
                let bytes = argument.get(..8).ok_or("EFAULT")?;
                let op = MtOp::decode(bytes).map_err(|error| error.to_string())?;
                self.st.op(drive, op, caller).map_err(named)?;
            }
            Command::Status(width) => {
                let status = self.st.get(drive).map_err(named)?;
                status.encode(width, &mut output);
            }
            Command::Position(width) => {
                let position = self.st.pos(drive).map_err(named)?;
                position.encode(width, &mut output);
            }
            Command::Other(number) => {
                return Err(named(self.st.other_ioctl(drive, number, caller)));
            }
        }
        argument
            .get_mut(..output.len())
            .ok_or("EFAULT")?
            .copy_from_slice(&output);
        Ok(0)
    }

    fn ioctl_nowhere(&mut self, file: Descriptor, command: u32) -> CallResult<i32> {
        self.file(file)?;
        let drive = self.workshop.drive();
        match Command::decode(command) {
            Command::Operation => {}
            Command::Status(Width::Bits64 | Width::Bits32) => {
                self.st.get(drive).map_err(named)?;
            }
            Command::Position(Width::Bits64 | Width::Bits32) => {
                self.st.pos(drive).map_err(named)?;
            }
            Command::Other(number) => {
                let caller = self.caller();
                let drive = self.workshop.drive();
                return Err(named(self.st.other_ioctl(drive, number, caller)));
            }
        }
        Err("EFAULT".into())
    }

    fn read_nowhere(&mut self, file: Descriptor, length: usize) -> CallResult<usize> {
        match self.read(file, &mut vec![0; length])? {
            0 => Ok(0),
            _ => Err("EFAULT".into()),
        }
    }

    fn write_nowhere(&mut self, file: Descriptor, length: usize) -> CallResult<usize> {
        self.writable(file)?;
        self.st
            .check_write(self.workshop.drive(), length)
            .map_err(named)?;
        if length == 0 {
            return Ok(0);
        }
        Err("EFAULT".into())
    }

    fn sync(&mut self, file: Descriptor) -> CallResult<()> {
        self.file(file)?;
        Err("EINVAL".into())
    }

    fn fstat(&mut self, file: Descriptor) -> CallResult<FileStatus> {
        self.file(file)?;
        Ok(FileStatus {
            mode: 0o20_600,
            size: 0,
            block_size: 4096,
        })
    }

    fn poll(&mut self, file: Descriptor) -> CallResult<Option<u32>> {
        self.file(file)?;
        Ok(Some(0x5))
    }

    fn ftruncate(&mut self, file: Descriptor, _length: i64) -> CallResult<()> {
        self.file(file)?;
        Err("EINVAL".into())
    }

    fn mmap(&mut self, file: Descriptor, _length: usize) -> CallResult<()> {
        self.file(file)?;
        Err("ENODEV".into())
    }

    fn lseek(&mut self, file: Descriptor, _offset: i64, _whence: Whence) -> CallResult<i64> {
        self.file(file)?;
        Ok(0)
    }

    fn set_euid(&mut self, uid: u32) -> CallResult<()> {
        self.euid = uid;
        Ok(())
    }

    fn chmod(&mut self, node: &str, mode: u32) -> CallResult<()> {
        let letter = if node == "r" { 'r' } else { 'n' };
        for (name, kept) in &mut self.modes {
            if *name == letter {
                *kept = mode;
            }
        }
        Ok(())
    }
}

/// What cartridge a new drive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Blank, without end.
    Blank,
    /// Blank, 1 MiB long with 128 KiB of early warning.
    Small,
    /// Blank, for about ten thousand objects.
    FewObjects,
    /// Blank, for 9,999 blocks of this length; early warning with the 9,981st, as `scsi_debug` has it.
    Blocks(u64),
}
