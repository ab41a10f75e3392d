//! Where AWS keys can be had (public documents: "Standardized credential providers" of the AWS SDKs and Tools reference guide).

use super::credentials::Keys;
use super::xml;
use crate::error::{CloudError, words};
use crate::http::{Answer, Http, is_near};
use crate::secret::{Secret, read_file};
use crate::settings::{AwsCredentialsFrom, AwsEndpoints};
use reqwest::Method;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);
const METADATA: &str = "http://169.254.169.254";
const CONTAINER_HOST: &str = "http://169.254.170.2";
const METADATA_TOKEN_LIFE_S: &str = "21600";

/// One place, with what is needed to ask there.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Fixed(Keys),
    File { path: PathBuf, profile: String },
    WebIdentity { sts: String, role_arn: String, token_file: PathBuf },
    Container { url: String, authorization: Option<Secret>, authorization_file: Option<PathBuf> },
    Instance { url: String },
}

/// A place, and the way there.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    http: Http,
    source: Source,
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Sources {
    /// # Errors
    /// When the settings name a source that the environment does not have.
    pub(super) fn new(http: Http, from: &AwsCredentialsFrom, endpoints: &AwsEndpoints, env: Environment<'_>) -> Result<Self, CloudError> {
        let missing = |why: &str| CloudError::new("clouds.aws.credentials", why);
        let instance = || Source::Instance { url: endpoints.instance_metadata.clone().unwrap_or_else(|| METADATA.to_owned()) };
        let source = match from {
            AwsCredentialsFrom::Environment => {
                environment(env).ok_or_else(|| missing("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"))?
            }
            AwsCredentialsFrom::File { path, profile } => Source::File { path: path.clone(), profile: profile.clone() },
            AwsCredentialsFrom::WebIdentity { role_arn, token_file, region } => {
                Source::WebIdentity { sts: sts(endpoints, region), role_arn: role_arn.clone(), token_file: token_file.clone() }
            }
            AwsCredentialsFrom::Container => container(env)?.ok_or_else(|| missing("AWS_CONTAINER_CREDENTIALS_* is not set"))?,
            AwsCredentialsFrom::Instance => instance(),
            AwsCredentialsFrom::Automatic => match environment(env).or_else(|| web_identity(env, endpoints)) {
                Some(source) => source,
                None => container(env)?.unwrap_or_else(instance),
            },
        };
        Ok(Self { http, source })
    }

    /// Fresh keys.
    pub(super) async fn fetch(&self) -> Result<Keys, String> {
        match &self.source {
            Source::Fixed(keys) => Ok(keys.clone()),
            Source::File { path, profile } => {
                profile_of(&read_file(path).await?, profile).ok_or_else(|| format!("{}: no keys of `{profile}`", path.display()))
            }
            Source::WebIdentity { sts, role_arn, token_file } => self.assume(sts, role_arn, &read_file(token_file).await?).await,
            Source::Container { url, authorization, authorization_file } => {
                let fresh = match authorization_file {
                    Some(file) => Some(Secret::new(read_file(file).await?)),
                    None => authorization.clone(),
                };
                let request = self.http.request(Method::GET, url);
                let request = match fresh {
                    Some(authorization) => request.header("authorization", authorization.reveal()),
                    None => request,
                };
                of_json(&self.ask(request, "the container's credentials endpoint").await?)
            }
            Source::Instance { url } => self.instance(url).await,
        }
    }

    async fn ask(&self, request: reqwest::RequestBuilder, whom: &str) -> Result<Answer, String> {
        let answer = self.http.send(request, LIMIT).await.map_err(|e| format!("{whom}: {e:?}"))?;
        if answer.status == 200 { Ok(answer) } else { Err(format!("{whom} answered HTTP {}", answer.status)) }
    }

    async fn assume(&self, sts: &str, role_arn: &str, token: &str) -> Result<Keys, String> {
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", role_arn),
            ("RoleSessionName", "picket"),
            ("WebIdentityToken", token),
        ];
        let request = self.http.request(Method::POST, sts);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(super::form(&form));
        let answer = self.ask(request, "STS").await?;
        let body = String::from_utf8(answer.body).map_err(|_| "STS answered no text")?;
        let document = xml::document(&body)?;
        let found = xml::anywhere(&document, "Credentials").ok_or("STS answered without credentials")?;
        let text = |name: &str| xml::text(found, name).map(str::to_owned).ok_or_else(|| format!("STS answered without {name}"));
        Ok(Keys {
            id: text("AccessKeyId")?,
            secret: Secret::new(text("SecretAccessKey")?),
            token: Some(Secret::new(text("SessionToken")?)),
            expires_s: Some(seconds(&text("Expiration")?)?),
        })
    }

    /// Instance Metadata Service, version 2: a session first.
    async fn instance(&self, url: &str) -> Result<Keys, String> {
        let whom = "the instance's metadata service";
        let request = self.http.request(Method::PUT, &format!("{url}/latest/api/token"));
        let session = self.ask(request.header("x-aws-ec2-metadata-token-ttl-seconds", METADATA_TOKEN_LIFE_S), whom).await?;
        let session = Secret::new(String::from_utf8(session.body).map_err(|_| format!("{whom} answered no text"))?);
        let get = |path: &str| {
            let request = self.http.request(Method::GET, &format!("{url}/latest/meta-data/iam/security-credentials/{path}"));
            self.ask(request.header("x-aws-ec2-metadata-token", session.reveal()), whom)
        };
        let roles = String::from_utf8(get("").await?.body).map_err(|_| format!("{whom} answered no text"))?;
        let role = roles.lines().next().map(str::trim).filter(|role| is_role(role));
        of_json(&get(role.ok_or_else(|| format!("{whom} names no role: the instance has no profile"))?).await?)
    }
}

fn is_role(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c))
        && name != "."
        && name != ".."
}

fn environment(env: Environment<'_>) -> Option<Source> {
    let named = |name: &str| env(name).filter(|value| !value.is_empty());
    Some(Source::Fixed(Keys {
        id: named("AWS_ACCESS_KEY_ID")?,
        secret: Secret::new(named("AWS_SECRET_ACCESS_KEY")?),
        token: named("AWS_SESSION_TOKEN").map(Secret::new),
        expires_s: None,
    }))
}

fn web_identity(env: Environment<'_>, endpoints: &AwsEndpoints) -> Option<Source> {
    let region = env("AWS_REGION").or_else(|| env("AWS_DEFAULT_REGION"))?;
    Some(Source::WebIdentity {
        sts: sts(endpoints, &region),
        role_arn: env("AWS_ROLE_ARN")?,
        token_file: env("AWS_WEB_IDENTITY_TOKEN_FILE")?.into(),
    })
}

fn sts(endpoints: &AwsEndpoints, region: &str) -> String {
    endpoints.sts.as_deref().unwrap_or("https://sts.{region}.amazonaws.com").replace("{region}", region)
}

/// `None` when the environment names none.
fn container(env: Environment<'_>) -> Result<Option<Source>, CloudError> {
    let url = match (env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), env("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
        (Some(path), _) if path.starts_with('/') => format!("{CONTAINER_HOST}{path}"),
        (None, Some(url)) if is_near(&url) || url.starts_with("https://") => url,
        (None, None) => return Ok(None),
        _ => {
            let what = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI";
            return Err(CloudError::new(what, "expected a path, or an https address or one of this machine"));
        }
    };
    Ok(Some(Source::Container {
        url,
        authorization: env("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Secret::new),
        authorization_file: env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from),
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answered {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

fn of_json(answer: &Answer) -> Result<Keys, String> {
    // serde's words would quote what it stumbled over.
    let read: Answered = serde_json::from_slice(&answer.body).map_err(|e| format!("the credentials cannot be read (line {})", e.line()))?;
    let expires_s = read.expiration.as_deref().map(seconds).transpose()?;
    Ok(Keys { id: read.access_key_id, secret: Secret::new(read.secret_access_key), token: read.token.map(Secret::new), expires_s })
}

fn seconds(text: &str) -> Result<i64, String> {
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second).map_err(|_| format!("`{}` is no time", words(text)))
}

/// The keys of one section of a shared credentials file.
fn profile_of(text: &str, profile: &str) -> Option<Keys> {
    let mut inside = false;
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.trim() == profile;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| inside) {
            let value = value.trim().to_owned();
            match key.trim() {
                "aws_access_key_id" => id = Some(value),
                "aws_secret_access_key" => secret = Some(Secret::new(value)),
                "aws_session_token" => token = Some(Secret::new(value)),
                _ => {}
            }
        }
    }
    // Whoever keeps the file renews it: it is read again so often.
    Some(Keys { id: id?, secret: secret?, token, expires_s: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(from: &AwsCredentialsFrom, set: &[(&str, &str)]) -> Result<Source, CloudError> {
        let env = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        // A client needs a TLS provider; the choice of a source needs no client.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Sources::new(Http::new(false).unwrap(), from, &AwsEndpoints::default(), &env).map(|sources| sources.source)
    }

    #[test]
    fn the_environment_decides_in_the_documented_order() {
        let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
        let web = [("AWS_REGION", "eu-west-1"), ("AWS_ROLE_ARN", "arn"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")];
        let pod = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")];
        let auto = AwsCredentialsFrom::Automatic;
        assert!(matches!(source(&auto, &[&keys[..], &web, &pod].concat()), Ok(Source::Fixed(_))));
        assert!(
            matches!(source(&auto, &[&web[..], &pod].concat()), Ok(Source::WebIdentity { sts, .. }) if sts == "https://sts.eu-west-1.amazonaws.com")
        );
        assert!(matches!(source(&auto, &pod), Ok(Source::Container { url, .. }) if url == "http://169.254.170.2/v2/x"));
        assert!(matches!(source(&auto, &[]), Ok(Source::Instance { .. })));
        assert!(source(&AwsCredentialsFrom::Environment, &pod).is_err());
        let evil = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://evil.example.com/")];
        assert!(source(&AwsCredentialsFrom::Container, &evil).is_err(), "keys are not asked for there");
    }

    #[test]
    fn one_profile_of_a_file_is_read() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key = B\n\n# c\n[ops]\naws_access_key_id=C\naws_secret_access_key=D=\naws_session_token=E\n";
        assert_eq!(profile_of(text, "default").unwrap().id, "A");
        let ops = profile_of(text, "ops").unwrap();
        assert_eq!((ops.secret.reveal(), ops.token.unwrap().reveal().to_owned()), ("D=", "E".to_owned()));
        assert_eq!(profile_of(text, "none"), None);
    }

    #[test]
    fn keys_are_not_printed() {
        let printed = format!(
            "{:?}",
            source(&AwsCredentialsFrom::Environment, &[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "hush")]).unwrap()
        );
        assert!(!printed.contains("hush"), "{printed}");
    }
}
