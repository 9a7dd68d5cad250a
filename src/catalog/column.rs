//! column: how our words, times and lists are written in the catalog's columns, and read back without trust.

use crate::clock::Timestamp;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IntoDeserializer, value},
};
use sqlx::{
    Decode, Encode, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};

/// A time: RFC 3339 in UTC, always with nine digits of a second. So it sorts as text, people can read it, and a lock's
/// end comes back as it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct At(pub Timestamp);

/// Anything that serde writes as a string: names, ids, digests, and the words of enums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<T>(pub T);

/// A list, as JSON.
#[derive(Clone, Debug)]
pub(super) struct Json<T>(pub T);

/// SQLite's integers are signed; no size of ours comes near their end.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

macro_rules! text_column {
    ($name:ident $(<$parameter:ident>)?) => {
        impl $(<$parameter>)? Type<Sqlite> for $name $(<$parameter>)? {
            fn type_info() -> SqliteTypeInfo {
                <str as Type<Sqlite>>::type_info()
            }

            fn compatible(found: &SqliteTypeInfo) -> bool {
                <str as Type<Sqlite>>::compatible(found)
            }
        }
    };
}
text_column!(At);
text_column!(Word<T>);
text_column!(Json<T>);

impl Encode<'_, Sqlite> for At {
    fn encode_by_ref(&self, into: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(format!("{:.9}", self.0), into)
    }
}

impl Decode<'_, Sqlite> for At {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(<&str as Decode<Sqlite>>::decode(value)?.parse()?))
    }
}

impl<T: Serialize> Encode<'_, Sqlite> for Word<T> {
    fn encode_by_ref(&self, into: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        match serde_json::to_value(&self.0)? {
            serde_json::Value::String(word) => Encode::<Sqlite>::encode(word, into),
            other => Err(format!("{other} is not a word").into()),
        }
    }
}

impl<'r, T: Deserialize<'r>> Decode<'r, Sqlite> for Word<T> {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let word = <&'r str as Decode<Sqlite>>::decode(value)?;
        let deserializer: value::StrDeserializer<'_, value::Error> = word.into_deserializer();
        Ok(Self(T::deserialize(deserializer)?))
    }
}

impl<T: Serialize> Encode<'_, Sqlite> for Json<T> {
    fn encode_by_ref(&self, into: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(serde_json::to_string(&self.0)?, into)
    }
}

impl<T: DeserializeOwned> Decode<'_, Sqlite> for Json<T> {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(serde_json::from_str(<&str as Decode<Sqlite>>::decode(value)?)?))
    }
}
