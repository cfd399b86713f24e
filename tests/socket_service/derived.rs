//! A service of a type of one's own.

use std::{cell::Cell, time::Duration};

use gio::prelude::*;
use gsock::{SocketConnection, SocketListener, SocketService, prelude::*, subclass::prelude::*};

use crate::{failing::deaf_socket, support::*, tools::*};

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct CountingService {
        pub connections: Cell<u32>,
        pub changes: Cell<u32>,
        pub says: Cell<bool>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for CountingService {
        const NAME: &'static str = "GsockTestCountingService";
        type Type = super::CountingService;
        type ParentType = SocketService;
    }

    impl ObjectImpl for CountingService {}
    impl SocketListenerImpl for CountingService {
        fn changed(&self) {
            self.changes.set(self.changes.get() + 1);
            self.parent_changed();
        }
    }
    impl SocketServiceImpl for CountingService {
        fn incoming(
            &self,
            connection: &SocketConnection,
            source_object: Option<&glib::Object>,
        ) -> bool {
            self.connections.set(self.connections.get() + 1);
            assert!(!self.parent_incoming(connection, source_object));
            self.says.get()
        }
    }

    #[derive(Debug, Default)]
    pub struct Below;

    #[glib::object_subclass]
    impl ObjectSubclass for Below {
        const NAME: &'static str = "GsockTestCountingServiceBelow";
        type Type = super::Below;
        type ParentType = super::CountingService;
    }

    impl ObjectImpl for Below {}
    impl SocketListenerImpl for Below {}
    impl SocketServiceImpl for Below {}
    impl CountingServiceImpl for Below {}
}

trait CountingServiceImpl: SocketServiceImpl {}

// SAFETY: the class has no slots of its own.
unsafe impl<T: CountingServiceImpl> IsSubclassable<T> for CountingService {}

glib::wrapper! {
    pub struct CountingService(ObjectSubclass<imp::CountingService>)
        @extends SocketService, SocketListener;
}

glib::wrapper! {
    pub struct Below(ObjectSubclass<imp::Below>)
        @extends CountingService, SocketService, SocketListener;
}

#[test]
fn an_overridden_incoming_comes_after_the_handlers_and_not_after_one_that_says_true() {
    on_private_context(|context| {
        let service: CountingService = glib::Object::new();
        let address = listen(&service);
        assert_eq!(service.imp().changes.get(), 1);
        let mut first = client(address);
        iterate_until(context, || service.imp().connections.get() == 1);
        assert!(is_at_its_end(&mut first));
        let counted = count(&service);
        let _second = client(address);
        iterate_until(context, || counted.get() == 1);
        iterate_for(context, Duration::from_millis(5));
        assert_eq!(service.imp().connections.get(), 1);
        service.close();
    });
}

/// Rust's classes are not `Send`: the `Cell`s of this one are not.
#[test]
fn an_overridden_function_is_not_called_on_another_thread_than_that_of_the_service() {
    on_private_context(|_| {
        let context = glib::MainContext::new();
        let service: CountingService = context
            .with_thread_default(glib::Object::new)
            .expect("a new context has no owner");
        service
            .add_socket(&deaf_socket(), glib::Object::NONE)
            .expect("it is open");
        let mut peer = client(listen(&service));
        let there = context.clone();
        let lines = std::thread::spawn(move || {
            logged(|| {
                there
                    .with_thread_default(|| iterate_until(&there, || logged_so_far() == 3))
                    .expect("nobody else has it");
            })
            .1
        });
        // One for each of the two, and the parent's for the error.
        let lines = lines.join().expect("no panic");
        assert!(
            lines.iter().all(|line| line.starts_with("Gsock: ")),
            "{lines:?}"
        );
        assert_eq!(service.imp().connections.get(), 0);
        assert!(is_at_its_end(&mut peer));
        service.close();
        while context.iteration(false) {}
    });
}

#[test]
fn a_class_below_inherits_it() {
    on_private_context(|context| {
        let service: Below = glib::Object::new();
        let address = listen(&service);
        let parent = service.upcast_ref::<CountingService>().imp();
        parent.says.set(true);
        let _client = client(address);
        iterate_until(context, || parent.connections.get() == 1);
        assert_eq!(parent.changes.get(), 1);
        let answer: bool = {
            let (connection, _peer) = connected();
            service.emit_by_name("incoming", &[&connection, &glib::Object::NONE])
        };
        assert!(answer);
        service.close();
    });
}
