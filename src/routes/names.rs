//! What a TCPRoute or UDPRoute tells external-dns, as it stands on the route: annotations `<prefix>/hostname`, and who
//! wrote them.

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};

use super::lenient::{FromWire, Key, Lenient, lenient_struct};
use crate::api::{NAMES_MANAGER, annotation};

/// Names in DNS that a route has for external-dns, under one of the prefixes that its annotations can have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Names {
    /// What stands before `/hostname` in the annotation's name.
    pub prefix: String,
    /// The annotation's value.
    pub value: String,
    /// Whose the annotation is.
    pub owner: Owner,
}

/// Whose an annotation is, by `metadata.managedFields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Applied by this program, maybe by others too.
    Us,
    /// Written by others alone.
    Another,
    /// It is not known who wrote it: the API server forgets an owner whose version of the kind is not served any more.
    Nobody,
}

/// The prefix of an annotation's name, where it is one that external-dns may read hostnames from.
pub(super) fn prefix(key: &str) -> Option<&str> {
    key.strip_suffix("/hostname").filter(|_| key != annotation::HOSTNAME)
}

/// What stands on a route, sorted.
pub(super) fn names(values: Vec<(String, String)>, managed: &Lenient<Vec<Lenient<Entry>>>) -> Box<[Names]> {
    let entries = || match managed {
        Lenient::Is(entries) => entries.as_slice(),
        Lenient::Absent | Lenient::IsNot => &[],
    };
    let owner = |prefix: &str| {
        let having = entries().iter().filter_map(|entry| match entry {
            Lenient::Is(entry) => entry.prefixes().any(|had| had == prefix).then(|| entry.is_ours(prefix)),
            Lenient::Absent | Lenient::IsNot => None,
        });
        having.max().map_or(Owner::Nobody, |ours| if ours { Owner::Us } else { Owner::Another })
    };
    let mut names: Vec<_> =
        values.into_iter().map(|(prefix, value)| Names { owner: owner(&prefix), prefix, value }).collect();
    names.sort();
    names.into_boxed_slice()
}

/// An entry of `metadata.managedFields`, less what is no annotation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Entry {
    manager: Lenient<String>,
    operation: Lenient<String>,
    subresource: Lenient<String>,
    #[serde(rename = "fieldsV1")]
    fields: Lenient<Fields>,
}

impl Entry {
    fn is_ours(&self, prefix: &str) -> bool {
        let is = |field: &Lenient<String>, wanted: &str| matches!(field, Lenient::Is(field) if field == wanted);
        let plain = matches!(self.subresource, Lenient::Absent) || is(&self.subresource, "");
        plain && is(&self.operation, "Apply") && is(&self.manager, &format!("{NAMES_MANAGER}{prefix}"))
    }

    fn prefixes(&self) -> impl Iterator<Item = &str> {
        let annotations = match &self.fields {
            Lenient::Is(Fields { metadata: Lenient::Is(Metadata { annotations: Lenient::Is(Had(prefixes)) }) }) => {
                prefixes.as_slice()
            }
            _ => &[],
        };
        annotations.iter().map(String::as_str)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    #[serde(rename = "f:metadata")]
    metadata: Lenient<Metadata>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    #[serde(rename = "f:annotations")]
    annotations: Lenient<Had>,
}

/// The prefixes of those annotations of a field set that external-dns may read.
#[derive(Clone, Debug, Default)]
struct Had(Vec<String>);

lenient_struct!(Entry, Fields, Metadata);

impl<'de> FromWire<'de> for Had {
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut had = Self::default();
        while let Some((Key(key), IgnoredAny)) = map.next_entry()? {
            had.0.extend(key.strip_prefix("f:").and_then(prefix).map(str::to_owned));
        }
        Ok(Some(had))
    }
}
