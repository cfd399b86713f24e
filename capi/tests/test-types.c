/* The types as C sees them: sizes, slots, enumerations; and a class derived in C. */

#include "tools.h"

/* ---- A class with a struct, a virtual function and private data of its own ---------------------- */

#define MY_TYPE_CONNECTION (my_connection_get_type ())
G_DECLARE_DERIVABLE_TYPE (MyConnection, my_connection, MY, CONNECTION, GsockTcpConnection)

struct _MyConnectionClass
{
  GsockTcpConnectionClass parent_class;
  int (*answer) (MyConnection *connection);
};

typedef struct
{
  char padding[200];
  GInputStream *input;
  int connects, async_connects, finishes, closes;
  char *label;
} MyConnectionPrivate;

G_DEFINE_TYPE_WITH_PRIVATE (MyConnection, my_connection, GSOCK_TYPE_TCP_CONNECTION)

static int finalized;

static MyConnectionPrivate *
priv_of (gpointer connection)
{
  return my_connection_get_instance_private (MY_CONNECTION (connection));
}

static int
my_connection_answer (MyConnection *connection)
{
  (void) connection;
  return 42;
}

static gboolean
my_connection_connect (GsockSocketConnection *connection,
                       GSocketAddress        *address,
                       GCancellable          *cancellable,
                       GError               **error)
{
  priv_of (connection)->connects++;
  return GSOCK_SOCKET_CONNECTION_CLASS (my_connection_parent_class)->connect (connection, address, cancellable, error);
}

static void
my_connection_connect_async (GsockSocketConnection *connection,
                             GSocketAddress        *address,
                             GCancellable          *cancellable,
                             GAsyncReadyCallback    callback,
                             gpointer               user_data)
{
  priv_of (connection)->async_connects++;
  GSOCK_SOCKET_CONNECTION_CLASS (my_connection_parent_class)->connect_async (connection, address, cancellable,
                                                                           callback, user_data);
}

static gboolean
my_connection_connect_finish (GsockSocketConnection *connection,
                              GAsyncResult          *result,
                              GError               **error)
{
  priv_of (connection)->finishes++;
  return GSOCK_SOCKET_CONNECTION_CLASS (my_connection_parent_class)->connect_finish (connection, result, error);
}

static GInputStream *
my_connection_get_input_stream (GIOStream *stream)
{
  MyConnectionPrivate *priv = priv_of (stream);

  /* Once: the caller borrows it. */
  if (priv->input == NULL)
    priv->input = g_buffered_input_stream_new (G_IO_STREAM_CLASS (my_connection_parent_class)->get_input_stream (stream));
  return priv->input;
}

static gboolean
my_connection_close (GIOStream    *stream,
                     GCancellable *cancellable,
                     GError      **error)
{
  priv_of (stream)->closes++;
  return G_IO_STREAM_CLASS (my_connection_parent_class)->close_fn (stream, cancellable, error);
}

static void
my_connection_finalize (GObject *object)
{
  finalized++;
  g_clear_object (&priv_of (object)->input);
  g_free (priv_of (object)->label);
  G_OBJECT_CLASS (my_connection_parent_class)->finalize (object);
}

static void
my_connection_get_property (GObject    *object,
                            guint       id,
                            GValue     *value,
                            GParamSpec *spec)
{
  (void) id;
  (void) spec;
  g_value_set_string (value, priv_of (object)->label);
}

static void
my_connection_set_property (GObject      *object,
                            guint         id,
                            const GValue *value,
                            GParamSpec   *spec)
{
  (void) id;
  (void) spec;
  g_free (priv_of (object)->label);
  priv_of (object)->label = g_value_dup_string (value);
}

static void
my_connection_class_init (MyConnectionClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = my_connection_finalize;
  G_OBJECT_CLASS (klass)->get_property = my_connection_get_property;
  G_OBJECT_CLASS (klass)->set_property = my_connection_set_property;
  g_object_class_install_property (G_OBJECT_CLASS (klass), 1,
                                   g_param_spec_string ("label", NULL, NULL, "new",
                                                        G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS));
  G_IO_STREAM_CLASS (klass)->get_input_stream = my_connection_get_input_stream;
  G_IO_STREAM_CLASS (klass)->close_fn = my_connection_close;
  GSOCK_SOCKET_CONNECTION_CLASS (klass)->connect = my_connection_connect;
  GSOCK_SOCKET_CONNECTION_CLASS (klass)->connect_async = my_connection_connect_async;
  GSOCK_SOCKET_CONNECTION_CLASS (klass)->connect_finish = my_connection_connect_finish;
  klass->answer = my_connection_answer;
}

static void
my_connection_init (MyConnection *connection)
{
  /* Private data is zero, and ours: nothing of the parent's lies in it. */
  memset (priv_of (connection)->padding, 0xff, sizeof priv_of (connection)->padding);
}

/* ---- A class that answers with a task of its own ------------------------------------------------ */

#define TASK_TYPE_CONNECTION (task_connection_get_type ())
G_DECLARE_FINAL_TYPE (TaskConnection, task_connection, TASK, CONNECTION, GsockSocketConnection)

struct _TaskConnection
{
  GsockSocketConnection parent_instance;
  gboolean fails;
};

G_DEFINE_TYPE (TaskConnection, task_connection, GSOCK_TYPE_SOCKET_CONNECTION)

static void
task_connection_connect_async (GsockSocketConnection *connection,
                               GSocketAddress        *address,
                               GCancellable          *cancellable,
                               GAsyncReadyCallback    callback,
                               gpointer               user_data)
{
  GTask *task = g_task_new (connection, cancellable, callback, user_data);

  (void) address;
  if (TASK_CONNECTION (connection)->fails)
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_BUSY, "not today");
  else
    g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

static void
task_connection_class_init (TaskConnectionClass *klass)
{
  GSOCK_SOCKET_CONNECTION_CLASS (klass)->connect_async = task_connection_connect_async;
}

static void
task_connection_init (TaskConnection *connection)
{
  (void) connection;
}

/* ---- Tests -------------------------------------------------------------------------------------- */

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
  assert_sizes (GSOCK_TYPE_SOCKET_CONNECTION, sizeof (GsockSocketConnectionClass), sizeof (GsockSocketConnection));
  assert_sizes (GSOCK_TYPE_TCP_CONNECTION, sizeof (GsockTcpConnectionClass), sizeof (GsockTcpConnection));
  assert_sizes (GSOCK_TYPE_TCP_WRAPPER_CONNECTION, sizeof (GsockTcpWrapperConnectionClass),
                sizeof (GsockTcpWrapperConnection));
  assert_sizes (GSOCK_TYPE_UNIX_CONNECTION, sizeof (GsockUnixConnectionClass), sizeof (GsockUnixConnection));
  /* The instances are their parents', as GIO's are but for a pointer to what is private. */
  g_assert_cmpuint (sizeof (GsockSocketConnection), ==, sizeof (GIOStream));
  g_assert_cmpuint (sizeof (GsockTcpConnection), ==, sizeof (GIOStream));
  g_assert_cmpuint (sizeof (GsockTcpWrapperConnection), ==, sizeof (GIOStream));
  g_assert_cmpuint (sizeof (GsockUnixConnection), ==, sizeof (GIOStream));
  g_assert_cmpuint (sizeof (GsockSocketConnectionClass), ==, sizeof (GIOStreamClass) + 13 * sizeof (gpointer));
  g_assert_cmpuint (sizeof (GsockTcpConnectionClass), ==,
                    sizeof (GsockSocketConnectionClass) + 10 * sizeof (gpointer));
}

static void
assert_slots (GType type)
{
  GsockSocketConnectionClass *klass = g_type_class_ref (type);

  g_assert_nonnull (klass->connect);
  g_assert_nonnull (klass->connect_async);
  g_assert_nonnull (klass->connect_finish);
  for (guint i = 0; i < G_N_ELEMENTS (klass->padding); i++)
    g_assert_null (klass->padding[i]);
  g_assert_true (G_IS_OBJECT_CLASS (klass));
  g_type_class_unref (klass);
}

static void
test_slots (void)
{
  assert_slots (GSOCK_TYPE_SOCKET_CONNECTION);
  assert_slots (GSOCK_TYPE_TCP_CONNECTION);
  assert_slots (GSOCK_TYPE_TCP_WRAPPER_CONNECTION);
  assert_slots (GSOCK_TYPE_UNIX_CONNECTION);
}

static void
test_types (void)
{
  g_assert_cmpstr (g_type_name (GSOCK_TYPE_SOCKET_CONNECTION), ==, "GsockSocketConnection");
  g_assert_cmpstr (g_type_name (GSOCK_TYPE_TCP_CONNECTION), ==, "GsockTcpConnection");
  g_assert_cmpstr (g_type_name (GSOCK_TYPE_UNIX_CONNECTION), ==, "GsockUnixConnection");
  g_assert_true (g_type_parent (GSOCK_TYPE_SOCKET_CONNECTION) == G_TYPE_IO_STREAM);
  g_assert_true (g_type_parent (GSOCK_TYPE_TCP_CONNECTION) == GSOCK_TYPE_SOCKET_CONNECTION);
  g_assert_cmpstr (g_type_name (GSOCK_TYPE_TCP_WRAPPER_CONNECTION), ==, "GsockTcpWrapperConnection");
  g_assert_true (g_type_parent (GSOCK_TYPE_TCP_WRAPPER_CONNECTION) == GSOCK_TYPE_TCP_CONNECTION);
  g_assert_true (g_type_parent (GSOCK_TYPE_UNIX_CONNECTION) == GSOCK_TYPE_SOCKET_CONNECTION);
  g_assert_cmpstr (g_type_name (GSOCK_TYPE_CONNECTION_STATE), ==, "GsockConnectionState");
  g_assert_cmpstr (g_type_name (GSOCK_TYPE_LIVENESS), ==, "GsockLiveness");
}

/* The numbers in the header are the library's. */
static void
assert_values (GType       type,
               const char *first_name,
               ...)
{
  GEnumClass *klass = g_type_class_ref (type);
  const char *name = first_name;
  guint count = 0;
  va_list values;

  va_start (values, first_name);
  while (name != NULL)
    {
      GEnumValue *value = g_enum_get_value (klass, va_arg (values, int));

      g_assert_nonnull (value);
      g_assert_cmpstr (value->value_name, ==, name);
      count++;
      name = va_arg (values, const char *);
    }
  va_end (values);
  g_assert_cmpuint (klass->n_values, ==, count);
  g_type_class_unref (klass);
}

#define VALUE(name) #name, (int) (name)

static void
test_enumerations (void)
{
  assert_values (GSOCK_TYPE_CONNECTION_STATE,
                 VALUE (GSOCK_CONNECTION_STATE_UNCONNECTED),
                 VALUE (GSOCK_CONNECTION_STATE_CONNECTING),
                 VALUE (GSOCK_CONNECTION_STATE_CONNECTED),
                 VALUE (GSOCK_CONNECTION_STATE_DISCONNECTED),
                 VALUE (GSOCK_CONNECTION_STATE_CLOSED),
                 NULL);
  assert_values (GSOCK_TYPE_LIVENESS,
                 VALUE (GSOCK_LIVENESS_OFF),
                 VALUE (GSOCK_LIVENESS_BACKGROUND),
                 VALUE (GSOCK_LIVENESS_INTERACTIVE),
                 NULL);
}

static void
test_autoptr (void)
{
  g_autoptr (GSocket) socket = tcp_socket ();
  g_autoptr (GsockSocketConnection) connection = gsock_socket_connection_factory_create_connection (socket);
  g_autoptr (GsockTcpConnection) tcp = g_object_ref (GSOCK_TCP_CONNECTION (connection));
  g_autoptr (GsockTcpConnectionClass) klass = g_type_class_ref (GSOCK_TYPE_TCP_CONNECTION);
  g_autolist (GsockSocketConnection) list = g_list_append (NULL, g_object_ref (connection));

  g_assert_true (GSOCK_IS_TCP_CONNECTION (tcp));
  g_assert_nonnull (klass);
  g_assert_nonnull (list);
}

static void
test_derived (void)
{
  GError *error = NULL;
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address), *socket = tcp_socket (), *peer;
  GAsyncResult *result = NULL;
  GsockSocketConnection *connection;

  gsock_socket_connection_factory_register_type (MY_TYPE_CONNECTION, G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                                 G_SOCKET_PROTOCOL_DEFAULT);
  g_assert_true (gsock_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                                              G_SOCKET_PROTOCOL_DEFAULT) == MY_TYPE_CONNECTION);
  connection = gsock_socket_connection_factory_create_connection (socket);
  g_assert_true (MY_IS_CONNECTION (connection));
  g_assert_cmpint (MY_CONNECTION_GET_CLASS (connection)->answer (MY_CONNECTION (connection)), ==, 42);

  gsock_socket_connection_connect_async (connection, address, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_true (gsock_socket_connection_connect_finish (connection, result, &error));
  g_assert_no_error (error);
  g_clear_object (&result);
  g_assert_cmpint (priv_of (connection)->async_connects, ==, 1);
  g_assert_cmpint (priv_of (connection)->finishes, ==, 1);
  peer = g_socket_accept (listener, NULL, &error);
  g_assert_no_error (error);

  g_assert_true (G_IS_BUFFERED_INPUT_STREAM (g_io_stream_get_input_stream (G_IO_STREAM (connection))));
  send_all (peer, "through a buffer");
  assert_reads (connection, "through a buffer");

  /* The blocking form calls its own slot, which fails: it is connected. */
  g_assert_false (gsock_socket_connection_connect (connection, address, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_clear_error (&error);
  g_assert_cmpint (priv_of (connection)->connects, ==, 1);

  g_io_stream_close_async (G_IO_STREAM (connection), G_PRIORITY_DEFAULT, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_true (g_io_stream_close_finish (G_IO_STREAM (connection), result, &error));
  g_assert_no_error (error);
  g_clear_object (&result);
  g_assert_cmpint (priv_of (connection)->closes, ==, 1);

  drop_last (connection);
  g_assert_cmpint (finalized, ==, 1);
  gsock_socket_connection_factory_register_type (GSOCK_TYPE_TCP_CONNECTION, G_SOCKET_FAMILY_IPV4,
                                                 G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT);
  g_object_unref (socket);
  g_object_unref (peer);
  g_object_unref (address);
  g_object_unref (listener);
}

/* One that others have made: with its functions and its property. */
static void
assert_is_my_own (GsockSocketConnection *connection)
{
  g_autoptr (GSimpleAction) action = g_simple_action_new ("any", NULL);
  g_autofree char *label = NULL;

  g_assert_true (MY_IS_CONNECTION (connection));
  g_assert_cmpint (MY_CONNECTION_GET_CLASS (connection)->answer (MY_CONNECTION (connection)), ==, 42);
  g_assert_true (G_IS_BUFFERED_INPUT_STREAM (g_io_stream_get_input_stream (G_IO_STREAM (connection))));
  g_object_get (connection, "label", &label, NULL);
  g_assert_cmpstr (label, ==, "new");
  g_object_set (connection, "label", "used", NULL);
  g_assert_cmpstr (priv_of (connection)->label, ==, "used");
  close_stream (connection);
  g_assert_cmpint (priv_of (connection)->closes, ==, 1);
  g_object_unref (connection);
}

static void
test_derived_made_by_others (void)
{
  GError *error = NULL;
  GsockSocketListener *listener = gsock_socket_listener_new ();
  GsockSocketClient *client = gsock_socket_client_new ();
  GSocketAddress *address = NULL, *any_port = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  GAsyncResult *result = NULL;
  GsockSocketConnection *connection;

  gsock_socket_connection_factory_register_type (MY_TYPE_CONNECTION, G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                                 G_SOCKET_PROTOCOL_DEFAULT);
  g_assert_true (gsock_socket_listener_add_address (listener, any_port, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT,
                                                    NULL, &address, &error));
  g_assert_no_error (error);
  finalized = 0;
  connection = gsock_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, &error);
  g_assert_no_error (error);
  assert_is_my_own (connection);
  connection = gsock_socket_listener_accept (listener, NULL, NULL, &error);
  g_assert_no_error (error);
  assert_is_my_own (connection);
  gsock_socket_client_connect_async (client, G_SOCKET_CONNECTABLE (address), NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  connection = gsock_socket_client_connect_finish (client, result, &error);
  g_assert_no_error (error);
  g_clear_object (&result);
  assert_is_my_own (connection);
  gsock_socket_listener_accept_async (listener, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  connection = gsock_socket_listener_accept_finish (listener, result, NULL, &error);
  g_assert_no_error (error);
  g_clear_object (&result);
  assert_is_my_own (connection);
  ITERATE_UNTIL (finalized == 4);
  gsock_socket_connection_factory_register_type (GSOCK_TYPE_TCP_CONNECTION, G_SOCKET_FAMILY_IPV4,
                                                 G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT);
  g_object_unref (any_port);
  g_object_unref (address);
  drop_last (client);
  drop_last (listener);
}

static void
test_derived_with_its_own_task (void)
{
  GError *error = NULL;
  GSocketAddress *address = deserted_address ();
  GSocket *socket = tcp_socket ();
  GAsyncResult *result = NULL;
  TaskConnection *connection = g_object_new (TASK_TYPE_CONNECTION, "socket", socket, NULL);
  GsockSocketConnection *base = GSOCK_SOCKET_CONNECTION (connection);

  gsock_socket_connection_connect_async (base, address, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_true (gsock_socket_connection_connect_finish (base, result, &error));
  g_assert_no_error (error);
  g_assert_false (gsock_socket_connection_connect_finish (base, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_clear_object (&result);

  connection->fails = TRUE;
  gsock_socket_connection_connect_async (base, address, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_false (gsock_socket_connection_connect_finish (base, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_clear_error (&error);
  g_clear_object (&result);
  drop_last (connection);
  g_object_unref (socket);
  g_object_unref (address);
}

int
main (int    argc,
      char **argv)
{
  /* A module of GIO's that asks the system's proxies keeps memory for itself. */
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  begin (&argc, &argv);
  g_test_add_func ("/types/sizes", test_sizes);
  g_test_add_func ("/types/slots", test_slots);
  g_test_add_func ("/types/names", test_types);
  g_test_add_func ("/types/enumerations", test_enumerations);
  g_test_add_func ("/types/autoptr", test_autoptr);
  g_test_add_func ("/types/derived", test_derived);
  g_test_add_func ("/types/derived/made-by-others", test_derived_made_by_others);
  g_test_add_func ("/types/derived/its-own-task", test_derived_with_its_own_task);
  return g_test_run ();
}
