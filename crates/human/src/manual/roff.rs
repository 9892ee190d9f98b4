//! Roff from a little Markdown: headings, paragraphs, lists, tables and blocks of code.

use std::fmt::Write;

/// Text as roff prints it: nothing in it is a request, and a hyphen can be searched for and copied.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.starts_with(['.', '\'']) {
            out.push_str("\\&");
        }
        for c in line.chars() {
            match c {
                '\\' => out.push_str("\\e"),
                '-' => out.push_str("\\-"),
                '\'' => out.push_str("\\(aq"),
                '`' => out.push_str("\\(ga"),
                '^' => out.push_str("\\(ha"),
                '~' => out.push_str("\\(ti"),
                '…' => out.push_str("..."),
                c if c.is_ascii() => out.push(c),
                c => write!(out, "\\[u{:04X}]", u32::from(c)).expect(INFALLIBLE),
            }
        }
    }
    // What is longer than a line is broken before an option.
    out.replace("[,", "\\:[,")
}

pub(super) const INFALLIBLE: &str = "a String takes everything";

/// What is typed as it stands.
pub(super) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text).trim_start_matches("\\&"))
}

/// What stands for something else.
pub(super) fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escaped(text).trim_start_matches("\\&"))
}

/// The words of a paragraph: `code` is bold, a link is its text.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::new();
    for (number, part) in text.split('`').enumerate() {
        let part = match number % 2 {
            1 => bold(part),
            _ => escaped(&without_links(part)),
        };
        // Only at the beginning of a line it would be a request.
        let part = if out.is_empty() {
            &part
        } else {
            part.trim_start_matches("\\&")
        };
        out.push_str(part);
    }
    out
}

/// `[text](target)` becomes `text`, and what is **bold** becomes plain.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('[') {
        out.push_str(before);
        let link = behind.split_once("](").and_then(|(words, target)| {
            let (_, after) = target.split_once(')')?;
            (!words.contains(['[', ']'])).then_some((words, after))
        });
        if let Some((words, after)) = link {
            out.push_str(words);
            rest = after;
        } else {
            out.push('[');
            rest = behind;
        }
    }
    out.push_str(rest);
    out.replace("**", "")
}

/// A block that stands as it is.
pub(super) fn verbatim(text: &str) -> String {
    let mut out = String::from(".PP\n.RS 4\n.nf\n");
    for line in text.lines() {
        // An empty line is one for mandoc only as a request.
        out.push_str(if line.is_empty() { ".sp" } else { "" });
        out.push_str(&escaped(line));
        out.push('\n');
    }
    out + ".fi\n.RE\n"
}

/// An entry of a list: what it is about, and what there is to say.
pub(super) fn entry(about: &str, words: &str) -> String {
    format!(".TP\n{about}\n{words}\n")
}

/// A section of Markdown as the body of a man page; a heading in it has three signs.
pub(super) fn body(markdown: &str) -> String {
    let mut out = String::new();
    let mut words = Paragraph::default();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            words.end(&mut out);
            let code = lines.by_ref().take_while(|line| !line.starts_with("```"));
            out.push_str(&verbatim(&code.collect::<Vec<_>>().join("\n")));
        } else if let Some(heading) = line.strip_prefix("### ") {
            words.end(&mut out);
            writeln!(out, ".SS {}", inline(heading)).expect(INFALLIBLE);
        } else if let Some(item) = line.strip_prefix("- ") {
            words.end(&mut out);
            words = Paragraph::begins(".IP \\(bu 2", item);
        } else if line.starts_with('|') {
            words.end(&mut out);
            out.push_str(&row(line));
        } else if line.starts_with("<!--") || line.trim().is_empty() {
            words.end(&mut out);
        } else {
            words.takes(line.trim());
        }
    }
    words.end(&mut out);
    out
}

/// The lines of a paragraph or of an item so far.
#[derive(Default)]
struct Paragraph {
    request: &'static str,
    text: String,
}

impl Paragraph {
    fn begins(request: &'static str, text: &str) -> Self {
        let text = text.to_owned();
        Paragraph { request, text }
    }

    fn takes(&mut self, line: &str) {
        match self.text.is_empty() {
            true => *self = Paragraph::begins(".PP", line),
            false => {
                self.text.push(' ');
                self.text.push_str(line);
            }
        }
    }

    fn end(&mut self, out: &mut String) {
        if !self.text.is_empty() {
            writeln!(out, "{}\n{}", self.request, inline(&self.text)).expect(INFALLIBLE);
        }
        self.text.clear();
    }
}

/// The cells of a row of a table; a sign `\|` is one of the text.
pub(super) fn cells(line: &str) -> Vec<String> {
    let line = line.replace("\\|", "\u{0}");
    let line = line.trim().trim_matches('|');
    let cells = line.split('|');
    cells
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}

/// A row of a table whose first cell is code; headings and lines are none. The cell in the middle is the default.
fn row(line: &str) -> String {
    let cells = cells(line);
    match cells.as_slice() {
        [name, words] if name.starts_with('`') => entry(&inline(name), &inline(words)),
        [name, default, words] if name.starts_with('`') => {
            let default = match default.as_str() {
                "" => String::new(),
                default => format!(" Default: {default}."),
            };
            entry(&inline(name), &inline(&format!("{words}{default}")))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_request_and_keeps_its_signs() {
        assert_eq!(escaped(".so x\n'a-b"), "\\&.so x\n\\&\\(aqa\\-b");
        assert_eq!(escaped("C:\\x^~`"), "C:\\ex\\(ha\\(ti\\(ga");
        assert_eq!(escaped("1 … 2 – ß"), "1 ... 2 \\[u2013] \\[u00DF]");
    }

    #[test]
    fn code_is_bold_and_links_are_words() {
        assert_eq!(
            inline("see `ls` in [A.md](A.md#b)"),
            "see \\fBls\\fR in A.md"
        );
        assert_eq!(inline("SIZE[,create] [x](y)"), "SIZE\\:[,create] x");
    }

    #[test]
    fn lists_tables_and_blocks_become_requests() {
        let text = "One\ntwo.\n\n- first\n  goes on\n- second\n\n| a | b |\n|---|---|\n| `k` | 7 | what \\| it is. |\n\n```sh\nls\n\n.x\n```\n";
        assert_eq!(
            body(text),
            ".PP\nOne two.\n.IP \\(bu 2\nfirst goes on\n.IP \\(bu 2\nsecond\n.TP\n\\fBk\\fR\nwhat | it is. Default: 7.\n\
             .PP\n.RS 4\n.nf\nls\n.sp\n\\&.x\n.fi\n.RE\n"
        );
    }
}
