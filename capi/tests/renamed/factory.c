/* A connection of a class of its own in the factory, and one that is made around a GSocket and connected by hand. */

#include <gio/gio.h>

#define PROTOCOL 99

typedef struct
{
  GTcpConnection parent_instance;
} Counted;

typedef struct
{
  GTcpConnectionClass parent_class;
} CountedClass;

static int closes;

GType counted_get_type (void);
G_DEFINE_TYPE (Counted, counted, G_TYPE_TCP_CONNECTION)

static gboolean
counted_close (GIOStream    *stream,
               GCancellable *cancellable,
               GError      **error)
{
  closes++;
  return G_IO_STREAM_CLASS (counted_parent_class)->close_fn (stream, cancellable, error);
}

static void
counted_class_init (CountedClass *klass)
{
  G_IO_STREAM_CLASS (klass)->close_fn = counted_close;
}

static void
counted_init (Counted *counted)
{
}

static void
on_connected (GObject      *source,
              GAsyncResult *result,
              gpointer      loop)
{
  g_autoptr (GError) error = NULL;

  g_print ("connected: %d\n", g_socket_connection_connect_finish (G_SOCKET_CONNECTION (source), result, &error));
  g_assert_no_error (error);
  g_main_loop_quit (loop);
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) address = NULL, remote = NULL;
  g_autoptr (GSocket) socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GSocket) of_connection = NULL;

  g_socket_connection_factory_register_type (counted_get_type (), G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, PROTOCOL);
  g_print ("registered: %d, the usual one stays: %d, nobody's: %d\n",
           g_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, PROTOCOL) ==
               counted_get_type (),
           g_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 0) == G_TYPE_TCP_CONNECTION,
           g_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, 0) ==
               G_TYPE_SOCKET_CONNECTION);

  g_socket_listener_add_address (listener, any, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL, &address, &error);
  g_assert_no_error (error);
  connection = g_object_new (counted_get_type (), "socket", socket, NULL);
  g_object_get (connection, "socket", &of_connection, NULL);
  g_print ("its socket: %d\n", of_connection == socket && g_socket_connection_get_socket (connection) == socket);
  g_socket_connection_connect_async (connection, address, NULL, on_connected, loop);
  g_main_loop_run (loop);
  remote = g_socket_connection_get_remote_address (connection, &error);
  g_assert_no_error (error);
  g_print ("the port: %d\n", g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (remote)) ==
                                 g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)));
  g_io_stream_close (G_IO_STREAM (connection), NULL, &error);
  g_assert_no_error (error);
  g_print ("closes: %d\n", closes);
  g_print ("end\n");
  return 0;
}
