//! Where an entry is on the dashboard.

use picket_core::ids::EntryId;
use reqwest::Url;

/// The dashboard's address; empty when none is configured, and then nothing links to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dashboard(Option<Url>);

impl Dashboard {
    /// Takes `http` or `https`, a host, and no user, password, query or fragment; the empty text for none.
    ///
    /// # Errors
    /// In words.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let url = Url::parse(text).map_err(|e| format!("is not an address: {e}"))?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if text.len() > 1024 || !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !plain {
            return Err("must be http or https, a host and a path, at most 1024 characters".to_owned());
        }
        Ok(Self(Some(url)))
    }

    /// The address of one entry (`…/#/entry/ID`).
    #[must_use]
    pub fn entry(&self, id: &EntryId) -> Option<String> {
        let mut url = self.0.clone()?;
        let id: String = form_urlencoded::byte_serialize(id.as_str().as_bytes()).collect();
        url.set_fragment(Some(&format!("/entry/{id}")));
        Some(url.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_its_address() {
        let dashboard = Dashboard::new("https://picket.example/ops").unwrap();
        assert_eq!(dashboard.entry(&"act-7".into()).unwrap(), "https://picket.example/ops#/entry/act-7");
        let odd = dashboard.entry(&"a|b>c\n".into()).unwrap();
        assert!(!odd.contains(['|', '>', '\n']), "{odd}");
        assert_eq!(Dashboard::new("").unwrap().entry(&"act-7".into()), None);
        for bad in ["picket", "ftp://a", "https://a:b@c", "https://a/?q", "javascript:alert(1)"] {
            assert!(Dashboard::new(bad).is_err(), "{bad}");
        }
    }
}
