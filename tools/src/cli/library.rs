//! The command line of `pseudotape library` and `pseudotape changer`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pseudotape_human::{parse_capacity, parse_serial};

const ELEMENTS: &str = "\
An element is slotN (counted from 1), driveN (counted from 0), ieN (an import/export slot, counted from 1), \
or @ADDRESS. A cartridge is named by its barcode or by the element that it is in.";

#[derive(Debug, Args)]
#[command(after_help = ELEMENTS)]
pub(crate) struct LibraryOptions {
    #[command(subcommand)]
    pub command: LibraryCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LibraryCommand {
    /// Makes an empty library in a folder; the daemon serves it by --library FOLDER or [[library]].
    Create(CreateLibrary),
    /// Puts cartridges into slots: new ones, or a volume that there is already.
    Add(AddCartridges),
    /// Takes a cartridge out of its slot, and out of the library.
    Remove(RemoveCartridge),
    /// Lists the cartridges and the drives.
    List,
    /// Moves a cartridge between slots, drives and import/export slots.
    Move(MoveCartridge),
    /// Puts a cartridge into an import/export slot, from where the library takes it.
    Import(ImportCartridge),
    /// Brings a cartridge to an import/export slot and takes it out there.
    Export(RemoveCartridge),
    /// Draws the cabinet: slots, drives, barcodes, and who has which drive open.
    Show(ShowLibrary),
    /// Shows which elements of unequal libraries are one in a mirror of changers, and which are left over.
    Pairing(PairLibraries),
}

#[derive(Debug, Args)]
pub(crate) struct CreateLibrary {
    /// The folder; it is made where it is missing.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Its name [default: the name of the folder].
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Unit serial number [default: PTL and the name].
    #[arg(long, value_name = "TEXT", value_parser = parse_serial)]
    pub serial: Option<String>,
    /// Drives.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub drives: u16,
    /// Slots.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub slots: u16,
    /// Import/export slots.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub import_export: u16,
    /// What barcodes of new cartridges look like, with # for each digit.
    #[arg(long, value_name = "SCHEME", default_value = "PT####L5")]
    pub barcodes: String,
    /// How much fits on a new cartridge [default: as much as the host's disk holds].
    #[arg(long, value_name = "SIZE", value_parser = parse_capacity)]
    pub capacity: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct AddCartridges {
    /// A volume that there is already, by its path or specification [default: new images in the library's folder].
    #[arg(value_name = "VOLUME")]
    pub volume: Option<PathBuf>,
    /// How many new cartridges.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with_all = ["volume", "barcode", "to"])]
    pub count: u16,
    /// The barcode [default: the next one of the library's scheme; of a VOLUME its name without the ending].
    #[arg(long, value_name = "TEXT")]
    pub barcode: Option<String>,
    /// Into this slot [default: the first empty one].
    #[arg(long, value_name = "ELEMENT")]
    pub to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveCartridge {
    /// The cartridge: its barcode, or the element that it is in.
    #[arg(value_name = "CARTRIDGE")]
    pub cartridge: String,
    /// Deletes its image too, where the library made it.
    #[arg(long)]
    pub delete: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MoveCartridge {
    /// The cartridge: its barcode, or the element that it is in.
    #[arg(value_name = "CARTRIDGE")]
    pub from: String,
    /// Where it is to go.
    #[arg(value_name = "ELEMENT")]
    pub to: String,
}

#[derive(Debug, Args)]
pub(crate) struct ImportCartridge {
    /// A volume that there is already [default: a new image in the library's folder].
    #[arg(value_name = "VOLUME")]
    pub volume: Option<PathBuf>,
    /// The barcode [default: as for 'add'].
    #[arg(long, value_name = "TEXT")]
    pub barcode: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowLibrary {
    /// Again and again, every so many seconds, until it is ended.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
    pub watch: Option<f64>,
    /// With --watch: so many times.
    #[arg(long, value_name = "N", requires = "watch")]
    pub times: Option<u64>,
}

const PAIRING: &str = "\
A LIBRARY is DRIVES/SLOTS[/IMPORT-EXPORT], or a changer that is asked: library:SOCKET, remote:HOST, \
remote-socket:PATH, sg:NODE.

Example: 4 drives and 120 slots against two times 2 drives and 54 slots
  pseudotape library pairing exb=4/120 atl=2/54,2/54 --between slot55 drive2";

#[derive(Debug, Args)]
#[command(after_help = PAIRING)]
pub(crate) struct PairLibraries {
    /// The legs of the mirror, each with its libraries.
    #[arg(value_name = "LEG=LIBRARY[,LIBRARY...]", required = true)]
    pub legs: Vec<String>,
    /// Asks whether a cartridge can go from one element of the mirror to another one.
    #[arg(long, num_args = 2, value_names = ["ELEMENT", "ELEMENT"])]
    pub between: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ChangerOptions {
    /// What stands behind 'mtx': [-f DEVICE] [nobarcode] [invert] COMMAND [NUMBER...] ... DEVICE is the daemon's
    /// control socket, SOCKET/NAME for one of several libraries, or a changer of elsewhere: library:SOCKET,
    /// remote:[USER@]HOST[,server=COMMAND][,rsh=PROGRAM], remote-socket:PATH, sg:NODE. The word 'serve' in place of a
    /// command serves the changer to other hosts: 'pseudotape changer serve --help'.
    #[arg(
        value_name = "WORDS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub words: Vec<String>,
}
