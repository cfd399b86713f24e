//! Two ends of a D-Bus connection between peers, and what they can do.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    os::fd::{AsFd, FromRawFd, OwnedFd},
};

use gio::{DBusCapabilityFlags, DBusConnection, DBusConnectionFlags, prelude::*};

use crate::support::*;

const INTERFACE: &str = "org.example.Interop";
const PATH: &str = "/org/example/Interop";

/// Authenticates by EXTERNAL alone: the kernel's word for who the peer is.
pub(crate) fn external_only() -> gio::DBusAuthObserver {
    let observer = gio::DBusAuthObserver::new();
    observer.connect_allow_mechanism(|_, mechanism| mechanism == "EXTERNAL");
    observer
}

/// The service's end and the client's, once each has authenticated the other.
pub(crate) fn authenticate(
    context: &glib::MainContext,
    server: &(impl IsA<gio::IOStream> + Clone + 'static),
    client: &(impl IsA<gio::IOStream> + Clone + 'static),
) -> Result<[DBusConnection; 2], glib::Error> {
    let guid = gio::dbus_generate_guid();
    let server_end = DBusConnection::new_future(
        server,
        Some(&guid),
        DBusConnectionFlags::AUTHENTICATION_SERVER,
        Some(&external_only()),
    );
    let client_end = DBusConnection::new_future(
        client,
        None,
        DBusConnectionFlags::AUTHENTICATION_CLIENT,
        None,
    );
    let (server, client) = block_on(context, futures::future::join(server_end, client_end));
    Ok([server?, client?])
}

/// Who is at the other end, by the kernel's word.
pub(crate) fn user_of_peer(connection: &DBusConnection) -> Option<u32> {
    connection.peer_credentials()?.unix_user().ok()
}

pub(crate) fn own_user() -> u32 {
    // SAFETY: it asks for a number.
    unsafe { libc::getuid() }
}

pub(crate) fn passes_descriptors(connection: &DBusConnection) -> bool {
    connection
        .capabilities()
        .contains(DBusCapabilityFlags::UNIX_FD_PASSING)
}

/// Answers calls with the text of the file that they bring, or with "none".
pub(crate) fn serve(connection: &DBusConnection) -> gio::RegistrationId {
    let node = gio::DBusNodeInfo::for_xml(&format!(
        "<node><interface name='{INTERFACE}'><method name='Text'>\
         <arg type='s' direction='out'/></method></interface></node>"
    ))
    .expect("well formed");
    let interface = node.lookup_interface(INTERFACE).expect("it is there");
    connection
        .register_object(PATH, &interface)
        .method_call(|_, _, _, _, _, _, invocation| {
            let message = invocation.message();
            let text = message.unix_fd_list().map_or_else(
                || "none".to_owned(),
                |list| {
                    let fd = list.get(0).expect("there is one");
                    let mut file = File::from(fd);
                    let mut text = String::new();
                    file.read_to_string(&mut text).expect("text");
                    text
                },
            );
            invocation.return_value(Some(&(text,).to_variant()));
        })
        .build()
        .expect("nobody else is there")
}

fn a_file(text: &str) -> File {
    // SAFETY: a new descriptor, or -1.
    let fd = unsafe { libc::memfd_create(c"gsock-test".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0);
    // SAFETY: ours.
    let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.write_all(text.as_bytes()).expect("memory");
    file.rewind().expect("memory");
    file
}

/// What the service answers to a call, with a descriptor or without.
pub(crate) fn call(
    context: &glib::MainContext,
    client: &DBusConnection,
    text: Option<&str>,
) -> Result<String, glib::Error> {
    let list = text.map(|text| {
        let list = gio::UnixFDList::new();
        list.append(a_file(text).as_fd()).expect("a descriptor");
        list
    });
    let calling = client.call_with_unix_fd_list_future(
        None,
        PATH,
        INTERFACE,
        "Text",
        None,
        None,
        gio::DBusCallFlags::NONE,
        5000,
        list.as_ref(),
    );
    let (answer, _) = block_on(context, calling)?;
    Ok(answer.get::<(String,)>().expect("as declared").0)
}
