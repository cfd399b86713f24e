/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_FRAMED_H
#define GSOCK_FRAMED_H

#include <gio/gio.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_FRAMING (gsock_framing_get_type ())

/**
 * GsockFraming:
 * @GSOCK_FRAMING_LINES: each is a line of bytes. LF or CRLF ends it and is not part of it; what is sent gets LF
 * @GSOCK_FRAMING_LENGTH_PREFIXED: the length of each stands before it, as a number of #GsockFramed:prefix-size bytes,
 *   which do not count
 * @GSOCK_FRAMING_JSON_LINES: each is a line that is one JSON text in UTF-8, at most 128 arrays and objects deep. Blank
 *   lines are passed over
 *
 * How a #GsockFramed tells frames apart. Later versions may add to these.
 *
 * Since: 0.2
 */
typedef enum {
  GSOCK_FRAMING_LINES = 0,
  GSOCK_FRAMING_LENGTH_PREFIXED = 1,
  GSOCK_FRAMING_JSON_LINES = 2
} GsockFraming;

extern
GType gsock_framing_get_type (void) G_GNUC_CONST;

#define GSOCK_TYPE_FRAMED (gsock_framed_get_type ())

/**
 * GsockFramed:
 *
 * Messages, called frames, over any #GIOStream: a connection, TLS over one, whatever else GIO has.
 *
 * Frames are read by gsock_framed_read_frame(). They are sent by gsock_framed_send(), which never waits: they are queued and
 * written in the background, in their order and each as a whole. gsock_framed_write_frame() waits for room in the
 * queue, and until the frame is written.
 *
 * Stop sending when #GsockFramed:congested turns true, and go on at #GsockFramed::drained. As long as nobody reads
 * frames, nothing is read from the stream, and the peer has to wait.
 *
 * When #GsockFramed:io-stream is set, be it to the same stream, it starts over: partial input is dropped, the frame that was
 * being written is sent again from its first byte, and the queue stays. A read that waits goes on with the new stream, or
 * fails with %G_IO_ERROR_NOT_CONNECTED where there is none. So the property can be bound to that of something that
 * connects anew.
 *
 * Its functions may be called from any thread. It writes in the background, notifies properties and emits signals at
 * its home only: the thread that made it, with the #GMainContext that was thread-default there. A blocking function reads or
 * writes in the calling thread and needs no context; what is asynchronous reads and writes in the context in which it waits,
 * too.
 *
 * Of a stream that is not a #GPollableInputStream, or #GPollableOutputStream, that can poll, an asynchronous call goes on
 * after who waits for it has gone; a blocking call on the same side fails with %G_IO_ERROR_PENDING until it has ended.
 * What such a stream has taken of a write that was under way when another stream was set is not known: frames of that write
 * may be sent twice, once on each. The same object cannot be set anew while it reads or writes.
 *
 * When its last reference is dropped it forgets what is queued, and leaves the stream to who else has it.
 *
 * Since: 0.2
 */
extern
G_DECLARE_FINAL_TYPE (GsockFramed, gsock_framed, GSOCK, FRAMED, GObject)

/**
 * GsockFramed::drained:
 * @framed: frames over a stream
 *
 * Emitted when #GsockFramed:congested has turned %FALSE.
 *
 * Since: 0.2
 */

/**
 * GsockFramed::error:
 * @framed: frames over a stream
 * @error: why
 *
 * Emitted when writing has failed, in the background or in a call.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:io-stream: (getter get_io_stream) (setter set_io_stream)
 *
 * The stream. Each time that it is set, be it to the same one, it starts over on it.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:framing: (getter get_framing)
 *
 * How frames are told apart.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:prefix-size: (getter get_prefix_size)
 *
 * How many bytes the length before a frame has: 1, 2, 4 or 8. Any other leaves it at 4, with a critical message.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:byte-order: (getter get_byte_order)
 *
 * The byte order of the length before a frame.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:crlf: (getter get_crlf)
 *
 * Whether a line that is sent ends with CRLF, as in most protocols of the Internet, and not with LF. Read are both.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:max-frame-size: (getter get_max_frame_size) (setter set_max_frame_size)
 *
 * How many bytes a frame may have, in either direction, without what tells it apart.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:read-ahead: (getter get_read_ahead) (setter set_read_ahead)
 *
 * Whether more may be taken from the stream than the frame that is asked for.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:high-water: (getter get_high_water) (setter set_high_water)
 *
 * With more bytes than that in the queue it is congested.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:low-water: (getter get_low_water) (setter set_low_water)
 *
 * A congestion ends when no more bytes than that are left in the queue.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:max-pending-bytes: (getter get_max_pending_bytes) (setter set_max_pending_bytes)
 *
 * How many bytes the queue may hold. A single frame that is larger is taken when it is empty.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:keep-queue: (getter get_keep_queue) (setter set_keep_queue)
 *
 * Whether what is queued when the stream fails waits for the next one, and more may be queued meanwhile.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:pending-bytes: (getter get_pending_bytes)
 *
 * How many bytes of frames, and of what tells them apart, the stream has not taken yet.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:pending-frames: (getter get_pending_frames)
 *
 * How many frames the stream has not taken, or not wholly.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:congested: (getter is_congested)
 *
 * Whether more is queued than is good.
 *
 * Since: 0.2
 */

/**
 * GsockFramed:last-error: (getter get_last_error)
 *
 * Why the stream of now cannot be read from or written to.
 *
 * Since: 0.2
 */

/**
 * gsock_framed_new:
 * @io_stream: (nullable): the stream, or %NULL for none yet
 * @framing: how frames are told apart
 *
 * Makes frames over a stream. What is not as by default besides, g_object_new() is told by properties.
 *
 * Returns: (transfer full): a new #GsockFramed
 *
 * Since: 0.2
 */
extern
GsockFramed *gsock_framed_new (GIOStream    *io_stream,
                               GsockFraming  framing);

/**
 * gsock_framed_read_frame:
 * @framed: frames over a stream
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Reads the next frame, blocking. %NULL without an error is the end of the stream between two frames.
 *
 * %G_IO_ERROR_PARTIAL_INPUT when the stream ends inside of a frame. %G_IO_ERROR_MESSAGE_TOO_LARGE for a frame larger
 * than #GsockFramed:max-frame-size, and %G_IO_ERROR_INVALID_DATA for a line that is no JSON: that frame is passed over,
 * and the next read gets the next one. %G_IO_ERROR_PENDING while somebody else reads; %G_IO_ERROR_NOT_CONNECTED without
 * a stream.
 *
 * Cancelled, nothing is lost: what was read of a frame stays for the next read.
 *
 * Returns: (transfer full) (nullable): the frame, or %NULL at the end, and with @error set
 *
 * Since: 0.2
 */
extern
GBytes *gsock_framed_read_frame (GsockFramed   *framed,
                                 GCancellable  *cancellable,
                                 GError       **error);

/**
 * gsock_framed_read_frame_async:
 * @framed: frames over a stream
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to read the next frame; see gsock_framed_read_frame().
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never before this
 * returns.
 *
 * Since: 0.2
 */
extern
void gsock_framed_read_frame_async (GsockFramed         *framed,
                                    GCancellable        *cancellable,
                                    GAsyncReadyCallback  callback,
                                    gpointer             user_data);

/**
 * gsock_framed_read_frame_finish:
 * @framed: frames over a stream
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_framed_read_frame_async(), once. %NULL without an error is the end of the stream.
 *
 * Returns: (transfer full) (nullable): the frame, or %NULL at the end, and with @error set
 *
 * Since: 0.2
 */
extern
GBytes *gsock_framed_read_frame_finish (GsockFramed   *framed,
                                        GAsyncResult  *result,
                                        GError       **error);

/**
 * gsock_framed_read_exact:
 * @framed: frames over a stream
 * @count: how many bytes
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Reads exactly so many bytes, blocking, whatever is a frame: what a line has announced, for example.
 *
 * %G_IO_ERROR_MESSAGE_TOO_LARGE for more than #GsockFramed:max-frame-size, of which nothing is taken;
 * %G_IO_ERROR_PARTIAL_INPUT when the stream ends before. Else as gsock_framed_read_frame().
 *
 * Returns: (transfer full): the bytes, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GBytes *gsock_framed_read_exact (GsockFramed   *framed,
                                 gsize          count,
                                 GCancellable  *cancellable,
                                 GError       **error);

/**
 * gsock_framed_read_exact_async:
 * @framed: frames over a stream
 * @count: how many bytes
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to read exactly so many bytes; see gsock_framed_read_exact().
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never before this
 * returns.
 *
 * Since: 0.2
 */
extern
void gsock_framed_read_exact_async (GsockFramed         *framed,
                                    gsize                count,
                                    GCancellable        *cancellable,
                                    GAsyncReadyCallback  callback,
                                    gpointer             user_data);

/**
 * gsock_framed_read_exact_finish:
 * @framed: frames over a stream
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_framed_read_exact_async(), once.
 *
 * Returns: (transfer full): the bytes, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GBytes *gsock_framed_read_exact_finish (GsockFramed   *framed,
                                        GAsyncResult  *result,
                                        GError       **error);

/**
 * gsock_framed_take_buffered:
 * @framed: frames over a stream
 *
 * Takes what was read ahead and belongs to no frame that somebody has got, be it the beginning of one. Empty while a
 * thread is in a call that reads.
 *
 * Returns: (transfer full): the bytes
 *
 * Since: 0.2
 */
extern
GBytes *gsock_framed_take_buffered (GsockFramed *framed);

/**
 * gsock_framed_send:
 * @framed: frames over a stream
 * @frame: the frame
 * @error: a place for an error, or %NULL
 *
 * Queues a frame, whole or not at all, and never waits. It is written in the background, or by the next blocking
 * function that writes.
 *
 * %G_IO_ERROR_WOULD_BLOCK when more than #GsockFramed:max-pending-bytes would be queued: there is room at
 * #GsockFramed::drained at the latest. %G_IO_ERROR_MESSAGE_TOO_LARGE for more than #GsockFramed:max-frame-size, or more
 * than the prefix can tell; %G_IO_ERROR_INVALID_DATA for a line with a line break in it, or a CR at its end, and for
 * what is no JSON. Without #GsockFramed:keep-queue: %G_IO_ERROR_NOT_CONNECTED without a stream, and the error with which
 * the stream has failed.
 *
 * Returns: %TRUE if it is queued, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_send (GsockFramed  *framed,
                            GBytes       *frame,
                            GError      **error);

/**
 * gsock_framed_send_exact:
 * @framed: frames over a stream
 * @bytes: what to send
 * @error: a place for an error, or %NULL
 *
 * Queues bytes between the frames, as they are: what a line has announced, for example. They are no frame:
 * #GsockFramed:max-frame-size does not bound them. Else as gsock_framed_send().
 *
 * Returns: %TRUE if they are queued, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_send_exact (GsockFramed  *framed,
                                  GBytes       *bytes,
                                  GError      **error);

/**
 * gsock_framed_send_with_fds:
 * @framed: frames over a #GsockUnixConnection
 * @frame: the frame
 * @fds: (array length=n_fds): descriptors, which stay the caller's
 * @n_fds: how many there are, from 1 to 253
 * @error: a place for an error, or %NULL
 *
 * Queues a frame and descriptors that go with it, all or nothing, and never waits. Behind the frame comes one zero byte that
 * the descriptors travel with, as gsock_unix_connection_send_fds() has it. Who gets the frame has to know that from what
 * is in it, and takes them by gsock_unix_connection_receive_fds() before it reads on, with #GsockFramed:read-ahead
 * %FALSE.
 *
 * %G_IO_ERROR_NOT_SUPPORTED where the stream passes no descriptors. Else as gsock_framed_send().
 *
 * Returns: %TRUE if it is queued, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_send_with_fds (GsockFramed  *framed,
                                     GBytes       *frame,
                                     const gint   *fds,
                                     gsize         n_fds,
                                     GError      **error);

/**
 * gsock_framed_write_frame:
 * @framed: frames over a stream
 * @frame: the frame
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Waits for room in the queue, queues a frame and waits until the stream has taken it, blocking.
 *
 * Cancelled before the first byte is written, the frame is taken out of the queue. After that it is written to its end,
 * which is waited for. With #GsockFramed:keep-queue it waits for the next stream when one fails.
 *
 * Returns: %TRUE if it was written, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_write_frame (GsockFramed   *framed,
                                   GBytes        *frame,
                                   GCancellable  *cancellable,
                                   GError       **error);

/**
 * gsock_framed_write_frame_async:
 * @framed: frames over a stream
 * @frame: the frame
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to write a frame; see gsock_framed_write_frame().
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never before this
 * returns.
 *
 * Since: 0.2
 */
extern
void gsock_framed_write_frame_async (GsockFramed         *framed,
                                     GBytes              *frame,
                                     GCancellable        *cancellable,
                                     GAsyncReadyCallback  callback,
                                     gpointer             user_data);

/**
 * gsock_framed_write_frame_finish:
 * @framed: frames over a stream
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_framed_write_frame_async(), once.
 *
 * Returns: %TRUE if it was written, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_write_frame_finish (GsockFramed   *framed,
                                          GAsyncResult  *result,
                                          GError       **error);

/**
 * gsock_framed_flush:
 * @framed: frames over a stream
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Waits until the stream has taken all that was queued before, blocking. Cancelled, what is queued stays queued.
 *
 * Returns: %TRUE if it has, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_flush (GsockFramed   *framed,
                             GCancellable  *cancellable,
                             GError       **error);

/**
 * gsock_framed_flush_async:
 * @framed: frames over a stream
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to wait until the stream has taken all; see gsock_framed_flush().
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never before this
 * returns.
 *
 * Since: 0.2
 */
extern
void gsock_framed_flush_async (GsockFramed         *framed,
                               GCancellable        *cancellable,
                               GAsyncReadyCallback  callback,
                               gpointer             user_data);

/**
 * gsock_framed_flush_finish:
 * @framed: frames over a stream
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_framed_flush_async(), once.
 *
 * Returns: %TRUE if it has, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_flush_finish (GsockFramed   *framed,
                                    GAsyncResult  *result,
                                    GError       **error);

/**
 * gsock_framed_close:
 * @framed: frames over a stream
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Takes no more frames, writes what is queued and closes the stream, blocking. Closing it once more does nothing.
 *
 * When what is queued cannot be written, the stream is closed all the same, and the error says why. Cancelled before all
 * is written, it is not closed, and takes frames again.
 *
 * Returns: %TRUE if it was closed, %FALSE with @error set if not, or not orderly
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_close (GsockFramed   *framed,
                             GCancellable  *cancellable,
                             GError       **error);

/**
 * gsock_framed_close_async:
 * @framed: frames over a stream
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to close; see gsock_framed_close().
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never before this
 * returns.
 *
 * Since: 0.2
 */
extern
void gsock_framed_close_async (GsockFramed         *framed,
                               GCancellable        *cancellable,
                               GAsyncReadyCallback  callback,
                               gpointer             user_data);

/**
 * gsock_framed_close_finish:
 * @framed: frames over a stream
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_framed_close_async(), once.
 *
 * Returns: %TRUE if it was closed, %FALSE with @error set if not, or not orderly
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_close_finish (GsockFramed   *framed,
                                    GAsyncResult  *result,
                                    GError       **error);

/**
 * gsock_framed_get_io_stream: (get-property io-stream)
 * @framed: frames over a stream
 *
 * Gets the stream.
 *
 * Returns: (transfer full) (nullable): the stream, or %NULL
 *
 * Since: 0.2
 */
extern
GIOStream *gsock_framed_get_io_stream (GsockFramed *framed);

/**
 * gsock_framed_set_io_stream: (set-property io-stream)
 * @framed: frames over a stream
 * @io_stream: (nullable): a stream, or %NULL
 *
 * Starts over on a stream, be it the same one: see the class.
 *
 * Since: 0.2
 */
extern
void gsock_framed_set_io_stream (GsockFramed *framed,
                                 GIOStream   *io_stream);

/**
 * gsock_framed_get_framing: (get-property framing)
 * @framed: frames over a stream
 *
 * Gets how frames are told apart.
 *
 * Returns: the framing
 *
 * Since: 0.2
 */
extern
GsockFraming gsock_framed_get_framing (GsockFramed *framed);

/**
 * gsock_framed_get_prefix_size: (get-property prefix-size)
 * @framed: frames over a stream
 *
 * Gets how many bytes the length before a frame has.
 *
 * Returns: 1, 2, 4 or 8
 *
 * Since: 0.2
 */
extern
guint gsock_framed_get_prefix_size (GsockFramed *framed);

/**
 * gsock_framed_get_byte_order: (get-property byte-order)
 * @framed: frames over a stream
 *
 * Gets the byte order of the length before a frame.
 *
 * Returns: the byte order
 *
 * Since: 0.2
 */
extern
GDataStreamByteOrder gsock_framed_get_byte_order (GsockFramed *framed);

/**
 * gsock_framed_get_crlf: (get-property crlf)
 * @framed: frames over a stream
 *
 * Gets whether a line that is sent ends with CRLF.
 *
 * Returns: whether it does
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_get_crlf (GsockFramed *framed);

/**
 * gsock_framed_get_max_frame_size: (get-property max-frame-size)
 * @framed: frames over a stream
 *
 * Gets how many bytes a frame may have, in either direction.
 *
 * Returns: the number of bytes
 *
 * Since: 0.2
 */
extern
guint64 gsock_framed_get_max_frame_size (GsockFramed *framed);

/**
 * gsock_framed_set_max_frame_size: (set-property max-frame-size)
 * @framed: frames over a stream
 * @bytes: how many bytes
 *
 * Sets how many bytes a frame may have, in either direction, without what tells it apart.
 *
 * Since: 0.2
 */
extern
void gsock_framed_set_max_frame_size (GsockFramed *framed,
                                      guint64      bytes);

/**
 * gsock_framed_get_read_ahead: (get-property read-ahead)
 * @framed: frames over a stream
 *
 * Gets whether more may be taken from the stream than the frame that is asked for.
 *
 * Returns: whether it may
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_get_read_ahead (GsockFramed *framed);

/**
 * gsock_framed_set_read_ahead: (set-property read-ahead)
 * @framed: frames over a stream
 * @read_ahead: whether it may
 *
 * Sets whether more may be taken from the stream than the frame that is asked for. Without that, the stream can be given
 * to somebody else between two frames: to TLS, after the line that has agreed on it. What was read ahead before is still
 * read first.
 *
 * Since: 0.2
 */
extern
void gsock_framed_set_read_ahead (GsockFramed *framed,
                                  gboolean     read_ahead);

/**
 * gsock_framed_get_high_water: (get-property high-water)
 * @framed: frames over a stream
 *
 * Gets with more than how many bytes in the queue it is congested.
 *
 * Returns: the number of bytes
 *
 * Since: 0.2
 */
extern
guint64 gsock_framed_get_high_water (GsockFramed *framed);

/**
 * gsock_framed_set_high_water: (set-property high-water)
 * @framed: frames over a stream
 * @bytes: how many bytes
 *
 * Sets with more than how many bytes in the queue it is congested.
 *
 * Since: 0.2
 */
extern
void gsock_framed_set_high_water (GsockFramed *framed,
                                  guint64      bytes);

/**
 * gsock_framed_get_low_water: (get-property low-water)
 * @framed: frames over a stream
 *
 * Gets with how many bytes left in the queue a congestion ends.
 *
 * Returns: the number of bytes
 *
 * Since: 0.2
 */
extern
guint64 gsock_framed_get_low_water (GsockFramed *framed);

/**
 * gsock_framed_set_low_water: (set-property low-water)
 * @framed: frames over a stream
 * @bytes: how many bytes
 *
 * Sets with how many bytes left in the queue a congestion ends.
 *
 * Since: 0.2
 */
extern
void gsock_framed_set_low_water (GsockFramed *framed,
                                 guint64      bytes);

/**
 * gsock_framed_get_max_pending_bytes: (get-property max-pending-bytes)
 * @framed: frames over a stream
 *
 * Gets how many bytes the queue may hold.
 *
 * Returns: the number of bytes
 *
 * Since: 0.2
 */
extern
guint64 gsock_framed_get_max_pending_bytes (GsockFramed *framed);

/**
 * gsock_framed_set_max_pending_bytes: (set-property max-pending-bytes)
 * @framed: frames over a stream
 * @bytes: how many bytes
 *
 * Sets how many bytes the queue may hold. A single frame that is larger is taken when the queue is empty.
 *
 * Since: 0.2
 */
extern
void gsock_framed_set_max_pending_bytes (GsockFramed *framed,
                                         guint64      bytes);

/**
 * gsock_framed_get_keep_queue: (get-property keep-queue)
 * @framed: frames over a stream
 *
 * Gets whether what is queued when the stream fails waits for the next one.
 *
 * Returns: whether it does
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_get_keep_queue (GsockFramed *framed);

/**
 * gsock_framed_set_keep_queue: (set-property keep-queue)
 * @framed: frames over a stream
 * @keep_queue: whether it does
 *
 * Sets whether what is queued when the stream fails waits for the next one, and more may be queued meanwhile. Else it
 * fails.
 *
 * Since: 0.2
 */
extern
void gsock_framed_set_keep_queue (GsockFramed *framed,
                                  gboolean     keep_queue);

/**
 * gsock_framed_get_pending_bytes: (get-property pending-bytes)
 * @framed: frames over a stream
 *
 * Gets how many bytes of frames, and of what tells them apart, the stream has not taken yet.
 *
 * Returns: the number of bytes
 *
 * Since: 0.2
 */
extern
guint64 gsock_framed_get_pending_bytes (GsockFramed *framed);

/**
 * gsock_framed_get_pending_frames: (get-property pending-frames)
 * @framed: frames over a stream
 *
 * Gets how many frames the stream has not taken, or not wholly.
 *
 * Returns: the number of frames
 *
 * Since: 0.2
 */
extern
guint64 gsock_framed_get_pending_frames (GsockFramed *framed);

/**
 * gsock_framed_is_congested: (get-property congested)
 * @framed: frames over a stream
 *
 * Gets whether more is queued than is good.
 *
 * Returns: whether it is
 *
 * Since: 0.2
 */
extern
gboolean gsock_framed_is_congested (GsockFramed *framed);

/**
 * gsock_framed_get_last_error: (get-property last-error)
 * @framed: frames over a stream
 *
 * Gets why the stream of now cannot be read from or written to.
 *
 * Returns: (transfer full) (nullable): the error, or %NULL
 *
 * Since: 0.2
 */
extern
GError *gsock_framed_get_last_error (GsockFramed *framed);

G_END_DECLS

#endif /* GSOCK_FRAMED_H */
