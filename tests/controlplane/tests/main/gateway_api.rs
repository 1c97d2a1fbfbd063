use controlplane::{Channel, ControlPlane, Error, GatewayApi, Version};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

/// The kinds of the standard channel that came after 1.4, with the release that made them standard.
const NEW_IN: [(&str, Version); 4] = [
    ("tlsroutes", Version::V1_5_1),
    ("listenersets", Version::V1_5_1),
    ("tcproutes", Version::V1_6_1),
    ("udproutes", Version::V1_6_1),
];

#[tokio::test]
async fn every_release_and_channel_can_be_installed_and_removed() -> Result<(), Error> {
    let control_plane = ControlPlane::start().await?;
    let crds: Api<CustomResourceDefinition> = Api::all(control_plane.client()?);
    let installed = async || crds.list(&ListParams::default()).await.expect("CRDs can be listed").items;
    for gateway_api in GatewayApi::all() {
        control_plane.install(gateway_api).await?;
        let plurals: Vec<_> = installed().await.into_iter().map(|crd| crd.spec.names.plural).collect();
        let expected = ["gateways", "httproutes", "grpcroutes"].into_iter();
        let expected =
            expected.chain(NEW_IN.iter().filter(|(_, since)| *since <= gateway_api.version).map(|(kind, _)| *kind));
        for kind in expected {
            assert!(plurals.iter().any(|plural| plural == kind), "{gateway_api} lacks {kind}: {plurals:?}");
        }
        control_plane.uninstall(gateway_api).await?;
        let left: Vec<_> = installed().await.iter().map(ResourceExt::name_any).collect();
        assert!(left.is_empty(), "{gateway_api} leaves {left:?} behind");
    }
    Ok(())
}

#[tokio::test]
async fn a_newer_release_can_be_installed_over_an_older_one() -> Result<(), Error> {
    let control_plane = ControlPlane::start().await?;
    let standard = |version| GatewayApi { version, channel: Channel::Standard };
    for version in Version::ALL {
        control_plane.install(standard(version)).await?;
    }
    let crds: Api<CustomResourceDefinition> = Api::all(control_plane.client()?);
    let gateways = crds.get("gateways.gateway.networking.k8s.io").await.expect("Gateways are there");
    let release = gateways.annotations().get("gateway.networking.k8s.io/bundle-version").map(String::as_str);
    assert_eq!(release, Some(Version::NEWEST.tag()));
    Ok(())
}
