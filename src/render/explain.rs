//! A plan for people: each listener, who asks for it and why it has its name; what is rejected, and what to do about it.

use std::fmt::{self, Write as _};

use super::{Planned, remarks};
use crate::api::Listener;
use crate::manifests::Manifests;
use crate::planner::claim::Slot;
use crate::planner::{LiveListener, Origin, PlannedListener, Served, name};
use crate::routes::Route;

/// Columns of a terminal that nobody has made larger.
const WIDTH: usize = 80;
/// Where the second column begins at most; a longer name has it on the next line.
const SECOND_COLUMN: usize = 42;

/// All that there is to say of a Gateway.
pub(super) fn explained(planned: &Planned<'_>, manifests: &Manifests) -> String {
    let mut page = Page(String::new());
    page.line(0, &format!("Gateway {} of class {}", planned.key, planned.wrapped.spec.gateway_class_name));
    if let Some(why) = &planned.left_alone {
        page.paragraph(2, &format!("left alone: {why}"));
        return page.0;
    }
    let live = manifests.gateways.get(planned.key).map(|existing| existing.live.as_slice()).unwrap_or_default();
    let view = View { planned, manifests, live };
    view.write_listeners(&mut page);
    view.write_removed(&mut page);
    let plan = &planned.plan;
    page.section("LEFT OUT", plan.problems.iter().map(|problem| (None::<&str>, problem)));
    let rejections = plan.rejections.iter();
    page.section(
        "REJECTED",
        rejections.map(|rejection| (Some(format!("{}: {}", rejection.route, rejection.reason)), &rejection.message)),
    );
    let warnings = plan.warnings.iter();
    page.section(
        "WARNED",
        warnings.map(|warning| {
            let route = warning.route.as_ref().map(|route| format!("{route}: ")).unwrap_or_default();
            (Some(format!("{route}{}", warning.reason)), &warning.message)
        }),
    );
    page.0
}

/// A plan beside what it was made from.
struct View<'a> {
    planned: &'a Planned<'a>,
    manifests: &'a Manifests,
    live: &'a [LiveListener],
}

impl View<'_> {
    fn write_listeners(&self, page: &mut Page) {
        let ours = &self.planned.plan.listeners;
        let is_ours = |name: &str| ours.iter().any(|planned| planned.listener.name == name);
        let others: Vec<&Listener> = self
            .live
            .iter()
            .filter(|live| !live.ours)
            .map(|live| &live.listener)
            .filter(|it| !is_ours(&it.name))
            .collect();
        let names = ours.iter().map(|planned| &planned.listener).chain(others.iter().copied());
        let longest = names.map(|listener| listener.name.len()).max().unwrap_or_default();
        let column = (longest + 2).clamp("LISTENER  ".len(), SECOND_COLUMN);
        page.blank();
        page.columns(column, "LISTENER", "SERVES");
        for planned in ours {
            self.write_listener(page, column, &planned.listener, &self.reason_of_name(planned));
        }
        for listener in others {
            self.write_listener(page, column, listener, "someone else's: not ours to change, and not printed");
        }
    }

    fn write_listener(&self, page: &mut Page, column: usize, listener: &Listener, reason_of_name: &str) {
        let slot = Slot::of(listener);
        page.columns(column, &listener.name, &slot.to_string());
        page.item("name", reason_of_name);
        let mut label = "for";
        for served in self.claims_of(listener) {
            let claim = if served.slot == slot { String::new() } else { format!(" ({})", served.slot) };
            page.item(label, &format!("{}{claim}", served.route));
            label = "";
        }
        if label == "for" {
            page.item(label, "no route");
        }
    }

    fn claims_of(&self, listener: &Listener) -> impl Iterator<Item = &Served> {
        self.planned.plan.served.iter().filter(|served| served.listener == listener.name)
    }

    fn reason_of_name(&self, planned: &PlannedListener) -> String {
        let name = &planned.listener.name;
        let live = self.live.iter().find(|live| live.ours && live.listener.name == *name);
        match planned.origin {
            Origin::Static => "static, from spec.listeners of the WrappedGateway".to_owned(),
            Origin::Redirect => "from spec.httpsRedirect of the WrappedGateway".to_owned(),
            Origin::Placeholder => "placeholder, because a Gateway may not be without listeners".to_owned(),
            Origin::Kept => {
                let manager = live.and_then(|live| live.held_by.as_deref()).unwrap_or("another");
                format!("existing, kept because field manager {manager} has fields of it")
            }
            Origin::Generated => {
                let slot = Slot::of(&planned.listener);
                let existing = live.is_some_and(|live| Slot::of(&live.listener) == slot);
                let wanted = self.first_to_want(&planned.listener).map(|route| format!("sectionName of {}", route.key));
                match (existing, wanted) {
                    (true, Some(wanted)) => format!("existing, and {wanted}"),
                    (true, None) => "existing".to_owned(),
                    (false, Some(wanted)) => wanted,
                    (false, None) if *name == name::listener(&slot) => "generated".to_owned(),
                    (false, None) => format!("generated, with a hash because {} is taken", name::listener(&slot)),
                }
            }
        }
    }

    /// Of the routes that the listener serves, the oldest one that names it.
    fn first_to_want(&self, listener: &Listener) -> Option<&Route> {
        let serves = |route: &&Route| self.claims_of(listener).any(|served| served.route == route.key);
        let names_it = |route: &&Route| {
            let mut parents = route.parent_refs.iter().filter(|parent| parent.gateway == *self.planned.key);
            parents.any(|parent| parent.section_name.as_ref() == Some(&listener.name))
        };
        let routes = self.manifests.routes.iter().map(AsRef::as_ref).filter(names_it).filter(serves);
        routes.min_by_key(|route| (route.created.is_none(), route.created, &route.key))
    }

    fn write_removed(&self, page: &mut Page) {
        let is_planned = |name: &str| self.planned.plan.listeners.iter().any(|planned| planned.listener.name == name);
        let gone = self.live.iter().filter(|live| live.ours && !is_planned(&live.listener.name));
        page.section(
            "REMOVED",
            gone.map(|live| {
                let listener = &live.listener;
                (None::<&str>, format!("{} ({}): no route is served by it any more", listener.name, Slot::of(listener)))
            }),
        );
    }
}

/// Text that grows by lines.
struct Page(String);

impl Page {
    fn line(&mut self, indent: usize, text: &str) {
        let _ = writeln!(self.0, "{:indent$}{}", "", remarks::line(text));
    }

    fn blank(&mut self) {
        self.0.push('\n');
    }

    fn columns(&mut self, column: usize, first: &str, second: &str) {
        if first.len() + 2 > column {
            self.line(0, first);
            self.line(column, second);
        } else {
            self.line(0, &format!("{first:column$}{second}"));
        }
    }

    fn item(&mut self, label: &str, text: &str) {
        self.line(2, &format!("{label:6}{text}"));
    }

    /// A heading and its items, each with a title or without; nothing where there are no items.
    fn section<T: fmt::Display, M: fmt::Display>(
        &mut self,
        heading: &str,
        items: impl Iterator<Item = (Option<T>, M)>,
    ) {
        for (place, (title, message)) in items.enumerate() {
            if place == 0 {
                self.blank();
                self.line(0, heading);
            }
            if let Some(title) = &title {
                self.line(2, &title.to_string());
            }
            self.paragraph(if title.is_some() { 4 } else { 2 }, &message.to_string());
        }
    }

    /// A text, broken between words so that it fits.
    fn paragraph(&mut self, indent: usize, text: &str) {
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(indent, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(indent, &line);
    }
}
