/* An echo server on a main loop, as in the introduction to GSocketService: a handler of `incoming`. */

#include <gio/gio.h>

static GMainLoop *loop;
static int incoming, served;
static gssize echoed;

static void
on_echoed (GObject      *source,
           GAsyncResult *result,
           gpointer      connection)
{
  g_autoptr (GError) error = NULL;
  gssize bytes = g_output_stream_splice_finish (G_OUTPUT_STREAM (source), result, &error);

  g_assert_no_error (error);
  echoed += bytes;
  g_object_unref (connection);
  if (++served == 2)
    g_main_loop_quit (loop);
}

static gboolean
on_incoming (GSocketService    *service,
             GSocketConnection *connection,
             GObject           *source_object,
             gpointer           user_data)
{
  GIOStream *stream = G_IO_STREAM (connection);

  g_assert_cmpstr (g_object_get_data (source_object, "name"), ==, "the front door");
  incoming++;
  g_output_stream_splice_async (g_io_stream_get_output_stream (stream), g_io_stream_get_input_stream (stream),
                                G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE | G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET,
                                G_PRIORITY_DEFAULT, NULL, on_echoed, g_object_ref (connection));
  return TRUE;
}

static gpointer
talk (gpointer data)
{
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (GSocketClient) client = g_socket_client_new ();
      g_autoptr (GSocketConnection) connection =
          g_socket_client_connect_to_host (client, "127.0.0.1", GPOINTER_TO_UINT (data), NULL, NULL);
      GIOStream *stream = G_IO_STREAM (connection);
      char answer[8] = "";

      g_output_stream_write_all (g_io_stream_get_output_stream (stream), "echo", 4, NULL, NULL, NULL);
      g_input_stream_read_all (g_io_stream_get_input_stream (stream), answer, 4, NULL, NULL, NULL);
      g_assert_cmpstr (answer, ==, "echo");
      g_io_stream_close (stream, NULL, NULL);
    }
  return NULL;
}

int
main (void)
{
  g_autoptr (GSocketService) service = g_socket_service_new ();
  g_autoptr (GObject) name = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (GError) error = NULL;
  guint16 port;
  GThread *thread;

  loop = g_main_loop_new (NULL, FALSE);
  g_object_set_data (name, "name", (gpointer) "the front door");
  port = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (service), name, &error);
  g_assert_no_error (error);
  g_signal_connect (service, "incoming", G_CALLBACK (on_incoming), NULL);
  g_print ("active: %d\n", g_socket_service_is_active (service));
  thread = g_thread_new ("client", talk, GUINT_TO_POINTER ((guint) port));
  g_main_loop_run (loop);
  g_thread_join (thread);
  g_print ("%d came in, %d were served, %d bytes\n", incoming, served, (int) echoed);
  g_socket_service_stop (service);
  g_print ("active: %d\n", g_socket_service_is_active (service));
  g_socket_listener_close (G_SOCKET_LISTENER (service));
  g_main_loop_unref (loop);
  g_print ("end\n");
  return 0;
}
