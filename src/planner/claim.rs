//! What each parentRef of a route asks for.

use std::fmt;
use std::sync::Arc;

use super::admit;
use super::fixed::Fixed;
use super::hostname::Hostname;
use super::mode::Mode;
use super::refusal::{self, Refusal};
use super::verdict::{Reason, Verdicts};
use super::{Input, MAX_LISTENERS};
use crate::api::{Listener, Protocol, TemplateProtocol, TlsMode, annotation};
use crate::routes::{ParentRef, Route, RouteKind};

/// What a listener is for. Claims of the same slot are served by the same listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The port.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Who ends TLS; none where there is none.
    pub tls: Option<TlsMode>,
    /// None: the listener has no hostname.
    pub hostname: Option<Hostname>,
}

impl Slot {
    /// The slot that a listener fills.
    #[must_use]
    pub fn of(listener: &Listener) -> Self {
        Self {
            port: listener.port,
            protocol: listener.protocol.clone(),
            tls: listener.tls_mode(),
            hostname: listener.hostname.as_deref().filter(|host| !host.is_empty()).map(Hostname::of_listener),
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol, self.port)?;
        if let Some(hostname) = &self.hostname {
            write!(f, " {hostname}")?;
        }
        if self.tls == Some(TlsMode::Passthrough) { f.write_str(" (Passthrough)") } else { Ok(()) }
    }
}

/// One listener that a route asks for.
#[derive(Clone, Debug)]
pub(super) struct Claim<'a> {
    /// Who asks.
    pub route: &'a Route,
    /// The place of its route by age.
    pub rank: usize,
    /// How many claims the route has before this one, in the order of its manifest.
    pub order: usize,
    /// What for.
    pub slot: Slot,
    /// The name that the listener shall have; none: any.
    pub wants: Option<&'a str>,
    /// Name of the fixed listener that serves it, or will where its own is there and stays until that one is programmed.
    pub covered_by: Option<&'a str>,
}

/// The age of a claim: who asked first comes first. No two claims have the same.
pub(super) type Age = (usize, usize);

impl Claim<'_> {
    /// How old it is.
    pub fn age(&self) -> Age {
        (self.rank, self.order)
    }
}

/// Routes, the oldest first. One that no server has seen is younger than all others.
pub(super) fn by_age(routes: &[Arc<Route>]) -> Vec<&Route> {
    let mut routes: Vec<&Route> = routes.iter().map(AsRef::as_ref).collect();
    routes.sort_by_key(|route| (route.created.is_none(), route.created, &route.key));
    routes
}

/// Collects what a route, which has that place by age, asks of the planned Gateway. What needs no comparison with other
/// claims is judged at once.
pub(super) fn collect<'a>(
    (rank, route): (usize, &'a Route),
    input: &Input<'_>,
    fixed: &Fixed,
    verdicts: &mut Verdicts<'a>,
) -> Vec<Claim<'a>> {
    let mut claims = Vec::new();
    let (mut order, mut tally) = (0, 0);
    for parent in route.parent_refs.iter().filter(|parent| parent.gateway == *input.gateway) {
        if tally > MAX_LISTENERS {
            break;
        }
        let mut asked = Asked { route, rank, parent, input, verdicts, order: &mut order, tally: &mut tally };
        let found = match parent.section_name.as_deref().and_then(|name| fixed.named(name)) {
            Some(listener) => {
                asked.of_fixed(listener);
                Vec::new()
            }
            None => asked.of_generated(),
        };
        claims.extend(found);
    }
    claims
}

/// One parentRef under judgement.
struct Asked<'r, 'a, 'i> {
    route: &'a Route,
    rank: usize,
    parent: &'a ParentRef,
    input: &'r Input<'i>,
    verdicts: &'r mut Verdicts<'a>,
    /// How many claims the route has so far.
    order: &'r mut usize,
    /// What it has asked for so far, whatever became of that.
    tally: &'r mut usize,
}

impl<'a> Asked<'_, 'a, '_> {
    /// Whether the route may ask for one more listener. A few words in its manifest may ask for thousands, each of which
    /// would take everybody's time; where it has asked for as many as a Gateway may have, that is said once.
    fn may_ask(&mut self) -> bool {
        *self.tally += 1;
        if *self.tally == MAX_LISTENERS + 1 {
            self.verdicts.reject(self.route, *self.order, refusal::asks_too_much());
        }
        *self.tally <= MAX_LISTENERS
    }

    /// What is judged at once is kept before the claim of the same order, which is judged later.
    fn reject(&mut self, refusal: Refusal) {
        if self.may_ask() {
            self.verdicts.reject(self.route, *self.order, refusal);
        }
    }

    /// The parentRef names a listener that is not generated: the route uses that one if it fits.
    fn of_fixed(&mut self, listener: &Listener) {
        let slot = Slot::of(listener);
        let written = self.ports().and_then(|ports| Ok((ports, self.mode_written()?)));
        let (ports, mode) = match written {
            Ok(written) => written,
            Err(refusal) => return self.reject(refusal),
        };
        let kind = self.route.key.kind;
        let misfit = if !kind.fits(&listener.protocol) {
            Some(format!("no {kind} can attach to it"))
        } else if ports.is_some_and(|ports| !ports.contains(&listener.port)) {
            Some("the route asks for another port".to_owned())
        } else if mode.is_some_and(|mode| !mode.fits(&slot)) {
            Some("the route's annotation asks for another protocol or TLS mode".to_owned())
        } else {
            None
        };
        if let Some(misfit) = misfit {
            return self.reject(refusal::section_misfit(&listener.name, &slot, misfit));
        }
        if !admit::listener_admits(listener, &self.route.key, self.input) {
            return self.reject(refusal::not_admitted(listener, self.route));
        }
        self.serve_by_fixed(listener, &slot);
    }

    fn serve_by_fixed(&mut self, listener: &Listener, slot: &Slot) {
        if !self.route.key.kind.has_hostnames() || self.route.hostnames.is_empty() {
            return self.serve(slot.clone(), &listener.name);
        }
        for hostname in self.hostnames() {
            if slot.hostname.as_ref().is_none_or(|of_listener| of_listener.overlaps(&hostname)) {
                self.serve(Slot { hostname: Some(hostname), ..slot.clone() }, &listener.name);
            } else {
                let misfit = format!("does not serve {hostname}");
                self.reject(refusal::section_misfit(&listener.name, slot, misfit));
            }
        }
    }

    fn serve(&mut self, slot: Slot, listener: &str) {
        if self.may_ask() {
            self.verdicts.serve(self.route, *self.order, slot, listener);
        }
    }

    /// The parentRef asks for listeners of its own: one for each port and hostname.
    fn of_generated(&mut self) -> Vec<Claim<'a>> {
        let asked = self.ports().and_then(|ports| Ok((self.ports_or_default(ports)?, self.mode_written()?)));
        let (ports, mode) = match asked {
            Ok(asked) => asked,
            Err(refusal) => {
                self.reject(refusal);
                return Vec::new();
            }
        };
        let Some(hostnames) = self.hostnames_required() else { return Vec::new() };
        let mut claims: Vec<Claim<'a>> = Vec::new();
        for hostname in hostnames {
            for &port in &ports {
                if *self.tally > MAX_LISTENERS {
                    return claims;
                }
                let slot = self.slot(port, mode, hostname.clone());
                self.claim(slot, &mut claims);
            }
        }
        claims
    }

    /// One name can stand for one listener: the first claim gets it.
    fn claim(&mut self, slot: Slot, claims: &mut Vec<Claim<'a>>) {
        let wants = self.parent.section_name.as_deref();
        if let (Some(name), Some(first)) = (wants, claims.first()) {
            return self.reject(refusal::section_name_too_narrow(&slot, name, &first.slot));
        }
        if self.may_ask() {
            let (route, rank, order) = (self.route, self.rank, *self.order);
            claims.push(Claim { route, rank, order, slot, wants, covered_by: None });
            *self.order += 1;
        }
    }

    fn slot(&self, port: u16, mode: Option<Mode>, hostname: Option<Hostname>) -> Slot {
        let (protocol, tls) = match (self.route.key.kind, mode) {
            (RouteKind::Tcp, _) => (Protocol::Tcp, None),
            (RouteKind::Udp, _) => (Protocol::Udp, None),
            (RouteKind::Tls, Some(Mode::Passthrough)) => (Protocol::Tls, Some(TlsMode::Passthrough)),
            (RouteKind::Tls, _) => (Protocol::Tls, Some(TlsMode::Terminate)),
            (RouteKind::Http | RouteKind::Grpc, Some(Mode::Http)) => (Protocol::Http, None),
            (RouteKind::Http | RouteKind::Grpc, Some(_)) => (Protocol::Https, Some(TlsMode::Terminate)),
            (RouteKind::Http | RouteKind::Grpc, None) => {
                let plain = port == 80 || template_protocol(self.input) == TemplateProtocol::Http;
                if plain { (Protocol::Http, None) } else { (Protocol::Https, Some(TlsMode::Terminate)) }
            }
        };
        Slot { port, protocol, tls, hostname }
    }

    /// The ports that the parentRef or the annotation says; none where neither does.
    fn ports(&self) -> Result<Option<Vec<u16>>, Refusal> {
        if let Some(port) = self.parent.port {
            let port = u16::try_from(port).ok().filter(|port| *port > 0);
            return port.map(|port| Some(vec![port])).ok_or_else(refusal::parent_port);
        }
        let Some(written) = &self.route.wishes.ports else { return Ok(None) };
        if written.split(',').nth(MAX_LISTENERS).is_some() {
            return Err(refusal::too_many_ports(written));
        }
        let mut ports = Vec::new();
        for entry in written.split(',').map(str::trim) {
            let port = entry.parse().ok().filter(|port| *port > 0 && entry.bytes().all(|byte| byte.is_ascii_digit()));
            let port = port.ok_or_else(|| refusal::annotated_port(written, entry))?;
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        Ok(Some(ports))
    }

    fn ports_or_default(&self, ports: Option<Vec<u16>>) -> Result<Vec<u16>, Refusal> {
        let kind = self.route.key.kind;
        match ports {
            Some(ports) => Ok(ports),
            None if kind.has_hostnames() => Ok(vec![template_port(self.input)]),
            None => Err(refusal::port_required(kind)),
        }
    }

    /// What the annotation for this kind of route says of protocol or TLS mode; none where there is no annotation.
    fn mode_written(&self) -> Result<Option<Mode>, Refusal> {
        let wishes = &self.route.wishes;
        let (key, value, known, reason) = match self.route.key.kind {
            RouteKind::Http | RouteKind::Grpc => {
                (annotation::PROTOCOL, &wishes.protocol, [Mode::Http, Mode::Https], Reason::InvalidProtocol)
            }
            RouteKind::Tls => {
                (annotation::TLS_MODE, &wishes.tls_mode, [Mode::Terminate, Mode::Passthrough], Reason::InvalidTlsMode)
            }
            RouteKind::Tcp | RouteKind::Udp => return Ok(None),
        };
        let Some(value) = value else { return Ok(None) };
        let found = known.into_iter().find(|mode| mode.name().eq_ignore_ascii_case(value.trim()));
        found.map(Some).ok_or_else(|| refusal::unknown_mode(reason, key, value, known.map(Mode::name)))
    }

    /// Each valid hostname once; one none where the kind knows no hostnames; nothing where one is required.
    fn hostnames_required(&mut self) -> Option<Vec<Option<Hostname>>> {
        let kind = self.route.key.kind;
        if !kind.has_hostnames() {
            return Some(vec![None]);
        }
        if self.route.hostnames.is_empty() {
            self.reject(refusal::hostname_required(kind));
            return None;
        }
        Some(self.hostnames().into_iter().map(Some).collect())
    }

    fn hostnames(&mut self) -> Vec<Hostname> {
        let mut good: Vec<Hostname> = Vec::new();
        for (position, written) in self.route.hostnames.iter().enumerate() {
            if self.route.hostnames[..position].contains(written) {
                continue;
            }
            match Hostname::parse(written) {
                Ok(hostname) => good.push(hostname),
                Err(problem) => self.reject(refusal::invalid_hostname(written, problem)),
            }
        }
        good
    }
}

/// What the template says of the protocol of HTTPRoutes and GRPCRoutes.
pub(super) fn template_protocol(input: &Input<'_>) -> TemplateProtocol {
    input.spec.listener_template.as_ref().map_or(TemplateProtocol::Https, |template| template.protocol)
}

fn template_port(input: &Input<'_>) -> u16 {
    let written = input.spec.listener_template.as_ref().and_then(|template| template.port);
    written.unwrap_or(match template_protocol(input) {
        TemplateProtocol::Https => 443,
        TemplateProtocol::Http => 80,
    })
}
