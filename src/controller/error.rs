//! What can keep a WrappedGateway from being reconciled.

use std::time::Duration;

use kube::core::Status;
use thiserror::Error;

use super::observe::Unreadable;
use crate::routes::RouteKey;

/// Why a reconciliation failed. The sources are kept for the log; conditions get [`Error::explain`].
#[derive(Debug, Error)]
pub enum Error {
    /// Routes of some kind were never listed.
    #[error("routes cannot be listed: {0}")]
    Routes(String),
    /// The cluster has no Gateways.
    #[error("the cluster does not serve Gateways as gateway.networking.k8s.io/v1")]
    NotServed(#[source] kube::Error),
    /// The Gateway could not be read.
    #[error("the Gateway cannot be read")]
    Fetch(#[source] kube::Error),
    /// The Gateway was read, and makes no sense.
    #[error("the Gateway makes no sense")]
    Unreadable(#[from] Unreadable),
    /// The WrappedGateway makes no sense.
    #[error("the WrappedGateway makes no sense: {0}")]
    Invalid(String),
    /// The Gateway is not ours to write.
    #[error("{0}")]
    Refused(String),
    /// The Gateway could not be written.
    #[error("the Gateway cannot be written")]
    Apply(#[source] kube::Error),
    /// The redirect's HTTPRoute could not be written.
    #[error("the HTTPRoute of httpsRedirect cannot be written")]
    Redirect(#[source] kube::Error),
    /// Labels of namespaces are needed, and not known.
    #[error("a selector needs the labels of namespaces, and they cannot be listed")]
    Namespaces,
    /// Someone else keeps writing the Gateway.
    #[error("{0}")]
    Contended(&'static str),
    /// The status of the WrappedGateway could not be written.
    #[error("the status cannot be written")]
    Status(#[source] kube::Error),
    /// An event could not be written.
    #[error("an event cannot be written")]
    Event(#[source] kube::Error),
    /// What an earlier implementation left on an object could not be taken away.
    #[error("the finalizer of an earlier implementation cannot be removed")]
    Relics(#[source] kube::Error),
    /// What external-dns reads could not be written on a route.
    #[error("the names for external-dns cannot be written on {route}")]
    Names {
        /// The route.
        route: Box<RouteKey>,
        /// Why not.
        source: kube::Error,
    },
    /// The finalizer could not be put on the WrappedGateway, or taken from it.
    #[error("the finalizer cannot be put on the WrappedGateway or taken from it")]
    Finalizer(#[source] kube::Error),
    /// The finalizer has to stay, because names in DNS cannot be taken from a route.
    #[error("the finalizer stays")]
    Kept(#[source] Box<Error>),
    /// The API server did not answer in time.
    #[error("{stage}: no answer within {} s", .within.as_secs())]
    Timeout {
        /// What was waited for.
        stage: Stage,
        /// For how long.
        within: Duration,
    },
}

/// What a reconciliation can be waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading the Gateway.
    Fetch,
    /// Writing the Gateway, and all that leads to it.
    Sync,
    /// Writing the redirect's HTTPRoute.
    Redirect,
    /// Writing the status.
    Status,
    /// Taking away what an earlier implementation left.
    Relics,
    /// Putting the finalizer on the WrappedGateway, or taking it and what it stands for away.
    Finalizer,
    /// Writing on a route what external-dns reads.
    Names,
    /// Writing an event.
    Event,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fetch => "reading the Gateway",
            Self::Sync => "writing the Gateway",
            Self::Redirect => "writing the HTTPRoute of httpsRedirect",
            Self::Status => "writing the status",
            Self::Relics => "removing the finalizer of an earlier implementation",
            Self::Finalizer => "putting the finalizer on the WrappedGateway or taking it away",
            Self::Names => "writing names for external-dns",
            Self::Event => "writing an event",
        })
    }
}

/// The reasons of the condition `Ready`, which are the labels of metrics and the categories of the log too.
pub mod reason {
    /// All is as it should be.
    pub const SUCCEEDED: &str = "ReconciliationSucceeded";
    /// Routes cannot be listed.
    pub const ROUTES_FETCH_FAILED: &str = "RoutesFetchFailed";
    /// The Gateway cannot be read.
    pub const GATEWAY_FETCH_FAILED: &str = "GatewayFetchFailed";
    /// The Gateway cannot be made what it should be.
    pub const GATEWAY_SYNC_FAILED: &str = "GatewaySyncFailed";
    /// A finalizer cannot be removed.
    pub const FINALIZER_FAILED: &str = "FinalizerFailed";
    /// The status cannot be read or written.
    pub const GATEWAY_STATUS_FAILED: &str = "GatewayStatusFailed";
}

impl Error {
    /// One word out of a fixed set: the condition's reason, the metric's label, the log's field.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Routes(_) => reason::ROUTES_FETCH_FAILED,
            Self::NotServed(_) | Self::Fetch(_) | Self::Timeout { stage: Stage::Fetch, .. } => {
                reason::GATEWAY_FETCH_FAILED
            }
            Self::Relics(_)
            | Self::Finalizer(_)
            | Self::Kept(_)
            | Self::Timeout { stage: Stage::Relics | Stage::Finalizer, .. } => reason::FINALIZER_FAILED,
            Self::Unreadable(Unreadable::Listeners(_)) => reason::GATEWAY_FETCH_FAILED,
            Self::Unreadable(Unreadable::Status(_)) | Self::Status(_) | Self::Timeout { stage: Stage::Status, .. } => {
                reason::GATEWAY_STATUS_FAILED
            }
            Self::Invalid(_)
            | Self::Refused(_)
            | Self::Namespaces
            | Self::Apply(_)
            | Self::Redirect(_)
            | Self::Timeout { stage: Stage::Redirect | Stage::Event, .. }
            | Self::Contended(_)
            | Self::Event(_)
            | Self::Names { .. }
            | Self::Timeout { stage: Stage::Sync | Stage::Names, .. } => reason::GATEWAY_SYNC_FAILED,
        }
    }
}

/// Gives work up after a while.
///
/// # Errors
/// Those of the work, or that it took too long.
pub(super) async fn within<T>(
    stage: Stage,
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Error::Timeout { stage, within: limit }))
}

impl Error {
    /// Whether trying again changes nothing until someone changes something.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Refused(_) | Self::Unreadable(_) => true,
            Self::Kept(error) => error.is_permanent(),
            Self::Fetch(error)
            | Self::Apply(error)
            | Self::Redirect(error)
            | Self::Status(error)
            | Self::Event(error)
            | Self::Relics(error)
            | Self::Finalizer(error)
            | Self::Names { source: error, .. } => api_status(error).is_some_and(|status| {
                matches!(status.code, 400 | 403 | 413 | 422) || !undeclared_fields(status).is_empty()
            }),
            _ => false,
        }
    }

    /// What a person is told: what is wrong, and what to do about it where that is known. The same error always gives the
    /// same text, so that repeating it changes no status.
    #[must_use]
    pub fn explain(&self) -> String {
        match self {
            Self::Routes(why) => with_way_out(&format!("Routes cannot be listed, so nothing is changed: {why}")),
            Self::NotServed(_) => {
                format!("{self}: install the Gateway API's CRDs, in version 1.0 or newer.")
            }
            Self::Unreadable(source) => source.to_string(),
            Self::Apply(source) => explain_apply(source),
            Self::Fetch(source)
            | Self::Redirect(source)
            | Self::Status(source)
            | Self::Event(source)
            | Self::Relics(source)
            | Self::Finalizer(source)
            | Self::Names { source, .. } => {
                format!("{self}: {}", told(source))
            }
            Self::Kept(error) => format!("{self}: {}", error.explain()),
            Self::Invalid(_) | Self::Refused(_) | Self::Namespaces | Self::Contended(_) | Self::Timeout { .. } => {
                self.to_string()
            }
        }
    }
}

fn explain_apply(error: &kube::Error) -> String {
    let undeclared = api_status(error).map(undeclared_fields).unwrap_or_default();
    if undeclared.is_empty() {
        return format!("The Gateway cannot be written: {}", told(error));
    }
    format!(
        "The cluster's Gateway API is too old for {}, so the API server refuses the Gateway as a whole. Upgrade the \
         Gateway API's CRDs, or take that out of the WrappedGateway.",
        undeclared.join(", ")
    )
}

/// The API server's own words where it answered, and how it could not be asked where not.
fn told(error: &kube::Error) -> String {
    match api_status(error) {
        Some(status) if !status.message.is_empty() => with_way_out(&status.message),
        Some(status) => format!("HTTP {}", status.code),
        None => {
            // The outermost text of a transport error says only that there was one.
            let mut innermost: &dyn std::error::Error = error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            innermost.to_string()
        }
    }
}

/// Where a right is missing, what to do about it. The same code 403 has other meanings, as in a namespace that is going.
fn with_way_out(why: &str) -> String {
    if why.contains(" is forbidden: User ") {
        format!("{why}. Grant the controller the rights that its README lists.")
    } else {
        why.to_owned()
    }
}

/// The HTTP status that an API server answered with, if it did.
pub(super) fn api_status(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}

/// The status code that an API server answered with, if it did. `Status::is_conflict` and its sisters look at the reason,
/// which a bare answer lacks.
pub(super) fn code(error: &kube::Error) -> Option<u16> {
    api_status(error).map(|status| status.code)
}

/// The fields, as `.spec.tls`, that the served schema does not know.
fn undeclared_fields(status: &Status) -> Vec<&str> {
    const MARK: &str = ": field not declared in schema";
    let before_mark = status.message.split(MARK).collect::<Vec<_>>();
    let told = before_mark.len().saturating_sub(1);
    before_mark[..told].iter().filter_map(|text| text.rsplit(char::is_whitespace).next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Status { code, message: message.to_owned(), ..Status::default() }.boxed())
    }

    #[test]
    fn a_field_that_the_served_schema_lacks_is_named() {
        let error = Error::Apply(answer(
            500,
            "failed to create typed patch object (a/b; gateway.networking.k8s.io/v1, Kind=Gateway): errors:\n  \
             .spec.allowedListeners: field not declared in schema\n  .spec.tls: field not declared in schema",
        ));
        assert!(error.is_permanent());
        assert_eq!(
            error.explain(),
            "The cluster's Gateway API is too old for .spec.allowedListeners, .spec.tls, so the API server refuses the \
             Gateway as a whole. Upgrade the Gateway API's CRDs, or take that out of the WrappedGateway."
        );
    }

    #[test]
    fn what_the_server_refuses_is_told_in_its_own_words() {
        let error = Error::Apply(answer(422, "spec.listeners: Invalid value: tls must not be specified"));
        assert!(error.is_permanent());
        assert_eq!(
            error.explain(),
            "The Gateway cannot be written: spec.listeners: Invalid value: tls must not be specified"
        );
    }

    #[test]
    fn an_overloaded_server_is_asked_again_soon() {
        for code in [429, 500, 503] {
            assert!(!Error::Apply(answer(code, "")).is_permanent());
        }
    }

    #[test]
    fn where_a_right_is_missing_the_way_out_is_told() {
        let forbidden =
            "gateways.gateway.networking.k8s.io \"a\" is forbidden: User \"b\" cannot patch resource \"gateways\"";
        let told = Error::Apply(answer(403, forbidden)).explain();
        assert_eq!(
            told,
            format!(
                "The Gateway cannot be written: {forbidden}. Grant the controller the rights that its README lists."
            )
        );
        let ending =
            "gateways \"a\" is forbidden: unable to create new content in namespace b because it is being terminated";
        assert_eq!(Error::Apply(answer(403, ending)).explain(), format!("The Gateway cannot be written: {ending}"));
    }

    #[test]
    fn what_is_forbidden_stays_so_until_rights_change() {
        for error in [Error::Fetch, Error::Apply, Error::Status, Error::Event] {
            assert!(error(answer(403, "")).is_permanent());
        }
    }

    #[test]
    fn a_bare_answer_is_told_by_its_code() {
        assert_eq!(Error::Fetch(answer(502, "")).explain(), "the Gateway cannot be read: HTTP 502");
    }
}
