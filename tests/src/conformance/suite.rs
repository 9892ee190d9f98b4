//! All scenarios with their references, corrections and exceptions (`tests/conformance/`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pseudotape_drive::Personality;
use serde::Deserialize;
use serde_json::Value;

use super::compare::{Difference, differences};
use super::run::run;
use super::scenario::{self, Probe, Step};
use super::target::Target;

/// The drive behind the kernel's st when a trace was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The kernel's own emulation.
    ScsiDebug,
    /// A userspace LTO-5; its READ POSITION was wrong, so it was not asked.
    Lto5,
    /// The same with three errors mended.
    Lto5Mended,
}

impl Source {
    /// The personality that answers alike.
    #[must_use]
    pub fn personality(self) -> Personality {
        let name = match self {
            Source::ScsiDebug => "scsi_debug",
            Source::Lto5 | Source::Lto5Mended => "mhvtl",
        };
        Personality::named(name).expect("a personality of pseudotape-drive")
    }

    /// What was looked at after each step.
    #[must_use]
    pub fn probe(self) -> Probe {
        match self {
            Source::ScsiDebug | Source::Lto5Mended => Probe::Full,
            Source::Lto5 => Probe::Status,
        }
    }
}

/// One scenario.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Where its trace was recorded.
    pub source: Source,
    /// Whether it is one of our own recordings (`own/`).
    pub own: bool,
    /// Its steps.
    pub steps: Vec<Step>,
    /// What the kernel's st answered.
    pub reference: Vec<Value>,
    /// What a right drive answers, where the reference shows an error of the emulation.
    pub corrected: Option<Vec<Value>>,
}

impl Case {
    /// What is to be answered.
    #[must_use]
    pub fn expected(&self) -> &[Value] {
        self.corrected.as_deref().unwrap_or(&self.reference)
    }
}

/// Steps of a scenario that a target can't answer as st does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// `in-process`, `mirror`, `fuse`, `cuse`, or `cuse-unmeasured` for what differs on CUSE only where the kernel
    /// doesn't say how long a system call is; `scsi` is the kernel's own st on a drive of `pseudotape-scsi`.
    pub target: String,
    /// The scenario.
    pub scenario: String,
    /// Numbers of the steps.
    pub steps: Vec<usize>,
    /// Why.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownFile {
    #[serde(default)]
    known: Vec<Known>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CorrectedFile {
    corrected: BTreeMap<String, String>,
}

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The scenario.
    pub name: String,
    /// Whether it is one of our own recordings.
    pub own: bool,
    /// Steps that differ.
    pub differences: Vec<Difference>,
}

/// All that lies in `tests/conformance`.
pub struct Suite {
    /// The scenarios, by name.
    pub cases: Vec<Case>,
    /// What can't be equal.
    pub known: Vec<Known>,
}

/// Where the scenarios lie.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

impl Suite {
    /// Reads everything; a scenario without reference, a correction without reason or that corrects
    /// nothing, and an exception for a scenario that isn't there are errors.
    pub fn load() -> anyhow::Result<Self> {
        let folder = folder();
        let index: BTreeMap<String, String> =
            serde_json::from_str(&read(&folder.join("reference/INDEX.json"))?)?;
        let reasons: CorrectedFile =
            toml::from_str(&read(&folder.join("corrected/REASONS.toml"))?)?;
        let mut cases = Vec::new();
        let mut given = BTreeMap::new();
        for (name, source) in &index {
            let source = match source.as_str() {
                "scsi_debug" => Source::ScsiDebug,
                "mhvtl" => Source::Lto5,
                "mhvtl-patched" => Source::Lto5Mended,
                other => anyhow::bail!("reference/INDEX.json: {name}: unknown source '{other}'"),
            };
            given.insert(name.clone(), (folder.clone(), source));
        }
        let own = folder.join("own");
        for name in scenario_names(&own)? {
            let place = (own.clone(), Source::ScsiDebug);
            anyhow::ensure!(
                given.insert(name.clone(), place).is_none(),
                "scenario {name} is there twice"
            );
        }
        for (name, (folder, source)) in &given {
            let source = *source;
            let steps = scenario::load(&folder.join(format!("scenarios/{name}.tc")))?;
            let reference = read_trace(&folder.join(format!("reference/{name}.jsonl")))?;
            let corrected = match reasons.corrected.get(name) {
                Some(reason) => {
                    anyhow::ensure!(reason.len() > 20, "corrected {name}: say why");
                    let path = self::folder().join(format!("corrected/{name}.jsonl"));
                    let corrected = read_trace(&path)?;
                    anyhow::ensure!(corrected != reference, "corrected {name} corrects nothing");
                    Some(corrected)
                }
                None => None,
            };
            cases.push(Case {
                name: name.clone(),
                source,
                own: *folder == own,
                steps,
                reference,
                corrected,
            });
        }
        let known: KnownFile = toml::from_str(&read(&folder.join("known.toml"))?)?;
        let missing = |name: &String| !given.contains_key(name);
        if let Some(name) = reasons.corrected.keys().find(|name| missing(name)) {
            anyhow::bail!("corrected/REASONS.toml: no scenario {name}");
        }
        if let Some(known) = known.known.iter().find(|known| missing(&known.scenario)) {
            anyhow::bail!("known.toml: no scenario {}", known.scenario);
        }
        for name in scenario_names(&folder)? {
            anyhow::ensure!(
                index.contains_key(&name),
                "scenario {name} is not in reference/INDEX.json"
            );
        }
        Ok(Suite {
            cases,
            known: known.known,
        })
    }

    /// Runs a scenario on a target and compares.
    pub fn judge(&self, case: &Case, target: &mut dyn Target) -> anyhow::Result<Verdict> {
        let trace = run(target, &case.steps, case.source.probe())?;
        Ok(Verdict {
            name: case.name.clone(),
            own: case.own,
            differences: differences(case.expected(), &trace),
        })
    }

    /// Compares what differs with what is known to: the steps too many and the steps too few.
    #[must_use]
    pub fn surprises(&self, targets: &[&str], verdicts: &[Verdict]) -> Vec<String> {
        let mut surprises = Vec::new();
        for verdict in verdicts {
            let known: Vec<usize> = self
                .known
                .iter()
                .filter(|known| targets.contains(&known.target.as_str()))
                .filter(|known| known.scenario == verdict.name)
                .flat_map(|known| known.steps.iter().copied())
                .collect();
            for difference in &verdict.differences {
                if !known.contains(&difference.step) {
                    surprises.push(format!(
                        "{}: step {} '{}'\n   expected {}\n   found    {}",
                        verdict.name,
                        difference.step,
                        difference.text,
                        difference.expected,
                        difference.found
                    ));
                }
            }
            for step in known {
                if !verdict.differences.iter().any(|found| found.step == step) {
                    surprises.push(format!(
                        "{}: step {step} is equal now: take it out of known.toml",
                        verdict.name
                    ));
                }
            }
        }
        surprises
    }
}

/// The last lines of a report, for the given recordings and for our own: how many are equal, and below, indented, the
/// names of the others.
#[must_use]
pub fn summary(place: &str, verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for (own, what) in [(true, ", our own recordings"), (false, "")] {
        let of_these = || verdicts.iter().filter(|verdict| verdict.own == own);
        let different: Vec<&str> = of_these()
            .filter(|verdict| !verdict.differences.is_empty())
            .map(|verdict| verdict.name.as_str())
            .collect();
        let equal = of_these().count() - different.len();
        if equal + different.len() == 0 {
            continue;
        }
        text += &format!(
            "{place}{what}: {equal} equal, {} different\n",
            different.len()
        );
        for name in different {
            text += &format!("  {name}\n");
        }
    }
    text
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

fn scenario_names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.join("scenarios"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        names.push(name.unwrap_or_default().to_owned());
    }
    Ok(names)
}

fn read_trace(path: &Path) -> anyhow::Result<Vec<Value>> {
    read(path)?
        .lines()
        .map(|line| {
            serde_json::from_str(line)
                .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
        })
        .collect()
}
