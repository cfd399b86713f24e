/* Makes system calls fail on demand: a library for LD_PRELOAD.
 *
 * Only calls inside of a window count and can fail. A program opens and closes it with fault_window(), which
 * it finds by dlsym(); a thread that plays the peer keeps out of it with fault_exempt().
 *
 *   FAULT_CALL    the call, as it is named in the counts: "recv"; on what is no socket: "read.other"
 *   FAULT_ERRNO   the errno that it fails with, a number
 *   FAULT_NTH     which occurrence fails, from 1
 *   FAULT_EVERY   or: every how many
 *   FAULT_SHORT   no transfer moves more bytes than this (all calls, or FAULT_CALL only)
 *   FAULT_WEATHER a number other than 0, in place of all these: from the beginning to the end, window or not, each call
 *                 that moves bytes over a socket, accepts or polls may be interrupted, would block where it may, or moves
 *                 less than it was asked to. By chance, of which the number is the seed
 *   FAULT_COUNTS  a file that gets a line "call count" for each call, at exit and at fault_report()
 *
 * A close(2) that is to fail does close: so does Linux. A connect(2) that is to be interrupted or in progress
 * does begin, but not on a Unix socket, where there is no such state. All other calls do nothing when they fail.
 *
 * A kernel that has said "not now", or has moved less than there was, reports it to epoll(7) when that changes. So
 * does this: what it has made up is followed by an edge.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define CALLS(X)                                                                                              \
    X(socket) X(socketpair) X(bind) X(listen) X(connect) X(accept) X(accept4) X(shutdown)                     \
    X(recv) X(recvfrom) X(recvmsg) X(recvmmsg) X(send) X(sendto) X(sendmsg) X(sendmmsg)                       \
    X(read) X(readv) X(write) X(writev) X(close) X(fcntl) X(ioctl) X(dup) X(dup2) X(dup3)                     \
    X(read_other) X(readv_other) X(write_other) X(writev_other) X(close_other) X(fcntl_other) X(ioctl_other)  \
    X(getsockopt) X(setsockopt) X(getsockname) X(getpeername)                                                 \
    X(open) X(openat) X(fstatat) X(unlinkat) X(flock) X(fchmod) X(fchmodat)                                   \
    X(poll) X(ppoll) X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(eventfd) X(pipe2) X(splice)

enum call {
#define X(name) CALL_##name,
    CALLS(X)
#undef X
    CALL_COUNT
};

static const char *const names[] = {
#define X(name) #name,
    CALLS(X)
#undef X
};

static atomic_int window, opened;
static atomic_uint counts[CALL_COUNT];
static atomic_uint injected;
static atomic_uint stale_closes;
static _Thread_local int exempt;

static int target = -1;
static int fault;
static unsigned nth, every, most, weather;
static atomic_uint rolled;

/* "read_other" is written "read.other" outside. */
static int is_name(const char *wanted, const char *name)
{
    for (; *wanted && *name; wanted++, name++)
        if (*wanted != *name && !(*wanted == '.' && *name == '_'))
            return 0;
    return *wanted == *name;
}

static unsigned number(const char *name)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *wanted = getenv("FAULT_CALL");
    for (int i = 0; wanted && i < CALL_COUNT; i++)
        if (is_name(wanted, names[i]))
            target = i;
    fault = (int)number("FAULT_ERRNO");
    nth = number("FAULT_NTH");
    every = number("FAULT_EVERY");
    most = number("FAULT_SHORT");
    weather = number("FAULT_WEATHER");
    if (wanted && target < 0) {
        fprintf(stderr, "shim: no such call: %s\n", wanted);
        _exit(2);
    }
}

void fault_window(int open)
{
    atomic_store(&window, open);
    if (open)
        atomic_store(&opened, 1);
}

void fault_exempt(int on)
{
    exempt = on;
}

/* How many calls were made to fail, or cut short. */
unsigned fault_count(void)
{
    return atomic_load(&injected);
}

/* How often a number was closed that was not open. */
unsigned fault_stale_closes(void)
{
    return atomic_load(&stale_closes);
}

void fault_report(void)
{
    const char *path = getenv("FAULT_COUNTS");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file)
        return;
    for (int i = 0; i < CALL_COUNT; i++) {
        unsigned count = atomic_load(&counts[i]);
        if (!count)
            continue;
        for (const char *c = names[i]; *c; c++)
            fputc(*c == '_' && !strcmp(c, "_other") ? '.' : *c, file);
        fprintf(file, " %u\n", count);
    }
    if (weather)
        fprintf(file, "weather %u\n", atomic_load(&injected));
    fclose(file);
}

__attribute__((destructor)) static void end(void)
{
    atomic_store(&window, 0);
    /* Not for a program that was only on the way here. */
    if (atomic_load(&opened) || weather)
        fault_report();
}

static int counts_here(void)
{
    return atomic_load(&window) && !exempt;
}

/* A number by chance (SplitMix64). */
static unsigned roll(void)
{
    unsigned long long z = weather + atomic_fetch_add(&rolled, 1) * 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return (unsigned)(z >> 33);
}

/* Whether the weather keeps this call from doing anything; errno is set then. */
static int is_foul(int may_block)
{
    unsigned chance = weather && !exempt ? roll() : 1;
    if (chance % 4 != 0)
        return 0;
    atomic_fetch_add(&injected, 1);
    errno = !may_block && chance % 8 == 0 ? EAGAIN : EINTR;
    return 1;
}

/* Whether a call on this descriptor waits. */
static int waits(int fd, int flags)
{
    return !(flags & MSG_DONTWAIT) && !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* Whether this call is to fail; errno is set then. */
static int fails(enum call call)
{
    if (!counts_here())
        return 0;
    unsigned now = atomic_fetch_add(&counts[call], 1) + 1;
    if ((int)call != target || !fault)
        return 0;
    if (!(nth ? now == nth : every && now % every == 0))
        return 0;
    atomic_fetch_add(&injected, 1);
    errno = fault;
    return 1;
}

static size_t cut(enum call call, size_t size)
{
    if (weather && !exempt && size > 1) {
        unsigned chance = roll();
        if (chance % 4 != 0)
            return size;
        atomic_fetch_add(&injected, 1);
        return 1 + chance / 4 % (size - 1);
    }
    if (!most || size <= most || !counts_here() || (target >= 0 && (int)call != target))
        return size;
    atomic_fetch_add(&injected, 1);
    return most;
}

static int is_socket(int fd)
{
    struct stat status;
    int before = errno;
    int is = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
    errno = before;
    return is;
}

#define KIND(name, fd) (counts_here() && !is_socket(fd) ? CALL_##name##_other : CALL_##name)

/* The C library's own function. */
#define REAL(name)                                                                                            \
    static __typeof__(&name) real;                                                                            \
    if (!real)                                                                                                \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define PLAIN(type, name, parameters, arguments)                                                              \
    type name parameters                                                                                      \
    {                                                                                                         \
        REAL(name);                                                                                           \
        return fails(CALL_##name) ? -1 : real arguments;                                                      \
    }

/* What may be interrupted. */
#define WAIT(type, name, parameters, arguments)                                                               \
    type name parameters                                                                                      \
    {                                                                                                         \
        REAL(name);                                                                                           \
        return is_foul(1) || fails(CALL_##name) ? -1 : real arguments;                                        \
    }

#define OF_ANY_FILE(type, name, parameters, arguments)                                                        \
    type name parameters                                                                                      \
    {                                                                                                         \
        REAL(name);                                                                                           \
        return fails(KIND(name, fd)) ? -1 : real arguments;                                                   \
    }

#define TRANSFER(name, parameters, arguments)                                                                 \
    ssize_t name parameters                                                                                   \
    {                                                                                                         \
        REAL(name);                                                                                           \
        if (fails_on(CALL_##name, fd, flags))                                                                 \
            return -1;                                                                                        \
        size_t asked = size;                                                                                  \
        size = cut(CALL_##name, size);                                                                        \
        ssize_t moved = real arguments;                                                                       \
        if (size != asked)                                                                                    \
            make_edge(fd);                                                                                    \
        return moved;                                                                                         \
    }

/* What descriptors are watched for, so that an edge can be made up. */
static struct watched {
    int epoll, fd;
    struct epoll_event event;
} watched[256];
static atomic_flag watching = ATOMIC_FLAG_INIT;

static int (*real_epoll_ctl)(int, int, int, struct epoll_event *);

static void note_watch(int epoll, int what, int fd, const struct epoll_event *event)
{
    while (atomic_flag_test_and_set(&watching))
        ;
    struct watched *place = NULL;
    for (struct watched *w = watched; w < watched + sizeof watched / sizeof *watched; w++) {
        if (w->event.events ? w->epoll == epoll && w->fd == fd : !place)
            place = w;
        if (place && place->event.events)
            break;
    }
    if (place && what == EPOLL_CTL_DEL)
        place->event.events = 0;
    else if (place)
        *place = (struct watched){epoll, fd, *event};
    atomic_flag_clear(&watching);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    REAL(epoll_ctl);
    real_epoll_ctl = real;
    if (fails(CALL_epoll_ctl))
        return -1;
    int result = real(epoll, what, fd, event);
    if (result == 0)
        note_watch(epoll, what, fd, event);
    return result;
}

/* Makes epoll(7) report the present state of a socket as a change. */
static void make_edge(int fd)
{
    int before = errno;
    while (atomic_flag_test_and_set(&watching))
        ;
    /* What is out of date is refused. */
    for (struct watched *w = watched; w < watched + sizeof watched / sizeof *watched; w++)
        if (w->event.events && w->fd == fd)
            real_epoll_ctl(w->epoll, EPOLL_CTL_MOD, fd, &w->event);
    atomic_flag_clear(&watching);
    errno = before;
}

static int fails_on(enum call call, int fd, int flags)
{
    if (weather ? !is_foul(waits(fd, flags)) : !fails(call))
        return 0;
    make_edge(fd);
    return 1;
}

PLAIN(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
PLAIN(int, socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))
PLAIN(int, fstatat, (int folder, const char *restrict path, struct stat *restrict status, int flags),
      (folder, path, status, flags))
PLAIN(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
PLAIN(int, flock, (int fd, int operation), (fd, operation))
PLAIN(int, fchmod, (int fd, mode_t mode), (fd, mode))
PLAIN(int, fchmodat, (int folder, const char *path, mode_t mode, int flags), (folder, path, mode, flags))
PLAIN(int, bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
PLAIN(int, listen, (int fd, int backlog), (fd, backlog))
WAIT(int, accept, (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size))
WAIT(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags), (fd, address, size, flags))
PLAIN(int, shutdown, (int fd, int how), (fd, how))
PLAIN(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size))
PLAIN(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size),
      (fd, level, name, value, size))
PLAIN(int, getsockname, (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size))
PLAIN(int, getpeername, (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size))
WAIT(int, poll, (struct pollfd *polled, nfds_t count, int timeout), (polled, count, timeout))
WAIT(int, ppoll, (struct pollfd *polled, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
      (polled, count, timeout, mask))
PLAIN(int, epoll_create1, (int flags), (flags))
WAIT(int, epoll_wait, (int epoll, struct epoll_event *events, int count, int timeout),
      (epoll, events, count, timeout))
PLAIN(int, eventfd, (unsigned int value, int flags), (value, flags))
PLAIN(int, pipe2, (int fds[2], int flags), (fds, flags))
PLAIN(int, dup, (int fd), (fd))
PLAIN(int, dup2, (int fd, int other), (fd, other))
PLAIN(int, dup3, (int fd, int other, int flags), (fd, other, flags))
PLAIN(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout),
      (fd, messages, count, flags, timeout))
OF_ANY_FILE(ssize_t, readv, (int fd, const struct iovec *vectors, int count), (fd, vectors, count))
OF_ANY_FILE(ssize_t, writev, (int fd, const struct iovec *vectors, int count), (fd, vectors, count))
TRANSFER(recv, (int fd, void *bytes, size_t size, int flags), (fd, bytes, size, flags))
TRANSFER(recvfrom,
         (int fd, void *bytes, size_t size, int flags, struct sockaddr *address, socklen_t *length),
         (fd, bytes, size, flags, address, length))
TRANSFER(send, (int fd, const void *bytes, size_t size, int flags), (fd, bytes, size, flags))
TRANSFER(sendto,
         (int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address, socklen_t length),
         (fd, bytes, size, flags, address, length))

ssize_t read(int fd, void *bytes, size_t size)
{
    REAL(read);
    enum call call = KIND(read, fd);
    if (fails(call))
        return -1;
    return real(fd, bytes, call == CALL_read && !weather ? cut(call, size) : size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    REAL(write);
    enum call call = KIND(write, fd);
    if (fails(call))
        return -1;
    return real(fd, bytes, call == CALL_write && !weather ? cut(call, size) : size);
}

/* One of the two is a socket. What is cut short may leave something in the pipe, or in the socket. */
ssize_t splice(int from, off_t *from_offset, int to, off_t *to_offset, size_t size, unsigned int flags)
{
    REAL(splice);
    int fd = is_socket(from) ? from : to;
    if (fails_on(CALL_splice, fd, 0))
        return -1;
    size_t asked = size;
    size = cut(CALL_splice, size);
    ssize_t moved = real(from, from_offset, to, to_offset, size, flags);
    if (size != asked)
        make_edge(fd);
    return moved;
}

/* A message of the first bytes only. */
static struct msghdr shorter(const struct msghdr *message, enum call call, struct iovec *room)
{
    struct msghdr part = *message;
    size_t size = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    size_t left = cut(call, size);
    if (left == size)
        return part;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        if (!message->msg_iov[i].iov_len)
            continue;
        *room = message->msg_iov[i];
        room->iov_len = room->iov_len < left ? room->iov_len : left;
        part.msg_iov = room;
        part.msg_iovlen = 1;
        break;
    }
    return part;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    REAL(recvmsg);
    if (fails_on(CALL_recvmsg, fd, flags))
        return -1;
    struct iovec room;
    struct msghdr part = shorter(message, CALL_recvmsg, &room);
    ssize_t moved = real(fd, &part, flags);
    if (part.msg_iov == &room)
        make_edge(fd);
    message->msg_namelen = part.msg_namelen;
    message->msg_controllen = part.msg_controllen;
    message->msg_flags = part.msg_flags;
    return moved;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg);
    if (fails_on(CALL_sendmsg, fd, flags))
        return -1;
    struct iovec room;
    struct msghdr part = shorter(message, CALL_sendmsg, &room);
    ssize_t moved = real(fd, &part, flags);
    if (part.msg_iov == &room)
        make_edge(fd);
    return moved;
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
    REAL(sendmmsg);
    return fails(CALL_sendmmsg) ? -1 : real(fd, messages, most ? 1 : count, flags);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    REAL(connect);
    /* Not by the weather: GIO takes an interrupted one for a failure. */
    if (weather || !fails_on(CALL_connect, fd, 0))
        return real(fd, address, size);
    if ((fault == EINTR || fault == EINPROGRESS) && address->sa_family != AF_UNIX) {
        real(fd, address, size);
        errno = fault;
    }
    return -1;
}

int close(int fd)
{
    REAL(close);
    int failing = fails(KIND(close, fd));
    int before = errno;
    int result = real(fd);
    if (result != 0 && errno == EBADF && counts_here())
        atomic_fetch_add(&stale_closes, 1);
    if (failing) {
        errno = before;
        return -1;
    }
    return result;
}

int open(const char *path, int flags, ...)
{
    REAL(open);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return fails(CALL_open) ? -1 : real(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    REAL(openat);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return fails(CALL_openat) ? -1 : real(folder, path, flags, mode);
}

int fcntl(int fd, int command, ...)
{
    REAL(fcntl);
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fails(KIND(fcntl, fd)) ? -1 : real(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    REAL(fcntl64);
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fails(KIND(fcntl, fd)) ? -1 : real(fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...)
{
    REAL(ioctl);
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fails(KIND(ioctl, fd)) ? -1 : real(fd, request, argument);
}
