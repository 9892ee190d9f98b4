//! What the compiler and clippy do not hold: the size of files and functions, the width of lines, where threads and
//! clocks may be, that a dropped result says why, and that a word of the glossary names one type.

mod tree;

use std::collections::BTreeMap;

use tree::{root, texts};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 100;
const COLUMNS: usize = 120;

/// Files of product crates that are there for tests and fuzz targets.
const TEST_FILES: [&str; 5] = [
    "fuzz.rs",
    "recorder.rs",
    "pipe.rs",
    "samples.rs",
    "tests.rs",
];

/// Lines that are longer. This list only gets shorter.
const LONG: [(&str, usize); 7] = [
    ("crates/copy/tests/copies.rs", 1),
    ("crates/drive/tests/partition_files.rs", 1),
    ("crates/filter/src/vectors_test.rs", 1),
    ("crates/rmt/src/drive.rs", 1),
    ("crates/slave/src/mutation_test.rs", 3),
    ("pseudotape-dev/src/cli.rs", 1),
    ("tools/src/rmt/shelf.rs", 1),
];

/// Results that are dropped without a reason. This list only gets shorter.
const DROPPED: [(&str, usize); 2] = [
    ("crates/rmt/src/wire.rs", 1),
    ("crates/slave/src/listener.rs", 2),
];

/// Every Rust file of the repository.
fn rust_files() -> Vec<(String, String)> {
    let files: Vec<_> = texts("")
        .into_iter()
        .filter(|(name, _)| name.ends_with(".rs"))
        .collect();
    assert!(files.len() > 200, "the files were not found");
    files
}

/// The folder of the crate whose product code a file is, if it is any.
fn product_crate(name: &str) -> Option<&str> {
    let (folder, path) = name.split_once("/src/")?;
    let file = path.rsplit('/').next()?;
    let test = TEST_FILES.contains(&file) || file.ends_with("_test.rs");
    let kit = matches!(folder, "crates/testkit" | "tests");
    (!test && !kit && !folder.contains("/examples")).then_some(folder)
}

/// A file without the module of tests at its end.
fn without_tests(text: &str) -> &str {
    let mut from = 0;
    while let Some(found) = text[from..].find("#[cfg(test)]\nmod ") {
        let start = from + found;
        let line = text[start..].lines().nth(1).unwrap_or_default();
        if line.ends_with('{') {
            return &text[..start];
        }
        from = start + 1;
    }
    text
}

/// A line without its comment. A `//` within a text ends it too, which hides nothing that is looked for here.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn long_files(name: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > FILE_LINES {
        vec![format!("{name}: {lines} lines")]
    } else {
        Vec::new()
    }
}

/// Functions end with the brace that stands where they began: rustfmt sees to it.
fn long_functions(name: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut long = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let words: Vec<&str> = line.split_whitespace().take(6).collect();
        let Some(function) = words.iter().position(|word| *word == "fn") else {
            continue;
        };
        let qualifiers = [
            "pub",
            "pub(crate)",
            "pub(super)",
            "const",
            "unsafe",
            "extern",
        ];
        if !words[..function]
            .iter()
            .all(|word| qualifiers.contains(word))
        {
            continue;
        }
        // One without a body, in a trait.
        let opening = lines[at..]
            .iter()
            .find(|line| line.ends_with(['{', ';', '}']));
        if !opening.is_some_and(|line| line.ends_with('{')) {
            continue;
        }
        let depth = indentation(line);
        let length = lines[at..]
            .iter()
            .position(|line| indentation(line) == depth && line.trim() == "}")
            .unwrap_or_default();
        if length > FUNCTION_LINES {
            long.push(format!("{name}:{}: a function of {length} lines", at + 1));
        }
    }
    long
}

/// Texts and rows of tables may be as long as they are: both are searched for, and read, as one line.
fn long_lines(name: &str, text: &str) -> Vec<String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| line.chars().count() > COLUMNS)
        .filter(|(_, line)| !line.contains('"') && !line.contains("/ |") && !line.contains("! |"))
        .map(|(at, line)| format!("{name}:{}: {} columns", at + 1, line.chars().count()))
        .collect()
}

/// Statements that drop a result by `.ok();`, with no comment on their line or above them.
fn dropped_results(name: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let drops = |line: &str| {
        let line = line.trim();
        let kept = ["let ", "return ", "reply."];
        code(line).trim_end().ends_with(".ok();")
            && !kept.iter().any(|start| line.starts_with(start))
            && !line.contains(" = ")
    };
    let mut bare = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !drops(line) || line.contains("//") {
            continue;
        }
        // Back over the statement's own lines, and over statements that drop theirs for the same reason.
        let mut first = at;
        while first > 0
            && (indentation(lines[first]) > indentation(lines[first - 1])
                && !lines[first - 1].trim_end().ends_with('{')
                || matches!(lines[first].trim().chars().next(), Some('.' | ')' | '}'))
                || drops(lines[first - 1]))
        {
            first -= 1;
        }
        if first == 0 || !lines[first - 1].trim_start().starts_with("//") {
            bare.push(format!(
                "{name}:{}: a dropped result without a reason",
                at + 1
            ));
        }
    }
    bare
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Uses {
    threads: bool,
    clocks: bool,
}

fn uses(text: &str) -> Uses {
    let starts = ["thread::spawn(", "thread::scope(", "Builder::new()"];
    let clocks = ["Instant", "SystemTime", "sleep(", "yield_now("];
    let mut uses = Uses::default();
    for line in text.lines().map(code) {
        uses.threads |= starts.iter().any(|word| line.contains(word));
        uses.clocks |= clocks.iter().any(|word| line.contains(word));
    }
    uses
}

/// Crate → its cells for threads and clocks, of the table in docs/ARCHITECTURE.md.
fn documented_uses(document: &str) -> BTreeMap<String, Uses> {
    document
        .lines()
        .skip_while(|line| !line.starts_with("| product code of | threads |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let uses = Uses {
                threads: cells[2] != "–",
                clocks: cells[3] != "–",
            };
            (cells[1].trim_matches('`').to_owned(), uses)
        })
        .collect()
}

/// Words that once named types of several crates: each names one type.
const ONE_TYPE: [&str; 4] = ["Access", "Answer", "Frame", "Node"];

/// Where a type of this name is defined.
fn definitions(word: &str, name: &str, text: &str) -> Vec<String> {
    let defines = |line: &str| {
        let mut words = line
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !matches!(*word, "" | "pub" | "crate" | "super"));
        matches!(words.next(), Some("struct" | "enum" | "trait" | "type"))
            && words.next() == Some(word)
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.contains('"') && defines(code(line)))
        .map(|(at, _)| format!("{name}:{}", at + 1))
        .collect()
}

/// What stands as it is in a printed command: numbers, and names of legs, which have no blanks.
const AS_THEY_ARE: [&str; 3] = ["number", "leg", "name"];

/// Labels and paths in printed commands that are no word of a shell: those come from `shell_word`, and are called so.
fn unquoted_words(name: &str, text: &str) -> Vec<String> {
    let commands = text.split("'pseudotape").skip(1);
    let commands = commands.filter_map(|rest| rest.split(['\'', '"']).next());
    let mut found = Vec::new();
    for command in commands.filter(|command| command.starts_with([' ', '-'])) {
        let words = command.split('{').skip(1);
        for word in words.filter_map(|rest| rest.split('}').next()) {
            if !word.ends_with("word") && !AS_THEY_ARE.contains(&word) {
                found.push(format!("{name}: {{{word}}} in 'pseudotape{command}'"));
            }
        }
    }
    found
}

fn each_product_file(check: fn(&str, &str) -> Vec<String>) -> Vec<String> {
    rust_files()
        .iter()
        .filter(|(name, _)| product_crate(name).is_some())
        .flat_map(|(name, text)| check(name, without_tests(text)))
        .collect()
}

#[test]
fn files_are_short() {
    assert_eq!(each_product_file(long_files), [""; 0]);
}

#[test]
fn functions_are_short() {
    assert_eq!(each_product_file(long_functions), [""; 0]);
}

/// What files have beyond what a list lets them have.
fn beyond(known: &[(&str, usize)], found: Vec<(String, Vec<String>)>) -> Vec<String> {
    let allowed = |name: &str| {
        let entry = known.iter().find(|(file, _)| *file == name);
        entry.map_or(0, |(_, count)| *count)
    };
    found
        .into_iter()
        .filter(|(name, faults)| faults.len() > allowed(name))
        .flat_map(|(_, faults)| faults)
        .collect()
}

#[test]
fn lines_fit_on_a_screen() {
    let found = rust_files()
        .into_iter()
        .map(|(name, text)| (name.clone(), long_lines(&name, &text)))
        .collect();
    assert_eq!(beyond(&LONG, found), [""; 0]);
}

#[test]
fn a_dropped_result_says_why() {
    let found = rust_files()
        .into_iter()
        .filter(|(name, _)| product_crate(name).is_some())
        .map(|(name, text)| (name.clone(), dropped_results(&name, without_tests(&text))))
        .collect();
    assert_eq!(beyond(&DROPPED, found), [""; 0]);
}

/// A command in a message is pasted as it stands, also where a label has blanks.
#[test]
fn labels_and_paths_in_printed_commands_are_quoted() {
    let found = each_product_file(unquoted_words);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn threads_and_clocks_are_where_the_architecture_says() {
    let document =
        std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the document");
    let documented = documented_uses(&document);
    let mut actual: BTreeMap<String, Uses> = BTreeMap::new();
    for (name, text) in rust_files() {
        if let Some(folder) = product_crate(&name) {
            let found = uses(without_tests(&text));
            let all = actual.entry(folder.to_owned()).or_default();
            all.threads |= found.threads;
            all.clocks |= found.clocks;
        }
    }
    actual.retain(|_, uses| uses.threads || uses.clocks);
    assert_eq!(
        actual, documented,
        "product code (left), docs/ARCHITECTURE.md (right)"
    );
    for pure in ["tape", "mtio", "image", "drive", "st", "filter"] {
        assert!(
            !documented.contains_key(&format!("crates/{pure}")),
            "{pure}"
        );
    }
}

#[test]
fn one_word_names_one_type() {
    let files = rust_files();
    for word in ONE_TYPE {
        let places: Vec<String> = files
            .iter()
            .flat_map(|(name, text)| definitions(word, name, text))
            .collect();
        assert_eq!(places.len(), 1, "{word} is defined at {places:?}");
    }
}

#[test]
fn what_is_product_code_is_known_by_its_path() {
    assert_eq!(product_crate("crates/st/src/open.rs"), Some("crates/st"));
    assert_eq!(product_crate("tools/src/rmt/main.rs"), Some("tools"));
    for other in [
        "crates/st/tests/rules/main.rs",
        "crates/slave/src/format_test.rs",
        "crates/chardev/src/pieces/tests.rs",
        "crates/rmt/src/fuzz.rs",
        "tests/src/lib.rs",
        "crates/testkit/src/model.rs",
    ] {
        assert_eq!(product_crate(other), None, "{other}");
    }
    let text = "fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n#[cfg(test)]\nmod more {\n}\n";
    assert!(without_tests(text).ends_with("fn b() {}\n"));
}

#[test]
fn a_list_lets_no_file_have_more() {
    let found = |count| vec![("a".to_owned(), vec!["fault".to_owned(); count])];
    assert_eq!(beyond(&[("a", 2)], found(2)), [""; 0]);
    assert_eq!(beyond(&[("a", 2)], found(3)).len(), 3);
    assert_eq!(beyond(&[("b", 2)], found(1)).len(), 1);
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(long_files("a", &"x\n".repeat(600)), [""; 0]);
    assert_eq!(long_files("a", &"x\n".repeat(601)), ["a: 601 lines"]);
}

#[test]
fn a_long_function_is_found() {
    let function = |lines| {
        format!(
            "impl A {{\n    pub(crate) const fn a() {{\n{}    }}\n}}\n",
            "        x;\n".repeat(lines)
        )
    };
    assert_eq!(long_functions("a", &function(99)), [""; 0]);
    assert_eq!(
        long_functions("a", &function(100)),
        ["a:2: a function of 101 lines"]
    );
}

#[test]
fn a_long_line_is_found() {
    let long = "x".repeat(121);
    assert_eq!(
        long_lines("a", &format!("{}\n// {long}\n", "x".repeat(120))),
        ["a:2: 124 columns"]
    );
    assert_eq!(
        long_lines("a", &format!("\"{long}\"\n/// | {long} |\n")),
        [""; 0]
    );
}

#[test]
fn a_dropped_result_is_found() {
    let good = "// nobody is left\na.ok();\nb(\n    1,\n)\n.ok();\nc.ok(); // why\nlet d = e.ok();\nreply.ok();\n";
    assert_eq!(dropped_results("a", good), [""; 0]);
    let bad = "if a {\n    b.ok();\n}\nc\n    .d()\n    .ok();\n";
    assert_eq!(
        dropped_results("a", bad),
        [
            "a:2: a dropped result without a reason",
            "a:6: a dropped result without a reason"
        ]
    );
}

#[test]
fn a_label_that_is_not_quoted_is_found() {
    for (text, count) in [
        (
            "\"say 'pseudotape vault clone {label} --to LABEL', {label}\"",
            1,
        ),
        (
            "\"'pseudotape-mirror load {leg}=SINK', 'pseudotape vault add {word}'\"",
            0,
        ),
        ("\"'pseudotape vault pool \\\n    {} full {number}'\"", 1),
    ] {
        assert_eq!(unquoted_words("f", text).len(), count, "{text}");
    }
}

#[test]
fn a_definition_of_a_type_is_found() {
    let text =
        "pub(crate) struct Node {\nenum Nodes {}\n// type Node\ntype Node<T> = T;\nuse Node;\n";
    assert_eq!(definitions("Node", "a", text), ["a:1", "a:4"]);
}

#[test]
fn threads_and_clocks_are_found() {
    let of = |threads, clocks| Uses { threads, clocks };
    assert_eq!(
        uses("// Instant\nuse std::thread::JoinHandle;\n"),
        of(false, false)
    );
    assert_eq!(uses("thread::spawn(|| ())"), of(true, false));
    assert_eq!(uses("Builder::new().name(name)"), of(true, false));
    assert_eq!(uses("thread::sleep(second)"), of(false, true));
    assert_eq!(uses("fn f(at: Instant)"), of(false, true));
    let table = "| product code of | threads | clocks |\n|---|---|---|\n| `a` | one | – |\n";
    assert_eq!(
        documented_uses(table),
        BTreeMap::from([("a".to_owned(), of(true, false))])
    );
}
