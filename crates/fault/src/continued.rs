//! How the text of a fault that is not whole yet can go on: for people who are typing one.

use crate::{Key, Kind};

/// The whole texts with which `text` can go on: a kind, an option, or one of the values that an option can have. One
/// that ends with `=` goes on.
#[must_use]
pub fn continued(text: &str) -> Vec<String> {
    let Some((before, last)) = text.rsplit_once(',') else {
        return Kind::ALL.map(|kind| kind.name().to_owned()).to_vec();
    };
    let mut parts = before.split(',');
    let name = parts.next().unwrap_or_default();
    let said: Vec<&str> = parts.filter_map(|part| part.split('=').next()).collect();
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    let keys = kind.map_or(&[][..], Kind::keys);
    let values: &[&str] = match last.split_once('=') {
        Some(("position", _)) => &["position=behind", "position=kept", "position=lost"],
        Some(("on", _)) => &["on=read", "on=write", "on=marks", "on=motion", "on=load"],
        Some(_) => &[],
        None => {
            let new = keys.iter().filter(|key| !said.contains(&key.name()));
            return new.map(|key| format!("{before},{}=", key.name())).collect();
        }
    };
    let offered = |value: &&&str| {
        let key = value.split('=').next();
        keys.iter().any(|known: &Key| Some(known.name()) == key)
    };
    let values = values.iter().filter(offered);
    values.map(|value| format!("{before},{value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;

    #[test]
    fn what_is_offered_is_understood() {
        for kind in Kind::ALL {
            assert!(continued("").contains(&kind.name().to_owned()), "{kind}");
            let offered = continued(&format!("{kind},"));
            assert_eq!(offered.len(), kind.keys().len(), "{kind}: {offered:?}");
        }
        for text in ["read-error,position=", "busy,on=", "hang,on="] {
            let offered = continued(text);
            assert!(offered.len() > 2, "{text}: {offered:?}");
            for word in offered {
                let word = match text {
                    "hang,on=" | "busy,on=" => word,
                    _ => format!("{word},at=7"),
                };
                assert!(word.parse::<Fault>().is_ok(), "{word}");
            }
        }
    }

    #[test]
    fn what_was_said_is_not_offered_again() {
        assert!(!continued("slow,rate=1M,").contains(&"slow,rate=1M,rate=".to_owned()));
        assert!(continued("slow,rate=1M,").contains(&"slow,rate=1M,delay=".to_owned()));
        assert!(continued("unknown,").is_empty());
        assert!(continued("slow,position=").is_empty());
    }
}
