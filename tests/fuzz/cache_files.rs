//! The cache's files. Bytes that begin with a brace are a file; others are the fields of an entry, one to a line, and
//! behind them where its file is changed and how.

use ecr_login::cache::Entry;
use ecr_login::cache::TokenLifetime;
use ecr_login::cache::codec::{MAX_FILE_BYTES, read_entry, read_note, write_entry, write_note};
use ecr_login::credentials::CacheKey;
use ecr_login::os::secret::Secret;

use super::memory;

/// Every burst of errors within so many bytes changes a checksum of 32 bits.
const BURST: usize = 4;

pub fn check(input: &[u8]) {
    if input.first().is_some_and(|byte| *byte == b'{') { check_file(input) } else { check_entry(input) }
}

fn check_file(bytes: &[u8]) {
    let (entry, note) = memory::bounded(bytes.len(), (4096, 4), || (read_entry(bytes), read_note(bytes)));
    if let Some(entry) = entry
        && let Some(written) = write_entry(&entry)
    {
        assert_eq!(read_entry(&written), Some(entry));
    }
    if let Some(note) = note
        && let Some(written) = write_note(&note)
    {
        assert_eq!(read_note(&written), Some(note));
    }
}

fn check_entry(input: &[u8]) {
    let mut fields = input.splitn(6, |byte| *byte == b'\n').map(String::from_utf8_lossy);
    let mut next = || fields.next().unwrap_or_default().into_owned();
    let (registry, label, username, password, times) = (next(), next(), next(), next(), next());
    let change = input.splitn(6, |byte| *byte == b'\n').nth(5).unwrap_or_default();
    let mut times = times.split(' ').map(|number| number.parse().unwrap_or(i64::MAX));
    let mut time = || times.next().unwrap_or_default();
    let entry = Entry {
        cache_key: CacheKey(std::array::from_fn(|at| input[at % input.len().max(1)..].first().copied().unwrap_or(7))),
        registry,
        label,
        times: TokenLifetime { issued_at: time(), refresh_at: time(), expires_at: time() },
        username,
        password: Secret::new(password),
    };
    let Some(written) = memory::bounded(input.len(), (4096, 32), || write_entry(&entry)) else {
        assert!(input.len() > MAX_FILE_BYTES / 8, "an entry of {} bytes was not written", input.len());
        return;
    };
    assert!(written.len() <= MAX_FILE_BYTES && written.ends_with(b"\n"));
    assert_eq!(read_entry(&written).as_ref(), Some(&entry));
    let [high, low, change @ ..] = change else { return };
    let at = usize::from(u16::from_be_bytes([*high, *low])) % written.len();
    let mut changed = written.to_vec();
    for (byte, by) in changed[at..].iter_mut().zip(change.iter().take(BURST)) {
        *byte ^= by;
    }
    if let Some(read) = read_entry(&changed) {
        assert_eq!(read, entry, "{}", String::from_utf8_lossy(&changed));
    }
    assert_eq!(read_entry(&written[..at]), (at + 1 == written.len()).then_some(entry));
}
