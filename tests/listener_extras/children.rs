//! Processes of their own: other starters, servers, clients.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// What a process of ours is to do, in its environment.
const PART: &str = "GSOCK_TEST_LISTENER_PART";
const ARGUMENT: &str = "GSOCK_TEST_LISTENER_ARGUMENT";
/// What stands before each of its lines.
const SAYS: &str = "a child says: ";

/// Held while a process is being made: until it has become another program it has all of this one's descriptors.
static STARTING: Mutex<()> = Mutex::new(());

/// Waits until no process on its way has what was just closed, and keeps it open.
pub(crate) fn none_starting() {
    drop(STARTING.lock().unwrap_or_else(PoisonError::into_inner));
}

/// A process that runs a test once more, to do a part in it. It is killed with the value.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// The command for it.
pub(crate) fn command(test: &str, part: &str, argument: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("the test itself"));
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(ARGUMENT, argument);
    command
}

impl Process {
    pub(crate) fn start(test: &str, part: &str, argument: &str) -> Self {
        Self::of(&mut command(test, part, argument))
    }

    pub(crate) fn of(command: &mut Command) -> Self {
        let _turn = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|failure| {
                panic!("{:?} cannot be started: {failure}", command.get_program())
            });
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            child,
            input,
            output,
        }
    }

    /// The next thing that it says.
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let count = self.output.read_line(&mut line).expect("lines");
            assert_ne!(count, 0, "the process ended without a word");
            if let Some((_, said)) = line.split_once(SAYS) {
                return said.trim_end().to_owned();
            }
        }
    }

    /// Tells it something, which it gets by [`listen`].
    pub(crate) fn tell(&mut self, what: &str) {
        let input = self.input.as_mut().expect("it was not let go");
        writeln!(input, "{what}").expect("it reads");
    }

    /// Lets it end, which it must do well.
    pub(crate) fn end(mut self) {
        drop(self.input.take());
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("lines");
        let status = self.child.wait().expect("our child");
        assert!(status.success(), "{status}: {said}");
    }

    /// As a crash would end it.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("our child");
        self.child.wait().expect("our child");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether this process is to do `part`, and with what.
pub(crate) fn part(part: &str) -> Option<String> {
    (env::var(PART).as_deref() == Ok(part)).then(|| env::var(ARGUMENT).expect("an argument"))
}

pub(crate) fn say(what: &str) {
    // The runner has begun a line of its own.
    println!("\n{SAYS}{what}");
    std::io::stdout().flush().expect("somebody listens");
}

/// What the parent tells next; `None` when it lets this process end.
pub(crate) fn listen() -> Option<String> {
    let mut line = String::new();
    let count = std::io::stdin().read_line(&mut line).expect("lines");
    (count != 0).then(|| line.trim_end().to_owned())
}

/// A new folder, which goes with the value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("gsock-listener-{}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of what is in it.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(&self.0)
            .expect("a folder")
            .map(|entry| {
                entry
                    .expect("a name")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
