//! A proxy that says what a case has it say, and what must come of it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{SocketClient, SocketConnection, prelude::*};

use crate::{
    cases::{Verdict, judge},
    client_tools::*,
    oracle::*,
    support::*,
};

/// How a proxy goes once it has said all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Going {
    /// An end of file, and it reads on.
    Ends,
    Resets,
}

/// How its words come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Usual,
    /// Each byte by itself.
    Dripping,
    /// All of them before anybody has asked.
    Early,
}

/// Answers to what a client asks for, in turn; `None` where it goes instead.
pub(crate) type Answers = Vec<Vec<u8>>;

/// What is said behind the last answer, from where the client has wanted to go.
pub(crate) const FAR: &[u8] = b"far away";

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) label: String,
    /// `socks5://me:secret@`
    pub(crate) scheme: &'static str,
    pub(crate) answers: Answers,
    pub(crate) manner: Manner,
    pub(crate) going: Going,
    pub(crate) expected: Expected,
    pub(crate) form: Form,
}

/// Answers one client, and ends when that has gone: its descriptor is closed then.
pub(crate) fn serve(
    mut peer: TcpStream,
    answers: &Answers,
    manner: Manner,
    going: Going,
) -> Vec<u8> {
    let _ = peer.set_nodelay(true);
    let limit = Some(LIMIT * slowness());
    peer.set_read_timeout(limit).expect("an option");
    let mut asked = Vec::new();
    let mut buffer = [0; 4096];
    for answer in answers {
        if manner != Manner::Early {
            match peer.read(&mut buffer) {
                Ok(0) | Err(_) => return asked,
                Ok(count) => asked.extend_from_slice(&buffer[..count]),
            }
        }
        let pieces = if manner == Manner::Dripping {
            1
        } else {
            answer.len().max(1)
        };
        for piece in answer.chunks(pieces) {
            if peer.write_all(piece).is_err() {
                return asked;
            }
        }
    }
    match going {
        Going::Resets => reset(peer),
        Going::Ends => {
            let _ = peer.shutdown(std::net::Shutdown::Write);
            let _ = peer.read_to_end(&mut asked);
        }
    }
    asked
}

pub(crate) fn serving(case: &Case) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let (listener, address) = listener_of_our_own();
    let (answers, manner, going) = (case.answers.clone(), case.manner, case.going);
    let serving = thread::spawn(move || {
        let (peer, _) = listener.accept().expect("it listens");
        serve(peer, &answers, manner, going)
    });
    (address, serving)
}

pub(crate) fn through(uri: &str) -> SocketClient {
    let client = SocketClient::new();
    let none: [&str; 0] = [];
    client.set_proxy_resolver(Some(&gio::SimpleProxyResolver::new(Some(uri), none)));
    client.set_connect_timeout(Duration::from_secs(8) * slowness());
    client
}

/// Somewhere that nobody is asked for: the proxy would be.
pub(crate) fn far(scheme: &str) -> gio::NetworkAddress {
    // SOCKS 4 has to know the address.
    let is_address = scheme.starts_with("socks4:");
    gio::NetworkAddress::new(if is_address { "127.0.0.1" } else { "far.test" }, 70)
}

pub(crate) fn all_of(made: &SocketConnection) -> Result<Vec<u8>, glib::Error> {
    let mut bytes = [0; 4096];
    let input = made.input_stream();
    let (count, failure) = input.read_all(&mut bytes, Cancellable::NONE)?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(bytes[..count].to_vec()),
    }
}

/// Connects, and looks what has come of it.
pub(crate) fn one(case: &Case, context: &glib::MainContext) -> Verdict {
    let (address, serving) = serving(case);
    let client = through(&format!("{}{address}", case.scheme));
    let gone = Gone::of(&client);
    let seen = events(&client);
    let made = connect(case.form, &client, &far(case.scheme), None, context);
    let found = match &made {
        Ok(made) => format!("{:?}", all_of(made).map(Expected::Connection)),
        Err(failure) => format!("{:?}", failure.kind::<E>()),
    };
    let (right, letters) = match (&made, &case.expected) {
        (Ok(_), expected) => {
            let wanted = format!("{:?}", Ok::<_, glib::Error>(expected));
            (found == wanted, "RrCcPpK")
        }
        (Err(failure), Expected::Failure(codes)) => {
            let code = failure.kind::<E>();
            (code.is_some_and(|code| codes.contains(&code)), "RrCcP0")
        }
        (Err(_), _) => (false, "RrCcP0"),
    };
    let seen = seen.take();
    let left = made.as_ref().ok().map(Gone::of);
    drop((made, client));
    // A thread of GIO's lets go a moment later.
    iterate_until(context, || {
        serving.is_finished() && gone.is_gone() && left.as_ref().is_none_or(|left| left.is_gone())
    });
    if serving.join().is_err() {
        return Err("the proxy has failed".to_owned());
    }
    if !right {
        return Err(format!("{found} instead of {:?}", case.expected));
    }
    if seen != letters {
        return Err(format!("the events {seen}"));
    }
    Ok(())
}

// --- Tables ------------------------------------------------------------------------------------------

pub(crate) fn add(
    cases: &mut Vec<Case>,
    label: String,
    scheme: &'static str,
    answers: Answers,
    expected: Expected,
) {
    let form = FORMS[cases.len() % FORMS.len()];
    cases.push(Case {
        label,
        scheme,
        answers,
        manner: Manner::Usual,
        going: Going::Ends,
        expected,
        form,
    });
}

pub(crate) fn with_far(answer: &[u8]) -> Vec<u8> {
    [answer, FAR].concat()
}

pub(crate) fn judge_all(what: &str, cases: &[Case]) {
    judge(
        what,
        cases,
        |case| format!("{} {:?}", case.label, case.form),
        one,
    );
}

/// An answer cut short after each of its bytes, by an end of file and by a reset; `before` came in full.
pub(crate) fn add_cuts(
    cases: &mut Vec<Case>,
    label: &str,
    scheme: &'static str,
    before: &[&[u8]],
    answer: &[u8],
) {
    for length in 0..answer.len() {
        for going in [Going::Ends, Going::Resets] {
            let mut answers: Answers = before.iter().map(|answer| answer.to_vec()).collect();
            answers.push(answer[..length].to_vec());
            add(
                cases,
                format!("{label}, {length} bytes and {going:?}"),
                scheme,
                answers,
                GONE,
            );
            cases.last_mut().expect("just added").going = going;
        }
    }
}

/// The right answers, in every manner.
pub(crate) fn add_manners(
    cases: &mut Vec<Case>,
    label: &str,
    scheme: &'static str,
    answers: &[&[u8]],
) {
    for manner in [Manner::Usual, Manner::Dripping, Manner::Early] {
        for form in FORMS {
            let mut answers: Answers = answers.iter().map(|answer| answer.to_vec()).collect();
            answers.last_mut().expect("one at least").extend(FAR);
            let label = format!("{label}, {manner:?}");
            add(
                cases,
                label,
                scheme,
                answers,
                Expected::Connection(FAR.to_vec()),
            );
            let case = cases.last_mut().expect("just added");
            (case.manner, case.form) = (manner, form);
        }
    }
}
