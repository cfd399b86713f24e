/* The client in C, as the documentation shows it; see operations.c. */

#include "shown.h"

/* {gsock_socket_client_connect} */
static GsockSocketConnection *
reach (GSocketAddress *address, GError **error)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();

  /* Any #GSocketConnectable: an address, a name, a service. */
  return gsock_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, error);
}
/* {} */

/* {gsock_socket_client_connect_async gsock_socket_client_connect_finish} */
static void
on_reached (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GsockSocketConnection **connection = user_data;
  g_autoptr (GError) error = NULL;

  *connection = gsock_socket_client_connect_finish (GSOCK_SOCKET_CLIENT (source), result, &error);
  if (*connection == NULL)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
reach_later (GSocketAddress *address, GCancellable *cancellable, GsockSocketConnection **connection)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();

  gsock_socket_client_connect_async (client, G_SOCKET_CONNECTABLE (address), cancellable, on_reached, connection);
}
/* {} */

/* {gsock_socket_client_connect_to_service} */
static GsockSocketConnection *
call_service (const char *domain, const char *service, GError **error)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();

  /* For "imaps": where `_imaps._tcp` of the domain says, by priority and weight. */
  return gsock_socket_client_connect_to_service (client, domain, service, NULL, error);
}
/* {} */

/* {gsock_socket_client_connect_to_service_async gsock_socket_client_connect_to_service_finish} */
static void
on_service_called (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GsockSocketConnection **connection = user_data;
  g_autoptr (GError) error = NULL;

  *connection = gsock_socket_client_connect_to_service_finish (GSOCK_SOCKET_CLIENT (source), result, &error);
  if (*connection == NULL)
    g_message ("no such service: %s", error->message);
  g_main_loop_quit (loop);
}

static void
call_service_later (const char *domain, const char *service, GsockSocketConnection **connection)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();

  gsock_socket_client_connect_to_service_async (client, domain, service, NULL, on_service_called, connection);
}
/* {} */

/* {gsock_socket_client_connect_to_uri} */
static GsockSocketConnection *
call_uri (const char *uri, GError **error)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();

  /* The port where the URI has none. */
  return gsock_socket_client_connect_to_uri (client, uri, 80, NULL, error);
}
/* {} */

/* {gsock_socket_client_connect_to_uri_async gsock_socket_client_connect_to_uri_finish} */
static void
on_uri_called (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GsockSocketConnection **connection = user_data;
  g_autoptr (GError) error = NULL;

  *connection = gsock_socket_client_connect_to_uri_finish (GSOCK_SOCKET_CLIENT (source), result, &error);
  if (*connection == NULL)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
call_uri_later (const char *uri, GsockSocketConnection **connection)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();

  gsock_socket_client_connect_to_uri_async (client, uri, 80, NULL, on_uri_called, connection);
}
/* {} */

/* {gsock_connect_report_get_*} */
static void
tell (GsockConnectReport *report)
{
  const GError *error = gsock_connect_report_get_error (report);

  for (guint i = 0; i < gsock_connect_report_get_n_attempts (report); i++)
    {
      GSocketAddress *address = gsock_connect_report_get_attempt_address (report, i);
      g_autofree char *where = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));
      const GError *why = gsock_connect_report_get_attempt_error (report, i);

      /* In microseconds. */
      g_print ("%s: begun after %" G_GINT64_FORMAT ", took %" G_GINT64_FORMAT ": %s\n", where,
               gsock_connect_report_get_attempt_begun (report, i), gsock_connect_report_get_attempt_took (report, i),
               why != NULL ? why->message : "connected");
    }
  g_print ("names took %" G_GINT64_FORMAT ", connecting %" G_GINT64_FORMAT "\n",
           gsock_connect_report_get_resolve_time (report), gsock_connect_report_get_connect_time (report));
  /* -1 where there was none. */
  g_print ("the proxy took %" G_GINT64_FORMAT ", TLS %" G_GINT64_FORMAT "\n",
           gsock_connect_report_get_proxy_time (report), gsock_connect_report_get_tls_time (report));
  if (error != NULL)
    g_print ("no connection: %s\n", error->message);
}
/* {} */

/* {gsock_socket_client_connect_with_report gsock_connect_report_free} */
static GsockSocketConnection *
reach_and_tell (GSocketAddress *address)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();
  GsockSocketConnection *connection;
  GsockConnectReport *report;

  /* There is a report also when there is no connection. */
  report = gsock_socket_client_connect_with_report (client, G_SOCKET_CONNECTABLE (address), NULL, &connection);
  tell (report);
  gsock_connect_report_free (report);
  return connection;
}
/* {} */

/* {gsock_socket_client_connect_with_report_async gsock_socket_client_connect_with_report_finish} */
static void
on_reported (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GsockSocketConnection **connection = user_data;
  g_autoptr (GsockConnectReport) report = NULL;
  g_autoptr (GError) error = NULL;

  report = gsock_socket_client_connect_with_report_finish (GSOCK_SOCKET_CLIENT (source), result, connection, &error);
  tell (report);
  g_main_loop_quit (loop);
}

static void
reach_and_tell_later (GSocketAddress *address, GsockSocketConnection **connection)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();

  gsock_socket_client_connect_with_report_async (client, G_SOCKET_CONNECTABLE (address), NULL, on_reported, connection);
}
/* {} */

/* {gsock_socket_connection_get_connect_report gsock_connect_report_copy} */
static GsockConnectReport *
how_it_was_made (GsockSocketConnection *connection)
{
  g_autoptr (GsockConnectReport) report = gsock_socket_connection_get_connect_report (connection);

  /* %NULL where no client has made it. */
  return report != NULL ? gsock_connect_report_copy (report) : NULL;
}
/* {} */

/* {gsock_socket_client_new GsockSocketClient:timeout :*-ms} */
static GsockSocketClient *
client_of_little_patience (void)
{
  GsockSocketClient *client = gsock_socket_client_new ();

  /* Seconds for each connect, read and write. */
  gsock_socket_client_set_timeout (client, 20);
  /* Milliseconds for all of connecting, from the name to TLS; for a read or a write; for an address before the next. */
  gsock_socket_client_set_connect_timeout_ms (client, 10000);
  gsock_socket_client_set_io_timeout_ms (client, 5000);
  gsock_socket_client_set_attempt_delay_ms (client, 250);
  g_print ("%u s, %u ms, %u ms, %u ms\n", gsock_socket_client_get_timeout (client),
           gsock_socket_client_get_connect_timeout_ms (client), gsock_socket_client_get_io_timeout_ms (client),
           gsock_socket_client_get_attempt_delay_ms (client));
  return client;
}
/* {} */

/* {GsockSocketClient:family :type :protocol :local-address :multipath gsock_socket_client_?et_socket_type} */
static gboolean
choose_sockets (GsockSocketClient *client)
{
  g_autoptr (GSocketAddress) from = g_inet_socket_address_new_from_string ("127.0.0.1", 0);

  gsock_socket_client_set_family (client, G_SOCKET_FAMILY_IPV4);
  gsock_socket_client_set_socket_type (client, G_SOCKET_TYPE_STREAM);
  gsock_socket_client_set_protocol (client, G_SOCKET_PROTOCOL_TCP);
  gsock_socket_client_set_local_address (client, from);
  /* Several paths at once, where both ends can. */
  gsock_socket_client_set_multipath (client, FALSE);
  return gsock_socket_client_get_family (client) == G_SOCKET_FAMILY_IPV4 &&
         gsock_socket_client_get_socket_type (client) == G_SOCKET_TYPE_STREAM &&
         gsock_socket_client_get_protocol (client) == G_SOCKET_PROTOCOL_TCP &&
         gsock_socket_client_get_local_address (client) == from && !gsock_socket_client_get_multipath (client);
}
/* {} */

/* {GsockSocketClient:*proxy* gsock_socket_client_add_application_proxy} */
static gboolean
choose_proxy (GsockSocketClient *client)
{
  const char *direct[] = { "localhost", "127.0.0.0/8", NULL };
  g_autoptr (GProxyResolver) resolver = g_simple_proxy_resolver_new ("socks5://proxy.example", (char **) direct);

  gsock_socket_client_set_enable_proxy (client, TRUE);
  gsock_socket_client_set_proxy_resolver (client, resolver);
  /* One that the program speaks with itself: it is given the connection to the proxy. */
  gsock_socket_client_add_application_proxy (client, "own");
  return gsock_socket_client_get_enable_proxy (client) && gsock_socket_client_get_proxy_resolver (client) == resolver;
}
/* {} */

/* {GsockSocketClient:tls*} */
static gboolean
encrypt (GsockSocketClient *client)
{
  gsock_socket_client_set_tls (client, TRUE);
G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  /* What of a certificate is looked at; the signal `accept-certificate` of the #GTlsConnection can say more. */
  gsock_socket_client_set_tls_validation_flags (client, G_TLS_CERTIFICATE_VALIDATE_ALL);
  return gsock_socket_client_get_tls (client) &&
         gsock_socket_client_get_tls_validation_flags (client) == G_TLS_CERTIFICATE_VALIDATE_ALL;
G_GNUC_END_IGNORE_DEPRECATIONS
}
/* {} */

/* {GsockSocketClient::event} */
static void
on_event (GsockSocketClient *client, GSocketClientEvent event, GSocketConnectable *connectable, GIOStream *stream,
          gpointer user_data)
{
  (void) client;
  (void) connectable;
  (void) user_data;
  /* Here an option of the socket can be set before it is used. */
  if (event == G_SOCKET_CLIENT_CONNECTING)
    g_socket_set_keepalive (gsock_socket_connection_get_socket (GSOCK_SOCKET_CONNECTION (stream)), TRUE);
}

static void
look_on (GsockSocketClient *client)
{
  g_signal_connect (client, "event", G_CALLBACK (on_event), NULL);
}
/* {} */

int
main (void)
{
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GsockSocketListener) listener = loopback_listener (&address);
  g_autoptr (GsockSocketClient) client = client_of_little_patience ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree char *uri = g_strdup_printf (
      "some://127.0.0.1:%u/path", g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)));
  GsockSocketConnection *made;
  GsockConnectReport *report;
  GError *error = NULL;

  loop = g_main_loop_new (NULL, FALSE);
  made = reach (address, &error);
  must_have (made, error);
  g_object_unref (made);
  reach_later (address, cancellable, &made);
  g_main_loop_run (loop);
  must_have (made, NULL);
  g_object_unref (made);

  /* Nobody has said where it is. */
  must (call_service ("localhost", NO_SERVICE, &error) == NULL && error->domain == G_RESOLVER_ERROR, NULL);
  g_clear_error (&error);
  call_service_later ("localhost", NO_SERVICE, &made);
  g_main_loop_run (loop);
  must (made == NULL, NULL);

  made = call_uri (uri, &error);
  must_have (made, error);
  g_object_unref (made);
  call_uri_later (uri, &made);
  g_main_loop_run (loop);
  must_have (made, NULL);
  g_object_unref (made);

  made = reach_and_tell (address);
  must_have (made, NULL);
  report = how_it_was_made (made);
  must (gsock_connect_report_get_n_attempts (report) == 1, NULL);
  gsock_connect_report_free (report);
  g_object_unref (made);
  reach_and_tell_later (address, &made);
  g_main_loop_run (loop);
  must_have (made, NULL);
  g_object_unref (made);

  must (choose_sockets (client), NULL);
  must (choose_proxy (client), NULL);
  look_on (client);
  made = gsock_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, &error);
  must_have (made, error);
  must (g_socket_get_keepalive (gsock_socket_connection_get_socket (made)), NULL);
  g_object_unref (made);
  must (encrypt (client), NULL);
  g_main_loop_unref (loop);
  g_print ("ok\n");
  return 0;
}
