//! Small worlds: few names, few hostnames, few ports, so that everything meets everything.

use std::collections::BTreeMap;

use homelab_helper::api::{
    AllowedRoutes, HostnameGrant, HostnameOwnership, Listener, ListenerTemplate, ListenerTls, NamespacesFrom, Protocol,
    RouteGroupKind, RouteNamespaces, SecretReference, TemplateAllowedRoutes, TemplateProtocol, TemplateTls, TlsMode,
};
use homelab_helper::routes::{GatewayRef, ParentRef, Route, RouteKey, RouteKind, Wishes};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::jiff::Timestamp;
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::Step;

/// Every hostname that is one.
pub const HOSTNAMES: [&str; 7] = [
    "example.com",
    "*.example.com",
    "www.example.com",
    "*.www.example.com",
    "a.www.example.com",
    "example.org",
    "a-hostname-that-is-longer-than-a-listener-name-may-be.example.com",
];
const NAMES: [&str; 7] = ["front", "back", "http", "placeholder", "https-443-www-example-com", "tcp-53", "dotted.name"];
const PORTS: [u16; 4] = [80, 443, 8443, 53];

/// A step that leaves a world as large as a household's.
pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => route().prop_map(Step::Put),
        3 => (0..16_usize).prop_map(Step::Remove),
        2 => listener().prop_map(Step::PutStatic),
        1 => (0..16_usize).prop_map(Step::RemoveStatic),
        2 => listener().prop_map(Step::PutForeign),
        1 => (0..16_usize).prop_map(Step::RemoveForeign),
        1 => (0..16_usize).prop_map(Step::Hold),
        3 => (0..16_usize).prop_map(Step::Programmed),
        2 => template().prop_map(Step::Template),
        1 => any::<bool>().prop_map(Step::Redirect),
    ]
}

/// So many listeners of others that the limit is near; none in most worlds.
pub fn crowd() -> impl Strategy<Value = u16> {
    prop_oneof![9 => Just(0), 1 => near_the_limit()]
}

/// So many listeners of others that hardly any are left, or none.
pub fn near_the_limit() -> impl Strategy<Value = u16> {
    58..=64_u16
}

/// One of the crowd.
#[must_use]
pub fn one_of_the_crowd(nth: u16) -> Step {
    Step::PutForeign(Listener {
        name: format!("filler-{nth}"),
        hostname: None,
        port: 10_000 + nth,
        protocol: Protocol::Tcp,
        tls: None,
        allowed_routes: None,
    })
}

fn route() -> impl Strategy<Value = Route> {
    let hostnames = prop_oneof![
        9 => subsequence(HOSTNAMES.to_vec(), 1..=3).prop_shuffle(),
        1 => select(vec![vec![], vec!["192.0.2.1"], vec!["www.example.com", "Upper.example.com"]]),
    ];
    (key(), created(), vec(parent_ref(), 1..=2), hostnames, wishes()).prop_map(
        |(key, created, mut parent_refs, hostnames, wishes)| {
            // The Gateway API admits no two parentRefs of one Gateway unless both say a port or both a name, each its own.
            parent_refs.dedup_by(|a, b| {
                a.section_name.is_none() && a.port.is_none() || b.section_name.is_none() && b.port.is_none() || a == b
            });
            let hostnames = if key.kind.has_hostnames() { hostnames } else { Vec::new() };
            Route {
                key,
                uid: String::new(),
                created,
                parent_refs,
                hostnames: hostnames.into_iter().map(str::to_owned).collect(),
                wishes,
                relics: false,
                names: Box::default(),
            }
        },
    )
}

fn key() -> impl Strategy<Value = RouteKey> {
    (select(vec!["apps", "infra", "shop"]), select(vec!["a", "b", "c"]), select(RouteKind::ALL.to_vec()))
        .prop_map(|(namespace, name, kind)| RouteKey { namespace: namespace.to_owned(), name: name.to_owned(), kind })
}

/// Few times, so that ties are frequent.
fn created() -> impl Strategy<Value = Option<Timestamp>> {
    weighted(0.9, 1..=4_i64).prop_map(|day| day.map(|day| Timestamp::from_second(day * 86_400).unwrap()))
}

fn parent_ref() -> impl Strategy<Value = ParentRef> {
    let port =
        weighted(0.4, prop_oneof![12 => select(PORTS.to_vec()).prop_map(i32::from), 1 => select(vec![0, 65_536])]);
    (weighted(0.25, select(NAMES.to_vec())), port).prop_map(|(section_name, port)| ParentRef {
        gateway: GatewayRef { namespace: "infra".to_owned(), name: "web".to_owned() },
        section_name: section_name.map(str::to_owned),
        port,
    })
}

fn wishes() -> impl Strategy<Value = Wishes> {
    let ports = weighted(0.3, select(vec!["53", "443", "8443", "80, 8443", "443,53", "443,443", "443,", "0", "http"]));
    let protocol = weighted(0.15, select(vec!["HTTP", "HTTPS", "h2c"]));
    let tls_mode = weighted(0.2, select(vec!["Terminate", "Passthrough", "Passthrough", "none"]));
    let owned = |text: Option<&str>| text.map(str::to_owned);
    (ports, protocol, tls_mode).prop_map(move |(ports, protocol, tls_mode)| Wishes {
        ports: owned(ports),
        protocol: owned(protocol),
        tls_mode: owned(tls_mode),
        hostname: None,
    })
}

/// A listener that a person wrote, valid by itself.
fn listener() -> impl Strategy<Value = Listener> {
    let protocol =
        select(vec![Protocol::Http, Protocol::Https, Protocol::Https, Protocol::Tls, Protocol::Tcp, Protocol::Udp]);
    (select(NAMES.to_vec()), of(select(HOSTNAMES.to_vec())), select(PORTS.to_vec()), protocol, any::<bool>(), allowed())
        .prop_map(|(name, hostname, port, protocol, passthrough, allowed_routes)| {
            let mode = if passthrough && protocol == Protocol::Tls { TlsMode::Passthrough } else { TlsMode::Terminate };
            let certificate = SecretReference { name: "own".to_owned(), ..SecretReference::default() };
            let certificate_refs = if mode == TlsMode::Terminate { vec![certificate] } else { Vec::new() };
            let tls = ListenerTls { mode: Some(mode), certificate_refs, options: BTreeMap::new() };
            let has_hostname = matches!(protocol, Protocol::Http | Protocol::Https | Protocol::Tls);
            Listener {
                name: name.to_owned(),
                hostname: hostname.filter(|_| has_hostname).map(str::to_owned),
                port,
                tls: matches!(protocol, Protocol::Https | Protocol::Tls).then_some(tls),
                protocol,
                allowed_routes,
            }
        })
}

fn allowed() -> impl Strategy<Value = Option<AllowedRoutes>> {
    let kinds = prop_oneof![4 => Just(None), 1 => select(RouteKind::ALL.to_vec()).prop_map(Some)];
    of((of(namespaces()), kinds).prop_map(|(namespaces, kind)| AllowedRoutes {
        namespaces,
        kinds: kind.into_iter().map(|kind| RouteGroupKind { group: None, kind: kind.name().to_owned() }).collect(),
    }))
}

fn namespaces() -> impl Strategy<Value = RouteNamespaces> {
    let from = select(vec![NamespacesFrom::All, NamespacesFrom::All, NamespacesFrom::Same, NamespacesFrom::Selector]);
    (from, team()).prop_map(|(from, team)| RouteNamespaces {
        from: Some(from),
        selector: (from == NamespacesFrom::Selector).then_some(team),
    })
}

fn team() -> impl Strategy<Value = LabelSelector> {
    select(vec!["red", "blue"]).prop_map(|team| LabelSelector {
        match_labels: Some(BTreeMap::from([("team".to_owned(), team.to_owned())])),
        match_expressions: None,
    })
}

fn template() -> impl Strategy<Value = ListenerTemplate> {
    let protocol = select(vec![TemplateProtocol::Https, TemplateProtocol::Https, TemplateProtocol::Http]);
    let ownership = select(vec![HostnameOwnership::Namespace, HostnameOwnership::Shared]);
    let allowed = weighted(0.2, namespaces());
    let grants = weighted(0.2, vec(grant(), 1..=2));
    (of(select(PORTS.to_vec())), protocol, any::<bool>(), allowed, ownership, grants, weighted(0.3, 1..=3_u32))
        .prop_map(|(port, protocol, shares_certificate, namespaces, hostname_ownership, hostname_grants, quota)| {
            let certificate = SecretReference { name: "shared".to_owned(), ..SecretReference::default() };
            let tls = TemplateTls { certificate_refs: vec![certificate], options: BTreeMap::new() };
            ListenerTemplate {
                port,
                protocol,
                tls: (shares_certificate && protocol == TemplateProtocol::Https).then_some(tls),
                allowed_routes: namespaces.map(|namespaces| TemplateAllowedRoutes { namespaces: Some(namespaces) }),
                hostname_ownership,
                hostname_grants,
                max_listeners_per_namespace: quota,
            }
        })
}

fn grant() -> impl Strategy<Value = HostnameGrant> {
    let hostnames = subsequence(HOSTNAMES.to_vec(), 1..=2);
    (prop_oneof![team(), Just(LabelSelector::default())], hostnames).prop_map(|(namespaces, hostnames)| HostnameGrant {
        namespaces,
        hostnames: hostnames.into_iter().map(str::to_owned).collect(),
    })
}
