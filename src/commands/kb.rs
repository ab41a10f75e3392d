//! `picket kb search | ls`.

use super::table;
use crate::roles::agent::retriever;

/// Runbooks and post-mortems.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum KbCommand {
    /// The passages nearest to a text.
    Search {
        /// What to look for.
        #[arg(required = true)]
        text: Vec<String>,
        /// How many.
        #[arg(long, default_value_t = 5)]
        top: usize,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Every document.
    Ls {
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
///
/// # Errors
/// When the embedding model is not there.
pub fn run(command: &KbCommand) -> anyhow::Result<()> {
    match command {
        KbCommand::Search { text, top, json } => {
            let passages = retriever()?.search(&text.join(" "), *top)?;
            if *json {
                return super::print_json(&passages);
            }
            let rows: Vec<_> =
                passages.iter().map(|p| [format!("{:.2}", p.score), p.document.to_string(), p.heading.clone(), p.title.clone()]).collect();
            table::print(["SCORE", "DOCUMENT", "HEADING", "TITLE"], &rows, "nothing found");
        }
        KbCommand::Ls { json } => {
            let documents = picket_diagnosis::shipped();
            if *json {
                return super::print_json(&documents);
            }
            let rows: Vec<_> =
                documents.iter().map(|d| [d.id.to_string(), d.cause.map_or("-".into(), |c| c.to_string()), d.title.clone()]).collect();
            table::print(["DOCUMENT", "CAUSE", "TITLE"], &rows, "no documents");
        }
    }
    Ok(())
}
