/* SPDX-License-Identifier: MIT */
#ifndef GSOCK_VERSION_H
#define GSOCK_VERSION_H

/**
 * GSOCK_MAJOR_VERSION:
 *
 * The first number of the version that the program was compiled with.
 *
 * Since: 0.1
 */
#define GSOCK_MAJOR_VERSION (0)

/**
 * GSOCK_MINOR_VERSION:
 *
 * The second number of the version that the program was compiled with.
 *
 * Since: 0.1
 */
#define GSOCK_MINOR_VERSION (1)

/**
 * GSOCK_MICRO_VERSION:
 *
 * The third number of the version that the program was compiled with.
 *
 * Since: 0.1
 */
#define GSOCK_MICRO_VERSION (0)

/**
 * GSOCK_CHECK_VERSION:
 * @major: a first number
 * @minor: a second number
 * @micro: a third number
 *
 * Whether the program is compiled with this version or a newer one.
 *
 * Since: 0.1
 */
#define GSOCK_CHECK_VERSION(major, minor, micro) \
  (GSOCK_MAJOR_VERSION > (major) || \
   (GSOCK_MAJOR_VERSION == (major) && GSOCK_MINOR_VERSION > (minor)) || \
   (GSOCK_MAJOR_VERSION == (major) && GSOCK_MINOR_VERSION == (minor) && \
    GSOCK_MICRO_VERSION >= (micro)))

#endif /* GSOCK_VERSION_H */
