//! AWS's front door before `moto`: what moto does not do, from AWS's public documents. It refuses requests that are too old or not signed,
//! tells its time, and keeps instance refreshes. And it is where calls are lost.

use crate::gate::{Gate, TestClock, Way};
use crate::moto::Moto;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use picket_clouds::Clock as _;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

/// AWS's documents say five minutes, its services' errors say fifteen.
pub const LIFE_S: i64 = 900;

pub struct Front {
    pub url: String,
    pub gate: Gate,
    pub clock: TestClock,
    /// AWS's clock, less the test's.
    pub skew_s: Mutex<i64>,
    /// Operations that were answered well, with the name of what they were done to.
    pub done: Mutex<Vec<(String, String)>>,
    pub tokens_seen: Mutex<u64>,
    refreshes: Mutex<BTreeMap<String, Vec<Refresh>>>,
    moto: String,
    http: reqwest::Client,
}

#[derive(Clone)]
struct Refresh {
    id: String,
    started_s: i64,
    status: &'static str,
}

impl Front {
    pub async fn start(moto: &Moto, clock: TestClock) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            gate: Gate::default(),
            clock,
            skew_s: Mutex::new(0),
            done: Mutex::default(),
            tokens_seen: Mutex::default(),
            refreshes: Mutex::default(),
            moto: moto.url.clone(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        });
        let app = axum::Router::new().fallback(enter).with_state(front.clone());
        tokio::spawn(axum::serve(listener, app).into_future());
        front
    }

    fn now_s(&self) -> i64 {
        self.clock.now_s() + *self.skew_s.lock().unwrap()
    }

    /// How many effects there were on that service or group.
    pub fn effects(&self, name: &str) -> u64 {
        let effects = ["UpdateService", "SetDesiredCapacity", "StartInstanceRefresh"];
        self.done.lock().unwrap().iter().filter(|(operation, on)| effects.contains(&operation.as_str()) && on == name).count() as u64
    }

    pub fn times(&self, operation: &str) -> usize {
        self.done.lock().unwrap().iter().filter(|(done, _)| done == operation).count()
    }

    /// Somebody starts one; it is over at once, or not at all.
    pub fn refresh(&self, group: &str, status: &'static str) -> Result<String, &'static str> {
        let mut refreshes = self.refreshes.lock().unwrap();
        let list = refreshes.entry(group.to_owned()).or_default();
        if list.iter().any(|refresh| refresh.status == "InProgress") {
            return Err("InstanceRefreshInProgress");
        }
        let id = format!("refresh-{}", list.len() + 1);
        list.push(Refresh { id: id.clone(), started_s: self.clock.now_s(), status });
        Ok(id)
    }

    pub fn newest_refresh(&self, group: &str) -> Option<String> {
        self.refreshes.lock().unwrap().get(group).and_then(|list| list.last()).map(|refresh| refresh.id.clone())
    }

    fn described(&self, group: &str) -> String {
        let refreshes = self.refreshes.lock().unwrap();
        let members = refreshes.get(group).into_iter().flatten().rev().map(|refresh| {
            let started = httpdate_iso(refresh.started_s);
            format!(
                "<member><InstanceRefreshId>{}</InstanceRefreshId><AutoScalingGroupName>{group}</AutoScalingGroupName><Status>{}</Status>\
                 <StartTime>{started}</StartTime></member>",
                refresh.id, refresh.status
            )
        });
        let members: String = members.collect();
        format!(
            "<DescribeInstanceRefreshesResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><DescribeInstanceRefreshesResult>\
             <InstanceRefreshes>{members}</InstanceRefreshes></DescribeInstanceRefreshesResult></DescribeInstanceRefreshesResponse>"
        )
    }

    /// As AWS would take it up: checked now, whenever it was sent.
    async fn serve(&self, headers: &HeaderMap, body: &Bytes) -> Response {
        let call = Call::read(headers, body);
        if call.service != "sts" {
            let signed = headers.get("x-amz-date").and_then(|at| seconds_of(at.to_str().ok()?));
            let Some(signed) = signed else { return call.error(403, "MissingAuthenticationToken") };
            if (self.now_s() - signed).abs() > LIFE_S {
                return call.error(403, "SignatureDoesNotMatch: Signature expired");
            }
        }
        if headers.contains_key("x-amz-security-token") {
            *self.tokens_seen.lock().unwrap() += 1;
        }
        let response = match call.operation.as_str() {
            "DescribeInstanceRefreshes" => (StatusCode::OK, self.described(&call.name)).into_response(),
            "StartInstanceRefresh" => {
                assert_eq!(call.form.get("Preferences.AutoRollback").map(String::as_str), Some("false"));
                assert_eq!(call.form.get("Preferences.MinHealthyPercentage").map(String::as_str), Some("90"));
                match self.refresh(&call.name, "Successful") {
                    Ok(id) => format!(
                        "<StartInstanceRefreshResponse><StartInstanceRefreshResult><InstanceRefreshId>{id}</InstanceRefreshId>\
                         </StartInstanceRefreshResult></StartInstanceRefreshResponse>"
                    )
                    .into_response(),
                    Err(code) => call.error(400, code),
                }
            }
            _ => self.forward(headers, body).await,
        };
        if response.status().is_success() {
            self.done.lock().unwrap().push((call.operation, call.name));
        }
        response
    }

    async fn forward(&self, headers: &HeaderMap, body: &Bytes) -> Response {
        let mut request = self.http.post(&self.moto).body(body.clone());
        for name in ["authorization", "content-type", "x-amz-date", "x-amz-target", "x-amz-security-token"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.expect("moto answers");
        let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
        (status, answer.bytes().await.unwrap()).into_response()
    }
}

async fn enter(State(front): State<Arc<Front>>, headers: HeaderMap, body: Bytes) -> Response {
    // Of its own: what is on its way stays so when its sender is gone.
    let task = tokio::spawn(async move {
        let way = front.gate.pass().await;
        let mut response = match way {
            Way::Lost => std::future::pending().await,
            Way::Back(status, code) => Call::read(&headers, &body).error(status, code),
            Way::Through | Way::Unanswered | Way::Late => front.serve(&headers, &body).await,
        };
        match way {
            Way::Unanswered => {
                front.gate.reach();
                std::future::pending().await
            }
            Way::Late => front.gate.finish(),
            _ => {}
        }
        let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(front.now_s()).unwrap());
        response.headers_mut().insert(header::DATE, httpdate(at).parse().unwrap());
        response
    });
    task.await.expect("the front door answers")
}

/// What is asked for.
struct Call {
    service: &'static str,
    operation: String,
    name: String,
    form: HashMap<String, String>,
}

impl Call {
    fn read(headers: &HeaderMap, body: &Bytes) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (authorization, target) = (text("authorization"), text("x-amz-target"));
        if let Some(operation) = target.strip_prefix("AmazonEC2ContainerServiceV20141113.") {
            assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential="), "{authorization}");
            assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date;"), "{authorization}");
            assert!(authorization.contains("x-amz-target"), "the target is signed: {authorization}");
            let body: serde_json::Value = serde_json::from_slice(body).unwrap();
            let name = body["service"].as_str().unwrap_or_default().to_owned();
            return Self { service: "ecs", operation: operation.to_owned(), name, form: HashMap::new() };
        }
        let url = reqwest::Url::parse(&format!("http://form/?{}", std::str::from_utf8(body).unwrap())).unwrap();
        let form: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let service = if form["Action"] == "AssumeRoleWithWebIdentity" { "sts" } else { "autoscaling" };
        assert!(service == "sts" || authorization.starts_with("AWS4-HMAC-SHA256 Credential="), "{authorization}");
        let name = form.get("AutoScalingGroupName").cloned().unwrap_or_default();
        Self { service, operation: form["Action"].clone(), name, form }
    }

    fn error(&self, status: u16, code: &str) -> Response {
        let status = StatusCode::from_u16(status).unwrap();
        let body = match self.service {
            "ecs" => serde_json::json!({"__type": code, "message": "as the test wants it"}).to_string(),
            _ => format!("<ErrorResponse><Error><Code>{code}</Code><Message>as the test wants it</Message></Error></ErrorResponse>"),
        };
        (status, body).into_response()
    }
}

fn httpdate(at: std::time::SystemTime) -> String {
    httpdate::fmt_http_date(at)
}

fn httpdate_iso(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

/// `20150830T123600Z`.
fn seconds_of(text: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| text.get(range);
    let iso = format!("{}-{}-{}T{}:{}:{}Z", part(0..4)?, part(4..6)?, part(6..8)?, part(9..11)?, part(11..13)?, part(13..15)?);
    iso.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}
