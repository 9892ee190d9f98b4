//! Pax records: length, blank, key, equals sign, value, newline.

/// Keys with their values, in order. A value is any bytes; where a key stands twice, the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records(Vec<(Vec<u8>, Vec<u8>)>);

impl Records {
    /// Adds one.
    pub fn add(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.0.push((key.into(), value.into()));
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        let mut found = self.0.iter().rev();
        let found = found.find(|(of, _)| of == key.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(key, value)| (&key[..], &value[..]))
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Records) {
        self.0.extend(other.0.iter().cloned());
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in &self.0 {
            encode_one(&mut bytes, key, value);
        }
        bytes
    }

    /// Reads them.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut records = Records::default();
        for pair in pairs(bytes) {
            let (key, value) = pair?;
            records.add(key, value);
        }
        Ok(records)
    }
}

/// The keys and values of records as they stand in their bytes. It ends behind the first one that is malformed.
pub fn pairs(bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), &'static str>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let found = first(rest).ok_or("a pax record is malformed");
        rest = found.map_or(&[], |(_, _, behind)| behind);
        Some(found.map(|(key, value, _)| (key, value)))
    })
}

/// One record: its own length counts too.
fn encode_one(bytes: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while digits(length) + rest != length {
        length = digits(length) + rest;
    }
    bytes.extend_from_slice(length.to_string().as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(key);
    bytes.push(b'=');
    bytes.extend_from_slice(value);
    bytes.push(b'\n');
}

fn digits(number: usize) -> usize {
    number
        .checked_ilog10()
        .map_or(1, |power| power as usize + 1)
}

/// Key and value of the first record, and what is behind it.
fn first(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (mut length, mut digits) = (0usize, 0);
    loop {
        match bytes.get(digits)? {
            digit @ b'0'..=b'9' => {
                length = length
                    .checked_mul(10)?
                    .checked_add(usize::from(digit - b'0'))?;
            }
            b' ' => break,
            _ => return None,
        }
        digits += 1;
    }
    let (record, behind) = bytes.split_at_checked(length)?;
    let record = record.strip_suffix(b"\n")?.get(digits + 1..)?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((record.get(..equals)?, record.get(equals + 1..)?, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_length_of_a_record_counts_itself() {
        for value in 0..1200 {
            let mut records = Records::default();
            records.add("path", vec![b'v'; value]);
            let bytes = records.encode();
            let text = str::from_utf8(&bytes).unwrap();
            let (length, _) = text.split_once(' ').unwrap();
            assert_eq!(length.parse(), Ok(bytes.len()));
        }
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in [
            "x",
            "9 a=b",
            "5 a=b",
            "6 a=b\n6",
            "4 a\n",
            "0 \n",
            " a=b\n",
            "+7 a=b\n",
            "x6 a=b\n",
            "99999999999999999999 a=b\n",
        ] {
            Records::parse(bad.as_bytes()).expect_err(bad);
        }
    }

    proptest! {
        #[test]
        fn any_records_are_read_back(
            pairs in prop::collection::vec(("[a-zA-Z.]{1,20}", prop::collection::vec(any::<u8>(), 0..300)), 0..8)
        ) {
            let mut records = Records::default();
            for (key, value) in pairs {
                records.add(key, value);
            }
            prop_assert_eq!(Records::parse(&records.encode()), Ok(records));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(records) = Records::parse(&bytes) {
                prop_assert_eq!(Records::parse(&records.encode()), Ok(records));
            }
        }
    }
}
