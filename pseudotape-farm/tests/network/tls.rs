//! A farm over TLS: who comes in, who does not and hears why, and what one session does to the others.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use crate::common::{Authority, LONG, Of, Place, Server, tree, until};
use pseudotape_farm::{Existing, Extracted};
use pseudotape_farm_net::{Error, How, Refusal, TlsFiles, TlsHost};

fn refused(error: Error) -> (Refusal, String) {
    match error {
        Error::Refused { refusal, text } => (refusal, text),
        error => panic!("{error}"),
    }
}

fn untrusted(server: &Server, files: &TlsFiles) -> String {
    match server.refuses(files) {
        Error::Untrusted { why, .. } => why,
        error => panic!("{error}"),
    }
}

/// CW-06 over TLS: a client is who its certificate names. CW-46: nobody comes in who is not on the list. CW-47: the
/// list counts from the next connection on.
#[test]
fn files_go_to_another_host_and_come_back() {
    let place = Place::new();
    place.issue("bob", Of::Mail("bob@depot"));
    let server = place.serve(&[]);
    let (refusal, text) = refused(server.refuses(&place.files("ada")));
    assert_eq!(refusal, Refusal::Access);
    assert!(
        text.starts_with("ada@depot may not use this farm"),
        "{text}"
    );
    place.let_in("ada@depot");
    let client = server.reach(&place.files("ada")).unwrap();
    assert_eq!(client.greeting().person, "ada@depot");
    let mut told = 0;
    let order = place.order("V", How::Copy);
    client.add(order, &mut |_| told += 1).unwrap();
    assert_eq!((told, place.check("V")), (2, 2));
    let mut client = server.reach(&place.files("ada")).unwrap();
    let volume = "V".parse().unwrap();
    let entries = client.files(&volume, &[]).unwrap();
    let out = place.path("out");
    fs::create_dir(&out).unwrap();
    let mut tell = |_: &_, done| assert!(matches!(done, Extracted::Done(_)), "{done:?}");
    client
        .extract(&volume, &entries, &out, Existing::Kept, &mut tell)
        .unwrap();
    let back = out.join(place.path("tree").strip_prefix("/").unwrap());
    assert_eq!(tree(&place.path("tree")), tree(&back));
    // By the address that counts before the name.
    let (_, text) = refused(server.refuses(&place.files("bob")));
    assert!(text.starts_with("bob@depot may not"), "{text}");
}

/// CW-67: each fault has words of its own, that say what to do.
#[test]
fn whoever_is_not_let_in_hears_why() {
    let place = Place::new();
    place.let_in("any@any");
    let server = place.serve(&[]);
    let other = Authority::new("Another authority");
    place.issue_by(
        &Authority::new("An authority"),
        "twin",
        Of::Client("ada@depot"),
    );
    place.issue_by(&other, "stranger", Of::Client("ada@depot"));
    place.issue("former", Of::Former("ada@depot"));
    place.issue("nobody", Of::Client("Ada Lovelace"));
    place.issue("everybody", Of::Client("any@depot"));
    for (name, words) in [
        (
            "stranger",
            "the server's --client-ca does not have its authority",
        ),
        (
            "twin",
            "its authority is not the one of that name in the server's --client-ca",
        ),
        ("former", "it has expired, or is not valid yet"),
        // A server's certificate is none of a client.
        ("host", "clientAuth"),
    ] {
        let why = untrusted(&server, &place.files(name));
        assert!(why.contains(words), "{name}: {why}");
        assert!(why.contains(&format!("{name}.pem")), "{name}: {why}");
    }
    let (_, text) = refused(server.refuses(&place.files("nobody")));
    let words = "names 'Ada Lovelace', which is no USER@HOST; one that does has an e-mail address";
    assert!(text.contains(words), "{text}");
    let (_, text) = refused(server.refuses(&place.files("everybody")));
    assert!(text.contains("'any' stands for everybody"), "{text}");

    // The host is not the one that is meant.
    place.issue_by(&other, "other", Of::Host);
    let mut files = place.files("ada");
    files.authority = place.path("other.pem");
    let why = untrusted(&server, &files);
    let words = format!(
        "none of the authorities in {} signed it",
        files.authority.display()
    );
    assert!(why.contains(&words), "{why}");
    place.issue("host", Of::FormerHost);
    let why = untrusted(&server, &place.files("ada"));
    assert!(
        why.contains("its certificate is refused: it expired"),
        "{why}"
    );
    assert!(why.contains("days ago: renew it there"), "{why}");
    place.issue("host", Of::OtherHost("far.example"));
    let why = untrusted(&server, &place.files("ada"));
    let words = "it is for far.example, and not for 127.0.0.1";
    assert!(why.contains(words), "{why}");
    // A certificate that is renewed counts for the next one.
    place.issue("host", Of::Host);
    server.reach(&place.files("ada")).unwrap();
}

/// CW-60: where no service runs, the client says so.
#[test]
fn a_service_that_does_not_run_is_named() {
    let place = Place::new();
    let server = place.serve(&[]);
    let host = server.host();
    drop(server);
    let reach = |host: &TlsHost| {
        let reached = pseudotape_farm_net::Client::over_tls(host, &place.files("ada"), |_| {});
        match reached.err().unwrap() {
            Error::Unreachable { why, .. } => why,
            error => panic!("{error}"),
        }
    };
    let words = format!(
        "no service is running at 127.0.0.1:{}: start it there",
        host.port
    );
    let why = reach(&host);
    assert!(why.contains(&words), "{why}");
    let host = TlsHost {
        host: "no-such-host.invalid".into(),
        ..host
    };
    let why = reach(&host);
    assert!(
        why.contains("no address is known of host 'no-such-host.invalid'"),
        "{why}"
    );
}

/// Files that can't be used are named before anybody listens.
#[test]
fn a_key_that_others_read_is_not_taken() {
    let place = Place::new();
    let serve = |key: &str, cert: &str| {
        let words = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--cert",
            cert,
            "--key",
            key,
            "--client-ca",
            "ca.pem",
            "--root",
            "farm",
        ];
        let output = place.run(&words);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let text = serve("ada.key", "host.pem");
    assert!(
        text.contains("ada.key: it is not the key of the certificate host.pem"),
        "{text}"
    );
    let text = serve("host.key", "host.key");
    assert!(
        text.contains("host.key: there is no certificate in it"),
        "{text}"
    );
    let text = serve("none.key", "host.pem");
    assert!(text.contains("none.key: No such file"), "{text}");
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(place.path("host.key"), open.clone()).unwrap();
    let text = serve("host.key", "host.pem");
    let words = "host.key: others may use this key (its mode is 0644): 'chmod 600' closes it";
    assert!(text.contains(words), "{text}");
    // The client's too.
    place.issue("host", Of::Host);
    let server = place.serve(&[]);
    fs::set_permissions(place.path("ada.key"), open).unwrap();
    let why = untrusted(&server, &place.files("ada"));
    assert!(why.contains("ada.key: others may use this key"), "{why}");
}

/// What an earlier version of TLS begins with. The library that the programs use has none to ask it for.
fn hello_of_tls_1_2() -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    // No session, one cipher, no compression; the curve and the signature that every server has.
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let extensions = [&[0, 10, 0, 4, 0, 2, 0, 23][..], &[0, 13, 0, 4, 0, 2, 4, 3]].concat();
    hello.extend([0, u8::try_from(extensions.len()).unwrap()]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat()
}

/// Whatever comes to the port, the service goes on, and the log says what it was.
#[test]
fn what_speaks_no_tls_1_3_is_refused() {
    let place = Place::new();
    place.let_in("ada@depot");
    let mut server = place.serve(&[]);
    let http = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    for (bytes, words) in [
        (hello_of_tls_1_2(), "it speaks no TLS 1.3"),
        (http, "it speaks no TLS"),
        (Vec::new(), "the other side hung up"),
    ] {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        socket.write_all(&bytes).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.read_to_end(&mut answer).unwrap();
        // An alert, and no more.
        assert!(
            answer.len() <= 7 && answer.first().is_none_or(|byte| *byte == 21),
            "{answer:?}"
        );
        server.hears(words);
    }
    server.reach(&place.files("ada")).unwrap();
}

/// A server takes so many sessions and no more, and those that are under way do not suffer.
#[test]
fn sessions_are_limited() {
    let place = Place::new();
    place.let_in("ada@depot");
    let mut server = place.serve(&["--sessions", "1"]);
    let mut first = server.reach(&place.files("ada")).unwrap();
    let error = server.refuses(&place.files("ada"));
    let words = "it may have as many sessions as it takes (--sessions)";
    assert!(error.to_string().contains(words), "{error}");
    server.hears("hung up, since 1 sessions are under way");
    assert!(first.volumes().unwrap().is_empty());
    drop(first);
    // Its process needs a moment to end.
    until(|| server.reach(&place.files("ada")).is_ok());
}
