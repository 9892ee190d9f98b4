//! Lists in one argument: parts between separators, such as `image:a.ptape,create` or `zstd+null`.
//!
//! A backslash takes the meaning of a separator away, and of another backslash. A backslash before
//! anything else is a character as any other. The rule is the same in every option of every program.

use std::fmt;

/// Characters that mean something in some list, so that a backslash before them has a meaning too.
const SPECIAL: [char; 3] = [',', '+', '\\'];

/// Cuts at the first `separator` that no backslash precedes; both sides stay as they are written.
#[must_use]
pub fn cut(text: &str, separator: char) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && c == separator {
            return Some((text.get(..at)?, text.get(at + separator.len_utf8()..)?));
        }
        escaped = !escaped && c == '\\';
    }
    None
}

/// The parts between separators, as they are written: at least one.
pub fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match cut(text, separator) {
            Some((part, behind)) => {
                rest = Some(behind);
                Some(part)
            }
            None => rest.take(),
        }
    })
}

/// Takes away each backslash that takes a meaning away.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\\'
            && let Some(next) = rest.next_if(|next| SPECIAL.contains(next))
        {
            out.push(next);
        } else {
            out.push(c);
        }
    }
    out
}

/// Text that prints with backslashes, so that [`plain`] gives the text back.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if SPECIAL.contains(&c) {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_where_no_backslash_stands() {
        for (text, expected) in [
            ("", vec![""]),
            ("a", vec!["a"]),
            ("a,b,,c", vec!["a", "b", "", "c"]),
            (r"a\,b,c", vec![r"a\,b", "c"]),
            (r"a\\,b", vec![r"a\\", "b"]),
            (r"a\\\,b", vec![r"a\\\,b"]),
            (r"a\", vec![r"a\"]),
            ("é,ü", vec!["é", "ü"]),
        ] {
            assert_eq!(parts(text, ',').collect::<Vec<_>>(), expected, "{text}");
        }
        assert_eq!(cut("zstd+a,b", '+'), Some(("zstd", "a,b")));
        assert_eq!(cut(r"a\+b", '+'), None);
    }

    #[test]
    fn a_backslash_before_another_character_stays() {
        assert_eq!(plain(r"C:\tape\,1\\2\+3\"), r"C:\tape,1\2+3\");
    }

    #[test]
    fn whatever_is_quoted_is_one_part_and_comes_back() {
        use proptest::prelude::*;

        proptest!(|(texts in proptest::collection::vec(r"[ab,+\\=é]{0,8}", 1..5))| {
            let list = texts.iter().map(|text| Quoted(text).to_string());
            let list = list.collect::<Vec<_>>().join(",");
            let back = parts(&list, ',').map(plain).collect::<Vec<_>>();
            prop_assert_eq!(back, texts, "{}", list);
        });
    }
}
