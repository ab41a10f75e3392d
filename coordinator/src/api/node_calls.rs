//! What only nodes may call, over connections that last.

use super::error::Problem;
use super::{Node, SNAPSHOT_MAX_BYTES, reads, writes};
use crate::membership;
use crate::raft::codec::{self, CodecError};
use crate::raft::wire::{Forwarded, Greeting, SnapshotHead, answer, ask};
use crate::raft::{Snapshot, received};
use bytes::Bytes;
use picket_coordinator_transport::frame::{self, Frame, Incoming};
use picket_coordinator_transport::serve::{self, Answered, Working};
use picket_core::ids::Principal;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

/// Deadline of the first frame and of the answer to it.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves another node until its connection ends.
///
/// # Errors
/// Why it ended, when the other node did not just close it.
pub(super) async fn serve(node: Arc<Node>, principal: &Principal, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), String> {
    let mut incoming = Incoming::new();
    let greeted = tokio::time::timeout(GREETING_TIMEOUT, async {
        let (call, greeting) = greeting(&mut stream, &mut incoming).await?;
        let refused = greeting.and_then(|greeting| is_welcome(&node, principal, &greeting)).err();
        let (kind, why) = refused.as_ref().map_or((answer::DONE, ""), |why| (answer::PROBLEM, why.as_str()));
        let mut out = Vec::new();
        frame::put(&mut out, call, kind, |out: &mut Vec<u8>| {
            out.extend_from_slice(why.as_bytes());
            Ok::<_, String>(())
        })
        .map_err(|e| e.to_string())?;
        stream.write_all(&out).await.map_err(|e| e.to_string())?;
        stream.flush().await.map_err(|e| e.to_string())?;
        refused.map_or(Ok(()), Err)
    });
    greeted.await.map_err(|_| format!("no greeting within {GREETING_TIMEOUT:?}"))??;
    incoming.greeted();
    let mut receiving = None;
    // Greeted, so it is a node.
    let Principal::Node(caller) = *principal else { return Ok(()) };
    serve::run(stream, incoming, None, |frame| begin(&node, caller, &mut receiving, frame)).await
}

/// The first frame: its number, and what it says.
async fn greeting(stream: &mut (impl AsyncRead + Unpin), incoming: &mut Incoming) -> Result<(u64, Result<Greeting, String>), String> {
    loop {
        if let Some(Frame { call, kind, body }) = incoming.frame().map_err(|e| e.to_string())? {
            let greeting = match kind {
                ask::GREET => codec::whole(&body).map_err(|e| format!("the greeting does not parse: {e}")),
                other => Err(format!("a connection begins with a greeting, not with {other}")),
            };
            return Ok((call, greeting));
        }
        if incoming.read(stream).await.map_err(|e| e.to_string())? == 0 {
            return Err("it was closed before the greeting".to_owned());
        }
    }
}

/// A node speaks for itself, to this node, and decides by the same settings.
fn is_welcome(node: &Node, principal: &Principal, greeting: &Greeting) -> Result<(), String> {
    let me = node.id;
    let Principal::Node(caller) = principal else {
        return Err(format!("this is for nodes of the coordinator, and the certificate says {principal}"));
    };
    if *caller != greeting.from {
        return Err(format!("the certificate says node {caller}, the greeting node {}", greeting.from));
    }
    if greeting.to != me {
        return Err(format!("this is node {me}, not node {}: one of the addresses is wrong", greeting.to));
    }
    if greeting.settings != node.peers.settings_digest() {
        let why = format!("nodes {caller} and {me} have different settings, and would decide differently; start them with the same");
        tracing::warn!(why, "another node was refused");
        return Err(why);
    }
    Ok(())
}

fn done<T: Serialize>(value: &T) -> Answered {
    let mut body = Vec::new();
    match codec::put(&mut body, value) {
        Ok(()) => Answered { kind: answer::DONE, body },
        Err(error) => problem(&Problem::internal("the answer", error.to_string())),
    }
}

fn problem(problem: &Problem) -> Answered {
    Answered { kind: answer::PROBLEM, body: problem.to_bytes() }
}

fn answered<T: Serialize>(result: Result<T, Problem>) -> Answered {
    result.map_or_else(|e| problem(&e), |value| done(&value))
}

fn unreadable(what: &str) -> impl FnOnce(CodecError) -> Problem + '_ {
    move |error| Problem::bad_request(what, error.to_string())
}

fn unsound(what: &str) -> impl FnOnce(String) -> Problem + '_ {
    move |why| {
        tracing::warn!(what, why, "another node said what no sound node says");
        Problem::bad_request(what, why)
    }
}

fn defect<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) -> Result<T, Problem> {
    result.map_err(|e| Problem::internal(what, e.to_string()))
}

fn begin(node: &Arc<Node>, caller: u64, receiving: &mut Option<Receiving>, frame: Frame) -> Working {
    let Frame { kind, body, .. } = frame;
    match kind {
        ask::SNAPSHOT_BEGIN => return now(Receiving::begin(&body).map(|begun| *receiving = Some(begun))),
        ask::SNAPSHOT_CHUNK => return now(Receiving::take(receiving, &body)),
        ask::SNAPSHOT_END => {
            let whole = Receiving::end(receiving.take());
            let node = node.clone();
            return Box::pin(async move { answered(install(&node, caller, whole).await) });
        }
        // What a node says in others' names is heard from members only: one that was removed may be anywhere by now.
        ask::FORWARD | ask::READ_INDEX if !membership::is_member(node, caller) => {
            return now(Err(Problem::unavailable("a call between nodes", format!("node {caller} is no member of this group"))));
        }
        _ => {}
    }
    let node = node.clone();
    Box::pin(async move {
        match kind {
            ask::APPEND => answered(append(&node, caller, body).await),
            ask::VOTE => answered(vote(&node, caller, &body).await),
            ask::PRE_VOTE => answered(pre_vote(&node, caller, &body).await),
            ask::TRANSFER_LEADER => answered(transfer_leader(&node, caller, &body).await),
            ask::READ_INDEX => answered(reads::read_index(&node, "read").await),
            ask::MEMBERS => json("members", &membership::view(&node)),
            ask::FORWARD => forward(&node, body).await,
            other => problem(&Problem::bad_request("a call between nodes", format!("there is no kind {other}"))),
        }
    })
}

fn now(result: Result<(), Problem>) -> Working {
    let answered = answered(result);
    Box::pin(std::future::ready(answered))
}

type Said<T> = Result<T, Problem>;

async fn append(node: &Node, caller: u64, body: Bytes) -> Said<impl Serialize + use<>> {
    let message = codec::append(body).map_err(unreadable("append"))?;
    received::append(caller, &message).map_err(unsound("append"))?;
    defect("append", node.raft.append_entries(message).await)
}

async fn vote(node: &Node, caller: u64, body: &[u8]) -> Said<impl Serialize + use<>> {
    let asked = codec::whole(body).map_err(unreadable("vote"))?;
    received::candidate(caller, &asked).map_err(unsound("vote"))?;
    defect("vote", node.raft.vote(asked).await)
}

async fn pre_vote(node: &Node, caller: u64, body: &[u8]) -> Said<impl Serialize + use<>> {
    let asked = codec::whole(body).map_err(unreadable("pre-vote"))?;
    received::candidate(caller, &asked).map_err(unsound("pre-vote"))?;
    defect("pre-vote", node.raft.pre_vote(asked).await)
}

async fn transfer_leader(node: &Node, caller: u64, body: &[u8]) -> Said<impl Serialize + use<>> {
    let asked = codec::whole(body).map_err(unreadable("transfer"))?;
    received::transfer(caller, &asked).map_err(unsound("transfer"))?;
    defect("transfer", node.raft.handle_transfer_leader(asked).await)
}

/// The other node vouches for who said it: it took the name from a certificate of the same CA.
async fn forward(node: &Node, body: Bytes) -> Answered {
    let answer = match Forwarded::read(&body) {
        Ok(Forwarded { principal, written }) => writes::propose(node, principal, written).await,
        Err(error) => Err(Problem::bad_request("submit", error.to_string())),
    };
    answer.map_or_else(|e| problem(&e), |answer| json("submit", &answer))
}

fn json<T: Serialize>(what: &str, value: &T) -> Answered {
    match defect(what, serde_json::to_vec(value)) {
        Ok(body) => Answered { kind: answer::DONE, body },
        Err(error) => problem(&error),
    }
}

/// A snapshot on its way here. When its connection ends, it is forgotten, and the leader begins anew.
struct Receiving {
    head: SnapshotHead,
    bytes: Vec<u8>,
}

impl Receiving {
    fn begin(body: &[u8]) -> Said<Self> {
        let head: SnapshotHead = serde_json::from_slice(body).map_err(|e| Problem::bad_request("snapshot", e.to_string()))?;
        if head.len_bytes > SNAPSHOT_MAX_BYTES as u64 {
            let why = format!("it has {} bytes, and at most {SNAPSHOT_MAX_BYTES} are taken", head.len_bytes);
            return Err(Problem::bad_request("snapshot", why));
        }
        Ok(Self { head, bytes: Vec::new() })
    }

    fn take(receiving: &mut Option<Self>, body: &[u8]) -> Said<()> {
        let Some(of) = receiving else { return Err(Problem::bad_request("snapshot", "its beginning is missing")) };
        if (of.bytes.len() + body.len()) as u64 > of.head.len_bytes {
            *receiving = None;
            return Err(Problem::bad_request("snapshot", "it is longer than it said"));
        }
        of.bytes.extend_from_slice(body);
        Ok(())
    }

    fn end(receiving: Option<Self>) -> Said<Self> {
        let whole = receiving.filter(|of| of.bytes.len() as u64 == of.head.len_bytes);
        whole.ok_or_else(|| Problem::bad_request("snapshot", "a part of it is missing"))
    }
}

async fn install(node: &Node, caller: u64, whole: Said<Receiving>) -> Said<impl Serialize + use<>> {
    let Receiving { head, bytes } = whole?;
    received::snapshot(caller, &head, &bytes).map_err(unsound("snapshot"))?;
    let SnapshotHead { vote, meta, .. } = head;
    defect("snapshot", node.raft.install_full_snapshot(vote, Snapshot { meta, snapshot: bytes }).await)
}
