//! Our own source as text: what tests of the house look at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The methods of a trait.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Methods {
    /// Those that an implementation has to write.
    pub required: BTreeSet<String>,
    /// Those that the trait gives.
    pub given: BTreeSet<String>,
}

/// All Rust files of the workspace, those of cargo's output left out.
#[must_use]
pub fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str());
            match name {
                Some("target") => {}
                Some(name) if name.starts_with('.') => {}
                _ if path.is_dir() => folders.push(path),
                Some(name) if name.ends_with(".rs") => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// The methods of `pub trait NAME` in a file formatted by rustfmt.
#[must_use]
pub fn trait_methods(text: &str, name: &str) -> Methods {
    let mut methods = Methods::default();
    let head = format!("pub trait {name}");
    let body = text
        .lines()
        .skip_while(|line| !line.starts_with(&head))
        .take_while(|line| *line != "}");
    let mut current: Option<String> = None;
    for line in body {
        if let Some(method) = method_name(line) {
            current = Some(method.to_owned());
        }
        // A signature ends in `;` where the implementation has to write it, in `{` where the trait does.
        if line.ends_with(';')
            && let Some(method) = current.take()
        {
            methods.required.insert(method);
        } else if line.ends_with('{')
            && let Some(method) = current.take()
        {
            methods.given.insert(method);
        }
    }
    methods
}

/// What each `impl NAME for TYPE` of a file formatted by rustfmt writes, methods made by macros included
/// (`name(argument: Type, …) -> Result;` in a macro's call).
#[must_use]
pub fn impl_methods(text: &str, name: &str) -> Vec<(String, BTreeSet<String>)> {
    let marker = format!("{name} for ");
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let is_impl = line.starts_with("impl") && line.ends_with('{');
        let Some(at) = line.find(&marker).filter(|_| is_impl) else {
            continue;
        };
        let before = line.as_bytes().get(at.wrapping_sub(1));
        if !matches!(before, Some(b' ' | b':')) {
            continue;
        }
        let methods = lines
            .by_ref()
            .take_while(|line| *line != "}")
            .filter_map(|line| method_name(line).or_else(|| declared_name(line)))
            .map(str::to_owned)
            .collect();
        found.push((line.trim_end_matches(" {").to_owned(), methods));
    }
    found
}

fn method_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("    fn ")?;
    rest.split(['(', '<']).next()
}

fn declared_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("        ")?;
    let is_declaration = rest.ends_with(';') && rest.contains(") -> ");
    let (name, _) = rest.split_once('(')?;
    let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    (is_declaration && is_name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn methods_of_a_trait_are_told_apart_by_their_ends() {
        let text = "pub trait Seam: Send {\n    fn one(&self);\n    fn two(\n        &self,\n    ) -> u8;\n    \
                    fn three(&self) -> u8 {\n        0\n    }\n}\nfn four();\n";
        let methods = trait_methods(text, "Seam");
        assert_eq!(methods.required, set(&["one", "two"]));
        assert_eq!(methods.given, set(&["three"]));
    }

    #[test]
    fn a_method_that_an_adaptor_forgot_is_missing() {
        let text = "impl<D: Seam> Seam for Below<D> {\n    fn one(&self) {}\n}\n\
                    impl OtherSeam for Below {\n    fn six(&self) {}\n}\n";
        let found = impl_methods(text, "Seam");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, set(&["one"]));
    }
}
