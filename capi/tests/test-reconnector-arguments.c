/* Wrong arguments to the functions of the reconnector: one critical message that names the function and the argument, and
 * the fallback. */

#include "arguments.h"

static GSocket *wrong;
static GsockReconnector *right;

/* Without an instance, and with one of another type. */
#define REFUSED_RECONNECTOR(function, comparison, ...) \
  G_STMT_START { \
    REFUSED (function, "reconnector", function (NULL __VA_ARGS__), comparison); \
    REFUSED (function, "reconnector", function ((GsockReconnector *) (gpointer) wrong __VA_ARGS__), comparison); \
  } G_STMT_END

#define REFUSED_RECONNECTOR_VOID(function, ...) \
  G_STMT_START { \
    REFUSED_VOID (function, "reconnector", function (NULL __VA_ARGS__)); \
    REFUSED_VOID (function, "reconnector", function ((GsockReconnector *) (gpointer) wrong __VA_ARGS__)); \
  } G_STMT_END

static void
test_new (void)
{
  GsockSocketClient *client = gsock_socket_client_new ();
  GSocketAddress *address = deserted_address ();

  REFUSED (gsock_reconnector_new, "client", gsock_reconnector_new (NULL, G_SOCKET_CONNECTABLE (address)), == NULL);
  REFUSED (gsock_reconnector_new, "client",
           gsock_reconnector_new ((GsockSocketClient *) (gpointer) wrong, G_SOCKET_CONNECTABLE (address)), == NULL);
  REFUSED (gsock_reconnector_new, "connectable", gsock_reconnector_new (client, NULL), == NULL);
  REFUSED (gsock_reconnector_new, "connectable",
           gsock_reconnector_new (client, (GSocketConnectable *) (gpointer) wrong), == NULL);
  g_object_unref (address);
  g_object_unref (client);
}

static void
test_calls (void)
{
  GError *error = NULL;
  GCancellable *no_cancellable = (GCancellable *) (gpointer) wrong;

  REFUSED_RECONNECTOR_VOID (gsock_reconnector_start);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_stop);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_retry_now);
  REFUSED_RECONNECTOR (gsock_reconnector_wait_connected, == NULL, , NULL, &error);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_wait_connected_async, , NULL, never_called, NULL);
  REFUSED_RECONNECTOR (gsock_reconnector_wait_connected_finish, == NULL, , NULL, &error);
  REFUSED (gsock_reconnector_wait_connected, "cancellable",
           gsock_reconnector_wait_connected (right, no_cancellable, &error), == NULL);
  REFUSED_VOID (gsock_reconnector_wait_connected_async, "cancellable",
                gsock_reconnector_wait_connected_async (right, no_cancellable, never_called, NULL));
  /* That was no start. */
  g_assert_cmpint (gsock_reconnector_get_state (right), ==, GSOCK_RECONNECTOR_STATE_STOPPED);
  g_assert_no_error (error);
  /* No result is an error as any other. */
  g_assert_null (gsock_reconnector_wait_connected_finish (right, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
}

static void
test_properties (void)
{
  REFUSED_RECONNECTOR (gsock_reconnector_get_client, == NULL);
  REFUSED_RECONNECTOR (gsock_reconnector_get_connectable, == NULL);
  REFUSED_RECONNECTOR (gsock_reconnector_get_network_monitor, == NULL);
  REFUSED_RECONNECTOR (gsock_reconnector_get_initial_delay_ms, == 0);
  REFUSED_RECONNECTOR (gsock_reconnector_get_max_delay_ms, == 0);
  REFUSED_RECONNECTOR (gsock_reconnector_get_stable_after_ms, == 0);
  REFUSED_RECONNECTOR (gsock_reconnector_get_debounce_ms, == 0);
  REFUSED_RECONNECTOR (gsock_reconnector_get_jitter, == 0.0);
  REFUSED_RECONNECTOR (gsock_reconnector_get_max_attempts, == 0);
  REFUSED_RECONNECTOR (gsock_reconnector_get_reconnect, == FALSE);
  REFUSED_RECONNECTOR (gsock_reconnector_get_state, == GSOCK_RECONNECTOR_STATE_STOPPED);
  REFUSED_RECONNECTOR (gsock_reconnector_get_connection, == NULL);
  REFUSED_RECONNECTOR (gsock_reconnector_get_io_stream, == NULL);
  REFUSED_RECONNECTOR (gsock_reconnector_get_attempt, == 0);
  REFUSED_RECONNECTOR (gsock_reconnector_get_next_attempt_in_ms, == 0);
  REFUSED_RECONNECTOR (gsock_reconnector_get_last_error, == NULL);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_set_network_monitor, , NULL);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_set_initial_delay_ms, , 7);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_set_max_delay_ms, , 7);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_set_stable_after_ms, , 7);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_set_debounce_ms, , 7);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_set_jitter, , 1.0);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_set_max_attempts, , 7);
  REFUSED_RECONNECTOR_VOID (gsock_reconnector_set_reconnect, , FALSE);
  REFUSED_VOID (gsock_reconnector_set_network_monitor, "value",
                gsock_reconnector_set_network_monitor (right, (GNetworkMonitor *) (gpointer) wrong));
  /* What is out of range is brought into it. */
  gsock_reconnector_set_jitter (right, -1.0);
  g_assert_cmpfloat (gsock_reconnector_get_jitter (right), ==, 0.0);
  gsock_reconnector_set_initial_delay_ms (right, 0);
  g_assert_cmpuint (gsock_reconnector_get_initial_delay_ms (right), ==, 1);
  gsock_reconnector_set_max_delay_ms (right, 0);
  g_assert_cmpuint (gsock_reconnector_get_max_delay_ms (right), ==, 1);
}

/* Built by its type, without what it needs. */
static void
test_without (void)
{
  GsockReconnector *reconnector;
  GError *error = NULL;

  EXPECT_CRITICAL ("*without a client or a connectable*");
  reconnector = g_object_new (GSOCK_TYPE_RECONNECTOR, NULL);
  MET ();
  gsock_reconnector_set_max_attempts (reconnector, 1);
  g_assert_null (gsock_reconnector_wait_connected (reconnector, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  drop_last (reconnector);
}

int
main (int    argc,
      char **argv)
{
  int code;
  GsockSocketClient *client;
  GSocketAddress *address;

  begin (&argc, &argv);
  wrong = tcp_socket ();
  client = gsock_socket_client_new ();
  address = deserted_address ();
  right = gsock_reconnector_new (client, G_SOCKET_CONNECTABLE (address));
  g_test_add_func ("/reconnector-arguments/new", test_new);
  g_test_add_func ("/reconnector-arguments/calls", test_calls);
  g_test_add_func ("/reconnector-arguments/properties", test_properties);
  g_test_add_func ("/reconnector-arguments/without", test_without);
  code = g_test_run ();
  g_object_unref (right);
  g_object_unref (address);
  g_object_unref (client);
  g_object_unref (wrong);
  return code;
}
