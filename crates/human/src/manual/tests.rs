use clap::{Arg, ArgAction, ArgGroup, Command};

use super::*;

const DOCUMENT: &str = "\
# Of the pages

## tape wind

Slowly:

```sh
tape wind 3 --by hand
```

## tape cut

Well done.

### EXIT STATUS

| code | what |
|---|---|
| `7` | It was cut. |

### SEE ALSO

scissors(1)

## FILES

| `/etc/tape` | | Of all. |
| `/run/tape` | `--by` | Where there is a hand. |
| `/run/knife` | `tape cut` | A knife. |
";

const MANUAL: Manual<'_> = Manual {
    document: DOCUMENT,
    exit_codes: "Exit codes: 0 all is well; 1 it tore; \n2 wrong; usage; 3 'tape cut' was ended.",
    see_also: &["mt(1)"],
};

fn command() -> Command {
    let wind = Command::new("wind")
        .about("Winds the 'tape'.\n\nFar away.")
        .after_help("Slowly.\n\nExample: none")
        .arg(
            Arg::new("turns")
                .required(true)
                .value_name("TURNS")
                .help("How often."),
        )
        .arg(
            Arg::new("by")
                .long("by")
                .value_name("WHO")
                .help("Who does it."),
        )
        .arg(
            Arg::new("also")
                .long("also")
                .action(ArgAction::Append)
                .value_name("WHAT"),
        )
        .arg(Arg::new("left").long("left").action(ArgAction::SetTrue))
        .arg(Arg::new("right").long("right").action(ArgAction::SetTrue))
        .group(
            ArgGroup::new("where")
                .required(true)
                .args(["left", "right"]),
        );
    let cut = Command::new("cut").about("Cuts.").arg(
        Arg::new("kind")
            .long("kind")
            .value_parser(["long", "short"])
            .default_value("long")
            .help("Which one."),
    );
    Command::new("tape")
        .about("A tape.")
        .subcommands([wind, cut])
}

fn page(name: &str) -> String {
    let pages = pages_of(command(), &MANUAL);
    let page = pages.into_iter().find(|page| page.file == name);
    page.expect(name).text
}

#[test]
fn each_command_has_a_page() {
    let pages = pages_of(command(), &MANUAL);
    let names: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
    assert_eq!(names, ["tape.1", "tape-wind.1", "tape-cut.1"]);
}

#[test]
fn a_page_says_what_can_stand_where() {
    let page = page("tape-wind.1");
    let expected = ".SH SYNOPSIS\n\\fBtape wind\\fR\\&\n[\\fB\\-\\-by\\fR\\ \\fIWHO\\fR]\\&\n\
                    [\\fB\\-\\-also\\fR\\ \\fIWHAT\\fR]...\\&\n\\fITURNS\\fR\\&\n\
                    {\\fB\\-\\-left\\fR\\ |\\ \\fB\\-\\-right\\fR}\n.SH DESCRIPTION\n";
    assert!(page.contains(expected), "{page}");
}

#[test]
fn a_page_has_its_sections_in_the_usual_order() {
    let page = page("tape-wind.1");
    let titles: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".SH "))
        .collect();
    let usual = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "EXAMPLES",
        "FILES",
        "EXIT STATUS",
        "SEE ALSO",
    ];
    assert_eq!(titles, usual);
    assert!(page.contains("Slowly."), "{page}");
    assert!(!page.contains("Example: none"), "{page}");
    assert!(page.contains("tape wind 3 \\-\\-by hand"), "{page}");
    assert!(
        page.ends_with("\\fBtape\\fR(1),\n\\fBmt\\fR(1)\n"),
        "{page}"
    );
}

#[test]
fn a_page_has_the_files_and_codes_of_its_command_alone() {
    let (wind, cut, all) = (page("tape-wind.1"), page("tape-cut.1"), page("tape.1"));
    for (name, pages) in [
        ("/etc/tape", [true, true, true]),
        ("/run/tape", [true, false, false]),
        ("/run/knife", [false, true, false]),
        ("It tore.", [true, false, true]),
        ("It was cut.", [false, true, false]),
        ("scissors", [false, true, false]),
        ("Wrong; usage.", [true, false, true]),
    ] {
        assert_eq!(
            [&wind, &cut, &all].map(|page| page.contains(name)),
            pages,
            "{name}"
        );
    }
}

#[test]
fn a_value_is_described() {
    let page = page("tape-cut.1");
    let words = "Which one: \\fBlong\\fR; \\fBshort\\fR [default: long].";
    assert!(page.contains(words), "{page}");
}

#[test]
fn a_file_has_a_page_with_its_keys() {
    let text = "# tape.toml: what a tape is\n\nRead once.\n\n## KEYS\n\n| key | default | what |\n|---|---|---|\n| `long` | `7` | How long. |\n";
    let page = file_page(text, &["tape(1)"]);
    assert_eq!(page.file, "tape.toml.5");
    for part in [
        ".TH TAPE.TOML 5 ",
        "tape.toml \\- what a tape is\n",
        ".SH KEYS\n.TP\n\\fBlong\\fR\nHow long. Default: \\fB7\\fR.\n",
        ".SH SEE ALSO\n\\fBtape\\fR(1)\n",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
}

#[test]
fn a_page_that_cannot_be_written_is_named() {
    let place = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(place.path().join("tape.1")).expect("a directory");
    let pages = pages_of(command(), &MANUAL);
    let error = write_pages(place.path(), &pages).expect_err("no page");
    assert!(error.to_string().contains("tape.1"), "{error}");
    let error = write_pages(Path::new("/dev/null/man"), &[]).expect_err("no directory");
    assert!(error.to_string().contains("/dev/null/man"), "{error}");
}
