//! Times as people read them.

/// RFC 3339, in UTC; a time that no calendar has is a number.
#[must_use]
pub fn time_words(ms: u64) -> String {
    let time = i64::try_from(ms / 1000).ok();
    match time.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) {
        // Its own words are those of RFC 3339, without a fraction where it has none.
        Some(time) => time.to_string(),
        None => format!("{ms} ms after 1970"),
    }
}
