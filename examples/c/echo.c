/* A service that sends back what it gets, and a client that talks to it: both on one main loop.
 *
 *   cc examples/c/echo.c -o echo $(pkg-config --cflags --libs gsock-1) && ./echo
 *
 * With HOST:PORT it talks to that peer, which must send back what it gets.
 */

#include <gsock/gsock.h>

#define SAID "hello from C\n"

typedef struct
{
  GMainLoop             *loop;
  GsockSocketConnection *connection;
  char                   answer[sizeof SAID - 1];
  GError                *error;
} Talk;

/* ---- The service: a class of its own, which is given each connection */

G_DECLARE_FINAL_TYPE (Echo, echo, DEMO, ECHO, GsockSocketService)

struct _Echo
{
  GsockSocketService parent_instance;
};

G_DEFINE_TYPE (Echo, echo, GSOCK_TYPE_SOCKET_SERVICE)

static void
on_spliced (GObject      *source,
            GAsyncResult *result,
            gpointer      connection)
{
  g_autoptr (GError) error = NULL;

  if (g_output_stream_splice_finish (G_OUTPUT_STREAM (source), result, &error) < 0)
    g_printerr ("the service: %s\n", error->message);
  g_object_unref (connection);
}

static gboolean
echo_incoming (GsockSocketService    *service,
               GsockSocketConnection *connection,
               GObject               *source_object)
{
  GIOStream *stream = G_IO_STREAM (connection);

  (void) service;
  (void) source_object;
  g_output_stream_splice_async (g_io_stream_get_output_stream (stream), g_io_stream_get_input_stream (stream),
                                G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE | G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET,
                                G_PRIORITY_DEFAULT, NULL, on_spliced, g_object_ref (connection));
  return TRUE;
}

static void
echo_class_init (EchoClass *klass)
{
  GSOCK_SOCKET_SERVICE_CLASS (klass)->incoming = echo_incoming;
}

static void
echo_init (Echo *self)
{
  (void) self;
}

/* ---- The client */

static void
on_read (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  Talk *talk = user_data;
  gsize read;

  if (g_input_stream_read_all_finish (G_INPUT_STREAM (source), result, &read, &talk->error) &&
      read < sizeof talk->answer)
    g_set_error_literal (&talk->error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "The peer said too little");
  g_main_loop_quit (talk->loop);
}

static void
on_written (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  Talk *talk = user_data;

  if (g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, &talk->error))
    g_input_stream_read_all_async (g_io_stream_get_input_stream (G_IO_STREAM (talk->connection)), talk->answer,
                                   sizeof talk->answer, G_PRIORITY_DEFAULT, NULL, on_read, talk);
  else
    g_main_loop_quit (talk->loop);
}

static void
on_state (GsockSocketConnection *connection)
{
  g_autofree char *name = g_enum_to_string (GSOCK_TYPE_CONNECTION_STATE,
                                            gsock_socket_connection_get_state (connection));

  g_print ("state: %s\n", name);
}

static void
on_connected (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  Talk *talk = user_data;

  talk->connection = gsock_socket_client_connect_to_host_finish (GSOCK_SOCKET_CLIENT (source), result, &talk->error);
  if (talk->connection == NULL)
    {
      g_main_loop_quit (talk->loop);
      return;
    }
  g_signal_connect (talk->connection, "notify::state", G_CALLBACK (on_state), NULL);
  g_output_stream_write_all_async (g_io_stream_get_output_stream (G_IO_STREAM (talk->connection)), SAID,
                                   sizeof SAID - 1, G_PRIORITY_DEFAULT, NULL, on_written, talk);
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GsockSocketService) service = g_object_new (echo_get_type (), NULL);
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();
  g_autofree char *host = NULL;
  Talk talk = { .loop = loop };

  if (argc > 1)
    host = g_strdup (argv[1]);
  else
    {
      guint16 port = gsock_socket_listener_add_any_inet_port (GSOCK_SOCKET_LISTENER (service), NULL, &talk.error);

      host = g_strdup_printf ("127.0.0.1:%u", port);
    }

  if (talk.error == NULL)
    {
      /* Of all of connecting, and of each read and write. */
      gsock_socket_client_set_connect_timeout_ms (client, 10 * 1000);
      gsock_socket_client_set_io_timeout_ms (client, 10 * 1000);
      gsock_socket_client_connect_to_host_async (client, host, 7, NULL, on_connected, &talk);
      g_main_loop_run (loop);
    }
  if (talk.connection != NULL)
    g_io_stream_close (G_IO_STREAM (talk.connection), NULL, NULL);
  g_clear_object (&talk.connection);

  if (talk.error != NULL)
    {
      g_printerr ("%s: %s\n", host, talk.error->message);
      g_clear_error (&talk.error);
      return 1;
    }
  g_print ("ok: %s said %.*s", host, (int) sizeof talk.answer, talk.answer);
  return 0;
}
