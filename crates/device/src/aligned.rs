/// Alignment that a SCSI host adapter needs for direct transfers.
const ALIGNMENT: usize = 4096;

/// A buffer aligned to a page. st transfers such a buffer directly, so errors come with the same call. It
/// copies other buffers through its own buffer, and then errors of a write come with the next call.
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
        // `align_offset` may fail. Then the bytes are just not aligned.
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
