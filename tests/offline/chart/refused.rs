use super::{Version, rendered, template};

/// What is set, and what has to be said of it.
const CASES: &[(&str, &[&str])] = &[
    ("deployment.replica=2", &["/deployment", "'replica'"]),
    ("replicas=2", &["'replicas'"]),
    ("image.tag=1.0.0", &["'image'"]),
    ("deployment.replicas=two", &["/deployment/replicas", "integer"]),
    ("deployment.replicas=-1", &["/deployment/replicas"]),
    ("deployment.image.repository=ghcr.io/a/b:1", &["/deployment/image/repository"]),
    ("deployment.image.digest=abc", &["/deployment/image/digest"]),
    ("deployment.image.pullPolicy=always", &["/deployment/image/pullPolicy", "Always"]),
    ("deployment.log.format=xml", &["/deployment/log/format", "json"]),
    ("deployment.ports.health=70000", &["/deployment/ports/health", "65,535"]),
    ("deployment.resources.limit.memory=1Gi", &["/deployment/resources", "'limit'"]),
    ("deployment.strategy.type=Rolling", &["/deployment/strategy/type", "RollingUpdate"]),
    ("deployment.podLabels.a=1", &["/deployment/podLabels/a", "string"]),
    ("crds.enabled=true", &["/crds", "'enabled'"]),
    ("crds.keep=maybe", &["/crds/keep", "boolean"]),
    ("admissionPolicy=warning", &["/admissionPolicy", "'warn'"]),
    ("podDisruptionBudget.maxUnavailable=half", &["/podDisruptionBudget/maxUnavailable"]),
    ("service.port=metrics", &["/service/port", "integer"]),
    ("serviceMonitor.interval=often", &["/serviceMonitor/interval"]),
    ("networkPolicy.apiServerPorts[0]=https", &["/networkPolicy/apiServerPorts/0"]),
    (
        "deployment.replicas=2,deployment.leaderElection=false",
        &["deployment.replicas is 2", "deployment.leaderElection is false", "Leave deployment.leaderElection out"],
    ),
    ("deployment.ports.health=8080", &["deployment.ports.health", "deployment.ports.metrics", "8080"]),
    ("serviceMonitor.enabled=true,service.enabled=false", &["nothing to scrape", "podMonitor"]),
    ("serviceMonitor.enabled=true,podMonitor.enabled=true", &["twice"]),
];

#[test]
fn values_that_make_no_sense_are_told_by_name() {
    for version in [Version::V4, Version::V3] {
        for (set, said) in CASES {
            let output = template(version, &["--set", set]);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{version:?} takes {set}");
            for words in *said {
                assert!(errors.contains(words), "{version:?} with {set} does not say {words}:\n{errors}");
            }
        }
    }
}

#[test]
fn a_chart_above_may_have_its_own_switches() {
    rendered(Version::V4, &["--set", "global.imageRegistry=registry.example.com,enabled=true"]);
}

#[test]
fn pods_replace_each_other_side_by_side_only_where_one_is_elected() {
    let strategy = |set: &str| {
        let deployment = rendered(Version::V4, &["--show-only", "templates/deployment.yaml", "--set", set]);
        let deployment = super::objects(&deployment).remove(0);
        let elected = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
            .as_array()
            .is_some_and(|arguments| arguments.iter().any(|argument| argument == "--leader-election=true"));
        (elected, deployment["spec"]["strategy"]["type"].as_str().unwrap_or_default().to_owned())
    };
    let (recreate, rolling) = ("Recreate".to_owned(), "RollingUpdate".to_owned());
    assert_eq!(strategy("deployment.replicas=1"), (false, recreate.clone()));
    assert_eq!(strategy("deployment.replicas=2"), (true, rolling.clone()));
    assert_eq!(strategy("deployment.leaderElection=true"), (true, rolling));
    assert_eq!(strategy("deployment.replicas=2,deployment.strategy.type=Recreate"), (true, recreate));
}
