"""What is of Unix sockets, in Python, as the documentation shows it; see operations.py."""

import os
import socket
import sys

from shown import GLib, Gsock, answered, must, wait


# {gsock_unix_connection_send_fd_async gsock_unix_connection_send_fd_finish}
def on_handed_over(connection, result):
    try:
        answered(connection.send_fd_finish(result))
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def hand_over_later(connection, fd):
    # It may be closed as soon as this has returned.
    connection.send_fd_async(fd, None, on_handed_over)
# {}


# {gsock_unix_connection_receive_fd_async gsock_unix_connection_receive_fd_finish}
def on_taken_over(connection, result):
    try:
        # Ours to close.
        answered(connection.receive_fd_finish(result))
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def take_over_later(connection):
    connection.receive_fd_async(None, on_taken_over)
# {}


# {gsock_unix_connection_send_fds}
def hand_over_both(connection, one, other):
    # In one message, with one byte.
    connection.send_fds([one, other], None)
# {}


# {gsock_unix_connection_receive_fds}
def take_over_all(connection):
    # 8 at most: one message of more is refused, and what came with it closed.
    fds = connection.receive_fds(8, None)
    for fd in fds:
        os.close(fd)
    return len(fds)
# {}


# {gsock_unix_connection_send_fds_async gsock_unix_connection_send_fds_finish}
def on_both_handed_over(connection, result):
    try:
        answered(connection.send_fds_finish(result))
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def hand_over_both_later(connection, one, other):
    connection.send_fds_async([one, other], None, on_both_handed_over)
# {}


# {gsock_unix_connection_receive_fds_async gsock_unix_connection_receive_fds_finish}
def on_all_taken_over(connection, result):
    try:
        fds = connection.receive_fds_finish(result)
    except GLib.Error as error:
        print(error.message, file=sys.stderr)
        return
    for fd in fds:
        os.close(fd)
    answered(len(fds))


def take_over_all_later(connection):
    connection.receive_fds_async(8, None, on_all_taken_over)
# {}


# {gsock_unix_connection_send_credentials_async gsock_unix_connection_send_credentials_finish}
def on_said_who(connection, result):
    try:
        answered(connection.send_credentials_finish(result))
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def say_who_later(connection):
    connection.send_credentials_async(None, on_said_who)
# {}


# {gsock_unix_connection_receive_credentials_async gsock_unix_connection_receive_credentials_finish}
def on_heard_who(connection, result):
    try:
        credentials = connection.receive_credentials_finish(result)
        answered(credentials.get_unix_user() == os.geteuid())
    except GLib.Error as error:
        print(error.message, file=sys.stderr)


def hear_who_later(connection):
    connection.receive_credentials_async(None, on_heard_who)
# {}


# {gsock_unix_connection_get_peer_credentials}
def process_of_peer(connection):
    # Of when it connected; nothing is sent for it.
    return connection.get_peer_credentials().get_unix_pid()
# {}


# {gsock_unix_connection_get_peer_pidfd}
def hold_peer(connection):
    try:
        # It names the process, and no other one that has its number later.
        os.close(connection.get_peer_pidfd())
    except GLib.Error as error:
        print("an older Linux:", error.message)
# {}


def main():
    create = Gsock.SocketConnection.factory_create_connection_from_fd
    left, right = (create(end.detach()) for end in socket.socketpair())
    hand_over_later(left, 0)
    must(wait()[0])
    take_over_later(right)
    os.close(wait()[0])
    hand_over_both(left, 0, 1)
    must(take_over_all(right) == 2)
    hand_over_both_later(left, 0, 1)
    must(wait()[0])
    take_over_all_later(right)
    must(wait()[0] == 2)
    say_who_later(left)
    must(wait()[0])
    hear_who_later(right)
    must(wait()[0])
    must(process_of_peer(left) == os.getpid())
    hold_peer(left)
    print("ok")


main()
