//! What a node is not that is a file of a FUSE mount: the daemon and the command say it in the same words.

/// A program to which such a node is less than a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileNodeLimit {
    /// The program.
    pub program: &'static str,
    /// What it does.
    pub what: &'static str,
    /// What to do instead.
    pub instead: &'static str,
}

/// The table, which README.md has too. The kernel gives a daemon the choice between a file whose calls begin at offset
/// 0, where `lseek` fails, and one with a position: where GNU tar sees a regular file and `lseek` succeeds, it passes
/// over files by `lseek`, which on a tape would move nothing.
pub const FILE_NODE_LIMITS: &[FileNodeLimit] = &[
    FileNodeLimit {
        program: "GNU mt",
        what: "refuses what is no character device",
        instead: "mt-st",
    },
    FileNodeLimit {
        program: "tar -W",
        what: "does not verify, and leaves the first file of a tape at its beginning: the next tar overwrites it, \
               without an error",
        instead: "tar -c, mt-st rewind or asf, tar -d",
    },
    FileNodeLimit {
        program: "pax",
        what: "takes it for a pipe and reads less than a block: Cannot allocate memory",
        instead: "dd if=NODE bs=1M | pax",
    },
    FileNodeLimit {
        program: "bsdtar",
        what: "writes a short last record",
        instead: "bsdtar -c … | dd of=NODE obs=10240",
    },
    FileNodeLimit {
        program: "tapecopy",
        what: "takes for a tape only what lies below /dev",
        instead: "bind the mount's directory to one below /dev",
    },
    FileNodeLimit {
        program: "mbuffer -o",
        what: "refuses a file that is there",
        instead: "mbuffer -f -o",
    },
    FileNodeLimit {
        program: "shutil.copyfile",
        what: "of Python fails to a tape: Illegal seek",
        instead: "shutil.copyfileobj",
    },
    FileNodeLimit {
        program: "busybox cat",
        what: "uses splice, for which the kernel takes it for an empty file: it reads nothing, without an error",
        instead: "dd if=NODE bs=1M",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_readme_is_this_one() {
        let readme = include_str!("../../../README.md");
        let (_, behind) = readme
            .split_once("| program | on a file of a mount it | instead |\n|---|---|---|\n")
            .expect("README.md has the table");
        let rows: Vec<&str> = behind.lines().take_while(|l| l.starts_with('|')).collect();
        // In Markdown a bar ends a cell.
        let row = |limit: &FileNodeLimit| {
            let instead = limit.instead.replace('|', "\\|");
            format!("| `{}` | {} | `{instead}` |", limit.program, limit.what)
        };
        let expected: Vec<String> = FILE_NODE_LIMITS.iter().map(row).collect();
        assert_eq!(rows, expected);
    }
}
