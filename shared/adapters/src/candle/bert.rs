//! BERT's encoder (Devlin et al., 2018), for several texts in one pass: their tokens stand close, so that nothing is padded or masked.

use super::matrix::{Packed, TILE};
use super::pointwise::{Norm, gelu, softmax};
use super::weights::Weights;
use rayon::prelude::*;
use serde::Deserialize;

/// Rows that go through a layer together, at most: what they need stays in the second-level cache.
const ROWS_MAX: usize = 16 * TILE;
/// With fewer rows than this for each thread, threads share the columns of a product instead.
const ROWS_MIN: usize = 4 * TILE;

/// Tokens in one pass, when a text does not have more: a bound on memory (with MiniLM's sizes a pass takes about 4 MB).
const PASS_TOKENS: usize = 256;

/// The part of `config.json` that decides the network.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Known tokens.
    pub vocab_size: usize,
    /// Entries of a token's vector.
    pub hidden_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads of each layer's attention.
    pub num_attention_heads: usize,
    /// Entries between a layer's two last products.
    pub intermediate_size: usize,
    /// Only `gelu` is known.
    pub hidden_act: String,
    /// Tokens of the longest text.
    pub max_position_embeddings: usize,
    /// Kinds of tokens: of the first text or of the second.
    pub type_vocab_size: usize,
    /// Added to a variance before dividing by its root.
    pub layer_norm_eps: f32,
    /// Only `absolute` is known, which is also the default.
    pub position_embedding_type: Option<String>,
}

impl Config {
    /// Reads and checks it. The bounds are far above any published BERT: a damaged file shall not ask for all memory.
    pub fn of(json: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let sizes = [
            ("vocab_size", config.vocab_size, 1_000_000),
            ("hidden_size", config.hidden_size, 4096),
            ("num_hidden_layers", config.num_hidden_layers, 64),
            ("num_attention_heads", config.num_attention_heads, 256),
            ("intermediate_size", config.intermediate_size, 16_384),
            ("max_position_embeddings", config.max_position_embeddings, 8192),
            ("type_vocab_size", config.type_vocab_size, 16),
        ];
        for (name, size, most) in sizes {
            if size == 0 || size > most {
                return Err(format!("{name} is {size}, not between 1 and {most}"));
            }
        }
        let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
        if !hidden.is_multiple_of(heads) {
            return Err(format!("hidden_size {hidden} is no multiple of num_attention_heads {heads}"));
        }
        if config.hidden_act != "gelu" {
            return Err(format!("hidden_act is {:?}; only \"gelu\" is supported", config.hidden_act));
        }
        if config.position_embedding_type.as_deref().is_some_and(|kind| kind != "absolute") {
            return Err(format!("position_embedding_type is {:?}; only \"absolute\" is supported", config.position_embedding_type));
        }
        if !(0.0..1.0).contains(&config.layer_norm_eps) {
            return Err(format!("layer_norm_eps is {}, not between 0 and 1", config.layer_norm_eps));
        }
        Ok(config)
    }
}

/// One text, or two that are read together, as the tokenizer cuts it.
#[derive(Copy, Clone, Debug)]
pub struct Tokens<'a> {
    /// Places in the vocabulary.
    pub ids: &'a [u32],
    /// For each token, which text it belongs to: 0 or 1.
    pub types: &'a [u32],
}

/// A product with a bias.
pub struct Dense {
    weight: Packed,
    bias: Vec<f32>,
}

impl Dense {
    /// From tensors `name.weight` and `name.bias`.
    pub fn load(weights: &Weights<'_>, name: &str, from: usize, to: usize) -> Result<Self, String> {
        Self::joined(weights, &[name], from, to)
    }

    /// Several in one: their results stand side by side.
    fn joined(weights: &Weights<'_>, names: &[&str], from: usize, to: usize) -> Result<Self, String> {
        let (mut all, mut bias) = (Vec::with_capacity(names.len() * from * to), Vec::with_capacity(names.len() * to));
        for name in names {
            all.extend(weights.get(&format!("{name}.weight"), &[to, from])?);
            bias.extend(weights.get(&format!("{name}.bias"), &[to])?);
        }
        Ok(Self { weight: Packed::new(from, names.len() * to, |row, column| all[column * from + row]), bias })
    }

    /// Of each row of `x`, into the rows of `out`.
    pub fn apply(&self, x: &[f32], out: &mut [f32], parts: usize) {
        self.weight.product_in_parts(x, Some(&self.bias), out, parts);
    }
}

struct Layer {
    /// Queries, keys and values in one product.
    asked: Dense,
    joined: Dense,
    joined_norm: Norm,
    up: Dense,
    down: Dense,
    down_norm: Norm,
}

impl Layer {
    fn load(weights: &Weights<'_>, layer: &str, config: &Config) -> Result<Self, String> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let name = |part: &str| format!("{layer}.{part}");
        let asked = ["attention.self.query", "attention.self.key", "attention.self.value"].map(name);
        Ok(Self {
            asked: Dense::joined(weights, &asked.each_ref().map(String::as_str), hidden, hidden)?,
            joined: Dense::load(weights, &name("attention.output.dense"), hidden, hidden)?,
            joined_norm: norm(weights, &name("attention.output.LayerNorm"), config)?,
            up: Dense::load(weights, &name("intermediate.dense"), hidden, wide)?,
            down: Dense::load(weights, &name("output.dense"), wide, hidden)?,
            down_norm: norm(weights, &name("output.LayerNorm"), config)?,
        })
    }

    /// All after the attention: each row for itself.
    fn rest(&self, rows: &mut [f32], attended: &[f32], parts: usize) {
        let mut added = vec![0.0; rows.len()];
        self.joined.apply(attended, &mut added, parts);
        self.joined_norm.of_sums(rows, &added);
        let mut wide = vec![0.0; rows.len() / self.joined_norm.weight.len() * self.up.bias.len()];
        self.up.apply(rows, &mut wide, parts);
        gelu(&mut wide);
        self.down.apply(&wide, &mut added, parts);
        self.down_norm.of_sums(rows, &added);
    }
}

fn norm(weights: &Weights<'_>, name: &str, config: &Config) -> Result<Norm, String> {
    let get = |part: &str| weights.get(&format!("{name}.{part}"), &[config.hidden_size]);
    Ok(Norm { weight: get("weight")?, bias: get("bias")?, epsilon: config.layer_norm_eps })
}

/// The network.
pub struct Bert {
    config: Config,
    words: Vec<f32>,
    positions: Vec<f32>,
    types: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Bert {
    /// From tensors as Hugging Face's `BertModel` names them, after `prefix`.
    pub fn load(weights: &Weights<'_>, prefix: &str, config: Config) -> Result<Self, String> {
        let table = |name: &str, length: usize| weights.get(&format!("{prefix}embeddings.{name}.weight"), &[length, config.hidden_size]);
        // Packing a layer is a few milliseconds of one core.
        let layers = (0..config.num_hidden_layers)
            .into_par_iter()
            .map(|number| Layer::load(weights, &format!("{prefix}encoder.layer.{number}"), &config));
        Ok(Self {
            words: table("word_embeddings", config.vocab_size)?,
            positions: table("position_embeddings", config.max_position_embeddings)?,
            types: table("token_type_embeddings", config.type_vocab_size)?,
            norm: norm(weights, &format!("{prefix}embeddings.LayerNorm"), &config)?,
            layers: layers.collect::<Result<_, _>>()?,
            config,
        })
    }

    /// What `of(place, vectors)` makes of each text, in order. Texts share passes, and passes run side by side.
    pub fn each<T: Send>(&self, texts: &[Tokens<'_>], of: impl Fn(usize, &[f32]) -> T + Sync) -> Result<Vec<T>, String> {
        let pass = |places: Vec<usize>| {
            let own: Vec<_> = places.iter().map(|place| texts[*place]).collect();
            let vectors = self.forward(&own)?;
            let mut rest = &vectors[..];
            let mut next = |place: usize| {
                let (own, others) = rest.split_at(texts[place].ids.len() * self.config.hidden_size);
                rest = others;
                (place, of(place, own))
            };
            Ok(places.into_iter().map(&mut next).collect::<Vec<_>>())
        };
        let found: Vec<_> = passes(texts).into_par_iter().map(pass).collect::<Result<_, String>>()?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        found.sort_by_key(|(place, _)| *place);
        Ok(found.into_iter().map(|(_, made)| made).collect())
    }

    /// The vectors of all tokens, text after text. The same to the last bit whatever stands beside a text, and on however many threads.
    fn forward(&self, texts: &[Tokens<'_>]) -> Result<Vec<f32>, String> {
        let hidden = self.config.hidden_size;
        let mut rows = self.embedded(texts)?;
        let (count, threads) = (rows.len() / hidden, rayon::current_num_threads());
        let turns = threads * count.div_ceil(threads * ROWS_MAX).max(1);
        let (block, parts) = match count < threads * ROWS_MIN {
            true => (count.max(1), threads),
            false => (count.div_ceil(turns).next_multiple_of(TILE), 1),
        };
        for layer in &self.layers {
            let mut asked = vec![0.0; 3 * rows.len()];
            let blocks = rows.par_chunks(block * hidden).zip(asked.par_chunks_mut(3 * block * hidden));
            blocks.for_each(|(rows, asked)| layer.asked.apply(rows, asked, parts));
            let attended = self.attended(texts, &asked);
            let blocks = rows.par_chunks_mut(block * hidden).zip(attended.par_chunks(block * hidden));
            blocks.for_each(|(rows, attended)| layer.rest(rows, attended, parts));
        }
        Ok(rows)
    }

    fn embedded(&self, texts: &[Tokens<'_>]) -> Result<Vec<f32>, String> {
        let hidden = self.config.hidden_size;
        let mut rows = Vec::with_capacity(texts.iter().map(|text| text.ids.len() * hidden).sum());
        for text in texts {
            if text.ids.len() > self.config.max_position_embeddings || text.ids.len() != text.types.len() {
                return Err(format!(
                    "a text has {} tokens and {} types; the model takes {}",
                    text.ids.len(),
                    text.types.len(),
                    self.config.max_position_embeddings
                ));
            }
            for ((id, kind), position) in text.ids.iter().zip(text.types).zip(self.positions.chunks_exact(hidden)) {
                let entries = |table: &'_ [f32], place: u32| Some(place as usize * hidden).filter(|from| *from < table.len());
                let word = entries(&self.words, *id).ok_or_else(|| format!("token {id} is beyond the model's vocabulary"))?;
                let kind = entries(&self.types, *kind).ok_or_else(|| format!("the model knows no token type {kind}"))?;
                let begin = rows.len();
                rows.extend(
                    self.words[word..][..hidden].iter().zip(&self.types[kind..][..hidden]).zip(position).map(|((w, t), p)| w + t + p),
                );
                self.norm.of_row(&mut rows[begin..]);
            }
        }
        Ok(rows)
    }

    /// Scaled dot-product attention (Vaswani et al., 2017) of each text with itself. A row of `asked` has a token's query, key and value.
    fn attended(&self, texts: &[Tokens<'_>], asked: &[f32]) -> Vec<f32> {
        let (hidden, heads) = (self.config.hidden_size, self.config.num_attention_heads);
        let (stride, size) = (3 * hidden, hidden / heads);
        let mut begin = 0;
        let of_heads = texts.iter().flat_map(|text| {
            let rows = begin..begin + text.ids.len();
            begin = rows.end;
            (0..heads).map(move |head| (rows.clone(), head * size))
        });
        let of_heads: Vec<_> = of_heads.collect();
        let of_head = |(rows, first): &(std::ops::Range<usize>, usize)| {
            let (asked, count) = (&asked[rows.start * stride..rows.end * stride], rows.len());
            let keys = Packed::new(size, count, |entry, row| asked[row * stride + hidden + first + entry]);
            let values = Packed::new(count, size, |row, entry| asked[row * stride + 2 * hidden + first + entry]);
            let mut out = vec![0.0; count * size];
            let mut near = vec![0.0; count.min(ROWS_MAX) * count];
            for (place, out) in out.chunks_mut(ROWS_MAX * size).enumerate() {
                let near = &mut near[..out.len() / size * count];
                keys.product(&asked[place * ROWS_MAX * stride + first..], stride, None, near);
                softmax(near, count, 1.0 / (size as f32).sqrt());
                values.product(near, count, None, out);
            }
            out
        };
        let found: Vec<_> = of_heads.par_iter().with_min_len(heads.div_ceil(4)).map(of_head).collect();
        let mut all = vec![0.0; asked.len() / 3];
        for ((rows, first), found) in of_heads.into_iter().zip(found) {
            for (all, found) in all[rows.start * hidden..rows.end * hidden].chunks_exact_mut(hidden).zip(found.chunks_exact(size)) {
                all[first..first + size].copy_from_slice(found);
            }
        }
        all
    }
}

/// Which texts share a pass: the longest first, so that no thread is left with a long one at the end.
fn passes(texts: &[Tokens<'_>]) -> Vec<Vec<usize>> {
    let mut order: Vec<_> = (0..texts.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(texts[*place].ids.len()));
    let (mut passes, mut room): (Vec<Vec<usize>>, usize) = (Vec::new(), 0);
    for place in order {
        let tokens = texts[place].ids.len();
        match passes.last_mut() {
            Some(pass) if tokens <= room => pass.push(place),
            _ => {
                passes.push(vec![place]);
                room = PASS_TOKENS;
            }
        }
        room = room.saturating_sub(tokens);
    }
    passes
}
