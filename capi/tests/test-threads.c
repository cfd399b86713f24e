/* The library used from several threads at once, as only C may. */

#include "tools.h"

/* Rounds of what happens in one moment only; a valgrind run asks for fewer. */
static int rounds = 2000;

/* ---- Several threads that begin at once --------------------------------------------------------- */

typedef struct
{
  int waiting; /* (atomic) */
} Start;

static void
start_together (Start *start)
{
  g_atomic_int_add (&start->waiting, -1);
  while (g_atomic_int_get (&start->waiting) > 0)
    g_thread_yield ();
}

typedef struct
{
  Start *start;
  GsockSocketConnection *connection;
  gpointer input, output;
} Asker;

static gpointer
ask_for_streams (gpointer data)
{
  Asker *asker = data;

  start_together (asker->start);
  asker->input = g_io_stream_get_input_stream (G_IO_STREAM (asker->connection));
  asker->output = g_io_stream_get_output_stream (G_IO_STREAM (asker->connection));
  return NULL;
}

/* SC-5, with two who ask at once. */
static void
test_two_threads_ask_for_one_stream (void)
{
  GSocket *socket = tcp_socket ();

  for (int round = 0; round < rounds; round++)
    {
      Start start = { 2 };
      GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);
      Asker a = { &start, connection, NULL, NULL }, b = { &start, connection, NULL, NULL };
      GThread *other = g_thread_new ("asker", ask_for_streams, &a);

      ask_for_streams (&b);
      g_thread_join (other);
      g_assert_true (G_IS_INPUT_STREAM (a.input));
      g_assert_true (G_IS_OUTPUT_STREAM (a.output));
      g_assert_true (a.input == b.input);
      g_assert_true (a.output == b.output);
      g_assert_true (a.input == (gpointer) g_io_stream_get_input_stream (G_IO_STREAM (connection)));
      drop_last (connection);
    }
  g_object_unref (socket);
}

static gpointer
ask_many_times (gpointer data)
{
  Asker *asker = data;

  start_together (asker->start);
  asker->input = g_io_stream_get_input_stream (G_IO_STREAM (asker->connection));
  for (int i = 0; i < rounds * 10; i++)
    g_assert_true ((gpointer) g_io_stream_get_input_stream (G_IO_STREAM (asker->connection)) == asker->input);
  return NULL;
}

static void
test_two_threads_ask_again_and_again (void)
{
  Start start = { 2 };
  GSocket *socket = tcp_socket ();
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);
  Asker a = { &start, connection, NULL, NULL }, b = { &start, connection, NULL, NULL };
  GThread *other = g_thread_new ("asker", ask_many_times, &a);

  ask_many_times (&b);
  g_thread_join (other);
  g_assert_true (a.input == b.input);
  drop_last (connection);
  g_object_unref (socket);
}

/* ---- Reading and writing at once ---------------------------------------------------------------- */

#define TOTAL (8 * 1024 * 1024)

static guchar
byte_at (gsize position)
{
  return (guchar) (position * 31 + (position >> 13));
}

/* Sends back what it gets, until the end. */
static gpointer
echo (gpointer data)
{
  GSocket *socket = data;
  static char buffer[64 * 1024];
  gssize got;

  while ((got = g_socket_receive (socket, buffer, sizeof buffer, NULL, NULL)) > 0)
    for (gssize sent = 0; sent < got;)
      {
        gssize n = g_socket_send (socket, buffer + sent, got - sent, NULL, NULL);

        if (n <= 0)
          return NULL;
        sent += n;
      }
  return NULL;
}

static gpointer
write_everything (gpointer data)
{
  GOutputStream *output = g_io_stream_get_output_stream (G_IO_STREAM (data));
  guchar *chunk = g_malloc (48 * 1024);
  GError *error = NULL;

  for (gsize position = 0; position < TOTAL;)
    {
      gsize size = MIN (TOTAL - position, 48 * 1024);

      for (gsize i = 0; i < size; i++)
        chunk[i] = byte_at (position + i);
      g_assert_true (g_output_stream_write_all (output, chunk, size, NULL, NULL, &error));
      g_assert_no_error (error);
      position += size;
    }
  g_free (chunk);
  return NULL;
}

static void
test_one_reads_while_one_writes (void)
{
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GInputStream *input = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  GThread *echoer = g_thread_new ("peer", echo, peer);
  GThread *writer = g_thread_new ("writer", write_everything, connection);
  guchar *chunk = g_malloc (32 * 1024);
  gsize position = 0, wrong = 0;
  GError *error = NULL;

  while (position < TOTAL)
    {
      gssize n = g_input_stream_read (input, chunk, 32 * 1024, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpint (n, >, 0);
      for (gssize i = 0; i < n; i++)
        wrong += chunk[i] != byte_at (position + i);
      position += n;
    }
  g_assert_cmpuint (wrong, ==, 0);
  g_thread_join (writer);
  g_assert_cmpuint (gsock_socket_connection_get_bytes_read (connection), ==, TOTAL);
  g_assert_cmpuint (gsock_socket_connection_get_bytes_written (connection), ==, TOTAL);
  close_stream (connection);
  g_thread_join (echoer);
  drop_last (connection);
  g_object_unref (peer);
  g_free (chunk);
}

/* ---- Waiting, and being woken ------------------------------------------------------------------- */

typedef struct
{
  GsockSocketConnection *connection;
  GCancellable *cancellable;
  GError *error;
  int begun; /* (atomic) */
} Waiter;

static gpointer
read_until_it_fails (gpointer data)
{
  Waiter *waiter = data;
  char buffer[16];
  gssize n;

  g_atomic_int_set (&waiter->begun, 1);
  n = g_input_stream_read (g_io_stream_get_input_stream (G_IO_STREAM (waiter->connection)),
                           buffer, sizeof buffer, waiter->cancellable, &waiter->error);
  g_assert_cmpint (n, ==, -1);
  return NULL;
}

static gpointer
write_until_it_fails (gpointer data)
{
  Waiter *waiter = data;
  GOutputStream *output = g_io_stream_get_output_stream (G_IO_STREAM (waiter->connection));
  static const char zeros[256 * 1024];

  while (g_output_stream_write (output, zeros, sizeof zeros, waiter->cancellable, &waiter->error) >= 0)
    g_atomic_int_set (&waiter->begun, 1);
  return NULL;
}

/* Until both surely wait: the reader has nothing to read, the writer's peer does not read. */
static void
let_them_wait (GsockSocketConnection *connection,
               Waiter                *reader,
               Waiter                *writer)
{
  guint64 before;

  while (!g_atomic_int_get (&reader->begun) || !g_atomic_int_get (&writer->begun))
    g_usleep (1000);
  do
    {
      before = gsock_socket_connection_get_bytes_written (connection);
      g_usleep (50 * 1000);
    }
  while (gsock_socket_connection_get_bytes_written (connection) != before);
}

static void
end_a_reader_and_a_writer (void (*end) (GsockSocketConnection *, GCancellable *),
                           int    code)
{
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GCancellable *cancellable = g_cancellable_new ();
  Waiter reader = { connection, cancellable, NULL, 0 }, writer = { connection, cancellable, NULL, 0 };
  GThread *reads = g_thread_new ("reader", read_until_it_fails, &reader);
  GThread *writes = g_thread_new ("writer", write_until_it_fails, &writer);

  let_them_wait (connection, &reader, &writer);
  end (connection, cancellable);
  g_thread_join (reads);
  g_thread_join (writes);
  g_assert_error (reader.error, G_IO_ERROR, code);
  g_assert_error (writer.error, G_IO_ERROR, code);
  g_clear_error (&reader.error);
  g_clear_error (&writer.error);

  if (code == G_IO_ERROR_CLOSED)
    {
      static char buffer[256 * 1024];
      gssize n;

      /* The peer gets what was written, and then the end or a reset: it does not wait for ever. */
      while ((n = g_socket_receive (peer, buffer, sizeof buffer, NULL, NULL)) > 0)
        ;
      g_assert_cmpint (gsock_socket_connection_get_state (connection), ==, GSOCK_CONNECTION_STATE_CLOSED);
      g_assert_true (g_input_stream_is_closed (g_io_stream_get_input_stream (G_IO_STREAM (connection))));
      g_assert_true (g_output_stream_is_closed (g_io_stream_get_output_stream (G_IO_STREAM (connection))));
    }
  else
    {
      /* Cancelled, and open: the next read gets what comes next. */
      send_all (peer, "still here");
      assert_reads (connection, "still here");
    }
  drop_last (connection);
  drop_last (cancellable);
  g_object_unref (peer);
}

static void
cancel (GsockSocketConnection *connection,
        GCancellable          *cancellable)
{
  (void) connection;
  g_cancellable_cancel (cancellable);
}

static void
close_connection (GsockSocketConnection *connection,
                  GCancellable          *cancellable)
{
  (void) cancellable;
  close_stream (connection);
}

static void
test_cancel_from_a_third_thread (void)
{
  end_a_reader_and_a_writer (cancel, G_IO_ERROR_CANCELLED);
}

/* F-19. */
static void
test_close_from_a_third_thread (void)
{
  end_a_reader_and_a_writer (close_connection, G_IO_ERROR_CLOSED);
}

/* F-19: a waiter in a blocking read, many times, closed at any moment of its way in. */
static void
test_close_wakes_a_blocking_read (void)
{
  for (int round = 0; round < rounds / 10; round++)
    {
      GSocket *peer;
      GsockSocketConnection *connection = connected (&peer);
      Waiter reader = { connection, NULL, NULL, 0 };
      GThread *reads;

      /* The stream exists: which of the two is first there is another test's concern. */
      g_io_stream_get_input_stream (G_IO_STREAM (connection));
      reads = g_thread_new ("reader", read_until_it_fails, &reader);
      while (!g_atomic_int_get (&reader.begun))
        g_thread_yield ();
      if (round % 4 != 0)
        g_usleep (round % 4 * 50);
      close_stream (connection);
      g_thread_join (reads);
      g_assert_error (reader.error, G_IO_ERROR, G_IO_ERROR_CLOSED);
      g_clear_error (&reader.error);
      drop_last (connection);
      g_object_unref (peer);
    }
}

/* ---- The same, asynchronously: a thread with a context of its own ------------------------------- */

typedef struct
{
  GsockSocketConnection *connection;
  GSocketAddress *address; /* to connect to, or NULL to read */
  GCancellable *cancellable;
  GThread *called_back_on;
  GError *error;
  gboolean done;
  int begun; /* (atomic) */
} Operation;

static void
operation_ends (GObject      *source,
                GAsyncResult *result,
                gpointer      user_data)
{
  Operation *operation = user_data;

  if (operation->address != NULL)
    g_assert_false (gsock_socket_connection_connect_finish (operation->connection, result, &operation->error));
  else
    g_assert_cmpint (g_input_stream_read_finish (G_INPUT_STREAM (source), result, &operation->error), ==, -1);
  operation->called_back_on = g_thread_self ();
  operation->done = TRUE;
}

static gpointer
operate_until_it_fails (gpointer data)
{
  Operation *operation = data;
  GMainContext *context = g_main_context_new ();
  char buffer[16];

  g_main_context_push_thread_default (context);
  if (operation->address != NULL)
    gsock_socket_connection_connect_async (operation->connection, operation->address, operation->cancellable,
                                           operation_ends, operation);
  else
    g_input_stream_read_async (g_io_stream_get_input_stream (G_IO_STREAM (operation->connection)),
                               buffer, sizeof buffer, G_PRIORITY_DEFAULT, operation->cancellable,
                               operation_ends, operation);
  g_atomic_int_set (&operation->begun, 1);
  while (!operation->done)
    g_main_context_iteration (context, TRUE);
  g_main_context_pop_thread_default (context);
  g_main_context_unref (context);
  return NULL;
}

static gpointer
connect_until_it_fails (gpointer data)
{
  Operation *operation = data;

  g_atomic_int_set (&operation->begun, 1);
  g_assert_false (gsock_socket_connection_connect (operation->connection, operation->address,
                                                   operation->cancellable, &operation->error));
  operation->called_back_on = g_thread_self ();
  return NULL;
}

static void
end_an_operation (GsockSocketConnection *connection,
                  GSocketAddress        *address,
                  GThreadFunc            operate,
                  gboolean               closes,
                  guint                  after)
{
  Operation operation = { connection, address, g_cancellable_new (), NULL, NULL, FALSE, 0 };
  GThread *thread = g_thread_new ("operator", operate, &operation);

  while (!g_atomic_int_get (&operation.begun))
    g_thread_yield ();
  g_usleep (after);
  if (closes)
    close_stream (connection);
  else
    g_cancellable_cancel (operation.cancellable);
  g_thread_join (thread);
  g_assert_true (operation.called_back_on == thread);
  g_assert_error (operation.error, G_IO_ERROR, (closes ? G_IO_ERROR_CLOSED : G_IO_ERROR_CANCELLED));
  g_clear_error (&operation.error);
  drop_last (operation.cancellable);
}

static void
test_an_asynchronous_read_is_ended_by_another_thread (void)
{
  for (int round = 0; round < rounds / 40; round++)
    {
      GSocket *peer;
      GsockSocketConnection *connection = connected (&peer);

      end_an_operation (connection, NULL, operate_until_it_fails, FALSE, round % 4 * 100);
      /* Cancelled, and open: nothing that comes next is lost. */
      send_all (peer, "still here");
      assert_reads (connection, "still here");
      end_an_operation (connection, NULL, operate_until_it_fails, TRUE, round % 4 * 100);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      drop_last (connection);
      g_object_unref (peer);
    }
}

/* A listener whose queue is full: a connect to it stays on the way. */
typedef struct
{
  GSocket *listener;
  GSocketAddress *address;
  GSocket *queue[8];
} Deaf;

static void
deaf_init (Deaf *deaf)
{
  GInetAddress *loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  GSocketAddress *any = g_inet_socket_address_new (loopback, 0);

  deaf->listener = tcp_socket ();
  g_assert_true (g_socket_bind (deaf->listener, any, TRUE, NULL));
  g_socket_set_listen_backlog (deaf->listener, 0);
  g_assert_true (g_socket_listen (deaf->listener, NULL));
  deaf->address = g_socket_get_local_address (deaf->listener, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (deaf->queue); i++)
    {
      deaf->queue[i] = tcp_socket ();
      g_socket_set_blocking (deaf->queue[i], FALSE);
      g_socket_connect (deaf->queue[i], deaf->address, NULL, NULL);
    }
  g_object_unref (any);
  g_object_unref (loopback);
}

static void
deaf_clear (Deaf *deaf)
{
  for (guint i = 0; i < G_N_ELEMENTS (deaf->queue); i++)
    g_object_unref (deaf->queue[i]);
  g_object_unref (deaf->address);
  g_object_unref (deaf->listener);
}

static void
test_a_connect_is_ended_by_another_thread (void)
{
  const GThreadFunc forms[] = { connect_until_it_fails, operate_until_it_fails };
  Deaf deaf;

  deaf_init (&deaf);
  for (guint form = 0; form < G_N_ELEMENTS (forms); form++)
    for (int round = 0; round < 4; round++)
      {
        GSocket *socket = tcp_socket ();
        GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);

        end_an_operation (connection, deaf.address, forms[form], FALSE, 2000 * round);
        g_assert_false (gsock_socket_connection_is_connected (connection));
        g_assert_cmpint (gsock_socket_connection_get_state (connection), ==, GSOCK_CONNECTION_STATE_UNCONNECTED);
        end_an_operation (connection, deaf.address, forms[form], TRUE, 2000 * round);
        while (g_main_context_iteration (NULL, FALSE))
          ;
        drop_last (connection);
        g_object_unref (socket);
      }
  deaf_clear (&deaf);
}

/* ---- Asynchronous connects of threads without a context of their own ---------------------------- */

typedef struct
{
  GsockSocketConnection *connection;
  GSocketAddress *address;
  GThread *called_back_on;
  gboolean done;
} Connecting;

static void
called_back (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  Connecting *connecting = user_data;
  GError *error = NULL;

  g_assert_true (source == (gpointer) connecting->connection);
  g_assert_true (gsock_socket_connection_connect_finish (connecting->connection, result, &error));
  g_assert_no_error (error);
  connecting->called_back_on = g_thread_self ();
  connecting->done = TRUE;
}

static gpointer
start_to_connect (gpointer data)
{
  Connecting *connecting = data;

  gsock_socket_connection_connect_async (connecting->connection, connecting->address, NULL,
                                         called_back, connecting);
  return NULL;
}

/* The context of a thread without one is the global default context, which the main thread owns. */
static void
test_connect_async_where_another_thread_owns_the_context (void)
{
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address);

  for (int owned = 0; owned < 2; owned++)
    {
      GSocket *socket = tcp_socket ();
      GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);
      Connecting connecting = { connection, address, NULL, FALSE };
      GThread *starter;

      if (owned)
        g_assert_true (g_main_context_acquire (NULL));
      starter = g_thread_new ("starter", start_to_connect, &connecting);
      g_thread_join (starter);
      g_assert_false (connecting.done);
      while (!connecting.done)
        g_main_context_iteration (NULL, TRUE);
      if (owned)
        g_main_context_release (NULL);
      g_assert_true (connecting.called_back_on == g_thread_self ());
      g_assert_true (gsock_socket_connection_is_alive (connection));
      close_stream (connection);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      drop_last (connection);
      g_object_unref (socket);
    }
  g_object_unref (address);
  g_object_unref (listener);
}

static gpointer
connect_with_a_context_of_ones_own (gpointer data)
{
  Connecting *connecting = data;
  GMainContext *context = g_main_context_new ();

  g_main_context_push_thread_default (context);
  start_to_connect (connecting);
  while (!connecting->done)
    g_main_context_iteration (context, TRUE);
  g_main_context_pop_thread_default (context);
  g_main_context_unref (context);
  return NULL;
}

static void
test_connect_async_on_a_foreign_object (void)
{
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address), *socket = tcp_socket ();
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (socket);
  Connecting connecting = { connection, address, NULL, FALSE };
  GThread *starter = g_thread_new ("starter", connect_with_a_context_of_ones_own, &connecting);

  g_thread_join (starter);
  g_assert_true (connecting.called_back_on == starter);
  g_assert_true (gsock_socket_connection_is_alive (connection));
  close_stream (connection);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  drop_last (connection);
  g_object_unref (socket);
  g_object_unref (address);
  g_object_unref (listener);
}

/* ---- Everything at once ------------------------------------------------------------------------- */

typedef struct
{
  Start *start;
  GsockSocketConnection *connection;
  int *stop; /* (atomic) */
} Looker;

static gpointer
look_at_everything (gpointer data)
{
  Looker *looker = data;
  GsockSocketConnection *connection = looker->connection;

  start_together (looker->start);
  do
    {
      GSocket *socket = gsock_socket_connection_get_socket (connection), *got = NULL;
      GSocketAddress *address;
      GError *error;

      /* Borrowed, while another thread may move the connection on. */
      g_assert_true (G_IS_SOCKET (socket));
      g_socket_get_fd (socket);
      g_object_get (connection, "socket", &got, NULL);
      g_assert_true (G_IS_SOCKET (got));
      g_object_unref (got);
      gsock_socket_connection_get_state (connection);
      gsock_socket_connection_is_alive (connection);
      gsock_socket_connection_is_connected (connection);
      gsock_socket_connection_get_bytes_read (connection);
      gsock_socket_connection_get_bytes_written (connection);
      error = gsock_socket_connection_get_last_error (connection);
      g_clear_error (&error);
      address = gsock_socket_connection_get_local_address (connection, NULL);
      g_clear_object (&address);
      address = gsock_socket_connection_get_remote_address (connection, NULL);
      g_clear_object (&address);
      g_assert_true (G_IS_OUTPUT_STREAM (g_io_stream_get_output_stream (G_IO_STREAM (connection))));
    }
  while (!g_atomic_int_get (looker->stop));
  return NULL;
}

static void
test_others_look_while_one_moves_on_and_closes (void)
{
  for (int round = 0; round < rounds / 100; round++)
    {
      Start start = { 3 };
      int stop = 0;
      GSocket *peer;
      GsockSocketConnection *connection = connected (&peer);
      Looker looker = { &start, connection, &stop };
      GThread *first = g_thread_new ("first", look_at_everything, &looker);
      GThread *second = g_thread_new ("second", look_at_everything, &looker);

      start_together (&start);
      for (int i = 0; i < 10; i++)
        {
          GSocket *socket = tcp_socket ();
          GError *error = NULL;

          g_assert_true (gsock_socket_connection_set_socket (connection, socket, &error));
          g_assert_no_error (error);
          g_object_unref (socket);
        }
      close_stream (connection);
      g_atomic_int_set (&stop, 1);
      g_thread_join (first);
      g_thread_join (second);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      drop_last (connection);
      g_object_unref (peer);
    }
}

static void
count_notify (GObject    *object,
              GParamSpec *pspec,
              gpointer    user_data)
{
  (void) object;
  (void) pspec;
  g_atomic_int_inc ((int *) user_data);
}

static gpointer
move_on_and_on (gpointer data)
{
  Looker *looker = data;
  GPtrArray *borrowed = g_ptr_array_new ();

  start_together (looker->start);
  for (int i = 0; i < 100 + rounds / 4; i++)
    {
      GSocket *socket = tcp_socket ();
      GError *error = NULL;

      /* Refused where the other one is just about it. */
      if (!gsock_socket_connection_set_socket (looker->connection, socket, &error))
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
      g_clear_error (&error);
      g_object_unref (socket);
      g_ptr_array_add (borrowed, gsock_socket_connection_get_socket (looker->connection));
    }
  /* Whatever was borrowed on the way is there until the connection goes. */
  for (guint i = 0; i < borrowed->len; i++)
    g_assert_true (G_IS_SOCKET (borrowed->pdata[i]));
  g_ptr_array_unref (borrowed);
  return NULL;
}

static void
test_two_threads_move_on_at_once (void)
{
  Start start = { 2 };
  int notified = 0;
  GSocket *first = tcp_socket (), *last, *peer;
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection (first);
  Looker looker = { &start, connection, NULL };
  GThread *other = g_thread_new ("other", move_on_and_on, &looker);
  GError *error = NULL;

  move_on_and_on (&looker);
  g_thread_join (other);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  /* It is a sound connection still, and tells of nothing but the socket that it has now. */
  tcp_pair (&last, &peer);
  g_assert_true (gsock_socket_connection_set_socket (connection, last, &error));
  g_assert_no_error (error);
  g_signal_connect (connection, "notify::state", G_CALLBACK (count_notify), &notified);
  write_text (connection, "still sound");
  assert_receives (peer, "still sound");
  close_stream (connection);
  g_assert_cmpint (notified, ==, 1);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  drop_last (connection);
  g_object_unref (first);
  g_object_unref (last);
  g_object_unref (peer);
}

static gpointer
use_the_factory (gpointer data)
{
  Start *start = data;
  GSocket *socket = tcp_socket ();

  start_together (start);
  for (int i = 0; i < rounds / 4; i++)
    {
      GsockSocketConnection *connection;

      gsock_socket_connection_factory_register_type (GSOCK_TYPE_TCP_CONNECTION, G_SOCKET_FAMILY_IPV6,
                                                     G_SOCKET_TYPE_STREAM, 1000 + i % 7);
      g_assert_true (gsock_socket_connection_factory_lookup_type (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, 0) ==
                     GSOCK_TYPE_TCP_CONNECTION);
      connection = gsock_socket_connection_factory_create_connection (socket);
      g_assert_true (GSOCK_IS_TCP_CONNECTION (connection));
      drop_last (connection);
    }
  g_object_unref (socket);
  return NULL;
}

static void
test_two_threads_use_the_factory (void)
{
  Start start = { 2 };
  GThread *other = g_thread_new ("factory", use_the_factory, &start);

  use_the_factory (&start);
  g_thread_join (other);
}

static gpointer
drop_here (gpointer data)
{
  g_object_unref (data);
  return NULL;
}

/* With handlers connected it goes at home, without a leak. */
static void
test_the_last_reference_goes_on_another_thread (void)
{
  for (int handlers = 0; handlers < 2; handlers++)
    {
      int notified = 0;
      GSocket *peer;
      GsockSocketConnection *connection = connected (&peer);
      gpointer weak = connection;
      char buffer[1];
      GThread *thread;

      g_object_add_weak_pointer (G_OBJECT (connection), &weak);
      if (handlers)
        g_signal_connect (connection, "notify::state", G_CALLBACK (count_notify), &notified);
      thread = g_thread_new ("dropper", drop_here, connection);
      g_thread_join (thread);
      /* The descriptor is closed at once, wherever the object goes. */
      g_assert_cmpint (g_socket_receive (peer, buffer, sizeof buffer, NULL, NULL), ==, 0);
      while (weak != NULL)
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpint (g_atomic_int_get (&notified), ==, 0);
      g_object_unref (peer);
    }
}

int
main (int    argc,
      char **argv)
{
  const char *fewer = g_getenv ("ROUNDS");

  begin (&argc, &argv);
  if (fewer != NULL)
    rounds = atoi (fewer);
  g_test_add_func ("/threads/streams/once", test_two_threads_ask_for_one_stream);
  g_test_add_func ("/threads/streams/again", test_two_threads_ask_again_and_again);
  g_test_add_func ("/threads/read-and-write", test_one_reads_while_one_writes);
  g_test_add_func ("/threads/cancel", test_cancel_from_a_third_thread);
  g_test_add_func ("/threads/close", test_close_from_a_third_thread);
  g_test_add_func ("/threads/close/many", test_close_wakes_a_blocking_read);
  g_test_add_func ("/threads/ended/read_async", test_an_asynchronous_read_is_ended_by_another_thread);
  g_test_add_func ("/threads/ended/connect", test_a_connect_is_ended_by_another_thread);
  g_test_add_func ("/threads/connect_async/owned-elsewhere", test_connect_async_where_another_thread_owns_the_context);
  g_test_add_func ("/threads/connect_async/foreign-object", test_connect_async_on_a_foreign_object);
  g_test_add_func ("/threads/look", test_others_look_while_one_moves_on_and_closes);
  g_test_add_func ("/threads/set_socket", test_two_threads_move_on_at_once);
  g_test_add_func ("/threads/factory", test_two_threads_use_the_factory);
  g_test_add_func ("/threads/last-reference", test_the_last_reference_goes_on_another_thread);
  return g_test_run ();
}
