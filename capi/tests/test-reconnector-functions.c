/* Every function of the reconnector, called once and more as a C program calls it. */

#include "tools.h"

/* One that tries again soon. */
static GsockReconnector *
reconnector_to (GSocketAddress *address)
{
  GsockSocketClient *client = gsock_socket_client_new ();
  GsockReconnector *reconnector = gsock_reconnector_new (client, G_SOCKET_CONNECTABLE (address));

  g_assert_true (GSOCK_IS_RECONNECTOR (reconnector));
  g_assert_true (gsock_reconnector_get_client (reconnector) == client);
  g_assert_true (gsock_reconnector_get_connectable (reconnector) == G_SOCKET_CONNECTABLE (address));
  /* Proxies are for other tests. */
  gsock_socket_client_set_enable_proxy (client, FALSE);
  gsock_reconnector_set_initial_delay_ms (reconnector, 5);
  gsock_reconnector_set_max_delay_ms (reconnector, 20);
  g_object_unref (client);
  return reconnector;
}

static GSocket *
accepted (GSocket *listener)
{
  GError *error = NULL;
  GSocket *peer = g_socket_accept (listener, NULL, &error);

  g_assert_no_error (error);
  return peer;
}

static void
test_settings (void)
{
  GSocketAddress *address = deserted_address ();
  GsockReconnector *reconnector = reconnector_to (address);
  GNetworkMonitor *monitor;
  double jitter = 0;

  g_assert_cmpuint (gsock_reconnector_get_initial_delay_ms (reconnector), ==, 5);
  g_assert_cmpuint (gsock_reconnector_get_max_delay_ms (reconnector), ==, 20);
  g_assert_cmpuint (gsock_reconnector_get_stable_after_ms (reconnector), ==, 10000);
  g_assert_cmpuint (gsock_reconnector_get_debounce_ms (reconnector), ==, 1000);
  g_assert_cmpfloat (gsock_reconnector_get_jitter (reconnector), ==, 0.5);
  g_assert_cmpuint (gsock_reconnector_get_max_attempts (reconnector), ==, 0);
  g_assert_true (gsock_reconnector_get_reconnect (reconnector));
  gsock_reconnector_set_stable_after_ms (reconnector, 7);
  gsock_reconnector_set_debounce_ms (reconnector, 0);
  gsock_reconnector_set_jitter (reconnector, 2.0);
  gsock_reconnector_set_max_attempts (reconnector, 9);
  gsock_reconnector_set_reconnect (reconnector, FALSE);
  g_assert_cmpuint (gsock_reconnector_get_stable_after_ms (reconnector), ==, 7);
  g_assert_cmpuint (gsock_reconnector_get_debounce_ms (reconnector), ==, 0);
  g_assert_cmpfloat (gsock_reconnector_get_jitter (reconnector), ==, 1.0);
  g_assert_cmpuint (gsock_reconnector_get_max_attempts (reconnector), ==, 9);
  g_assert_false (gsock_reconnector_get_reconnect (reconnector));
  g_object_set (reconnector, "jitter", 0.25, NULL);
  g_object_get (reconnector, "jitter", &jitter, NULL);
  g_assert_cmpfloat (jitter, ==, 0.25);

  monitor = gsock_reconnector_get_network_monitor (reconnector);
  g_assert_true (monitor == g_network_monitor_get_default ());
  gsock_reconnector_set_network_monitor (reconnector, NULL);
  g_assert_null (gsock_reconnector_get_network_monitor (reconnector));
  gsock_reconnector_set_network_monitor (reconnector, monitor);
  g_object_unref (monitor);
  monitor = gsock_reconnector_get_network_monitor (reconnector);
  g_assert_true (monitor == g_network_monitor_get_default ());
  g_object_unref (monitor);

  g_assert_cmpint (gsock_reconnector_get_state (reconnector), ==, GSOCK_RECONNECTOR_STATE_STOPPED);
  g_assert_null (gsock_reconnector_get_connection (reconnector));
  g_assert_null (gsock_reconnector_get_io_stream (reconnector));
  g_assert_null (gsock_reconnector_get_last_error (reconnector));
  g_assert_cmpuint (gsock_reconnector_get_attempt (reconnector), ==, 0);
  g_assert_cmpuint (gsock_reconnector_get_next_attempt_in_ms (reconnector), ==, 0);
  drop_last (reconnector);
  g_object_unref (address);
}

static void
note_attempt (GsockReconnector *reconnector,
              guint             number,
              GString          *told)
{
  g_assert_cmpuint (gsock_reconnector_get_attempt (reconnector), ==, number);
  g_string_append_printf (told, "a%u ", number);
}

static void
note_failure (GsockReconnector *reconnector,
              guint             number,
              const GError     *error,
              guint             delay,
              GString          *told)
{
  GError *last = gsock_reconnector_get_last_error (reconnector);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_assert_error (last, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_assert_cmpuint (gsock_reconnector_get_next_attempt_in_ms (reconnector), <=, delay);
  g_error_free (last);
  g_string_append_printf (told, "f%u ", number);
}

static void
note_connected (GsockReconnector *reconnector,
                GIOStream        *stream,
                GString          *told)
{
  GIOStream *now = gsock_reconnector_get_io_stream (reconnector);

  g_assert_true (now == stream);
  g_object_unref (now);
  g_string_append (told, "c ");
}

static void
note_disconnected (GsockReconnector *reconnector,
                   const GError     *error,
                   GString          *told)
{
  (void) reconnector;
  (void) error;
  g_string_append (told, "d ");
}

static void
note_given_up (GsockReconnector *reconnector,
               const GError     *error,
               GString          *told)
{
  g_assert_cmpint (gsock_reconnector_get_state (reconnector), ==, GSOCK_RECONNECTOR_STATE_GIVEN_UP);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_string_append (told, "g ");
}

static GString *
told_by (GsockReconnector *reconnector)
{
  GString *told = g_string_new (NULL);

  g_signal_connect (reconnector, "attempt", G_CALLBACK (note_attempt), told);
  g_signal_connect (reconnector, "attempt-failed", G_CALLBACK (note_failure), told);
  g_signal_connect (reconnector, "connected", G_CALLBACK (note_connected), told);
  g_signal_connect (reconnector, "disconnected", G_CALLBACK (note_disconnected), told);
  g_signal_connect (reconnector, "given-up", G_CALLBACK (note_given_up), told);
  return told;
}

static void
assert_told (GString    *told,
             const char *expected)
{
  g_assert_cmpstr (told->str, ==, expected);
  g_string_truncate (told, 0);
}

static int
losses_in (GString *told)
{
  int losses = 0;

  for (const char *at = told->str; *at != '\0'; at++)
    losses += *at == 'd';
  return losses;
}

/* The peer goes and comes, and the object stays. */
static void
test_again (void)
{
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address), *peer;
  GsockReconnector *reconnector = reconnector_to (address);
  GString *told = told_by (reconnector);
  GsockSocketConnection *connection = NULL, *now;
  GError *error = NULL;

  gsock_reconnector_start (reconnector);
  for (int round = 0; round < 4; round++)
    {
      ITERATE_UNTIL (gsock_reconnector_get_state (reconnector) == GSOCK_RECONNECTOR_STATE_CONNECTED);
      peer = accepted (listener);
      now = gsock_reconnector_get_connection (reconnector);
      g_assert_true (GSOCK_IS_TCP_CONNECTION (now));
      g_assert_true (connection == NULL || connection == now);
      if (connection == NULL)
        connection = g_object_ref (now);
      send_all (peer, "hello");
      assert_reads (now, "hello");
      g_assert_cmpuint (gsock_socket_connection_get_bytes_read (now), ==, 5);
      write_text (now, "you");
      assert_receives (peer, "you");
      g_object_unref (now);
      if (round == 3)
        gsock_reconnector_retry_now (reconnector);
      g_socket_close (peer, &error);
      g_assert_no_error (error);
      g_object_unref (peer);
      /* The state may have passed when somebody looks. */
      ITERATE_UNTIL (losses_in (told) > round);
    }
  ITERATE_UNTIL (gsock_reconnector_get_state (reconnector) == GSOCK_RECONNECTOR_STATE_CONNECTED);
  assert_told (told, "a1 c d a2 c d a3 c d a4 c d a5 c ");
  gsock_reconnector_stop (reconnector);
  assert_told (told, "d ");
  g_assert_cmpint (gsock_reconnector_get_state (reconnector), ==, GSOCK_RECONNECTOR_STATE_STOPPED);
  g_assert_cmpint (gsock_socket_connection_get_state (connection), ==, GSOCK_CONNECTION_STATE_CLOSED);
  drop_last (reconnector);
  g_object_unref (connection);
  g_string_free (told, TRUE);
  g_object_unref (listener);
  g_object_unref (address);
}

static void
send_meanwhile (GsockReconnector *reconnector,
                const GError     *error,
                GsockFramed      *framed)
{
  GBytes *frame = g_bytes_new_static ("meanwhile", 9);
  GError *refused = NULL;

  (void) error;
  g_assert_cmpint (gsock_reconnector_get_state (reconnector), !=, GSOCK_RECONNECTOR_STATE_CONNECTED);
  g_assert_true (gsock_framed_send (framed, frame, &refused));
  g_assert_no_error (refused);
  g_bytes_unref (frame);
}

/* What is sent while there is no connection goes over the next one. */
static void
test_frames (void)
{
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address), *peer;
  GsockReconnector *reconnector = reconnector_to (address);
  GString *told = told_by (reconnector);
  GsockFramed *framed = gsock_framed_new (NULL, GSOCK_FRAMING_LINES);
  GError *error = NULL;

  gsock_framed_set_keep_queue (framed, TRUE);
  g_object_bind_property (reconnector, "io-stream", framed, "io-stream", G_BINDING_SYNC_CREATE);
  g_signal_connect (reconnector, "disconnected", G_CALLBACK (send_meanwhile), framed);
  gsock_reconnector_start (reconnector);
  for (int round = 0; round < 3; round++)
    {
      ITERATE_UNTIL (gsock_reconnector_get_state (reconnector) == GSOCK_RECONNECTOR_STATE_CONNECTED);
      peer = accepted (listener);
      if (round > 0)
        {
          ITERATE_UNTIL (gsock_framed_get_pending_frames (framed) == 0);
          assert_receives (peer, "meanwhile\n");
        }
      g_socket_close (peer, &error);
      g_assert_no_error (error);
      g_object_unref (peer);
      /* The state may have passed when somebody looks. */
      ITERATE_UNTIL (losses_in (told) > round);
    }
  gsock_reconnector_stop (reconnector);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  drop_last (framed);
  drop_last (reconnector);
  g_string_free (told, TRUE);
  g_object_unref (listener);
  g_object_unref (address);
}

static void
test_wait (void)
{
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address);
  GsockReconnector *reconnector = reconnector_to (address);
  GAsyncResult *result = NULL;
  GCancellable *cancellable = g_cancellable_new ();
  GError *error = NULL;
  GIOStream *blocking, *called_back;

  blocking = gsock_reconnector_wait_connected (reconnector, cancellable, &error);
  g_assert_no_error (error);
  g_assert_true (GSOCK_IS_SOCKET_CONNECTION (blocking));
  gsock_reconnector_stop (reconnector);

  gsock_reconnector_wait_connected_async (reconnector, cancellable, keep_result, &result);
  g_assert_null (result);
  ITERATE_UNTIL (result != NULL);
  called_back = gsock_reconnector_wait_connected_finish (reconnector, result, &error);
  g_assert_no_error (error);
  g_assert_true (called_back == blocking);
  /* Once. */
  g_assert_null (gsock_reconnector_wait_connected_finish (reconnector, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_clear_object (&result);
  g_object_unref (called_back);
  gsock_reconnector_stop (reconnector);

  g_cancellable_cancel (cancellable);
  g_assert_null (gsock_reconnector_wait_connected (reconnector, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  gsock_reconnector_wait_connected_async (reconnector, NULL, keep_result, &result);
  gsock_reconnector_stop (reconnector);
  ITERATE_UNTIL (result != NULL);
  g_assert_null (gsock_reconnector_wait_connected_finish (reconnector, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_clear_object (&result);
  /* Nobody wants to know. */
  gsock_reconnector_wait_connected_async (reconnector, NULL, NULL, NULL);
  gsock_reconnector_stop (reconnector);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_object_unref (blocking);
  drop_last (reconnector);
  g_object_unref (cancellable);
  g_object_unref (listener);
  g_object_unref (address);
}

static void
test_gives_up (void)
{
  GSocketAddress *address = deserted_address ();
  GsockReconnector *reconnector = reconnector_to (address);
  GString *told = told_by (reconnector);
  GError *error = NULL;

  gsock_reconnector_set_max_attempts (reconnector, 2);
  g_assert_null (gsock_reconnector_wait_connected (reconnector, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_clear_error (&error);
  assert_told (told, "a1 f1 a2 f2 g ");
  /* Without a place for the error. */
  g_assert_null (gsock_reconnector_wait_connected (reconnector, NULL, NULL));
  assert_told (told, "a1 f1 a2 f2 g ");
  drop_last (reconnector);
  g_string_free (told, TRUE);
  g_object_unref (address);
}

typedef struct
{
  GsockReconnector *reconnector;
  GIOStream *stream;
} Wait;

static gpointer
wait_on_thread (gpointer data)
{
  Wait *wait = data;
  GError *error = NULL;

  wait->stream = gsock_reconnector_wait_connected (wait->reconnector, NULL, &error);
  g_assert_no_error (error);
  return NULL;
}

/* The context of home is nobody's meanwhile. */
static void
test_other_thread (void)
{
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address);
  Wait wait = { reconnector_to (address), NULL };
  GThread *thread = g_thread_new ("waits", wait_on_thread, &wait);

  g_thread_join (thread);
  g_assert_cmpint (gsock_reconnector_get_state (wait.reconnector), ==, GSOCK_RECONNECTOR_STATE_CONNECTED);
  g_assert_nonnull (wait.stream);
  g_object_unref (wait.stream);
  gsock_reconnector_stop (wait.reconnector);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  drop_last (wait.reconnector);
  g_object_unref (listener);
  g_object_unref (address);
}

static void
test_state_type (void)
{
  GEnumClass *states = g_type_class_ref (GSOCK_TYPE_RECONNECTOR_STATE);

  g_assert_cmpuint (states->n_values, ==, 6);
  g_assert_cmpint (g_enum_get_value_by_nick (states, "stopped")->value, ==, GSOCK_RECONNECTOR_STATE_STOPPED);
  g_assert_cmpint (g_enum_get_value_by_nick (states, "waiting-for-network")->value, ==,
                   GSOCK_RECONNECTOR_STATE_WAITING_FOR_NETWORK);
  g_assert_cmpint (g_enum_get_value_by_nick (states, "delaying")->value, ==, GSOCK_RECONNECTOR_STATE_DELAYING);
  g_assert_cmpint (g_enum_get_value_by_nick (states, "connecting")->value, ==, GSOCK_RECONNECTOR_STATE_CONNECTING);
  g_assert_cmpint (g_enum_get_value_by_nick (states, "connected")->value, ==, GSOCK_RECONNECTOR_STATE_CONNECTED);
  g_assert_cmpint (g_enum_get_value_by_nick (states, "given-up")->value, ==, GSOCK_RECONNECTOR_STATE_GIVEN_UP);
  g_type_class_unref (states);
}

int
main (int    argc,
      char **argv)
{
  begin (&argc, &argv);
  g_test_add_func ("/reconnector/settings", test_settings);
  g_test_add_func ("/reconnector/again", test_again);
  g_test_add_func ("/reconnector/frames", test_frames);
  g_test_add_func ("/reconnector/wait", test_wait);
  g_test_add_func ("/reconnector/gives-up", test_gives_up);
  g_test_add_func ("/reconnector/other-thread", test_other_thread);
  g_test_add_func ("/reconnector/state-type", test_state_type);
  return g_test_run ();
}
