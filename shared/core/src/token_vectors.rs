//! The vectors of one text's tokens, kept small: what late interaction compares.

/// Most tokens kept of one text; [`TokenVectors::push`] takes no more. With 384 entries a vector that is 100 KB.
pub const TOKENS_MAX: usize = 256;
/// The largest whole number an entry is scaled to.
const STEPS: f32 = 127.0;
/// Bytes before the tokens on disk: how many tokens, and how many entries each vector has.
const HEADER: usize = 8;

/// Unit vectors of a text's tokens, in the order of the text, each with the token's id in the embedder's vocabulary.
///
/// An entry takes eight bits, scaled to its vector's largest: a quarter of `f32`, at an error of a cosine below 0.01 (a test).
#[derive(Clone, Debug, PartialEq)]
pub struct TokenVectors {
    dimension: usize,
    tokens: Vec<u32>,
    /// Per token: what one step of an entry is worth. The quantised vector times it has unit length.
    scales: Vec<f32>,
    entries: Vec<i8>,
}

impl TokenVectors {
    /// No token yet; every vector is to have `dimension` entries.
    #[must_use]
    pub const fn new(dimension: usize) -> Self {
        Self { dimension, tokens: Vec::new(), scales: Vec::new(), entries: Vec::new() }
    }

    /// Adds a token. `vector` need not have unit length, its direction counts; one of another length, without direction or with an entry
    /// that is no number is left out, and so is every one beyond [`TOKENS_MAX`].
    pub fn push(&mut self, token: u32, vector: &[f32]) {
        let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let fits = vector.len() == self.dimension && self.len() < TOKENS_MAX;
        if !fits || largest <= 0.0 || !vector.iter().all(|x| x.is_finite()) {
            return;
        }
        let from = self.entries.len();
        self.entries.extend(vector.iter().map(|x| (x / largest * STEPS).round() as i8));
        let squares: i32 = self.entries[from..].iter().map(|x| i32::from(*x) * i32::from(*x)).sum();
        self.scales.push(1.0 / (squares as f32).sqrt());
        self.tokens.push(token);
    }

    /// Those at `places`, in that order; places beyond the end are passed over.
    #[must_use]
    pub fn only(&self, places: &[usize]) -> Self {
        let mut some = Self::new(self.dimension);
        for place in places.iter().copied().filter(|place| *place < self.len()) {
            some.tokens.push(self.tokens[place]);
            some.scales.push(self.scales[place]);
            some.entries.extend(&self.entries[place * self.dimension..(place + 1) * self.dimension]);
        }
        some
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Entries of a vector.
    #[must_use]
    pub const fn dimension(&self) -> usize {
        self.dimension
    }

    /// The tokens' ids, in order.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Cosine, -1..1, of the most similar token of `other`, for each token here; nothing when `other` has none or another dimension.
    #[must_use]
    pub fn nearest_in(&self, other: &Self) -> Vec<f32> {
        if other.is_empty() || self.dimension != other.dimension || self.dimension == 0 {
            return Vec::new();
        }
        let mine = self.entries.chunks_exact(self.dimension).zip(&self.scales);
        mine.map(|(own, scale)| {
            let theirs = other.entries.chunks_exact(self.dimension).zip(&other.scales);
            let nearest = theirs.map(|(entries, scale)| dot(own, entries) as f32 * scale).fold(f32::NEG_INFINITY, f32::max);
            nearest * scale
        })
        .collect()
    }

    /// As bytes, little-endian: counts, then tokens, scales and entries.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.len() * (HEADER + self.dimension));
        // Both are bounded far below: a text has at most `TOKENS_MAX` tokens, a vector a few hundred entries.
        bytes.extend((self.len() as u32).to_le_bytes());
        bytes.extend((self.dimension as u32).to_le_bytes());
        bytes.extend(self.tokens.iter().flat_map(|t| t.to_le_bytes()));
        bytes.extend(self.scales.iter().flat_map(|s| s.to_le_bytes()));
        bytes.extend(self.entries.iter().flat_map(|e| e.to_le_bytes()));
        bytes
    }

    /// Reads what [`TokenVectors::to_bytes`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, _) = bytes.as_chunks::<4>();
        let length = u32::from_le_bytes(*words.first()?) as usize;
        let dimension = u32::from_le_bytes(*words.get(1)?) as usize;
        let whole = length.checked_mul(dimension.checked_add(HEADER)?)?.checked_add(HEADER)?;
        if bytes.len() != whole || length > TOKENS_MAX || dimension == 0 {
            return None;
        }
        let tokens = words[2..2 + length].iter().map(|w| u32::from_le_bytes(*w)).collect();
        let scales: Vec<f32> = words[2 + length..2 + 2 * length].iter().map(|w| f32::from_le_bytes(*w)).collect();
        let entries = bytes[HEADER + HEADER * length..].iter().map(|b| i8::from_le_bytes([*b])).collect();
        scales.iter().all(|s| s.is_finite() && *s > 0.0).then_some(Self { dimension, tokens, scales, entries })
    }
}

/// At most 127² for each of a few hundred entries: far from the end of `i32`.
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(vectors: &[Vec<f32>]) -> TokenVectors {
        let mut all = TokenVectors::new(vectors.first().map_or(0, Vec::len));
        vectors.iter().zip(0..).for_each(|(vector, token)| all.push(token, vector));
        all
    }

    #[test]
    fn the_nearest_token_is_found_whatever_its_length() {
        let (asked, told) = (of(&[vec![3.0, 0.0], vec![0.0, -0.5]]), of(&[vec![0.0, 9.0], vec![0.6, 0.8], vec![1e-3, 0.0]]));
        let near = asked.nearest_in(&told);
        assert!((near[0] - 1.0).abs() < 1e-2 && near[1].abs() < 1e-2, "{near:?}");
        assert_eq!(asked.only(&[1, 9]).nearest_in(&told), near[1..]);
        assert!(asked.nearest_in(&TokenVectors::new(2)).is_empty() && asked.nearest_in(&of(&[vec![1.0; 3]])).is_empty());
    }

    #[test]
    fn what_is_no_direction_is_left_out_and_no_more_than_the_bound_is_kept() {
        let mut some = TokenVectors::new(2);
        for vector in [&[0.0, 0.0][..], &[f32::NAN, 1.0], &[f32::INFINITY, 1.0], &[1.0], &[1.0; 3]] {
            some.push(7, vector);
        }
        assert!(some.is_empty());
        (0..2 * TOKENS_MAX as u32).for_each(|token| some.push(token, &[1.0, 2.0]));
        assert_eq!(some.len(), TOKENS_MAX);
    }

    #[test]
    fn torn_bytes_are_nothing() {
        let bytes = of(&[vec![1.0, 2.0, 3.0], vec![3.0, 2.0, 1.0]]).to_bytes();
        assert!((0..bytes.len()).all(|end| TokenVectors::from_bytes(&bytes[..end]).is_none()));
        let longer = [&bytes[..], &[0]].concat();
        assert!(TokenVectors::from_bytes(&longer).is_none());
        assert!(TokenVectors::from_bytes(&[0xff; 64]).is_none());
    }

    proptest! {
        #[test]
        fn bytes_come_back_and_cosines_stay(vectors in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 48), 2..8)) {
            let all = of(&vectors);
            prop_assert_eq!(TokenVectors::from_bytes(&all.to_bytes()), Some(all));
            let (a, b) = (of(&vectors[..1]), of(&vectors[1..2]));
            let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
            let exact: f32 = vectors[0].iter().zip(&vectors[1]).map(|(x, y)| x * y).sum::<f32>() / (length(&vectors[0]) * length(&vectors[1]));
            prop_assert!((a.nearest_in(&b)[0] - exact).abs() < 0.01, "{} against {exact}", a.nearest_in(&b)[0]);
        }
    }
}
