//! The services in Rust, as the documentation shows them; see operations.rs.

use gio::prelude::*;
use gsock::{SocketService, prelude::*};

use super::{Outcome, call, in_time};

// {gsock_socket_service_start gsock_socket_service_stop gsock_socket_service_is_active GsockSocketService:active}
fn rest(service: &SocketService) -> bool {
    // What comes meanwhile waits in the kernel.
    service.stop();
    if service.is_active() {
        return false;
    }
    service.start();
    service.is_active()
}
// {}

// {GsockSocketService::error}
fn hear_of_errors(service: &SocketService, heard: impl Fn() + 'static) {
    service.connect_error(move |_service, error| {
        // It goes on, if it can.
        println!("it does not accept: {error}");
        heard();
    });
}
// {}

// {GsockSocketService}
mod imp {
    use gio::prelude::*;
    use gsock::{SocketConnection, SocketService, subclass::prelude::*};

    #[derive(Default)]
    pub struct Greeter;

    #[glib::object_subclass]
    impl ObjectSubclass for Greeter {
        const NAME: &'static str = "Greeter";
        type Type = super::Greeter;
        type ParentType = SocketService;
    }

    impl ObjectImpl for Greeter {}
    impl SocketListenerImpl for Greeter {}

    impl SocketServiceImpl for Greeter {
        fn incoming(&self, connection: &SocketConnection, _source: Option<&glib::Object>) -> bool {
            // Held by the task: the connection is closed with its last reference.
            let (connection, context) =
                (connection.clone(), glib::MainContext::ref_thread_default());
            drop(gsock::engine::spawn_local(&context, async move {
                let output = connection.output_stream();
                let written = output.write_all_future("welcome", glib::Priority::DEFAULT);
                if let Err((_, error)) = written.await {
                    eprintln!("{error}");
                }
            }));
            true
        }
    }
}

glib::wrapper! {
    pub struct Greeter(ObjectSubclass<imp::Greeter>)
        @extends SocketService, gsock::SocketListener;
}

fn greeter_at_any_port() -> Result<(Greeter, u16), glib::Error> {
    let service: Greeter = glib::Object::new();
    let port = service.add_any_inet_port(glib::Object::NONE)?;
    Ok((service, port))
}
// {}

async fn run() -> Outcome {
    let (service, port) = greeter_at_any_port()?;
    let service: SocketService = service.upcast();
    assert!(rest(&service));
    let connection = call("127.0.0.1", port)?;
    let input = connection.input_stream();
    let heard = input.read_bytes_future(7, glib::Priority::DEFAULT).await?;
    assert_eq!(&heard[..], b"welcome");

    // It does not listen.
    let (family, kind) = (gio::SocketFamily::Ipv4, gio::SocketType::Stream);
    let deaf = gio::Socket::new(family, kind, gio::SocketProtocol::Default)?;
    gio::GioFuture::new(&service, move |service, _, send| {
        let send = std::cell::RefCell::new(Some(send));
        hear_of_errors(service, move || {
            let send = send.borrow_mut().take();
            if let Some(send) = send {
                send.resolve(Ok::<_, glib::Error>(()));
            }
        });
        if let Err(error) = service.add_socket(&deaf, glib::Object::NONE) {
            eprintln!("{error}");
        }
    })
    .await?;
    service.close();
    Ok(())
}

#[test]
fn the_service_of_the_documentation_does_what_it_says() {
    in_time(run());
}
