//! The defaults that an API server fills in, for a `WrappedGateway` that no server has seen.

use std::sync::OnceLock;

use serde_json::Value;

use super::crd::schema;

/// Gives a `WrappedGateway` the defaults of its schema, as the API server does when it stores one.
pub fn fill_defaults(wrapped_gateway: &mut Value) {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    fill(SCHEMA.get_or_init(schema), wrapped_gateway);
}

fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                // A null counts as left out, but a default in its place is all that is seen of that.
                if let Some(default) = schema.get("default").filter(|_| fields.get(name).is_none_or(Value::is_null)) {
                    fields.insert(name.clone(), default.clone());
                }
                if let Some(field) = fields.get_mut(name) {
                    fill(schema, field);
                }
            }
            if schema["additionalProperties"].is_object() {
                fields.values_mut().for_each(|value| fill(&schema["additionalProperties"], value));
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| fill(&schema["items"], element)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_left_out_is_filled_in_at_any_depth_and_nothing_else_is_touched() {
        let mut object = json!({ "metadata": { "name": "a" }, "spec": {
            "gatewayClassName": "x",
            "addresses": [{ "value": "192.0.2.1" }, { "type": "Hostname", "value": "a.example.com" }],
            "listeners": [{ "name": "a", "port": 443, "protocol": "HTTPS", "tls": { "certificateRefs": [{ "name": "s" }] } }],
            "listenerTemplate": { "hostnameOwnership": null },
            "unknown": [{}],
        } });
        fill_defaults(&mut object);
        assert_eq!(
            object,
            json!({ "metadata": { "name": "a" }, "spec": {
            "gatewayClassName": "x",
            "addresses": [
                { "type": "IPAddress", "value": "192.0.2.1" },
                { "type": "Hostname", "value": "a.example.com" },
            ],
            "listeners": [{
                "name": "a", "port": 443, "protocol": "HTTPS",
                "tls": { "mode": "Terminate", "certificateRefs": [{ "group": "", "kind": "Secret", "name": "s" }] },
                "allowedRoutes": { "namespaces": { "from": "Same" } },
            }],
            "listenerTemplate": { "hostnameOwnership": "Namespace", "protocol": "HTTPS" },
            "unknown": [{}],
        } })
        );
    }

    #[test]
    fn what_is_of_no_use_is_left_as_it_is() {
        for spec in [json!(null), json!("x"), json!({ "listeners": "x", "listenerTemplate": [1] })] {
            let mut object = json!({ "spec": spec });
            fill_defaults(&mut object);
            assert_eq!(object, json!({ "spec": spec }));
        }
    }
}
