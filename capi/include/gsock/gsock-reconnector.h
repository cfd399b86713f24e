/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_RECONNECTOR_H
#define GSOCK_RECONNECTOR_H

#include <gsock/gsock-socket-client.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_RECONNECTOR_STATE (gsock_reconnector_state_get_type ())

/**
 * GsockReconnectorState:
 * @GSOCK_RECONNECTOR_STATE_STOPPED: nothing: not started yet, or stopped
 * @GSOCK_RECONNECTOR_STATE_WAITING_FOR_NETWORK: the network is away, or has come back just now
 * @GSOCK_RECONNECTOR_STATE_DELAYING: the next attempt has its time, which has not come
 * @GSOCK_RECONNECTOR_STATE_CONNECTING: an attempt is under way, or about to be
 * @GSOCK_RECONNECTOR_STATE_CONNECTED: there is a connection
 * @GSOCK_RECONNECTOR_STATE_GIVEN_UP: so many attempts as there may be have been made
 *
 * What a reconnector is at. Later versions may add to these.
 *
 * Since: 0.2
 */
typedef enum {
  GSOCK_RECONNECTOR_STATE_STOPPED = 0,
  GSOCK_RECONNECTOR_STATE_WAITING_FOR_NETWORK = 1,
  GSOCK_RECONNECTOR_STATE_DELAYING = 2,
  GSOCK_RECONNECTOR_STATE_CONNECTING = 3,
  GSOCK_RECONNECTOR_STATE_CONNECTED = 4,
  GSOCK_RECONNECTOR_STATE_GIVEN_UP = 5
} GsockReconnectorState;

extern
GType gsock_reconnector_state_get_type (void) G_GNUC_CONST;

#define GSOCK_TYPE_RECONNECTOR (gsock_reconnector_get_type ())

/**
 * GsockReconnector:
 *
 * Connects, and connects again when the connection is lost.
 *
 * Each attempt is one of its #GsockSocketClient to its #GSocketConnectable, which is resolved anew. After one that fails,
 * whatever the error, comes a delay, which doubles from #GsockReconnector:initial-delay-ms to
 * #GsockReconnector:max-delay-ms and of which chance takes a part off. The delays begin anew when a connection has lasted
 * for #GsockReconnector:stable-after-ms.
 *
 * #GsockReconnector:connection is one object for all sockets: the next one is put into it, so that bindings and handlers on it
 * and on its streams live on, and #GsockReconnector:io-stream is notified. What is pending on the old socket ends before that.
 * From a loss on writes fail, and what has arrived can be read until the next connection is there. A #GSource of its streams, and
 * what was laid over it by hand, such as a TLS stream, are of one socket: they are made anew in a handler of
 * #GsockReconnector::connected.
 * With #GsockSocketClient:tls the stream is the encrypted one, new at each connect, and the connection is on the socket below, for
 * its state and its addresses.
 *
 * While the #GNetworkMonitor says that there is no network, there are no attempts, unless the connectable says by itself that
 * it is on this machine.
 *
 * It makes its attempts, notifies and emits in the #GMainContext that was thread-default where it was made. Its functions may be called
 * from any thread. Handlers may call anything of it, and run a #GMainLoop, in which it goes on: what happens meanwhile is told
 * when they have returned. Dropped, it leaves what is connected to whoever has that.
 *
 * Since: 0.2
 */
extern
G_DECLARE_FINAL_TYPE (GsockReconnector, gsock_reconnector, GSOCK, RECONNECTOR, GObject)

/**
 * GsockReconnector::attempt:
 * @reconnector: a reconnector
 * @number: which it is since the last stable connection: 1, 2 and so on
 *
 * Emitted when an attempt begins.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector::attempt-failed:
 * @reconnector: a reconnector
 * @number: which it was since the last stable connection: 1, 2 and so on
 * @error: why it has failed
 * @delay_ms: the milliseconds to the next one, or 0 if none follows
 *
 * Emitted when an attempt has failed.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector::connected:
 * @reconnector: a reconnector
 * @io_stream: what the bytes go through
 *
 * Emitted when there is a connection.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector::disconnected:
 * @reconnector: a reconnector
 * @error: (nullable): what has ended it, or %NULL where the peer has closed it or it was given up here
 *
 * Emitted when there is no connection any more.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector::given-up:
 * @reconnector: a reconnector
 * @error: that of the last attempt, or of the loss that came after it
 *
 * Emitted when there will be no further attempt.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:client: (getter get_client)
 *
 * Who connects.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:connectable: (getter get_connectable)
 *
 * What is connected to.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:network-monitor: (getter get_network_monitor) (setter set_network_monitor)
 *
 * Whose word on the network is heard: the default one's where nothing was set, and nobody's after %NULL was.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:initial-delay-ms: (getter get_initial_delay_ms) (setter set_initial_delay_ms)
 *
 * How long, in milliseconds, it waits after the first attempt that fails, and after the loss of a stable connection; 1 or more.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:max-delay-ms: (getter get_max_delay_ms) (setter set_max_delay_ms)
 *
 * How long, in milliseconds, it waits at most; 1 or more.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:stable-after-ms: (getter get_stable_after_ms) (setter set_stable_after_ms)
 *
 * How long, in milliseconds, a connection has to last for the delays and #GsockReconnector:attempt to begin anew.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:debounce-ms: (getter get_debounce_ms) (setter set_debounce_ms)
 *
 * How long, in milliseconds, the #GNetworkMonitor has to say that the network is back before there is an attempt.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:jitter: (getter get_jitter) (setter set_jitter)
 *
 * The part of a delay that is left to chance, from 0.0 to 1.0: a delay `d` becomes something from `(1 - jitter) * d` to `d`.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:max-attempts: (getter get_max_attempts) (setter set_max_attempts)
 *
 * How many attempts there are, without a stable connection, before it gives up; 0 for no bound.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:reconnect: (getter get_reconnect) (setter set_reconnect)
 *
 * Whether a connection that is lost is made again; otherwise it is stopped then.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:state: (getter get_state)
 *
 * What it is at.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:connection: (getter get_connection)
 *
 * The lasting connection, or %NULL before the first. A new object takes the place of one that was closed, or whose class cannot
 * carry the next socket.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:io-stream: (getter get_io_stream)
 *
 * What the bytes go through, or %NULL before the first connection. Notified at each connect, also when the object is the same.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:attempt: (getter get_attempt)
 *
 * How many attempts there were since the last stable connection.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:next-attempt-in-ms: (getter get_next_attempt_in_ms)
 *
 * How many milliseconds it is to the next attempt, or 0. Notified when an attempt is given its time, not as that comes nearer.
 *
 * Since: 0.2
 */

/**
 * GsockReconnector:last-error: (getter get_last_error)
 *
 * That of the last attempt that failed, or of the loss; %NULL once it is connected.
 *
 * Since: 0.2
 */

/**
 * gsock_reconnector_new:
 * @client: who is to connect
 * @connectable: to what
 *
 * Makes a reconnector, which does nothing before it is started.
 *
 * Returns: (transfer full): the reconnector
 *
 * Since: 0.2
 */
extern
GsockReconnector *gsock_reconnector_new (GsockSocketClient  *client,
                                         GSocketConnectable *connectable);

/**
 * gsock_reconnector_start:
 * @reconnector: a reconnector
 *
 * Begins to connect, if it is stopped or has given up. It does not wait.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_start (GsockReconnector *reconnector);

/**
 * gsock_reconnector_stop:
 * @reconnector: a reconnector
 *
 * Ends everything: no attempt is under way any more or follows, and what is connected is closed. Who waits for a connection gets
 * %G_IO_ERROR_CLOSED. The socket is closed, and not the connection object, which takes the next one after another
 * gsock_reconnector_start(). With TLS its end is told to the peer first, for a second at most.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_stop (GsockReconnector *reconnector);

/**
 * gsock_reconnector_retry_now:
 * @reconnector: a reconnector
 *
 * Has the next attempt made now, whatever the delay and the network. While there is a connection, that is given up: its socket is
 * shut down, so that what waits on it ends. While an attempt is under way, and while it is stopped, this does nothing; after it has
 * given up it begins anew.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_retry_now (GsockReconnector *reconnector);

/**
 * gsock_reconnector_wait_connected:
 * @reconnector: a reconnector
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Blocks until there is a connection; starts it if need be. This thread makes the attempts that are due, unless the one where the
 * reconnector was made does. It fails with the last error when it gives up, with %G_IO_ERROR_CLOSED when it is stopped.
 * Cancelled it waits no more, and the reconnector goes on.
 *
 * Returns: (transfer full): what the bytes go through, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GIOStream *gsock_reconnector_wait_connected (GsockReconnector  *reconnector,
                                             GCancellable      *cancellable,
                                             GError           **error);

/**
 * gsock_reconnector_wait_connected_async:
 * @reconnector: a reconnector
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to wait for a connection, and starts the reconnector if need be; see gsock_reconnector_wait_connected().
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never
 * before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_wait_connected_async (GsockReconnector    *reconnector,
                                             GCancellable        *cancellable,
                                             GAsyncReadyCallback  callback,
                                             gpointer             user_data);

/**
 * gsock_reconnector_wait_connected_finish:
 * @reconnector: a reconnector
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_reconnector_wait_connected_async(), once.
 *
 * Returns: (transfer full): what the bytes go through, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GIOStream *gsock_reconnector_wait_connected_finish (GsockReconnector  *reconnector,
                                                    GAsyncResult      *result,
                                                    GError           **error);

/**
 * gsock_reconnector_get_client: (get-property client)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:client.
 *
 * Returns: (transfer none) (nullable): the client, or %NULL if it was made without one
 *
 * Since: 0.2
 */
extern
GsockSocketClient *gsock_reconnector_get_client (GsockReconnector *reconnector);

/**
 * gsock_reconnector_get_connectable: (get-property connectable)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:connectable.
 *
 * Returns: (transfer none) (nullable): the connectable, or %NULL if it was made without one
 *
 * Since: 0.2
 */
extern
GSocketConnectable *gsock_reconnector_get_connectable (GsockReconnector *reconnector);

/**
 * gsock_reconnector_get_network_monitor: (get-property network-monitor)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:network-monitor.
 *
 * Returns: (transfer full) (nullable): the monitor, or %NULL for nobody
 *
 * Since: 0.2
 */
extern
GNetworkMonitor *gsock_reconnector_get_network_monitor (GsockReconnector *reconnector);

/**
 * gsock_reconnector_set_network_monitor: (set-property network-monitor)
 * @reconnector: a reconnector
 * @value: (nullable): the monitor, or %NULL for nobody
 *
 * Sets the property #GsockReconnector:network-monitor.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_set_network_monitor (GsockReconnector *reconnector,
                                            GNetworkMonitor  *value);

/**
 * gsock_reconnector_get_initial_delay_ms: (get-property initial-delay-ms)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:initial-delay-ms.
 *
 * Returns: the first delay, in milliseconds
 *
 * Since: 0.2
 */
extern
guint gsock_reconnector_get_initial_delay_ms (GsockReconnector *reconnector);

/**
 * gsock_reconnector_set_initial_delay_ms: (set-property initial-delay-ms)
 * @reconnector: a reconnector
 * @value: the first delay, in milliseconds
 *
 * Sets the property #GsockReconnector:initial-delay-ms.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_set_initial_delay_ms (GsockReconnector *reconnector,
                                             guint             value);

/**
 * gsock_reconnector_get_max_delay_ms: (get-property max-delay-ms)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:max-delay-ms.
 *
 * Returns: the longest delay, in milliseconds
 *
 * Since: 0.2
 */
extern
guint gsock_reconnector_get_max_delay_ms (GsockReconnector *reconnector);

/**
 * gsock_reconnector_set_max_delay_ms: (set-property max-delay-ms)
 * @reconnector: a reconnector
 * @value: the longest delay, in milliseconds
 *
 * Sets the property #GsockReconnector:max-delay-ms.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_set_max_delay_ms (GsockReconnector *reconnector,
                                         guint             value);

/**
 * gsock_reconnector_get_stable_after_ms: (get-property stable-after-ms)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:stable-after-ms.
 *
 * Returns: a time, in milliseconds
 *
 * Since: 0.2
 */
extern
guint gsock_reconnector_get_stable_after_ms (GsockReconnector *reconnector);

/**
 * gsock_reconnector_set_stable_after_ms: (set-property stable-after-ms)
 * @reconnector: a reconnector
 * @value: a time, in milliseconds
 *
 * Sets the property #GsockReconnector:stable-after-ms.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_set_stable_after_ms (GsockReconnector *reconnector,
                                            guint             value);

/**
 * gsock_reconnector_get_debounce_ms: (get-property debounce-ms)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:debounce-ms.
 *
 * Returns: a time, in milliseconds
 *
 * Since: 0.2
 */
extern
guint gsock_reconnector_get_debounce_ms (GsockReconnector *reconnector);

/**
 * gsock_reconnector_set_debounce_ms: (set-property debounce-ms)
 * @reconnector: a reconnector
 * @value: a time, in milliseconds
 *
 * Sets the property #GsockReconnector:debounce-ms.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_set_debounce_ms (GsockReconnector *reconnector,
                                        guint             value);

/**
 * gsock_reconnector_get_jitter: (get-property jitter)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:jitter.
 *
 * Returns: the part, from 0.0 to 1.0
 *
 * Since: 0.2
 */
extern
double gsock_reconnector_get_jitter (GsockReconnector *reconnector);

/**
 * gsock_reconnector_set_jitter: (set-property jitter)
 * @reconnector: a reconnector
 * @value: the part; what is not from 0.0 to 1.0 is brought to the nearest of these
 *
 * Sets the property #GsockReconnector:jitter.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_set_jitter (GsockReconnector *reconnector,
                                   double            value);

/**
 * gsock_reconnector_get_max_attempts: (get-property max-attempts)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:max-attempts.
 *
 * Returns: the number, or 0 for no bound
 *
 * Since: 0.2
 */
extern
guint gsock_reconnector_get_max_attempts (GsockReconnector *reconnector);

/**
 * gsock_reconnector_set_max_attempts: (set-property max-attempts)
 * @reconnector: a reconnector
 * @value: the number, or 0 for no bound
 *
 * Sets the property #GsockReconnector:max-attempts.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_set_max_attempts (GsockReconnector *reconnector,
                                         guint             value);

/**
 * gsock_reconnector_get_reconnect: (get-property reconnect)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:reconnect.
 *
 * Returns: whether it connects again
 *
 * Since: 0.2
 */
extern
gboolean gsock_reconnector_get_reconnect (GsockReconnector *reconnector);

/**
 * gsock_reconnector_set_reconnect: (set-property reconnect)
 * @reconnector: a reconnector
 * @value: whether it connects again
 *
 * Sets the property #GsockReconnector:reconnect.
 *
 * Since: 0.2
 */
extern
void gsock_reconnector_set_reconnect (GsockReconnector *reconnector,
                                      gboolean          value);

/**
 * gsock_reconnector_get_state: (get-property state)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:state.
 *
 * Returns: the state
 *
 * Since: 0.2
 */
extern
GsockReconnectorState gsock_reconnector_get_state (GsockReconnector *reconnector);

/**
 * gsock_reconnector_get_connection: (get-property connection)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:connection.
 *
 * Returns: (transfer full) (nullable): the connection, or %NULL
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_reconnector_get_connection (GsockReconnector *reconnector);

/**
 * gsock_reconnector_get_io_stream: (get-property io-stream)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:io-stream.
 *
 * Returns: (transfer full) (nullable): the stream, or %NULL
 *
 * Since: 0.2
 */
extern
GIOStream *gsock_reconnector_get_io_stream (GsockReconnector *reconnector);

/**
 * gsock_reconnector_get_attempt: (get-property attempt)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:attempt.
 *
 * Returns: the number
 *
 * Since: 0.2
 */
extern
guint gsock_reconnector_get_attempt (GsockReconnector *reconnector);

/**
 * gsock_reconnector_get_next_attempt_in_ms: (get-property next-attempt-in-ms)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:next-attempt-in-ms.
 *
 * Returns: the time, in milliseconds, or 0
 *
 * Since: 0.2
 */
extern
guint gsock_reconnector_get_next_attempt_in_ms (GsockReconnector *reconnector);

/**
 * gsock_reconnector_get_last_error: (get-property last-error)
 * @reconnector: a reconnector
 *
 * Gets the property #GsockReconnector:last-error.
 *
 * Returns: (transfer full) (nullable): the error, or %NULL
 *
 * Since: 0.2
 */
extern
GError *gsock_reconnector_get_last_error (GsockReconnector *reconnector);

G_END_DECLS

#endif /* GSOCK_RECONNECTOR_H */
