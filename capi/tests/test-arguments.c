/* Wrong arguments: one critical message that names the function and the argument, and GIO's fallback. */

#include "arguments.h"

static GSocket *wrong;
static GsockSocketConnection *right;
static GSocketAddress *address;

/* Without an instance, and with one of another type. */
#define REFUSED_INSTANCE(function, type, comparison, ...) \
  G_STMT_START { \
    GError *error = NULL, **out = &error; \
    (void) out; \
    REFUSED (function, "connection", function (NULL __VA_ARGS__), comparison); \
    REFUSED (function, "connection", function ((type *) (gpointer) wrong __VA_ARGS__), comparison); \
    g_assert_no_error (error); \
  } G_STMT_END

static void
test_socket_connection (void)
{
  typedef GsockSocketConnection C;

  REFUSED_INSTANCE (gsock_socket_connection_is_connected, C, == FALSE);
  REFUSED_INSTANCE (gsock_socket_connection_connect, C, == FALSE, , address, NULL, out);
  REFUSED_INSTANCE (gsock_socket_connection_connect_finish, C, == FALSE, , NULL, out);
  REFUSED_INSTANCE (gsock_socket_connection_receive_finish, C, == -1, , NULL, out);
  REFUSED_INSTANCE (gsock_socket_connection_send_finish, C, == -1, , NULL, out);
  REFUSED_INSTANCE (gsock_socket_connection_get_socket, C, == NULL);
  REFUSED_INSTANCE (gsock_socket_connection_set_socket, C, == FALSE, , wrong, out);
  REFUSED_INSTANCE (gsock_socket_connection_get_local_address, C, == NULL, , out);
  REFUSED_INSTANCE (gsock_socket_connection_get_remote_address, C, == NULL, , out);
  REFUSED_INSTANCE (gsock_socket_connection_get_state, C, == GSOCK_CONNECTION_STATE_UNCONNECTED);
  REFUSED_INSTANCE (gsock_socket_connection_is_alive, C, == FALSE);
  REFUSED_INSTANCE (gsock_socket_connection_get_last_error, C, == NULL);
  REFUSED_INSTANCE (gsock_socket_connection_get_bytes_read, C, == 0);
  REFUSED_INSTANCE (gsock_socket_connection_get_bytes_written, C, == 0);
  REFUSED_VOID (gsock_socket_connection_set_home, "connection", gsock_socket_connection_set_home (NULL, NULL));
}

static void
test_connect (void)
{
  GError *error = NULL;

  REFUSED (gsock_socket_connection_connect, "address",
           gsock_socket_connection_connect (right, NULL, NULL, &error), == FALSE);
  REFUSED (gsock_socket_connection_connect, "address",
           gsock_socket_connection_connect (right, (GSocketAddress *) (gpointer) wrong, NULL, &error), == FALSE);
  REFUSED (gsock_socket_connection_connect, "cancellable",
           gsock_socket_connection_connect (right, address, (GCancellable *) (gpointer) wrong, &error), == FALSE);
  g_assert_no_error (error);
  REFUSED_VOID (gsock_socket_connection_connect_async, "connection",
                gsock_socket_connection_connect_async (NULL, address, NULL, never_called, NULL));
  REFUSED_VOID (gsock_socket_connection_connect_async, "address",
                gsock_socket_connection_connect_async (right, NULL, NULL, never_called, NULL));
  REFUSED_VOID (gsock_socket_connection_connect_async, "cancellable",
                gsock_socket_connection_connect_async (right, address, (GCancellable *) (gpointer) wrong,
                                                       never_called, NULL));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (gsock_socket_connection_get_state (right), ==, GSOCK_CONNECTION_STATE_UNCONNECTED);
}

/* Refused, so that nothing is called back. */
static void
test_receive_and_send (void)
{
  typedef GsockSocketConnection C;
  char buffer[4] = "";
  gpointer not_one = wrong;

#define REFUSED_BOTH(argument, ...) \
  REFUSED_VOID (gsock_socket_connection_receive_async, argument, gsock_socket_connection_receive_async (__VA_ARGS__)); \
  REFUSED_VOID (gsock_socket_connection_send_async, argument, gsock_socket_connection_send_async (__VA_ARGS__))

  REFUSED_BOTH ("connection", NULL, buffer, 4, G_PRIORITY_DEFAULT, NULL, never_called, NULL);
  REFUSED_BOTH ("connection", (C *) not_one, buffer, 4, G_PRIORITY_DEFAULT, NULL, never_called, NULL);
  REFUSED_BOTH ("buffer", right, NULL, 4, G_PRIORITY_DEFAULT, NULL, never_called, NULL);
  REFUSED_BOTH ("buffer", right, NULL, G_MAXSIZE, G_PRIORITY_DEFAULT, NULL, never_called, NULL);
  REFUSED_BOTH ("cancellable", right, buffer, 4, G_PRIORITY_DEFAULT, (GCancellable *) not_one, never_called, NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

/* Likewise. */
static void
test_relay (void)
{
  typedef GsockSocketConnection C;
  gpointer not_one = wrong;
  guint64 a_to_b = 7, b_to_a = 7;
  GError *error = NULL;

  REFUSED_VOID (gsock_socket_connection_relay_async, "a",
                gsock_socket_connection_relay_async (NULL, right, NULL, never_called, NULL));
  REFUSED_VOID (gsock_socket_connection_relay_async, "a",
                gsock_socket_connection_relay_async ((C *) not_one, right, NULL, never_called, NULL));
  REFUSED_VOID (gsock_socket_connection_relay_async, "b",
                gsock_socket_connection_relay_async (right, NULL, NULL, never_called, NULL));
  REFUSED_VOID (gsock_socket_connection_relay_async, "b",
                gsock_socket_connection_relay_async (right, (C *) not_one, NULL, never_called, NULL));
  REFUSED_VOID (gsock_socket_connection_relay_async, "cancellable",
                gsock_socket_connection_relay_async (right, right, (GCancellable *) not_one, never_called, NULL));
  REFUSED (gsock_socket_connection_relay_finish, "a",
           gsock_socket_connection_relay_finish (NULL, NULL, &a_to_b, &b_to_a, &error), == FALSE);
  REFUSED (gsock_socket_connection_relay_finish, "a",
           gsock_socket_connection_relay_finish ((C *) not_one, NULL, &a_to_b, &b_to_a, &error), == FALSE);
  g_assert_no_error (error);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
test_sockets (void)
{
  GError *error = NULL;

  REFUSED (gsock_socket_connection_set_socket, "socket",
           gsock_socket_connection_set_socket (right, NULL, &error), == FALSE);
  REFUSED (gsock_socket_connection_set_socket, "socket",
           gsock_socket_connection_set_socket (right, (GSocket *) (gpointer) right, &error), == FALSE);
  REFUSED (gsock_socket_connection_factory_create_connection, "socket",
           gsock_socket_connection_factory_create_connection (NULL), == NULL);
  REFUSED (gsock_socket_connection_factory_create_connection, "socket",
           gsock_socket_connection_factory_create_connection ((GSocket *) (gpointer) right), == NULL);
  REFUSED (gsock_socket_connection_factory_create_connection_from_fd, "fd",
           gsock_socket_connection_factory_create_connection_from_fd (-1, &error), == NULL);
  /* Not open: a number that no process has. */
  REFUSED (gsock_socket_connection_factory_create_connection_from_fd, "fd",
           gsock_socket_connection_factory_create_connection_from_fd (G_MAXINT, &error), == NULL);
  g_assert_no_error (error);
}

static void
test_register_type (void)
{
  const GType types[] = { G_TYPE_SOCKET_CONNECTION, G_TYPE_OBJECT, G_TYPE_INT };
  /* The second could be a type, and is none.  */
  const GType numbers[] = { G_TYPE_INVALID, G_TYPE_MAKE_FUNDAMENTAL (60) };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      EXPECT_CRITICAL ("*does not derive from GsockSocketConnection*");
      gsock_socket_connection_factory_register_type (types[i], G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 0);
      MET ();
    }
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      EXPECT_CRITICAL ("*a GType*");
      gsock_socket_connection_factory_register_type (numbers[i], G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 0);
      MET ();
    }
  g_assert_true (gsock_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 0) ==
                 GSOCK_TYPE_TCP_CONNECTION);
}

static void
test_tcp_connection (void)
{
  typedef GsockTcpConnection C;
  GError *error = NULL;
  GSocket *socket = tcp_socket ();
  GsockSocketConnection *plain = g_object_new (GSOCK_TYPE_SOCKET_CONNECTION, "socket", socket, NULL);

  REFUSED_VOID (gsock_tcp_connection_set_graceful_disconnect, "connection",
                gsock_tcp_connection_set_graceful_disconnect (NULL, TRUE));
  REFUSED_INSTANCE (gsock_tcp_connection_get_graceful_disconnect, C, == FALSE);
  REFUSED_INSTANCE (gsock_tcp_connection_set_no_delay, C, == FALSE, , TRUE, out);
  REFUSED_INSTANCE (gsock_tcp_connection_get_no_delay, C, == FALSE, , NULL, out);
  REFUSED_INSTANCE (gsock_tcp_connection_set_keepalive_params, C, == FALSE, , 1, 1, 1, out);
  REFUSED_INSTANCE (gsock_tcp_connection_get_keepalive_params, C, == FALSE, , NULL, NULL, NULL, NULL, out);
  REFUSED_INSTANCE (gsock_tcp_connection_set_user_timeout, C, == FALSE, , 1, out);
  REFUSED_INSTANCE (gsock_tcp_connection_get_user_timeout, C, == FALSE, , NULL, out);
  REFUSED_INSTANCE (gsock_tcp_connection_set_linger_zero, C, == FALSE, , TRUE, out);
  REFUSED_INSTANCE (gsock_tcp_connection_get_linger_zero, C, == FALSE, , NULL, out);
  REFUSED_INSTANCE (gsock_tcp_connection_set_liveness, C, == FALSE, , GSOCK_LIVENESS_OFF, out);

  /* The base class is not enough. */
  REFUSED (gsock_tcp_connection_get_graceful_disconnect, "connection",
           gsock_tcp_connection_get_graceful_disconnect ((C *) (gpointer) plain), == FALSE);
  REFUSED (gsock_tcp_connection_set_liveness, "liveness",
           gsock_tcp_connection_set_liveness (GSOCK_TCP_CONNECTION (right), (GsockLiveness) 77, &error), == FALSE);
  g_assert_no_error (error);
  drop_last (plain);
  g_object_unref (socket);
}

/* A socket that the class cannot carry: as GObject tells its own refusals, by a message. */
static void
test_engine (void)
{
  GError *error = NULL;

  /* No context is the default one, as everywhere in GLib. */
  g_assert_true (gsock_engine_use_poll_function (NULL, TRUE, &error));
  g_assert_no_error (error);
  g_assert_true (g_main_context_get_poll_func (NULL) != g_poll);
  g_assert_true (gsock_engine_use_poll_function (NULL, FALSE, &error));
  g_assert_no_error (error);
  g_assert_true (g_main_context_get_poll_func (NULL) == g_poll);
}

static void
test_wrong_kind (void)
{
  GError *error = NULL;
  GSocket *datagrams = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_DEFAULT, &error);
  GSocket *before = gsock_socket_connection_get_socket (right);

  g_assert_no_error (error);
  g_assert_false (gsock_socket_connection_set_socket (right, datagrams, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  EXPECT_CRITICAL ("*the socket was refused*");
  g_object_set (right, "socket", datagrams, NULL);
  MET ();
  g_assert_true (gsock_socket_connection_get_socket (right) == before);
  g_object_unref (datagrams);
}

static void
test_tcp_wrapper_connection (void)
{
  typedef GsockTcpWrapperConnection C;
  GIOStream *base = G_IO_STREAM (right);
  GSocket *packets = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  GSocket *local = g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);

  REFUSED (gsock_tcp_wrapper_connection_new, "base_io_stream", gsock_tcp_wrapper_connection_new (NULL, wrong), == NULL);
  REFUSED (gsock_tcp_wrapper_connection_new, "base_io_stream",
           gsock_tcp_wrapper_connection_new ((GIOStream *) (gpointer) wrong, wrong), == NULL);
  REFUSED (gsock_tcp_wrapper_connection_new, "socket", gsock_tcp_wrapper_connection_new (base, NULL), == NULL);
  REFUSED (gsock_tcp_wrapper_connection_new, "socket",
           gsock_tcp_wrapper_connection_new (base, (GSocket *) (gpointer) right), == NULL);
  /* WRAP-3. */
  REFUSED (gsock_tcp_wrapper_connection_new, "socket", gsock_tcp_wrapper_connection_new (base, packets), == NULL);
  REFUSED (gsock_tcp_wrapper_connection_new, "socket", gsock_tcp_wrapper_connection_new (base, local), == NULL);
  REFUSED (gsock_tcp_wrapper_connection_get_base_io_stream, "conn",
           gsock_tcp_wrapper_connection_get_base_io_stream (NULL), == NULL);
  REFUSED (gsock_tcp_wrapper_connection_get_base_io_stream, "conn",
           gsock_tcp_wrapper_connection_get_base_io_stream ((C *) (gpointer) right), == NULL);
  g_assert_false (g_io_stream_is_closed (base));
  g_object_unref (packets);
  g_object_unref (local);
}

int
main (int    argc,
      char **argv)
{
  int code;

  begin (&argc, &argv);
  wrong = tcp_socket ();
  right = gsock_socket_connection_factory_create_connection (wrong);
  address = deserted_address ();
  g_test_add_func ("/arguments/socket-connection", test_socket_connection);
  g_test_add_func ("/arguments/connect", test_connect);
  g_test_add_func ("/arguments/receive_and_send", test_receive_and_send);
  g_test_add_func ("/arguments/relay", test_relay);
  g_test_add_func ("/arguments/sockets", test_sockets);
  g_test_add_func ("/arguments/register_type", test_register_type);
  g_test_add_func ("/arguments/tcp-connection", test_tcp_connection);
  g_test_add_func ("/arguments/tcp-wrapper-connection", test_tcp_wrapper_connection);
  g_test_add_func ("/arguments/engine", test_engine);
  g_test_add_func ("/arguments/wrong-kind", test_wrong_kind);
  code = g_test_run ();
  g_object_unref (right);
  g_object_unref (wrong);
  g_object_unref (address);
  return code;
}
