/* Every function of the Unix connection, called once and more as a C program calls it. */

#include "tools.h"

#include <fcntl.h>
#include <sys/socket.h>

static void
unix_pair (int                   type,
           GsockUnixConnection **one,
           GsockUnixConnection **other)
{
  int fds[2];
  GError *error = NULL;
  GsockUnixConnection **ends[] = { one, other };

  g_assert_cmpint (socketpair (AF_UNIX, type | SOCK_CLOEXEC, 0, fds), ==, 0);
  for (int i = 0; i < 2; i++)
    {
      GsockSocketConnection *made = gsock_socket_connection_factory_create_connection_from_fd (fds[i], &error);

      g_assert_no_error (error);
      g_assert_true (GSOCK_IS_UNIX_CONNECTION (made));
      *ends[i] = GSOCK_UNIX_CONNECTION (made);
    }
}

/* A file to send, and the end at which it is seen to be closed everywhere. */
static int
parcel (int *seen_from)
{
  int fds[2];

  g_assert_cmpint (pipe (fds), ==, 0);
  fcntl (fds[0], F_SETFL, O_NONBLOCK);
  *seen_from = fds[0];
  return fds[1];
}

static void
assert_is (int fd,
           int seen_from)
{
  char byte = 0;

  g_assert_cmpint (fd, >=, 0);
  g_assert_true (fcntl (fd, F_GETFD) & FD_CLOEXEC);
  g_assert_cmpint (write (fd, "x", 1), ==, 1);
  g_assert_cmpint (read (seen_from, &byte, 1), ==, 1);
  g_assert_cmpint (byte, ==, 'x');
}

/* And gives both up. */
static void
assert_closed_everywhere (int fd,
                          int seen_from)
{
  char byte;

  close (fd);
  g_assert_cmpint (read (seen_from, &byte, 1), ==, 0);
  close (seen_from);
}

static void
test_descriptors (void)
{
  int types[] = { SOCK_STREAM, SOCK_SEQPACKET };

  for (int i = 0; i < 2; i++)
    {
      GError *error = NULL;
      GsockUnixConnection *one, *other;
      GAsyncResult *sent = NULL, *received = NULL;
      int seen_from, ours = parcel (&seen_from), theirs;

      unix_pair (types[i], &one, &other);
      g_assert_true (gsock_unix_connection_send_fd (one, ours, NULL, &error));
      g_assert_no_error (error);
      theirs = gsock_unix_connection_receive_fd (other, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (theirs, !=, ours);
      assert_is (theirs, seen_from);
      close (theirs);

      gsock_unix_connection_receive_fd_async (other, NULL, keep_result, &received);
      g_assert_null (received);
      theirs = dup (ours);
      gsock_unix_connection_send_fd_async (one, theirs, NULL, keep_result, &sent);
      /* A duplicate was made. */
      close (theirs);
      ITERATE_UNTIL (sent != NULL && received != NULL);
      g_assert_true (gsock_unix_connection_send_fd_finish (one, sent, &error));
      g_assert_no_error (error);
      theirs = gsock_unix_connection_receive_fd_finish (other, received, &error);
      g_assert_no_error (error);
      assert_is (theirs, seen_from);
      close (theirs);
      /* Once. */
      g_assert_cmpint (gsock_unix_connection_receive_fd_finish (other, received, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
      g_assert_false (gsock_unix_connection_send_fd_finish (one, received, NULL));
      g_assert_cmpint (gsock_unix_connection_receive_fd_finish (other, NULL, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
      g_object_unref (sent);
      g_object_unref (received);

      drop_last (one);
      g_assert_cmpint (gsock_unix_connection_receive_fd (other, NULL, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
      g_clear_error (&error);
      drop_last (other);
      assert_closed_everywhere (ours, seen_from);
    }
}

static void
test_many_descriptors (void)
{
  GError *error = NULL;
  GsockUnixConnection *one, *other;
  GAsyncResult *sent = NULL, *received = NULL;
  int seen_from, ours = parcel (&seen_from), many[253], *theirs;
  gsize count = 7;

  for (int i = 0; i < 253; i++)
    many[i] = ours;
  unix_pair (SOCK_STREAM, &one, &other);
  g_assert_true (gsock_unix_connection_send_fds (one, many, 253, NULL, &error));
  g_assert_no_error (error);
  theirs = gsock_unix_connection_receive_fds (other, 253, &count, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count, ==, 253);
  for (gsize i = 0; i < count; i++)
    {
      assert_is (theirs[i], seen_from);
      close (theirs[i]);
    }
  g_free (theirs);

  gsock_unix_connection_send_fds_async (one, many, 2, NULL, keep_result, &sent);
  gsock_unix_connection_receive_fds_async (other, 2, NULL, keep_result, &received);
  ITERATE_UNTIL (sent != NULL && received != NULL);
  g_assert_true (gsock_unix_connection_send_fds_finish (one, sent, &error));
  g_assert_no_error (error);
  theirs = gsock_unix_connection_receive_fds_finish (other, received, &count, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count, ==, 2);
  close (theirs[0]);
  close (theirs[1]);
  g_free (theirs);
  g_clear_object (&sent);
  g_clear_object (&received);

  /* The count may not be wanted. */
  g_assert_true (gsock_unix_connection_send_fds (one, many, 1, NULL, NULL));
  theirs = gsock_unix_connection_receive_fds (other, 5, NULL, NULL, NULL);
  close (theirs[0]);
  g_free (theirs);

  /* What cannot be, and what is too much. */
  g_assert_false (gsock_unix_connection_send_fds (one, NULL, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  gsock_unix_connection_send_fds_async (one, NULL, 0, NULL, keep_result, &sent);
  ITERATE_UNTIL (sent != NULL);
  g_assert_false (gsock_unix_connection_send_fds_finish (one, sent, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_object_unref (sent);
  g_assert_true (gsock_unix_connection_send_fds (one, many, 3, NULL, NULL));
  count = 7;
  g_assert_null (gsock_unix_connection_receive_fds (other, 2, &count, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_clear_error (&error);
  g_assert_cmpuint (count, ==, 0);
  g_assert_null (gsock_unix_connection_receive_fds (other, 0, &count, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);

  drop_last (one);
  drop_last (other);
  assert_closed_everywhere (ours, seen_from);
}

/* A result that nobody finishes is closed with its task. */
static void
test_a_forgotten_result (void)
{
  GError *error = NULL;
  GsockUnixConnection *one, *other;
  GAsyncResult *received = NULL;
  int seen_from, ours = parcel (&seen_from);

  unix_pair (SOCK_STREAM, &one, &other);
  g_assert_true (gsock_unix_connection_send_fd (one, ours, NULL, &error));
  gsock_unix_connection_receive_fd_async (other, NULL, keep_result, &received);
  ITERATE_UNTIL (received != NULL);
  g_object_unref (received);
  g_assert_true (gsock_unix_connection_send_fd (one, ours, NULL, &error));
  gsock_unix_connection_receive_fd_async (other, NULL, NULL, NULL);
  ITERATE_UNTIL (gsock_socket_connection_get_bytes_read (GSOCK_SOCKET_CONNECTION (other)) == 2);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  drop_last (one);
  drop_last (other);
  assert_closed_everywhere (ours, seen_from);
}

static void
assert_is_us (GCredentials *credentials,
              GError       *error)
{
  g_assert_no_error (error);
  g_assert_cmpint (g_credentials_get_unix_pid (credentials, NULL), ==, getpid ());
  g_assert_cmpint (g_credentials_get_unix_user (credentials, NULL), ==, geteuid ());
  drop_last (credentials);
}

static void
test_credentials (void)
{
  GError *error = NULL;
  GsockUnixConnection *one, *other;
  GAsyncResult *sent = NULL, *received = NULL;

  unix_pair (SOCK_STREAM, &one, &other);
  g_assert_true (gsock_unix_connection_send_credentials (one, NULL, &error));
  g_assert_no_error (error);
  assert_is_us (gsock_unix_connection_receive_credentials (other, NULL, &error), error);

  gsock_unix_connection_receive_credentials_async (other, NULL, keep_result, &received);
  gsock_unix_connection_send_credentials_async (one, NULL, keep_result, &sent);
  ITERATE_UNTIL (sent != NULL && received != NULL);
  g_assert_true (gsock_unix_connection_send_credentials_finish (one, sent, &error));
  g_assert_no_error (error);
  assert_is_us (gsock_unix_connection_receive_credentials_finish (other, received, &error), error);
  g_object_unref (sent);
  g_object_unref (received);

  assert_is_us (gsock_unix_connection_get_peer_credentials (one, &error), error);
  drop_last (one);
  g_assert_null (gsock_unix_connection_receive_credentials (other, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  g_clear_error (&error);
  g_assert_false (gsock_unix_connection_send_credentials (other, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  g_clear_error (&error);
  close_stream (other);
  g_assert_null (gsock_unix_connection_get_peer_credentials (other, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  drop_last (other);
}

static void
test_peer_pidfd (void)
{
  GError *error = NULL;
  GsockUnixConnection *one, *other;
  int pidfd;

  unix_pair (SOCK_STREAM, &one, &other);
  pidfd = gsock_unix_connection_get_peer_pidfd (one, &error);
  if (pidfd < 0)
    {
      /* Linux before 6.5. */
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
      g_clear_error (&error);
    }
  else
    {
      g_assert_no_error (error);
      g_assert_true (fcntl (pidfd, F_GETFD) & FD_CLOEXEC);
      close (pidfd);
    }
  close_stream (one);
  g_assert_cmpint (gsock_unix_connection_get_peer_pidfd (one, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  drop_last (one);
  drop_last (other);
}

/* GIO's class at the other end. */
static void
test_beside_gio (void)
{
  GError *error = NULL;
  int fds[2], seen_from, ours = parcel (&seen_from), got;
  GSocket *socket;
  GSocketConnection *theirs;
  GsockSocketConnection *made;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  socket = g_socket_new_from_fd (fds[0], &error);
  g_assert_no_error (error);
  theirs = g_socket_connection_factory_create_connection (socket);
  g_object_unref (socket);
  made = gsock_socket_connection_factory_create_connection_from_fd (fds[1], &error);
  g_assert_no_error (error);

  g_assert_true (g_unix_connection_send_fd (G_UNIX_CONNECTION (theirs), ours, NULL, &error));
  got = gsock_unix_connection_receive_fd (GSOCK_UNIX_CONNECTION (made), NULL, &error);
  g_assert_no_error (error);
  assert_is (got, seen_from);
  g_assert_true (gsock_unix_connection_send_fd (GSOCK_UNIX_CONNECTION (made), got, NULL, &error));
  close (got);
  got = g_unix_connection_receive_fd (G_UNIX_CONNECTION (theirs), NULL, &error);
  g_assert_no_error (error);
  assert_is (got, seen_from);
  close (got);
  g_assert_true (g_unix_connection_send_credentials (G_UNIX_CONNECTION (theirs), NULL, &error));
  assert_is_us (gsock_unix_connection_receive_credentials (GSOCK_UNIX_CONNECTION (made), NULL, &error), error);
  g_assert_true (gsock_unix_connection_send_credentials (GSOCK_UNIX_CONNECTION (made), NULL, &error));
  assert_is_us (g_unix_connection_receive_credentials (G_UNIX_CONNECTION (theirs), NULL, &error), error);

  drop_last (made);
  drop_last (theirs);
  assert_closed_everywhere (ours, seen_from);
}

/* An operation that is started by a thread which does not own its context. */
static gpointer
start_elsewhere (gpointer data)
{
  gpointer *with = data;

  gsock_unix_connection_receive_fd_async (with[0], NULL, keep_result, with[1]);
  return NULL;
}

static void
test_threads (void)
{
  GError *error = NULL;
  GsockUnixConnection *one, *other;
  GAsyncResult *received = NULL;
  gpointer with[2];
  int seen_from, ours = parcel (&seen_from), got;

  unix_pair (SOCK_STREAM, &one, &other);
  with[0] = other;
  with[1] = &received;
  g_assert_true (g_main_context_acquire (NULL));
  g_thread_join (g_thread_new ("starter", start_elsewhere, with));
  g_assert_true (gsock_unix_connection_send_fd (one, ours, NULL, &error));
  ITERATE_UNTIL (received != NULL);
  got = gsock_unix_connection_receive_fd_finish (other, received, &error);
  g_assert_no_error (error);
  assert_is (got, seen_from);
  close (got);
  g_object_unref (received);
  g_main_context_release (NULL);
  drop_last (one);
  drop_last (other);
  assert_closed_everywhere (ours, seen_from);
}

int
main (int    argc,
      char **argv)
{
  begin (&argc, &argv);
  g_test_add_func ("/unix/descriptors", test_descriptors);
  g_test_add_func ("/unix/many-descriptors", test_many_descriptors);
  g_test_add_func ("/unix/a-forgotten-result", test_a_forgotten_result);
  g_test_add_func ("/unix/credentials", test_credentials);
  g_test_add_func ("/unix/peer-pidfd", test_peer_pidfd);
  g_test_add_func ("/unix/beside-gio", test_beside_gio);
  g_test_add_func ("/unix/threads", test_threads);
  return g_test_run ();
}
