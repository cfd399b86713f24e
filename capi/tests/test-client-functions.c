/* Every function of the client, called once and more as a C program calls it; a class of C's below it. */

#include "tools.h"

#define CLIENT GSOCK_TYPE_SOCKET_CLIENT

static guint16
port_of (GSocketAddress *address)
{
  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
}

static void
test_properties (void)
{
  GsockSocketClient *client = gsock_socket_client_new ();
  GSocketAddress *address = deserted_address ();
  GProxyResolver *resolver = g_simple_proxy_resolver_new ("socks5://127.0.0.1:1", NULL);
  guint delay = 0;

  g_assert_cmpint (gsock_socket_client_get_family (client), ==, G_SOCKET_FAMILY_INVALID);
  gsock_socket_client_set_family (client, G_SOCKET_FAMILY_IPV6);
  g_assert_cmpint (gsock_socket_client_get_family (client), ==, G_SOCKET_FAMILY_IPV6);
  g_assert_cmpint (gsock_socket_client_get_socket_type (client), ==, G_SOCKET_TYPE_STREAM);
  gsock_socket_client_set_socket_type (client, G_SOCKET_TYPE_DATAGRAM);
  g_assert_cmpint (gsock_socket_client_get_socket_type (client), ==, G_SOCKET_TYPE_DATAGRAM);
  g_assert_cmpint (gsock_socket_client_get_protocol (client), ==, G_SOCKET_PROTOCOL_DEFAULT);
  gsock_socket_client_set_protocol (client, G_SOCKET_PROTOCOL_UDP);
  g_assert_cmpint (gsock_socket_client_get_protocol (client), ==, G_SOCKET_PROTOCOL_UDP);
  g_assert_cmpuint (gsock_socket_client_get_timeout (client), ==, 0);
  gsock_socket_client_set_timeout (client, 7);
  g_assert_cmpuint (gsock_socket_client_get_timeout (client), ==, 7);
  g_assert_true (gsock_socket_client_get_enable_proxy (client));
  gsock_socket_client_set_enable_proxy (client, FALSE);
  g_assert_false (gsock_socket_client_get_enable_proxy (client));
  g_assert_false (gsock_socket_client_get_tls (client));
  /* Any number but 0 is true. */
  gsock_socket_client_set_tls (client, 7);
  g_assert_cmpint (gsock_socket_client_get_tls (client), ==, TRUE);
  g_assert_cmpuint (gsock_socket_client_get_tls_validation_flags (client), ==, G_TLS_CERTIFICATE_VALIDATE_ALL);
  gsock_socket_client_set_tls_validation_flags (client, G_TLS_CERTIFICATE_EXPIRED);
  g_assert_cmpuint (gsock_socket_client_get_tls_validation_flags (client), ==, G_TLS_CERTIFICATE_EXPIRED);

  g_assert_null (gsock_socket_client_get_local_address (client));
  gsock_socket_client_set_local_address (client, address);
  g_assert_true (gsock_socket_client_get_local_address (client) == address);
  gsock_socket_client_set_local_address (client, NULL);
  g_assert_null (gsock_socket_client_get_local_address (client));
  drop_last (address);
  g_assert_true (gsock_socket_client_get_proxy_resolver (client) == g_proxy_resolver_get_default ());
  gsock_socket_client_set_proxy_resolver (client, resolver);
  g_assert_true (gsock_socket_client_get_proxy_resolver (client) == resolver);
  gsock_socket_client_set_proxy_resolver (client, NULL);
  g_assert_true (gsock_socket_client_get_proxy_resolver (client) == g_proxy_resolver_get_default ());
  drop_last (resolver);

  g_assert_cmpuint (gsock_socket_client_get_attempt_delay_ms (client), ==, 250);
  gsock_socket_client_set_attempt_delay_ms (client, 20);
  g_object_get (client, "attempt-delay-ms", &delay, NULL);
  g_assert_cmpuint (delay, ==, 20);
  /* There is a least one. */
  gsock_socket_client_set_attempt_delay_ms (client, 0);
  g_assert_cmpuint (gsock_socket_client_get_attempt_delay_ms (client), ==, 10);
  g_assert_cmpuint (gsock_socket_client_get_connect_timeout_ms (client), ==, 0);
  gsock_socket_client_set_connect_timeout_ms (client, G_MAXUINT);
  g_assert_cmpuint (gsock_socket_client_get_connect_timeout_ms (client), ==, G_MAXUINT);
  g_assert_cmpuint (gsock_socket_client_get_io_timeout_ms (client), ==, 0);
  gsock_socket_client_set_io_timeout_ms (client, 5);
  g_assert_cmpuint (gsock_socket_client_get_io_timeout_ms (client), ==, 5);
  g_assert_false (gsock_socket_client_get_multipath (client));
  gsock_socket_client_set_multipath (client, 7);
  g_assert_cmpint (gsock_socket_client_get_multipath (client), ==, TRUE);
  drop_last (client);
}

/* The four ways to say where to. */
typedef struct
{
  GSocketConnectable *connectable;
  char *host;
  char *uri;
  guint16 port;
} Where;

static GsockSocketConnection *
connect_by (int                 way,
            GsockSocketClient  *client,
            Where              *where,
            GError            **error)
{
  switch (way)
    {
    case 0: return gsock_socket_client_connect (client, where->connectable, NULL, error);
    case 1: return gsock_socket_client_connect_to_host (client, where->host, 0, NULL, error);
    case 2: return gsock_socket_client_connect_to_uri (client, where->uri, where->port, NULL, error);
    default: return gsock_socket_client_connect_to_host (client, "127.0.0.1", where->port, NULL, error);
    }
}

static void
start_by (int                 way,
          GsockSocketClient  *client,
          Where              *where,
          GAsyncResult      **result)
{
  switch (way)
    {
    case 0: gsock_socket_client_connect_async (client, where->connectable, NULL, keep_result, result); break;
    case 1: gsock_socket_client_connect_to_host_async (client, where->host, 0, NULL, keep_result, result); break;
    case 2: gsock_socket_client_connect_to_uri_async (client, where->uri, where->port, NULL, keep_result, result); break;
    default: gsock_socket_client_connect_to_host_async (client, "127.0.0.1", where->port, NULL, keep_result, result);
    }
}

static GsockSocketConnection *
finish_by (int                 way,
           GsockSocketClient  *client,
           GAsyncResult       *result,
           GError            **error)
{
  switch (way)
    {
    case 0: return gsock_socket_client_connect_finish (client, result, error);
    case 1: return gsock_socket_client_connect_to_host_finish (client, result, error);
    case 2: return gsock_socket_client_connect_to_uri_finish (client, result, error);
    /* Whichever it was. */
    default: return gsock_socket_client_connect_to_service_finish (client, result, error);
    }
}

static void
test_connect (void)
{
  GError *error = NULL;
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address);
  GsockSocketClient *client = gsock_socket_client_new ();
  Where where = { G_SOCKET_CONNECTABLE (address), NULL, NULL, port_of (address) };

  where.host = g_strdup_printf ("127.0.0.1:%u", where.port);
  where.uri = g_strdup ("some://127.0.0.1/");
  for (int way = 0; way < 4; way++)
    for (int later = 0; later < 2; later++)
      {
        GAsyncResult *result = NULL;
        GsockSocketConnection *made;
        GSocket *peer;

        if (later)
          {
            start_by (way, client, &where, &result);
            g_assert_null (result);
            ITERATE_UNTIL (result != NULL);
            made = finish_by (way, client, result, &error);
            g_assert_no_error (error);
            /* Once only. */
            g_assert_null (finish_by (way, client, result, &error));
            g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
            g_clear_error (&error);
            g_object_unref (result);
          }
        else
          made = connect_by (way, client, &where, &error);
        g_assert_no_error (error);
        g_assert_true (GSOCK_IS_TCP_CONNECTION (made));
        peer = g_socket_accept (listener, NULL, &error);
        g_assert_no_error (error);
        write_text (made, "ping");
        assert_receives (peer, "ping");
        drop_last (made);
        g_object_unref (peer);
      }
  g_assert_null (gsock_socket_client_connect_finish (client, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  drop_last (client);
  g_free (where.host);
  g_free (where.uri);
  g_object_unref (address);
  g_object_unref (listener);
}

/* A listener whose queue is full: whoever connects waits. */
static GSocketAddress *
full_listener (GSocket **listener,
               GSocket **waiting)
{
  GError *error = NULL;
  g_autofree char *name = g_strdup_printf ("gsock C test %d", (int) getpid ());
  GSocketAddress *address = g_unix_socket_address_new_with_type (name, -1, G_UNIX_SOCKET_ADDRESS_ABSTRACT);

  *listener = g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);
  g_assert_no_error (error);
  g_assert_true (g_socket_bind (*listener, address, FALSE, &error));
  g_socket_set_listen_backlog (*listener, 0);
  g_assert_true (g_socket_listen (*listener, &error));
  g_assert_no_error (error);
  *waiting = g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);
  g_assert_true (g_socket_connect (*waiting, address, NULL, &error));
  g_assert_no_error (error);
  return address;
}

static void
test_times_out (void)
{
  GError *error = NULL;
  GSocket *listener, *waiting;
  GSocketAddress *address = full_listener (&listener, &waiting);
  GsockSocketClient *client = gsock_socket_client_new ();
  GAsyncResult *result = NULL;
  GsockSocketConnection *connection;
  GSocket *peer;
  GInputStream *input;
  char byte;

  gsock_socket_client_set_connect_timeout_ms (client, 50);
  g_assert_null (gsock_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  gsock_socket_client_connect_async (client, G_SOCKET_CONNECTABLE (address), NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_null (gsock_socket_client_connect_finish (client, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_clear_object (&result);

  /* And so does what it has made. */
  peer = g_socket_accept (listener, NULL, &error);
  g_assert_no_error (error);
  gsock_socket_client_set_io_timeout_ms (client, 50);
  connection = gsock_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, &error);
  g_assert_no_error (error);
  input = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  g_assert_cmpint (g_input_stream_read (input, &byte, 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_input_stream_read_async (input, &byte, 1, G_PRIORITY_DEFAULT, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_cmpint (g_input_stream_read_finish (input, result, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_object_unref (result);
  drop_last (connection);
  drop_last (client);
  g_object_unref (peer);
  g_object_unref (waiting);
  g_object_unref (listener);
  g_object_unref (address);
}

static void
test_failures (void)
{
  GError *error = NULL;
  GSocketAddress *deserted = deserted_address ();
  GsockSocketClient *client = gsock_socket_client_new ();
  GCancellable *cancellable = g_cancellable_new ();
  GAsyncResult *result = NULL;

  g_assert_null (gsock_socket_client_connect (client, G_SOCKET_CONNECTABLE (deserted), NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_clear_error (&error);
  g_assert_null (gsock_socket_client_connect (client, G_SOCKET_CONNECTABLE (deserted), NULL, NULL));
  g_assert_null (gsock_socket_client_connect_to_host (client, "127.0.0.1:65536", 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  /* By its callback. */
  gsock_socket_client_connect_to_uri_async (client, "no URI", 0, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_null (gsock_socket_client_connect_to_uri_finish (client, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_clear_object (&result);
  /* No error tells a login, whichever way it comes. */
  g_assert_null (gsock_socket_client_connect_to_uri (client, "x://me:secret@[", 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_null (strstr (error->message, "secret"));
  g_clear_error (&error);
  gsock_socket_client_connect_to_uri_async (client, "x://me:secret@[", 0, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_null (gsock_socket_client_connect_to_uri_finish (client, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_null (strstr (error->message, "secret"));
  g_clear_error (&error);
  g_clear_object (&result);
  g_cancellable_cancel (cancellable);
  g_assert_null (gsock_socket_client_connect_to_service (client, "localhost", "discard", cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  gsock_socket_client_connect_to_service_async (client, "localhost", "discard", cancellable, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_null (gsock_socket_client_connect_to_service_finish (client, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_object_unref (result);
  g_object_unref (cancellable);
  g_object_unref (client);
  g_object_unref (deserted);
}

static GsockConnectReport *
report_by (int                     later,
           GsockSocketClient      *client,
           GSocketConnectable     *connectable,
           GsockSocketConnection **connection)
{
  GError *error = NULL;
  GAsyncResult *result = NULL;
  GsockConnectReport *report;

  if (!later)
    return gsock_socket_client_connect_with_report (client, connectable, NULL, connection);
  gsock_socket_client_connect_with_report_async (client, connectable, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  /* Of another operation. */
  g_assert_null (gsock_socket_client_connect_finish (client, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  report = gsock_socket_client_connect_with_report_finish (client, result, connection, &error);
  g_assert_no_error (error);
  /* Once only. */
  g_assert_null (gsock_socket_client_connect_with_report_finish (client, result, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_object_unref (result);
  return report;
}

static void
test_reports (void)
{
  GSocketAddress *address, *deserted = deserted_address ();
  GSocket *listener = tcp_listener (&address), *peer;
  GsockSocketClient *client = gsock_socket_client_new ();
  GsockSocketConnection *made;

  for (int later = 0; later < 2; later++)
    {
      GsockConnectReport *report = report_by (later, client, G_SOCKET_CONNECTABLE (address), &made);
      GsockConnectReport *kept = gsock_socket_connection_get_connect_report (made), *copy;

      g_assert_null (gsock_connect_report_get_error (report));
      g_assert_cmpuint (gsock_connect_report_get_n_attempts (report), ==, 1);
      g_assert_cmpuint (port_of (gsock_connect_report_get_attempt_address (report, 0)), ==, port_of (address));
      g_assert_null (gsock_connect_report_get_attempt_error (report, 0));
      g_assert_cmpint (gsock_connect_report_get_attempt_begun (report, 0), >=, 0);
      g_assert_cmpint (gsock_connect_report_get_attempt_took (report, 0), ==,
                       gsock_connect_report_get_connect_time (report));
      g_assert_cmpint (gsock_connect_report_get_resolve_time (report), >=, 0);
      g_assert_cmpint (gsock_connect_report_get_proxy_time (report), ==, -1);
      g_assert_cmpint (gsock_connect_report_get_tls_time (report), ==, -1);
      /* There is no other. */
      g_assert_null (gsock_connect_report_get_attempt_address (report, 1));
      g_assert_cmpint (gsock_connect_report_get_attempt_begun (report, 1), ==, -1);
      g_assert_cmpint (gsock_connect_report_get_attempt_took (report, 1), ==, -1);
      /* Each stands for itself, and outlives the connection. */
      copy = g_boxed_copy (GSOCK_TYPE_CONNECT_REPORT, report);
      gsock_connect_report_free (report);
      drop_last (made);
      g_assert_cmpuint (gsock_connect_report_get_n_attempts (copy), ==, 1);
      g_assert_cmpint (gsock_connect_report_get_connect_time (kept), ==, gsock_connect_report_get_connect_time (copy));
      g_boxed_free (GSOCK_TYPE_CONNECT_REPORT, copy);
      copy = gsock_connect_report_copy (kept);
      gsock_connect_report_free (kept);
      gsock_connect_report_free (copy);

      report = report_by (later, client, G_SOCKET_CONNECTABLE (deserted), &made);
      g_assert_null (made);
      g_assert_error (gsock_connect_report_get_error (report), G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
      g_assert_cmpuint (gsock_connect_report_get_n_attempts (report), ==, 1);
      g_assert_error (gsock_connect_report_get_attempt_error (report, 0), G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
      gsock_connect_report_free (report);
      /* Nobody wants the connection. */
      gsock_connect_report_free (report_by (later, client, G_SOCKET_CONNECTABLE (deserted), NULL));
    }
  /* It was not made by a client. */
  made = connected (&peer);
  g_assert_null (gsock_socket_connection_get_connect_report (made));
  drop_last (made);
  g_object_unref (peer);
  drop_last (client);
  g_object_unref (deserted);
  g_object_unref (address);
  g_object_unref (listener);
}

static void
test_application_proxy (void)
{
  GError *error = NULL;
  GSocketAddress *address, *remote;
  GSocket *listener = tcp_listener (&address);
  char *uri = g_strdup_printf ("own://127.0.0.1:%u", port_of (address));
  GProxyResolver *resolver = g_simple_proxy_resolver_new (uri, NULL);
  GsockSocketClient *client = gsock_socket_client_new ();
  GsockSocketConnection *made;

  gsock_socket_client_set_proxy_resolver (client, resolver);
  g_assert_null (gsock_socket_client_connect_to_host (client, "far.test", 70, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);
  gsock_socket_client_add_application_proxy (client, "own");
  made = gsock_socket_client_connect_to_host (client, "far.test", 70, NULL, &error);
  g_assert_no_error (error);
  remote = gsock_socket_connection_get_remote_address (made, &error);
  g_assert_no_error (error);
  g_assert_true (G_IS_PROXY_ADDRESS (remote));
  g_assert_cmpstr (g_proxy_address_get_destination_hostname (G_PROXY_ADDRESS (remote)), ==, "far.test");
  g_object_unref (remote);
  drop_last (made);
  drop_last (client);
  drop_last (resolver);
  g_free (uri);
  g_object_unref (address);
  g_object_unref (listener);
}

/* ---- Several threads ------------------------------------------------------------------------------- */

#define THREADS 4
#define CONNECTS 25

typedef struct
{
  GsockSocketClient *client;
  GSocketConnectable *connectable;
} Shared;

static gpointer
connect_often (gpointer user_data)
{
  Shared *shared = user_data;

  for (int i = 0; i < CONNECTS; i++)
    {
      GError *error = NULL;
      GsockSocketConnection *made = gsock_socket_client_connect (shared->client, shared->connectable, NULL, &error);

      g_assert_no_error (error);
      /* Others read it meanwhile. */
      gsock_socket_client_set_timeout (shared->client, 60 + i);
      gsock_socket_client_set_local_address (shared->client, NULL);
      g_assert_cmpuint (gsock_socket_client_get_timeout (shared->client), >=, 60);
      g_object_unref (made);
    }
  return NULL;
}

static void
test_threads (void)
{
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address);
  Shared shared = { gsock_socket_client_new (), G_SOCKET_CONNECTABLE (address) };
  GThread *threads[THREADS];

  gsock_socket_client_set_timeout (shared.client, 60);
  for (int i = 0; i < THREADS; i++)
    threads[i] = g_thread_new ("connects", connect_often, &shared);
  for (int i = 0; i < THREADS * CONNECTS; i++)
    {
      GError *error = NULL;
      GSocket *peer = g_socket_accept (listener, NULL, &error);

      g_assert_no_error (error);
      g_object_unref (peer);
    }
  for (int i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
  drop_last (shared.client);
  g_object_unref (address);
  g_object_unref (listener);
}

/* ---- A class of one's own -------------------------------------------------------------------------- */

#define OWN_TYPE_CLIENT (own_client_get_type ())
G_DECLARE_FINAL_TYPE (OwnClient, own_client, OWN, CLIENT, GsockSocketClient)

struct _OwnClient
{
  GsockSocketClient parent_instance;
  GString *events;
};

G_DEFINE_TYPE (OwnClient, own_client, GSOCK_TYPE_SOCKET_CLIENT)

static void
own_client_event (GsockSocketClient  *client,
                  GSocketClientEvent  event,
                  GSocketConnectable *connectable,
                  GIOStream          *connection)
{
  g_assert_true (G_IS_SOCKET_CONNECTABLE (connectable));
  g_assert_true (connection == NULL || G_IS_IO_STREAM (connection));
  g_string_append_c (OWN_CLIENT (client)->events, '0' + event);
}

static void
own_client_finalize (GObject *object)
{
  g_string_free (OWN_CLIENT (object)->events, TRUE);
  G_OBJECT_CLASS (own_client_parent_class)->finalize (object);
}

static void
own_client_class_init (OwnClientClass *klass)
{
  g_assert_null (GSOCK_SOCKET_CLIENT_CLASS (klass)->event);
  GSOCK_SOCKET_CLIENT_CLASS (klass)->event = own_client_event;
  G_OBJECT_CLASS (klass)->finalize = own_client_finalize;
}

static void
own_client_init (OwnClient *client)
{
  client->events = g_string_new (NULL);
}

static void
test_derived (void)
{
  GError *error = NULL;
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address);
  OwnClient *client = g_object_new (OWN_TYPE_CLIENT, NULL);
  GsockSocketConnection *made = gsock_socket_client_connect (GSOCK_SOCKET_CLIENT (client),
                                                             G_SOCKET_CONNECTABLE (address), NULL, &error);

  g_assert_no_error (error);
  /* From RESOLVING to CONNECTED, and COMPLETE. */
  g_assert_cmpstr (client->events->str, ==, "01238");
  drop_last (made);
  drop_last (client);
  g_object_unref (address);
  g_object_unref (listener);
}

static void
test_sizes (void)
{
  GTypeQuery query;

  g_type_class_unref (g_type_class_ref (CLIENT));
  g_type_query (CLIENT, &query);
  g_assert_cmpuint (query.class_size, ==, sizeof (GsockSocketClientClass));
  g_assert_cmpuint (query.instance_size, ==, sizeof (GsockSocketClient));
  /* These never change. */
  g_assert_cmpuint (sizeof (GsockSocketClient), ==, sizeof (GObject));
  g_assert_cmpuint (sizeof (GsockSocketClientClass), ==, sizeof (GObjectClass) + 11 * sizeof (gpointer));
}

int
main (int    argc,
      char **argv)
{
  /* Modules of GIO's leave memory behind. */
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  begin (&argc, &argv);
  g_test_add_func ("/client-functions/properties", test_properties);
  g_test_add_func ("/client-functions/connect", test_connect);
  g_test_add_func ("/client-functions/times-out", test_times_out);
  g_test_add_func ("/client-functions/failures", test_failures);
  g_test_add_func ("/client-functions/reports", test_reports);
  g_test_add_func ("/client-functions/application-proxy", test_application_proxy);
  g_test_add_func ("/client-functions/threads", test_threads);
  g_test_add_func ("/client-functions/derived", test_derived);
  g_test_add_func ("/client-functions/sizes", test_sizes);
  return g_test_run ();
}
