//! A tape drive in memory, and commands to it.
#![allow(
    dead_code,
    reason = "every test file has a copy and uses what it needs"
)]
#![allow(
    clippy::big_endian_bytes,
    reason = "SCSI has the most significant byte first"
)]

use pseudotape_drive::Personality;
use pseudotape_scsi::{Nexus, Sense, SenseKey, Status, TapeFeatures, TapeReply, TapeUnit};
use pseudotape_testkit::{ModelCartridge, ModelDrive};

/// The initiator of the tests that have one.
pub const ME: Nexus = Nexus(1);

/// A unit and its drive.
pub struct Rig {
    pub unit: TapeUnit,
    pub drive: ModelDrive,
}

/// An answer in numbers: key, ASC and ASCQ, flags (FILEMARK, EOM, ILI), INFORMATION.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub key: u8,
    pub reason: (u8, u8),
    pub flags: (bool, bool, bool),
    pub information: Option<i64>,
}

/// The sense as numbers; `None` with GOOD.
pub fn told(reply: &TapeReply) -> Option<Told> {
    let sense = match reply.status {
        Status::Good => {
            assert_eq!(reply.sense, None);
            return None;
        }
        Status::CheckCondition => reply.sense.expect("CHECK CONDITION has sense"),
        other => panic!("{other:?}"),
    };
    Some(Told {
        key: sense.key.bits(),
        reason: (sense.reason.code, sense.reason.qualifier),
        flags: (
            sense.stream.filemark,
            sense.stream.end_of_medium,
            sense.stream.incorrect_length,
        ),
        information: sense.information.map(u64::cast_signed),
    })
}

pub fn features(personality: &Personality) -> TapeFeatures {
    TapeFeatures {
        max_partitions: personality.max_partitions,
        density: personality.density,
        setmarks: personality.setmarks,
        hides_beginning: !personality.reports_beginning,
        limits_reads: personality.limits_reads,
        silent_load: !personality.announces_medium,
    }
}

impl Rig {
    /// A drive of this personality with this cartridge; nothing is to be told.
    pub fn with(personality: &str, cartridge: ModelCartridge) -> Self {
        let mut rig = Self::empty(personality);
        rig.drive.insert(cartridge);
        rig.drive.clear_attention();
        rig
    }

    /// The same with a blank cartridge without an end.
    pub fn new(personality: &str) -> Self {
        Self::with(personality, ModelCartridge::default())
    }

    /// A drive without a cartridge.
    pub fn empty(personality: &str) -> Self {
        let personality = Personality::named(personality).expect("a personality");
        let mut unit = TapeUnit::new(features(&personality));
        unit.greet(ME);
        Rig {
            unit,
            drive: ModelDrive::new(personality),
        }
    }

    pub fn run(&mut self, cdb: &[u8], data: &mut [u8]) -> TapeReply {
        self.run_as(ME, cdb, data)
    }

    pub fn run_as(&mut self, nexus: Nexus, cdb: &[u8], data: &mut [u8]) -> TapeReply {
        self.unit.execute(nexus, cdb, &mut [data], &mut self.drive)
    }

    /// A command without data that is done.
    pub fn does(&mut self, cdb: &[u8]) {
        let reply = self.run(cdb, &mut []);
        assert_eq!(told(&reply), None, "{cdb:02x?}");
    }

    /// A command with data that is done.
    pub fn takes(&mut self, cdb: &[u8], data: &[u8]) {
        let reply = self.run(cdb, &mut data.to_vec());
        assert_eq!(told(&reply), None, "{cdb:02x?}");
        assert_eq!(reply.transferred, data.len());
    }

    /// A command that answers with data.
    pub fn gives(&mut self, cdb: &[u8]) -> Vec<u8> {
        let mut room = vec![0xee; 4096];
        let reply = self.run(cdb, &mut room);
        assert_eq!(told(&reply), None, "{cdb:02x?}");
        room.truncate(reply.transferred);
        room
    }

    /// What a command is answered that is not done as it was asked.
    pub fn tells(&mut self, cdb: &[u8], data: &mut [u8]) -> Told {
        let reply = self.run(cdb, data);
        told(&reply).unwrap_or_else(|| panic!("{cdb:02x?} was done"))
    }

    /// A refusal with ILLEGAL REQUEST, INVALID FIELD IN CDB, and the byte that it points at.
    pub fn refuses_field(&mut self, cdb: &[u8], byte: u16) {
        let before = self.object();
        let reply = self.run(cdb, &mut [0; 64]);
        let sense = reply.sense.unwrap_or_else(|| panic!("{cdb:02x?} was done"));
        let reason = (sense.reason.code, sense.reason.qualifier);
        assert_eq!(
            (sense.key, reason),
            (SenseKey::IllegalRequest, (0x24, 0)),
            "{cdb:02x?}"
        );
        assert_eq!(
            sense.field.map(|field| field.byte),
            Some(byte),
            "{cdb:02x?}"
        );
        assert_eq!(reply.transferred, 0);
        assert_eq!(self.object(), before, "a refused command moves nothing");
    }

    /// A refusal of the data of MODE SELECT or WRITE ATTRIBUTE, and the byte that it points at.
    pub fn refuses_data(&mut self, cdb: &[u8], data: &[u8], byte: u16) {
        let reply = self.run(cdb, &mut data.to_vec());
        let sense: Sense = reply
            .sense
            .unwrap_or_else(|| panic!("{data:02x?} was taken"));
        let reason = (sense.reason.code, sense.reason.qualifier);
        assert_eq!(
            (sense.key, reason),
            (SenseKey::IllegalRequest, (0x26, 0)),
            "{data:02x?}"
        );
        assert_eq!(
            sense.field.map(|field| field.byte),
            Some(byte),
            "{data:02x?}"
        );
    }

    /// Where the tape is, by READ POSITION.
    pub fn object(&mut self) -> u32 {
        let mut data = [0; 20];
        let reply = self.run(&[0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0], &mut data);
        assert_eq!(told(&reply), None);
        u32::from_be_bytes([data[4], data[5], data[6], data[7]])
    }
}

/// Without flags and residual.
pub fn plain(key: u8, reason: (u8, u8)) -> Told {
    Told {
        key,
        reason,
        flags: (false, false, false),
        information: None,
    }
}

/// With flags (FILEMARK, EOM, ILI) and residual.
pub fn stop(key: u8, reason: (u8, u8), flags: (bool, bool, bool), residual: i64) -> Told {
    Told {
        key,
        reason,
        flags,
        information: Some(residual),
    }
}

pub const FILEMARK: (bool, bool, bool) = (true, false, false);
pub const END: (bool, bool, bool) = (false, true, false);
pub const LENGTH: (bool, bool, bool) = (false, false, true);
pub const NEITHER: (bool, bool, bool) = (false, false, false);
