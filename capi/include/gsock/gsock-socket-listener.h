/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_SOCKET_LISTENER_H
#define GSOCK_SOCKET_LISTENER_H

#include <gsock/gsock-socket-connection.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_UNIX_PATH_FLAGS (gsock_unix_path_flags_get_type ())

/**
 * GsockUnixPathFlags:
 * @GSOCK_UNIX_PATH_FLAGS_NONE: none of them
 * @GSOCK_UNIX_PATH_FLAGS_FAIL_IF_STALE: a socket at that path which nobody listens on does not give way
 * @GSOCK_UNIX_PATH_FLAGS_KEEP_FILE: the file stays when the listener is closed or gone
 * @GSOCK_UNIX_PATH_FLAGS_SAME_USER_ONLY: peers of other users are closed, counted as refused, and not handed out
 *
 * What gsock_socket_listener_add_unix_path() does otherwise. Later versions may add to these.
 *
 * Since: 0.2
 */
typedef enum { /*< flags >*/
  GSOCK_UNIX_PATH_FLAGS_NONE = 0,
  GSOCK_UNIX_PATH_FLAGS_FAIL_IF_STALE = 1 << 0,
  GSOCK_UNIX_PATH_FLAGS_KEEP_FILE = 1 << 1,
  GSOCK_UNIX_PATH_FLAGS_SAME_USER_ONLY = 1 << 2
} GsockUnixPathFlags;

extern
GType gsock_unix_path_flags_get_type (void) G_GNUC_CONST;

#define GSOCK_TYPE_SOCKET_LISTENER (gsock_socket_listener_get_type ())

/**
 * GsockSocketListener:
 *
 * Listens on any number of sockets and accepts the connections that come: what #GSocketListener is.
 *
 * Any number of accepts may be under way at once, on any number of threads: each gets one connection. They wait for
 * sockets that are added meanwhile too, and the sockets are served in turn. What was cancelled leaves the connection in
 * the queue.
 *
 * Its functions may be called from any thread.
 *
 * Since: 0.2
 */
extern
G_DECLARE_DERIVABLE_TYPE (GsockSocketListener, gsock_socket_listener, GSOCK, SOCKET_LISTENER, GObject)

/**
 * GsockSocketListenerClass:
 * @parent_class: the parent class
 * @changed: called when sockets were added
 * @event: the handler of #GsockSocketListener::event, which is called after those that are connected
 *
 * The class structure.
 *
 * Since: 0.2
 */
struct _GsockSocketListenerClass
{
  /*< private >*/
  GObjectClass parent_class;

  /*< public >*/

  /**
   * GsockSocketListenerClass::changed:
   * @listener: a listener
   *
   * Called when sockets were added, on the thread that added them. A service begins to accept by it: who overrides it
   * there calls the parent's.
   *
   * Since: 0.2
   */
  void (*changed) (GsockSocketListener *listener);

  /**
   * GsockSocketListenerClass::event:
   * @listener: a listener
   * @event: what happens
   * @socket: the socket
   *
   * The handler of #GsockSocketListener::event. The default does nothing.
   *
   * Since: 0.2
   */
  void (*event)   (GsockSocketListener  *listener,
                   GSocketListenerEvent  event,
                   GSocket              *socket);

  /*< private >*/
  gpointer padding[10];
};

/**
 * GsockSocketListener::event:
 * @listener: a listener
 * @event: what happens
 * @socket: the socket
 *
 * Emitted for each socket that the listener makes, on the thread that adds it and before that returns. In
 * %G_SOCKET_LISTENER_BINDING options may be set that have to be there before a socket is bound.
 *
 * Since: 0.2
 */

/**
 * GsockSocketListener:listen-backlog:
 *
 * How many connections the kernel keeps that nobody has accepted yet, for each socket.
 *
 * Since: 0.2
 */

/**
 * GsockSocketListener:max-connections: (getter get_max_connections) (setter set_max_connections)
 *
 * How many of its connections there may be at once, 0 for any number. What comes beyond that waits in the kernel, and is
 * accepted as soon as there is room.
 *
 * Since: 0.2
 */

/**
 * GsockSocketListener:max-connections-per-peer: (getter get_max_connections_per_peer) (setter set_max_connections_per_peer)
 *
 * How many of its connections one computer may have at once, told by its IP address, 0 for any number. What comes
 * beyond that is reset.
 *
 * Since: 0.2
 */

/**
 * GsockSocketListener:accept-rate: (getter get_accept_rate) (setter set_accept_rate)
 *
 * How many connections are accepted in a second, 0 for any number. What comes faster waits in the kernel.
 *
 * Since: 0.2
 */

/**
 * GsockSocketListener:accepted: (getter get_accepted)
 *
 * How many connections were accepted. It is notified where the listener was made, at most ten times a second, and so are
 * the other two that count.
 *
 * Since: 0.2
 */

/**
 * GsockSocketListener:refused: (getter get_refused)
 *
 * How many connections were closed at once, because their peer had too many or was another user.
 *
 * Since: 0.2
 */

/**
 * GsockSocketListener:active-connections: (getter get_active_connections)
 *
 * How many of the connections that were accepted are open.
 *
 * Since: 0.2
 */

/**
 * gsock_socket_listener_new:
 *
 * Makes a listener without sockets.
 *
 * Returns: (transfer full): the listener
 *
 * Since: 0.2
 */
extern
GsockSocketListener *gsock_socket_listener_new (void);

/**
 * gsock_socket_listener_set_backlog:
 * @listener: a listener
 * @listen_backlog: the value
 *
 * Sets the property #GsockSocketListener:listen-backlog, to the nearest number from 0 to 2000. Sockets that listen already
 * take it on. Nothing happens on a closed listener.
 *
 * Since: 0.2
 */
extern
void gsock_socket_listener_set_backlog (GsockSocketListener *listener,
                                        int                  listen_backlog);

/**
 * gsock_socket_listener_add_socket:
 * @listener: a listener
 * @socket: a socket that listens
 * @source_object: (nullable): what comes with each connection of this socket, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Accepts from @socket, too, which somebody else has bound and listens. It is closed with the listener.
 *
 * Returns: %TRUE, or %FALSE with @error set
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_listener_add_socket (GsockSocketListener  *listener,
                                           GSocket              *socket,
                                           GObject              *source_object,
                                           GError              **error);

/**
 * gsock_socket_listener_add_address:
 * @listener: a listener
 * @address: where to listen
 * @type: the type of the socket
 * @protocol: the protocol of the socket
 * @source_object: (nullable): what comes with each connection of this socket, or %NULL
 * @effective_address: (out) (optional) (transfer full): the address that it has got, which has a port where @address left
 *   that open
 * @error: a place for an error, or %NULL
 *
 * Makes a socket, binds it to @address and listens.
 *
 * The file of a Unix address is made and stays; one that is there already is an error.
 *
 * Returns: %TRUE, or %FALSE with @error set
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_listener_add_address (GsockSocketListener  *listener,
                                            GSocketAddress       *address,
                                            GSocketType           type,
                                            GSocketProtocol       protocol,
                                            GObject              *source_object,
                                            GSocketAddress      **effective_address,
                                            GError              **error);

/**
 * gsock_socket_listener_add_inet_port:
 * @listener: a listener
 * @port: a port, not 0
 * @source_object: (nullable): what comes with each connection of this port, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Listens on a TCP port of every address of this computer, of IPv6 and of IPv4. Where a family is missing the other
 * one is enough.
 *
 * Returns: %TRUE, or %FALSE with @error set
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_listener_add_inet_port (GsockSocketListener  *listener,
                                              guint16               port,
                                              GObject              *source_object,
                                              GError              **error);

/**
 * gsock_socket_listener_add_any_inet_port:
 * @listener: a listener
 * @source_object: (nullable): what comes with each connection of this port, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Listens likewise on a TCP port that is free in both families.
 *
 * Returns: the port, or 0 with @error set
 *
 * Since: 0.2
 */
extern
guint16 gsock_socket_listener_add_any_inet_port (GsockSocketListener  *listener,
                                                 GObject              *source_object,
                                                 GError              **error);

/**
 * gsock_socket_listener_add_inet_port_in_range:
 * @listener: a listener
 * @first: the first port to try, not 0
 * @last: the last port to try
 * @source_object: (nullable): what comes with each connection of this port, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Listens likewise on the first TCP port of these that is free in both families.
 *
 * Returns: the port, or 0 with @error set, which is %G_IO_ERROR_ADDRESS_IN_USE when all are taken
 *
 * Since: 0.2
 */
extern
guint16 gsock_socket_listener_add_inet_port_in_range (GsockSocketListener  *listener,
                                                      guint16               first,
                                                      guint16               last,
                                                      GObject              *source_object,
                                                      GError              **error);

/**
 * gsock_socket_listener_add_unix_path:
 * @listener: a listener
 * @path: (type filename): where to listen
 * @mode: the bits of permission of the socket's file, such as 0600; whoever may write to it may connect
 * @flags: what is otherwise than by default
 * @source_object: (nullable): what comes with each connection of this socket, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Listens at a path, as a server should that may crash and be started again.
 *
 * A socket that nobody listens on gives way; one that somebody does, or what is no socket, such as a symbolic link, never.
 * Of several that start at once, in whichever process, one succeeds. The file has the mode from the beginning, whatever
 * the umask, and is removed at the end if it is still the same one. While the listener lives, `PATH.lock` is locked.
 *
 * Returns: %TRUE, or %FALSE with @error set, which is %G_IO_ERROR_ADDRESS_IN_USE when somebody listens there or something
 *   else is there
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_listener_add_unix_path (GsockSocketListener  *listener,
                                              const gchar          *path,
                                              guint                 mode,
                                              GsockUnixPathFlags    flags,
                                              GObject              *source_object,
                                              GError              **error);

/**
 * gsock_socket_listener_add_unix_abstract:
 * @listener: a listener
 * @name: (array length=n_name) (element-type guint8): the name, without the NUL that the kernel has before it
 * @n_name: how many bytes it has
 * @same_user_only: whether peers of other users are closed, counted as refused, and not handed out
 * @source_object: (nullable): what comes with each connection of this socket, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Listens at a name that is in no folder, as Linux has them. There is no file, and no mode: any process of the network
 * namespace may connect.
 *
 * Returns: %TRUE, or %FALSE with @error set
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_listener_add_unix_abstract (GsockSocketListener  *listener,
                                                  const guint8         *name,
                                                  gsize                 n_name,
                                                  gboolean              same_user_only,
                                                  GObject              *source_object,
                                                  GError              **error);

/**
 * gsock_socket_listener_add_systemd_sockets:
 * @listener: a listener
 * @name: (nullable): those that are called so, or %NULL for all
 * @source_object: (nullable): what comes with each connection of these sockets, or %NULL
 * @addresses: (out) (optional) (transfer full) (element-type GSocketAddress): where they listen, in the order of the names
 * @error: a place for an error, or %NULL
 *
 * Accepts from sockets that a service manager has made, as systemd does for a `.socket` unit. Each can be had once in the
 * life of the process: a second call finds none left.
 *
 * Returns: (transfer full) (array zero-terminated=1): what those are called that were added, to be freed with
 *   g_strfreev(), which are none where this process was given none; %NULL with @error set
 *
 * Since: 0.2
 */
extern
gchar **gsock_socket_listener_add_systemd_sockets (GsockSocketListener  *listener,
                                                   const gchar          *name,
                                                   GObject              *source_object,
                                                   GList               **addresses,
                                                   GError              **error);

/**
 * gsock_socket_listener_get_addresses:
 * @listener: a listener
 *
 * The addresses of the open sockets, in the order in which they were added.
 *
 * Returns: (transfer full) (element-type GSocketAddress): the addresses, to be freed with g_list_free_full() and
 *   g_object_unref()
 *
 * Since: 0.2
 */
extern
GList *gsock_socket_listener_get_addresses (GsockSocketListener *listener);

/**
 * gsock_socket_listener_remove_address:
 * @listener: a listener
 * @address: one of those that gsock_socket_listener_get_addresses() gives
 * @error: a place for an error, or %NULL
 *
 * Closes the sockets that have this address, and accepts from them no more. Whoever waits goes on waiting, for the others.
 *
 * Returns: %TRUE, or %FALSE with @error set, which is %G_IO_ERROR_NOT_FOUND when there is none
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_listener_remove_address (GsockSocketListener  *listener,
                                               GSocketAddress       *address,
                                               GError              **error);

/**
 * gsock_socket_listener_accept_socket:
 * @listener: a listener
 * @source_object: (out) (transfer none) (optional) (nullable): what was said with the socket that it came by, which the
 *   listener keeps as long as it is there, or until gsock_socket_listener_remove_address(). Left alone where there is no
 *   connection
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Like gsock_socket_listener_accept(), for a #GSocket, which is in blocking mode.
 *
 * Returns: (transfer full): the socket, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GSocket *gsock_socket_listener_accept_socket (GsockSocketListener  *listener,
                                              GObject             **source_object,
                                              GCancellable         *cancellable,
                                              GError              **error);

/**
 * gsock_socket_listener_accept_socket_async:
 * @listener: a listener
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * The same as gsock_socket_listener_accept_async(): it is the finish function that makes the difference.
 *
 * Since: 0.2
 */
extern
void gsock_socket_listener_accept_socket_async (GsockSocketListener *listener,
                                                GCancellable        *cancellable,
                                                GAsyncReadyCallback  callback,
                                                gpointer             user_data);

/**
 * gsock_socket_listener_accept_socket_finish:
 * @listener: a listener
 * @result: what the callback was given
 * @source_object: (out) (transfer none) (optional) (nullable): what was said with the socket that it came by, which @result
 *   keeps; %NULL where there is no connection
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of an accept of either kind, once, as a #GSocket.
 *
 * Returns: (transfer full): the socket, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GSocket *gsock_socket_listener_accept_socket_finish (GsockSocketListener  *listener,
                                                     GAsyncResult         *result,
                                                     GObject             **source_object,
                                                     GError              **error);

/**
 * gsock_socket_listener_accept:
 * @listener: a listener
 * @source_object: (out) (transfer none) (optional) (nullable): what was said with the socket that it came by, which the
 *   listener keeps as long as it is there, or until gsock_socket_listener_remove_address(). Left alone where there is no
 *   connection
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Accepts a connection, and blocks this thread until there is one. The connection's home is this thread with its
 * thread-default #GMainContext.
 *
 * The error is %G_IO_ERROR_CLOSED when the listener is closed, also meanwhile, and %G_IO_ERROR_INVALID_ARGUMENT when it has no
 * sockets.
 *
 * Returns: (transfer full): the connection, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_listener_accept (GsockSocketListener  *listener,
                                                     GObject             **source_object,
                                                     GCancellable         *cancellable,
                                                     GError              **error);

/**
 * gsock_socket_listener_accept_async:
 * @listener: a listener
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to accept a connection. A listener without sockets is not an error: one may be added.
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never
 * before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_socket_listener_accept_async (GsockSocketListener *listener,
                                         GCancellable        *cancellable,
                                         GAsyncReadyCallback  callback,
                                         gpointer             user_data);

/**
 * gsock_socket_listener_accept_finish:
 * @listener: a listener
 * @result: what the callback was given
 * @source_object: (out) (transfer none) (optional) (nullable): what was said with the socket that it came by, which @result
 *   keeps; %NULL where there is no connection
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of an accept of either kind, once, as a connection, whose home is this thread with its
 * thread-default #GMainContext.
 *
 * Returns: (transfer full): the connection, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_listener_accept_finish (GsockSocketListener  *listener,
                                                            GAsyncResult         *result,
                                                            GObject             **source_object,
                                                            GError              **error);

/**
 * gsock_socket_listener_close:
 * @listener: a listener
 *
 * Closes all sockets, those that were added included. Every accept that waits, on whatever thread, ends with
 * %G_IO_ERROR_CLOSED. Closing what is closed does nothing.
 *
 * Since: 0.2
 */
extern
void gsock_socket_listener_close (GsockSocketListener *listener);

/**
 * gsock_socket_listener_get_max_connections: (get-property max-connections)
 * @listener: a listener
 *
 * Gets the property #GsockSocketListener:max-connections.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
guint gsock_socket_listener_get_max_connections (GsockSocketListener *listener);

/**
 * gsock_socket_listener_set_max_connections: (set-property max-connections)
 * @listener: a listener
 * @max_connections: the value
 *
 * Sets the property #GsockSocketListener:max-connections.
 *
 * Since: 0.2
 */
extern
void gsock_socket_listener_set_max_connections (GsockSocketListener *listener,
                                                guint                max_connections);

/**
 * gsock_socket_listener_get_max_connections_per_peer: (get-property max-connections-per-peer)
 * @listener: a listener
 *
 * Gets the property #GsockSocketListener:max-connections-per-peer.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
guint gsock_socket_listener_get_max_connections_per_peer (GsockSocketListener *listener);

/**
 * gsock_socket_listener_set_max_connections_per_peer: (set-property max-connections-per-peer)
 * @listener: a listener
 * @max_connections_per_peer: the value
 *
 * Sets the property #GsockSocketListener:max-connections-per-peer.
 *
 * Since: 0.2
 */
extern
void gsock_socket_listener_set_max_connections_per_peer (GsockSocketListener *listener,
                                                         guint                max_connections_per_peer);

/**
 * gsock_socket_listener_get_accept_rate: (get-property accept-rate)
 * @listener: a listener
 *
 * Gets the property #GsockSocketListener:accept-rate.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
guint gsock_socket_listener_get_accept_rate (GsockSocketListener *listener);

/**
 * gsock_socket_listener_set_accept_rate: (set-property accept-rate)
 * @listener: a listener
 * @accept_rate: the value
 *
 * Sets the property #GsockSocketListener:accept-rate.
 *
 * Since: 0.2
 */
extern
void gsock_socket_listener_set_accept_rate (GsockSocketListener *listener,
                                            guint                accept_rate);

/**
 * gsock_socket_listener_get_accepted: (get-property accepted)
 * @listener: a listener
 *
 * Gets the property #GsockSocketListener:accepted.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
guint64 gsock_socket_listener_get_accepted (GsockSocketListener *listener);

/**
 * gsock_socket_listener_get_refused: (get-property refused)
 * @listener: a listener
 *
 * Gets the property #GsockSocketListener:refused.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
guint64 gsock_socket_listener_get_refused (GsockSocketListener *listener);

/**
 * gsock_socket_listener_get_active_connections: (get-property active-connections)
 * @listener: a listener
 *
 * Gets the property #GsockSocketListener:active-connections.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
guint gsock_socket_listener_get_active_connections (GsockSocketListener *listener);

G_END_DECLS

#endif /* GSOCK_SOCKET_LISTENER_H */
