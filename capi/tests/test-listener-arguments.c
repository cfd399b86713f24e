/* Wrong arguments to the functions of the listener: one critical message that names the function and the argument, and
 * GIO's fallback. */

#include "arguments.h"

static GSocket *wrong;
static GsockSocketListener *right;
static GSocketAddress *somewhere;

/* Without an instance, and with one of another type. */
#define REFUSED_LISTENER(function, comparison, ...) \
  G_STMT_START { \
    REFUSED (function, "listener", function (NULL __VA_ARGS__), comparison); \
    REFUSED (function, "listener", function ((GsockSocketListener *) (gpointer) wrong __VA_ARGS__), comparison); \
  } G_STMT_END

#define REFUSED_LISTENER_VOID(function, ...) \
  G_STMT_START { \
    REFUSED_VOID (function, "listener", function (NULL __VA_ARGS__)); \
    REFUSED_VOID (function, "listener", function ((GsockSocketListener *) (gpointer) wrong __VA_ARGS__)); \
  } G_STMT_END

static void
test_instances (void)
{
  GError *error = NULL;
  GSocketAddress *effective = NULL;
  GObject *found = NULL;

  REFUSED_LISTENER_VOID (gsock_socket_listener_set_backlog, , 1);
  REFUSED_LISTENER (gsock_socket_listener_add_socket, == FALSE, , wrong, NULL, &error);
  REFUSED_LISTENER (gsock_socket_listener_add_address, == FALSE, , somewhere, G_SOCKET_TYPE_STREAM,
                    G_SOCKET_PROTOCOL_DEFAULT, NULL, &effective, &error);
  REFUSED_LISTENER (gsock_socket_listener_add_inet_port, == FALSE, , 1, NULL, &error);
  REFUSED_LISTENER (gsock_socket_listener_add_any_inet_port, == 0, , NULL, &error);
  REFUSED_LISTENER (gsock_socket_listener_add_inet_port_in_range, == 0, , 1, 2, NULL, &error);
  REFUSED_LISTENER (gsock_socket_listener_get_addresses, == NULL);
  REFUSED_LISTENER (gsock_socket_listener_remove_address, == FALSE, , somewhere, &error);
  REFUSED_LISTENER (gsock_socket_listener_accept_socket, == NULL, , &found, NULL, &error);
  REFUSED_LISTENER_VOID (gsock_socket_listener_accept_socket_async, , NULL, never_called, NULL);
  REFUSED_LISTENER (gsock_socket_listener_accept_socket_finish, == NULL, , NULL, &found, &error);
  REFUSED_LISTENER (gsock_socket_listener_accept, == NULL, , &found, NULL, &error);
  REFUSED_LISTENER_VOID (gsock_socket_listener_accept_async, , NULL, never_called, NULL);
  REFUSED_LISTENER (gsock_socket_listener_accept_finish, == NULL, , NULL, &found, &error);
  REFUSED_LISTENER_VOID (gsock_socket_listener_close);
  REFUSED_LISTENER (gsock_socket_listener_add_unix_path, == FALSE, , "/", 0600, 0, NULL, &error);
  REFUSED_LISTENER (gsock_socket_listener_add_unix_abstract, == FALSE, , (const guint8 *) "x", 1, FALSE, NULL, &error);
  REFUSED_LISTENER (gsock_socket_listener_add_systemd_sockets, == NULL, , NULL, NULL, NULL, &error);
  REFUSED_LISTENER (gsock_socket_listener_get_max_connections, == 0);
  REFUSED_LISTENER_VOID (gsock_socket_listener_set_max_connections, , 1);
  REFUSED_LISTENER (gsock_socket_listener_get_max_connections_per_peer, == 0);
  REFUSED_LISTENER_VOID (gsock_socket_listener_set_max_connections_per_peer, , 1);
  REFUSED_LISTENER (gsock_socket_listener_get_accept_rate, == 0);
  REFUSED_LISTENER_VOID (gsock_socket_listener_set_accept_rate, , 1);
  REFUSED_LISTENER (gsock_socket_listener_get_accepted, == 0);
  REFUSED_LISTENER (gsock_socket_listener_get_refused, == 0);
  REFUSED_LISTENER (gsock_socket_listener_get_active_connections, == 0);
  g_assert_no_error (error);
  g_assert_null (effective);
  g_assert_null (found);
}

static void
test_others (void)
{
  GError *error = NULL;
  GCancellable *cancellable = (GCancellable *) (gpointer) wrong;
  GSocketAddress *address = (GSocketAddress *) (gpointer) wrong;
  GSocket *socket = (GSocket *) (gpointer) somewhere;
  struct { gpointer klass; } plain = { NULL };
  GObject *object = (GObject *) (gpointer) &plain;

  REFUSED (gsock_socket_listener_add_socket, "socket",
           gsock_socket_listener_add_socket (right, NULL, NULL, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_socket, "socket",
           gsock_socket_listener_add_socket (right, socket, NULL, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_socket, "source_object",
           gsock_socket_listener_add_socket (right, wrong, object, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_address, "address",
           gsock_socket_listener_add_address (right, NULL, G_SOCKET_TYPE_STREAM, 0, NULL, NULL, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_address, "address",
           gsock_socket_listener_add_address (right, address, G_SOCKET_TYPE_STREAM, 0, NULL, NULL, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_address, "source_object",
           gsock_socket_listener_add_address (right, somewhere, G_SOCKET_TYPE_STREAM, 0, object, NULL, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_inet_port, "source_object",
           gsock_socket_listener_add_inet_port (right, 1, object, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_any_inet_port, "source_object",
           gsock_socket_listener_add_any_inet_port (right, object, &error), == 0);
  REFUSED (gsock_socket_listener_add_inet_port_in_range, "source_object",
           gsock_socket_listener_add_inet_port_in_range (right, 1, 2, object, &error), == 0);
  REFUSED (gsock_socket_listener_add_unix_path, "path",
           gsock_socket_listener_add_unix_path (right, NULL, 0600, 0, NULL, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_unix_path, "flags",
           gsock_socket_listener_add_unix_path (right, "/", 0600, 1 << 30, NULL, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_unix_path, "source_object",
           gsock_socket_listener_add_unix_path (right, "/", 0600, 0, object, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_unix_abstract, "name",
           gsock_socket_listener_add_unix_abstract (right, NULL, 1, FALSE, NULL, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_unix_abstract, "source_object",
           gsock_socket_listener_add_unix_abstract (right, (const guint8 *) "x", 1, FALSE, object, &error), == FALSE);
  REFUSED (gsock_socket_listener_add_systemd_sockets, "name",
           gsock_socket_listener_add_systemd_sockets (right, "\xff", NULL, NULL, &error), == NULL);
  REFUSED (gsock_socket_listener_add_systemd_sockets, "source_object",
           gsock_socket_listener_add_systemd_sockets (right, NULL, object, NULL, &error), == NULL);
  REFUSED (gsock_socket_listener_remove_address, "address",
           gsock_socket_listener_remove_address (right, NULL, &error), == FALSE);
  REFUSED (gsock_socket_listener_remove_address, "address",
           gsock_socket_listener_remove_address (right, address, &error), == FALSE);
  REFUSED (gsock_socket_listener_accept_socket, "cancellable",
           gsock_socket_listener_accept_socket (right, NULL, cancellable, &error), == NULL);
  REFUSED_VOID (gsock_socket_listener_accept_socket_async, "cancellable",
                gsock_socket_listener_accept_socket_async (right, cancellable, never_called, NULL));
  REFUSED (gsock_socket_listener_accept, "cancellable",
           gsock_socket_listener_accept (right, NULL, cancellable, &error), == NULL);
  REFUSED_VOID (gsock_socket_listener_accept_async, "cancellable",
                gsock_socket_listener_accept_async (right, cancellable, never_called, NULL));
  g_assert_no_error (error);
}

int
main (int    argc,
      char **argv)
{
  int code;

  begin (&argc, &argv);
  wrong = tcp_socket ();
  right = gsock_socket_listener_new ();
  somewhere = deserted_address ();
  g_test_add_func ("/listener-arguments/instances", test_instances);
  g_test_add_func ("/listener-arguments/others", test_others);
  code = g_test_run ();
  g_object_unref (somewhere);
  g_object_unref (right);
  g_object_unref (wrong);
  return code;
}
