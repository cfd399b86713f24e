//! Futures that are dropped before their end.

use std::{
    pin::pin,
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use futures::{
    channel::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
        oneshot,
    },
    future::{Either, select},
};
use gio::{IOErrorEnum, prelude::*};

use super::{protocol::Change, scene::*};
use crate::support::*;

on_both!(
    a_change_that_nobody_waited_for_any_more_is_not_lost,
    a_line_of_which_a_part_was_read_is_read_on,
    a_message_of_which_a_part_was_read_is_read_on,
    whatever_is_dropped_at_whatever_point_the_next_command_works,
    a_refusal_that_comes_when_nobody_waits_any_more_is_no_other_commands,
    a_message_whose_sender_was_dropped_arrives_as_a_whole,
    a_session_dropped_while_it_begins_tls_is_closed_and_says_nothing_in_plain_text,
    a_dropped_session_closes_its_connection,
    a_dropped_connect_leaves_nobody_there,
);

fn a_change_that_nobody_waited_for_any_more_is_not_lost<S: Session>(context: &glib::MainContext) {
    let server = start_server();
    block_on(context, async move {
        let mut session: S = known(&server).await;
        session.select("INBOX").await.unwrap();
        session.idle().await.unwrap();
        let (mut changes, mut delivered, mut dropped) = (Vec::new(), 0, 0);
        while delivered < 20 || dropped < 20 {
            // Either may be first: what was delivered, or the end of the wait.
            server.deliver(b"another");
            delivered += 1;
            let limit = Duration::from_micros(300);
            match glib::future_with_timeout(limit, session.change()).await {
                Ok(change) => changes.push(change.unwrap()),
                Err(_) => dropped += 1,
            }
            match polled(1, session.change()).await {
                Some(change) => changes.push(change.unwrap()),
                None => dropped += 1,
            }
        }
        while changes.len() < delivered {
            changes.push(session.change().await.unwrap());
        }
        let last = 4 + u32::try_from(delivered).unwrap();
        let all: Vec<_> = (5..=last).map(Change::Exists).collect();
        assert_eq!(changes, all);
        session.done().await.unwrap();
        assert_eq!(session.select("INBOX").await, Ok(last));
    });
}

/// Has a scripted server say a part, and waits until futures that are dropped have read it.
async fn read_a_part<S: Session>(
    say: &Sender<()>,
    said: &mut UnboundedReceiver<()>,
    session: &mut S,
) {
    say.send(()).unwrap();
    let socket = session.socket();
    let mut is_there = false;
    // On loopback what was said is there. The command may not be out before.
    while !is_there || socket.available_bytes() > 0 {
        is_there |= said.try_recv().is_ok();
        assert!(polled(1, session.change()).await.is_none());
        glib::timeout_future(Duration::from_millis(1)).await;
    }
    assert!(polled(1, session.change()).await.is_none());
}

/// Says a part whenever it is asked to.
fn say_in_parts(peer: &mut Peer, parts: &[&str], say: &Receiver<()>, said: &UnboundedSender<()>) {
    for part in parts {
        say.recv().unwrap();
        peer.say(part);
        said.unbounded_send(()).unwrap();
    }
}

fn a_line_of_which_a_part_was_read_is_read_on<S: Session>(context: &glib::MainContext) {
    let ((say, may_say), (has_said, mut said)) = (channel(), unbounded());
    let (address, playing) = scripted(move |peer| {
        peer.say("* OK\r\n");
        assert_eq!(peer.hear(), "a1 IDLE");
        let parts = ["+ go", " on\r\n* 1", "23 EXI"];
        say_in_parts(peer, &parts, &may_say, &has_said);
        may_say.recv().unwrap();
        peer.say("STS\r\n");
        assert_eq!(peer.hear(), "DONE");
        peer.say("a1 OK\r\n");
        peer.hear_the_end();
    });
    block_on(context, async move {
        let mut session: S = greeted(address).await;
        assert!(polled(1, session.idle()).await.is_none());
        for _ in 0..3 {
            read_a_part(&say, &mut said, &mut session).await;
        }
        say.send(()).unwrap();
        assert_eq!(session.change().await, Ok(Change::Exists(123)));
        session.done().await.unwrap();
    });
    playing.join().unwrap();
}

fn a_message_of_which_a_part_was_read_is_read_on<S: Session>(context: &glib::MainContext) {
    let ((say, may_say), (has_said, mut said)) = (channel(), unbounded());
    let (address, playing) = scripted(move |peer| {
        peer.say("* OK\r\n");
        assert_eq!(peer.hear(), "a1 FETCH 1 BODY[]");
        let parts = [
            "* 1 FETCH (BODY[] {10}\r\n123",
            "4567",
            "89\n)",
            "\r\na1 OK\r\n* ",
        ];
        say_in_parts(peer, &parts, &may_say, &has_said);
        may_say.recv().unwrap();
        peer.say("9 EXISTS\r\n");
        assert_eq!(peer.hear(), "a2 FETCH 2 BODY[]");
        peer.say("* 2 FETCH (BODY[] {4}\r\ntwo\n)\r\na2 OK\r\n");
        peer.hear_the_end();
    });
    block_on(context, async move {
        let mut session: S = greeted(address).await;
        assert!(polled(1, session.fetch(1)).await.is_none());
        for _ in 0..4 {
            read_a_part(&say, &mut said, &mut session).await;
        }
        say.send(()).unwrap();
        assert_eq!(session.change().await, Ok(Change::Exists(9)));
        // The message is that of the command that was dropped.
        assert_eq!(session.fetch(2).await.unwrap(), b"two\n");
    });
    playing.join().unwrap();
}

/// The commands, each polled so many times before it is dropped. Answers whether it has ended.
async fn dropped_after(times: usize, command: usize, session: &mut impl Session) -> bool {
    match command {
        0 => polled(times, session.capability()).await.is_some(),
        1 => polled(times, session.select("INBOX")).await.is_some(),
        2 => polled(times, session.fetch(3)).await.is_some(),
        3 => polled(times, session.fetch(9)).await.is_some(),
        4 => polled(times, session.idle()).await.is_some(),
        _ => polled(times, session.done()).await.is_some(),
    }
}

fn whatever_is_dropped_at_whatever_point_the_next_command_works<S: Session>(
    context: &glib::MainContext,
) {
    let server = start_server();
    block_on(context, async move {
        let mut session: S = known(&server).await;
        assert_eq!(session.select("INBOX").await, Ok(4));
        for command in 0..6 {
            for times in 0..10 {
                if command == 5 {
                    session.idle().await.unwrap();
                }
                let has_ended = dropped_after(times, command, &mut session).await;
                assert_eq!(session.fetch(1).await.unwrap(), messages()[0]);
                assert_eq!(session.select("INBOX").await, Ok(4));
                if has_ended {
                    break;
                }
            }
        }
        session.logout().await.unwrap();
    });
}

fn a_refusal_that_comes_when_nobody_waits_any_more_is_no_other_commands<S: Session>(
    context: &glib::MainContext,
) {
    let (say, may_say) = channel();
    let (address, playing) = scripted(move |peer| {
        peer.say("* OK\r\n");
        assert_eq!(peer.hear(), "a1 IDLE");
        may_say.recv().unwrap();
        peer.say("a1 NO not now\r\n");
        assert_eq!(peer.hear(), "a2 CAPABILITY");
        peer.say("* CAPABILITY IDLE\r\na2 OK\r\n");
        assert_eq!(peer.hear(), "a3 IDLE");
        peer.say("a3 NO not now\r\n");
        peer.hear_the_end();
    });
    block_on(context, async move {
        let mut session: S = greeted(address).await;
        assert!(polled(1, session.idle()).await.is_none());
        say.send(()).unwrap();
        assert_eq!(session.capability().await, Ok(vec!["IDLE".to_owned()]));
        assert_fails(session.idle().await, IOErrorEnum::Failed);
        session.done().await.unwrap();
    });
    playing.join().unwrap();
}

fn a_message_whose_sender_was_dropped_arrives_as_a_whole<S: Session>(context: &glib::MainContext) {
    let server = start_server();
    block_on(context, async move {
        let mut session: S = known(&server).await;
        // More than fits into one record of TLS, or one write.
        let message = &messages()[2];
        for (times, number) in (1..6).zip(5..) {
            polled(times, session.append("INBOX", message)).await;
            assert_eq!(session.select("INBOX").await, Ok(number));
            assert!(session.fetch(number).await.unwrap() == *message);
        }
        session.logout().await.unwrap();
    });
}

fn a_session_dropped_while_it_begins_tls_is_closed_and_says_nothing_in_plain_text<S: Session>(
    context: &glib::MainContext,
) {
    for has_answered in [false, true] {
        let (tell, told) = oneshot::channel();
        let (address, playing) = scripted(move |peer| {
            peer.say("* OK\r\n");
            assert_eq!(peer.hear(), "a1 STARTTLS");
            if has_answered {
                peer.say("a1 OK\r\n");
                // A record of the handshake.
                assert_eq!(peer.hear_a_byte(), Some(22));
            }
            tell.send(()).unwrap();
            let rest = peer.hear_all();
            assert!(has_answered || rest.is_empty(), "{}", rest.escape_ascii());
        });
        block_on(context, async move {
            let session: S = greeted(address).await;
            let securing = pin!(session.start_tls(None));
            match select(securing, told).await {
                Either::Left((secured, _)) => panic!("{:?}", secured.map(drop)),
                Either::Right((told, _)) => told.unwrap(),
            }
        });
        iterate_until(context, || playing.is_finished());
        playing.join().unwrap();
    }
}

fn a_dropped_session_closes_its_connection<S: Session>(context: &glib::MainContext) {
    let (address, playing) = scripted(|peer| {
        peer.say("* OK\r\n");
        assert_eq!(peer.hear(), "a1 IDLE");
        peer.say("+\r\n");
        peer.hear_the_end();
    });
    block_on(context, async move {
        let mut session: S = greeted(address).await;
        session.idle().await.unwrap();
        for _ in 0..3 {
            assert!(polled(1, session.change()).await.is_none());
        }
    });
    iterate_until(context, || playing.is_finished());
    playing.join().unwrap();
}

fn a_dropped_connect_leaves_nobody_there<S: Session>(context: &glib::MainContext) {
    let (accept, accepted) = oneshot::channel();
    let (address, playing) = scripted(|peer| {
        accept.send(()).unwrap();
        peer.hear_the_end();
    });
    block_on(context, async move {
        let host = address.to_string();
        let connecting = pin!(S::connect(&host, SOON));
        // Nobody greets.
        match select(connecting, accepted).await {
            Either::Left((connected, _)) => panic!("{:?}", connected.map(drop)),
            Either::Right((accepted, _)) => accepted.unwrap(),
        }
    });
    iterate_until(context, || playing.is_finished());
    playing.join().unwrap();
}
