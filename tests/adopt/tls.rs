//! GIO's client that speaks TLS, and its service, by glib-networking.

use gio::prelude::*;

use crate::{support::*, tools::*};

const NONE: Option<&gio::Cancellable> = None;

/// A certificate with its key, made for this run.
fn certificate() -> gio::TlsCertificate {
    assert!(
        gio::TlsBackend::default().supports_tls(),
        "GLib has no TLS here: install glib-networking"
    );
    let made = rcgen::generate_simple_self_signed(["test.invalid".to_owned()]).expect("made");
    let pem = |what: &str, der: &[u8]| {
        let text = glib::base64_encode(der);
        format!("-----BEGIN {what}-----\n{text}\n-----END {what}-----\n")
    };
    let text = pem("CERTIFICATE", made.cert.der())
        + &pem("PRIVATE KEY", &made.signing_key.serialize_der());
    gio::TlsCertificate::from_pem(&text).expect("both")
}

/// Sends back the first bytes that come, in capitals, and says goodbye.
async fn serve(below: gio::SocketConnection, own: gio::TlsCertificate) {
    let priority = glib::Priority::DEFAULT;
    let tls = gio::TlsServerConnection::new(&below, Some(&own)).expect("a TLS backend");
    let input = tls.input_stream();
    let bytes = input.read_bytes_future(64, priority).await.expect("shaken");
    let answer = bytes.to_ascii_uppercase();
    let written = tls.output_stream().write_all_future(answer, priority).await;
    written.expect("the client reads");
    tls.close_future(priority).await.expect("it was open");
    assert!(below.is_closed());
}

#[test]
fn a_client_that_speaks_tls_and_a_service() {
    adopted(|context| {
        let service = gio::SocketService::new();
        let port = service
            .add_any_inet_port(glib::Object::NONE)
            .expect("loopback");
        let own = certificate();
        service.connect_incoming(move |_, connection, _| {
            let serving = serve(connection.clone(), own.clone());
            glib::MainContext::ref_thread_default().spawn_local(serving);
            true
        });
        let client = gio::SocketClient::new();
        client.set_tls(true);
        client.connect_event(|_, event, _, stream| {
            if event == gio::SocketClientEvent::TlsHandshaking
                && let Some(tls) = stream.and_then(|stream| stream.downcast_ref())
            {
                // Nobody has signed it.
                gio::TlsConnection::connect_accept_certificate(tls, |_, _, _| true);
            }
        });
        let answer = block_on(context, async move {
            let priority = glib::Priority::DEFAULT;
            let connection = client.connect_to_host_future("127.0.0.1", port).await?;
            // TLS is GIO's, and runs over what is ours.
            let wrapper = connection
                .downcast_ref::<gio::TcpWrapperConnection>()
                .expect("TLS in a wrapper");
            let tls = wrapper
                .base_io_stream()
                .downcast::<gio::TlsConnection>()
                .expect("TLS");
            let below: gio::IOStream = tls.property("base-io-stream");
            assert_eq!(below.type_().name(), "GsockGioTcpConnection");
            let output = connection.output_stream();
            let written = output.write_all_future(&b"in secret"[..], priority).await;
            written.expect("the service reads");
            let input = connection.input_stream();
            let answer = input.read_bytes_future(64, priority).await?;
            assert!(input.read_bytes_future(64, priority).await?.is_empty());
            tls.close(NONE)?;
            connection.close(NONE)?;
            assert!(below.is_closed());
            Ok::<_, glib::Error>(answer)
        });
        assert_eq!(&*answer.expect("served"), b"IN SECRET");
        service.stop();
    });
}
