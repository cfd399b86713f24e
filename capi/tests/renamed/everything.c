/* A program for GIO, without a word of gsock: it is built as it is, and once more with g_ renamed to gsock_ in
 * what belongs to the classes. Both must print the same. */

#include <gio/gio.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct
{
  GTcpConnection parent_instance;
  int closes;
} Shop;

typedef struct
{
  GTcpConnectionClass parent_class;
} ShopClass;

GType shop_get_type (void);
G_DEFINE_TYPE (Shop, shop, G_TYPE_TCP_CONNECTION)

static gboolean
shop_close (GIOStream    *stream,
            GCancellable *cancellable,
            GError      **error)
{
  ((Shop *) stream)->closes++;
  g_print ("shop closes\n");
  return G_IO_STREAM_CLASS (shop_parent_class)->close_fn (stream, cancellable, error);
}

static void
shop_class_init (ShopClass *klass)
{
  G_IO_STREAM_CLASS (klass)->close_fn = shop_close;
}

static void
shop_init (Shop *shop)
{
  (void) shop;
}

static void
tell (const char *what,
      gboolean    done,
      GError    **error)
{
  g_print ("%s: %s", what, done ? "yes" : "no");
  if (*error != NULL)
    g_print (" (%s %d)", g_quark_to_string ((*error)->domain), (*error)->code);
  g_print ("\n");
  g_clear_error (error);
}

static GSocket *
make_socket (void)
{
  return g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
}

static void
ready (GObject      *source,
       GAsyncResult *result,
       gpointer      user_data)
{
  GError *error = NULL;
  GSocketConnection *connection = G_SOCKET_CONNECTION (source);
  gboolean done = g_socket_connection_connect_finish (connection, result, &error);

  tell ("connect_finish", done, &error);
  *(gboolean *) user_data = TRUE;
}

static void
read_and_write (GSocketConnection *connection,
                GSocket           *peer)
{
  char buffer[16] = { 0 };
  GError *error = NULL;
  GIOStream *stream = G_IO_STREAM (connection);
  GSocketAddress *local = g_socket_connection_get_local_address (connection, &error);
  GSocketAddress *remote;

  tell ("local address", local != NULL, &error);
  remote = g_socket_connection_get_remote_address (connection, &error);
  tell ("remote address", remote != NULL, &error);
  tell ("is inet", G_IS_INET_SOCKET_ADDRESS (local) && G_IS_INET_SOCKET_ADDRESS (remote), &error);
  g_clear_object (&local);
  g_clear_object (&remote);

  tell ("write", g_output_stream_write_all (g_io_stream_get_output_stream (stream), "hello", 5, NULL, NULL, &error),
        &error);
  g_print ("peer gets %d", (int) g_socket_receive (peer, buffer, 5, NULL, &error));
  tell ("", TRUE, &error);
  g_socket_send (peer, "answer", 6, NULL, NULL);
  memset (buffer, 0, sizeof buffer);
  tell ("read", g_input_stream_read_all (g_io_stream_get_input_stream (stream), buffer, 6, NULL, NULL, &error), &error);
  g_print ("read %s\n", buffer);
}

static void
ready_to_send (GObject      *source,
               GAsyncResult *result,
               gpointer      user_data)
{
  GError *error = NULL;
  gboolean done = g_unix_connection_send_credentials_finish (G_UNIX_CONNECTION (source), result, &error);

  tell ("send_credentials_finish", done, &error);
  *(gboolean *) user_data = TRUE;
}

static void
ready_to_receive (GObject      *source,
                  GAsyncResult *result,
                  gpointer      user_data)
{
  GError *error = NULL;
  GCredentials *credentials = g_unix_connection_receive_credentials_finish (G_UNIX_CONNECTION (source), result, &error);

  tell ("receive_credentials_finish", credentials != NULL, &error);
  tell ("it is us", credentials != NULL && g_credentials_get_unix_pid (credentials, NULL) == getpid (), &error);
  g_clear_object (&credentials);
  *(gboolean *) user_data = TRUE;
}

static void
pass_things (void)
{
  GError *error = NULL;
  int pair[2], pipes[2], fd;
  char byte = 0;
  gboolean done = FALSE;
  GSocketConnection *ends[2];
  GUnixConnection *one, *other;
  GCredentials *credentials;
  GCancellable *cancelled = g_cancellable_new ();

  g_cancellable_cancel (cancelled);
  tell ("pair", socketpair (AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe (pipes) == 0, &error);
  for (int i = 0; i < 2; i++)
    {
      GSocket *socket = g_socket_new_from_fd (pair[i], NULL);

      ends[i] = g_socket_connection_factory_create_connection (socket);
      g_object_unref (socket);
    }
  tell ("is Unix", G_IS_UNIX_CONNECTION (ends[0]), &error);
  tell ("exactly", G_OBJECT_TYPE (ends[0]) == G_TYPE_UNIX_CONNECTION, &error);
  one = G_UNIX_CONNECTION (ends[0]);
  other = G_UNIX_CONNECTION (ends[1]);

  tell ("send_fd", g_unix_connection_send_fd (one, pipes[1], NULL, &error), &error);
  fd = g_unix_connection_receive_fd (other, NULL, &error);
  tell ("receive_fd", fd >= 0, &error);
  tell ("another", fd != pipes[1], &error);
  tell ("through", write (fd, "x", 1) == 1 && read (pipes[0], &byte, 1) == 1 && byte == 'x', &error);
  close (fd);
  tell ("send_fd, not open", g_unix_connection_send_fd (one, 1000000, NULL, &error), &error);
  tell ("send_fd, cancelled", g_unix_connection_send_fd (one, pipes[1], cancelled, &error), &error);
  fd = g_unix_connection_receive_fd (other, cancelled, &error);
  tell ("receive_fd, cancelled", fd >= 0, &error);

  tell ("send_credentials", g_unix_connection_send_credentials (one, NULL, &error), &error);
  credentials = g_unix_connection_receive_credentials (other, NULL, &error);
  tell ("receive_credentials", credentials != NULL, &error);
  tell ("it is us", credentials != NULL && g_credentials_get_unix_user (credentials, NULL) == geteuid (), &error);
  g_clear_object (&credentials);
  g_unix_connection_send_credentials_async (one, NULL, ready_to_send, &done);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
  done = FALSE;
  g_unix_connection_receive_credentials_async (other, NULL, ready_to_receive, &done);
  while (!done)
    g_main_context_iteration (NULL, TRUE);

  /* A thread of GIO's may have it for a while yet. */
  g_io_stream_close (G_IO_STREAM (other), NULL, NULL);
  g_object_unref (other);
  tell ("send_fd, peer gone", g_unix_connection_send_fd (one, pipes[1], NULL, &error), &error);
  g_object_unref (one);
  g_object_unref (cancelled);
  close (pipes[0]);
  close (pipes[1]);
}

static void
ready_to_use (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  GError *error = NULL;
  GSocketConnection *made = g_socket_client_connect_finish (G_SOCKET_CLIENT (source), result, &error);

  tell ("client connect_finish", made != NULL, &error);
  g_clear_object (&made);
  *(gboolean *) user_data = TRUE;
}

static void
happening (GSocketClient      *client,
           GSocketClientEvent  event,
           GSocketConnectable *connectable,
           GIOStream          *stream,
           gpointer            user_data)
{
  (void) client;
  (void) connectable;
  (void) user_data;
  g_print ("event %d, %s\n", event, stream == NULL ? "nothing" : G_IS_SOCKET_CONNECTION (stream) ? "a connection" : "other");
}

/* An address where nobody listens. */
static GSocketAddress *
nowhere (void)
{
  GSocket *socket = make_socket ();
  GInetAddress *loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  GSocketAddress *any = g_inet_socket_address_new (loopback, 0), *address;

  g_socket_bind (socket, any, FALSE, NULL);
  address = g_socket_get_local_address (socket, NULL);
  g_object_unref (any);
  g_object_unref (loopback);
  g_object_unref (socket);
  return address;
}

/* What makes connections. */
static void
use_client (GSocketAddress *address,
            GSocketAddress *deserted,
            GCancellable   *cancelled)
{
  GError *error = NULL;
  gboolean done = FALSE, tls = TRUE;
  guint timeout = 0;
  GSocketClient *client = g_socket_client_new ();
  GSocketConnection *made;
  char *host = g_strdup_printf ("127.0.0.1:%u", g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)));
  char *uri = g_strconcat ("some://", host, "/", NULL);

  tell ("is a client", G_IS_SOCKET_CLIENT (client) && G_OBJECT_TYPE (client) == G_TYPE_SOCKET_CLIENT, &error);
  g_signal_connect (client, "event", G_CALLBACK (happening), NULL);
  g_socket_client_set_timeout (client, 5);
  g_socket_client_set_enable_proxy (client, FALSE);
  g_object_get (client, "timeout", &timeout, "tls", &tls, NULL);
  tell ("its timeout", timeout == 5 && g_socket_client_get_timeout (client) == 5, &error);
  tell ("its TLS", tls || g_socket_client_get_tls (client), &error);
  tell ("its family", g_socket_client_get_family (client) == G_SOCKET_FAMILY_INVALID, &error);
  tell ("its type", g_socket_client_get_socket_type (client) == G_SOCKET_TYPE_STREAM, &error);
  tell ("its local address", g_socket_client_get_local_address (client) != NULL, &error);
  for (int way = 0; way < 5; way++)
    {
      switch (way)
        {
        case 0: made = g_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, &error); break;
        case 1: made = g_socket_client_connect_to_host (client, host, 0, NULL, &error); break;
        case 2: made = g_socket_client_connect_to_uri (client, uri, 0, NULL, &error); break;
        case 3: made = g_socket_client_connect (client, G_SOCKET_CONNECTABLE (deserted), NULL, &error); break;
        default: made = g_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), cancelled, &error);
        }
      tell ("client connect", made != NULL, &error);
      if (made != NULL)
        {
          tell ("is TCP", G_IS_TCP_CONNECTION (made), &error);
          tell ("its timeout", g_socket_get_timeout (g_socket_connection_get_socket (made)) == 5, &error);
        }
      g_clear_object (&made);
    }
  g_socket_client_connect_async (client, G_SOCKET_CONNECTABLE (address), NULL, ready_to_use, &done);
  tell ("called back", done, &error);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
  done = FALSE;
  g_socket_client_connect_to_host_async (client, "[", 0, NULL, ready_to_use, &done);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
  g_object_unref (client);
  g_free (host);
  g_free (uri);
}

/* A connection around another stream. */
static void
wrap (GSocketConnection *connection)
{
  GError *error = NULL;
  GSocket *socket = g_socket_connection_get_socket (connection);
  GSocketConnection *wrapper = g_tcp_wrapper_connection_new (G_IO_STREAM (connection), socket);
  GIOStream *base = g_tcp_wrapper_connection_get_base_io_stream (G_TCP_WRAPPER_CONNECTION (wrapper));

  tell ("is a wrapper", G_IS_TCP_WRAPPER_CONNECTION (wrapper), &error);
  tell ("exactly", G_OBJECT_TYPE (wrapper) == G_TYPE_TCP_WRAPPER_CONNECTION, &error);
  tell ("its base", base == G_IO_STREAM (connection), &error);
  tell ("its socket", g_socket_connection_get_socket (wrapper) == socket, &error);
  tell ("its input", g_io_stream_get_input_stream (G_IO_STREAM (wrapper)) == g_io_stream_get_input_stream (base), &error);
  tell ("its output", g_io_stream_get_output_stream (G_IO_STREAM (wrapper)) == g_io_stream_get_output_stream (base),
        &error);
  tell ("connected", g_socket_connection_is_connected (wrapper), &error);
  g_object_unref (wrapper);
  tell ("and without it", !g_io_stream_is_closed (G_IO_STREAM (connection)), &error);
}

/* ---- Accepting ---------------------------------------------------------------------------------- */

typedef struct
{
  GSocketListener parent_instance;
} Door;

typedef struct
{
  GSocketListenerClass parent_class;
} DoorClass;

GType door_get_type (void);
G_DEFINE_TYPE (Door, door, G_TYPE_SOCKET_LISTENER)

static void
door_event (GSocketListener      *listener,
            GSocketListenerEvent  event,
            GSocket              *socket)
{
  g_print ("door event %d %d %d\n", event, G_IS_SOCKET_LISTENER (listener), G_IS_SOCKET (socket));
}

static void
door_changed (GSocketListener *listener)
{
  g_print ("door changed %d\n", G_IS_SOCKET_LISTENER (listener));
}

static void
door_class_init (DoorClass *klass)
{
  G_SOCKET_LISTENER_CLASS (klass)->event = door_event;
  G_SOCKET_LISTENER_CLASS (klass)->changed = door_changed;
}

static void
door_init (Door *door)
{
  (void) door;
}

/* Another one that connects. */
static GSocket *
visitor (GSocketAddress *address)
{
  GError *error = NULL;
  GSocket *socket = make_socket ();

  tell ("visits", g_socket_connect (socket, address, NULL, &error), &error);
  return socket;
}

static void
ready_to_accept (GObject      *source,
                 GAsyncResult *result,
                 gpointer      user_data)
{
  GError *error = NULL;
  GObject *mark = NULL;
  GSocketConnection *connection = g_socket_listener_accept_finish (G_SOCKET_LISTENER (source), result, &mark, &error);

  tell ("accept_finish", connection != NULL, &error);
  tell ("marked", mark != NULL, &error);
  g_clear_object (&connection);
  *(gboolean *) user_data = TRUE;
}

static void
ready_to_accept_socket (GObject      *source,
                        GAsyncResult *result,
                        gpointer      user_data)
{
  GError *error = NULL;
  GSocket *socket = g_socket_listener_accept_socket_finish (G_SOCKET_LISTENER (source), result, NULL, &error);

  tell ("accept_socket_finish", socket != NULL, &error);
  g_clear_object (&socket);
  *(gboolean *) user_data = TRUE;
}

static void
receive_visitors (GSocketAddress *any)
{
  GError *error = NULL;
  gboolean done = FALSE;
  int backlog = 0;
  guint16 port;
  GObject *mark = g_object_new (G_TYPE_OBJECT, NULL), *found = NULL;
  GSocketListener *listener = g_object_new (door_get_type (), NULL), *other = g_socket_listener_new ();
  GSocketAddress *address = NULL;
  GSocket *socket, *peer, *more = make_socket ();
  GSocketConnection *connection;
  GCancellable *cancelled = g_cancellable_new ();

  g_cancellable_cancel (cancelled);
  g_socket_listener_set_backlog (listener, 20);
  g_object_get (listener, "listen-backlog", &backlog, NULL);
  g_print ("backlog %d\n", backlog);
  done = g_socket_listener_add_address (listener, any, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, mark, &address,
                                        &error);
  tell ("add_address", done, &error);
  tell ("a port", g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)) != 0, &error);
  done = g_socket_listener_add_address (other, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL,
                                        &error);
  tell ("add_address, taken", done, &error);
  connection = g_socket_listener_accept (listener, &found, cancelled, &error);
  tell ("accept, cancelled", connection != NULL, &error);

  peer = visitor (address);
  connection = g_socket_listener_accept (listener, &found, NULL, &error);
  tell ("accept", connection != NULL, &error);
  tell ("marked", found == mark, &error);
  tell ("exactly", G_OBJECT_TYPE (connection) == G_TYPE_TCP_CONNECTION, &error);
  read_and_write (connection, peer);
  g_object_unref (connection);
  g_object_unref (peer);
  peer = visitor (address);
  socket = g_socket_listener_accept_socket (listener, NULL, NULL, &error);
  tell ("accept_socket", socket != NULL, &error);
  tell ("blocking", g_socket_get_blocking (socket), &error);
  g_object_unref (socket);
  g_object_unref (peer);
  for (int i = 0; i < 2; i++)
    {
      done = FALSE;
      if (i == 0)
        g_socket_listener_accept_async (listener, NULL, ready_to_accept, &done);
      else
        g_socket_listener_accept_socket_async (listener, NULL, ready_to_accept_socket, &done);
      peer = visitor (address);
      while (!done)
        g_main_context_iteration (NULL, TRUE);
      g_object_unref (peer);
    }

  /* Sockets of others, and ports. */
  g_socket_bind (more, any, TRUE, NULL);
  g_socket_listen (more, NULL);
  tell ("add_socket", g_socket_listener_add_socket (listener, more, NULL, &error), &error);
  port = g_socket_listener_add_any_inet_port (listener, NULL, &error);
  tell ("add_any_inet_port", port != 0, &error);
  tell ("add_inet_port, taken", g_socket_listener_add_inet_port (other, port, NULL, &error), &error);
  connection = g_socket_listener_accept (listener, NULL, cancelled, &error);
  tell ("accept, cancelled", connection != NULL, &error);

  done = FALSE;
  g_socket_listener_accept_async (listener, NULL, ready_to_accept, &done);
  g_socket_listener_close (listener);
  tell ("closed", g_socket_is_closed (more), &error);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
  connection = g_socket_listener_accept (listener, NULL, NULL, &error);
  tell ("accept, closed", connection != NULL, &error);
  tell ("add_socket, closed", g_socket_listener_add_socket (listener, more, NULL, &error), &error);
  tell ("add_inet_port, closed", g_socket_listener_add_inet_port (listener, port, NULL, &error), &error);
  tell ("add_socket, of a closed one", g_socket_listener_add_socket (other, more, NULL, &error), &error);
  g_object_unref (listener);
  g_object_unref (other);
  g_object_unref (more);
  g_object_unref (mark);
  g_object_unref (address);
  g_object_unref (cancelled);
}

typedef struct
{
  GSocketService parent_instance;
  int served;
} Counter;

typedef struct
{
  GSocketServiceClass parent_class;
} CounterClass;

GType counter_get_type (void);
G_DEFINE_TYPE (Counter, counter, G_TYPE_SOCKET_SERVICE)

static gboolean
counter_incoming (GSocketService    *service,
                  GSocketConnection *connection,
                  GObject           *source_object)
{
  g_print ("incoming %d, marked %d\n", ++((Counter *) service)->served, source_object != NULL);
  g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), "served", 6, NULL, NULL, NULL);
  return FALSE;
}

static void
counter_class_init (CounterClass *klass)
{
  G_SOCKET_SERVICE_CLASS (klass)->incoming = counter_incoming;
}

static void
counter_init (Counter *counter)
{
  (void) counter;
}

static gboolean
passes (GSocketService    *service,
        GSocketConnection *connection,
        GObject           *source_object,
        gpointer           user_data)
{
  (void) user_data;
  g_print ("handler %d %d %d\n", G_IS_SOCKET_SERVICE (service), G_IS_TCP_CONNECTION (connection), source_object != NULL);
  return FALSE;
}

static void
print_active (GObject    *service,
              GParamSpec *pspec,
              gpointer    user_data)
{
  (void) user_data;
  g_print ("%s %d\n", g_param_spec_get_name (pspec), g_socket_service_is_active (G_SOCKET_SERVICE (service)));
}

static gboolean
run (GThreadedSocketService *service,
     GSocketConnection      *connection,
     GObject                *source_object,
     gpointer                user_data)
{
  if (G_IS_THREADED_SOCKET_SERVICE (service) && source_object != NULL && g_thread_self () != user_data)
    g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), "served", 6, NULL, NULL, NULL);
  return TRUE;
}

/* Until the visitor is served, and its connection has ended. */
static void
visit (GSocketAddress *address)
{
  GError *error = NULL;
  char buffer[16] = { 0 };
  GSocket *socket = visitor (address);
  gssize n;

  while (g_socket_condition_check (socket, G_IO_IN) == 0)
    g_main_context_iteration (NULL, FALSE);
  n = g_socket_receive (socket, buffer, 6, NULL, &error);
  g_print ("got %d %s\n", (int) n, buffer);
  tell ("end", g_socket_receive (socket, buffer, 1, NULL, &error) == 0, &error);
  g_object_unref (socket);
}

static void
iterate_all (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
serve_visitors (GSocketAddress *any)
{
  GError *error = NULL;
  GObject *mark = g_object_new (G_TYPE_OBJECT, NULL);
  int most = 0;

  for (int i = 0; i < 2; i++)
    {
      GSocketService *service = i == 0 ? g_object_new (counter_get_type (), NULL) : g_threaded_socket_service_new (5);
      GSocketAddress *address = NULL;

      tell ("is a service", G_IS_SOCKET_SERVICE (service) && G_IS_SOCKET_LISTENER (service), &error);
      tell ("threaded", G_OBJECT_TYPE (service) == G_TYPE_THREADED_SOCKET_SERVICE, &error);
      tell ("active", g_socket_service_is_active (service), &error);
      if (i == 0)
        g_signal_connect (service, "incoming", G_CALLBACK (passes), NULL);
      else
        g_signal_connect (service, "run", G_CALLBACK (run), g_thread_self ());
      g_signal_connect (service, "notify::active", G_CALLBACK (print_active), NULL);
      g_socket_listener_add_address (G_SOCKET_LISTENER (service), any, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT,
                                     mark, &address, &error);
      tell ("add_address", address != NULL, &error);
      visit (address);
      visit (address);
      g_socket_service_stop (service);
      iterate_all ();
      g_socket_service_stop (service);
      tell ("active", g_socket_service_is_active (service), &error);
      g_socket_service_start (service);
      visit (address);
      g_socket_service_stop (service);
      iterate_all ();
      if (i == 1)
        {
          g_object_get (service, "max-threads", &most, NULL);
          g_print ("threads %d\n", most);
        }
      g_socket_listener_close (G_SOCKET_LISTENER (service));
      g_object_unref (service);
      g_object_unref (address);
    }
  g_object_unref (mark);
}

int
main (void)
{
  GError *error = NULL;
  gboolean done = FALSE, graceful = FALSE;
  GInetAddress *loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  GSocketAddress *any = g_inet_socket_address_new (loopback, 0), *address, *deserted;
  GSocket *listener = make_socket (), *socket, *peer, *got = NULL;
  GCancellable *cancelled = g_cancellable_new ();
  GSocketConnection *connection;

  alarm (60);
  g_socket_bind (listener, any, TRUE, NULL);
  g_socket_listen (listener, NULL);
  address = g_socket_get_local_address (listener, NULL);
  g_cancellable_cancel (cancelled);

  /* The factory, and the blocking form. */
  socket = make_socket ();
  connection = g_socket_connection_factory_create_connection (socket);
  tell ("is TCP", G_IS_TCP_CONNECTION (connection), &error);
  tell ("exactly", G_OBJECT_TYPE (connection) == G_TYPE_TCP_CONNECTION, &error);
  tell ("same socket", g_socket_connection_get_socket (connection) == socket, &error);
  g_object_get (connection, "socket", &got, NULL);
  tell ("same property", got == socket, &error);
  g_clear_object (&got);
  g_object_unref (socket);
  tell ("connected", g_socket_connection_is_connected (connection), &error);
  done = g_socket_connection_connect (connection, address, cancelled, &error);
  tell ("connect, cancelled", done, &error);
  done = g_socket_connection_connect (connection, address, NULL, &error);
  tell ("connect", done, &error);
  tell ("connected", g_socket_connection_is_connected (connection), &error);
  peer = g_socket_accept (listener, NULL, NULL);
  wrap (connection);
  read_and_write (connection, peer);
  g_socket_close (peer, NULL);
  g_tcp_connection_set_graceful_disconnect (G_TCP_CONNECTION (connection), TRUE);
  tell ("graceful", g_tcp_connection_get_graceful_disconnect (G_TCP_CONNECTION (connection)), &error);
  g_object_get (connection, "graceful-disconnect", &graceful, NULL);
  tell ("graceful", graceful, &error);
  done = g_io_stream_close (G_IO_STREAM (connection), NULL, &error);
  tell ("close", done, &error);
  tell ("connected", g_socket_connection_is_connected (connection), &error);
  done = g_socket_connection_connect (connection, address, NULL, &error);
  tell ("connect, closed", done, &error);
  g_object_unref (connection);
  g_object_unref (peer);

  /* The asynchronous form, and a class of one's own in the factory. */
  tell ("lookup", g_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 77) ==
                    G_TYPE_SOCKET_CONNECTION, &error);
  g_socket_connection_factory_register_type (shop_get_type (), G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 77);
  tell ("lookup", g_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 77) ==
                    shop_get_type (), &error);
  socket = make_socket ();
  connection = g_object_new (shop_get_type (), "socket", socket, NULL);
  g_object_unref (socket);
  done = FALSE;
  g_socket_connection_connect_async (connection, address, NULL, ready, &done);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
  tell ("blocking", g_socket_get_blocking (g_socket_connection_get_socket (connection)), &error);
  peer = g_socket_accept (listener, NULL, NULL);
  read_and_write (connection, peer);
  done = g_io_stream_close (G_IO_STREAM (connection), NULL, &error);
  tell ("close", done, &error);
  g_object_unref (connection);
  g_object_unref (peer);

  deserted = nowhere ();
  use_client (address, deserted, cancelled);
  g_object_unref (deserted);

  /* Nobody listens any more. */
  g_socket_close (listener, NULL);
  socket = make_socket ();
  connection = g_socket_connection_factory_create_connection (socket);
  g_object_unref (socket);
  done = g_socket_connection_connect (connection, address, NULL, &error);
  tell ("connect, refused", done, &error);
  g_object_unref (connection);

  pass_things ();
  receive_visitors (any);
  serve_visitors (any);

  g_object_unref (cancelled);
  g_object_unref (listener);
  g_object_unref (address);
  g_object_unref (any);
  g_object_unref (loopback);
  g_print ("end\n");
  return 0;
}
