//! PetShop: root causes of latency and availability incidents on a graph of about 40 nodes (Hardt et al. 2023, arXiv 2311.04806).

mod evaluate;
mod read;

pub use evaluate::evaluate;

#[cfg(test)]
mod tests;
