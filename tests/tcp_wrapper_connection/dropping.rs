//! What a mere drop does to the base stream.

use gio::prelude::*;
use gsock::prelude::*;

use crate::{support::*, tools::*};

/// WRAP-9.
#[test]
fn a_drop_closes_a_base_stream_that_nobody_else_has_while_the_socket_is_open() {
    on_private_context(|_| {
        for graceful in [false, true] {
            let (wrapper, base, mut peer) = wrapped_polite();
            wrapper.set_graceful_disconnect(graceful);
            let gone = Gone::of(&base);
            drop(base);
            drop(wrapper);
            assert!(gone.is_gone());
            assert_eq!(read_to_end(&mut peer), b"BYE");
        }
    });
}

#[test]
fn a_drop_leaves_a_base_stream_to_others_who_have_it() {
    on_private_context(|_| {
        let (wrapper, base, mut peer) = wrapped_polite();
        let gone = Gone::of(&wrapper);
        drop(wrapper);
        assert!(gone.is_gone());
        assert!(!base.is_closed());
        base.output_stream()
            .write_all(b"still here", NONE)
            .expect("the socket is open");
        base.close(NONE).expect("nothing is in the way");
        drop(base);
        assert_eq!(read_to_end(&mut peer), b"still hereBYE");
    });
}

#[test]
fn a_disposed_wrapper_keeps_its_base_stream_and_is_of_no_use() {
    on_private_context(|_| {
        let (wrapper, base, mut peer) = wrapped_polite();
        let weak = base.downgrade();
        drop(base);
        // SAFETY: a live object of this thread.
        unsafe { wrapper.run_dispose() };
        assert!(wrapper.is_closed());
        let base = weak.upgrade().expect("kept");
        assert_eq!(wrapper.base_io_stream(), base);
        assert!(base.is_closed());
        assert!(wrapper.input_stream().is_closed());
        drop((base, wrapper));
        assert_eq!(read_to_end(&mut peer), b"BYE");
    });
}
