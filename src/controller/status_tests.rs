use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::json;

use super::*;
use crate::planner::{Reason, Rejection, Warning, WarningReason};
use crate::routes::RouteKind;

fn at(second: i64) -> Moment {
    Moment { generation: Some(1), now: Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap()), notice: None }
}

fn route(name: &str) -> RouteKey {
    RouteKey { namespace: "apps".to_owned(), name: name.to_owned(), kind: RouteKind::Http }
}

fn rejection(name: &str) -> Rejection {
    Rejection { route: route(name), reason: Reason::HostnameOwned, message: "No.".to_owned() }
}

fn outcome(plan: Plan) -> Outcome {
    let gateway = json!({
        "spec": { "listeners": [{ "name": "a" }, { "name": "b" }] },
        "status": { "addresses": [{ "value": "10.0.0.1" }] },
    });
    Outcome { plan, routes: 7, before: Vec::new(), gateway, written: false, adopted: false, beside: None }
}

fn after(plan: Plan) -> WrappedGatewayStatus {
    status(&WrappedGatewayStatus::default(), &at(0), Ok(&outcome(plan)))
}

fn ready(status: &WrappedGatewayStatus) -> (&str, &str, &str) {
    let condition = &status.conditions[0];
    assert_eq!(condition.type_, "Ready");
    (&condition.status, &condition.reason, &condition.message)
}

#[test]
fn what_there_is_is_counted() {
    let status = after(Plan::default());
    assert_eq!((status.listeners, status.routes, status.address.as_deref()), (2, 7, Some("10.0.0.1")));
    assert_eq!(
        ready(&status),
        ("True", "ReconciliationSucceeded", "The Gateway has 2 listeners, for 7 attached routes.")
    );
}

#[test]
fn rejected_routes_are_counted_once_and_listed_up_to_a_limit() {
    let mut rejections: Vec<Rejection> = (0..40).map(|index| rejection(&format!("r{index:02}"))).collect();
    rejections.insert(1, rejection("r00"));
    let status = after(Plan { rejections, ..Plan::default() });
    assert_eq!((status.rejected, status.rejected_routes.len()), (40, 32));
}

#[test]
fn what_no_route_can_mend_makes_it_unready() {
    let problems = vec!["Listener a is static and foreign.".to_owned()];
    let status = after(Plan { problems, ..Plan::default() });
    assert_eq!(ready(&status), ("False", "GatewaySyncFailed", "Listener a is static and foreign."));
}

#[test]
fn a_warning_of_the_owner_stands_beside_ready() {
    let warning = Warning { route: None, reason: WarningReason::ListenerHeld, message: "kay holds a.".to_owned() };
    let status = after(Plan { warnings: vec![warning], ..Plan::default() });
    assert_eq!(ready(&status).0, "True");
    assert!(ready(&status).2.ends_with(" ListenerHeld: kay holds a."));
}

#[test]
fn a_gateway_status_that_makes_no_sense_is_a_failure_of_its_own() {
    let mut outcome = outcome(Plan::default());
    outcome.gateway["status"] = json!({ "conditions": "none" });
    let status = status(&WrappedGatewayStatus::default(), &at(0), Ok(&outcome));
    assert_eq!(ready(&status).1, "GatewayStatusFailed");
}

#[test]
fn a_failure_leaves_what_it_did_not_find_out() {
    let before = after(Plan { rejections: vec![rejection("a")], ..Plan::default() });
    let status = status(&before, &at(1), Err(&Error::Routes("HTTPRoute: forbidden".to_owned())));
    assert_eq!((status.listeners, status.rejected), (2, 1));
    assert_eq!(
        ready(&status),
        ("False", "RoutesFetchFailed", "Routes cannot be listed, so nothing is changed: HTTPRoute: forbidden")
    );
    let types: Vec<_> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
    assert_eq!(types, ["Ready", "RoutesAccepted", "Programmed"]);
}

#[test]
fn a_status_is_written_when_it_says_something_or_a_sign_of_life_is_due() {
    let say = |second, plan: Plan, before: &WrappedGatewayStatus| status(before, &at(second), Ok(&outcome(plan)));
    let before = after(Plan::default());
    assert!(is_due(&WrappedGatewayStatus::default(), &before));
    assert!(!is_due(&before, &say(599, Plan::default(), &before)));
    assert!(is_due(&before, &say(600, Plan::default(), &before)));
    assert!(is_due(&before, &say(1, Plan { rejections: vec![rejection("a")], ..Plan::default() }, &before)));
}

#[test]
fn how_many_routes_and_listeners_there_are_is_a_count_and_all_else_is_more() {
    let before = after(Plan::default());
    let moment = at(9);
    let mut grown = outcome(Plan::default());
    grown.routes = 8;
    grown.gateway["spec"]["listeners"] = json!([{ "name": "a" }]);
    assert!(is_count(&before, &status(&before, &moment, Ok(&grown))));
    let rejecting = Plan { rejections: vec![rejection("r")], ..Plan::default() };
    let unready = Plan { problems: vec!["No.".to_owned()], ..Plan::default() };
    for more in [rejecting, unready] {
        assert!(!is_count(&before, &status(&before, &moment, Ok(&outcome(more)))));
    }
    assert!(!is_count(&WrappedGatewayStatus::default(), &before));
    let mut moved = outcome(Plan::default());
    moved.gateway["status"]["addresses"][0]["value"] = json!("10.0.0.2");
    assert!(!is_count(&before, &status(&before, &moment, Ok(&moved))));
}

#[test]
fn conditions_of_others_and_their_order_are_no_reason_to_write() {
    let after = after(Plan::default());
    let mut stored = after.clone();
    stored.conditions.reverse();
    let foreign = Condition { type_: "Tested".to_owned(), ..stored.conditions[0].clone() };
    stored.conditions.insert(0, foreign);
    assert!(!is_due(&stored, &after));
    let failed = status(&stored, &at(1), Err(&Error::Contended("Fought over.")));
    assert!(failed.conditions.iter().all(|condition| condition.type_ != "Tested"), "{:#?}", failed.conditions);
}

#[test]
fn each_route_is_told_all_that_the_plan_says_of_it() {
    let warning = |route| Warning { route, reason: WarningReason::SharedPort, message: String::new() };
    let verdicts = verdicts(&Plan {
        rejections: vec![rejection("a"), rejection("a"), rejection("b")],
        warnings: vec![warning(None), warning(Some(route("a")))],
        ..Plan::default()
    });
    let of = |name: &str| verdicts[&route(name)].iter().map(|verdict| verdict.kind).collect::<Vec<_>>();
    assert_eq!(of("a"), [VerdictKind::Rejected, VerdictKind::Rejected, VerdictKind::Warned]);
    assert_eq!(of("b"), [VerdictKind::Rejected]);
    assert_eq!(verdicts.len(), 2);
}
