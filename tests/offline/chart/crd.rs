use std::fs;

use homelab_helper::api;
use serde_json::{Value, json};

use super::super::generated::is_generated;
use super::{Version, chart, objects, rendered, root};

/// The template: the file of the CRD, with what Helm is to put into its metadata.
fn wanted() -> String {
    let file = fs::read_to_string(root().join("crds/wrappedgateways.yaml")).expect("the CRD");
    assert!(!file.contains("{{"), "Helm would take a part of the CRD for a template");
    let (comment, definition) = file.split_once("apiVersion:").expect("a comment, and then the CRD");
    assert!(comment.lines().all(|line| line.starts_with('#')), "{comment}");
    let name = format!("\n  name: wrappedgateways.{}\n", api::GROUP);
    let (head, spec) = definition.split_once(&name).expect("the CRD's name");
    format!(
        "{{{{- if .Values.crds.install }}}}\n\
         {{{{- /* Generated from crds/wrappedgateways.yaml: UPDATE=1 cargo test --test offline */}}}}\n\
         {{{{- $keep := ternary (dict \"helm.sh/resource-policy\" \"keep\") dict .Values.crds.keep }}}}\n\
         apiVersion:{head}{name}  \
         {{{{- include \"gateway-route-sync.metadata\" (dict \"root\" . \"annotations\" \
         (mergeOverwrite dict .Values.crds.annotations $keep)) | nindent 2 }}}}\n\
         {spec}{{{{- end }}}}\n"
    )
}

#[test]
fn the_template_is_made_of_the_file() {
    is_generated(&chart().join("templates/crd.yaml"), &wanted()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_is_rendered_is_what_the_program_prints() {
    let printed = serde_json::to_value(api::crd()).expect("a definition is JSON");
    for version in [Version::V4, Version::V3] {
        let rendered = objects(&rendered(version, &["--show-only", "templates/crd.yaml"]));
        let [crd] = rendered.as_slice() else { panic!("one object") };
        assert_eq!(super::super::crd::differences(&crd["spec"], &printed["spec"]), []);
        assert_eq!(crd["metadata"]["name"], printed["metadata"]["name"]);
    }
}

#[test]
fn it_is_kept_unless_that_is_not_wanted() {
    let annotations = |arguments: &[&str]| -> Value {
        let arguments: Vec<_> = ["--show-only", "templates/crd.yaml"].iter().chain(arguments).copied().collect();
        objects(&rendered(Version::V4, &arguments))[0]["metadata"]["annotations"].clone()
    };
    assert_eq!(annotations(&[]), json!({ "helm.sh/resource-policy": "keep" }));
    assert_eq!(annotations(&["--set", "crds.keep=false"]), Value::Null);
    assert_eq!(annotations(&["--set", "crds.keep=false,crds.annotations.a=b"]), json!({ "a": "b" }));
}
