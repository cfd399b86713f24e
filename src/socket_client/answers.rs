//! What GIO answers by a callback, as futures.

#![allow(
    unsafe_code,
    reason = "asynchronous functions of GIO, and their callbacks"
)]

use std::ptr;

use gio::{
    ffi::{self as gio_ffi, GAsyncResult},
    prelude::*,
};
use glib::{
    ffi::GError,
    gobject_ffi::GObject,
    translate::{FromGlibPtrContainer, IntoGlib, ToGlibPtr, from_glib_full},
};

use super::blocking;
use crate::error;
pub(super) use crate::operation::Answer;

type Outcome<T> = Result<T, glib::Error>;

/// Calls a finish function, which gives its error away, and answers its value or that.
fn finished<R>(finish: impl FnOnce(*mut *mut GError) -> R) -> Outcome<R> {
    let mut failure = ptr::null_mut();
    let value = finish(&raw mut failure);
    if failure.is_null() {
        return Ok(value);
    }
    // SAFETY: an error that was given away.
    Err(unsafe { from_glib_full(failure) })
}

/// Looks a name up, in the families that `only` says.
pub(super) fn addresses_of(
    resolver: &gio::Resolver,
    name: &str,
    only: gio::ResolverNameLookupFlags,
) -> Answer<Vec<gio::InetAddress>> {
    unsafe fn take(
        resolver: *mut GObject,
        result: *mut GAsyncResult,
    ) -> Outcome<Vec<gio::InetAddress>> {
        let list = finished(|failure| {
            // SAFETY: of this operation.
            unsafe {
                gio_ffi::g_resolver_lookup_by_name_with_flags_finish(
                    resolver.cast(),
                    result,
                    failure,
                )
            }
        })?;
        // SAFETY: a list of addresses, both of which are ours.
        Ok(unsafe { FromGlibPtrContainer::from_glib_full(list) })
    }
    Answer::new(take, |cancellable, callback, data| {
        // SAFETY: live arguments; the callback and its data belong together, and `take` to this function.
        unsafe {
            gio_ffi::g_resolver_lookup_by_name_with_flags_async(
                resolver.to_glib_none().0,
                name.to_glib_none().0,
                only.into_glib(),
                cancellable,
                callback,
                data,
            );
        }
    })
}

/// Looks the targets of a service up, in the order in which they are to be tried.
pub(super) fn targets_of(
    resolver: &gio::Resolver,
    service: &gio::NetworkService,
) -> Answer<Vec<gio::SrvTarget>> {
    unsafe fn take(
        resolver: *mut GObject,
        result: *mut GAsyncResult,
    ) -> Outcome<Vec<gio::SrvTarget>> {
        let list = finished(|failure| {
            // SAFETY: of this operation.
            unsafe { gio_ffi::g_resolver_lookup_service_finish(resolver.cast(), result, failure) }
        })?;
        // SAFETY: a list of targets, both of which are ours.
        Ok(unsafe { FromGlibPtrContainer::from_glib_full(list) })
    }
    let (name, protocol, domain) = (service.service(), service.protocol(), service.domain());
    Answer::new(take, |cancellable, callback, data| {
        // SAFETY: live arguments; the callback and its data belong together, and `take` to this function.
        unsafe {
            gio_ffi::g_resolver_lookup_service_async(
                resolver.to_glib_none().0,
                name.to_glib_none().0,
                protocol.to_glib_none().0,
                domain.to_glib_none().0,
                cancellable,
                callback,
                data,
            );
        }
    })
}

/// Asks which proxies there are for `uri`.
pub(super) fn proxies_for(resolver: &gio::ProxyResolver, uri: &str) -> Answer<Vec<glib::GString>> {
    unsafe fn take(
        resolver: *mut GObject,
        result: *mut GAsyncResult,
    ) -> Outcome<Vec<glib::GString>> {
        let list = finished(|failure| {
            // SAFETY: of this operation.
            unsafe { gio_ffi::g_proxy_resolver_lookup_finish(resolver.cast(), result, failure) }
        })?;
        // SAFETY: an array of strings, both of which are ours.
        Ok(unsafe { FromGlibPtrContainer::from_glib_full(list) })
    }
    Answer::new(take, |cancellable, callback, data| {
        // SAFETY: live arguments; the callback and its data belong together, and `take` to this function.
        unsafe {
            gio_ffi::g_proxy_resolver_lookup_async(
                resolver.to_glib_none().0,
                uri.to_glib_none().0,
                cancellable,
                callback,
                data,
            );
        }
    })
}

/// The next address of an enumerator, if there is one.
pub(super) fn next_of(
    enumerator: &gio::SocketAddressEnumerator,
) -> Answer<Option<gio::SocketAddress>> {
    unsafe fn take(
        enumerator: *mut GObject,
        result: *mut GAsyncResult,
    ) -> Outcome<Option<gio::SocketAddress>> {
        let address = finished(|failure| {
            // SAFETY: of this operation.
            unsafe {
                gio_ffi::g_socket_address_enumerator_next_finish(enumerator.cast(), result, failure)
            }
        })?;
        // SAFETY: a full reference or NULL.
        Ok(unsafe { from_glib_full(address) })
    }
    Answer::new(take, |cancellable, callback, data| {
        // SAFETY: live arguments; the callback and its data belong together, and `take` to this function.
        unsafe {
            gio_ffi::g_socket_address_enumerator_next_async(
                enumerator.to_glib_none().0,
                cancellable,
                callback,
                data,
            );
        }
    })
}

/// The agreement with a proxy, and the stream that comes of it.
pub(super) fn agreement_of(
    proxy: &gio::Proxy,
    stream: &gio::IOStream,
    address: &gio::ProxyAddress,
) -> Answer<gio::IOStream> {
    unsafe fn take(proxy: *mut GObject, result: *mut GAsyncResult) -> Outcome<gio::IOStream> {
        let stream = finished(|failure| {
            // SAFETY: of this operation.
            unsafe { gio_ffi::g_proxy_connect_finish(proxy.cast(), result, failure) }
        })?;
        // SAFETY: a full reference or NULL.
        let stream: Option<gio::IOStream> = unsafe { from_glib_full(stream) };
        stream.ok_or_else(|| error::failed("The proxy's protocol has failed without saying why"))
    }
    Answer::holding(
        blocking::negotiation(),
        take,
        |cancellable, callback, data| {
            // SAFETY: live arguments; the callback and its data belong together, and `take` to this function.
            unsafe {
                gio_ffi::g_proxy_connect_async(
                    proxy.to_glib_none().0,
                    stream.to_glib_none().0,
                    address.to_glib_none().0,
                    cancellable,
                    callback,
                    data,
                );
            }
        },
    )
}

/// The TLS handshake.
pub(super) fn handshake_of(tls: &impl IsA<gio::TlsConnection>) -> Answer<()> {
    unsafe fn take(tls: *mut GObject, result: *mut GAsyncResult) -> Outcome<()> {
        let done = finished(|failure| {
            // SAFETY: of this operation.
            unsafe { gio_ffi::g_tls_connection_handshake_finish(tls.cast(), result, failure) }
        })?;
        if done == glib::ffi::GFALSE {
            return Err(error::failed("The handshake failed without saying why"));
        }
        Ok(())
    }
    let tls: &gio::TlsConnection = tls.upcast_ref();
    Answer::holding(
        blocking::negotiation(),
        take,
        |cancellable, callback, data| {
            // SAFETY: live arguments; the callback and its data belong together, and `take` to this function.
            unsafe {
                gio_ffi::g_tls_connection_handshake_async(
                    tls.to_glib_none().0,
                    glib::ffi::G_PRIORITY_DEFAULT,
                    cancellable,
                    callback,
                    data,
                );
            }
        },
    )
}
