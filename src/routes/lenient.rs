//! Decoding that cannot fail: what is not of the type hoped for is remembered as such, and the rest goes on.
//!
//! A list that fails over one bad object hides all the good ones, for as long as nobody mends it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A field of the wire, whatever stands there. Only text that is no JSON at all is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Lenient<T> {
    /// Not there, or null.
    #[default]
    Absent,
    /// Of the type hoped for.
    Is(T),
    /// Of another type.
    IsNot,
}

/// A key of a map. It is copied only where it has escapes in it.
#[derive(serde::Deserialize)]
pub(super) struct Key<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// What a type can be made of. Each method but those that a type implements means: of another type.
pub(super) trait FromWire<'de>: Sized {
    fn from_str(_text: &str) -> Option<Self> {
        None
    }

    fn from_integer(_number: i64) -> Option<Self> {
        None
    }

    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl FromWire<'_> for String {
    fn from_str(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl FromWire<'_> for Timestamp {
    fn from_str(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl FromWire<'_> for i32 {
    // The planner names a port that is none when it rejects it; one beyond this type it cannot tell from the greatest.
    fn from_integer(number: i64) -> Option<Self> {
        Some(Self::try_from(number).unwrap_or(if number < 0 { Self::MIN } else { Self::MAX }))
    }
}

impl<'de, T: FromWire<'de>> FromWire<'de> for Vec<Lenient<T>> {
    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut elements = Self::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Some(elements))
    }
}

/// Makes a struct that derives `Deserialize`, and of which every field is lenient, lenient itself.
macro_rules! lenient_struct {
    ($($name:ident),*) => {$(
        impl<'de> $crate::routes::lenient::FromWire<'de> for $name {
            fn from_map<A: serde::de::MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
                serde::Deserialize::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Some)
            }
        }
    )*};
}
pub(super) use lenient_struct;

impl<'de, T: FromWire<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor(PhantomData))
    }
}

struct LenientVisitor<T>(PhantomData<T>);

impl<'de, T: FromWire<'de>> Visitor<'de> for LenientVisitor<T> {
    type Value = Lenient<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Lenient::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Lenient::IsNot)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Lenient::IsNot)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(T::from_integer(number).into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(T::from_integer(i64::try_from(number).unwrap_or(i64::MAX)).into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::from_str(text).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        T::from_seq(seq).map(Lenient::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::from_map(map).map(Lenient::from)
    }
}

impl<T> From<Option<T>> for Lenient<T> {
    fn from(made: Option<T>) -> Self {
        made.map_or(Self::IsNot, Self::Is)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> FromWire<'de>>(text: &str) -> Lenient<T> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn whatever_stands_there_is_read_to_its_end() {
        for text in ["true", "1.5", "-3", "7", r#"[1, {"a": []}]"#, r#"{"a": [{"b": null}]}"#] {
            assert_eq!(read::<String>(text), Lenient::IsNot, "{text}");
        }
        assert_eq!(read::<String>("null"), Lenient::Absent);
        assert_eq!(read::<i32>(r#""443""#), Lenient::IsNot);
    }

    #[test]
    fn one_bad_element_spoils_no_other() {
        let read: Lenient<Vec<Lenient<String>>> = read(r#"["a", 1, {"b": 2}, "c"]"#);
        let expected = [Lenient::Is("a".into()), Lenient::IsNot, Lenient::IsNot, Lenient::Is("c".into())];
        assert_eq!(read, Lenient::Is(expected.into()));
    }

    #[test]
    fn a_port_beyond_every_port_is_still_a_number() {
        assert_eq!(read::<i32>("65536"), Lenient::Is(65536));
        assert_eq!(read::<i32>("18446744073709551615"), Lenient::Is(i32::MAX));
        assert_eq!(read::<i32>("-9000000000"), Lenient::Is(i32::MIN));
    }
}
