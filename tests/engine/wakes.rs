//! Wakes from other threads, and from none.

use std::{
    cell::Cell,
    future::poll_fn,
    io::Write,
    net::{Shutdown, TcpStream},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

use futures::{
    AsyncRead, SinkExt, StreamExt,
    channel::{mpsc, oneshot},
};
use gsock::{ReadHalf, engine, prelude::*};

use crate::{polling::*, support::*};

#[test]
fn a_wake_from_another_thread_brings_a_sleeping_context_back() {
    on_private_context(|context| {
        for _ in 0..200 {
            let (send, receive) = oneshot::channel();
            let task = engine::spawn_local(context, receive);
            let sender = thread::spawn(move || send.send(3).unwrap());
            assert_eq!(value_of(context.block_on(task)).unwrap(), 3);
            sender.join().unwrap();
        }
    });
}

#[test]
fn no_wake_of_many_threads_is_lost() {
    const THREADS: u64 = 4;
    const EACH: u64 = 2000;
    on_private_context(|context| {
        let (send, mut receive) = mpsc::channel::<u64>(0);
        let task = engine::spawn_local(context, async move {
            let (mut count, mut sum) = (0, 0);
            while let Some(number) = receive.next().await {
                count += 1;
                sum += number;
            }
            (count, sum)
        });
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let mut send = send.clone();
                thread::spawn(move || {
                    for number in 0..EACH {
                        futures::executor::block_on(send.send(number)).unwrap();
                    }
                })
            })
            .collect();
        drop(send);
        let (count, sum) = value_of(context.block_on(task));
        assert_eq!(
            (count, sum),
            (THREADS * EACH, THREADS * EACH * (EACH - 1) / 2)
        );
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A task sees whatever was done before the wake that it is polled for: none comes too early and
/// none is swallowed by a poll that has begun.
#[test]
fn a_wake_during_a_poll_is_a_poll_after_it() {
    on_private_context(|context| {
        const LAST: u64 = 20_000;
        let (told, waker) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(None)));
        let (seen, place) = (told.clone(), waker.clone());
        let task = engine::spawn_local(
            context,
            poll_fn(move |cx| {
                if place.lock().unwrap().is_none() {
                    *place.lock().unwrap() = Some(cx.waker().clone());
                }
                // No look after this one but for a wake.
                match seen.load(Ordering::Acquire) {
                    LAST => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            }),
        );
        let waker: Arc<Mutex<Option<Waker>>> = waker;
        let other = thread::spawn(move || {
            let waker = loop {
                if let Some(waker) = waker.lock().unwrap().take() {
                    break waker;
                }
                thread::yield_now();
            };
            for number in 1..=LAST {
                told.store(number, Ordering::Release);
                waker.wake_by_ref();
            }
        });
        value_of(context.block_on(task));
        other.join().unwrap();
    });
}

#[test]
fn two_contexts_hand_a_ball_to_and_fro() {
    const ROUNDS: u32 = 2000;
    on_private_context(|context| {
        let (mut to_other, mut from_here) = mpsc::channel::<u32>(0);
        let (mut to_here, mut from_other) = mpsc::channel::<u32>(0);
        let other = on_thread_of_its_own(
            move || {
                Box::pin(async move {
                    while let Some(ball) = from_here.next().await {
                        if to_here.send(ball + 1).await.is_err() {
                            break;
                        }
                    }
                })
            },
            |()| (),
        );
        run(context, async move {
            let mut ball = 0;
            while ball < 2 * ROUNDS {
                to_other.send(ball + 1).await.unwrap();
                ball = from_other.next().await.unwrap();
            }
            assert_eq!(ball, 2 * ROUNDS);
        });
        other.join().unwrap();
    });
}

/// A wake that came is done with: the context does not look at its sources without end.
#[test]
fn a_context_rests_after_wakes_from_other_threads() {
    on_private_context(|context| {
        let (waker, polls) = (Arc::new(Mutex::new(None)), Rc::new(Cell::new(0)));
        let place = waker.clone();
        let task = engine::spawn_local(
            context,
            counted(
                polls.clone(),
                poll_fn(move |cx| {
                    *place.lock().unwrap() = Some(cx.waker().clone());
                    Poll::<()>::Pending
                }),
            ),
        );
        until(context, || polls.get() > 0);
        let waker: Waker = waker.lock().unwrap().clone().unwrap();
        for round in 0..300 {
            let running = Arc::new(AtomicUsize::new(2));
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (waker, running) = (waker.clone(), running.clone());
                    thread::spawn(move || {
                        for _ in 0..200 {
                            waker.wake_by_ref();
                        }
                        running.fetch_sub(1, Ordering::Release);
                    })
                })
                .collect();
            while running.load(Ordering::Acquire) > 0 {
                context.iteration(false);
            }
            for thread in threads {
                thread.join().unwrap();
            }
            let rests = (0..100).any(|_| !context.iteration(false));
            assert!(rests, "it runs without end; round {round}");
        }
        task.abort();
    });
}

#[test]
fn many_wakes_before_a_poll_are_one_poll() {
    on_private_context(|context| {
        let (place, polls) = (Arc::new(Mutex::new(None)), Rc::new(Cell::new(0)));
        let inner = place.clone();
        let task = engine::spawn_local(
            context,
            counted(
                polls.clone(),
                poll_fn(move |cx| {
                    *inner.lock().unwrap() = Some(cx.waker().clone());
                    Poll::<()>::Pending
                }),
            ),
        );
        while context.iteration(false) {}
        assert_eq!(polls.get(), 1);
        let waker: Waker = place.lock().unwrap().clone().unwrap();
        for _ in 0..10 {
            waker.wake_by_ref();
        }
        let other = waker.clone();
        thread::spawn(move || {
            for _ in 0..10 {
                other.wake_by_ref();
            }
        })
        .join()
        .unwrap();
        while context.iteration(false) {}
        assert_eq!(polls.get(), 2);
        // Nobody holds the waker but those who asked for it.
        assert!(waker.will_wake(place.lock().unwrap().as_ref().unwrap()));
        task.abort();
    });
}

/// Of a context that another thread iterates for now.
#[test]
fn a_wake_reaches_a_context_that_blocks_in_an_iteration() {
    on_private_context(|context| {
        let (send, receive) = oneshot::channel::<()>();
        let task = engine::spawn_local(context, receive);
        while context.iteration(false) {}
        let waker = thread::spawn(move || {
            thread::sleep(std::time::Duration::from_millis(20));
            send.send(()).unwrap();
        });
        // One that blocks, again and again; there is nothing else to wake it.
        until(context, || task.is_finished());
        waker.join().unwrap();
    });
}

#[test]
fn a_source_may_wake_a_task() {
    on_private_context(|context| {
        let (send, receive) = oneshot::channel::<u32>();
        let mut send = Some(send);
        let source = glib::idle_source_new(None, glib::Priority::DEFAULT, move || {
            if let Some(send) = send.take() {
                send.send(4).unwrap();
            }
            glib::ControlFlow::Break
        });
        let task = engine::spawn_local(context, receive);
        while context.iteration(false) {}
        source.attach(Some(context));
        assert_eq!(value_of(context.block_on(task)).unwrap(), 4);
    });
}

/// A waker that does all the work in the place of a task, and causes more.
struct InPlace {
    half: Mutex<ReadHalf>,
    peer: TcpStream,
    wakes: Arc<AtomicUsize>,
}

impl InPlace {
    fn go_on(self: &Arc<Self>) {
        let waker = Waker::from(self.clone());
        let mut half = self.half.lock().unwrap();
        let mut read = || {
            let mut cx = Context::from_waker(&waker);
            Pin::new(&mut *half).poll_read(&mut cx, &mut [0; 8])
        };
        loop {
            match read() {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return,
                Poll::Pending => break,
            }
        }
        // For ever would be too long, if nobody else had a turn.
        if self.wakes.fetch_add(1, Ordering::Relaxed) < MOST_WAKES {
            (&self.peer).write_all(b"x").unwrap();
        }
    }
}

impl Wake for InPlace {
    fn wake(self: Arc<Self>) {
        self.go_on();
    }
}

const MOST_WAKES: usize = 20_000;

#[test]
fn wakers_that_cause_more_all_the_time_leave_others_their_turn() {
    // More than an engine is told of at once.
    const MANY: usize = 150;
    on_private_context(|context| {
        let wakes = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..MANY)
            .map(|_| {
                let (connection, peer) = connected_bare();
                let (half, _) = connection.halves();
                Arc::new(InPlace {
                    half: Mutex::new(half),
                    peer,
                    wakes: wakes.clone(),
                })
            })
            .collect();
        all.iter().for_each(InPlace::go_on);
        let had_its_turn = Arc::new(AtomicBool::new(false));
        let had = had_its_turn.clone();
        let idle = glib::idle_source_new(None, glib::Priority::DEFAULT, move || {
            had.store(true, Ordering::Relaxed);
            glib::ControlFlow::Break
        });
        idle.attach(Some(context));
        until(context, || had_its_turn.load(Ordering::Relaxed));
        assert!(
            wakes.load(Ordering::Relaxed) < MOST_WAKES,
            "only when there was nothing else to do"
        );
        // Each has its half, which has it as a waker, until the end of file.
        for one in &all {
            one.peer.shutdown(Shutdown::Write).unwrap();
        }
        wakes.store(MOST_WAKES, Ordering::Relaxed);
        until(context, || {
            all.iter().all(|one| Arc::strong_count(one) == 1)
        });
    });
}
