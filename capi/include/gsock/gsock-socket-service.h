/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_SOCKET_SERVICE_H
#define GSOCK_SOCKET_SERVICE_H

#include <gsock/gsock-socket-listener.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_SOCKET_SERVICE (gsock_socket_service_get_type ())

/**
 * GsockSocketService:
 *
 * A listener that accepts by itself, and hands each connection out by #GsockSocketService::incoming: what #GSocketService is.
 *
 * It begins when it has a socket, and goes on until gsock_socket_service_stop() or gsock_socket_listener_close().
 * Connections are accepted, and signals emitted, in the #GMainContext that was thread-default where the service was made,
 * whoever starts it or adds a socket. What was accepted is handed out, whatever happens meanwhile.
 *
 * A service that accepts is kept alive by that: who drops it stops or closes it first.
 *
 * Its functions may be called from any thread.
 *
 * Since: 0.2
 */
extern
G_DECLARE_DERIVABLE_TYPE (GsockSocketService, gsock_socket_service, GSOCK, SOCKET_SERVICE, GsockSocketListener)

/**
 * GsockSocketServiceClass:
 * @parent_class: the parent class
 * @incoming: the handler of #GsockSocketService::incoming, which is called after those that are connected
 * @error: the handler of #GsockSocketService::error, which is called after those that are connected
 *
 * The class structure.
 *
 * Since: 0.2
 */
struct _GsockSocketServiceClass
{
  /*< private >*/
  GsockSocketListenerClass parent_class;

  /*< public >*/

  /**
   * GsockSocketServiceClass::incoming:
   * @service: a service
   * @connection: a connection
   * @source_object: (nullable): what was said with the socket that it came by, or %NULL
   *
   * The handler of #GsockSocketService::incoming.
   *
   * Returns: whether the connection is handled, which the default does not say
   *
   * Since: 0.2
   */
  gboolean (*incoming) (GsockSocketService    *service,
                        GsockSocketConnection *connection,
                        GObject               *source_object);

  /**
   * GsockSocketServiceClass::error:
   * @service: a service
   * @error: what has happened
   *
   * The handler of #GsockSocketService::error. The default warns where nobody has connected to the signal.
   *
   * Since: 0.2
   */
  void     (*error)    (GsockSocketService    *service,
                        const GError          *error);

  /*< private >*/
  gpointer padding[10];
};

/**
 * GsockSocketService::incoming:
 * @service: a service
 * @connection: a connection
 * @source_object: (nullable): what was said with the socket that it came by, or %NULL
 *
 * Emitted for each connection. It is closed when nobody keeps it: who goes on with it takes a reference.
 *
 * Returns: %TRUE to have no other handler called
 *
 * Since: 0.2
 */

/**
 * GsockSocketService::error:
 * @service: a service
 * @error: what has happened
 *
 * Emitted when connections cannot be accepted, such as for want of descriptors (%G_IO_ERROR_TOO_MANY_OPEN_FILES); meanwhile
 * they wait in the kernel. The service tries again, at longer and longer intervals up to a second, and when a connection is
 * closed. It is emitted for the first of such failures.
 *
 * Since: 0.2
 */

/**
 * GsockSocketService:active:
 *
 * Whether the service accepts connections, or would if it had a socket.
 *
 * Since: 0.2
 */

/**
 * gsock_socket_service_new:
 *
 * Makes a service without sockets, which is active: it accepts as soon as it has one, in the #GMainContext that is
 * thread-default now.
 *
 * Returns: (transfer full): the service
 *
 * Since: 0.2
 */
extern
GsockSocketService *gsock_socket_service_new (void);

/**
 * gsock_socket_service_start:
 * @service: a service
 *
 * Makes it accept, if it does not: those who wait already, and those who come. A closed service stays as it is.
 *
 * Since: 0.2
 */
extern
void gsock_socket_service_start (GsockSocketService *service);

/**
 * gsock_socket_service_stop:
 * @service: a service
 *
 * Makes it accept no more. Its sockets stay open, and connections wait in the kernel. What was accepted is handed out yet.
 *
 * Since: 0.2
 */
extern
void gsock_socket_service_stop (GsockSocketService *service);

/**
 * gsock_socket_service_is_active:
 * @service: a service
 *
 * Gets the property #GsockSocketService:active.
 *
 * Returns: whether the service is active
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_service_is_active (GsockSocketService *service);

/**
 * gsock_socket_service_drain_async:
 * @service: a service
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Stops the service, and waits until nothing that it has begun is left: no connection that was accepted and not handed out, and
 * no connection that a #GsockThreadedSocketService serves. What a handler has kept is the handler's. Cancelled, it waits no
 * more, and the service stays stopped.
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never
 * before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_socket_service_drain_async (GsockSocketService  *service,
                                       GCancellable        *cancellable,
                                       GAsyncReadyCallback  callback,
                                       gpointer             user_data);

/**
 * gsock_socket_service_drain_finish:
 * @service: a service
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_socket_service_drain_async(), once.
 *
 * Returns: %TRUE if nothing is left, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_service_drain_finish (GsockSocketService  *service,
                                            GAsyncResult        *result,
                                            GError             **error);

G_END_DECLS

#endif /* GSOCK_SOCKET_SERVICE_H */
