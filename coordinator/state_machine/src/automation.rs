//! Leases of other automation: taken now or in turn, renewed, given back. They end with time.

use crate::bounds;
use crate::lease::{self, Holder, LeaseId, Terms};
use crate::queue;
use crate::reply::Reply;
use crate::state::State;
use crate::waiting::{Asker, Place, Waiter};
use picket_core::coordination::LeasePriority;
use picket_core::ids::{Principal, RequestId};
use picket_core::limits::LimitRule;
use picket_core::scope::{FencingToken, Scope};

const SCOPES_PER_COMMAND_MAX: usize = 16;
const TTL_MS: std::ops::RangeInclusive<i64> = 1_000..=3_600_000;

fn ttl_in_range(ttl_ms: i64) -> Result<(), Reply> {
    if TTL_MS.contains(&ttl_ms) {
        return Ok(());
    }
    Err(Reply::refused(LimitRule::Malformed, format!("a lease of {ttl_ms} ms: {} to {} are allowed", TTL_MS.start(), TTL_MS.end())))
}

/// What stands against any new lease, whoever holds what.
fn may_ask(state: &State, scopes: &[Scope], ttl_ms: i64) -> Result<(), Reply> {
    ttl_in_range(ttl_ms)?;
    // One order for all: two who want the same scopes cannot each get half of them.
    if scopes.is_empty() || scopes.len() > SCOPES_PER_COMMAND_MAX || !scopes.is_sorted_by(|a, b| a < b) {
        return Err(Reply::refused(LimitRule::Malformed, format!("1 to {SCOPES_PER_COMMAND_MAX} scopes, sorted, each once")));
    }
    if let Some(restore) = &state.restore {
        let why = format!("restored from a backup by {}: a person must release it first", restore.by);
        return Err(Reply::refused(LimitRule::Restoring, why));
    }
    let (foreign, max) = (state.leases.foreign(), state.settings.leases_max);
    if foreign >= max {
        return Err(bounds::refuse("leases_max", foreign, max, "leases are held by other automation"));
    }
    Ok(())
}

fn take(state: &mut State, who: &Principal, scopes: &[Scope], ttl_ms: i64, priority: u8) -> Reply {
    let expires_at = state.now().plus_ms(ttl_ms);
    let terms = Terms { expires_at, ttl_ms, priority, protected_until: None, offered: None };
    let tokens = lease::grant(state, Holder::Principal(who.to_string()), scopes, terms);
    Reply::Leased { tokens, expires_at, preempt_at: None }
}

/// All of them now, or none.
pub(crate) fn acquire(state: &mut State, who: &Principal, scopes: &[Scope], ttl_ms: i64) -> Reply {
    if let Err(refused) = may_ask(state, scopes, ttl_ms) {
        return refused;
    }
    if !state.leases.all_free(scopes) {
        let held = scopes.iter().find_map(|s| Some((s, state.leases.at(s)?.holder.name())));
        let why = held.map_or_else(String::new, |(scope, holder)| format!("{scope} is held by {holder}"));
        return Reply::refused(LimitRule::TargetBusy, why);
    }
    if let Some(scope) = scopes.iter().find(|s| state.waiting.wants_any(std::slice::from_ref(*s))) {
        let first = state.waiting.names(scope, 1).concat();
        return Reply::refused(LimitRule::TargetBusy, format!("{first} waits for {scope}"));
    }
    let priority = queue::priority_of_request(&state.settings, LeasePriority::default());
    take(state, who, scopes, ttl_ms, priority)
}

/// All of them, in turn. The same request again keeps the place, and takes what was granted meanwhile.
pub(crate) fn queue_up(
    state: &mut State,
    who: &Principal,
    request: &RequestId,
    scopes: &[Scope],
    ttl_ms: i64,
    wanted: LeasePriority,
) -> Reply {
    let name = who.to_string();
    if let Some(id) = state.leases.offered_to(&name, request) {
        return pick_up(state, id, scopes);
    }
    let lapses_at = state.now().plus_ms(state.settings.wait_ttl_ms);
    let asker = Asker::Request { principal: name, request: request.clone() };
    if let Some(waiter) = state.waiting.find(&asker) {
        if waiter.scopes != scopes {
            return Reply::refused(LimitRule::Malformed, format!("request {request} waits for other scopes: use another id"));
        }
        state.waiting.renew_place(&asker, lapses_at);
        return Reply::Waiting { position: state.waiting.position(&asker), lapses_at };
    }
    if let Err(refused) = may_ask(state, scopes, ttl_ms) {
        return refused;
    }
    let priority = queue::priority_of_request(&state.settings, wanted);
    if state.leases.all_free(scopes) && !state.waiting.wants_any(scopes) {
        return take(state, who, scopes, ttl_ms, priority);
    }
    let (waiting, max) = (state.waiting.requests(), state.settings.waiters_max);
    if waiting >= max {
        return bounds::refuse("waiters_max", waiting, max, "requests wait for leases");
    }
    let place = Some(Place { ttl_ms, lapses_at });
    let since = state.now();
    state.waiting.join(Waiter { asker: asker.clone(), scopes: scopes.to_vec(), priority, since, starved: false, place });
    Reply::Waiting { position: state.waiting.position(&asker), lapses_at }
}

fn pick_up(state: &mut State, id: LeaseId, scopes: &[Scope]) -> Reply {
    let now = state.now();
    let same = state.leases.get(id).is_some_and(|l| l.scopes.iter().map(|(s, _)| s).eq(scopes));
    match if same { state.leases.pick_up(id, now) } else { None } {
        Some(lease) => Reply::Leased { tokens: lease.tokens(), expires_at: lease.terms.expires_at, preempt_at: lease.preempt_at },
        None => Reply::refused(LimitRule::Malformed, "this request was granted other scopes: use another id"),
    }
}

/// The lease that this token names.
fn held(state: &State, who: &Principal, scope: &Scope, token: FencingToken) -> Result<LeaseId, Reply> {
    let mine = Holder::Principal(who.to_string());
    let lease = state.leases.at(scope).filter(|l| l.holder == mine && l.token_of(scope) == Some(token));
    let id = lease.and_then(|_| state.leases.id_at(scope));
    id.ok_or_else(|| {
        let why = format!("{who} does not hold {scope} with token {token}: it has ended, was preempted, or is another's");
        Reply::refused(LimitRule::NotAllowed, why)
    })
}

/// The holder prolongs it, with all its scopes; not beyond a notice.
pub(crate) fn renew(state: &mut State, who: &Principal, scope: &Scope, token: FencingToken, ttl_ms: i64) -> Reply {
    if let Err(refused) = ttl_in_range(ttl_ms) {
        return refused;
    }
    let id = match held(state, who, scope, token) {
        Ok(id) => id,
        Err(refused) => return refused,
    };
    let now = state.now();
    let Some(lease) = state.leases.get(id) else { return Reply::Done };
    let (tokens, preempt_at) = (lease.tokens(), lease.preempt_at);
    // Never shorter than promised before.
    let wanted = lease.terms.expires_at.max(now.plus_ms(ttl_ms));
    let expires_at = preempt_at.map_or(wanted, |at| wanted.min(at));
    state.leases.set_expiry(id, expires_at);
    Reply::Leased { tokens, expires_at, preempt_at }
}

/// The holder gives it back, with all its scopes.
pub(crate) fn release(state: &mut State, who: &Principal, scope: &Scope, token: FencingToken) -> Reply {
    match held(state, who, scope, token) {
        Ok(id) => {
            state.leases.remove(id);
            Reply::Done
        }
        Err(refused) => refused,
    }
}
