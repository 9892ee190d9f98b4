//! How the text of a specification that is not whole yet can go on: for people who are typing one.

use pseudotape_human::list::cut;

use crate::text::{ANYWHERE, HELD, key_of};

/// How a text can go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Continued {
    /// Whole texts, and what is new in them. One that ends with `:`, `=` or `+` goes on.
    pub words: Vec<(String, &'static str)>,
    /// A path begins at this byte of the text.
    pub path_at: Option<usize>,
}

const PLACES: [(&str, &str); 4] = [
    ("image:", "an image, with options"),
    ("device:", "a tape node"),
    ("rmt:", "a tape of another host"),
    ("null", "nothing: blocks are counted and forgotten"),
];
const FILTERS: [(&str, &str); 4] = [
    ("zstd+", "compressed"),
    ("lz4+", "compressed, fast"),
    ("aes=", "encrypted with a key file"),
    ("aes-anywhere=", "encrypted, to read blocks that were moved"),
];

const SIZES: [(&str, &str); 2] = [
    ("capacity=", "how much fits"),
    ("early-warning=", "how long before the end writers are told"),
];
const IMAGE: [(&str, &str); 3] = [
    ("create", "makes it where it is not there"),
    ("ro", "for reading only"),
    ("cache=", "what stays in the host's page cache"),
];
const RMT: [(&str, &str); 4] = [
    ("ro", "for reading only"),
    ("server=", "the program that serves there"),
    ("rsh=", "the program in place of ssh"),
    ("command=", "what is run instead"),
];
const CACHE: [(&str, &str); 3] = [
    (
        "cache=auto",
        "what is written goes once much was written in one go",
    ),
    ("cache=keep", "the host decides"),
    ("cache=drop", "what is written and read goes at once"),
];

impl Continued {
    /// The ways in which `text` can go on.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut rest = text;
        while let Some((filter, behind)) = cut(rest, '+') {
            if !matches!(filter, "zstd" | "lz4") && key_of(filter).is_none() {
                break;
            }
            rest = behind;
        }
        let at = text.len() - rest.len();
        if let Some(place) = options_at(rest) {
            return Self::option(text, rest, at + place);
        }
        for before in ["image:", "device:", HELD, ANYWHERE] {
            if rest.starts_with(before) {
                return Continued {
                    words: Vec::new(),
                    path_at: Some(at + before.len()),
                };
            }
        }
        let head = &text[..at];
        let words = match rest {
            rest if rest.starts_with("null:") => sized(text, at + "null:".len()),
            _ => PLACES
                .iter()
                .chain(&FILTERS)
                .map(|(word, about)| (format!("{head}{word}"), *about))
                .collect(),
        };
        let path_at = (!rest.contains(':')).then_some(at);
        Continued { words, path_at }
    }

    /// The option that begins at a byte of the text; `rest` is the place with its options.
    fn option(text: &str, rest: &str, at: usize) -> Self {
        let options: Vec<_> = match rest.split(':').next() {
            _ if text[at..].starts_with("cache=") && rest.starts_with("image:") => CACHE.to_vec(),
            Some("image") => IMAGE.into_iter().chain(SIZES).collect(),
            Some("device") => IMAGE[1..2].to_vec(),
            Some("rmt") => RMT.to_vec(),
            Some("null") => SIZES.to_vec(),
            _ => Vec::new(),
        };
        let is_new = |name: &str| !text[..at].contains(&format!(",{name}"));
        let new = options.into_iter().filter(|(name, _)| is_new(name));
        let words = new.map(|(name, about)| (format!("{}{name}", &text[..at]), about));
        Continued {
            words: words.collect(),
            path_at: None,
        }
    }
}

fn sized(text: &str, at: usize) -> Vec<(String, &'static str)> {
    let sizes = SIZES.iter();
    sizes
        .map(|(name, about)| (format!("{}{name}", &text[..at]), *about))
        .collect()
}

/// Where the last option begins: behind the last comma without a backslash.
fn options_at(rest: &str) -> Option<usize> {
    let mut at = None;
    let mut is_quoted = false;
    for (place, c) in rest.char_indices() {
        match c {
            '\\' if !is_quoted => is_quoted = true,
            ',' if !is_quoted => at = Some(place + 1),
            _ => is_quoted = false,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sink;

    fn words(text: &str) -> Vec<String> {
        let continued = Continued::of(text);
        continued.words.into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn what_is_offered_is_understood() {
        let values = |word: String| match word.as_str() {
            word if word.ends_with("capacity=") => format!("{word}10M"),
            word if word.ends_with("early-warning=") => format!("{word}1M"),
            word if word.ends_with("cache=") => format!("{word}keep"),
            word if word.ends_with("command=") => format!("{word}x"),
            word if word.ends_with('=') && !word.contains(',') => format!("{word}key+x"),
            word if word.ends_with('=') => format!("{word}x"),
            word if word.ends_with("rmt:") => format!("{word}host:x"),
            word if word.ends_with([':', '+']) => format!("{word}x"),
            word => word.to_owned(),
        };
        let mut count = 0;
        for text in [
            "",
            "zstd+",
            "aes=k+",
            "image:x,",
            "image:x,create,",
            "image:x,cache=",
            "zstd+image:x,",
            "device:x,",
            "null:",
            "rmt:h:x,",
            "lz4+aes=k+",
        ] {
            for word in words(text) {
                // Two filters of one kind are none.
                let word = values(word);
                let parsed = word.parse::<Sink>();
                let is_twice = word.matches(['+']).count() > 1;
                assert!(
                    is_twice || parsed.is_ok(),
                    "{text} to {word}: {}",
                    parsed.unwrap_err()
                );
                count += 1;
            }
        }
        assert!(count > 40, "{count}");
    }

    #[test]
    fn every_option_that_is_understood_is_offered() {
        for (text, unknown) in [
            ("image:x,", "image:x,?"),
            ("device:x,", "device:x,?"),
            ("rmt:h:x,", "rmt:h:x,?"),
            ("null:", "null:?"),
        ] {
            let error = unknown.parse::<Sink>().unwrap_err().to_string();
            let offered = words(text).join(" ");
            let (_, known) = error.split_once("there are ").unwrap();
            let known = known.split(" (").next().unwrap_or_default();
            let known = known.split([' ', ',']);
            let known: Vec<_> = known.filter(|word| !matches!(*word, "" | "and")).collect();
            assert!(!known.is_empty(), "{error}");
            for name in known {
                assert!(offered.contains(name), "{name}: {offered}: {error}");
            }
        }
    }

    #[test]
    fn a_path_begins_where_it_begins() {
        for (text, at) in [
            ("", Some(0)),
            ("/da", Some(0)),
            ("image:/da", Some(6)),
            ("zstd+image:", Some(11)),
            ("zstd+/x", Some(5)),
            ("aes=ke", Some(4)),
            ("aes=key+device:", Some(15)),
            ("image:a\\,b", Some(6)),
            ("image:a,cre", None),
            ("rmt:h", None),
        ] {
            assert_eq!(Continued::of(text).path_at, at, "{text}");
        }
    }
}
