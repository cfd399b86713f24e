//! What GIO answers by a callback, as futures.
//!
//! gio-rs has such, and they end the process when the context has gone to another thread since, be it
//! only for the answer of a call that was cancelled. These forget the answer then.

#![allow(
    unsafe_code,
    reason = "asynchronous functions of GIO, and their callbacks"
)]

use std::{
    fmt,
    future::Future,
    pin::Pin,
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use gio::{
    ffi::{self as gio_ffi, GAsyncReadyCallback, GAsyncResult},
    prelude::*,
};
use glib::{
    ffi::{GError, gpointer},
    gobject_ffi::GObject,
    translate::{FromGlibPtrContainer, IntoGlib, ToGlibPtr, from_glib_full},
};

use crate::{error, thread};

type Outcome<T> = Result<T, glib::Error>;
type Take<T> = unsafe fn(*mut GObject, *mut GAsyncResult) -> Outcome<T>;

struct Slot<T> {
    outcome: Option<Outcome<T>>,
    waker: Option<Waker>,
}

struct Shared<T> {
    /// Where the answer is taken, which need not be fit for others.
    thread: usize,
    slot: Mutex<Slot<T>>,
}

impl<T> Shared<T> {
    fn slot(&self) -> MutexGuard<'_, Slot<T>> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is under way. Dropping it cancels.
pub(super) struct Answer<T> {
    shared: Arc<Shared<T>>,
    cancellable: gio::Cancellable,
    has_ended: bool,
}

struct Call<T> {
    shared: Arc<Shared<T>>,
    take: Take<T>,
}

impl<T> Answer<T> {
    /// `take` is called with the source object and the result of what `start` has started.
    fn new(
        take: Take<T>,
        start: impl FnOnce(*mut gio_ffi::GCancellable, GAsyncReadyCallback, gpointer),
    ) -> Self {
        let shared = Arc::new(Shared {
            thread: thread::here(),
            slot: Mutex::new(Slot {
                outcome: None,
                waker: None,
            }),
        });
        let call = Call {
            shared: shared.clone(),
            take,
        };
        let cancellable = gio::Cancellable::new();
        start(
            cancellable.to_glib_none().0,
            Some(ready::<T>),
            Box::into_raw(Box::new(call)).cast(),
        );
        Self {
            shared,
            cancellable,
            has_ended: false,
        }
    }
}

unsafe extern "C" fn ready<T>(source: *mut GObject, result: *mut GAsyncResult, data: gpointer) {
    // SAFETY: the box that `Answer::new` made, called back once.
    let call = unsafe { Box::from_raw(data.cast::<Call<T>>()) };
    if call.shared.thread != thread::here() {
        return;
    }
    // SAFETY: as `Answer::new` was told.
    let outcome = unsafe { (call.take)(source, result) };
    let waker = {
        let mut slot = call.shared.slot();
        slot.outcome = Some(outcome);
        slot.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> Future for Answer<T> {
    type Output = Outcome<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        let outcome = {
            let mut slot = self.shared.slot();
            let outcome = slot.outcome.take();
            if outcome.is_none() {
                let before = slot.waker.replace(cx.waker().clone());
                drop(slot);
                drop(before);
                return Poll::Pending;
            }
            outcome
        };
        self.has_ended = true;
        outcome.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.cancellable.cancel();
        }
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("has_ended", &self.has_ended)
            .finish_non_exhaustive()
    }
}

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
    Answer::new(take, |cancellable, callback, data| {
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
    })
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
    Answer::new(take, |cancellable, callback, data| {
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
    })
}
