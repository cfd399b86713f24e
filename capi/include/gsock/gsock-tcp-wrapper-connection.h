/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_TCP_WRAPPER_CONNECTION_H
#define GSOCK_TCP_WRAPPER_CONNECTION_H

#include <gsock/gsock-tcp-connection.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_TCP_WRAPPER_CONNECTION (gsock_tcp_wrapper_connection_get_type ())

/**
 * GsockTcpWrapperConnection:
 *
 * A connection over TCP/IP whose streams are those of a base stream, such as one that speaks TLS over the socket:
 * what #GTcpWrapperConnection is.
 *
 * A close, in whatever form, closes the base stream first, so that what that has still to say goes out, and
 * then the socket, also where the base stream fails; the first error is the one that is reported. With
 * #GsockTcpConnection:graceful-disconnect set, what the peer still sends is read from the base stream and thrown away.
 * A connection that is merely dropped closes the base stream unless others have it.
 *
 * Nothing here touches the bytes of the socket itself: gsock_socket_connection_receive_async() and
 * gsock_socket_connection_send_async() go through the base stream too. Addresses, options and state are those of the
 * socket, which is the one that it was made with: gsock_socket_connection_set_socket() is refused.
 *
 * Since: 0.2
 */
extern
G_DECLARE_DERIVABLE_TYPE (GsockTcpWrapperConnection, gsock_tcp_wrapper_connection, GSOCK, TCP_WRAPPER_CONNECTION, GsockTcpConnection)

/**
 * GsockTcpWrapperConnectionClass:
 * @parent_class: the parent class
 *
 * The class structure. There is nothing to override beyond the parent's.
 *
 * Since: 0.2
 */
struct _GsockTcpWrapperConnectionClass
{
  /*< private >*/
  GsockTcpConnectionClass parent_class;

  gpointer padding[10];
};

/**
 * GsockTcpWrapperConnection:base-io-stream: (getter get_base_io_stream)
 *
 * The stream whose streams are the connection's. A connection that is built without one is closed.
 *
 * Since: 0.2
 */

/**
 * gsock_tcp_wrapper_connection_new:
 * @base_io_stream: a stream that somehow uses @socket
 * @socket: an IPv4 or IPv6 stream socket
 *
 * Makes a connection out of @base_io_stream, which is closed with it.
 *
 * Returns: (transfer full): the connection
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_tcp_wrapper_connection_new (GIOStream *base_io_stream,
                                                         GSocket   *socket);

/**
 * gsock_tcp_wrapper_connection_get_base_io_stream: (get-property base-io-stream)
 * @conn: a connection
 *
 * Gets the stream whose streams are the connection's.
 *
 * Returns: (transfer none): the base stream
 *
 * Since: 0.2
 */
extern
GIOStream *gsock_tcp_wrapper_connection_get_base_io_stream (GsockTcpWrapperConnection *conn);

G_END_DECLS

#endif /* GSOCK_TCP_WRAPPER_CONNECTION_H */
