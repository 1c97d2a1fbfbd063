use std::fs;
use std::path::Path;

use homelab_helper::api::{self, GROUP};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::{differences, schema};

/// It rewrites the file before it fails, so that the second run passes.
#[test]
fn the_file_is_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/wrappedgateways.yaml");
    let printed = api::crd_yaml();
    if fs::read_to_string(&path).is_ok_and(|file| file == printed) {
        return;
    }
    fs::write(&path, printed).expect("the file can be written");
    panic!("{} was stale and is now rewritten; commit it", path.display());
}

/// Whatever the types of `k8s-openapi` do not know would be dropped without a word.
#[test]
fn the_definition_has_the_whole_schema() {
    let crd = serde_json::to_value(api::crd()).expect("a definition is JSON");
    let has = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert_eq!(differences(has, &schema()), []);
}

#[test]
fn what_is_printed_reads_back_as_the_definition() {
    let read: CustomResourceDefinition = serde_saphyr::from_str(&api::crd_yaml()).expect("a definition");
    assert_eq!(read, api::crd());
}

#[test]
fn the_definition_has_what_tools_look_for() {
    let crd = api::crd();
    assert_eq!(crd.metadata.name.as_deref(), Some(format!("wrappedgateways.{GROUP}").as_str()));
    assert_eq!(crd.spec.names.short_names, Some(vec!["wgw".to_owned()]));
    // GitOps tools report an empty list that the server leaves out as a difference for ever.
    assert_eq!(crd.spec.names.categories, None);
    let [version] = crd.spec.versions.as_slice() else { panic!("one version") };
    assert!(version.served && version.storage && version.subresources.as_ref().is_some_and(|has| has.status.is_some()));
    let columns = version.additional_printer_columns.iter().flatten().map(|column| column.name.as_str());
    let columns: Vec<_> = columns.collect();
    assert_eq!(columns, ["Class", "Address", "Listeners", "Routes", "Rejected", "Ready", "Age"]);
}
