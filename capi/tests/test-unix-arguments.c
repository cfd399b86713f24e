/* Wrong arguments to the functions of the Unix connection: one critical message that names the function and the
 * argument, and GIO's fallback. */

#include "arguments.h"

static GSocket *wrong;
static GsockSocketConnection *plain;
static GsockUnixConnection *right;

/* Without an instance, and with one of another type. */
#define REFUSED_INSTANCE(function, type, comparison, ...) \
  G_STMT_START { \
    GError *error = NULL, **out = &error; \
    (void) out; \
    REFUSED (function, "connection", function (NULL __VA_ARGS__), comparison); \
    REFUSED (function, "connection", function ((type *) (gpointer) wrong __VA_ARGS__), comparison); \
    g_assert_no_error (error); \
  } G_STMT_END

/* A start that returns nothing. */
#define REFUSED_START(function, ...) \
  G_STMT_START { \
    typedef GsockUnixConnection C; \
    REFUSED_VOID (function, "connection", function (NULL __VA_ARGS__, NULL, never_called, NULL)); \
    REFUSED_VOID (function, "connection", function ((C *) (gpointer) wrong __VA_ARGS__, NULL, never_called, NULL)); \
    REFUSED_VOID (function, "connection", function ((C *) (gpointer) plain __VA_ARGS__, NULL, never_called, NULL)); \
    REFUSED_VOID (function, "cancellable", \
                  function (right __VA_ARGS__, (GCancellable *) (gpointer) wrong, never_called, NULL)); \
  } G_STMT_END

static void
test_instances (void)
{
  typedef GsockUnixConnection C;
  int fd = 0;

  REFUSED_INSTANCE (gsock_unix_connection_send_fd, C, == FALSE, , 0, NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_send_fd_finish, C, == FALSE, , NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_receive_fd, C, == -1, , NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_receive_fd_finish, C, == -1, , NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_send_fds, C, == FALSE, , &fd, 1, NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_send_fds_finish, C, == FALSE, , NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_receive_fds, C, == NULL, , 1, NULL, NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_receive_fds_finish, C, == NULL, , NULL, NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_send_credentials, C, == FALSE, , NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_send_credentials_finish, C, == FALSE, , NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_receive_credentials, C, == NULL, , NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_receive_credentials_finish, C, == NULL, , NULL, out);
  REFUSED_INSTANCE (gsock_unix_connection_get_peer_credentials, C, == NULL, , out);
  REFUSED_INSTANCE (gsock_unix_connection_get_peer_pidfd, C, == -1, , out);
  /* The base class is not enough. */
  REFUSED (gsock_unix_connection_receive_fd, "connection",
           gsock_unix_connection_receive_fd ((C *) (gpointer) plain, NULL, NULL), == -1);
}

/* GIO crashes where there is no instance: F-29. */
static void
test_starts (void)
{
  int fd = 0;

  REFUSED_START (gsock_unix_connection_send_fd_async, , 0);
  REFUSED_START (gsock_unix_connection_receive_fd_async);
  REFUSED_START (gsock_unix_connection_send_fds_async, , &fd, 1);
  REFUSED_START (gsock_unix_connection_receive_fds_async, , 1);
  REFUSED_START (gsock_unix_connection_send_credentials_async);
  REFUSED_START (gsock_unix_connection_receive_credentials_async);
}

static void
test_descriptors (void)
{
  GError *error = NULL;
  int numbers[] = { 0, -1 };

  REFUSED (gsock_unix_connection_send_fd, "fd", gsock_unix_connection_send_fd (right, -1, NULL, &error), == FALSE);
  REFUSED_VOID (gsock_unix_connection_send_fd_async, "fd",
                gsock_unix_connection_send_fd_async (right, -1, NULL, never_called, NULL));
  REFUSED (gsock_unix_connection_send_fds, "fds",
           gsock_unix_connection_send_fds (right, NULL, 1, NULL, &error), == FALSE);
  REFUSED (gsock_unix_connection_send_fds, "fds",
           gsock_unix_connection_send_fds (right, numbers, 2, NULL, &error), == FALSE);
  REFUSED_VOID (gsock_unix_connection_send_fds_async, "fds",
                gsock_unix_connection_send_fds_async (right, numbers, 2, NULL, never_called, NULL));
  REFUSED (gsock_unix_connection_send_fd, "cancellable",
           gsock_unix_connection_send_fd (right, 0, (GCancellable *) (gpointer) wrong, &error), == FALSE);
  g_assert_no_error (error);
}

int
main (int    argc,
      char **argv)
{
  int code;
  GSocket *socket;

  begin (&argc, &argv);
  wrong = tcp_socket ();
  socket = g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  plain = g_object_new (GSOCK_TYPE_SOCKET_CONNECTION, "socket", socket, NULL);
  right = GSOCK_UNIX_CONNECTION (gsock_socket_connection_factory_create_connection (socket));
  g_test_add_func ("/unix-arguments/instances", test_instances);
  g_test_add_func ("/unix-arguments/starts", test_starts);
  g_test_add_func ("/unix-arguments/descriptors", test_descriptors);
  code = g_test_run ();
  g_object_unref (right);
  g_object_unref (plain);
  g_object_unref (socket);
  g_object_unref (wrong);
  return code;
}
