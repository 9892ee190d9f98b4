//! What a command prints, on a terminal or into a pipe.

use std::fmt::{Display, Write as _};
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

/// The cells of a table, row by row, one behind the other in one text: there can be millions of them.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    /// Adds one.
    pub fn add(&mut self, words: impl Display) {
        write!(self.text, "{words}").expect("a text takes all that is written");
        self.ends.push(self.text.len());
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let cell = self.text.get(begin..*end).unwrap_or_default();
            begin = *end;
            cell
        })
    }
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
        self.print(self.text_of(report)?.as_bytes())
    }

    /// What [`Screen::show`] prints.
    pub fn text_of<R: Report>(&self, report: &R) -> io::Result<String> {
        match self.json {
            true => json_text(report),
            false => Ok(report.text(self)),
        }
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

    /// The same table as `table` makes, of cells that are plain in most cases: then it takes a small part of the time.
    #[must_use]
    pub fn long_table(&self, columns: &[(&str, Alignment)], cells: &Cells) -> String {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~');
        if self.terminal || !cells.text.bytes().all(is_plain) || columns.is_empty() {
            let cells: Vec<String> = cells.iter().map(str::to_owned).collect();
            let rows = cells.chunks(columns.len().max(1)).map(<[String]>::to_vec);
            return self.table(columns, rows.collect());
        }
        let mut widths: Vec<usize> = columns.iter().map(|(heading, _)| heading.len()).collect();
        let mut at = 0;
        for cell in cells.iter() {
            if let Some(width) = widths.get_mut(at) {
                *width = cell.len().max(*width);
            }
            at = (at + 1) % columns.len();
        }
        let line = widths.iter().sum::<usize>() + 2 * widths.len() + 1;
        let mut text = String::with_capacity(line * (cells.ends.len() / columns.len() + 1));
        let headings = columns.iter().map(|(heading, _)| *heading);
        let shape = columns.iter().zip(&widths).cycle();
        let mut at = 0;
        for (cell, ((_, alignment), width)) in headings.chain(cells.iter()).zip(shape) {
            let before = match alignment {
                Alignment::Left => 0,
                Alignment::Right => width - cell.len(),
                Alignment::Center => (width - cell.len()) / 2,
            };
            let behind = width - cell.len() - before;
            text.extend(std::iter::repeat_n(' ', before + 1));
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', behind + 1));
            at += 1;
            if at == columns.len() {
                text.truncate(text.trim_end_matches(' ').len());
                text.push('\n');
                at = 0;
            }
        }
        text
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

    proptest::proptest! {
        #[test]
        fn a_long_table_is_the_same_table(
            rows in proptest::collection::vec(
                [r"[ -~]{0,2}|[ -~]{6}", r" {0,2}|[ -~äß世\u{301}]{0,5}", r"|[!-~]{0,9}"],
                0..5,
            ),
            terminal in proptest::bool::ANY
        ) {
            let columns = [("n", Alignment::Right), ("what", Alignment::Left), ("x", Alignment::Right)];
            let screen = Screen { terminal, ..Screen::plain() };
            let mut cells = Cells::default();
            rows.iter().flatten().for_each(|cell| cells.add(cell));
            let rows = rows.iter().map(|row| row.to_vec()).collect();
            proptest::prop_assert_eq!(screen.long_table(&columns, &cells), screen.table(&columns, rows));
        }
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
