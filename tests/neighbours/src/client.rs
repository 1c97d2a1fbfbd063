//! What stands in front of a Gateway: clients that trust one authority.

use std::io::{Error, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How long one exchange may take. On an idle machine it takes milliseconds.
const WITHIN: Duration = Duration::from_secs(10);

/// What was answered to a request.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub text: String,
}

/// A client that trusts the certificates of one authority and no others, and that finds every host on this machine.
#[derive(Clone, Debug)]
pub struct Client {
    roots: Arc<RootCertStore>,
}

/// A connection that stays open.
#[derive(Debug)]
pub struct Connection {
    host: String,
    certificate: Vec<u8>,
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Client {
    /// One that trusts this certificate, in PEM.
    ///
    /// # Errors
    /// When it is none.
    pub fn trusting(pem: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(Error::other)?).map_err(Error::other)?;
        }
        Ok(Self { roots: Arc::new(roots) })
    }

    /// A GET over HTTPS, on a new connection.
    ///
    /// # Errors
    /// When nobody answers, or the certificate is not one for this host from the authority.
    pub async fn https(&self, port: u16, host: &str, path: &str) -> Result<Answer> {
        self.connect(port, host).await?.get(path).await
    }

    /// A connection over TLS, to speak HTTP/1.1 on.
    ///
    /// # Errors
    /// When nobody answers, or the certificate is not one for this host from the authority.
    pub async fn connect(&self, port: u16, host: &str) -> Result<Connection> {
        let stream = self.tls(port, host, b"http/1.1").await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certificate = certificate.map(|certificate| certificate.to_vec()).unwrap_or_default();
        Ok(Connection { host: host.to_owned(), certificate, sender: handshake(TokioIo::new(stream)).await? })
    }

    /// Sends bytes over TLS, and hands back what comes first.
    ///
    /// # Errors
    /// When nobody answers, or the certificate is not one for this host from the authority.
    pub async fn tls_echo(&self, port: u16, host: &str, bytes: &str) -> Result<String> {
        echo(self.tls(port, host, b"").await?, bytes).await
    }

    /// A gRPC call; hands back the answer's message.
    ///
    /// # Errors
    /// When there is none, or the call's status is not OK.
    pub async fn grpc(&self, port: u16, host: &str, method: &str, message: &str) -> Result<String> {
        let stream = self.tls(port, host, b"h2").await?;
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(Error::other)?;
        tokio::spawn(connection);
        let length = u32::try_from(message.len()).unwrap_or_default().to_be_bytes();
        let framed = Bytes::from([&[0], &length[..], message.as_bytes()].concat());
        let call: Request<Full<Bytes>> = Request::post(format!("https://{host}/{method}"))
            .version(Version::HTTP_2)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::from(framed))
            .map_err(Error::other)?;
        let response = in_time(sender.send_request(call)).await?;
        let headers = response.headers().clone();
        let body = in_time(response.into_body().collect()).await?;
        let status = body.trailers().and_then(|trailers| trailers.get("grpc-status")).or(headers.get("grpc-status"));
        if status.is_none_or(|status| status != "0") {
            return Err(Error::other(format!("grpc-status {status:?}, headers {headers:?}")));
        }
        let message = body.to_bytes();
        Ok(String::from_utf8_lossy(message.get(5..).unwrap_or_default()).into_owned())
    }

    /// A GET over plain HTTP, on a new connection.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn http(&self, port: u16, host: &str, path: &str) -> Result<Answer> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let sender = handshake(TokioIo::new(stream)).await?;
        Connection { host: host.to_owned(), certificate: Vec::new(), sender }.get(path).await
    }

    async fn tls(&self, port: u16, host: &str, protocol: &[u8]) -> Result<TlsStream<TcpStream>> {
        let config = ClientConfig::builder().with_root_certificates(Arc::clone(&self.roots));
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = if protocol.is_empty() { Vec::new() } else { vec![protocol.to_vec()] };
        let name = ServerName::try_from(host.to_owned()).map_err(Error::other)?;
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        in_time(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }
}

impl Connection {
    /// A GET on this connection.
    ///
    /// # Errors
    /// When the connection is closed, or nothing is answered.
    pub async fn get(&mut self, path: &str) -> Result<Answer> {
        let request = Request::get(path).header("host", &self.host).body(Full::default()).map_err(Error::other)?;
        let response = in_time(self.sender.send_request(request)).await?;
        let (parts, body) = response.into_parts();
        let body = in_time(body.collect()).await?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status: parts.status, headers: parts.headers, text })
    }

    /// The certificate that the other side showed, as it is on the wire.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}

async fn handshake<S>(stream: TokioIo<S>) -> Result<http1::SendRequest<Full<Bytes>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = in_time(http1::handshake(stream)).await?;
    // Whoever sends on it hears of its end.
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends bytes over TCP, and hands back what comes first.
///
/// # Errors
/// When nobody answers.
pub async fn tcp_echo(port: u16, bytes: &str) -> Result<String> {
    echo(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?, bytes).await
}

async fn echo(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, bytes: &str) -> Result<String> {
    stream.write_all(bytes.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = [0; 4096];
    let count = in_time(stream.read(&mut answer)).await?;
    Ok(String::from_utf8_lossy(&answer[..count]).into_owned())
}

/// Sends a packet, and hands back the one that comes as an answer.
///
/// # Errors
/// When none comes.
pub async fn udp_echo(port: u16, bytes: &str) -> Result<String> {
    let socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    socket.connect((Ipv4Addr::LOCALHOST, port)).await?;
    socket.send(bytes.as_bytes()).await?;
    let mut answer = [0; 4096];
    // One that gets lost is not waited for as long as other answers.
    let received = timeout(Duration::from_secs(1), socket.recv(&mut answer));
    let count = received.await.map_err(|_| Error::other("no packet came back"))??;
    Ok(String::from_utf8_lossy(&answer[..count]).into_owned())
}

async fn in_time<T, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    exchange: impl Future<Output = std::result::Result<T, E>>,
) -> Result<T> {
    timeout(WITHIN, exchange).await.map_err(|_| Error::other("no answer in time"))?.map_err(Error::other)
}
