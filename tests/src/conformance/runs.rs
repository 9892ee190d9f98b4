//! Long lists of results, shortened: `[value, times]`, and `[[a, b], times]` for turns of two.

use serde_json::{Value, json};

/// What one transfer of many answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A count.
    Count(usize),
    /// The name of an errno.
    Error(String),
}

impl Outcome {
    fn json(&self) -> Value {
        match self {
            Outcome::Count(count) => json!(count),
            Outcome::Error(name) => json!(name),
        }
    }
}

/// Shortens a list of results.
#[must_use]
pub fn shortened(outcomes: &[Outcome]) -> Value {
    let mut runs: Vec<(&Outcome, u64)> = Vec::new();
    for outcome in outcomes {
        match runs.last_mut() {
            Some((last, times)) if *last == outcome => *times += 1,
            _ => runs.push((outcome, 1)),
        }
    }
    let mut result = Vec::new();
    let mut rest = runs.as_slice();
    while let [first, others @ ..] = rest {
        let turns = turns_at(rest);
        if let (Some(second), true) = (others.first(), turns > 1) {
            result.push(json!([[first.0.json(), second.0.json()], turns]));
            rest = &rest[2 * turns..];
        } else {
            result.push(json!([first.0.json(), first.1]));
            rest = others;
        }
    }
    Value::Array(result)
}

/// How often the first two runs follow each other, where each is one long.
fn turns_at(runs: &[(&Outcome, u64)]) -> usize {
    match runs {
        [(_, 1), (_, 1), ..] => runs
            .chunks_exact(2)
            .take_while(|pair| *pair == &runs[..2])
            .count(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_turns_are_folded() {
        let ok = Outcome::Count(1024);
        let full = Outcome::Error("ENOSPC".into());
        let mut outcomes = vec![ok.clone(); 3];
        for _ in 0..2 {
            outcomes.extend([full.clone(), ok.clone()]);
        }
        outcomes.extend(vec![full.clone(); 5]);
        assert_eq!(
            shortened(&outcomes).to_string(),
            r#"[[1024,3],[["ENOSPC",1024],2],["ENOSPC",5]]"#
        );
        assert_eq!(
            shortened(&[ok.clone(), full.clone()]).to_string(),
            r#"[[1024,1],["ENOSPC",1]]"#
        );
        assert_eq!(shortened(&[]).to_string(), "[]");
    }
}
