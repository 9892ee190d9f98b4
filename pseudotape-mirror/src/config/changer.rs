//! `[[changer]]` of the configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pseudotape_rack::ChangerPlace;
use serde::Deserialize;

use super::place::absolute;

/// A leg whose table is in memory answers in milliseconds, but it may have to end a move of somebody else first.
const QUESTION_SECONDS: u64 = 30;
/// As long as a move may take.
const MAX_QUESTION_SECONDS: u64 = 300;

/// A mirror of changers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangerConfig {
    /// Its name.
    pub name: String,
    /// Its socket.
    pub socket: PathBuf,
    /// Its serial number.
    pub serial: String,
    /// The control sockets of the mirrors that are its drives, in their order.
    pub drives: Vec<PathBuf>,
    /// The control socket of the `pseudotape-dev` whose drives those are: it knows which program has one open.
    pub device: Option<PathBuf>,
    /// How long a leg may take to say what is where. The others stand still meanwhile.
    pub question: Duration,
    /// The legs.
    pub legs: Vec<ChangerLegConfig>,
}

/// A leg of a mirror of changers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangerLegConfig {
    /// Its name.
    pub name: String,
    /// Its libraries.
    pub libraries: Vec<ChangerPlace>,
}

/// A changer as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ChangerTable {
    name: String,
    socket: Option<PathBuf>,
    serial: Option<String>,
    #[serde(default)]
    drives: Vec<PathBuf>,
    device: Option<PathBuf>,
    question_timeout: Option<u64>,
    #[serde(default)]
    leg: Vec<LegTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LegTable {
    name: String,
    libraries: Vec<String>,
}

/// Checks the changers of a daemon with this control socket.
pub(super) fn check_changers(
    tables: Vec<ChangerTable>,
    control: &Path,
) -> Result<Vec<ChangerConfig>> {
    let mut changers: Vec<ChangerConfig> = Vec::new();
    for table in tables {
        let name = table.name.clone();
        let changer = checked(table, control).with_context(|| format!("changer {name}"))?;
        ensure!(
            changers.iter().all(|other| other.name != name),
            "two changers are named {name}: give each a name of its own"
        );
        ensure!(
            changer.socket != control && changers.iter().all(|c| c.socket != changer.socket),
            "changer {name}: another socket is already at {}: 'socket' names another place",
            changer.socket.display()
        );
        changers.push(changer);
    }
    Ok(changers)
}

fn is_word(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.chars().all(allowed)
}

fn checked(table: ChangerTable, control: &Path) -> Result<ChangerConfig> {
    let words = "letters, digits, - _ . can be in a name";
    ensure!(is_word(&table.name), "'{}': {words}", table.name);
    ensure!(
        table.leg.len() > 1,
        "a mirror of changers needs two legs at least: [[changer.leg]] with 'name' and 'libraries'"
    );
    let mut legs: Vec<ChangerLegConfig> = Vec::new();
    for LegTable { name, libraries } in table.leg {
        ensure!(is_word(&name), "leg '{name}': {words}");
        ensure!(
            legs.iter().all(|leg| leg.name != name),
            "two legs are named {name}: give each a name of its own"
        );
        ensure!(!libraries.is_empty(), "leg {name} has no library");
        let libraries = libraries.iter().map(|text| text.parse());
        let libraries: Result<Vec<ChangerPlace>, _> = libraries.collect();
        let libraries = libraries.with_context(|| format!("leg {name}"))?;
        legs.push(ChangerLegConfig { name, libraries });
    }
    let question = table.question_timeout.unwrap_or(QUESTION_SECONDS);
    ensure!(
        (1..=MAX_QUESTION_SECONDS).contains(&question),
        "question-timeout = {question}: 1 to {MAX_QUESTION_SECONDS} seconds are possible"
    );
    let beside = || control.with_file_name("changer");
    let drives = table.drives.iter().map(|drive| absolute(drive));
    Ok(ChangerConfig {
        socket: absolute(&table.socket.unwrap_or_else(beside))?,
        serial: table.serial.unwrap_or_else(|| format!("PTM{}", table.name)),
        drives: drives.collect::<Result<_>>()?,
        device: table.device.as_deref().map(absolute).transpose()?,
        name: table.name,
        question: Duration::from_secs(question),
        legs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        changer: Vec<ChangerTable>,
    }

    const LEGS: &str = "[[changer.leg]]\nname = \"a\"\nlibraries = [\"library:/run/a\"]\n\
                        [[changer.leg]]\nname = \"b\"\nlibraries = [\"remote:nas\", \"sg:/dev/sg3\"]\n";

    fn read(text: &str) -> Result<Vec<ChangerConfig>> {
        let file: File = toml::from_str(text)?;
        check_changers(file.changer, Path::new("/run/m/control"))
    }

    #[test]
    fn a_changer_has_its_socket_beside_that_of_the_mirror() {
        let text = format!("[[changer]]\nname = \"both\"\ndrives = [\"/run/m/control\"]\n{LEGS}");
        let changers = read(&text).unwrap();
        assert_eq!(changers[0].socket, Path::new("/run/m/changer"));
        assert_eq!(changers[0].serial, "PTMboth");
        assert_eq!(changers[0].legs[1].libraries.len(), 2);
        assert_eq!(changers[0].question, Duration::from_secs(30));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |head: &str, legs: &str| format!("[[changer]]\n{head}\n{legs}");
        let one = &LEGS[..LEGS.find("[[changer.leg]]\nname = \"b\"").unwrap()];
        for (text, why) in [
            (with("name = \"x\"", one), "two legs at least"),
            (with("name = \"a b\"", LEGS), "can be in a name"),
            (with("name = \"x\"\nwings = 2", LEGS), "wings"),
            (
                with("name = \"x\"\nquestion-timeout = 0", LEGS),
                "1 to 300 seconds are possible",
            ),
            (
                with("name = \"x\"\nsocket = \"/run/m/control\"", LEGS),
                "another socket",
            ),
            (
                with("name = \"x\"", &LEGS.replace("\"b\"", "\"a\"")),
                "two legs are named a",
            ),
            (
                with("name = \"x\"", &LEGS.replace("sg:", "tape:")),
                "names no changer",
            ),
            (
                with("name = \"x\"", &LEGS.replace("[\"library:/run/a\"]", "[]")),
                "no library",
            ),
            (
                with("name = \"x\"", LEGS) + &with("name = \"x\"\nsocket = \"/run/n\"", LEGS),
                "two changers",
            ),
        ] {
            let error = format!("{:#}", read(&text).unwrap_err());
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
