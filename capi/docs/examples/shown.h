/* What the programs have in common around the blocks that they show. */
#ifndef SHOWN_H
#define SHOWN_H

#include <gsock/gsock.h>

/* Each callback ends it. */
static G_GNUC_UNUSED GMainLoop *loop;

/* A service of which no server is asked: a label of the DNS has 63 bytes at most. */
#define NO_SERVICE "a-service-of-a-name-that-is-longer-than-anything-in-the-dns-can-be"

static inline void
must_have (gconstpointer thing, GError *error)
{
  if (thing == NULL)
    g_error ("%s", error != NULL ? error->message : "there should be something");
}

static inline void
must (gboolean right, GError *error)
{
  must_have (right ? "right" : NULL, error);
}

/* A listener on loopback, and where it listens. */
static inline GsockSocketListener *
loopback_listener (GSocketAddress **address)
{
  g_autoptr (GSocketAddress) any_port = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  GsockSocketListener *listener = gsock_socket_listener_new ();
  GError *error = NULL;

  must (gsock_socket_listener_add_address (listener, any_port, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL,
                                           address, &error), error);
  return listener;
}

/* The next one that comes. */
static inline GsockSocketConnection *
accept_one (GsockSocketListener *listener)
{
  GError *error = NULL;
  GsockSocketConnection *connection = gsock_socket_listener_accept (listener, NULL, NULL, &error);

  must_have (connection, error);
  return connection;
}

/* A connection that is made already. */
static inline GsockSocketConnection *
connected_to (GSocketAddress *address)
{
  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();
  GError *error = NULL;
  GsockSocketConnection *connection;

  connection = gsock_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, &error);
  must_have (connection, error);
  return connection;
}

#endif /* SHOWN_H */
