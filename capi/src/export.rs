//! What makes a function one that C can call.

/// Exports functions to C.
///
/// ```text
/// fn name(argument: Type) -> Returned, else FALLBACK => { value }
/// try fn name(argument: Type) -> Returned, else FALLBACK => { Result<Returned, glib::Error> }
/// ```
///
/// `Type` is an [`Argument`](crate::argument::Argument): C passes its `C`, the body sees its `Value`.
/// The second form has `GError **error` for its last parameter. In both, an argument that is refused,
/// also by `?` in the body, leaves a critical message and C gets the fallback value, and no panic gets out.
macro_rules! exported {
    () => {};
    (
        $(#[$meta:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $returned:ty, else $fallback:expr =>
        $body:block
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            $($argument: <$type as $crate::argument::Argument>::C,)*
        ) -> $returned {
            let body = move || {
                $(let $argument = $crate::export::converted!($argument: $type);)*
                Ok::<$returned, $crate::fence::Failure>($body)
            };
            // SAFETY: no place for an error.
            unsafe {
                $crate::fence::fenced(stringify!($name), $fallback, std::ptr::null_mut(), body)
            }
        }
        $crate::export::exported! { $($rest)* }
    };
    (
        $(#[$meta:meta])*
        try fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $returned:ty, else $fallback:expr =>
        $body:block
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            $($argument: <$type as $crate::argument::Argument>::C,)*
            error: *mut *mut glib::ffi::GError,
        ) -> $returned {
            let body = move || {
                $(let $argument = $crate::export::converted!($argument: $type);)*
                let result: Result<$returned, glib::Error> = $body;
                Ok::<$returned, $crate::fence::Failure>(result?)
            };
            // SAFETY: the caller's place for an error, or NULL.
            unsafe { $crate::fence::fenced(stringify!($name), $fallback, error, body) }
        }
        $crate::export::exported! { $($rest)* }
    };
}

/// What the body sees of an argument; ends the body where it is refused.
macro_rules! converted {
    ($argument:ident: $type:ty) => {
        // SAFETY: what every C function demands: pointers are NULL or to something that lives
        // until the function returns.
        match unsafe { <$type as $crate::argument::Argument>::convert($argument) } {
            Some(value) => value,
            None => {
                return Err($crate::fence::Refusal {
                    check: <$type as $crate::argument::Argument>::CHECK,
                    argument: stringify!($argument),
                }
                .into());
            }
        }
    };
}

pub(crate) use {converted, exported};
