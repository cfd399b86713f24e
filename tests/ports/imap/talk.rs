//! What a session does with a server that does as it should.

use std::time::Duration;

use gio::{IOErrorEnum, prelude::*};

use super::{
    protocol::Change,
    scene::*,
    server::{PASSWORD, USER},
};
use crate::support::*;

on_both!(
    a_session_goes_from_the_greeting_to_the_end,
    a_message_arrives_byte_for_byte,
    a_message_longer_than_any_line_may_be_is_sent,
    what_the_server_refuses_leaves_the_session_as_it_was,
    a_password_is_not_sent_in_plain_text,
    what_was_said_in_plain_text_is_forgotten_in_tls,
    an_argument_of_two_lines_is_refused_and_nothing_is_sent,
    idle_tells_what_is_delivered_and_the_next_command_ends_it,
    the_time_for_connecting_does_not_end_idle,
    the_peers_address_is_known_through_tls_and_after_the_end,
    a_server_that_is_gone_without_a_word_will_be_noticed,
);

fn a_session_goes_from_the_greeting_to_the_end<S: Session>(context: &glib::MainContext) {
    let server = start_server();
    block_on(context, async move {
        let host = server.address().to_string();
        let mut session = S::connect(&host, SOON).await.unwrap();
        assert!(session.is_alive());
        let can = session.capability().await.unwrap();
        assert!(can.contains(&"STARTTLS".into()) && can.contains(&"LOGINDISABLED".into()));
        let mut session = session.start_tls(Some(&trust(&server))).await.unwrap();
        let can = session.capability().await.unwrap();
        assert!(can.contains(&"IDLE".into()) && !can.contains(&"STARTTLS".into()));
        session.login(USER, PASSWORD).await.unwrap();
        assert_eq!(session.select("INBOX").await, Ok(4));
        assert_eq!(session.fetch(1).await.unwrap(), messages()[0]);
        session.idle().await.unwrap();
        server.deliver(b"new");
        assert_eq!(session.change().await, Ok(Change::Exists(5)));
        session.done().await.unwrap();
        assert_eq!(session.fetch(5).await.unwrap(), b"new");
        session.append("INBOX", &messages()[1]).await.unwrap();
        assert_eq!(session.select("INBOX").await, Ok(6));
        assert_eq!(session.fetch(6).await.unwrap(), messages()[1]);
        assert!(session.is_alive());
        session.logout().await.unwrap();
    });
}

fn a_message_arrives_byte_for_byte<S: Session>(context: &glib::MainContext) {
    let server = start_server();
    block_on(context, async move {
        let mut session: S = known(&server).await;
        session.select("INBOX").await.unwrap();
        let messages = messages();
        assert!(messages.len() > 2);
        for (number, message) in (1..).zip(&messages) {
            assert!(session.fetch(number).await.unwrap() == *message, "{number}");
        }
    });
}

fn a_message_longer_than_any_line_may_be_is_sent<S: Session>(context: &glib::MainContext) {
    let (address, playing) = scripted(|peer| {
        peer.say("* OK\r\n");
        assert_eq!(peer.hear(), "a1 APPEND \"INBOX\" {3145728+}");
        peer.hear_bytes(3_145_730);
        peer.say("a1 OK\r\n");
        assert_eq!(peer.hear(), "a2 CAPABILITY");
        peer.say("* CAPABILITY IDLE\r\na2 OK\r\n");
        peer.hear_the_end();
    });
    block_on(context, async move {
        let mut session: S = greeted(address).await;
        session.append("INBOX", &vec![b'x'; 3 << 20]).await.unwrap();
        assert_eq!(session.capability().await, Ok(vec!["IDLE".to_owned()]));
    });
    iterate_until(context, || playing.is_finished());
    playing.join().unwrap();
}

fn what_the_server_refuses_leaves_the_session_as_it_was<S: Session>(context: &glib::MainContext) {
    let server = start_server();
    block_on(context, async move {
        let host = server.address().to_string();
        let session = S::connect(&host, SOON).await.unwrap();
        let mut session = session.start_tls(Some(&trust(&server))).await.unwrap();
        assert_fails(session.login(USER, "guessed").await, IOErrorEnum::Failed);
        session.login(USER, PASSWORD).await.unwrap();
        assert_fails(session.select("nowhere").await, IOErrorEnum::Failed);
        assert_eq!(session.select("INBOX").await, Ok(4));
        assert_fails(session.fetch(9).await, IOErrorEnum::Failed);
        assert_eq!(session.fetch(1).await.unwrap(), messages()[0]);
        session.logout().await.unwrap();
    });
}

fn a_password_is_not_sent_in_plain_text<S: Session>(context: &glib::MainContext) {
    let (address, playing) = scripted(|peer| {
        peer.say("* OK\r\n");
        peer.hear_the_end();
    });
    block_on(context, async move {
        let mut session: S = greeted(address).await;
        let login = session.login(USER, PASSWORD).await;
        assert_fails(login, IOErrorEnum::PermissionDenied);
    });
    playing.join().unwrap();
}

fn what_was_said_in_plain_text_is_forgotten_in_tls<S: Session>(context: &glib::MainContext) {
    let server = start_server();
    let (address, playing) = in_between(&server, "* 9 EXISTS\r\n* 1 EXPUNGE\r\n");
    block_on(context, async move {
        let session: S = greeted(address).await;
        let mut session = session.start_tls(Some(&trust(&server))).await.unwrap();
        session.login(USER, PASSWORD).await.unwrap();
        assert!(polled(1, session.change()).await.is_none());
        assert_eq!(session.select("INBOX").await, Ok(4));
        session.logout().await.unwrap();
    });
    iterate_until(context, || playing.is_finished());
    playing.join().unwrap();
}

fn an_argument_of_two_lines_is_refused_and_nothing_is_sent<S: Session>(
    context: &glib::MainContext,
) {
    let (address, playing) = scripted(|peer| {
        peer.say("* OK\r\n");
        let line = peer.hear();
        let tag = line.strip_suffix(" SELECT \"INBOX\"").unwrap();
        peer.say(format!("* 2 EXISTS\r\n{tag} OK\r\n"));
        peer.hear_the_end();
    });
    block_on(context, async move {
        let mut session: S = greeted(address).await;
        for mailbox in ["INBOX\r\na2 DELETE INBOX", "INBOX\n"] {
            assert_fails(session.select(mailbox).await, IOErrorEnum::InvalidData);
            let append = session.append(mailbox, b"a message").await;
            assert_fails(append, IOErrorEnum::InvalidData);
        }
        assert_eq!(session.select("INBOX").await, Ok(2));
    });
    playing.join().unwrap();
}

fn idle_tells_what_is_delivered_and_the_next_command_ends_it<S: Session>(
    context: &glib::MainContext,
) {
    let server = start_server();
    block_on(context, async move {
        let mut session: S = known(&server).await;
        assert_eq!(session.select("INBOX").await, Ok(4));
        for count in 5..8 {
            session.idle().await.unwrap();
            server.deliver(b"another");
            assert_eq!(session.change().await, Ok(Change::Exists(count)));
        }
        assert_eq!(session.fetch(7).await.unwrap(), b"another");
        session.logout().await.unwrap();
    });
}

fn the_time_for_connecting_does_not_end_idle<S: Session>(context: &glib::MainContext) {
    let (go_on, may_go_on) = std::sync::mpsc::channel();
    let (address, playing) = scripted(move |peer| {
        peer.say("* OK\r\n");
        assert_eq!(peer.hear(), "a1 IDLE");
        peer.say("+\r\n");
        may_go_on.recv().unwrap();
        peer.say("* 9 EXISTS\r\n");
        peer.hear_the_end();
    });
    let limit = Duration::from_millis(1_000);
    let session = block_on(context, async move {
        let mut session = S::connect(&address.to_string(), limit).await.unwrap();
        session.idle().await.unwrap();
        session
    });
    assert_eq!(session.socket().timeout(), 0);
    let waiting = Waiting::new(context, session);
    iterate_for(context, limit + limit / 4);
    assert!(waiting.is_waiting());
    go_on.send(()).unwrap();
    assert_eq!(waiting.end(context), Ok(Change::Exists(9)));
    playing.join().unwrap();
}

/// A session that waits for a change, in a task.
struct Waiting(std::rc::Rc<std::cell::RefCell<Option<Result<Change, glib::Error>>>>);

impl Waiting {
    fn new<S: Session>(context: &glib::MainContext, mut session: S) -> Self {
        let ended = Self(std::rc::Rc::default());
        let end = ended.0.clone();
        context.spawn_local(async move {
            let change = session.change().await;
            *end.borrow_mut() = Some(change);
        });
        ended
    }

    fn is_waiting(&self) -> bool {
        self.0.borrow().is_none()
    }

    fn end(&self, context: &glib::MainContext) -> Result<Change, glib::Error> {
        iterate_until(context, || !self.is_waiting());
        self.0.take().unwrap()
    }
}

fn the_peers_address_is_known_through_tls_and_after_the_end<S: Session>(
    context: &glib::MainContext,
) {
    let server = start_server();
    block_on(context, async move {
        let address = server.address();
        let mut session: S = known(&server).await;
        assert_eq!(peer_of(&session), address);
        drop(server);
        session.capability().await.unwrap_err();
        assert!(!session.is_alive());
        assert_eq!(peer_of(&session), address);
    });
}

fn peer_of(session: &impl Session) -> std::net::SocketAddr {
    let address = session.peer().unwrap();
    let address = address.downcast::<gio::InetSocketAddress>();
    address.expect("an internet address").into()
}

fn a_server_that_is_gone_without_a_word_will_be_noticed<S: Session>(context: &glib::MainContext) {
    let (address, playing) = scripted(|peer| {
        peer.say("* OK\r\n");
        peer.hear_the_end();
    });
    block_on(context, async move {
        let session: S = greeted(address).await;
        let socket = session.socket();
        let option = |name| socket.option(libc::IPPROTO_TCP, name).unwrap();
        assert!(socket.is_keepalive());
        let (first, each, count) = (
            option(libc::TCP_KEEPIDLE),
            option(libc::TCP_KEEPINTVL),
            option(libc::TCP_KEEPCNT),
        );
        // In seconds, where nothing is sent; in milliseconds, where something was.
        assert!(first + each * count <= 30, "{first} {each} {count}");
        let unanswered = option(libc::TCP_USER_TIMEOUT);
        assert!((1..=30_000).contains(&unanswered), "{unanswered}");
    });
    playing.join().unwrap();
}
