use super::*;

fn assert_says(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.render();
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line} is not among\n{text}");
    }
}

#[test]
fn what_is_counted_is_rendered_by_result_and_reason() {
    let metrics = Metrics::new();
    metrics.reconciled("wrapped_gateway", "ReconciliationSucceeded", Duration::from_millis(20));
    metrics.reconciled("wrapped_gateway", "GatewaySyncFailed", Duration::from_millis(2));
    metrics.routes_known("HTTPRoute", 12);
    metrics.kind_served("Gateway", true);
    metrics.watch_begun("TCPRoute");
    metrics.watch_failed("TCPRoute");
    metrics.requested("patch", Some(409));
    metrics.requested("watch", None);
    metrics.gateway_written(Some(Duration::from_millis(30)));
    metrics.gateway_written(None);
    metrics.leads(true);
    assert_says(
        &metrics,
        &[
            r#"gateway_route_sync_reconciliations_total{controller="wrapped_gateway",reason="ReconciliationSucceeded",result="success"} 1"#,
            r#"gateway_route_sync_reconciliations_total{controller="wrapped_gateway",reason="GatewaySyncFailed",result="error"} 1"#,
            r#"gateway_route_sync_reconciliation_duration_seconds_count{controller="wrapped_gateway"} 2"#,
            r#"gateway_route_sync_routes{kind="HTTPRoute"} 12"#,
            r#"gateway_route_sync_kind_served{kind="Gateway"} 1"#,
            r#"gateway_route_sync_watch_errors_total{kind="TCPRoute"} 1"#,
            r#"gateway_route_sync_watch_restarts_total{kind="TCPRoute"} 0"#,
            r#"gateway_route_sync_api_requests_total{code="409",verb="patch"} 1"#,
            r#"gateway_route_sync_api_requests_total{code="error",verb="watch"} 1"#,
            "gateway_route_sync_gateway_writes_total 2",
            "gateway_route_sync_sync_latency_seconds_count 1",
            "gateway_route_sync_leader 1",
            concat!(r#"gateway_route_sync_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        ],
    );
}

#[test]
fn a_kind_that_is_gone_has_no_series() {
    let metrics = Metrics::new();
    metrics.routes_known("TCPRoute", 0);
    metrics.kind_gone("TCPRoute");
    metrics.kind_gone("UDPRoute");
    assert!(!metrics.render().contains("gateway_route_sync_routes{"));
}

#[test]
fn a_wrapped_gateway_that_is_gone_has_no_series_and_another_keeps_its_own() {
    let metrics = Metrics::new();
    for name in ["public", "private"] {
        let rejected = [("PortConflict".to_owned(), 2)].into();
        metrics.gateway_planned("infra", name, &GatewayNumbers { listeners: 3, routes: 5, rejected });
        metrics.gateway_ready("infra", name, true);
    }
    metrics.gateway_gone("infra", "public");
    metrics.gateway_gone("apps", "private");
    assert!(!metrics.render().contains("public"));
    assert_says(
        &metrics,
        &[
            r#"gateway_route_sync_wrapped_gateway_listeners{name="private",namespace="infra"} 3"#,
            r#"gateway_route_sync_wrapped_gateway_attached_routes{name="private",namespace="infra"} 5"#,
            r#"gateway_route_sync_wrapped_gateway_rejected_routes{name="private",namespace="infra",reason="PortConflict"} 2"#,
            r#"gateway_route_sync_wrapped_gateway_ready{name="private",namespace="infra"} 1"#,
        ],
    );
}

#[test]
fn a_reason_that_does_not_apply_any_more_goes_to_zero() {
    let metrics = Metrics::new();
    for reason in ["PortConflict", "PortRequired"] {
        let rejected = [(reason.to_owned(), 1)].into();
        metrics.gateway_planned("infra", "public", &GatewayNumbers { rejected, ..GatewayNumbers::default() });
    }
    let series = |reason: &str, routes: u32| {
        format!(
            "gateway_route_sync_wrapped_gateway_rejected_routes{{name=\"public\",namespace=\"infra\",reason=\"{reason}\"}} {routes}"
        )
    };
    assert_says(&metrics, &[&series("PortConflict", 0), &series("PortRequired", 1)]);
}

#[test]
fn a_metric_is_described_before_anything_is_counted() {
    let metrics = Metrics::new();
    let described = metrics.describe();
    let names: Vec<_> = described.iter().map(|family| family.name.as_str()).collect();
    assert!(names.contains(&"gateway_route_sync_api_requests_total"), "{names:?}");
    let rejected = described.iter().find(|family| family.name.ends_with("rejected_routes")).unwrap();
    assert_eq!((rejected.kind, rejected.labels.join(" ")), ("gauge", "namespace name reason".to_owned()));
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_is_measured() {
    assert!(Metrics::new().render().contains("process_resident_memory_bytes"));
}
