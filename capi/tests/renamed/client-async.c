/* A client on a main loop: its events, a connection, an address at which nobody is, and one that is given up. */

#include <gio/gio.h>

static GMainLoop *loop;

static void
on_event (GSocketClient      *client,
          GSocketClientEvent  event,
          GSocketConnectable *connectable,
          GIOStream          *connection,
          gpointer            user_data)
{
  g_autofree char *name = g_enum_to_string (G_TYPE_SOCKET_CLIENT_EVENT, event);

  g_print ("%s: %s, %s\n", (const char *) user_data, name, connection == NULL ? "nothing" : "a connection");
}

static void
on_connected (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnection) connection = g_socket_client_connect_finish (G_SOCKET_CLIENT (source), result, &error);

  if (connection != NULL)
    g_print ("connected: %d\n", g_socket_connection_is_connected (connection));
  else
    g_print ("not connected: %s %d\n", g_quark_to_string (error->domain), error->code);
  g_main_loop_quit (loop);
}

static void
connect_to (GSocketAddress *address,
            const char     *what,
            GCancellable   *cancellable)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();

  g_signal_connect (client, "event", G_CALLBACK (on_event), (gpointer) what);
  g_socket_client_connect_async (client, G_SOCKET_CONNECTABLE (address), cancellable, on_connected, NULL);
  g_main_loop_run (loop);
}

int
main (void)
{
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  loop = g_main_loop_new (NULL, FALSE);
  g_socket_listener_add_address (listener, any, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL, &address, NULL);
  connect_to (address, "somebody", NULL);
  g_socket_listener_close (listener);
  connect_to (address, "nobody", NULL);
  g_cancellable_cancel (cancellable);
  connect_to (address, "given up", cancellable);
  g_main_loop_unref (loop);
  g_print ("end\n");
  return 0;
}
