/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_UNIX_CONNECTION_H
#define GSOCK_UNIX_CONNECTION_H

#include <gsock/gsock-socket-connection.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_UNIX_CONNECTION (gsock_unix_connection_get_type ())

/**
 * GsockUnixConnection:
 *
 * A connection over a Unix socket: what #GUnixConnection is, and the same on the wire.
 *
 * Descriptors and credentials travel with one byte each, which is part of what the connection carries: both
 * sides have to agree where in the data it stands. Data that nothing comes along with is not taken by who
 * receives, and stays to be read. On sockets of sequenced packets the byte is a packet of its own.
 *
 * All operations wait whether or not the socket is in blocking mode, for as long as its timeout says.
 *
 * Since: 0.2
 */
extern
G_DECLARE_DERIVABLE_TYPE (GsockUnixConnection, gsock_unix_connection, GSOCK, UNIX_CONNECTION, GsockSocketConnection)

/**
 * GsockUnixConnectionClass:
 * @parent_class: the parent class
 *
 * The class structure. There is nothing to override beyond the parent's.
 *
 * Since: 0.2
 */
struct _GsockUnixConnectionClass
{
  /*< private >*/
  GsockSocketConnectionClass parent_class;

  gpointer padding[10];
};

/**
 * gsock_unix_connection_send_fd:
 * @connection: a connection
 * @fd: a descriptor, which stays the caller's
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Sends a descriptor with one byte.
 *
 * Returns: %TRUE if it was sent, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_unix_connection_send_fd (GsockUnixConnection  *connection,
                                        gint                  fd,
                                        GCancellable         *cancellable,
                                        GError              **error);

/**
 * gsock_unix_connection_send_fd_async:
 * @connection: a connection
 * @fd: a descriptor, which stays the caller's
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to send a descriptor, of which a duplicate is made.
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never
 * before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_unix_connection_send_fd_async (GsockUnixConnection *connection,
                                          gint                 fd,
                                          GCancellable        *cancellable,
                                          GAsyncReadyCallback  callback,
                                          gpointer             user_data);

/**
 * gsock_unix_connection_send_fd_finish:
 * @connection: a connection
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_unix_connection_send_fd_async(), once.
 *
 * Returns: %TRUE if it was sent, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_unix_connection_send_fd_finish (GsockUnixConnection  *connection,
                                               GAsyncResult         *result,
                                               GError              **error);

/**
 * gsock_unix_connection_receive_fd:
 * @connection: a connection
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Receives the descriptor that was sent with a byte. It is close-on-exec.
 *
 * At the end of what the peer sends the error is %G_IO_ERROR_CONNECTION_CLOSED. A byte that no descriptor
 * came with is %G_IO_ERROR_FAILED and stays to be read; more than one descriptor is too, and they are closed.
 * When descriptors were lost on the way it is %G_IO_ERROR_INVALID_DATA, and those that came are closed.
 *
 * Returns: a descriptor that is the caller's to close, -1 with @error set if there is none
 *
 * Since: 0.2
 */
extern
gint gsock_unix_connection_receive_fd (GsockUnixConnection  *connection,
                                       GCancellable         *cancellable,
                                       GError              **error);

/**
 * gsock_unix_connection_receive_fd_async:
 * @connection: a connection
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to receive a descriptor.
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never
 * before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_unix_connection_receive_fd_async (GsockUnixConnection *connection,
                                             GCancellable        *cancellable,
                                             GAsyncReadyCallback  callback,
                                             gpointer             user_data);

/**
 * gsock_unix_connection_receive_fd_finish:
 * @connection: a connection
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_unix_connection_receive_fd_async(), once.
 *
 * Returns: a descriptor that is the caller's to close, -1 with @error set if there is none
 *
 * Since: 0.2
 */
extern
gint gsock_unix_connection_receive_fd_finish (GsockUnixConnection  *connection,
                                              GAsyncResult         *result,
                                              GError              **error);

/**
 * gsock_unix_connection_send_fds:
 * @connection: a connection
 * @fds: (array length=n_fds): descriptors, which stay the caller's
 * @n_fds: how many there are, from 1 to 253
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Sends descriptors, all with one byte: the peer gets all or none.
 *
 * Returns: %TRUE if it was sent, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_unix_connection_send_fds (GsockUnixConnection  *connection,
                                         const gint           *fds,
                                         gsize                 n_fds,
                                         GCancellable         *cancellable,
                                         GError              **error);

/**
 * gsock_unix_connection_send_fds_async:
 * @connection: a connection
 * @fds: (array length=n_fds): descriptors, which stay the caller's
 * @n_fds: how many there are, from 1 to 253
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to send descriptors, of which duplicates are made.
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never
 * before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_unix_connection_send_fds_async (GsockUnixConnection *connection,
                                           const gint          *fds,
                                           gsize                n_fds,
                                           GCancellable        *cancellable,
                                           GAsyncReadyCallback  callback,
                                           gpointer             user_data);

/**
 * gsock_unix_connection_send_fds_finish:
 * @connection: a connection
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_unix_connection_send_fds_async(), once.
 *
 * Returns: %TRUE if it was sent, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_unix_connection_send_fds_finish (GsockUnixConnection  *connection,
                                                GAsyncResult         *result,
                                                GError              **error);

/**
 * gsock_unix_connection_receive_fds:
 * @connection: a connection
 * @max_fds: how many may come at most
 * @n_fds: (out) (optional): how many there are
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Receives all descriptors that were sent with a byte. They are close-on-exec. More than @max_fds are
 * %G_IO_ERROR_FAILED, and closed; the other errors are those of gsock_unix_connection_receive_fd().
 *
 * Returns: (array length=n_fds) (transfer full): descriptors that are the caller's to close, in an array to
 *   be freed with g_free(); %NULL with @error set if there are none
 *
 * Since: 0.2
 */
extern
gint *gsock_unix_connection_receive_fds (GsockUnixConnection  *connection,
                                         gsize                 max_fds,
                                         gsize                *n_fds,
                                         GCancellable         *cancellable,
                                         GError              **error);

/**
 * gsock_unix_connection_receive_fds_async:
 * @connection: a connection
 * @max_fds: how many may come at most
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to receive descriptors.
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never
 * before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_unix_connection_receive_fds_async (GsockUnixConnection *connection,
                                              gsize                max_fds,
                                              GCancellable        *cancellable,
                                              GAsyncReadyCallback  callback,
                                              gpointer             user_data);

/**
 * gsock_unix_connection_receive_fds_finish:
 * @connection: a connection
 * @result: what the callback was given
 * @n_fds: (out) (optional): how many there are
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_unix_connection_receive_fds_async(), once.
 *
 * Returns: (array length=n_fds) (transfer full): descriptors that are the caller's to close, in an array to
 *   be freed with g_free(); %NULL with @error set if there are none
 *
 * Since: 0.2
 */
extern
gint *gsock_unix_connection_receive_fds_finish (GsockUnixConnection  *connection,
                                                GAsyncResult         *result,
                                                gsize                *n_fds,
                                                GError              **error);

/**
 * gsock_unix_connection_send_credentials:
 * @connection: a connection
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Sends with one byte who this process is. The kernel vouches for it.
 *
 * Returns: %TRUE if it was sent, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_unix_connection_send_credentials (GsockUnixConnection  *connection,
                                                 GCancellable         *cancellable,
                                                 GError              **error);

/**
 * gsock_unix_connection_send_credentials_async:
 * @connection: a connection
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to send credentials.
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never
 * before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_unix_connection_send_credentials_async (GsockUnixConnection *connection,
                                                   GCancellable        *cancellable,
                                                   GAsyncReadyCallback  callback,
                                                   gpointer             user_data);

/**
 * gsock_unix_connection_send_credentials_finish:
 * @connection: a connection
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_unix_connection_send_credentials_async(), once.
 *
 * Returns: %TRUE if it was sent, %FALSE with @error set if not
 *
 * Since: 0.2
 */
extern
gboolean gsock_unix_connection_send_credentials_finish (GsockUnixConnection  *connection,
                                                        GAsyncResult         *result,
                                                        GError              **error);

/**
 * gsock_unix_connection_receive_credentials:
 * @connection: a connection
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Receives who has sent a byte with gsock_unix_connection_send_credentials() or in the same way.
 *
 * At the end of what the peer sends the error is %G_IO_ERROR_CONNECTION_CLOSED. A byte that no credentials
 * came with, or descriptors too, is %G_IO_ERROR_FAILED and stays to be received in another way.
 *
 * Returns: (transfer full): the credentials, %NULL with @error set if there are none
 *
 * Since: 0.2
 */
extern
GCredentials *gsock_unix_connection_receive_credentials (GsockUnixConnection  *connection,
                                                         GCancellable         *cancellable,
                                                         GError              **error);

/**
 * gsock_unix_connection_receive_credentials_async:
 * @connection: a connection
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to receive credentials.
 *
 * @callback runs in the #GMainContext that is thread-default now, which this thread need not own, and never
 * before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_unix_connection_receive_credentials_async (GsockUnixConnection *connection,
                                                      GCancellable        *cancellable,
                                                      GAsyncReadyCallback  callback,
                                                      gpointer             user_data);

/**
 * gsock_unix_connection_receive_credentials_finish:
 * @connection: a connection
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of gsock_unix_connection_receive_credentials_async(), once.
 *
 * Returns: (transfer full): the credentials, %NULL with @error set if there are none
 *
 * Since: 0.2
 */
extern
GCredentials *gsock_unix_connection_receive_credentials_finish (GsockUnixConnection  *connection,
                                                                GAsyncResult         *result,
                                                                GError              **error);

/**
 * gsock_unix_connection_get_peer_credentials:
 * @connection: a connection
 * @error: a place for an error, or %NULL
 *
 * Who was at the other end when the connection was made, or began to listen. Nothing is sent or received.
 *
 * Returns: (transfer full): the credentials, %NULL with @error set if there is no peer
 *
 * Since: 0.2
 */
extern
GCredentials *gsock_unix_connection_get_peer_credentials (GsockUnixConnection  *connection,
                                                          GError              **error);

/**
 * gsock_unix_connection_get_peer_pidfd:
 * @connection: a connection
 * @error: a place for an error, or %NULL
 *
 * The process at the other end as a descriptor (pidfd), which unlike a number stands for no other process
 * once this one is gone. It is %G_IO_ERROR_NOT_SUPPORTED where the kernel has none (Linux before 6.5).
 *
 * Returns: a descriptor that is the caller's to close, -1 with @error set if there is none
 *
 * Since: 0.2
 */
extern
gint gsock_unix_connection_get_peer_pidfd (GsockUnixConnection  *connection,
                                           GError              **error);

G_END_DECLS

#endif /* GSOCK_UNIX_CONNECTION_H */
