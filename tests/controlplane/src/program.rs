//! A controller under test: a process that is given a kubeconfig and two addresses.

use std::fs::File;
use std::io::{Error, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::eventually;

/// How long a controller may take until it is ready. It has to list everything first.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// Kills the process given to it when standard input ends, which it does when the process that holds the other end ends.
const WATCH: &str = r#"read -r _; kill -9 "$1""#;

/// A running controller. Dropping it kills it, and so does the end of this process, however it comes.
#[derive(Debug)]
pub struct Program {
    child: Child,
    watcher: Child,
    health: SocketAddr,
    metrics: SocketAddr,
    logs: TempDir,
}

impl Program {
    /// Starts `command` with `KUBECONFIG`, `HEALTH_ADDRESS` and `METRICS_ADDRESS` in its environment. What it prints
    /// goes to a file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command, kubeconfig: &Path) -> Result<Self> {
        let logs = TempDir::new()?;
        let log = File::create(logs.path().join("log"))?;
        let errors = log.try_clone()?;
        let (health, metrics) = (free_address()?, free_address()?);
        command
            .env("KUBECONFIG", kubeconfig)
            .env("HEALTH_ADDRESS", health.to_string())
            .env("METRICS_ADDRESS", metrics.to_string())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let child = command.spawn()?;
        let watcher = Command::new("sh")
            .args(["-c", WATCH, "watch", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { child, watcher, health, metrics, logs })
    }

    /// Waits until `/readyz` says 200.
    ///
    /// # Errors
    /// When it does not in time, or the program ends before; with the end of its log.
    pub async fn ready(&self) -> Result<()> {
        let ready = eventually("the controller is ready", READY_WITHIN, async || match self.get("/readyz").await {
            Ok((200, _)) => Ok(()),
            Ok((code, body)) => Err(format!("{code}: {body}")),
            Err(error) => Err(error.to_string()),
        });
        ready.await.map_err(|error| Error::other(format!("{error}; the end of its log:\n{}", self.log_tail())))
    }

    /// Status code and body of a path of the health address.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        get(self.health, path).await
    }

    /// The body of `/metrics`.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn metrics(&self) -> Result<String> {
        get(self.metrics, "/metrics").await.map(|(_, body)| body)
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has printed.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.logs.path().join("log")).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Sends it a signal, such as `STOP`.
    ///
    /// # Errors
    /// When no signal can be sent.
    pub fn signal(&self, signal: &str) -> Result<()> {
        Command::new("kill").arg(format!("-{signal}")).arg(self.id().to_string()).status().map(drop)
    }

    /// How it ended, once it has.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends SIGTERM and waits until it has ended.
    ///
    /// # Errors
    /// When no signal can be sent, or the process cannot be waited for.
    pub fn terminate(mut self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        // While it is not waited for, its number belongs to nobody else.
        self.watcher.kill()?;
        self.child.wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Either may have ended already, which is as good. The watcher goes first: it knows the process by a number that
        // another one may get.
        for process in [&mut self.watcher, &mut self.child] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A loopback address that nobody listens on at this moment.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.local_addr()
}

async fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Ok((code, body))
}
