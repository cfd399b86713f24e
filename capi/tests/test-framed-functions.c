/* Frames over a stream: each function, on connections. */

#include "tools.h"

#include <sys/socket.h>

/* Both ends of a connection, with frames. */
static GsockFramed *
framed_pair (GsockFraming  framing,
             GsockFramed **peer)
{
  GSocket *ours, *theirs;
  GsockSocketConnection *connection;
  GsockFramed *framed;

  tcp_pair (&ours, &theirs);
  connection = gsock_socket_connection_factory_create_connection (ours);
  framed = gsock_framed_new (G_IO_STREAM (connection), framing);
  g_object_unref (connection);
  g_object_unref (ours);
  connection = gsock_socket_connection_factory_create_connection (theirs);
  *peer = gsock_framed_new (G_IO_STREAM (connection), framing);
  g_object_unref (connection);
  g_object_unref (theirs);
  return framed;
}

static void
assert_bytes (GBytes     *bytes,
              const char *text)
{
  gsize size;
  gconstpointer data;

  g_assert_nonnull (bytes);
  data = g_bytes_get_data (bytes, &size);
  g_assert_cmpmem (data, size, text, strlen (text));
  g_bytes_unref (bytes);
}

static void
send_text (GsockFramed *framed,
           const char  *text)
{
  GError *error = NULL;
  GBytes *frame = g_bytes_new_static (text, strlen (text));

  g_assert_true (gsock_framed_send (framed, frame, &error));
  g_assert_no_error (error);
  g_bytes_unref (frame);
}

static void
test_blocking (void)
{
  GError *error = NULL;
  GsockFramed *theirs;
  GsockFramed *ours = framed_pair (GSOCK_FRAMING_LENGTH_PREFIXED, &theirs);
  GBytes *frame = g_bytes_new_static ("written", 7);

  send_text (ours, "sent");
  g_assert_cmpuint (gsock_framed_get_pending_bytes (ours), ==, 8);
  g_assert_cmpuint (gsock_framed_get_pending_frames (ours), ==, 1);
  g_assert_true (gsock_framed_flush (ours, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (gsock_framed_get_pending_bytes (ours), ==, 0);
  g_assert_true (gsock_framed_write_frame (ours, frame, NULL, &error));
  g_assert_no_error (error);
  send_text (ours, "");
  g_assert_true (gsock_framed_close (ours, NULL, &error));
  g_assert_no_error (error);

  assert_bytes (gsock_framed_read_frame (theirs, NULL, &error), "sent");
  assert_bytes (gsock_framed_read_frame (theirs, NULL, &error), "written");
  assert_bytes (gsock_framed_read_frame (theirs, NULL, &error), "");
  g_assert_null (gsock_framed_read_frame (theirs, NULL, &error));
  g_assert_no_error (error);

  g_assert_false (gsock_framed_send (ours, frame, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_bytes_unref (frame);
  drop_last (ours);
  drop_last (theirs);
}

static void
test_asynchronous (void)
{
  GError *error = NULL;
  GAsyncResult *read = NULL, *written = NULL, *flushed = NULL, *closed = NULL, *end = NULL, *exact = NULL;
  GsockFramed *theirs;
  GsockFramed *ours = framed_pair (GSOCK_FRAMING_LINES, &theirs);
  GBytes *frame = g_bytes_new_static ("written", 7);

  gsock_framed_read_frame_async (theirs, NULL, keep_result, &read);
  gsock_framed_write_frame_async (ours, frame, NULL, keep_result, &written);
  ITERATE_UNTIL (read != NULL && written != NULL);
  g_assert_null (gsock_framed_read_exact_finish (theirs, read, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  assert_bytes (gsock_framed_read_frame_finish (theirs, read, &error), "written");
  g_assert_true (gsock_framed_write_frame_finish (ours, written, &error));
  g_assert_no_error (error);
  g_assert_false (gsock_framed_write_frame_finish (ours, written, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);

  send_text (ours, "exactly");
  gsock_framed_flush_async (ours, NULL, keep_result, &flushed);
  gsock_framed_read_exact_async (theirs, 8, NULL, keep_result, &exact);
  ITERATE_UNTIL (flushed != NULL && exact != NULL);
  g_assert_true (gsock_framed_flush_finish (ours, flushed, &error));
  g_assert_no_error (error);
  assert_bytes (gsock_framed_read_exact_finish (theirs, exact, &error), "exactly\n");
  g_assert_no_error (error);

  gsock_framed_close_async (ours, NULL, keep_result, &closed);
  gsock_framed_read_frame_async (theirs, NULL, keep_result, &end);
  ITERATE_UNTIL (closed != NULL && end != NULL);
  g_assert_true (gsock_framed_close_finish (ours, closed, &error));
  g_assert_no_error (error);
  g_assert_null (gsock_framed_read_frame_finish (theirs, end, &error));
  g_assert_no_error (error);

  g_object_unref (read);
  g_object_unref (written);
  g_object_unref (flushed);
  g_object_unref (exact);
  g_object_unref (closed);
  g_object_unref (end);
  g_bytes_unref (frame);
  drop_last (ours);
  drop_last (theirs);
}

static void
test_exactly_and_what_is_left (void)
{
  GError *error = NULL;
  GsockFramed *theirs;
  GsockFramed *ours = framed_pair (GSOCK_FRAMING_LINES, &theirs);

  send_text (ours, "one");
  send_text (ours, "twothree");
  g_assert_true (gsock_framed_close (ours, NULL, &error));
  assert_bytes (gsock_framed_read_frame (theirs, NULL, &error), "one");
  assert_bytes (gsock_framed_read_exact (theirs, 3, NULL, &error), "two");
  assert_bytes (gsock_framed_take_buffered (theirs), "three\n");
  g_assert_null (gsock_framed_read_exact (theirs, 1, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
  g_clear_error (&error);
  drop_last (ours);
  drop_last (theirs);
}

static void
test_bytes_between (void)
{
  GError *error = NULL;
  GsockFramed *theirs;
  GsockFramed *ours = framed_pair (GSOCK_FRAMING_LINES, &theirs);
  GBytes *bytes = g_bytes_new_static ("a\nb", 3);

  send_text (ours, "3");
  g_assert_true (gsock_framed_send_exact (ours, bytes, &error));
  g_assert_no_error (error);
  g_assert_true (gsock_framed_flush (ours, NULL, &error));
  assert_bytes (gsock_framed_read_frame (theirs, NULL, &error), "3");
  assert_bytes (gsock_framed_read_exact (theirs, 3, NULL, &error), "a\nb");
  g_bytes_unref (bytes);
  drop_last (ours);
  drop_last (theirs);
}

static void
test_descriptors (void)
{
  gint pair[2], fd = STDOUT_FILENO, got;
  GError *error = NULL;
  GBytes *frame = g_bytes_new_static ("with one", 8);
  GsockSocketConnection *ours, *theirs;
  GsockFramed *sender, *receiver;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
  ours = gsock_socket_connection_factory_create_connection_from_fd (pair[0], &error);
  g_assert_no_error (error);
  theirs = gsock_socket_connection_factory_create_connection_from_fd (pair[1], &error);
  g_assert_no_error (error);
  sender = gsock_framed_new (G_IO_STREAM (ours), GSOCK_FRAMING_LINES);
  receiver = gsock_framed_new (G_IO_STREAM (theirs), GSOCK_FRAMING_LINES);
  gsock_framed_set_read_ahead (receiver, FALSE);

  g_assert_true (gsock_framed_send_with_fds (sender, frame, &fd, 1, &error));
  g_assert_no_error (error);
  send_text (sender, "without");
  g_assert_true (gsock_framed_flush (sender, NULL, &error));
  assert_bytes (gsock_framed_read_frame (receiver, NULL, &error), "with one");
  got = gsock_unix_connection_receive_fd (GSOCK_UNIX_CONNECTION (theirs), NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (close (got), ==, 0);
  assert_bytes (gsock_framed_read_frame (receiver, NULL, &error), "without");

  g_assert_false (gsock_framed_send_with_fds (sender, frame, NULL, 0, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_bytes_unref (frame);
  drop_last (sender);
  drop_last (receiver);
  drop_last (ours);
  drop_last (theirs);
}

static void
test_properties (void)
{
  GsockFramed *framed = gsock_framed_new (NULL, GSOCK_FRAMING_JSON_LINES);
  GSocket *peer;
  GsockSocketConnection *connection = connected (&peer);
  GIOStream *stream;

  g_assert_true (GSOCK_IS_FRAMED (framed));
  g_assert_cmpint (gsock_framed_get_framing (framed), ==, GSOCK_FRAMING_JSON_LINES);
  g_assert_cmpuint (gsock_framed_get_prefix_size (framed), ==, 4);
  g_assert_cmpint (gsock_framed_get_byte_order (framed), ==, G_DATA_STREAM_BYTE_ORDER_BIG_ENDIAN);
  g_assert_false (gsock_framed_get_crlf (framed));
  g_assert_null (gsock_framed_get_io_stream (framed));
  gsock_framed_set_io_stream (framed, G_IO_STREAM (connection));
  stream = gsock_framed_get_io_stream (framed);
  g_assert_true (stream == G_IO_STREAM (connection));
  g_object_unref (stream);
  gsock_framed_set_max_frame_size (framed, 1);
  g_assert_cmpuint (gsock_framed_get_max_frame_size (framed), ==, 1);
  gsock_framed_set_read_ahead (framed, FALSE);
  g_assert_false (gsock_framed_get_read_ahead (framed));
  gsock_framed_set_high_water (framed, 3);
  g_assert_cmpuint (gsock_framed_get_high_water (framed), ==, 3);
  gsock_framed_set_low_water (framed, 2);
  g_assert_cmpuint (gsock_framed_get_low_water (framed), ==, 2);
  gsock_framed_set_max_pending_bytes (framed, 4);
  g_assert_cmpuint (gsock_framed_get_max_pending_bytes (framed), ==, 4);
  gsock_framed_set_keep_queue (framed, TRUE);
  g_assert_true (gsock_framed_get_keep_queue (framed));
  g_assert_null (gsock_framed_get_last_error (framed));
  gsock_framed_set_io_stream (framed, NULL);
  g_assert_null (gsock_framed_get_io_stream (framed));

  g_object_unref (connection);
  g_object_unref (peer);
  drop_last (framed);
}

static void
count (GsockFramed *framed,
       gpointer     user_data)
{
  g_assert_false (gsock_framed_is_congested (framed));
  ++*(guint *) user_data;
}

static void
note (GsockFramed *framed,
      GError      *error,
      gpointer     user_data)
{
  GError *last = gsock_framed_get_last_error (framed);

  g_assert_error (last, error->domain, error->code);
  g_error_free (last);
  ++*(guint *) user_data;
}

static void
test_signals (void)
{
  guint drained = 0, failed = 0;
  GError *error = NULL;
  GOutputStream *output;
  GIOStream *stream;
  GsockFramed *theirs;
  GsockFramed *ours = framed_pair (GSOCK_FRAMING_LINES, &theirs);

  g_signal_connect (ours, "drained", G_CALLBACK (count), &drained);
  g_signal_connect (ours, "error", G_CALLBACK (note), &failed);
  gsock_framed_set_high_water (ours, 3);
  send_text (ours, "more");
  g_assert_true (gsock_framed_is_congested (ours));
  ITERATE_UNTIL (drained == 1);

  stream = gsock_framed_get_io_stream (ours);
  output = g_io_stream_get_output_stream (stream);
  g_assert_true (g_output_stream_close (output, NULL, &error));
  g_assert_no_error (error);
  g_object_unref (stream);
  send_text (ours, "");
  ITERATE_UNTIL (failed == 1);
  drop_last (ours);
  drop_last (theirs);
}

static void
test_types (void)
{
  GEnumClass *class = g_type_class_ref (GSOCK_TYPE_FRAMING);

  g_assert_cmpuint (class->n_values, ==, 3);
  g_assert_cmpstr (g_enum_get_value (class, GSOCK_FRAMING_LINES)->value_nick, ==, "lines");
  g_type_class_unref (class);
  g_assert_cmpstr (g_type_name (GSOCK_TYPE_FRAMED), ==, "GsockFramed");
}

int
main (int    argc,
      char **argv)
{
  begin (&argc, &argv);
  g_test_add_func ("/framed/blocking", test_blocking);
  g_test_add_func ("/framed/asynchronous", test_asynchronous);
  g_test_add_func ("/framed/exactly-and-what-is-left", test_exactly_and_what_is_left);
  g_test_add_func ("/framed/bytes-between", test_bytes_between);
  g_test_add_func ("/framed/descriptors", test_descriptors);
  g_test_add_func ("/framed/properties", test_properties);
  g_test_add_func ("/framed/signals", test_signals);
  g_test_add_func ("/framed/types", test_types);
  return g_test_run ();
}
