//! The folders of a structured volume: its capsules lie in folders that follow their titles.

use std::collections::{BTreeSet, HashMap};

use crate::capsule::capsule_number;
use crate::names::{LOST_AND_FOUND, TEMPORARY, is_of_farm};
use crate::title::Title;

/// The longest name that file systems take.
const NAME_BYTES: usize = 255;
/// So much of a longer one is kept.
const KEPT_BYTES: usize = 200;

/// Where each capsule lies.
#[derive(Debug, Default)]
pub(crate) struct Structure {
    /// The folder of each capsule, by its name.
    folders: HashMap<String, String>,
    /// Folders in which names changed since they were on stable storage.
    pub(crate) touched: BTreeSet<String>,
}

impl Structure {
    /// Says where a capsule lies.
    pub(crate) fn put(&mut self, capsule: &str, folder: String) {
        self.folders.insert(made(capsule).to_owned(), folder);
    }

    /// Where a file lies: nothing for what lies beside the directory.
    pub(crate) fn folder(&self, name: &str) -> String {
        match name.rsplit_once('/') {
            Some((".", _)) => String::new(),
            Some((folder, _)) => folder.to_owned(),
            None => self.folders.get(made(name)).cloned().unwrap_or_default(),
        }
    }

    /// Notes a file that was found in a folder, and says what it is called: a capsule by its name alone, where it lies
    /// where it should. Beside the directory, `./` stands before the name of a capsule that should lie elsewhere.
    pub(crate) fn met(&mut self, folder: &str, name: &str) -> String {
        let is_capsule = capsule_number(made(name)).is_some();
        if is_capsule {
            let known = self.folders.entry(made(name).to_owned());
            if known.or_insert_with(|| folder.to_owned()) == folder {
                return name.to_owned();
            }
        }
        match folder.is_empty() {
            true if is_capsule => format!("./{name}"),
            true => name.to_owned(),
            false => format!("{folder}/{name}"),
        }
    }
}

/// The name of a file without its folder.
pub(crate) fn last_of(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

/// The name that a file gets, of one that is being made.
fn made(name: &str) -> &str {
    name.strip_suffix(TEMPORARY).unwrap_or(name)
}

/// The folder of a capsule: that of its title, component by component. A name that a file system can't have, or that
/// would be taken for one of the farm's own, is written otherwise; two titles never come to one folder by that.
pub(crate) fn folder_of(title: &Title) -> String {
    let mut components: Vec<&[u8]> = title.bytes().split(|byte| *byte == b'/').collect();
    components.pop();
    let folders: Vec<String> = components.into_iter().map(folder).collect();
    folders.join("/")
}

fn folder(component: &[u8]) -> String {
    let mut text = String::new();
    for part in component.utf8_chunks() {
        for c in part.valid().chars() {
            match c {
                '%' => text.push_str("%25"),
                c if c.is_control() => {
                    let mut bytes = [0; 4];
                    let bytes = c.encode_utf8(&mut bytes).bytes();
                    bytes.for_each(|byte| text.push_str(&format!("%{byte:02X}")));
                }
                c => text.push(c),
            }
        }
        let others = part.invalid().iter();
        others.for_each(|byte| text.push_str(&format!("%{byte:02X}")));
    }
    if is_of_farm(&text) || text.starts_with('.') || text == LOST_AND_FOUND {
        let first = text.remove(0);
        text = format!("%{:02X}{text}", u32::from(first));
    }
    if text.len() > NAME_BYTES {
        let mut end = KEPT_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        let digest = blake3::hash(component).to_hex();
        text = format!("{text}%~{}", digest.get(..32).unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(title: &[u8]) -> String {
        folder_of(&Title::new(title).expect("a title"))
    }

    /// CW-53: the folder follows the title, whatever is in that.
    #[test]
    fn the_folder_of_a_capsule_is_that_of_its_title() {
        for (title, folder) in [
            (&b"A"[..], ""),
            (b"U/A", "U"),
            (b"U/A/B", "U/A"),
            ("Größe/x".as_bytes(), "Größe"),
            (b"a\nb/x", "a%0Ab"),
            (b"\xff/x", "%FF"),
            (b"%FF/x", "%25FF"),
            (b"FILE000.dir/x", "%46ILE000.dir"),
            (b"FILE0000001.ptape/x", "%46ILE0000001.ptape"),
            (b"FILE0000001.ptape.tmp/x", "%46ILE0000001.ptape.tmp"),
            (b".hidden/x", "%2Ehidden"),
            (b"lost+found/x", "%6Cost+found"),
        ] {
            assert_eq!(of(title), folder);
        }
        let long = |last: char| format!("{}{last}/x", "ö".repeat(150));
        let (one, other) = (of(long('1').as_bytes()), of(long('2').as_bytes()));
        assert!(one.len() <= NAME_BYTES && other.len() <= NAME_BYTES);
        assert_ne!(one, other);
    }
}
