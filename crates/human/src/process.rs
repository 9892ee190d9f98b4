/// Name of the program that a task runs, where it can be found.
#[must_use]
pub fn program_name(tid: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{tid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_has_a_name_and_no_process_has_none() {
        let name = program_name(std::process::id()).expect("this process runs");
        // The kernel keeps the first 15 bytes.
        assert!(name.starts_with("pseudotape_huma"), "{name}");
        assert_eq!(program_name(u32::MAX), None);
    }
}
