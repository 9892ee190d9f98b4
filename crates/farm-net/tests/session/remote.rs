//! Commands of the server, by their names.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pseudotape_farm_net::{Commands, Ended, Error, How, Link, MAX_OUTPUT, Pipe, Served, serve};

use crate::common::{Farm, Meddling, Ways, boundaries, name};

/// So long a command may take that is to be ended by something else.
const LONG: Duration = Duration::from_secs(300);

impl Farm {
    /// A farm whose server has a folder of commands, which end after so long.
    fn with_commands(limit: Duration) -> Self {
        let mut farm = Farm::new();
        // Root's commands run as somebody else, who has to come there.
        fs::set_permissions(farm.path(""), Permissions::from_mode(0o755)).unwrap();
        let folder = farm.path("commands");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        farm.command(
            "say",
            "for word; do echo \"<$word>\"; done; echo wrong >&2; exit 3",
        );
        farm.commands = Some(Commands::open(&folder, None, limit).unwrap());
        farm
    }

    fn command(&self, name: &str, script: &str) -> PathBuf {
        let path = self.path("commands").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What a command prints on both ways, and how it ends; or why it is not run.
    fn run(&self, name: &str, arguments: &[&str]) -> Result<(String, String, Ended), String> {
        let no = (Meddling::Nothing, Meddling::Nothing);
        let (client, serving) = self.try_reach("ada@depot", "", &Ways::default(), no);
        let arguments = arguments.iter().map(|word| word.as_bytes().to_vec());
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let mut client = client.unwrap();
        let ended = client.run(name, arguments.collect(), |is_error, bytes| {
            let to = if is_error { &mut errors } else { &mut output };
            to.extend_from_slice(bytes);
        });
        drop(client);
        drop(serving.join().unwrap());
        let text = |bytes| String::from_utf8(bytes).unwrap();
        match ended {
            Ok(ended) => Ok((text(output), text(errors), ended)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// CW-66: a server runs nothing by itself.
#[test]
fn nothing_is_run_where_the_server_has_no_folder_of_commands() {
    let refused = Farm::new().run("true", &[]).unwrap_err();
    assert!(
        refused.contains("this server runs no commands"),
        "{refused}"
    );
}

/// CW-66: the answer comes back, and the words of the message are those of the command; no shell reads them.
#[test]
fn a_command_gets_its_words_as_they_are() {
    let farm = Farm::with_commands(LONG);
    let words = ["a b", "$(touch /tmp/x)", "; exit 0", "*", "--help", ""];
    let (output, errors, ended) = farm.run("say", &words).unwrap();
    let expected: String = words.iter().map(|word| format!("<{word}>\n")).collect();
    assert_eq!((output, errors.as_str()), (expected, "wrong\n"));
    assert_eq!(ended, Ended::Exited(3));
    farm.command("die", "kill -TERM $$");
    assert_eq!(farm.run("die", &[]).unwrap().2, Ended::Killed(15));
    let refused = farm.run("say", &["a\0b"]).unwrap_err();
    assert!(
        refused.contains("the command 'say' can't be run"),
        "{refused}"
    );
}

/// CW-66: only files of the folder are run: no path, no link, nothing hidden, nothing that is not there.
#[test]
fn only_files_of_the_folder_are_run() {
    let farm = Farm::with_commands(LONG);
    let outside = farm.path("x");
    fs::copy(farm.path("commands/say"), &outside).unwrap();
    std::os::unix::fs::symlink(&outside, farm.path("commands/link")).unwrap();
    std::os::unix::fs::symlink("say", farm.path("commands/alias")).unwrap();
    fs::create_dir(farm.path("commands/folder")).unwrap();
    farm.command("folder/inside", "exit 0");
    farm.command(".hidden", "exit 0");
    let long = "x".repeat(5000);
    for name in [
        "../x",
        "/bin/sh",
        "folder/inside",
        "folder",
        "link",
        "alias",
        ".hidden",
        ".",
        "..",
        "",
        "unknown",
        "say\n",
        "say ",
        &long,
    ] {
        let refused = farm.run(name, &[]).unwrap_err();
        assert!(refused.contains("no such command"), "{name}: {refused}");
    }
    // A file that others may write is not the administrator's word.
    let mode = |name: &str, mode| {
        fs::set_permissions(
            farm.path("commands").join(name),
            Permissions::from_mode(mode),
        )
        .unwrap();
    };
    mode("say", 0o777);
    let refused = farm.run("say", &[]).unwrap_err();
    assert!(refused.contains("can be written by others"), "{refused}");
    mode("say", 0o644);
    let refused = farm.run("say", &[]).unwrap_err();
    assert!(refused.contains("can't be executed"), "{refused}");
    if nix::unistd::geteuid().is_root() {
        mode("say", 0o755);
        std::os::unix::fs::chown(farm.path("commands/say"), Some(12345), None).unwrap();
        let refused = farm.run("say", &[]).unwrap_err();
        assert!(refused.contains("belongs to user 12345"), "{refused}");
    }
    // Nor is a folder that others may write.
    fs::set_permissions(farm.path("commands"), Permissions::from_mode(0o777)).unwrap();
    let unfit = Commands::open(&farm.path("commands"), None, LONG).unwrap_err();
    assert!(
        unfit.to_string().contains("can be written by others"),
        "{unfit}"
    );
    let absent = Commands::open(&farm.path("nowhere"), None, LONG).unwrap_err();
    assert!(
        absent
            .to_string()
            .contains("can't look at the folder of commands"),
        "{absent}"
    );
    let unknown = Commands::open(&farm.path(""), Some("no-such-user"), LONG).unwrap_err();
    assert!(unknown.to_string().contains("no such user"), "{unknown}");
}

/// CW-66: a command that takes too long or prints too much is ended, with what it started.
#[test]
fn a_command_has_limits() {
    let farm = Farm::with_commands(Duration::from_secs(2));
    farm.command("slow", "echo begun; sleep 1000 & wait");
    let began = Instant::now();
    let (output, _, ended) = farm.run("slow", &[]).unwrap();
    assert_eq!((output.as_str(), ended), ("begun\n", Ended::TooLong(2)));
    assert!(began.elapsed() < Duration::from_secs(500));
    let farm = Farm::with_commands(LONG);
    farm.command("loud", "exec yes");
    let (output, _, ended) = farm.run("loud", &[]).unwrap();
    assert_eq!(ended, Ended::TooMuch(MAX_OUTPUT));
    assert_eq!(output.len(), usize::try_from(MAX_OUTPUT).unwrap());
}

/// CW-66: a command has none of the session's rights: not root's, none by set-user-ID, and nothing of the environment.
#[test]
fn a_command_has_no_rights_of_the_session() {
    let farm = Farm::with_commands(LONG);
    farm.command(
        "who",
        "id -u; grep NoNewPrivs /proc/self/status; pwd; cat; env | cut -d= -f1 | sort",
    );
    let (output, errors, ended) = farm.run("who", &[]).unwrap();
    assert_eq!((errors.as_str(), ended), ("", Ended::Exited(0)));
    let lines: Vec<_> = output.lines().collect();
    let me = nix::unistd::geteuid();
    assert_eq!(lines[0] == me.to_string(), !me.is_root(), "{output}");
    assert_eq!(lines[1..3], ["NoNewPrivs:\t1", "/"]);
    assert_eq!(
        lines[3..],
        ["PATH", "PSEUDOTAPE_FARM", "PSEUDOTAPE_FARM_PERSON", "PWD"]
    );
}

/// How a session ends whose client has said this, and went then. Nothing that the server writes fails: so nothing but a
/// look at the connection shows that the client is gone.
fn said_and_gone(farm: &Farm, bytes: &[u8]) -> Result<(), Error> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let served = Served {
        roots: vec![farm.root()],
        privately: false,
        commands: farm.commands.clone(),
        hook: None,
        way: "test".into(),
        person: "ada@depot".parse().unwrap(),
    };
    let read = Pipe::new(theirs.try_clone().unwrap()).unwrap();
    let serving =
        std::thread::spawn(move || serve(Link::watching(read, std::io::sink(), theirs), &served));
    (&ours).write_all(bytes).unwrap();
    drop(ours);
    serving.join().unwrap()
}

/// CW-66: a command that prints nothing is ended when its client goes, and not when a sign of life can't be sent.
#[test]
fn a_silent_command_ends_when_its_client_goes() {
    let farm = Farm::with_commands(LONG);
    farm.command("wait", "exit 0");
    let ways = Ways::default();
    let no = (Meddling::Nothing, Meddling::Nothing);
    let (client, serving) = farm.try_reach("ada@depot", "", &ways, no);
    client.unwrap().run("wait", Vec::new(), |_, _| {}).unwrap();
    serving.join().unwrap().unwrap();
    farm.command("wait", "exec sleep 1000");
    let said = ways.to_server.lock().unwrap().clone();
    let error = said_and_gone(&farm, &said).unwrap_err().to_string();
    assert!(error.ends_with("the other side is gone"), "{error}");
}

/// CW-63: nobody waits for a volume for a client that is gone, and no volume is left that it would have made.
#[test]
fn a_session_waits_no_longer_than_its_client() {
    let farm = Farm::new();
    let ways = Ways::default();
    let no = (Meddling::Nothing, Meddling::Nothing);
    let (client, serving) = farm.try_reach("ada@depot", "", &ways, no);
    let mut order = farm.order(How::Add);
    order.lock_wait = 1_000_000;
    client.unwrap().add(order, &mut |_| {}).unwrap();
    serving.join().unwrap().unwrap();
    let held = farm.local().open_volume(&name("V")).unwrap();
    let said = ways.to_server.lock().unwrap().clone();
    let error = said_and_gone(&farm, &said).unwrap_err().to_string();
    assert!(error.contains("volume V is busy"), "{error}");
    drop(held);
}

/// CW-66: a command whose client is gone is ended.
#[test]
fn a_command_ends_with_its_link() {
    let farm = Farm::with_commands(LONG);
    farm.command("wait", "echo begun; exec sleep 1000");
    farm.command("go", "echo begun");
    let run = |name: &str, ways: &Ways, to_client| {
        let (client, serving) =
            farm.try_reach("ada@depot", "", ways, (Meddling::Nothing, to_client));
        let ended = client.unwrap().run(name, Vec::new(), |_, _| {});
        (ended, serving.join().unwrap())
    };
    let ways = Ways::default();
    run("go", &ways, Meddling::Nothing).0.unwrap();
    let packets = boundaries(&ways.to_client.lock().unwrap());
    let began = Instant::now();
    let (ended, served) = run("wait", &Ways::default(), Meddling::Cut(packets[1] + 5));
    assert!(ended.is_err() && served.is_err());
    assert!(began.elapsed() < LONG, "nobody waited for it");
}
