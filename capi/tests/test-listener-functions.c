/* Every function of the listener, called once and more as a C program calls it; a class of C's below it. */

#include "tools.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LISTENER GSOCK_TYPE_SOCKET_LISTENER

static GSocketAddress *
any_port (void)
{
  GInetAddress *loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  GSocketAddress *address = g_inet_socket_address_new (loopback, 0);

  g_object_unref (loopback);
  return address;
}

/* A listener on loopback, and its address. */
static GsockSocketListener *
listening (GObject         *source_object,
           GSocketAddress **address)
{
  GError *error = NULL;
  GSocketAddress *any = any_port ();
  GsockSocketListener *listener = gsock_socket_listener_new ();

  g_assert_true (gsock_socket_listener_add_address (listener, any, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT,
                                                    source_object, address, &error));
  g_assert_no_error (error);
  g_object_unref (any);
  return listener;
}

static GSocket *
client_of (GSocketAddress *address)
{
  GError *error = NULL;
  GSocket *socket = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_STREAM,
                                  G_SOCKET_PROTOCOL_DEFAULT, &error);

  g_assert_no_error (error);
  g_socket_connect (socket, address, NULL, &error);
  g_assert_no_error (error);
  return socket;
}

static GSocketAddress *
at_port (GSocketFamily family,
         guint16       port)
{
  GInetAddress *loopback = g_inet_address_new_loopback (family);
  GSocketAddress *address = g_inet_socket_address_new (loopback, port);

  g_object_unref (loopback);
  return address;
}

static void
count (GObject    *object,
       GParamSpec *pspec,
       gpointer    user_data)
{
  (void) object;
  (void) pspec;
  ++*(int *) user_data;
}

static void
test_backlog (void)
{
  GsockSocketListener *listener = gsock_socket_listener_new ();
  int backlog = 0, notified = 0;

  g_assert_true (G_OBJECT_TYPE (listener) == LISTENER);
  g_signal_connect (listener, "notify::listen-backlog", G_CALLBACK (count), &notified);
  g_object_get (listener, "listen-backlog", &backlog, NULL);
  g_assert_cmpint (backlog, ==, 10);
  gsock_socket_listener_set_backlog (listener, 77);
  g_object_get (listener, "listen-backlog", &backlog, NULL);
  g_assert_cmpint (backlog, ==, 77);
  g_assert_cmpint (notified, ==, 1);
  /* The nearest that there is. */
  gsock_socket_listener_set_backlog (listener, -1);
  g_object_get (listener, "listen-backlog", &backlog, NULL);
  g_assert_cmpint (backlog, ==, 0);
  gsock_socket_listener_set_backlog (listener, G_MAXINT);
  g_object_get (listener, "listen-backlog", &backlog, NULL);
  g_assert_cmpint (backlog, ==, 2000);
  gsock_socket_listener_close (listener);
  gsock_socket_listener_set_backlog (listener, 5);
  g_object_get (listener, "listen-backlog", &backlog, NULL);
  g_assert_cmpint (backlog, ==, 2000);
  drop_last (listener);
}

/* Exchanges a word with what was accepted, of either kind. */
static void
assert_joined (gpointer  accepted,
               GSocket  *client)
{
  if (GSOCK_IS_SOCKET_CONNECTION (accepted))
    {
      g_assert_true (GSOCK_IS_TCP_CONNECTION (accepted));
      write_text (accepted, "ping");
      assert_receives (client, "ping");
      send_all (client, "pong");
      assert_reads (accepted, "pong");
    }
  else
    {
      g_assert_true (g_socket_get_blocking (accepted));
      send_all (accepted, "ping");
      assert_receives (client, "ping");
    }
  drop_last (accepted);
  g_object_unref (client);
}

static gpointer
accept_by (gboolean              as_socket,
           GsockSocketListener  *listener,
           GObject             **source_object,
           GError              **error)
{
  return as_socket ? (gpointer) gsock_socket_listener_accept_socket (listener, source_object, NULL, error)
                   : (gpointer) gsock_socket_listener_accept (listener, source_object, NULL, error);
}

static gpointer
finish_by (gboolean              as_socket,
           GsockSocketListener  *listener,
           GAsyncResult         *result,
           GObject             **source_object,
           GError              **error)
{
  return as_socket ? (gpointer) gsock_socket_listener_accept_socket_finish (listener, result, source_object, error)
                   : (gpointer) gsock_socket_listener_accept_finish (listener, result, source_object, error);
}

static void
test_accept (void)
{
  GError *error = NULL;
  GObject *mark = g_object_new (G_TYPE_OBJECT, NULL), *found;
  GSocketAddress *address, *other;
  GsockSocketListener *listener = listening (mark, &address), *unmarked = listening (NULL, &other);
  GAsyncResult *result = NULL;

  for (int as_socket = 0; as_socket < 2; as_socket++)
    {
      GSocket *client = client_of (address);

      found = NULL;
      assert_joined (accept_by (as_socket, listener, &found, &error), client);
      g_assert_no_error (error);
      g_assert_true (found == mark);
      client = client_of (address);
      assert_joined (accept_by (as_socket, listener, NULL, &error), client);
      g_assert_no_error (error);
      client = client_of (other);
      assert_joined (accept_by (as_socket, unmarked, &found, &error), client);
      g_assert_null (found);
    }
  /* Either finish takes the results of both. */
  for (int started = 0; started < 2; started++)
    for (int as_socket = 0; as_socket < 2; as_socket++)
      {
        GSocket *client;
        gpointer accepted;

        if (started)
          gsock_socket_listener_accept_socket_async (listener, NULL, keep_result, &result);
        else
          gsock_socket_listener_accept_async (listener, NULL, keep_result, &result);
        g_assert_null (result);
        client = client_of (address);
        ITERATE_UNTIL (result != NULL);
        accepted = finish_by (as_socket, listener, result, &found, &error);
        g_assert_no_error (error);
        g_assert_true (found == mark);
        /* Once only. */
        g_assert_null (finish_by (as_socket, listener, result, &found, &error));
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
        g_clear_error (&error);
        g_assert_null (found);
        assert_joined (accepted, client);
        g_clear_object (&result);
      }
  found = mark;
  g_assert_null (gsock_socket_listener_accept_finish (listener, NULL, &found, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (found);
  /* A callback is not needed. */
  gsock_socket_listener_accept_async (unmarked, NULL, NULL, NULL);
  gsock_socket_listener_close (unmarked);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  drop_last (unmarked);
  drop_last (listener);
  drop_last (mark);
  g_object_unref (address);
  g_object_unref (other);
}

/* Whoever finishes late is given what is there still. */
static void
test_source_object_of_a_result (void)
{
  GError *error = NULL;
  GObject *mark = g_object_new (G_TYPE_OBJECT, NULL), *found = NULL;
  gpointer weak = mark;
  GSocketAddress *address;
  GsockSocketListener *listener = listening (mark, &address);
  GsockSocketConnection *accepted;
  GAsyncResult *result = NULL;
  GSocket *client;

  g_object_add_weak_pointer (mark, &weak);
  g_object_unref (mark);
  gsock_socket_listener_accept_async (listener, NULL, keep_result, &result);
  client = client_of (address);
  ITERATE_UNTIL (result != NULL);
  gsock_socket_listener_close (listener);
  accepted = gsock_socket_listener_accept_finish (listener, result, &found, &error);
  g_assert_no_error (error);
  g_assert_nonnull (found);
  g_assert_true (found == weak && G_IS_OBJECT (found));
  g_object_unref (listener);
  drop_last (result);
  g_assert_null (weak);
  assert_joined (accepted, client);
  g_object_unref (address);
}

static void
test_several (void)
{
  GError *error = NULL;
  GSocketAddress *address, *second;
  GSocket *clients[5], *more = tcp_listener (&second);
  GsockSocketListener *listener = listening (NULL, &address);
  GAsyncResult *results[5] = { NULL };
  GsockSocketConnection *accepted;

  for (int i = 0; i < 5; i++)
    gsock_socket_listener_accept_async (listener, NULL, keep_result, &results[i]);
  /* One that is added meanwhile is waited for too. */
  g_assert_true (gsock_socket_listener_add_socket (listener, more, NULL, &error));
  g_assert_no_error (error);
  for (int i = 0; i < 5; i++)
    clients[i] = client_of (i % 2 ? second : address);
  ITERATE_UNTIL (results[0] && results[1] && results[2] && results[3] && results[4]);
  for (int i = 0; i < 5; i++)
    {
      accepted = gsock_socket_listener_accept_finish (listener, results[i], NULL, &error);
      g_assert_no_error (error);
      drop_last (accepted);
      drop_last (results[i]);
      g_object_unref (clients[i]);
    }
  drop_last (listener);
  /* Somebody has it yet. */
  g_assert_false (g_socket_is_closed (more));
  g_object_unref (more);
  g_object_unref (address);
  g_object_unref (second);
}

static void
test_addresses (void)
{
  GError *error = NULL;
  GSocketAddress *address, *second, *any = any_port ();
  GsockSocketListener *listener = listening (NULL, &address);
  GList *list;
  GSocket *client;

  g_assert_true (gsock_socket_listener_add_address (listener, any, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL,
                                                    NULL, &error));
  g_assert_no_error (error);
  list = gsock_socket_listener_get_addresses (listener);
  g_assert_cmpuint (g_list_length (list), ==, 2);
  g_assert_cmpuint (g_inet_socket_address_get_port (list->data), ==,
                    g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)));
  second = g_object_ref (list->next->data);
  g_list_free_full (list, g_object_unref);
  g_assert_cmpuint (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (second)), !=, 0);

  g_assert_true (gsock_socket_listener_remove_address (listener, address, &error));
  g_assert_no_error (error);
  g_assert_false (gsock_socket_listener_remove_address (listener, address, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  client = client_of (second);
  assert_joined (gsock_socket_listener_accept (listener, NULL, NULL, &error), client);
  gsock_socket_listener_close (listener);
  g_assert_null (gsock_socket_listener_get_addresses (listener));
  g_assert_false (gsock_socket_listener_remove_address (listener, second, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  drop_last (listener);
  drop_last (second);
  g_object_unref (address);
  g_object_unref (any);
}

static void
test_ports (void)
{
  GError *error = NULL;
  GsockSocketListener *listener = gsock_socket_listener_new (), *other = gsock_socket_listener_new ();
  GObject *mark = g_object_new (G_TYPE_OBJECT, NULL), *found = NULL;
  guint16 port = gsock_socket_listener_add_any_inet_port (listener, mark, &error);
  GSocketAddress *address = at_port (G_SOCKET_FAMILY_IPV4, port);
  GSocket *client;

  g_assert_no_error (error);
  g_assert_cmpuint (port, !=, 0);
  client = client_of (address);
  assert_joined (gsock_socket_listener_accept (listener, &found, NULL, &error), client);
  g_assert_true (found == mark);
  g_assert_false (gsock_socket_listener_add_inet_port (other, port, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  g_clear_error (&error);
  gsock_socket_listener_close (listener);
  g_assert_true (gsock_socket_listener_add_inet_port (other, port, mark, &error));
  g_assert_no_error (error);
  client = client_of (address);
  found = NULL;
  assert_joined (gsock_socket_listener_accept (other, &found, NULL, &error), client);
  g_assert_true (found == mark);
  g_assert_false (gsock_socket_listener_add_inet_port (other, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  drop_last (other);
  drop_last (listener);
  drop_last (mark);
  g_object_unref (address);
}

static void
test_port_in_range (void)
{
  GError *error = NULL;
  GsockSocketListener *listener = gsock_socket_listener_new (), *other = gsock_socket_listener_new ();
  GObject *mark = g_object_new (G_TYPE_OBJECT, NULL), *found = NULL;
  guint16 taken = gsock_socket_listener_add_any_inet_port (listener, NULL, &error), port;
  GSocketAddress *address;
  GSocket *client;

  g_assert_no_error (error);
  g_assert_cmpuint (gsock_socket_listener_add_inet_port_in_range (other, taken, taken, NULL, &error), ==, 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  g_clear_error (&error);
  g_assert_cmpuint (gsock_socket_listener_add_inet_port_in_range (other, taken, taken - 1, NULL, &error), ==, 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  port = gsock_socket_listener_add_inet_port_in_range (other, taken - 100, MIN (taken + 100, G_MAXUINT16), mark, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (port, !=, 0);
  g_assert_cmpuint (port, !=, taken);
  address = at_port (G_SOCKET_FAMILY_IPV4, port);
  client = client_of (address);
  assert_joined (gsock_socket_listener_accept (other, &found, NULL, &error), client);
  g_assert_true (found == mark);
  drop_last (other);
  drop_last (listener);
  drop_last (mark);
  g_object_unref (address);
}

static void
test_failures (void)
{
  GError *error = NULL;
  GSocketAddress *address, *any = any_port (), *effective = NULL;
  GsockSocketListener *listener = gsock_socket_listener_new (), *used = listening (NULL, &address);
  GObject *untouched = G_OBJECT (listener), *found = untouched;
  GCancellable *cancelled = g_cancellable_new ();
  GAsyncResult *result = NULL;
  GSocket *socket = tcp_socket ();

  g_assert_null (gsock_socket_listener_accept (listener, &found, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_true (found == untouched);
  g_assert_null (gsock_socket_listener_accept (listener, NULL, NULL, NULL));

  g_assert_false (gsock_socket_listener_add_address (listener, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT,
                                                     NULL, &effective, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  g_clear_error (&error);
  g_assert_null (effective);
  /* Numbers that are no type. */
  g_assert_false (gsock_socket_listener_add_address (listener, any, 77, 0, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);

  g_cancellable_cancel (cancelled);
  g_assert_null (gsock_socket_listener_accept_socket (used, &found, cancelled, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_true (found == untouched);
  gsock_socket_listener_accept_async (used, cancelled, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_null (gsock_socket_listener_accept_finish (used, result, &found, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (found);
  /* That of another listener. */
  g_assert_null (gsock_socket_listener_accept_finish (listener, result, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_clear_object (&result);

  gsock_socket_listener_accept_socket_async (used, NULL, keep_result, &result);
  gsock_socket_listener_close (used);
  gsock_socket_listener_close (used);
  ITERATE_UNTIL (result != NULL);
  g_assert_null (gsock_socket_listener_accept_socket_finish (used, result, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_clear_object (&result);
  g_assert_cmpuint (gsock_socket_listener_add_any_inet_port (used, NULL, &error), ==, 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_false (gsock_socket_listener_add_socket (used, socket, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  drop_last (used);

  g_socket_close (socket, NULL);
  g_assert_false (gsock_socket_listener_add_socket (listener, socket, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_clear_error (&error);
  drop_last (listener);
  g_object_unref (socket);
  g_object_unref (cancelled);
  g_object_unref (any);
  g_object_unref (address);
}

static gpointer
accept_until_closed (gpointer listener)
{
  GError *error = NULL;
  GsockSocketConnection *accepted;

  while ((accepted = gsock_socket_listener_accept (listener, NULL, NULL, &error)) != NULL)
    {
      /* What came is given back, so that the other side knows. */
      write_text (accepted, "!");
      g_object_unref (accepted);
    }
  return error;
}

/* Three threads that wait, and a fourth that closes. */
static void
test_threads (void)
{
  GSocketAddress *address;
  GsockSocketListener *listener = listening (NULL, &address);
  GThread *threads[3];

  for (int i = 0; i < 3; i++)
    threads[i] = g_thread_new ("accept", accept_until_closed, listener);
  for (int i = 0; i < 30; i++)
    {
      GSocket *client = client_of (address);

      assert_receives (client, "!");
      g_object_unref (client);
    }
  gsock_socket_listener_close (listener);
  for (int i = 0; i < 3; i++)
    {
      GError *error = g_thread_join (threads[i]);

      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
      g_error_free (error);
    }
  drop_last (listener);
  g_object_unref (address);
}

/* ---- Beyond GIO -------------------------------------------------------------------------------------- */

static GSocketAddress *
unix_address (const char *bytes,
              gsize       length)
{
  struct sockaddr_un native = { .sun_family = AF_UNIX };

  g_assert_cmpuint (length, <=, sizeof native.sun_path);
  memcpy (native.sun_path, bytes, length);
  return g_socket_address_new_from_native (&native, offsetof (struct sockaddr_un, sun_path) + length);
}

static GSocketAddress *
path_address (const char *path)
{
  return unix_address (path, strlen (path) + 1);
}

/* A socket file that nobody listens on. */
static void
leave_stale (const char *path)
{
  GError *error = NULL;
  GSocketAddress *address = path_address (path);
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);

  g_assert_no_error (error);
  g_assert_true (g_socket_bind (socket, address, FALSE, &error));
  g_assert_no_error (error);
  g_object_unref (socket);
  g_object_unref (address);
}

static gboolean
is_there (const char *path)
{
  GStatBuf found;

  if (g_stat (path, &found) == 0)
    return TRUE;
  g_assert_cmpint (errno, ==, ENOENT);
  return FALSE;
}

static void
assert_accepts (GsockSocketListener *listener,
                GSocketAddress      *address,
                GType                type)
{
  GError *error = NULL;
  GSocket *client = client_of (address);
  GsockSocketConnection *accepted = gsock_socket_listener_accept (listener, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (G_OBJECT_TYPE (accepted) == type);
  write_text (accepted, "ping");
  assert_receives (client, "ping");
  g_object_unref (accepted);
  g_object_unref (client);
}

static void
test_unix_path (void)
{
  GError *error = NULL;
  char *folder = g_dir_make_tmp ("gsock-XXXXXX", &error), *path = g_build_filename (folder, "socket", NULL);
  GSocketAddress *address = path_address (path);
  GsockSocketListener *listener = gsock_socket_listener_new (), *other = gsock_socket_listener_new ();
  GStatBuf found;

  g_assert_no_error (error);
  g_assert_true (gsock_socket_listener_add_unix_path (listener, path, 0640, GSOCK_UNIX_PATH_FLAGS_SAME_USER_ONLY, NULL,
                                                      &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (path, &found), ==, 0);
  g_assert_cmpint (found.st_mode & 0777, ==, 0640);
  assert_accepts (listener, address, GSOCK_TYPE_UNIX_CONNECTION);
  g_assert_false (gsock_socket_listener_add_unix_path (other, path, 0600, GSOCK_UNIX_PATH_FLAGS_NONE, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  g_clear_error (&error);
  gsock_socket_listener_close (listener);
  g_assert_false (is_there (path));

  leave_stale (path);
  g_assert_false (gsock_socket_listener_add_unix_path (other, path, 0600, GSOCK_UNIX_PATH_FLAGS_FAIL_IF_STALE, NULL,
                                                       &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  g_clear_error (&error);
  g_assert_true (gsock_socket_listener_add_unix_path (other, path, 0600, GSOCK_UNIX_PATH_FLAGS_KEEP_FILE, NULL, &error));
  g_assert_no_error (error);
  assert_accepts (other, address, GSOCK_TYPE_UNIX_CONNECTION);
  drop_last (other);
  g_assert_true (is_there (path));

  other = gsock_socket_listener_new ();
  g_assert_false (gsock_socket_listener_add_unix_path (other, path, 010000, GSOCK_UNIX_PATH_FLAGS_NONE, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_true (gsock_socket_listener_add_unix_path (other, path, 0600, GSOCK_UNIX_PATH_FLAGS_NONE, NULL, &error));
  g_assert_no_error (error);
  drop_last (other);
  g_assert_false (is_there (path));
  drop_last (listener);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_free (folder);
  g_free (path);
  g_object_unref (address);
}

static void
test_unix_abstract (void)
{
  GError *error = NULL;
  /* With a NUL before it, where the kernel has that. */
  char *name = g_strdup_printf ("_gsock test %d", (int) getpid ());
  gsize length = strlen (name);
  GSocketAddress *address;
  GsockSocketListener *listener = gsock_socket_listener_new ();

  name[0] = '\0';
  address = unix_address (name, length);
  g_assert_true (gsock_socket_listener_add_unix_abstract (listener, (const guint8 *) name + 1, length - 1, TRUE, NULL,
                                                          &error));
  g_assert_no_error (error);
  assert_accepts (listener, address, GSOCK_TYPE_UNIX_CONNECTION);
  g_assert_false (gsock_socket_listener_add_unix_abstract (listener, NULL, 0, TRUE, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  drop_last (listener);
  g_free (name);
  g_object_unref (address);
}

/* As systemd leaves a socket to the program that it starts. */
static void
leave_socket_for (const char *name)
{
  struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  char pid[32];
  int fd = socket (AF_INET, SOCK_STREAM, 0);

  g_assert_cmpint (bind (fd, (struct sockaddr *) &any, sizeof any), ==, 0);
  g_assert_cmpint (listen (fd, 5), ==, 0);
  if (fd != 3)
    {
      g_assert_cmpint (dup2 (fd, 3), ==, 3);
      close (fd);
    }
  g_snprintf (pid, sizeof pid, "%d", (int) getpid ());
  g_setenv ("LISTEN_PID", pid, TRUE);
  g_setenv ("LISTEN_FDS", "1", TRUE);
  g_setenv ("LISTEN_FDNAMES", name, TRUE);
}

static void
test_systemd_sockets (void)
{
  GError *error = NULL;
  GsockSocketListener *listener = gsock_socket_listener_new ();
  GList *addresses = NULL;
  GSocketAddress *address;
  char **names;

  names = gsock_socket_listener_add_systemd_sockets (listener, "another", NULL, &addresses, &error);
  g_assert_no_error (error);
  g_assert_nonnull (names);
  g_assert_cmpuint (g_strv_length (names), ==, 0);
  g_assert_null (addresses);
  g_strfreev (names);
  names = gsock_socket_listener_add_systemd_sockets (listener, "door", NULL, &addresses, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (names), ==, 1);
  g_assert_cmpstr (names[0], ==, "door");
  g_assert_cmpuint (g_list_length (addresses), ==, 1);
  address = g_object_ref (addresses->data);
  g_list_free_full (addresses, g_object_unref);
  g_strfreev (names);
  assert_accepts (listener, address, GSOCK_TYPE_TCP_CONNECTION);
  /* Once only. */
  names = gsock_socket_listener_add_systemd_sockets (listener, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (names), ==, 0);
  g_strfreev (names);
  gsock_socket_listener_close (listener);
  g_assert_null (gsock_socket_listener_add_systemd_sockets (listener, NULL, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  drop_last (listener);
  g_object_unref (address);
}

static void
test_limits (void)
{
  GError *error = NULL;
  GSocketAddress *address;
  GsockSocketListener *listener = listening (NULL, &address);
  GsockSocketConnection *first, *second;
  GAsyncResult *result = NULL;
  GSocket *clients[3];
  guint most = 0;

  g_assert_cmpuint (gsock_socket_listener_get_max_connections (listener), ==, 0);
  g_assert_cmpuint (gsock_socket_listener_get_max_connections_per_peer (listener), ==, 0);
  g_assert_cmpuint (gsock_socket_listener_get_accept_rate (listener), ==, 0);
  gsock_socket_listener_set_accept_rate (listener, 100000);
  g_assert_cmpuint (gsock_socket_listener_get_accept_rate (listener), ==, 100000);
  gsock_socket_listener_set_accept_rate (listener, 0);
  gsock_socket_listener_set_max_connections (listener, 1);
  g_object_get (listener, "max-connections", &most, NULL);
  g_assert_cmpuint (most, ==, 1);

  /* The second one waits until the first one has gone. */
  for (int i = 0; i < 2; i++)
    clients[i] = client_of (address);
  first = gsock_socket_listener_accept (listener, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (gsock_socket_listener_get_active_connections (listener), ==, 1);
  gsock_socket_listener_accept_async (listener, NULL, keep_result, &result);
  for (int i = 0; i < 10; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_null (result);
  close_stream (first);
  ITERATE_UNTIL (result != NULL);
  second = gsock_socket_listener_accept_finish (listener, result, NULL, &error);
  g_assert_no_error (error);
  g_clear_object (&result);
  g_assert_cmpuint (gsock_socket_listener_get_accepted (listener), ==, 2);
  g_assert_cmpuint (gsock_socket_listener_get_active_connections (listener), ==, 1);
  g_assert_cmpuint (gsock_socket_listener_get_refused (listener), ==, 0);
  drop_last (second);
  drop_last (first);
  gsock_socket_listener_set_max_connections (listener, 0);

  /* One of a computer, and what comes beyond it is refused. */
  gsock_socket_listener_set_max_connections_per_peer (listener, 1);
  g_assert_cmpuint (gsock_socket_listener_get_max_connections_per_peer (listener), ==, 1);
  clients[2] = client_of (address);
  first = gsock_socket_listener_accept (listener, NULL, NULL, &error);
  g_assert_no_error (error);
  gsock_socket_listener_accept_async (listener, NULL, keep_result, &result);
  g_object_unref (clients[0]);
  clients[0] = client_of (address);
  ITERATE_UNTIL (gsock_socket_listener_get_refused (listener) == 1);
  g_assert_null (result);
  g_assert_cmpuint (gsock_socket_listener_get_accepted (listener), ==, 3);
  gsock_socket_listener_close (listener);
  ITERATE_UNTIL (result != NULL);
  drop_last (result);
  drop_last (first);
  drop_last (listener);
  for (int i = 0; i < 3; i++)
    g_object_unref (clients[i]);
  g_object_unref (address);
}

static void
test_flags (void)
{
  GFlagsClass *klass = g_type_class_ref (GSOCK_TYPE_UNIX_PATH_FLAGS);

  g_assert_cmpuint (klass->n_values, ==, 4);
  g_assert_cmpstr (g_flags_get_first_value (klass, GSOCK_UNIX_PATH_FLAGS_FAIL_IF_STALE)->value_name, ==,
                   "GSOCK_UNIX_PATH_FLAGS_FAIL_IF_STALE");
  g_assert_cmpstr (g_flags_get_first_value (klass, GSOCK_UNIX_PATH_FLAGS_KEEP_FILE)->value_name, ==,
                   "GSOCK_UNIX_PATH_FLAGS_KEEP_FILE");
  g_assert_cmpstr (g_flags_get_first_value (klass, GSOCK_UNIX_PATH_FLAGS_SAME_USER_ONLY)->value_name, ==,
                   "GSOCK_UNIX_PATH_FLAGS_SAME_USER_ONLY");
  g_type_class_unref (klass);
}

/* ---- A class of one's own -------------------------------------------------------------------------- */

#define OWN_TYPE_LISTENER (own_listener_get_type ())
G_DECLARE_FINAL_TYPE (OwnListener, own_listener, OWN, LISTENER, GsockSocketListener)

struct _OwnListener
{
  GsockSocketListener parent_instance;
  GString *calls;
};

G_DEFINE_TYPE (OwnListener, own_listener, GSOCK_TYPE_SOCKET_LISTENER)

static void
own_listener_event (GsockSocketListener  *listener,
                    GSocketListenerEvent  event,
                    GSocket              *socket)
{
  g_assert_true (G_IS_SOCKET (socket));
  g_string_append_c (OWN_LISTENER (listener)->calls, '0' + event);
}

static void
own_listener_changed (GsockSocketListener *listener)
{
  g_string_append_c (OWN_LISTENER (listener)->calls, 'c');
}

static void
own_listener_finalize (GObject *object)
{
  g_string_free (OWN_LISTENER (object)->calls, TRUE);
  G_OBJECT_CLASS (own_listener_parent_class)->finalize (object);
}

static void
own_listener_class_init (OwnListenerClass *klass)
{
  GsockSocketListenerClass *listener_class = GSOCK_SOCKET_LISTENER_CLASS (klass);

  /* The parent does nothing, as GIO's. */
  g_assert_null (listener_class->event);
  g_assert_null (listener_class->changed);
  listener_class->event = own_listener_event;
  listener_class->changed = own_listener_changed;
  G_OBJECT_CLASS (klass)->finalize = own_listener_finalize;
}

static void
own_listener_init (OwnListener *listener)
{
  listener->calls = g_string_new (NULL);
}

static void
connected_event (GsockSocketListener  *listener,
                 GSocketListenerEvent  event,
                 GSocket              *socket,
                 gpointer              user_data)
{
  g_assert_true (OWN_IS_LISTENER (listener));
  g_assert_true (G_IS_SOCKET (socket));
  /* Before the class's own. */
  g_string_append_c (OWN_LISTENER (listener)->calls, 'a' + event);
  ++*(int *) user_data;
}

static void
test_derived (void)
{
  GError *error = NULL;
  GSocketAddress *any = any_port (), *address;
  GSocket *more = tcp_listener (&address);
  OwnListener *own = g_object_new (OWN_TYPE_LISTENER, "listen-backlog", 3, NULL);
  GsockSocketListener *listener = GSOCK_SOCKET_LISTENER (own);
  int events = 0;

  g_signal_connect (own, "event", G_CALLBACK (connected_event), &events);
  g_assert_true (gsock_socket_listener_add_address (listener, any, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL,
                                                    NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (own->calls->str, ==, "a0b1c2d3c");
  g_assert_cmpint (events, ==, 4);
  g_assert_true (gsock_socket_listener_add_socket (listener, more, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (own->calls->str, ==, "a0b1c2d3cc");
  drop_last (own);
  g_object_unref (more);
  g_object_unref (address);
  g_object_unref (any);
}

static void
test_sizes (void)
{
  GTypeQuery query;

  g_type_class_unref (g_type_class_ref (LISTENER));
  g_type_query (LISTENER, &query);
  g_assert_cmpuint (query.class_size, ==, sizeof (GsockSocketListenerClass));
  g_assert_cmpuint (query.instance_size, ==, sizeof (GsockSocketListener));
  /* These never change. */
  g_assert_cmpuint (sizeof (GsockSocketListener), ==, sizeof (GObject));
  g_assert_cmpuint (sizeof (GsockSocketListenerClass), ==, sizeof (GObjectClass) + 12 * sizeof (gpointer));
}

int
main (int    argc,
      char **argv)
{
  leave_socket_for ("door");
  begin (&argc, &argv);
  g_test_add_func ("/listener-functions/backlog", test_backlog);
  g_test_add_func ("/listener-functions/accept", test_accept);
  g_test_add_func ("/listener-functions/source-object-of-a-result", test_source_object_of_a_result);
  g_test_add_func ("/listener-functions/several", test_several);
  g_test_add_func ("/listener-functions/addresses", test_addresses);
  g_test_add_func ("/listener-functions/ports", test_ports);
  g_test_add_func ("/listener-functions/port-in-range", test_port_in_range);
  g_test_add_func ("/listener-functions/failures", test_failures);
  g_test_add_func ("/listener-functions/threads", test_threads);
  g_test_add_func ("/listener-functions/unix-path", test_unix_path);
  g_test_add_func ("/listener-functions/unix-abstract", test_unix_abstract);
  g_test_add_func ("/listener-functions/systemd-sockets", test_systemd_sockets);
  g_test_add_func ("/listener-functions/limits", test_limits);
  g_test_add_func ("/listener-functions/flags", test_flags);
  g_test_add_func ("/listener-functions/derived", test_derived);
  g_test_add_func ("/listener-functions/sizes", test_sizes);
  return g_test_run ();
}
