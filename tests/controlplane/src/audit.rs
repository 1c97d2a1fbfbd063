//! What service accounts asked the API server for, written down by itself.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::Value;

use crate::ControlPlane;
use crate::error::{Error, Result};

const POLICY: &str = "audit-policy.yaml";
const LOG: &str = "audit.log";

/// A watch is told when it begins, everything else when it was answered.
const RULES: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    userGroups: ["system:serviceaccounts"]
  - level: None
"#;

/// One request of a service account that was answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Audited {
    /// The account, as `namespace:name`.
    pub account: String,
    /// As in a role: get, list, watch, create, update, patch, delete.
    pub verb: String,
    /// As in a role; the core group has no name.
    pub group: String,
    /// As in a role: with a slash and the subresource, where there is one.
    pub resource: String,
    /// The HTTP status of the answer.
    pub code: u64,
    /// What the API server said where it did not answer well; not known of requests for metadata alone.
    pub message: String,
}

/// What was asked for up to some moment has been read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position(u64);

impl ControlPlane {
    /// What service accounts have asked for since that position, in the order of the answers, and the position after it.
    /// Nothing is known of a control plane that was not started with [`ControlPlane::start_strict`].
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn audit(&self, Position(since): Position) -> Result<(Vec<Audited>, Position)> {
        let path = self.scratch.path().join(LOG);
        let mut log = String::new();
        let mut read = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(since))?;
            file.read_to_string(&mut log)
        };
        read().map_err(Error::io("reading", &path))?;
        // The last line may not be complete yet.
        let complete = log.rfind('\n').map_or(0, |end| end + 1);
        Ok((log[..complete].lines().filter_map(parse).collect(), Position(since + complete as u64)))
    }
}

pub(crate) fn write_policy(folder: &Path) -> Result<()> {
    let write = |name, text| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::io("writing", &path))
    };
    write(LOG, "")?;
    write(POLICY, RULES)
}

pub(crate) fn apiserver_flags(folder: &Path) -> [String; 3] {
    [
        format!("--audit-policy-file={}", folder.join(POLICY).display()),
        format!("--audit-log-path={}", folder.join(LOG).display()),
        String::from("--enable-admission-plugins=OwnerReferencesPermissionEnforcement"),
    ]
}

/// Reads a line of the log; one for no resource is left out.
fn parse(line: &str) -> Option<Audited> {
    let event: Value = serde_json::from_str(line).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = event.get("objectRef")?;
    let resource = [text(&object["resource"]), text(&object["subresource"])];
    Some(Audited {
        account: text(&event["user"]["username"]).strip_prefix("system:serviceaccount:")?.to_owned(),
        verb: text(&event["verb"]),
        group: text(&object["apiGroup"]),
        resource: resource.join("/").trim_end_matches('/').to_owned(),
        code: event["responseStatus"]["code"].as_u64()?,
        message: text(&event["responseStatus"]["message"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_if_it_is_a_service_accounts() {
        let line =
            r#"{"verb":"patch","user":{"username":"system:serviceaccount:ns:name"},"objectRef":{"resource":"things",
            "subresource":"status","apiGroup":"g.io","name":"x"},"responseStatus":{"code":403,"message":"no"}}"#
                .replace('\n', "");
        let read = parse(&line).expect("a request");
        assert_eq!((read.account.as_str(), read.verb.as_str(), read.code), ("ns:name", "patch", 403));
        assert_eq!(
            (read.group.as_str(), read.resource.as_str(), read.message.as_str()),
            ("g.io", "things/status", "no")
        );
        assert_eq!(parse(&line.replace("system:serviceaccount:", "")), None);
    }
}
