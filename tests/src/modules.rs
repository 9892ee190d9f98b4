//! The modules of a crate and what they import from each other, as text formatted by rustfmt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::source::rust_files;

/// The path of a module below its crate: `leg::fault`; empty for the crate itself.
type Name = Vec<String>;

/// A `use` of a file: the path, its last part as it is called here, and whether others may use it from here.
#[derive(Debug, PartialEq, Eq)]
struct Import {
    path: Name,
    called: String,
    is_reexport: bool,
}

/// The product modules of one crate.
#[derive(Debug, Default)]
pub struct Modules {
    imports: BTreeMap<Name, Vec<Import>>,
}

impl Modules {
    /// Those below a folder `src`. Modules of tests, fuzz entries and their samples are left out.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let mut modules = Modules::default();
        for file in rust_files(folder) {
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            let below = file
                .strip_prefix(folder)
                .unwrap_or(&file)
                .with_extension("");
            modules.add(&below.to_string_lossy(), &text);
        }
        modules
    }

    /// Adds the file `a/b` of the module `a::b`.
    fn add(&mut self, file: &str, text: &str) {
        let mut name: Name = file.split('/').map(str::to_owned).collect();
        let last = name.last().map_or("", String::as_str);
        if last.ends_with("_test") || matches!(last, "tests" | "fuzz" | "samples") {
            return;
        }
        if last == "mod" || (name.len() == 1 && matches!(last, "lib" | "main")) {
            name.pop();
        }
        self.imports.entry(name).or_default().extend(imports(text));
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.imports.len()
    }

    /// Modules that import each other in a circle, in the order of their imports; empty where there are none.
    ///
    /// What a module only hands on (`pub use`) is no import of its own: who uses it imports from where it comes.
    #[must_use]
    pub fn circle(&self) -> Vec<String> {
        let mut done = BTreeSet::new();
        for name in self.imports.keys() {
            let circle = self.follow(name, &mut Vec::new(), &mut done);
            if !circle.is_empty() {
                return circle;
            }
        }
        Vec::new()
    }

    fn follow(&self, name: &Name, way: &mut Vec<Name>, done: &mut BTreeSet<Name>) -> Vec<String> {
        if let Some(first) = way.iter().position(|before| before == name) {
            return way[first..].iter().map(shown).collect();
        }
        if done.contains(name) {
            return Vec::new();
        }
        way.push(name.clone());
        for import in self.imports[name].iter().filter(|one| !one.is_reexport) {
            let Some(from) = self
                .origin(name, &import.path, 0)
                .filter(|from| from != name)
            else {
                continue;
            };
            let circle = self.follow(&from, way, done);
            if !circle.is_empty() {
                return circle;
            }
        }
        way.pop();
        done.insert(name.clone());
        Vec::new()
    }

    /// The module of this crate that defines what a path means in the module `here`.
    fn origin(&self, here: &Name, path: &[String], depth: u8) -> Option<Name> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Name::new(), &path[1..]),
            "self" => (here.clone(), &path[1..]),
            "super" => {
                let parents = path.iter().take_while(|part| *part == "super").count();
                let left = here.len().checked_sub(parents)?;
                (here[..left].to_vec(), &path[parents..])
            }
            // Another crate, unless it is a child of this module.
            _ => (here.clone(), path),
        };
        let is_own = rest.len() < path.len();
        let start = at.len();
        while let Some((part, more)) = rest.split_first() {
            let child: Name = at.iter().chain([part]).cloned().collect();
            if !self.imports.contains_key(&child) {
                break;
            }
            (at, rest) = (child, more);
        }
        if !is_own && at.len() == start {
            return None;
        }
        let handed_on = rest.first().and_then(|part| {
            let all = self.imports.get(&at)?;
            all.iter()
                .find(|one| one.is_reexport && one.called == *part)
        });
        match handed_on {
            Some(import) if depth < 8 => self.origin(&at, &import.path, depth + 1).or(Some(at)),
            _ => Some(at),
        }
    }
}

fn shown(name: &Name) -> String {
    if name.is_empty() {
        "the crate itself".to_owned()
    } else {
        name.join("::")
    }
}

/// What the product code of a file imports, by `use` or by a path from `crate`.
fn imports(text: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let mut statement: Option<String> = None;
    let mut previous = "";
    for line in text.lines() {
        if previous == "#[cfg(test)]" && line.starts_with("mod ") && line.ends_with('{') {
            break;
        }
        let code = line.split("//").next().unwrap_or_default().trim_end();
        let begins = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "];
        let is_test = previous == "#[cfg(test)]";
        previous = code;
        if let Some(begun) = &mut statement {
            begun.push_str(code.trim());
        } else if begins.iter().any(|start| code.starts_with(start)) && !is_test {
            statement = Some(code.to_owned());
        } else {
            found.extend(paths_of(code));
        }
        if let Some(whole) = statement.take_if(|begun| begun.ends_with(';')) {
            let is_reexport = whole.starts_with("pub");
            let tree = whole.split_once("use ").map_or("", |(_, tree)| tree);
            expand(&[], tree.trim_end_matches(';'), is_reexport, &mut found);
        }
    }
    found
}

/// Paths from `crate` that stand in a line of code.
fn paths_of(code: &str) -> Vec<Import> {
    let rest_of_path = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    code.match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with('$'))
        .map(|(at, _)| {
            let path = code[at..].split(rest_of_path).next().unwrap_or_default();
            import(&parts(path), false)
        })
        .collect()
}

fn parts(path: &str) -> Name {
    path.split("::")
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn import(path: &[String], is_reexport: bool) -> Import {
    let called = path.last().cloned().unwrap_or_default();
    Import {
        path: path.to_vec(),
        called,
        is_reexport,
    }
}

/// The paths of `a::{b, c::{d, e as f}}`.
fn expand(before: &[String], tree: &str, is_reexport: bool, found: &mut Vec<Import>) {
    let tree = tree.trim().trim_end_matches(',');
    if let Some((head, inner)) = tree.strip_suffix('}').and_then(|tree| tree.split_once('{')) {
        let before = [before, &parts(head)].concat();
        let mut depth = 0;
        let split = inner.split(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        });
        for one in split.filter(|one| !one.trim().is_empty()) {
            expand(&before, one, is_reexport, found);
        }
        return;
    }
    let (path, called) = tree.split_once(" as ").unwrap_or((tree, ""));
    let mut one = import(&[before, &parts(path)].concat(), is_reexport);
    if one.called == "self" {
        one.path.pop();
        one.called = one.path.last().cloned().unwrap_or_default();
    }
    if !called.is_empty() {
        called.trim().clone_into(&mut one.called);
    }
    found.push(one);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(files: &[(&str, &str)]) -> Vec<String> {
        let mut modules = Modules::default();
        for (file, text) in files {
            modules.add(file, text);
        }
        modules.circle()
    }

    #[test]
    fn a_tree_of_imports_is_taken_apart() {
        let found = imports(
            "use crate::{\n    a::{self, B as C},\n    d::E,\n};\nlet x = crate::f::g(1);\n",
        );
        let paths: Vec<_> = found
            .iter()
            .map(|one| (one.path.join("::"), one.called.as_str()))
            .collect();
        let expected = [
            ("crate::a", "a"),
            ("crate::a::B", "C"),
            ("crate::d::E", "E"),
            ("crate::f::g", "g"),
        ];
        assert_eq!(
            paths,
            expected.map(|(path, called)| (path.to_owned(), called))
        );
    }

    #[test]
    fn two_modules_that_use_each_other_are_a_circle() {
        let files = [
            ("lib", "mod a;\nmod b;\npub use a::A;\n"),
            ("a", "use crate::b::B;\n"),
            ("b", "use super::a::{self, A};\n"),
        ];
        assert_eq!(circle(&files), ["a", "b"]);
        let files = [files[0], files[1], ("b", "use std::fmt;\n")];
        assert_eq!(circle(&files), [""; 0]);
    }

    #[test]
    fn a_circle_does_not_hide_behind_a_door() {
        let files = [
            ("lib", "mod a;\nmod b;\n"),
            ("a/mod", "mod inner;\npub use inner::Inner;\n"),
            ("a/inner", "use crate::b::B;\n"),
            ("b", "use crate::a::Inner;\n"),
        ];
        assert_eq!(circle(&files), ["a::inner", "b"]);
    }

    #[test]
    fn a_child_that_needs_its_parent_is_a_circle_only_where_the_parent_needs_the_child() {
        let parent = ("a/mod", "mod inner;\npub(crate) use inner::Inner;\n");
        let child = ("a/inner", "use super::Outer;\n");
        assert_eq!(circle(&[parent, child]), [""; 0]);
        let parent = ("a/mod", "mod inner;\nuse inner::Inner;\n");
        assert_eq!(circle(&[parent, child]), ["a", "a::inner"]);
    }

    #[test]
    fn tests_may_import_what_they_test() {
        let files = [
            ("a", "use crate::b::B;\n"),
            ("b", "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"),
            ("b/tests", "use crate::a::A;\n"),
        ];
        assert_eq!(circle(&files), [""; 0]);
    }
}
