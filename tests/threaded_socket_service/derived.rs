//! A service of a type of one's own.

use std::sync::atomic::{AtomicU32, Ordering};

use gio::prelude::*;
use gsock::{
    SocketConnection, SocketListener, SocketService, ThreadedSocketService, prelude::*,
    subclass::prelude::*,
};

use crate::{support::*, tools::*};

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct GreetingService {
        pub served: AtomicU32,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for GreetingService {
        const NAME: &'static str = "GsockTestGreetingService";
        type Type = super::GreetingService;
        type ParentType = ThreadedSocketService;
    }

    impl ObjectImpl for GreetingService {}
    impl SocketListenerImpl for GreetingService {}
    impl SocketServiceImpl for GreetingService {}
    impl ThreadedSocketServiceImpl for GreetingService {
        fn run(&self, connection: &SocketConnection, source: Option<&glib::Object>) -> bool {
            let output = connection.output_stream();
            output
                .write_all(b"hello", gio::Cancellable::NONE)
                .expect("room");
            self.served.fetch_add(1, Ordering::SeqCst);
            assert!(!self.parent_run(connection, source));
            true
        }
    }

    #[derive(Debug, Default)]
    pub struct PanickingService;

    #[glib::object_subclass]
    impl ObjectSubclass for PanickingService {
        const NAME: &'static str = "GsockTestPanickingService";
        type Type = super::PanickingService;
        type ParentType = ThreadedSocketService;
    }

    impl ObjectImpl for PanickingService {}
    impl SocketListenerImpl for PanickingService {}
    impl SocketServiceImpl for PanickingService {
        fn incoming(&self, _: &SocketConnection, _: Option<&glib::Object>) -> bool {
            // Not by a macro, which would write.
            std::panic::resume_unwind(Box::new(()))
        }
    }
    impl ThreadedSocketServiceImpl for PanickingService {
        fn run(&self, _: &SocketConnection, _: Option<&glib::Object>) -> bool {
            std::panic::resume_unwind(Box::new(()))
        }
    }
}

glib::wrapper! {
    pub struct GreetingService(ObjectSubclass<imp::GreetingService>)
        @extends ThreadedSocketService, SocketService, SocketListener;
}

glib::wrapper! {
    pub struct PanickingService(ObjectSubclass<imp::PanickingService>)
        @extends ThreadedSocketService, SocketService, SocketListener;
}

#[test]
fn an_overridden_run_serves_each_connection() {
    on_private_context(|context| {
        let service: GreetingService = glib::Object::builder().property("max-threads", 2).build();
        let address = listen(&service);
        let mut clients: Vec<_> = (0..4).map(|_| client(address)).collect();
        iterate_until(context, || service.imp().served.load(Ordering::SeqCst) == 4);
        block_on(context, service.drain_future());
        let said: Vec<_> = clients.iter_mut().map(read_to_end).collect();
        assert_eq!(said, [b"hello"; 4]);
        service.close();
    });
}

/// GObject lets anybody emit a signal, and without an object where one is declared.
#[test]
fn a_signal_that_is_emitted_without_what_it_is_about_is_a_message_and_answers_false() {
    on_private_context(|context| {
        let nothing = None::<SocketConnection>;
        let services: [ThreadedSocketService; 2] = [
            ThreadedSocketService::new(1),
            glib::Object::new::<GreetingService>().upcast(),
        ];
        for service in services {
            service.connect_incoming(|_, _, _| panic!("there is nothing"));
            service.connect_run(|_, _, _| panic!("there is nothing"));
            for signal in ["incoming", "run"] {
                let emit = || service.emit_by_name(signal, &[&nothing, &glib::Object::NONE]);
                let (handled, lines): (bool, _) = logged(emit);
                assert!(!handled);
                assert!(
                    lines.iter().all(|line| line.starts_with("Gsock: ")),
                    "{lines:?}"
                );
            }
            let (_, _) = logged(|| service.emit_by_name::<()>("error", &[&None::<glib::Error>]));
            block_on(context, service.drain_future());
        }
    });
}

#[test]
fn panics_of_a_class_are_messages_and_answer_false() {
    on_private_context(|_| {
        let service: PanickingService = glib::Object::new();
        let (connection, _peer) = connected();
        for signal in ["incoming", "run"] {
            let handled: bool = with_one_critical(|| {
                service.emit_by_name(signal, &[&connection, &glib::Object::NONE])
            });
            assert!(!handled);
        }
    });
}
