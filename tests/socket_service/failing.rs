//! What keeps a service from accepting; that there are no descriptors left has a process of its own.

use std::{cell::RefCell, rc::Rc, time::Duration};

use gio::prelude::*;
use gsock::{SocketService, prelude::*, subclass::prelude::*};

use crate::{support::*, tools::*};

/// The codes of the errors that a service has told.
fn errors(service: &SocketService) -> Rc<RefCell<Vec<gio::IOErrorEnum>>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let codes = seen.clone();
    service.connect_error(move |_, failure| codes.borrow_mut().push(code(failure)));
    seen
}

/// Bound, and not listening.
pub(crate) fn deaf_socket() -> gio::Socket {
    let socket = ipv4_socket();
    socket
        .bind(&gio_address(([127, 0, 0, 1], 0).into()), false)
        .expect("loopback");
    socket
}

/// SERVICE-13.
#[test]
fn service_13_a_socket_that_does_not_listen_is_told_once_and_the_others_are_served() {
    on_private_context(|context| {
        let service = SocketService::new();
        let (errors, count) = (errors(&service), count(&service));
        service
            .add_socket(&deaf_socket(), glib::Object::NONE)
            .expect("it is open");
        iterate_until(context, || !errors.borrow().is_empty());
        let address = listen(&service);
        let _client = client(address);
        iterate_until(context, || count.get() == 1);
        let busy = busy_iterations(context, Duration::from_millis(60));
        assert!(busy < 20, "{busy} iterations");
        assert_eq!(*errors.borrow(), [gio::IOErrorEnum::InvalidArgument]);
        assert!(service.is_active());
        service.close();
    });
}

#[test]
fn an_error_that_nobody_listens_to_is_one_warning() {
    on_private_context(|context| {
        let service = SocketService::new();
        service
            .add_socket(&deaf_socket(), glib::Object::NONE)
            .expect("it is open");
        let ((), lines) = logged(|| {
            iterate_until(context, || logged_so_far() == 1);
            iterate_for(context, Duration::from_millis(30));
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("Gsock: "), "{lines:?}");
        service.close();
    });
}

#[test]
fn a_socket_that_its_owner_closes_is_told_once_and_the_others_are_served() {
    on_private_context(|context| {
        let service = SocketService::new();
        let (errors, count) = (errors(&service), count(&service));
        let socket = deaf_socket();
        socket.listen().expect("bound");
        service
            .add_socket(&socket, glib::Object::NONE)
            .expect("it is open");
        iterate_for(context, Duration::from_millis(5));
        socket.close().expect("open");
        let address = listen(&service);
        let _client = client(address);
        iterate_until(context, || count.get() == 1);
        let busy = busy_iterations(context, Duration::from_millis(60));
        assert!(busy < 20, "{busy} iterations");
        assert!(errors.borrow().len() <= 1, "{errors:?}");
        service.close();
    });
}

/// What was seen of it before is no reason to look again and again.
#[test]
fn a_socket_that_is_closed_by_a_handler_while_it_has_a_connection_is_left_alone() {
    on_private_context(|context| {
        let service = SocketService::new();
        service.stop();
        let address = listen(&service);
        let socket = deaf_socket();
        socket.listen().expect("bound");
        let other = socket.local_address().expect("bound");
        let other = other.downcast::<gio::InetSocketAddress>().expect("IPv4");
        service
            .add_socket(&socket, glib::Object::NONE)
            .expect("it is open");
        let seen = Rc::new(RefCell::new(0));
        let count = seen.clone();
        service.connect_incoming(move |_, _, _| {
            *count.borrow_mut() += 1;
            let _ = socket.close();
            true
        });
        // So that both are watched before there is anything to see.
        service.start();
        iterate_for(context, Duration::from_millis(5));
        let _first = client(address);
        let _second = client(([127, 0, 0, 1], other.port()).into());
        iterate_until(context, || *seen.borrow() == 1);
        let busy = busy_iterations(context, Duration::from_millis(30));
        assert!(busy < 20, "{busy} iterations");
        let _third = client(address);
        iterate_until(context, || *seen.borrow() == 2);
        service.close();
    });
}

#[test]
fn a_service_whose_sockets_are_all_closed_by_their_owner_says_so_once_and_serves_the_next_one() {
    on_private_context(|context| {
        let service = SocketService::new();
        let (errors, count) = (errors(&service), count(&service));
        let socket = deaf_socket();
        socket.listen().expect("bound");
        service
            .add_socket(&socket, glib::Object::NONE)
            .expect("it is open");
        iterate_for(context, Duration::from_millis(5));
        socket.close().expect("open");
        iterate_until(context, || !errors.borrow().is_empty());
        let busy = busy_iterations(context, Duration::from_millis(60));
        assert!(busy < 20, "{busy} iterations");
        assert_eq!(*errors.borrow(), [gio::IOErrorEnum::Closed]);
        let _client = client(listen(&service));
        iterate_until(context, || count.get() == 1);
        assert!(service.is_active());
        service.close();
    });
}

#[test]
fn the_timeout_of_a_listening_socket_is_no_error() {
    on_private_context(|context| {
        let service = SocketService::new();
        let (errors, count) = (errors(&service), count(&service));
        let socket = deaf_socket();
        socket.listen().expect("bound");
        socket.set_timeout(1);
        let address = socket.local_address().expect("bound");
        let address = address.downcast::<gio::InetSocketAddress>().expect("IPv4");
        service
            .add_socket(&socket, glib::Object::NONE)
            .expect("it is open");
        iterate_for(context, Duration::from_millis(1100));
        let _client = client(([127, 0, 0, 1], address.port()).into());
        iterate_until(context, || count.get() == 1);
        assert!(errors.borrow().is_empty());
        service.close();
    });
}

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct CalmService {
        pub heard: RefCell<Vec<gio::IOErrorEnum>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for CalmService {
        const NAME: &'static str = "GsockTestCalmService";
        type Type = super::CalmService;
        type ParentType = SocketService;
    }

    impl ObjectImpl for CalmService {}
    impl SocketListenerImpl for CalmService {}
    impl SocketServiceImpl for CalmService {
        fn error(&self, failure: &glib::Error) {
            // It does not chain up: no warning.
            self.heard.borrow_mut().push(code(failure));
        }
    }
}

glib::wrapper! {
    pub struct CalmService(ObjectSubclass<imp::CalmService>)
        @extends SocketService, gsock::SocketListener;
}

#[test]
fn a_class_that_overrides_error_and_does_not_chain_up_logs_nothing() {
    on_private_context(|context| {
        let service: CalmService = glib::Object::new();
        service
            .add_socket(&deaf_socket(), glib::Object::NONE)
            .expect("it is open");
        iterate_until(context, || !service.imp().heard.borrow().is_empty());
        assert_eq!(
            *service.imp().heard.borrow(),
            [gio::IOErrorEnum::InvalidArgument]
        );
        service.close();
    });
}
