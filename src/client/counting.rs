//! Counts requests to the API server, each attempt by itself.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tower::{Layer, Service};

use crate::metrics::Metrics;

/// Has each request counted that goes through.
pub(super) struct Counting(pub Arc<Metrics>);

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: Arc::clone(&self.0) }
    }
}

/// A client of which each request is counted.
pub(super) struct Counted<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut asked = Asked { metrics: Arc::clone(&self.metrics), verb: verb(&request), code: None };
        let answer = self.inner.call(request);
        async move {
            let answer = answer.await;
            asked.answered(answer.as_ref().ok().map(Response::status));
            answer
        }
        .boxed()
    }
}

/// A request that is under way. It counts when it ends, also where whoever asked does not wait any longer.
struct Asked {
    metrics: Arc<Metrics>,
    verb: &'static str,
    code: Option<u16>,
}

impl Asked {
    fn answered(&mut self, status: Option<StatusCode>) {
        self.code = status.map(|status| status.as_u16());
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.metrics.requested(self.verb, self.code);
    }
}

/// The word that Kubernetes has for what is asked.
fn verb(request: &Request<Body>) -> &'static str {
    // The client notes what it does; a list and a watch look like a get but for that.
    let noted = request.extensions().get::<&'static str>().copied().unwrap_or_default();
    match *request.method() {
        _ if noted.starts_with("watch") => "watch",
        _ if noted.starts_with("list") => "list",
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{pending, ready};

    use tower::service_fn;

    use super::*;

    fn request(method: Method, noted: Option<&'static str>) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        if let Some(noted) = noted {
            request.extensions_mut().insert(noted);
        }
        request
    }

    #[test]
    fn each_request_has_the_word_that_kubernetes_has_for_it() {
        for (method, noted, wanted) in [
            (Method::GET, Some("get"), "get"),
            (Method::GET, None, "get"),
            (Method::GET, Some("list"), "list"),
            (Method::GET, Some("watch_metadata"), "watch"),
            (Method::POST, Some("create"), "create"),
            (Method::PUT, Some("replace"), "update"),
            (Method::PATCH, Some("patch_status"), "patch"),
            (Method::DELETE, Some("delete"), "delete"),
            (Method::OPTIONS, None, "other"),
        ] {
            assert_eq!(verb(&request(method, noted)), wanted);
        }
    }

    #[tokio::test]
    async fn an_answer_counts_by_its_status_and_so_does_one_that_is_not_awaited() {
        let metrics = Arc::new(Metrics::new());
        let layer = Counting(Arc::clone(&metrics));
        let busy = Response::builder().status(429).body(()).unwrap();
        let mut answering = layer.layer(service_fn(move |_| ready(Ok::<_, Infallible>(busy.clone()))));
        answering.call(request(Method::PATCH, None)).await.unwrap();
        let mut silent = layer.layer(service_fn(|_| pending::<Result<Response<()>, Infallible>>()));
        drop(silent.call(request(Method::GET, None)));
        let text = metrics.render();
        for series in [r#"{code="429",verb="patch"} 1"#, r#"{code="error",verb="get"} 1"#] {
            assert!(text.contains(series), "{text}");
        }
    }
}
