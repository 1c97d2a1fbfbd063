//! Who needs something that is watched only while somebody needs it.

use std::collections::BTreeSet;

use futures::channel::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::routes::GatewayRef;

/// The Gateways whose WrappedGateways need it.
#[derive(Debug)]
pub struct Users(watch::Sender<BTreeSet<GatewayRef>>);

impl Default for Users {
    fn default() -> Self {
        Self(watch::Sender::new(BTreeSet::new()))
    }
}

impl Users {
    /// From now on this one does.
    pub fn add(&self, gateway: &GatewayRef) {
        self.0.send_if_modified(|users| users.insert(gateway.clone()));
    }

    /// This one does not any more.
    pub fn remove(&self, gateway: &GatewayRef) {
        self.0.send_if_modified(|users| users.remove(gateway));
    }

    /// Waits until somebody does.
    pub async fn some(&self) {
        // The sender lives as long as this does.
        let _ = self.0.subscribe().wait_for(|users| !users.is_empty()).await;
    }

    /// Waits until nobody does.
    pub async fn none(&self) {
        let _ = self.0.subscribe().wait_for(BTreeSet::is_empty).await;
    }

    /// Sends each of them.
    pub fn tell(&self, changed: &UnboundedSender<GatewayRef>) {
        for gateway in self.0.borrow().iter() {
            // Nobody listens when the process is ending.
            let _ = changed.unbounded_send(gateway.clone());
        }
    }
}
