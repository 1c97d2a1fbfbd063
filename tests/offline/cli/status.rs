use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;

use super::{File, ended, program};

fn status(arguments: &[&str]) -> Command {
    let mut command = program(&["gateway-route-sync", "status"]);
    command.args(arguments);
    command
}

/// An API server that has the same answer to everything, and ends with the test.
fn answering(code: u16, message: &str) -> SocketAddr {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("its address");
    let body =
        format!(r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","code":{code},"message":"{message}"}}"#);
    let answer = format!(
        "HTTP/1.1 {code} No\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    thread::spawn(move || {
        for mut stream in server.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn what_cannot_be_asked_is_refused() {
    for (arguments, words) in [
        (&["-A", "edge"][..], "'--all-namespaces' cannot be used with '[NAME]'"),
        (&["-A", "-n", "apps"], "'--all-namespaces' cannot be used with '--namespace <NAMESPACE>'"),
        (&["apps/edge"], "invalid value 'apps/edge' for '[NAME]'"),
        (&["-n", ""], "--namespace <NAMESPACE>"),
        (&["-n", "../secrets"], "invalid value '../secrets' for '--namespace <NAMESPACE>'"),
        (&["-o", "yaml"], "[possible values: text, json]"),
    ] {
        let (code, output, errors) = ended(status(arguments));
        assert_eq!((code, output.as_str()), (2, ""), "{errors}");
        assert!(errors.contains(words), "{errors}");
    }
}

#[test]
fn the_kubeconfig_may_be_given_before_and_after() {
    let before = program(&["gateway-route-sync", "--kubeconfig=/nonexistent/config", "status"]);
    for command in [before, status(&["--kubeconfig=/nonexistent/config"])] {
        let (code, _, errors) = ended(command);
        assert_eq!(code, 2);
        assert!(errors.contains("error: kubeconfig /nonexistent/config: "), "{errors}");
    }
}

#[test]
fn a_cluster_that_cannot_be_reached_is_no_answer() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let kubeconfig = File::kubeconfig(&format!("http://{nobody}"));
    let (code, output, errors) = ended(status(&["--kubeconfig", kubeconfig.path()]));
    assert_eq!((code, output.as_str()), (2, ""));
    assert!(errors.contains("error: cannot read WrappedGateways: ") && errors.contains("refused"), "{errors}");
}

#[test]
fn a_cluster_that_refuses_is_quoted_and_one_without_the_definition_told_how_to_get_it() {
    for (code, message, words) in [
        (
            403,
            "wrappedgateways is forbidden",
            "error: cannot read WrappedGateways: wrappedgateways is forbidden (HTTP 403)",
        ),
        (404, "404 page not found", "homelab-helper gateway-route-sync crd | kubectl apply --server-side -f -"),
    ] {
        let kubeconfig = File::kubeconfig(&format!("http://{}", answering(code, message)));
        let (code, output, errors) = ended(status(&["--kubeconfig", kubeconfig.path(), "-A"]));
        assert_eq!((code, output.as_str()), (2, ""));
        assert!(errors.contains(words), "{errors}");
    }
}
