/* A server with a thread for each connection, as in the introduction to GThreadedSocketService. */

#include <gio/gio.h>

static GMainLoop *loop;
static int greeted;

static gboolean
on_run (GThreadedSocketService *service,
        GSocketConnection      *connection,
        GObject                *source_object,
        gpointer                user_data)
{
  char name[32] = "";
  gssize length = g_input_stream_read (g_io_stream_get_input_stream (G_IO_STREAM (connection)), name, sizeof name - 1,
                                       NULL, NULL);

  g_assert_cmpint (length, >, 0);
  g_assert_true (g_thread_self () != user_data);
  g_output_stream_printf (g_io_stream_get_output_stream (G_IO_STREAM (connection)), NULL, NULL, NULL, "hello %s", name);
  return TRUE;
}

static void
on_line (GObject      *source,
         GAsyncResult *result,
         gpointer      connection)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result, &error);

  g_assert_no_error (error);
  g_assert_cmpint (g_bytes_get_size (bytes), ==, 11);
  g_object_unref (connection);
  if (++greeted == 4)
    g_main_loop_quit (loop);
}

int
main (void)
{
  g_autoptr (GSocketService) service = g_threaded_socket_service_new (3);
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GError) error = NULL;
  int max_threads;
  guint16 port = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (service), NULL, &error);

  g_assert_no_error (error);
  loop = g_main_loop_new (NULL, FALSE);
  g_object_get (service, "max-threads", &max_threads, NULL);
  g_print ("at most %d at once, a service: %d\n", max_threads, G_IS_SOCKET_SERVICE (service));
  g_signal_connect (service, "run", G_CALLBACK (on_run), g_thread_self ());
  for (int i = 0; i < 4; i++)
    {
      GSocketConnection *connection = g_socket_client_connect_to_host (client, "127.0.0.1", port, NULL, &error);
      GIOStream *stream = G_IO_STREAM (connection);

      g_assert_no_error (error);
      g_output_stream_printf (g_io_stream_get_output_stream (stream), NULL, NULL, &error, "guest");
      g_assert_no_error (error);
      g_input_stream_read_bytes_async (g_io_stream_get_input_stream (stream), 64, G_PRIORITY_DEFAULT, NULL, on_line,
                                       connection);
    }
  g_main_loop_run (loop);
  g_print ("greeted: %d\n", greeted);
  g_socket_service_stop (service);
  g_socket_listener_close (G_SOCKET_LISTENER (service));
  g_main_loop_unref (loop);
  g_print ("end\n");
  return 0;
}
