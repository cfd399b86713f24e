/* Every function of the services, called once and more as a C program calls it; classes of C's below them. */

#include "tools.h"

#define SERVICE GSOCK_TYPE_SOCKET_SERVICE
#define THREADED GSOCK_TYPE_THREADED_SOCKET_SERVICE

/* Has the service listen on loopback. */
static GSocketAddress *
listen_on (gpointer  service,
           GObject  *source_object)
{
  GError *error = NULL;
  GInetAddress *loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  GSocketAddress *any = g_inet_socket_address_new (loopback, 0), *address = NULL;

  g_assert_true (gsock_socket_listener_add_address (GSOCK_SOCKET_LISTENER (service), any, G_SOCKET_TYPE_STREAM,
                                                    G_SOCKET_PROTOCOL_DEFAULT, source_object, &address, &error));
  g_assert_no_error (error);
  g_object_unref (any);
  g_object_unref (loopback);
  return address;
}

static GSocket *
client_of (GSocketAddress *address)
{
  GError *error = NULL;
  GSocket *socket = tcp_socket ();

  g_socket_connect (socket, address, NULL, &error);
  g_assert_no_error (error);
  return socket;
}

static void
assert_ended (GSocket *client)
{
  char byte;
  GError *error = NULL;

  g_assert_cmpint (g_socket_receive (client, &byte, 1, NULL, &error), ==, 0);
  g_assert_no_error (error);
}

/* Whatever waits in the context, until nothing does. */
static void
iterate_all (void)
{
  while (g_main_context_iteration (g_main_context_get_thread_default (), FALSE))
    ;
}

/* What is stopped is given up in the next iteration. */
static void
drop_service (gpointer service)
{
  gsock_socket_listener_close (service);
  iterate_all ();
  drop_last (service);
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
test_active (void)
{
  GsockSocketService *service = gsock_socket_service_new (), *other;
  int notified = 0;
  gboolean active = FALSE;

  g_assert_true (G_OBJECT_TYPE (service) == SERVICE);
  g_signal_connect (service, "notify::active", G_CALLBACK (count), &notified);
  g_assert_true (gsock_socket_service_is_active (service));
  gsock_socket_service_start (service);
  g_assert_cmpint (notified, ==, 0);
  gsock_socket_service_stop (service);
  gsock_socket_service_stop (service);
  g_assert_false (gsock_socket_service_is_active (service));
  g_assert_cmpint (notified, ==, 1);
  g_object_get (service, "active", &active, NULL);
  g_assert_false (active);
  gsock_socket_service_start (service);
  g_assert_cmpint (notified, ==, 2);
  /* By its name it is notified each time, as in GIO. */
  g_object_set (service, "active", TRUE, NULL);
  g_assert_cmpint (gsock_socket_service_is_active (service), ==, TRUE);
  g_assert_cmpint (notified, ==, 3);
  gsock_socket_listener_close (GSOCK_SOCKET_LISTENER (service));
  g_assert_false (gsock_socket_service_is_active (service));
  gsock_socket_service_start (service);
  g_assert_false (gsock_socket_service_is_active (service));
  g_assert_cmpint (notified, ==, 4);
  drop_last (service);

  other = g_object_new (SERVICE, "active", FALSE, NULL);
  g_assert_false (gsock_socket_service_is_active (other));
  drop_last (other);
}

typedef struct
{
  GString *calls;
  GObject *source_object;
  GsockSocketConnection *kept;
} Seen;

static gboolean
declines (GsockSocketService    *service,
          GsockSocketConnection *connection,
          GObject               *source_object,
          gpointer               user_data)
{
  Seen *seen = user_data;

  g_assert_true (GSOCK_IS_SOCKET_SERVICE (service));
  g_assert_true (GSOCK_IS_TCP_CONNECTION (connection));
  g_assert_true (source_object == seen->source_object);
  g_string_append_c (seen->calls, 'd');
  return FALSE;
}

static gboolean
handles (GsockSocketService    *service,
         GsockSocketConnection *connection,
         GObject               *source_object,
         gpointer               user_data)
{
  Seen *seen = user_data;

  (void) service;
  (void) source_object;
  write_text (connection, "served");
  g_string_append_c (seen->calls, 'h');
  return TRUE;
}

static gboolean
keeps (GsockSocketService    *service,
       GsockSocketConnection *connection,
       GObject               *source_object,
       gpointer               user_data)
{
  Seen *seen = user_data;

  (void) service;
  (void) source_object;
  g_assert_null (seen->kept);
  seen->kept = g_object_ref (connection);
  return FALSE;
}

static void
test_incoming (void)
{
  GsockSocketService *service = gsock_socket_service_new ();
  GObject *mark = g_object_new (G_TYPE_OBJECT, NULL);
  GSocketAddress *address = listen_on (service, mark);
  Seen seen = { g_string_new (NULL), mark, NULL };
  GSocket *client;
  gulong keeping;

  g_signal_connect (service, "incoming", G_CALLBACK (declines), &seen);
  g_signal_connect (service, "incoming", G_CALLBACK (handles), &seen);
  /* Not called: the one before has said TRUE. */
  g_signal_connect (service, "incoming", G_CALLBACK (declines), &seen);
  client = client_of (address);
  ITERATE_UNTIL (seen.calls->len > 0);
  g_assert_cmpstr (seen.calls->str, ==, "dh");
  /* Nobody keeps it. */
  assert_receives (client, "served");
  assert_ended (client);
  g_object_unref (client);

  keeping = g_signal_connect (service, "incoming", G_CALLBACK (keeps), &seen);
  g_signal_handlers_disconnect_matched (service, G_SIGNAL_MATCH_FUNC, 0, 0, NULL, (gpointer) (GCallback) handles, NULL);
  client = client_of (address);
  ITERATE_UNTIL (seen.kept != NULL);
  g_assert_cmpstr (seen.calls->str, ==, "dhdd");
  write_text (seen.kept, "kept");
  assert_receives (client, "kept");
  drop_last (seen.kept);
  assert_ended (client);
  g_object_unref (client);

  g_signal_handler_disconnect (service, keeping);
  drop_service (service);
  drop_last (mark);
  g_string_free (seen.calls, TRUE);
  g_object_unref (address);
}

static void
test_stop_and_start (void)
{
  GsockSocketService *service = gsock_socket_service_new ();
  GSocketAddress *address = listen_on (service, NULL);
  Seen seen = { g_string_new (NULL), NULL, NULL };
  GSocket *clients[3];

  g_signal_connect (service, "incoming", G_CALLBACK (handles), &seen);
  gsock_socket_service_stop (service);
  for (int i = 0; i < 3; i++)
    clients[i] = client_of (address);
  iterate_all ();
  g_assert_cmpstr (seen.calls->str, ==, "");
  gsock_socket_service_start (service);
  ITERATE_UNTIL (seen.calls->len == 3);
  for (int i = 0; i < 3; i++)
    {
      assert_receives (clients[i], "served");
      g_object_unref (clients[i]);
    }
  drop_service (service);
  g_string_free (seen.calls, TRUE);
  g_object_unref (address);
}

static gpointer
start_it (gpointer service)
{
  gsock_socket_service_start (service);
  return NULL;
}

/* Where it was made is where it accepts, whoever starts it. */
static void
test_context (void)
{
  GMainContext *context = g_main_context_new ();
  GsockSocketService *service;
  GSocketAddress *address;
  Seen seen = { g_string_new (NULL), NULL, NULL };
  GSocket *client;

  g_main_context_push_thread_default (context);
  service = g_object_new (SERVICE, "active", FALSE, NULL);
  g_main_context_pop_thread_default (context);
  address = listen_on (service, NULL);
  g_signal_connect (service, "incoming", G_CALLBACK (handles), &seen);
  g_thread_join (g_thread_new ("start", start_it, service));
  g_assert_true (gsock_socket_service_is_active (service));
  client = client_of (address);
  iterate_all ();
  g_assert_cmpstr (seen.calls->str, ==, "");
  while (seen.calls->len == 0)
    g_main_context_iteration (context, TRUE);
  assert_receives (client, "served");
  g_object_unref (client);
  gsock_socket_listener_close (GSOCK_SOCKET_LISTENER (service));
  while (g_main_context_iteration (context, FALSE))
    ;
  drop_last (service);
  g_main_context_unref (context);
  g_string_free (seen.calls, TRUE);
  g_object_unref (address);
}

static void
keep_error (GsockSocketService *service,
            const GError       *error,
            gpointer            user_data)
{
  GError **kept = user_data;

  g_assert_true (GSOCK_IS_SOCKET_SERVICE (service));
  g_assert_null (*kept);
  *kept = g_error_copy (error);
}

static void
test_error (void)
{
  GError *error = NULL, *kept = NULL;
  GsockSocketService *service = gsock_socket_service_new ();
  GSocketAddress *address = listen_on (service, NULL);
  GSocket *deaf = tcp_socket (), *client;
  Seen seen = { g_string_new (NULL), NULL, NULL };
  gulong handler = g_signal_connect (service, "error", G_CALLBACK (keep_error), &kept);

  g_signal_connect (service, "incoming", G_CALLBACK (handles), &seen);
  /* It does not listen, which is told once. */
  g_assert_true (gsock_socket_listener_add_socket (GSOCK_SOCKET_LISTENER (service), deaf, NULL, &error));
  g_assert_no_error (error);
  ITERATE_UNTIL (kept != NULL);
  g_assert_error (kept, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&kept);
  /* The other one is served, nevertheless. */
  client = client_of (address);
  ITERATE_UNTIL (seen.calls->len == 1);
  assert_receives (client, "served");
  g_object_unref (client);
  g_assert_true (gsock_socket_service_is_active (service));

  /* Where nobody listens to the signal there is a warning. */
  g_signal_handler_disconnect (service, handler);
  gsock_socket_service_stop (service);
  iterate_all ();
  g_test_expect_message ("Gsock", G_LOG_LEVEL_WARNING, "*does not accept*");
  gsock_socket_service_start (service);
  client = client_of (address);
  ITERATE_UNTIL (seen.calls->len == 2);
  MET ();
  g_object_unref (client);
  drop_service (service);
  g_string_free (seen.calls, TRUE);
  g_object_unref (deaf);
  g_object_unref (address);
}

static void
test_drain (void)
{
  GError *error = NULL;
  GsockSocketService *service = gsock_socket_service_new ();
  GSocketAddress *address = listen_on (service, NULL);
  GCancellable *cancelled = g_cancellable_new ();
  GAsyncResult *result = NULL;

  gsock_socket_service_drain_async (service, NULL, keep_result, &result);
  g_assert_null (result);
  g_assert_false (gsock_socket_service_is_active (service));
  ITERATE_UNTIL (result != NULL);
  g_assert_true (gsock_socket_service_drain_finish (service, result, &error));
  g_assert_no_error (error);
  g_assert_false (gsock_socket_service_drain_finish (service, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_clear_object (&result);

  gsock_socket_service_start (service);
  g_cancellable_cancel (cancelled);
  gsock_socket_service_drain_async (service, cancelled, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_false (gsock_socket_service_drain_finish (service, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (gsock_socket_service_is_active (service));
  g_clear_object (&result);
  /* That of another operation. */
  gsock_socket_listener_accept_async (GSOCK_SOCKET_LISTENER (service), cancelled, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_false (gsock_socket_service_drain_finish (service, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_clear_object (&result);
  g_assert_false (gsock_socket_service_drain_finish (service, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  /* A callback is not needed. */
  gsock_socket_service_drain_async (service, NULL, NULL, NULL);
  drop_service (service);
  g_object_unref (cancelled);
  g_object_unref (address);
}

/* ---- A class of one's own -------------------------------------------------------------------------- */

#define OWN_TYPE_SERVICE (own_service_get_type ())
G_DECLARE_FINAL_TYPE (OwnService, own_service, OWN, SERVICE, GsockSocketService)

struct _OwnService
{
  GsockSocketService parent_instance;
  GString *calls;
  GsockSocketConnection *kept;
};

G_DEFINE_TYPE (OwnService, own_service, GSOCK_TYPE_SOCKET_SERVICE)

static gboolean
own_service_incoming (GsockSocketService    *service,
                      GsockSocketConnection *connection,
                      GObject               *source_object)
{
  OwnService *own = OWN_SERVICE (service);

  g_assert_null (source_object);
  g_string_append_c (own->calls, 'i');
  g_set_object (&own->kept, connection);
  /* The parent handles nothing. */
  g_assert_false (GSOCK_SOCKET_SERVICE_CLASS (own_service_parent_class)->incoming (service, connection, source_object));
  return TRUE;
}

static void
own_service_error (GsockSocketService *service,
                   const GError       *error)
{
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_string_append_c (OWN_SERVICE (service)->calls, 'e');
}

static void
own_service_event (GsockSocketListener  *listener,
                   GSocketListenerEvent  event,
                   GSocket              *socket)
{
  g_assert_true (G_IS_SOCKET (socket));
  g_string_append_c (OWN_SERVICE (listener)->calls, '0' + event);
}

static void
own_service_changed (GsockSocketListener *listener)
{
  g_string_append_c (OWN_SERVICE (listener)->calls, 'c');
  /* By this it accepts. */
  GSOCK_SOCKET_LISTENER_CLASS (own_service_parent_class)->changed (listener);
}

static void
own_service_finalize (GObject *object)
{
  g_clear_object (&OWN_SERVICE (object)->kept);
  g_string_free (OWN_SERVICE (object)->calls, TRUE);
  G_OBJECT_CLASS (own_service_parent_class)->finalize (object);
}

static void
own_service_class_init (OwnServiceClass *klass)
{
  GSOCK_SOCKET_SERVICE_CLASS (klass)->incoming = own_service_incoming;
  GSOCK_SOCKET_SERVICE_CLASS (klass)->error = own_service_error;
  GSOCK_SOCKET_LISTENER_CLASS (klass)->event = own_service_event;
  GSOCK_SOCKET_LISTENER_CLASS (klass)->changed = own_service_changed;
  G_OBJECT_CLASS (klass)->finalize = own_service_finalize;
}

static void
own_service_init (OwnService *service)
{
  service->calls = g_string_new (NULL);
}

static void
test_derived (void)
{
  GError *error = NULL;
  OwnService *own = g_object_new (OWN_TYPE_SERVICE, NULL);
  GSocketAddress *address = listen_on (own, NULL);
  GSocket *client, *deaf = tcp_socket ();

  g_assert_cmpstr (own->calls->str, ==, "0123c");
  client = client_of (address);
  ITERATE_UNTIL (own->kept != NULL);
  g_assert_cmpstr (own->calls->str, ==, "0123ci");
  write_text (own->kept, "mine");
  assert_receives (client, "mine");
  /* No warning: the parent's is not called. */
  g_assert_true (gsock_socket_listener_add_socket (GSOCK_SOCKET_LISTENER (own), deaf, NULL, &error));
  g_assert_no_error (error);
  ITERATE_UNTIL (strlen (own->calls->str) == 8);
  g_assert_cmpstr (own->calls->str, ==, "0123cice");
  drop_service (own);
  g_object_unref (client);
  g_object_unref (deaf);
  g_object_unref (address);
}

/* ---- The threaded one ---------------------------------------------------------------------------- */

#define AT_ONCE 3
#define CLIENTS (3 * AT_ONCE)

static GMutex mutex;
static GCond cond;
static int arrived, present, most, ended;
static GThread *main_thread;

/* Says "hello", and waits for the answer and the end. */
static gpointer
talk (gpointer address)
{
  GSocket *client = client_of (address);

  send_all (client, "hello");
  assert_receives (client, "hello, too");
  assert_ended (client);
  g_object_unref (client);
  g_atomic_int_inc (&ended);
  g_main_context_wakeup (NULL);
  return NULL;
}

/* Serves one connection, when as many are there as may be at once. */
static void
serve (GsockSocketConnection *connection)
{
  int mine;

  g_assert_true (g_thread_self () != main_thread);
  /* Its own, and not the program's. */
  g_assert_nonnull (g_main_context_get_thread_default ());
  g_mutex_lock (&mutex);
  mine = arrived++;
  present++;
  most = MAX (most, present);
  g_cond_broadcast (&cond);
  while (arrived < (mine / AT_ONCE + 1) * AT_ONCE)
    g_cond_wait (&cond, &mutex);
  g_mutex_unlock (&mutex);
  assert_reads (connection, "hello");
  write_text (connection, "hello, too");
  g_mutex_lock (&mutex);
  present--;
  g_mutex_unlock (&mutex);
}

static gboolean
connected_run (GsockThreadedSocketService *service,
               GsockSocketConnection      *connection,
               GObject                    *source_object,
               gpointer                    user_data)
{
  g_assert_true (GSOCK_IS_THREADED_SOCKET_SERVICE (service));
  g_assert_true (source_object == user_data);
  serve (connection);
  return TRUE;
}

/* Clients in threads of their own, until all are served and nothing is left. */
static void
assert_serves (GsockSocketService *service,
               GSocketAddress     *address)
{
  GError *error = NULL;
  GThread *threads[CLIENTS];
  GAsyncResult *result = NULL;

  main_thread = g_thread_self ();
  arrived = present = most = ended = 0;
  for (int i = 0; i < CLIENTS; i++)
    threads[i] = g_thread_new ("client", talk, address);
  ITERATE_UNTIL (g_atomic_int_get (&ended) == CLIENTS);
  for (int i = 0; i < CLIENTS; i++)
    g_thread_join (threads[i]);
  g_assert_true (gsock_socket_service_is_active (service));
  gsock_socket_service_drain_async (service, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_true (gsock_socket_service_drain_finish (service, result, &error));
  g_assert_no_error (error);
  g_object_unref (result);
  g_assert_cmpint (arrived, ==, CLIENTS);
  g_assert_cmpint (present, ==, 0);
  g_assert_cmpint (most, ==, AT_ONCE);
}

static void
test_threaded (void)
{
  GsockSocketService *service = gsock_threaded_socket_service_new (AT_ONCE), *unlimited;
  GObject *mark = g_object_new (G_TYPE_OBJECT, NULL);
  GSocketAddress *address = listen_on (service, mark);
  int most_threads = 0;

  g_assert_true (G_OBJECT_TYPE (service) == THREADED);
  g_object_get (service, "max-threads", &most_threads, NULL);
  g_assert_cmpint (most_threads, ==, AT_ONCE);
  unlimited = gsock_threaded_socket_service_new (-1);
  g_object_get (unlimited, "max-threads", &most_threads, NULL);
  g_assert_cmpint (most_threads, ==, -1);
  drop_last (unlimited);

  g_signal_connect (service, "run", G_CALLBACK (connected_run), mark);
  assert_serves (service, address);
  drop_service (service);
  drop_last (mark);
  g_object_unref (address);
}

#define OWN_TYPE_THREADED (own_threaded_get_type ())
G_DECLARE_FINAL_TYPE (OwnThreaded, own_threaded, OWN, THREADED, GsockThreadedSocketService)

struct _OwnThreaded
{
  GsockThreadedSocketService parent_instance;
  int incoming, run;
};

G_DEFINE_TYPE (OwnThreaded, own_threaded, GSOCK_TYPE_THREADED_SOCKET_SERVICE)

static gboolean
own_threaded_incoming (GsockSocketService    *service,
                       GsockSocketConnection *connection,
                       GObject               *source_object)
{
  g_assert_true (g_thread_self () == main_thread);
  OWN_THREADED (service)->incoming++;
  /* It hands it to a thread. */
  return GSOCK_SOCKET_SERVICE_CLASS (own_threaded_parent_class)->incoming (service, connection, source_object);
}

static gboolean
own_threaded_run (GsockThreadedSocketService *service,
                  GsockSocketConnection      *connection,
                  GObject                    *source_object)
{
  g_assert_null (source_object);
  g_atomic_int_inc (&OWN_THREADED (service)->run);
  serve (connection);
  return FALSE;
}

static void
own_threaded_class_init (OwnThreadedClass *klass)
{
  /* The parent has none, as GIO's. */
  g_assert_null (GSOCK_THREADED_SOCKET_SERVICE_CLASS (klass)->run);
  GSOCK_THREADED_SOCKET_SERVICE_CLASS (klass)->run = own_threaded_run;
  GSOCK_SOCKET_SERVICE_CLASS (klass)->incoming = own_threaded_incoming;
}

static void
own_threaded_init (OwnThreaded *service)
{
  (void) service;
}

static gboolean
takes_all (GsockSocketService    *service,
           GsockSocketConnection *connection,
           GObject               *source_object,
           gpointer               user_data)
{
  (void) service;
  (void) source_object;
  (void) user_data;
  write_text (connection, "taken");
  return TRUE;
}

static void
test_threaded_derived (void)
{
  OwnThreaded *own = g_object_new (OWN_TYPE_THREADED, "max-threads", AT_ONCE, NULL);
  GSocketAddress *address = listen_on (own, NULL);
  GSocket *client;

  assert_serves (GSOCK_SOCKET_SERVICE (own), address);
  g_assert_cmpint (own->incoming, ==, CLIENTS);
  g_assert_cmpint (own->run, ==, CLIENTS);
  /* A handler that takes it keeps it from the threads. */
  g_signal_connect (own, "incoming", G_CALLBACK (takes_all), NULL);
  gsock_socket_service_start (GSOCK_SOCKET_SERVICE (own));
  client = client_of (address);
  while (g_socket_condition_check (client, G_IO_IN) == 0)
    g_main_context_iteration (NULL, FALSE);
  assert_receives (client, "taken");
  assert_ended (client);
  g_object_unref (client);
  g_assert_cmpint (own->run, ==, CLIENTS);
  drop_service (own);
  g_object_unref (address);
}

static void
assert_sizes (GType type,
              gsize class_size,
              gsize instance_size)
{
  GTypeQuery query;

  g_type_class_unref (g_type_class_ref (type));
  g_type_query (type, &query);
  g_assert_cmpuint (query.class_size, ==, class_size);
  g_assert_cmpuint (query.instance_size, ==, instance_size);
}

static void
test_sizes (void)
{
  assert_sizes (SERVICE, sizeof (GsockSocketServiceClass), sizeof (GsockSocketService));
  assert_sizes (THREADED, sizeof (GsockThreadedSocketServiceClass), sizeof (GsockThreadedSocketService));
  /* These never change. */
  g_assert_cmpuint (sizeof (GsockSocketService), ==, sizeof (GObject));
  g_assert_cmpuint (sizeof (GsockThreadedSocketService), ==, sizeof (GObject));
  g_assert_cmpuint (sizeof (GsockSocketServiceClass), ==, sizeof (GsockSocketListenerClass) + 12 * sizeof (gpointer));
  g_assert_cmpuint (sizeof (GsockThreadedSocketServiceClass), ==,
                    sizeof (GsockSocketServiceClass) + 11 * sizeof (gpointer));
}

int
main (int    argc,
      char **argv)
{
  begin (&argc, &argv);
  g_test_add_func ("/service-functions/active", test_active);
  g_test_add_func ("/service-functions/incoming", test_incoming);
  g_test_add_func ("/service-functions/stop-and-start", test_stop_and_start);
  g_test_add_func ("/service-functions/context", test_context);
  g_test_add_func ("/service-functions/error", test_error);
  g_test_add_func ("/service-functions/drain", test_drain);
  g_test_add_func ("/service-functions/derived", test_derived);
  g_test_add_func ("/service-functions/threaded", test_threaded);
  g_test_add_func ("/service-functions/threaded/derived", test_threaded_derived);
  g_test_add_func ("/service-functions/sizes", test_sizes);
  return g_test_run ();
}
