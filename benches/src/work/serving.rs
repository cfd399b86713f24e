//! Both sides of a connection's beginning: connecting, accepting, and dropping both ends.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    future::{Future, poll_fn},
    net::{Ipv4Addr, TcpListener, TcpStream},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use gio::{SocketProtocol, SocketType, prelude::*};
use gsock::{engine, prelude::*};
use tokio::{io::AsyncReadExt, runtime::Runtime};

use super::unknown;
use crate::{
    contestants,
    measure::{ProcessClocks, Sample},
    sockets, sys,
};

type Answer<T> = Result<T, Box<dyn Error>>;

/// Nothing of these is counted: what is made once.
const WARMUP: u64 = 20;
/// So many connections wait at once to be accepted.
const WAITING: u64 = 1000;

/// Reads the clocks after the warm-up and at the end. CPU is that of the whole process: others may do a part.
struct Meter {
    count: u64,
    clocks: ProcessClocks,
}

impl Meter {
    fn new(count: u64) -> Self {
        let clocks = ProcessClocks::start();
        Self { count, clocks }
    }

    /// The numbers of the operations.
    fn each(&mut self) -> impl Iterator<Item = u64> + use<> {
        0..WARMUP + self.count
    }

    /// An operation begins.
    fn begin(&mut self, number: u64) {
        if number == WARMUP {
            self.clocks = ProcessClocks::start();
        }
    }

    fn end(self) -> Sample {
        self.clocks.stop(self.count)
    }
}

/// Connections that were made beforehand wait for something to read.
pub(crate) fn connect_and_accept(
    context: &glib::MainContext,
    variant: &str,
    count: u64,
    idle: usize,
    hold: u16,
) -> Answer<Sample> {
    let (who, has_proxies) = match variant.strip_suffix("-direct") {
        Some(who) => (who, false),
        None => (variant, true),
    };
    let add_idle = |who: &str| -> Answer<()> {
        let mut contestant = contestants::by_name(who, context).ok_or_else(|| unknown(who))?;
        for _ in 0..idle {
            contestant.add_idle(sockets::connect(hold)?);
        }
        contestant.settle();
        // What waits goes on to wait.
        std::mem::forget(contestant);
        Ok(())
    };
    let mut meter = Meter::new(count);
    match who {
        "ours" => {
            add_idle("own-spawn")?;
            let (client, listener) = (gsock::SocketClient::new(), gsock::SocketListener::new());
            client.set_enable_proxy(has_proxies);
            let address = listener.add_address(
                &anywhere(),
                SocketType::Stream,
                SocketProtocol::Tcp,
                glib::Object::NONE,
            )?;
            let work = async move {
                for number in meter.each() {
                    meter.begin(number);
                    let (client, server) =
                        both(client.connect_future(&address), listener.accept_future()).await;
                    drop((client?, server?));
                }
                Ok::<_, glib::Error>(meter.end())
            };
            Ok(context.block_on(engine::spawn_local(context, work))??)
        }
        "c" => {
            add_idle("c-plain")?;
            let (client, listener, address) = gios(has_proxies)?;
            for number in meter.each() {
                meter.begin(number);
                call_both(context, &client, &listener, &address)?;
            }
            Ok(meter.end())
        }
        "gio-rs" => {
            add_idle("gio-rs")?;
            let (client, listener, address) = gios(has_proxies)?;
            context.block_on(async {
                for number in meter.each() {
                    meter.begin(number);
                    let connecting = SocketClientExt::connect_future(&client, &address);
                    let accepting = SocketListenerExt::accept_future(&listener);
                    let (client, server) = both(connecting, accepting).await;
                    drop((client?, server?));
                }
                Ok(meter.end())
            })
        }
        "tokio" => {
            let runtime = tokio_with_idle(idle, hold)?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                let address = listener.local_addr()?;
                for number in meter.each() {
                    meter.begin(number);
                    let connecting = tokio::net::TcpStream::connect(address);
                    let (client, server) = both(connecting, listener.accept()).await;
                    drop((client?, server?));
                }
                Ok(meter.end())
            })
        }
        "std" => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let address = listener.local_addr()?;
            for number in meter.each() {
                meter.begin(number);
                let client = TcpStream::connect(address)?;
                drop((client, listener.accept()?));
            }
            Ok(meter.end())
        }
        _ => Err(unknown(variant)),
    }
}

/// Accepting and dropping connections of which many wait. What makes them is not counted.
pub(crate) fn accept(context: &glib::MainContext, variant: &str, count: u64) -> Answer<Sample> {
    let accepted = Rc::new(Cell::new(0));
    let one_more = {
        let accepted = accepted.clone();
        move || accepted.set(accepted.get() + 1)
    };
    let run = |port: u16| {
        in_rounds(count, port, |end| {
            while accepted.get() < end {
                context.iteration(true);
            }
            Ok(())
        })
    };
    match variant {
        "ours" => {
            let service = gsock::SocketService::new();
            service.connect_incoming(move |_, _, _| {
                one_more();
                true
            });
            let address = service.add_address(
                &anywhere(),
                SocketType::Stream,
                SocketProtocol::Tcp,
                glib::Object::NONE,
            )?;
            service.set_backlog(WAITING as i32);
            run(port_of(&address)?)
        }
        "ours-listener" => {
            let listener = gsock::SocketListener::new();
            let address = listener.add_address(
                &anywhere(),
                SocketType::Stream,
                SocketProtocol::Tcp,
                glib::Object::NONE,
            )?;
            listener.set_backlog(WAITING as i32);
            drop(engine::spawn_local(context, async move {
                while let Ok(connection) = listener.accept_future().await {
                    drop(connection);
                    one_more();
                }
            }));
            run(port_of(&address)?)
        }
        "c" => {
            let service = gio::SocketService::new();
            service.connect_incoming(move |_, _, _| {
                one_more();
                true
            });
            SocketListenerExt::set_backlog(&service, WAITING as i32);
            let address = SocketListenerExt::add_address(
                &service,
                &anywhere(),
                SocketType::Stream,
                SocketProtocol::Tcp,
                glib::Object::NONE,
            )?;
            run(port_of(&address)?)
        }
        "tokio" => {
            let runtime = tokio_with_idle(0, 0)?;
            let listener = runtime.block_on(listen_with_tokio())?;
            in_rounds(count, listener.local_addr()?.port(), |end| {
                runtime.block_on(async {
                    while accepted.get() < end {
                        drop(listener.accept().await?);
                        one_more();
                    }
                    Ok(())
                })
            })
        }
        "std" => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            sys::listen_long(&listener)?;
            in_rounds(count, listener.local_addr()?.port(), |end| {
                while accepted.get() < end {
                    drop(listener.accept()?);
                    one_more();
                }
                Ok(())
            })
        }
        _ => Err(unknown(variant)),
    }
}

async fn listen_with_tokio() -> std::io::Result<tokio::net::TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(WAITING as u32)
}

/// Has as many connections wait as there is room for, and then `serve` take all until there have been so many; the
/// first round is not counted.
fn in_rounds(count: u64, port: u16, mut serve: impl FnMut(u64) -> Answer<()>) -> Answer<Sample> {
    let mut sum = Sample::default();
    let mut served = 0;
    while served < WARMUP + count {
        let more = match served {
            0 => WARMUP,
            _ => WAITING.min(WARMUP + count - served),
        };
        let clients: Vec<TcpStream> = (0..more)
            .map(|_| sockets::connect(port))
            .collect::<Result<_, _>>()?;
        let clocks = ProcessClocks::start();
        serve(served + more)?;
        let sample = clocks.stop(1);
        if served != 0 {
            sum.wall += sample.wall;
            sum.cpu += sample.cpu;
        }
        served += more;
        drop(clients);
    }
    Ok(Sample {
        wall: sum.wall / count as f64,
        cpu: sum.cpu / count as f64,
    })
}

fn anywhere() -> gio::SocketAddress {
    let here = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    gio::InetSocketAddress::new(&here, 0).upcast()
}

fn port_of(address: &gio::SocketAddress) -> Answer<u16> {
    let address: &gio::InetSocketAddress = address.downcast_ref().ok_or("of the internet")?;
    Ok(address.port())
}

/// C's client and listener, and where it listens.
fn gios(has_proxies: bool) -> Answer<(gio::SocketClient, gio::SocketListener, gio::SocketAddress)> {
    let (client, listener) = (gio::SocketClient::new(), gio::SocketListener::new());
    client.set_enable_proxy(has_proxies);
    let address = SocketListenerExt::add_address(
        &listener,
        &anywhere(),
        SocketType::Stream,
        SocketProtocol::Tcp,
        glib::Object::NONE,
    )?;
    Ok((client, listener, address))
}

/// By callbacks.
fn call_both(
    context: &glib::MainContext,
    client: &gio::SocketClient,
    listener: &gio::SocketListener,
    address: &gio::SocketAddress,
) -> Answer<()> {
    let ends: Rc<RefCell<Vec<Result<gio::SocketConnection, glib::Error>>>> = Rc::default();
    let end = ends.clone();
    SocketClientExt::connect_async(client, address, gio::Cancellable::NONE, move |made| {
        end.borrow_mut().push(made);
    });
    let end = ends.clone();
    SocketListenerExt::accept_async(listener, gio::Cancellable::NONE, move |made| {
        end.borrow_mut()
            .push(made.map(|(connection, _)| connection));
    });
    while ends.borrow().len() < 2 {
        context.iteration(true);
    }
    for made in ends.take() {
        drop(made?);
    }
    Ok(())
}

/// With connections that wait in a read.
fn tokio_with_idle(idle: usize, hold: u16) -> Answer<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for _ in 0..idle {
        let socket = sockets::connect(hold)?;
        socket.set_nonblocking(true)?;
        let _runtime = runtime.enter();
        let mut stream = tokio::net::TcpStream::from_std(socket)?;
        runtime.spawn(async move {
            let mut buffer = [0; contestants::IDLE_ROOM];
            let _ = stream.read(&mut buffer).await;
        });
    }
    Ok(runtime)
}

/// Both at once.
async fn both<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(output) = one.as_mut().poll(cx)
        {
            first = Some(output);
        }
        if second.is_none()
            && let Poll::Ready(output) = other.as_mut().poll(cx)
        {
            second = Some(output);
        }
        match (first.take(), second.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (one, other) => {
                (first, second) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}
