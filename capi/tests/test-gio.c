/* Connections of GIO's classes, as they are and adopted; adopting is for the whole process, and comes last. */

#include "tools.h"

static void
test_wrong_arguments (void)
{
  GSocket *wrong = tcp_socket ();

  EXPECT_CRITICAL ("*gsock_socket_connection_to_gio:*(connection)*");
  g_assert_null (gsock_socket_connection_to_gio (NULL));
  MET ();
  EXPECT_CRITICAL ("*gsock_socket_connection_to_gio:*(connection)*");
  g_assert_null (gsock_socket_connection_to_gio ((GsockSocketConnection *) (gpointer) wrong));
  MET ();
  EXPECT_CRITICAL ("*gsock_socket_connection_new_from_gio:*(connection)*");
  g_assert_null (gsock_socket_connection_new_from_gio (NULL));
  MET ();
  EXPECT_CRITICAL ("*gsock_socket_connection_new_from_gio:*(connection)*");
  g_assert_null (gsock_socket_connection_new_from_gio ((GSocketConnection *) (gpointer) wrong));
  MET ();
  EXPECT_CRITICAL ("*gsock_socket_connection_beneath:*(io_stream)*");
  g_assert_null (gsock_socket_connection_beneath (NULL));
  MET ();
  EXPECT_CRITICAL ("*gsock_socket_connection_beneath:*(io_stream)*");
  g_assert_null (gsock_socket_connection_beneath ((GIOStream *) (gpointer) wrong));
  MET ();
  g_object_unref (wrong);
}

static void
test_to_gio (void)
{
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer), *back;
  GSocketConnection *gios = gsock_socket_connection_to_gio (connection), *again;
  GError *error = NULL;

  g_assert_true (G_IS_TCP_CONNECTION (gios));
  g_assert_true (g_socket_connection_get_socket (gios) == gsock_socket_connection_get_socket (connection));
  again = gsock_socket_connection_to_gio (connection);
  g_assert_true (again == gios);
  g_object_unref (again);
  back = gsock_socket_connection_new_from_gio (gios);
  g_assert_true (back == connection);
  g_object_unref (back);

  g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (gios)), "hello", 5, NULL, NULL, &error);
  g_assert_no_error (error);
  assert_receives (peer, "hello");
  g_assert_cmpuint (gsock_socket_connection_get_bytes_written (connection), ==, 5);
  drop_last (gios);
  send_all (peer, "still");
  assert_reads (connection, "still");
  drop_last (connection);
  g_object_unref (peer);
}

static void
test_from_gio (void)
{
  GSocket *socket, *peer;
  GSocketConnection *gios;
  GsockSocketConnection *connection;

  tcp_pair (&socket, &peer);
  gios = g_socket_connection_factory_create_connection (socket);
  g_object_unref (socket);
  connection = gsock_socket_connection_new_from_gio (gios);
  g_assert_true (GSOCK_IS_TCP_CONNECTION (connection));
  g_assert_true (gsock_socket_connection_get_socket (connection) == g_socket_connection_get_socket (gios));
  drop_last (gios);
  write_text (connection, "on");
  assert_receives (peer, "on");
  drop_last (connection);
  g_object_unref (peer);
}

static void
test_beneath (void)
{
  GError *error = NULL;
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer), *found;
  GIOStream *tls = g_tls_client_connection_new (G_IO_STREAM (connection), NULL, &error);
  GInputStream *input = g_memory_input_stream_new ();
  GOutputStream *output = g_memory_output_stream_new_resizable ();
  GIOStream *memory = g_simple_io_stream_new (input, output);

  g_assert_no_error (error);
  found = gsock_socket_connection_beneath (tls);
  g_assert_true (found == connection);
  g_object_unref (found);
  found = gsock_socket_connection_beneath (G_IO_STREAM (connection));
  g_assert_true (found == connection);
  g_object_unref (found);
  g_assert_null (gsock_socket_connection_beneath (memory));
  g_object_unref (input);
  g_object_unref (output);
  drop_last (memory);
  drop_last (tls);
  drop_last (connection);
  g_object_unref (peer);
}

static gboolean
serve (GSocketService    *service,
       GSocketConnection *connection,
       GObject           *source,
       gpointer           user_data)
{
  GSocketConnection **served = user_data;

  (void) service;
  (void) source;
  *served = g_object_ref (connection);
  return TRUE;
}

static gpointer
adopt (gpointer data)
{
  g_assert_true (gsock_adopt_gio (NULL));
  return data;
}

static void
test_adopt_gio (void)
{
  GThread *threads[4];
  GSocketService *service = g_socket_service_new ();
  GSocketClient *client = g_socket_client_new ();
  GSocketConnection *served = NULL, *connection;
  GAsyncResult *result = NULL;
  GError *error = NULL;
  guint16 port;
  char buffer[8];

  g_assert_true (gsock_adopt_gio (&error));
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("adopts", adopt, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);

  /* No proxies: the library that finds them has threads of its own. */
  g_socket_client_set_enable_proxy (client, FALSE);
  port = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (service), NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (service, "incoming", G_CALLBACK (serve), &served);
  g_socket_client_connect_to_host_async (client, "127.0.0.1", port, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL && served != NULL);
  connection = g_socket_client_connect_to_host_finish (client, result, &error);
  g_assert_no_error (error);
  g_object_unref (result);
  g_assert_true (G_IS_TCP_CONNECTION (connection));
  g_assert_cmpstr (G_OBJECT_TYPE_NAME (connection), ==, "GsockGioTcpConnection");
  g_assert_cmpstr (G_OBJECT_TYPE_NAME (served), ==, "GsockGioTcpConnection");

  g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), "hello", 5, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (G_IO_STREAM (served)), buffer, sizeof buffer,
                                        NULL, &error), ==, 5);
  g_assert_no_error (error);
  close_stream (connection);
  g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (G_IO_STREAM (served)), buffer, sizeof buffer,
                                        NULL, &error), ==, 0);
  g_assert_no_error (error);
  drop_last (connection);
  drop_last (served);
  g_socket_service_stop (service);
  g_object_unref (service);
  g_object_unref (client);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

int
main (int    argc,
      char **argv)
{
  begin (&argc, &argv);
  g_test_add_func ("/gio/wrong-arguments", test_wrong_arguments);
  g_test_add_func ("/gio/to_gio", test_to_gio);
  g_test_add_func ("/gio/new_from_gio", test_from_gio);
  g_test_add_func ("/gio/beneath", test_beneath);
  g_test_add_func ("/gio/adopt_gio", test_adopt_gio);
  return g_test_run ();
}
