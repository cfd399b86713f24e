/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_SOCKET_CONNECTION_H
#define GSOCK_SOCKET_CONNECTION_H

#include <gio/gio.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_CONNECTION_STATE (gsock_connection_state_get_type ())

/**
 * GsockConnectionState:
 * @GSOCK_CONNECTION_STATE_UNCONNECTED: nobody is at the other end, and nobody is being called
 * @GSOCK_CONNECTION_STATE_CONNECTING: a connect is under way
 * @GSOCK_CONNECTION_STATE_CONNECTED: there is a peer
 * @GSOCK_CONNECTION_STATE_DISCONNECTED: the peer is gone and we have not closed yet; what it sent
 *   before can still be read
 * @GSOCK_CONNECTION_STATE_CLOSED: closed by us
 *
 * Where a connection stands in its life. Later versions may add to these.
 *
 * Since: 0.1
 */
typedef enum {
  GSOCK_CONNECTION_STATE_UNCONNECTED = 0,
  GSOCK_CONNECTION_STATE_CONNECTING = 1,
  GSOCK_CONNECTION_STATE_CONNECTED = 2,
  GSOCK_CONNECTION_STATE_DISCONNECTED = 3,
  GSOCK_CONNECTION_STATE_CLOSED = 4
} GsockConnectionState;

extern
GType gsock_connection_state_get_type (void) G_GNUC_CONST;

#define GSOCK_TYPE_SOCKET_CONNECTION (gsock_socket_connection_get_type ())

/**
 * GsockSocketConnection:
 *
 * A connection over a socket: a #GIOStream whose state can be watched.
 *
 * It does what #GSocketConnection does, under names with gsock_ for g_. Reading, writing and closing
 * are the functions of #GIOStream and of its two streams. What it does differently is listed in the
 * project's docs/differences.md.
 *
 * Its functions may be called from any thread. One thread may read while another one writes; a
 * #GCancellable may be cancelled, and the connection closed, from a third, which ends what the others
 * wait for.
 *
 * Property notifications happen at the connection's home only: the thread that made it, with the
 * #GMainContext that was thread-default there; see gsock_socket_connection_set_home().
 *
 * Since: 0.1
 */
extern
G_DECLARE_DERIVABLE_TYPE (GsockSocketConnection, gsock_socket_connection, GSOCK, SOCKET_CONNECTION, GIOStream)

/**
 * GsockSocketConnectionClass:
 * @parent_class: the parent class
 * @connect: connects and blocks until that is done
 * @connect_async: starts to connect
 * @connect_finish: takes the outcome of @connect_async
 *
 * The class structure. A class that overrides one of the three connects overrides @connect together
 * with @connect_async, and @connect_finish where its result is not a #GTask on the connection.
 *
 * To change what a close does it is enough to override #GIOStreamClass.close_fn(): an asynchronous
 * close calls it too.
 *
 * Since: 0.1
 */
struct _GsockSocketConnectionClass
{
  /*< private >*/
  GIOStreamClass parent_class;

  /*< public >*/

  /**
   * GsockSocketConnectionClass::connect:
   * @connection: a connection
   * @address: where to connect to
   * @cancellable: (nullable): a #GCancellable, or %NULL
   * @error: a place for an error, or %NULL
   *
   * Connects and blocks until that is done. The default connects the socket.
   *
   * Returns: %TRUE if it connected, %FALSE with @error set if not
   *
   * Since: 0.1
   */
  gboolean (*connect)        (GsockSocketConnection  *connection,
                              GSocketAddress         *address,
                              GCancellable           *cancellable,
                              GError                **error);

  /**
   * GsockSocketConnectionClass::connect_async:
   * @connection: a connection
   * @address: where to connect to
   * @cancellable: (nullable): a #GCancellable, or %NULL
   * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
   * @user_data: data for @callback
   *
   * Starts to connect; never calls @callback before it returns. The default connects the socket.
   *
   * Since: 0.1
   */
  void     (*connect_async)  (GsockSocketConnection  *connection,
                              GSocketAddress         *address,
                              GCancellable           *cancellable,
                              GAsyncReadyCallback     callback,
                              gpointer                user_data);

  /**
   * GsockSocketConnectionClass::connect_finish:
   * @connection: a connection
   * @result: what the callback was given
   * @error: a place for an error, or %NULL
   *
   * Takes the outcome of a connect_async. The default takes its own results, and a #GTask on
   * @connection without a source tag that returns a boolean.
   *
   * Returns: %TRUE if it connected, %FALSE with @error set if not
   *
   * Since: 0.1
   */
  gboolean (*connect_finish) (GsockSocketConnection  *connection,
                              GAsyncResult           *result,
                              GError                **error);

  /*< private >*/
  gpointer padding[10];
};

/**
 * GsockSocketConnection:socket: (getter get_socket) (setter set_socket)
 *
 * The socket. It may be set when the connection is made, and afterwards while it is idle. A
 * connection that is made without one logs a critical message and is closed.
 *
 * Since: 0.1
 */

/**
 * GsockSocketConnection:state: (getter get_state)
 *
 * Where the connection stands. It follows the socket without anybody reading from it.
 *
 * Since: 0.1
 */

/**
 * GsockSocketConnection:alive: (getter is_alive)
 *
 * Whether #GsockSocketConnection:state is %GSOCK_CONNECTION_STATE_CONNECTED.
 *
 * Since: 0.1
 */

/**
 * GsockSocketConnection:local-address: (getter get_local_address)
 *
 * The local address, or %NULL. It is kept after a close.
 *
 * Since: 0.1
 */

/**
 * GsockSocketConnection:remote-address: (getter get_remote_address)
 *
 * The peer's address, or %NULL. It is kept after a close.
 *
 * Since: 0.1
 */

/**
 * GsockSocketConnection:last-error: (getter get_last_error)
 *
 * What ended or failed the connection, or %NULL.
 *
 * Since: 0.1
 */

/**
 * GsockSocketConnection:bytes-read: (getter get_bytes_read)
 *
 * How many bytes were read. Exact when read, notified at most ten times a second.
 *
 * Since: 0.1
 */

/**
 * GsockSocketConnection:bytes-written: (getter get_bytes_written)
 *
 * How many bytes were written. Exact when read, notified at most ten times a second.
 *
 * Since: 0.1
 */

/**
 * gsock_socket_connection_is_connected:
 * @connection: a connection
 *
 * Whether the socket was connected, and not closed or shut down by us since. It stays %TRUE when the
 * peer goes away; for that there is gsock_socket_connection_is_alive().
 *
 * Returns: whether the socket is connected
 *
 * Since: 0.1
 */
extern
gboolean               gsock_socket_connection_is_connected       (GsockSocketConnection *connection);

/**
 * gsock_socket_connection_connect:
 * @connection: a connection
 * @address: where to connect to
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Connects to @address, and blocks this thread until that is done or the socket's timeout is over.
 * After a failure the socket is as unconnected as before.
 *
 * Returns: %TRUE if it connected, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean               gsock_socket_connection_connect            (GsockSocketConnection *connection,
                                                                   GSocketAddress        *address,
                                                                   GCancellable          *cancellable,
                                                                   GError               **error);

/**
 * gsock_socket_connection_connect_async:
 * @connection: a connection
 * @address: where to connect to
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to connect to @address. @callback runs in the #GMainContext that is thread-default now,
 * which this thread need not own, and never before this returns. The socket's blocking flag is
 * cleared, for good.
 *
 * Since: 0.1
 */
extern
void                   gsock_socket_connection_connect_async      (GsockSocketConnection *connection,
                                                                   GSocketAddress        *address,
                                                                   GCancellable          *cancellable,
                                                                   GAsyncReadyCallback    callback,
                                                                   gpointer               user_data);

/**
 * gsock_socket_connection_connect_finish:
 * @connection: a connection
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_socket_connection_connect_async(), once.
 *
 * Anything but such a result gives %G_IO_ERROR_INVALID_ARGUMENT.
 *
 * Returns: %TRUE if it connected, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean               gsock_socket_connection_connect_finish     (GsockSocketConnection *connection,
                                                                   GAsyncResult          *result,
                                                                   GError               **error);

/**
 * gsock_socket_connection_receive_async: (skip)
 * @connection: a connection
 * @buffer: (array length=count) (element-type guint8) (out caller-allocates): where to put what is read
 * @count: how many bytes of @buffer there are
 * @io_priority: the priority of the operation, %G_PRIORITY_DEFAULT for most
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Reads at most @count bytes: the same as g_input_stream_read_async() on the connection's input stream, for
 * less. It does not make that stream pending: of several reads that wait, each gets what it finds.
 *
 * @buffer must stay, and is nobody else's, until @callback is called: in the #GMainContext that is
 * thread-default now, which this thread need not own, and never before this returns. Without a @callback
 * nothing tells when that is. Languages whose memory moves, or goes when the call returns, read the stream.
 *
 * Since: 0.2
 */
extern
void                   gsock_socket_connection_receive_async      (GsockSocketConnection *connection,
                                                                   void                  *buffer,
                                                                   gsize                  count,
                                                                   int                    io_priority,
                                                                   GCancellable          *cancellable,
                                                                   GAsyncReadyCallback    callback,
                                                                   gpointer               user_data);

/**
 * gsock_socket_connection_receive_finish: (skip)
 * @connection: a connection
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_socket_connection_receive_async(), once.
 *
 * A count of more than %G_MAXSSIZE, and anything but such a result, gives %G_IO_ERROR_INVALID_ARGUMENT. What
 * was cancelled has read nothing.
 *
 * Returns: how many bytes were read, 0 at the end of what the peer sends, or -1 with @error set
 *
 * Since: 0.2
 */
extern
gssize                 gsock_socket_connection_receive_finish     (GsockSocketConnection *connection,
                                                                   GAsyncResult          *result,
                                                                   GError               **error);

/**
 * gsock_socket_connection_send_async: (skip)
 * @connection: a connection
 * @buffer: (array length=count) (element-type guint8): what to write
 * @count: how many bytes of @buffer there are
 * @io_priority: the priority of the operation, %G_PRIORITY_DEFAULT for most
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Writes at most @count bytes: the same as g_output_stream_write_async() on the connection's output stream,
 * for less. It does not make that stream pending.
 *
 * @buffer must stay as it is until @callback is called: in the #GMainContext that is thread-default now, which
 * this thread need not own, and never before this returns. Without a @callback nothing tells when that is.
 * Languages whose memory moves, or goes when the call returns, write to the stream.
 *
 * Since: 0.2
 */
extern
void                   gsock_socket_connection_send_async         (GsockSocketConnection *connection,
                                                                   const void            *buffer,
                                                                   gsize                  count,
                                                                   int                    io_priority,
                                                                   GCancellable          *cancellable,
                                                                   GAsyncReadyCallback    callback,
                                                                   gpointer               user_data);

/**
 * gsock_socket_connection_send_finish: (skip)
 * @connection: a connection
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_socket_connection_send_async(), once.
 *
 * A count of more than %G_MAXSSIZE, and anything but such a result, gives %G_IO_ERROR_INVALID_ARGUMENT. What
 * was cancelled has written nothing.
 *
 * Returns: how many bytes were written, 0 only where there were none to write, or -1 with @error set
 *
 * Since: 0.2
 */
extern
gssize                 gsock_socket_connection_send_finish        (GsockSocketConnection *connection,
                                                                   GAsyncResult          *result,
                                                                   GError               **error);

/**
 * gsock_socket_connection_relay_async:
 * @a: a connection
 * @b: another connection
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Gives each of two connections what the peer of the other one sends, until both peers have ended.
 *
 * When one peer ends what it sends, all of it is delivered first and then the sending side of the other
 * connection is shut down; the other direction goes on until its own end. Neither connection is closed, whatever
 * happens. Nothing more is read from a connection before the other one has taken what was read last.
 *
 * @callback is called in the #GMainContext that is thread-default now, which this thread need not own; whoever
 * iterates it uses both connections. The source object is @a.
 *
 * The first failure of either side ends the relay in both directions. %G_IO_ERROR_TIMED_OUT when nothing
 * has moved in either direction for as long as the shorter of the timeouts of the two sockets; %G_IO_ERROR_CLOSED
 * when one of the connections is closed, before or meanwhile. Before anything has moved:
 * %G_IO_ERROR_NOT_CONNECTED; %G_IO_ERROR_INVALID_ARGUMENT when both are the same connection, or have the same socket;
 * %G_IO_ERROR_NOT_SUPPORTED for sockets that are not streams; %G_IO_ERROR_PENDING while one of the four streams is
 * busy; %G_IO_ERROR_FAILED in a child process that has a socket from its parent.
 *
 * When it fails or is cancelled, what was taken from one connection and not yet delivered to the other is delivered
 * as far as that needs no waiting. The rest is lost: at most 64 KiB in each direction, and nothing unless a
 * connection had no room at that moment. It is so if and only if what gsock_socket_connection_get_bytes_read() says of
 * one has grown by more than what gsock_socket_connection_get_bytes_written() says of the other. Through streams of a
 * class of its own, what was read and not written is lost.
 *
 * Since: 0.2
 */
extern
void                   gsock_socket_connection_relay_async        (GsockSocketConnection *a,
                                                                   GsockSocketConnection *b,
                                                                   GCancellable          *cancellable,
                                                                   GAsyncReadyCallback    callback,
                                                                   gpointer               user_data);

/**
 * gsock_socket_connection_relay_finish:
 * @a: a connection
 * @result: what the callback was given
 * @a_to_b: (out) (optional): how many bytes went from the peer of @a to that of the other connection
 * @b_to_a: (out) (optional): how many bytes went the other way
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_socket_connection_relay_async(), once.
 *
 * Anything but such a result gives %G_IO_ERROR_INVALID_ARGUMENT. The counts are 0 where it fails; those of the
 * connections say what was moved.
 *
 * Returns: %TRUE if both peers have ended, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean               gsock_socket_connection_relay_finish       (GsockSocketConnection *a,
                                                                   GAsyncResult          *result,
                                                                   guint64               *a_to_b,
                                                                   guint64               *b_to_a,
                                                                   GError               **error);

/**
 * gsock_socket_connection_get_socket: (get-property socket)
 * @connection: a connection
 *
 * The socket. The pointer is good for as long as @connection is, also when @connection has moved on to
 * another socket since; the socket itself is closed then, unless somebody holds a reference to it.
 *
 * Returns: (transfer none): the socket
 *
 * Since: 0.1
 */
extern
GSocket               *gsock_socket_connection_get_socket         (GsockSocketConnection *connection);

/**
 * gsock_socket_connection_set_socket: (set-property socket)
 * @connection: a connection
 * @socket: (transfer none): another socket
 * @error: a place for an error, or %NULL
 *
 * Moves the connection on to another socket. Addresses, state and streams follow it; the counters
 * begin anew. The socket of before is given back: it stays open if somebody holds a reference to it.
 *
 * Fails, and changes nothing, with %G_IO_ERROR_PENDING while the connection or one of its streams is
 * busy, %G_IO_ERROR_CLOSED after a close, and %G_IO_ERROR_INVALID_ARGUMENT for a socket that the class
 * cannot carry.
 *
 * Returns: %TRUE if it is the connection's socket now, %FALSE with @error set if not
 *
 * Since: 0.1
 */
extern
gboolean               gsock_socket_connection_set_socket         (GsockSocketConnection *connection,
                                                                   GSocket               *socket,
                                                                   GError               **error);

/**
 * gsock_socket_connection_get_local_address: (get-property local-address)
 * @connection: a connection
 * @error: a place for an error, or %NULL
 *
 * The local address. It stays the same after a close.
 *
 * Returns: (transfer full): the address, or %NULL with @error set
 *
 * Since: 0.1
 */
extern
GSocketAddress        *gsock_socket_connection_get_local_address  (GsockSocketConnection *connection,
                                                                   GError               **error);

/**
 * gsock_socket_connection_get_remote_address: (get-property remote-address)
 * @connection: a connection
 * @error: a place for an error, or %NULL
 *
 * The peer's address. It stays the same after a close. Where there was never a peer it gives
 * %G_IO_ERROR_NOT_CONNECTED.
 *
 * Returns: (transfer full): the address, or %NULL with @error set
 *
 * Since: 0.1
 */
extern
GSocketAddress        *gsock_socket_connection_get_remote_address (GsockSocketConnection *connection,
                                                                   GError               **error);

/**
 * gsock_socket_connection_get_state: (get-property state)
 * @connection: a connection
 *
 * Where the connection stands.
 *
 * Returns: the state
 *
 * Since: 0.1
 */
extern
GsockConnectionState   gsock_socket_connection_get_state          (GsockSocketConnection *connection);

/**
 * gsock_socket_connection_is_alive: (get-property alive)
 * @connection: a connection
 *
 * Whether there is a peer, as far as anybody here can know.
 *
 * Returns: whether the state is %GSOCK_CONNECTION_STATE_CONNECTED
 *
 * Since: 0.1
 */
extern
gboolean               gsock_socket_connection_is_alive           (GsockSocketConnection *connection);

/**
 * gsock_socket_connection_get_last_error: (get-property last-error)
 * @connection: a connection
 *
 * What ended or failed the connection, until it is connected again. A peer that closed in an orderly
 * way leaves none.
 *
 * Returns: (transfer full) (nullable): the error, or %NULL
 *
 * Since: 0.1
 */
extern
GError                *gsock_socket_connection_get_last_error     (GsockSocketConnection *connection);

/**
 * gsock_socket_connection_get_bytes_read: (get-property bytes-read)
 * @connection: a connection
 *
 * How many bytes were read through this connection.
 *
 * Returns: the number of bytes
 *
 * Since: 0.1
 */
extern
guint64                gsock_socket_connection_get_bytes_read     (GsockSocketConnection *connection);

/**
 * gsock_socket_connection_get_bytes_written: (get-property bytes-written)
 * @connection: a connection
 *
 * How many bytes were written through this connection.
 *
 * Returns: the number of bytes
 *
 * Since: 0.1
 */
extern
guint64                gsock_socket_connection_get_bytes_written  (GsockSocketConnection *connection);

/**
 * gsock_socket_connection_set_home:
 * @connection: a connection
 * @context: (nullable): a #GMainContext, or %NULL for the global default one
 *
 * Makes the calling thread and @context the place where the connection's properties are notified:
 * for an object that is made on one thread and handed to another.
 *
 * Handlers that are connected already must be fit to run, and to be freed, on this thread.
 *
 * Since: 0.1
 */
extern
void                   gsock_socket_connection_set_home           (GsockSocketConnection *connection,
                                                                   GMainContext          *context);

/**
 * gsock_socket_connection_factory_register_type:
 * @g_type: a #GType that derives from %GSOCK_TYPE_SOCKET_CONNECTION
 * @family: a #GSocketFamily
 * @type: a #GSocketType
 * @protocol: a protocol number
 *
 * Registers @g_type for sockets of this family, type and protocol. The last registration wins.
 *
 * Since: 0.1
 */
extern
void                   gsock_socket_connection_factory_register_type     (GType         g_type,
                                                                          GSocketFamily family,
                                                                          GSocketType   type,
                                                                          gint          protocol);

/**
 * gsock_socket_connection_factory_lookup_type:
 * @family: a #GSocketFamily
 * @type: a #GSocketType
 * @protocol_id: a protocol number
 *
 * The type that is registered for sockets of this family, type and protocol.
 *
 * Returns: the type, %GSOCK_TYPE_SOCKET_CONNECTION where none is registered
 *
 * Since: 0.1
 */
extern
GType                  gsock_socket_connection_factory_lookup_type       (GSocketFamily family,
                                                                          GSocketType   type,
                                                                          gint          protocol_id);

/**
 * gsock_socket_connection_factory_create_connection:
 * @socket: a #GSocket, connected or not
 *
 * Makes a connection of the type that is registered for sockets of this kind.
 *
 * Returns: (transfer full): a connection
 *
 * Since: 0.1
 */
extern
GsockSocketConnection *gsock_socket_connection_factory_create_connection (GSocket *socket);

/**
 * gsock_socket_connection_factory_create_connection_from_fd:
 * @fd: the descriptor of a socket, which the connection owns from now on
 * @error: a place for an error, or %NULL
 *
 * Makes a connection around a descriptor. No #GSocket is made before somebody asks for it.
 *
 * What is open and not a socket gives %G_IO_ERROR_INVALID_ARGUMENT, and is closed.
 *
 * Returns: (transfer full): a connection, or %NULL with @error set
 *
 * Since: 0.1
 */
extern
GsockSocketConnection *gsock_socket_connection_factory_create_connection_from_fd (gint     fd,
                                                                                  GError **error);

G_END_DECLS

#endif /* GSOCK_SOCKET_CONNECTION_H */
