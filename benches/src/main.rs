//! The measurements behind what gsock says about its speed: see the README beside this crate.

mod contestants;
mod measure;
mod sockets;
mod sys;
mod work;

use std::{env, error::Error, process::ExitCode};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gsock-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<(), Box<dyn Error>> {
    let (command, rest) = words.split_first().ok_or("table, counts, peers or once")?;
    match command.as_str() {
        "peers" => sockets::serve_peers(),
        "once" => work::once(rest),
        other => Err(format!("{other} is none of table, counts, peers and once").into()),
    }
}
