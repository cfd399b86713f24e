/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_THREADED_SOCKET_SERVICE_H
#define GSOCK_THREADED_SOCKET_SERVICE_H

#include <gsock/gsock-socket-service.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_THREADED_SOCKET_SERVICE (gsock_threaded_socket_service_get_type ())

/**
 * GsockThreadedSocketService:
 *
 * A service that has each connection served by #GsockThreadedSocketService::run on a thread of its own, where it may block:
 * what #GThreadedSocketService is.
 *
 * While all threads are at work nothing is accepted, and connections wait in the kernel; #GsockSocketService:active says
 * nothing of that, and gsock_socket_service_stop() stays in force when a thread becomes free.
 *
 * A connection is handed to the signal after #GsockSocketService::incoming: a handler of that which returns %TRUE keeps it
 * from there.
 *
 * Since: 0.2
 */
extern
G_DECLARE_DERIVABLE_TYPE (GsockThreadedSocketService, gsock_threaded_socket_service, GSOCK, THREADED_SOCKET_SERVICE,
                          GsockSocketService)

/**
 * GsockThreadedSocketServiceClass:
 * @parent_class: the parent class
 * @run: the handler of #GsockThreadedSocketService::run, which is called after those that are connected
 *
 * The class structure.
 *
 * Since: 0.2
 */
struct _GsockThreadedSocketServiceClass
{
  /*< private >*/
  GsockSocketServiceClass parent_class;

  /*< public >*/

  /**
   * GsockThreadedSocketServiceClass::run:
   * @service: a service
   * @connection: a connection
   * @source_object: (nullable): what was said with the socket that it came by, or %NULL
   *
   * The handler of #GsockThreadedSocketService::run, on a thread of the service.
   *
   * Returns: whether the connection is handled
   *
   * Since: 0.2
   */
  gboolean (*run) (GsockThreadedSocketService *service,
                   GsockSocketConnection      *connection,
                   GObject                    *source_object);

  /*< private >*/
  gpointer padding[10];
};

/**
 * GsockThreadedSocketService::run:
 * @service: a service
 * @connection: a connection
 * @source_object: (nullable): what was said with the socket that it came by, or %NULL
 *
 * Emitted for each connection, on the thread that serves it, which has a main context of its own. After it the
 * connection is given up, which closes it unless somebody has kept it.
 *
 * Returns: %TRUE to have no other handler called
 *
 * Since: 0.2
 */

/**
 * GsockThreadedSocketService:max-threads:
 *
 * How many connections are served at once; -1 for as many as come. 0 is refused with a critical message, and taken for 10.
 *
 * Since: 0.2
 */

/**
 * gsock_threaded_socket_service_new: (constructor)
 * @max_threads: how many connections are served at once, or -1 for as many as come
 *
 * Makes a service without sockets, which is active: it accepts as soon as it has one, in the #GMainContext that is
 * thread-default now.
 *
 * Returns: (transfer full): the service
 *
 * Since: 0.2
 */
extern
GsockSocketService *gsock_threaded_socket_service_new (int max_threads);

G_END_DECLS

#endif /* GSOCK_THREADED_SOCKET_SERVICE_H */
