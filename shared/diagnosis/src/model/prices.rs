//! What models cost. Micro-dollars throughout: a price in US dollars a million tokens is one in micro-dollars a token.

use picket_core::opinion::{ModelRequest, Usage};

/// The price of one model, in US dollars a million tokens.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Price {
    /// Tokens read.
    pub input: f64,
    /// Tokens written.
    pub output: f64,
}

/// Providers' list prices in 2025, from their public price pages; the first entry that a name begins with counts. Configured prices come before these.
const KNOWN: &[(&str, Price)] = &[
    ("claude-3-haiku", Price { input: 0.25, output: 1.25 }),
    ("claude-3-5-haiku", Price { input: 0.8, output: 4.0 }),
    ("claude-haiku-4", Price { input: 1.0, output: 5.0 }),
    ("claude-3-5-sonnet", Price { input: 3.0, output: 15.0 }),
    ("claude-3-7-sonnet", Price { input: 3.0, output: 15.0 }),
    ("claude-sonnet-4", Price { input: 3.0, output: 15.0 }),
    ("claude-opus-4-5", Price { input: 5.0, output: 25.0 }),
    ("claude-opus-4", Price { input: 15.0, output: 75.0 }),
    ("gpt-5-nano", Price { input: 0.05, output: 0.4 }),
    ("gpt-5-mini", Price { input: 0.25, output: 2.0 }),
    ("gpt-5", Price { input: 1.25, output: 10.0 }),
    ("o4-mini", Price { input: 1.1, output: 4.4 }),
    ("o3-mini", Price { input: 1.1, output: 4.4 }),
    ("o3", Price { input: 2.0, output: 8.0 }),
    ("gpt-4o-mini", Price { input: 0.15, output: 0.6 }),
    ("gpt-4o", Price { input: 2.5, output: 10.0 }),
    ("gpt-4.1-mini", Price { input: 0.4, output: 1.6 }),
    ("gpt-4.1", Price { input: 2.0, output: 8.0 }),
];

/// A model of unknown price is taken to be as dear as the dearest on the lists: a cap that nobody fed must hold all the same.
const UNKNOWN: Price = Price { input: 15.0, output: 75.0 };

/// Bytes a token, as a reservation counts: less than prose has, since JSON of figures and names is cut finer.
const BYTES_A_TOKEN: u64 = 3;

/// The price of a model: the configured one (`configured` holds names, or beginnings that end in `*`; the longest counts), else the list's.
#[must_use]
pub fn price_of<'a>(model: &str, configured: impl IntoIterator<Item = (&'a str, Price)>) -> Price {
    let fits = |name: &str| name.strip_suffix('*').map_or(model == name, |beginning| model.starts_with(beginning));
    let set = configured.into_iter().filter(|(name, _)| fits(name)).max_by_key(|(name, _)| (!name.ends_with('*'), name.len()));
    let listed = || KNOWN.iter().find(|(beginning, _)| model.starts_with(beginning)).map(|(_, price)| *price);
    set.map(|(_, price)| price).or_else(listed).unwrap_or(UNKNOWN)
}

impl Price {
    /// What a call cost, rounded up, in micro-dollars.
    #[must_use]
    pub fn micro_usd(self, usage: Usage) -> u64 {
        (self.input * usage.input_tokens as f64 + self.output * usage.output_tokens as f64).ceil() as u64
    }

    /// The most that a request may come to.
    #[must_use]
    pub(super) fn most(self, request: &ModelRequest) -> Usage {
        let bytes = request.instructions.len() + request.data.len() + request.schema.to_string().len();
        Usage { input_tokens: bytes as u64 / BYTES_A_TOKEN + 1, output_tokens: u64::from(request.output_tokens_max) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_prices_come_before_the_lists_and_the_unknown_is_dear() {
        let local = Price { input: 0.0, output: 0.0 };
        let own = Price { input: 1.0, output: 2.0 };
        let table = [("qwen*", local), ("qwen3:235b", own), ("gpt-4o", own)];
        assert_eq!(price_of("qwen3:8b", table), local);
        assert_eq!(price_of("qwen3:235b", table), own);
        assert_eq!(price_of("gpt-4o", table), own);
        assert_eq!(price_of("gpt-4o-2024-08-06", table), Price { input: 2.5, output: 10.0 });
        assert_eq!(price_of("gpt-4o-mini-2024-07-18", []), Price { input: 0.15, output: 0.6 });
        assert_eq!(price_of("nobody-knows", table), UNKNOWN);
        let usage = Usage { input_tokens: 1000, output_tokens: 100 };
        assert_eq!(Price { input: 2.5, output: 10.0 }.micro_usd(usage), 3500);
        assert_eq!(Price { input: 0.0001, output: 0.0 }.micro_usd(Usage { input_tokens: 1, output_tokens: 0 }), 1);
    }
}
