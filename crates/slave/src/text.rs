//! Text in fields of a fixed length, padded with NUL.

use crate::nonsense::Nonsense;

/// Encodes a text. A text that is too long is truncated at the end of a character.
pub(crate) fn to_bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut end = text.len().min(N);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(text.bytes().take(end)) {
        *to = from;
    }
    bytes
}

/// Decodes the text up to the first NUL. Control characters are refused: they could mislead a reader of the
/// log.
pub(crate) fn from_bytes(what: &'static str, bytes: &[u8]) -> Result<String, Nonsense> {
    let text = bytes.split(|b| *b == 0).next().unwrap_or_default();
    match std::str::from_utf8(text) {
        Ok(text) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(Nonsense::Text { what }),
    }
}
