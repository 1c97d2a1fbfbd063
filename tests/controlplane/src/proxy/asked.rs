//! What a request asks for, read from its first line.

use std::fmt;

use http::{Method, Uri};

/// What a request asks for, in the words of the API server's own metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// GET, LIST, WATCH, POST, PUT, PATCH, APPLY or DELETE.
    pub verb: &'static str,
    /// Group, resource and subresource, as in `gateway.networking.k8s.io/gateways/status`; empty for what is no resource,
    /// such as discovery.
    pub resource: String,
    /// The namespace, where there is one.
    pub namespace: Option<String>,
    /// The object, where it is one.
    pub name: Option<String>,
    /// The token that is presented.
    pub token: String,
}

impl Asked {
    /// Reads a request.
    pub(super) fn read<B>(request: &http::Request<B>) -> Self {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_apply = header(http::header::CONTENT_TYPE).starts_with("application/apply-patch");
        let token = header(http::header::AUTHORIZATION).trim_start_matches("Bearer ").to_owned();
        let (resource, namespace, name) = path(request.uri());
        let query = request.uri().query().unwrap_or_default();
        let verb = match *request.method() {
            Method::GET if query.split('&').any(|part| part == "watch=true") => "WATCH",
            Method::GET if resource.is_empty() || name.is_some() => "GET",
            Method::GET => "LIST",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::PATCH if is_apply => "APPLY",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => "OTHER",
        };
        Self { verb, resource, namespace, name, token }
    }

    /// Whether it is that verb on that resource, whichever object it is.
    #[must_use]
    pub fn is(&self, verb: &str, resource: &str) -> bool {
        self.verb == verb && self.resource == resource
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)
    }
}

/// Resource, namespace and name of a path such as `/apis/g.io/v1/namespaces/shop/things/one/status`.
fn path(uri: &Uri) -> (String, Option<String>, Option<String>) {
    let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let (group, rest) = match parts.as_slice() {
        ["api", _version, rest @ ..] => (None, rest),
        ["apis", group, _version, rest @ ..] => (Some(*group), rest),
        _ => return (String::new(), None, None),
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
        rest => (None, rest),
    };
    let (resource, name) = match rest {
        [] => (vec![], None),
        [plural] => (vec![*plural], None),
        [plural, name] => (vec![*plural], Some(*name)),
        [plural, name, subresource, ..] => (vec![*plural, *subresource], Some(*name)),
    };
    if resource.is_empty() {
        return (String::new(), None, None);
    }
    let resource = group.into_iter().chain(resource).collect::<Vec<_>>().join("/");
    (resource, namespace.map(String::from), name.map(String::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, uri: &str, content_type: &str) -> String {
        let request = http::Request::builder().method(method).uri(uri).header("content-type", content_type);
        let asked = Asked::read(&request.body(()).expect("a request"));
        let of = [asked.namespace.clone(), asked.name.clone()].map(Option::unwrap_or_default);
        format!("{asked} {}/{}", of[0], of[1])
    }

    #[test]
    fn requests_are_told_as_the_api_server_counts_them() {
        assert_eq!(asked("GET", "/apis/g.io/v1/things?limit=100", ""), "LIST g.io/things /");
        assert_eq!(asked("GET", "/apis/g.io/v1/things?watch=true&x=y", ""), "WATCH g.io/things /");
        assert_eq!(asked("GET", "/apis/g.io/v1/namespaces/shop/things/one", ""), "GET g.io/things shop/one");
        assert_eq!(asked("GET", "/api/v1/namespaces", ""), "LIST namespaces /");
        assert_eq!(asked("GET", "/api/v1/namespaces/shop", ""), "LIST namespaces /shop".replace("LIST", "GET"));
        assert_eq!(asked("GET", "/apis/g.io/v1", ""), "GET  /");
        let one = "/apis/g.io/v1/namespaces/shop/things/one/status";
        assert_eq!(asked("PATCH", one, "application/apply-patch+yaml"), "APPLY g.io/things/status shop/one");
        assert_eq!(asked("PATCH", one, "application/merge-patch+json"), "PATCH g.io/things/status shop/one");
    }
}
