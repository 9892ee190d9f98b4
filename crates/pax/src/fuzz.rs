//! Trying everything on bytes of unknown origin: the entry of the fuzz target.

use crate::ustar::set_checksum;
use crate::{RECORD, Reader};

/// Takes bytes for an archive: as they are, and with the checksums of headers that would keep a fuzzer out.
///
/// # Panics
///
/// Where the contents of a member end before or behind their length without an error.
pub fn fuzz_archive(bytes: &[u8]) {
    read(bytes);
    let mut with_checksums = bytes.to_vec();
    for record in with_checksums.chunks_exact_mut(RECORD) {
        if let Ok(record) = <&mut [u8; RECORD]>::try_from(record)
            && record.get(257..262) == Some(b"ustar")
        {
            set_checksum(record);
        }
    }
    read(&with_checksums);
}

fn read(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let mut buffer = [0; 700];
    let mut passes = false;
    while let Ok(Some(member)) = reader.next_member() {
        assert_eq!(reader.left(), member.length);
        drop(member.headers("PaxHeaders/file"));
        // Every second one is passed by the next call.
        passes = !passes;
        if !passes {
            let mut length = 0;
            loop {
                match reader.read_contents(&mut buffer) {
                    Ok(0) => break,
                    Ok(part) => length += part as u64,
                    Err(_) => return,
                }
            }
            assert_eq!(length, member.length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{END, Member, padding};

    #[test]
    fn any_bytes_are_an_archive_or_an_error() {
        let mut archive = Vec::new();
        for (contents, further) in [
            (&b"first"[..], None),
            (b"1\n0\n3\nabc", Some(("GNU.sparse.map", "0,4,100,6"))),
            (&[7; 1000], None),
        ] {
            let mut member = Member {
                name: vec![b'n'; 150],
                length: contents.len() as u64,
                ..Member::default()
            };
            if let Some((key, value)) = further {
                member.further.add("GNU.sparse.size", "5000");
                member.further.add(key, value);
            }
            archive.extend(member.headers("PaxHeaders/f"));
            archive.extend_from_slice(contents);
            archive.resize(archive.len() + padding(contents.len() as u64), 0);
        }
        // Old GNU: the letter, the magic, one place in the map, and a length.
        let mut old = Member {
            length: 4,
            ..Member::default()
        }
        .headers("");
        old[156] = b'S';
        old[257..265].copy_from_slice(b"ustar  \0");
        old[386..410].copy_from_slice(b"00000000010\0".repeat(2).as_slice());
        old[398..410].copy_from_slice(b"00000000004\0");
        old[482] = 1;
        old[483..495].copy_from_slice(b"00000000100\0");
        archive.extend(old);
        archive.extend([0; RECORD]);
        archive.extend(b"data");
        archive.resize(archive.len().next_multiple_of(RECORD), 0);
        archive.extend(END);
        fuzz_archive(&archive);
        for at in (0..archive.len()).step_by(11) {
            fuzz_archive(&archive[..at]);
            for byte in [0, 0xff, b'7', b'\n'] {
                let mut other = archive.clone();
                other[at] = byte;
                fuzz_archive(&other);
            }
        }
    }
}
