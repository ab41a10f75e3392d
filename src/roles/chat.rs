//! Chat and paging, beside the dashboard: another view of the same ledger.

use crate::side_files;
use crate::wiring::Wiring;
use anyhow::Context as _;
use picket_chatops::approver::PerPerson;
use picket_chatops::people::PersonName;
use picket_chatops::service::{ChatOps, Clocks};
use picket_chatops::settings::ChatOpsSettings;
use picket_chatops::wall_clock;
use picket_coordinator_client::CoordinatorClient;
use picket_core::ids::Principal;

/// Channels, with a coordinator client for each person who may decide in them.
pub type Chat = ChatOps<PerPerson<CoordinatorClient>>;

/// Opens the channels that are configured; `None` when there are none.
///
/// # Errors
/// When a setting is wrong, a secret cannot be read, or a person who is to approve has no certificate here.
pub async fn start(wiring: &Wiring) -> anyhow::Result<Option<Chat>> {
    let settings = side_files::channels(&wiring.config)?;
    if settings.is_off() {
        return Ok(None);
    }
    let clocks = Clocks { run: wiring.now(), wall: wall_clock() };
    let chat = ChatOps::start(&settings, &wiring.data("chatops")?, approvers(wiring, &settings)?, clocks).await?;
    if let Some(address) = chat.address() {
        tracing::info!(%address, "presses in chat are taken");
    }
    Ok(Some(chat))
}

fn approvers(wiring: &Wiring, settings: &ChatOpsSettings) -> anyhow::Result<PerPerson<CoordinatorClient>> {
    let names = settings.slack.directory().approvers();
    let client = |name: PersonName| {
        let human = Principal::Human(name.as_str().to_owned());
        let client = wiring.coordinator(&human).context("chatops: whoever approves in chat needs a certificate here")?;
        anyhow::Ok((name.as_str().to_owned(), client))
    };
    Ok(PerPerson::new(names.into_iter().map(client).collect::<Result<Vec<_>, _>>()?))
}

/// Follows the ledger until the process is asked to end.
///
/// # Errors
/// When a channel breaks for good.
pub async fn run(wiring: &Wiring, chat: Option<Chat>) -> anyhow::Result<()> {
    let Some(chat) = chat else { return Ok(()) };
    Ok(chat.run(wiring.coordinator(&Principal::Dashboard)?, super::asked_to_end()).await?)
}
