//! Signature Version 4, by the `aws-sigv4` crate.

use super::credentials::Keys;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use std::time::{Duration, UNIX_EPOCH};

/// What is to be signed.
pub(super) struct Unsigned<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(&'static str, String)],
    pub body: &'a [u8],
}

/// Who it is for, and when.
pub(super) struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
    /// Seconds since the Unix epoch. AWS refuses the request so long after this: the end of all that is on its way.
    pub at_s: i64,
}

/// The headers that the signature adds.
///
/// # Errors
/// In words, when the request is none; no key is among them.
pub(super) fn signature(request: &Unsigned<'_>, scope: &Scope<'_>, keys: &Keys) -> Result<Vec<(String, String)>, String> {
    let token = keys.token.as_ref().map(|token| token.reveal().to_owned());
    let identity = Credentials::new(keys.id.clone(), keys.secret.reveal(), token, None, "picket").into();
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(scope.at_s).map_err(|_| "the clock is before 1970")?);
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|e| e.to_string())?
        .into();
    let headers = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let signable =
        SignableRequest::new(request.method, request.url, headers, SignableBody::Bytes(request.body)).map_err(|e| e.to_string())?;
    let (instructions, _) = sign(signable, &parameters).map_err(|e| e.to_string())?.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// The worked example of AWS's "Signature Version 4 signing process": ListUsers of IAM, 30 August 2015.
    #[test]
    fn the_documented_example_has_the_documented_signature() {
        let keys = Keys {
            id: "AKIDEXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
            token: None,
            expires_s: None,
        };
        let request = Unsigned {
            method: "GET",
            url: "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
            headers: &[("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
            body: b"",
        };
        let scope = Scope { region: "us-east-1", service: "iam", at_s: 1_440_938_160 };
        let headers = signature(&request, &scope, &keys).unwrap();
        let value = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
        assert_eq!(value("x-amz-date"), Some("20150830T123600Z"));
        assert_eq!(
            value("authorization"),
            Some(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, \
                 Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
            )
        );
    }
}
