use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;

/// What a subcommand found or did.
pub trait Report: Serialize {
    /// The report for people, ending in a line break (or empty).
    fn text(&self, screen: &Screen) -> String;
}

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Heading,
    Good,
    Bad,
    Notice,
}

/// How to print: for people or as JSON, on a terminal or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    json: bool,
    terminal: bool,
    colour: bool,
}

impl Screen {
    /// Looks at standard output, `NO_COLOR` and `TERM`.
    #[must_use]
    pub fn from_environment(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Screen {
            json,
            terminal,
            colour: terminal && !no_colour && !dumb,
        }
    }

    /// Text for a pipe.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Screen {
            json: false,
            terminal: false,
            colour: false,
        }
    }

    /// Whether the result is wanted as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether standard output is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Prints a report in the form that was asked for.
    pub fn show(&self, report: &impl Report) -> anyhow::Result<()> {
        let text = if self.json {
            serde_json::to_string_pretty(report)? + "\n"
        } else {
            report.text(self)
        };
        self.print(text.as_bytes())
    }

    /// Prints bytes as they are.
    pub(crate) fn print(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
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
    pub(crate) fn table(
        &self,
        columns: &[(&str, CellAlignment)],
        rows: Vec<Vec<String>>,
    ) -> String {
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

    /// A progress bar over `total_bytes` on standard error; invisible where that is no terminal.
    pub(crate) fn progress(&self, total_bytes: u64) -> ProgressBar {
        self.bar(
            Some(total_bytes),
            "{wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {left} left",
        )
    }

    /// The same where nobody knows how much there is.
    pub(crate) fn progress_without_end(&self) -> ProgressBar {
        self.bar(None, "{spinner} {binary_bytes} {binary_bytes_per_sec}")
    }

    fn bar(&self, total_bytes: Option<u64>, template: &str) -> ProgressBar {
        let target = if io::stderr().is_terminal() && !self.json {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total_bytes, target);
        bar.set_style(
            ProgressStyle::with_template(template)
                .expect("the templates are constants that a test draws")
                .with_key("left", left),
        );
        bar.enable_steady_tick(Duration::from_millis(500));
        bar
    }
}

/// The time that is left, once there is a rate to tell it from.
fn left(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    let written = match state.pos() {
        0 => to.write_char('?'),
        _ => write!(to, "{:#}", HumanDuration(state.eta())),
    };
    // A String takes everything.
    written.ok();
}

/// Makes text from outside harmless to a terminal: control characters are shown, not sent.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(c),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// An error with its causes. Many errors quote their cause already; it is not said twice.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            let separator = if text.is_empty() { "" } else { ": " };
            text = text + separator + &cause;
        }
    }
    printable(&text)
}

/// A count with its noun: `1 block`, `3 blocks`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_from_outside_never_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\x07é"), "a\\u{1b}[2Jb\\u{7}é");
    }

    #[test]
    fn an_error_names_each_cause_once() {
        let error = anyhow::anyhow!("no such file").context("no daemon: no such file (start it)");
        assert_eq!(describe(&error), "no daemon: no such file (start it)");
        let error = anyhow::anyhow!("no such file").context("can't open x");
        assert_eq!(describe(&error), "can't open x: no such file");
    }

    #[test]
    fn a_table_without_terminal_is_aligned_and_has_no_lines() {
        let columns = [("n", CellAlignment::Right), ("what", CellAlignment::Left)];
        let rows = vec![
            vec!["1".to_owned(), "one".to_owned()],
            vec!["10".to_owned(), "ten".to_owned()],
        ];
        let text = Screen::plain().table(&columns, rows);
        assert_eq!(text, "  n  what\n  1  one\n 10  ten\n");
    }

    #[test]
    fn the_progress_bar_can_be_drawn() {
        let bar = Screen::plain().progress(10);
        bar.inc(3);
        assert_eq!(bar.position(), 3);
        bar.finish_and_clear();
        let bar = Screen::plain().progress_without_end();
        bar.inc(3);
        assert_eq!(bar.position(), 3);
        bar.finish_and_clear();
    }
}
