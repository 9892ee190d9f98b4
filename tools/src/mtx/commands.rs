//! What mtx's commands do and print.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pseudotape_control::{LibraryOrder, LibraryRefusal, LibraryStatus, Request, Response, call};
use pseudotape_human::printable;
use pseudotape_rack::{BadPlace, ChangerPlace, OpenChanger, answer, obey, socket_and_name};

use super::view::View;
use super::words::{Number, Step};

/// How long a move may take: a drive may have to write much before it gives its cartridge.
const PATIENCE: Duration = Duration::from_secs(300);

/// What ends mtx.
pub(super) enum Trouble {
    Usage,
    Version,
    /// Printed as it is.
    Fatal(String),
    Output(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Output(error)
    }
}

fn fatal(text: impl Into<String>) -> Trouble {
    Trouble::Fatal(text.into() + "\n")
}

/// The device, where it is the specification of a changer.
fn specification(device: &Path) -> Option<String> {
    let text = device.to_str().filter(|text| ChangerPlace::is_one(text));
    text.map(str::to_owned)
}

/// One run of mtx. It asks for the state of the library once, and keeps it in step by itself.
pub(super) struct Session {
    device: PathBuf,
    /// The changer, where the device is a specification and not a socket.
    changer: Option<OpenChanger>,
    status: Option<LibraryStatus>,
    view: Option<View>,
    barcodes: bool,
    invert: bool,
    invert2: bool,
}

impl Session {
    pub(super) fn new(device: PathBuf) -> Self {
        Session {
            device,
            changer: None,
            status: None,
            view: None,
            barcodes: true,
            invert: false,
            invert2: false,
        }
    }

    pub(super) fn execute(&mut self, step: Step) -> Result<(), Trouble> {
        match step {
            Step::Device(device) => {
                self.device = device.into();
                (self.changer, self.status, self.view) = (None, None, None);
                self.status().map(|_| ())
            }
            Step::Inquiry => self.inquiry(),
            Step::Status => {
                let (device, barcodes) = (self.device.display().to_string(), self.barcodes);
                let text = self.view()?.status(&device, barcodes);
                print(&text)
            }
            Step::Invert => {
                self.invert = true;
                Ok(())
            }
            Step::Invert2 => {
                self.invert2 = true;
                Ok(())
            }
            Step::NoBarcode => {
                self.barcodes = false;
                Ok(())
            }
            Step::Manner => Ok(()),
            Step::Eepos(Some(0..=3)) => Ok(()),
            Step::Eepos(_) => Err(fatal("eepos equires argument between 0 and 3.")),
            Step::Load(slot, drive) => self.load(slot, drive),
            Step::Unload(slot, drive) => self.unload(slot, drive),
            Step::Transfer(from, to) => self.transfer(from, to),
            Step::Exchange(source, first, second) => self.exchange(source, first, second),
            Step::First(drive) => self.first(drive),
            Step::Last(drive) => self.last(drive),
            Step::Previous(drive) => self.previous(drive),
            Step::Next(drive) => self.next(drive),
            Step::Position(slot) => self.position(slot),
            Step::Inventory => match self.order(LibraryOrder::Initialize)? {
                Ok(()) => Ok(()),
                Err(_) => Err(fatal("mtx:inventory failed")),
            },
            // A changer has nothing to eject and nothing to erase. mtx goes on after the one and not after the other.
            Step::Eject => {
                self.status()?;
                let sense = sense_text([0x05, 0x20, 0x00]);
                let text = format!("{sense}Eject (0x1B) failed\nmtx:eject failed\n");
                io::stderr().write_all(text.as_bytes())?;
                Ok(())
            }
            Step::Erase => {
                self.status()?;
                Err(Trouble::Fatal(sense_text([0x05, 0x20, 0x00])))
            }
            Step::Version => Err(Trouble::Version),
        }
    }

    fn ask(&self, request: impl FnOnce(Option<String>) -> Request) -> Result<Response, Trouble> {
        let (socket, library) = socket_and_name(&self.device);
        call(&socket, &request(library), PATIENCE).map_err(|error| {
            let device = self.device.display();
            fatal(match &error {
                pseudotape_control::Error::Connect { source, .. } => {
                    let words = source.to_string();
                    let words = words.split(" (os error").next().unwrap_or_default();
                    format!("cannot open SCSI device '{device}' - {words}")
                }
                error => format!("SCSI device '{device}' - {}", printable(&error.to_string())),
            })
        })
    }

    /// The state of the library when it was first asked for.
    fn status(&mut self) -> Result<&LibraryStatus, Trouble> {
        if self.status.is_none()
            && let Some(text) = specification(&self.device)
        {
            self.open(&text)?;
        }
        if self.status.is_none() {
            let answer = self.ask(|library| Request::Libraries { library })?;
            let device = self.device.display();
            let status = match answer {
                Response::Libraries { mut libraries } => {
                    let count = libraries.len();
                    let first = libraries.pop().filter(|_| count == 1);
                    first.ok_or_else(|| {
                        fatal(format!(
                            "'{device}' has {count} libraries: name one as {device}/NAME"
                        ))
                    })?
                }
                Response::Error { message } => return Err(fatal(printable(&message))),
                _ => return Err(fatal(format!("{device} is not a changer"))),
            };
            self.status = Some(status);
        }
        Ok(self.status.as_ref().expect("it was asked for"))
    }

    /// Opens the changer that a specification names, and asks what is in it.
    fn open(&mut self, text: &str) -> Result<(), Trouble> {
        let failed = |why: &str| fatal(format!("SCSI device '{text}' - {}", printable(why)));
        let place: ChangerPlace = text.parse().map_err(|e: BadPlace| failed(&e.to_string()))?;
        let mut changer = place.open().map_err(|error| failed(&error.to_string()))?;
        let status = pseudotape_rack::status(&mut changer, text);
        self.status = Some(status.map_err(|refusal| failed(&refusal.to_string()))?);
        self.changer = Some(changer);
        Ok(())
    }

    fn view(&mut self) -> Result<&mut View, Trouble> {
        if self.view.is_none() {
            self.view = Some(View::new(self.status()?));
        }
        Ok(self.view.as_mut().expect("it was made"))
    }

    fn order(&mut self, order: LibraryOrder) -> Result<Result<(), LibraryRefusal>, Trouble> {
        self.status()?;
        let answered = match &mut self.changer {
            Some(changer) => answer(obey(changer, &order)),
            None => self.ask(|library| Request::Library { library, order })?,
        };
        match answered {
            Response::Done { .. } => Ok(Ok(())),
            Response::Refused(refusal) => Ok(Err(refusal)),
            Response::Error { message } => Err(fatal(printable(&message))),
            Response::Status(_)
            | Response::Options(_)
            | Response::Faults(_)
            | Response::Mirror { .. }
            | Response::Libraries { .. } => Err(fatal("the daemon answered something else")),
        }
    }

    fn inquiry(&mut self) -> Result<(), Trouble> {
        let [vendor, product, revision, _] = &self.status()?.identity;
        let text = format!(
            "Product Type: Medium Changer\nVendor ID: '{vendor:<8}'\nProduct ID: '{product:<16}'\n\
             Revision: '{revision:<4}'\nAttached Changer API: No\n"
        );
        print(&text)
    }

    fn transport(&mut self, from: u16, to: u16) -> Result<(), Trouble> {
        let invert = self.invert;
        match self.order(LibraryOrder::Move { from, to, invert })? {
            Ok(()) => Ok(()),
            Err(refusal) => Err(refused(&refusal, "MOVE", from, to)),
        }
    }

    fn load(&mut self, slot: Number, drive: Number) -> Result<(), Trouble> {
        let number = slot.filter(|slot| *slot >= 1);
        let number = number.ok_or_else(|| fatal("No source specified"))?;
        let drive = drive.unwrap_or(0);
        let view = self.view()?;
        let slot = index(number - 1, view.slots.len()).ok_or_else(|| {
            fatal(format!(
                "Invalid <storage-element-number> argument '{number}' to 'load' command"
            ))
        })?;
        let at = index(drive, view.drives.len()).ok_or_else(|| {
            fatal(format!(
                "illegal <drive-number> argument '{drive}' to 'load' command"
            ))
        })?;
        if view.drives[at].full {
            let loaded = view.drives[at].source.map_or(0, |slot| slot + 1);
            return Err(fatal(format!(
                "Drive {drive} Full (Storage Element {loaded} loaded)"
            )));
        }
        let (from, to) = (view.slots[slot].address, view.drives[at].address);
        print(&format!(
            "Loading media from Storage Element {number} into drive {drive}..."
        ))?;
        self.transport(from, to)?;
        print("done\n")?;
        let view = self.view()?;
        view.slots[slot].full = false;
        view.drives[at].full = true;
        Ok(())
    }

    fn unload(&mut self, slot: Number, drive: Number) -> Result<(), Trouble> {
        let drive = drive.unwrap_or(0);
        let view = self.view()?;
        let at = index(drive, view.drives.len());
        let slot = match slot {
            Some(number) => number - 1,
            None => at
                .and_then(|at| view.drives[at].source)
                .and_then(|slot| i64::try_from(slot).ok())
                .ok_or_else(|| fatal(format!("No Source for tape in drive {drive}!")))?,
        };
        let number = slot + 1;
        if index(slot.max(0), view.slots.len()).is_none() {
            return Err(fatal(format!(
                "illegal <storage-element-number> argument '{number}' to 'unload' command"
            )));
        }
        let at = at.ok_or_else(|| {
            fatal(format!(
                "illegal <drive-number> argument '{drive}' to 'unload' command"
            ))
        })?;
        if !view.drives[at].full {
            return Err(fatal(format!("Data Transfer Element {drive} is Empty")));
        }
        let slot = index(slot, view.slots.len())
            .ok_or_else(|| fatal("Do not know which slot to unload tape into!"))?;
        if view.slots[slot].full {
            return Err(fatal(format!("Storage Element {number} is Already Full")));
        }
        let (from, to) = (view.drives[at].address, view.slots[slot].address);
        print(&format!(
            "Unloading drive {drive} into Storage Element {number}..."
        ))?;
        self.transport(from, to)?;
        print("done\n")?;
        let view = self.view()?;
        view.slots[slot].full = true;
        view.drives[at].full = false;
        Ok(())
    }

    /// The addresses of two slots that were named.
    fn pair(&mut self, from: Number, to: Number) -> Result<(u16, u16), Trouble> {
        let named = |number: Number, what: &str| {
            let number = number.filter(|number| *number >= 1);
            number.ok_or_else(|| fatal(format!("No {what} specified")))
        };
        let from = named(from, "source")?;
        let to = named(to, "destination")?;
        let slots = &self.view()?.slots;
        let address = |number: i64, what: &str| {
            let found = index(number - 1, slots.len());
            let found = found.ok_or_else(|| fatal(format!("Invalid {what}")))?;
            Ok::<_, Trouble>(slots[found].address)
        };
        Ok((address(from, "source")?, address(to, "destination")?))
    }

    fn transfer(&mut self, from: Number, to: Number) -> Result<(), Trouble> {
        let (from, to) = self.pair(from, to)?;
        self.transport(from, to)
    }

    fn exchange(&mut self, source: Number, first: Number, second: Number) -> Result<(), Trouble> {
        let back = second.or(source);
        let (source, first) = self.pair(source, first)?;
        let slots = &self.view()?.slots;
        let second = back.and_then(|number| index(number - 1, slots.len()));
        let second = second.ok_or_else(|| fatal("Invalid destination"))?;
        let second = slots[second].address;
        let (invert, invert2) = (self.invert2, self.invert);
        let order = LibraryOrder::Exchange {
            source,
            first,
            second,
            invert,
            invert2,
        };
        match self.order(order)? {
            Ok(()) => Ok(()),
            Err(refusal) => Err(refused(&refusal, "EXCHANGE", source, first)),
        }
    }

    fn position(&mut self, slot: Number) -> Result<(), Trouble> {
        let slots = &self.view()?.slots;
        let slot = slot.and_then(|number| index(number - 1, slots.len()));
        let at = slots[slot.unwrap_or(0)].address;
        match self.order(LibraryOrder::Position { at })? {
            Ok(()) => Ok(()),
            Err(_) => Err(fatal("Could not position transport")),
        }
    }

    /// A drive that is none is drive 0 to these commands.
    fn drive(&mut self, drive: Number) -> Result<usize, Trouble> {
        let drives = self.view()?.drives.len();
        Ok(drive.and_then(|drive| index(drive, drives)).unwrap_or(0))
    }

    /// Index of the slot whose cartridge is in the drive; `None` in the outer one where the drive is empty.
    fn loaded(&mut self, drive: usize) -> Result<Option<Option<usize>>, Trouble> {
        let drive = &self.view()?.drives[drive];
        Ok(drive.full.then_some(drive.source))
    }

    fn first(&mut self, drive: Number) -> Result<(), Trouble> {
        let drive = self.drive(drive)?;
        if let Some(source) = self.loaded(drive)? {
            if source == Some(0) {
                return print("loading...done.\n");
            }
            self.unload(source.map(number), Some(index_number(drive)))?;
        }
        self.load(Some(1), Some(index_number(drive)))
    }

    fn last(&mut self, drive: Number) -> Result<(), Trouble> {
        let drive = self.drive(drive)?;
        let last = self.view()?.storage_count;
        if let Some(source) = self.loaded(drive)? {
            if source.is_some_and(|slot| slot + 1 >= last) {
                return print("loading...done.\n");
            }
            self.unload(source.map(number), Some(index_number(drive)))?;
        }
        self.load(Some(index_number(last)), Some(index_number(drive)))
    }

    fn previous(&mut self, drive: Number) -> Result<(), Trouble> {
        let drive = self.drive(drive)?;
        let mut before = self.view()?.storage_count + 1;
        if let Some(source) = self.loaded(drive)? {
            if source == Some(0) {
                return Err(fatal("No More Media"));
            }
            self.unload(source.map(number), Some(index_number(drive)))?;
            before = source.unwrap_or(0);
        }
        let slots = &self.view()?.slots;
        let found = (0..before.min(slots.len()))
            .rev()
            .find(|slot| slots[*slot].full);
        let found = found.ok_or_else(|| fatal("No More Media"))?;
        self.load(Some(number(found)), Some(index_number(drive)))
    }

    fn next(&mut self, drive: Number) -> Result<(), Trouble> {
        let drive = self.drive(drive)?;
        let mut from = 0;
        if let Some(source) = self.loaded(drive)? {
            self.unload(source.map(number), Some(index_number(drive)))?;
            from = source.map_or(0, |slot| slot + 1);
        }
        let view = self.view()?;
        let found = (from..view.storage_count).find(|slot| view.slots[*slot].full);
        let found = found.ok_or_else(|| fatal("No More Media"))?;
        self.load(Some(number(found)), Some(index_number(drive)))
    }
}

/// The number of a slot by its index.
fn number(slot: usize) -> i64 {
    index_number(slot) + 1
}

fn index_number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX - 1)
}

fn index(number: i64, count: usize) -> Option<usize> {
    let index = usize::try_from(number).ok()?;
    (index < count).then_some(index)
}

fn print(text: &str) -> Result<(), Trouble> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// What mtx says where the changer refused a move.
fn refused(refusal: &LibraryRefusal, command: &str, from: u16, to: u16) -> Trouble {
    match refusal.sense {
        [_, 0x30, 0x03] => fatal("Cleaning Cartridge Installed and Ejected"),
        [_, 0x3a, 0x00] => fatal("Drive needs offline before move"),
        [_, 0x3b, 0x0d] => fatal(format!("Destination Element Address {to} is Already Full")),
        [_, 0x3b, 0x0e] => fatal(format!("Source Element Address {from} is Empty")),
        sense => Trouble::Fatal(format!(
            "{}{command} MEDIUM from Element Address {from} to {to} Failed\n",
            sense_text(sense)
        )),
    }
}

/// How mtx prints sense data.
fn sense_text([key, code, qualifier]: [u8; 3]) -> String {
    const KEYS: [&str; 16] = [
        "No Sense",
        "Recovered Error",
        "Not Ready",
        "Medium Error",
        "Hardware Error",
        "Illegal Request",
        "Unit Attention",
        "Data Protect",
        "Blank Check",
        "0x09",
        "0x0a",
        "Aborted Command",
        "0x0c",
        "Volume Overflow",
        "Miscompare",
        "0x0f",
    ];
    let lines = [
        "Long Report=yes".to_owned(),
        "Valid Residual=no".to_owned(),
        "Error Code=70 (Current)".to_owned(),
        format!("Sense Key={}", KEYS[usize::from(key & 0x0f)]),
        "FileMark=no".to_owned(),
        "EOM=no".to_owned(),
        "ILI=no".to_owned(),
        format!("Additional Sense Code = {code:02X}"),
        format!("Additional Sense Qualifier = {qualifier:02X}"),
        "BPV=no".to_owned(),
        "Error in CDB=no".to_owned(),
        "SKSV=no".to_owned(),
    ];
    let mut text = String::new();
    for line in lines {
        text.push_str("mtx: Request Sense: ");
        text.push_str(&line);
        text.push('\n');
    }
    text
}
