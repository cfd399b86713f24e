"""Writes a C program with a g_autoptr of every type that the GIR describes: autoptr.py GIR

What each of them holds must be gone when its block ends: objects are watched, and of the other types a sanitizer says so.
"""

import sys
import xml.etree.ElementTree as ET

CORE = "{http://www.gtk.org/introspection/core/1.0}"
C = "{http://www.gtk.org/introspection/c/1.0}"
GLIB = "{http://www.gtk.org/introspection/glib/1.0}"

CLASS = """
static void
test_{name} (void)
{{
  gpointer single = NULL, listed = NULL;

  {{
    g_autoptr ({type}) it = g_object_new ({get_type} (), NULL);
    g_autoptr ({type}) nothing = NULL;
    g_autolist ({type}) list = g_list_prepend (NULL, g_object_new ({get_type} (), NULL));
    g_autoptr ({type}) taken = g_object_ref (it);
    gpointer taker = g_steal_pointer (&taken);

    watch (it, &single);
    watch (list->data, &listed);
    g_object_unref (taker);
    g_assert_null (nothing);
    g_assert_true (single == it && listed == list->data);
  }}
  g_assert_null (single);
  g_assert_null (listed);
}}
"""

BOXED = """
static void
test_{name} (void)
{{
  g_autoptr ({type}) nothing = NULL;
  g_autoptr ({type}) it = make_{name} ();
  g_autoptr ({type}) copy = it == NULL ? NULL : g_boxed_copy ({get_type} (), it);

  g_assert_null (nothing);
  g_assert_true ((it == NULL) == (copy == NULL));
}}
"""

# How one comes by a value; of a type that is not here, a pointer to nothing is tried.
MAKERS = {
    "GsockConnectReport": """  g_autoptr (GsockSocketClient) client = gsock_socket_client_new ();
  g_autoptr (GSocketConnectable) nobody = g_network_address_new ("127.0.0.1", 1);

  gsock_socket_client_set_enable_proxy (client, FALSE);
  return gsock_socket_client_connect_with_report (client, nobody, NULL, NULL);"""
}

MAKER = """
static {type} *
make_{name} (void)
{{
{body}
}}
"""


def described(root):
    """Classes that one can make an object of, and boxed types: name, C's name, function of the type."""
    for kind in "class", "record":
        for node in root.iter(CORE + kind):
            get_type = node.get(GLIB + "get-type")
            if get_type and node.get("abstract") != "1":
                yield kind, node.get("name"), node.get(C + "type"), get_type


def main():
    types = list(described(ET.parse(sys.argv[1])))
    print("#include <gsock/gsock.h>\n")
    print("static void\nwatch (gpointer object, gpointer *pointer)\n{")
    print("  *pointer = object;\n  g_object_add_weak_pointer (object, pointer);\n}")
    for kind, name, c_type, get_type in types:
        words = {"name": name, "type": c_type, "get_type": get_type}
        if kind == "record":
            print(MAKER.format(body=MAKERS.get(c_type, "  return NULL;"), **words))
        print((CLASS if kind == "class" else BOXED).format(**words))
    print("int\nmain (int argc, char **argv)\n{\n  g_test_init (&argc, &argv, NULL);")
    print("  /* A connection that is made without a socket says so. */\n  g_log_set_always_fatal (G_LOG_FATAL_MASK);")
    for _, name, *_ in types:
        print(f'  g_test_add_func ("/autoptr/{name}", test_{name});')
    print("  return g_test_run ();\n}")


main()
