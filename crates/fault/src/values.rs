//! The values of options.

use std::time::Duration;

use crate::error::FaultError;

/// Longest time that an option can say.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A kind of calls to a drive. Each is one bit of [`Calls`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read = 1,
    Write = 2,
    Marks = 4,
    Motion = 8,
    Load = 16,
    /// Questions, which `on` can't name: they meet only what a drive tells with every call.
    Ready = 32,
}

/// Kinds of calls that a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Calls(u8);

impl Calls {
    pub(crate) const TRANSFERS: Calls = Calls(Call::Read as u8 | Call::Write as u8);
    pub(crate) const WORK: Calls =
        Calls(Self::TRANSFERS.0 | Call::Marks as u8 | Call::Motion as u8 | Call::Load as u8);
    pub(crate) const ALL: Calls = Calls(Self::WORK.0 | Call::Ready as u8);

    pub(crate) fn of(call: Call) -> Self {
        Calls(call as u8)
    }

    pub(crate) fn contain(self, call: Call) -> bool {
        self.0 & call as u8 != 0
    }

    pub(crate) fn are_within(self, others: Calls) -> bool {
        self.0 & !others.0 == 0
    }

    /// Reads `read+write`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.split('+').try_fold(Calls(0), |calls, word| {
            let call = match word {
                "read" => Call::Read,
                "write" => Call::Write,
                "marks" => Call::Marks,
                "motion" => Call::Motion,
                "load" => Call::Load,
                _ => return None,
            };
            Some(Calls(calls.0 | call as u8))
        })
    }
}

/// Reads a number of at least `least`.
pub(crate) fn number(key: &'static str, value: &str, least: u64) -> Result<u64, FaultError> {
    let number = value.parse().ok().filter(|number| *number >= least);
    number.ok_or_else(|| FaultError::Value {
        key,
        value: value.to_owned(),
        expected: match least {
            0 => "a number from 0 on",
            _ => "a number from 1 on",
        },
    })
}

/// Reads a time: `200ms`, `10s` or `10`, `5m`, `1h`.
pub(crate) fn time(key: &'static str, value: &str) -> Result<Duration, FaultError> {
    let end = value
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(value.len());
    let (digits, unit) = value.split_at(end);
    let unit = match unit {
        "ms" => Some(0.001),
        "s" | "" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let seconds = digits.parse::<f64>().ok().zip(unit);
    seconds
        .and_then(|(digits, unit)| Duration::try_from_secs_f64(digits * unit).ok())
        .filter(|time| !time.is_zero() && *time <= LONGEST)
        .ok_or_else(|| FaultError::Value {
            key,
            value: value.to_owned(),
            expected: "a time of more than 0 and at most a year: 200ms, 10s, 5m, 1h",
        })
}

/// Reads hundredths: `25%`.
pub(crate) fn hundredths(key: &'static str, value: &str) -> Result<u64, FaultError> {
    let digits = value.strip_suffix('%').unwrap_or(value);
    let number = digits.parse().ok().filter(|n| (1..=100).contains(n));
    number.ok_or_else(|| FaultError::Value {
        key,
        value: value.to_owned(),
        expected: "1% to 100%",
    })
}
