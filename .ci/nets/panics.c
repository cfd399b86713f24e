/* Calls exported functions as C does, each of which is to panic: panics LIBRARY <LIST
 *
 * A line of the list is a function's name, how many arguments it has before its GError **, and whether it has one of those.
 * All arguments are zero: it panics before it looks at them. GSOCK_PANIC in the environment has it do so. Prints a line for
 * each, "right NAME", or "wrong NAME" and why. The library's messages are of its own GLib's.
 */

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <gio/gio.h>

typedef uintptr_t (*Any) (uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                          uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);

static int criticals;
static int others;
static const char *expected;

static GLogWriterOutput
count (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  const char *message = "";

  (void) level;
  (void) data;
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, "MESSAGE") == 0)
      message = fields[i].value;
  if (expected != NULL && strstr (message, expected) != NULL && strstr (message, "panicked") != NULL)
    criticals++;
  else
    others++;
  return G_LOG_WRITER_HANDLED;
}

int
main (int argc, char **argv)
{
  char name[256];
  unsigned arguments, has_error;
  void *library = argc == 2 ? dlopen (argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;

  if (library == NULL)
    {
      fprintf (stderr, "panics: %s\n", argc == 2 ? dlerror () : "no library");
      return 2;
    }
  g_log_set_writer_func (count, NULL, NULL);
  while (scanf ("%255s %u %u", name, &arguments, &has_error) == 3)
    {
      uintptr_t given[14] = { 0 };
      GError *error = NULL;
      void *function = dlsym (library, name);
      const char *wrong = NULL;

      /* Should it end the process, the last line says who. */
      printf ("calls %s\n", name);
      fflush (stdout);
      if (function == NULL || arguments > 13)
        {
          printf ("wrong %s: no such symbol, or too many arguments\n", name);
          continue;
        }
      if (has_error)
        given[arguments] = (uintptr_t) &error;
      criticals = others = 0;
      expected = name;
      ((Any) (uintptr_t) function) (given[0], given[1], given[2], given[3], given[4], given[5], given[6], given[7], given[8],
                                    given[9], given[10], given[11], given[12], given[13]);
      if (others > 0)
        wrong = "another message";
      else if (has_error && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_FAILED))
        wrong = "no error";
      else if (criticals != (has_error ? 0 : 1))
        wrong = "not one critical message";
      if (wrong != NULL)
        printf ("wrong %s: %s\n", name, wrong);
      else
        printf ("right %s\n", name);
      g_clear_error (&error);
    }
  return 0;
}
