//! What all points of one test share: the context, and a thread that does what comes from elsewhere.

use std::{
    cell::OnceCell, io::Write, os::unix::net::UnixStream, sync::mpsc, thread, time::Duration,
};

use gio::prelude::*;
use glib::translate::ToGlibPtr;
use gsock::SocketConnection;

use crate::support::*;

type Job = Box<dyn FnOnce() + Send>;

pub(crate) struct Room {
    pub(crate) context: glib::MainContext,
    deaf: OnceCell<Deaf>,
    orders: mpsc::Sender<Job>,
    reports: mpsc::Receiver<()>,
}

impl Room {
    pub(crate) fn new(context: &glib::MainContext) -> Self {
        open_what_stays(context);
        let (orders, jobs) = mpsc::channel::<Job>();
        let (report, reports) = mpsc::channel();
        thread::spawn(move || {
            for job in jobs {
                job();
                let _ = report.send(());
            }
        });
        Self {
            context: context.clone(),
            deaf: OnceCell::new(),
            orders,
            reports,
        }
    }

    /// Has the other thread do it, while this one goes on.
    pub(crate) fn elsewhere(&self, job: impl FnOnce() + Send + 'static) {
        self.orders
            .send(Box::new(job))
            .expect("the thread lives as long as this");
    }

    pub(crate) fn wait_for_elsewhere(&self) {
        self.reports.recv_timeout(LIMIT).expect("it does not wait");
    }

    /// Connects to it stay in flight. Making it takes a while.
    pub(crate) fn deaf(&self) -> &Deaf {
        self.deaf.get_or_init(deaf_listener)
    }

    /// A number that a source attached now has.
    pub(crate) fn source_number(&self) -> u32 {
        let source =
            glib::source::idle_source_new(None, glib::Priority::LOW, || glib::ControlFlow::Break);
        let id = source.attach(Some(&self.context));
        source.destroy();
        id.as_raw()
    }

    /// How many sources there are with these numbers.
    pub(crate) fn sources(&self, from: u32) -> usize {
        (from..self.source_number())
            .filter(|id| {
                // SAFETY: a live context; the result is borrowed and only compared.
                let source = unsafe {
                    glib::ffi::g_main_context_find_source_by_id(self.context.to_glib_none().0, *id)
                };
                !source.is_null()
            })
            .count()
    }
}

/// What a context and a thread open once, and keep: its engine, and what a cancellation wakes a thread by that blocks.
fn open_what_stays(context: &glib::MainContext) {
    let task = gsock::engine::spawn_local(context, async {});
    iterate_until(context, || task.is_finished());
    let (ours, mut peer) = UnixStream::pair().expect("two sockets");
    let connection =
        SocketConnection::factory_create_connection_from_fd(ours.into()).expect("a socket");
    for _ in 0..100 {
        let before = open_descriptors();
        let helper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            peer.write_all(b"x").expect("connected");
            peer
        });
        let input = connection.input_stream();
        let read = input.read([0], Some(&gio::Cancellable::new()));
        assert_eq!(read.expect("a byte"), 1);
        peer = helper.join().expect("no panic there");
        // Where the answer was there before, it did not block.
        if open_descriptors() > before {
            return;
        }
    }
    panic!("a read that waits opens nothing");
}
