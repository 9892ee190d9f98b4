//! Showing and setting the options of the st driver, for the operator.

use anyhow::{Result, bail, ensure};
use pseudotape_control::{OptionStatus, OptionsStatus};
use pseudotape_mtio::{Booleans, DriverOption};
use pseudotape_st::Options;

use crate::config::MODES;
use crate::tape_drive::TapeDrive;

impl TapeDrive {
    /// Sets the options that the configuration names, for each mode.
    pub(crate) fn configure(&self, options: &[Vec<String>; MODES as usize]) -> Result<()> {
        for (mode, set) in (0..MODES).zip(options).filter(|(_, set)| !set.is_empty()) {
            self.options(mode, set)?;
        }
        Ok(())
    }

    /// Sets these options of a mode, all or none, and says what all of them are then.
    pub fn options(&self, mode: u8, set: &[String]) -> Result<OptionsStatus> {
        ensure!(
            mode < MODES,
            "there is no mode {mode}: 0 to 3, for the plain nodes, l, m and a"
        );
        let set: Vec<DriverOption> = set
            .iter()
            .map(|text| crate::config::parse_option(text))
            .collect::<Result<_>>()?;
        let state = match self.slave_side() {
            // A call of a slave can last, and the operator does not wait for it.
            Some(_) => self.idle_state(),
            None => Some(self.state()),
        };
        let Some(mut state) = state else {
            bail!("drive {} is busy with a call: try again", self.number());
        };
        let state = &mut *state;
        for option in set {
            if let Err(errno) = state.st.change_option(state.slot.drive(), mode, option) {
                bail!("drive {} refuses {option:?}: {errno}", self.number());
            }
        }
        let defined = state.st.options(mode);
        let Some(options) = defined.or_else(|| state.st.options(0)) else {
            bail!("drive {} has no options", self.number());
        };
        Ok(OptionsStatus {
            drive: self.number(),
            mode,
            defined: defined.is_some(),
            options: shown(&options),
        })
    }
}

fn shown(options: &Options) -> Vec<OptionStatus> {
    let status = |name: &str, value: String| OptionStatus {
        name: name.to_owned(),
        value,
    };
    let on = |on: bool| if on { "on" } else { "off" }.to_owned();
    let none = || "none".to_owned();
    let mut all: Vec<_> = Booleans::named()
        .map(|(switch, name)| status(name, on(options.booleans.contains(switch))))
        .collect();
    let size = options.default_block_size.map(|size| size.to_string());
    let density = options.default_density.map(|code| format!("{code:#04x}"));
    let buffering = options.default_buffering.map(|mode| mode.to_string());
    all.push(status("defblksize", size.unwrap_or_else(none)));
    all.push(status("defdensity", density.unwrap_or_else(none)));
    all.push(status("defdrvbuffer", buffering.unwrap_or_else(none)));
    let compression = options.default_compression.map(on);
    all.push(status("defcompression", compression.unwrap_or_else(none)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use pseudotape_mtio::BooleanChange;

    #[test]
    fn what_is_shown_can_be_set_again() {
        let options = Options {
            booleans: Booleans::SILI | Booleans::SYSV,
            default_block_size: Some(1024),
            default_density: Some(0x58),
            default_compression: Some(false),
            default_buffering: None,
            ..Options::default()
        };
        let mut booleans = Booleans::all();
        let mut others = Vec::new();
        for OptionStatus { name, value } in shown(&options) {
            match DriverOption::parse(&format!("{name}={value}")).unwrap() {
                DriverOption::Booleans(BooleanChange::Set, switch) => booleans |= switch,
                DriverOption::Booleans(_, switch) => booleans -= switch,
                other => others.push(other),
            }
        }
        assert_eq!(booleans, options.booleans);
        assert_eq!(others.len(), 4);
        assert!(others.contains(&DriverOption::DefaultBlockSize(Some(1024))));
        assert!(others.contains(&DriverOption::DefaultDensity(Some(0x58))));
        assert!(others.contains(&DriverOption::DefaultBuffering(None)));
    }
}
