/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_GIO_H
#define GSOCK_GIO_H

#include <gsock/gsock-socket-connection.h>

G_BEGIN_DECLS

/**
 * gsock_adopt_gio:
 * @error: a place for an error, or %NULL
 *
 * Has GIO make its connections on this library's transport and engine, from now on and in this whole process.
 *
 * Whoever makes an object of exactly #GSocketConnection, #GTcpConnection or #GUnixConnection gets one of a type that derives from
 * it: #GSocketClient, #GSocketListener, #GSocketService, GDBus and every other user of GIO, none of which
 * needs to be changed. Their streams and their close are those of this library. Objects that were made before stay
 * as they are, and so do types of others that derive from GIO's.
 *
 * Any thread may call it, and more than once. There is no way back.
 *
 * Returns: %TRUE, or %FALSE with @error set, which does not happen so far
 *
 * Since: 0.2
 */
extern
gboolean               gsock_adopt_gio                      (GError **error);

/**
 * gsock_socket_connection_to_gio:
 * @connection: a #GsockSocketConnection
 *
 * A connection of GIO's own class that shares the transport of this one: for GDBus and others that look for that class. A
 * #GTcpConnection for an internet stream, a #GUnixConnection for a Unix socket, else a #GSocketConnection.
 *
 * It is the same object each time, for as long as somebody holds it and @connection has the same socket. Both may read and write;
 * closing either closes the socket, and merely dropped, the one that is left goes on.
 *
 * Returns: (transfer full): a connection
 *
 * Since: 0.2
 */
extern
GSocketConnection     *gsock_socket_connection_to_gio       (GsockSocketConnection *connection);

/**
 * gsock_socket_connection_new_from_gio: (constructor)
 * @connection: a #GSocketConnection
 *
 * A connection of this library on the socket of @connection. They share one transport where @connection was made by
 * gsock_socket_connection_to_gio() or after gsock_adopt_gio(), and it is the same object each time then, on one thread; of GIO's
 * own it shares the #GSocket.
 *
 * Returns: (transfer full): a connection
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_connection_new_from_gio (GSocketConnection *connection);

/**
 * gsock_socket_connection_beneath:
 * @io_stream: a stream, of TLS for example
 *
 * Finds the connection at the bottom of streams that stand on each other, as a #GTlsConnection stands on one: from there come
 * the addresses and the state that @io_stream does not tell of. It goes down by the property "base-io-stream", and a connection
 * without one is its own bottom. For one of GIO's class it is what gsock_socket_connection_new_from_gio() makes of it.
 *
 * Returns: (transfer full) (nullable): a connection, or %NULL where the bottom is something else
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_connection_beneath      (GIOStream *io_stream);

G_END_DECLS

#endif /* GSOCK_GIO_H */
