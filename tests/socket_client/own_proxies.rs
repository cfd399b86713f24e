//! A proxy resolver that names what it is told to, and a protocol whose stream is not of our classes.

use std::{
    cell::{Cell, RefCell},
    ffi::c_char,
    ptr,
    sync::Once,
};

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{
    ffi::{GError, gpointer},
    gobject_ffi,
    subclass::types::IsImplementable,
    translate::{IntoGlib, IntoGlibPtr, ToGlibPtr, from_glib_none},
};

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct Naming {
        pub uris: RefCell<Vec<String>>,
        pub asked: RefCell<Vec<String>>,
        pub failures: Cell<u32>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Naming {
        const NAME: &'static str = "GsockTestProxyResolver";
        type Type = super::Naming;
        type Interfaces = (gio::ProxyResolver,);
    }

    impl ObjectImpl for Naming {}

    #[derive(Debug, Default)]
    pub struct Wrapping;

    #[glib::object_subclass]
    impl ObjectSubclass for Wrapping {
        const NAME: &'static str = "GsockTestWrappingProxy";
        type Type = super::Wrapping;
        type Interfaces = (gio::Proxy,);
    }

    impl ObjectImpl for Wrapping {}
}

glib::wrapper! {
    pub struct Naming(ObjectSubclass<imp::Naming>) @implements gio::ProxyResolver;
}

glib::wrapper! {
    pub struct Wrapping(ObjectSubclass<imp::Wrapping>) @implements gio::Proxy;
}

impl Naming {
    pub(crate) fn new(uris: &[String]) -> Self {
        let resolver = glib::Object::new::<Self>();
        resolver.imp().uris.replace(uris.to_vec());
        resolver
    }

    /// It cannot tell what it is asked first.
    pub(crate) fn fail_once(&self) {
        self.imp().failures.set(1);
    }

    /// The URIs that it was asked about since.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.imp().asked.take()
    }
}

unsafe impl IsImplementable<imp::Naming> for gio::ProxyResolver {
    fn interface_init(iface: &mut glib::Interface<Self>) {
        let iface: *mut glib::Interface<Self> = iface;
        let iface = unsafe { &mut *iface.cast::<gio_ffi::GProxyResolverInterface>() };
        iface.is_supported = Some(is_supported);
        iface.lookup = Some(lookup);
        iface.lookup_async = Some(lookup_async);
        iface.lookup_finish = Some(lookup_finish);
    }
}

unsafe extern "C" fn is_supported(_: *mut gio_ffi::GProxyResolver) -> glib::ffi::gboolean {
    glib::ffi::GTRUE
}

unsafe extern "C" fn lookup(
    resolver: *mut gio_ffi::GProxyResolver,
    uri: *const c_char,
    _: *mut gio_ffi::GCancellable,
    _: *mut *mut GError,
) -> *mut *mut c_char {
    let resolver: gio::ProxyResolver = unsafe { from_glib_none(resolver) };
    let resolver = resolver.downcast::<Naming>().unwrap();
    let uri: String = unsafe { from_glib_none(uri) };
    resolver.imp().asked.borrow_mut().push(uri);
    let uris = resolver.imp().uris.borrow().clone();
    ToGlibPtr::<*mut *mut c_char>::to_glib_full(&uris[..])
}

unsafe extern "C" fn lookup_async(
    resolver: *mut gio_ffi::GProxyResolver,
    uri: *const c_char,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    unsafe {
        let task = gio_ffi::g_task_new(resolver.cast(), cancellable, callback, data);
        let own: gio::ProxyResolver = from_glib_none(resolver);
        let own = own.downcast::<Naming>().unwrap();
        if own.imp().failures.replace(0) != 0 {
            let failure = glib::Error::new(gio::IOErrorEnum::Busy, "of the resolver");
            gio_ffi::g_task_return_error(task, failure.into_glib_ptr());
        } else {
            let uris = lookup(resolver, uri, cancellable, ptr::null_mut());
            gio_ffi::g_task_return_pointer(task, uris.cast(), Some(free_strings));
        }
        gobject_ffi::g_object_unref(task.cast());
    }
}

unsafe extern "C" fn free_strings(strings: gpointer) {
    unsafe { glib::ffi::g_strfreev(strings.cast()) };
}

unsafe extern "C" fn lookup_finish(
    _: *mut gio_ffi::GProxyResolver,
    result: *mut gio_ffi::GAsyncResult,
    error: *mut *mut GError,
) -> *mut *mut c_char {
    unsafe { gio_ffi::g_task_propagate_pointer(result.cast(), error) }.cast()
}

unsafe impl IsImplementable<imp::Wrapping> for gio::Proxy {
    fn interface_init(iface: &mut glib::Interface<Self>) {
        let iface: *mut glib::Interface<Self> = iface;
        let iface = unsafe { &mut *iface.cast::<gio_ffi::GProxyInterface>() };
        iface.connect_async = Some(agree_async);
        iface.connect_finish = Some(agree_finish);
        iface.supports_hostname = Some(supports_hostname);
    }
}

unsafe extern "C" fn supports_hostname(_: *mut gio_ffi::GProxy) -> glib::ffi::gboolean {
    glib::ffi::GTRUE
}

unsafe extern "C" fn agree_async(
    proxy: *mut gio_ffi::GProxy,
    stream: *mut gio_ffi::GIOStream,
    address: *mut gio_ffi::GProxyAddress,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let stream: gio::IOStream = unsafe { from_glib_none(stream) };
    let address: gio::ProxyAddress = unsafe { from_glib_none(address) };
    // Whose host says so answers nothing, and no error either.
    let answer = if address.destination_hostname() == "nothing.test" {
        ptr::null_mut()
    } else {
        let answer = gio::SimpleIOStream::new(&stream.input_stream(), &stream.output_stream());
        // Whatever lies over a stream keeps that.
        unsafe { answer.set_data("base", stream) };
        let answer: *mut gio_ffi::GIOStream = answer.upcast::<gio::IOStream>().into_glib_ptr();
        answer
    };
    unsafe {
        let task = gio_ffi::g_task_new(proxy.cast(), cancellable, callback, data);
        gio_ffi::g_task_return_pointer(task, answer.cast(), Some(unref));
        gobject_ffi::g_object_unref(task.cast());
    }
}

unsafe extern "C" fn unref(object: gpointer) {
    unsafe { gobject_ffi::g_object_unref(object.cast()) };
}

unsafe extern "C" fn agree_finish(
    _: *mut gio_ffi::GProxy,
    result: *mut gio_ffi::GAsyncResult,
    error: *mut *mut GError,
) -> *mut gio_ffi::GIOStream {
    unsafe { gio_ffi::g_task_propagate_pointer(result.cast(), error) }.cast()
}

/// Proxies of the protocol `wrapping` say nothing, and answer a stream of GIO's around the connection.
pub(crate) fn use_wrapping_protocol() {
    static USE: Once = Once::new();
    USE.call_once(|| {
        // GIO's own stand first.
        let _ = gio::Proxy::default_for_protocol("socks5");
        let extension = unsafe {
            gio_ffi::g_io_extension_point_implement(
                c"gio-proxy".as_ptr(),
                Wrapping::static_type().into_glib(),
                c"wrapping".as_ptr(),
                0,
            )
        };
        assert!(!extension.is_null());
    });
}
