//! Compares two traces of a scenario, step by step.
//!
//! Every field is compared: the answer, data (first bytes, and the checksum where the reference has one:
//! `scsi_debug` keeps only four bytes of a block; the first bytes where they lie within one are missing as well), each
//! field of `MTIOCGET`, `MTIOCPOS`. Left out: `rdev`, which no other device can have.

use serde_json::{Map, Value};

/// A step whose traces differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Number of the step.
    pub step: usize,
    /// The step as written.
    pub text: String,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub found: String,
}

/// Compares; an empty list is an equal trace.
#[must_use]
pub fn differences(expected: &[Value], found: &[Value]) -> Vec<Difference> {
    let steps = expected.len().max(found.len());
    (0..steps)
        .filter_map(|step| {
            let wanted = expected.get(step);
            let came = found.get(step);
            if let (Some(wanted), Some(came)) = (wanted, came)
                && comparable(wanted, wanted) == comparable(came, wanted)
            {
                return None;
            }
            let text = wanted.or(came).and_then(|step| step.get("op"));
            Some(Difference {
                step,
                text: text.and_then(Value::as_str).unwrap_or_default().to_owned(),
                expected: wanted.map_or_else(|| "nothing".to_owned(), short),
                found: came.map_or_else(|| "nothing".to_owned(), short),
            })
        })
        .collect()
}

/// The fields that count.
fn comparable(step: &Value, reference: &Value) -> Map<String, Value> {
    let mut fields = step.as_object().cloned().unwrap_or_default();
    fields.remove("rdev");
    for name in ["crc", "tag"] {
        if reference.get(name).is_none() {
            fields.remove(name);
        }
    }
    fields
}

/// A step in one line, for people.
fn short(step: &Value) -> String {
    let mut line = match (step.get("errno"), step.get("ret")) {
        (Some(errno), _) => errno.to_string(),
        (None, Some(answer)) => answer.to_string(),
        (None, None) => "-".to_owned(),
    };
    for name in [
        "tag", "tags", "crc", "runs", "bytes", "last_tag", "segs", "took_s", "mode", "size",
        "skipped", "reason",
    ] {
        if let Some(value) = step.get(name) {
            line.push_str(&format!(" {name}={value}"));
        }
    }
    if let Some(status) = step.get("get") {
        let field = |name: &str| status.get(name).map_or_else(String::new, Value::to_string);
        if status.get("file").is_some() {
            line.push_str(&format!(
                " | file {} block {} size {} density {} partition {} {}",
                field("file"),
                field("blk"),
                field("blksize"),
                field("density"),
                field("resid"),
                field("gstat")
            ));
        } else {
            line.push_str(&format!(" | {status}"));
        }
    }
    if let Some(position) = step.get("pos") {
        line.push_str(&format!(" @{position}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_checksum_counts_only_where_the_reference_has_one() {
        let with = [json!({"i": 0, "op": "read 4", "ret": 4, "tag": "00", "crc": "1"})];
        let without = [json!({"i": 0, "op": "read 4", "ret": 4, "tag": "00"})];
        let other = [json!({"i": 0, "op": "read 4", "ret": 4, "tag": "00", "crc": "2"})];
        assert!(differences(&without, &with).is_empty());
        assert_eq!(differences(&with, &other).len(), 1);
        assert_eq!(differences(&with, &without).len(), 1);
    }

    #[test]
    fn a_missing_step_differs() {
        let step = json!({"i": 0, "op": "close", "ret": 0});
        let found = differences(&[step.clone(), step.clone()], &[step]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].step, 1);
        assert_eq!(found[0].found, "nothing");
    }
}
