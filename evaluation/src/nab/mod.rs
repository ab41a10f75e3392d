//! The Numenta Anomaly Benchmark (A. Lavin, S. Ahmad, "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly
//! Benchmark", ICMLA 2015): labelled series, scored by how early a window is detected and how many rows outside of one are called.
//!
//! | part | what |
//! |---|---|
//! | `civil` | the set's timestamps |
//! | `corpus` | series and windows of a folder |
//! | `cost` | the three application profiles |
//! | `scorer` | what each row's detection is worth, the threshold sweep, the normalised score |
//! | `report` | picket's own detector over a set |

mod civil;
mod corpus;
mod cost;
mod report;
mod scorer;

pub use corpus::{Corpus, LabelledSeries, Window};
pub use cost::CostProfile;
pub use report::{NabReport, detect, evaluate, report};
pub use scorer::{Optimum, ScoredCorpus, Tally};
