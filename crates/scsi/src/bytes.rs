//! Numbers in bytes. SCSI has the most significant byte first.
#![allow(clippy::big_endian_bytes)] // This is the one module that knows the order of SCSI's bytes.

/// One byte; 0 where the bytes end before it, as a target reads a field that was not sent.
pub(crate) fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// A number of `N` bytes in the low bytes of eight.
fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|index| byte(bytes, at + index))
}

/// Two bytes.
pub(crate) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(number(bytes, at))
}

/// Three bytes.
pub(crate) fn be24(bytes: &[u8], at: usize) -> u32 {
    let [a, b, c] = number(bytes, at);
    u32::from_be_bytes([0, a, b, c])
}

/// Four bytes.
pub(crate) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(number(bytes, at))
}

/// Eight bytes.
pub(crate) fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(number(bytes, at))
}

/// Appends numbers to bytes.
pub(crate) trait Put {
    /// Two bytes.
    fn put16(&mut self, value: u16);
    /// Three bytes; a larger value becomes the largest that fits.
    fn put24(&mut self, value: u32);
    /// Four bytes.
    fn put32(&mut self, value: u32);
    /// Eight bytes.
    fn put64(&mut self, value: u64);
    /// Zeros.
    fn zeros(&mut self, count: usize);
    /// Characters in a field of this length, filled with blanks. What is no printable ASCII becomes a question mark.
    fn text(&mut self, text: &str, length: usize);
}

impl Put for Vec<u8> {
    fn put16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put24(&mut self, value: u32) {
        let [_, rest @ ..] = value.min((1 << 24) - 1).to_be_bytes();
        self.extend_from_slice(&rest);
    }

    fn put32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn zeros(&mut self, count: usize) {
        self.resize(self.len() + count, 0);
    }

    fn text(&mut self, text: &str, length: usize) {
        let printable = |c: char| u8::try_from(c).ok().filter(|b| (b' '..=b'~').contains(b));
        let bytes = text.chars().map(|c| printable(c).unwrap_or(b'?'));
        let filled = bytes.chain(std::iter::repeat(b' '));
        self.extend(filled.take(length));
    }
}

/// A length in a field of one byte; a longer one becomes 255, as the standard wants of a length that does not fit.
pub(crate) fn length8(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// The same for two bytes.
pub(crate) fn length16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// The same for four bytes.
pub(crate) fn length32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The characters of a field, without what fills it up.
pub(crate) fn field_text(bytes: &[u8], at: usize, length: usize) -> String {
    let field = bytes.get(at..).unwrap_or_default();
    let field = field.get(..length).unwrap_or(field);
    let shown = field.iter().take_while(|byte| **byte != 0);
    let text: String = shown.map(|byte| char::from(*byte)).collect();
    text.trim_end().to_owned()
}
