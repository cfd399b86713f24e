/* What is of frames, in C, as the documentation shows it; see operations.c. */

#include "shown.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* {gsock_framed_new gsock_framed_send gsock_framed_flush gsock_framed_read_frame} */
static GBytes *
ask (GIOStream *stream, const char *question, GError **error)
{
  g_autoptr (GsockFramed) framed = gsock_framed_new (stream, GSOCK_FRAMING_LINES);
  g_autoptr (GBytes) frame = g_bytes_new (question, strlen (question));

  /* Queued; in a main loop it is written by itself. */
  if (!gsock_framed_send (framed, frame, error) || !gsock_framed_flush (framed, NULL, error))
    return NULL;
  /* NULL without an error is the end. */
  return gsock_framed_read_frame (framed, NULL, error);
}
/* {} */

/* {gsock_framed_read_frame_async gsock_framed_read_frame_finish} */
static void
on_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GBytes **frame = user_data;
  g_autoptr (GError) error = NULL;

  *frame = gsock_framed_read_frame_finish (GSOCK_FRAMED (source), result, &error);
  if (*frame == NULL)
    g_message ("%s", error != NULL ? error->message : "that was all");
  g_main_loop_quit (loop);
}

static void
read_later (GsockFramed *framed, GBytes **frame)
{
  gsock_framed_read_frame_async (framed, NULL, on_read, frame);
}
/* {} */

/* {gsock_framed_write_frame} */
static gboolean
write_now (GsockFramed *framed, GBytes *frame, GError **error)
{
  /* Waits for room, and until it is written. */
  return gsock_framed_write_frame (framed, frame, NULL, error);
}
/* {} */

/* {gsock_framed_write_frame_async gsock_framed_write_frame_finish} */
static void
on_written (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) user_data;
  if (!gsock_framed_write_frame_finish (GSOCK_FRAMED (source), result, &error))
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
write_later (GsockFramed *framed, GBytes *frame)
{
  gsock_framed_write_frame_async (framed, frame, NULL, on_written, NULL);
}
/* {} */

/* {gsock_framed_send_exact gsock_framed_read_exact} */
static gboolean
send_a_body (GsockFramed *framed, GBytes *length, GBytes *body, GError **error)
{
  return gsock_framed_send (framed, length, error) && gsock_framed_send_exact (framed, body, error) &&
         gsock_framed_flush (framed, NULL, error);
}

static GBytes *
read_a_body (GsockFramed *framed, GError **error)
{
  g_autoptr (GBytes) line = gsock_framed_read_frame (framed, NULL, error);
  g_autofree char *length = NULL;

  if (line == NULL)
    return NULL;
  length = g_strndup (g_bytes_get_data (line, NULL), g_bytes_get_size (line));
  return gsock_framed_read_exact (framed, g_ascii_strtoull (length, NULL, 10), NULL, error);
}
/* {} */

/* {gsock_framed_read_exact_async gsock_framed_read_exact_finish} */
static void
on_read_exactly (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GBytes **bytes = user_data;
  g_autoptr (GError) error = NULL;

  *bytes = gsock_framed_read_exact_finish (GSOCK_FRAMED (source), result, &error);
  if (*bytes == NULL)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
read_exactly_later (GsockFramed *framed, gsize count, GBytes **bytes)
{
  gsock_framed_read_exact_async (framed, count, NULL, on_read_exactly, bytes);
}
/* {} */

/* {gsock_framed_take_buffered} */
static gboolean
nothing_was_sent_ahead (GsockFramed *framed)
{
  g_autoptr (GBytes) buffered = gsock_framed_take_buffered (framed);

  return g_bytes_get_size (buffered) == 0;
}
/* {} */

/* {gsock_framed_flush_async gsock_framed_flush_finish} */
static void
on_flushed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) user_data;
  if (!gsock_framed_flush_finish (GSOCK_FRAMED (source), result, &error))
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
flush_later (GsockFramed *framed)
{
  gsock_framed_flush_async (framed, NULL, on_flushed, NULL);
}
/* {} */

/* {gsock_framed_close} */
static gboolean
close_now (GsockFramed *framed, GError **error)
{
  /* Writes what is queued first. */
  return gsock_framed_close (framed, NULL, error);
}
/* {} */

/* {gsock_framed_close_async gsock_framed_close_finish} */
static void
on_closed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) user_data;
  if (!gsock_framed_close_finish (GSOCK_FRAMED (source), result, &error))
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
close_later (GsockFramed *framed)
{
  gsock_framed_close_async (framed, NULL, on_closed, NULL);
}
/* {} */

/* {gsock_framed_send_with_fds} */
static gboolean
send_a_file (GsockFramed *framed, GBytes *name, int fd, GError **error)
{
  return gsock_framed_send_with_fds (framed, name, &fd, 1, error);
}
/* {} */

/* {GsockFramed:io-stream} */
static void
go_on_with (GsockFramed *framed, GIOStream *stream)
{
  g_autoptr (GIOStream) before = gsock_framed_get_io_stream (framed);

  if (before != stream)
    gsock_framed_set_io_stream (framed, stream);
}
/* {} */

/* {GsockFramed:framing :prefix-size :byte-order :crlf} */
static GsockFramed *
with_short_lengths (void)
{
  GsockFramed *framed = g_object_new (GSOCK_TYPE_FRAMED,
                                      "framing", GSOCK_FRAMING_LENGTH_PREFIXED,
                                      "prefix-size", 2,
                                      "byte-order", G_DATA_STREAM_BYTE_ORDER_LITTLE_ENDIAN,
                                      "crlf", FALSE,
                                      NULL);

  g_assert (gsock_framed_get_framing (framed) == GSOCK_FRAMING_LENGTH_PREFIXED);
  g_assert (gsock_framed_get_prefix_size (framed) == 2);
  g_assert (gsock_framed_get_byte_order (framed) == G_DATA_STREAM_BYTE_ORDER_LITTLE_ENDIAN);
  g_assert (!gsock_framed_get_crlf (framed));
  return framed;
}
/* {} */

/* {GsockFramed:max-frame-size :read-ahead :high-water :low-water :max-pending-bytes :keep-queue} */
static void
set_bounds (GsockFramed *framed)
{
  gsock_framed_set_max_frame_size (framed, 2 * gsock_framed_get_max_frame_size (framed));
  gsock_framed_set_high_water (framed, gsock_framed_get_max_pending_bytes (framed) / 2);
  gsock_framed_set_low_water (framed, gsock_framed_get_high_water (framed) / 2);
  gsock_framed_set_max_pending_bytes (framed, 4 * gsock_framed_get_low_water (framed));
  /* For what follows a frame and is for somebody else, and for a stream that is replaced. */
  gsock_framed_set_read_ahead (framed, !gsock_framed_get_read_ahead (framed));
  gsock_framed_set_keep_queue (framed, !gsock_framed_get_keep_queue (framed));
}
/* {} */

/* {GsockFramed:pending-bytes :pending-frames :congested :last-error} */
static gboolean
is_at_rest (GsockFramed *framed)
{
  g_autoptr (GError) error = gsock_framed_get_last_error (framed);

  return gsock_framed_get_pending_bytes (framed) == 0 && gsock_framed_get_pending_frames (framed) == 0 &&
         !gsock_framed_is_congested (framed) && error == NULL;
}
/* {} */

/* {GsockFramed::drained GsockFramed::error} */
static void
on_drained (GsockFramed *framed, gpointer user_data)
{
  (void) user_data;
  g_message ("go on: %" G_GUINT64_FORMAT " bytes are left", gsock_framed_get_pending_bytes (framed));
  g_main_loop_quit (loop);
}

static void
on_error (GsockFramed *framed, GError *error, gpointer user_data)
{
  (void) framed;
  (void) user_data;
  g_message ("not written: %s", error->message);
}

static void
hear_of_the_queue (GsockFramed *framed)
{
  g_signal_connect (framed, "drained", G_CALLBACK (on_drained), NULL);
  g_signal_connect (framed, "error", G_CALLBACK (on_error), NULL);
}
/* {} */

static GIOStream *
end (int fd)
{
  GError *error = NULL;
  GsockSocketConnection *connection = gsock_socket_connection_factory_create_connection_from_fd (fd, &error);

  must_have (connection, error);
  return G_IO_STREAM (connection);
}

static void
must_say (GBytes *frame, const char *text)
{
  must (frame != NULL && g_bytes_get_size (frame) == strlen (text) &&
        memcmp (g_bytes_get_data (frame, NULL), text, strlen (text)) == 0, NULL);
  g_bytes_unref (frame);
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GIOStream) ours = NULL;
  g_autoptr (GIOStream) theirs = NULL;
  g_autoptr (GsockFramed) here = NULL;
  g_autoptr (GsockFramed) there = NULL;
  g_autoptr (GsockFramed) other = with_short_lengths ();
  g_autoptr (GBytes) text = g_bytes_new_static ("text", 4);
  g_autoptr (GBytes) length = g_bytes_new_static ("4", 1);
  GBytes *got = NULL;
  int pair[2], fd;

  loop = g_main_loop_new (NULL, FALSE);
  must (socketpair (AF_UNIX, SOCK_STREAM, 0, pair) == 0, NULL);
  ours = end (pair[0]);
  theirs = end (pair[1]);
  there = gsock_framed_new (theirs, GSOCK_FRAMING_LINES);
  must (write_now (there, text, &error), error);
  must_say (ask (ours, "question", &error), "text");
  must_say (gsock_framed_read_frame (there, NULL, &error), "question");

  here = gsock_framed_new (NULL, GSOCK_FRAMING_LINES);
  go_on_with (here, ours);
  write_later (here, text);
  g_main_loop_run (loop);
  read_later (there, &got);
  g_main_loop_run (loop);
  must_say (got, "text");
  must (send_a_body (here, length, text, &error), error);
  must_say (read_a_body (there, &error), "text");
  must (send_a_body (here, length, text, &error), error);
  must_say (gsock_framed_read_frame (there, NULL, &error), "4");
  read_exactly_later (there, 4, &got);
  g_main_loop_run (loop);
  must_say (got, "text");
  must (nothing_was_sent_ahead (there), NULL);

  set_bounds (there);
  must (send_a_file (here, text, STDOUT_FILENO, &error), error);
  flush_later (here);
  g_main_loop_run (loop);
  must_say (gsock_framed_read_frame (there, NULL, &error), "text");
  fd = gsock_unix_connection_receive_fd (GSOCK_UNIX_CONNECTION (theirs), NULL, &error);
  must (fd >= 0 && close (fd) == 0, error);

  hear_of_the_queue (here);
  gsock_framed_set_high_water (here, 1);
  must (gsock_framed_send (here, text, &error) && !is_at_rest (here), error);
  g_main_loop_run (loop);
  must (is_at_rest (here), NULL);
  close_later (here);
  g_main_loop_run (loop);
  must (close_now (there, &error), error);
  g_main_loop_unref (loop);
  g_print ("ok\n");
  return 0;
}
