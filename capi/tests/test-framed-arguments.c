/* Wrong arguments to the functions of frames: one critical message that names the function and the argument, and a
 * fallback. */

#include "arguments.h"

static GSocket *wrong;
static GsockFramed *right;
static GBytes *frame;

/* Without an instance, and with one of another type. */
#define REFUSED_FRAMED(function, comparison, ...) \
  G_STMT_START { \
    REFUSED (function, "framed", function (NULL __VA_ARGS__), comparison); \
    REFUSED (function, "framed", function ((GsockFramed *) (gpointer) wrong __VA_ARGS__), comparison); \
  } G_STMT_END

#define REFUSED_FRAMED_VOID(function, ...) \
  G_STMT_START { \
    REFUSED_VOID (function, "framed", function (NULL __VA_ARGS__)); \
    REFUSED_VOID (function, "framed", function ((GsockFramed *) (gpointer) wrong __VA_ARGS__)); \
  } G_STMT_END

static void
test_instances (void)
{
  GError *error = NULL;
  gint fd = 0;

  REFUSED_FRAMED (gsock_framed_read_frame, == NULL, , NULL, &error);
  REFUSED_FRAMED_VOID (gsock_framed_read_frame_async, , NULL, never_called, NULL);
  REFUSED_FRAMED (gsock_framed_read_frame_finish, == NULL, , NULL, &error);
  REFUSED_FRAMED (gsock_framed_read_exact, == NULL, , 1, NULL, &error);
  REFUSED_FRAMED_VOID (gsock_framed_read_exact_async, , 1, NULL, never_called, NULL);
  REFUSED_FRAMED (gsock_framed_read_exact_finish, == NULL, , NULL, &error);
  REFUSED_FRAMED (gsock_framed_take_buffered, == NULL);
  REFUSED_FRAMED (gsock_framed_send, == FALSE, , frame, &error);
  REFUSED_FRAMED (gsock_framed_send_exact, == FALSE, , frame, &error);
  REFUSED_FRAMED (gsock_framed_send_with_fds, == FALSE, , frame, &fd, 1, &error);
  REFUSED_FRAMED (gsock_framed_write_frame, == FALSE, , frame, NULL, &error);
  REFUSED_FRAMED_VOID (gsock_framed_write_frame_async, , frame, NULL, never_called, NULL);
  REFUSED_FRAMED (gsock_framed_write_frame_finish, == FALSE, , NULL, &error);
  REFUSED_FRAMED (gsock_framed_flush, == FALSE, , NULL, &error);
  REFUSED_FRAMED_VOID (gsock_framed_flush_async, , NULL, never_called, NULL);
  REFUSED_FRAMED (gsock_framed_flush_finish, == FALSE, , NULL, &error);
  REFUSED_FRAMED (gsock_framed_close, == FALSE, , NULL, &error);
  REFUSED_FRAMED_VOID (gsock_framed_close_async, , NULL, never_called, NULL);
  REFUSED_FRAMED (gsock_framed_close_finish, == FALSE, , NULL, &error);
  REFUSED_FRAMED (gsock_framed_get_io_stream, == NULL);
  REFUSED_FRAMED_VOID (gsock_framed_set_io_stream, , NULL);
  REFUSED_FRAMED (gsock_framed_get_framing, == GSOCK_FRAMING_LINES);
  REFUSED_FRAMED (gsock_framed_get_prefix_size, == 0);
  REFUSED_FRAMED (gsock_framed_get_byte_order, == G_DATA_STREAM_BYTE_ORDER_BIG_ENDIAN);
  REFUSED_FRAMED (gsock_framed_get_crlf, == FALSE);
  REFUSED_FRAMED (gsock_framed_get_max_frame_size, == 0);
  REFUSED_FRAMED_VOID (gsock_framed_set_max_frame_size, , 1);
  REFUSED_FRAMED (gsock_framed_get_read_ahead, == FALSE);
  REFUSED_FRAMED_VOID (gsock_framed_set_read_ahead, , TRUE);
  REFUSED_FRAMED (gsock_framed_get_high_water, == 0);
  REFUSED_FRAMED_VOID (gsock_framed_set_high_water, , 1);
  REFUSED_FRAMED (gsock_framed_get_low_water, == 0);
  REFUSED_FRAMED_VOID (gsock_framed_set_low_water, , 1);
  REFUSED_FRAMED (gsock_framed_get_max_pending_bytes, == 0);
  REFUSED_FRAMED_VOID (gsock_framed_set_max_pending_bytes, , 1);
  REFUSED_FRAMED (gsock_framed_get_keep_queue, == FALSE);
  REFUSED_FRAMED_VOID (gsock_framed_set_keep_queue, , TRUE);
  REFUSED_FRAMED (gsock_framed_get_pending_bytes, == 0);
  REFUSED_FRAMED (gsock_framed_get_pending_frames, == 0);
  REFUSED_FRAMED (gsock_framed_is_congested, == FALSE);
  REFUSED_FRAMED (gsock_framed_get_last_error, == NULL);
  g_assert_no_error (error);
}

static void
test_others (void)
{
  GError *error = NULL;
  GCancellable *cancellable = (GCancellable *) (gpointer) wrong;
  GIOStream *stream = (GIOStream *) (gpointer) wrong;
  gint fd = 0;

  REFUSED (gsock_framed_new, "io_stream", gsock_framed_new (stream, GSOCK_FRAMING_LINES), == NULL);
  REFUSED (gsock_framed_new, "framing", gsock_framed_new (NULL, (GsockFraming) 3), == NULL);
  REFUSED_VOID (gsock_framed_set_io_stream, "io_stream", gsock_framed_set_io_stream (right, stream));
  REFUSED (gsock_framed_read_frame, "cancellable", gsock_framed_read_frame (right, cancellable, &error), == NULL);
  REFUSED_VOID (gsock_framed_read_frame_async, "cancellable",
                gsock_framed_read_frame_async (right, cancellable, never_called, NULL));
  REFUSED (gsock_framed_read_exact, "cancellable",
           gsock_framed_read_exact (right, 1, cancellable, &error), == NULL);
  REFUSED_VOID (gsock_framed_read_exact_async, "cancellable",
                gsock_framed_read_exact_async (right, 1, cancellable, never_called, NULL));
  REFUSED (gsock_framed_send, "frame", gsock_framed_send (right, NULL, &error), == FALSE);
  REFUSED (gsock_framed_send_exact, "bytes", gsock_framed_send_exact (right, NULL, &error), == FALSE);
  REFUSED (gsock_framed_send_with_fds, "frame",
           gsock_framed_send_with_fds (right, NULL, &fd, 1, &error), == FALSE);
  REFUSED (gsock_framed_send_with_fds, "fds",
           gsock_framed_send_with_fds (right, frame, NULL, 1, &error), == FALSE);
  fd = -1;
  REFUSED (gsock_framed_send_with_fds, "fds",
           gsock_framed_send_with_fds (right, frame, &fd, 1, &error), == FALSE);
  REFUSED (gsock_framed_write_frame, "frame", gsock_framed_write_frame (right, NULL, NULL, &error), == FALSE);
  REFUSED (gsock_framed_write_frame, "cancellable",
           gsock_framed_write_frame (right, frame, cancellable, &error), == FALSE);
  REFUSED_VOID (gsock_framed_write_frame_async, "frame",
                gsock_framed_write_frame_async (right, NULL, NULL, never_called, NULL));
  REFUSED_VOID (gsock_framed_write_frame_async, "cancellable",
                gsock_framed_write_frame_async (right, frame, cancellable, never_called, NULL));
  REFUSED (gsock_framed_flush, "cancellable", gsock_framed_flush (right, cancellable, &error), == FALSE);
  REFUSED_VOID (gsock_framed_flush_async, "cancellable",
                gsock_framed_flush_async (right, cancellable, never_called, NULL));
  REFUSED (gsock_framed_close, "cancellable", gsock_framed_close (right, cancellable, &error), == FALSE);
  REFUSED_VOID (gsock_framed_close_async, "cancellable",
                gsock_framed_close_async (right, cancellable, never_called, NULL));
  g_assert_no_error (error);
}

/* What is no result of the operation is an error, and no critical message. */
static void
test_results (void)
{
  GError *error = NULL;
  GAsyncResult *foreign = G_ASYNC_RESULT (g_task_new (wrong, NULL, NULL, NULL));

  g_assert_null (gsock_framed_read_frame_finish (right, foreign, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (gsock_framed_read_exact_finish (right, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (gsock_framed_write_frame_finish (right, foreign, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (gsock_framed_flush_finish (right, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (gsock_framed_close_finish (right, foreign, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_object_unref (foreign);
}

int
main (int    argc,
      char **argv)
{
  int failed;

  begin (&argc, &argv);
  wrong = tcp_socket ();
  right = gsock_framed_new (NULL, GSOCK_FRAMING_LINES);
  frame = g_bytes_new_static ("x", 1);
  g_test_add_func ("/framed/instances", test_instances);
  g_test_add_func ("/framed/others", test_others);
  g_test_add_func ("/framed/results", test_results);
  failed = g_test_run ();
  g_bytes_unref (frame);
  g_object_unref (right);
  g_object_unref (wrong);
  return failed;
}
