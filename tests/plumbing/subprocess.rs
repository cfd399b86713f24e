//! The pipes of a `GSubprocess`, joined with a connection.

use std::{
    ffi::OsStr,
    io::{Read, Write},
    net::Shutdown,
    thread,
};

use gio::{Cancellable, IOStreamSpliceFlags, OutputStreamSpliceFlags, SubprocessFlags, prelude::*};

use crate::{pairs::*, spliced::*, support::*, tools::*, under::*};

const COUNT: usize = 300_000;

fn cat() -> gio::Subprocess {
    let flags = SubprocessFlags::STDIN_PIPE | SubprocessFlags::STDOUT_PIPE;
    gio::Subprocess::newv(&[OsStr::new("cat")], flags).expect("cat is everywhere")
}

on_both_to_the_end!(
    a_peer_talks_to_a_program,
    a_program_is_one_stream_that_is_spliced,
);

/// What comes goes into the program, and what the program says goes back.
fn a_peer_talks_to_a_program(side: Side, context: &glib::MainContext) {
    let program = cat();
    let (under, mut peer) = connected_of(side);
    let sent = payload(COUNT, 71);
    let (mut writer, bytes) = (peer.try_clone().unwrap(), sent.clone());
    let writing = thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let reading = thread::spawn(move || {
        let mut bytes = vec![0; COUNT];
        peer.read_exact(&mut bytes).unwrap();
        bytes
    });
    let flags = OutputStreamSpliceFlags::CLOSE_SOURCE | OutputStreamSpliceFlags::CLOSE_TARGET;
    let into = Slot::new();
    program.stdin_pipe().unwrap().splice_async(
        &under.input(),
        flags,
        DEFAULT,
        Cancellable::NONE,
        into.put(),
    );
    let back = Slot::new();
    under.output().splice_async(
        &program.stdout_pipe().unwrap(),
        flags,
        DEFAULT,
        Cancellable::NONE,
        back.put(),
    );
    assert_eq!(into.wait(context), Ok(COUNT as isize));
    assert_eq!(back.wait(context), Ok(COUNT as isize));
    program.wait_check(Cancellable::NONE).unwrap();
    writing.join().unwrap();
    assert!(reading.join().unwrap() == sent);
}

fn a_program_is_one_stream_that_is_spliced(side: Side, context: &glib::MainContext) {
    let program = cat();
    let pipes = gio::SimpleIOStream::new(
        &program.stdout_pipe().unwrap(),
        &program.stdin_pipe().unwrap(),
    );
    let (under, mut peer) = connected_of(side);
    let flags = IOStreamSpliceFlags::CLOSE_STREAM1 | IOStreamSpliceFlags::CLOSE_STREAM2;
    let spliced = splice(&under, pipes.upcast_ref(), flags, None);
    let talking = thread::spawn(move || {
        for line in ["one\n", "another\n"] {
            peer.write_all(line.as_bytes()).unwrap();
            let mut echo = vec![0; line.len()];
            peer.read_exact(&mut echo).unwrap();
            assert_eq!(echo, line.as_bytes());
        }
        peer.shutdown(Shutdown::Write).unwrap();
        read_to_end(&mut peer)
    });
    assert_eq!(spliced.wait(context), Ok(()));
    assert_eq!(talking.join().unwrap(), b"");
    assert!(under.is_closed());
    program.wait_check(Cancellable::NONE).unwrap();
}
