//! A folder with the root of a farm in it, and commands that run there.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use nix::unistd::{User, geteuid};
use serde_json::Value;

pub(crate) struct Place {
    directory: tempfile::TempDir,
}

/// The words of a command line: one by one, or in a text with spaces between them.
pub(crate) trait Words {
    fn list(&self) -> Vec<&str>;
}

impl Words for str {
    fn list(&self) -> Vec<&str> {
        self.split(' ').collect()
    }
}

impl Words for String {
    fn list(&self) -> Vec<&str> {
        self.split(' ').collect()
    }
}

impl Words for [&str] {
    fn list(&self) -> Vec<&str> {
        self.to_vec()
    }
}

impl<const N: usize> Words for [&str; N] {
    fn list(&self) -> Vec<&str> {
        self.to_vec()
    }
}

impl Words for Vec<&str> {
    fn list(&self) -> Vec<&str> {
        self.clone()
    }
}

impl Place {
    /// With an empty root, `farm`, and these files in their folders.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let place = Place {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(place.path("farm")).unwrap();
        for (name, text) in files {
            let path = place.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// From now on the configuration file says where the farm is, and not the environment.
    pub(crate) fn configured(&self, text: &str) {
        let root = self.path("farm");
        let text = format!("root = \"{}\"\n{text}", root.display());
        fs::write(self.path("farm.toml"), text).unwrap();
    }

    /// The program, about whose farm and vault the environment says where they are.
    pub(crate) fn program(&self) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_pseudotape"));
        program
            .current_dir(self.directory.path())
            .env("PSEUDOTAPE_FARM", self.path("farm"))
            .env("PSEUDOTAPE_VAULT", self.path("vault"));
        program
    }

    /// A command about the farm.
    pub(crate) fn command<W: Words + ?Sized>(&self, words: &W) -> Command {
        let mut command = self.program();
        command.arg("farm");
        if self.path("farm.toml").exists() {
            command
                .env_remove("PSEUDOTAPE_FARM")
                .env_remove("PSEUDOTAPE_VAULT")
                .args(["--config", "farm.toml"]);
        }
        command.args(words.list());
        command
    }

    pub(crate) fn run<W: Words + ?Sized>(&self, words: &W) -> Output {
        let output = self.command(words).output();
        output.expect("the binary was built for this test")
    }

    /// What it prints. Its exit code has to be this one.
    pub(crate) fn ended<W: Words + ?Sized>(&self, code: i32, words: &W) -> String {
        ended(self.command(words), code).0
    }

    pub(crate) fn ok<W: Words + ?Sized>(&self, words: &W) -> String {
        self.ended(0, words)
    }

    /// What it prints, and behind it what it tells on standard error.
    pub(crate) fn told<W: Words + ?Sized>(&self, code: i32, words: &W) -> String {
        let (printed, told) = ended(self.command(words), code);
        printed + &told
    }

    /// Why nothing was done: nothing is printed then.
    pub(crate) fn refused<W: Words + ?Sized>(&self, words: &W) -> String {
        let (printed, told) = ended(self.command(words), 2);
        assert_eq!(printed, "", "{told}");
        told
    }

    pub(crate) fn json<W: Words + ?Sized>(&self, code: i32, words: &W) -> Value {
        let mut command = self.command(words);
        command.arg("--json");
        let (text, _) = ended(command, code);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// What a command prints, and what it tells on standard error.
pub(crate) fn ended(mut command: Command, code: i32) -> (String, String) {
    let output = command.output();
    let output = output.expect("the binary was built for this test");
    assert_eq!(output.status.code(), Some(code), "{command:?}: {output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// The name of the user who runs the test.
pub(crate) fn me() -> String {
    User::from_uid(geteuid()).unwrap().expect("a user").name
}
