/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_ENGINE_H
#define GSOCK_ENGINE_H

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * gsock_engine_use_poll_function:
 * @context: (nullable): a #GMainContext, or %NULL for the global default one
 * @on: whether to
 * @error: a place for an error, or %NULL
 *
 * Has @context wait for its sockets by one system call in the place of two, or no longer. Off by default.
 *
 * It sets the poll function of the context, g_main_context_set_poll_func(), of which there is one: a program
 * whose toolkit has its own may not want that. As long as the context polls other descriptors than those
 * of this library, the function from before does it. Turning it off sets that one again.
 *
 * %G_IO_ERROR_NOT_SUPPORTED where there is no `epoll(7)`; %G_IO_ERROR_BUSY if another thread owns the context, or if
 * another poll function was set while this one was on: that one stays then.
 *
 * Returns: %TRUE, or %FALSE with @error set
 *
 * Since: 0.2
 */
extern
gboolean gsock_engine_use_poll_function (GMainContext *context,
                                         gboolean      on,
                                         GError      **error);

G_END_DECLS

#endif /* GSOCK_ENGINE_H */
