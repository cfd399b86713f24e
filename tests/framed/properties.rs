//! Properties, as any binding sees them.

use gio::prelude::*;
use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

/// FRAMED-1.
#[test]
fn properties_have_the_defaults_that_are_documented() {
    let framed: Framed = glib::Object::new();
    assert_eq!(framed.io_stream(), None);
    assert_eq!(framed.framing(), Framing::Lines);
    assert_eq!(framed.property::<u32>("prefix-size"), 4);
    assert_eq!(
        framed.property::<gio::DataStreamByteOrder>("byte-order"),
        gio::DataStreamByteOrder::BigEndian
    );
    assert_eq!(framed.max_frame_size(), 1024 * 1024);
    assert!(framed.read_ahead());
    assert_eq!((framed.high_water(), framed.low_water()), (65_536, 16_384));
    assert_eq!(framed.max_pending_bytes(), 1024 * 1024);
    assert!(!framed.keep_queue());
    assert_eq!((framed.pending_bytes(), framed.pending_frames()), (0, 0));
    assert!(!framed.is_congested());
    assert!(framed.last_error().is_none());
    for name in ["pending-bytes", "pending-frames", "congested", "last-error"] {
        let property = framed.find_property(name).expect("there");
        assert!(
            !property.flags().contains(glib::ParamFlags::WRITABLE),
            "{name}"
        );
    }
}

#[test]
fn what_is_set_is_notified_once_and_only_if_it_differs() {
    on_private_context(|_| {
        let framed: Framed = glib::Object::new();
        let told = notifications(&framed);
        framed.set_max_frame_size(5);
        framed.set_max_frame_size(5);
        framed.set_property("read-ahead", false);
        framed.set_read_ahead(false);
        framed.set_keep_queue(true);
        framed.set_high_water(7);
        framed.set_low_water(3);
        framed.set_max_pending_bytes(9);
        assert_eq!(
            *told.borrow(),
            [
                "max-frame-size",
                "read-ahead",
                "keep-queue",
                "high-water",
                "low-water",
                "max-pending-bytes"
            ]
        );
        assert_eq!(framed.max_frame_size(), 5);
        assert!(!framed.read_ahead() && framed.keep_queue());
        assert_eq!((framed.high_water(), framed.low_water()), (7, 3));
        assert_eq!(framed.max_pending_bytes(), 9);
    });
}

/// FRAMED-2.
#[test]
fn a_stream_is_notified_each_time_that_it_is_set() {
    let stream = over_bytes(b"");
    let framed = Framed::new(&stream, Framing::Lines);
    assert_eq!(framed.io_stream().as_ref(), Some(&stream));
    let told = notifications(&framed);
    framed.set_io_stream(Some(&stream));
    framed.set_property("io-stream", None::<gio::IOStream>);
    assert_eq!(*told.borrow(), ["io-stream", "io-stream"]);
    assert_eq!(framed.io_stream(), None);
}

#[test]
fn a_prefix_of_another_size_leaves_it_as_it_was() {
    on_private_context(|_| {
        let framed = with_one_critical(|| {
            Framed::builder()
                .framing(Framing::LengthPrefixed)
                .prefix_size(3)
                .build()
        });
        assert_eq!(framed.property::<u32>("prefix-size"), 4);
    });
}

/// FRAMED-10.
#[test]
fn what_is_bound_to_the_queue_follows_it() {
    on_private_context(|context| {
        let (ours, _theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        let shown: Framed = glib::Object::new();
        let _bound = framed
            .bind_property("pending-bytes", &shown, "max-frame-size")
            .sync_create()
            .build();
        let flag = gio::SimpleAction::new("congested", None);
        framed.set_high_water(3);
        framed.set_low_water(0);
        let _flagged = framed
            .bind_property("congested", &flag, "enabled")
            .sync_create()
            .build();
        assert_eq!((shown.max_frame_size(), flag.is_enabled()), (0, false));
        ours.output_stream().has_pending();
        framed.set_io_stream(gio::IOStream::NONE);
        framed.set_keep_queue(true);
        framed.send(b"0123").expect("queued");
        iterate_until(context, || flag.is_enabled());
        assert_eq!(shown.max_frame_size(), 5);
        framed.set_io_stream(Some(&ours));
        iterate_until(context, || !flag.is_enabled());
        assert_eq!(shown.max_frame_size(), 0);
    });
}

#[test]
fn a_stream_can_be_bound_to() {
    let holder: Framed = glib::Object::new();
    let framed: Framed = glib::Object::new();
    let _bound = holder
        .bind_property("io-stream", &framed, "io-stream")
        .sync_create()
        .build();
    holder.set_io_stream(Some(&over_bytes(b"one\n")));
    assert_eq!(framed.io_stream(), holder.io_stream());
    assert_eq!(next(&framed), "one");
}

#[test]
fn nothing_of_it_is_left_when_it_is_dropped() {
    on_private_context(|context| {
        let (ours, _theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        framed.send(b"one").expect("queued");
        let read = framed.read_frame_future();
        let weak = framed.downgrade();
        drop((framed, read));
        assert!(weak.upgrade().is_none());
        iterate_for(context, std::time::Duration::from_millis(10));
        assert_eq!(ours.ref_count(), 1);
        assert!(!ours.is_closed());
    });
}
