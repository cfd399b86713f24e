"""The client in Python, as the documentation shows it; see operations.py."""

import sys

from shown import NO_SERVICE, Gio, GLib, GObject, Gsock, answered, loopback_listener, must, wait


# {gsock_socket_client_connect}
def reach(address):
    # Any Gio.SocketConnectable: an address, a name, a service.
    return Gsock.SocketClient().connect(address, None)
# {}


# {gsock_socket_client_connect_async gsock_socket_client_connect_finish}
def on_reached(client, result):
    try:
        answered(client.connect_finish(result))
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def reach_later(address, cancellable):
    Gsock.SocketClient().connect_async(address, cancellable, on_reached)
# {}


# {gsock_socket_client_connect_to_service}
def call_service(domain, service):
    # For "imaps": where `_imaps._tcp` of the domain says, by priority and weight.
    return Gsock.SocketClient().connect_to_service(domain, service, None)
# {}


# {gsock_socket_client_connect_to_service_async gsock_socket_client_connect_to_service_finish}
def on_service_called(client, result):
    try:
        answered(client.connect_to_service_finish(result))
    except GLib.Error as error:
        answered(f"no such service: {error.message}")


def call_service_later(domain, service):
    Gsock.SocketClient().connect_to_service_async(domain, service, None, on_service_called)
# {}


# {gsock_socket_client_connect_to_uri}
def call_uri(uri):
    # The port where the URI has none.
    return Gsock.SocketClient().connect_to_uri(uri, 80, None)
# {}


# {gsock_socket_client_connect_to_uri_async gsock_socket_client_connect_to_uri_finish}
def on_uri_called(client, result):
    try:
        answered(client.connect_to_uri_finish(result))
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def call_uri_later(uri):
    Gsock.SocketClient().connect_to_uri_async(uri, 80, None, on_uri_called)
# {}


# {gsock_connect_report_get_*}
def tell(report):
    for i in range(report.get_n_attempts()):
        where = report.get_attempt_address(i).to_string()
        why = report.get_attempt_error(i)
        # In microseconds.
        print(where, "begun after", report.get_attempt_begun(i), "took", report.get_attempt_took(i))
        print(why.message if why else "connected")
    print("names took", report.get_resolve_time(), "connecting", report.get_connect_time())
    # -1 where there was none.
    print("the proxy took", report.get_proxy_time(), "TLS", report.get_tls_time())
    if error := report.get_error():
        print("no connection:", error.message)
# {}


# {gsock_socket_client_connect_with_report gsock_connect_report_free}
def reach_and_tell(address):
    # There is a report also when there is no connection.
    report, connection = Gsock.SocketClient().connect_with_report(address, None)
    tell(report)
    return connection
# {}


# {gsock_socket_client_connect_with_report_async gsock_socket_client_connect_with_report_finish}
def on_reported(client, result):
    report, connection = client.connect_with_report_finish(result)
    tell(report)
    answered(connection)


def reach_and_tell_later(address):
    Gsock.SocketClient().connect_with_report_async(address, None, on_reported)
# {}


# {gsock_socket_connection_get_connect_report gsock_connect_report_copy}
def how_it_was_made(connection):
    # None where no client has made it.
    return connection.get_connect_report()
# {}


# {gsock_socket_client_new GsockSocketClient:timeout :*-ms}
def client_of_little_patience():
    # Seconds for each connect, read and write.
    client = Gsock.SocketClient(timeout=20)
    # Milliseconds for all of connecting, from the name to TLS; for a read or a write; for an address before the next.
    client.set_connect_timeout_ms(10_000)
    client.set_io_timeout_ms(5_000)
    client.props.attempt_delay_ms = 250
    print(client.get_timeout(), client.get_connect_timeout_ms(), client.get_io_timeout_ms())
    return client
# {}


# {GsockSocketClient:family :type :protocol :local-address :multipath gsock_socket_client_?et_socket_type}
def choose_sockets(client):
    client.set_family(Gio.SocketFamily.IPV4)
    client.set_socket_type(Gio.SocketType.STREAM)
    client.set_protocol(Gio.SocketProtocol.TCP)
    client.set_local_address(Gio.InetSocketAddress.new_from_string("127.0.0.1", 0))
    # Several paths at once, where both ends can.
    client.set_multipath(False)
    print(client.get_family(), client.get_socket_type(), client.get_protocol())
    return client.get_local_address(), client.get_multipath()
# {}


# {GsockSocketClient:*proxy* gsock_socket_client_add_application_proxy}
def choose_proxy(client):
    direct = ["localhost", "127.0.0.0/8"]
    client.set_enable_proxy(True)
    client.set_proxy_resolver(Gio.SimpleProxyResolver.new("socks5://proxy.example", direct))
    # One that the program speaks with itself: it is given the connection to the proxy.
    client.add_application_proxy("own")
    return client.get_enable_proxy(), client.get_proxy_resolver()
# {}


# {GsockSocketClient:tls*}
def encrypt(client):
    client.set_tls(True)
    # What of a certificate is looked at; `accept-certificate` of the Gio.TlsConnection can say more.
    client.set_tls_validation_flags(Gio.TlsCertificateFlags.VALIDATE_ALL)
    return client.get_tls(), client.get_tls_validation_flags()
# {}


# {GsockSocketClient::event}
def on_event(_client, event, _connectable, stream):
    # Here an option of the socket can be set before it is used.
    if event == Gio.SocketClientEvent.CONNECTING:
        stream.get_socket().set_keepalive(True)


def look_on(client):
    # `connect` connects the client; signals are connected by GObject's.
    GObject.Object.connect(client, "event", on_event)
# {}


def main():
    listener, address = loopback_listener()
    must(reach(address).is_connected())
    reach_later(address, None)
    must(wait()[0].is_connected())
    try:
        call_service("localhost", NO_SERVICE)
        must(False)
    except GLib.Error as error:
        must(error.domain == "g-resolver-error-quark")
    call_service_later("localhost", NO_SERVICE)
    must(wait()[0].startswith("no such"))
    uri = f"some://127.0.0.1:{address.get_port()}/path"
    must(call_uri(uri).is_connected())
    call_uri_later(uri)
    must(wait()[0].is_connected())
    must(how_it_was_made(reach_and_tell(address)).get_n_attempts() == 1)
    reach_and_tell_later(address)
    must(wait()[0].is_connected())
    client = client_of_little_patience()
    must(choose_sockets(client)[1] is False)
    must(choose_proxy(client)[0])
    look_on(client)
    must(client.connect(address, None).get_socket().get_keepalive())
    must(encrypt(client)[0])
    print("ok")


main()
