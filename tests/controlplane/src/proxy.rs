//! Something between a client and the API server that does harm, and counts what it is asked for.
//!
//! Clients speak plain HTTP to it, and it speaks TLS to the API server with whatever token they present. Where the API
//! server cannot be reached, it hangs up as the API server would. It runs on a thread of its own, so that a test that is
//! busy does not slow it down.

mod asked;
mod body;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinSet;

use crate::{ControlPlane, RequestKey, Requests};
pub use asked::Asked;
use body::{Answer, Interruption};

/// Harm that can be done to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It is answered with this code and never reaches the API server.
    Refuse {
        /// The HTTP status.
        code: u16,
        /// The header `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
    /// The connection ends without an answer, and the API server never hears of it.
    HangUp,
    /// The API server answers at once, and the client hears of it this much later, or at [`Proxy::heal`].
    Delay(Duration),
    /// The connection ends in the middle of the answer.
    Half,
    /// It waits for [`Proxy::heal`], and then reaches the API server even if its client is gone: so late may it come.
    Hold,
}

/// To which requests harm is done, and which.
type Rule = (Box<dyn Fn(&Asked) -> bool + Send + Sync>, Harm);

/// What comes of a request; an error hangs up.
type Outcome = Result<Response<Answer>, Box<dyn std::error::Error + Send + Sync>>;

/// What a proxy shares with its thread.
struct Shared {
    upstream: Client,
    rules: Mutex<Vec<Rule>>,
    counted: Mutex<Requests>,
    forwarded: Mutex<Requests>,
    held: watch::Sender<usize>,
    healed: watch::Sender<u64>,
    interruptions: broadcast::Sender<Interruption>,
}

/// A running proxy. Dropping it hangs up on everybody.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<Infallible>,
}

impl Proxy {
    /// Starts one in front of a control plane.
    ///
    /// # Errors
    /// When it cannot listen.
    ///
    /// # Panics
    /// Never: the thread says how it began.
    pub fn start(cluster: &ControlPlane) -> io::Result<Self> {
        let mut config = cluster.config_for_token("");
        // Whatever token a request bears is passed on, and each request is made once.
        config.auth_info = kube::config::AuthInfo::default();
        config.default_retry = false;
        let (begun, beginning) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                let shared = Arc::new(Shared::new(Client::try_from(config).map_err(io::Error::other)?));
                // Whoever started it waits for this.
                let _ = begun.send((listener.local_addr()?, Arc::clone(&shared)));
                tokio::select! {
                    error = serve(listener, shared) => Err(error),
                    _ = stopped => Ok(()),
                }
            })
        });
        let (address, shared) = beginning.recv().map_err(io::Error::other)?;
        Ok(Self { address, shared, _stop: stop })
    }

    /// Where clients find it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does harm to all requests that are like that, until [`Proxy::heal`]. Of several the first counts.
    pub fn harm(&self, whom: impl Fn(&Asked) -> bool + Send + Sync + 'static, harm: Harm) {
        lock(&self.shared.rules).push((Box::new(whom), harm));
    }

    /// Does no more harm, and lets those go that were held.
    pub fn heal(&self) {
        lock(&self.shared.rules).clear();
        self.shared.healed.send_modify(|times| *times += 1);
    }

    /// Waits until that many requests were held since the start.
    pub async fn until_held(&self, count: usize) {
        // The sender is here, so that this can only end well.
        let _ = self.shared.held.subscribe().wait_for(|held| *held >= count).await;
    }

    /// Ends the connections of all answers that are under way, watches above all.
    pub fn cut(&self) {
        // Where nothing is under way, there is nothing to cut.
        let _ = self.shared.interruptions.send(Interruption::Cut);
    }

    /// Says in all watches that their resourceVersion is too old (410), and ends them.
    pub fn expire_watches(&self) {
        let _ = self.shared.interruptions.send(Interruption::Expired);
    }

    /// What was asked for since the start, counted when it was answered, and with code 0 where it was not. A watch is
    /// counted when it begins.
    #[must_use]
    pub fn requests(&self) -> Requests {
        lock(&self.shared.counted).clone()
    }

    /// What the API server answered since the start, also to clients that had gone meanwhile.
    #[must_use]
    pub fn forwarded(&self) -> Requests {
        lock(&self.shared.forwarded).clone()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Error {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let shared = Arc::clone(&shared);
                    let service = service_fn(move |request| Arc::clone(&shared).pass(request));
                    connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
                }
                Err(error) => return error,
            },
            // However a connection ended, that was the client's or the harm's doing.
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Shared {
    fn new(upstream: Client) -> Self {
        let (interruptions, _) = broadcast::channel(64);
        let (held, healed) = (watch::Sender::new(0), watch::Sender::new(0));
        Self {
            upstream,
            rules: Mutex::default(),
            counted: Mutex::default(),
            forwarded: Mutex::default(),
            held,
            healed,
            interruptions,
        }
    }

    /// Answers a request, and counts it.
    async fn pass(self: Arc<Self>, request: Request<Incoming>) -> Outcome {
        let asked = Asked::read(&request);
        let harm = lock(&self.rules).iter().find(|(whom, _)| whom(&asked)).map(|(_, harm)| harm.clone());
        let answer = Arc::clone(&self).answer(&asked, request, harm).await;
        count(&self.counted, &asked, answer.as_ref().map_or(0, |answer| answer.status().as_u16()));
        answer
    }

    async fn answer(self: Arc<Self>, asked: &Asked, request: Request<Incoming>, harm: Option<Harm>) -> Outcome {
        let subscription = self.interruptions.subscribe();
        match harm {
            Some(Harm::Refuse { code, retry_after }) => Ok(refusal(code, retry_after)),
            Some(Harm::HangUp) => Err("hung up by a test".into()),
            Some(Harm::Delay(delay)) => {
                let mut healed = self.healed.subscribe();
                let answer = self.forward(asked, request).await?;
                // What is late when the harm ends comes then.
                let _ = tokio::time::timeout(delay, healed.changed()).await;
                Ok(answer.map(|body| body::uninterrupted(body, asked.verb == "WATCH", subscription)))
            }
            Some(Harm::Half) => {
                let (head, body) = self.forward(asked, request).await?.into_parts();
                let whole = body.collect().await?.to_bytes();
                Ok(Response::from_parts(head, body::half(&whole)))
            }
            Some(Harm::Hold) => {
                let mut healed = self.healed.subscribe();
                self.held.send_modify(|held| *held += 1);
                let asked = asked.clone();
                let forwarded = tokio::spawn(async move {
                    // The sender lives as long as this does.
                    let _ = healed.changed().await;
                    self.forward(&asked, request).await
                });
                let answer = forwarded.await??;
                Ok(answer.map(|body| body::uninterrupted(body, false, subscription)))
            }
            None => {
                let answer = self.forward(asked, request).await?;
                Ok(answer.map(|body| body::uninterrupted(body, asked.verb == "WATCH", subscription)))
            }
        }
    }

    async fn forward(&self, asked: &Asked, request: Request<Incoming>) -> kube::Result<Response<Body>> {
        let (mut head, body) = request.into_parts();
        // It names this proxy.
        head.headers.remove(header::HOST);
        let body = body.collect().await.map_err(kube::Error::HyperError)?.to_bytes();
        let answer = self.upstream.send(Request::from_parts(head, Body::from(body.to_vec()))).await?;
        count(&self.forwarded, asked, answer.status().as_u16());
        Ok(answer)
    }
}

fn count(counted: &Mutex<Requests>, asked: &Asked, code: u16) {
    let key = RequestKey { verb: asked.verb.to_owned(), resource: asked.resource.clone(), code };
    *lock(counted).0.entry(key).or_default() += 1;
}

fn refusal(code: u16, retry_after: Option<u64>) -> Response<Answer> {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "refused by a test",
    });
    let mut answer = Response::new(body::whole(status.to_string()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one call, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
