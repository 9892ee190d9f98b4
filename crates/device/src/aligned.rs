/// Where direct transfers of a SCSI host adapter may begin in memory.
const ALIGNMENT: usize = 4096;

/// Bytes that begin at a multiple of a page: st transfers those directly and at once, while others go through
/// its own buffer, and their errors come with the call after.
#[derive(Debug, Default)]
pub(crate) struct AlignedBuffer {
    bytes: Vec<u8>,
}

impl AlignedBuffer {
    /// The first `length` bytes.
    pub(crate) fn get(&mut self, length: usize) -> &mut [u8] {
        let wanted = length.saturating_add(ALIGNMENT);
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
        let start = self.bytes.as_ptr().align_offset(ALIGNMENT);
        // `align_offset` may say that it can't; then the bytes are only not aligned.
        let start = if start < ALIGNMENT { start } else { 0 };
        &mut self.bytes[start..start + length]
    }

    /// Whether a driver can transfer these bytes directly.
    pub(crate) fn is_aligned(data: &[u8]) -> bool {
        data.as_ptr().align_offset(512) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_begins_at_a_page_whatever_its_length() {
        let mut buffer = AlignedBuffer::default();
        for length in [0, 1, 511, 4096, 100_000, 17] {
            let bytes = buffer.get(length);
            assert_eq!(bytes.len(), length);
            assert_eq!(bytes.as_ptr() as usize % ALIGNMENT, 0);
            assert!(AlignedBuffer::is_aligned(bytes));
        }
        assert!(!AlignedBuffer::is_aligned(&buffer.get(100)[1..]));
    }
}
