//! Access control lists: as Linux keeps them in an extended attribute, and as archives have them in words.

use std::fmt::Write;

/// Version of the attribute's bytes.
const VERSION: u32 = 2;
/// The identity of an entry that names nobody.
const NOBODY: u32 = u32::MAX;

const TAGS: [(u16, &str); 6] = [
    (0x01, "user"),
    (0x02, "user"),
    (0x04, "group"),
    (0x08, "group"),
    (0x10, "mask"),
    (0x20, "other"),
];
/// Tags that name somebody.
const NAMED: [u16; 2] = [0x02, 0x08];

/// The words for the bytes of an attribute, with numbers for names; `None` where they are none.
pub(crate) fn to_text(bytes: &[u8]) -> Option<String> {
    let (version, entries) = bytes.split_first_chunk()?;
    if u32::from_le_bytes(*version) != VERSION || entries.len() % 8 != 0 {
        return None;
    }
    let mut text = String::new();
    for entry in entries.chunks_exact(8) {
        let tag = u16::from_le_bytes(*entry.first_chunk()?);
        let permissions = u16::from_le_bytes(*entry.get(2..)?.first_chunk()?);
        let id = u32::from_le_bytes(*entry.get(4..)?.first_chunk()?);
        let (_, word) = TAGS.iter().find(|(known, _)| *known == tag)?;
        let name = match NAMED.contains(&tag) {
            true => id.to_string(),
            false => String::new(),
        };
        let letter = |bit: u16, letter| if permissions & bit == 0 { '-' } else { letter };
        let (read, write, execute) = (letter(4, 'r'), letter(2, 'w'), letter(1, 'x'));
        if !text.is_empty() {
            text.push('\n');
        }
        write!(text, "{word}:{name}:{read}{write}{execute}").ok()?;
    }
    Some(text)
}

/// The bytes for words, as `setfacl` takes them: entries at commas or line ends, with comments. Names are asked for.
pub(crate) fn to_bytes(text: &str, id_of: impl Fn(&str, &str) -> Option<u32>) -> Option<Vec<u8>> {
    let mut entries = Vec::new();
    let lines = text.split(['\n', ',']);
    let words = lines.map(|line| line.split('#').next().unwrap_or_default().trim());
    for entry in words.filter(|entry| !entry.is_empty()) {
        let mut parts = entry.split(':').map(str::trim);
        let (word, name, letters) = (parts.next()?, parts.next()?, parts.next()?);
        let word = match word {
            "u" => "user",
            "g" => "group",
            "m" => "mask",
            "o" => "other",
            word => word,
        };
        let named = !name.is_empty();
        let tag = TAGS
            .iter()
            .find(|(tag, known)| *known == word && NAMED.contains(tag) == named);
        let id = match named {
            true => name.parse().ok().or_else(|| id_of(word, name))?,
            false => NOBODY,
        };
        let mut permissions = 0;
        for letter in letters.chars() {
            permissions |= match letter {
                'r' => 4,
                'w' => 2,
                'x' => 1,
                '-' => 0,
                _ => return None,
            };
        }
        entries.push((tag?.0, id, permissions));
    }
    entries.sort_unstable();
    let mut bytes = VERSION.to_le_bytes().to_vec();
    for (tag, id, permissions) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(u16::to_le_bytes(permissions));
        bytes.extend(id.to_le_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_in_words_is_that_in_bytes() {
        let words = "user::rw-\nuser:1000:r--\ngroup::r-x\ngroup:7:-w-\nmask::rwx\nother::---";
        let bytes = to_bytes(words, |_, _| None).expect("a list");
        assert_eq!(bytes.len(), 4 + 6 * 8);
        assert_eq!(to_text(&bytes).as_deref(), Some(words));
        let short = "u::rw-,u:ada:r--,g::r-x,g:7:-w-,m::rwx,o::---#effective";
        assert_eq!(
            to_bytes(short, |_, name| (name == "ada").then_some(1000)),
            Some(bytes)
        );
        for bad in [
            "x",
            "user",
            "user::rwz",
            "user:who:r--",
            "else::r--",
            "mask:5:r--",
        ] {
            assert_eq!(to_bytes(bad, |_, _| None), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_list_or_none(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(text) = to_text(&bytes) {
                prop_assert!(text.is_ascii());
            }
        }
    }
}
