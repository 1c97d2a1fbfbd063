//! What the demo prints of a Gateway.

use std::fmt::Write as _;

use homelab_helper::api::WrappedGatewayStatus;
use serde_json::Value;

/// Listeners, one a line, then rejections.
pub fn gateway(name: &str, gateway: &Value, status: &WrappedGatewayStatus) -> String {
    let mut rows = vec![["LISTENER", "PROTOCOL", "PORT", "HOSTNAME", "ROUTES FROM"].map(String::from)];
    rows.extend(gateway["spec"]["listeners"].as_array().into_iter().flatten().map(row));
    let widths: [usize; 5] = std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let mut text = format!("\nGateway {name}\n");
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
    }
    for rejected in &status.rejected_routes {
        let _ = writeln!(
            text,
            "  rejected: {} {}/{}: {}: {}",
            rejected.kind, rejected.namespace, rejected.name, rejected.reason, rejected.message
        );
    }
    text
}

fn row(listener: &Value) -> [String; 5] {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mode = if listener["tls"]["mode"] == "Passthrough" { " (passthrough)" } else { "" };
    let namespaces = &listener["allowedRoutes"]["namespaces"];
    let chosen = namespaces["selector"]["matchExpressions"][0]["values"].as_array();
    let from = match chosen {
        Some(values) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        None => text(&namespaces["from"]),
    };
    [
        text(&listener["name"]),
        text(&listener["protocol"]) + mode,
        listener["port"].to_string(),
        text(&listener["hostname"]),
        from,
    ]
}

/// The lines that only one of two tables has.
pub fn difference(before: &str, after: &str) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join("  ");
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().map(words).collect(), after.lines().map(words).collect());
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("  - {line}\n"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("  + {line}\n"));
    gone.chain(come).collect()
}
