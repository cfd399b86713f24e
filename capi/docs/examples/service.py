"""The services in Python, as the documentation shows them; see operations.py."""

import sys

from shown import Gio, GLib, Gsock, answered, must, wait


# {gsock_socket_service_start gsock_socket_service_stop gsock_socket_service_is_active GsockSocketService:active}
def rest(service):
    # What comes meanwhile waits in the kernel.
    service.stop()
    if service.is_active():
        return False
    service.start()
    return service.is_active()
# {}


# {GsockSocketService::error}
def on_error(_service, error):
    # It goes on, if it can.
    answered(f"it does not accept: {error.message}")


def hear_of_errors(service):
    service.connect("error", on_error)
# {}


# {GsockSocketService}
class Greeter(Gsock.SocketService):
    def do_incoming(self, connection, source_object):
        def greeted(stream, result):
            try:
                stream.write_bytes_finish(result)
            except GLib.Error as error:
                print(error.message, file=sys.stderr)
            # Held until here: the connection is closed with its last reference.
            self.greeted.discard(connection)

        self.greeted.add(connection)
        welcome, stream = GLib.Bytes.new(b"welcome"), connection.get_output_stream()
        stream.write_bytes_async(welcome, GLib.PRIORITY_DEFAULT, None, greeted)
        return True

    def __init__(self):
        super().__init__()
        self.greeted = set()


def greeter_at_any_port():
    service = Greeter()
    return service, service.add_any_inet_port(None)
# {}


def main():
    service, port = greeter_at_any_port()
    must(rest(service))
    connection = Gsock.SocketClient().connect_to_host("127.0.0.1", port, None)
    stream = connection.get_input_stream()
    stream.read_bytes_async(7, GLib.PRIORITY_DEFAULT, None, lambda s, result: answered(s.read_bytes_finish(result)))
    must(wait()[0].get_data() == b"welcome")
    hear_of_errors(service)
    # It does not listen.
    deaf = Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT)
    service.add_socket(deaf, None)
    must(wait()[0].startswith("it does not accept: "))
    service.close()
    print("ok")


main()
