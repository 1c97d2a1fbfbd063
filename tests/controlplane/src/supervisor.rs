//! Child processes that never outlive this one.
//!
//! Code that runs before `exec` would need `unsafe`, and a death signal of the kernel comes when the *thread* that
//! started the child ends, which in a test is long before the process does. So a small shell stands between: its standard
//! input is a pipe whose other end only this process holds. However this process ends, the pipe closes, and the shell
//! does its duty. Each shell has a process group of its own, so that Ctrl-C in a terminal does not end it first.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::{Error, Result};
use crate::golang::tail;

/// Runs the command given to it, sends it the signals that are named on standard input, a line each, and kills it when
/// that ends. If the command ends first, so does the shell.
const SUPERVISE: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{ while read -r signal; do kill -"$signal" "$child"; done; kill -9 "$child"; } <&3 2>/dev/null &
watcher=$!
wait "$child"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"#;

/// Removes the folder given to it when standard input ends. While a process that is being killed still writes to it,
/// removing it can fail, and is tried again.
const SWEEP: &str = r#"read -r _; until rm -rf -- "$1"; do sleep 0.1; done"#;

/// How much of a log goes into an error.
const LOG_LINES: usize = 25;

/// A program that runs until this is dropped, or this process ends.
#[derive(Debug)]
pub struct Supervised {
    program: &'static str,
    log: PathBuf,
    shell: Child,
}

impl Supervised {
    /// Starts `program`, whose log is appended to a file in `folder`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<S: AsRef<OsStr>>(
        program: &'static str,
        path: &Path,
        arguments: impl IntoIterator<Item = S>,
        folder: &Path,
    ) -> Result<Self> {
        let log = folder.join(format!("{program}.log"));
        let output = OpenOptions::new().create(true).append(true).open(&log).map_err(Error::io("opening", &log))?;
        let errors = output.try_clone().map_err(Error::io("opening", &log))?;
        let shell = Command::new("sh")
            .args(["-c", SUPERVISE, "supervise"])
            .arg(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(Error::io("starting", path))?;
        Ok(Self { program, log, shell })
    }

    /// The error that tells of its end, if it has ended.
    pub fn ended(&mut self) -> Option<Error> {
        let status = self.shell.try_wait().ok().flatten()?;
        Some(Error::Exited { program: self.program, status: status.to_string(), log: self.log_tail() })
    }

    /// Sends it a signal, such as `STOP`.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn signal(&mut self, signal: &str) -> Result<()> {
        let Some(pipe) = self.shell.stdin.as_mut() else { return Ok(()) };
        writeln!(pipe, "{signal}").map_err(Error::io("sending a signal to", Path::new(self.program)))
    }

    /// The end of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        tail(&String::from_utf8_lossy(&log), LOG_LINES)
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        end(&mut self.shell);
    }
}

/// A folder that is removed when this is dropped, or this process ends.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    shell: Child,
}

impl Scratch {
    /// Makes it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create() -> Result<Self> {
        let temporary = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix("controlplane-").tempdir();
        let folder = folder.map_err(Error::io("making a folder in", &temporary))?;
        let shell = Command::new("sh")
            .args(["-c", SWEEP, "sweep"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::io("starting sh for", folder.path()))?;
        // From here on the shell removes the folder, and nobody else.
        Ok(Self { path: folder.keep(), shell })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        end(&mut self.shell);
    }
}

/// Closes the pipe that keeps the shell waiting, and waits until it has done its duty.
fn end(shell: &mut Child) {
    drop(shell.stdin.take());
    // This can only fail if somebody else has reaped the shell, and then there is nothing left to wait for.
    let _ = shell.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_by_itself_is_noticed() {
        let scratch = Scratch::create().expect("a folder");
        let script = ["-c", "echo something is wrong; exit 7"];
        let mut program = Supervised::start("sh", Path::new("/bin/sh"), script, scratch.path()).expect("a process");
        // Waiting would close the pipe first, which is what tells the shell to kill; here nobody tells it to.
        let pipe = program.shell.stdin.take();
        program.shell.wait().expect("the shell ends by itself");
        drop(pipe);
        let error = program.ended().expect("the end is noticed").to_string();
        assert!(error.contains("exit status: 7") && error.contains("something is wrong"), "{error}");
    }

    #[test]
    fn a_program_hears_signals_and_one_that_is_stopped_can_be_killed() {
        let scratch = Scratch::create().expect("a folder");
        let script = ["-c", "trap 'echo heard' USR1; echo listens; while :; do sleep 0.01; done"];
        let mut program = Supervised::start("sh", Path::new("/bin/sh"), script, scratch.path()).expect("a process");
        let says = |program: &Supervised, words: &str| {
            while !program.log_tail().contains(words) {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        };
        // Before the trap is set, the signal would end it.
        says(&program, "listens");
        program.signal("USR1").expect("a signal is sent");
        says(&program, "heard");
        program.signal("STOP").expect("a signal is sent");
        drop(program);
    }

    #[test]
    fn dropping_kills_the_program_and_removes_the_folder() {
        let scratch = Scratch::create().expect("a folder");
        let folder = scratch.path().to_owned();
        let started = std::time::Instant::now();
        drop(Supervised::start("sleep", Path::new("sleep"), ["600"], &folder).expect("a process"));
        drop(scratch);
        assert!(!folder.exists());
        assert!(started.elapsed() < std::time::Duration::from_mins(1));
    }
}
