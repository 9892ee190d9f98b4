//! What a command prints, on a terminal or into a pipe.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

pub use comfy_table::CellAlignment as Alignment;

/// What a command found or did.
pub trait Report: Serialize {
    /// The number of its form in JSON. It goes up when a field goes away or means something else; not when one comes.
    const SCHEMA: u32 = 1;

    /// The report for people, ending in a line break (or empty).
    fn text(&self, screen: &Screen) -> String;
}

/// A report as a document of its own.
#[derive(Serialize)]
struct Document<'a, R> {
    schema: u32,
    #[serde(flatten)]
    report: &'a R,
}

impl<'a, R: Report> Document<'a, R> {
    fn of(report: &'a R) -> Self {
        let schema = R::SCHEMA;
        Document { schema, report }
    }
}

/// A report as JSON in one line.
pub fn json_line<R: Report>(report: &R) -> io::Result<String> {
    Ok(serde_json::to_string(&Document::of(report))? + "\n")
}

/// A report in JSON as it is shown, on lines of its own for each field.
pub fn json_text<R: Report>(report: &R) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(&Document::of(report))? + "\n")
}

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// What names the lines below it.
    Heading,
    /// As it should be.
    Good,
    /// Lost, damaged, or refused.
    Bad,
    /// Worth a look.
    Notice,
}

/// How to print: for people or as JSON, on a terminal or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    json: bool,
    terminal: bool,
    /// A terminal that knows colours and the movements of a cursor.
    capable: bool,
    colour: bool,
}

impl Screen {
    /// Looks at standard output, `NO_COLOR` and `TERM`; prints for people.
    #[must_use]
    pub fn from_environment() -> Self {
        let terminal = io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let capable = terminal && !dumb;
        Screen {
            json: false,
            terminal,
            capable,
            colour: capable && !no_colour,
        }
    }

    /// Text for a pipe.
    #[must_use]
    pub const fn plain() -> Self {
        Screen {
            json: false,
            terminal: false,
            capable: false,
            colour: false,
        }
    }

    /// The same screen, with reports as JSON where that is wanted.
    #[must_use]
    pub const fn with_json(self, json: bool) -> Self {
        Screen { json, ..self }
    }

    /// Whether reports are wanted as JSON.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether standard output is a terminal on which text can be drawn over.
    #[must_use]
    pub const fn can_draw(&self) -> bool {
        self.capable
    }

    /// Prints a report in the form that was asked for.
    pub fn show<R: Report>(&self, report: &R) -> io::Result<()> {
        let text = if self.json {
            json_text(report)?
        } else {
            report.text(self)
        };
        self.print(text.as_bytes())
    }

    /// Prints bytes as they are.
    pub fn print(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// The text in a colour, where the screen has colours.
    #[must_use]
    pub fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Heading => "1",
            Paint::Good => "32",
            Paint::Bad => "1;31",
            Paint::Notice => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A table: with lines on a terminal, aligned columns elsewhere.
    #[must_use]
    pub fn table(&self, columns: &[(&str, Alignment)], rows: Vec<Vec<String>>) -> String {
        let mut table = Table::new();
        table
            .load_style(if self.terminal {
                presets::UTF8_HORIZONTAL_ONLY
            } else {
                presets::NOTHING
            })
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(columns.iter().map(|(heading, _)| *heading))
            .add_rows(rows);
        for (column, (_, alignment)) in table.column_iter_mut().zip(columns) {
            column.set_cell_alignment(*alignment);
        }
        let mut text = String::new();
        for line in table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_terminal_is_aligned_and_has_no_lines() {
        let columns = [("n", Alignment::Right), ("what", Alignment::Left)];
        let rows = vec![
            vec!["1".to_owned(), "one".to_owned()],
            vec!["10".to_owned(), "ten".to_owned()],
        ];
        let text = Screen::plain().table(&columns, rows);
        assert_eq!(text, "  n  what\n  1  one\n 10  ten\n");
    }

    #[derive(Serialize)]
    struct Wound {
        metres: u32,
    }

    impl Report for Wound {
        const SCHEMA: u32 = 3;

        fn text(&self, _: &Screen) -> String {
            String::new()
        }
    }

    #[test]
    fn a_document_begins_with_the_number_of_its_form() {
        let line = json_line(&Wound { metres: 7 }).unwrap();
        assert_eq!(line, "{\"schema\":3,\"metres\":7}\n");
    }

    #[test]
    fn only_a_screen_with_colours_paints() {
        let colourful = Screen {
            terminal: true,
            capable: true,
            colour: true,
            ..Screen::plain()
        };
        assert_eq!(colourful.paint(Paint::Bad, "x"), "\x1b[1;31mx\x1b[0m");
        assert_eq!(Screen::plain().paint(Paint::Bad, "x"), "x");
    }
}
