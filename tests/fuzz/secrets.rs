//! Whether what is said depends on a secret.

/// Fails if `secret` stands in what `say` says of `input` and it stood there because of the input: with another text in
/// its place it is gone.
#[track_caller]
pub fn stays_out(secret: &str, input: &[u8], mut say: impl FnMut(&[u8]) -> String) {
    const SHORTEST: usize = 8;
    let places = |bytes: &[u8]| -> Vec<usize> {
        let wanted = secret.as_bytes();
        bytes.windows(wanted.len()).enumerate().filter(|(_, window)| *window == wanted).map(|(at, _)| at).collect()
    };
    if secret.len() < SHORTEST || !say(input).contains(secret) {
        return;
    }
    // A secret that stands in another field too is none.
    if let [at] = places(input)[..] {
        let mut other = input.to_vec();
        other[at..at + secret.len()].fill(b'x');
        let said = say(&other);
        assert!(said.contains(secret), "{secret:?} is said; without it: {said}");
    }
}
