/* A blocking client of a line-based server, as in the introduction to GSocketClient. */

#include <gio/gio.h>

static gpointer
serve (gpointer data)
{
  GSocketListener *listener = data;
  g_autoptr (GSocketConnection) connection = g_socket_listener_accept (listener, NULL, NULL, NULL);
  g_autoptr (GDataInputStream) lines = g_data_input_stream_new (g_io_stream_get_input_stream (G_IO_STREAM (connection)));
  char *line;

  while ((line = g_data_input_stream_read_line (lines, NULL, NULL, NULL)) != NULL)
    {
      g_autofree char *upper = g_ascii_strup (line, -1);

      g_output_stream_printf (g_io_stream_get_output_stream (G_IO_STREAM (connection)), NULL, NULL, NULL, "%s\n", upper);
      g_free (line);
    }
  g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
  return NULL;
}

int
main (void)
{
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GError) error = NULL;
  guint16 port = g_socket_listener_add_any_inet_port (listener, NULL, &error);
  GThread *thread = g_thread_new ("server", serve, listener);
  GInputStream *input;
  GOutputStream *output;
  char answer[64];
  gsize length;

  g_socket_client_set_timeout (client, 20);
  connection = g_socket_client_connect_to_host (client, "127.0.0.1", port, NULL, &error);
  g_assert_no_error (error);
  g_print ("connected: %d, a TCP connection: %d\n", g_socket_connection_is_connected (connection),
           G_IS_TCP_CONNECTION (connection));
  input = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  output = g_io_stream_get_output_stream (G_IO_STREAM (connection));

  g_output_stream_write_all (output, "hello\nworld\n", 12, NULL, NULL, &error);
  g_assert_no_error (error);
  g_socket_shutdown (g_socket_connection_get_socket (connection), FALSE, TRUE, &error);
  g_assert_no_error (error);
  g_input_stream_read_all (input, answer, sizeof answer, &length, NULL, &error);
  g_assert_no_error (error);
  g_print ("%.*s", (int) length, answer);

  g_print ("closed: %d\n", g_io_stream_close (G_IO_STREAM (connection), NULL, &error));
  g_assert_no_error (error);
  g_thread_join (thread);
  g_print ("end\n");
  return 0;
}
