/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_CONNECT_REPORT_H
#define GSOCK_CONNECT_REPORT_H

#include <gsock/gsock-socket-client.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_CONNECT_REPORT (gsock_connect_report_get_type ())

/**
 * GsockConnectReport:
 *
 * How a connection came about, or did not: every address that was tried, what came of it and how long it took.
 *
 * A connection that a #GsockSocketClient has made carries one: gsock_socket_connection_get_connect_report(). That of a
 * failure comes from gsock_socket_client_connect_with_report(). All times are in microseconds. A report
 * never changes, and may be looked at by any thread.
 *
 * Since: 0.2
 */
typedef struct _GsockConnectReport GsockConnectReport;

extern
GType gsock_connect_report_get_type (void);

/**
 * gsock_connect_report_copy:
 * @report: a report
 *
 * Makes another one that says the same.
 *
 * Returns: (transfer full): the copy
 *
 * Since: 0.2
 */
extern
GsockConnectReport *gsock_connect_report_copy (const GsockConnectReport *report);

/**
 * gsock_connect_report_free:
 * @report: (transfer full) (nullable): a report, or %NULL
 *
 * Frees a report, and all that it has lent.
 *
 * Since: 0.2
 */
extern
void gsock_connect_report_free (GsockConnectReport *report);

/**
 * gsock_connect_report_get_error:
 * @report: a report
 *
 * Gets why no connection was made.
 *
 * Returns: (transfer none) (nullable): the error, or %NULL if there is a connection
 *
 * Since: 0.2
 */
extern
const GError *gsock_connect_report_get_error (const GsockConnectReport *report);

/**
 * gsock_connect_report_get_n_attempts:
 * @report: a report
 *
 * Gets how many addresses were tried.
 *
 * Returns: the number of attempts
 *
 * Since: 0.2
 */
extern
guint gsock_connect_report_get_n_attempts (const GsockConnectReport *report);

/**
 * gsock_connect_report_get_attempt_address:
 * @report: a report
 * @attempt: the number of an attempt, in the order of their beginning, from 0 on
 *
 * Gets the address that was tried.
 *
 * Returns: (transfer none) (nullable): the address, or %NULL if there was no such attempt
 *
 * Since: 0.2
 */
extern
GSocketAddress *gsock_connect_report_get_attempt_address (const GsockConnectReport *report,
                                                          guint                     attempt);

/**
 * gsock_connect_report_get_attempt_begun:
 * @report: a report
 * @attempt: the number of an attempt, in the order of their beginning, from 0 on
 *
 * Gets when an attempt began, since the beginning of all.
 *
 * Returns: microseconds, or -1 if there was no such attempt
 *
 * Since: 0.2
 */
extern
gint64 gsock_connect_report_get_attempt_begun (const GsockConnectReport *report,
                                               guint                     attempt);

/**
 * gsock_connect_report_get_attempt_took:
 * @report: a report
 * @attempt: the number of an attempt, in the order of their beginning, from 0 on
 *
 * Gets what an attempt took until it came to its end.
 *
 * Returns: microseconds, or -1 if there was no such attempt
 *
 * Since: 0.2
 */
extern
gint64 gsock_connect_report_get_attempt_took (const GsockConnectReport *report,
                                              guint                     attempt);

/**
 * gsock_connect_report_get_attempt_error:
 * @report: a report
 * @attempt: the number of an attempt, in the order of their beginning, from 0 on
 *
 * Gets why an attempt came to nothing: %G_IO_ERROR_CANCELLED when another one was faster.
 *
 * Returns: (transfer none) (nullable): the error, or %NULL if it has succeeded, or there was no such attempt
 *
 * Since: 0.2
 */
extern
const GError *gsock_connect_report_get_attempt_error (const GsockConnectReport *report,
                                                      guint                     attempt);

/**
 * gsock_connect_report_get_resolve_time:
 * @report: a report
 *
 * Gets how long it took until the first address was known, or it was clear that there is none.
 *
 * Returns: microseconds
 *
 * Since: 0.2
 */
extern
gint64 gsock_connect_report_get_resolve_time (const GsockConnectReport *report);

/**
 * gsock_connect_report_get_connect_time:
 * @report: a report
 *
 * Gets what the attempt that succeeded took until its connection was there; 0 where none did.
 *
 * Returns: microseconds
 *
 * Since: 0.2
 */
extern
gint64 gsock_connect_report_get_connect_time (const GsockConnectReport *report);

/**
 * gsock_connect_report_get_proxy_time:
 * @report: a report
 *
 * Gets what the agreement with a proxy took.
 *
 * Returns: microseconds, or -1 if there was none
 *
 * Since: 0.2
 */
extern
gint64 gsock_connect_report_get_proxy_time (const GsockConnectReport *report);

/**
 * gsock_connect_report_get_tls_time:
 * @report: a report
 *
 * Gets what the TLS handshake took.
 *
 * Returns: microseconds, or -1 if there was none
 *
 * Since: 0.2
 */
extern
gint64 gsock_connect_report_get_tls_time (const GsockConnectReport *report);

/**
 * gsock_socket_connection_get_connect_report:
 * @connection: a connection
 *
 * Gets what it took to make a connection. It is there from the event %G_SOCKET_CLIENT_COMPLETE on, and stays as it
 * is, whatever becomes of the connection.
 *
 * Returns: (transfer full) (nullable): a report, or %NULL if no client has made the connection
 *
 * Since: 0.2
 */
extern
GsockConnectReport *gsock_socket_connection_get_connect_report (GsockSocketConnection *connection);

/**
 * gsock_socket_client_connect_with_report:
 * @client: a client
 * @connectable: where to connect to
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @connection: (out) (optional) (nullable) (transfer full): the connection, or %NULL after a failure
 *
 * Connects as gsock_socket_client_connect() does, and tells what it took, whatever comes of it: where there is no
 * connection, gsock_connect_report_get_error() says why.
 *
 * Returns: (transfer full): the report
 *
 * Since: 0.2
 */
extern
GsockConnectReport *gsock_socket_client_connect_with_report (GsockSocketClient      *client,
                                                             GSocketConnectable     *connectable,
                                                             GCancellable           *cancellable,
                                                             GsockSocketConnection **connection);

/**
 * gsock_socket_client_connect_with_report_async:
 * @client: a client
 * @connectable: where to connect to
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * The asynchronous form of gsock_socket_client_connect_with_report().
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_connect_with_report_async (GsockSocketClient   *client,
                                                    GSocketConnectable  *connectable,
                                                    GCancellable        *cancellable,
                                                    GAsyncReadyCallback  callback,
                                                    gpointer             user_data);

/**
 * gsock_socket_client_connect_with_report_finish:
 * @client: a client
 * @result: what the callback was given
 * @connection: (out) (optional) (nullable) (transfer full): the connection, or %NULL after a failure
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_socket_client_connect_with_report_async(), once. It fails with
 * %G_IO_ERROR_INVALID_ARGUMENT for a result that is none of that.
 *
 * Returns: (transfer full): the report
 *
 * Since: 0.2
 */
extern
GsockConnectReport *gsock_socket_client_connect_with_report_finish (GsockSocketClient      *client,
                                                                    GAsyncResult           *result,
                                                                    GsockSocketConnection **connection,
                                                                    GError                **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GsockConnectReport, gsock_connect_report_free)

G_END_DECLS

#endif
