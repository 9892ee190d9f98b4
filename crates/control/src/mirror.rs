//! What commands ask a mirror of legs, and what it answers: lines of JSON on the control socket of the mirror daemon.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::status::FaultStatus;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The state of the mirror and of every leg. Never waits for a leg.
    Status,
    /// Puts volumes in: one for each leg, all of them or none.
    Load {
        /// Which sink is whose. A leg that is not named has the sink it had, where that is no image.
        legs: Vec<LegVolume>,
    },
    /// Brings everything to stable storage and takes the volumes out.
    Unload {
        /// Also in the middle of a file that a program writes.
        force: bool,
    },
    /// Brings a leg in step: copies what it misses from the leg that is read.
    Resync {
        /// Its name.
        leg: String,
    },
    /// Takes a leg out of the mirror.
    Drop {
        /// Its name.
        leg: String,
    },
    /// Opens a leg anew, perhaps with another volume, and brings it in step.
    Return {
        /// Its name.
        leg: String,
        /// Its sink from now on; `None`: the one that it had.
        sink: Option<String>,
        /// Also a volume that holds what the mirror does not.
        #[serde(default, skip_serializing_if = "is_false")]
        force: bool,
    },
    /// Of volumes that disagree, says which one is right.
    Trust {
        /// The leg that it is in.
        leg: String,
        /// Also where another volume holds more, which a resync drops.
        #[serde(default, skip_serializing_if = "is_false")]
        force: bool,
    },
    /// Removes and injects faults of a leg, then says them all. Never waits for a leg.
    Inject {
        /// Its name.
        leg: String,
        /// Numbers of faults, or `all`; they are removed before others are injected.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remove: Vec<String>,
        /// `KIND[,OPTION=VALUE...]`, as docs/FAULTS.md has them; all of them are understood before any is injected.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        faults: Vec<String>,
    },
}

/// A word that is not said is not sent: a daemon from before there was the word takes the request.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(word: &bool) -> bool {
    !word
}

/// A leg and its sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegVolume {
    /// Name of the leg.
    pub leg: String,
    /// The sink, as text; its paths are absolute.
    pub sink: String,
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Response {
    /// Done.
    Done {
        /// What was done, for a person.
        message: String,
    },
    /// The state.
    Status(Box<MirrorStatus>),
    /// The faults of a leg.
    Faults {
        /// Its name.
        leg: String,
        /// All of them, in the order of their numbers.
        faults: Vec<FaultStatus>,
    },
    /// Refused or failed.
    Error {
        /// Why, and the way out.
        message: String,
    },
}

/// The state of a mirror.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MirrorStatus {
    /// Version of the daemon.
    pub version: String,
    /// Process id of the daemon.
    pub pid: u32,
    /// The slave end that it holds, or wants; `None` where the mirror is a drive of the device daemon itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slave: Option<SlaveEndStatus>,
    /// Whether volumes are in.
    pub loaded: bool,
    /// Something needs the operator: a leg that is no copy or is damaged, or volumes that disagree.
    pub degraded: bool,
    /// Why the volumes were refused.
    pub refused: Option<String>,
    /// With fewer legs in step what writes fails.
    pub min_legs: usize,
    /// Where the tape is, as far as that is known.
    pub position: Option<PositionStatus>,
    /// A program wrote, and no mark or motion came after it.
    pub in_file: bool,
    /// What is going on, and since how many seconds.
    pub busy: Option<BusyStatus>,
    /// The legs, in their order.
    pub legs: Vec<LegStatus>,
}

/// The slave end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlaveEndStatus {
    /// Its socket or node.
    pub path: PathBuf,
    /// Whether the device daemon has taken the mirror as its drive.
    pub attached: bool,
    /// Why not.
    pub problem: Option<String>,
}

/// Where the tape is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionStatus {
    /// The partition.
    pub partition: u8,
    /// Filemarks before the place; `None`: unknown.
    pub file: Option<u64>,
    /// Number of the next object.
    pub object: u64,
    /// Behind the early warning of some leg.
    pub past_early_warning: bool,
}

/// Something that goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BusyStatus {
    /// What.
    pub what: String,
    /// Since how many seconds.
    pub seconds: f64,
}

/// What a leg is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LegCondition {
    /// A copy; what it lags behind is in its queue.
    InStep,
    /// No copy: it failed, or is somewhere else.
    OutOfStep,
    /// Taken out of the mirror by the operator.
    Dropped,
    /// Its volume was unloaded, and still gets what is in the queue.
    Leaving,
    /// Nothing is in it.
    Empty,
}

impl LegCondition {
    /// As it is written in a status.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            LegCondition::InStep => "in-step",
            LegCondition::OutOfStep => "out-of-step",
            LegCondition::Dropped => "dropped",
            LegCondition::Leaving => "leaving",
            LegCondition::Empty => "empty",
        }
    }
}

/// The state of one leg. What a volume has stored is still told after it was unloaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegStatus {
    /// Its name.
    pub name: String,
    /// Its sink, or the last one.
    pub sink: Option<String>,
    /// `required` or `spare`.
    pub class: String,
    /// `sync`, `unload` or `deferred`.
    pub when: String,
    /// What it is now.
    pub state: LegCondition,
    /// The first object that the volume does not surely hold, where it is no copy; also of a volume that was
    /// unloaded.
    pub not_mirrored_from: Option<u64>,
    /// The first object that the volume misses although the leg is in step: it was trusted, or is the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misses_from: Option<u64>,
    /// Why it is no copy.
    pub reason: Option<String>,
    /// Why the volume can only be read, where it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<String>,
    /// Number of the object behind the last one stored or moved over.
    pub object: u64,
    /// Objects that wait in its queue.
    pub lag_objects: u64,
    /// Bytes that wait in its queue.
    pub lag_bytes: u64,
    /// Bytes of blocks stored since the volume was put in.
    pub stored_bytes: u64,
    /// Bytes of blocks stored in a second, over the last ones.
    pub bytes_per_second: u64,
    /// Bytes of blocks that still fit, and no more than the host's disk has free; `None`: unknown.
    pub left_bytes: Option<u64>,
    /// How long its drive has been at what it does now, where it does something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_seconds: Option<f64>,
    /// Blocks that were read from another leg in its place.
    pub repairs: u64,
    /// The first thing that went wrong with this volume.
    pub first_error: Option<String>,
    /// The command that brings it back.
    pub advice: Option<String>,
    /// What goes wrong on command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultStatus>,
}

/// Environment variable that names the control socket of the mirror for the daemon and for the commands.
pub const SOCKET_VARIABLE: &str = "PSEUDOTAPE_MIRROR_CONTROL";

/// The socket used where none is named: [`SOCKET_VARIABLE`], or a place in the run directory.
#[must_use]
pub fn default_socket() -> PathBuf {
    if let Some(path) = std::env::var_os(SOCKET_VARIABLE) {
        return PathBuf::from(path);
    }
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(directory) if !directory.is_empty() => {
            PathBuf::from(directory).join("pseudotape-mirror/control")
        }
        _ => PathBuf::from("/run/pseudotape-mirror/control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of docs/MIRROR.md are what is sent, and show every request.
    #[test]
    fn the_documented_requests_are_the_requests() {
        let document = include_str!("../../../docs/MIRROR.md");
        let (_, from) = document
            .split_once("<!-- vectors: requests -->\n```text\n")
            .unwrap();
        let (lines, _) = from.split_once("```").unwrap();
        let mut shown = Vec::new();
        for line in lines.lines() {
            let request: Request = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&request).unwrap(), line);
            shown.push(match request {
                Request::Status => "status",
                Request::Load { .. } => "load",
                Request::Unload { .. } => "unload",
                Request::Resync { .. } => "resync",
                Request::Drop { .. } => "drop",
                Request::Return { .. } => "return",
                Request::Trust { .. } => "trust",
                Request::Inject { .. } => "inject",
            });
        }
        shown.dedup();
        let all = [
            "status", "load", "unload", "resync", "drop", "return", "trust", "inject",
        ];
        assert_eq!(shown, all);
    }

    #[test]
    fn the_word_of_a_condition_is_the_one_of_the_status() {
        for condition in [
            LegCondition::InStep,
            LegCondition::OutOfStep,
            LegCondition::Dropped,
            LegCondition::Leaving,
            LegCondition::Empty,
        ] {
            let written = serde_json::to_string(&condition).unwrap();
            assert_eq!(written, format!("\"{}\"", condition.word()));
        }
    }

    #[test]
    fn unknown_words_are_refused_by_name() {
        for (line, word) in [
            ("{\"do\":\"fly\"}", "fly"),
            ("{\"do\":\"trust\",\"leg\":\"a\",\"wings\":2}", "wings"),
            ("{\"do\":\"load\",\"legs\":[{\"leg\":\"a\"}]}", "sink"),
        ] {
            let error = serde_json::from_str::<Request>(line).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
