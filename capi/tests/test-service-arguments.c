/* Wrong arguments to the functions of the services: one critical message that names the function and the argument, and
 * GIO's fallback. */

#include "arguments.h"

static GSocket *wrong;
static GsockSocketService *right;

/* Without an instance, and with one of another type. */
#define REFUSED_SERVICE(type, function, comparison, ...) \
  G_STMT_START { \
    REFUSED (function, "service", function (NULL __VA_ARGS__), comparison); \
    REFUSED (function, "service", function ((type *) (gpointer) wrong __VA_ARGS__), comparison); \
  } G_STMT_END

#define REFUSED_SERVICE_VOID(function, ...) \
  G_STMT_START { \
    REFUSED_VOID (function, "service", function (NULL __VA_ARGS__)); \
    REFUSED_VOID (function, "service", function ((GsockSocketService *) (gpointer) wrong __VA_ARGS__)); \
  } G_STMT_END

static void
test_service (void)
{
  GError *error = NULL;
  GsockSocketListener *listener = gsock_socket_listener_new ();

  REFUSED_SERVICE_VOID (gsock_socket_service_start);
  REFUSED_SERVICE_VOID (gsock_socket_service_stop);
  REFUSED_SERVICE (GsockSocketService, gsock_socket_service_is_active, == FALSE);
  REFUSED_SERVICE_VOID (gsock_socket_service_drain_async, , NULL, never_called, NULL);
  REFUSED_SERVICE (GsockSocketService, gsock_socket_service_drain_finish, == FALSE, , NULL, &error);
  REFUSED_VOID (gsock_socket_service_drain_async, "cancellable",
                gsock_socket_service_drain_async (right, (GCancellable *) (gpointer) wrong, never_called, NULL));
  /* That was no drain. */
  g_assert_true (gsock_socket_service_is_active (right));
  /* A listener is none. */
  REFUSED_VOID (gsock_socket_service_start, "service",
                gsock_socket_service_start ((GsockSocketService *) (gpointer) listener));
  g_assert_no_error (error);
  g_object_unref (listener);
}

static void
test_threaded (void)
{
  GsockSocketService *service;
  int most_threads = 0;

  EXPECT_CRITICAL ("*max-threads is 0*");
  service = gsock_threaded_socket_service_new (0);
  MET ();
  g_object_get (service, "max-threads", &most_threads, NULL);
  g_assert_cmpint (most_threads, ==, 10);
  drop_last (service);
}

int
main (int    argc,
      char **argv)
{
  int code;

  begin (&argc, &argv);
  wrong = tcp_socket ();
  right = gsock_socket_service_new ();
  g_test_add_func ("/service-arguments/service", test_service);
  g_test_add_func ("/service-arguments/threaded", test_threaded);
  code = g_test_run ();
  g_object_unref (right);
  g_object_unref (wrong);
  return code;
}
