//! What would remain of a listener: server-side apply takes away only what the applier itself has applied before, so that
//! fields of another manager stay beside those of a static listener which takes the name.

use serde_json::Value;

use crate::api::Listener;

/// The path of the first field of the live listener that the wanted one does not have; none where the wanted one would
/// stand there as it is written.
pub(super) fn residue(live: &Listener, wanted: &Listener) -> Option<String> {
    // What cannot be written as JSON was not read from JSON, and is not there.
    first_missing(&serde_json::to_value(live).ok()?, &serde_json::to_value(wanted).ok()?)
}

fn first_missing(live: &Value, wanted: &Value) -> Option<String> {
    let (live, wanted) = (live.as_object()?, wanted.as_object()?);
    live.iter().find_map(|(field, value)| match wanted.get(field) {
        None => Some(field.clone()),
        // The schema has an apply replace a label selector as a whole.
        Some(_) if field == "selector" => None,
        Some(wanted) => first_missing(value, wanted).map(|inner| format!("{field}.{inner}")),
    })
}
