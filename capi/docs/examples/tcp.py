"""What is of TCP, in Python, as the documentation shows it; see operations.py."""

from shown import Gsock, loopback_listener, must


# {gsock_tcp_connection_set_no_delay gsock_tcp_connection_get_no_delay}
def send_at_once(connection):
    connection.set_no_delay(True)
    _, no_delay = connection.get_no_delay()
    return no_delay
# {}


# {gsock_tcp_connection_set_keepalive_params gsock_tcp_connection_get_keepalive_params}
def probe(connection):
    # After 30 silent seconds every 5, and 3 times in vain.
    connection.set_keepalive_params(30, 5, 3)
    _, on, idle, interval, count = connection.get_keepalive_params()
    return on and (idle, interval, count) == (30, 5, 3)
# {}


# {gsock_tcp_connection_set_user_timeout gsock_tcp_connection_get_user_timeout}
def wait_for_acknowledgement(connection):
    connection.set_user_timeout(20_000)
    _, timeout_ms = connection.get_user_timeout()
    return timeout_ms == 20_000
# {}


# {gsock_tcp_connection_set_linger_zero gsock_tcp_connection_get_linger_zero}
def reset_at_close(connection):
    # What has not been sent is lost, and the peer told.
    connection.set_linger_zero(True)
    _, linger_zero = connection.get_linger_zero()
    return linger_zero
# {}


# {gsock_tcp_connection_get_graceful_disconnect}
def closes_with_care(connection):
    return connection.get_graceful_disconnect()
# {}


# {gsock_tcp_wrapper_connection_get_base_io_stream}
def what_is_wrapped(wrapper):
    return wrapper.get_base_io_stream()
# {}


def main():
    listener, address = loopback_listener()
    connection = Gsock.SocketClient().connect(address, None)
    must(send_at_once(connection))
    must(probe(connection))
    must(wait_for_acknowledgement(connection))
    must(reset_at_close(connection))
    must(not closes_with_care(connection))
    wrapper = Gsock.TcpWrapperConnection.new(connection, connection.get_socket())
    must(what_is_wrapped(wrapper) is connection)
    listener.close()
    print("ok")


main()
