use std::fs;
use std::time::Duration;

use controlplane::Harm;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::time::sleep;

use super::stage::Stage;
use crate::chart::granted;

/// A token file is read again at the latest after this long; the kubelet writes a new token long before the old one ends.
const READ_AGAIN: Duration = Duration::from_mins(1);

/// The rights of the README, without any to HTTPRoutes.
fn without_http_routes() -> Vec<Value> {
    let mut rules = granted::rules();
    for resources in rules.iter_mut().filter_map(|rule| rule["resources"].as_array_mut()) {
        resources.retain(|resource| resource != "httproutes");
    }
    rules.retain(|rule| rule["resources"].as_array().is_some_and(|resources| !resources.is_empty()));
    rules
}

#[tokio::test]
async fn the_right_to_read_one_kind_is_taken_away_and_given_back() {
    let mut stage = Stage::set_as("rights", async |place| {
        granted::grant(place, &granted::rules()).await;
        json!({ "token": place.world.cluster.service_account_token(&place.name, "controller").await.unwrap() })
    })
    .await;
    let fault = stage.fault("RBAC for HTTPRoutes taken away for 8 s");
    granted::grant(&stage.place, &without_http_routes()).await;
    stage.proxy.cut();
    stage.change().await;
    sleep(Duration::from_secs(8)).await;
    let refused = stage.proxy.requests().of("gateway.networking.k8s.io/httproutes").only(|key| key.code == 403);
    assert!(refused.total() > 0, "the right is gone");
    granted::grant(&stage.place, &granted::rules()).await;
    stage.is_over(fault).await;
}

#[tokio::test]
async fn the_token_file_is_rotated() {
    let file = NamedTempFile::new().unwrap();
    let mut old = String::new();
    let mut stage = Stage::set_as("token", async |place| {
        granted::grant(place, &granted::rules()).await;
        old = place.world.cluster.service_account_token(&place.name, "controller").await.unwrap();
        fs::write(file.path(), &old).unwrap();
        json!({ "tokenFile": file.path() })
    })
    .await;
    let fault = stage.fault("token file rotated, the old token refused after a minute");
    let new = stage.place.world.cluster.service_account_token(&stage.place.name, "controller").await.unwrap();
    assert_ne!(old, new);
    fs::write(file.path(), new).unwrap();
    stage.change().await;
    sleep(READ_AGAIN).await;
    stage.proxy.harm(move |asked| asked.token == old, Harm::Refuse { code: 401, retry_after: None });
    stage.proxy.cut();
    stage.change().await;
    stage.is_over(fault).await;
    assert_eq!(stage.proxy.requests().only(|key| key.code == 401).total(), 0, "nobody presents the old token any more");
}
