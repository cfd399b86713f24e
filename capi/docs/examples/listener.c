/* The listener in C, as the documentation shows it; see operations.c. */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "shown.h"

/* {gsock_socket_listener_new gsock_socket_listener_add_address} */
static GsockSocketListener *
listen_at (const char *host, guint16 port, GSocketAddress **effective_address, GError **error)
{
  g_autoptr (GsockSocketListener) listener = gsock_socket_listener_new ();
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (host, port);

  /* For port 0 the effective address has the one that was free. */
  if (!gsock_socket_listener_add_address (listener, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL,
                                          effective_address, error))
    return NULL;
  return g_steal_pointer (&listener);
}
/* {} */

/* {gsock_socket_listener_add_inet_port} */
static gboolean
listen_at_port (GsockSocketListener *listener, guint16 port, GObject *mark, GError **error)
{
  /* Of both families. What is accepted there comes with the mark. */
  return gsock_socket_listener_add_inet_port (listener, port, mark, error);
}
/* {} */

/* {gsock_socket_listener_add_socket} */
static gboolean
listen_with (GsockSocketListener *listener, GSocketAddress *address, GError **error)
{
  g_autoptr (GSocket) socket = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_STREAM,
                                             G_SOCKET_PROTOCOL_DEFAULT, error);

  /* One that is set up in a way of one's own; it listens already. */
  return socket != NULL && g_socket_bind (socket, address, TRUE, error) && g_socket_listen (socket, error) &&
         gsock_socket_listener_add_socket (listener, socket, NULL, error);
}
/* {} */

/* {gsock_socket_listener_add_unix_path} */
static gboolean
listen_at_path (GsockSocketListener *listener, const char *path, GError **error)
{
  /* For the user alone. A file that a crash has left gives way; the file goes with the listener. */
  return gsock_socket_listener_add_unix_path (listener, path, 0600, GSOCK_UNIX_PATH_FLAGS_SAME_USER_ONLY, NULL, error);
}
/* {} */

/* {gsock_socket_listener_add_unix_abstract} */
static gboolean
listen_at_name (GsockSocketListener *listener, const char *name, gsize length, GError **error)
{
  /* Of Linux: in no folder. */
  return gsock_socket_listener_add_unix_abstract (listener, (const guint8 *) name, length, TRUE, NULL, error);
}
/* {} */

/* {gsock_socket_listener_add_systemd_sockets} */
static guint
listen_at_what_systemd_has (GsockSocketListener *listener, GError **error)
{
  GList *addresses = NULL;
  /* Those of a name, or all. */
  g_auto (GStrv) names = gsock_socket_listener_add_systemd_sockets (listener, "http", NULL, &addresses, error);
  guint found = g_list_length (addresses);

  g_list_free_full (addresses, g_object_unref);
  return names != NULL ? found : 0;
}
/* {} */

/* {gsock_socket_listener_get_addresses gsock_socket_listener_remove_address} */
static gboolean
leave_the_first (GsockSocketListener *listener, GError **error)
{
  GList *addresses = gsock_socket_listener_get_addresses (listener);
  gboolean left = addresses != NULL && gsock_socket_listener_remove_address (listener, addresses->data, error);

  g_list_free_full (addresses, g_object_unref);
  return left;
}
/* {} */

/* {gsock_socket_listener_accept_socket} */
static GSocket *
next_socket (GsockSocketListener *listener, GObject **mark, GError **error)
{
  /* The mark is borrowed. */
  return gsock_socket_listener_accept_socket (listener, mark, NULL, error);
}
/* {} */

/* {gsock_socket_listener_accept_socket_async gsock_socket_listener_accept_socket_finish} */
static void
on_socket (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GSocket **socket = user_data;
  g_autoptr (GError) error = NULL;

  *socket = gsock_socket_listener_accept_socket_finish (GSOCK_SOCKET_LISTENER (source), result, NULL, &error);
  if (*socket == NULL)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
next_socket_later (GsockSocketListener *listener, GSocket **socket)
{
  gsock_socket_listener_accept_socket_async (listener, NULL, on_socket, socket);
}
/* {} */

/* {gsock_socket_listener_set_backlog GsockSocketListener:listen-backlog :max-* :accept-rate} */
static void
set_limits (GsockSocketListener *listener)
{
  /* "listen-backlog": how many the kernel keeps before they are accepted, of what is added from now on. */
  gsock_socket_listener_set_backlog (listener, 128);
  /* 0 is no limit. */
  gsock_socket_listener_set_max_connections (listener, 1000);
  gsock_socket_listener_set_max_connections_per_peer (listener, 10);
  gsock_socket_listener_set_accept_rate (listener, 200);
  g_print ("%u connections, %u of one peer, %u a second\n", gsock_socket_listener_get_max_connections (listener),
           gsock_socket_listener_get_max_connections_per_peer (listener),
           gsock_socket_listener_get_accept_rate (listener));
}
/* {} */

/* {GsockSocketListener:accepted :refused :active-connections} */
static void
count (GsockSocketListener *listener)
{
  g_print ("%" G_GUINT64_FORMAT " accepted, %" G_GUINT64_FORMAT " refused, %u there\n",
           gsock_socket_listener_get_accepted (listener), gsock_socket_listener_get_refused (listener),
           gsock_socket_listener_get_active_connections (listener));
}
/* {} */

/* {GsockSocketListener::event} */
static void
on_event (GsockSocketListener *listener, GSocketListenerEvent event, GSocket *socket, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) listener;
  (void) user_data;
  /* Here an option of the socket can be set before it is bound. */
  if (event == G_SOCKET_LISTENER_BINDING && !g_socket_set_option (socket, SOL_SOCKET, SO_RCVBUF, 65536, &error))
    g_warning ("%s", error->message);
}

static void
look_on (GsockSocketListener *listener)
{
  g_signal_connect (listener, "event", G_CALLBACK (on_event), NULL);
}
/* {} */

/* {gsock_socket_listener_close} */
static void
end (GsockSocketListener *listener)
{
  /* What waits in an accept ends with %G_IO_ERROR_CLOSED. */
  gsock_socket_listener_close (listener);
}
/* {} */

int
main (void)
{
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GSocketAddress) any_port = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GsockSocketListener) listener = NULL, other = gsock_socket_listener_new ();
  g_autoptr (GsockSocketConnection) one = NULL, two = NULL;
  g_autoptr (GSocket) first = NULL, second = NULL;
  g_autofree char *folder = g_dir_make_tmp ("gsock-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "socket", NULL);
  g_autofree char *name = g_strdup_printf ("gsock documentation %d", getpid ());
  GObject *mark;
  GError *error = NULL;
  guint16 port;

  loop = g_main_loop_new (NULL, FALSE);
  listener = listen_at ("127.0.0.1", 0, &address, &error);
  must_have (listener, error);
  look_on (listener);
  one = connected_to (address);
  first = next_socket (listener, &mark, &error);
  must_have (first, error);
  must (mark == NULL, NULL);
  next_socket_later (listener, &second);
  two = connected_to (address);
  g_main_loop_run (loop);
  must_have (second, NULL);

  port = gsock_socket_listener_add_any_inet_port (other, NULL, &error);
  must (port != 0, error);
  end (other);
  must (listen_at_port (listener, port, G_OBJECT (listener), &error), error);
  must (listen_with (listener, any_port, &error), error);
  must (listen_at_path (listener, path, &error), error);
  must (listen_at_name (listener, name, strlen (name), &error), error);
  must (listen_at_what_systemd_has (listener, &error) == 0, NULL);
  set_limits (listener);
  count (listener);
  must (leave_the_first (listener, &error), error);
  end (listener);
  must (g_rmdir (folder) == 0, NULL);
  g_main_loop_unref (loop);
  g_print ("ok\n");
  return 0;
}
