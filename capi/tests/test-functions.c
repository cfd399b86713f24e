/* Every function of the library, called once and more as a C program calls it. */

#include "tools.h"

static void
test_version (void)
{
  g_assert_true (GSOCK_CHECK_VERSION (GSOCK_MAJOR_VERSION, GSOCK_MINOR_VERSION, GSOCK_MICRO_VERSION));
  g_assert_true (GSOCK_CHECK_VERSION (0, 0, 0));
  g_assert_false (GSOCK_CHECK_VERSION (GSOCK_MAJOR_VERSION + 1, 0, 0));
  g_assert_false (GSOCK_CHECK_VERSION (GSOCK_MAJOR_VERSION, GSOCK_MINOR_VERSION + 1, 0));
  g_assert_false (GSOCK_CHECK_VERSION (GSOCK_MAJOR_VERSION, GSOCK_MINOR_VERSION, GSOCK_MICRO_VERSION + 1));
}

static void
test_connect (void)
{
  GError *error = NULL;
  GSocketAddress *address, *remote, *local;
  GSocket *listener = tcp_listener (&address);
  GSocket *socket = tcp_socket ();
  GSocket *peer;
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);

  g_assert_true (gsock_socket_connection_get_socket (connection) == socket);
  g_object_unref (socket);
  g_assert_false (gsock_socket_connection_is_connected (connection));
  g_assert_false (gsock_socket_connection_is_alive (connection));
  g_assert_cmpint (gsock_socket_connection_get_state (connection), ==, GSOCK_CONNECTION_STATE_UNCONNECTED);
  g_assert_null (gsock_socket_connection_get_last_error (connection));
  g_assert_null (gsock_socket_connection_get_remote_address (connection, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED);
  g_clear_error (&error);
  /* The place for an error may be missing. */
  g_assert_null (gsock_socket_connection_get_remote_address (connection, NULL));

  g_assert_true (gsock_socket_connection_connect (connection, address, NULL, &error));
  g_assert_no_error (error);
  peer = g_socket_accept (listener, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (gsock_socket_connection_is_connected (connection));
  g_assert_true (gsock_socket_connection_is_alive (connection));
  g_assert_cmpint (gsock_socket_connection_get_state (connection), ==, GSOCK_CONNECTION_STATE_CONNECTED);

  write_text (connection, "ping");
  assert_receives (peer, "ping");
  send_all (peer, "pong!");
  assert_reads (connection, "pong!");
  g_assert_cmpuint (gsock_socket_connection_get_bytes_written (connection), ==, 4);
  g_assert_cmpuint (gsock_socket_connection_get_bytes_read (connection), ==, 5);

  remote = gsock_socket_connection_get_remote_address (connection, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (remote)), ==,
                    g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)));
  local = gsock_socket_connection_get_local_address (connection, &error);
  g_assert_no_error (error);
  g_assert_true (G_IS_INET_SOCKET_ADDRESS (local));
  drop_last (local);
  drop_last (remote);

  close_stream (connection);
  g_assert_false (gsock_socket_connection_is_connected (connection));
  g_assert_cmpint (gsock_socket_connection_get_state (connection), ==, GSOCK_CONNECTION_STATE_CLOSED);
  drop_last (connection);
  g_object_unref (peer);
  g_object_unref (address);
  g_object_unref (listener);
}

static void
test_connect_refused (void)
{
  GError *error = NULL, *last;
  GSocketAddress *address = deserted_address ();
  GSocket *socket = tcp_socket ();
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);

  g_assert_false (gsock_socket_connection_connect (connection, address, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_clear_error (&error);
  last = gsock_socket_connection_get_last_error (connection);
  g_assert_error (last, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_clear_error (&last);
  g_assert_false (gsock_socket_connection_connect (connection, address, NULL, NULL));
  drop_last (connection);
  g_object_unref (socket);
  g_object_unref (address);
}

static void
test_connect_cancelled (void)
{
  GError *error = NULL;
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address);
  GSocket *socket = tcp_socket ();
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);
  GCancellable *cancellable = g_cancellable_new ();

  g_cancellable_cancel (cancellable);
  g_assert_false (gsock_socket_connection_connect (connection, address, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  drop_last (connection);
  drop_last (cancellable);
  g_object_unref (socket);
  g_object_unref (address);
  g_object_unref (listener);
}

static void
test_connect_async (void)
{
  GError *error = NULL;
  GSocketAddress *address, *deserted = deserted_address ();
  GSocket *listener = tcp_listener (&address);
  GSocket *socket = tcp_socket ();
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);
  GAsyncResult *result = NULL;

  gsock_socket_connection_connect_async (connection, deserted, NULL, keep_result, &result);
  g_assert_null (result);
  ITERATE_UNTIL (result != NULL);
  g_assert_true (g_async_result_get_source_object (result) == G_OBJECT (connection));
  g_object_unref (connection);
  g_assert_true (g_async_result_get_user_data (result) == &result);
  g_assert_false (gsock_socket_connection_connect_finish (connection, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_clear_error (&error);
  /* Once only. */
  g_assert_false (gsock_socket_connection_connect_finish (connection, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  drop_last (g_steal_pointer (&result));

  gsock_socket_connection_connect_async (connection, address, NULL, keep_result, &result);
  g_assert_cmpint (gsock_socket_connection_get_state (connection), !=, GSOCK_CONNECTION_STATE_CLOSED);
  ITERATE_UNTIL (result != NULL);
  g_assert_true (gsock_socket_connection_connect_finish (connection, result, &error));
  g_assert_no_error (error);
  g_assert_false (g_socket_get_blocking (socket));
  drop_last (g_steal_pointer (&result));
  g_assert_true (gsock_socket_connection_is_alive (connection));
  drop_last (connection);

  /* Nobody need listen to the answer. */
  g_object_unref (socket);
  socket = tcp_socket ();
  connection = gsock_socket_connection_factory_create_connection (socket);
  gsock_socket_connection_connect_async (connection, address, NULL, NULL, NULL);
  ITERATE_UNTIL (gsock_socket_connection_is_alive (connection));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  drop_last (connection);
  g_object_unref (socket);
  g_object_unref (address);
  g_object_unref (deserted);
  g_object_unref (listener);
}

static void
test_connect_async_cancelled (void)
{
  GError *error = NULL;
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address);
  GSocket *socket = tcp_socket ();
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);
  GCancellable *cancellable = g_cancellable_new ();
  GAsyncResult *result = NULL;

  g_cancellable_cancel (cancellable);
  gsock_socket_connection_connect_async (connection, address, cancellable, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_false (gsock_socket_connection_connect_finish (connection, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_cmpint (gsock_socket_connection_get_state (connection), ==, GSOCK_CONNECTION_STATE_UNCONNECTED);
  drop_last (g_steal_pointer (&result));
  drop_last (connection);
  drop_last (cancellable);
  g_object_unref (socket);
  g_object_unref (address);
  g_object_unref (listener);
}

static void
test_read_times_out (void)
{
  GError *error = NULL;
  GSocket *ours, *theirs;
  GsockSocketConnection *connection;
  GInputStream *input;
  gchar byte;

  tcp_pair (&ours, &theirs);
  g_socket_set_timeout (ours, 1);
  connection = gsock_socket_connection_factory_create_connection (ours);
  input = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  g_assert_cmpint (g_input_stream_read (input, &byte, 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  /* It is none the worse for it. */
  g_assert_cmpint (g_socket_send (theirs, "x", 1, NULL, &error), ==, 1);
  g_assert_cmpint (g_input_stream_read (input, &byte, 1, NULL, &error), ==, 1);
  g_assert_no_error (error);
  drop_last (connection);
  g_object_unref (ours);
  g_object_unref (theirs);
}

static gboolean
is_connected_state (GBinding     *binding,
                    const GValue *from,
                    GValue       *to,
                    gpointer      user_data)
{
  (void) binding;
  (void) user_data;
  g_value_set_boolean (to, g_value_get_enum (from) == GSOCK_CONNECTION_STATE_CONNECTED);
  return TRUE;
}

static void
note_state (GsockSocketConnection *connection,
            GParamSpec            *property,
            gpointer               user_data)
{
  GString *seen = user_data;

  (void) property;
  g_string_append_printf (seen, "%d", gsock_socket_connection_get_state (connection));
}

static void
test_state_is_bound (void)
{
  GSocket *ours, *theirs;
  GsockSocketConnection *connection;
  GSimpleAction *action = g_simple_action_new ("send", NULL), *other = g_simple_action_new ("other", NULL);
  GString *seen = g_string_new (NULL);

  tcp_pair (&ours, &theirs);
  connection = gsock_socket_connection_factory_create_connection (ours);
  g_object_bind_property_full (connection, "state", action, "enabled", G_BINDING_SYNC_CREATE,
                               is_connected_state, NULL, NULL, NULL);
  g_object_bind_property (connection, "alive", other, "enabled", G_BINDING_SYNC_CREATE);
  g_signal_connect (connection, "notify::state", G_CALLBACK (note_state), seen);
  g_assert_true (g_action_get_enabled (G_ACTION (action)));
  g_assert_true (g_action_get_enabled (G_ACTION (other)));
  /* The peer goes, and nobody reads. */
  g_object_unref (theirs);
  ITERATE_UNTIL (!g_action_get_enabled (G_ACTION (action)));
  g_assert_cmpint (gsock_socket_connection_get_state (connection), ==, GSOCK_CONNECTION_STATE_DISCONNECTED);
  ITERATE_UNTIL (!g_action_get_enabled (G_ACTION (other)));
  close_stream (connection);
  /* Disconnected, then closed. */
  g_assert_cmpstr (seen->str, ==, "34");
  drop_last (connection);
  g_string_free (seen, TRUE);
  g_object_unref (other);
  g_object_unref (action);
  g_object_unref (ours);
}

static void
test_connect_finish_of_something_else (void)
{
  GError *error = NULL;
  GSocket *socket = tcp_socket ();
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);
  GTask *task = g_task_new (socket, NULL, NULL, NULL);

  g_assert_false (gsock_socket_connection_connect_finish (connection, G_ASYNC_RESULT (task), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (gsock_socket_connection_connect_finish (connection, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (gsock_socket_connection_connect_finish (connection, NULL, NULL));
  g_task_return_boolean (task, TRUE);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_object_unref (task);
  drop_last (connection);
  g_object_unref (socket);
}

/* Takes the answer of a receive, or of a send, which is to fail with this code of G_IO_ERROR. */
#define ASSERT_FAILS(finish, connection, result, code) \
  G_STMT_START { \
    GError *failure = NULL; \
    g_assert_cmpint (finish (connection, result, &failure), ==, -1); \
    g_assert_error (failure, G_IO_ERROR, code); \
    g_clear_error (&failure); \
    g_assert_cmpint (finish (connection, result, NULL), ==, -1); \
  } G_STMT_END
#define ASSERT_RECEIVE_FAILS(connection, result, code) \
  ASSERT_FAILS (gsock_socket_connection_receive_finish, connection, result, code)
#define ASSERT_SEND_FAILS(connection, result, code) \
  ASSERT_FAILS (gsock_socket_connection_send_finish, connection, result, code)

static void
iterate_all (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
test_receive_and_send (void)
{
  GError *error = NULL;
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GInputStream *input = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  GAsyncResult *result = NULL, *other = NULL;
  char buffer[16] = "";
  char text[] = "ping";

  gsock_socket_connection_receive_async (connection, buffer, sizeof buffer, G_PRIORITY_DEFAULT, NULL,
                                         keep_result, &result);
  iterate_all ();
  g_assert_null (result);
  g_assert_false (g_input_stream_has_pending (input));

  gsock_socket_connection_send_async (connection, text, 4, G_PRIORITY_DEFAULT, NULL, keep_result, &other);
  g_assert_null (other);
  ITERATE_UNTIL (other != NULL);
  g_assert_cmpint (gsock_socket_connection_send_finish (connection, other, &error), ==, 4);
  g_assert_no_error (error);
  assert_receives (peer, "ping");
  ASSERT_SEND_FAILS (connection, other, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_null (result);

  send_all (peer, "pong!");
  ITERATE_UNTIL (result != NULL);
  g_assert_true (g_async_result_get_source_object (result) == G_OBJECT (connection));
  g_object_unref (connection);
  g_assert_true (g_async_result_get_user_data (result) == &result);
  /* Of another operation, which takes nothing away. */
  ASSERT_SEND_FAILS (connection, result, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_cmpint (gsock_socket_connection_receive_finish (connection, result, &error), ==, 5);
  g_assert_no_error (error);
  g_assert_cmpmem (buffer, 5, "pong!", 5);
  ASSERT_RECEIVE_FAILS (connection, result, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_cmpuint (gsock_socket_connection_get_bytes_read (connection), ==, 5);
  g_assert_cmpuint (gsock_socket_connection_get_bytes_written (connection), ==, 4);
  drop_last (g_steal_pointer (&result));
  drop_last (g_steal_pointer (&other));

  /* Nobody need listen to the answer. */
  send_all (peer, "!");
  gsock_socket_connection_receive_async (connection, buffer, 1, G_PRIORITY_DEFAULT, NULL, NULL, NULL);
  gsock_socket_connection_send_async (connection, text, 1, G_PRIORITY_DEFAULT, NULL, NULL, NULL);
  ITERATE_UNTIL (gsock_socket_connection_get_bytes_read (connection) == 6 &&
                 gsock_socket_connection_get_bytes_written (connection) == 5);
  g_assert_cmpint (buffer[0], ==, '!');
  assert_receives (peer, "p");

  /* The end of what the peer sends. */
  g_object_unref (peer);
  gsock_socket_connection_receive_async (connection, buffer, sizeof buffer, G_PRIORITY_DEFAULT, NULL,
                                         keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_cmpint (gsock_socket_connection_receive_finish (connection, result, &error), ==, 0);
  g_assert_no_error (error);
  drop_last (g_steal_pointer (&result));
  iterate_all ();
  drop_last (connection);
}

/* More than there is room for: some of it is written, and what comes then waits. */
static void
test_send_that_waits (void)
{
  GError *error = NULL;
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GAsyncResult *result = NULL;
  gsize size = 1 << 20, received = 0;
  guint64 sent = 0;
  char *bytes = g_malloc (size), *buffer = g_malloc (size);
  gssize n;

  memset (bytes, 'x', size);
  for (;;)
    {
      gsock_socket_connection_send_async (connection, bytes, size, G_PRIORITY_DEFAULT, NULL, keep_result, &result);
      iterate_all ();
      if (result == NULL)
        break;
      n = gsock_socket_connection_send_finish (connection, result, &error);
      g_assert_no_error (error);
      g_assert_cmpint (n, >, 0);
      sent += n;
      drop_last (g_steal_pointer (&result));
    }
  g_assert_cmpuint (sent, >, 0);
  while (received < sent)
    {
      n = g_socket_receive (peer, buffer, size, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (n, >, 0);
      received += n;
    }
  ITERATE_UNTIL (result != NULL);
  n = gsock_socket_connection_send_finish (connection, result, &error);
  g_assert_no_error (error);
  g_assert_cmpint (n, >, 0);
  g_assert_cmpuint (gsock_socket_connection_get_bytes_written (connection), ==, sent + n);
  drop_last (g_steal_pointer (&result));
  iterate_all ();
  drop_last (connection);
  g_object_unref (peer);
  g_free (bytes);
  g_free (buffer);
}

static void
test_receive_and_send_cancelled (void)
{
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GAsyncResult *received = NULL, *sent = NULL;
  GCancellable *cancellable = g_cancellable_new ();
  char buffer[4] = "";

  /* During. */
  gsock_socket_connection_receive_async (connection, buffer, sizeof buffer, G_PRIORITY_DEFAULT, cancellable,
                                         keep_result, &received);
  iterate_all ();
  g_cancellable_cancel (cancellable);
  ITERATE_UNTIL (received != NULL);
  ASSERT_RECEIVE_FAILS (connection, received, G_IO_ERROR_CANCELLED);
  drop_last (g_steal_pointer (&received));

  /* Before: there is something to read, and room to write. */
  send_all (peer, "left");
  gsock_socket_connection_receive_async (connection, buffer, sizeof buffer, G_PRIORITY_DEFAULT, cancellable,
                                         keep_result, &received);
  gsock_socket_connection_send_async (connection, "none", 4, G_PRIORITY_DEFAULT, cancellable, keep_result, &sent);
  g_assert_null (received);
  g_assert_null (sent);
  ITERATE_UNTIL (received != NULL && sent != NULL);
  ASSERT_RECEIVE_FAILS (connection, received, G_IO_ERROR_CANCELLED);
  ASSERT_SEND_FAILS (connection, sent, G_IO_ERROR_CANCELLED);
  drop_last (g_steal_pointer (&received));
  drop_last (g_steal_pointer (&sent));
  g_assert_cmpint (buffer[0], ==, '\0');

  /* Nothing was moved. */
  assert_reads (connection, "left");
  write_text (connection, "some");
  assert_receives (peer, "some");
  iterate_all ();
  drop_last (connection);
  drop_last (cancellable);
  g_object_unref (peer);
}

static void
test_receive_and_send_closed (void)
{
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GAsyncResult *received = NULL, *sent = NULL;
  GCancellable *cancellable = g_cancellable_new ();
  char buffer[4];

  gsock_socket_connection_receive_async (connection, buffer, sizeof buffer, G_PRIORITY_DEFAULT, NULL,
                                         keep_result, &received);
  iterate_all ();
  close_stream (connection);
  ITERATE_UNTIL (received != NULL);
  ASSERT_RECEIVE_FAILS (connection, received, G_IO_ERROR_CLOSED);
  drop_last (g_steal_pointer (&received));

  /* Said to a cancelled caller too. */
  g_cancellable_cancel (cancellable);
  gsock_socket_connection_receive_async (connection, buffer, sizeof buffer, G_PRIORITY_DEFAULT, cancellable,
                                         keep_result, &received);
  gsock_socket_connection_send_async (connection, "none", 4, G_PRIORITY_DEFAULT, NULL, keep_result, &sent);
  ITERATE_UNTIL (received != NULL && sent != NULL);
  ASSERT_RECEIVE_FAILS (connection, received, G_IO_ERROR_CLOSED);
  ASSERT_SEND_FAILS (connection, sent, G_IO_ERROR_CLOSED);
  drop_last (g_steal_pointer (&received));
  drop_last (g_steal_pointer (&sent));
  drop_last (cancellable);
  iterate_all ();
  drop_last (connection);
  g_object_unref (peer);
}

static void
append_priority (GObject      *source,
                 GAsyncResult *result,
                 gpointer      user_data)
{
  GError *error = NULL;

  g_assert_cmpint (gsock_socket_connection_send_finish (GSOCK_SOCKET_CONNECTION (source), result, &error), ==, 1);
  g_assert_no_error (error);
  g_string_append (user_data, ".");
}

static void
append_low (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_string_append (user_data, "low");
  append_priority (source, result, user_data);
}

static void
append_high (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  g_string_append (user_data, "high");
  append_priority (source, result, user_data);
}

/* Who is more urgent comes first, whoever was asked first. */
static void
test_send_priorities (void)
{
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GString *order = g_string_new (NULL);

  gsock_socket_connection_send_async (connection, "l", 1, G_PRIORITY_LOW, NULL, append_low, order);
  gsock_socket_connection_send_async (connection, "h", 1, G_PRIORITY_HIGH, NULL, append_high, order);
  ITERATE_UNTIL (order->len == strlen ("high.low."));
  g_assert_cmpstr (order->str, ==, "high.low.");
  assert_receives (peer, "hl");
  g_string_free (order, TRUE);
  iterate_all ();
  drop_last (connection);
  g_object_unref (peer);
}

static void
test_receive_and_send_of_nothing (void)
{
  GError *error = NULL;
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GAsyncResult *received = NULL, *sent = NULL;
  char buffer[1];

  gsock_socket_connection_receive_async (connection, NULL, 0, G_PRIORITY_DEFAULT, NULL, keep_result, &received);
  gsock_socket_connection_send_async (connection, NULL, 0, G_PRIORITY_DEFAULT, NULL, keep_result, &sent);
  ITERATE_UNTIL (received != NULL && sent != NULL);
  g_assert_cmpint (gsock_socket_connection_receive_finish (connection, received, &error), ==, 0);
  g_assert_no_error (error);
  g_assert_cmpint (gsock_socket_connection_send_finish (connection, sent, &error), ==, 0);
  g_assert_no_error (error);
  drop_last (g_steal_pointer (&received));
  drop_last (g_steal_pointer (&sent));

  /* And of more than there can be, as GIO's streams answer it. */
  gsock_socket_connection_receive_async (connection, buffer, (gsize) G_MAXSSIZE + 1, G_PRIORITY_DEFAULT, NULL,
                                         keep_result, &received);
  gsock_socket_connection_send_async (connection, buffer, G_MAXSIZE, G_PRIORITY_DEFAULT, NULL, keep_result, &sent);
  g_assert_null (received);
  g_assert_null (sent);
  ITERATE_UNTIL (received != NULL && sent != NULL);
  ASSERT_RECEIVE_FAILS (connection, received, G_IO_ERROR_INVALID_ARGUMENT);
  ASSERT_SEND_FAILS (connection, sent, G_IO_ERROR_INVALID_ARGUMENT);
  drop_last (g_steal_pointer (&received));
  drop_last (g_steal_pointer (&sent));
  iterate_all ();
  drop_last (connection);
  g_object_unref (peer);
}

static void
test_receive_finish_of_something_else (void)
{
  static int tag;
  GSocket *peer, *another_peer;
  GsockSocketConnection *connection = connected (&peer), *another = connected (&another_peer);
  GAsyncResult *result = NULL;
  GTask *task = g_task_new (connection, NULL, NULL, NULL);

  /* Somebody else's task. */
  g_task_set_source_tag (task, &tag);
  ASSERT_RECEIVE_FAILS (connection, G_ASYNC_RESULT (task), G_IO_ERROR_INVALID_ARGUMENT);
  ASSERT_SEND_FAILS (connection, G_ASYNC_RESULT (task), G_IO_ERROR_INVALID_ARGUMENT);
  ASSERT_RECEIVE_FAILS (connection, NULL, G_IO_ERROR_INVALID_ARGUMENT);
  ASSERT_SEND_FAILS (connection, NULL, G_IO_ERROR_INVALID_ARGUMENT);
  g_task_return_boolean (task, TRUE);
  iterate_all ();
  g_object_unref (task);

  /* Another connection's. */
  gsock_socket_connection_send_async (another, "x", 1, G_PRIORITY_DEFAULT, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  ASSERT_SEND_FAILS (connection, result, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_cmpint (gsock_socket_connection_send_finish (another, result, NULL), ==, 1);
  drop_last (g_steal_pointer (&result));

  /* The stream's. */
  g_output_stream_write_async (g_io_stream_get_output_stream (G_IO_STREAM (connection)), "x", 1,
                               G_PRIORITY_DEFAULT, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  ASSERT_SEND_FAILS (connection, result, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_cmpint (g_output_stream_write_finish (g_io_stream_get_output_stream (G_IO_STREAM (connection)),
                                                 result, NULL), ==, 1);
  drop_last (g_steal_pointer (&result));
  iterate_all ();
  drop_last (connection);
  drop_last (another);
  g_object_unref (peer);
  g_object_unref (another_peer);
}

typedef struct {
  GsockSocketConnection *connection;
  GThread *owner;
  char buffer[4];
  int answers;
} Elsewhere;

static void
count_answer (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  Elsewhere *elsewhere = user_data;

  (void) source;
  (void) result;
  g_assert_true (g_thread_self () == elsewhere->owner);
  elsewhere->answers++;
}

static gpointer
receive_and_send_elsewhere (gpointer data)
{
  Elsewhere *elsewhere = data;

  g_assert_false (g_main_context_is_owner (NULL));
  gsock_socket_connection_receive_async (elsewhere->connection, elsewhere->buffer, sizeof elsewhere->buffer,
                                         G_PRIORITY_DEFAULT, NULL, count_answer, elsewhere);
  gsock_socket_connection_send_async (elsewhere->connection, "ping", 4, G_PRIORITY_DEFAULT, NULL,
                                      count_answer, elsewhere);
  return NULL;
}

/* The callbacks are the thread's that runs the context; who asks need not own it. */
static void
test_receive_and_send_elsewhere (void)
{
  GSocket *peer;
  Elsewhere elsewhere = { .connection = connected (&peer), .owner = g_thread_self () };
  GThread *thread;

  g_assert_true (g_main_context_acquire (NULL));
  thread = g_thread_new ("elsewhere", receive_and_send_elsewhere, &elsewhere);
  send_all (peer, "pong");
  ITERATE_UNTIL (elsewhere.answers == 2);
  g_thread_join (thread);
  g_main_context_release (NULL);
  g_assert_cmpmem (elsewhere.buffer, 4, "pong", 4);
  assert_receives (peer, "ping");
  iterate_all ();
  drop_last (elsewhere.connection);
  g_object_unref (peer);
}

static void
count_notify (GObject    *object,
              GParamSpec *pspec,
              gpointer    user_data)
{
  (void) object;
  (void) pspec;
  ++*(int *) user_data;
}

static void
test_set_socket (void)
{
  GError *error = NULL;
  int notified = 0;
  GSocket *first = tcp_socket (), *second = tcp_socket (), *third, *peer, *got = NULL;
  GSocket *borrowed;
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (first);

  borrowed = gsock_socket_connection_get_socket (connection);
  g_object_unref (first);
  g_signal_connect (connection, "notify::socket", G_CALLBACK (count_notify), &notified);
  g_assert_true (gsock_socket_connection_set_socket (connection, second, &error));
  g_assert_no_error (error);
  g_assert_cmpint (notified, ==, 1);
  g_assert_true (gsock_socket_connection_get_socket (connection) == second);
  /* What was borrowed is still there, and closed: nobody holds it.  */
  g_assert_true (G_IS_SOCKET (borrowed));
  g_assert_true (g_socket_is_closed (borrowed));

  tcp_pair (&third, &peer);
  g_object_set (connection, "socket", third, NULL);
  g_object_get (connection, "socket", &got, NULL);
  g_assert_true (got == third);
  g_object_unref (got);
  g_assert_true (gsock_socket_connection_is_alive (connection));

  close_stream (connection);
  g_assert_false (gsock_socket_connection_set_socket (connection, second, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  drop_last (connection);
  g_object_unref (second);
  g_object_unref (third);
  g_object_unref (peer);
}

static void
test_socket_is_bound (void)
{
  GSocket *first = tcp_socket (), *second = tcp_socket ();
  GsockSocketConnection *leading = gsock_socket_connection_factory_create_connection (first);
  GsockSocketConnection *following = gsock_socket_connection_factory_create_connection (second);

  g_object_bind_property (leading, "socket", following, "socket", G_BINDING_SYNC_CREATE);
  g_assert_true (gsock_socket_connection_get_socket (following) == first);
  g_assert_true (gsock_socket_connection_set_socket (leading, second, NULL));
  g_assert_true (gsock_socket_connection_get_socket (following) == second);
  drop_last (following);
  drop_last (leading);
  g_object_unref (first);
  g_object_unref (second);
}

static void
test_factory (void)
{
  GError *error = NULL;
  GSocket *socket = tcp_socket (), *theirs, *ours;
  GsockSocketConnection *connection;
  int fds[2];

  g_assert_true (gsock_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 0) ==
                 GSOCK_TYPE_TCP_CONNECTION);
  g_assert_true (gsock_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV6, G_SOCKET_TYPE_STREAM,
                                                              G_SOCKET_PROTOCOL_TCP) == GSOCK_TYPE_TCP_CONNECTION);
  g_assert_true (gsock_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_DATAGRAM, 0) ==
                 GSOCK_TYPE_SOCKET_CONNECTION);
  g_assert_true (gsock_socket_connection_factory_lookup_type ((GSocketFamily) 12345, (GSocketType) 9, -7) ==
                 GSOCK_TYPE_SOCKET_CONNECTION);
  gsock_socket_connection_factory_register_type (GSOCK_TYPE_SOCKET_CONNECTION, G_SOCKET_FAMILY_IPV4,
                                                 G_SOCKET_TYPE_STREAM, 4321);
  g_assert_true (gsock_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 4321) ==
                 GSOCK_TYPE_SOCKET_CONNECTION);

  connection = gsock_socket_connection_factory_create_connection (socket);
  g_assert_true (G_OBJECT_TYPE (connection) == GSOCK_TYPE_TCP_CONNECTION);
  drop_last (connection);
  g_object_unref (socket);

  tcp_pair (&ours, &theirs);
  connection = gsock_socket_connection_factory_create_connection_from_fd (dup (g_socket_get_fd (ours)), &error);
  g_assert_no_error (error);
  g_object_unref (ours);
  g_assert_true (GSOCK_IS_TCP_CONNECTION (connection));
  g_assert_true (gsock_socket_connection_is_alive (connection));
  write_text (connection, "bare");
  assert_receives (theirs, "bare");
  g_assert_true (G_IS_SOCKET (gsock_socket_connection_get_socket (connection)));
  drop_last (connection);
  g_object_unref (theirs);

  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_null (gsock_socket_connection_factory_create_connection_from_fd (fds[0], &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (gsock_socket_connection_factory_create_connection_from_fd (fds[1], NULL));
}

static void
test_set_home (void)
{
  int notified = 0;
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GMainContext *context = g_main_context_new ();

  g_signal_connect (connection, "notify::state", G_CALLBACK (count_notify), &notified);
  gsock_socket_connection_set_home (connection, context);
  g_socket_close (peer, NULL);
  while (notified == 0)
    g_main_context_iteration (context, TRUE);
  g_assert_cmpint (gsock_socket_connection_get_state (connection), ==, GSOCK_CONNECTION_STATE_DISCONNECTED);
  /* NULL is the global default context. */
  gsock_socket_connection_set_home (connection, NULL);
  close_stream (connection);
  drop_last (connection);
  g_main_context_unref (context);
  g_object_unref (peer);
}

static gint
other_poll (GPollFD *descriptors,
            guint    count,
            gint     milliseconds)
{
  return g_poll (descriptors, count, milliseconds);
}

static void
test_poll_function (void)
{
  GError *error = NULL;
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GInputStream *input = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  GMainContext *context = g_main_context_new ();
  GPollFunc before = g_main_context_get_poll_func (context), ours;
  GAsyncResult *result = NULL;
  char buffer[8];

  g_assert_true (gsock_engine_use_poll_function (context, TRUE, &error));
  g_assert_no_error (error);
  ours = g_main_context_get_poll_func (context);
  g_assert_true (ours != before);
  /* Twice is fine, and so is no place for an error. */
  g_assert_true (gsock_engine_use_poll_function (context, TRUE, NULL));
  g_assert_true (g_main_context_get_poll_func (context) == ours);

  g_main_context_push_thread_default (context);
  g_input_stream_read_async (input, buffer, sizeof buffer, G_PRIORITY_DEFAULT, NULL, keep_result, &result);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_assert_null (result);
  send_all (peer, "four");
  while (result == NULL)
    g_main_context_iteration (context, TRUE);
  g_assert_cmpint (g_input_stream_read_finish (input, result, &error), ==, 4);
  g_assert_no_error (error);
  g_clear_object (&result);
  g_main_context_pop_thread_default (context);

  g_main_context_set_poll_func (context, other_poll);
  g_assert_false (gsock_engine_use_poll_function (context, FALSE, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_clear_error (&error);
  g_assert_true (g_main_context_get_poll_func (context) == other_poll);
  g_assert_true (gsock_engine_use_poll_function (context, TRUE, &error));
  g_assert_true (gsock_engine_use_poll_function (context, FALSE, &error));
  g_assert_no_error (error);
  g_assert_true (g_main_context_get_poll_func (context) == other_poll);

  /* NULL is the global default context. */
  before = g_main_context_get_poll_func (NULL);
  g_assert_true (gsock_engine_use_poll_function (NULL, TRUE, &error));
  g_assert_true (g_main_context_get_poll_func (NULL) != before);
  g_assert_true (gsock_engine_use_poll_function (NULL, FALSE, &error));
  g_assert_no_error (error);
  g_assert_true (g_main_context_get_poll_func (NULL) == before);

  close_stream (connection);
  drop_last (connection);
  g_main_context_unref (context);
  g_object_unref (peer);
}

static void
test_graceful_disconnect (void)
{
  int notified = 0;
  gboolean graceful = FALSE;
  GSocket *peer;
  GsockTcpConnection *connection = GSOCK_TCP_CONNECTION (connected (&peer));

  g_signal_connect (connection, "notify::graceful-disconnect", G_CALLBACK (count_notify), &notified);
  g_assert_false (gsock_tcp_connection_get_graceful_disconnect (connection));
  gsock_tcp_connection_set_graceful_disconnect (connection, TRUE);
  g_assert_true (gsock_tcp_connection_get_graceful_disconnect (connection));
  /* Any number but 0 is TRUE. */
  gsock_tcp_connection_set_graceful_disconnect (connection, 2);
  g_assert_true (gsock_tcp_connection_get_graceful_disconnect (connection) == TRUE);
  g_assert_cmpint (notified, ==, 1);
  g_object_get (connection, "graceful-disconnect", &graceful, NULL);
  g_assert_true (graceful);
  g_socket_close (peer, NULL);
  close_stream (connection);
  drop_last (connection);
  g_object_unref (peer);
}

static void
test_tcp_options (void)
{
  GError *error = NULL;
  gboolean on = FALSE;
  guint idle = 9, interval = 9, count = 9, timeout = 9;
  GSocket *peer;
  GsockTcpConnection *connection = GSOCK_TCP_CONNECTION (connected (&peer));

  g_assert_true (gsock_tcp_connection_set_no_delay (connection, TRUE, &error));
  g_assert_no_error (error);
  g_assert_true (gsock_tcp_connection_get_no_delay (connection, &on, &error));
  g_assert_true (on);

  g_assert_true (gsock_tcp_connection_set_linger_zero (connection, TRUE, &error));
  on = FALSE;
  g_assert_true (gsock_tcp_connection_get_linger_zero (connection, &on, &error));
  g_assert_true (on);
  g_assert_true (gsock_tcp_connection_set_linger_zero (connection, FALSE, NULL));
  g_assert_true (gsock_tcp_connection_get_linger_zero (connection, &on, NULL));
  g_assert_false (on);

  on = TRUE;
  g_assert_true (gsock_tcp_connection_get_keepalive_params (connection, &on, &idle, &interval, &count, &error));
  g_assert_false (on);
  g_assert_cmpuint (idle + interval + count, ==, 0);
  g_assert_true (gsock_tcp_connection_set_keepalive_params (connection, 30, 7, 3, &error));
  g_assert_true (gsock_tcp_connection_get_keepalive_params (connection, &on, &idle, &interval, &count, &error));
  g_assert_true (on);
  g_assert_cmpuint (idle, ==, 30);
  g_assert_cmpuint (interval, ==, 7);
  g_assert_cmpuint (count, ==, 3);
  /* Nobody need want to know. */
  g_assert_true (gsock_tcp_connection_get_keepalive_params (connection, NULL, NULL, NULL, NULL, &error));
  g_assert_true (gsock_tcp_connection_get_no_delay (connection, NULL, &error));
  g_assert_false (gsock_tcp_connection_set_keepalive_params (connection, 0, 7, 3, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);

  g_assert_true (gsock_tcp_connection_set_user_timeout (connection, 4321, &error));
  g_assert_true (gsock_tcp_connection_get_user_timeout (connection, &timeout, &error));
  g_assert_cmpuint (timeout, ==, 4321);
  g_assert_false (gsock_tcp_connection_set_user_timeout (connection, G_MAXUINT, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);

  g_assert_true (gsock_tcp_connection_set_liveness (connection, GSOCK_LIVENESS_INTERACTIVE, &error));
  g_assert_true (gsock_tcp_connection_get_keepalive_params (connection, &on, &idle, NULL, NULL, &error));
  g_assert_true (on);
  g_assert_cmpuint (idle, <, 30);
  g_assert_true (gsock_tcp_connection_set_liveness (connection, GSOCK_LIVENESS_BACKGROUND, &error));
  g_assert_true (gsock_tcp_connection_get_keepalive_params (connection, &on, &idle, NULL, NULL, &error));
  g_assert_true (on);
  g_assert_cmpuint (idle, >, 30);
  g_assert_true (gsock_tcp_connection_set_liveness (connection, GSOCK_LIVENESS_OFF, &error));
  g_assert_true (gsock_tcp_connection_get_keepalive_params (connection, &on, NULL, NULL, NULL, &error));
  g_assert_false (on);
  g_assert_no_error (error);

  close_stream (connection);
  timeout = 9;
  g_assert_false (gsock_tcp_connection_get_user_timeout (connection, &timeout, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  /* Nothing is written where there is no answer. */
  g_assert_cmpuint (timeout, ==, 9);
  drop_last (connection);
  g_object_unref (peer);
}

static void
test_without_a_socket (void)
{
  GError *error = NULL;
  GsockSocketConnection *connection;
  GSocket *socket;

  EXPECT_CRITICAL ("*without a socket*");
  connection = g_object_new (GSOCK_TYPE_SOCKET_CONNECTION, NULL);
  MET ();
  g_assert_true (g_io_stream_is_closed (G_IO_STREAM (connection)));
  g_assert_cmpint (gsock_socket_connection_get_state (connection), ==, GSOCK_CONNECTION_STATE_CLOSED);
  socket = gsock_socket_connection_get_socket (connection);
  g_assert_true (G_IS_SOCKET (socket));
  g_assert_true (gsock_socket_connection_get_socket (connection) == socket);
  g_assert_null (gsock_socket_connection_get_local_address (connection, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED);
  g_clear_error (&error);
  drop_last (connection);
}

static void
wrapper_closed (GObject      *source,
                GAsyncResult *result,
                gpointer      user_data)
{
  GError *error = NULL;

  g_io_stream_close_finish (G_IO_STREAM (source), result, &error);
  g_assert_no_error (error);
  *(gboolean *) user_data = TRUE;
}

static void
wrapper_received (GObject      *source,
                  GAsyncResult *result,
                  gpointer      user_data)
{
  GError *error = NULL;

  *(gssize *) user_data = gsock_socket_connection_receive_finish (GSOCK_SOCKET_CONNECTION (source), result, &error);
  g_assert_no_error (error);
}

static void
wrapper_sent (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  GError *error = NULL;

  *(gssize *) user_data = gsock_socket_connection_send_finish (GSOCK_SOCKET_CONNECTION (source), result, &error);
  g_assert_no_error (error);
}

static void
test_tcp_wrapper (void)
{
  GError *error = NULL;
  GIOStream *property;
  GSocket *peer;
  GsockSocketConnection *inner = connected (&peer);
  GSocket *socket = gsock_socket_connection_get_socket (inner);
  GInputStream *buffered = g_buffered_input_stream_new (g_io_stream_get_input_stream (G_IO_STREAM (inner)));
  GOutputStream *kept = g_buffered_output_stream_new (g_io_stream_get_output_stream (G_IO_STREAM (inner)));
  GIOStream *base = g_simple_io_stream_new (buffered, kept);
  GsockSocketConnection *connection = gsock_tcp_wrapper_connection_new (base, socket);
  char buffer[16] = "";
  gssize count = -1;
  gboolean closed = FALSE;

  g_assert_true (GSOCK_IS_TCP_WRAPPER_CONNECTION (connection));
  g_assert_true (gsock_tcp_wrapper_connection_get_base_io_stream (GSOCK_TCP_WRAPPER_CONNECTION (connection)) == base);
  g_object_get (connection, "base-io-stream", &property, NULL);
  g_assert_true (property == base);
  g_object_unref (property);
  g_assert_true (g_io_stream_get_input_stream (G_IO_STREAM (connection)) == buffered);
  g_assert_true (g_io_stream_get_output_stream (G_IO_STREAM (connection)) == kept);
  g_assert_true (gsock_socket_connection_get_socket (connection) == socket);
  g_assert_true (gsock_socket_connection_is_alive (connection));
  g_assert_false (gsock_socket_connection_set_socket (connection, peer, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);

  /* The direct entry takes what the buffer has. */
  g_assert_cmpint (g_socket_send (peer, "abcdef", 6, NULL, NULL), ==, 6);
  g_assert_cmpint (g_input_stream_read (buffered, buffer, 2, NULL, NULL), ==, 2);
  gsock_socket_connection_receive_async (connection, buffer, 4, G_PRIORITY_DEFAULT, NULL, wrapper_received, &count);
  g_assert_cmpint (count, ==, -1);
  while (count < 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpmem (buffer, count, "cdef", 4);
  count = -1;
  gsock_socket_connection_receive_async (connection, NULL, 0, G_PRIORITY_DEFAULT, NULL, wrapper_received, &count);
  while (count < 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (count, ==, 0);
  count = -1;
  gsock_socket_connection_send_async (connection, "kept back", 9, G_PRIORITY_DEFAULT, NULL, wrapper_sent, &count);
  while (count < 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (count, ==, 9);
  g_assert_cmpint (g_socket_condition_check (peer, G_IO_IN), ==, 0);

  /* F-13: what was kept back goes out. */
  g_io_stream_close_async (G_IO_STREAM (connection), G_PRIORITY_DEFAULT, NULL, wrapper_closed, &closed);
  while (!closed)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (g_io_stream_is_closed (base));
  g_assert_true (g_socket_is_closed (socket));
  g_assert_cmpint (g_socket_receive (peer, buffer, sizeof buffer, NULL, NULL), ==, 9);
  g_assert_cmpmem (buffer, 9, "kept back", 9);
  g_assert_cmpint (g_socket_receive (peer, buffer, sizeof buffer, NULL, NULL), ==, 0);
  g_object_unref (connection);
  g_object_unref (base);
  g_object_unref (buffered);
  g_object_unref (kept);
  g_object_unref (inner);
  g_object_unref (peer);
}

/* GIO's own classes live in the same process, and know nothing of ours. */
static void
test_beside_gio (void)
{
  GSocket *socket = tcp_socket ();
  GSocketConnection *theirs = g_socket_connection_factory_create_connection (socket);

  g_assert_true (G_IS_TCP_CONNECTION (theirs));
  g_assert_false (GSOCK_IS_SOCKET_CONNECTION (theirs));
  g_object_unref (theirs);
  g_object_unref (socket);
}

int
main (int    argc,
      char **argv)
{
  begin (&argc, &argv);
  g_test_add_func ("/functions/version", test_version);
  g_test_add_func ("/functions/connect", test_connect);
  g_test_add_func ("/functions/connect/refused", test_connect_refused);
  g_test_add_func ("/functions/connect/cancelled", test_connect_cancelled);
  g_test_add_func ("/functions/connect_async", test_connect_async);
  g_test_add_func ("/functions/connect_async/cancelled", test_connect_async_cancelled);
  g_test_add_func ("/functions/read/times-out", test_read_times_out);
  g_test_add_func ("/functions/state/is-bound", test_state_is_bound);
  g_test_add_func ("/functions/connect_finish/of-something-else", test_connect_finish_of_something_else);
  g_test_add_func ("/functions/receive_and_send", test_receive_and_send);
  g_test_add_func ("/functions/receive_and_send/cancelled", test_receive_and_send_cancelled);
  g_test_add_func ("/functions/receive_and_send/closed", test_receive_and_send_closed);
  g_test_add_func ("/functions/receive_and_send/of-nothing", test_receive_and_send_of_nothing);
  g_test_add_func ("/functions/receive_and_send/elsewhere", test_receive_and_send_elsewhere);
  g_test_add_func ("/functions/receive_finish/of-something-else", test_receive_finish_of_something_else);
  g_test_add_func ("/functions/send/waits", test_send_that_waits);
  g_test_add_func ("/functions/send/priorities", test_send_priorities);
  g_test_add_func ("/functions/set_socket", test_set_socket);
  g_test_add_func ("/functions/socket/is-bound", test_socket_is_bound);
  g_test_add_func ("/functions/factory", test_factory);
  g_test_add_func ("/functions/set_home", test_set_home);
  g_test_add_func ("/functions/poll_function", test_poll_function);
  g_test_add_func ("/functions/graceful_disconnect", test_graceful_disconnect);
  g_test_add_func ("/functions/tcp-options", test_tcp_options);
  g_test_add_func ("/functions/tcp-wrapper", test_tcp_wrapper);
  g_test_add_func ("/functions/without-a-socket", test_without_a_socket);
  g_test_add_func ("/functions/beside-gio", test_beside_gio);
  return g_test_run ();
}
