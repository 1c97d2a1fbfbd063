//! Clients of the API server: how often, and how soon, one request is tried.
//!
//! Left to itself, kube tries a request that is refused for lack of time ever more slowly, for up to a quarter of an hour;
//! it would then notice the end of a fault about as late as the fault was long. Here each request is tried a few times in a
//! few seconds, and whoever asked for it decides what is to be done then.

mod counting;

use std::sync::Arc;
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::client::retry::RetryPolicy;
use kube::{Client, Config};
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;

use crate::metrics::Metrics;
use counting::Counting;

/// Between attempts of one request, at first and at last. `Retry-After` may ask for longer.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// Attempts of one request after the first.
const RETRIES: u32 = 3;
/// Requests that may wait for their turn.
const QUEUE: usize = 1024;

/// A client that tries a request again where the API server says that it has no time for it (429, 503, 504), and not before
/// it says to.
///
/// # Errors
///
/// Where the configuration is of no use.
pub fn patient(mut config: Config, metrics: &Arc<Metrics>) -> kube::Result<Client> {
    config.default_retry = false;
    let builder = ClientBuilder::try_from(config)?;
    let policy =
        RetryPolicy::new(PAUSE.0, PAUSE.1, RETRIES, true).map_err(|error| kube::Error::Service(error.into()))?;
    let builder = builder.with_layer(&Counting(Arc::clone(metrics)));
    Ok(builder.with_layer(&BufferLayer::new(QUEUE)).with_layer(&RetryLayer::new(policy)).build())
}

/// A client that tries each request once: for what is worse when it comes late than when it fails.
///
/// # Errors
///
/// Where the configuration is of no use.
pub fn impatient(mut config: Config, metrics: &Arc<Metrics>) -> kube::Result<Client> {
    config.default_retry = false;
    Ok(ClientBuilder::try_from(config)?.with_layer(&Counting(Arc::clone(metrics))).build())
}
