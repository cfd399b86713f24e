//! Connections of ours that have one `GSocket` in common: when one of them closes it, it is closed once none of them uses it any
//! more, so that no call of another one meets a number that the kernel has given to somebody else.
//!
//! The `GSocket` knows them. As long as there is one alone, which is nearly always, that is a weak reference and no more.

use std::{
    mem::ManuallyDrop,
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use gio::prelude::*;
use glib::{
    ffi::gpointer,
    gobject_ffi,
    translate::{IntoGlib, ToGlibPtr},
};
use once_cell::sync::Lazy;

use super::Transport;
use crate::fence::fence_or;

/// Under which a `GSocket` knows them.
static KEY: Lazy<glib::Quark> = Lazy::new(|| glib::Quark::from_str("gsock-companions"));

/// How often others may come between a look at what the `GSocket` knows and the change of it.
const TRIES: usize = 1_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Companions(Mutex<Company>);

#[derive(Debug, Default)]
struct Company {
    /// Those that may still use the number, by the address of their descriptor.
    members: Vec<(usize, Weak<Transport>)>,
    /// One of them has closed it.
    is_ending: bool,
}

impl Companions {
    fn company(&self) -> MutexGuard<'_, Company> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers whether it comes too late.
    fn add(&self, transport: &Arc<Transport>) -> bool {
        let mut company = self.company();
        let member = (transport.descriptor.address(), Arc::downgrade(transport));
        company.members.push(member);
        company.is_ending
    }

    /// The socket is to be closed: answers, once, those who are to end besides the one at this address.
    pub(super) fn end(&self, beside: usize) -> Vec<Arc<Transport>> {
        let mut company = self.company();
        if company.is_ending {
            return Vec::new();
        }
        company.is_ending = true;
        let others = company.members.iter();
        let others = others.filter(|(address, _)| *address != beside);
        others.filter_map(|(_, member)| member.upgrade()).collect()
    }

    /// The one at this address uses the number no more. Answers whether the socket is to be closed by who asks.
    pub(super) fn leave(&self, address: usize) -> bool {
        let mut company = self.company();
        let before = company.members.len();
        company.members.retain(|(member, _)| *member != address);
        company.is_ending && company.members.is_empty() && before != 0
    }
}

/// What a `GSocket` knows.
enum Known {
    One(Weak<Transport>),
    Several(Arc<Companions>),
}

/// Says that the rest of a pointer is that of several; those of what is in memory are even.
const SEVERAL: usize = 1;

impl Known {
    fn into_pointer(self) -> gpointer {
        match self {
            Self::One(one) => one.into_raw().cast_mut().cast(),
            Self::Several(several) => Arc::into_raw(several)
                .map_addr(|address| address | SEVERAL)
                .cast_mut()
                .cast(),
        }
    }

    /// # Safety
    ///
    /// `pointer` comes from [`into_pointer`](Self::into_pointer), and is given up.
    unsafe fn from_pointer(pointer: gpointer) -> Self {
        if pointer.addr() & SEVERAL == 0 {
            // SAFETY: as the caller says.
            Self::One(unsafe { Weak::from_raw(pointer.cast()) })
        } else {
            let several = pointer.map_addr(|address| address & !SEVERAL);
            // SAFETY: likewise.
            Self::Several(unsafe { Arc::from_raw(several.cast()) })
        }
    }
}

/// GObject calls it under the lock of the object's data: it counts, and calls nobody.
unsafe extern "C" fn duplicate(known: gpointer, _: gpointer) -> gpointer {
    fence_or(ptr::null_mut(), || {
        if known.is_null() {
            return known;
        }
        // SAFETY: what the object has under our key; its reference is not touched.
        let known = ManuallyDrop::new(unsafe { Known::from_pointer(known) });
        match &*known {
            Known::One(one) => Known::One(one.clone()),
            Known::Several(several) => Known::Several(several.clone()),
        }
        .into_pointer()
    })
}

unsafe extern "C" fn destroy(known: gpointer) {
    fence_or((), || {
        // SAFETY: the object gives up what it had. A weak reference frees memory at most.
        drop(unsafe { Known::from_pointer(known) });
    });
}

/// What the socket knows now, as a reference of the caller's and as the pointer that it has.
fn known_to(socket: &gio::Socket) -> Option<(Known, gpointer)> {
    let object: *mut gobject_ffi::GObject = socket.upcast_ref::<glib::Object>().to_glib_none().0;
    // SAFETY: a live object, and a function that leaves what it has as it is.
    let known = unsafe {
        gobject_ffi::g_object_dup_qdata(object, KEY.into_glib(), Some(duplicate), ptr::null_mut())
    };
    // SAFETY: what `duplicate` has answered. Both references have one address.
    (!known.is_null()).then(|| (unsafe { Known::from_pointer(known) }, known))
}

/// Puts `new` in the place of what the socket knew before, unless that is something else by now.
fn replace(socket: &gio::Socket, before: gpointer, new: Known) -> bool {
    let object: *mut gobject_ffi::GObject = socket.upcast_ref::<glib::Object>().to_glib_none().0;
    let new = new.into_pointer();
    // SAFETY: a live object, whose `new` is if it takes it.
    let is_done = unsafe {
        gobject_ffi::g_object_replace_qdata(
            object,
            KEY.into_glib(),
            before,
            new,
            Some(destroy),
            ptr::null_mut(),
        )
    } != glib::ffi::GFALSE;
    let given_up = if is_done { before } else { new };
    if !given_up.is_null() {
        // SAFETY: the reference that is nobody's now: that of what was there before, or the one that was not taken.
        unsafe { destroy(given_up) };
    }
    is_done
}

impl Transport {
    /// Has the `GSocket` know that this one uses it.
    pub(super) fn meet_companions(self: &Arc<Self>, socket: &gio::Socket) {
        let this = || Known::One(Arc::downgrade(self));
        // Nearly always there is nobody, and nothing more to be asked.
        if replace(socket, ptr::null_mut(), this()) {
            return;
        }
        for _ in 0..TRIES {
            let (known, place) = match known_to(socket) {
                None => (None, ptr::null_mut()),
                Some((known, place)) => (Some(known), place),
            };
            let company = match known {
                Some(Known::Several(company)) => company,
                Some(Known::One(one)) if let Some(other) = one.upgrade() => {
                    let company = Arc::new(Companions::default());
                    company.add(&other);
                    if !replace(socket, place, Known::Several(company.clone())) {
                        continue;
                    }
                    other.descriptor.set_companions(company.clone());
                    company
                }
                _ if replace(socket, place, this()) => return,
                _ => continue,
            };
            let is_late = company.add(self);
            self.descriptor.set_companions(company);
            if is_late {
                let _ = self.close();
            }
            return;
        }
    }
}
