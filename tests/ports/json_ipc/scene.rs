//! A folder, a server's methods, and peers that speak by hand.

use std::{
    cell::RefCell,
    fs::File,
    io::{BufRead, BufReader, Read, Seek, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    rc::Rc,
    thread,
    time::Duration,
};

use gio::prelude::*;
use serde_json::{Value, json};

use super::protocol::{Answer, Limits};
use crate::support::*;

/// A new folder, which goes with the value.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        let name = std::env::temp_dir().join("gsock-ipc-XXXXXX");
        let path = glib::mkdtemp(name).expect("a new folder");
        Self(path)
    }

    /// Of what is in it.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("a folder").flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a crash leaves behind. It has never listened, since a process that a test starts may have it for a moment.
pub(super) fn leave_stale(path: &Path) {
    let (family, kind) = (gio::SocketFamily::Unix, gio::SocketType::Stream);
    let socket = gio::Socket::new(family, kind, gio::SocketProtocol::Default).expect("a socket");
    let address = gio::UnixSocketAddress::new(path);
    socket.bind(&address, false).expect("a free path");
}

/// Nobody's, as most systems have it.
const OTHER: u32 = 65534;
/// The path that a process of another user is to connect to.
const STRANGER: &str = "GSOCK_TEST_STRANGER";

/// In a process that is to be another user's: connects, says what it is told, and answers that it has been that one.
pub(super) fn was_the_stranger() -> bool {
    let Some(path) = std::env::var_os(STRANGER) else {
        return false;
    };
    on_private_context(move |_| {
        let mut said = String::new();
        become_another();
        let end = connect(Path::new(&path)).read_to_string(&mut said);
        println!("heard {said:?} {:?}", end.map_err(|failure| failure.kind()));
    });
    true
}

#[allow(unsafe_code, reason = "a process changes its user")]
fn become_another() {
    // SAFETY: no pointers involved. The process does nothing else.
    assert_eq!(unsafe { libc::setuid(OTHER) }, 0);
}

/// What such a process hears, of a test that asks [`was_the_stranger`] first. Only root can start one.
pub(super) fn stranger(context: &glib::MainContext, path: PathBuf, test: &str) -> Option<String> {
    if gio::Credentials::new().unix_user() != Ok(0) {
        return None;
    }
    let mut command = std::process::Command::new(std::env::current_exe().expect("the test itself"));
    command.args(["--exact", test, "--nocapture"]);
    command.env(STRANGER, path);
    let output = by_hand(context, move || command.output().expect("it runs"));
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    let said = said.lines().find_map(|line| line.split_once("heard "));
    Some(said.expect("it has said so").1.to_owned())
}

/// Quick to connect anew.
pub(super) fn limits() -> Limits {
    Limits {
        first_delay: Duration::from_millis(5),
        longest_delay: Duration::from_millis(20),
        ..Limits::default()
    }
}

/// What the servers of these tests can do.
pub(super) fn handler(method: &str, params: &Value) -> Result<Answer, String> {
    match method {
        "echo" => Ok(params.clone().into()),
        "repeat" => Ok(json!("x".repeat(params.as_u64().unwrap_or(0) as usize)).into()),
        "file" => Ok(Answer {
            result: params.clone(),
            fd: Some(a_file(params.as_str().unwrap_or("")).into()),
        }),
        _ => Err(format!("no such method: {method}")),
    }
}

/// One without a name, with this in it.
fn a_file(text: &str) -> File {
    let folder = Folder::new();
    let file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(folder.at("file"));
    let mut file = file.expect("a new file");
    file.write_all(text.as_bytes()).expect("room");
    file.rewind().expect("a file");
    file
}

pub(super) fn text_of(answer: Answer) -> String {
    let mut text = String::new();
    File::from(answer.fd.expect("a descriptor"))
        .read_to_string(&mut text)
        .expect("text");
    text
}

/// Events as they come.
#[derive(Clone, Default)]
pub(super) struct Heard(Rc<RefCell<Vec<(String, Value)>>>);

impl Heard {
    pub(super) fn listener(&self) -> impl Fn(&str, &Value) + 'static {
        let heard = self.clone();
        move |name, data| heard.0.borrow_mut().push((name.to_owned(), data.clone()))
    }

    pub(super) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    pub(super) fn take(&self) -> Vec<(String, Value)> {
        self.0.take()
    }
}

/// A peer that speaks by hand on a thread, while this one's loop runs.
pub(super) fn by_hand<R: Send + 'static>(
    context: &glib::MainContext,
    peer: impl FnOnce() -> R + Send + 'static,
) -> R {
    let peer = thread::spawn(peer);
    iterate_until(context, || peer.is_finished());
    peer.join().expect("no panic")
}

/// One line each, until the end.
pub(super) fn lines_of(stream: UnixStream) -> Vec<Value> {
    BufReader::new(stream)
        .lines()
        .map(|line| serde_json::from_str(&line.expect("text")).expect("JSON"))
        .collect()
}

pub(super) fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("it listens");
    stream
        .set_read_timeout(Some(LIMIT * slowness()))
        .expect("an option");
    stream
        .set_write_timeout(Some(LIMIT * slowness()))
        .expect("an option");
    stream
}

pub(super) fn result(id: u64, result: &Value) -> Value {
    json!({"id": id, "result": result})
}

mod imp {
    use std::cell::Cell;

    use glib::{prelude::*, subclass::prelude::*};

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Label)]
    pub struct Label {
        #[property(get, set)]
        number: Cell<u64>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Label {
        const NAME: &'static str = "JsonIpcTestLabel";
        type Type = super::Label;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Label {}
}

glib::wrapper! {
    /// Somebody else's object, such as a widget.
    pub struct Label(ObjectSubclass<imp::Label>);
}

impl Default for Label {
    fn default() -> Self {
        glib::Object::new()
    }
}
