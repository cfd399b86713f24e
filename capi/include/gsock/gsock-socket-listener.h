/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_SOCKET_LISTENER_H
#define GSOCK_SOCKET_LISTENER_H

#include <gsock/gsock-socket-connection.h>

G_BEGIN_DECLS

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

G_END_DECLS

#endif /* GSOCK_SOCKET_LISTENER_H */
