//! PT-16. `pseudotape library pairing`: what a mirror of unequal libraries is.

use anyhow::{Context, bail};
use pseudotape_changer::{
    Address, Changer as _, ElementKind, Layout, PairedLeg, PairedLibrary, Pairing,
};
use pseudotape_control::{LibraryStatus, SpanStatus};
use pseudotape_human::list::{parts, plain};
use pseudotape_human::{Report, Screen};
use pseudotape_rack::ChangerPlace;
use serde::Serialize;

use super::names::address_named;
use crate::Verdict;
use crate::cli::PairLibraries;

pub(super) fn run(options: &PairLibraries, screen: &Screen) -> anyhow::Result<Verdict> {
    let legs = options.legs.iter().map(|text| leg(text));
    let pairing = Pairing::compute(legs.collect::<anyhow::Result<_>>()?)?;
    let possible = match &*options.between {
        [from, to] => {
            let library = as_library(&pairing.layout());
            let address = |text: &str| anyhow::Ok(Address(address_named(&library, text)?));
            pairing.check(address(from)?, address(to)?)?;
            Some(format!("a cartridge can go from {from} to {to}"))
        }
        _ => None,
    };
    screen.show(&Paired::new(&pairing, possible))?;
    Ok(Verdict::Well)
}

/// `NAME=LIBRARY[,LIBRARY...]`
fn leg(text: &str) -> anyhow::Result<PairedLeg> {
    let named = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, libraries) =
        named.with_context(|| format!("'{text}': a leg is NAME=LIBRARY[,LIBRARY...]"))?;
    let libraries = parts(libraries, ',').map(plain).enumerate();
    let libraries = libraries.map(|(number, text)| library(number + 1, &text));
    Ok(PairedLeg {
        name: name.to_owned(),
        libraries: libraries.collect::<anyhow::Result<_>>()?,
    })
}

/// `DRIVES/SLOTS[/IMPORT-EXPORT]`, or a changer that is asked.
fn library(number: usize, text: &str) -> anyhow::Result<PairedLibrary> {
    if ChangerPlace::is_one(text) {
        let place: ChangerPlace = text.parse()?;
        let changer = place.open().with_context(|| place.to_string())?;
        return Ok(PairedLibrary {
            name: text.to_owned(),
            layout: changer.layout(),
        });
    }
    let numbers = text.split('/').map(str::parse::<u16>);
    let numbers: Result<Vec<u16>, _> = numbers.collect();
    let (drives, slots, import_export) = match numbers.as_deref() {
        Ok([drives, slots]) => (*drives, *slots, 0),
        Ok([drives, slots, doors]) => (*drives, *slots, *doors),
        _ => bail!(
            "'{text}' is no library: a library is DRIVES/SLOTS[/IMPORT-EXPORT], library:SOCKET, remote:HOST, \
             remote-socket:PATH or sg:NODE"
        ),
    };
    Ok(PairedLibrary {
        name: number.to_string(),
        layout: Layout::usual(drives, import_export, slots)?,
    })
}

/// As those have it who name elements.
fn as_library(layout: &Layout) -> LibraryStatus {
    let span = |kind| {
        let span = layout.span(kind);
        SpanStatus {
            first: span.first.0,
            count: span.count,
        }
    };
    LibraryStatus {
        name: String::new(),
        identity: Default::default(),
        folder: Default::default(),
        nodes: Vec::new(),
        transports: span(ElementKind::Transport),
        slots: span(ElementKind::Storage),
        import_export: span(ElementKind::ImportExport),
        drives: span(ElementKind::Drive),
        first_drive: 0,
        removal_prevented: false,
        barcodes: String::new(),
        capacity_bytes: None,
        elements: Vec::new(),
    }
}

#[derive(Debug, Serialize)]
struct Paired {
    #[serde(skip)]
    text: String,
    drives: u16,
    slots: u16,
    import_export: u16,
    cells: Vec<PairedCell>,
    /// Elements of each leg that are in no mirror.
    unpaired: Vec<Vec<Unpaired>>,
}

#[derive(Debug, Serialize)]
struct PairedCell {
    libraries: Vec<String>,
    drives: [u16; 2],
    slots: [u16; 2],
    import_export: [u16; 2],
}

#[derive(Debug, Serialize)]
struct Unpaired {
    library: String,
    element: u16,
}

impl Paired {
    fn new(pairing: &Pairing, possible: Option<String>) -> Self {
        let layout = pairing.layout();
        let name = |leg: usize, library: usize| {
            let leg = pairing.legs().get(leg);
            let library = leg.and_then(|leg| leg.libraries.get(library));
            library.map_or_else(String::new, |library| library.name.clone())
        };
        let cells = pairing.cells().iter().map(|cell| {
            let libraries = cell.libraries.iter().enumerate();
            PairedCell {
                libraries: libraries.map(|(leg, at)| name(leg, *at)).collect(),
                drives: [cell.drives.first, cell.drives.count],
                slots: [cell.slots.first, cell.slots.count],
                import_export: [cell.import_export.first, cell.import_export.count],
            }
        });
        let unpaired = (0..pairing.legs().len()).map(|leg| {
            let left = pairing.unpaired(leg).into_iter().map(|place| Unpaired {
                library: name(leg, place.library),
                element: place.address.0,
            });
            left.collect()
        });
        let mut text = pairing.to_string();
        text.extend(possible.map(|line| line + "\n"));
        Paired {
            text,
            drives: layout.drives.count,
            slots: layout.slots.count,
            import_export: layout.import_export.count,
            cells: cells.collect(),
            unpaired: unpaired.collect(),
        }
    }
}

impl Report for Paired {
    fn text(&self, _: &Screen) -> String {
        self.text.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computed(legs: &[&str]) -> Pairing {
        let legs = legs.iter().map(|text| leg(text).unwrap());
        Pairing::compute(legs.collect()).unwrap()
    }

    #[test]
    fn pt_16_the_libraries_of_the_mail_are_paired_as_it_says() {
        let pairing = computed(&["exb=4/120", "atl=2/54,2/54"]);
        let shown = Paired::new(&pairing, None);
        assert_eq!((shown.drives, shown.slots), (4, 108));
        assert_eq!(shown.unpaired[0].len(), 12);
        assert!(shown.unpaired[1].is_empty());
        assert_eq!(shown.cells[1].slots, [54, 54]);
        let library = as_library(&pairing.layout());
        let check = |from: &str, to: &str| {
            let address = |text| Address(address_named(&library, text).unwrap());
            pairing.check(address(from), address(to))
        };
        check("slot54", "drive1").unwrap();
        check("slot55", "drive2").unwrap();
        let reason = check("slot55", "drive1").unwrap_err().to_string();
        assert!(reason.contains("not reachable on atl"), "{reason}");
    }

    #[test]
    fn what_is_no_leg_says_how_one_is_written() {
        for (text, why) in [
            ("4/120", "NAME=LIBRARY"),
            ("=4/120", "NAME=LIBRARY"),
            ("a=", "DRIVES/SLOTS"),
            ("a=4", "DRIVES/SLOTS"),
            ("a=4/x", "DRIVES/SLOTS"),
            ("a=4/70000", "DRIVES/SLOTS"),
            ("a=1/2/3/4", "DRIVES/SLOTS"),
            ("a=sg:/nowhere", "sg:/nowhere"),
        ] {
            let error = format!("{:#}", leg(text).unwrap_err());
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
