/* What is of Unix sockets, in C, as the documentation shows it; see operations.c. */

#include <sys/socket.h>
#include <unistd.h>

#include "shown.h"

/* {gsock_unix_connection_send_fd_async gsock_unix_connection_send_fd_finish} */
static void
on_handed_over (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) user_data;
  if (!gsock_unix_connection_send_fd_finish (GSOCK_UNIX_CONNECTION (source), result, &error))
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
hand_over_later (GsockUnixConnection *connection, int fd)
{
  /* It may be closed as soon as this has returned. */
  gsock_unix_connection_send_fd_async (connection, fd, NULL, on_handed_over, NULL);
}
/* {} */

/* {gsock_unix_connection_receive_fd_async gsock_unix_connection_receive_fd_finish} */
static void
on_taken_over (GObject *source, GAsyncResult *result, gpointer user_data)
{
  int *fd = user_data;
  g_autoptr (GError) error = NULL;

  /* Ours to close, or -1. */
  *fd = gsock_unix_connection_receive_fd_finish (GSOCK_UNIX_CONNECTION (source), result, &error);
  if (*fd < 0)
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
take_over_later (GsockUnixConnection *connection, int *fd)
{
  gsock_unix_connection_receive_fd_async (connection, NULL, on_taken_over, fd);
}
/* {} */

/* {gsock_unix_connection_send_fds} */
static gboolean
hand_over_both (GsockUnixConnection *connection, int one, int other, GError **error)
{
  int fds[] = { one, other };

  /* In one message, with one byte. */
  return gsock_unix_connection_send_fds (connection, fds, G_N_ELEMENTS (fds), NULL, error);
}
/* {} */

/* {gsock_unix_connection_receive_fds} */
static gsize
take_over_all (GsockUnixConnection *connection, GError **error)
{
  gsize number = 0;
  /* 8 at most: one message of more is refused, and what came with it closed. */
  g_autofree int *fds = gsock_unix_connection_receive_fds (connection, 8, &number, NULL, error);

  for (gsize i = 0; fds != NULL && i < number; i++)
    close (fds[i]);
  return number;
}
/* {} */

/* {gsock_unix_connection_send_fds_async gsock_unix_connection_send_fds_finish} */
static void
on_both_handed_over (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) user_data;
  if (!gsock_unix_connection_send_fds_finish (GSOCK_UNIX_CONNECTION (source), result, &error))
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
hand_over_both_later (GsockUnixConnection *connection, int one, int other)
{
  int fds[] = { one, other };

  gsock_unix_connection_send_fds_async (connection, fds, G_N_ELEMENTS (fds), NULL, on_both_handed_over, NULL);
}
/* {} */

/* {gsock_unix_connection_receive_fds_async gsock_unix_connection_receive_fds_finish} */
static void
on_all_taken_over (GObject *source, GAsyncResult *result, gpointer user_data)
{
  gsize *number = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree int *fds = NULL;

  fds = gsock_unix_connection_receive_fds_finish (GSOCK_UNIX_CONNECTION (source), result, number, &error);
  if (fds == NULL)
    g_warning ("%s", error->message);
  for (gsize i = 0; fds != NULL && i < *number; i++)
    close (fds[i]);
  g_main_loop_quit (loop);
}

static void
take_over_all_later (GsockUnixConnection *connection, gsize *number)
{
  gsock_unix_connection_receive_fds_async (connection, 8, NULL, on_all_taken_over, number);
}
/* {} */

/* {gsock_unix_connection_send_credentials_async gsock_unix_connection_send_credentials_finish} */
static void
on_said_who (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  (void) user_data;
  if (!gsock_unix_connection_send_credentials_finish (GSOCK_UNIX_CONNECTION (source), result, &error))
    g_warning ("%s", error->message);
  g_main_loop_quit (loop);
}

static void
say_who_later (GsockUnixConnection *connection)
{
  gsock_unix_connection_send_credentials_async (connection, NULL, on_said_who, NULL);
}
/* {} */

/* {gsock_unix_connection_receive_credentials_async gsock_unix_connection_receive_credentials_finish} */
static void
on_heard_who (GObject *source, GAsyncResult *result, gpointer user_data)
{
  gboolean *is_mine = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GCredentials) credentials = NULL;

  credentials = gsock_unix_connection_receive_credentials_finish (GSOCK_UNIX_CONNECTION (source), result, &error);
  if (credentials == NULL)
    g_warning ("%s", error->message);
  else
    *is_mine = g_credentials_get_unix_user (credentials, NULL) == geteuid ();
  g_main_loop_quit (loop);
}

static void
hear_who_later (GsockUnixConnection *connection, gboolean *is_mine)
{
  gsock_unix_connection_receive_credentials_async (connection, NULL, on_heard_who, is_mine);
}
/* {} */

/* {gsock_unix_connection_get_peer_credentials} */
static int
process_of_peer (GsockUnixConnection *connection, GError **error)
{
  /* Of when it connected; nothing is sent for it. */
  g_autoptr (GCredentials) credentials = gsock_unix_connection_get_peer_credentials (connection, error);

  return credentials != NULL ? g_credentials_get_unix_pid (credentials, error) : -1;
}
/* {} */

/* {gsock_unix_connection_get_peer_pidfd} */
static void
hold_peer (GsockUnixConnection *connection)
{
  g_autoptr (GError) error = NULL;
  int pidfd = gsock_unix_connection_get_peer_pidfd (connection, &error);

  /* It names the process, and no other one that has its number later. */
  if (pidfd >= 0)
    close (pidfd);
  else
    g_print ("an older Linux: %s\n", error->message);
}
/* {} */

int
main (void)
{
  g_autoptr (GsockSocketConnection) one = NULL, other = NULL;
  GsockUnixConnection *left, *right;
  gboolean is_mine = FALSE;
  GError *error = NULL;
  gsize number = 0;
  int pair[2], fd = -1;

  loop = g_main_loop_new (NULL, FALSE);
  must (socketpair (AF_UNIX, SOCK_STREAM, 0, pair) == 0, NULL);
  one = gsock_socket_connection_factory_create_connection_from_fd (pair[0], &error);
  must_have (one, error);
  other = gsock_socket_connection_factory_create_connection_from_fd (pair[1], &error);
  must_have (other, error);
  left = GSOCK_UNIX_CONNECTION (one);
  right = GSOCK_UNIX_CONNECTION (other);

  hand_over_later (left, STDIN_FILENO);
  g_main_loop_run (loop);
  take_over_later (right, &fd);
  g_main_loop_run (loop);
  must (fd >= 0 && close (fd) == 0, NULL);
  must (hand_over_both (left, STDIN_FILENO, STDOUT_FILENO, &error), error);
  must (take_over_all (right, &error) == 2, error);
  hand_over_both_later (left, STDIN_FILENO, STDOUT_FILENO);
  g_main_loop_run (loop);
  take_over_all_later (right, &number);
  g_main_loop_run (loop);
  must (number == 2, NULL);
  say_who_later (left);
  g_main_loop_run (loop);
  hear_who_later (right, &is_mine);
  g_main_loop_run (loop);
  must (is_mine, NULL);
  must (process_of_peer (left, &error) == getpid (), error);
  hold_peer (left);
  g_main_loop_unref (loop);
  g_print ("ok\n");
  return 0;
}
