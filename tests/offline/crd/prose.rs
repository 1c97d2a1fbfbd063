use std::collections::BTreeSet;

use controlplane::GatewayApi;
use serde_json::Value;

use super::{properties, schema};

/// So many words in a row are no coincidence.
const QUOTATION: usize = 5;

#[test]
fn every_field_is_described_in_one_sentence() {
    let schema = schema();
    let mut fields = vec![(String::new(), &schema)];
    properties(&schema, "", &mut fields);
    let bad: Vec<_> = fields
        .iter()
        .filter(|(_, field)| !field["description"].as_str().is_some_and(is_one_sentence))
        .map(|(path, field)| format!("{path}: {}", field["description"]))
        .collect();
    assert!(bad.is_empty(), "not one sentence:\n{}", bad.join("\n"));
}

fn is_one_sentence(text: &str) -> bool {
    let Some(body) = text.strip_suffix('.') else { return false };
    body.starts_with(char::is_uppercase) && body.contains(' ') && !body.contains(". ") && !body.contains('\n')
}

/// The Gateway API's descriptions are long, speak of how it is developed, and belong to its authors.
#[test]
fn no_description_is_taken_from_the_gateway_api() {
    let upstream = GatewayApi::NEWEST.crds().expect("the CRDs of the Gateway API");
    let theirs: BTreeSet<_> = upstream.iter().flat_map(descriptions).flat_map(quotations).collect();
    assert!(theirs.len() > 1000, "these are not the descriptions of the Gateway API");
    let schema = schema();
    let quoted: Vec<_> =
        descriptions(&schema).into_iter().filter(|text| quotations(text).any(|run| theirs.contains(&run))).collect();
    assert!(quoted.is_empty(), "not our own words:\n{}", quoted.join("\n"));
}

fn descriptions(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == "description" => vec![text.as_str()],
                _ => descriptions(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(descriptions).collect(),
        _ => Vec::new(),
    }
}

/// Every run of [`QUOTATION`] words in a text.
fn quotations(text: &str) -> impl Iterator<Item = Vec<String>> + use<> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(str::to_lowercase).collect();
    words.windows(QUOTATION).map(<[String]>::to_vec).collect::<Vec<_>>().into_iter()
}
