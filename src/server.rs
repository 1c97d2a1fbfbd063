//! The two HTTP servers: health for the kubelet, metrics for Prometheus. Whoever calls owns socket and end.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Where to listen: `host:port`, or `:port` for all interfaces, IPv4 and IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: Option<String>,
    port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no colon, or no number after it.
    #[error("expected host:port or :port, with a port from 0 to 65535")]
    Port,
    /// An IPv6 address stands there without brackets, or something else in brackets.
    #[error("an IPv6 address stands in brackets, as in [::1]:8081")]
    Brackets,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::Port)?;
        // A sign would be taken for a part of the number.
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits);
        let host = match host.strip_prefix('[') {
            Some(bracketed) => {
                let address = bracketed.strip_suffix(']').and_then(|address| address.parse::<Ipv6Addr>().ok());
                Some(address.ok_or(AddressError::Brackets)?.to_string())
            }
            None if host.contains([':', '[', ']']) => return Err(AddressError::Brackets),
            None if host.is_empty() => None,
            None => Some(host.to_owned()),
        };
        Ok(Self { host, port: port.ok_or(AddressError::Port)? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, ":{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

/// Listens at an address.
///
/// # Errors
///
/// Where somebody else does, or the address is not one of this machine.
pub fn bind(address: &Address) -> io::Result<TcpListener> {
    let listener = match &address.host {
        Some(host) => std::net::TcpListener::bind((host.as_str(), address.port))?,
        None => bind_everywhere(address.port)?,
    };
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// One socket for IPv4 and IPv6, whatever the system's default for IPv6 sockets is; for IPv4 alone where IPv6 is off.
fn bind_everywhere(port: u16) -> io::Result<std::net::TcpListener> {
    match bind_both(port) {
        // Whoever holds the port would hold it for IPv4 too.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse && error.kind() != io::ErrorKind::PermissionDenied => {
            std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        }
        bound => bound,
    }
}

fn bind_both(port: u16) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    // Otherwise the port could not be had for a minute after a restart. On Windows the option means something else.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What the health address serves.
pub fn health(readiness: Arc<Readiness>) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(async move || readyz(&readiness)))
}

fn readyz(readiness: &Readiness) -> (StatusCode, String) {
    let awaited = readiness.awaited();
    if awaited.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready; awaiting\n- {}\n", awaited.join("\n- ")))
}

/// What the metrics address serves.
pub fn metrics(metrics: Arc<Metrics>) -> Router {
    let render = async move || ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], metrics.render());
    Router::new().route("/metrics", get(render))
}

/// Serves until the future is dropped.
pub async fn serve(listener: TcpListener, router: Router) {
    // A connection that cannot be accepted is tried again by axum; there is no other error.
    let _ = axum::serve(listener, router).await;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::watch;

    use super::*;
    use crate::readiness::Gate;
    use crate::routes::RouteKind;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in [":8081", "127.0.0.1:0", "[::1]:8081", "localhost:65535"] {
            assert_eq!(address(text).to_string(), text);
        }
        assert_eq!(address(":8081").host, None);
        assert_eq!(address("[::1]:8081").host.as_deref(), Some("::1"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "8081", ":", ":http", ":65536", ":+1", "host:", ":-1"] {
            assert_eq!(text.parse::<Address>(), Err(AddressError::Port), "{text}");
        }
        for text in ["::1:8081", "[::1:8081", "[host]:8081", "::1]:8081"] {
            assert_eq!(text.parse::<Address>(), Err(AddressError::Brackets), "{text}");
        }
    }

    async fn response(at: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    fn serving(router: Router) -> (SocketAddr, tokio::task::JoinSet<()>) {
        let listener = bind(&address("127.0.0.1:0")).unwrap();
        let at = listener.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(serve(listener, router));
        (at, tasks)
    }

    #[tokio::test]
    async fn without_a_host_both_ipv4_and_ipv6_are_listened_at() {
        let listener = bind(&address(":0")).unwrap();
        let at = listener.local_addr().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, at.port())).await.unwrap();
        // A machine without IPv6 is served as well.
        if at.is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, at.port())).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error() {
        let taken = bind(&address(":0")).unwrap().local_addr().unwrap().port();
        let listener = bind(&address(&format!(":{taken}"))).unwrap();
        assert_eq!(bind(&address(&format!(":{taken}"))).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
    }

    #[tokio::test]
    async fn healthy_at_once_and_ready_once_nothing_is_awaited() {
        let (kinds, routes) = watch::channel(BTreeSet::from([RouteKind::Http]));
        let readiness = Arc::new(Readiness::new(routes, watch::Sender::new(None).subscribe()));
        let (at, _serving) = serving(health(Arc::clone(&readiness)));
        assert!(response(at, "/healthz").await.starts_with("HTTP/1.1 200 "));
        let not_ready = response(at, "/readyz").await;
        assert!(not_ready.starts_with("HTTP/1.1 503 "), "{not_ready}");
        assert!(not_ready.contains("\n- the list of HTTPRoutes\n"), "{not_ready}");
        for gate in Gate::ALL {
            readiness.pass(gate);
        }
        kinds.send_replace(BTreeSet::new());
        assert!(response(at, "/readyz").await.starts_with("HTTP/1.1 200 "));
        assert!(response(at, "/elsewhere").await.starts_with("HTTP/1.1 404 "));
    }

    #[tokio::test]
    async fn metrics_are_served_as_prometheus_reads_them() {
        let (at, _serving) = serving(metrics(Arc::new(Metrics::new())));
        let response = response(at, "/metrics").await;
        assert!(response.contains("content-type: text/plain; version=0.0.4"), "{response}");
        assert!(response.contains("\ngateway_route_sync_leader 0\n"), "{response}");
    }
}
