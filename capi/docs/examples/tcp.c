/* What is of TCP, in C, as the documentation shows it; see operations.c. */

#include "shown.h"

/* {gsock_tcp_connection_set_no_delay gsock_tcp_connection_get_no_delay} */
static gboolean
send_at_once (GsockTcpConnection *connection, GError **error)
{
  gboolean no_delay;

  return gsock_tcp_connection_set_no_delay (connection, TRUE, error) &&
         gsock_tcp_connection_get_no_delay (connection, &no_delay, error) && no_delay;
}
/* {} */

/* {gsock_tcp_connection_set_keepalive_params gsock_tcp_connection_get_keepalive_params} */
static gboolean
probe (GsockTcpConnection *connection, GError **error)
{
  guint idle, interval, count;
  gboolean on;

  /* After 30 silent seconds every 5, and 3 times in vain. */
  return gsock_tcp_connection_set_keepalive_params (connection, 30, 5, 3, error) &&
         gsock_tcp_connection_get_keepalive_params (connection, &on, &idle, &interval, &count, error) &&
         on && idle == 30 && interval == 5 && count == 3;
}
/* {} */

/* {gsock_tcp_connection_set_user_timeout gsock_tcp_connection_get_user_timeout} */
static gboolean
wait_for_acknowledgement (GsockTcpConnection *connection, GError **error)
{
  guint timeout_ms;

  return gsock_tcp_connection_set_user_timeout (connection, 20000, error) &&
         gsock_tcp_connection_get_user_timeout (connection, &timeout_ms, error) && timeout_ms == 20000;
}
/* {} */

/* {gsock_tcp_connection_set_linger_zero gsock_tcp_connection_get_linger_zero} */
static gboolean
reset_at_close (GsockTcpConnection *connection, GError **error)
{
  gboolean linger_zero;

  /* What has not been sent is lost, and the peer told. */
  return gsock_tcp_connection_set_linger_zero (connection, TRUE, error) &&
         gsock_tcp_connection_get_linger_zero (connection, &linger_zero, error) && linger_zero;
}
/* {} */

/* {gsock_tcp_connection_get_graceful_disconnect} */
static gboolean
closes_with_care (GsockTcpConnection *connection)
{
  return gsock_tcp_connection_get_graceful_disconnect (connection);
}
/* {} */

/* {gsock_tcp_wrapper_connection_get_base_io_stream} */
static GIOStream *
what_is_wrapped (GsockTcpWrapperConnection *wrapper)
{
  /* Borrowed. */
  return gsock_tcp_wrapper_connection_get_base_io_stream (wrapper);
}
/* {} */

int
main (void)
{
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GsockSocketListener) listener = loopback_listener (&address);
  g_autoptr (GsockSocketConnection) one = connected_to (address), wrapper = NULL;
  GsockTcpConnection *tcp = GSOCK_TCP_CONNECTION (one);
  GError *error = NULL;

  must (send_at_once (tcp, &error), error);
  must (probe (tcp, &error), error);
  must (wait_for_acknowledgement (tcp, &error), error);
  must (reset_at_close (tcp, &error), error);
  must (!closes_with_care (tcp), NULL);
  wrapper = gsock_tcp_wrapper_connection_new (G_IO_STREAM (one), gsock_socket_connection_get_socket (one));
  must (what_is_wrapped (GSOCK_TCP_WRAPPER_CONNECTION (wrapper)) == G_IO_STREAM (one), NULL);
  g_print ("ok\n");
  return 0;
}
