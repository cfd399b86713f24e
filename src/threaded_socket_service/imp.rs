//! State of a [`ThreadedSocketService`](super::ThreadedSocketService).

use std::{
    collections::VecDeque,
    fmt, io,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
};

use gio::{prelude::*, subclass::prelude::*};
use glib::{ParamFlags, ParamSpec, Value, subclass::InitializingType};
use once_cell::sync::{Lazy, OnceCell};

use super::{
    job::{self, Job},
    workers::Workers,
};
use crate::{
    SocketConnection, SocketService, error,
    fence::{fence, fence_or},
    living::{self, Living},
    subclass::{
        SocketListenerImpl, SocketServiceImpl, ThreadedSocketServiceClass,
        ThreadedSocketServiceInstance, threaded_socket_service,
    },
};

const DEFAULT_THREADS: i32 = 10;

pub struct ThreadedSocketService {
    /// -1 for no limit.
    max_threads: AtomicI32,
    crew: OnceCell<Arc<Crew>>,
    _living: Living<{ living::THREADED_SOCKET_SERVICE }>,
}

/// Those who serve, and what is to go to them.
#[derive(Debug)]
struct Crew {
    workers: Workers<Job>,
    /// Of emissions of `incoming` that are not over yet, or have just been.
    coming: Mutex<VecDeque<Job>>,
}

impl Crew {
    fn coming(&self) -> MutexGuard<'_, VecDeque<Job>> {
        // Nothing of anybody's runs under it.
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self, job: Job) {
        self.coming().push_back(job);
    }

    fn next(&self) -> Option<Job> {
        self.coming().pop_front()
    }

    /// Hands over what has come, where connections are accepted, and makes the threads that are needed.
    fn set_to_work(&self) -> io::Result<()> {
        while let Some(job) = self.next() {
            if job.may_go() {
                // What has no thread waits for one.
                let _ = self.workers.hand_over(job);
            }
        }
        self.workers.grow()
    }
}

#[glib::object_subclass]
impl ObjectSubclass for ThreadedSocketService {
    const NAME: &'static str = "GsockThreadedSocketService";
    type Type = super::ThreadedSocketService;
    type ParentType = SocketService;
    type Instance = ThreadedSocketServiceInstance;
    type Class = ThreadedSocketServiceClass;

    fn type_init(_type: &mut InitializingType<Self>) {
        // What the class names, before it is initialised: see the connection's.
        debug_assert!(SocketConnection::static_type().is_valid());
    }

    fn class_init(class: &mut Self::Class) {
        threaded_socket_service::fill_class(class);
        threaded_socket_service::declare_run();
    }

    fn new() -> Self {
        Self {
            max_threads: AtomicI32::new(DEFAULT_THREADS),
            crew: OnceCell::new(),
            _living: Living::default(),
        }
    }
}

impl ObjectImpl for ThreadedSocketService {
    fn properties() -> &'static [ParamSpec] {
        static PROPERTIES: Lazy<Vec<ParamSpec>> = Lazy::new(|| {
            vec![
                glib::ParamSpecInt::builder("max-threads")
                    .minimum(-1)
                    .default_value(DEFAULT_THREADS)
                    .flags(ParamFlags::READWRITE | ParamFlags::CONSTRUCT_ONLY)
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &Value, pspec: &ParamSpec) {
        fence_or((), || {
            // GObject has checked the type of the value, and asks for no other property.
            if pspec.name() != "max-threads" {
                return;
            }
            match value.get() {
                Ok(0) => glib::g_critical!(
                    "Gsock",
                    "max-threads is 0, with which nothing would be served: it is {DEFAULT_THREADS} now"
                ),
                Ok(max) => self.max_threads.store(max, Ordering::Relaxed),
                Err(_) => {}
            }
        });
    }

    fn property(&self, _id: usize, pspec: &ParamSpec) -> Value {
        fence(|| {
            match pspec.name() {
                "max-threads" => self.max_threads().to_value(),
                // GObject asks for no others.
                _ => Value::from_type(pspec.value_type()),
            }
        })
        .unwrap_or_else(|| Value::from_type(pspec.value_type()))
    }

    fn constructed(&self) {
        self.parent_constructed();
        fence_or((), || {
            let max = usize::try_from(self.max_threads()).ok();
            let crew = Arc::new(Crew {
                workers: Workers::new(max.and_then(NonZeroUsize::new), job::serve),
                coming: Mutex::default(),
            });
            let object = self.obj();
            let service = object.upcast_ref::<SocketService>().imp();
            if let Some(max) = max {
                service.control().set_most_jobs(max);
            }
            // A job comes before the next connection.
            let weak = Arc::downgrade(&crew);
            service.set_prepare(move || {
                let Some(crew) = weak.upgrade() else {
                    return Ok(());
                };
                crew.set_to_work()
                    .map_err(|failure| error::no_thread(&failure))
            });
            let _ = self.crew.set(crew);
        });
    }
}

impl SocketListenerImpl for ThreadedSocketService {}

impl SocketServiceImpl for ThreadedSocketService {
    fn incoming(
        &self,
        connection: &SocketConnection,
        source_object: Option<&glib::Object>,
    ) -> bool {
        if let Some(crew) = self.crew.get() {
            // It goes to a thread when the emission is over, from where connections are accepted.
            crew.expect(Job::new(&self.obj(), connection, source_object));
        }
        false
    }
}

impl ThreadedSocketService {
    pub(super) fn max_threads(&self) -> i32 {
        self.max_threads.load(Ordering::Relaxed)
    }

    /// Has the connection served, on this thread.
    pub(super) fn emit_run(
        &self,
        connection: &SocketConnection,
        source_object: Option<&glib::Object>,
    ) {
        threaded_socket_service::emit_run(&self.obj(), connection, source_object);
    }
}

impl fmt::Debug for ThreadedSocketService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadedSocketService")
            .field("max_threads", &self.max_threads)
            .field("crew", &self.crew)
            .finish()
    }
}
