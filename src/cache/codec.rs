//! The bytes of a cache file: one JSON object with a version and a checksum over its meaning. Unknown fields are
//! ignored, so that a newer version may add some; `docs/cache.md` has the layout.

use std::borrow::Cow;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::TokenLifetime;
use super::{CachedFailure, Entry};
use crate::credentials::CacheKey;
use crate::os::secret::{Secret, Wiped};
use crate::text::crc32::CRC32;
use crate::text::user_error::{Kind, UserError};

/// The version of both kinds of file.
const VERSION: u32 = 1;

/// The largest file that is read, in bytes; an entry with ECR's tokens takes 3 to 4 KiB.
pub const MAX_FILE_BYTES: usize = 64 * 1024;

/// An entry as read or to be written. Its texts borrow from the bytes unless something in them is escaped.
#[derive(Serialize, Deserialize)]
struct EntryFile<'a> {
    version: u32,
    #[serde(borrow)]
    registry: Cow<'a, str>,
    #[serde(borrow)]
    cache_key: Cow<'a, str>,
    #[serde(borrow)]
    label: Cow<'a, str>,
    issued_at: i64,
    refresh_at: i64,
    expires_at: i64,
    #[serde(borrow)]
    username: Cow<'a, str>,
    #[serde(borrow)]
    password: Password<'a>,
    crc32: u32,
}

/// The password, borrowed from bytes that are wiped, or unescaped in a secret of its own.
enum Password<'a> {
    Within(&'a str),
    Unescaped(Secret),
}

impl Password<'_> {
    fn expose(&self) -> &str {
        match self {
            Self::Within(text) => text,
            Self::Unescaped(secret) => secret.expose(),
        }
    }

    fn into_secret(self) -> Secret {
        match self {
            Self::Within(text) => Secret::new(text.to_owned()),
            Self::Unescaped(secret) => secret,
        }
    }
}

impl Serialize for Password<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Password<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Password<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a password")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Password<'de>, E> {
                Ok(Password::Within(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Password<'de>, E> {
                Ok(Password::Unescaped(Secret::new(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Reader)
    }
}

#[derive(Serialize, Deserialize)]
struct CachedFailureFile {
    version: u32,
    failed_at_ms: i64,
    #[serde(default)]
    limit_ms: i64,
    what: String,
    identity: Option<String>,
    host: Option<String>,
    remedy: Option<String>,
    kind: u8,
    crc32: u32,
}

/// The bytes of an entry's file; `None` for one that would be too large to be read again.
pub fn write_entry(entry: &Entry) -> Option<Wiped> {
    let mut file = EntryFile {
        version: VERSION,
        registry: entry.registry.as_str().into(),
        cache_key: hex(&entry.cache_key).into(),
        label: entry.label.as_str().into(),
        issued_at: entry.times.issued_at,
        refresh_at: entry.times.refresh_at,
        expires_at: entry.times.expires_at,
        username: entry.username.as_str().into(),
        password: Password::Within(entry.password.expose()),
        crc32: 0,
    };
    file.crc32 = file.checksum();
    // Room for all of it from the start: a buffer that grows leaves copies of the password behind.
    let room =
        1024 + 6 * (entry.registry.len() + entry.label.len() + entry.username.len() + entry.password.expose().len());
    let mut bytes = Wiped::with_capacity(room);
    serde_json::to_writer(&mut *bytes, &file).ok()?;
    bytes.push(b'\n');
    (bytes.len() <= MAX_FILE_BYTES).then_some(bytes)
}

/// The entry in `bytes`, if they are complete and of this version.
pub fn read_entry(bytes: &[u8]) -> Option<Entry> {
    let file = EntryFile::read(bytes)?;
    Some(Entry {
        cache_key: from_hex(&file.cache_key)?,
        times: file.times(),
        registry: file.registry.into_owned(),
        label: file.label.into_owned(),
        username: file.username.into_owned(),
        password: file.password.into_secret(),
    })
}

/// The times of the entry in `bytes`, if they are complete, of this version, and of this cache key and registry.
pub(super) fn read_times(bytes: &[u8], cache_key: &CacheKey, registry: &str) -> Option<TokenLifetime> {
    let file = EntryFile::read(bytes)?;
    (file.registry == registry && from_hex(&file.cache_key)? == *cache_key).then(|| file.times())
}

impl<'a> EntryFile<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let file: Self = serde_json::from_slice(bytes).ok()?;
        (file.version == VERSION && file.crc32 == file.checksum()).then_some(file)
    }

    fn times(&self) -> TokenLifetime {
        TokenLifetime { issued_at: self.issued_at, refresh_at: self.refresh_at, expires_at: self.expires_at }
    }

    fn checksum(&self) -> u32 {
        let mut hash = CRC32.digest();
        hash.update(&self.version.to_le_bytes());
        for text in [&*self.registry, &*self.cache_key, &*self.label, &*self.username, self.password.expose()] {
            hash.update(&text.len().to_le_bytes());
            hash.update(text.as_bytes());
        }
        for number in [self.issued_at, self.refresh_at, self.expires_at] {
            hash.update(&number.to_le_bytes());
        }
        hash.finalize()
    }
}

/// The bytes of a failure's file; `None` where they would be too many.
pub fn write_note(note: &CachedFailure) -> Option<Vec<u8>> {
    let failure = &note.failure;
    let mut file = CachedFailureFile {
        version: VERSION,
        failed_at_ms: note.failed_at,
        limit_ms: note.limit,
        what: failure.message.clone(),
        identity: failure.identity.clone(),
        host: failure.endpoint.clone(),
        remedy: failure.hint.clone(),
        kind: KINDS.iter().position(|kind| *kind == failure.kind).and_then(|at| u8::try_from(at).ok())?,
        crc32: 0,
    };
    file.crc32 = file.checksum();
    let mut bytes = serde_json::to_vec(&file).ok()?;
    bytes.push(b'\n');
    (bytes.len() <= MAX_FILE_BYTES).then_some(bytes)
}

/// The failure in `bytes`, if they are complete and of this version.
pub fn read_note(bytes: &[u8]) -> Option<CachedFailure> {
    let file: CachedFailureFile = serde_json::from_slice(bytes).ok()?;
    if file.version != VERSION || file.crc32 != file.checksum() {
        return None;
    }
    let kind = *KINDS.get(usize::from(file.kind))?;
    let failure =
        UserError { message: file.what, identity: file.identity, endpoint: file.host, hint: file.remedy, kind };
    Some(CachedFailure { failed_at: file.failed_at_ms, limit: file.limit_ms, failure })
}

impl CachedFailureFile {
    fn checksum(&self) -> u32 {
        let mut hash = CRC32.digest();
        hash.update(&self.version.to_le_bytes());
        hash.update(&self.failed_at_ms.to_le_bytes());
        hash.update(&self.limit_ms.to_le_bytes());
        hash.update(&[self.kind]);
        let texts = [Some(&self.what), self.identity.as_ref(), self.host.as_ref(), self.remedy.as_ref()];
        for text in texts {
            hash.update(&text.map_or(usize::MAX, String::len).to_le_bytes());
            hash.update(text.map_or(b"", |text| text.as_bytes()));
        }
        hash.finalize()
    }
}

/// The kinds of failure by their number in the file. New ones are added at the end.
const KINDS: [Kind; 6] =
    [Kind::NoCredentials, Kind::Credentials, Kind::Throttled, Kind::Network, Kind::Settings, Kind::Other];

/// The cache key as it stands in a file's name.
pub(super) fn hex(cache_key: &CacheKey) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * cache_key.0.len());
    for byte in cache_key.0 {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text
}

/// What [`hex`] wrote.
fn from_hex(text: &str) -> Option<CacheKey> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut cache_key = [0; 32];
    if text.len() != 2 * cache_key.len() {
        return None;
    }
    for (byte, pair) in cache_key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?;
    }
    Some(CacheKey(cache_key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> Entry {
        Entry {
            registry: "123456789012.dkr.ecr.us-east-1.amazonaws.com".into(),
            cache_key: CacheKey([0xa7; 32]),
            label: "profile \"dev\"\n".into(),
            times: TokenLifetime { issued_at: 1_800_000_000, refresh_at: 1_800_021_600, expires_at: 1_800_043_200 },
            username: "AWS".into(),
            password: Secret::new("c2VjcmV0".repeat(240)),
        }
    }

    fn note() -> CachedFailure {
        let failure = UserError::new(Kind::Throttled, "ECR says: slow down").hint("wait");
        CachedFailure { failed_at: 1_800_000_000_123, limit: 10_000, failure }
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(read_entry(&write_entry(&entry()).unwrap()).as_ref(), Some(&entry()));
        assert_eq!(read_note(&write_note(&note()).unwrap()).as_ref(), Some(&note()));
        let escaped = Entry { password: Secret::new("p\"\u{1}\\".repeat(9)), username: "\t".into(), ..entry() };
        assert_eq!(read_entry(&write_entry(&escaped).unwrap()), Some(escaped));
        let all = CacheKey(std::array::from_fn(|at| (at as u8).wrapping_mul(9)));
        assert_eq!(from_hex(&hex(&all)), Some(all));
    }

    #[test]
    fn the_times_are_those_of_the_entry_asked_for_and_of_no_other() {
        let (bytes, own) = (write_entry(&entry()).unwrap(), entry());
        assert_eq!(read_times(&bytes, &own.cache_key, &own.registry), Some(own.times));
        assert_eq!(read_times(&bytes, &own.cache_key, "public.ecr.aws"), None);
        assert_eq!(read_times(&bytes, &CacheKey([0xa8; 32]), &own.registry), None);
        assert_eq!(read_times(&bytes[..bytes.len() - 9], &own.cache_key, &own.registry), None);
    }

    #[test]
    fn fields_of_a_newer_binary_are_passed_over_and_its_versions_are_not() {
        let text = String::from_utf8(write_entry(&entry()).unwrap().to_vec()).unwrap();
        let more = text.replacen('{', "{\"colour\":[1,{\"x\":null}],", 1);
        assert_eq!(read_entry(more.as_bytes()), Some(entry()));
        assert_eq!(read_entry(text.replacen("\"version\":1", "\"version\":2", 1).as_bytes()), None);
    }

    #[test]
    fn a_file_cut_anywhere_is_nothing() {
        let bytes = write_entry(&entry()).unwrap();
        // Without the line feed at its end it is whole.
        for length in 0..bytes.len() - 1 {
            assert_eq!(read_entry(&bytes[..length]), None, "cut to {length} bytes");
        }
    }

    #[test]
    fn an_entry_too_large_to_be_read_is_not_written() {
        assert!(write_entry(&Entry { password: Secret::new("x".repeat(MAX_FILE_BYTES)), ..entry() }).is_none());
    }

    #[test]
    fn null_garbage_and_other_shapes_are_nothing() {
        for bytes in
            ["", "null", "{}", "[]", "\0\0\0\0", "{\"version\":1}", "\u{feff}{}", "{\"version\":null}", "1e999"]
        {
            assert_eq!(read_entry(bytes.as_bytes()), None, "{bytes}");
            assert_eq!(read_note(bytes.as_bytes()), None, "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn a_mangled_byte_is_never_another_entry(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut bytes = write_entry(&entry()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Some(read) = read_entry(&bytes) {
                prop_assert_eq!(read, entry());
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(read_entry(&bytes), None);
            prop_assert_eq!(read_note(&bytes), None);
        }
    }
}
