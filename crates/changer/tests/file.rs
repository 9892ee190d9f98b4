//! PT-13. The file of a library: power that fails at each moment of a change, files of older versions, and a log that
//! does not grow for ever.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use pseudotape_changer::{
    Address, FileHost, Host, Library, MemoryHost, Move, Plan, Removal, Selection,
};
use pseudotape_testkit::changers::{
    FaultyHost, HostFault, cartridge, design, drive, library_on, slot,
};

/// One file on a disk: what is on it, and what the host has only taken so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OnDisk {
    stable: Vec<u8>,
    taken: Vec<u8>,
}

impl OnDisk {
    fn all(&self) -> Vec<u8> {
        [&self.stable[..], &self.taken].concat()
    }

    /// What can be there after power failed: any part of what was taken, and pages that came in another order.
    fn after_power_failed(&self) -> Vec<Vec<u8>> {
        let whole = &self.taken;
        let mut tails: Vec<Vec<u8>> = (0..=whole.len()).map(|n| whole[..n].to_vec()).collect();
        for zeros in [0..whole.len() / 2, whole.len() / 2..whole.len()] {
            let mut tail = whole.clone();
            tail[zeros].fill(0);
            tails.push(tail);
        }
        tails.push(vec![0; whole.len()]);
        let with = tails
            .into_iter()
            .map(|tail| [&self.stable[..], &tail].concat());
        with.collect()
    }
}

/// A host whose disk can lose its power: it remembers each state that the disk was in.
#[derive(Clone, Debug, Default)]
struct PoweredHost(Rc<RefCell<Disk>>);

#[derive(Clone, Debug, Default)]
struct Disk {
    file: Option<OnDisk>,
    new: Option<OnDisk>,
    /// The file that was replaced, until the folder is synced.
    replaced: Option<OnDisk>,
    moments: Vec<(Option<OnDisk>, Option<OnDisk>)>,
}

impl PoweredHost {
    fn step<T>(&self, act: impl FnOnce(&mut Disk) -> T) -> T {
        let mut disk = self.0.borrow_mut();
        let done = act(&mut disk);
        let moment = (disk.file.clone(), disk.replaced.clone());
        disk.moments.push(moment);
        done
    }

    /// Forgets the moments so far.
    fn start(&self) {
        self.0.borrow_mut().moments.clear();
    }

    /// Every file that the next start can find, of every moment since [`start`](Self::start).
    fn failures(&self) -> Vec<Vec<u8>> {
        let disk = self.0.borrow();
        let moments = disk.moments.iter();
        let files = moments.flat_map(|(file, replaced)| [file.clone(), replaced.clone()]);
        let mut found: Vec<_> = files
            .flatten()
            .flat_map(|file| file.after_power_failed())
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// What the start finds that comes behind the last step.
    fn failures_now(&self) -> Vec<Vec<u8>> {
        let file = self.0.borrow().file.clone();
        file.unwrap().after_power_failed()
    }
}

impl Host for PoweredHost {
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.borrow().file.as_ref().map(OnDisk::all))
    }

    fn append(&mut self, at: u64, line: &[u8]) -> io::Result<()> {
        self.step(|disk| {
            let file = disk.file.as_mut().expect("there is a file");
            assert_eq!(file.all().len() as u64, at);
            file.taken.extend_from_slice(line);
        });
        Ok(())
    }

    fn sync_appended(&mut self) -> io::Result<()> {
        self.step(|disk| {
            let file = disk.file.as_mut().expect("there is a file");
            file.stable = file.all();
            file.taken.clear();
        });
        Ok(())
    }

    fn write_new(&mut self, content: &[u8]) -> io::Result<()> {
        self.step(|disk| {
            disk.new = Some(OnDisk {
                stable: Vec::new(),
                taken: content.to_vec(),
            });
        });
        Ok(())
    }

    fn sync_new(&mut self) -> io::Result<()> {
        self.step(|disk| {
            let new = disk.new.as_mut().expect("it was written");
            new.stable = std::mem::take(&mut new.taken);
        });
        Ok(())
    }

    fn rename_new(&mut self) -> io::Result<()> {
        self.step(|disk| {
            disk.replaced = disk.file.take();
            disk.file = disk.new.take();
        });
        Ok(())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        self.step(|disk| disk.replaced = None);
        Ok(())
    }
}

/// A host with just this file.
fn holding(file: &[u8]) -> MemoryHost {
    let mut host = MemoryHost::default();
    host.write_new(file).unwrap();
    host.rename_new().unwrap();
    host
}

fn content(host: &mut impl Host) -> Vec<u8> {
    host.read().unwrap().unwrap()
}

/// Everything that a library says.
fn said<H: Host>(library: &Library<H>) -> String {
    let inventory = library.inventory(Selection::ALL);
    format!("{:?} {:?}", inventory.elements(), library.removal())
}

fn plan<H: Host>(library: &Library<H>, from: Address, to: Address) -> Plan {
    library.plan(Move::new(from, to)).unwrap()
}

fn commit<H: Host>(library: &mut Library<H>, from: Address, to: Address) {
    let plan = plan(library, from, to);
    library.commit(&plan).unwrap();
}

/// A change of a library, with its name.
type Named<H> = (&'static str, Box<dyn Fn(&mut Library<H>)>);

/// One change of each kind, in an order in which each one is possible.
fn changes<H: Host>() -> Vec<Named<H>> {
    vec![
        (
            "a load",
            Box::new(|library| {
                let layout = library.layout();
                commit(library, slot(&layout, 1), drive(&layout, 0));
            }),
        ),
        (
            "an unload",
            Box::new(|library| {
                let layout = library.layout();
                commit(library, drive(&layout, 0), slot(&layout, 3));
            }),
        ),
        (
            "a put",
            Box::new(|library| {
                let at = slot(&library.layout(), 1);
                library.put(at, cartridge("NEW001L5")).unwrap();
            }),
        ),
        (
            "a locked door",
            Box::new(|library| library.set_removal(Removal::Prevented).unwrap()),
        ),
        (
            "an open door",
            Box::new(|library| library.set_removal(Removal::Allowed).unwrap()),
        ),
        (
            "a take",
            Box::new(|library| {
                let at = slot(&library.layout(), 1);
                library.take(at).unwrap();
            }),
        ),
    ]
}

/// Power fails at each moment of each change, with every part of what was on its way on the disk or not.
#[test]
fn whenever_power_fails_a_change_is_done_or_not_and_done_once_it_was_answered() {
    let host = PoweredHost::default();
    let mut library = library_on(host.clone(), design(1, 1, 4), 2);
    let mut looked = 0;
    for (name, change) in changes() {
        let before = said(&library);
        host.start();
        change(&mut library);
        let after = said(&library);
        for file in host.failures() {
            looked += 1;
            let mut found = Library::open(holding(&file)).unwrap_or_else(|error| {
                panic!("{name}: {error}: {}", String::from_utf8_lossy(&file))
            });
            let says = said(&found);
            assert!(says == before || says == after, "{name}: {says}");
            // And it goes on from there, whatever the last line looks like.
            let layout = found.layout();
            let to = slot(&layout, 4);
            commit(&mut found, slot(&layout, 2), to);
            let now = said(&found);
            let again = Library::open(found.host().clone()).unwrap();
            assert_eq!(said(&again), now, "{name}");
        }
        for file in host.failures_now() {
            assert_eq!(
                said(&Library::open(holding(&file)).unwrap()),
                after,
                "{name}"
            );
        }
    }
    assert!(looked > 300, "{looked} files were looked at");
}

/// The same where the change writes the file anew: the first one on a file of format 1.
#[test]
fn a_file_of_format_1_is_read_and_becomes_format_2_at_its_first_change() {
    let old = include_bytes!("../../../tests/vectors/library-v1.json");
    let host = PoweredHost::default();
    let stable = old.to_vec();
    host.step(|disk| {
        disk.file = Some(OnDisk {
            stable,
            taken: Vec::new(),
        })
    });
    let mut library = Library::open(host.clone()).unwrap();
    let layout = library.layout();
    let before = said(&library);
    assert_eq!(
        content(&mut host.clone()),
        old,
        "to be read changes nothing"
    );
    host.start();
    commit(&mut library, drive(&layout, 0), slot(&layout, 2));
    let after = said(&library);
    let file = content(&mut host.clone());
    assert!(file.starts_with(b"{\"pseudotape-library\":2,"));
    let found: Vec<String> = host
        .failures()
        .iter()
        .map(|file| said(&Library::open(holding(file)).unwrap()))
        .collect();
    assert!(found.contains(&before) && found.contains(&after));
    assert!(found.iter().all(|says| *says == before || *says == after));
    // From now on a change is a line.
    commit(&mut library, slot(&layout, 2), slot(&layout, 1));
    let grown = content(&mut host.clone());
    assert_eq!(grown[..file.len()], file);
}

#[test]
fn a_torn_last_line_is_told_and_a_damaged_one_before_it_names_file_and_line() {
    let host = FaultyHost::default();
    let mut library = library_on(host.clone(), design(1, 0, 4), 2);
    let layout = library.layout();
    let whole = content(&mut host.revived());
    commit(&mut library, slot(&layout, 1), drive(&layout, 0));
    let file = content(&mut host.revived());
    let mut torn = Library::open(holding(&file[..file.len() - 3])).unwrap();
    let trouble = torn.take_trouble().unwrap();
    assert!(trouble.contains("did not happen"), "{trouble}");
    assert_eq!(torn.cartridge_in(drive(&layout, 0)), None);
    let mut damaged = file.clone();
    // Within the line of the second cartridge, with the line of the move behind it.
    damaged[whole.len() - 10] ^= 1;
    let error = Library::open(holding(&damaged)).unwrap_err().to_string();
    assert!(
        error.starts_with("library.json: line 4 is damaged"),
        "{error}"
    );
}

/// A line that the host took in part, or did not sync, is never continued.
#[test]
fn behind_a_line_that_failed_the_file_is_written_anew() {
    for (at, fault) in [
        (0, HostFault::Fails),
        (1, HostFault::Fails),
        (1, HostFault::FailsAfter),
    ] {
        let host = FaultyHost::default();
        let mut library = library_on(host.clone(), design(1, 0, 4), 2);
        let layout = library.layout();
        let plan = plan(&library, slot(&layout, 1), drive(&layout, 0));
        host.plan(at, fault);
        let done = library.commit(&plan).is_ok();
        // The line is in the file: the change is done, and somebody is told.
        assert_eq!(done, at == 1, "{fault:?} at {at}");
        assert_eq!(library.take_trouble().is_some(), done);
        host.heal();
        commit(&mut library, slot(&layout, 2), slot(&layout, 4));
        let lines = content(&mut host.revived());
        assert_eq!(
            lines.iter().filter(|byte| **byte == b'\n').count(),
            2,
            "no log"
        );
        assert_eq!(
            said(&Library::open(host.revived()).unwrap()),
            said(&library)
        );
    }
}

#[test]
fn a_log_that_is_longer_than_its_state_is_folded_into_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("library.json");
    let host = FileHost::open(folder.path()).unwrap();
    let mut library = library_on(host, design(1, 0, 4), 1);
    let layout = library.layout();
    let (one, only) = (slot(&layout, 1), drive(&layout, 0));
    let (mut longest, mut folded) = (0, 0);
    for _ in 0..500 {
        for (from, to) in [(one, only), (only, one)] {
            let before = file.metadata().unwrap().len();
            commit(&mut library, from, to);
            let now = file.metadata().unwrap().len();
            longest = longest.max(now);
            folded += usize::from(now < before);
        }
    }
    assert!(longest < 70 << 10, "{longest} bytes");
    assert!(
        folded >= 1,
        "a thousand moves of 120 bytes are more than 64 KiB"
    );
    let now = said(&library);
    drop(library);
    let again = Library::open(FileHost::open(folder.path()).unwrap()).unwrap();
    assert_eq!(said(&again), now);
}
