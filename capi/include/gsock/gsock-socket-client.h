/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_SOCKET_CLIENT_H
#define GSOCK_SOCKET_CLIENT_H

#include <gsock/gsock-socket-connection.h>

G_BEGIN_DECLS

#define GSOCK_TYPE_SOCKET_CLIENT (gsock_socket_client_get_type ())

/**
 * GsockSocketClient:
 *
 * Connects to a host, a service or an address, and makes the connection that goes with it: what #GSocketClient is.
 *
 * A name is resolved in both families at once, and its addresses are tried as RFC 8305 says, in the blocking form too: the
 * next one when one has failed or has taken #GsockSocketClient:attempt-delay-ms. Where the #GProxyResolver names a
 * proxy, that one is connected to, and the #GProxy of its protocol speaks with it. With
 * #GsockSocketClient:tls set the connection is encrypted, over a Unix socket, too.
 *
 * Its functions may be called from any thread. The properties are read when they are needed, also
 * while it is connecting; the proxy resolver, #GsockSocketClient:connect-timeout-ms and
 * #GsockSocketClient:attempt-delay-ms when it begins.
 *
 * Since: 0.2
 */
extern
G_DECLARE_DERIVABLE_TYPE (GsockSocketClient, gsock_socket_client, GSOCK, SOCKET_CLIENT, GObject)

/**
 * GsockSocketClientClass:
 * @parent_class: the parent class
 * @event: the handler of #GsockSocketClient::event, which is called after those that are connected
 *
 * The class structure.
 *
 * Since: 0.2
 */
struct _GsockSocketClientClass
{
  /*< private >*/
  GObjectClass parent_class;

  /*< public >*/

  /**
   * GsockSocketClientClass::event:
   * @client: a client
   * @event: what happens
   * @connectable: what is being connected to
   * @connection: (nullable): the stream of now, or %NULL
   *
   * The handler of #GsockSocketClient::event. The default does nothing.
   *
   * Since: 0.2
   */
  void (*event) (GsockSocketClient  *client,
                 GSocketClientEvent  event,
                 GSocketConnectable *connectable,
                 GIOStream          *connection);

  /*< private >*/
  gpointer padding[10];
};

/**
 * GsockSocketClient::event:
 * @client: a client
 * @event: what happens
 * @connectable: what is being connected to, which tells operations of one client apart
 * @connection: (nullable): the stream of now, or %NULL
 *
 * Emitted while it is connecting, on the thread that connects. %G_SOCKET_CLIENT_COMPLETE comes once and last, with the
 * connection or with %NULL.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:family: (getter get_family) (setter set_family)
 *
 * The family of the sockets, or %G_SOCKET_FAMILY_INVALID for that of each address.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:type:
 *
 * The type of the sockets.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:protocol: (getter get_protocol) (setter set_protocol)
 *
 * The protocol of the sockets.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:local-address: (getter get_local_address) (setter set_local_address)
 *
 * The address that sockets are bound to, or %NULL.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:timeout: (getter get_timeout) (setter set_timeout)
 *
 * How many seconds each connect may take, and each read or write of the connection; 0 for ever.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:enable-proxy: (getter get_enable_proxy) (setter set_enable_proxy)
 *
 * Whether the proxy resolver is asked.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:tls: (getter get_tls) (setter set_tls)
 *
 * Whether connections are encrypted.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:tls-validation-flags: (getter get_tls_validation_flags) (setter set_tls_validation_flags)
 *
 * What of a certificate is looked at.
 *
 * Since: 0.2
 * Deprecated: 0.2: As in GIO: connect to #GTlsConnection::accept-certificate in place of it.
 */

/**
 * GsockSocketClient:proxy-resolver: (getter get_proxy_resolver) (setter set_proxy_resolver)
 *
 * The proxy resolver: the default one, where none is set.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:connect-timeout-ms: (getter get_connect_timeout_ms) (setter set_connect_timeout_ms)
 *
 * How many milliseconds all of connecting may take, from the name on; 0 for ever.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:io-timeout-ms: (getter get_io_timeout_ms) (setter set_io_timeout_ms)
 *
 * How many milliseconds a read or a write of the connection may take; 0 for what #GsockSocketClient:timeout says.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:attempt-delay-ms: (getter get_attempt_delay_ms) (setter set_attempt_delay_ms)
 *
 * How many milliseconds an attempt has for itself before the next one begins: 250, and 10 at least.
 *
 * Since: 0.2
 */

/**
 * GsockSocketClient:multipath: (getter get_multipath) (setter set_multipath)
 *
 * Whether TCP connections are of Multipath TCP, where system and peer have it.
 *
 * Since: 0.2
 */

/**
 * gsock_socket_client_new:
 *
 * Makes a client.
 *
 * Returns: (transfer full): the client
 *
 * Since: 0.2
 */
extern
GsockSocketClient *gsock_socket_client_new (void);

/**
 * gsock_socket_client_get_family: (get-property family)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:family.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
GSocketFamily gsock_socket_client_get_family (GsockSocketClient *client);

/**
 * gsock_socket_client_set_family: (set-property family)
 * @client: a client
 * @family: the value
 *
 * Sets the property #GsockSocketClient:family.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_family (GsockSocketClient *client,
                                     GSocketFamily      family);

/**
 * gsock_socket_client_get_socket_type:
 * @client: a client
 *
 * Gets the property #GsockSocketClient:type.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
GSocketType gsock_socket_client_get_socket_type (GsockSocketClient *client);

/**
 * gsock_socket_client_set_socket_type:
 * @client: a client
 * @type: the value
 *
 * Sets the property #GsockSocketClient:type.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_socket_type (GsockSocketClient *client,
                                          GSocketType        type);

/**
 * gsock_socket_client_get_protocol: (get-property protocol)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:protocol.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
GSocketProtocol gsock_socket_client_get_protocol (GsockSocketClient *client);

/**
 * gsock_socket_client_set_protocol: (set-property protocol)
 * @client: a client
 * @protocol: the value
 *
 * Sets the property #GsockSocketClient:protocol.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_protocol (GsockSocketClient *client,
                                       GSocketProtocol    protocol);

/**
 * gsock_socket_client_get_local_address: (get-property local-address)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:local-address.
 *
 * Returns: (transfer none) (nullable): the address, or %NULL
 *
 * Since: 0.2
 */
extern
GSocketAddress *gsock_socket_client_get_local_address (GsockSocketClient *client);

/**
 * gsock_socket_client_set_local_address: (set-property local-address)
 * @client: a client
 * @address: (nullable): the value, or %NULL
 *
 * Sets the property #GsockSocketClient:local-address.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_local_address (GsockSocketClient *client,
                                            GSocketAddress    *address);

/**
 * gsock_socket_client_get_timeout: (get-property timeout)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:timeout.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
guint gsock_socket_client_get_timeout (GsockSocketClient *client);

/**
 * gsock_socket_client_set_timeout: (set-property timeout)
 * @client: a client
 * @timeout: the value
 *
 * Sets the property #GsockSocketClient:timeout.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_timeout (GsockSocketClient *client,
                                      guint              timeout);

/**
 * gsock_socket_client_get_enable_proxy: (get-property enable-proxy)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:enable-proxy.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_client_get_enable_proxy (GsockSocketClient *client);

/**
 * gsock_socket_client_set_enable_proxy: (set-property enable-proxy)
 * @client: a client
 * @enable: the value
 *
 * Sets the property #GsockSocketClient:enable-proxy.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_enable_proxy (GsockSocketClient *client,
                                           gboolean           enable);

/**
 * gsock_socket_client_get_tls: (get-property tls)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:tls.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_client_get_tls (GsockSocketClient *client);

/**
 * gsock_socket_client_set_tls: (set-property tls)
 * @client: a client
 * @tls: the value
 *
 * Sets the property #GsockSocketClient:tls.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_tls (GsockSocketClient *client,
                                  gboolean           tls);

/**
 * gsock_socket_client_get_tls_validation_flags: (get-property tls-validation-flags)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:tls-validation-flags.
 *
 * Returns: the property
 *
 * Since: 0.2
 * Deprecated: 0.2: As in GIO: connect to #GTlsConnection::accept-certificate in place of it.
 */
extern
GTlsCertificateFlags gsock_socket_client_get_tls_validation_flags (GsockSocketClient *client);

/**
 * gsock_socket_client_set_tls_validation_flags: (set-property tls-validation-flags)
 * @client: a client
 * @flags: the value
 *
 * Sets the property #GsockSocketClient:tls-validation-flags.
 *
 * Since: 0.2
 * Deprecated: 0.2: As in GIO: connect to #GTlsConnection::accept-certificate in place of it.
 */
extern
void gsock_socket_client_set_tls_validation_flags (GsockSocketClient    *client,
                                                   GTlsCertificateFlags  flags);

/**
 * gsock_socket_client_get_proxy_resolver: (get-property proxy-resolver)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:proxy-resolver.
 *
 * Returns: (transfer none): the resolver
 *
 * Since: 0.2
 */
extern
GProxyResolver *gsock_socket_client_get_proxy_resolver (GsockSocketClient *client);

/**
 * gsock_socket_client_set_proxy_resolver: (set-property proxy-resolver)
 * @client: a client
 * @proxy_resolver: (nullable): the value, or %NULL
 *
 * Sets the property #GsockSocketClient:proxy-resolver.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_proxy_resolver (GsockSocketClient *client,
                                             GProxyResolver    *proxy_resolver);

/**
 * gsock_socket_client_connect:
 * @client: a client
 * @connectable: where to connect to
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Connects to @connectable, and blocks this thread until that is done.
 *
 * Returns: (transfer full): the connection, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_client_connect (GsockSocketClient   *client,
                                                    GSocketConnectable  *connectable,
                                                    GCancellable        *cancellable,
                                                    GError             **error);

/**
 * gsock_socket_client_connect_async:
 * @client: a client
 * @connectable: where to connect to
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to connect to @connectable. @callback runs in the #GMainContext that is thread-default now, and
 * never before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_connect_async (GsockSocketClient   *client,
                                        GSocketConnectable  *connectable,
                                        GCancellable        *cancellable,
                                        GAsyncReadyCallback  callback,
                                        gpointer             user_data);

/**
 * gsock_socket_client_connect_finish:
 * @client: a client
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of any of the asynchronous connects of the client, once.
 *
 * Returns: (transfer full): the connection, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_client_connect_finish (GsockSocketClient  *client,
                                                           GAsyncResult       *result,
                                                           GError            **error);

/**
 * gsock_socket_client_connect_to_host:
 * @client: a client
 * @host_and_port: a host, and a port or the name of a service after a colon
 * @default_port: the port where @host_and_port has none
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Connects to the host, and blocks this thread until that is done.
 *
 * Returns: (transfer full): the connection, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_client_connect_to_host (GsockSocketClient  *client,
                                                            const gchar        *host_and_port,
                                                            guint16             default_port,
                                                            GCancellable       *cancellable,
                                                            GError            **error);

/**
 * gsock_socket_client_connect_to_host_async:
 * @client: a client
 * @host_and_port: a host, and a port or the name of a service after a colon
 * @default_port: the port where @host_and_port has none
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to connect to the host. @callback runs in the #GMainContext that is thread-default now, and
 * never before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_connect_to_host_async (GsockSocketClient   *client,
                                                const gchar         *host_and_port,
                                                guint16              default_port,
                                                GCancellable        *cancellable,
                                                GAsyncReadyCallback  callback,
                                                gpointer             user_data);

/**
 * gsock_socket_client_connect_to_host_finish:
 * @client: a client
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of any of the asynchronous connects of the client, once.
 *
 * Returns: (transfer full): the connection, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_client_connect_to_host_finish (GsockSocketClient  *client,
                                                                   GAsyncResult       *result,
                                                                   GError            **error);

/**
 * gsock_socket_client_connect_to_service:
 * @client: a client
 * @domain: a domain
 * @service: the name of a service, such as `xmpp-client`
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Connects to the TCP service of the domain, and blocks this thread until that is done.
 *
 * Returns: (transfer full): the connection, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_client_connect_to_service (GsockSocketClient  *client,
                                                               const gchar        *domain,
                                                               const gchar        *service,
                                                               GCancellable       *cancellable,
                                                               GError            **error);

/**
 * gsock_socket_client_connect_to_service_async:
 * @client: a client
 * @domain: a domain
 * @service: the name of a service, such as `xmpp-client`
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to connect to the TCP service of the domain. @callback runs in the #GMainContext that is thread-default now, and
 * never before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_connect_to_service_async (GsockSocketClient   *client,
                                                   const gchar         *domain,
                                                   const gchar         *service,
                                                   GCancellable        *cancellable,
                                                   GAsyncReadyCallback  callback,
                                                   gpointer             user_data);

/**
 * gsock_socket_client_connect_to_service_finish:
 * @client: a client
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of any of the asynchronous connects of the client, once.
 *
 * Returns: (transfer full): the connection, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_client_connect_to_service_finish (GsockSocketClient  *client,
                                                                      GAsyncResult       *result,
                                                                      GError            **error);

/**
 * gsock_socket_client_connect_to_uri:
 * @client: a client
 * @uri: a URI; its scheme is for the proxy resolver only
 * @default_port: the port where @uri has none
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @error: a place for an error, or %NULL
 *
 * Connects to the host of the URI, and blocks this thread until that is done.
 *
 * Returns: (transfer full): the connection, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_client_connect_to_uri (GsockSocketClient  *client,
                                                           const gchar        *uri,
                                                           guint16             default_port,
                                                           GCancellable       *cancellable,
                                                           GError            **error);

/**
 * gsock_socket_client_connect_to_uri_async:
 * @client: a client
 * @uri: a URI; its scheme is for the proxy resolver only
 * @default_port: the port where @uri has none
 * @cancellable: (nullable): a #GCancellable, or %NULL
 * @callback: (nullable) (scope async) (closure user_data): what to call when it is done
 * @user_data: data for @callback
 *
 * Starts to connect to the host of the URI. @callback runs in the #GMainContext that is thread-default now, and
 * never before this returns.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_connect_to_uri_async (GsockSocketClient   *client,
                                               const gchar         *uri,
                                               guint16              default_port,
                                               GCancellable        *cancellable,
                                               GAsyncReadyCallback  callback,
                                               gpointer             user_data);

/**
 * gsock_socket_client_connect_to_uri_finish:
 * @client: a client
 * @result: what the callback was given
 * @error: a place for an error, or %NULL
 *
 * Takes the outcome of any of the asynchronous connects of the client, once.
 *
 * Returns: (transfer full): the connection, or %NULL with @error set
 *
 * Since: 0.2
 */
extern
GsockSocketConnection *gsock_socket_client_connect_to_uri_finish (GsockSocketClient  *client,
                                                                  GAsyncResult       *result,
                                                                  GError            **error);

/**
 * gsock_socket_client_get_connect_timeout_ms: (get-property connect-timeout-ms)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:connect-timeout-ms.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
guint gsock_socket_client_get_connect_timeout_ms (GsockSocketClient *client);

/**
 * gsock_socket_client_set_connect_timeout_ms: (set-property connect-timeout-ms)
 * @client: a client
 * @timeout: the value
 *
 * Sets the property #GsockSocketClient:connect-timeout-ms.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_connect_timeout_ms (GsockSocketClient *client,
                                                 guint              timeout);

/**
 * gsock_socket_client_get_io_timeout_ms: (get-property io-timeout-ms)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:io-timeout-ms.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
guint gsock_socket_client_get_io_timeout_ms (GsockSocketClient *client);

/**
 * gsock_socket_client_set_io_timeout_ms: (set-property io-timeout-ms)
 * @client: a client
 * @timeout: the value
 *
 * Sets the property #GsockSocketClient:io-timeout-ms.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_io_timeout_ms (GsockSocketClient *client,
                                            guint              timeout);

/**
 * gsock_socket_client_get_attempt_delay_ms: (get-property attempt-delay-ms)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:attempt-delay-ms.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
guint gsock_socket_client_get_attempt_delay_ms (GsockSocketClient *client);

/**
 * gsock_socket_client_set_attempt_delay_ms: (set-property attempt-delay-ms)
 * @client: a client
 * @delay: the value
 *
 * Sets the property #GsockSocketClient:attempt-delay-ms. What is less than 10 is 10.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_attempt_delay_ms (GsockSocketClient *client,
                                               guint              delay);

/**
 * gsock_socket_client_get_multipath: (get-property multipath)
 * @client: a client
 *
 * Gets the property #GsockSocketClient:multipath.
 *
 * Returns: the property
 *
 * Since: 0.2
 */
extern
gboolean gsock_socket_client_get_multipath (GsockSocketClient *client);

/**
 * gsock_socket_client_set_multipath: (set-property multipath)
 * @client: a client
 * @multipath: the value
 *
 * Sets the property #GsockSocketClient:multipath.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_set_multipath (GsockSocketClient *client,
                                        gboolean           multipath);

/**
 * gsock_socket_client_add_application_proxy:
 * @client: a client
 * @protocol: the protocol of a proxy, as in its URI
 *
 * Leaves proxies that speak @protocol to the program: a connection to one is returned as it is, without TLS,
 * and its remote address is the #GProxyAddress that says where to.
 *
 * Since: 0.2
 */
extern
void gsock_socket_client_add_application_proxy (GsockSocketClient *client,
                                                const gchar       *protocol);

G_END_DECLS

#endif /* GSOCK_SOCKET_CLIENT_H */
