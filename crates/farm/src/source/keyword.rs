//! Keys of the pax records that have extended attributes.
//!
//! A key ends at its first equals sign. GNU tar writes `=` of a name as `%3D`, and `%` as `%25`, and reads just these.

const PREFIX: &[u8] = b"SCHILY.xattr.";

/// The key for an attribute with this name.
pub(crate) fn key_of(name: &[u8]) -> Vec<u8> {
    let mut key = PREFIX.to_vec();
    for byte in name {
        match byte {
            b'=' => key.extend(b"%3D"),
            b'%' => key.extend(b"%25"),
            other => key.push(*other),
        }
    }
    key
}

/// The name of the attribute that a key is for; `None` where it is for something else.
pub(crate) fn name_of(key: &[u8]) -> Option<Vec<u8>> {
    let mut rest = key.strip_prefix(PREFIX)?;
    let mut name = Vec::with_capacity(rest.len());
    while let Some((first, behind)) = rest.split_first() {
        let (byte, behind) = if let Some(behind) = rest.strip_prefix(b"%3D") {
            (b'=', behind)
        } else if let Some(behind) = rest.strip_prefix(b"%25") {
            (b'%', behind)
        } else {
            (*first, behind)
        };
        name.push(byte);
        rest = behind;
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_comes_back_and_other_percent_signs_stay() {
        for name in [
            &b"user.a=b"[..],
            b"user.%3D",
            b"user.%",
            b"user.%%25=",
            b"user.\xff",
        ] {
            let key = key_of(name);
            assert!(!key.contains(&b'='), "{}", key.escape_ascii());
            assert_eq!(name_of(&key).as_deref(), Some(name));
        }
        let read = |key: &[u8]| name_of(key).map(|name| name.escape_ascii().to_string());
        assert_eq!(
            read(b"SCHILY.xattr.user.%3d%%2").as_deref(),
            Some("user.%3d%%2")
        );
        assert_eq!(read(b"SCHILY.acl.access"), None);
    }
}
