//! Numbers of drives and switches on the command line: what usually goes wrong there is their order.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, Error, ValueEnum};

/// The write-protect switch of a cartridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Nothing more can be written.
    On,
    /// The cartridge can be written.
    Off,
}

/// The number of a drive.
#[derive(Clone, Copy, Debug)]
pub(super) struct DriveNumber;

impl TypedValueParser for DriveNumber {
    type Value = u32;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<u32, Error> {
        let text = value.to_string_lossy();
        if let Ok(number) = text.parse() {
            return Ok(number);
        }
        let of_node = text.rsplit_once("pmtm").map(|(_, number)| number);
        let of_node = of_node.map(|number| number.trim_end_matches(['l', 'm', 'a']));
        let way = match of_node.filter(|number| number.parse::<u32>().is_ok()) {
            Some(number) => format!("say {number} for the drive of this node"),
            None => "a drive is a number, N of /dev/pmtmN, and stands first".to_owned(),
        };
        Err(wrong(command, &format!("'{text}' is no drive: {way}")))
    }
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SwitchWord;

impl TypedValueParser for SwitchWord {
    type Value = Switch;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Switch, Error> {
        let text = value.to_string_lossy();
        Switch::from_str(&text, false).map_err(|_| {
            let words =
                "is neither 'on' nor 'off': the switch stands last, behind the image or the drive";
            wrong(command, &format!("'{text}' {words}"))
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = Switch::value_variants().iter();
        Some(Box::new(values.filter_map(ValueEnum::to_possible_value)))
    }
}

fn wrong(command: &Command, message: &str) -> Error {
    let mut command = command.clone();
    command.error(ErrorKind::ValueValidation, message)
}
