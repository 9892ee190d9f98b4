//! The whole way of a mirror as a target: the drive is a slave's, the slave a mirror, its legs two images.

use std::fmt::Display;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Duration;

use pseudotape_drive::{ImageDrive, MemoryMedium, Personality};
use pseudotape_mirror::{LegOptions, MirrorDrive, MirrorOptions, NewLeg};
use pseudotape_slave::{Channel, Options, SlaveDrive, SlavePort, serve};
use pseudotape_tape::{Bare, Drive};
use pseudotape_testkit::SharedDrive;

use super::in_process::{Workshop, image_drive, protect};
use super::target::HookError;
use super::vfs::Medium;

/// Makes mirrors of two images in memory, the second of them larger, behind a slave end.
pub struct MirrorWorkshop {
    personality: Personality,
    legs: Vec<SharedDrive<ImageDrive<MemoryMedium>>>,
    mirror: SharedDrive<MirrorDrive>,
    drive: SlaveDrive,
    port: SlavePort,
    server: Option<JoinHandle<()>>,
}

impl MirrorWorkshop {
    /// A workshop whose legs are drives of this personality.
    ///
    /// # Panics
    ///
    /// Where the system has no descriptors left.
    #[must_use]
    pub fn new(personality: Personality) -> Self {
        let (drive, port) = SlaveDrive::new(Options::default()).expect("a slave end");
        MirrorWorkshop {
            personality,
            legs: Vec::new(),
            mirror: SharedDrive::new(MirrorDrive::new(MirrorOptions::default())),
            drive,
            port,
            server: None,
        }
    }

    /// Puts the legs in; the mirror has a new medium to report then.
    fn insert(&mut self) -> Result<(), HookError> {
        let legs = self.legs.iter().zip(["a", "b"]).map(|(leg, name)| NewLeg {
            options: LegOptions::named(name),
            drive: Box::new(Bare(leg.clone())),
        });
        self.mirror
            .lock()
            .insert(legs.collect())
            .map_err(|error| failed("insert", &error))
    }

    fn forget_report(&mut self) {
        let mut mirror = self.mirror.lock();
        // The answer is the report.
        mirror.test_ready().err();
    }

    fn take_out(&mut self) {
        drop(self.mirror.lock().eject());
    }

    fn end_server(&mut self) {
        self.port.end();
        if let Some(server) = self.server.take() {
            // What it panicked about is on standard error.
            server.join().err();
        }
    }
}

impl Drop for MirrorWorkshop {
    fn drop(&mut self) {
        self.end_server();
    }
}

fn failed(hook: &str, why: &dyn Display) -> HookError {
    HookError::Failed(hook.into(), why.to_string())
}

impl Workshop for MirrorWorkshop {
    fn new_drive(&mut self, medium: Medium) -> Result<(), HookError> {
        self.end_server();
        self.legs.clear();
        for larger_bytes in [0, 300_000] {
            let drive = image_drive(self.personality, medium, larger_bytes)?;
            self.legs.push(SharedDrive::new(drive));
        }
        self.mirror = SharedDrive::new(MirrorDrive::new(MirrorOptions::default()));
        self.insert()?;
        self.forget_report();

        let system = |error: &dyn Display| failed("fresh", error);
        let (drive, port) = SlaveDrive::new(Options::default()).map_err(|error| system(&error))?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| system(&error))?;
        let channel = Channel::socket(theirs).map_err(|error| system(&error))?;
        let mut mirror = self.mirror.clone();
        self.server = Some(std::thread::spawn(move || {
            if let Err(error) = serve(&mut mirror, channel) {
                eprintln!("the mirror stopped serving: {error}");
            }
        }));
        port.attach_socket(ours).map_err(|error| system(&error))?;
        if !port.wait_attached(Duration::from_secs(120)) {
            return Err(system(&"the mirror does not come"));
        }
        (self.drive, self.port) = (drive, port);
        Ok(())
    }

    fn drive(&mut self) -> &mut dyn Drive {
        &mut self.drive
    }

    fn personality(&self) -> Personality {
        self.personality
    }

    fn write_protect(&mut self, on: bool) -> Result<(), HookError> {
        self.take_out();
        for leg in &self.legs {
            protect(&mut leg.lock(), on)?;
        }
        self.insert()?;
        self.forget_report();
        Ok(())
    }

    fn eject(&mut self) -> Result<(), HookError> {
        self.take_out();
        Ok(())
    }

    fn change_medium(&mut self) -> Result<(), HookError> {
        self.take_out();
        self.insert()
    }

    fn reset(&mut self) -> Result<(), HookError> {
        for leg in &self.legs {
            leg.lock().reset();
        }
        Ok(())
    }
}
