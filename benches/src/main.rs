//! The measurements behind what gsock says about its speed: see the README beside this crate.

mod contestants;
mod counts;
mod machine;
mod measure;
mod plot;
mod rows;
mod sockets;
mod sys;
mod table;
mod ticking;
mod work;

use std::{env, error::Error, path::Path, process::ExitCode};

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
        "table" => match rest {
            [pictures] => table(Path::new(pictures), ""),
            [pictures, only] => table(Path::new(pictures), only),
            _ => Err("table PICTURES [PART]".into()),
        },
        "counts" => match rest {
            [file] => counts::run(Path::new(file), false),
            [file, flag] if flag == "--update" => counts::run(Path::new(file), true),
            _ => Err("counts FILE [--update]".into()),
        },
        "peers" => sockets::serve_peers(),
        "once" => work::once(rest),
        other => Err(format!("{other} is none of table, counts, peers and once").into()),
    }
}

/// Measures and prints all, or one part of it. What there are pictures of goes into the folder `pictures`.
fn table(pictures: &Path, only: &str) -> Result<(), Box<dyn Error>> {
    const PARTS: [&str; 10] = [
        "echo",
        "idle",
        "active",
        "sync",
        "bulk",
        "connect",
        "serve",
        "construction",
        "memory",
        "adopt",
    ];
    if !only.is_empty() && !PARTS.contains(&only) {
        return Err(format!("{only} is none of {}", PARTS.join(", ")).into());
    }
    let peers = sockets::Peers::start()?;
    print!("{}", machine::header());
    let mut all = Vec::new();
    for part in PARTS
        .into_iter()
        .filter(|part| only.is_empty() || *part == only)
    {
        eprintln!("measuring: {part}");
        all.extend(match part {
            "echo" => {
                let series = rows::measure_echo(&peers)?;
                plot::echo(&series, &pictures.join("bench-echo.svg"))?;
                rows::echo(&series)
            }
            "idle" => {
                let series = rows::measure_idle(&peers)?;
                plot::growth(&series, &pictures.join("bench-growth.svg"))?;
                rows::idle(&series)
            }
            "active" => rows::active(&peers)?,
            "sync" => rows::sync(&peers)?,
            "bulk" => rows::bulk(&peers)?,
            "connect" => rows::connect(&peers)?,
            "serve" => rows::serve(&peers)?,
            "construction" => rows::construction(&peers)?,
            "memory" => rows::memory(&peers)?,
            _ => rows::adopt(&peers)?,
        });
    }
    table::print(&all);
    Ok(())
}
