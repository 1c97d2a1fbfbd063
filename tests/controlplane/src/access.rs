//! Ways into a running control plane: clients, kubeconfigs, kubectl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use http::Uri;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::AuthInfo;
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use crate::ControlPlane;
use crate::error::{Error, Result};

impl ControlPlane {
    /// The address of the API server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The path of a kubeconfig with all rights.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client with all rights. It belongs to the runtime in which it is made: with a runtime a test, make one a test.
    ///
    /// # Errors
    /// When the client cannot be set up; the API server is not asked.
    pub fn client(&self) -> Result<Client> {
        self.client_for_token(&self.credentials.admin_token)
    }

    /// A client that presents `token`; like [`ControlPlane::client`] otherwise.
    ///
    /// # Errors
    /// When the client cannot be set up; the API server is not asked.
    pub fn client_for_token(&self, token: &str) -> Result<Client> {
        Client::try_from(self.config_for_token(token)).map_err(Error::kube("setting up a client"))
    }

    /// The configuration of a client that presents `token`, for those who want to change it first.
    ///
    /// # Panics
    /// Never: the address of the API server is a valid one.
    #[must_use]
    pub fn config_for_token(&self, token: &str) -> Config {
        let mut config = Config::new(Uri::try_from(self.url()).expect("an address made of a port is valid"));
        config.root_cert = Some(vec![self.credentials.ca_der.clone()]);
        config.auth_info = AuthInfo { token: Some(String::from(token).into()), ..AuthInfo::default() };
        config
    }

    /// The content of a kubeconfig that presents `token`. It is JSON, which every reader of YAML understands.
    #[must_use]
    pub fn kubeconfig_for_token(&self, token: &str) -> String {
        self.kubeconfig_in("default", token)
    }

    fn kubeconfig_in(&self, namespace: &str, token: &str) -> String {
        self.kubeconfig_of(&self.url(), namespace, &json!({ "token": token }))
    }

    /// The content of a kubeconfig for whatever `server` leads here, such as a [`crate::Proxy`], and for a user as a
    /// kubeconfig describes one.
    #[must_use]
    pub fn kubeconfig_for(&self, server: &str, user: &Value) -> String {
        self.kubeconfig_of(server, "default", user)
    }

    fn kubeconfig_of(&self, server: &str, namespace: &str, user: &Value) -> String {
        // Not in base64 but as a file: this way nothing here needs to encode anything.
        let authority = self.scratch.path().join("ca.crt");
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "controlplane",
            "contexts": [{"name": "controlplane", "context": {
                "cluster": "controlplane", "user": "controlplane", "namespace": namespace,
            }}],
            "clusters": [{"name": "controlplane", "cluster": {"server": server, "certificate-authority": authority}}],
            "users": [{"name": "controlplane", "user": user}],
        });
        format!("{kubeconfig:#}\n")
    }

    /// The token of the user that has all rights.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.credentials.admin_token
    }

    /// A token of a service account, which has to exist, from the `TokenRequest` API; it is good for a day.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        let spec = TokenRequestSpec { expiration_seconds: Some(24 * 60 * 60), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client()?, namespace);
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
        let answer =
            answer.map_err(Error::kube(format!("asking for a token of service account {namespace}/{name}")))?;
        Ok(answer.status.and_then(|status| status.token).unwrap_or_default())
    }

    /// The path of a new kubeconfig that has the rights of a service account, which has to exist, and its namespace. With
    /// it a program runs under exactly the RBAC that it is granted.
    ///
    /// # Errors
    /// When the API server refuses, or the file cannot be written.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let token = self.service_account_token(namespace, name).await?;
        let path = self.scratch.path().join(format!("kubeconfig-{namespace}-{name}"));
        write(&path, &self.kubeconfig_in(namespace, &token))?;
        Ok(path)
    }

    /// kubectl with all rights, to which arguments can be added.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut kubectl = Command::new(self.binaries.kubectl());
        kubectl.env("KUBECONFIG", self.kubeconfig());
        // What it remembers of the API must not outlive the API server that it is true of.
        kubectl.env("KUBECACHEDIR", self.scratch.path().join("kubectl-cache"));
        kubectl
    }

    pub(crate) fn write_kubeconfig(&self) -> Result<()> {
        write(&self.scratch.path().join("ca.crt"), &self.credentials.ca_pem)?;
        write(self.kubeconfig(), &self.kubeconfig_for_token(&self.credentials.admin_token))
    }
}

fn write(path: &Path, content: &str) -> Result<()> {
    fs::write(path, content).map_err(Error::io("writing", path))
}

/// What the API server answers to a plain GET.
pub(crate) async fn get(client: &Client, path: &str) -> std::result::Result<String, kube::Error> {
    let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await
}
