/* Two connections joined, as a C program does it. */

#include "tools.h"

typedef struct
{
  GsockSocketConnection *a, *b;
  GSocket *client, *server;
} Joined;

static Joined
two (void)
{
  Joined joined;

  joined.a = connected (&joined.client);
  joined.b = connected (&joined.server);
  return joined;
}

static void
all_gone (Joined joined)
{
  while (g_main_context_iteration (g_main_context_get_thread_default (), FALSE))
    ;
  drop_last (joined.a);
  drop_last (joined.b);
  g_object_unref (joined.client);
  g_object_unref (joined.server);
}

/* The peer ends what it sends. */
static void
end (GSocket *peer)
{
  GError *error = NULL;

  g_assert_true (g_socket_shutdown (peer, FALSE, TRUE, &error));
  g_assert_no_error (error);
}

static void
assert_at_end (GSocket *peer)
{
  GError *error = NULL;
  char byte;

  g_assert_cmpint (g_socket_receive (peer, &byte, 1, NULL, &error), ==, 0);
  g_assert_no_error (error);
}

/* With counts that are no longer what they were. */
#define ASSERT_RELAY_FAILS(a, result, code) \
  G_STMT_START { \
    GError *failure = NULL; \
    guint64 there = 7, back = 7; \
    g_assert_false (gsock_socket_connection_relay_finish (a, result, &there, &back, &failure)); \
    g_assert_error (failure, G_IO_ERROR, code); \
    g_assert_cmpuint (there, ==, 0); \
    g_assert_cmpuint (back, ==, 0); \
    g_clear_error (&failure); \
  } G_STMT_END

static void
test_relay (void)
{
  GError *error = NULL;
  Joined joined = two ();
  GAsyncResult *result = NULL;
  guint64 there = 0, back = 0;

  gsock_socket_connection_relay_async (joined.a, joined.b, NULL, keep_result, &result);
  g_assert_null (result);
  send_all (joined.client, "question");
  end (joined.client);
  ITERATE_UNTIL (gsock_socket_connection_get_bytes_written (joined.b) == 8);
  assert_receives (joined.server, "question");
  assert_at_end (joined.server);
  g_assert_null (result);
  send_all (joined.server, "an answer");
  end (joined.server);
  ITERATE_UNTIL (result != NULL);
  g_assert_true (g_async_result_get_source_object (result) == G_OBJECT (joined.a));
  g_object_unref (joined.a);
  g_assert_true (g_async_result_get_user_data (result) == &result);
  assert_receives (joined.client, "an answer");
  assert_at_end (joined.client);

  /* Of the other connection, which takes nothing away. */
  ASSERT_RELAY_FAILS (joined.b, result, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_true (gsock_socket_connection_relay_finish (joined.a, result, &there, &back, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (there, ==, 8);
  g_assert_cmpuint (back, ==, 9);
  /* Once. */
  ASSERT_RELAY_FAILS (joined.a, result, G_IO_ERROR_INVALID_ARGUMENT);
  ASSERT_RELAY_FAILS (joined.a, NULL, G_IO_ERROR_INVALID_ARGUMENT);
  drop_last (g_steal_pointer (&result));

  g_assert_false (g_io_stream_is_closed (G_IO_STREAM (joined.a)));
  all_gone (joined);
}

/* No count need be wanted, and no end need wait for anything. */
static void
test_relay_of_ends (void)
{
  Joined joined = two ();
  GAsyncResult *result = NULL;

  end (joined.client);
  end (joined.server);
  gsock_socket_connection_relay_async (joined.b, joined.a, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  g_assert_true (gsock_socket_connection_relay_finish (joined.b, result, NULL, NULL, NULL));
  drop_last (result);
  assert_at_end (joined.client);
  assert_at_end (joined.server);
  all_gone (joined);
}

/* Nobody need listen to the answer, or take it. */
static void
test_relay_forgotten (void)
{
  Joined joined = two ();
  GAsyncResult *result = NULL;

  gsock_socket_connection_relay_async (joined.a, joined.b, NULL, NULL, NULL);
  send_all (joined.client, "question");
  end (joined.client);
  end (joined.server);
  ITERATE_UNTIL (gsock_socket_connection_get_bytes_written (joined.b) == 8);
  assert_receives (joined.server, "question");
  assert_at_end (joined.server);
  all_gone (joined);

  joined = two ();
  end (joined.client);
  end (joined.server);
  gsock_socket_connection_relay_async (joined.a, joined.b, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  drop_last (result);
  all_gone (joined);
}

static void
test_relay_cancelled (void)
{
  Joined joined = two ();
  GAsyncResult *result = NULL;
  GCancellable *cancellable = g_cancellable_new ();

  /* During: what was taken was delivered. */
  gsock_socket_connection_relay_async (joined.a, joined.b, cancellable, keep_result, &result);
  send_all (joined.client, "taken");
  ITERATE_UNTIL (gsock_socket_connection_get_bytes_written (joined.b) == 5);
  g_assert_null (result);
  g_cancellable_cancel (cancellable);
  ITERATE_UNTIL (result != NULL);
  ASSERT_RELAY_FAILS (joined.a, result, G_IO_ERROR_CANCELLED);
  drop_last (g_steal_pointer (&result));
  assert_receives (joined.server, "taken");

  /* Before: nothing is. */
  send_all (joined.client, "left");
  gsock_socket_connection_relay_async (joined.a, joined.b, cancellable, keep_result, &result);
  g_assert_null (result);
  ITERATE_UNTIL (result != NULL);
  ASSERT_RELAY_FAILS (joined.a, result, G_IO_ERROR_CANCELLED);
  drop_last (g_steal_pointer (&result));
  g_assert_cmpuint (gsock_socket_connection_get_bytes_read (joined.a), ==, 5);
  assert_reads (joined.a, "left");

  /* What is closed says so to a cancelled caller too. */
  close_stream (joined.b);
  gsock_socket_connection_relay_async (joined.a, joined.b, cancellable, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  ASSERT_RELAY_FAILS (joined.a, result, G_IO_ERROR_CLOSED);
  drop_last (g_steal_pointer (&result));
  drop_last (cancellable);
  all_gone (joined);
}

static void
test_relay_that_cannot_be (void)
{
  Joined joined = two ();
  GAsyncResult *result = NULL, *closed = NULL;
  GSocket *socket = tcp_socket ();
  GsockSocketConnection *nobodys = gsock_socket_connection_factory_create_connection (socket);

  g_object_unref (socket);
  gsock_socket_connection_relay_async (joined.a, joined.a, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  ASSERT_RELAY_FAILS (joined.a, result, G_IO_ERROR_INVALID_ARGUMENT);
  drop_last (g_steal_pointer (&result));
  gsock_socket_connection_relay_async (joined.a, nobodys, NULL, keep_result, &result);
  ITERATE_UNTIL (result != NULL);
  ASSERT_RELAY_FAILS (joined.a, result, G_IO_ERROR_NOT_CONNECTED);
  drop_last (g_steal_pointer (&result));
  drop_last (nobodys);

  gsock_socket_connection_relay_async (joined.a, joined.b, NULL, keep_result, &closed);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_null (closed);
  close_stream (joined.b);
  ITERATE_UNTIL (closed != NULL);
  ASSERT_RELAY_FAILS (joined.a, closed, G_IO_ERROR_CLOSED);
  drop_last (closed);
  all_gone (joined);
}

static gpointer
start_elsewhere (gpointer data)
{
  gpointer *with = data;

  gsock_socket_connection_relay_async (with[0], with[1], NULL, keep_result, with[2]);
  return NULL;
}

/* Started by a thread that does not own its context. */
static void
test_relay_from_another_thread (void)
{
  GError *error = NULL;
  Joined joined = two ();
  GAsyncResult *result = NULL;
  gpointer with[] = { joined.a, joined.b, &result };
  guint64 there = 0, back = 0;

  g_assert_true (g_main_context_acquire (NULL));
  g_thread_join (g_thread_new ("starter", start_elsewhere, with));
  send_all (joined.client, "question");
  end (joined.client);
  end (joined.server);
  ITERATE_UNTIL (result != NULL);
  g_assert_true (gsock_socket_connection_relay_finish (joined.a, result, &there, &back, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (there, ==, 8);
  g_assert_cmpuint (back, ==, 0);
  drop_last (result);
  g_main_context_release (NULL);
  all_gone (joined);
}

int
main (int    argc,
      char **argv)
{
  begin (&argc, &argv);
  g_test_add_func ("/relay/both-ways", test_relay);
  g_test_add_func ("/relay/ends", test_relay_of_ends);
  g_test_add_func ("/relay/forgotten", test_relay_forgotten);
  g_test_add_func ("/relay/cancelled", test_relay_cancelled);
  g_test_add_func ("/relay/cannot-be", test_relay_that_cannot_be);
  g_test_add_func ("/relay/from-another-thread", test_relay_from_another_thread);
  return g_test_run ();
}
