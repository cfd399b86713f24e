//! What other streams stand on.

use gio::{prelude::*, subclass::prelude::*};
use gsock::{ConnectionState, Framed, Framing, SocketConnection, TcpWrapperConnection, prelude::*};

use crate::support::*;

fn tls_over(base: &impl IsA<gio::IOStream>) -> gio::TlsConnection {
    let tls = gio::TlsClientConnection::new(base, gio::SocketConnectable::NONE);
    tls.expect("glib-networking").upcast()
}

#[test]
fn a_connection_is_found_beneath_tls_and_wrappers_and_beneath_itself() {
    on_private_context(|_| {
        let (connection, peer) = connected();
        let socket = connection.socket();
        let tls = tls_over(&connection);
        let wrapper = TcpWrapperConnection::new(&tls, &socket).expect("TCP");
        let gios = gio::TcpWrapperConnection::new(&tls, &socket);
        let twice = tls_over(&wrapper);
        let framed = Framed::new(&tls, Framing::Lines);
        let found = [
            SocketConnection::beneath(&connection),
            SocketConnection::beneath(&tls),
            SocketConnection::beneath(&wrapper),
            SocketConnection::beneath(&gios),
            SocketConnection::beneath(&twice),
            SocketConnection::beneath(&framed.io_stream().expect("set")),
        ];
        for found in found {
            assert_eq!(found.as_ref(), Some(&connection));
        }
        let address = SocketConnection::beneath(&twice)
            .and_then(|found| found.remote_address().ok())
            .and_downcast::<gio::InetSocketAddress>();
        let expected = peer.local_addr().expect("bound").port();
        assert_eq!(address.map(|it| it.port()), Some(expected));

        connection
            .close(gio::Cancellable::NONE)
            .expect("it was open");
        let found = SocketConnection::beneath(&tls).expect("it is still there");
        assert_eq!(found.state(), ConnectionState::Closed);
        assert!(found.remote_address().is_ok());
    });
}

#[test]
fn beneath_tls_over_a_connection_of_gios_there_is_what_from_gio_makes_of_it() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let twin = connection.to_gio();
        assert_eq!(
            SocketConnection::beneath(&tls_over(&twin)),
            Some(connection)
        );

        let (_peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        let gios = socket.connection_factory_create_connection();
        let found = SocketConnection::beneath(&tls_over(&gios)).expect("a connection");
        assert_eq!(found.socket(), socket);
    });
}

mod imp {
    use std::sync::OnceLock;

    use glib::thread_guard::ThreadGuard;

    use super::*;

    #[allow(missing_debug_implementations, reason = "a guard has none")]
    pub struct Own {
        input: ThreadGuard<gio::InputStream>,
        output: ThreadGuard<gio::OutputStream>,
    }

    impl Default for Own {
        fn default() -> Self {
            let output = gio::MemoryOutputStream::new_resizable().upcast();
            Self {
                input: ThreadGuard::new(gio::MemoryInputStream::new().upcast()),
                output: ThreadGuard::new(output),
            }
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Own {
        const NAME: &'static str = "GsockTestStandsOnItself";
        type Type = super::Own;
        type ParentType = gio::IOStream;
    }

    impl ObjectImpl for Own {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: OnceLock<Vec<glib::ParamSpec>> = OnceLock::new();
            PROPERTIES.get_or_init(|| {
                let base = glib::ParamSpecObject::builder::<gio::IOStream>("base-io-stream");
                vec![base.read_only().build()]
            })
        }

        fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
            self.obj().to_value()
        }
    }

    impl IOStreamImpl for Own {
        fn input_stream(&self) -> gio::InputStream {
            self.input.get_ref().clone()
        }

        fn output_stream(&self) -> gio::OutputStream {
            self.output.get_ref().clone()
        }
    }
}

glib::wrapper! {
    pub struct Own(ObjectSubclass<imp::Own>) @extends gio::IOStream;
}

#[test]
fn there_is_no_connection_beneath_other_streams() {
    on_private_context(|_| {
        let input = gio::MemoryInputStream::new();
        let output = gio::MemoryOutputStream::new_resizable();
        let memory = gio::SimpleIOStream::new(&input, &output);
        assert_eq!(SocketConnection::beneath(&memory), None);
        assert_eq!(SocketConnection::beneath(&tls_over(&memory)), None);
        let own: Own = glib::Object::new();
        assert_eq!(SocketConnection::beneath(&own), None);
    });
}
