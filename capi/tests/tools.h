/* What the C tests share: a time limit, loopback peers, and messages that must come. */
#ifndef TOOLS_H
#define TOOLS_H

#include <gsock/gsock.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds after which a test program is ended, whatever it waits for. */
#define LIMIT 120

/* Runs what follows, which must leave exactly this critical message of ours. */
#define EXPECT_CRITICAL(pattern) \
  g_test_expect_message ("Gsock", G_LOG_LEVEL_CRITICAL, pattern)
#define MET() g_test_assert_expected_messages ()

/* A TCP socket that is not connected. */
static inline GSocket *
tcp_socket (void)
{
  GError *error = NULL;
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);

  g_assert_no_error (error);
  return socket;
}

/* A listener on loopback, and its address. */
static inline GSocket *
tcp_listener (GSocketAddress **address)
{
  GError *error = NULL;
  GSocket *listener = tcp_socket ();
  GInetAddress *loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  GSocketAddress *any_port = g_inet_socket_address_new (loopback, 0);

  g_socket_bind (listener, any_port, TRUE, &error);
  g_assert_no_error (error);
  g_socket_listen (listener, &error);
  g_assert_no_error (error);
  *address = g_socket_get_local_address (listener, &error);
  g_assert_no_error (error);
  g_object_unref (any_port);
  g_object_unref (loopback);
  return listener;
}

/* An address where nobody listens. */
static inline GSocketAddress *
deserted_address (void)
{
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address);

  g_socket_close (listener, NULL);
  g_object_unref (listener);
  return address;
}

/* Both ends of a TCP connection over loopback, as sockets. */
static inline void
tcp_pair (GSocket **ours,
          GSocket **theirs)
{
  GError *error = NULL;
  GSocketAddress *address;
  GSocket *listener = tcp_listener (&address);

  *ours = tcp_socket ();
  g_socket_connect (*ours, address, NULL, &error);
  g_assert_no_error (error);
  *theirs = g_socket_accept (listener, NULL, &error);
  g_assert_no_error (error);
  g_object_unref (address);
  g_object_unref (listener);
}

/* A connection, of the type that the factory has for it, and its peer. */
static inline GsockSocketConnection *
connected (GSocket **peer)
{
  GSocket *socket;
  GsockSocketConnection *connection;

  tcp_pair (&socket, peer);
  connection = gsock_socket_connection_factory_create_connection (socket);
  g_object_unref (socket);
  g_assert_nonnull (connection);
  return connection;
}

static inline void
send_all (GSocket    *socket,
          const char *text)
{
  GError *error = NULL;

  g_assert_cmpint (g_socket_send (socket, text, strlen (text), NULL, &error), ==, (gssize) strlen (text));
  g_assert_no_error (error);
}

/* Reads exactly this text from the connection. */
static inline void
assert_reads (GsockSocketConnection *connection,
              const char            *text)
{
  char buffer[256];
  gsize read = 0;
  GError *error = NULL;

  g_assert_cmpuint (strlen (text), <=, sizeof buffer);
  g_input_stream_read_all (g_io_stream_get_input_stream (G_IO_STREAM (connection)),
                           buffer, strlen (text), &read, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (buffer, read, text, strlen (text));
}

static inline void
write_text (GsockSocketConnection *connection,
            const char            *text)
{
  GError *error = NULL;

  g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)),
                             text, strlen (text), NULL, NULL, &error);
  g_assert_no_error (error);
}

/* Receives exactly this text at the peer. */
static inline void
assert_receives (GSocket    *peer,
                 const char *text)
{
  char buffer[256];
  gsize have = 0;
  GError *error = NULL;

  while (have < strlen (text))
    {
      gssize n = g_socket_receive (peer, buffer + have, strlen (text) - have, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpint (n, >, 0);
      have += n;
    }
  g_assert_cmpmem (buffer, have, text, strlen (text));
}

static inline void
close_stream (gpointer stream)
{
  GError *error = NULL;

  g_assert_true (g_io_stream_close (G_IO_STREAM (stream), NULL, &error));
  g_assert_no_error (error);
}

/* A ready callback that keeps the result, for iterate_until(). */
static inline void
keep_result (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  GAsyncResult **kept = user_data;

  g_assert_nonnull (source);
  g_assert_null (*kept);
  *kept = g_object_ref (result);
}

#define ITERATE_UNTIL(condition) \
  G_STMT_START { \
    while (!(condition)) \
      g_main_context_iteration (g_main_context_get_thread_default (), TRUE); \
  } G_STMT_END

/* Drops the last reference, and makes sure that it was the last. */
static inline void
drop_last (gpointer object)
{
  gpointer weak = object;

  g_object_add_weak_pointer (G_OBJECT (object), &weak);
  g_object_unref (object);
  g_assert_null (weak);
}

static inline void
begin (int    *argc,
       char ***argv)
{
  /* A test that hangs is ended. */
  alarm (LIMIT);
  g_test_init (argc, argv, NULL);
}

#endif /* TOOLS_H */
