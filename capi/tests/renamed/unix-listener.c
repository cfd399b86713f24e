/* A service at a path in the file system, who its peers are, and what is there when it has gone. */

#include <gio/gio.h>
#include <gio/gunixconnection.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <unistd.h>

static void
on_accepted (GObject      *source,
             GAsyncResult *result,
             gpointer      accepted)
{
  g_autoptr (GError) error = NULL;

  *(GSocketConnection **) accepted =
      g_socket_listener_accept_finish (G_SOCKET_LISTENER (source), result, NULL, &error);
  g_assert_no_error (error);
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("renamed-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "socket", NULL);
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (path);
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) here = NULL, there = NULL;
  g_autoptr (GCredentials) credentials = NULL;
  g_autoptr (GSocketAddress) local = NULL;

  g_socket_listener_add_address (listener, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, &error);
  g_assert_no_error (error);
  g_socket_listener_accept_async (listener, NULL, on_accepted, &there);
  here = g_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, &error);
  g_assert_no_error (error);
  while (there == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_print ("Unix connections: %d, %d\n", G_IS_UNIX_CONNECTION (here), G_IS_UNIX_CONNECTION (there));

  g_unix_connection_send_credentials (G_UNIX_CONNECTION (here), NULL, &error);
  g_assert_no_error (error);
  credentials = g_unix_connection_receive_credentials (G_UNIX_CONNECTION (there), NULL, &error);
  g_assert_no_error (error);
  g_print ("the peer is this process: %d\n", g_credentials_get_unix_pid (credentials, NULL) == getpid ());

  local = g_socket_connection_get_local_address (there, &error);
  g_assert_no_error (error);
  g_print ("its address is the path: %d\n",
           g_strcmp0 (g_unix_socket_address_get_path (G_UNIX_SOCKET_ADDRESS (local)), path) == 0);

  g_socket_listener_close (listener);
  g_print ("the file is still there: %d\n", g_unlink (path) == 0);
  g_rmdir (folder);
  g_print ("end\n");
  return 0;
}
