//! What GIO's `GIOStream` does around GIO's connections and ours, and what holds everywhere; the rest
//! of it is in `facts.rs`.

use std::{
    io::{Read, Write},
    net::Shutdown,
    thread,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, IOStreamSpliceFlags, prelude::*};

use crate::{by_hand::*, differs::differs, support::*, tools::*, under::*};

on_both!(
    g_1_a_wrong_argument_is_a_critical_and_the_fallback,
    g_3_the_properties_are_the_getters,
    g_4_no_class_has_a_signal,
    g_5_one_thread_reads_while_another_writes_and_a_third_cancels,
    ios_1_a_connection_is_a_stream_of_giostream,
    ios_2_the_slots_are_five_and_the_streams_are_lent,
    ios_3_the_properties_are_read_only,
    ios_4_the_properties_are_what_the_slots_answer,
    ios_6_each_of_the_three_streams_is_busy_and_closed_by_itself,
    ios_9_operations_of_the_streams_do_not_make_the_connection_busy,
    ios_11_the_pending_flag_is_cleared_whoever_has_set_it,
    ios_12_streams_work_while_the_connection_is_busy,
    ios_13_a_close_calls_its_slot_once,
    ios_13_a_close_that_fails_has_closed,
    ios_13_a_class_without_a_close_closes,
    ios_15_the_default_close_closes_both_streams,
    ios_15_the_default_close_reports_the_first_error_of_the_output_first,
    ios_17_a_failed_close_has_closed_by_the_time_of_its_callback,
    ios_18_a_close_is_finished_with_its_own_result,
    ios_19_a_close_cancelled_between_its_callback_and_its_finish,
    ios_20_a_second_close_while_one_is_under_way_is_refused,
    ios_21_streams_that_know_only_a_blocking_close_are_closed_on_a_thread,
    ios_21_streams_that_close_asynchronously_leave_close_fn_out,
    ios_22_on_a_thread_nothing_closes_the_streams_but_close_fn,
    ios_23_the_outputs_error_replaces_the_inputs,
    ios_24_a_drop_closes_once_and_without_a_cancellable,
    ios_24_a_dispose_closes_unless_the_connection_is_busy,
);

/// The types of an object, up to and without `GObject`.
fn ancestry(type_: glib::Type) -> Vec<glib::Type> {
    let above = |type_: &glib::Type| type_.parent().filter(|type_| *type_ != glib::Type::OBJECT);
    std::iter::successors(Some(type_), above).collect()
}

/// IOS-18, ASYNC-10, ASYNC-16: `close_finish` is GIO's own on both sides.
fn g_1_a_wrong_argument_is_a_critical_and_the_fallback(side: Side, context: &glib::MainContext) {
    let ((under, _peer), (other, _other_peer)) = (side.connected(), side.connected());
    let result = under.closed_by_hand(context, None);
    let (wrong, lines) = logged(|| other.finish_close(&result));
    assert_eq!(wrong, Ok(false));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("GLib-GIO: "), "{lines:?}");
    assert!(!other.is_closed());
}

fn g_3_the_properties_are_the_getters(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    assert_eq!(under.property::<gio::Socket>("socket"), under.socket());
    assert_eq!(
        under.property::<gio::InputStream>("input-stream"),
        under.input()
    );
    assert_eq!(
        under.property::<gio::OutputStream>("output-stream"),
        under.output()
    );
    under.set_graceful(true);
    assert!(under.property::<bool>("graceful-disconnect"));
    under.set_property("graceful-disconnect", false);
    assert!(!under.property::<bool>("closed"));
    under.close(Cancellable::NONE).unwrap();
    assert!(under.property::<bool>("closed"));
}

fn g_4_no_class_has_a_signal(side: Side, _: &glib::MainContext) {
    let mut types = ancestry(side.unconnected().type_());
    assert_eq!(types.len(), if is_adopted() { 4 } else { 3 });
    if side == Side::Gio {
        types.push(gio::UnixConnection::static_type());
        types.push(gio::TcpWrapperConnection::static_type());
    }
    for type_ in types {
        assert_eq!(signals_of(type_), 0, "{type_}");
    }
}

fn g_5_one_thread_reads_while_another_writes_and_a_third_cancels(
    side: Side,
    _: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    let bytes = payload(300_000, 71);
    let sent = bytes.clone();
    let echo = thread::spawn(move || {
        let mut received = vec![0; 300_000];
        peer.read_exact(&mut received).unwrap();
        peer.write_all(&received).unwrap();
        peer
    });
    let cancellable = Cancellable::new();
    let with = cancellable.clone();
    let reader = on_thread(&input, move |input| {
        let mut received = vec![0; 300_000];
        let (count, failure) = input.read_all(&mut received, Some(&with)).unwrap();
        let then = input.read(&mut [0; 8], Some(&with));
        (
            received,
            count,
            failure,
            then.map_err(|failure| code(&failure)),
        )
    });
    let writer = on_thread(&output, move |output| {
        output.write_all(&sent, Cancellable::NONE).unwrap()
    });
    let (written, failure) = writer.join().unwrap();
    assert_eq!(written, 300_000);
    assert_eq!(failure, None);
    let _peer = echo.join().unwrap();
    a_moment();
    cancellable.cancel();
    let (received, count, failure, then) = reader.join().unwrap();
    assert_eq!(count, 300_000);
    assert_eq!(failure, None);
    assert_eq!(Checksum::of(&received), Checksum::of(&bytes));
    assert_eq!(then, Err(IOErrorEnum::Cancelled));
}

fn ios_1_a_connection_is_a_stream_of_giostream(side: Side, _: &glib::MainContext) {
    let base = *ancestry(side.unconnected().type_()).last().unwrap();
    assert_eq!(base, gio::IOStream::static_type());
    assert_eq!(base.name(), "GIOStream");
    assert_eq!(base.parent(), Some(glib::Type::OBJECT));
    assert_eq!(base.interfaces().len(), 0);
    assert_eq!(signals_of(base), 0);
    // SAFETY: a registered type.
    let abstract_ = unsafe {
        glib::gobject_ffi::g_type_test_flags(
            glib::translate::IntoGlib::into_glib(base),
            glib::gobject_ffi::G_TYPE_FLAG_ABSTRACT,
        )
    };
    assert_eq!(abstract_, glib::ffi::GTRUE);
}

fn ios_2_the_slots_are_five_and_the_streams_are_lent(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let class = class_of(&under);
    assert!(class.get_input_stream.is_some());
    assert!(class.get_output_stream.is_some());
    assert!(class.close_fn.is_some());
    assert!(class.close_async.is_some());
    assert!(class.close_finish.is_some());

    let base = glib::Class::<gio::IOStream>::from_type(gio::IOStream::static_type()).unwrap();
    let base: &gio::ffi::GIOStreamClass = base.as_ref();
    assert!(base.get_input_stream.is_none());
    assert!(base.get_output_stream.is_none());
    assert!(base.close_fn.is_some());
    assert!(base.close_async.is_some());
    assert!(base.close_finish.is_some());
    // Five, and ten in reserve.
    let slots = size_of::<glib::gobject_ffi::GObjectClass>() + 15 * size_of::<usize>();
    assert_eq!(
        query(gio::IOStream::static_type()).class_size as usize,
        slots
    );

    let (input, output) = (under.input(), under.output());
    let counts = (input.ref_count(), output.ref_count());
    let stream: *mut gio::ffi::GIOStream = under.as_ptr();
    // SAFETY: a live stream; what is lent is not kept.
    unsafe {
        let lent = gio::ffi::g_io_stream_get_input_stream(stream);
        assert_eq!(lent, input.as_ptr());
        let lent = gio::ffi::g_io_stream_get_output_stream(stream);
        assert_eq!(lent, output.as_ptr());
    }
    assert_eq!((input.ref_count(), output.ref_count()), counts);
}

fn ios_3_the_properties_are_read_only(side: Side, _: &glib::MainContext) {
    let under = side.unconnected();
    let stream = gio::IOStream::static_type();
    let rows = [
        ("input-stream", gio::InputStream::static_type()),
        ("output-stream", gio::OutputStream::static_type()),
        ("closed", glib::Type::BOOL),
    ];
    for (name, type_) in rows {
        let property = under.find_property(name).unwrap();
        assert_eq!(property.value_type(), type_, "{name}");
        assert_eq!(property.owner_type(), stream, "{name}");
        let access = glib::ParamFlags::READWRITE | glib::ParamFlags::CONSTRUCT_ONLY;
        let access = property.flags() & (access | glib::ParamFlags::CONSTRUCT);
        assert_eq!(access, glib::ParamFlags::READABLE, "{name}");
    }
    let closed = under.find_property("closed").unwrap();
    assert!(!closed.default_value().get::<bool>().unwrap());
    let class = under.object_class();
    let own = class.list_properties();
    let own = own
        .iter()
        .filter(|property| property.owner_type() == stream);
    assert_eq!(own.count(), 3);
}

/// They come from the class of the instance, whatever is overridden.
fn ios_4_the_properties_are_what_the_slots_answer(side: Side, _: &glib::MainContext) {
    unsafe extern "C" fn none(_: *mut gio::ffi::GIOStream) -> *mut gio::ffi::GInputStream {
        std::ptr::null_mut()
    }
    unsafe extern "C" fn overrides(class: *mut gio::ffi::GIOStreamClass) {
        // SAFETY: GObject initialises a class once, alone.
        unsafe { (*class).get_input_stream = Some(none) };
    }
    let socket = ipv4_socket();
    let plain = side.around(&socket);
    let type_ = derived(&format!("ParityNoInput{side:?}"), plain.type_(), overrides);
    let under = glib::Object::builder_with_type(type_)
        .property("socket", socket)
        .build();
    assert!(
        plain
            .property::<Option<gio::InputStream>>("input-stream")
            .is_some()
    );
    assert!(
        under
            .property::<Option<gio::InputStream>>("input-stream")
            .is_none()
    );
    assert!(
        under
            .property::<Option<gio::OutputStream>>("output-stream")
            .is_some()
    );
}

fn ios_6_each_of_the_three_streams_is_busy_and_closed_by_itself(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    let pending = || {
        (
            under.has_pending(),
            input.has_pending(),
            output.has_pending(),
        )
    };
    under.set_pending().unwrap();
    assert_eq!(pending(), (true, false, false));
    under.clear_pending();
    input.set_pending().unwrap();
    assert_eq!(pending(), (false, true, false));
    input.clear_pending();
    output.set_pending().unwrap();
    assert_eq!(pending(), (false, false, true));
    output.clear_pending();
    let closed = || (under.is_closed(), input.is_closed(), output.is_closed());
    output.close(Cancellable::NONE).unwrap();
    assert_eq!(closed(), (false, false, true));
    input.close(Cancellable::NONE).unwrap();
    assert_eq!(closed(), (false, true, true));
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(closed(), (true, true, true));
}

fn ios_9_operations_of_the_streams_do_not_make_the_connection_busy(
    side: Side,
    context: &glib::MainContext,
) {
    let ((under, peer), (other, _second)) = (side.connected(), side.connected());
    let reading = start_read(&under.input(), 8, None);
    assert!(under.input().has_pending());
    assert!(!under.has_pending());
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"");

    let ((under, peer), flags) = (side.connected(), IOStreamSpliceFlags::NONE);
    let spliced = splice(&under, &other, flags, DEFAULT, None);
    iterate_for(context, Duration::from_millis(10));
    assert!(under.input().has_pending());
    assert!(under.output().has_pending());
    assert!(!under.has_pending());
    assert!(!other.has_pending());
    peer.shutdown(Shutdown::Write).unwrap();
    spliced.wait(context);
}

fn ios_11_the_pending_flag_is_cleared_whoever_has_set_it(side: Side, context: &glib::MainContext) {
    let (under, _peer) = side.connected();
    under.clear_pending();
    assert!(!under.has_pending());
    under.set_pending().unwrap();
    under.clear_pending();
    under.set_pending().unwrap();
    under.clear_pending();
    // The flag of an operation that is under way as well.
    let closing = under.start_close(None);
    assert!(under.has_pending());
    under.clear_pending();
    assert!(!under.has_pending());
    assert_eq!(closing.wait(context), Done);
    under.clear_pending();
    assert!(under.is_closed());
}

fn ios_12_streams_work_while_the_connection_is_busy(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    under.set_pending().unwrap();
    assert_eq!(write(&under.output(), b"out").unwrap(), 3);
    peer.write_all(b"in").unwrap();
    assert_eq!(read(&under.input(), 8).unwrap(), b"in");
    peer.write_all(b"more").unwrap();
    let reading = start_read(&under.input(), 8, None);
    assert_eq!(reading.wait(context).unwrap(), b"more");
    let mut received = [0; 3];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"out");
}

/// IOS-14: in it the stream is busy, and not closed yet.
fn ios_13_a_close_calls_its_slot_once(side: Side, _: &glib::MainContext) {
    let (under, mut peer, closes) = side.noted(How::Parents);
    under.set_pending().unwrap();
    assert_fails(under.close(Cancellable::NONE), IOErrorEnum::Pending);
    assert_eq!(closes.calls(), []);
    under.clear_pending();
    under.close(Some(&Cancellable::new())).unwrap();
    let call = Call {
        closed: false,
        pending: true,
        cancellable: true,
        current: true,
        thread: thread::current().id(),
    };
    assert_eq!(closes.calls(), [call]);
    assert!(under.is_closed());
    assert!(!under.has_pending());
    assert_eq!(read_to_end(&mut peer), b"");
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(closes.calls().len(), 1);
}

fn ios_13_a_close_that_fails_has_closed(side: Side, _: &glib::MainContext) {
    let (under, _peer, closes) = side.noted(How::Fails);
    assert_fails(under.close(Cancellable::NONE), IOErrorEnum::NoSpace);
    assert!(under.is_closed());
    assert!(!under.has_pending());
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(closes.calls().len(), 1);
}

fn ios_13_a_class_without_a_close_closes(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.without_close();
    under.close(Cancellable::NONE).unwrap();
    assert!(under.is_closed());
    assert!(!under.socket().is_closed());
    drop(under);
    assert_eq!(read_to_end(&mut peer), b"");
}

fn ios_15_the_default_close_closes_both_streams(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    let buffered = gio::BufferedOutputStream::new(&output);
    write(buffered.upcast_ref(), b"flushed").unwrap();
    let pair = gio::SimpleIOStream::new(&input, &buffered);
    pair.close(Cancellable::NONE).unwrap();
    assert!(pair.is_closed());
    assert!(input.is_closed());
    assert!(output.is_closed());
    assert!(buffered.is_closed());
    assert!(!under.is_closed());
    let mut received = [0; 7];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"flushed");
}

fn ios_15_the_default_close_reports_the_first_error_of_the_output_first(
    side: Side,
    _: &glib::MainContext,
) {
    // One fails: the other is closed all the same.
    let (under, _peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    let pair = gio::SimpleIOStream::new(&input, &output);
    output.set_pending().unwrap();
    assert_fails(pair.close(Cancellable::NONE), IOErrorEnum::Pending);
    assert!(pair.is_closed());
    assert!(input.is_closed());
    assert!(!output.is_closed());

    let (under, _peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    let pair = gio::SimpleIOStream::new(&input, &output);
    input.set_pending().unwrap();
    assert_fails(pair.close(Cancellable::NONE), IOErrorEnum::Pending);
    assert!(!input.is_closed());
    assert!(output.is_closed());

    // Both do. The cancellable is for both too: it ends the flush.
    let (under, _peer) = side.connected();
    let input = under.input();
    let buffered = gio::BufferedOutputStream::new(&under.output());
    write(buffered.upcast_ref(), b"lost").unwrap();
    let pair = gio::SimpleIOStream::new(&input, &buffered);
    input.set_pending().unwrap();
    let cancelled = Cancellable::new();
    cancelled.cancel();
    assert_fails(pair.close(Some(&cancelled)), IOErrorEnum::Cancelled);
    assert!(pair.is_closed());
    assert!(!input.is_closed());
    assert!(buffered.is_closed());
}

fn ios_17_a_failed_close_has_closed_by_the_time_of_its_callback(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer, closes) = side.noted(How::Fails);
    let (seen, closing) = (Slot::new(), under.clone());
    let put = seen.put();
    under.close_async(DEFAULT, Cancellable::NONE, move |result| {
        let state = (closing.is_closed(), closing.has_pending());
        put((Outcome::from(result), state));
    });
    assert!(!seen.is_set());
    let expected = (Fails(IOErrorEnum::NoSpace), (true, false));
    assert_eq!(seen.wait(context), expected);
    assert_eq!(closes.calls().len(), 1);
}

fn ios_18_a_close_is_finished_with_its_own_result(side: Side, context: &glib::MainContext) {
    let ((under, _peer), (other, _second)) = (side.connected(), side.connected());
    let result = under.closed_by_hand(context, None);
    let foreign = other.closed_by_hand(context, None);
    let (wrong, lines) = logged(|| under.finish_close(&foreign));
    assert_eq!(wrong, Ok(false));
    assert_eq!(lines.len(), 1);
    assert_eq!(under.finish_close(&result), Ok(true));
    assert_eq!(other.finish_close(&foreign), Ok(true));
}

fn ios_19_a_close_cancelled_between_its_callback_and_its_finish(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let cancellable = Cancellable::new();
    let result = under.closed_by_hand(context, Some(&cancellable));
    assert!(under.is_closed());
    cancellable.cancel();
    assert_eq!(under.finish_close(&result), Err(IOErrorEnum::Cancelled));
    assert!(under.socket().is_closed());
    assert_eq!(read_to_end(&mut peer), b"");
}

fn ios_20_a_second_close_while_one_is_under_way_is_refused(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let first = under.start_close(None);
    assert!(under.has_pending());
    assert!(!under.is_closed());
    let second = under.start_close(None);
    assert!(!second.is_set());
    assert_fails(under.close(Cancellable::NONE), IOErrorEnum::Pending);
    assert!(under.has_pending());
    assert_eq!(second.wait(context), Fails(IOErrorEnum::Pending));
    assert_eq!(first.wait(context), Done);
    assert!(!under.has_pending());
    assert!(under.is_closed());
}

fn ios_21_streams_that_know_only_a_blocking_close_are_closed_on_a_thread(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let input = gio::BufferedInputStream::new(&under.input());
    let output = gio::DataOutputStream::new(&under.output());
    let (pair, closes) = noted_pair(&input, &output, How::Parents);
    let result = pair.closed_by_hand(context, None);
    assert_eq!(pair.finish_close(&result), Ok(true));
    let calls = closes.calls();
    assert_eq!(calls.len(), 1);
    assert_ne!(calls[0].thread, thread::current().id());
    assert!(!calls[0].closed);
    assert!(calls[0].pending);
    assert!(pair.is_closed());
    assert!(under.input().is_closed());
    assert!(under.output().is_closed());
    assert!(!under.is_closed());
}

fn ios_21_streams_that_close_asynchronously_leave_close_fn_out(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let (input, output) = (gio::MemoryInputStream::new(), under.output());
    let (pair, closes) = noted_pair(&input, &output, How::Fails);
    let result = pair.closed_by_hand(context, None);
    assert_eq!(pair.finish_close(&result), Ok(true));
    assert_eq!(closes.calls(), []);
    assert!(pair.is_closed());
    assert!(input.is_closed());
    assert!(output.is_closed());
}

fn ios_22_on_a_thread_nothing_closes_the_streams_but_close_fn(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let input = gio::BufferedInputStream::new(&under.input());
    let output = gio::DataOutputStream::new(&under.output());
    let (pair, closes) = noted_pair(&input, &output, How::Nothing);
    let result = pair.closed_by_hand(context, None);
    assert_eq!(pair.finish_close(&result), Ok(true));
    assert_eq!(closes.calls().len(), 1);
    assert!(pair.is_closed());
    assert!(!input.is_closed());
    assert!(!output.is_closed());
}

fn ios_23_the_outputs_error_replaces_the_inputs(side: Side, context: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let pair = gio::SimpleIOStream::new(&input_that_fails_to_close(), &under.output());
    let result = pair
        .upcast_ref::<gio::IOStream>()
        .closed_by_hand(context, None);
    let finished = pair.upcast_ref::<gio::IOStream>().finish_close(&result);
    assert_eq!(finished, Err(IOErrorEnum::NoSpace));
    assert!(under.output().is_closed());

    let (under, _peer) = side.connected();
    let pair = gio::SimpleIOStream::new(&input_that_fails_to_close(), &under.output());
    under.output().set_pending().unwrap();
    let result = pair
        .upcast_ref::<gio::IOStream>()
        .closed_by_hand(context, None);
    let finished = pair.upcast_ref::<gio::IOStream>().finish_close(&result);
    assert_eq!(finished, Err(IOErrorEnum::Pending));
}

fn ios_24_a_drop_closes_once_and_without_a_cancellable(side: Side, _: &glib::MainContext) {
    let (under, mut peer, closes) = side.noted(How::Parents);
    let gone = Gone::of(&*under);
    drop(under);
    assert!(gone.is_gone());
    let call = Call {
        closed: false,
        pending: true,
        cancellable: false,
        current: true,
        thread: thread::current().id(),
    };
    assert_eq!(closes.calls(), [call]);
    assert_eq!(read_to_end(&mut peer), b"");

    let (under, _peer, closes) = side.noted(How::Parents);
    under.close(Cancellable::NONE).unwrap();
    drop(under);
    assert_eq!(closes.calls().len(), 1);
}

fn ios_24_a_dispose_closes_unless_the_connection_is_busy(side: Side, _: &glib::MainContext) {
    let (under, _peer, closes) = side.noted(How::Parents);
    // SAFETY: GObject allows it at any time.
    unsafe { under.run_dispose() };
    assert!(under.is_closed());
    // SAFETY: likewise.
    unsafe { under.run_dispose() };
    assert_eq!(closes.calls().len(), 1);

    let (under, mut peer, closes) = side.noted(How::Parents);
    under.set_pending().unwrap();
    // SAFETY: likewise.
    unsafe { under.run_dispose() };
    assert!(!under.is_closed());
    assert!(under.has_pending());
    drop(under);
    assert_eq!(closes.calls(), []);
    assert_eq!(read_to_end(&mut peer), b"");
}

/// G-1: what each answers to what is no stream.
#[test]
fn ios_8_what_is_no_stream_is_closed_and_not_busy() {
    on_private_context(|_| {
        let none = std::ptr::null_mut();
        // SAFETY: GIO looks at its argument first.
        let (closed, lines) = logged(|| unsafe { gio::ffi::g_io_stream_is_closed(none) });
        assert_eq!(closed, glib::ffi::GTRUE);
        assert_eq!(lines.len(), 1);
        // SAFETY: likewise.
        let (pending, lines) = logged(|| unsafe { gio::ffi::g_io_stream_has_pending(none) });
        assert_eq!(pending, glib::ffi::GFALSE);
        assert_eq!(lines.len(), 1);
    });
}

/// IOS-21, F-21, F-23: a stream of GIO's own around streams of a connection. GIO's know a blocking close
/// only, so that the whole is closed on a thread; ours close in the calling context.
#[test]
fn differs_f21_streams_of_a_connection_close_in_the_calling_context() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, _peer) = side.connected();
                let (input, output) = (under.input(), under.output());
                let (pair, closes) = noted_pair(&input, &output, How::Parents);
                let result = pair.closed_by_hand(context, None);
                assert_eq!(pair.finish_close(&result), Ok(true));
                assert!(pair.is_closed());
                assert!(input.is_closed());
                assert!(output.is_closed());
                let here = thread::current().id();
                closes
                    .calls()
                    .iter()
                    .filter(|call| call.thread != here)
                    .count()
            },
            1,
            0,
        );
    });
}
