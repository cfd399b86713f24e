/* A service of a class of its own, with private data, a handler of its own for `incoming` and a property. */

#include <gio/gio.h>

#define TYPE_GUEST_BOOK (guest_book_get_type ())
G_DECLARE_DERIVABLE_TYPE (GuestBook, guest_book, GUEST, BOOK, GSocketService)

struct _GuestBookClass
{
  GSocketServiceClass parent_class;
};

typedef struct
{
  guint guests;
} GuestBookPrivate;

G_DEFINE_TYPE_WITH_PRIVATE (GuestBook, guest_book, G_TYPE_SOCKET_SERVICE)

enum
{
  PROP_GUESTS = 1
};

static void
guest_book_get_property (GObject    *object,
                         guint       id,
                         GValue     *value,
                         GParamSpec *pspec)
{
  GuestBookPrivate *priv = guest_book_get_instance_private (GUEST_BOOK (object));

  g_assert_cmpint (id, ==, PROP_GUESTS);
  g_value_set_uint (value, priv->guests);
}

static gboolean
guest_book_incoming (GSocketService    *service,
                     GSocketConnection *connection,
                     GObject           *source_object)
{
  GuestBookPrivate *priv = guest_book_get_instance_private (GUEST_BOOK (service));

  priv->guests++;
  g_object_notify (G_OBJECT (service), "guests");
  return G_SOCKET_SERVICE_CLASS (guest_book_parent_class)->incoming == NULL ||
         !G_SOCKET_SERVICE_CLASS (guest_book_parent_class)->incoming (service, connection, source_object);
}

static void
guest_book_changed (GSocketListener *listener)
{
  g_print ("the sockets have changed\n");
  if (G_SOCKET_LISTENER_CLASS (guest_book_parent_class)->changed != NULL)
    G_SOCKET_LISTENER_CLASS (guest_book_parent_class)->changed (listener);
}

static void
guest_book_class_init (GuestBookClass *klass)
{
  G_OBJECT_CLASS (klass)->get_property = guest_book_get_property;
  G_SOCKET_SERVICE_CLASS (klass)->incoming = guest_book_incoming;
  G_SOCKET_LISTENER_CLASS (klass)->changed = guest_book_changed;
  g_object_class_install_property (G_OBJECT_CLASS (klass), PROP_GUESTS,
                                   g_param_spec_uint ("guests", NULL, NULL, 0, G_MAXUINT, 0, G_PARAM_READABLE));
}

static void
guest_book_init (GuestBook *book)
{
}

static gboolean
on_incoming (GSocketService *service)
{
  g_print ("a handler comes first, and leaves it to the class\n");
  return FALSE;
}

static void
on_guests (GObject    *book,
           GParamSpec *pspec,
           gpointer    loop)
{
  guint guests;

  g_object_get (book, "guests", &guests, NULL);
  g_print ("%s: %u\n", pspec->name, guests);
  if (guests == 2)
    g_main_loop_quit (loop);
}

int
main (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GuestBook) book = g_object_new (TYPE_GUEST_BOOK, "active", FALSE, "listen-backlog", 5, NULL);
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  guint16 port = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (book), NULL, NULL);
  GSocketConnection *guests[2];

  g_print ("active: %d\n", g_socket_service_is_active (G_SOCKET_SERVICE (book)));
  g_signal_connect (book, "incoming", G_CALLBACK (on_incoming), NULL);
  g_signal_connect (book, "notify::guests", G_CALLBACK (on_guests), loop);
  for (int i = 0; i < 2; i++)
    guests[i] = g_socket_client_connect_to_host (client, "127.0.0.1", port, NULL, NULL);
  g_socket_service_start (G_SOCKET_SERVICE (book));
  g_main_loop_run (loop);
  for (int i = 0; i < 2; i++)
    g_object_unref (guests[i]);
  g_socket_service_stop (G_SOCKET_SERVICE (book));
  g_socket_listener_close (G_SOCKET_LISTENER (book));
  g_print ("end\n");
  return 0;
}
