//! Where the answer to a press goes: an address from outside, so it is held against the one host that it may name.

use reqwest::Url;
use std::fmt;

/// An address that was checked. It lets whoever has it write into the channel: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseUrl(Url);

impl fmt::Debug for ResponseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseUrl(hidden)")
    }
}

impl ResponseUrl {
    /// Where to post.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.0
    }
}

/// The one origin that answers go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseOrigin(Url);

impl ResponseOrigin {
    /// Takes `https://HOST` (http on loopback alone, for tests).
    ///
    /// # Errors
    /// In words.
    pub fn new(text: &str) -> Result<Self, String> {
        crate::http::outside_url(text).map(Self)
    }

    /// Checks an address that came with a press: same scheme, host and port, no user or password, at most 2048 characters.
    ///
    /// # Errors
    /// In words, without the address.
    pub fn check(&self, text: &str) -> Result<ResponseUrl, String> {
        let url = crate::http::outside_url(text).map_err(|why| format!("the response_url {why}"))?;
        if url.origin() == self.0.origin() {
            Ok(ResponseUrl(url))
        } else {
            Err("the response_url names another host than Slack's".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_slack_alone() {
        let slack = ResponseOrigin::new("https://hooks.slack.com").unwrap();
        assert!(slack.check("https://hooks.slack.com/actions/T1/2/3").is_ok());
        for bad in [
            "http://hooks.slack.com/actions/T1",
            "https://hooks.slack.com.evil.example/",
            "https://evil.example/?https://hooks.slack.com/",
            "https://hooks.slack.com@evil.example/",
            "https://user@hooks.slack.com/",
            "https://hooks.slack.com:444/",
            "https://169.254.169.254/latest",
            "file:///etc/passwd",
            "hooks.slack.com",
            "",
        ] {
            assert!(slack.check(bad).is_err(), "{bad}");
        }
        let url = slack.check("https://hooks.slack.com/actions/secret").unwrap();
        assert_eq!(format!("{url:?}"), "ResponseUrl(hidden)");
    }

    #[test]
    fn a_test_host_is_a_loopback_host() {
        let local = ResponseOrigin::new("http://127.0.0.1:4000").unwrap();
        assert!(local.check("http://127.0.0.1:4000/r").is_ok());
        assert!(local.check("http://127.0.0.1:4001/r").is_err());
        assert!(local.check("https://hooks.slack.com/r").is_err());
        assert!(ResponseOrigin::new("http://10.0.0.1").is_err());
    }
}
