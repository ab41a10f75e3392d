//! GitLab's REST API v4 (docs.gitlab.com/api: merge_requests, pipelines).

use super::{Checks, Request, Standing, Wanted};
use crate::http::{Api, text};
use picket_core::ports::PortResult;
use reqwest::Method;
use serde_json::{Value, json};

pub(super) async fn standing(api: &Api, project: &str, branch: &str, base: &str, commit: &str) -> PortResult<Standing> {
    let mut url = api.at(&["projects", project, "merge_requests"])?;
    url.query_pairs_mut().append_pair("state", "all").append_pair("source_branch", branch).append_pair("target_branch", base);
    let answer = api.get(url, &[]).await?;
    let merges: Vec<&Value> = answer.as_array().into_iter().flatten().filter(|merge| text(merge, "/source_branch") == branch).collect();
    if let Some(open) = merges.iter().find(|merge| matches!(text(merge, "/state"), "opened" | "locked")) {
        return request(api, open).map(Standing::Open);
    }
    let closed = |merge: &&&Value| text(merge, "/state") == "closed" && text(merge, "/sha") == commit;
    merges.iter().find(closed).map_or(Ok(Standing::None), |merge| request(api, merge).map(Standing::TurnedDown))
}

pub(super) async fn ask(api: &Api, project: &str, wanted: &Wanted<'_>) -> PortResult<Request> {
    let body = json!({"source_branch": wanted.branch, "target_branch": wanted.base, "title": wanted.title, "description": wanted.body,
        "remove_source_branch": true});
    let answer = api.send(Method::POST, api.at(&["projects", project, "merge_requests"])?, &[], &body).await?;
    request(api, &answer)
}

pub(super) async fn close(api: &Api, project: &str, request: &Request) -> PortResult<()> {
    let url = api.at(&["projects", project, "merge_requests", &request.number.to_string()])?;
    api.send(Method::PUT, url, &[], &json!({"state_event": "close"})).await.map(drop)
}

/// The newest pipeline of the commit.
pub(super) async fn checks(api: &Api, project: &str, commit: &str) -> PortResult<Checks> {
    let mut url = api.at(&["projects", project, "pipelines"])?;
    url.query_pairs_mut().append_pair("sha", commit).append_pair("order_by", "id").append_pair("sort", "desc").append_pair("per_page", "1");
    let answer = api.get(url, &[]).await?;
    Ok(judge(answer.get(0)))
}

fn judge(pipeline: Option<&Value>) -> Checks {
    let Some(pipeline) = pipeline else { return Checks::Pending("no pipeline has begun".to_owned()) };
    let (id, status) = (pipeline.get("id").cloned().unwrap_or_default(), text(pipeline, "/status"));
    let told = format!("pipeline {id}: {status}");
    match status {
        "success" => Checks::Green,
        // Nothing ran, so nothing was checked.
        "failed" | "canceled" | "canceling" | "skipped" => Checks::Red(told),
        _ => Checks::Pending(told),
    }
}

fn request(api: &Api, merge: &Value) -> PortResult<Request> {
    let number = merge.get("iid").and_then(Value::as_u64).ok_or_else(|| api.unavailable("a merge request without a number"))?;
    Ok(Request { number, url: text(merge, "/web_url").to_owned() })
}
