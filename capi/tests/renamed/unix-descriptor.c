/* Two connections made of a pair of sockets; a file goes from one to the other. */

#include <gio/gio.h>
#include <gio/gunixconnection.h>
#include <sys/socket.h>
#include <unistd.h>

static GSocketConnection *
connection_of (int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, &error);

  g_assert_no_error (error);
  return g_socket_connection_factory_create_connection (socket);
}

static void
on_received (GObject      *source,
             GAsyncResult *result,
             gpointer      loop)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCredentials) credentials =
      g_unix_connection_receive_credentials_finish (G_UNIX_CONNECTION (source), result, &error);

  g_assert_no_error (error);
  g_print ("credentials of this user: %d\n", g_credentials_get_unix_user (credentials, NULL) == getuid ());
  g_main_loop_quit (loop);
}

static void
on_sent (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  g_print ("sent: %d\n", g_unix_connection_send_credentials_finish (G_UNIX_CONNECTION (source), result, &error));
  g_assert_no_error (error);
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GSocketConnection) here = NULL, there = NULL;
  int pair[2], pipes[2], fd;
  char text[8] = "";

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
  g_assert_cmpint (pipe (pipes), ==, 0);
  here = connection_of (pair[0]);
  there = connection_of (pair[1]);
  g_print ("%d %d\n", G_IS_UNIX_CONNECTION (here), g_socket_connection_is_connected (there));

  g_unix_connection_send_fd (G_UNIX_CONNECTION (here), pipes[1], NULL, &error);
  g_assert_no_error (error);
  fd = g_unix_connection_receive_fd (G_UNIX_CONNECTION (there), NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (write (fd, "through", 7), ==, 7);
  g_assert_cmpint (read (pipes[0], text, sizeof text - 1), ==, 7);
  g_print ("%s\n", text);

  g_unix_connection_send_credentials_async (G_UNIX_CONNECTION (here), NULL, on_sent, NULL);
  g_main_context_iteration (NULL, TRUE);
  g_unix_connection_receive_credentials_async (G_UNIX_CONNECTION (there), NULL, on_received, loop);
  g_main_loop_run (loop);
  close (fd);
  close (pipes[0]);
  close (pipes[1]);
  g_print ("end\n");
  return 0;
}
