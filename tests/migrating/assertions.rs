// What a chat must do, whichever classes it is made of. `program` is the one that is looked at: `migrating.rs` takes this in twice.

use std::{
    cell::RefCell,
    fs,
    io::{Read, Seek, Write},
    net::TcpStream,
    os::unix::net::UnixListener,
    path::PathBuf,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use crate::support::*;

/// Nobody waits as long as that.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(
            "{}-{}-{number}",
            module_path!().replace("::", "-"),
            std::process::id()
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder for sockets");
        Self(path)
    }

    fn server(&self, idle: Duration) -> Rc<program::Server> {
        program::Server::start(&self.keeper(), &self.0.join("log"), idle).expect("loopback")
    }

    fn keeper(&self) -> PathBuf {
        self.0.join("keeper")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.0.join("log")).expect("the server has made it")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn two_guests_talk() {
    on_private_context(|context| {
        let folder = Folder::new();
        let server = folder.server(LONG);
        let port = server.port();
        block_on(context, async move {
            let mut ann = program::Client::connect_future(port)
                .await
                .expect("it listens");
            let mut bob = program::Client::connect_future(port)
                .await
                .expect("it listens");
            ann.say("SAY hello").await.expect("connected");
            assert_eq!(next(&mut ann).await, "ERR nick");
            ann.say("NICK ann").await.expect("connected");
            assert_eq!(next(&mut ann).await, "OK");
            bob.say("NICK ann").await.expect("connected");
            assert_eq!(next(&mut bob).await, "ERR taken");
            for line in ["NICK bob", "SAY one", "SAY two"] {
                bob.say(line).await.expect("connected");
            }
            assert_eq!(next(&mut bob).await, "OK");
            assert_eq!(next(&mut ann).await, "bob: one");
            assert_eq!(next(&mut ann).await, "bob: two");
            ann.say("QUIT").await.expect("connected");
            assert_eq!(next(&mut ann).await, "BYE");
            assert_eq!(ann.line_within(LONG).await.expect("no reset"), None);
        });
        server.stop();
    });
}

async fn next(client: &mut program::Client) -> String {
    let line = client.line_within(LONG).await;
    line.expect("no reset").expect("no end yet")
}

#[test]
fn a_line_that_comes_after_the_limit_is_not_lost() {
    on_private_context(|context| {
        let folder = Folder::new();
        let server = folder.server(LONG);
        let port = server.port();
        block_on(context, async move {
            let mut ann = program::Client::connect_future(port)
                .await
                .expect("it listens");
            for _ in 0..3 {
                let line = ann.line_within(SHORT).await;
                assert_fails(line, gio::IOErrorEnum::TimedOut);
            }
            ann.say("NICK ann").await.expect("connected");
            assert_eq!(next(&mut ann).await, "OK");
        });
        server.stop();
    });
}

#[test]
fn who_says_nothing_is_shown_out_and_the_log_tells_who_it_was() {
    on_private_context(|context| {
        let folder = Folder::new();
        let server = folder.server(Duration::from_millis(20));
        let port = server.port();
        let name = block_on(context, async move {
            let mut ann = program::Client::connect_future(port)
                .await
                .expect("it listens");
            assert_eq!(next(&mut ann).await, "TIMEOUT");
            assert_eq!(ann.line_within(LONG).await.expect("no reset"), None);
            ann.name().expect("connected")
        });
        assert_eq!(folder.log(), format!("{name} came\n{name} was idle\n"));
        server.stop();
    });
}

#[test]
fn a_blocking_guest_on_a_thread_asks_and_a_callback_guest_closes() {
    on_private_context(|context| {
        let folder = Folder::new();
        let server = folder.server(LONG);
        let port = server.port();
        let blocking = thread::spawn(move || {
            let ann = program::Client::connect(port)?;
            assert_eq!(ann.ask("NICK ann", LONG)?, "OK");
            // Nobody answers that.
            assert_fails(ann.ask("SAY hello", SHORT), gio::IOErrorEnum::TimedOut);
            ann.ask("DANCE", LONG)
        });
        iterate_until(context, || blocking.is_finished());
        let answers = blocking.join().expect("it does not panic");
        assert_eq!(answers, Ok("ERR what".to_owned()));

        let closed = Rc::new(RefCell::new(None));
        let slot = closed.clone();
        program::Client::connect_async(port, move |client| {
            let client = client.expect("it listens");
            assert_eq!(client.keepalive().expect("set"), [60, 10, 3]);
            client.close_async(move |result| *slot.borrow_mut() = Some(result));
        });
        iterate_until(context, || closed.borrow().is_some());
        assert_eq!(closed.take(), Some(Ok(())));
        iterate_until(context, || {
            folder
                .log()
                .lines()
                .filter(|line| line.ends_with(" left"))
                .count()
                == 2
        });
        server.stop();
    });
}

#[test]
fn the_keeper_gets_the_log_where_a_socket_was_left_behind() {
    on_private_context(|context| {
        let folder = Folder::new();
        drop(UnixListener::bind(folder.keeper()).expect("a path"));
        let server = folder.server(LONG);
        let guest = block_on(context, program::Client::connect_future(server.port()));
        let name = guest.expect("it listens").name().expect("connected");
        iterate_until(context, || folder.log().contains("left"));
        let path = folder.keeper();
        let keeper = thread::spawn(move || program::fetch_log(&path));
        iterate_until(context, || keeper.is_finished());
        let mut log = keeper
            .join()
            .expect("it does not panic")
            .expect("it was sent");
        let mut text = String::new();
        log.rewind().expect("a file");
        log.read_to_string(&mut text).expect("text");
        assert_eq!(text, format!("{name} came\n{name} left\n"));
        server.stop();
    });
}

#[test]
fn errors_are_told_apart() {
    on_private_context(|context| {
        let port = refused_address().port();
        let refused = block_on(context, program::Client::connect_future(port));
        let refused = refused.err().expect("nobody listens");
        assert_eq!(program::explain(&refused), "nobody is there");
        let folder = Folder::new();
        let missing = program::fetch_log(&folder.keeper()).expect_err("there is none");
        assert_eq!(program::explain(&missing), "there is no such socket");
    });
}

#[test]
fn a_guest_whose_connection_is_reset_is_told_from_one_who_leaves() {
    on_private_context(|context| {
        let folder = Folder::new();
        let server = folder.server(LONG);
        let port = server.port();
        let guest = thread::spawn(move || {
            let mut guest = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
            guest.write_all(b"NICK ann\n").expect("connected");
            guest.read_exact(&mut [0; 3]).expect("the server says OK");
            let name = guest.local_addr().expect("connected");
            reset(guest);
            name
        });
        iterate_until(context, || guest.is_finished());
        let name = guest.join().expect("it does not panic");
        let expected = format!("{name} came\n{name} the other side is gone\n");
        iterate_until(context, || folder.log().lines().count() == 2);
        assert_eq!(folder.log(), expected);
        server.stop();
    });
}
