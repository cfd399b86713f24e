//! Limits of time, and what the report says of it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use gio::{IOErrorEnum, SocketClientEvent, prelude::*};
use gsock::{ConnectReportExt, SocketClient, SocketConnection, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn the_time_for_connecting_covers_lookups_and_attempts_and_names_what_it_was_spent_on() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let limit = Duration::from_millis(200) * slowness();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_connect_timeout(limit);
            let seen = events(&client);
            let silent = name("v6-never.v4-never.test", 1);
            let failed = connect(form, &client, &silent, None, context).unwrap_err();
            assert_eq!(code(&failed), IOErrorEnum::TimedOut);
            assert!(failed.message().contains("looking for an address"));
            let end = if form == Form::Blocking { "Rr0" } else { "R0" };
            assert_eq!(seen.take(), end);
            let failed = connect(form, &client, &gio_address(deaf.address), None, context);
            let failed = failed.unwrap_err();
            assert_eq!(code(&failed), IOErrorEnum::TimedOut);
            assert!(failed.message().contains("connecting"));
            assert_eq!(seen.take(), "RrC0");
        }
    });
}

#[test]
fn the_socket_timeout_ends_each_attempt_by_itself() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_timeout(1);
            let failed = connect(form, &client, &gio_address(deaf.address), None, context);
            let failed = failed.unwrap_err();
            assert_eq!(code(&failed), IOErrorEnum::TimedOut);
            assert_eq!(
                failed.message(),
                "Could not connect to 127.0.0.1: Socket I/O timed out"
            );
        }
    });
}

#[test]
fn a_report_has_every_attempt_and_how_it_ended() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let (_listener, good) = listener();
        let dead = refused_address();
        let all = scripted([dead, deaf.address, good].map(Next::Address));
        let client = SocketClient::new();
        client.set_attempt_delay(Duration::from_millis(30));
        let (made, report) = block_on(context, client.connect_with_report(&all)).unwrap();
        assert!(made.is_alive());
        let ends: Vec<_> = report
            .attempts
            .iter()
            .map(|attempt| attempt.error.as_ref().map(code))
            .collect();
        assert_eq!(
            ends,
            [
                Some(IOErrorEnum::ConnectionRefused),
                Some(IOErrorEnum::Cancelled),
                None,
            ]
        );
        let ports: Vec<_> = report
            .attempts
            .iter()
            .map(|attempt| attempt.address.clone().downcast::<gio::InetSocketAddress>())
            .map(|address| address.unwrap().port())
            .collect();
        assert_eq!(ports, [dead.port(), deaf.address.port(), good.port()]);
        assert!(report.attempts[2].begun >= Duration::from_millis(30));
        // It was under way when the last one began.
        let deaf = &report.attempts[1];
        assert!(deaf.begun + deaf.took >= report.attempts[2].begun);
        assert_eq!(report.connect, report.attempts[2].took);
        assert!(report.proxy.is_none() && report.tls.is_none());
        let nobody = scripted([Next::Address(dead)]);
        let (failed, report) = block_on(context, client.connect_with_report(&nobody)).unwrap_err();
        assert_eq!(code(&failed), IOErrorEnum::ConnectionRefused);
        assert_eq!(report.attempts.len(), 1);
    });
}

#[test]
fn a_failure_tells_what_it_took_to_look_for_addresses_and_to_try_them() {
    on_private_context(|context| {
        let client = SocketClient::new();
        let nowhere = name("v6-error-30.v4-error-0.test", 1);
        let (_, report) = block_on(context, client.connect_with_report(&nowhere)).unwrap_err();
        assert!(report.resolve >= Duration::from_millis(30));
        assert_eq!(report.connect, Duration::ZERO);

        let deaf = deaf_listener();
        client.set_connect_timeout(Duration::from_millis(50));
        let both = scripted([refused_address(), deaf.address].map(Next::Address));
        let (failed, report) = block_on(context, client.connect_with_report(&both)).unwrap_err();
        assert_eq!(code(&failed), IOErrorEnum::TimedOut);
        let [first, last] = &report.attempts[..] else {
            panic!("two addresses: {report:?}");
        };
        assert_eq!(report.connect, last.begun + last.took - first.begun);
        assert!(report.connect >= last.took && last.took > Duration::ZERO);
    });
}

#[test]
fn a_connection_has_the_report_of_how_it_was_made() {
    on_private_context(|context| {
        let (_listener, good) = listener();
        let dead = refused_address();
        for form in FORMS {
            let both = scripted([dead, good].map(Next::Address));
            let client = SocketClient::new();
            // It is there when the end is told.
            let at_end = Rc::new(RefCell::new(None));
            let report = at_end.clone();
            client.connect_event(move |_, event, _, stream| {
                if event == SocketClientEvent::Complete {
                    let made = stream.and_then(|it| it.downcast_ref::<SocketConnection>());
                    report.replace(made.and_then(ConnectReportExt::connect_report));
                }
            });
            let made = connect(form, &client, &both, None, context).unwrap();
            let report = made.connect_report().unwrap();
            let codes: Vec<_> = report
                .attempts
                .iter()
                .map(|attempt| attempt.error.as_ref().map(code))
                .collect();
            assert_eq!(codes, [Some(IOErrorEnum::ConnectionRefused), None]);
            assert_eq!(report.connect, report.attempts[1].took);
            assert_eq!(at_end.take().map(|it| it.attempts.len()), Some(2));
            // Nothing that comes later changes it.
            made.close(gio::Cancellable::NONE).unwrap();
            assert_eq!(made.connect_report().map(|it| it.attempts.len()), Some(2));
        }
        assert!(unconnected().connect_report().is_none());
    });
}
