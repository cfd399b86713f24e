/* What every connection can do, in C, as the documentation shows it; see operations.c. */

#include <string.h>
#include <sys/socket.h>

#include "shown.h"

/* {GsockSocketConnection} */
static gboolean
say_and_hear (GsockSocketConnection *connection, char *answer, gsize length, GError **error)
{
  GIOStream *stream = G_IO_STREAM (connection);

  /* Reading, writing and closing are those of every #GIOStream. */
  return g_output_stream_write_all (g_io_stream_get_output_stream (stream), "hello", 5, NULL, NULL, error) &&
         g_input_stream_read_all (g_io_stream_get_input_stream (stream), answer, length, NULL, NULL, error) &&
         g_io_stream_close (stream, NULL, error);
}

static void
on_heard (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GBytes **answer = user_data;
  g_autoptr (GError) error = NULL;

  *answer = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result, &error);
  if (*answer == NULL)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
on_said (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) user_data;
  if (!g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, &error))
    g_warning ("%s", error->message);
}

static void
say_and_hear_later (GsockSocketConnection *connection, GBytes **answer)
{
  GIOStream *stream = G_IO_STREAM (connection);

  g_output_stream_write_all_async (g_io_stream_get_output_stream (stream), "hello", 5, G_PRIORITY_DEFAULT, NULL,
                                   on_said, NULL);
  g_input_stream_read_bytes_async (g_io_stream_get_input_stream (stream), 1024, G_PRIORITY_DEFAULT, NULL,
                                   on_heard, answer);
}
/* {} */

/* {GsockSocketConnection:socket gsock_socket_connection_is_connected} */
static gboolean
connect_anew (GsockSocketConnection *connection, GSocketAddress *address, GError **error)
{
  GSocket *old = gsock_socket_connection_get_socket (connection);
  g_autoptr (GSocket) socket = g_socket_new (g_socket_get_family (old), G_SOCKET_TYPE_STREAM,
                                             G_SOCKET_PROTOCOL_DEFAULT, error);

  /* The object stays the same one: what is bound to its properties stays bound. */
  return socket != NULL && gsock_socket_connection_set_socket (connection, socket, error) &&
         gsock_socket_connection_connect (connection, address, NULL, error) &&
         gsock_socket_connection_is_connected (connection);
}
/* {} */

/* {GsockSocketConnection:*-address} */
static char *
who_talks (GsockSocketConnection *connection, GError **error)
{
  /* They are kept after a close. */
  g_autoptr (GSocketAddress) here = gsock_socket_connection_get_local_address (connection, error);
  g_autoptr (GSocketAddress) there = NULL;
  g_autofree char *one = NULL;
  g_autofree char *other = NULL;

  if (here != NULL)
    there = gsock_socket_connection_get_remote_address (connection, error);
  if (there == NULL)
    return NULL;
  one = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (here));
  other = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (there));
  return g_strdup_printf ("%s to %s", one, other);
}
/* {} */

/* {gsock_socket_connection_is_alive gsock_socket_connection_get_last_error gsock_*_get_bytes_*} */
static void
tell_of (GsockSocketConnection *connection)
{
  g_autoptr (GError) error = gsock_socket_connection_get_last_error (connection);

  g_print ("%s: %" G_GUINT64_FORMAT " bytes read, %" G_GUINT64_FORMAT " written, %s\n",
           gsock_socket_connection_is_alive (connection) ? "alive" : "not alive",
           gsock_socket_connection_get_bytes_read (connection), gsock_socket_connection_get_bytes_written (connection),
           error != NULL ? error->message : "no error");
}
/* {} */

/* {GsockSocketConnection:alive :state} */
static gboolean
name_of_state (GBinding *binding, const GValue *state, GValue *text, gpointer user_data)
{
  GEnumClass *names = g_type_class_ref (GSOCK_TYPE_CONNECTION_STATE);

  (void) binding;
  (void) user_data;
  g_value_set_string (text, g_enum_get_value (names, g_value_get_enum (state))->value_nick);
  g_type_class_unref (names);
  return TRUE;
}

static void
show_in (GsockSocketConnection *connection, GObject *view)
{
  /* In GTK: "sensitive" of a button, "label" of a label. */
  g_object_bind_property (connection, "alive", view, "enabled", G_BINDING_SYNC_CREATE);
  g_object_bind_property_full (connection, "state", view, "name", G_BINDING_SYNC_CREATE, name_of_state,
                               NULL, NULL, NULL);
}
/* {} */

/* {gsock_socket_connection_set_home} */
static gpointer
make_elsewhere (gpointer address)
{
  return connected_to (address);
}

static GsockSocketConnection *
made_elsewhere (GSocketAddress *address)
{
  GsockSocketConnection *connection = g_thread_join (g_thread_new ("maker", make_elsewhere, address));

  /* Its notifications come to this thread from now on. */
  gsock_socket_connection_set_home (connection, g_main_context_default ());
  return connection;
}
/* {} */

/* {gsock_socket_connection_send_async gsock_socket_connection_send_finish} */
static void
on_sent (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) user_data;
  /* It may be less than was given. */
  if (gsock_socket_connection_send_finish (GSOCK_SOCKET_CONNECTION (source), result, &error) < 0)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
send_later (GsockSocketConnection *connection, const char *text)
{
  /* The text stays until the callback. */
  gsock_socket_connection_send_async (connection, text, strlen (text), G_PRIORITY_DEFAULT, NULL, on_sent, NULL);
}
/* {} */

/* {gsock_socket_connection_receive_async gsock_socket_connection_receive_finish} */
typedef struct {
  char   bytes[1024];
  gssize length;
} Received;

static void
on_received (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Received *received = user_data;
  g_autoptr (GError) error = NULL;

  /* 0 is the end. */
  received->length = gsock_socket_connection_receive_finish (GSOCK_SOCKET_CONNECTION (source), result, &error);
  if (received->length < 0)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
receive_later (GsockSocketConnection *connection, Received *received)
{
  /* The buffer stays until the callback. */
  gsock_socket_connection_receive_async (connection, received->bytes, sizeof received->bytes, G_PRIORITY_DEFAULT, NULL,
                                         on_received, received);
}
/* {} */

/* {gsock_socket_connection_factory_create_connection_from_fd} */
static GsockSocketConnection *
connection_of (int fd, GError **error)
{
  /* The descriptor is the connection's from now on. */
  return gsock_socket_connection_factory_create_connection_from_fd (fd, error);
}
/* {} */

/* {gsock_socket_connection_factory_register_type gsock_socket_connection_factory_lookup_type} */
typedef struct {
  GsockTcpConnection parent_instance;
  guint              connects;
} OwnConnection;

typedef struct {
  GsockTcpConnectionClass parent_class;
} OwnConnectionClass;

static GType own_connection_get_type (void);
G_DEFINE_TYPE (OwnConnection, own_connection, GSOCK_TYPE_TCP_CONNECTION)

static gboolean
own_connection_connect (GsockSocketConnection *connection, GSocketAddress *address, GCancellable *cancellable,
                        GError **error)
{
  ((OwnConnection *) connection)->connects++;
  return GSOCK_SOCKET_CONNECTION_CLASS (own_connection_parent_class)->connect (connection, address, cancellable, error);
}

static void
own_connection_class_init (OwnConnectionClass *class)
{
  /* A class whose users do not block overrides `connect_async` as well. */
  GSOCK_SOCKET_CONNECTION_CLASS (class)->connect = own_connection_connect;
}

static void
own_connection_init (OwnConnection *connection)
{
  connection->connects = 0;
}

static gboolean
use_own_class (void)
{
  /* From now on the client, the listener and the factory make it for such sockets. */
  gsock_socket_connection_factory_register_type (own_connection_get_type (), G_SOCKET_FAMILY_IPV4,
                                                 G_SOCKET_TYPE_STREAM, 0);
  return gsock_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 0) ==
         own_connection_get_type ();
}
/* {} */

/* {gsock_socket_connection_to_gio gsock_socket_connection_new_from_gio} */
static gboolean
there_and_back (GsockSocketConnection *connection)
{
  /* What GDBus and others want, on the same transport. */
  g_autoptr (GSocketConnection) of_gio = gsock_socket_connection_to_gio (connection);
  g_autoptr (GsockSocketConnection) back = gsock_socket_connection_new_from_gio (of_gio);

  return g_socket_connection_is_connected (of_gio) && back == connection;
}
/* {} */

/* {gsock_socket_connection_beneath} */
static GSocketAddress *
peer_of (GIOStream  *stream,
         GError    **error)
{
  /* Of TLS over a connection, for example, which does not tell. */
  g_autoptr (GsockSocketConnection) connection = gsock_socket_connection_beneath (stream);

  if (connection == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "There is no socket");
      return NULL;
    }
  return gsock_socket_connection_get_remote_address (connection, error);
}
/* {} */

/* {gsock_engine_use_poll_function} */
static gboolean
wait_by_one_call (GError **error)
{
  /* For the global default context; not where a toolkit has a poll function of its own. */
  return gsock_engine_use_poll_function (NULL, TRUE, error);
}
/* {} */

/* {gsock_adopt_gio} */
static GSocketConnection *
with_code_of_gio (GSocketAddress *address, GError **error)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();

  /* GIO's own client makes its connections on this library's transport from now on. */
  if (!gsock_adopt_gio (error))
    return NULL;
  return g_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, error);
}
/* {} */

/* ---- Running them */

typedef struct {
  GObject  parent_instance;
  gboolean enabled;
  char    *name;
} View;

typedef struct {
  GObjectClass parent_class;
} ViewClass;

static GType view_get_type (void);
G_DEFINE_TYPE (View, view, G_TYPE_OBJECT)

static void
view_set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  View *view = (View *) object;

  (void) spec;
  if (id == 1)
    view->enabled = g_value_get_boolean (value);
  else
    {
      g_free (view->name);
      view->name = g_value_dup_string (value);
    }
}

static void
view_finalize (GObject *object)
{
  g_free (((View *) object)->name);
  G_OBJECT_CLASS (view_parent_class)->finalize (object);
}

static void
view_class_init (ViewClass *class)
{
  GObjectClass *of_object = G_OBJECT_CLASS (class);

  of_object->set_property = view_set_property;
  of_object->finalize = view_finalize;
  g_object_class_install_property (
      of_object, 1, g_param_spec_boolean ("enabled", NULL, NULL, FALSE, G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property (
      of_object, 2, g_param_spec_string ("name", NULL, NULL, NULL, G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS));
}

static void
view_init (View *view)
{
  view->name = NULL;
}

static void
write_at (GsockSocketConnection *connection, const char *text)
{
  GError *error = NULL;

  must (g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), text, strlen (text), NULL,
                                   NULL, &error), error);
}

int
main (void)
{
  g_autoptr (GSocketAddress) address = NULL, peer = NULL;
  g_autoptr (GsockSocketListener) listener = loopback_listener (&address);
  g_autoptr (GsockSocketConnection) one = NULL, other = NULL, again = NULL, elsewhere = NULL, own = NULL;
  g_autoptr (GsockSocketConnection) left = NULL, right = NULL;
  g_autoptr (GSocketConnection) of_gio = NULL;
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GBytes) heard = NULL;
  g_autoptr (GObject) view = g_object_new (view_get_type (), NULL);
  g_autofree char *who = NULL;
  Received received;
  GError *error = NULL;
  char answer[5];
  int pair[2];

  loop = g_main_loop_new (NULL, FALSE);
  must (wait_by_one_call (&error), error);
  one = connected_to (address);
  other = accept_one (listener);
  who = who_talks (one, &error);
  must_have (who, error);
  show_in (one, view);
  must (((View *) view)->enabled && g_str_equal (((View *) view)->name, "connected"), NULL);

  write_at (other, "there");
  say_and_hear_later (one, &heard);
  g_main_loop_run (loop);
  must (g_bytes_get_size (heard) == 5, NULL);
  send_later (one, "more");
  g_main_loop_run (loop);
  receive_later (other, &received);
  g_main_loop_run (loop);
  must (received.length == 9, NULL);
  write_at (other, "again");
  must (there_and_back (one), NULL);
  peer = peer_of (G_IO_STREAM (one), &error);
  must_have (peer, error);
  must (say_and_hear (one, answer, 5, &error) && memcmp (answer, "again", 5) == 0, error);
  tell_of (one);
  must (!((View *) view)->enabled && g_str_equal (((View *) view)->name, "closed"), NULL);

  must (connect_anew (other, address, &error), error);
  again = accept_one (listener);
  elsewhere = made_elsewhere (address);
  must (gsock_socket_connection_is_alive (elsewhere), NULL);

  must (use_own_class (), NULL);
  socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);
  must_have (socket, error);
  own = gsock_socket_connection_factory_create_connection (socket);
  must (gsock_socket_connection_connect (own, address, NULL, &error), error);
  must (((OwnConnection *) own)->connects == 1, NULL);

  must (socketpair (AF_UNIX, SOCK_STREAM, 0, pair) == 0, NULL);
  left = connection_of (pair[0], &error);
  must_have (left, error);
  right = connection_of (pair[1], &error);
  must_have (right, error);

  of_gio = with_code_of_gio (address, &error);
  must_have (of_gio, error);
  must (gsock_engine_use_poll_function (NULL, FALSE, &error), error);
  g_main_loop_unref (loop);
  g_print ("ok\n");
  return 0;
}
