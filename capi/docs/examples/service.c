/* The services in C, as the documentation shows them; see operations.c. */

#include <string.h>

#include "shown.h"

/* {gsock_socket_service_start gsock_socket_service_stop gsock_socket_service_is_active GsockSocketService:active} */
static gboolean
rest (GsockSocketService *service)
{
  /* What comes meanwhile waits in the kernel. */
  gsock_socket_service_stop (service);
  if (gsock_socket_service_is_active (service))
    return FALSE;
  gsock_socket_service_start (service);
  return gsock_socket_service_is_active (service);
}
/* {} */

/* {GsockSocketService::error} */
static void
on_error (GsockSocketService *service, GError *error, gpointer user_data)
{
  (void) service;
  (void) user_data;
  /* It goes on, if it can. */
  g_print ("it does not accept: %s\n", error->message);
  g_main_loop_quit (loop);
}

static void
hear_of_errors (GsockSocketService *service)
{
  g_signal_connect (service, "error", G_CALLBACK (on_error), NULL);
}
/* {} */

/* {GsockSocketService} */
typedef struct {
  GsockSocketService parent_instance;
} Greeter;

typedef struct {
  GsockSocketServiceClass parent_class;
} GreeterClass;

static GType greeter_get_type (void);
G_DEFINE_TYPE (Greeter, greeter, GSOCK_TYPE_SOCKET_SERVICE)

static void
on_greeted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  /* Held until here: the connection is closed with its last reference. */
  g_autoptr (GsockSocketConnection) connection = user_data;
  g_autoptr (GError) error = NULL;

  (void) connection;
  if (!g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, &error))
    g_warning ("%s", error->message);
}

static gboolean
greeter_incoming (GsockSocketService *service, GsockSocketConnection *connection, GObject *source_object)
{
  (void) service;
  (void) source_object;
  g_output_stream_write_all_async (g_io_stream_get_output_stream (G_IO_STREAM (connection)), "welcome", 7,
                                   G_PRIORITY_DEFAULT, NULL, on_greeted, g_object_ref (connection));
  return TRUE;
}

static void
greeter_class_init (GreeterClass *class)
{
  GSOCK_SOCKET_SERVICE_CLASS (class)->incoming = greeter_incoming;
}

static void
greeter_init (Greeter *greeter)
{
  (void) greeter;
}

static GsockSocketService *
greeter_at (guint16 *port, GError **error)
{
  g_autoptr (GsockSocketService) service = g_object_new (greeter_get_type (), NULL);

  *port = gsock_socket_listener_add_any_inet_port (GSOCK_SOCKET_LISTENER (service), NULL, error);
  return *port != 0 ? g_steal_pointer (&service) : NULL;
}
/* {} */

static void
on_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GBytes **answer = user_data;

  *answer = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result, NULL);
  g_main_loop_quit (loop);
}

int
main (void)
{
  guint16 port;
  GError *error = NULL;
  g_autoptr (GsockSocketService) service = greeter_at (&port, &error);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", port);
  g_autoptr (GsockSocketConnection) connection = NULL;
  g_autoptr (GSocket) deaf = NULL;
  g_autoptr (GBytes) answer = NULL;

  loop = g_main_loop_new (NULL, FALSE);
  must_have (service, error);
  must (rest (service), NULL);
  connection = connected_to (address);
  g_input_stream_read_bytes_async (g_io_stream_get_input_stream (G_IO_STREAM (connection)), 7, G_PRIORITY_DEFAULT, NULL,
                                   on_read, &answer);
  g_main_loop_run (loop);
  must (answer != NULL && g_bytes_get_size (answer) == 7, NULL);

  hear_of_errors (service);
  /* It does not listen. */
  deaf = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);
  must_have (deaf, error);
  must (gsock_socket_listener_add_socket (GSOCK_SOCKET_LISTENER (service), deaf, NULL, &error), error);
  g_main_loop_run (loop);
  gsock_socket_listener_close (GSOCK_SOCKET_LISTENER (service));
  g_main_loop_unref (loop);
  g_print ("ok\n");
  return 0;
}
