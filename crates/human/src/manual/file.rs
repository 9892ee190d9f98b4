//! The page of a configuration file.

use super::roff::{body, escaped, inline};
use super::{Page, head, page, see_also};

/// The page of a file in section 5, from Markdown: the heading is `# FILE: what it is`, a heading of two signs begins a
/// section, and a table lists keys.
///
/// # Panics
///
/// Where the document has no such heading: it is a part of the program.
#[must_use]
pub fn file_page(document: &str, others: &[&str]) -> Page {
    let (heading, rest) = document.split_once('\n').expect("a heading");
    let heading = heading.strip_prefix("# ").and_then(|h| h.split_once(": "));
    let (name, about) = heading.expect("'# FILE: what it is'");
    let mut text = head(name, 5);
    text += &format!("{} \\- {}\n", escaped(name), inline(about));
    let mut sections = rest.split("\n## ");
    text += ".SH DESCRIPTION\n";
    text += &body(sections.next().unwrap_or_default());
    for section in sections {
        let (title, words) = section.split_once('\n').unwrap_or((section, ""));
        text += &format!(".SH {}\n{}", inline(title), body(words));
    }
    let others: Vec<String> = others.iter().map(|page| (*page).to_owned()).collect();
    text += &see_also(&others);
    page(format!("{name}.5"), &text)
}
