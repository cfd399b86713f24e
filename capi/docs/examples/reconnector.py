"""What is of connecting again, in Python, as the documentation shows it; see operations.py."""

from shown import Gio, GObject, Gsock, answered, loopback_listener, must, wait


# {gsock_reconnector_new gsock_reconnector_start GsockReconnector:client :connectable}
def stay_connected(client, connectable):
    reconnector = Gsock.Reconnector.new(client, connectable)
    assert reconnector.get_client() == client
    assert reconnector.get_connectable() == connectable
    # Connects in the main loop, and again whenever the connection is lost.
    reconnector.start()
    return reconnector
# {}


# {gsock_reconnector_wait_connected}
def wait_now(reconnector):
    # Blocks; starts it if need be.
    return reconnector.wait_connected(None)
# {}


# {gsock_reconnector_wait_connected_async gsock_reconnector_wait_connected_finish}
def wait_later(reconnector):
    def on_connected(reconnector, result):
        answered(reconnector.wait_connected_finish(result))

    reconnector.wait_connected_async(None, on_connected)
# {}


# {gsock_reconnector_retry_now}
def on_button(reconnector):
    # Whatever the delay.
    reconnector.retry_now()
# {}


# {gsock_reconnector_stop}
def leave(reconnector):
    # Closes what is connected.
    reconnector.stop()
# {}


# {GsockReconnector:connection :io-stream}
def show_alive_in(reconnector, label):
    connection = reconnector.get_connection()
    # Without TLS it is one object, which lives through all sockets: so does the binding.
    assert reconnector.get_io_stream() == connection
    connection.bind_property("alive", label, "active", GObject.BindingFlags.SYNC_CREATE)
# {}


# {GsockReconnector:state :attempt :next-attempt-in-ms :last-error}
def how_it_stands(reconnector):
    if reconnector.get_state() == Gsock.ReconnectorState.CONNECTED:
        return "connected"
    number, delay = reconnector.get_attempt() + 1, reconnector.get_next_attempt_in_ms()
    return f"attempt {number} in {delay} ms: {reconnector.get_last_error()}"
# {}


# {GsockReconnector:initial-delay-ms :max-delay-ms :jitter :max-attempts :stable-after-ms :reconnect}
def be_patient(reconnector):
    reconnector.set_initial_delay_ms(1000)
    reconnector.set_max_delay_ms(60000)
    reconnector.set_jitter(0.2)
    reconnector.set_max_attempts(20)
    reconnector.set_stable_after_ms(5000)
    reconnector.set_reconnect(True)
    print("from", reconnector.get_initial_delay_ms(), "to", reconnector.get_max_delay_ms(), "ms, the last")
    print(reconnector.get_jitter(), "by chance,", reconnector.get_max_attempts(), "times; begun anew after")
    print(reconnector.get_stable_after_ms(), "ms" if reconnector.get_reconnect() else "ms, once")
# {}


# {GsockReconnector:network-monitor :debounce-ms}
def hear_of_the_network(reconnector):
    # GIO's own, by itself.
    assert reconnector.get_network_monitor() == Gio.NetworkMonitor.get_default()
    reconnector.set_debounce_ms(2000)
    assert reconnector.get_debounce_ms() == 2000
    # Nobody's word, where the network has no way out.
    reconnector.set_network_monitor(None)
# {}


# {GsockReconnector::attempt ::attempt-failed ::connected ::disconnected ::given-up}
def hear_of_it(reconnector):
    reconnector.connect("attempt", lambda _, number: print("attempt", number))
    reconnector.connect("attempt-failed", lambda _, number, error, delay: print(error.message, "again in", delay, "ms"))
    reconnector.connect("connected", lambda _, stream: print("connected, by a", type(stream).__name__))
    reconnector.connect("disconnected", lambda _, error: print("lost:", error or "the peer has closed"))
    reconnector.connect("given-up", lambda _, error: print("no more:", error.message))
# {}


def main():
    _listener, address = loopback_listener()
    reconnector = stay_connected(Gsock.SocketClient(), address)
    hear_of_it(reconnector)
    be_patient(reconnector)
    hear_of_the_network(reconnector)
    first = wait_now(reconnector)
    # Anything that has a property for it.
    label = Gsock.SocketService()
    show_alive_in(reconnector, label)
    must(how_it_stands(reconnector) == "connected")
    on_button(reconnector)
    wait_later(reconnector)
    must(wait() == (first,))
    leave(reconnector)
    must(reconnector.get_state() == Gsock.ReconnectorState.STOPPED)
    must(not label.is_active())
    print("ok")


if __name__ == "__main__":
    main()
