//! Looks for what a machine needs to run pseudotape, says what to do where it is missing, and tries it.

mod checks;
mod drive;
mod machine;
pub(crate) mod switches;
mod trial;

use std::fmt::Write;
use std::time::Duration;

use pseudotape_human::{Paint, Report, Screen, printable};
use serde::Serialize;

pub use machine::Machine;

use crate::Verdict;
use crate::cli::DoctorOptions;
use crate::client::Daemon;
use crate::farm::health::health;

/// Whether pseudotape runs without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Need {
    /// It does not.
    Needed,
    /// It does; some way of using it is missing.
    Optional,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub name: &'static str,
    pub need: Need,
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// What to do, where it is not ok.
    pub advice: Option<String>,
}

impl Check {
    pub(crate) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Check {
            name,
            need: Need::Optional,
            ok: true,
            found: found.into(),
            advice: None,
        }
    }

    pub(crate) fn missing(
        name: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Check {
            name,
            need: Need::Optional,
            ok: false,
            found: found.into(),
            advice: Some(advice.into()),
        }
    }

    pub(crate) fn needed(self) -> Self {
        Check {
            need: Need::Needed,
            ..self
        }
    }

    fn yield_to_trial(&mut self) {
        if drive::NAMES.contains(&self.name) {
            self.need = Need::Optional;
        }
    }

    fn is_lacking(&self) -> bool {
        !self.ok && self.need == Need::Needed
    }
}

/// All that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    /// Nothing that is needed is missing.
    pub ok: bool,
    pub checks: Vec<Check>,
}

impl Report for Diagnosis {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        for check in &self.checks {
            let word = match (check.ok, check.need) {
                (true, _) => screen.paint(Paint::Good, "ok     "),
                (false, Need::Needed) => screen.paint(Paint::Bad, "MISSING"),
                (false, Need::Optional) => screen.paint(Paint::Notice, "note   "),
            };
            let found = printable(&check.found);
            writeln!(text, "{word} {:<13} {found}", check.name).expect("a String takes everything");
            if let Some(advice) = &check.advice {
                writeln!(text, "{:22}-> {}", "", printable(advice))
                    .expect("a String takes everything");
            }
        }
        text += match self.ok {
            true => "everything that is needed is there\n",
            false => "something that is needed is missing: see the lines with MISSING\n",
        };
        text
    }
}

pub(crate) fn run(
    options: &DoctorOptions,
    daemon: &Daemon,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let machine = Machine::this();
    let mut checks = machine_checks(&machine);
    if options.tries {
        let attempts = trial::attempts(&machine);
        if attempts.iter().any(|check| check.ok) {
            // What works is not lacking, whatever was expected.
            checks.iter_mut().for_each(Check::yield_to_trial);
        }
        checks.extend(attempts);
    }
    checks.push(checks::images(&options.images));
    checks.push(checks::farm(health()));
    let status = daemon.clone().within(DAEMON_TIMEOUT).status();
    let told = status.as_ref().ok().map(switches::Told::by);
    let log = std::env::var("RUST_LOG").ok();
    checks.push(switches::check(&machine, log.as_deref(), told.as_ref()));
    checks.push(checks::daemon(status));
    let diagnosis = diagnose(checks);
    screen.show(&diagnosis)?;
    Ok(match diagnosis.ok {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

/// Shorter than for a status: a daemon that needs longer is worth a note.
pub(crate) const DAEMON_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn machine_checks(machine: &Machine) -> Vec<Check> {
    let mut all = vec![checks::kernel(machine)];
    all.extend(drive::ways(machine));
    all.push(drive::scsi(machine));
    all.extend(checks::file_nodes(machine));
    all.push(checks::file_calls(machine));
    all.push(checks::tape_group(machine));
    all.push(checks::call_lengths(machine));
    all.push(checks::memory(machine));
    all.extend(checks::programs(machine));
    all
}

fn diagnose(checks: Vec<Check>) -> Diagnosis {
    Diagnosis {
        ok: !checks.iter().any(Check::is_lacking),
        checks,
    }
}

#[cfg(test)]
mod tests;
