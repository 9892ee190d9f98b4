//! `pseudotape library`: makes libraries, and is the operator of those that the daemon serves.

mod names;
mod pairing;
mod show;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use pseudotape_changer::{Design, FileHost, Layout, Library};
use pseudotape_control::{LibraryOrder, LibraryStatus};
use pseudotape_human::{Report, Screen, counted, printable, shell_word};
use serde::Serialize;

use crate::Verdict;
use crate::cli::{AddCartridges, CreateLibrary, LibraryCommand, LibraryOptions};
use crate::client::Daemon;
use names::{address_named, barcode_named, cartridge_named};

pub(crate) fn run(
    options: &LibraryOptions,
    name: Option<&str>,
    daemon: &Daemon,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let library = Served { name, daemon };
    match &options.command {
        LibraryCommand::Create(create) => made(create, screen),
        LibraryCommand::Add(add) => {
            for order in added(add, &library)? {
                screen.show(&library.order(order)?)?;
            }
            Ok(Verdict::Well)
        }
        LibraryCommand::Import(import) => {
            let volume = import.volume.as_deref();
            let order = LibraryOrder::Put {
                at: None,
                import_export: true,
                barcode: barcode_of(import.barcode.as_deref(), volume)?,
                volume: volume.map(pseudotape_bay::asked_name).transpose()?,
            };
            shown(library.order(order)?, screen)
        }
        LibraryCommand::Remove(remove) => {
            let order = LibraryOrder::Take {
                barcode: barcode_named(&library.status()?, &remove.cartridge)?,
                import_export: false,
                delete: remove.delete,
            };
            shown(library.order(order)?, screen)
        }
        LibraryCommand::Export(export) => {
            let order = LibraryOrder::Take {
                barcode: barcode_named(&library.status()?, &export.cartridge)?,
                import_export: true,
                delete: export.delete,
            };
            shown(library.order(order)?, screen)
        }
        LibraryCommand::Move(wanted) => {
            let status = library.status()?;
            let order = LibraryOrder::Move {
                from: cartridge_named(&status, &wanted.from)?,
                to: address_named(&status, &wanted.to)?,
                invert: false,
            };
            shown(library.order(order)?, screen)
        }
        LibraryCommand::Pairing(pair) => pairing::run(pair, screen),
        LibraryCommand::List => {
            let libraries = library.all()?;
            screen.show(&show::List { libraries })?;
            Ok(Verdict::Well)
        }
        LibraryCommand::Show(show) => {
            show::run(show, || library.all(), screen)?;
            Ok(Verdict::Well)
        }
    }
}

fn shown(report: impl Report, screen: &Screen) -> anyhow::Result<Verdict> {
    screen.show(&report)?;
    Ok(Verdict::Well)
}

/// A library that the daemon serves.
struct Served<'a> {
    name: Option<&'a str>,
    daemon: &'a Daemon,
}

impl Served<'_> {
    fn all(&self) -> anyhow::Result<Vec<LibraryStatus>> {
        self.daemon.libraries(self.name)
    }

    /// The one that is meant.
    fn status(&self) -> anyhow::Result<LibraryStatus> {
        let mut all = self.all()?;
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => {
                bail!("the daemon has no library: --library FOLDER of pseudotape-dev serves one")
            }
            (Some(_), false) => {
                bail!("the daemon has several libraries: --library NAME says which")
            }
        }
    }

    fn order(&self, order: LibraryOrder) -> anyhow::Result<crate::client::Order> {
        self.daemon.library(self.name, order)
    }
}

/// What is put in: the orders for the daemon.
fn added(add: &AddCartridges, library: &Served<'_>) -> anyhow::Result<Vec<LibraryOrder>> {
    let at = match &add.to {
        Some(named) => Some(address_named(&library.status()?, named)?),
        None => None,
    };
    let volume = add.volume.as_deref();
    let order = LibraryOrder::Put {
        at,
        import_export: false,
        barcode: barcode_of(add.barcode.as_deref(), volume)?,
        volume: volume.map(pseudotape_bay::asked_name).transpose()?,
    };
    Ok(vec![order; usize::from(add.count)])
}

/// The barcode that was said, or that the name of the volume is.
fn barcode_of(said: Option<&str>, volume: Option<&Path>) -> anyhow::Result<Option<String>> {
    match (said, volume) {
        (Some(said), _) => Ok(Some(said.to_owned())),
        (None, None) => Ok(None),
        (None, Some(volume)) => {
            let stem = volume.file_stem().and_then(|stem| stem.to_str());
            let stem = stem.filter(|stem| stem.parse::<pseudotape_changer::Barcode>().is_ok());
            let stem = stem.with_context(|| {
                format!(
                    "the name of {} is no barcode: say one with --barcode",
                    volume.display()
                )
            })?;
            Ok(Some(stem.to_owned()))
        }
    }
}

#[derive(Debug, Serialize)]
struct Made {
    folder: PathBuf,
    name: String,
    drives: u16,
    slots: u16,
    import_export: u16,
}

impl Report for Made {
    fn text(&self, _: &Screen) -> String {
        let folder = self.folder.display();
        format!(
            "made library {}: {}, {}, {}\n\
             'pseudotape-dev --library {word}' serves it, or in its configuration:\n\
             [[library]]\nfolder = \"{folder}\"\n",
            printable(&self.name),
            counted(u64::from(self.drives), "drive"),
            counted(u64::from(self.slots), "slot"),
            counted(u64::from(self.import_export), "import/export slot"),
            word = shell_word(&self.folder),
        )
    }
}

fn made(create: &CreateLibrary, screen: &Screen) -> anyhow::Result<Verdict> {
    let folder = std::path::absolute(&create.folder)
        .with_context(|| format!("can't make {} an absolute path", create.folder.display()))?;
    let name = match &create.name {
        Some(name) => name.clone(),
        None => {
            let name = folder.file_name().and_then(|name| name.to_str());
            name.context("the folder has no name: say one with --name")?
                .to_owned()
        }
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_word) {
        bail!(
            "the name '{name}' has other characters than letters, digits, '-', '_' and '.': --name says another"
        );
    }
    let layout = Layout::usual(create.drives, create.import_export, create.slots)?;
    let design = Design {
        serial: create
            .serial
            .clone()
            .unwrap_or_else(|| format!("PTL{name}")),
        name,
        layout,
        barcodes: create.barcodes.clone(),
        capacity_bytes: create.capacity,
    };
    ensure!(
        folder.is_dir() || !folder.exists(),
        "{} is a file, and a library is a folder: name one that is there or can be made",
        folder.display()
    );
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let host = FileHost::open(&folder).with_context(|| format!("library {}", folder.display()))?;
    let library =
        Library::create(host, design).with_context(|| format!("library {}", folder.display()))?;
    screen.show(&Made {
        name: library.design().name.clone(),
        folder,
        drives: create.drives,
        slots: create.slots,
        import_export: create.import_export,
    })?;
    Ok(Verdict::Well)
}
