/* Preloaded into GIO's own test programs by oracle.sh: each connection that GIO makes in them is then one of ours. */

#include <gio/gio.h>
#include <stdio.h>
#include <unistd.h>

gboolean gsock_adopt_gio (GError **error);

/* Before main, so that no connection is made earlier; the linker sees to it that GLib has begun by then. */
__attribute__ ((constructor)) static void
adopt (void)
{
  g_autoptr (GObject) connection = NULL;
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GError) error = NULL;
  const char *witness = g_getenv ("ORACLE_WITNESS");

  if (!gsock_adopt_gio (&error))
    {
      fprintf (stderr, "oracle: %s\n", error->message);
      _exit (99);
    }
  socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  connection = g_object_new (G_TYPE_TCP_CONNECTION, "socket", socket, NULL);
  if (G_OBJECT_TYPE (connection) == G_TYPE_TCP_CONNECTION)
    {
      fprintf (stderr, "oracle: not adopted\n");
      _exit (99);
    }
  if (witness != NULL)
    g_file_set_contents (witness, G_OBJECT_TYPE_NAME (connection), -1, NULL);
}
