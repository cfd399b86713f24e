/* The operations as the documentation shows them in C: what stands between two marks is a block of it. It runs on the
 * loopback; a test does. operations.py and operations.rs show the same ones. */

#include <sys/socket.h>
#include <unistd.h>

#include <gsock/gsock.h>

static GMainLoop *loop;
static gboolean   relayed;

static void
must_have (gconstpointer thing, GError *error)
{
  if (thing == NULL)
    g_error ("%s", error != NULL ? error->message : "there should be something");
}

/* {gsock_socket_listener_add_any_inet_port} */
static GsockSocketListener *
listen_at_any_port (guint16 *port, GError **error)
{
  g_autoptr (GsockSocketListener) listener = gsock_socket_listener_new ();

  *port = gsock_socket_listener_add_any_inet_port (listener, NULL, error);
  return *port != 0 ? g_steal_pointer (&listener) : NULL;
}
/* {} */

/* {gsock_socket_listener_add_inet_port_in_range} */
static GsockSocketListener *
listen_in_range (guint16 *port, GError **error)
{
  g_autoptr (GsockSocketListener) listener = gsock_socket_listener_new ();

  /* The first of these that is free. */
  *port = gsock_socket_listener_add_inet_port_in_range (listener, 20000, 20500, NULL, error);
  return *port != 0 ? g_steal_pointer (&listener) : NULL;
}
/* {} */

/* {gsock_socket_listener_accept} */
static GsockSocketConnection *
next_connection (GsockSocketListener *listener, GError **error)
{
  /* Waits for one. */
  return gsock_socket_listener_accept (listener, NULL, NULL, error);
}
/* {} */

/* {gsock_socket_listener_accept_async gsock_socket_listener_accept_finish} */
static void
on_accepted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GsockSocketConnection **connection = user_data;
  g_autoptr (GError) error = NULL;

  *connection = gsock_socket_listener_accept_finish (GSOCK_SOCKET_LISTENER (source), result, NULL, &error);
  if (*connection == NULL)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
accept_later (GsockSocketListener *listener, GsockSocketConnection **connection)
{
  gsock_socket_listener_accept_async (listener, NULL, on_accepted, connection);
}
/* {} */

/* {gsock_socket_client_connect_to_host} */
static GsockSocketConnection *
call (const char *host, guint16 port, GError **error)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();

  gsock_socket_client_set_connect_timeout_ms (client, 10000);
  return gsock_socket_client_connect_to_host (client, host, port, NULL, error);
}
/* {} */

/* {gsock_socket_client_connect_to_host_async gsock_socket_client_connect_to_host_finish} */
static void
on_called (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GsockSocketConnection **connection = user_data;
  g_autoptr (GError) error = NULL;

  *connection = gsock_socket_client_connect_to_host_finish (GSOCK_SOCKET_CLIENT (source), result, &error);
  if (*connection == NULL)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
call_later (const char *host, guint16 port, GsockSocketConnection **connection)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();

  /* The operation keeps the client. */
  gsock_socket_client_connect_to_host_async (client, host, port, NULL, on_called, connection);
}
/* {} */

/* {gsock_socket_connection_factory_create_connection} */
static GsockSocketConnection *
make_connection (GError **error)
{
  g_autoptr (GSocket) socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                             G_SOCKET_PROTOCOL_TCP, error);

  /* Of the class that is registered for this kind of socket: a GsockTcpConnection. */
  return socket != NULL ? gsock_socket_connection_factory_create_connection (socket) : NULL;
}
/* {} */

/* {gsock_socket_connection_connect} */
static gboolean
connect_it (GsockSocketConnection *connection, guint16 port, GError **error)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", port);

  return gsock_socket_connection_connect (connection, address, NULL, error);
}
/* {} */

/* {gsock_socket_connection_connect_async gsock_socket_connection_connect_finish} */
static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) user_data;
  if (!gsock_socket_connection_connect_finish (GSOCK_SOCKET_CONNECTION (source), result, &error))
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
connect_it_later (GsockSocketConnection *connection, guint16 port)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", port);

  gsock_socket_connection_connect_async (connection, address, NULL, on_connected, NULL);
}
/* {} */

/* {gsock_socket_connection_get_state} */
static void
on_state (GsockSocketConnection *connection, GParamSpec *property, gpointer user_data)
{
  (void) property;
  (void) user_data;
  if (gsock_socket_connection_get_state (connection) == GSOCK_CONNECTION_STATE_DISCONNECTED)
    g_print ("the peer is gone\n");
}

static void
watch (GsockSocketConnection *connection)
{
  g_signal_connect (connection, "notify::state", G_CALLBACK (on_state), NULL);
}
/* {} */

/* {gsock_socket_connection_relay_async gsock_socket_connection_relay_finish} */
static void
on_relayed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  guint64 there, back;
  g_autoptr (GError) error = NULL;

  (void) user_data;
  relayed = gsock_socket_connection_relay_finish (GSOCK_SOCKET_CONNECTION (source), result, &there, &back, &error);
  if (relayed)
    g_print ("%" G_GUINT64_FORMAT " bytes there, %" G_GUINT64_FORMAT " back\n", there, back);
  g_main_loop_quit (loop);
}

static void
join (GsockSocketConnection *a, GsockSocketConnection *b)
{
  gsock_socket_connection_relay_async (a, b, NULL, on_relayed, NULL);
}
/* {} */

/* {gsock_tcp_connection_set_graceful_disconnect} */
static gboolean
close_with_care (GsockTcpConnection *connection, GError **error)
{
  /* The close waits for what is under way, and for the peer's end. */
  gsock_tcp_connection_set_graceful_disconnect (connection, TRUE);
  return g_io_stream_close (G_IO_STREAM (connection), NULL, error);
}
/* {} */

/* {gsock_tcp_connection_set_liveness} */
static gboolean
notice_soon (GsockTcpConnection *connection, GError **error)
{
  return gsock_tcp_connection_set_liveness (connection, GSOCK_LIVENESS_INTERACTIVE, error);
}
/* {} */

/* {gsock_tcp_wrapper_connection_new} */
static GsockSocketConnection *
wrap (GsockSocketConnection *connection)
{
  /* Any stream over the connection's socket, such as one that encrypts; here the connection itself. */
  return gsock_tcp_wrapper_connection_new (G_IO_STREAM (connection),
                                           gsock_socket_connection_get_socket (connection));
}
/* {} */

/* {gsock_unix_connection_send_fd} */
static gboolean
hand_over (GsockUnixConnection *connection, int fd, GError **error)
{
  /* The descriptor stays ours as well. */
  return gsock_unix_connection_send_fd (connection, fd, NULL, error);
}
/* {} */

/* {gsock_unix_connection_receive_fd} */
static int
take_over (GsockUnixConnection *connection, GError **error)
{
  /* Ours to close, or -1. */
  return gsock_unix_connection_receive_fd (connection, NULL, error);
}
/* {} */

/* {gsock_unix_connection_send_credentials} */
static gboolean
say_who (GsockUnixConnection *connection, GError **error)
{
  return gsock_unix_connection_send_credentials (connection, NULL, error);
}
/* {} */

/* {gsock_unix_connection_receive_credentials} */
static gboolean
is_mine (GsockUnixConnection *connection, GError **error)
{
  g_autoptr (GCredentials) credentials = gsock_unix_connection_receive_credentials (connection, NULL, error);

  return credentials != NULL && g_credentials_get_unix_user (credentials, error) == geteuid ();
}
/* {} */

/* {gsock_socket_service_new GsockSocketService::incoming} */
static gboolean
on_incoming (GsockSocketService *service, GsockSocketConnection *connection, GObject *source_object, gpointer user_data)
{
  (void) service;
  (void) source_object;
  (void) user_data;
  /* To go on with it later a reference is taken: it is closed with its last one. */
  g_output_stream_write (g_io_stream_get_output_stream (G_IO_STREAM (connection)), "hello", 5, NULL, NULL);
  return TRUE;
}

static GsockSocketService *
serve (guint16 *port, GError **error)
{
  g_autoptr (GsockSocketService) service = gsock_socket_service_new ();

  g_signal_connect (service, "incoming", G_CALLBACK (on_incoming), NULL);
  /* It is active already. */
  *port = gsock_socket_listener_add_any_inet_port (GSOCK_SOCKET_LISTENER (service), NULL, error);
  return *port != 0 ? g_steal_pointer (&service) : NULL;
}
/* {} */

/* {gsock_socket_service_drain_async gsock_socket_service_drain_finish} */
static void
on_drained (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) user_data;
  if (!gsock_socket_service_drain_finish (GSOCK_SOCKET_SERVICE (source), result, &error))
    g_warning ("%s", error->message);
  gsock_socket_listener_close (GSOCK_SOCKET_LISTENER (source));
  g_main_loop_quit (loop);
}

static void
end_in_good_order (GsockSocketService *service)
{
  gsock_socket_service_drain_async (service, NULL, on_drained, NULL);
}
/* {} */

/* {gsock_threaded_socket_service_new GsockThreadedSocketService::run GsockThreadedSocketService:max-threads} */
static gboolean
on_run (GsockThreadedSocketService *service, GsockSocketConnection *connection, GObject *source_object, gpointer user_data)
{
  /* On a thread of the service, where it may block. */
  (void) service;
  (void) source_object;
  (void) user_data;
  g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), "hello", 5, NULL, NULL, NULL);
  return TRUE;
}

static GsockSocketService *
serve_with_threads (guint16 *port, GError **error)
{
  /* "max-threads": how many connections are served at once. */
  g_autoptr (GsockSocketService) service = gsock_threaded_socket_service_new (4);

  g_signal_connect (service, "run", G_CALLBACK (on_run), NULL);
  *port = gsock_socket_listener_add_any_inet_port (GSOCK_SOCKET_LISTENER (service), NULL, error);
  return *port != 0 ? g_steal_pointer (&service) : NULL;
}
/* {} */

/* ---- Running them */

static void
must (gboolean right, GError *error)
{
  must_have (right ? loop : NULL, error);
}

static GsockUnixConnection *
unix_end (int fd)
{
  GError *error = NULL;
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection_from_fd (fd, &error);

  must_have (connection, error);
  return GSOCK_UNIX_CONNECTION (connection);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GBytes **answer = user_data;

  *answer = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result, NULL);
  g_main_loop_quit (loop);
}

static void
run_service (GsockSocketService *service, guint16 port)
{
  g_autoptr (GsockSocketConnection) connection = NULL;
  g_autoptr (GBytes) answer = NULL;

  call_later ("127.0.0.1", port, &connection);
  g_main_loop_run (loop);
  must_have (connection, NULL);
  g_input_stream_read_bytes_async (g_io_stream_get_input_stream (G_IO_STREAM (connection)), 5, G_PRIORITY_DEFAULT,
                                   NULL, on_read, &answer);
  g_main_loop_run (loop);
  must (answer != NULL && g_bytes_get_size (answer) == 5, NULL);
  end_in_good_order (service);
  g_main_loop_run (loop);
}

int
main (void)
{
  g_autoptr (GsockSocketListener) listener = NULL;
  g_autoptr (GsockSocketConnection) first = NULL, second = NULL, third = NULL, one = NULL, two = NULL, three = NULL;
  g_autoptr (GsockSocketConnection) wrapper = NULL;
  g_autoptr (GsockUnixConnection) left = NULL, right = NULL;
  g_autoptr (GsockSocketListener) another = NULL;
  g_autoptr (GsockSocketService) service = NULL, threaded = NULL;
  GError *error = NULL;
  guint16 port;
  int pair[2], fd;

  loop = g_main_loop_new (NULL, FALSE);
  another = listen_in_range (&port, &error);
  must_have (another, error);
  listener = listen_at_any_port (&port, &error);
  must_have (listener, error);

  first = call ("127.0.0.1", port, &error);
  must_have (first, error);
  one = next_connection (listener, &error);
  must_have (one, error);
  second = make_connection (&error);
  must_have (second, error);
  watch (second);
  must (connect_it (second, port, &error), error);
  accept_later (listener, &two);
  g_main_loop_run (loop);
  must_have (two, NULL);
  third = make_connection (&error);
  must_have (third, error);
  connect_it_later (third, port);
  g_main_loop_run (loop);
  must (gsock_socket_connection_is_connected (third), NULL);
  three = next_connection (listener, &error);
  must_have (three, error);

  /* first – (one, two) – second */
  must (g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (first)), "ping", 4, NULL, NULL, &error), error);
  must (g_io_stream_close (G_IO_STREAM (first), NULL, &error), error);
  must (g_socket_shutdown (gsock_socket_connection_get_socket (second), FALSE, TRUE, &error), error);
  join (one, two);
  g_main_loop_run (loop);
  must (relayed, NULL);

  must (notice_soon (GSOCK_TCP_CONNECTION (third), &error), error);
  wrapper = wrap (three);
  must (g_io_stream_close (G_IO_STREAM (wrapper), NULL, &error), error);
  must (close_with_care (GSOCK_TCP_CONNECTION (third), &error), error);

  must (socketpair (AF_UNIX, SOCK_STREAM, 0, pair) == 0, NULL);
  left = unix_end (pair[0]);
  right = unix_end (pair[1]);
  must (hand_over (left, STDIN_FILENO, &error), error);
  fd = take_over (right, &error);
  must (fd >= 0, error);
  close (fd);
  must (say_who (left, &error), error);
  must (is_mine (right, &error), error);

  service = serve (&port, &error);
  must_have (service, error);
  run_service (service, port);
  threaded = serve_with_threads (&port, &error);
  must_have (threaded, error);
  run_service (threaded, port);
  g_main_loop_unref (loop);
  g_print ("ok\n");
  return 0;
}
