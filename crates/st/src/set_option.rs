//! Sets options of the driver (`MTSETDRVBUFFER`, st.c `st_set_options`) and tells them.

use pseudotape_mtio::{BooleanChange, Booleans, Cleaning, DriverOption};
use pseudotape_tape::Drive;

use crate::St;
use crate::errno::{Errno, Refusal};
use crate::options::{OF_MODE, Options, PerMode};

/// First byte of sense data that a drive may use as it likes, and the end of what st looks at.
const CLEANING_BYTES: std::ops::Range<u8> = 18..96;

impl St {
    /// Whether a switch is on, for the drive or for the mode in use.
    pub(crate) fn has(&self, switch: Booleans) -> bool {
        let of_mode = self.mode().map_or(Booleans::empty(), |mode| mode.booleans);
        self.settings.booleans.union(of_mode).contains(switch)
    }

    /// Options of the mode in use, where it is defined.
    pub(crate) fn mode(&self) -> Option<PerMode> {
        self.settings
            .modes
            .get(usize::from(self.mode))
            .copied()
            .flatten()
    }

    /// Sets an option (`MTSETDRVBUFFER`).
    ///
    /// | option | result | position after |
    /// |---|---|---|
    /// | any, on an undefined mode | the mode becomes a copy of mode 0 first | unchanged |
    /// | a default block size, density, buffering, compression | kept, and tried at once on a ready drive | unchanged |
    /// | an unknown code | EIO | unchanged |
    pub(crate) fn set_option(
        &mut self,
        drive: &mut dyn Drive,
        option: DriverOption,
    ) -> Result<(), Refusal> {
        self.set_option_of(drive, self.mode, option)
    }

    /// Options of a mode; `None` where it was never defined.
    #[must_use]
    pub fn options(&self, mode: u8) -> Option<Options> {
        let of_mode = self.settings.modes.get(usize::from(mode)).copied()??;
        Some(Options {
            booleans: self.settings.booleans | of_mode.booleans,
            default_block_size: of_mode.default_block_size,
            default_density: of_mode.default_density,
            default_compression: of_mode.default_compression,
            default_buffering: self.settings.default_buffering,
            reports_beginning: self.settings.reports_beginning,
            end_of_tape: self.settings.end_of_tape,
            limits_reads: self.settings.limits_reads,
        })
    }

    /// Sets an option as `MTSETDRVBUFFER` through a node of the mode does, without such a node: what an
    /// operator asks. What a mode other than the one in use is given waits for its next session.
    pub fn change_option(
        &mut self,
        drive: &mut dyn Drive,
        mode: u8,
        option: DriverOption,
    ) -> Result<(), Errno> {
        let result = match self.settings.modes.get(usize::from(mode)) {
            Some(_) => self.set_option_of(drive, mode, option),
            None => Err(Refusal::ModeUndefined),
        };
        self.answer(result)
    }

    fn set_option_of(
        &mut self,
        drive: &mut dyn Drive,
        number: u8,
        option: DriverOption,
    ) -> Result<(), Refusal> {
        let applies = self.is_ready() && number == self.mode;
        let known = self.settings.modes.get(usize::from(number)).copied();
        let mut mode = match known.flatten() {
            Some(mode) => mode,
            None => self.settings.modes[0].expect("mode 0 is defined from the start"),
        };
        self.keep_mode(number, mode);
        match option {
            DriverOption::Booleans(change, flags) => {
                change_booleans(change, flags, &mut mode.booleans, OF_MODE);
                change_booleans(
                    change,
                    flags,
                    &mut self.settings.booleans,
                    OF_MODE.complement(),
                );
                self.keep_mode(number, mode);
            }
            DriverOption::DefaultBlockSize(size) => {
                mode.default_block_size = size;
                self.keep_mode(number, mode);
                if size.is_some() && applies {
                    self.mount.block_size_set = None;
                    // st ignores here what the drive says.
                    self.set_default_mode(drive).ok();
                }
            }
            DriverOption::DefaultDensity(density) => {
                mode.default_density = density;
                self.keep_mode(number, mode);
                if density.is_some() && applies {
                    self.mount.density_set = None;
                    // st ignores here what the drive says.
                    self.set_default_mode(drive).ok();
                }
            }
            DriverOption::DefaultBuffering(buffering) => {
                self.settings.default_buffering = buffering;
                if let Some(buffering) = buffering.filter(|_| applies) {
                    // st ignores here what the drive says.
                    self.set_buffering(drive, buffering).ok();
                }
            }
            DriverOption::DefaultCompression(None) => {
                mode.default_compression = None;
                self.keep_mode(number, mode);
            }
            DriverOption::DefaultCompression(Some(compression)) => {
                if let Some(on) = compression.on {
                    mode.default_compression = Some(on);
                    self.keep_mode(number, mode);
                    if applies {
                        self.mount.compression_set = false;
                        // st ignores here what the drive says.
                        self.set_compression(drive, on).ok();
                    }
                }
            }
            DriverOption::Cleaning(Cleaning { byte, .. }) => {
                // No drive here asks for cleaning, so where it would is checked and not kept.
                if byte != 0 && !CLEANING_BYTES.contains(&byte) {
                    return Err(Refusal::CleaningByte(byte));
                }
            }
            DriverOption::WriteThreshold
            | DriverOption::TimeoutSeconds(_)
            | DriverOption::LongTimeoutSeconds(_)
            | DriverOption::UnknownDefault(_) => {}
            DriverOption::Unknown(bits) => return Err(Refusal::UnknownOption(bits)),
        }
        Ok(())
    }

    fn keep_mode(&mut self, number: u8, mode: PerMode) {
        if let Some(place) = self.settings.modes.get_mut(usize::from(number)) {
            *place = Some(mode);
        }
    }
}

fn change_booleans(
    change: BooleanChange,
    flags: Booleans,
    booleans: &mut Booleans,
    among: Booleans,
) {
    let flags = flags.intersection(among);
    match change {
        BooleanChange::Replace => *booleans = flags,
        BooleanChange::Set => booleans.insert(flags),
        BooleanChange::Clear => booleans.remove(flags),
    }
}
