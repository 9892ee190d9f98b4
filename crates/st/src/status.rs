//! `MTIOCGET`, and what an operator may see.

use pseudotape_mtio::{Booleans, GeneralStatus, MtGet};
use pseudotape_tape::Drive;

use crate::St;
use crate::errno::{Errno, Refusal};
use crate::settle::Next;
use crate::state::{Edge, Node, OpenFlags, PerPartition, Readiness};

/// The driver's view of its drive, taken without touching it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// File number, where known.
    pub file: Option<i32>,
    /// Block number in the file, where known.
    pub block: Option<i32>,
    /// The partition that the head is in.
    pub partition: u8,
    /// What `MTIOCGET` would say.
    pub general: GeneralStatus,
    /// Block size in bytes; 0 is variable block mode.
    pub block_size: u32,
    /// Density code.
    pub density: u8,
    /// Switches that are on, of the drive and of the mode in use.
    pub options: Booleans,
    /// The last error of the drive, in words.
    pub last_error: Option<String>,
    /// The node that is open, or being opened, and how.
    pub open: Option<(Node, OpenFlags)>,
}

impl St {
    /// Says the status (`MTIOCGET`). What was read ahead is given back first, and a partition that was
    /// chosen is gone to; what is said then is still the state of the partition left.
    pub fn get(&mut self, drive: &mut dyn Drive) -> Result<MtGet, Errno> {
        let result = self.status(drive);
        self.answer(result)
    }

    /// The driver's view of its drive, without asking the drive.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let partition = self.mount.partition;
        let here = self.mount.partitions[partition];
        let of_mode = self.mode().map_or(Booleans::empty(), |mode| mode.booleans);
        Snapshot {
            file: (here.file >= 0).then_some(here.file),
            block: (here.block >= 0).then_some(here.block),
            partition: u8::try_from(partition).expect("st knows of four partitions"),
            general: self.general(&here),
            block_size: self.mount.block_size,
            density: self.mount.density,
            options: self.settings.booleans | of_mode,
            last_error: self.last_refusal.map(|refusal| refusal.to_string()),
            open: self.open.as_ref().map(|open| (open.node, open.flags)),
        }
    }

    fn status(&mut self, drive: &mut dyn Drive) -> Result<MtGet, Refusal> {
        self.require_open()?;
        if self.mode().is_none() {
            return Err(Refusal::ModeUndefined);
        }
        let started_in = self.mount.partition;
        match self.settle(drive, Next::FromHere) {
            Ok(()) => self.switch_partition(drive)?,
            Err(_) if self.drive.position_lost => {
                self.forget_position(drive);
                self.drive.position_lost = true;
            }
            Err(refusal) => return Err(refusal),
        }
        let shown = self.mount.partitions[started_in];
        Ok(MtGet {
            residual: i32::try_from(self.mount.partition).expect("st knows of four partitions"),
            block_size: self.mount.block_size,
            density: self.mount.density,
            general: self.general(&shown),
            recovered_errors: u16::try_from(drive.take_recovered()).unwrap_or(u16::MAX),
            file: shown.file,
            block: shown.block,
        })
    }

    fn general(&self, shown: &PerPartition) -> GeneralStatus {
        let mut general = GeneralStatus::empty();
        general.set(GeneralStatus::WR_PROT, self.mount.write_protected);
        general.set(GeneralStatus::BOT, shown.block == 0 && shown.file == 0);
        general.set(GeneralStatus::EOF, shown.block == 0 && shown.file != 0);
        match shown.edge {
            Edge::None | Edge::FilemarkUntold | Edge::Filemark => {}
            Edge::EarlyWarning => general.insert(GeneralStatus::EOT),
            Edge::NoSpaceTold | Edge::ZeroTold | Edge::EndOfData => {
                general.insert(GeneralStatus::EOD);
            }
        }
        match self.mount.density {
            1 => general.insert(GeneralStatus::D_800),
            2 => general.insert(GeneralStatus::D_1600),
            3 => general.insert(GeneralStatus::D_6250),
            _ => {}
        }
        match self.mount.readiness {
            Readiness::Ready => general.insert(GeneralStatus::ONLINE),
            Readiness::NoMedium => general.insert(GeneralStatus::DR_OPEN),
            Readiness::NotReady => {}
        }
        general.set(GeneralStatus::SM, shown.at_setmark);
        let fixed = self.mount.block_size != 0;
        general.set(
            GeneralStatus::IM_REP_EN,
            self.has(Booleans::ASYNC_WRITES)
                || (self.has(Booleans::BUFFER_WRITES) && fixed)
                || self.mount.buffering != 0,
        );
        general
    }
}
