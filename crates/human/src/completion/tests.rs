use clap::{Arg, ArgAction};

use super::*;

fn command() -> Command {
    let wind = Command::new("wind")
        .about("Winds.")
        .arg(Arg::new("drive").value_name("DRIVE"))
        .arg(
            Arg::new("file")
                .action(ArgAction::Append)
                .value_name("WORD"),
        )
        .arg(Arg::new("by").long("by").short('b').value_name("WHO"))
        .arg(Arg::new("also").long("also").action(ArgAction::Append))
        .arg(Arg::new("fast").long("fast").action(ArgAction::SetTrue))
        .arg(
            Arg::new("no")
                .long("no")
                .hide(true)
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("kind")
                .long("kind")
                .value_parser(["long", "short"]),
        );
    Command::new("tape")
        .subcommand(wind)
        .subcommand(Command::new("cut").hide(true))
}

fn values(place: &Place<'_>) -> Option<Vec<Candidate>> {
    match place.value_name() {
        "DRIVE" => Some(vec![Candidate::new("0", ""), Candidate::new("10", "")]),
        "WORD" => Some(vec![Candidate::new(
            "of",
            place.said("drive").unwrap_or_default(),
        )]),
        "WHO" => Some(vec![Candidate::new("a=b:c", "")]),
        _ => None,
    }
}

fn offered(words: &[&str]) -> Vec<String> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let found = candidates(command(), &words, &values);
    found.into_iter().map(|candidate| candidate.word).collect()
}

#[test]
fn each_word_is_what_can_stand_there() {
    for (words, expected) in [
        (&["w"] as &[&str], &["wind"] as &[&str]),
        (&["c"], &[]),
        (&["help", "w"], &["wind"]),
        (&["wind", ""], &["0", "10"]),
        (&["wind", "1"], &["10"]),
        (&["wind", "0", ""], &["of"]),
        (&["wind", "0", "x", "y", ""], &["of"]),
        (&["wind", "--b"], &["--by"]),
        (&["wind", "--by", ""], &["a=b:c"]),
        (&["wind", "-b", ""], &["a=b:c"]),
        (&["wind", "--by=a"], &["--by=a=b:c"]),
        (&["wind", "--by", "x", ""], &["0", "10"]),
        (&["wind", "--by=x", "--b"], &[]),
        (&["wind", "--fast", "--f"], &[]),
        (&["wind", "--also", "1", "--al"], &["--also"]),
        (&["wind", "--n"], &[]),
        (&["wind", "--kind", "s"], &["short"]),
        (&["wind", "--", "--"], &[]),
        (&["fly", "--frob", "--frob=", "x"], &[]),
    ] {
        assert_eq!(offered(words), expected, "{words:?}");
    }
    // What is a value is asked with what was said before it.
    let words = ["wind", "7", ""].map(str::to_owned);
    assert_eq!(candidates(command(), &words, &values)[0].about, "7");
}

#[test]
fn files_are_offered_where_they_begin() {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("one")).unwrap();
    for name in ["one.ptape", "two", ".hidden"] {
        std::fs::write(place.path().join(name), "").unwrap();
    }
    let folder = format!("{}/", place.path().display());
    let found = |head: &str, begun: &str, only_folders| {
        let found = paths(head, &format!("{folder}{begun}"), only_folders);
        let words = found.into_iter().map(|candidate| candidate.word);
        words
            .map(|word| word.replace(&folder, ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("image:", "o", false),
        ["image:one.ptape", "image:one/"]
    );
    assert_eq!(found("", "", true), ["one/"]);
    assert_eq!(found("", ".h", false), [".hidden"]);
    assert!(paths("", "/nowhere/at/all", false).is_empty());
}

#[test]
fn bash_gets_words_as_they_stand_on_its_line() {
    for word in ["a b", "it's", "x\\,y", "a$b&c;d", "plain=1:2,3"] {
        assert_eq!(unquoted(Shell::Bash, &quoted(word)), word);
    }
    assert_eq!(quoted("plain=1:2,3"), "plain=1:2,3");
    assert_eq!(unquoted(Shell::Bash, "'a b\"c'\"d'\\\"\""), "a b\"cd'\"");
    assert_eq!(unquoted(Shell::Fish, "a\\b"), "a\\b");
}

#[test]
fn a_script_asks_its_program() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = completion_script(shell, "tape-dev");
        assert!(script.contains(COMPLETE_VARIABLE), "{script}");
        assert!(script.contains("tape-dev"), "{script}");
        for left in ["NAME", "FUNCTION", "VARIABLE"] {
            assert!(!script.contains(left), "{left}: {script}");
        }
    }
}

#[test]
fn bash_gets_a_word_behind_an_open_quote_as_it_is() {
    let word = || vec![Candidate::new(r"legs=a=x\,create;b=y", "")];
    let quoted = answer(Shell::Bash, false, word());
    assert_eq!(quoted, "legs=a=x\\\\,create\\;b=y\n");
    assert_eq!(answer(Shell::Bash, true, word()), "legs=a=x\\,create;b=y\n");
}
