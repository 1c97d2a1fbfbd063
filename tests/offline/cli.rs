//! The program as its users start it: flags, variables, exit codes, signals.

/// Scripts for shells.
mod completions;
/// Questions that cannot be answered.
mod status;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Long enough for the busiest machine; nothing here takes a second.
const WITHIN: Duration = Duration::from_secs(30);

/// The program, without anything from the environment of whoever runs the tests.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

fn controller(arguments: &[&str]) -> Command {
    let mut command = program(&["gateway-route-sync"]);
    command.args(arguments).env("HEALTH_ADDRESS", "127.0.0.1:0").env("METRICS_ADDRESS", "127.0.0.1:0");
    command
}

/// Code, standard output, standard error.
fn ended(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("a program that runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// A file of its own for each caller, gone when dropped.
struct File(PathBuf);

impl File {
    fn new(content: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("homelab-helper-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).expect("a writable folder");
        Self(path)
    }

    fn kubeconfig(server: &str) -> Self {
        Self::new(&format!(
            "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: c}}}}], \
             clusters: [{{name: c, cluster: {{server: '{server}'}}}}]}}"
        ))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path that is text")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A controller that runs; dropping it kills it.
struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a program that runs");
        let log = BufReader::new(child.stderr.take().expect("its log"));
        Self { child, log }
    }

    /// The next line of the log that has these words.
    fn line(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.log.read_line(&mut line).expect("a log") > 0, "the log ends without `{words}`");
        }
        line
    }

    /// The port in a line as `listening (--health-address) address=127.0.0.1:12345`.
    fn port(&mut self, flag: &str) -> u16 {
        let line = self.line(&format!("listening ({flag})"));
        line.trim_end().rsplit_once(':').expect("an address").1.parse().expect("a port")
    }

    /// Sends a signal; how the program ended, and after how long.
    fn stop(mut self, signal: &str) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        (self.child.wait().expect("its end").code(), began.elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody who listens");
    stream.set_read_timeout(Some(WITHIN)).expect("a time limit");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    response
}

#[test]
fn the_version_is_told_everywhere() {
    for arguments in [
        &["--version"][..],
        &["-V"],
        &["gateway-route-sync", "-V"],
        &["gateway-route-sync", "crd", "--version"],
        &["completions", "-V"],
    ] {
        let (code, output, _) = ended(program(arguments));
        assert_eq!(code, 0, "{arguments:?}");
        assert!(output.ends_with(concat!(" ", env!("CARGO_PKG_VERSION"), "\n")), "{output}");
    }
}

#[test]
fn without_arguments_the_help_is_shown() {
    let (code, _, help) = ended(program(&[]));
    assert_eq!(code, 2);
    assert!(help.contains("gateway-route-sync"), "{help}");
}

#[test]
fn the_help_names_every_flag_with_its_variable_and_default() {
    let (code, help, _) = ended(program(&["gateway-route-sync", "-h"]));
    assert_eq!(code, 0);
    for (flag, variable, default) in [
        ("--health-address <ADDRESS>", "HEALTH_ADDRESS", "[default: :8081]"),
        ("--metrics-address <ADDRESS>", "METRICS_ADDRESS", "[default: :8080]"),
        ("--leader-election[=<BOOL>]", "LEADER_ELECTION", "[default: false]"),
        ("--leader-election-name <NAME>", "LEADER_ELECTION_NAME", "[default: gateway-route-sync]"),
        ("--leader-election-namespace <NAMESPACE>", "LEADER_ELECTION_NAMESPACE", ""),
        ("--leader-election-lease-duration <DURATION>", "LEADER_ELECTION_LEASE_DURATION", "[default: 15s]"),
        ("--leader-election-renew-deadline <DURATION>", "LEADER_ELECTION_RENEW_DEADLINE", "[default: 10s]"),
        ("--leader-election-retry-period <DURATION>", "LEADER_ELECTION_RETRY_PERIOD", "[default: 2s]"),
        (
            "--dns-prefixes <PREFIXES>",
            "DNS_PREFIXES",
            "[default: external-dns.alpha.kubernetes.io,external-dns.kubernetes.io]",
        ),
        ("--kubeconfig <KUBECONFIG>", "KUBECONFIG", ""),
        ("--log-level <LOG_LEVEL>", "LOG_LEVEL", "[default: info]"),
        ("--log-format <LOG_FORMAT>", "LOG_FORMAT", "[default: text]"),
    ] {
        // What a flag means stands in the line after it.
        let mut lines =
            help.lines().skip_while(|line| line.trim_start() != flag && !line.contains(&format!(", {flag}")));
        let line = lines.by_ref().take(2).collect::<Vec<_>>().join(" ");
        assert!(line.contains(&format!("[env: {variable}=]")) && line.contains(default), "{line}");
    }
}

#[test]
fn the_crd_is_printed() {
    let (code, output, errors) = ended(program(&["gateway-route-sync", "crd"]));
    assert_eq!((code, errors.as_str()), (0, ""));
    assert_eq!(output, homelab_helper::api::crd_yaml());
}

#[test]
fn a_value_that_is_wrong_is_named_with_its_flag() {
    for (arguments, value, flag) in [
        (["--health-address", "8081"], "8081", "--health-address"),
        (["--metrics-address", ":metrics"], ":metrics", "--metrics-address"),
        (["--health-address", "::1:8081"], "::1:8081", "--health-address"),
        (["--log-level", "loud"], "loud", "--log-level"),
        (["--log-format", "xml"], "xml", "--log-format"),
        (["--leader-election=maybe", "--log-level=info"], "maybe", "--leader-election"),
        (["--dns-prefixes", "a.example.com,a_b"], "a_b", "--dns-prefixes"),
    ] {
        let (code, _, errors) = ended(controller(&arguments));
        assert_eq!(code, 2, "{errors}");
        assert!(errors.contains(&format!("invalid value '{value}' for '{flag}")), "{errors}");
    }
}

#[test]
fn a_variable_that_is_wrong_is_named_too() {
    for (variable, flag) in [
        ("LOG_LEVEL", "--log-level"),
        ("LOG_FORMAT", "--log-format"),
        ("LEADER_ELECTION", "--leader-election"),
        ("HEALTH_ADDRESS", "--health-address"),
        ("DNS_PREFIXES", "--dns-prefixes"),
    ] {
        let mut command = controller(&[]);
        // A single word is a name in DNS.
        command.env(variable, "nonsense!");
        let (code, _, errors) = ended(command);
        assert_eq!(code, 2, "{errors}");
        assert!(errors.contains(&format!("invalid value 'nonsense!' for '{flag}")), "{errors}");
    }
}

#[test]
fn a_flag_beats_its_variable_even_one_that_is_wrong() {
    let addresses = ["--health-address=127.0.0.1:0", "--metrics-address=127.0.0.1:0"];
    let flags = ["--log-level=info", "--log-format=text", "--leader-election=false", "--kubeconfig=/from-the-flag"];
    let mut command = program(&["gateway-route-sync"]);
    command.args(addresses).args(flags);
    for variable in ["HEALTH_ADDRESS", "METRICS_ADDRESS", "LOG_LEVEL", "LOG_FORMAT", "LEADER_ELECTION", "KUBECONFIG"] {
        command.env(variable, "nonsense");
    }
    let (code, _, errors) = ended(command);
    assert_eq!(code, 2);
    assert!(errors.contains("error: kubeconfig /from-the-flag: No such file"), "{errors}");
}

#[test]
fn a_global_flag_beats_its_variable_wherever_it_stands() {
    for arguments in
        [&["--log-level", "off", "gateway-route-sync", "crd"][..], &["gateway-route-sync", "crd", "--log-level", "off"]]
    {
        let mut command = program(arguments);
        command.env("LOG_LEVEL", "nonsense");
        assert_eq!(ended(command).0, 0, "{arguments:?}");
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let mut command = controller(&["--health-address=127.0.0.1:0", "--kubeconfig=/nonexistent/config"]);
    for variable in ["HEALTH_ADDRESS", "LOG_LEVEL", "LOG_FORMAT", "LEADER_ELECTION", "KUBECONFIG"] {
        command.env(variable, "");
    }
    let (_, _, errors) = ended(command);
    assert!(errors.contains("error: kubeconfig /nonexistent/config: "), "{errors}");
}

#[test]
fn leader_election_is_read_as_words_and_as_numbers() {
    for value in ["true", "false", "1", "0", "TRUE"] {
        let mut command = controller(&["--kubeconfig=/nonexistent/config"]);
        command.env("LEADER_ELECTION", value);
        let (_, _, errors) = ended(command);
        assert!(errors.contains("error: kubeconfig "), "{value}: {errors}");
    }
}

#[test]
fn times_of_an_election_that_make_no_sense_together_are_refused() {
    let config = "{clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a}], current-context: a}";
    let config = File::new(config);
    let (code, _, errors) = ended(controller(&[
        "--health-address=127.0.0.1:0",
        "--metrics-address=127.0.0.1:0",
        "--kubeconfig",
        config.path(),
        "--leader-election",
        "--leader-election-renew-deadline=15s",
    ]));
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("two replicas could work at once"), "{errors}");
}

#[test]
fn a_kubeconfig_that_is_missing_or_wrong_is_named() {
    let wrong = File::new("][");
    let nothing = File::new("kind: Config\n");
    for path in ["/nonexistent/config", wrong.path(), nothing.path()] {
        let (code, _, errors) = ended(controller(&["--kubeconfig", path]));
        assert_eq!(code, 2, "{errors}");
        assert!(errors.contains(&format!("error: kubeconfig {path}: ")), "{errors}");
    }
}

#[test]
fn without_a_kubeconfig_the_default_one_is_looked_for() {
    let (code, _, errors) = ended(controller(&[]));
    assert_eq!(code, 2);
    assert!(errors.contains("error: kubeconfig /nonexistent/.kube/config: "), "{errors}");
}

#[test]
fn in_a_cluster_its_own_credentials_are_looked_for() {
    let mut command = controller(&[]);
    command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", "1");
    let (code, _, errors) = ended(command);
    assert_eq!(code, 2);
    assert!(errors.contains("error: in a cluster "), "{errors}");
}

#[test]
fn a_port_that_is_taken_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    for flag in ["--health-address", "--metrics-address"] {
        let (code, _, errors) = ended(controller(&[flag, &address]));
        assert_eq!(code, 1, "{errors}");
        assert!(errors.contains(&format!("error: cannot listen on {address} ({flag}): ")), "{errors}");
    }
}

#[test]
fn a_signal_ends_it_even_while_the_api_server_does_not_answer() {
    // It takes less than a second; on a machine that is busy with something else, more. A request would take minutes.
    const SOON: Duration = Duration::from_secs(10);

    // The system accepts connections for a listener that nobody asks for them.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let kubeconfig = File::kubeconfig(&format!("http://{}", silent.local_addr().expect("its address")));
    for signal in ["-TERM", "-INT"] {
        let mut running = Running::start(controller(&["--kubeconfig", kubeconfig.path()]));
        let port = running.port("--health-address");
        assert!(get(port, "/healthz").starts_with("HTTP/1.1 200 "));
        // A request is under way once the other side has one.
        let (mut request, _) = silent.accept().expect("a request");
        assert!(request.read(&mut [0; 16]).expect("a request") > 0);
        let (code, took) = running.stop(signal);
        assert_eq!(code, Some(0));
        assert!(took < SOON, "{took:?}");
    }
}

#[test]
fn without_a_cluster_it_is_alive_and_not_ready_and_says_why() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let kubeconfig = File::kubeconfig(&format!("http://{nobody}"));
    let mut running = Running::start(controller(&["--kubeconfig", kubeconfig.path()]));
    let health = running.port("--health-address");
    let metrics = running.port("--metrics-address");
    running.line("the cluster does not say what it serves");
    assert!(get(health, "/healthz").starts_with("HTTP/1.1 200 "));
    let ready = get(health, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503 ") && ready.contains("- the list of HTTPRoutes"), "{ready}");
    let metrics = get(metrics, "/metrics");
    assert!(metrics.contains("\ngateway_route_sync_build_info{"), "{metrics}");
}

#[test]
fn each_line_of_the_log_is_json_where_that_is_asked_for() {
    let (_, _, errors) = ended(controller(&["--kubeconfig=/nonexistent/config", "--log-format=json"]));
    let line = errors.lines().find(|line| line.contains("listening")).expect("a line");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(line["level"], "INFO");
}
