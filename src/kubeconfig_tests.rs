//! Which cluster a kubeconfig chooses, and what is said of one that chooses none.

use std::fs;

use super::*;

/// A folder of its own for each test, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("kubeconfig-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn missing(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn cluster(server: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: c, user: u, \
         namespace: apps}}}}], clusters: [{{name: c, cluster: {{server: '{server}'}}}}], users: [{{name: u, user: {{}}}}]}}"
    )
}

async fn load(kubeconfig: &str) -> Result<Config, Error> {
    Args { kubeconfig: kubeconfig.into() }.load().await
}

#[tokio::test]
async fn a_file_chooses_the_cluster_and_each_client_has_time_limits() {
    let folder = Folder::new("chooses");
    let config = load(&folder.file("config", &cluster("http://127.0.0.1:1"))).await.unwrap();
    assert_eq!(config.cluster_url.to_string(), "http://127.0.0.1:1/");
    assert_eq!(config.default_namespace, "apps");
    assert!(config.read_timeout.unwrap() > Duration::from_secs(290));
    assert_eq!(config.connect_timeout, Some(CONNECT_TIMEOUT));
}

#[tokio::test]
async fn of_several_files_the_first_wins_and_missing_ones_are_skipped() {
    let folder = Folder::new("several");
    let first = folder.file("first", &cluster("http://127.0.0.1:1"));
    let second = folder.file("second", &cluster("http://127.0.0.1:2"));
    let list = format!("{}:{first}::{second}", folder.missing("none"));
    assert_eq!(load(&list).await.unwrap().cluster_url.port_u16(), Some(1));
}

#[tokio::test]
async fn a_file_that_is_missing_is_named() {
    let folder = Folder::new("missing");
    let path = folder.missing("none");
    let error = load(&path).await.unwrap_err().to_string();
    assert_eq!(error, format!("kubeconfig {path}: No such file or directory (os error 2)"));
}

#[tokio::test]
async fn a_file_that_is_no_kubeconfig_is_named() {
    let folder = Folder::new("wrong");
    for (name, content) in [("text", "]["), ("list", "[1, 2]"), ("empty", ""), ("other", "kind: Config\n")] {
        let path = folder.file(name, content);
        let error = load(&path).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("kubeconfig {path}: ")), "{error}");
    }
}
