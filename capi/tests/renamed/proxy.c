/* A port that hands on what comes to another one: a chain of accepts, two splices for each, graceful ends. */

#include <gio/gio.h>

static GMainLoop *loop;
static guint16 target;
static int ends;

static void
on_spliced (GObject      *source,
            GAsyncResult *result,
            gpointer      what)
{
  g_autoptr (GError) error = NULL;
  gssize bytes = g_output_stream_splice_finish (G_OUTPUT_STREAM (source), result, &error);

  g_assert_no_error (error);
  g_print ("%s: %d bytes\n", (const char *) what, (int) bytes);
  ends++;
}

static void
hand_on (GSocketConnection *from,
         GSocketConnection *to,
         const char        *what)
{
  g_output_stream_splice_async (g_io_stream_get_output_stream (G_IO_STREAM (to)),
                                g_io_stream_get_input_stream (G_IO_STREAM (from)), G_OUTPUT_STREAM_SPLICE_NONE,
                                G_PRIORITY_DEFAULT, NULL, on_spliced, (gpointer) what);
}

static void
on_accepted (GObject      *source,
             GAsyncResult *result,
             gpointer      connections)
{
  g_autoptr (GError) error = NULL;
  GSocketConnection *near = g_socket_listener_accept_finish (G_SOCKET_LISTENER (source), result, NULL, &error);
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  GSocketConnection *far;

  g_assert_no_error (error);
  far = g_socket_client_connect_to_host (client, "127.0.0.1", target, NULL, &error);
  g_assert_no_error (error);
  g_tcp_connection_set_graceful_disconnect (G_TCP_CONNECTION (far), TRUE);
  g_print ("graceful: %d, %d\n", g_tcp_connection_get_graceful_disconnect (G_TCP_CONNECTION (near)),
           g_tcp_connection_get_graceful_disconnect (G_TCP_CONNECTION (far)));
  g_ptr_array_add (connections, near);
  g_ptr_array_add (connections, far);
  /* One after the other, so that what is printed has an order. */
  hand_on (near, far, "there");
  while (ends < 1)
    g_main_context_iteration (NULL, TRUE);
  g_socket_shutdown (g_socket_connection_get_socket (far), FALSE, TRUE, NULL);
  hand_on (far, near, "and back");
  while (ends < 2)
    g_main_context_iteration (NULL, TRUE);
  g_main_loop_quit (loop);
}

static gpointer
answer (gpointer listener)
{
  g_autoptr (GSocketConnection) connection = g_socket_listener_accept (listener, NULL, NULL, NULL);
  char said[64];
  gsize length;

  g_input_stream_read_all (g_io_stream_get_input_stream (G_IO_STREAM (connection)), said, sizeof said, &length, NULL, NULL);
  g_output_stream_printf (g_io_stream_get_output_stream (G_IO_STREAM (connection)), NULL, NULL, NULL, "%.*s, yes",
                          (int) length, said);
  g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
  return NULL;
}

int
main (void)
{
  g_autoptr (GPtrArray) connections = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GSocketListener) behind = g_socket_listener_new ();
  g_autoptr (GSocketListener) front = g_socket_listener_new ();
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) connection = NULL;
  guint16 port = g_socket_listener_add_any_inet_port (front, NULL, NULL);
  GThread *thread;
  char said[64];
  gsize length;

  loop = g_main_loop_new (NULL, FALSE);
  target = g_socket_listener_add_any_inet_port (behind, NULL, NULL);
  thread = g_thread_new ("behind", answer, behind);
  g_socket_listener_accept_async (front, NULL, on_accepted, connections);
  connection = g_socket_client_connect_to_host (client, "127.0.0.1", port, NULL, NULL);
  g_output_stream_printf (g_io_stream_get_output_stream (G_IO_STREAM (connection)), NULL, NULL, NULL, "well");
  g_socket_shutdown (g_socket_connection_get_socket (connection), FALSE, TRUE, NULL);
  g_main_loop_run (loop);
  for (guint i = 0; i < connections->len; i++)
    g_print ("closed: %d\n", g_io_stream_close (g_ptr_array_index (connections, i), NULL, NULL));
  g_input_stream_read_all (g_io_stream_get_input_stream (G_IO_STREAM (connection)), said, sizeof said, &length, NULL, NULL);
  g_print ("%.*s\n", (int) length, said);
  g_thread_join (thread);
  g_main_loop_unref (loop);
  g_print ("end\n");
  return 0;
}
