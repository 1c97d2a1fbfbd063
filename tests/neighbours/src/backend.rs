//! An application behind a Gateway: it tells who it is.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What an application speaks.
#[derive(Clone, Debug)]
pub enum Kind {
    /// HTTP/1.1: answers `NAME HOST PATH`.
    Http,
    /// HTTP/1.1 for one path, to which it answers with a text, and 404 for all others.
    HttpAt {
        /// The path.
        path: String,
        /// The text.
        text: String,
    },
    /// gRPC: answers each call with the message it was given, after its name.
    Grpc,
    /// Answers each piece of bytes with it, after its name, over TLS that it ends itself, as that host.
    Tls(&'static str),
    /// Answers each piece of bytes with it, after its name.
    Tcp,
    /// Answers each packet with it, after its name.
    Udp,
}

/// A running application. It ends when this is dropped.
#[derive(Debug)]
pub struct Backend {
    task: JoinHandle<()>,
    certificate: Option<String>,
}

impl Backend {
    /// Starts it at that address.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(name: &str, kind: Kind, address: SocketAddr) -> io::Result<Self> {
        let name: Arc<str> = name.into();
        if let Kind::Udp = kind {
            let socket = UdpSocket::bind(address).await?;
            return Ok(Self { task: tokio::spawn(echo_packets(socket, name)), certificate: None });
        }
        let listener = TcpListener::bind(address).await?;
        let tls = match kind {
            Kind::Tls(host) => Some(own_certificate(host)),
            _ => None,
        };
        let (acceptor, certificate) = tls.unzip();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&name), kind.clone(), acceptor.clone()));
            }
        });
        Ok(Self { task, certificate })
    }

    /// Its own certificate, in PEM, where it ends TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn own_certificate(host: &str) -> (TlsAcceptor, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([host.to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
    (TlsAcceptor::from(Arc::new(config.expect("a key that fits"))), cert.pem())
}

/// What goes wrong on one connection is seen by whoever is at its other end.
async fn serve(stream: TcpStream, name: Arc<str>, kind: Kind, acceptor: Option<TlsAcceptor>) {
    match (kind, acceptor) {
        (Kind::Grpc, _) => {
            let service = service_fn(|call| grpc(Arc::clone(&name), call));
            let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        }
        (Kind::Tls(_), Some(acceptor)) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                echo(stream, &name).await;
            }
        }
        (Kind::Tcp, _) => echo(stream, &name).await,
        (kind, _) => {
            let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&name, &kind, &request))));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        }
    }
}

fn answer(name: &str, kind: &Kind, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let (status, text) = match kind {
        Kind::HttpAt { path: known, text } if known == path => (StatusCode::OK, text.clone()),
        Kind::HttpAt { .. } => (StatusCode::NOT_FOUND, String::new()),
        _ => (StatusCode::OK, format!("{name} {host} {path}")),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}

/// gRPC frames a message with a byte and its length, and tells the outcome in trailers.
async fn grpc(
    name: Arc<str>,
    call: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    let message = call.into_body().collect().await?.to_bytes();
    let text = [name.as_bytes(), b" ", message.get(5..).unwrap_or_default()].concat();
    let length = u32::try_from(text.len()).unwrap_or_default().to_be_bytes();
    let framed = Bytes::from([&[0], &length[..], &text[..]].concat());
    let trailers = http::HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), 0.into())]);
    let answer = [Ok(Frame::data(framed)), Ok(Frame::trailers(trailers))];
    let response = Response::builder().header("content-type", "application/grpc");
    Ok(response.body(StreamBody::new(futures::stream::iter(answer))).expect("a valid header"))
}

async fn echo(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, name: &str) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        let answered = stream.write_all(&[name.as_bytes(), b" ", &bytes[..count]].concat()).await;
        if answered.is_err() || stream.flush().await.is_err() {
            break;
        }
    }
}

async fn echo_packets(socket: UdpSocket, name: Arc<str>) {
    let mut bytes = [0; 4096];
    while let Ok((count, sender)) = socket.recv_from(&mut bytes).await {
        // A packet may get lost, as any other.
        let _ = socket.send_to(&[name.as_bytes(), b" ", &bytes[..count]].concat(), sender).await;
    }
}
