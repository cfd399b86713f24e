//! Servers of others, which a test starts for itself.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// It is ended with the value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    /// Its configuration, if it has one: a file or a folder.
    file: Option<PathBuf>,
}

/// Where `make setup` unpacks them; a copy of the tree has none of its own.
fn folder() -> PathBuf {
    std::env::var_os("GSOCK_TEST_SERVERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers"),
        PathBuf::from,
    )
}

/// Where `make setup` unpacks it, or the name by which the system finds it.
pub(crate) fn program(name: &str) -> Command {
    let servers = folder().join("usr");
    let unpacked = ["bin", "sbin"]
        .map(|folder| servers.join(folder).join(name))
        .into_iter()
        .find(|path| path.exists());
    let Some(unpacked) = unpacked else {
        return Command::new(name);
    };
    let mut command = Command::new(unpacked);
    // Unpacked with them, beneath a folder that is named by the machine.
    let folders = fs::read_dir(servers.join("lib")).into_iter().flatten();
    let mut folders = folders.flatten().map(|entry| entry.path());
    if let Some(folder) = folders.find(|folder| folder.join("libwrap.so.0").exists()) {
        command.env("LD_LIBRARY_PATH", folder);
    }
    command
}

/// A port that was free just now.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap()
}

impl Server {
    /// SOCKS 5.
    pub(crate) fn microsocks(arguments: &[&str]) -> Self {
        Self::started(|address| {
            let mut command = program("microsocks");
            command.args(["-i", "127.0.0.1", "-p", &address.port().to_string()]);
            command.args(arguments);
            (command, None)
        })
    }

    /// HTTP, with more lines of configuration.
    pub(crate) fn tinyproxy(more: &str) -> Self {
        Self::started(|address| {
            let port = address.port();
            let file = std::env::temp_dir().join(format!("gsock-tinyproxy-{port}"));
            let lines = format!("Port {port}\nListen 127.0.0.1\nTimeout 20\nMaxClients 20\n{more}");
            fs::write(&file, lines).unwrap();
            let mut command = program("tinyproxy");
            command.arg("-d").arg("-c").arg(&file);
            (command, Some(file))
        })
    }

    /// SOCKS 4 and 5.
    pub(crate) fn dante() -> Self {
        Self::started(|address| {
            let port = address.port();
            let file = std::env::temp_dir().join(format!("gsock-dante-{port}"));
            let lines = [
                "logoutput: /dev/null",
                &format!("internal: 127.0.0.1 port = {port}"),
                "external: 127.0.0.1",
                "clientmethod: none",
                "socksmethod: none",
                "client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }",
                "socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 protocol: tcp }",
                "",
            ];
            fs::write(&file, lines.join("\n")).unwrap();
            let mut command = program("danted");
            command.arg("-f").arg(&file).args(["-p", "/dev/null"]);
            (command, Some(file))
        })
    }

    /// Sends back what it gets.
    pub(crate) fn socat() -> Self {
        Self::started(|address| {
            let mut command = program("socat");
            let port = address.port();
            command.arg(format!("TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork"));
            command.arg("PIPE");
            (command, None)
        })
    }

    /// TLS: sends each line back from its end to its beginning. With a certificate and its key, as PEM.
    pub(crate) fn openssl(certificate: &str) -> Self {
        Self::started(|address| {
            let port = address.port();
            let file = std::env::temp_dir().join(format!("gsock-openssl-{port}"));
            fs::write(&file, certificate).unwrap();
            let mut command = program("openssl");
            command.args(["s_server", "-rev", "-quiet", "-accept"]);
            command.arg(address.to_string());
            command.arg("-cert").arg(&file).arg("-key").arg(&file);
            (command, Some(file))
        })
    }

    /// HTTP, or HTTPS with a certificate and its key: has the same page for everything.
    pub(crate) fn nginx(certificate: Option<&str>) -> Self {
        Self::started(|address| {
            let folder = std::env::temp_dir().join(format!("gsock-nginx-{}", address.port()));
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir(&folder).unwrap();
            let (listen, tls) = match certificate {
                Some(certificate) => {
                    let file = folder.join("certificate");
                    fs::write(&file, certificate).unwrap();
                    let file = file.display();
                    let lines = format!("ssl_certificate {file}; ssl_certificate_key {file};");
                    (format!("{address} ssl"), lines)
                }
                None => (address.to_string(), String::new()),
            };
            // Everything that it writes goes there, and nothing runs as somebody else.
            let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|of| format!("{of}_temp_path {}/{of};", folder.display()))
                .join(" ");
            let lines = format!(
                "daemon off; master_process off; pid {}/pid; error_log /dev/null;\n\
                 events {{}}\n\
                 http {{ access_log off; {paths}\n\
                 server {{ listen {listen}; {tls} location / {{ return 200 \"served\\n\"; }} }} }}\n",
                folder.display()
            );
            let file = folder.join("configuration");
            fs::write(&file, lines).unwrap();
            let mut command = program("nginx");
            command.arg("-p").arg(&folder).arg("-c").arg(&file);
            command.args(["-e", "/dev/null"]);
            (command, Some(folder))
        })
    }

    pub(crate) fn started(command: impl Fn(SocketAddr) -> (Command, Option<PathBuf>)) -> Self {
        // Somebody else may take the port before it does.
        for _ in 0..5 {
            let address = free_address();
            let (mut command, file) = command(address);
            let child = command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                // With what it starts.
                .process_group(0)
                .spawn()
                .unwrap_or_else(|failure| {
                    panic!(
                        "{:?} cannot be started ({failure}): make setup unpacks it on Debian; elsewhere install it",
                        command.get_program()
                    )
                });
            let mut server = Self {
                address,
                child,
                file,
            };
            if server.answers() {
                return server;
            }
        }
        panic!("a server was started five times and never listened");
    }

    fn answers(&mut self) -> bool {
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).unwrap();
        // One that has started others ends them, if it is asked.
        // SAFETY: this child, which nobody has waited for yet.
        unsafe { libc::kill(group, libc::SIGTERM) };
        let end = Instant::now() + Duration::from_millis(500);
        while !has_ended(group) && Instant::now() < end {
            thread::sleep(Duration::from_millis(2));
        }
        // SAFETY: the group of this child, whose number is not given away before it was waited for.
        unsafe { libc::kill(-group, libc::SIGKILL) };
        let _ = self.child.wait();
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file).or_else(|_| fs::remove_dir_all(file));
        }
    }
}

/// Without waiting for it.
fn has_ended(child: i32) -> bool {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    let id = libc::id_t::try_from(child).unwrap();
    // SAFETY: it may be all zeroes, which it is where there is no answer.
    let mut info = unsafe { std::mem::zeroed::<libc::siginfo_t>() };
    // SAFETY: room for the answer.
    let failed = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, options) != 0 };
    // SAFETY: of a child, or zeroes.
    failed || unsafe { info.si_pid() } != 0
}
