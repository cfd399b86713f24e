//! JSON lines over a Unix socket, as window managers and players speak them.
//!
//! `json_ipc [ours|gio]` is a server and a client in one program, and says what happens between them.
//! `json_ipc [ours|gio] server PATH` is the server alone: each line of its standard input is an event, and its end
//! the end. `json_ipc [ours|gio] client PATH METHOD [PARAMS]` asks it one thing.

mod ours;
// The name is a crate's.
#[path = "gio.rs"]
mod on_gio;
mod protocol;

use std::{
    error::Error,
    fs::File,
    io::{Read, Seek, Write, copy, stdin, stdout},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use protocol::{Answer, Limits};
use serde_json::{Value, json};

/// However long it takes, the program ends; but a server.
const LIMIT: Duration = Duration::from_secs(20);

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let mut words: Vec<_> = std::env::args().skip(1).collect();
    let on_gio = words.first().is_some_and(|word| word == "gio");
    if on_gio || words.first().is_some_and(|word| word == "ours") {
        words.remove(0);
    }
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let context = glib::MainContext::default();
    let outcome = if on_gio {
        context.block_on(with_gio::run(&words))
    } else {
        context.block_on(with_ours::run(&words))
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("json_ipc: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// What the server can do.
fn handler(method: &str, params: &Value) -> Result<Answer, String> {
    match method {
        "version" => Ok(json!({"name": "json_ipc", "version": 1}).into()),
        "echo" => Ok(params.clone().into()),
        "picture" => Ok(Answer {
            fd: Some(picture().map_err(|error| error.to_string())?.into()),
            result: json!({"format": "text"}),
        }),
        _ => Err(format!("no such method: {method}")),
    }
}

fn new_folder() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::temp_dir().join("json-ipc-XXXXXX");
    glib::mkdtemp(path).ok_or_else(|| "no new folder".into())
}

/// A file that has no name any more.
fn picture() -> Result<File, Box<dyn Error>> {
    let folder = new_folder()?;
    let path = folder.join("picture");
    let file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path);
    std::fs::remove_file(&path)?;
    std::fs::remove_dir(&folder)?;
    let mut file = file?;
    file.write_all(b":-)")?;
    file.rewind()?;
    Ok(file)
}

/// The programs, on one version.
macro_rules! programs {
    ($name:ident, $version:ident) => {
        mod $name {
            use super::{
                $version::{Client, Server},
                *,
            };

            pub(super) async fn run(words: &[&str]) -> Outcome {
                match words {
                    [] => within_limit(show()).await,
                    ["server", path] => serve(Path::new(path)).await,
                    ["client", path, method] => {
                        within_limit(ask(Path::new(path), method, Value::Null)).await
                    }
                    ["client", path, method, params] => {
                        let params = serde_json::from_str(params)?;
                        within_limit(ask(Path::new(path), method, params)).await
                    }
                    _ => Err("[ours|gio] [server PATH | client PATH METHOD [PARAMS]]".into()),
                }
            }

            async fn show() -> Outcome {
                let folder = new_folder()?;
                let outcome = show_in(&folder.join("socket")).await;
                std::fs::remove_dir_all(&folder)?;
                outcome
            }

            async fn show_in(path: &Path) -> Outcome {
                drop(UnixListener::bind(path)?);
                println!("a server that has crashed left its socket behind");
                let client = Client::new(path, Limits::default(), |name, data| {
                    println!("client: event {name}: {data}");
                });
                let version = client.call("version", &Value::Null);
                let waiting: u64 =
                    glib::prelude::ObjectExt::property(client.queue(), "pending-bytes");
                println!("client: {waiting} bytes wait for a server");
                let server = Server::listen(path, Limits::default(), handler)?;
                println!("server: listens in its place");
                println!("client: it is {}", version.await?.result);
                server.broadcast("title", &"a window".into());
                let answer = client.call("picture", &Value::Null).await?;
                let mut picture = String::new();
                File::from(answer.fd.ok_or("no descriptor")?).read_to_string(&mut picture)?;
                println!("client: a picture in a descriptor: {picture}");
                drop(server);
                while client.is_connected() {
                    glib::timeout_future(Duration::from_millis(1)).await;
                }
                println!("client: the server is gone: {:?}", client.last_error());
                let echo = client.call("echo", &"are you there?".into());
                let _server = Server::listen(path, Limits::default(), handler)?;
                println!("server: is back");
                println!("client: {}", echo.await?.result);
                println!("ok: every call has its answer");
                Ok(())
            }

            async fn serve(path: &Path) -> Outcome {
                let server = Server::listen(path, Limits::default(), |method, params| {
                    println!("asked for {method} {params}");
                    handler(method, params)
                })?;
                println!("listens at {}", path.display());
                loop {
                    let mut line = String::new();
                    let read = gio::spawn_blocking(|| stdin().read_line(&mut line).map(|_| line));
                    let line = read.await.map_err(|_| "no line")??;
                    if line.is_empty() {
                        server.close(LIMIT).await;
                        return Ok(());
                    }
                    server.broadcast("line", &line.trim_end().into());
                    let (clients, waiting) = (server.clients(), server.pending_bytes());
                    println!("told {clients} clients, for whom {waiting} bytes wait");
                    if let Some(failure) = server.last_error() {
                        println!("the last one that went wrong: {failure}");
                    }
                }
            }

            async fn ask(path: &Path, method: &str, params: Value) -> Outcome {
                let client = Client::new(path, Limits::default(), |_, _| {});
                let answer = client.call(method, &params).await?;
                println!("{}", answer.result);
                if let Some(fd) = answer.fd {
                    copy(&mut File::from(fd), &mut stdout())?;
                    println!();
                }
                Ok(())
            }
        }
    };
}

programs!(with_ours, ours);
programs!(with_gio, on_gio);

async fn within_limit(program: impl Future<Output = Outcome>) -> Outcome {
    let outcome = glib::future_with_timeout(LIMIT, program).await;
    outcome.map_err(|_| "it took too long")?
}
