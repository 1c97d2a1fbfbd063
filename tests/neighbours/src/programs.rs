//! The programs: found, or built once and kept.

use std::path::PathBuf;

use controlplane::Result;
use controlplane::pinned::{Module, Pinned};

use crate::envoy;

/// A Go module beside `src`, of that name, and the one program that is built of it.
macro_rules! program {
    ($folder:literal, $module:literal, $package:literal, $takes:literal, $source:expr) => {
        (
            Module {
                folder: concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder),
                go_mod: include_str!(concat!("../", $folder, "/go.mod")),
                go_sum: include_str!(concat!("../", $folder, "/go.sum")),
                source: $source,
                main: $module,
                prefix: concat!($folder, "-"),
                linker_flags: |_| String::new(),
            },
            Pinned { name: $folder, package: $package, module: $module, takes: $takes },
        )
    };
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// All controllers of cert-manager, in the command of our own.
    pub cert_manager: PathBuf,
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
        let (module, program) = program!(
            "cert-manager",
            "github.com/cert-manager/cert-manager",
            ".",
            "4 minutes",
            include_str!("../cert-manager/main.go")
        );
        let cert_manager = module.cached(&program)?;
        let (module, program) = program!(
            "envoy-gateway",
            "github.com/envoyproxy/gateway",
            "github.com/envoyproxy/gateway/cmd/envoy-gateway",
            "6 minutes",
            ""
        );
        let envoy_gateway = module.cached(&program)?;
        let (module, program) =
            program!("external-dns", "sigs.k8s.io/external-dns", "sigs.k8s.io/external-dns", "3 minutes", "");
        let external_dns = module.cached(&program)?;
        let (module, program) = program!(
            "pebble",
            "github.com/letsencrypt/pebble/v2",
            "github.com/letsencrypt/pebble/v2/cmd/pebble",
            "10 seconds",
            ""
        );
        let pebble = module.cached(&program)?;
        Ok(Self { cert_manager, envoy_gateway, envoy: envoy::cached()?, external_dns, pebble })
    }
}
