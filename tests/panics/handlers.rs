//! Handlers of signals and notifications: a panic in one of them is a critical message, and the others are called.

use std::{cell::Cell, rc::Rc, time::Duration};

use gio::{IOErrorEnum, prelude::*};
use gsock::{
    Framed, Framing, Reconnector, SocketClient, SocketListener, SocketService, TcpConnection,
    ThreadedSocketService, prelude::*,
};

use crate::{
    scene::{Scene, play},
    support::*,
};

/// What a handler does.
type Act = Rc<dyn Fn()>;

macro_rules! notified {
    ($object:expr, $act:expr; $($method:ident $property:literal)*) => {{
        $(
            let act: Act = $act.clone();
            $object.$method(move |_| act());
        )*
        $($object.notify($property);)*
        0 $(+ { let _ = $property; 1 })*
    }};
}

fn reconnector() -> Reconnector {
    let nowhere = gio_address(([127, 0, 0, 1], 1).into());
    Reconnector::new(&SocketClient::new(), &nowhere)
}

fn framed(scene: &Scene<'_>) -> Framed {
    Framed::new(&scene.connected().0, Framing::Lines)
}

/// Each handler that can be connected, called once. Answers how many there were.
fn each_handler(scene: &Scene<'_>, act: &Act) -> u32 {
    let mut count = 0;
    let (connection, _peer) = scene.connected();
    count += notified!(connection, act;
        connect_socket_notify "socket" connect_state_notify "state" connect_alive_notify "alive"
        connect_local_address_notify "local-address" connect_remote_address_notify "remote-address"
        connect_last_error_notify "last-error" connect_bytes_read_notify "bytes-read"
        connect_bytes_written_notify "bytes-written");
    let tcp: TcpConnection = connection.downcast().expect("of TCP");
    count += notified!(tcp, act; connect_graceful_disconnect_notify "graceful-disconnect");
    let client = SocketClient::new();
    count += notified!(client, act;
        connect_family_notify "family" connect_type_notify "type" connect_protocol_notify "protocol"
        connect_local_address_notify "local-address" connect_timeout_notify "timeout"
        connect_enable_proxy_notify "enable-proxy" connect_tls_notify "tls"
        connect_tls_validation_flags_notify "tls-validation-flags"
        connect_proxy_resolver_notify "proxy-resolver"
        connect_connect_timeout_ms_notify "connect-timeout-ms"
        connect_io_timeout_ms_notify "io-timeout-ms"
        connect_attempt_delay_ms_notify "attempt-delay-ms" connect_multipath_notify "multipath");
    let it = act.clone();
    client.connect_event(move |_, _, _, _| it());
    let nowhere = gio_address(([127, 0, 0, 1], 1).into());
    let none = None::<gio::IOStream>;
    client.emit_by_name::<()>(
        "event",
        &[&gio::SocketClientEvent::Resolving, &nowhere, &none],
    );
    count += 1;

    let listener = SocketListener::new();
    count += notified!(listener, act; connect_listen_backlog_notify "listen-backlog");
    let it = act.clone();
    listener.connect_event(move |_, _, _| it());
    let socket = ipv4_socket();
    listener.emit_by_name::<()>("event", &[&gio::SocketListenerEvent::Binding, &socket]);
    count += 1;

    let failure = glib::Error::new(IOErrorEnum::Busy, "as a test");
    let service = SocketService::new();
    count += notified!(service, act; connect_active_notify "active");
    let it = act.clone();
    service.connect_error(move |_, _| it());
    service.emit_by_name::<()>("error", &[&failure]);
    let it = act.clone();
    service.connect_incoming(move |_, _, _| {
        it();
        true
    });
    let object = None::<glib::Object>;
    let (connection, _peer) = scene.connected();
    service.emit_by_name::<bool>("incoming", &[&connection, &object]);
    let threaded = ThreadedSocketService::new(1);
    let local = Local(act.clone());
    threaded.connect_run(move |_, _, _| {
        local.act();
        true
    });
    threaded.emit_by_name::<bool>("run", &[&connection, &object]);
    count += 3;

    let framed = framed(scene);
    count += notified!(framed, act;
        connect_io_stream_notify "io-stream" connect_pending_bytes_notify "pending-bytes"
        connect_pending_frames_notify "pending-frames" connect_congested_notify "congested"
        connect_last_error_notify "last-error");
    let it = act.clone();
    framed.connect_drained(move |_| it());
    framed.emit_by_name::<()>("drained", &[]);
    let it = act.clone();
    framed.connect_error(move |_, _| it());
    framed.emit_by_name::<()>("error", &[&failure]);
    count += 2;

    let reconnector = reconnector();
    count += notified!(reconnector, act;
        connect_network_monitor_notify "network-monitor"
        connect_initial_delay_ms_notify "initial-delay-ms" connect_max_delay_ms_notify "max-delay-ms"
        connect_jitter_notify "jitter" connect_max_attempts_notify "max-attempts"
        connect_stable_after_ms_notify "stable-after-ms" connect_debounce_ms_notify "debounce-ms"
        connect_reconnect_notify "reconnect" connect_state_notify "state"
        connect_connection_notify "connection" connect_io_stream_notify "io-stream"
        connect_attempt_notify "attempt" connect_last_error_notify "last-error"
        connect_next_attempt_in_ms_notify "next-attempt-in-ms");
    let it = act.clone();
    reconnector.connect_attempt(move |_, _| it());
    reconnector.emit_by_name::<()>("attempt", &[&1_u32]);
    let it = act.clone();
    reconnector.connect_attempt_failed(move |_, _, _, _| it());
    reconnector.emit_by_name::<()>("attempt-failed", &[&1_u32, &failure, &1_u32]);
    let it = act.clone();
    reconnector.connect_connected(move |_, _| it());
    reconnector.emit_by_name::<()>("connected", &[&connection]);
    let it = act.clone();
    reconnector.connect_disconnected(move |_, _| it());
    reconnector.emit_by_name::<()>("disconnected", &[&Some(failure.clone())]);
    let it = act.clone();
    reconnector.connect_given_up(move |_, _| it());
    reconnector.emit_by_name::<()>("given-up", &[&failure]);
    while scene.context.iteration(false) {}
    count + 5
}

/// For a handler that may be called on any thread, and is not.
struct Local(Act);

// SAFETY: as said: the signal is emitted on this thread.
unsafe impl Send for Local {}
// SAFETY: likewise.
unsafe impl Sync for Local {}

impl Local {
    fn act(&self) {
        (self.0)();
    }
}

#[test]
fn each_handler_is_called() {
    play(|scene| {
        let calls = Rc::new(Cell::new(0));
        let counted = calls.clone();
        let act: Act = Rc::new(move || counted.set(counted.get() + 1));
        let handlers = each_handler(scene, &act);
        // One of which a panic took the place.
        assert!(calls.get() + 1 >= handlers, "{} of {handlers}", calls.get());
    });
}

#[test]
fn each_handler_that_panics_is_a_critical_message() {
    on_private_context_within(Duration::from_secs(20), |context| {
        let (handlers, lines) = logged_anywhere(|| {
            Scene::with(context, |scene| {
                let act: Act = Rc::new(|| std::panic::panic_any("a handler does"));
                each_handler(scene, &act)
            })
        });
        let panics = lines
            .iter()
            .filter(|line| line.contains("panicked"))
            .count();
        // What was notified of its own accord is more.
        assert!(panics >= handlers as usize, "{lines:?}");
        assert_eq!(lines.len(), panics, "{lines:?}");
    });
}

/// What a handler holds may panic when it is dropped, and so may what somebody panics with.
#[test]
fn what_a_handler_panics_with_is_not_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("again");
        }
    }
    on_private_context(|context| {
        let ((), lines) = logged_anywhere(|| {
            Scene::with(context, |scene| {
                let (connection, _peer) = scene.connected();
                connection.connect_alive_notify(|_| std::panic::panic_any(Bomb));
                connection.notify("alive");
                let task = gsock::engine::spawn_local(context, async {
                    std::panic::panic_any(Bomb);
                });
                assert!(scene.until(|| task.is_finished()));
                // Whoever takes the panic has it.
                let failed = futures::executor::block_on(task).expect_err("it panics");
                std::mem::forget(failed.try_into_panic());
            })
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
    });
}
