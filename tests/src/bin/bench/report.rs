//! Pairs of measurements taken in turn, their medians, the table and `bench.json`.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

/// Counted runs of each side of a pair.
const RUNS: usize = 7;

/// One line of the table.
#[derive(Debug, Serialize)]
pub struct Line {
    pub name: String,
    /// Median.
    pub value: f64,
    pub least: f64,
    pub most: f64,
    pub unit: &'static str,
    /// Median of what it is held against, in the same unit.
    pub reference: Option<f64>,
    /// Median of the ratios, run by run.
    pub ratio: Option<f64>,
    /// What the ratio (or, without reference, the value) has to reach.
    pub goal: String,
    pub reached: bool,
}

/// Everything measured.
#[derive(Debug, Default)]
pub struct Report(Vec<Line>);

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

/// The least and the largest.
fn range(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (least, most)
}

pub fn mib_per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / f64::from(1 << 20) / time.as_secs_f64()
}

impl Report {
    fn add(&mut self, line: Line) {
        let of = line
            .reference
            .map(|r| format!("  reference {r:>9.3}"))
            .unwrap_or_default();
        let ratio = line
            .ratio
            .map(|r| format!("  ratio {r:.2}"))
            .unwrap_or_default();
        let mark = if line.reached { "" } else { "  MISSED" };
        let range = format!("[{:.3} to {:.3}]", line.least, line.most);
        println!(
            "{:<56} {:>10.3} {:<8} {range:<24}{of}{ratio}  (goal {}){mark}",
            line.name, line.value, line.unit, line.goal
        );
        self.0.push(line);
    }

    /// Measures `ours` and `reference` in turn, each giving a rate in MiB/s; the first run warms up.
    pub fn pair(
        &mut self,
        name: &str,
        goal: f64,
        mut ours: impl FnMut() -> f64,
        mut reference: impl FnMut() -> f64,
    ) {
        let mut runs: Vec<(f64, f64)> = (0..=RUNS).map(|_| (ours(), reference())).collect();
        runs.remove(0);
        self.pair_of(name, goal, &runs);
    }

    /// Rates in MiB/s that were measured in turn, ours first.
    pub fn pair_of(&mut self, name: &str, goal: f64, runs: &[(f64, f64)]) {
        let ratio = median(runs.iter().map(|(ours, other)| ours / other).collect());
        let values: Vec<f64> = runs.iter().map(|run| run.0).collect();
        let (least, most) = range(&values);
        self.add(Line {
            name: name.to_owned(),
            value: median(values),
            least,
            most,
            unit: "MiB/s",
            reference: Some(median(runs.iter().map(|run| run.1).collect())),
            ratio: Some(ratio),
            goal: format!(">= {goal}"),
            reached: ratio >= goal,
        });
    }

    /// Two costs measured in turn, whose ratio must not be over a limit, where there is one; the
    /// first run warms up.
    pub fn cost(
        &mut self,
        name: &str,
        unit: &'static str,
        limit: Option<f64>,
        mut ours: impl FnMut() -> f64,
        mut reference: impl FnMut() -> f64,
    ) {
        let mut runs: Vec<(f64, f64)> = (0..=RUNS).map(|_| (ours(), reference())).collect();
        runs.remove(0);
        self.cost_of(name, unit, limit, &runs);
    }

    /// Costs that were measured in turn, ours first; without a limit they are only told.
    pub fn cost_of(
        &mut self,
        name: &str,
        unit: &'static str,
        limit: Option<f64>,
        runs: &[(f64, f64)],
    ) {
        let ratio = median(runs.iter().map(|(ours, other)| ours / other).collect());
        let values: Vec<f64> = runs.iter().map(|run| run.0).collect();
        let (least, most) = range(&values);
        self.add(Line {
            name: name.to_owned(),
            value: median(values),
            least,
            most,
            unit,
            reference: Some(median(runs.iter().map(|run| run.1).collect())),
            ratio: Some(ratio),
            goal: limit.map_or("none".into(), |limit| format!("<= {limit}")),
            reached: limit.is_none_or(|limit| ratio <= limit),
        });
    }

    /// A value that must not be over a limit.
    pub fn at_most(&mut self, name: &str, unit: &'static str, limit: f64, values: Vec<f64>) {
        let (least, most) = range(&values);
        let value = median(values);
        self.add(Line {
            name: name.to_owned(),
            value,
            least,
            most,
            unit,
            reference: None,
            ratio: None,
            goal: format!("<= {limit}"),
            reached: value <= limit,
        });
    }

    /// Writes the table for programs; says how many goals were missed.
    pub fn finish(self, to: &Path) -> std::io::Result<usize> {
        std::fs::write(to, serde_json::to_vec_pretty(&self.0)?)?;
        println!("written to {}", to.display());
        Ok(self.0.iter().filter(|line| !line.reached).count())
    }
}
