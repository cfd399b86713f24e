/* A server and a client that speak TLS: the connection of a listener with GIO's TLS over it, and the client's own. */

#include <gio/gio.h>
#include <gio/gtcpwrapperconnection.h>

/* Of nobody: it is for tests, and trusted by the client below alone. */
static const char identity[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBmjCCAUGgAwIBAgIUfe4ZT9DnqPJr3baE/b6rt+kF8bswCgYIKoZIzj0EAwIw\n"
    "FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEzMDIzMzQ1N1oYDzIxMjYxMTA2\n"
    "MjMzNDU3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n"
    "PQMBBwNCAARUTnaHdMXnG5bv3BGFLyqFG0q1ba4R5WQ/Bw6fRm4mSAqbHTS27YAx\n"
    "gNwoHvX7D1InkVENZKKMN8+8cWcA4Bnoo28wbTAdBgNVHQ4EFgQUiCEA61TOKfeh\n"
    "/BXKfZcnQ/ICWs0wHwYDVR0jBBgwFoAUiCEA61TOKfeh/BXKfZcnQ/ICWs0wDwYD\n"
    "VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI\n"
    "zj0EAwIDRwAwRAIga8lX0LoAiIO/LwUJZhpRN9jfhjwCVIY5mjHuPDyoM2gCIDY7\n"
    "47J7y3+qZjMMfGXNkW702Lfbn9pv2nDHyydfL+Iv\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgI71WnKB9mi+4YPLG\n"
    "BwpkmPcKLI0AlHY/RTMLpillMUqhRANCAARUTnaHdMXnG5bv3BGFLyqFG0q1ba4R\n"
    "5WQ/Bw6fRm4mSAqbHTS27YAxgNwoHvX7D1InkVENZKKMN8+8cWcA4Bno\n"
    "-----END PRIVATE KEY-----\n";

static gpointer
serve (gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GTlsCertificate) certificate = g_tls_certificate_new_from_pem (identity, -1, &error);
  g_autoptr (GSocketConnection) connection = g_socket_listener_accept (data, NULL, NULL, NULL);
  g_autoptr (GIOStream) tls = g_tls_server_connection_new (G_IO_STREAM (connection), certificate, &error);
  g_autoptr (GSocketConnection) wrapper = NULL;
  char said[8] = "";

  g_assert_no_error (error);
  /* What looks like a connection, and speaks TLS. */
  wrapper = g_tcp_wrapper_connection_new (tls, g_socket_connection_get_socket (connection));
  g_assert_true (g_tcp_wrapper_connection_get_base_io_stream (G_TCP_WRAPPER_CONNECTION (wrapper)) == tls);
  g_input_stream_read_all (g_io_stream_get_input_stream (G_IO_STREAM (wrapper)), said, 4, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (said, ==, "ping");
  g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (wrapper)), "pong", 4, NULL, NULL, &error);
  g_assert_no_error (error);
  g_io_stream_close (G_IO_STREAM (wrapper), NULL, NULL);
  return NULL;
}

static gboolean
on_certificate (GTlsConnection      *connection,
                GTlsCertificate     *certificate,
                GTlsCertificateFlags errors,
                gpointer             expected)
{
  g_print ("its certificate is the expected one: %d\n", g_tls_certificate_is_same (certificate, expected));
  return g_tls_certificate_is_same (certificate, expected);
}

static void
on_event (GSocketClient      *client,
          GSocketClientEvent  event,
          GSocketConnectable *connectable,
          GIOStream          *connection,
          gpointer            expected)
{
  if (event == G_SOCKET_CLIENT_TLS_HANDSHAKING)
    g_signal_connect (connection, "accept-certificate", G_CALLBACK (on_certificate), expected);
  if (event == G_SOCKET_CLIENT_TLS_HANDSHAKED)
    g_print ("shaken hands\n");
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GTlsCertificate) expected = g_tls_certificate_new_from_pem (identity, -1, &error);
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) connection = NULL;
  guint16 port = g_socket_listener_add_any_inet_port (listener, NULL, NULL);
  GThread *thread = g_thread_new ("server", serve, listener);
  char answer[8] = "";

  g_assert_no_error (error);
  g_socket_client_set_tls (client, TRUE);
  g_signal_connect (client, "event", G_CALLBACK (on_event), expected);
  connection = g_socket_client_connect_to_host (client, "localhost", port, NULL, &error);
  g_assert_no_error (error);
  g_print ("a wrapper: %d, around TLS: %d\n", G_IS_TCP_WRAPPER_CONNECTION (connection),
           G_IS_TLS_CONNECTION (g_tcp_wrapper_connection_get_base_io_stream (G_TCP_WRAPPER_CONNECTION (connection))));
  g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), "ping", 4, NULL, NULL, &error);
  g_assert_no_error (error);
  g_input_stream_read_all (g_io_stream_get_input_stream (G_IO_STREAM (connection)), answer, 4, NULL, NULL, &error);
  g_assert_no_error (error);
  g_print ("%s\n", answer);
  g_thread_join (thread);
  g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
  g_print ("end\n");
  return 0;
}
