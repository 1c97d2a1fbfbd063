//! The programs: found, or built once and kept.

use std::path::PathBuf;

use controlplane::Result;
use controlplane::pinned::{Module, Pinned};

use crate::envoy;

/// The one program that is built of the Go module beside `src` of that name.
macro_rules! cached {
    ($folder:literal, $module:literal, $package:literal, $takes:literal, $source:expr) => {
        Module {
            folder: concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder),
            go_mod: include_str!(concat!("../", $folder, "/go.mod")),
            go_sum: include_str!(concat!("../", $folder, "/go.sum")),
            source: $source,
            main: $module,
            prefix: concat!($folder, "-"),
            linker_flags: |_| String::new(),
        }
        .cached(&Pinned { name: $folder, package: $package, module: $module, takes: $takes })
    };
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// All controllers of cert-manager, in the command of our own.
    pub cert_manager: PathBuf,
    /// Contour.
    pub contour: PathBuf,
    /// Envoy Gateway.
    pub envoy_gateway: PathBuf,
    /// Envoy.
    pub envoy: PathBuf,
    /// external-dns.
    pub external_dns: PathBuf,
    /// The ACME server.
    pub pebble: PathBuf,
}

impl Programs {
    /// Finds the programs, and builds those that are missing. The first time that takes about a quarter of an hour.
    ///
    /// # Errors
    /// When a program is neither there nor can be built.
    pub fn ensure() -> Result<Self> {
        Ok(Self {
            cert_manager: cached!(
                "cert-manager",
                "github.com/cert-manager/cert-manager",
                ".",
                "4 minutes",
                include_str!("../cert-manager/main.go")
            )?,
            contour: cached!(
                "contour",
                "github.com/projectcontour/contour",
                "github.com/projectcontour/contour/cmd/contour",
                "2 minutes",
                ""
            )?,
            envoy_gateway: cached!(
                "envoy-gateway",
                "github.com/envoyproxy/gateway",
                "github.com/envoyproxy/gateway/cmd/envoy-gateway",
                "6 minutes",
                ""
            )?,
            envoy: envoy::cached()?,
            external_dns: cached!(
                "external-dns",
                "sigs.k8s.io/external-dns",
                "sigs.k8s.io/external-dns",
                "3 minutes",
                ""
            )?,
            pebble: cached!(
                "pebble",
                "github.com/letsencrypt/pebble/v2",
                "github.com/letsencrypt/pebble/v2/cmd/pebble",
                "10 seconds",
                ""
            )?,
        })
    }
}
