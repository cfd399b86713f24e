/* gsock: GIO's socket connection layer, written in Rust.
 *
 * This is the header to include; the others are parts of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GSOCK_H
#define GSOCK_H

#include <gsock/gsock-version.h>
#include <gsock/gsock-socket-connection.h>
#include <gsock/gsock-tcp-connection.h>
#include <gsock/gsock-tcp-wrapper-connection.h>
#include <gsock/gsock-unix-connection.h>
#include <gsock/gsock-socket-client.h>
#include <gsock/gsock-connect-report.h>
#include <gsock/gsock-socket-listener.h>
#include <gsock/gsock-socket-service.h>
#include <gsock/gsock-threaded-socket-service.h>
#include <gsock/gsock-reconnector.h>
#include <gsock/gsock-engine.h>
#include <gsock/gsock-framed.h>
#include <gsock/gsock-gio.h>

#endif /* GSOCK_H */
