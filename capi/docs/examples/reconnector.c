/* What is of connecting again, in C, as the documentation shows it; see operations.c. */

#include "shown.h"

/* {gsock_reconnector_new gsock_reconnector_start GsockReconnector:client :connectable} */
static GsockReconnector *
stay_connected (GsockSocketClient *client, GSocketConnectable *connectable)
{
  GsockReconnector *reconnector = gsock_reconnector_new (client, connectable);

  g_assert (gsock_reconnector_get_client (reconnector) == client);
  g_assert (gsock_reconnector_get_connectable (reconnector) == connectable);
  /* Connects in the main loop, and again whenever the connection is lost. */
  gsock_reconnector_start (reconnector);
  return reconnector;
}
/* {} */

/* {gsock_reconnector_wait_connected} */
static GIOStream *
wait_now (GsockReconnector *reconnector, GError **error)
{
  /* Blocks; starts it if need be. */
  return gsock_reconnector_wait_connected (reconnector, NULL, error);
}
/* {} */

/* {gsock_reconnector_wait_connected_async gsock_reconnector_wait_connected_finish} */
static void
on_connected_at_last (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GIOStream **stream = user_data;
  g_autoptr (GError) error = NULL;

  *stream = gsock_reconnector_wait_connected_finish (GSOCK_RECONNECTOR (source), result, &error);
  if (*stream == NULL)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
wait_later (GsockReconnector *reconnector, GIOStream **stream)
{
  gsock_reconnector_wait_connected_async (reconnector, NULL, on_connected_at_last, stream);
}
/* {} */

/* {gsock_reconnector_retry_now} */
static void
on_button (GsockReconnector *reconnector)
{
  /* Whatever the delay. */
  gsock_reconnector_retry_now (reconnector);
}
/* {} */

/* {gsock_reconnector_stop} */
static void
leave (GsockReconnector *reconnector)
{
  /* Closes what is connected. */
  gsock_reconnector_stop (reconnector);
}
/* {} */

/* {GsockReconnector:connection :io-stream} */
static void
show_alive_in (GsockReconnector *reconnector, GObject *label)
{
  g_autoptr (GsockSocketConnection) connection = gsock_reconnector_get_connection (reconnector);
  g_autoptr (GIOStream) stream = gsock_reconnector_get_io_stream (reconnector);

  /* Without TLS it is one object, which lives through all sockets: so does the binding. */
  g_assert (stream == G_IO_STREAM (connection));
  g_object_bind_property (connection, "alive", label, "active", G_BINDING_SYNC_CREATE);
}
/* {} */

/* {GsockReconnector:state :attempt :next-attempt-in-ms :last-error} */
static char *
say_how_it_stands (GsockReconnector *reconnector)
{
  g_autoptr (GError) error = gsock_reconnector_get_last_error (reconnector);

  if (gsock_reconnector_get_state (reconnector) == GSOCK_RECONNECTOR_STATE_CONNECTED)
    return g_strdup ("connected");
  return g_strdup_printf ("attempt %u in %u ms: %s", gsock_reconnector_get_attempt (reconnector) + 1,
                          gsock_reconnector_get_next_attempt_in_ms (reconnector),
                          error != NULL ? error->message : "the peer has closed");
}
/* {} */

/* {GsockReconnector:initial-delay-ms :max-delay-ms :jitter :max-attempts :stable-after-ms :reconnect} */
static void
be_patient (GsockReconnector *reconnector)
{
  gsock_reconnector_set_initial_delay_ms (reconnector, 1000);
  gsock_reconnector_set_max_delay_ms (reconnector, 60000);
  gsock_reconnector_set_jitter (reconnector, 0.2);
  gsock_reconnector_set_max_attempts (reconnector, 20);
  gsock_reconnector_set_stable_after_ms (reconnector, 5000);
  gsock_reconnector_set_reconnect (reconnector, TRUE);
  g_print ("from %u to %u ms, the last %g by chance, %u times; begun anew after %u ms%s\n",
           gsock_reconnector_get_initial_delay_ms (reconnector), gsock_reconnector_get_max_delay_ms (reconnector),
           gsock_reconnector_get_jitter (reconnector), gsock_reconnector_get_max_attempts (reconnector),
           gsock_reconnector_get_stable_after_ms (reconnector),
           gsock_reconnector_get_reconnect (reconnector) ? "" : ", once");
}
/* {} */

/* {GsockReconnector:network-monitor :debounce-ms} */
static void
hear_of_the_network (GsockReconnector *reconnector)
{
  g_autoptr (GNetworkMonitor) monitor = gsock_reconnector_get_network_monitor (reconnector);

  /* GIO's own, by itself. */
  g_assert (monitor == g_network_monitor_get_default ());
  gsock_reconnector_set_debounce_ms (reconnector, 2000);
  g_assert (gsock_reconnector_get_debounce_ms (reconnector) == 2000);
  /* Nobody's word, where the network has no way out. */
  gsock_reconnector_set_network_monitor (reconnector, NULL);
}
/* {} */

/* {GsockReconnector::attempt ::attempt-failed ::connected ::disconnected ::given-up} */
static void
on_attempt (GsockReconnector *reconnector, guint number)
{
  (void) reconnector;
  g_message ("attempt %u", number);
}

static void
on_attempt_failed (GsockReconnector *reconnector, guint number, const GError *error, guint delay_ms)
{
  (void) reconnector;
  g_message ("attempt %u: %s; the next one in %u ms", number, error->message, delay_ms);
}

static void
on_connected (GsockReconnector *reconnector, GIOStream *stream)
{
  (void) reconnector;
  g_message ("connected, by a %s", G_OBJECT_TYPE_NAME (stream));
}

static void
on_disconnected (GsockReconnector *reconnector, const GError *error)
{
  (void) reconnector;
  g_message ("lost: %s", error != NULL ? error->message : "the peer has closed");
}

static void
on_given_up (GsockReconnector *reconnector, const GError *error)
{
  (void) reconnector;
  g_message ("no more: %s", error->message);
}

static void
hear_of_it (GsockReconnector *reconnector)
{
  g_signal_connect (reconnector, "attempt", G_CALLBACK (on_attempt), NULL);
  g_signal_connect (reconnector, "attempt-failed", G_CALLBACK (on_attempt_failed), NULL);
  g_signal_connect (reconnector, "connected", G_CALLBACK (on_connected), NULL);
  g_signal_connect (reconnector, "disconnected", G_CALLBACK (on_disconnected), NULL);
  g_signal_connect (reconnector, "given-up", G_CALLBACK (on_given_up), NULL);
}
/* {} */

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GsockSocketListener) listener = loopback_listener (&address);
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();
  g_autoptr (GsockReconnector) reconnector = NULL;
  g_autoptr (GIOStream) first = NULL;
  g_autoptr (GsockSocketService) label = gsock_socket_service_new ();
  g_autofree char *said = NULL;
  GIOStream *again = NULL;

  loop = g_main_loop_new (NULL, FALSE);
  reconnector = stay_connected (client, G_SOCKET_CONNECTABLE (address));
  hear_of_it (reconnector);
  be_patient (reconnector);
  hear_of_the_network (reconnector);
  first = wait_now (reconnector, &error);
  must_have (first, error);
  /* Anything that has a property for it. */
  show_alive_in (reconnector, G_OBJECT (label));
  said = say_how_it_stands (reconnector);
  must (g_str_equal (said, "connected"), NULL);
  on_button (reconnector);
  wait_later (reconnector, &again);
  g_main_loop_run (loop);
  must (again == first, NULL);
  g_object_unref (again);
  leave (reconnector);
  must (gsock_reconnector_get_state (reconnector) == GSOCK_RECONNECTOR_STATE_STOPPED, NULL);
  must (!gsock_socket_service_is_active (label), NULL);
  g_main_loop_unref (loop);
  g_print ("ok\n");
  return 0;
}
