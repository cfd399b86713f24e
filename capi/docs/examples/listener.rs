//! The listener in Rust, as the documentation shows it; see operations.rs.

use std::{net::IpAddr, path::Path};

use gio::prelude::*;
use gsock::{SocketListener, UnixPathOptions, prelude::*};

use super::{Outcome, connected_to, in_time};

// {gsock_socket_listener_new gsock_socket_listener_add_address}
fn listen_at(host: IpAddr, port: u16) -> Result<(SocketListener, gio::SocketAddress), glib::Error> {
    let listener = SocketListener::new();
    let address = gio::InetSocketAddress::new(&gio::InetAddress::from(host), port);
    let (kind, protocol) = (gio::SocketType::Stream, gio::SocketProtocol::Tcp);
    // For port 0 the effective address has the one that was free.
    let effective_address = listener.add_address(&address, kind, protocol, glib::Object::NONE)?;
    Ok((listener, effective_address))
}
// {}

// {gsock_socket_listener_add_inet_port}
fn listen_at_port(
    listener: &SocketListener,
    port: u16,
    mark: &glib::Object,
) -> Result<(), glib::Error> {
    // Of both families. What is accepted there comes with the mark.
    listener.add_inet_port(port, Some(mark))
}
// {}

// {gsock_socket_listener_add_socket}
fn listen_with(listener: &SocketListener, address: &gio::SocketAddress) -> Result<(), glib::Error> {
    // One that is set up in a way of one's own; it listens already.
    let (kind, protocol) = (gio::SocketType::Stream, gio::SocketProtocol::Default);
    let socket = gio::Socket::new(address.family(), kind, protocol)?;
    socket.bind(address, true)?;
    socket.listen()?;
    listener.add_socket(&socket, glib::Object::NONE)
}
// {}

// {gsock_socket_listener_add_unix_path}
fn listen_at_path(listener: &SocketListener, path: &Path) -> Result<(), glib::Error> {
    // For the user alone. A file that a crash has left gives way; the file goes with the listener.
    let options = UnixPathOptions {
        mode: 0o600,
        same_user_only: true,
        ..Default::default()
    };
    listener.add_unix_path(path, &options, glib::Object::NONE)
}
// {}

// {gsock_socket_listener_add_unix_abstract}
fn listen_at_name(listener: &SocketListener, name: &str) -> Result<(), glib::Error> {
    // Of Linux: in no folder.
    listener.add_unix_abstract(name, true, glib::Object::NONE)
}
// {}

// {gsock_socket_listener_add_systemd_sockets}
fn listen_at_what_systemd_has(listener: &SocketListener) -> Result<usize, glib::Error> {
    // Those of a name, or all.
    let sockets = listener.add_systemd_sockets(Some("http"), glib::Object::NONE)?;
    Ok(sockets.len())
}
// {}

// {gsock_socket_listener_get_addresses gsock_socket_listener_remove_address}
fn leave_the_first(listener: &SocketListener) -> Result<(), glib::Error> {
    let addresses = listener.addresses();
    listener.remove_address(&addresses[0])
}
// {}

// {gsock_socket_listener_accept_socket}
fn next_socket(
    listener: &SocketListener,
) -> Result<(gio::Socket, Option<glib::Object>), glib::Error> {
    listener.accept_socket(gio::Cancellable::NONE)
}
// {}

// {gsock_socket_listener_accept_socket_async gsock_socket_listener_accept_socket_finish}
async fn next_socket_later(listener: &SocketListener) -> Result<gio::Socket, glib::Error> {
    let (socket, _mark) = listener.accept_socket_future().await?;
    Ok(socket)
}
// {}

// {gsock_socket_listener_set_backlog GsockSocketListener:listen-backlog :max-* :accept-rate}
fn set_limits(listener: &SocketListener) {
    // How many the kernel keeps before they are accepted: of what is added from now on.
    listener.set_backlog(128);
    // 0 is no limit.
    listener.set_max_connections(1000);
    listener.set_max_connections_per_peer(10);
    listener.set_accept_rate(200);
    let (all, each) = (
        listener.max_connections(),
        listener.max_connections_per_peer(),
    );
    println!(
        "{} in the kernel, {all} connections",
        listener.listen_backlog()
    );
    println!("{each} of one peer, {} a second", listener.accept_rate());
}
// {}

// {GsockSocketListener:accepted :refused :active-connections}
fn count(listener: &SocketListener) {
    let (accepted, refused) = (listener.accepted(), listener.refused());
    println!("{accepted} accepted, {refused} refused");
    println!("{} there", listener.active_connections());
}
// {}

// {GsockSocketListener::event}
fn look_on(listener: &SocketListener) {
    listener.connect_event(|_listener, event, socket| {
        // Here an option of the socket can be set before it is bound.
        if event == gio::SocketListenerEvent::Binding {
            let _ = socket.set_option(libc::SOL_SOCKET, libc::SO_RCVBUF, 65536);
        }
    });
}
// {}

// {gsock_socket_listener_close}
fn end(listener: &SocketListener) {
    // What waits in an accept ends with IOErrorEnum::Closed.
    listener.close();
}
// {}

async fn run() -> Outcome {
    let (listener, address) = listen_at([127, 0, 0, 1].into(), 0)?;
    look_on(&listener);
    let one = connected_to(&address)?;
    let (first, mark) = next_socket(&listener)?;
    assert!(first.is_connected() && mark.is_none());
    let two = connected_to(&address)?;
    assert!(next_socket_later(&listener).await?.is_connected());

    let other = SocketListener::new();
    let port = other.add_any_inet_port(glib::Object::NONE)?;
    end(&other);
    listen_at_port(&listener, port, listener.upcast_ref())?;
    let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    let any_port = gio::InetSocketAddress::new(&loopback, 0);
    listen_with(&listener, any_port.upcast_ref())?;
    let name = format!("gsock documentation {}", std::process::id());
    let folder = std::env::temp_dir().join(&name);
    std::fs::create_dir(&folder)?;
    listen_at_path(&listener, &folder.join("socket"))?;
    listen_at_name(&listener, &name)?;
    assert_eq!(listen_at_what_systemd_has(&listener)?, 0);
    set_limits(&listener);
    count(&listener);
    leave_the_first(&listener)?;
    end(&listener);
    // The file is gone.
    std::fs::remove_dir(&folder)?;
    assert!(one.is_connected() && two.is_connected());
    Ok(())
}

#[test]
fn the_listener_of_the_documentation_does_what_it_says() {
    in_time(run());
}
