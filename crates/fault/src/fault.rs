use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use pseudotape_human::parse_size;

use crate::error::FaultError;
use crate::kind::{Key, Kind};
use crate::values::{Call, Calls, hundredths, number, time};

/// Where the tape is after a block could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Behind the block: as by a damaged block of an image.
    Behind,
    /// Before the block: each try meets it again.
    Kept,
    /// Nobody knows, until a rewind, a load, a seek or the end of data.
    Lost,
}

/// One fault: what goes wrong, when, and for how long. Text form: `KIND[,OPTION=VALUE...]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    text: String,
    pub(crate) at: Option<u64>,
    pub(crate) partition: Option<u8>,
    pub(crate) every: Option<u64>,
    pub(crate) chance: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) times: Option<u64>,
    pub(crate) lasts: Option<Duration>,
    pub(crate) after: After,
    pub(crate) on: Calls,
    pub(crate) rate: Option<u64>,
    pub(crate) delay: Option<Duration>,
}

impl Fault {
    /// A fault of this kind, as it is when no option is said.
    fn of(kind: Kind, text: &str) -> Self {
        Fault {
            kind,
            text: text.to_owned(),
            at: None,
            partition: None,
            every: None,
            chance: None,
            seed: 1,
            times: kind.default_times(),
            lasts: None,
            after: match kind {
                Kind::WriteError => After::Kept,
                _ => After::Behind,
            },
            on: default_calls(kind),
            rate: None,
            delay: None,
        }
    }

    fn set(&mut self, key: Key, value: &str) -> Result<(), FaultError> {
        let name = key.name();
        let refused = |expected| FaultError::Value {
            key: name,
            value: value.to_owned(),
            expected,
        };
        match key {
            Key::At => self.at = Some(number(name, value, 0)?),
            Key::Partition => {
                let expected = "a number from 0 to 255";
                self.partition = Some(value.parse().map_err(|_| refused(expected))?);
            }
            Key::Every => self.every = Some(number(name, value, 1)?),
            Key::Chance => self.chance = Some(hundredths(name, value)?),
            Key::Seed => self.seed = number(name, value, 0)?,
            Key::Times => self.times = Some(number(name, value, 1)?),
            Key::For => self.lasts = Some(time(name, value)?),
            Key::Position => {
                self.after = match (value, self.kind) {
                    ("behind", Kind::ReadError) => After::Behind,
                    ("kept", _) => After::Kept,
                    ("lost", _) => After::Lost,
                    (_, Kind::ReadError) => {
                        return Err(refused("'behind', 'kept' or 'lost'"));
                    }
                    _ => return Err(refused("'kept' or 'lost'")),
                }
            }
            Key::On => {
                let possible = match self.kind {
                    Kind::Recovered => Calls::TRANSFERS,
                    _ => Calls::WORK,
                };
                self.on = Calls::parse(value)
                    .filter(|calls| calls.are_within(possible))
                    .ok_or_else(|| {
                        refused(match self.kind {
                            Kind::Recovered => "'read', 'write', or both with + between them",
                            _ => "'read', 'write', 'marks', 'motion', 'load', or several with + between them",
                        })
                    })?;
            }
            Key::Rate => {
                let rate = parse_size(value).ok().filter(|rate| *rate > 0);
                self.rate = Some(rate.ok_or_else(|| refused("bytes in a second: 500K, 10M"))?);
            }
            Key::Delay => self.delay = Some(time(name, value)?),
        }
        Ok(())
    }

    fn check(&self, given: &[Key]) -> Result<(), FaultError> {
        let has = |key: Key| given.contains(&key);
        let exclusive = [
            (Key::At, Key::Every, "an object is one place"),
            (Key::At, Key::Chance, "an object is one place"),
            (Key::Every, Key::Chance, "either counts or chance"),
        ];
        for (first, second, why) in exclusive {
            if has(first) && has(second) {
                let (first, second) = (first.name(), second.name());
                return Err(FaultError::Conflict { first, second, why });
            }
        }
        for (key, needs) in [(Key::Partition, Key::At), (Key::Seed, Key::Chance)] {
            if has(key) && !has(needs) {
                let (key, needs) = (key.name(), needs.name());
                return Err(FaultError::Needs { key, needs });
            }
        }
        if self.kind == Kind::Slow && self.rate.is_none() && self.delay.is_none() {
            return Err(FaultError::NoPace);
        }
        Ok(())
    }

    /// The place of a block that this fault waits for to be read; `None` where it needs no block that is there.
    #[must_use]
    pub fn block_to_be_read(&self) -> Option<(Option<u8>, u64)> {
        let reads = match self.kind {
            Kind::ReadError => true,
            _ => self.on == Calls::of(Call::Read),
        };
        self.at.filter(|_| reads).map(|at| (self.partition, at))
    }

    /// Checks that the block is there which this fault waits for; the numbers of objects are those of each partition.
    pub fn check_place(&self, objects: &[u64]) -> Result<(), FaultError> {
        let Some((partition, object)) = self.block_to_be_read() else {
            return Ok(());
        };
        let partition = match partition {
            Some(partition) => partition,
            // Any will do: the longest one tells.
            None => (0..)
                .zip(objects)
                .max_by_key(|(_, objects)| **objects)
                .map_or(0, |(partition, _)| partition),
        };
        match objects.get(usize::from(partition)) {
            None => Err(FaultError::NoPartition {
                partition,
                partitions: u8::try_from(objects.len()).unwrap_or(u8::MAX),
            }),
            Some(objects) if object >= *objects => Err(FaultError::BehindEnd {
                object,
                partition,
                objects: *objects,
            }),
            Some(_) => Ok(()),
        }
    }
}

/// The calls that a fault is for where nothing is said.
fn default_calls(kind: Kind) -> Calls {
    match kind {
        Kind::ReadError => Calls::of(Call::Read),
        Kind::WriteError => Calls::of(Call::Write),
        Kind::Recovered => Calls::TRANSFERS,
        Kind::Reset | Kind::Busy => Calls::ALL,
        Kind::HardwareError
        | Kind::Slow
        | Kind::Hang
        | Kind::PositionLost
        | Kind::EarlyWarning
        | Kind::WriteProtect
        | Kind::LoadFailure
        | Kind::CommitFailure => Calls::WORK,
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let text = text.trim();
        let mut parts = text.split(',').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| FaultError::UnknownKind {
            name: name.to_owned(),
        })?;
        let mut fault = Fault::of(kind, text);
        let mut given = Vec::new();
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let key = kind.keys().iter().find(|key| key.name() == name);
            let key = *key.ok_or_else(|| FaultError::UnknownKey {
                kind,
                key: name.to_owned(),
            })?;
            if given.contains(&key) {
                return Err(FaultError::Twice { key: key.name() });
            }
            given.push(key);
            fault.set(key, value)?;
        }
        fault.check(&given)?;
        Ok(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match text.parse::<Fault>() {
            Ok(fault) => panic!("taken: {fault:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_kind_is_read_by_its_name() {
        for kind in Kind::ALL {
            let text = match kind {
                Kind::Slow => "slow,delay=5ms".to_owned(),
                other => other.name().to_owned(),
            };
            let fault: Fault = text.parse().unwrap();
            assert_eq!((fault.kind, fault.to_string()), (kind, text));
        }
    }

    #[test]
    fn options_are_understood() {
        let fault: Fault = "read-error,at=7,partition=1,position=kept,times=3,for=1.5m"
            .parse()
            .unwrap();
        assert_eq!(
            (fault.at, fault.partition, fault.times),
            (Some(7), Some(1), Some(3))
        );
        assert_eq!(
            (fault.after, fault.lasts),
            (After::Kept, Some(Duration::from_secs(90)))
        );
        let fault: Fault = "slow,rate=10K,chance=25%,seed=9,on=read+marks"
            .parse()
            .unwrap();
        assert_eq!(
            (fault.rate, fault.chance, fault.seed),
            (Some(10240), Some(25), 9)
        );
        assert!(fault.on.contain(Call::Marks) && !fault.on.contain(Call::Write));
    }

    #[test]
    fn what_is_no_fault_is_refused_by_name_with_the_way_out() {
        for (text, words) in [
            ("", "there is no fault ''"),
            (
                "fire",
                "there is no fault 'fire': there are read-error, write-error",
            ),
            (
                "read-error,rate=5",
                "read-error has no option 'rate': it has at, partition",
            ),
            ("read-error,at", "at=: a number from 0 on"),
            ("read-error,at=-1", "at=-1: a number from 0 on"),
            ("read-error,at=1,at=2", "'at' is given twice"),
            (
                "read-error,at=1,every=2",
                "'at' and 'every' don't go together",
            ),
            ("read-error,partition=1", "'partition' needs 'at'"),
            ("read-error,seed=1", "'seed' needs 'chance'"),
            ("read-error,position=gone", "'behind', 'kept' or 'lost'"),
            ("write-error,position=behind", "'kept' or 'lost'"),
            ("recovered,on=motion", "'read', 'write', or both"),
            ("hang,on=sleep", "'marks'"),
            ("busy,times=0", "times=0: a number from 1 on"),
            ("busy,chance=101%", "1% to 100%"),
            ("busy,for=0s", "200ms, 10s, 5m, 1h"),
            ("busy,for=5y", "200ms, 10s, 5m, 1h"),
            ("slow", "slow needs rate=SIZE"),
            ("slow,rate=0", "bytes in a second"),
        ] {
            let error = refused(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_block_behind_the_end_can_not_be_waited_for() {
        let check =
            |text: &str, objects: &[u64]| text.parse::<Fault>().unwrap().check_place(objects);
        assert_eq!(check("read-error,at=4", &[5]), Ok(()));
        assert_eq!(check("read-error,at=4", &[0, 5]), Ok(()));
        // What is written goes behind the end.
        assert_eq!(check("write-error,at=99", &[5]), Ok(()));
        assert_eq!(check("read-error,every=9", &[5]), Ok(()));
        let error = check("read-error,at=5", &[5]).unwrap_err().to_string();
        assert!(
            error.contains("object 5 is behind the end: partition 0 holds 5"),
            "{error}"
        );
        let error = check("hang,on=read,at=5", &[5]).unwrap_err().to_string();
        assert!(error.contains("behind the end"), "{error}");
        let error = check("read-error,at=1,partition=2", &[5]).unwrap_err();
        assert!(matches!(
            error,
            FaultError::NoPartition {
                partition: 2,
                partitions: 1
            }
        ));
    }
}
