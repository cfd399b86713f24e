//! Puts what is in resources/ into the program.

fn main() {
    glib_build_tools::compile_resources(
        &["resources"],
        "resources/inspector.gresource.xml",
        "inspector.gresource",
    );
}
