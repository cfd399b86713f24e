//! What users type: hosts, ports, URIs, and logins for proxies.

use std::net::{SocketAddr, TcpStream};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{SocketConnection, prelude::*};

use crate::{asked::check, cases::*, client_tools::*, oracle::Expected, proxies::*, support::*};

/// Proxies that agree with everything.
const PROXIES: [(&str, &[&[u8]]); 4] = [
    ("http://", &[b"HTTP/1.0 200 OK\r\n\r\n"]),
    ("socks5://", &[&[5, 0], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]]),
    ("socks4a://", &[&[0, 90, 0, 0, 0, 0, 0, 0]]),
    ("socks4://", &[&[0, 90, 0, 0, 0, 0, 0, 0]]),
];

/// Names, addresses, and what is neither.
fn texts() -> Vec<String> {
    let mut all: Vec<String> = [
        "far.test",
        "FAR.test",
        "far.test.",
        "",
        ".",
        "..",
        "a..b",
        "-",
        "_srv._tcp.test",
        "*.test",
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "300.1.1.1",
        "1.2.3.4.5",
        "::1",
        "[::1]",
        "[::1",
        "::1]",
        "1::2::3",
        "::ffff:127.0.0.1",
        "[far.test]",
        "[]",
        "[",
        "]",
        "fe80::1%lo",
        "fe80::1%25lo",
        "[fe80::1%lo]",
        "[fe80::1%25lo]",
        "fe80::1%99999999999",
        "fe80::1%",
        "[fe80::1%nowhere]",
        "fe80::1%lo\r\nX: y",
        "far.test:0",
        "far.test:1",
        "far.test:65535",
        "far.test:65536",
        "far.test:-1",
        "far.test:",
        "far.test:+1",
        "far.test:http",
        "far.test:99999999999999999999",
        "far.test: 1",
        "a:b:c",
        "[::1]:80",
        "[::1]:x",
        "[::1]80",
        "far%2etest",
        "far%00.test",
        "far%0d%0aX-Own:%20y",
        "far%0a.test",
        "far%20test",
        "%",
        "%%",
        "%z",
        "far%ff.test",
        "far.test\r\nX-Own: y",
        "far\ntest",
        "far\rtest",
        "far\ttest",
        "far test",
        " far.test",
        "far.test ",
        "far\u{0}.test",
        "\u{0}",
        "far\u{1}test",
        "far\u{7f}test",
        "\u{1b}[31m",
        "far.test HTTP/1.0\r\n\r\n",
        "user@far.test",
        "user:word@far.test",
        "far.test/x",
        "far.test?x",
        "far.test#x",
        "\\",
        "\"",
        "<far>",
        "xn--nxasmq6b.test",
        "xn--",
        "xn--\u{80}",
        "b\u{fc}cher.test",
        "\u{df}.test",
        "far\u{3002}test",
        "\u{202e}tset.raf",
        "\u{ffff}.test",
        "\u{1f600}.test",
        "\u{ad}\u{200d}",
        "\u{fc}\u{a0}.test",
        "\u{2028}.test",
        "%s%n",
        "$HOME",
        "localhost",
        "LOCALHOST.",
        "x.localhost",
    ]
    .map(str::to_owned)
    .to_vec();
    for length in [63, 64, 254, 255, 256, 257, 1000] {
        all.push("a".repeat(length));
        all.push("\u{fc}".repeat(length));
        all.push("a.".repeat(length / 2));
        all.push(format!("{}.{}", "\u{fc}".repeat(59), "b".repeat(length)));
    }
    all
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Host,
    Uri,
    Login,
    Name,
}

struct Typed {
    text: String,
    way: Way,
    scheme: &'static str,
    answers: &'static [&'static [u8]],
    form: Form,
}

/// Connects somewhere by way of a proxy of ours, and answers what that was asked.
fn ask(
    scheme: &str,
    answers: &[&[u8]],
    connecting: impl FnOnce(SocketAddr) -> Result<SocketConnection, glib::Error>,
) -> (Result<SocketConnection, glib::Error>, Vec<u8>) {
    let case = Case {
        label: String::new(),
        scheme: "",
        answers: answers.iter().map(|answer| answer.to_vec()).collect(),
        manner: Manner::Usual,
        going: Going::Ends,
        expected: Expected::Failure(&[]),
        form: Form::Blocking,
    };
    let (address, serving) = serving(&case);
    let made = connecting(address);
    // It is not kept, so that the proxy sees it go; and if nobody has come, here is somebody.
    let made = made.inspect(|made| {
        let _ = made.close(gio::Cancellable::NONE);
    });
    drop(TcpStream::connect(address));
    let asked = serving
        .join()
        .unwrap_or_else(|_| panic!("the proxy, {scheme}"));
    (made, asked)
}

/// All codes that there may be for a name.
fn is_expected(failure: &glib::Error) -> bool {
    let codes = [
        E::InvalidArgument,
        E::ProxyFailed,
        E::NotSupported,
        E::HostNotFound,
        E::Failed,
    ];
    failure.is::<gio::ResolverError>()
        || failure
            .kind::<E>()
            .is_some_and(|code| codes.contains(&code))
}

fn typed(case: &Typed, context: &glib::MainContext) -> Verdict {
    let text = &case.text;
    let (made, asked) = ask(case.scheme, case.answers, |address| {
        let client = through(&format!("{}{address}", case.scheme));
        let uri = match case.way {
            Way::Host => {
                return match case.form {
                    Form::Future => block_on(context, client.connect_to_host_future(text, 70)),
                    _ => client.connect_to_host(text, 70, gio::Cancellable::NONE),
                };
            }
            Way::Name => {
                let name = gio::NetworkAddress::new(text, 70);
                return connect(case.form, &client, &name, None, context);
            }
            Way::Uri => format!("some://{text}/"),
            Way::Login => format!("some://me:hush@{text}:70/x"),
        };
        match case.form {
            Form::Future => block_on(context, client.connect_to_uri_future(&uri, 70)),
            _ => client.connect_to_uri(&uri, 70, gio::Cancellable::NONE),
        }
    });
    check(case.scheme, &asked, made.is_ok()).map_err(|wrong| wrong.to_string())?;
    if asked.windows(6).any(|six| six == b"(null)") {
        return Err("the name is (null)".to_owned());
    }
    let Err(failure) = made else {
        return Ok(());
    };
    if matches!(case.way, Way::Login)
        && failure.message().contains("hush")
        && !text.contains("hush")
    {
        return Err(format!("it says the login: {failure}"));
    }
    // Of the two addresses of that one the second finds a proxy that is gone.
    let is_tried_twice = text.to_lowercase().contains("localhost") && case.scheme == "socks4://";
    if is_expected(&failure) || is_tried_twice {
        Ok(())
    } else {
        Err(format!("{failure:?}"))
    }
}

#[test]
fn whatever_is_typed_no_proxy_is_asked_for_more_than_a_name() {
    on_private_context_within(LIMIT * 8, |_| {
        use_resolver_of_names();
        let mut cases = Vec::new();
        for text in texts() {
            for way in [Way::Host, Way::Uri, Way::Login, Way::Name] {
                // gio-rs panics by itself.
                if matches!(way, Way::Name) && text.contains('\0') {
                    continue;
                }
                for (scheme, answers) in PROXIES {
                    cases.push(Typed {
                        text: text.clone(),
                        way,
                        scheme,
                        answers,
                        form: FORMS[cases.len() % FORMS.len()],
                    });
                }
            }
        }
        let label = |case: &Typed| {
            format!(
                "{:?} {:?} by {} {:?}",
                case.way, case.text, case.scheme, case.form
            )
        };
        judge("what users type, by way of proxies", &cases, label, typed);
    });
}

/// The right request, if there can be one.
fn socks4a_request(user: &str, host: &str) -> Vec<u8> {
    let head = [4, 1, 0, 70, 0, 0, 0, 1];
    [&head[..], user.as_bytes(), b"\0", host.as_bytes(), b"\0"].concat()
}

/// Bugs 1 and 2: the lengths at which a byte no longer tells them, and those around.
#[test]
fn logins_and_names_of_any_length_are_told_whole_or_not_at_all() {
    on_private_context_within(LIMIT * 8, |_| {
        let lengths = [
            0, 1, 2, 63, 64, 127, 128, 253, 254, 255, 256, 257, 511, 512, 1000,
        ];
        let mut cases = Vec::new();
        for scheme in ["socks4a", "socks5", "http"] {
            for user in lengths {
                for host in lengths.into_iter().filter(|host| *host > 0) {
                    cases.push((scheme, user, host));
                }
            }
        }
        let label =
            |&(scheme, user, host): &(&str, usize, usize)| format!("{scheme}, {user} and {host}");
        judge(
            "logins and names by their length",
            &cases,
            label,
            |case, context| {
                let (scheme, user, host) = *case;
                // Of names with dots: one without may have 63 bytes.
                let (user, host) = (
                    "u".repeat(user),
                    "h.".repeat(host).split_at(host).0.to_owned(),
                );
                let answers: &[&[u8]] = match (scheme, user.is_empty()) {
                    ("http", _) => PROXIES[0].1,
                    ("socks4a", _) => PROXIES[2].1,
                    (_, true) => PROXIES[1].1,
                    (_, false) => &[&[5, 2], &[1, 0], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]],
                };
                let form = FORMS[(user.len() + host.len()) % FORMS.len()];
                let name = gio::NetworkAddress::new(&host, 70);
                let (made, asked) = ask(scheme, answers, |address| {
                    let login = if user.is_empty() {
                        String::new()
                    } else {
                        format!("{user}:{user}@")
                    };
                    let client = through(&format!("{scheme}://{login}{address}"));
                    connect(form, &client, &name, None, context)
                });
                check(scheme, &asked, made.is_ok()).map_err(|wrong| wrong.to_string())?;
                let must_be_made = user.len() <= 255 && host.len() <= 253;
                match (made, scheme) {
                    (Ok(_), "socks4a") if asked != socks4a_request(&user, &host) => {
                        Err(format!("asked {asked:?}"))
                    }
                    (Ok(_), "socks5") if user.len() > 255 || host.len() > 255 => {
                        Err("it was cut".to_owned())
                    }
                    (Ok(_), _) => Ok(()),
                    (Err(failure), _) if must_be_made => Err(format!("{failure:?}")),
                    (Err(failure), _) if !is_expected(&failure) => Err(format!("{failure:?}")),
                    (Err(_), _) => Ok(()),
                }
            },
        );
    });
}
