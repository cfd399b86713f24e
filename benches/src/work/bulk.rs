//! Writes of 64 KiB, one after the other, to a process that throws them away. CPU is that of the writer.

use std::{error::Error, io::Write};

use gio::prelude::*;
use gsock::{engine, prelude::*};
use tokio::{io::AsyncWriteExt, net::TcpStream, runtime::Builder};

use super::unknown;
use crate::{
    contestants::{gio, ours},
    measure::{Clocks, Sample},
    sockets::connect,
};

const BLOCK: usize = 64 << 10;
const BLOCKS_PER_MEBIBYTE: u64 = 16;
const KIBIBYTES: u64 = 1024;

pub(crate) fn write(
    context: &glib::MainContext,
    variant: &str,
    mebibytes: u64,
    sink: u16,
) -> Result<Sample, Box<dyn Error>> {
    let mut socket = connect(sink)?;
    let block = vec![7; BLOCK];
    let blocks = mebibytes * BLOCKS_PER_MEBIBYTE;
    let measured = |clocks: Clocks| clocks.stop(mebibytes * KIBIBYTES);
    match variant {
        "std" => {
            socket.write_all(&block)?;
            let clocks = Clocks::start();
            for _ in 0..blocks {
                socket.write_all(&block)?;
            }
            Ok(measured(clocks))
        }
        "ours" => {
            let connection = ours(socket);
            let (_reader, mut writer) = connection.halves();
            let task = engine::spawn_local(context, async move {
                writer.write_all(&block).await?;
                let clocks = Clocks::start();
                for _ in 0..blocks {
                    writer.write_all(&block).await?;
                }
                Ok::<_, glib::Error>(clocks)
            });
            let clocks = context.block_on(task);
            Ok(measured(clocks.map_err(|_| "the task has ended")??))
        }
        "tokio" => {
            socket.set_nonblocking(true)?;
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let clocks = runtime.block_on(async move {
                let mut stream = TcpStream::from_std(socket)?;
                stream.write_all(&block).await?;
                let clocks = Clocks::start();
                for _ in 0..blocks {
                    stream.write_all(&block).await?;
                }
                Ok::<_, std::io::Error>(clocks)
            });
            Ok(measured(clocks?))
        }
        "gio-rs" => {
            let connection = gio(socket);
            let output = connection.output_stream();
            let clocks = context.block_on(async move {
                let mut block = block;
                let mut clocks = Clocks::start();
                for turn in 0..=blocks {
                    let wrote = output.write_all_future(block, glib::Priority::DEFAULT);
                    (block, ..) = wrote.await.map_err(|(_, error)| error)?;
                    if turn == 0 {
                        clocks = Clocks::start();
                    }
                }
                Ok::<_, glib::Error>(clocks)
            });
            Ok(measured(clocks?))
        }
        "ours-sync" => blocking(&ours(socket), &block, blocks).map(measured),
        "c-sync" => blocking(&gio(socket), &block, blocks).map(measured),
        _ => Err(unknown(variant)),
    }
}

fn blocking(
    connection: &impl IsA<gio::IOStream>,
    block: &[u8],
    blocks: u64,
) -> Result<Clocks, Box<dyn Error>> {
    let output = connection.output_stream();
    output.write_all(block, gio::Cancellable::NONE)?;
    let clocks = Clocks::start();
    for _ in 0..blocks {
        output.write_all(block, gio::Cancellable::NONE)?;
    }
    Ok(clocks)
}
