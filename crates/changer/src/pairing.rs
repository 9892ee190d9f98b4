//! PT-16: which elements of unequal libraries are one element of a mirror.

use std::fmt;

use crate::address::{Address, ElementKind, Layout, LayoutError, Span};
use crate::refusal::Refusal;

/// The kinds of element that hold a cartridge, and of which a mirror shows as many as every leg has.
const HOLDERS: [ElementKind; 3] = [
    ElementKind::Drive,
    ElementKind::ImportExport,
    ElementKind::Storage,
];

/// A library of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairedLibrary {
    /// Its name, for a person.
    pub name: String,
    /// Its elements.
    pub layout: Layout,
}

/// One leg of a mirror of changers: the libraries that hold one copy. No cartridge goes from one of them to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairedLeg {
    /// Its name, for a person.
    pub name: String,
    /// Its libraries.
    pub libraries: Vec<PairedLibrary>,
}

/// An element of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The library, counted from 0 within the leg.
    pub library: usize,
    /// The element's address there.
    pub address: Address,
}

/// Consecutive elements of one kind, as numbers within the kind, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first number in the mirror.
    pub first: u16,
    /// How many there are.
    pub count: u16,
    /// The first number in each leg's library.
    pub in_legs: Vec<u16>,
}

impl Run {
    /// Whether the mirror's element with this number is in it.
    #[must_use]
    pub fn contains(&self, number: u16) -> bool {
        number
            .checked_sub(self.first)
            .is_some_and(|offset| offset < self.count)
    }
}

/// Elements between which cartridges move: in each leg they are in one library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The library of each leg.
    pub libraries: Vec<usize>,
    /// Drives.
    pub drives: Run,
    /// Import/export slots.
    pub import_export: Run,
    /// Slots.
    pub slots: Run,
}

impl Cell {
    /// The elements of a kind; a transport is in no cell.
    #[must_use]
    pub fn run(&self, kind: ElementKind) -> Option<&Run> {
        match kind {
            ElementKind::Transport => None,
            ElementKind::Storage => Some(&self.slots),
            ElementKind::ImportExport => Some(&self.import_export),
            ElementKind::Drive => Some(&self.drives),
        }
    }
}

/// The elements that a mirror of changers has, and which elements of its legs each of them is.
///
/// Drives are paired in the order of the legs' libraries. Each meeting of libraries that got drives is a [`Cell`], and
/// gets as many slots and import/export slots as the libraries have left. No other choice pairs more slots with these
/// drives: of the libraries that meet in the first cell one at least is in no later cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    legs: Vec<PairedLeg>,
    layout: Layout,
    cells: Vec<Cell>,
}

/// Why libraries can't be paired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// One leg is no mirror.
    #[error("a mirror of changers needs two legs at least, and has {0}")]
    Legs(usize),
    /// A leg without a library.
    #[error("leg {0} has no library")]
    Empty(String),
    /// The libraries of a leg are not as they should be.
    #[error("library {library} of leg {leg}: {error}")]
    Library {
        /// The leg.
        leg: String,
        /// Its library.
        library: String,
        /// What is wrong.
        error: LayoutError,
    },
    /// The mirror's own elements.
    #[error("the elements of the mirror: {0}")]
    Layout(#[from] LayoutError),
}

impl Pairing {
    /// Pairs the elements of the legs, in the order of the libraries.
    pub fn compute(legs: Vec<PairedLeg>) -> Result<Pairing, PairingError> {
        if legs.len() < 2 {
            return Err(PairingError::Legs(legs.len()));
        }
        for leg in &legs {
            if leg.libraries.is_empty() {
                return Err(PairingError::Empty(leg.name.clone()));
            }
            for library in &leg.libraries {
                let checked = library.layout.check();
                checked.map_err(|error| PairingError::Library {
                    leg: leg.name.clone(),
                    library: library.name.clone(),
                    error,
                })?;
            }
        }
        let mut left = Left::of(&legs);
        let mut cells = Vec::new();
        let mut ends = [0_u32; HOLDERS.len()];
        let mut at = vec![0; legs.len()];
        while at
            .iter()
            .zip(&legs)
            .all(|(at, leg)| *at < leg.libraries.len())
        {
            let [drives, import_export, slots] = [0, 1, 2].map(|kind| {
                let (count, in_legs) = left.take(kind, &at);
                let first = ends[kind];
                ends[kind] += u32::from(count);
                (first, count, in_legs)
            });
            let run = |(first, count, in_legs): (u32, u16, Vec<u16>)| Run {
                // A first number that is too high is refused below, with the layout.
                first: u16::try_from(first).unwrap_or(u16::MAX),
                count,
                in_legs,
            };
            cells.push(Cell {
                libraries: at.clone(),
                drives: run(drives),
                import_export: run(import_export),
                slots: run(slots),
            });
            for (leg, at) in at.iter_mut().enumerate() {
                if left.drives(leg, *at) == 0 {
                    *at += 1;
                }
            }
        }
        let [drives, import_export, slots] = counts(ends)?;
        let layout = Layout::usual(drives, import_export, slots)?;
        Ok(Pairing {
            legs,
            layout,
            cells,
        })
    }

    /// The elements of the mirror.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The legs.
    #[must_use]
    pub fn legs(&self) -> &[PairedLeg] {
        &self.legs
    }

    /// The cells, in the order of their drives.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The element of a leg that an element of the mirror is. A transport is none.
    #[must_use]
    pub fn place(&self, leg: usize, address: Address) -> Option<Place> {
        let (kind, number) = self.layout.find(address)?;
        let cell = self.cell(kind, number)?;
        let run = cell.run(kind)?;
        let offset = number.checked_sub(run.first)?;
        let library = *cell.libraries.get(leg)?;
        let there = run.in_legs.get(leg)?.checked_add(offset)?;
        let span = self.span(leg, library, kind)?;
        let address = span.address(there)?;
        Some(Place { library, address })
    }

    /// The element of the mirror that an element of a leg is part of; `None` where it is unpaired, or a transport.
    #[must_use]
    pub fn shown(&self, leg: usize, place: Place) -> Option<Address> {
        let library = self.legs.get(leg)?.libraries.get(place.library)?;
        let (kind, number) = library.layout.find(place.address)?;
        self.cells.iter().find_map(|cell| {
            let run = cell.run(kind)?;
            let offset = number.checked_sub(*run.in_legs.get(leg)?)?;
            let here = cell.libraries.get(leg) == Some(&place.library) && offset < run.count;
            here.then(|| self.layout.span(kind).address(run.first + offset))?
        })
    }

    /// The elements of a leg that no element of the mirror is, in the order of the libraries and addresses. They are
    /// free for who uses the leg alone.
    #[must_use]
    pub fn unpaired(&self, leg: usize) -> Vec<Place> {
        let mut unpaired = Vec::new();
        let libraries = self.legs.get(leg).map_or(&[][..], |leg| &leg.libraries);
        for (library, PairedLibrary { layout, .. }) in libraries.iter().enumerate() {
            let kinds = layout.kinds();
            let holders = kinds.iter().filter(|kind| HOLDERS.contains(kind));
            for address in holders.flat_map(|kind| layout.span(*kind).addresses()) {
                let place = Place { library, address };
                if self.shown(leg, place).is_none() {
                    unpaired.push(place);
                }
            }
        }
        unpaired
    }

    /// Whether cartridges can move between two elements in every leg, else the leg that can't.
    pub fn check(&self, from: Address, to: Address) -> Result<(), Refusal> {
        let (one, other) = (self.cell_of(from)?, self.cell_of(to)?);
        let pairs = one.libraries.iter().zip(&other.libraries);
        for ((one, other), leg) in pairs.zip(&self.legs) {
            if one != other {
                let name = |at: usize| leg.libraries.get(at).map_or("", |library| &library.name);
                let (one, other, leg) = (name(*one), name(*other), &leg.name);
                return Err(Refusal::NotReachable {
                    from,
                    to,
                    reason: format!(
                        "not reachable on {leg}: there it would go from library {one} to library {other}"
                    ),
                });
            }
        }
        Ok(())
    }

    fn cell_of(&self, address: Address) -> Result<&Cell, Refusal> {
        let found = self.layout.find(address);
        let (kind, number) = found.ok_or(Refusal::NoSuchElement { address })?;
        self.cell(kind, number).ok_or(Refusal::WrongKind {
            address,
            kind,
            why: "no cartridge stays in it",
        })
    }

    fn cell(&self, kind: ElementKind, number: u16) -> Option<&Cell> {
        let mut cells = self.cells.iter();
        cells.find(|cell| cell.run(kind).is_some_and(|run| run.contains(number)))
    }

    fn span(&self, leg: usize, library: usize, kind: ElementKind) -> Option<Span> {
        let library = self.legs.get(leg)?.libraries.get(library)?;
        Some(library.layout.span(kind))
    }
}

/// As a table for a person: a line for each cell, and one for what is left of each leg.
impl fmt::Display for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layout {
            drives,
            slots,
            import_export,
            ..
        } = self.layout;
        let (drives, slots, import_export) = (drives.count, slots.count, import_export.count);
        writeln!(
            f,
            "{}, {}, {}",
            counted(drives.into(), "drive"),
            counted(slots.into(), "slot"),
            counted(import_export.into(), "import/export slot")
        )?;
        for cell in &self.cells {
            let drives = Numbers("drives", &cell.drives, 0);
            let slots = Numbers("slots", &cell.slots, 1);
            let doors = Numbers("import/export slots", &cell.import_export, 1);
            write!(f, "{drives} with {slots} and {doors}:")?;
            for (leg, library) in self.legs.iter().zip(&cell.libraries) {
                let library = leg
                    .libraries
                    .get(*library)
                    .map_or("", |library| &library.name);
                write!(f, " {} {library}", leg.name)?;
            }
            writeln!(f)?;
        }
        for (at, leg) in self.legs.iter().enumerate() {
            let unpaired = self.unpaired(at);
            let count = |kind: ElementKind| {
                let of_kind = unpaired.iter().filter(|place| {
                    let library = leg.libraries.get(place.library);
                    library.is_some_and(|library| {
                        library.layout.span(kind).number(place.address).is_some()
                    })
                });
                of_kind.count()
            };
            let [drives, import_export, slots] = HOLDERS.map(count);
            writeln!(
                f,
                "unpaired of {}: {}, {}, {}",
                leg.name,
                counted(drives, "drive"),
                counted(slots, "slot"),
                counted(import_export, "import/export slot")
            )?;
        }
        Ok(())
    }
}

/// The numbers of a run as people count the kind: drives from 0, slots from 1.
struct Numbers<'a>(&'a str, &'a Run, u32);

impl fmt::Display for Numbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Numbers(name, run, base) = self;
        let first = u32::from(run.first) + base;
        match run.count {
            0 => write!(f, "no {name}"),
            count => write!(f, "{name} {first}-{}", first + u32::from(count) - 1),
        }
    }
}

/// How many elements of each library are not paired yet.
struct Left {
    /// By kind as in [`HOLDERS`], leg and library: how many there are, and how many are paired.
    counts: [Vec<Vec<(u16, u16)>>; HOLDERS.len()],
}

impl Left {
    fn of(legs: &[PairedLeg]) -> Left {
        let counts = HOLDERS.map(|kind| {
            let of_leg = |leg: &PairedLeg| {
                let libraries = leg.libraries.iter();
                libraries
                    .map(|library| (library.layout.span(kind).count, 0))
                    .collect()
            };
            legs.iter().map(of_leg).collect()
        });
        Left { counts }
    }

    fn drives(&self, leg: usize, library: usize) -> u16 {
        let (all, paired) = self.counts[0][leg][library];
        all - paired
    }

    /// Pairs as many elements of the libraries as all have, and says how many, and from which number on in each.
    fn take(&mut self, kind: usize, at: &[usize]) -> (u16, Vec<u16>) {
        let counts = &mut self.counts[kind];
        let libraries = counts.iter_mut().zip(at).map(|(leg, at)| &mut leg[*at]);
        let mut libraries: Vec<&mut (u16, u16)> = libraries.collect();
        let left = libraries.iter().map(|(all, paired)| all - paired);
        let count = left.min().unwrap_or(0);
        let in_legs = libraries.iter().map(|(_, paired)| *paired).collect();
        for (_, paired) in &mut libraries {
            *paired += count;
        }
        (count, in_legs)
    }
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

fn counts(ends: [u32; HOLDERS.len()]) -> Result<[u16; HOLDERS.len()], LayoutError> {
    let mut counts = [0; HOLDERS.len()];
    for ((end, kind), count) in ends.into_iter().zip(HOLDERS).zip(&mut counts) {
        *count = u16::try_from(end).map_err(|_| LayoutError::TooHigh { kind, address: end })?;
    }
    Ok(counts)
}
