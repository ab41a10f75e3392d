//! GitHub's REST API, version 2022-11-28 (docs.github.com/rest: pulls, checks/runs, commits/statuses).

use super::{Checks, Request, Standing, Wanted};
use crate::http::{Api, text};
use picket_core::ports::PortResult;
use reqwest::Method;
use serde_json::{Value, json};

const HEADERS: [(&str, &str); 2] = [("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];
/// Checks in one answer; a commit with more is left to people.
const PER_PAGE: u64 = 100;

fn owner_and_name(project: &str) -> (&str, &str) {
    project.split_once('/').unwrap_or((project, ""))
}

pub(super) async fn standing(api: &Api, project: &str, branch: &str, base: &str, commit: &str) -> PortResult<Standing> {
    let (owner, name) = owner_and_name(project);
    let mut url = api.at(&["repos", owner, name, "pulls"])?;
    url.query_pairs_mut().append_pair("state", "all").append_pair("head", &format!("{owner}:{branch}")).append_pair("base", base);
    let answer = api.get(url, &HEADERS).await?;
    // The filter by head is the server's; what it gives is looked at again.
    let pulls: Vec<&Value> = answer.as_array().into_iter().flatten().filter(|pull| text(pull, "/head/ref") == branch).collect();
    if let Some(open) = pulls.iter().find(|pull| text(pull, "/state") == "open") {
        return request(api, open).map(Standing::Open);
    }
    let closed = |pull: &&&Value| text(pull, "/head/sha") == commit && pull.get("merged_at").is_none_or(Value::is_null);
    pulls.iter().find(closed).map_or(Ok(Standing::None), |pull| request(api, pull).map(Standing::TurnedDown))
}

pub(super) async fn ask(api: &Api, project: &str, wanted: &Wanted<'_>) -> PortResult<Request> {
    let (owner, name) = owner_and_name(project);
    let body = json!({"title": wanted.title, "head": wanted.branch, "base": wanted.base, "body": wanted.body});
    let answer = api.send(Method::POST, api.at(&["repos", owner, name, "pulls"])?, &HEADERS, &body).await?;
    request(api, &answer)
}

pub(super) async fn close(api: &Api, project: &str, request: &Request) -> PortResult<()> {
    let (owner, name) = owner_and_name(project);
    let url = api.at(&["repos", owner, name, "pulls", &request.number.to_string()])?;
    api.send(Method::PATCH, url, &HEADERS, &json!({"state": "closed"})).await.map(drop)
}

/// Check runs (of apps) and commit statuses (the older way) both count.
pub(super) async fn checks(api: &Api, project: &str, commit: &str) -> PortResult<Checks> {
    let (owner, name) = owner_and_name(project);
    let page = |last: &str| {
        let mut url = api.at(&["repos", owner, name, "commits", commit, last])?;
        url.query_pairs_mut().append_pair("per_page", &PER_PAGE.to_string());
        Ok(url)
    };
    let runs = api.get(page("check-runs")?, &HEADERS).await?;
    let statuses = api.get(page("status")?, &HEADERS).await?;
    let count = |answer: &Value| answer.get("total_count").and_then(Value::as_u64).unwrap_or(0);
    if count(&runs) > PER_PAGE || count(&statuses) > PER_PAGE {
        return Err(api.refused("the commit has more than 100 checks"));
    }
    Ok(judge(&runs, &statuses))
}

fn judge(runs: &Value, statuses: &Value) -> Checks {
    let (mut seen, mut pending, mut red) = (0, Vec::new(), Vec::new());
    for run in runs.get("check_runs").and_then(Value::as_array).into_iter().flatten() {
        seen += 1;
        let (name, status, conclusion) = (text(run, "/name"), text(run, "/status"), text(run, "/conclusion"));
        match (status, conclusion) {
            ("completed", "success" | "neutral" | "skipped") => {}
            ("completed", _) => red.push(format!("{name}: {conclusion}")),
            _ => pending.push(name.to_owned()),
        }
    }
    for status in statuses.get("statuses").and_then(Value::as_array).into_iter().flatten() {
        seen += 1;
        let (name, state) = (text(status, "/context"), text(status, "/state"));
        match state {
            "success" => {}
            "pending" => pending.push(name.to_owned()),
            _ => red.push(format!("{name}: {state}")),
        }
    }
    match (red.is_empty(), pending.is_empty(), seen) {
        (false, ..) => Checks::Red(red.join(", ")),
        (true, false, _) => Checks::Pending(pending.join(", ")),
        (true, true, 0) => Checks::Pending("none has begun".to_owned()),
        (true, true, _) => Checks::Green,
    }
}

fn request(api: &Api, pull: &Value) -> PortResult<Request> {
    let number = pull.get("number").and_then(Value::as_u64).ok_or_else(|| api.unavailable("a pull request without a number"))?;
    Ok(Request { number, url: text(pull, "/html_url").to_owned() })
}
