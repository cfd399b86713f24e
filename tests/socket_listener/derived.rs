//! Types that derive from the listener, and from what it makes.

use std::cell::RefCell;

use gio::{SocketListenerEvent as Event, prelude::*};
use gsock::{SocketListener, prelude::*, subclass::prelude::*};

use crate::{support::*, tools::*};

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct Noting {
        pub(super) notes: RefCell<Vec<String>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Noting {
        const NAME: &'static str = "GsockTestNotingListener";
        type Type = super::Noting;
        type ParentType = SocketListener;
    }

    impl ObjectImpl for Noting {}

    impl SocketListenerImpl for Noting {
        fn changed(&self) {
            let sockets = self.obj().addresses().len();
            self.notes.borrow_mut().push(format!("{sockets} sockets"));
            self.parent_changed();
        }

        fn event(&self, event: Event, socket: &gio::Socket) {
            let family = socket.family();
            self.notes
                .borrow_mut()
                .push(format!("{event:?} {family:?}"));
            self.parent_event(event, socket);
        }
    }

    #[derive(Debug, Default)]
    pub struct Chatty;

    #[glib::object_subclass]
    impl ObjectSubclass for Chatty {
        const NAME: &'static str = "GsockTestChattyConnection";
        type Type = super::Chatty;
        type ParentType = gsock::UnixConnection;
    }

    impl ObjectImpl for Chatty {}
    impl IOStreamImpl for Chatty {}
    impl SocketConnectionImpl for Chatty {}
    impl UnixConnectionImpl for Chatty {}

    #[derive(Debug, Default)]
    pub struct Plain;

    #[glib::object_subclass]
    impl ObjectSubclass for Plain {
        const NAME: &'static str = "GsockTestPlainListener";
        type Type = super::Plain;
        type ParentType = super::Noting;
    }

    impl ObjectImpl for Plain {}
    impl SocketListenerImpl for Plain {}
    impl NotingImpl for Plain {}

    pub trait NotingImpl: SocketListenerImpl {}
    // SAFETY: it has no slots of its own.
    unsafe impl<T: NotingImpl> IsSubclassable<T> for super::Noting {}
}

glib::wrapper! {
    pub struct Noting(ObjectSubclass<imp::Noting>) @extends SocketListener;
}

glib::wrapper! {
    pub struct Plain(ObjectSubclass<imp::Plain>) @extends Noting, SocketListener;
}

glib::wrapper! {
    pub struct Chatty(ObjectSubclass<imp::Chatty>)
        @extends gsock::UnixConnection, gsock::SocketConnection, gio::IOStream;
}

/// LISTEN-1, LISTEN-17.
#[test]
fn changed_and_event_reach_the_class() {
    on_private_context(|_| {
        let listener: Noting = glib::Object::new();
        add_loopback(listener.upcast_ref(), NONE);
        listener.add_any_inet_port(NONE).unwrap();
        let (socket, _) = listening_socket();
        listener.add_socket(&socket, NONE).unwrap();
        listener.close();
        let notes = listener.imp().notes.take();
        let expected = [
            "Binding Ipv4",
            "Bound Ipv4",
            "Listening Ipv4",
            "Listened Ipv4",
            "1 sockets",
            "Binding Ipv6",
            "Bound Ipv6",
            "Listening Ipv6",
            "Listened Ipv6",
            "2 sockets",
            "3 sockets",
        ];
        assert_eq!(notes, expected);
    });
}

#[test]
fn what_a_type_does_not_override_is_its_parents() {
    on_private_context(|context| {
        let listener: Plain = glib::Object::new();
        let address = add_loopback(listener.upcast_ref(), NONE);
        let noting: &Noting = listener.upcast_ref();
        assert_eq!(noting.imp().notes.borrow().len(), 5);
        let _peer = connect(address);
        let outcome = accept(Form::Future, listener.upcast_ref(), None, context);
        assert!(outcome.is_ok());
    });
}

#[test]
fn a_derived_listener_is_called_back_as_what_it_is() {
    on_private_context(|context| {
        let listener: Noting = glib::Object::new();
        let address = add_loopback(listener.upcast_ref(), NONE);
        let _peer = connect(address);
        let called = std::rc::Rc::new(std::cell::Cell::new(false));
        let flag = called.clone();
        listener.accept_async(gio::Cancellable::NONE, move |listener: &Noting, result| {
            assert!(listener.accept_finish(result).is_ok());
            flag.set(true);
        });
        iterate_until(context, || called.get());
    });
}
