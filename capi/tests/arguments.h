/* What the tests of wrong arguments share. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "tools.h"

/* A function whose result is compared with what GIO's gives. */
#define REFUSED(function, argument, call, comparison) \
  G_STMT_START { \
    EXPECT_CRITICAL ("*" #function ":*(" argument ")*"); \
    g_assert_true ((call) comparison); \
    MET (); \
  } G_STMT_END

/* Likewise a function that returns nothing. */
#define REFUSED_VOID(function, argument, call) \
  REFUSED (function, argument, ((call), TRUE), == TRUE)

static inline void
never_called (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  (void) source;
  (void) result;
  (void) user_data;
  g_assert_not_reached ();
}

#endif /* ARGUMENTS_H */
