/* Wrong arguments to the functions of the client: one critical message that names the function and the argument, and
 * GIO's fallback. */

#include "arguments.h"

static GSocket *wrong;
static GsockSocketClient *right;
static GSocketConnectable *somewhere;

/* Without an instance, and with one of another type. */
#define REFUSED_CLIENT(function, comparison, ...) \
  G_STMT_START { \
    REFUSED (function, "client", function (NULL __VA_ARGS__), comparison); \
    REFUSED (function, "client", function ((GsockSocketClient *) (gpointer) wrong __VA_ARGS__), comparison); \
  } G_STMT_END

#define REFUSED_CLIENT_VOID(function, ...) \
  G_STMT_START { \
    REFUSED_VOID (function, "client", function (NULL __VA_ARGS__)); \
    REFUSED_VOID (function, "client", function ((GsockSocketClient *) (gpointer) wrong __VA_ARGS__)); \
  } G_STMT_END

static void
test_properties (void)
{
  REFUSED_CLIENT (gsock_socket_client_get_family, == G_SOCKET_FAMILY_INVALID);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_family, , G_SOCKET_FAMILY_IPV4);
  REFUSED_CLIENT (gsock_socket_client_get_socket_type, == G_SOCKET_TYPE_INVALID);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_socket_type, , G_SOCKET_TYPE_STREAM);
  REFUSED_CLIENT (gsock_socket_client_get_protocol, == G_SOCKET_PROTOCOL_UNKNOWN);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_protocol, , G_SOCKET_PROTOCOL_TCP);
  REFUSED_CLIENT (gsock_socket_client_get_timeout, == 0);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_timeout, , 1);
  REFUSED_CLIENT (gsock_socket_client_get_enable_proxy, == FALSE);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_enable_proxy, , TRUE);
  REFUSED_CLIENT (gsock_socket_client_get_tls, == FALSE);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_tls, , TRUE);
  REFUSED_CLIENT (gsock_socket_client_get_tls_validation_flags, == 0);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_tls_validation_flags, , 0);
  REFUSED_CLIENT (gsock_socket_client_get_local_address, == NULL);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_local_address, , NULL);
  REFUSED_CLIENT (gsock_socket_client_get_proxy_resolver, == NULL);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_proxy_resolver, , NULL);
  REFUSED_CLIENT (gsock_socket_client_get_connect_timeout_ms, == 0);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_connect_timeout_ms, , 1);
  REFUSED_CLIENT (gsock_socket_client_get_io_timeout_ms, == 0);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_io_timeout_ms, , 1);
  REFUSED_CLIENT (gsock_socket_client_get_attempt_delay_ms, == 0);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_attempt_delay_ms, , 1);
  REFUSED_CLIENT (gsock_socket_client_get_multipath, == FALSE);
  REFUSED_CLIENT_VOID (gsock_socket_client_set_multipath, , TRUE);
  REFUSED_CLIENT_VOID (gsock_socket_client_add_application_proxy, , "own");
  REFUSED_VOID (gsock_socket_client_add_application_proxy, "protocol",
                gsock_socket_client_add_application_proxy (right, NULL));
  REFUSED_VOID (gsock_socket_client_set_local_address, "address",
                gsock_socket_client_set_local_address (right, (GSocketAddress *) (gpointer) wrong));
  REFUSED_VOID (gsock_socket_client_set_proxy_resolver, "proxy_resolver",
                gsock_socket_client_set_proxy_resolver (right, (GProxyResolver *) (gpointer) wrong));
}

static void
test_instances (void)
{
  GError *error = NULL;

  REFUSED_CLIENT (gsock_socket_client_connect, == NULL, , somewhere, NULL, &error);
  REFUSED_CLIENT (gsock_socket_client_connect_finish, == NULL, , NULL, &error);
  REFUSED_CLIENT_VOID (gsock_socket_client_connect_async, , somewhere, NULL, never_called, NULL);
  REFUSED_CLIENT (gsock_socket_client_connect_to_host, == NULL, , "127.0.0.1", 1, NULL, &error);
  REFUSED_CLIENT (gsock_socket_client_connect_to_host_finish, == NULL, , NULL, &error);
  REFUSED_CLIENT_VOID (gsock_socket_client_connect_to_host_async, , "127.0.0.1", 1, NULL, never_called, NULL);
  REFUSED_CLIENT (gsock_socket_client_connect_to_service, == NULL, , "localhost", "discard", NULL, &error);
  REFUSED_CLIENT (gsock_socket_client_connect_to_service_finish, == NULL, , NULL, &error);
  REFUSED_CLIENT_VOID (gsock_socket_client_connect_to_service_async, , "localhost", "discard", NULL, never_called, NULL);
  REFUSED_CLIENT (gsock_socket_client_connect_to_uri, == NULL, , "x://127.0.0.1", 1, NULL, &error);
  REFUSED_CLIENT (gsock_socket_client_connect_to_uri_finish, == NULL, , NULL, &error);
  REFUSED_CLIENT_VOID (gsock_socket_client_connect_to_uri_async, , "x://127.0.0.1", 1, NULL, never_called, NULL);
  g_assert_no_error (error);
}

static void
test_where_to (void)
{
  GError *error = NULL;
  GCancellable *other = (GCancellable *) (gpointer) wrong;

  REFUSED (gsock_socket_client_connect, "connectable",
           gsock_socket_client_connect (right, NULL, NULL, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_async, "connectable",
                gsock_socket_client_connect_async (right, NULL, NULL, never_called, NULL));
  REFUSED (gsock_socket_client_connect, "connectable",
           gsock_socket_client_connect (right, (GSocketConnectable *) (gpointer) wrong, NULL, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_async, "connectable",
                gsock_socket_client_connect_async (right, (GSocketConnectable *) (gpointer) wrong, NULL, never_called, NULL));
  REFUSED (gsock_socket_client_connect, "cancellable",
           gsock_socket_client_connect (right, somewhere, other, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_async, "cancellable",
                gsock_socket_client_connect_async (right, somewhere, other, never_called, NULL));
  REFUSED (gsock_socket_client_connect_to_host, "host_and_port",
           gsock_socket_client_connect_to_host (right, NULL, 1, NULL, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_to_host_async, "host_and_port",
                gsock_socket_client_connect_to_host_async (right, NULL, 1, NULL, never_called, NULL));
  REFUSED (gsock_socket_client_connect_to_host, "host_and_port",
           gsock_socket_client_connect_to_host (right, "\xff", 1, NULL, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_to_host_async, "host_and_port",
                gsock_socket_client_connect_to_host_async (right, "\xff", 1, NULL, never_called, NULL));
  REFUSED (gsock_socket_client_connect_to_host, "cancellable",
           gsock_socket_client_connect_to_host (right, "127.0.0.1", 1, other, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_to_host_async, "cancellable",
                gsock_socket_client_connect_to_host_async (right, "127.0.0.1", 1, other, never_called, NULL));
  REFUSED (gsock_socket_client_connect_to_service, "domain",
           gsock_socket_client_connect_to_service (right, NULL, "discard", NULL, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_to_service_async, "domain",
                gsock_socket_client_connect_to_service_async (right, NULL, "discard", NULL, never_called, NULL));
  REFUSED (gsock_socket_client_connect_to_service, "cancellable",
           gsock_socket_client_connect_to_service (right, "localhost", "discard", other, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_to_service_async, "cancellable",
                gsock_socket_client_connect_to_service_async (right, "localhost", "discard", other, never_called, NULL));
  REFUSED (gsock_socket_client_connect_to_service, "service",
           gsock_socket_client_connect_to_service (right, "localhost", NULL, NULL, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_to_service_async, "service",
                gsock_socket_client_connect_to_service_async (right, "localhost", NULL, NULL, never_called, NULL));
  REFUSED (gsock_socket_client_connect_to_uri, "uri",
           gsock_socket_client_connect_to_uri (right, NULL, 1, NULL, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_to_uri_async, "uri",
                gsock_socket_client_connect_to_uri_async (right, NULL, 1, NULL, never_called, NULL));
  REFUSED (gsock_socket_client_connect_to_uri, "cancellable",
           gsock_socket_client_connect_to_uri (right, "x://127.0.0.1", 1, other, &error), == NULL);
  REFUSED_VOID (gsock_socket_client_connect_to_uri_async, "cancellable",
                gsock_socket_client_connect_to_uri_async (right, "x://127.0.0.1", 1, other, never_called, NULL));
  g_assert_no_error (error);
}

static void
test_reports (void)
{
  GError *error = NULL;
  GCancellable *other = (GCancellable *) (gpointer) wrong;
  GSocketConnectable *no_place = (GSocketConnectable *) (gpointer) wrong;

  REFUSED_CLIENT (gsock_socket_client_connect_with_report, == NULL, , somewhere, NULL, NULL);
  REFUSED (gsock_socket_client_connect_with_report, "connectable",
           gsock_socket_client_connect_with_report (right, no_place, NULL, NULL), == NULL);
  REFUSED (gsock_socket_client_connect_with_report, "cancellable",
           gsock_socket_client_connect_with_report (right, somewhere, other, NULL), == NULL);
  REFUSED_CLIENT_VOID (gsock_socket_client_connect_with_report_async, , somewhere, NULL, never_called, NULL);
  REFUSED_VOID (gsock_socket_client_connect_with_report_async, "connectable",
                gsock_socket_client_connect_with_report_async (right, no_place, NULL, never_called, NULL));
  REFUSED_VOID (gsock_socket_client_connect_with_report_async, "cancellable",
                gsock_socket_client_connect_with_report_async (right, somewhere, other, never_called, NULL));
  REFUSED_CLIENT (gsock_socket_client_connect_with_report_finish, == NULL, , NULL, NULL, &error);
  g_assert_no_error (error);
  REFUSED (gsock_socket_connection_get_connect_report, "connection",
           gsock_socket_connection_get_connect_report ((GsockSocketConnection *) (gpointer) wrong), == NULL);

  REFUSED (gsock_connect_report_copy, "report", gsock_connect_report_copy (NULL), == NULL);
  /* As with g_free(). */
  gsock_connect_report_free (NULL);
  REFUSED (gsock_connect_report_get_error, "report", gsock_connect_report_get_error (NULL), == NULL);
  REFUSED (gsock_connect_report_get_n_attempts, "report", gsock_connect_report_get_n_attempts (NULL), == 0);
  REFUSED (gsock_connect_report_get_attempt_address, "report",
           gsock_connect_report_get_attempt_address (NULL, 0), == NULL);
  REFUSED (gsock_connect_report_get_attempt_begun, "report", gsock_connect_report_get_attempt_begun (NULL, 0), == -1);
  REFUSED (gsock_connect_report_get_attempt_took, "report", gsock_connect_report_get_attempt_took (NULL, 0), == -1);
  REFUSED (gsock_connect_report_get_attempt_error, "report",
           gsock_connect_report_get_attempt_error (NULL, 0), == NULL);
  REFUSED (gsock_connect_report_get_resolve_time, "report", gsock_connect_report_get_resolve_time (NULL), == -1);
  REFUSED (gsock_connect_report_get_connect_time, "report", gsock_connect_report_get_connect_time (NULL), == -1);
  REFUSED (gsock_connect_report_get_proxy_time, "report", gsock_connect_report_get_proxy_time (NULL), == -1);
  REFUSED (gsock_connect_report_get_tls_time, "report", gsock_connect_report_get_tls_time (NULL), == -1);
}

int
main (int    argc,
      char **argv)
{
  int code;

  begin (&argc, &argv);
  wrong = tcp_socket ();
  right = gsock_socket_client_new ();
  somewhere = G_SOCKET_CONNECTABLE (deserted_address ());
  g_test_add_func ("/client-arguments/properties", test_properties);
  g_test_add_func ("/client-arguments/instances", test_instances);
  g_test_add_func ("/client-arguments/where-to", test_where_to);
  g_test_add_func ("/client-arguments/reports", test_reports);
  code = g_test_run ();
  g_object_unref (somewhere);
  g_object_unref (right);
  g_object_unref (wrong);
  return code;
}
