//! The annotations of a route that matter here. Those of others are skipped while they are read.

use serde::de::{IgnoredAny, MapAccess};

use super::decode::Undecodable;
use super::lenient::{FromWire, Key, Lenient};
use super::{Wishes, names};
use crate::api::{annotation, former};

/// So many bytes of a value are kept.
const LONGEST: usize = 4096;

/// What a route's annotations say.
#[derive(Clone, Debug, Default)]
pub(super) struct Annotations {
    pub(super) ignore: Lenient<String>,
    ports: Lenient<String>,
    port: Lenient<String>,
    protocol: Lenient<String>,
    tls_mode: Lenient<String>,
    hostname: Lenient<String>,
    /// Whether it has the bookkeeping of one of the Go implementations.
    pub(super) bears_relics: bool,
    /// What external-dns may read of it: the values of the annotations `<prefix>/hostname`, by prefix.
    pub(super) names: Vec<(String, String)>,
}

impl Annotations {
    pub(super) fn wishes(&mut self) -> Result<Wishes, Undecodable> {
        let annotation = |value: &mut Lenient<String>| {
            Ok::<_, Undecodable>(std::mem::take(value).optional("metadata.annotations")?.map(bounded))
        };
        Ok(Wishes {
            ports: annotation(&mut self.ports)?.or(annotation(&mut self.port)?),
            protocol: annotation(&mut self.protocol)?,
            tls_mode: annotation(&mut self.tls_mode)?,
            hostname: annotation(&mut self.hostname)?,
        })
    }
}

/// An annotation may have a quarter of a megabyte, and whoever may write routes may write thousands of them. What is longer
/// than anybody has use for is cut, and ends with what makes it no value at all.
fn bounded(mut value: String) -> String {
    if value.len() > LONGEST {
        value.truncate(value.floor_char_boundary(LONGEST));
        value.push('…');
        value.shrink_to_fit();
    }
    value
}

impl<'de> FromWire<'de> for Annotations {
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut found = Self::default();
        while let Some(Key(key)) = map.next_key()? {
            let place = match key.as_ref() {
                annotation::IGNORE => &mut found.ignore,
                annotation::PORTS => &mut found.ports,
                annotation::PORT => &mut found.port,
                annotation::PROTOCOL => &mut found.protocol,
                annotation::TLS_MODE => &mut found.tls_mode,
                annotation::HOSTNAME => &mut found.hostname,
                former::PARENT_REFS | former::LATER_PARENT_REFS => {
                    found.bears_relics |= map.next_value::<Lenient<String>>()? != Lenient::Absent;
                    continue;
                }
                key => {
                    if let Some(prefix) = names::prefix(key) {
                        let prefix = prefix.to_owned();
                        if let Lenient::Is(value) = map.next_value()? {
                            found.names.push((prefix, bounded(value)));
                        }
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                    continue;
                }
            };
            *place = map.next_value()?;
        }
        Ok(Some(found))
    }
}
