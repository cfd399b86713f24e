//! What cargo does not say to the linker of a C library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // The name that programs ask the system for; it changes with the ABI.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libgsock-1.so.0");
        // A GType cannot be unregistered, so its code must not be unloaded.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
