//! What is asked on the socket of a mirror of changers: what a library is asked, and what its operator asks.

use pseudotape_control::LibraryOrder;
use serde::{Deserialize, Serialize};

/// What a client asks. The first three are those of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// The state of the changer.
    Libraries {
        #[serde(default)]
        library: Option<String>,
    },
    /// Has the changer do something.
    Library {
        #[serde(default)]
        library: Option<String>,
        order: LibraryOrder,
    },
    /// The connection speaks the protocol of remote changers from now on.
    Changer {
        #[serde(default)]
        library: Option<String>,
    },
    /// The legs, how they are paired, and what is out of step.
    Legs,
    /// Moves cartridges in the other legs until they are where they are in this one.
    Settle {
        /// The leg that is right.
        leg: String,
    },
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Response {
    /// As a library answers.
    Library(pseudotape_control::Response),
    /// The legs.
    Legs {
        /// What this is.
        legs: LegsStatus,
    },
}

/// The state of a mirror of changers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LegsStatus {
    /// Its name.
    pub(crate) name: String,
    /// Each leg with the specifications of its libraries.
    pub(crate) legs: Vec<(String, Vec<String>)>,
    /// Which elements are one; `None` while a leg can't be asked.
    pub(crate) pairing: Option<String>,
    /// Why it can't be asked.
    pub(crate) problem: Option<String>,
    /// The elements about which the legs disagree.
    pub(crate) out_of_step: Vec<Disagreement>,
}

/// An element about which the legs disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Disagreement {
    /// Its address in the mirror.
    pub(crate) element: u16,
    /// What each leg says.
    pub(crate) says: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever asks a library can ask a mirror of changers.
    #[test]
    fn the_requests_of_a_library_are_requests_here() {
        let order = LibraryOrder::Initialize;
        let library = Some("x".to_owned());
        for request in [
            pseudotape_control::Request::Libraries {
                library: library.clone(),
            },
            pseudotape_control::Request::Library {
                library: None,
                order,
            },
            pseudotape_control::Request::Changer { library },
        ] {
            let line = serde_json::to_string(&request).unwrap();
            let here: Request = serde_json::from_str(&line).unwrap();
            assert_eq!(serde_json::to_string(&here).unwrap(), line);
        }
        let done = pseudotape_control::Response::Done {
            message: "well".into(),
        };
        let line = serde_json::to_string(&Response::Library(done.clone())).unwrap();
        assert_eq!(line, serde_json::to_string(&done).unwrap());
    }
}
