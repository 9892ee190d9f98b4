//! A tape as a picture: what is good, bad, not tried and missing.

use std::fmt::Write;

use crate::map::{Map, State};

/// What is known of a place of the tape. In a picture the last of those that share a sign is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// It can be read.
    Good,
    /// Nobody has tried.
    NotTried,
    /// Nobody knows how much it is: the end was not seen, or is lost.
    Missing,
    /// It can't be read.
    Bad,
}

impl Cell {
    const ALL: [Cell; 4] = [Cell::Good, Cell::Bad, Cell::NotTried, Cell::Missing];

    fn sign(self) -> char {
        match self {
            Cell::Good => '#',
            Cell::NotTried => '.',
            Cell::Missing => '?',
            Cell::Bad => 'X',
        }
    }

    fn word(self) -> &'static str {
        match self {
            Cell::Good => "good",
            Cell::NotTried => "not tried",
            Cell::Missing => "missing",
            Cell::Bad => "bad",
        }
    }

    /// Colours that can be told apart without seeing red and green as different.
    fn colour(self) -> &'static str {
        match self {
            Cell::Good => "#4c9f70",
            Cell::NotTried => "#c8c8c8",
            Cell::Missing => "#f2c14e",
            Cell::Bad => "#9b1d20",
        }
    }
}

/// Objects in a row of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first one.
    pub first: u64,
    /// How many.
    pub objects: u64,
    /// Which kind.
    pub cell: Cell,
}

/// The whole tape, from object 0 on without a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    stretches: Vec<Stretch>,
    /// Behind the last stretch there may be more.
    open: bool,
}

/// Signs of a line of text.
const LINE: u64 = 64;
/// Most signs of a picture.
const SIGNS: u64 = LINE * 20;
/// Side of a square in the SVG.
const SIDE: u64 = 10;
/// Height of a line of words in the SVG.
const WORDS: u64 = 20;

impl Picture {
    /// Of a tape of stretches that follow each other; `open`: there may be more behind.
    #[must_use]
    pub fn new(stretches: impl IntoIterator<Item = Stretch>, open: bool) -> Self {
        let mut picture = Picture {
            stretches: Vec::new(),
            open,
        };
        for stretch in stretches {
            picture.add(stretch);
        }
        picture
    }

    /// Of what a rescue knows.
    #[must_use]
    pub fn of_map(map: &Map) -> Self {
        let mut picture = Picture::new(
            map.runs().iter().map(|run| Stretch {
                first: run.first,
                objects: run.objects,
                cell: match run.state {
                    State::Good(_) => Cell::Good,
                    State::Bad(_) => Cell::Bad,
                    State::NotTried => Cell::NotTried,
                },
            }),
            map.end.is_none(),
        );
        if let Some(end) = map.end {
            picture.add(Stretch {
                first: map.frontier(),
                objects: end.saturating_sub(map.frontier()),
                cell: Cell::NotTried,
            });
        }
        picture
    }

    fn add(&mut self, stretch: Stretch) {
        if stretch.objects == 0 {
            return;
        }
        match self.stretches.last_mut() {
            Some(last) if last.cell == stretch.cell => last.objects += stretch.objects,
            _ => self.stretches.push(stretch),
        }
    }

    /// The stretches.
    #[must_use]
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    fn objects(&self) -> u64 {
        self.stretches
            .last()
            .map_or(0, |last| last.first.saturating_add(last.objects))
    }

    /// How many objects share a sign, and the signs. The worst of them is shown.
    fn signs(&self) -> (u64, Vec<Cell>) {
        let objects = self.objects();
        let each = objects.div_ceil(SIGNS).max(1);
        let count = usize::try_from(objects.div_ceil(each)).unwrap_or(0);
        let mut cells = vec![Cell::Good; count];
        for stretch in &self.stretches {
            let end = stretch.first.saturating_add(stretch.objects) - 1;
            let place = |object: u64| usize::try_from(object / each).unwrap_or(usize::MAX);
            let touched = cells.get_mut(place(stretch.first)..=place(end));
            for cell in touched.unwrap_or_default() {
                *cell = (*cell).max(stretch.cell);
            }
        }
        if self.open {
            cells.push(Cell::Missing);
        }
        (each, cells)
    }

    fn scale(each: u64) -> String {
        match each {
            1 => "each sign is an object".to_owned(),
            each => format!("each sign is {each} objects"),
        }
    }

    fn total(&self, cell: Cell) -> u64 {
        let of_it = self.stretches.iter().filter(|stretch| stretch.cell == cell);
        of_it.map(|stretch| stretch.objects).sum()
    }

    /// The picture as lines of text, each with the number of its first object.
    #[must_use]
    pub fn text(&self) -> String {
        let (each, cells) = self.signs();
        let mut text = format!("{}:", Picture::scale(each));
        for cell in Cell::ALL {
            write!(text, " {} {}", cell.sign(), cell.word()).expect("a String takes everything");
        }
        text.push('\n');
        let mut first = 0_u64;
        for line in cells.chunks(64) {
            let signs: String = line.iter().map(|cell| cell.sign()).collect();
            writeln!(text, "{first:>12} {signs}").expect("a String takes everything");
            first = each.saturating_mul(LINE).saturating_add(first);
        }
        text
    }

    /// The picture as an SVG file, with the same squares.
    #[must_use]
    pub fn svg(&self, title: &str) -> String {
        let (each, cells) = self.signs();
        let rows = (cells.len() as u64).div_ceil(LINE).max(1);
        let (left, width) = (110, 110 + LINE * SIDE + 10);
        let top = 2 * WORDS + 10;
        let height = top + rows * SIDE + 2 * WORDS;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<title>{0}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"10\" y=\"{WORDS}\" font-weight=\"bold\">{0}</text>\n\
             <text x=\"10\" y=\"{1}\">{2}</text>\n",
            escaped(title),
            2 * WORDS,
            Picture::scale(each),
        );
        let mut line = |words: String| {
            svg.push_str(&words);
            svg.push('\n');
        };
        for (row, cells) in (0..).zip(cells.chunks(64)) {
            let y = top + row * SIDE;
            line(format!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" font-size=\"9\">{}</text>",
                left - 8,
                y + SIDE - 2,
                (row * LINE).saturating_mul(each)
            ));
            // Squares of one kind side by side are one rectangle.
            let mut x = left;
            for same in cells.chunk_by(|a, b| a == b) {
                let wide = same.len() as u64 * SIDE;
                let colour = same.first().map_or("none", |cell| cell.colour());
                line(format!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{}\" fill=\"{colour}\"/>",
                    SIDE - 1
                ));
                x += wide;
            }
        }
        let y = top + rows * SIDE + WORDS;
        let mut x = left;
        for cell in Cell::ALL {
            let words = match cell {
                Cell::Missing if self.open => cell.word().to_owned(),
                cell => format!("{} {}", self.total(cell), cell.word()),
            };
            line(format!(
                "<rect x=\"{x}\" y=\"{}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"{}\"/>\
                 <text x=\"{}\" y=\"{y}\">{words}</text>",
                y - SIDE,
                cell.colour(),
                x + SIDE + 5,
            ));
            x += 150;
        }
        svg + "</svg>\n"
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no place for these.
            letter if letter.is_control() => out.push('?'),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(first: u64, objects: u64, cell: Cell) -> Stretch {
        Stretch {
            first,
            objects,
            cell,
        }
    }

    #[test]
    fn the_worst_of_the_objects_that_share_a_sign_is_shown() {
        let picture = Picture::new(
            [
                stretch(0, 5000, Cell::Good),
                stretch(5000, 1, Cell::Bad),
                stretch(5001, 4999, Cell::Good),
            ],
            false,
        );
        let text = picture.text();
        assert!(text.starts_with("each sign is 8 objects: # good"), "{text}");
        assert_eq!(text.matches('X').count(), 2, "one in the legend: {text}");
        assert_eq!(text.lines().count(), 1 + 20);
    }

    #[test]
    fn a_small_tape_has_a_sign_for_each_object_and_an_open_one_a_question() {
        let picture = Picture::new(
            [
                stretch(0, 2, Cell::Good),
                stretch(2, 1, Cell::Bad),
                stretch(3, 2, Cell::NotTried),
            ],
            true,
        );
        assert_eq!(
            picture.text(),
            "each sign is an object: # good X bad . not tried ? missing\n           0 ##X..?\n"
        );
        assert_eq!(Picture::default().text().lines().count(), 1);
    }

    #[test]
    fn the_svg_has_the_same_squares_and_no_markup_of_a_title() {
        let picture = Picture::new([stretch(0, 3, Cell::Good), stretch(3, 1, Cell::Bad)], false);
        let svg = picture.svg("<a&b>");
        assert!(svg.contains("<title>&lt;a&amp;b&gt;</title>"), "{svg}");
        assert!(
            svg.contains("width=\"30\" height=\"9\" fill=\"#4c9f70\""),
            "{svg}"
        );
        assert!(
            svg.contains("width=\"10\" height=\"9\" fill=\"#9b1d20\""),
            "{svg}"
        );
        assert!(svg.contains(">3 good<") && svg.contains(">1 bad<"), "{svg}");
        assert!(svg.ends_with("</svg>\n"));
    }
}
