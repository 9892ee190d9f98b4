//! Numbers of 32 bits as sizes in memory.

// Lengths in images and messages are of 32 and 64 bits, and they become sizes of buffers. With a `usize` of 64
// bits no such conversion loses anything, so none needs a way to fail. The capacity of a tape alone exceeds 32
// bits: a smaller `usize` would make a program that can't hold what it promises.
const _: () = assert!(usize::BITS >= 64, "pseudotape needs a 64-bit processor");

/// A length of 32 bits as a size in memory. Loses nothing: this crate does not build where it could.
#[must_use]
pub const fn wide(length: u32) -> usize {
    length as usize
}

#[cfg(test)]
mod tests {
    use super::wide;

    #[test]
    fn the_largest_length_stays_what_it_is() {
        assert_eq!(wide(u32::MAX), 4_294_967_295);
    }
}
