// Included once for each pair, which is `Server` and `Client`.

use std::{
    fs::Permissions,
    io::{BufRead, BufReader, Write},
    cell::Cell,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    rc::Rc,
    thread,
};

use ::gio::{IOErrorEnum as E, prelude::*};
use futures::future::{join, join_all};
use serde_json::{Value, json};

use super::{protocol::Limits, scene::*};
use crate::support::*;

#[test]
fn calls_are_answered_in_their_order_and_what_is_wrong_is_told() {
    on_private_context(|context| {
        let folder = Folder::new();
        let _server = Server::listen(&folder.at("socket"), limits(), handler).expect("a free path");
        let client = Client::new(&folder.at("socket"), limits(), |_, _| {});
        let calls = (0..100).map(|number| client.call("echo", &json!({"number": number})));
        let wrong = client.call("sing", &Value::Null);
        let (answers, wrong) = block_on(context, join(join_all(calls), wrong));
        assert_eq!(answers.len(), 100);
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.expect("an answer").result, json!({"number": number}));
        }
        let wrong = wrong.expect_err("no such method");
        assert_eq!(wrong.message(), "no such method: sing");
    });
}

#[test]
fn events_reach_every_client_in_their_order() {
    on_private_context(|context| {
        let folder = Folder::new();
        let server = Server::listen(&folder.at("socket"), limits(), handler).expect("a free path");
        let heard = [Heard::default(), Heard::default()];
        let _clients = heard
            .each_ref()
            .map(|heard| Client::new(&folder.at("socket"), limits(), heard.listener()));
        iterate_until(context, || server.clients() == 2);
        for number in 0..50 {
            server.broadcast("title", &number.into());
        }
        let expected: Vec<_> = (0..50)
            .map(|number| ("title".to_owned(), json!(number)))
            .collect();
        for heard in heard {
            iterate_until(context, || heard.count() == 50);
            assert_eq!(heard.take(), expected);
        }
    });
}

#[test]
fn a_descriptor_comes_with_its_answer_whatever_goes_by_beside_it() {
    on_private_context(|context| {
        let folder = Folder::new();
        let server = Server::listen(&folder.at("socket"), limits(), handler).expect("a free path");
        let heard = Heard::default();
        let client = Client::new(&folder.at("socket"), limits(), heard.listener());
        iterate_until(context, || server.clients() == 1);
        let calls: Vec<_> = ["one", "two", "three"]
            .map(|text| {
                server.broadcast("before", &text.into());
                (
                    text,
                    client.call("file", &text.into()),
                    client.call("echo", &text.into()),
                )
            })
            .into();
        server.broadcast("after", &Value::Null);
        for (text, file, echo) in calls {
            let (file, echo) = block_on(context, join(file, echo));
            assert_eq!(text_of(file.expect("an answer")), text);
            assert_eq!(echo.expect("an answer").result, text);
        }
        iterate_until(context, || heard.count() == 4);
    });
}

#[test]
fn a_client_that_says_no_more_still_gets_its_answers() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let server = Server::listen(&path, limits(), handler).expect("a free path");
        let lines = by_hand(context, move || {
            let mut stream = connect(&path);
            let ask = br#"{"id":1,"method":"echo","params":[1,"two"]}"#;
            stream.write_all(&[&ask[..], b"\n"].concat()).expect("room");
            stream
                .shutdown(std::net::Shutdown::Write)
                .expect("connected");
            lines_of(stream)
        });
        assert_eq!(lines, [result(1, &json!([1, "two"]))]);
        iterate_until(context, || server.clients() == 0);
        assert!(server.last_error().is_none());
    });
}

#[test]
fn lines_that_are_too_long_or_no_requests_are_told_and_the_next_one_is_answered() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let _server = Server::listen(&path, limits(), handler).expect("a free path");
        let lines = by_hand(context, move || {
            let mut stream = connect(&path);
            let mut said = vec![b' '; limits().max_line + 1];
            said.extend_from_slice(b"\nno JSON\n[1,2]\n{\"id\":7,\"method\":\"echo\"}\n");
            stream.write_all(&said).expect("it reads");
            stream
                .shutdown(std::net::Shutdown::Write)
                .expect("connected");
            lines_of(stream)
        });
        assert_eq!(lines.len(), 4, "{lines:?}");
        for wrong in &lines[..3] {
            assert!(
                wrong["id"].is_null() && wrong["error"].is_string(),
                "{wrong}"
            );
        }
        assert_eq!(lines[3], result(7, &Value::Null));
    });
}

#[test]
fn what_is_too_long_to_send_is_refused_and_no_other_line_is_the_worse_for_it() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let server = Server::listen(&path, limits(), handler).expect("a free path");
        let heard = Heard::default();
        let client = Client::new(&path, limits(), heard.listener());
        let long = json!("x".repeat(limits().max_line));
        let too_long = client.call("echo", &long);
        assert_fails(block_on(context, too_long), E::MessageTooLarge);
        let answer = block_on(context, client.call("repeat", &limits().max_line.into()));
        assert_eq!(
            answer.expect_err("too long").message(),
            "the answer is too long"
        );
        server.broadcast("long", &long);
        server.broadcast("short", &1.into());
        iterate_until(context, || heard.count() == 2);
        let lost = ("lost".to_owned(), json!(1));
        assert_eq!(heard.take(), [lost, ("short".to_owned(), json!(1))]);
    });
}

#[test]
fn the_end_inside_a_line_is_an_error_on_both_sides() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let server = Server::listen(&path, limits(), handler).expect("a free path");
        by_hand(context, move || {
            connect(&path).write_all(br#"{"id":1"#).expect("room")
        });
        iterate_until(context, || server.last_error().is_some());
        assert_eq!(code(&server.last_error().expect("seen")), E::PartialInput);
        assert_eq!(server.clients(), 0);

        let path = folder.at("other");
        let other = UnixListener::bind(&path).expect("a free path");
        let one_attempt = Limits {
            first_delay: LIMIT,
            longest_delay: LIMIT,
            ..limits()
        };
        let client = Client::new(&path, one_attempt, |_, _| {});
        by_hand(context, move || {
            let (mut stream, _) = other.accept().expect("the client");
            stream.write_all(br#"{"event":"ti"#).expect("room");
        });
        iterate_until(context, || client.last_error().is_some());
        assert_eq!(code(&client.last_error().expect("seen")), E::PartialInput);
    });
}

#[test]
fn a_client_that_does_not_read_loses_events_is_told_how_many_and_holds_nobody_up() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let server = Server::listen(&path, limits(), handler).expect("a free path");
        let lazy = connect(&path);
        let heard = Heard::default();
        let _client = Client::new(&path, limits(), heard.listener());
        iterate_until(context, || server.clients() == 2);
        let text = json!("x".repeat(1000));
        // More than the kernel and the queue hold together.
        let count = 800;
        for number in 0..count {
            server.broadcast("text", &text);
            assert!(server.pending_bytes() <= 2 * limits().max_pending as u64);
            iterate_until(context, || heard.count() == number + 1);
        }
        assert!(server.pending_bytes() <= limits().max_pending as u64);

        // Each event it has, or it knows that it has not.
        let lines = by_hand(context, move || {
            let mut accounted = 0;
            let mut told = 0;
            let lines = BufReader::new(lazy).lines();
            for line in lines {
                let line: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
                match line["event"].as_str() {
                    Some("text") => accounted += 1,
                    _ => {
                        let lost = line["data"].as_u64().expect("a number") as usize;
                        accounted += lost;
                        told += lost;
                    }
                }
                if accounted >= count {
                    break;
                }
            }
            (accounted, told)
        });
        assert_eq!(lines.0, count);
        assert!(lines.1 > 0);
        iterate_until(context, || server.clients() == 1);
    });
}

#[test]
fn a_client_that_asks_and_does_not_read_loses_the_connection() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let server = Server::listen(&path, limits(), handler).expect("a free path");
        let stream = by_hand(context, move || {
            let mut stream = connect(&path);
            let ask = br#"{"id":1,"method":"repeat","params":1000}"#;
            let ask = [&ask[..], b"\n"].concat();
            while stream.write_all(&ask).is_ok() {}
            stream
        });
        iterate_until(context, || server.clients() == 0);
        assert_eq!(code(&server.last_error().expect("seen")), E::WouldBlock);
        assert_eq!(server.pending_bytes(), 0);
        drop(stream);
    });
}

/// A server that has so many answers for a client that has read none of them, more than the system keeps.
fn asked(context: &glib::MainContext, path: &std::path::Path) -> (Server, UnixStream, u64) {
    let answered = Rc::new(Cell::new(0_u64));
    let counted = answered.clone();
    let server = Server::listen(path, limits(), move |method, params| {
        counted.set(counted.get() + 1);
        handler(method, params)
    });
    let server = server.expect("a free path");
    let mut stream = connect(path);
    // More than one answer waits.
    while server.pending_bytes() < 60_000 {
        let id = answered.get() + 1;
        let ask = json!({"id": id, "method": "repeat", "params": 50_000});
        writeln!(stream, "{ask}").expect("room");
        iterate_until(context, || answered.get() == id);
    }
    (server, stream, answered.get())
}

#[test]
fn a_server_that_closes_sends_what_waits() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let (server, stream, count) = asked(context, &path);
        let reading = thread::spawn(move || lines_of(stream));
        block_on(context, server.close(LIMIT * slowness()));
        assert!(!path.exists());
        let lines = reading.join().expect("no panic");
        let ids: Vec<_> = lines.iter().map(|line| line["id"].as_u64()).collect();
        assert_eq!(ids, (1..=count).map(Some).collect::<Vec<_>>());
    });
}

#[test]
fn a_server_that_closes_does_not_wait_for_ever_for_who_does_not_read() {
    on_private_context(|context| {
        let folder = Folder::new();
        let (server, _stream, _) = asked(context, &folder.at("socket"));
        block_on(context, server.close(limits().longest_delay));
    });
}

#[test]
fn a_path_where_nobody_listens_is_taken_over_and_a_live_one_or_another_file_is_not() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        leave_stale(&path);
        let server = Server::listen(&path, limits(), handler).expect("nobody listens");
        assert_fails(
            Server::listen(&path, limits(), handler).map(drop),
            E::AddressInUse,
        );
        let client = Client::new(&path, limits(), |_, _| {});
        let answer = block_on(context, client.call("echo", &1.into()));
        assert_eq!(answer.expect("it serves still").result, 1);
        drop(server);
        assert!(!path.exists());

        // Somebody who takes no part in any lock.
        let stranger = UnixListener::bind(&path).expect("a free path");
        assert_fails(
            Server::listen(&path, limits(), handler).map(drop),
            E::AddressInUse,
        );
        assert!(path.exists());
        drop(stranger);

        let file = folder.at("file");
        std::fs::write(&file, "text").expect("room");
        assert_fails(
            Server::listen(&file, limits(), handler).map(drop),
            E::AddressInUse,
        );
        assert_eq!(std::fs::read(&file).expect("it is there"), b"text");
    });
}

#[test]
fn a_client_of_another_user_is_not_answered() {
    if was_the_stranger() {
        return;
    }
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let server = Server::listen(&path, limits(), handler).expect("a free path");
        // The files would keep him out.
        for (path, mode) in [(folder.path(), 0o755), (&path, 0o666)] {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
        }
        let test = format!(
            "{}::a_client_of_another_user_is_not_answered",
            module_path!()
        );
        let (_, test) = test.split_once("::").expect("a path");
        let heard = stranger(context, path.clone(), test);
        assert!(heard.is_none_or(|heard| heard == "\"\" Ok(0)"));
        assert_eq!(server.clients(), 0);
        let client = Client::new(&path, limits(), |_, _| {});
        let answer = block_on(context, client.call("echo", &1.into()));
        assert_eq!(answer.expect("an answer").result, 1);
    });
}

#[test]
fn the_file_is_the_users_alone_and_is_removed_if_it_is_the_servers() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let server = Server::listen(&path, limits(), handler).expect("a free path");
        let mode = path
            .symlink_metadata()
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::rename(&path, folder.at("moved")).expect("it is there");
        std::fs::write(&path, "somebody else's").expect("room");
        drop(server);
        assert!(path.exists());
    });
}

#[test]
fn a_client_comes_back_with_its_queue_when_the_server_does() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let client = Client::new(&path, limits(), |_, _| {});
        for round in 0..3 {
            let calls: Vec<_> = (0..10)
                .map(|number| client.call("echo", &json!([round, number])))
                .collect();
            // Several attempts fail.
            iterate_for(context, limits().longest_delay);
            assert!(!client.is_connected());
            assert!(client.queue().property::<u64>("pending-bytes") > 0);
            let server = Server::listen(&path, limits(), handler).expect("a free path");
            let answers = block_on(context, join_all(calls));
            assert_eq!(answers.len(), 10);
            for (number, answer) in answers.into_iter().enumerate() {
                assert_eq!(answer.expect("an answer").result, json!([round, number]));
            }
            assert!(client.is_connected());
            assert_eq!(client.queue().property::<u64>("pending-bytes"), 0);
            drop(server);
            iterate_until(context, || !client.is_connected());
        }
    });
}

#[test]
fn what_was_sent_and_not_answered_fails_when_the_server_goes_and_is_not_sent_again() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let silent = UnixListener::bind(&path).expect("a free path");
        let client = Client::new(&path, limits(), |_, _| {});
        let call = client.call("echo", &"first".into());
        let asked = by_hand(context, move || {
            let (stream, _) = silent.accept().expect("the client");
            // Before the client knows of the end, or its next attempt gets into this queue.
            drop(silent);
            let mut asked = String::new();
            BufReader::new(stream)
                .read_line(&mut asked)
                .expect("the call");
            asked
        });
        assert!(asked.ends_with('\n'));
        assert_fails(block_on(context, call), E::BrokenPipe);
        let next = client.call("echo", &"second".into());
        // A process that a test starts may have the silent one's socket for a moment.
        std::fs::remove_file(&path).expect("it is there");
        let _server = Server::listen(&path, limits(), handler).expect("a free path");
        assert_eq!(block_on(context, next).expect("an answer").result, "second");
    });
}

#[test]
fn what_the_server_has_said_before_it_went_is_heard() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let hasty = UnixListener::bind(&path).expect("a free path");
        let heard = Heard::default();
        let client = Client::new(&path, limits(), heard.listener());
        let calls: Vec<_> = (1..=20)
            .map(|number| client.call("echo", &number.into()))
            .collect();
        by_hand(context, move || {
            let (stream, _) = hasty.accept().expect("the client");
            drop(hasty);
            let mut said = Vec::new();
            for line in BufReader::new(&stream).lines().take(20) {
                let asked: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
                said.push(r#"{"event":"heard","data":null}"#.to_owned());
                said.push(json!({"id": asked["id"], "result": asked["params"]}).to_string());
            }
            said.push(String::new());
            (&stream)
                .write_all(said.join("\n").as_bytes())
                .expect("room");
        });
        let answers = block_on(context, join_all(calls));
        assert_eq!(answers.len(), 20);
        for (answer, number) in answers.into_iter().zip(1..) {
            assert_eq!(answer.expect("an answer").result, number);
        }
        assert_eq!(heard.count(), 20);
    });
}

#[test]
fn a_queue_that_is_full_refuses_the_call_and_what_is_in_it_is_sent() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let client = Client::new(&path, limits(), |_, _| {});
        let text = json!("x".repeat(60_000));
        let mut calls: Vec<_> = (0..4).map(|_| client.call("echo", &text)).collect();
        let pending: u64 = client.queue().property("pending-bytes");
        assert!(pending > 240_000 && pending <= limits().max_pending as u64);
        let one_too_many = client.call("echo", &text);
        assert_eq!(client.queue().property::<u64>("pending-bytes"), pending);
        // A small one fits still.
        calls.push(client.call("echo", &1.into()));
        assert_fails(block_on(context, one_too_many), E::WouldBlock);
        let _server = Server::listen(&path, limits(), handler).expect("a free path");
        let answers = block_on(context, join_all(calls));
        assert_eq!(answers.len(), 5);
        assert!(answers.iter().all(Result::is_ok));
    });
}

#[test]
fn the_queues_size_is_bound_to_another_objects_property() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let client = Client::new(&path, limits(), |_, _| {});
        let label = Label::default();
        client
            .queue()
            .bind_property("pending-bytes", &label, "number")
            .sync_create()
            .build();
        assert_eq!(label.number(), 0);
        let call = client.call("echo", &1.into());
        let pending: u64 = client.queue().property("pending-bytes");
        assert!(pending > 0);
        iterate_until(context, || label.number() == pending);
        let _server = Server::listen(&path, limits(), handler).expect("a free path");
        block_on(context, call).expect("an answer");
        iterate_until(context, || label.number() == 0);
    });
}

#[test]
fn nothing_is_left_of_either_side() {
    on_private_context(|context| {
        let folder = Folder::new();
        let path = folder.at("socket");
        let server = Server::listen(&path, limits(), handler).expect("a free path");
        let client = Client::new(&path, limits(), |_, _| {});
        let queue = Gone::of(client.queue());
        block_on(context, client.call("echo", &1.into())).expect("an answer");
        let unanswered = client.call("echo", &2.into());
        drop(client);
        assert_fails(block_on(context, unanswered), E::BrokenPipe);
        iterate_until(context, || server.clients() == 0);
        iterate_until(context, || queue.is_gone());
        let stream = connect(&path);
        iterate_until(context, || server.clients() == 1);
        drop(server);
        let lines = by_hand(context, move || lines_of(stream));
        assert!(lines.is_empty());
    });
}
