//! Whether a request comes from Slack: HMAC-SHA256 of `v0:{timestamp}:{body}` under the app's signing secret
//! (Slack, "Verifying requests from Slack").

use crate::secret::Secret;
use ring::hmac;

/// Largest body that is looked at. An interaction carries the whole message that its button stands in, some 20 KiB.
pub const BODY_BYTES_MAX: usize = 256 << 10;
/// A timestamp further from now than this, in either direction, is a replay or a broken clock.
pub const SKEW_S_MAX: i64 = 300;

/// Why a request is not Slack's.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSlack {
    /// No secret is configured: nothing can be proven by it.
    #[error("the signing secret is empty")]
    NoSecret,
    /// Not a whole number of seconds.
    #[error("the timestamp is not a number of seconds")]
    Timestamp,
    /// Too old or too far ahead.
    #[error("the timestamp is more than five minutes from now")]
    Stale,
    /// Not `v0=` and 64 hex digits.
    #[error("the signature is not `v0=` and 64 hex digits")]
    Form,
    /// Larger than [`BODY_BYTES_MAX`].
    #[error("the body is too large")]
    TooLarge,
    /// Another body, another time or another secret.
    #[error("the signature is wrong")]
    Wrong,
}

/// Checks `X-Slack-Request-Timestamp` and `X-Slack-Signature` over the raw body, at `now_s` (wall clock, Unix seconds). The comparison takes
/// the same time wherever the first difference is.
///
/// # Errors
/// [`NotSlack`] for everything that is not proven.
pub fn verify(secret: &Secret, timestamp: &str, signature: &str, body: &[u8], now_s: i64) -> Result<(), NotSlack> {
    if secret.is_empty() {
        return Err(NotSlack::NoSecret);
    }
    if body.len() > BODY_BYTES_MAX {
        return Err(NotSlack::TooLarge);
    }
    // Digits alone: a sign, a blank or a fraction would be another text under the same number.
    if timestamp.is_empty() || timestamp.len() > 12 || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotSlack::Timestamp);
    }
    let sent_s: i64 = timestamp.parse().map_err(|_| NotSlack::Timestamp)?;
    if now_s.abs_diff(sent_s) > SKEW_S_MAX.unsigned_abs() {
        return Err(NotSlack::Stale);
    }
    let mut tag = [0_u8; 32];
    let digits = signature.strip_prefix("v0=").ok_or(NotSlack::Form)?;
    hex::decode_to_slice(digits, &mut tag).map_err(|_| NotSlack::Form)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::verify(&key, &signed(timestamp, body), &tag).map_err(|_| NotSlack::Wrong)
}

/// The signature that Slack would send: for tests and for a local server that plays Slack.
#[must_use]
pub fn sign(secret: &Secret, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    format!("v0={}", hex::encode(hmac::sign(&key, &signed(timestamp, body))))
}

fn signed(timestamp: &str, body: &[u8]) -> Vec<u8> {
    [b"v0:", timestamp.as_bytes(), b":", body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The example of Slack's public documentation, "Verifying requests from Slack".
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIMESTAMP: &str = "1531420618";
    const NOW_S: i64 = 1_531_420_618;
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar\
        &user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands\
        %2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

    fn check(timestamp: &str, signature: &str, body: &str, now_s: i64) -> Result<(), NotSlack> {
        verify(&Secret::new(SECRET), timestamp, signature, body.as_bytes(), now_s)
    }

    #[test]
    fn slacks_own_example_holds() {
        assert_eq!(check(TIMESTAMP, SIGNATURE, BODY, NOW_S), Ok(()));
        assert_eq!(sign(&Secret::new(SECRET), TIMESTAMP, BODY.as_bytes()), SIGNATURE);
    }

    #[test]
    fn anything_else_does_not() {
        assert_eq!(check(TIMESTAMP, SIGNATURE, &BODY.replace("roadrunner", "coyote"), NOW_S), Err(NotSlack::Wrong));
        assert_eq!(check("1531420619", SIGNATURE, BODY, NOW_S), Err(NotSlack::Wrong));
        let other = verify(&Secret::new("other"), TIMESTAMP, SIGNATURE, BODY.as_bytes(), NOW_S);
        assert_eq!(other, Err(NotSlack::Wrong));
        assert_eq!(verify(&Secret::default(), TIMESTAMP, SIGNATURE, BODY.as_bytes(), NOW_S), Err(NotSlack::NoSecret));
        assert_eq!(check(TIMESTAMP, SIGNATURE, &"a".repeat(BODY_BYTES_MAX + 1), NOW_S), Err(NotSlack::TooLarge));
    }

    #[test]
    fn five_minutes_count_in_both_directions() {
        for (off, expected) in [(300, Ok(())), (-300, Ok(())), (301, Err(NotSlack::Stale)), (-301, Err(NotSlack::Stale))] {
            assert_eq!(check(TIMESTAMP, SIGNATURE, BODY, NOW_S + off), expected, "{off}");
        }
        assert_eq!(check(TIMESTAMP, SIGNATURE, BODY, i64::MIN), Err(NotSlack::Stale));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for timestamp in
            ["", "-1531420618", "+1531420618", " 1531420618", "1531420618.0", "1e9", "99999999999999999999", "１５３１４２０６１８"]
        {
            assert_eq!(check(timestamp, SIGNATURE, BODY, NOW_S), Err(NotSlack::Timestamp), "{timestamp}");
        }
        let upper = SIGNATURE.replacen("v0", "v1", 1);
        for signature in ["", "v0=", "v0", &SIGNATURE[3..], &upper, &SIGNATURE[..65], &format!("{SIGNATURE}00"), "v0=zz", "v0=é"] {
            assert_eq!(check(TIMESTAMP, signature, BODY, NOW_S), Err(NotSlack::Form), "{signature}");
        }
    }

    proptest! {
        #[test]
        fn nothing_forged_holds_and_nothing_panics(
            timestamp in "\\PC{0,20}|[0-9]{1,12}", signature in "\\PC{0,80}|v0=[0-9a-f]{64}",
            body in proptest::collection::vec(any::<u8>(), 0..200), now_s in any::<i64>(),
        ) {
            prop_assert!(verify(&Secret::new(SECRET), &timestamp, &signature, &body, now_s).is_err());
        }
    }
}
