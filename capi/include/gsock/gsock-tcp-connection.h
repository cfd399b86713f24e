/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_TCP_CONNECTION_H
#define GSOCK_TCP_CONNECTION_H

#include <gsock/gsock-socket-connection.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_LIVENESS (gsock_liveness_get_type ())

/**
 * GsockLiveness:
 * @GSOCK_LIVENESS_OFF: the system's defaults: hours while idle, a quarter of an hour while sending
 * @GSOCK_LIVENESS_BACKGROUND: within five minutes, at little cost for radio and battery
 * @GSOCK_LIVENESS_INTERACTIVE: within half a minute: somebody is looking at it
 *
 * How soon a connection whose peer went away without a word is noticed. Later versions may add to
 * these.
 *
 * Since: 0.1
 */
typedef enum {
  GSOCK_LIVENESS_OFF = 0,
  GSOCK_LIVENESS_BACKGROUND = 1,
  GSOCK_LIVENESS_INTERACTIVE = 2
} GsockLiveness;

extern
GType gsock_liveness_get_type (void) G_GNUC_CONST;

#define GSOCK_TYPE_TCP_CONNECTION (gsock_tcp_connection_get_type ())

/**
 * GsockTcpConnection:
 *
 * A connection over TCP/IP: what #GTcpConnection is.
 *
 * Its options answer %G_IO_ERROR_CLOSED on a closed connection, and the system's own error for a value
 * that it does not take. They belong to the socket: after gsock_socket_connection_set_socket() they are
 * the new one's.
 *
 * Since: 0.1
 */
extern
G_DECLARE_DERIVABLE_TYPE (GsockTcpConnection, gsock_tcp_connection, GSOCK, TCP_CONNECTION, GsockSocketConnection)

/**
 * GsockTcpConnectionClass:
 * @parent_class: the parent class
 *
 * The class structure. There is nothing to override beyond the parent's.
 *
 * Since: 0.1
 */
struct _GsockTcpConnectionClass
{
  /*< private >*/
  GsockSocketConnectionClass parent_class;

  gpointer padding[10];
};

/**
 * GsockTcpConnection:graceful-disconnect: (getter get_graceful_disconnect) (setter set_graceful_disconnect)
 *
 * Whether a close first waits until the peer has closed too: for the socket's timeout, or 30 seconds
 * where there is none, and then closes all the same.
 *
 * Since: 0.1
 */

/**
 * gsock_tcp_connection_set_graceful_disconnect: (set-property graceful-disconnect)
 * @connection: a connection
 * @graceful_disconnect: whether to wait
 *
 * Sets whether a close waits for the peer to close too.
 *
 * Since: 0.1
 */
extern
void     gsock_tcp_connection_set_graceful_disconnect (GsockTcpConnection *connection,
                                                       gboolean            graceful_disconnect);

/**
 * gsock_tcp_connection_get_graceful_disconnect: (get-property graceful-disconnect)
 * @connection: a connection
 *
 * Whether a close waits for the peer to close too.
 *
 * Returns: whether it waits
 *
 * Since: 0.1
 */
extern
gboolean gsock_tcp_connection_get_graceful_disconnect (GsockTcpConnection *connection);

/**
 * gsock_tcp_connection_set_no_delay:
 * @connection: a connection
 * @no_delay: whether to send at once
 * @error: a place for an error, or %NULL
 *
 * Sets whether small writes are sent at once, and not gathered while data is unacknowledged.
 *
 * Returns: %TRUE if it is so now, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean gsock_tcp_connection_set_no_delay            (GsockTcpConnection *connection,
                                                       gboolean            no_delay,
                                                       GError            **error);

/**
 * gsock_tcp_connection_get_no_delay:
 * @connection: a connection
 * @no_delay: (out) (optional): whether small writes are sent at once
 * @error: a place for an error, or %NULL
 *
 * Asks whether small writes are sent at once.
 *
 * Returns: %TRUE if it answered, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean gsock_tcp_connection_get_no_delay            (GsockTcpConnection *connection,
                                                       gboolean           *no_delay,
                                                       GError            **error);

/**
 * gsock_tcp_connection_set_keepalive_params:
 * @connection: a connection
 * @idle: seconds without traffic before the first probe
 * @interval: seconds from one unanswered probe to the next
 * @count: how many unanswered probes end the connection
 * @error: a place for an error, or %NULL
 *
 * Sends keep-alive probes. A peer that does not answer them ends the connection with
 * %G_IO_ERROR_TIMED_OUT.
 *
 * Returns: %TRUE if they are sent now, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean gsock_tcp_connection_set_keepalive_params    (GsockTcpConnection *connection,
                                                       guint               idle,
                                                       guint               interval,
                                                       guint               count,
                                                       GError            **error);

/**
 * gsock_tcp_connection_get_keepalive_params:
 * @connection: a connection
 * @enabled: (out) (optional): whether probes are sent; where not, the other three are 0
 * @idle: (out) (optional): seconds without traffic before the first probe
 * @interval: (out) (optional): seconds from one unanswered probe to the next
 * @count: (out) (optional): how many unanswered probes end the connection
 * @error: a place for an error, or %NULL
 *
 * Asks for the keep-alive probes.
 *
 * Returns: %TRUE if it answered, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean gsock_tcp_connection_get_keepalive_params    (GsockTcpConnection *connection,
                                                       gboolean           *enabled,
                                                       guint              *idle,
                                                       guint              *interval,
                                                       guint              *count,
                                                       GError            **error);

/**
 * gsock_tcp_connection_set_user_timeout:
 * @connection: a connection
 * @timeout_ms: milliseconds, or 0 for the system's default
 * @error: a place for an error, or %NULL
 *
 * Ends the connection with %G_IO_ERROR_TIMED_OUT when sent data stays unacknowledged for so long.
 *
 * Returns: %TRUE if it is so now, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean gsock_tcp_connection_set_user_timeout        (GsockTcpConnection *connection,
                                                       guint               timeout_ms,
                                                       GError            **error);

/**
 * gsock_tcp_connection_get_user_timeout:
 * @connection: a connection
 * @timeout_ms: (out) (optional): milliseconds, or 0 for the system's default
 * @error: a place for an error, or %NULL
 *
 * Asks how long sent data may stay unacknowledged.
 *
 * Returns: %TRUE if it answered, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean gsock_tcp_connection_get_user_timeout        (GsockTcpConnection *connection,
                                                       guint              *timeout_ms,
                                                       GError            **error);

/**
 * gsock_tcp_connection_set_linger_zero:
 * @connection: a connection
 * @linger_zero: whether to reset
 * @error: a place for an error, or %NULL
 *
 * Sets whether a close resets the connection at once and throws away what is not sent yet.
 *
 * Returns: %TRUE if it is so now, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean gsock_tcp_connection_set_linger_zero         (GsockTcpConnection *connection,
                                                       gboolean            linger_zero,
                                                       GError            **error);

/**
 * gsock_tcp_connection_get_linger_zero:
 * @connection: a connection
 * @linger_zero: (out) (optional): whether a close resets
 * @error: a place for an error, or %NULL
 *
 * Asks whether a close resets the connection.
 *
 * Returns: %TRUE if it answered, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean gsock_tcp_connection_get_linger_zero         (GsockTcpConnection *connection,
                                                       gboolean           *linger_zero,
                                                       GError            **error);

/**
 * gsock_tcp_connection_set_liveness:
 * @connection: a connection
 * @liveness: how soon
 * @error: a place for an error, or %NULL
 *
 * Sets keep-alive probes and the limit for unacknowledged data, so that a peer that went away without
 * a word is noticed in time.
 *
 * Returns: %TRUE if it is so now, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean gsock_tcp_connection_set_liveness            (GsockTcpConnection *connection,
                                                       GsockLiveness       liveness,
                                                       GError            **error);

G_END_DECLS

#endif /* GSOCK_TCP_CONNECTION_H */
