//! `g_io_stream_splice_async()` and `g_output_stream_splice_async()` with ours at one side or at both.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
};

use gio::{
    Cancellable, IOErrorEnum, IOStreamSpliceFlags, OutputStreamSpliceFlags, ffi as gio_ffi,
    prelude::*,
};
use glib::{
    ffi::gpointer,
    translate::{IntoGlib, ToGlibPtr, from_glib_full},
};

use crate::{pairs::*, support::*, tools::*, under::*};

const MUCH: usize = 1024 * 1024 + 4_321;

/// `g_io_stream_splice_async()`, which gio-rs does not have.
pub(crate) fn splice(
    one: &gio::IOStream,
    other: &gio::IOStream,
    flags: IOStreamSpliceFlags,
    cancellable: Option<&Cancellable>,
) -> Slot<Result<(), glib::Error>> {
    type Put = Box<dyn FnOnce(Result<(), glib::Error>)>;

    unsafe extern "C" fn ready(
        _: *mut glib::gobject_ffi::GObject,
        result: *mut gio_ffi::GAsyncResult,
        data: gpointer,
    ) {
        let mut failure = std::ptr::null_mut();
        // SAFETY: the box made below, called back once; the result of the splice; a set error is ours.
        let (put, result) = unsafe {
            gio_ffi::g_io_stream_splice_finish(result, &raw mut failure);
            let result = if failure.is_null() {
                Ok(())
            } else {
                Err(from_glib_full(failure))
            };
            (Box::from_raw(data.cast::<Put>()), result)
        };
        put(result);
    }

    let slot = Slot::new();
    let put: Put = Box::new(slot.put());
    // SAFETY: live arguments; the callback and its data belong together.
    unsafe {
        gio_ffi::g_io_stream_splice_async(
            one.to_glib_none().0,
            other.to_glib_none().0,
            flags.into_glib(),
            DEFAULT.into_glib(),
            cancellable.to_glib_none().0,
            Some(ready),
            Box::into_raw(Box::new(put)).cast(),
        );
    }
    slot
}

/// Whose classes are spliced.
const SIDES: [(Side, Side); 4] = [
    (Side::Ours, Side::Ours),
    (Side::Ours, Side::Gio),
    (Side::Gio, Side::Ours),
    (Side::Gio, Side::Gio),
];

fn everything() -> IOStreamSpliceFlags {
    IOStreamSpliceFlags::CLOSE_STREAM1
        | IOStreamSpliceFlags::CLOSE_STREAM2
        | IOStreamSpliceFlags::WAIT_FOR_BOTH
}

/// Writes on one thread and reads on another, and ends its side when all is written.
fn exchange(
    peer: &TcpStream,
    bytes: Vec<u8>,
) -> (thread::JoinHandle<()>, thread::JoinHandle<Vec<u8>>) {
    let (mut writer, mut reader) = (peer.try_clone().unwrap(), peer.try_clone().unwrap());
    let writing = thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let reading = thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    });
    (writing, reading)
}

#[test]
fn two_connections_of_any_class_are_spliced() {
    to_the_end(|context| {
        for (one, other) in SIDES {
            let ((one, first), (other, second)) = (connected_of(one), connected_of(other));
            let (there, back) = (payload(MUCH, 61), payload(MUCH, 62));
            let at_first = exchange(&first, there.clone());
            let at_second = exchange(&second, back.clone());
            let spliced = splice(&one, &other, everything(), None);
            assert_eq!(spliced.wait(context), Ok(()));
            assert!(one.is_closed());
            assert!(other.is_closed());
            for (writing, reading, expected) in [
                (at_first.0, at_first.1, back),
                (at_second.0, at_second.1, there),
            ] {
                writing.join().unwrap();
                assert!(reading.join().unwrap() == expected);
            }
        }
    });
}

#[test]
fn a_connection_is_spliced_with_streams_that_are_no_sockets() {
    to_the_end(|context| {
        for side in [Side::Gio, Side::Ours] {
            let (under, mut peer) = connected_of(side);
            peer.write_all(b"from the socket").unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            let source = gio::MemoryInputStream::from_bytes(&glib::Bytes::from_static(b"to it"));
            let target = gio::MemoryOutputStream::new_resizable();
            let memory = gio::SimpleIOStream::new(&source, &target);
            let spliced = splice(&under, memory.upcast_ref(), everything(), None);
            assert_eq!(spliced.wait(context), Ok(()));
            assert_eq!(read_to_end(&mut peer), b"to it");
            assert_eq!(&*target.steal_as_bytes(), b"from the socket");
        }
    });
}

#[test]
fn a_cancelled_splice_leaves_what_it_has_not_read() {
    to_the_end(|context| {
        for (one, other) in SIDES {
            let ((one, mut first), (other, _second)) = (connected_of(one), connected_of(other));
            let cancellable = Cancellable::new();
            let flags = IOStreamSpliceFlags::WAIT_FOR_BOTH;
            let spliced = splice(&one, &other, flags, Some(&cancellable));
            while context.iteration(false) {}
            cancellable.cancel();
            assert_fails(spliced.wait(context), IOErrorEnum::Cancelled);
            first.write_all(b"kept").unwrap();
            assert_eq!(read(&one.input_stream(), 8).unwrap(), b"kept");
        }
    });
}

fn splice_into(
    output: &gio::OutputStream,
    input: &gio::InputStream,
    flags: OutputStreamSpliceFlags,
) -> Slot<Result<isize, glib::Error>> {
    let slot = Slot::new();
    output.splice_async(input, flags, DEFAULT, Cancellable::NONE, slot.put());
    slot
}

#[test]
fn a_file_goes_out_and_what_comes_goes_into_a_file() {
    to_the_end(|context| {
        for side in [Side::Gio, Side::Ours] {
            let sent = payload(MUCH, 63);
            let (file, stream) = gio::File::new_tmp(None::<&str>).unwrap();
            write_all(&stream.output_stream(), &sent).unwrap();
            stream.close(Cancellable::NONE).unwrap();

            let (under, peer) = connected_of(side);
            let (writing, reading) = exchange(&peer, sent.clone());
            let close_source = OutputStreamSpliceFlags::CLOSE_SOURCE;
            let source = file.read(Cancellable::NONE).unwrap();
            let out = splice_into(&under.output(), source.upcast_ref(), close_source);
            assert_eq!(out.wait(context), Ok(MUCH as isize));
            assert!(source.is_closed());
            let target = file
                .replace(None, false, gio::FileCreateFlags::NONE, Cancellable::NONE)
                .unwrap();
            let both = close_source | OutputStreamSpliceFlags::CLOSE_TARGET;
            let into = splice_into(target.upcast_ref(), &under.input(), both);
            assert_eq!(into.wait(context), Ok(MUCH as isize));
            assert!(target.is_closed());
            assert!(under.input().is_closed());
            under.close(Cancellable::NONE).unwrap();
            writing.join().unwrap();
            assert!(reading.join().unwrap() == sent);
            assert!(*file.load_contents(Cancellable::NONE).unwrap().0 == *sent);
            file.delete(Cancellable::NONE).unwrap();
        }
    });
}

#[test]
fn one_connection_is_emptied_into_another_in_the_blocking_form() {
    to_the_end(|_| {
        for (from, into) in SIDES {
            let ((from, first), (into, second)) = (connected_of(from), connected_of(into));
            let sent = payload(MUCH, 64);
            let (writing, _) = exchange(&first, sent.clone());
            let (_, reading) = exchange(&second, Vec::new());
            let flags =
                OutputStreamSpliceFlags::CLOSE_SOURCE | OutputStreamSpliceFlags::CLOSE_TARGET;
            let count = into
                .output()
                .splice(&from.input(), flags, Cancellable::NONE);
            assert_eq!(count, Ok(MUCH as isize));
            into.close(Cancellable::NONE).unwrap();
            from.close(Cancellable::NONE).unwrap();
            writing.join().unwrap();
            assert!(reading.join().unwrap() == sent);
        }
    });
}
