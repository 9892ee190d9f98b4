//! Changers for tests: a library in memory, drives that are a list, and a host whose calls fail or die.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;

use pseudotape_changer::{
    Address, BayFailure, Bays, Cartridge, Changer, ChangerServer, Design, DriveIdentity, DriveUse,
    Host, Layout, Library, MemoryHost, Reach, Robot, Session, Step, Wait,
};

/// What a drive of [`MemoryBays`] holds and what befalls it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryBay {
    /// The cartridge in it.
    pub holds: Option<Cartridge>,
    /// What programs do with it.
    pub usage: DriveUse,
    /// The program that has it open has closed it, and the drive is about to hear of that.
    pub closing: bool,
    /// Its next loads fail, so many.
    pub failing_loads: u32,
    /// Its next unloads fail, so many, though the cartridge comes out.
    pub failing_unloads: u32,
}

/// Drives without tapes. Clones are the same drives, so that a test can look behind a changer's back.
#[derive(Clone, Debug)]
pub struct MemoryBays(Rc<RefCell<Vec<MemoryBay>>>);

impl MemoryBays {
    /// So many empty drives.
    #[must_use]
    pub fn new(count: u16) -> Self {
        MemoryBays(Rc::new(RefCell::new(vec![
            MemoryBay::default();
            usize::from(count)
        ])))
    }

    /// Looks at a drive, or does something to it.
    pub fn with<T>(&self, drive: u16, act: impl FnOnce(&mut MemoryBay) -> T) -> T {
        act(&mut self.0.borrow_mut()[usize::from(drive)])
    }

    /// The barcode of the cartridge in a drive.
    #[must_use]
    pub fn barcode(&self, drive: u16) -> Option<String> {
        self.with(drive, |bay| {
            let holds = bay.holds.as_ref();
            holds.map(|cartridge| cartridge.barcode.to_string())
        })
    }
}

impl Bays for MemoryBays {
    fn load(&mut self, drive: u16, cartridge: &Cartridge) -> Result<(), BayFailure> {
        self.with(drive, |bay| {
            if bay.failing_loads > 0 {
                bay.failing_loads -= 1;
                let reason = "the load fails as it was told to".to_owned();
                return Err(BayFailure::Failed { reason });
            }
            match &bay.holds {
                Some(holds) if holds != cartridge => {
                    let reason = format!("it holds {} already", holds.barcode);
                    Err(BayFailure::Failed { reason })
                }
                _ => {
                    bay.holds = Some(cartridge.clone());
                    Ok(())
                }
            }
        })
    }

    fn unload(&mut self, drive: u16, force: bool) -> Result<(), BayFailure> {
        self.with(drive, |bay| {
            if let (Some(by), false) = (&bay.usage.opened_by, force) {
                return Err(BayFailure::InUse { by: by.clone() });
            }
            if bay.usage.locked && !force {
                return Err(BayFailure::Locked);
            }
            bay.holds = None;
            if bay.failing_unloads > 0 {
                bay.failing_unloads -= 1;
                let reason = "the unload fails as it was told to".to_owned();
                return Err(BayFailure::Failed { reason });
            }
            Ok(())
        })
    }

    fn await_close(&mut self, drive: u16) {
        self.with(drive, |bay| {
            if std::mem::take(&mut bay.closing) {
                bay.usage.opened_by = None;
            }
        });
    }

    fn usage(&mut self, drive: u16) -> DriveUse {
        self.with(drive, |bay| bay.usage.clone())
    }

    fn identity(&mut self, drive: u16) -> Option<DriveIdentity> {
        Some(DriveIdentity {
            vendor: "PSEUDO".into(),
            product: "TAPE".into(),
            serial: format!("PT{drive:08}"),
        })
    }

    fn take_time(&mut self, _step: Step) {}
}

/// A changer in memory.
pub type MemoryChanger = Robot<MemoryHost, MemoryBays>;

/// A design with the usual addresses.
#[must_use]
pub fn design(drives: u16, import_export: u16, slots: u16) -> Design {
    Design {
        name: "test".into(),
        serial: "PTL0000001".into(),
        layout: Layout::usual(drives, import_export, slots).expect("the numbers of a test"),
        barcodes: "PT####L5".into(),
        capacity_bytes: Some(1 << 20),
    }
}

/// A cartridge with this barcode.
#[must_use]
pub fn cartridge(barcode: &str) -> Cartridge {
    Cartridge {
        barcode: barcode.parse().expect("the barcode of a test"),
        volume: format!("{barcode}.ptape"),
    }
}

/// A library on a host, with `full` cartridges PT0001L5 and so on in its first slots.
pub fn library_on<H: Host>(host: H, design: Design, full: u16) -> Library<H> {
    let mut library = Library::create(host, design).expect("a new host");
    let slots = library.layout().slots;
    for number in 0..full {
        let at = slots.address(number).expect("a slot for each cartridge");
        let barcode = format!("PT{:04}L5", number + 1);
        library
            .put(at, cartridge(&barcode))
            .expect("an empty slot takes a cartridge");
    }
    library
}

/// A changer in memory with `full` cartridges PT0001L5 and so on in its first slots, and its drives.
#[must_use]
pub fn memory_changer(design: Design, full: u16) -> (MemoryChanger, MemoryBays) {
    let bays = MemoryBays::new(design.layout.drives.count);
    let library = library_on(MemoryHost::default(), design, full);
    let (robot, refusals) = Robot::start(library, bays.clone());
    assert_eq!(refusals, [], "drives were empty");
    (robot, bays)
}

/// How a call of a host goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFault {
    /// It fails, and nothing was done.
    Fails,
    /// It fails, though it was done.
    FailsAfter,
    /// The process dies before it.
    DiesBefore,
    /// The process dies behind it.
    DiesAfter,
}

/// A host whose call number `at` goes wrong; after a death every call fails. Clones are the same host.
#[derive(Clone, Debug, Default)]
pub struct FaultyHost(Rc<RefCell<Faulty>>);

#[derive(Debug, Default)]
struct Faulty {
    host: MemoryHost,
    calls: usize,
    fault: Option<(usize, HostFault)>,
    dead: bool,
}

impl FaultyHost {
    /// From now on, the call with this number goes wrong, counted from 0.
    pub fn plan(&self, at: usize, fault: HostFault) {
        let mut faulty = self.0.borrow_mut();
        faulty.calls = 0;
        faulty.fault = Some((at, fault));
    }

    /// How many calls there were since the last plan.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.0.borrow().calls
    }

    /// What whoever comes after the death finds.
    #[must_use]
    pub fn revived(&self) -> MemoryHost {
        self.0.borrow().host.clone()
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        let mut faulty = self.0.borrow_mut();
        (faulty.fault, faulty.dead) = (None, false);
    }

    fn call<T>(&self, act: impl FnOnce(&mut MemoryHost) -> io::Result<T>) -> io::Result<T> {
        let mut faulty = self.0.borrow_mut();
        let at = faulty.calls;
        faulty.calls += 1;
        let broken = || io::Error::other("the host fails as it was told to");
        if faulty.dead {
            return Err(broken());
        }
        match faulty.fault {
            Some((when, fault)) if when == at => {
                faulty.dead = matches!(fault, HostFault::DiesBefore | HostFault::DiesAfter);
                if matches!(fault, HostFault::FailsAfter | HostFault::DiesAfter) {
                    act(&mut faulty.host)?;
                }
                Err(broken())
            }
            _ => act(&mut faulty.host),
        }
    }
}

impl Host for FaultyHost {
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.call(Host::read)
    }

    fn append(&mut self, at: u64, line: &[u8]) -> io::Result<()> {
        self.call(|host| host.append(at, line))
    }

    fn sync_appended(&mut self) -> io::Result<()> {
        self.call(Host::sync_appended)
    }

    fn write_new(&mut self, content: &[u8]) -> io::Result<()> {
        self.call(|host| host.write_new(content))
    }

    fn sync_new(&mut self) -> io::Result<()> {
        self.call(Host::sync_new)
    }

    fn rename_new(&mut self) -> io::Result<()> {
        self.call(Host::rename_new)
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        self.call(Host::sync_folder)
    }
}

/// The address of a slot, counted from 1 as people do.
#[must_use]
pub fn slot(layout: &Layout, number: u16) -> Address {
    let address = layout.slots.address(number - 1);
    address.expect("a slot of the test's library")
}

/// The address of a drive, counted from 0 as people do.
#[must_use]
pub fn drive(layout: &Layout, number: u16) -> Address {
    let address = layout.drives.address(number);
    address.expect("a drive of the test's library")
}

/// The way to a changer that is "on another host" of this process: each line is answered at once. Clones lead to the
/// same one.
#[derive(Debug)]
pub struct InProcess<C>(Rc<RefCell<ChangerServer<C>>>);

impl<C: Changer> InProcess<C> {
    /// Serves a changer.
    pub fn new(changer: C) -> Self {
        InProcess(Rc::new(RefCell::new(ChangerServer::new(changer))))
    }
}

impl<C> Clone for InProcess<C> {
    fn clone(&self) -> Self {
        InProcess(Rc::clone(&self.0))
    }
}

impl<C: Changer> Reach for InProcess<C> {
    type Link = InProcessLink<C>;

    fn connect(&mut self, _: Wait) -> io::Result<InProcessLink<C>> {
        Ok(InProcessLink {
            server: Rc::clone(&self.0),
            session: None,
            line: Vec::new(),
            answers: VecDeque::new(),
        })
    }

    fn set_wait(&mut self, _: &InProcessLink<C>, _: Wait) -> io::Result<()> {
        // Each answer is there at once.
        Ok(())
    }
}

/// A connection of [`InProcess`].
#[derive(Debug)]
pub struct InProcessLink<C> {
    server: Rc<RefCell<ChangerServer<C>>>,
    session: Option<Session>,
    line: Vec<u8>,
    answers: VecDeque<u8>,
}

impl<C: Changer> InProcessLink<C> {
    fn answer(&mut self, line: &[u8]) -> Vec<u8> {
        let mut server = self.server.borrow_mut();
        let Some(session) = self.session else {
            let (welcome, session) = server.greet(line).expect("a client of this version");
            self.session = Some(session);
            return welcome;
        };
        server.answer(session, line).unwrap_or_else(|last| last)
    }
}

impl<C: Changer> Write for InProcessLink<C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let answer = self.answer(&line);
            self.answers.extend(answer);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<C: Changer> Read for InProcessLink<C> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.answers.read(into)
    }
}
