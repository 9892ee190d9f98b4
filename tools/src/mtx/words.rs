//! The grammar of mtx.

/// The version whose output this is.
pub(super) const VERSION: &str = "1.3.12";

/// What mtx prints where it is not understood.
pub(super) const USAGE: &str = "\
Usage:
\tmtx --version
\tmtx [ -f <loader-dev> ] noattach <more commands>
\tmtx [ -f <loader-dev> ] inquiry | inventory \n\
\tmtx [ -f <loader-dev> ] [altres] [nobarcode] status
\tmtx [ -f <loader-dev> ] [altres] first [<drive#>]
\tmtx [ -f <loader-dev> ] [altres] last [<drive#>]
\tmtx [ -f <loader-dev> ] [altres] previous [<drive#>]
\tmtx [ -f <loader-dev> ] [altres] next [<drive#>]
\tmtx [ -f <loader-dev> ] [altres] [invert] load <storage-element-number> [<drive#>]
\tmtx [ -f <loader-dev> ] [altres] [invert] unload [<storage-element-number>][<drive#>]
\tmtx [ -f <loader-dev> ] [altres] [eepos eepos-number] transfer <storage-element-number> <storage-element-number>
\tmtx [ -f <loader-dev> ] [altres] [eepos eepos-number][invert][invert2] exchange \
<storage-element-number> <storage-element-number>
\tmtx [ -f <loader-dev> ] [altres] position <storage-element-number>
\tmtx [ -f <loader-dev> ] eject
";

/// Words that mtx answers with its usage.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misused;

/// A number behind a command, if there is one.
pub(super) type Number = Option<i64>;

/// One command with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Device(String),
    Inquiry,
    Status,
    Invert,
    Invert2,
    NoBarcode,
    /// Says how SCSI is to be spoken: `noattach`, `altres`.
    Manner,
    Eepos(Number),
    Load(Number, Number),
    Unload(Number, Number),
    Transfer(Number, Number),
    Exchange(Number, Number, Number),
    First(Number),
    Last(Number),
    Previous(Number),
    Next(Number),
    Position(Number),
    Inventory,
    Eject,
    Erase,
    Version,
}

/// The steps of a command line. mtx reads one when it has done the one before.
pub(super) struct Words {
    words: std::iter::Peekable<std::vec::IntoIter<String>>,
}

impl Words {
    pub(super) fn new(words: Vec<String>) -> Self {
        let words = words.into_iter().peekable();
        Words { words }
    }

    /// The next word, where it begins with a digit; as `atoi` reads it.
    fn number(&mut self) -> Number {
        let word = self
            .words
            .next_if(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
        Some(digits.parse().unwrap_or(i64::from(i32::MAX)))
    }

    fn two(&mut self) -> (Number, Number) {
        let first = self.number();
        (first, first.and_then(|_| self.number()))
    }
}

impl Iterator for Words {
    type Item = Result<Step, Misused>;

    fn next(&mut self) -> Option<Self::Item> {
        let word = self.words.next()?;
        Some(Ok(match word.as_str() {
            "-f" => match self.words.next() {
                Some(device) => Step::Device(device),
                None => return Some(Err(Misused)),
            },
            "inquiry" => Step::Inquiry,
            "status" => Step::Status,
            "invert" => Step::Invert,
            "invert2" => Step::Invert2,
            "nobarcode" => Step::NoBarcode,
            "noattach" | "altres" => Step::Manner,
            "eepos" => Step::Eepos(self.number()),
            "load" => {
                let (slot, drive) = self.two();
                Step::Load(slot, drive)
            }
            "unload" => {
                let (slot, drive) = self.two();
                Step::Unload(slot, drive)
            }
            "transfer" => {
                let (from, to) = self.two();
                Step::Transfer(from, to)
            }
            "exchange" => {
                let (source, first) = self.two();
                Step::Exchange(source, first, first.and_then(|_| self.number()))
            }
            "first" => Step::First(self.number()),
            "last" => Step::Last(self.number()),
            "previous" => Step::Previous(self.number()),
            "next" => Step::Next(self.number()),
            "position" => Step::Position(self.number()),
            "inventory" => Step::Inventory,
            "eject" => Step::Eject,
            "erase" => Step::Erase,
            "--version" => Step::Version,
            _ => return Some(Err(Misused)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(line: &str) -> Vec<Result<Step, Misused>> {
        let words = line.split_whitespace().map(str::to_owned).collect();
        Words::new(words).collect()
    }

    #[test]
    fn commands_stand_one_behind_another_with_their_numbers() {
        assert_eq!(
            steps("-f /run/control nobarcode unload 3 0 load 4 next"),
            [
                Ok(Step::Device("/run/control".into())),
                Ok(Step::NoBarcode),
                Ok(Step::Unload(Some(3), Some(0))),
                Ok(Step::Load(Some(4), None)),
                Ok(Step::Next(None)),
            ]
        );
        assert_eq!(
            steps("exchange 1 2 3 exchange 1 2 transfer 1 eepos 2"),
            [
                Ok(Step::Exchange(Some(1), Some(2), Some(3))),
                Ok(Step::Exchange(Some(1), Some(2), None)),
                Ok(Step::Transfer(Some(1), None)),
                Ok(Step::Eepos(Some(2))),
            ]
        );
    }

    #[test]
    fn numbers_are_read_as_atoi_reads_them() {
        assert_eq!(steps("load 1x 2"), [Ok(Step::Load(Some(1), Some(2)))]);
        let most = Some(i64::from(i32::MAX));
        assert_eq!(
            steps("position 99999999999999999999"),
            [Ok(Step::Position(most))]
        );
        assert_eq!(steps("load -1"), [Ok(Step::Load(None, None)), Err(Misused)]);
    }

    #[test]
    fn what_is_no_command_is_misused() {
        assert_eq!(steps("status fly").pop(), Some(Err(Misused)));
        assert_eq!(steps("-f"), [Err(Misused)]);
    }
}
