//! The cabinet, drawn.

use std::collections::HashMap;
use std::fmt::Write;
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use pseudotape_control::{ElementStatus, LibraryStatus, SpanStatus};
use pseudotape_human::{Alignment, HumanBytes, Paint, Report, Screen, counted, printable};
use serde::Serialize;

use super::names::name_of;
use crate::cli::ShowLibrary;

/// Columns of the drawing.
const COLUMNS: usize = 78;

/// Shows the libraries once, or again and again.
pub(super) fn run(
    options: &ShowLibrary,
    look: impl Fn() -> anyhow::Result<Vec<LibraryStatus>>,
    screen: &Screen,
) -> anyhow::Result<()> {
    let Some(seconds) = options.watch else {
        let libraries = look()?;
        screen.show(&Cabinets { libraries })?;
        return Ok(());
    };
    ensure!(
        (0.01..=86_400.0).contains(&seconds),
        "--watch {seconds}: from 0.01 seconds to a day"
    );
    let mut left = options.times;
    while left != Some(0) {
        let libraries = look()?;
        if screen.can_draw() && !screen.is_json() {
            screen.print(b"\x1b[H\x1b[2J")?;
        }
        screen.show(&Cabinets { libraries })?;
        left = left.map(|left| left - 1);
        if left != Some(0) {
            thread::sleep(Duration::from_secs_f64(seconds));
        }
    }
    Ok(())
}

#[derive(Debug, Serialize)]
struct Cabinets {
    libraries: Vec<LibraryStatus>,
}

impl Report for Cabinets {
    fn text(&self, screen: &Screen) -> String {
        let cabinets = self
            .libraries
            .iter()
            .map(|library| cabinet(library, screen));
        let cabinets: Vec<String> = cabinets.collect();
        match cabinets.is_empty() {
            true => "no library: 'pseudotape library create' makes one\n".to_owned(),
            false => cabinets.join("\n"),
        }
    }
}

fn cabinet(library: &LibraryStatus, screen: &Screen) -> String {
    let mut text = String::new();
    let full: HashMap<u16, &ElementStatus> = library.elements.iter().map(|e| (e.at, e)).collect();
    let name = screen.paint(Paint::Heading, &printable(&library.name));
    let identity = printable(&library.identity.join(" "));
    let cartridges = library.elements.iter().filter(|e| e.full).count();
    let mut line = |line: String| writeln!(text, "{line}").expect("a String takes everything");
    line(format!("library {name}  {identity}"));
    line(format!(
        "  folder   {}",
        printable(&library.folder.display().to_string())
    ));
    if !library.nodes.is_empty() {
        let nodes = library.nodes.iter().map(|node| node.display().to_string());
        let nodes: Vec<String> = nodes.collect();
        line(format!("  nodes    {}", printable(&nodes.join(" "))));
    }
    let size = match library.capacity_bytes {
        Some(bytes) => format!("of {}", HumanBytes(bytes)),
        None => "without a limit".to_owned(),
    };
    let removal = match library.removal_prevented {
        true => "prevented by a program",
        false => "allowed",
    };
    line(format!(
        "  holds    {}; new ones are {}, {size}; removal is {removal}",
        counted(cartridges as u64, "cartridge"),
        printable(&library.barcodes)
    ));
    let width = full
        .values()
        .filter_map(|element| element.barcode.as_deref())
        .map(str::len)
        .max()
        .unwrap_or(0)
        .max(8);
    for number in 0..library.drives.count {
        let at = library.drives.first.saturating_add(number);
        let element = full.get(&at).copied();
        let what = drive_words(library, element, screen);
        // The one that rewinds.
        let node = element.and_then(|element| element.nodes.first()?.file_name());
        let node = printable(&node.unwrap_or_default().to_string_lossy());
        let cell = cell(element, width);
        line(
            format!("  drive{number:<3} {cell} {node:<7} {what}")
                .trim_end()
                .to_owned(),
        );
    }
    for (word, span) in [("ie", library.import_export), ("slot", library.slots)] {
        rows(&mut text, word, span, &full, width);
    }
    text
}

fn drive_words(
    library: &LibraryStatus,
    element: Option<&ElementStatus>,
    screen: &Screen,
) -> String {
    let Some(element) = element else {
        return String::new();
    };
    let mut words = Vec::new();
    if let (true, Some(source)) = (element.full, element.source) {
        words.push(format!("from {}", name_of(library, source)));
    }
    if let Some(program) = &element.open {
        words.push(format!("open by {}", printable(program)));
    }
    if element.locked {
        words.push("locked".to_owned());
    }
    if let Some(exception) = &element.exception {
        words.push(screen.paint(Paint::Bad, &printable(exception)));
    }
    words.join(", ")
}

fn cell(element: Option<&ElementStatus>, width: usize) -> String {
    let barcode = match element {
        Some(element) if element.full => element.barcode.as_deref().unwrap_or("?"),
        _ => "",
    };
    format!("[{:<width$}]", printable(barcode))
}

/// So many empty rows one after another are drawn; more of them are one line.
const EMPTY_ROWS: usize = 3;

/// Slots side by side, as many as fit. A large cabinet is mostly empty: what is empty there is told, not drawn.
fn rows(
    text: &mut String,
    word: &str,
    span: SpanStatus,
    full: &HashMap<u16, &ElementStatus>,
    width: usize,
) {
    let label = word.len() + span.count.to_string().len();
    let across = ((COLUMNS - 1) / (label + width + 5)).max(1);
    let is_empty = |first: &u16| {
        let mut row = (*first..span.count).take(across);
        row.all(|number| {
            !full
                .get(&span.first.saturating_add(number))
                .is_some_and(|e| e.full)
        })
    };
    let mut firsts = (0..span.count).step_by(across).peekable();
    while let Some(first) = firsts.peek().copied() {
        let mut empty = firsts.clone().take_while(is_empty);
        let rows = empty.by_ref().count();
        if rows > EMPTY_ROWS {
            firsts.nth(rows - 1);
            let end = firsts.peek().copied().unwrap_or(span.count);
            writeln!(
                text,
                "  {word}{} to {word}{end} are empty",
                u32::from(first) + 1
            )
            .expect("a String takes everything");
            continue;
        }
        firsts.next();
        let mut row = String::new();
        for number in (first..span.count).take(across) {
            let at = span.first.saturating_add(number);
            let name = format!("{word}{}", u32::from(number) + 1);
            let cell = cell(full.get(&at).copied(), width);
            write!(row, "  {name:<label$} {cell}").expect("a String takes everything");
        }
        writeln!(text, "{row}").expect("a String takes everything");
    }
}

/// One line for each cartridge, and each drive.
#[derive(Debug, Serialize)]
pub(super) struct List {
    pub libraries: Vec<LibraryStatus>,
}

impl Report for List {
    fn text(&self, screen: &Screen) -> String {
        let columns = [
            ("library", Alignment::Left),
            ("element", Alignment::Left),
            ("address", Alignment::Right),
            ("barcode", Alignment::Left),
            ("from", Alignment::Left),
            ("open by", Alignment::Left),
        ];
        let rows = self.libraries.iter().flat_map(|library| {
            library.elements.iter().map(|element| {
                let from = element.source.map(|at| name_of(library, at));
                vec![
                    printable(&library.name),
                    name_of(library, element.at),
                    element.at.to_string(),
                    printable(element.barcode.as_deref().unwrap_or("")),
                    from.unwrap_or_default(),
                    printable(element.open.as_deref().unwrap_or("")),
                ]
            })
        });
        screen.table(&columns, rows.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_cabinet_has_no_thousands_of_empty_rows() {
        let at = |at| ElementStatus {
            at,
            full: true,
            barcode: Some(format!("PT{at:06}")),
            ..ElementStatus::default()
        };
        let full = [at(1025), at(6000), at(11_024)];
        let full: HashMap<u16, &ElementStatus> = full.iter().map(|e| (e.at, e)).collect();
        let drawn = |count| {
            let mut text = String::new();
            let span = SpanStatus { first: 1025, count };
            rows(&mut text, "slot", span, &full, 8);
            text
        };
        let text = drawn(10_000);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(
            lines[0].starts_with("  slot1     [PT001025]  slot2     [        ]"),
            "{text}"
        );
        assert_eq!(lines[1], "  slot4 to slot4974 are empty");
        assert!(lines[2].contains("slot4976  [PT006000]"), "{text}");
        assert_eq!(lines[3], "  slot4978 to slot9999 are empty");
        assert!(lines[4].contains("slot10000 [PT011024]"), "{text}");
        // A small one is drawn whole, and so are a few empty rows.
        assert_eq!(drawn(16).lines().count(), 4);
        assert_eq!(
            drawn(20).lines().last(),
            Some("  slot5 to slot20 are empty")
        );
    }

    #[test]
    fn the_cabinet_shows_what_is_where_and_who_has_it_open() {
        let span = |first, count| SpanStatus { first, count };
        let element = |at, barcode: &str| ElementStatus {
            at,
            full: true,
            barcode: Some(barcode.into()),
            ..ElementStatus::default()
        };
        let library = LibraryStatus {
            name: "vault".into(),
            identity: [
                "PSEUDO".into(),
                "CHANGER".into(),
                "0001".into(),
                "S1".into(),
            ],
            folder: "/srv/vault".into(),
            nodes: vec!["/dev/pmch0".into()],
            transports: span(1, 1),
            slots: span(1025, 5),
            import_export: span(769, 1),
            drives: span(257, 2),
            first_drive: 4,
            removal_prevented: false,
            barcodes: "PT####L5".into(),
            capacity_bytes: Some(1 << 30),
            elements: vec![
                ElementStatus {
                    source: Some(1026),
                    nodes: vec!["/dev/pmtm4".into(), "/dev/npmtm4".into()],
                    open: Some("tar (pid 7)".into()),
                    ..element(257, "PT0002L5")
                },
                element(1025, "PT0001L5\x1b[2J"),
            ],
        };
        let text = Cabinets {
            libraries: vec![library],
        }
        .text(&Screen::plain());
        assert!(
            text.contains("drive0") && text.contains("pmtm4   from slot2, open by tar (pid 7)\n"),
            "{text}"
        );
        assert!(text.contains("\n  nodes    /dev/pmch0\n"), "{text}");
        assert!(text.contains("  slot1 [PT0001L5"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
        assert_eq!(text.matches("slot").count(), 6, "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
}
