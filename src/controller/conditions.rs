//! The conditions of a WrappedGateway, each with a named constructor.

use std::fmt::Write as _;
use std::iter;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::error::{Error, reason};
use super::mirror::GatewayStatus;
use crate::planner::{Plan, Rejection, Warning};

/// What a condition's message may have, by the definition of every condition in Kubernetes.
const LONGEST_MESSAGE: usize = 32768;
/// How many rejections `RoutesAccepted` names; `status.rejectedRoutes` has more of them.
const NAMED_REJECTIONS: usize = 3;

/// When, and of which generation, conditions speak.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The WrappedGateway's generation.
    pub generation: Option<i64>,
    /// The time.
    pub now: Time,
    /// What the owner ought to know besides, whether the Gateway is as it should be or not.
    pub notice: Option<String>,
}

impl Moment {
    /// `Ready`: the Gateway is as planned. What the WrappedGateway's owner is warned of is said beside it.
    #[must_use]
    pub fn ready(&self, listeners: usize, routes: usize, warnings: &[Warning]) -> Condition {
        let mut message =
            format!("The Gateway has {}, for {}.", counted(listeners, "listener"), counted(routes, "attached route"));
        message += &for_the_owner(warnings);
        self.condition("Ready", "True", reason::SUCCEEDED, &message)
    }

    /// `Ready`: the Gateway is as planned, and yet not as the WrappedGateway says.
    #[must_use]
    pub fn planned_with_problems(&self, problems: &[String], warnings: &[Warning]) -> Condition {
        let message = problems.join(" ") + &for_the_owner(warnings);
        self.condition("Ready", "False", reason::GATEWAY_SYNC_FAILED, &message)
    }

    /// `Ready`: it could not be done.
    #[must_use]
    pub fn failed(&self, error: &Error) -> Condition {
        self.condition("Ready", "False", error.category(), &capitalized(&error.explain()))
    }

    /// `RoutesAccepted`: whether each claim of each route has its listener.
    #[must_use]
    pub fn routes_accepted(&self, plan: &Plan) -> Condition {
        if plan.rejections.is_empty() {
            return self.condition(
                "RoutesAccepted",
                "True",
                "RoutesAccepted",
                "Every attached route has what it asks for.",
            );
        }
        self.condition("RoutesAccepted", "False", "RoutesRejected", &first_few(&plan.rejections))
    }

    /// `Programmed`: what the data plane says of the Gateway.
    #[must_use]
    pub fn programmed(&self, gateway: &GatewayStatus) -> Condition {
        let Some(programmed) = gateway.programmed() else {
            return self.condition("Programmed", "Unknown", "Pending", &gateway.untouched());
        };
        let unhealthy = gateway.first_unhealthy();
        let (reason, message) = match &unhealthy {
            Some((listener, condition)) => {
                (condition.reason.as_str(), format!("Listener {listener}: {}", condition.message))
            }
            None => (programmed.reason.as_str(), programmed.message.clone()),
        };
        self.condition("Programmed", &programmed.status, reason, &message)
    }

    /// `Programmed`: there is no Gateway yet, or none of ours.
    #[must_use]
    pub fn not_yet_programmed(&self) -> Condition {
        self.condition("Programmed", "Unknown", "Pending", "No data plane has said anything about the Gateway yet.")
    }

    fn condition(&self, type_: &str, status: &str, reason: &str, message: &str) -> Condition {
        let notice = self.notice.iter().filter(|_| type_ == "Ready").flat_map(|notice| [" ", notice]);
        let message = iter::once(message).chain(notice).flat_map(str::chars);
        Condition {
            type_: type_.to_owned(),
            status: if ["True", "False"].contains(&status) { status } else { "Unknown" }.to_owned(),
            reason: if reason.is_empty() { "Unknown" } else { reason }.to_owned(),
            message: message.take(LONGEST_MESSAGE).collect(),
            observed_generation: self.generation,
            last_transition_time: self.now.clone(),
        }
    }
}

/// What the WrappedGateway's owner is warned of, as sentences that follow others.
fn for_the_owner(warnings: &[Warning]) -> String {
    let for_the_owner = warnings.iter().filter(|warning| warning.route.is_none());
    for_the_owner.map(|warning| sentence(&format!(" {}: {}", warning.reason, warning.message))).collect()
}

/// With a full stop, because another sentence may follow.
fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

/// The condition with the time since when it has had its status, if it had that status before.
#[must_use]
pub fn since(before: &[Condition], mut condition: Condition) -> Condition {
    let former = before.iter().find(|former| former.type_ == condition.type_);
    if let Some(former) = former.filter(|former| former.status == condition.status) {
        condition.last_transition_time = former.last_transition_time.clone();
    }
    condition
}

fn first_few(rejections: &[Rejection]) -> String {
    let mut message = String::new();
    for rejection in rejections.iter().take(NAMED_REJECTIONS) {
        let separator = if message.is_empty() { "" } else { " " };
        let why = sentence(&rejection.message);
        let _ = write!(message, "{separator}{}: {}: {why}", rejection.route, rejection.reason);
    }
    if let Some(more) = rejections.len().checked_sub(NAMED_REJECTIONS).filter(|more| *more > 0) {
        let _ = write!(message, " And {more} more: see status.rejectedRoutes.");
    }
    message
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::planner::Reason;
    use crate::routes::{RouteKey, RouteKind};

    fn at(second: i64) -> Moment {
        let now = Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap());
        Moment { generation: Some(3), now, notice: None }
    }

    fn rejections(number: usize) -> Plan {
        let rejection = |index| Rejection {
            route: RouteKey { namespace: "apps".to_owned(), name: format!("r{index}"), kind: RouteKind::Tcp },
            reason: Reason::PortConflict,
            message: format!("Port {index} is taken."),
        };
        Plan { rejections: (0..number).map(rejection).collect(), ..Plan::default() }
    }

    #[test]
    fn a_condition_says_since_when_it_has_its_status() {
        let before = [at(1).routes_accepted(&rejections(1))];
        let same = since(&before, at(2).routes_accepted(&rejections(2)));
        assert_eq!(same.last_transition_time, at(1).now);
        let flipped = since(&before, at(2).routes_accepted(&rejections(0)));
        assert_eq!(flipped.last_transition_time, at(2).now);
    }

    #[test]
    fn the_first_few_rejections_are_named() {
        let condition = at(0).routes_accepted(&rejections(5));
        assert_eq!(
            (condition.status.as_str(), condition.reason.as_str(), condition.message.as_str()),
            (
                "False",
                "RoutesRejected",
                "TCPRoute apps/r0: PortConflict: Port 0 is taken. TCPRoute apps/r1: PortConflict: Port 1 is taken. \
                 TCPRoute apps/r2: PortConflict: Port 2 is taken. And 2 more: see status.rejectedRoutes."
            )
        );
    }

    #[test]
    fn a_notice_is_given_whether_it_is_ready_or_not() {
        let moment = Moment { notice: Some("By the way.".to_owned()), ..at(0) };
        let error = Error::Refused("No.".to_owned());
        assert_eq!(moment.failed(&error).message, "No. By the way.");
        assert!(moment.ready(1, 1, &[]).message.ends_with(", for 1 attached route. By the way."));
        assert!(!moment.routes_accepted(&Plan::default()).message.contains("By the way."));
    }

    #[test]
    fn a_message_is_cut_where_the_schema_ends_it() {
        let error = Error::Refused("é".repeat(LONGEST_MESSAGE + 1));
        assert_eq!(at(0).failed(&error).message.chars().count(), LONGEST_MESSAGE);
    }

    fn programmed(status: &str, listener: &str) -> (String, String, String) {
        let said = |status: &str, reason: &str| json!([{ "type": "Programmed", "status": status, "reason": reason, "message": format!("It is {reason}.") }]);
        let gateway = json!({
            "spec": { "listeners": [{ "name": "a" }] },
            "status": {
                "conditions": said(status, "Whole"),
                "listeners": [{ "name": "a", "conditions": said(listener, "Part") }],
            },
        });
        let condition = at(0).programmed(&GatewayStatus::read(&gateway).unwrap());
        (condition.status, condition.reason, condition.message)
    }

    #[test]
    fn programmed_is_mirrored_and_tells_of_the_first_unhealthy_listener() {
        let expected = |status: &str, reason: &str, message: &str| (status.into(), reason.into(), message.into());
        assert_eq!(programmed("True", "True"), expected("True", "Whole", "It is Whole."));
        assert_eq!(programmed("False", "True"), expected("False", "Whole", "It is Whole."));
        assert_eq!(programmed("True", "False"), expected("True", "Part", "Listener a: It is Part."));
    }

    #[test]
    fn a_gateway_that_nobody_looked_at_is_not_known_to_be_programmed() {
        assert_eq!(at(0).programmed(&GatewayStatus::default()).status, "Unknown");
    }
}
