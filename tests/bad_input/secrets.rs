//! Logins of proxies: in no message, no `Debug`, no log.

use std::process::Command;

use gio::prelude::*;
use gsock::prelude::*;

use crate::{
    cases::tell,
    client_tools::{FORMS, connect, use_resolver_of_names},
    oracle::Expected,
    own_proxies::Naming,
    proxies::*,
    support::*,
};

/// Nothing else has it in it.
const SECRET: &str = "hush0hush";
const USER: &str = "mum0mum";

fn tells(text: &str) -> bool {
    text.contains(SECRET) || text.contains(USER)
}

/// URIs of proxies that lead nowhere; `@` stands for the login.
fn uris() -> Vec<String> {
    let mut all = Vec::new();
    let dead = refused_address();
    for scheme in [
        "http",
        "https",
        "socks4",
        "socks4a",
        "socks5",
        "socks",
        "unheard-of",
        "direct-not",
    ] {
        for rest in [
            dead.to_string(),
            "no.such.host.test:1".to_owned(),
            "[bad".to_owned(),
            "h:99999".to_owned(),
            String::new(),
            ":1".to_owned(),
            "h h:1".to_owned(),
            "%zz:1".to_owned(),
            format!("x@{dead}"),
            format!("[::1%25nowhere]:{}", dead.port()),
            format!("{}:1", "l".repeat(64)),
        ] {
            all.push(format!("{scheme}://{USER}:{SECRET}@{rest}"));
            all.push(format!("{scheme}://{USER}:{SECRET}%40{SECRET}@{rest}"));
            // A password with an at sign, as people write it.
            all.push(format!("{scheme}://{USER}:some@{SECRET}@{rest}"));
        }
    }
    all
}

/// Each line that tells something, of everything that can be printed.
fn told(context: &glib::MainContext) -> (usize, Vec<String>) {
    use_resolver_of_names();
    let (mut tried, mut wrong) = (0, Vec::new());
    let mut look = |what: &str, text: String| {
        tried += 1;
        if tells(&text) {
            wrong.push(format!(
                "{what}: {}",
                text.replace(SECRET, "SECRET").replace(USER, "USER")
            ));
        }
    };
    for (at, uri) in uris().into_iter().enumerate() {
        let client = gsock::SocketClient::new();
        let resolver = Naming::new(std::slice::from_ref(&uri));
        client.set_proxy_resolver(Some(&resolver));
        client.set_connect_timeout(std::time::Duration::from_secs(8));
        let what = uri.replace(SECRET, "SECRET").replace(USER, "USER");
        let made = connect(
            FORMS[at % FORMS.len()],
            &client,
            &far("http://"),
            None,
            context,
        );
        match made {
            Ok(made) => look(&what, format!("it is connected: {made:?} {SECRET}")),
            Err(failure) => look(&what, format!("{failure} {failure:?}")),
        }
        let host = far("http://");
        let (failure, report) = block_on(context, client.connect_with_report(&host)).unwrap_err();
        look(
            &what,
            format!("{failure} {failure:?} {report:?} {client:?} {resolver:?}"),
        );
    }
    let refusing: [(&str, &[&[u8]]); 6] = [
        ("http://", &[b"HTTP/1.0 407 Who\r\n\r\n"]),
        ("http://", &[b"HTTP/1.0 200 OK\r\n\r\n"]),
        ("socks5://", &[&[5, 2], &[1, 1]]),
        (
            "socks5://",
            &[&[5, 2], &[1, 0], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]],
        ),
        ("socks4a://", &[&[0, 91, 0, 0, 0, 0, 0, 0]]),
        ("socks4a://", &[&[0, 90, 0, 0, 0, 0, 0, 0]]),
    ];
    for (scheme, answers) in refusing {
        for form in FORMS {
            let case = Case {
                label: String::new(),
                scheme: "",
                answers: answers.iter().map(|answer| answer.to_vec()).collect(),
                manner: Manner::Usual,
                going: Going::Ends,
                expected: Expected::Failure(&[]),
                form,
            };
            let (address, serving) = serving(&case);
            let uri = format!("{scheme}{USER}:{SECRET}@{address}");
            let client = through(&uri);
            match connect(form, &client, &far("http://"), None, context) {
                Ok(made) => {
                    let remote = made.remote_address();
                    let report = made.connect_report();
                    look(scheme, format!("{made:?} {remote:?} {report:?} {client:?}"));
                    let said = remote.ok().map(|remote| {
                        let text: glib::GString = SocketConnectableExt::to_string(&remote);
                        text.to_string()
                    });
                    look(scheme, format!("{said:?}"));
                }
                Err(failure) => look(scheme, format!("{failure} {failure:?} {client:?}")),
            }
            drop(client);
            assert!(serving.join().is_ok());
        }
    }
    (tried, wrong)
}

#[test]
fn nothing_that_is_printed_tells_the_login_of_a_proxy() {
    on_private_context_within(LIMIT * 8, |context| {
        let (tried, wrong) = told(context);
        tell("messages and Debug of what has a login", tried, &wrong);
    });
}

/// The same in a process that logs all there is.
#[test]
fn no_log_tells_the_login_of_a_proxy() {
    const IS_CHILD: &str = "GSOCK_TEST_LOGS_ALL";
    if std::env::var_os(IS_CHILD).is_some() {
        on_private_context_within(LIMIT * 8, told);
        return;
    }
    on_private_context_within(LIMIT * 8, |_| {
        let said = Command::new(std::env::current_exe().expect("this one"))
            .args([
                "--exact",
                "secrets::no_log_tells_the_login_of_a_proxy",
                "--nocapture",
            ])
            .env(IS_CHILD, "1")
            .env("G_MESSAGES_DEBUG", "all")
            .output()
            .expect("it runs");
        let text = [said.stdout, said.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(said.status.success(), "{text}");
        let lines: Vec<String> = text
            .lines()
            .filter(|line| tells(line))
            .map(|line| line.replace(SECRET, "SECRET").replace(USER, "USER"))
            .collect();
        assert!(
            text.lines().any(|line| line.contains("-DEBUG")),
            "nothing is logged: {text}"
        );
        tell("what is logged of a login", uris().len(), &lines);
    });
}
