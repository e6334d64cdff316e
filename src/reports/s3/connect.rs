//! Server, region and credentials, from the environment, by the names that AWS's own tools have for them.

use std::{fs, time::Duration};

use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    client::{HttpClient, HttpConnector},
};
use reqwest::{Client, Url, redirect::Policy};
use rustls::ClientConfig;

use super::Bucket;
use crate::trust;

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);
/// Until one request is through, with 8 MiB to send or to get at most.
pub(super) const ANSWER: Duration = Duration::from_secs(60);
/// How often a request is repeated that may be, and when no repetition begins any more. Whoever keeps reports tries again later.
const RETRIES: usize = 3;
const RETRIED: Duration = Duration::from_secs(15);

/// Who keeps the bucket.
pub(super) struct Server {
    /// `https://s3.example.com`
    pub address: String,
    /// The host in it.
    pub host: String,
    pub region: String,
    /// Whether `AWS_CA_BUNDLE` says whom to trust.
    pub authorities: bool,
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A client for the bucket. Asks nobody. Fails with what is missing or wrong.
pub(super) fn connect(bucket: &Bucket, environment: Environment<'_>) -> Result<(AmazonS3, Server), String> {
    let endpoint = endpoint(environment)?;
    let region = environment("AWS_REGION").or_else(|| environment("AWS_DEFAULT_REGION"));
    let region = match (region, &endpoint) {
        (Some(region), _) => region,
        // Servers other than Amazon's own take any, and this by default.
        (None, Some(_)) => "us-east-1".to_owned(),
        (None, None) => {
            return Err(
                "AWS_REGION is missing: set it to the bucket's region, such as eu-central-1; for another server than \
                        Amazon's set AWS_ENDPOINT_URL, such as https://s3.example.com"
                    .to_owned(),
            );
        }
    };
    if !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err("AWS_REGION is no name of a region, such as eu-central-1".to_owned());
    }
    let plain = endpoint.as_ref().is_some_and(|url| url.scheme() == "http");
    let bundle = environment("AWS_CA_BUNDLE");
    let options = ClientOptions::new()
        .with_allow_http(plain)
        .with_content_type_for_suffix("json", "application/json")
        .with_content_type_for_suffix("html", "text/html; charset=utf-8")
        .with_content_type_for_suffix("csv", "text/csv; charset=utf-8")
        .with_content_type_for_suffix("gz", "application/gzip")
        .with_content_type_for_suffix("eml", "message/rfc822");
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: RETRIES,
        retry_timeout: RETRIED,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket.name())
        .with_region(&region)
        .with_client_options(options)
        // Not every server knows how to delete several objects at once.
        .with_disable_bulk_delete(true)
        .with_retry(retry)
        .with_http_connector(Connector(tls(bundle.as_deref())?));
    let address = match &endpoint {
        Some(url) => {
            builder = builder.with_endpoint(url.as_str());
            url.as_str().trim_end_matches('/').to_owned()
        }
        None => format!("https://s3.{region}.amazonaws.com"),
    };
    for (key, value) in credentials(environment, endpoint.is_none())? {
        builder = builder.with_config(key, value);
    }
    // Its errors may quote what it was given.
    let client =
        builder.build().map_err(|_| "the AWS_ variables of the environment contradict each other".to_owned())?;
    let host = Url::parse(&address).ok().and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default();
    if plain && !["127.0.0.1", "localhost", "[::1]"].contains(&host.as_str()) {
        tracing::warn!(server = %address, "reports cross the network unencrypted, as AWS_ENDPOINT_URL says: http://");
    }
    Ok((client, Server { address, host, region, authorities: bundle.is_some() }))
}

/// Another server than Amazon's own.
fn endpoint(environment: Environment<'_>) -> Result<Option<Url>, String> {
    let names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
    let Some((name, text)) = names.into_iter().find_map(|name| Some((name, environment(name)?))) else {
        return Ok(None);
    };
    let wrong = || format!("{name} is no address of a server, such as https://s3.example.com:9000");
    let url = Url::parse(&text).map_err(|_| wrong())?;
    let extra = url.query().is_some() || url.fragment().is_some();
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() || extra {
        return Err(wrong());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "{name} has credentials in it: they belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ));
    }
    Ok(Some(url))
}

/// Whether the environment says who asks. Else it is the role of the machine, if that has one.
pub(in crate::reports) fn credentials_in(environment: Environment<'_>) -> bool {
    !matches!(credentials(environment, true).as_deref(), Ok([]))
}

/// What says who asks: keys, or the role of a service account, a task or, at Amazon, of the machine.
fn credentials(environment: Environment<'_>, amazon: bool) -> Result<Vec<(AmazonS3ConfigKey, String)>, String> {
    use AmazonS3ConfigKey as Is;
    let all = |names: &[(&str, AmazonS3ConfigKey)]| -> Vec<_> {
        names.iter().filter_map(|(name, key)| Some((*key, environment(name)?))).collect()
    };
    let keys = [("AWS_ACCESS_KEY_ID", Is::AccessKeyId), ("AWS_SECRET_ACCESS_KEY", Is::SecretAccessKey)];
    let found = all(&keys);
    match found.as_slice() {
        [] => {}
        [_, _] => return Ok([found, all(&[("AWS_SESSION_TOKEN", Is::Token)])].concat()),
        [(Is::AccessKeyId, _), ..] => {
            return Err("AWS_SECRET_ACCESS_KEY is missing beside AWS_ACCESS_KEY_ID".to_owned());
        }
        _ => return Err("AWS_ACCESS_KEY_ID is missing beside AWS_SECRET_ACCESS_KEY".to_owned()),
    }
    let account = all(&[
        ("AWS_WEB_IDENTITY_TOKEN_FILE", Is::WebIdentityTokenFile),
        ("AWS_ROLE_ARN", Is::RoleArn),
        ("AWS_ROLE_SESSION_NAME", Is::RoleSessionName),
        ("AWS_ENDPOINT_URL_STS", Is::StsEndpoint),
    ]);
    let task = all(&[
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Is::ContainerCredentialsRelativeUri),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Is::ContainerCredentialsFullUri),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Is::ContainerAuthorizationTokenFile),
    ]);
    let has = |found: &[(AmazonS3ConfigKey, String)], key| found.iter().any(|(is, _)| *is == key);
    if has(&account, Is::WebIdentityTokenFile) && has(&account, Is::RoleArn) {
        return Ok(account);
    }
    if !task.is_empty() || amazon {
        return Ok(task);
    }
    Err("there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (profiles and files of AWS's tools are not read)"
        .to_owned())
}

/// Whom to trust: the authorities in this file alone, or those of this machine.
fn tls(bundle: Option<&str>) -> Result<ClientConfig, String> {
    let read =
        |path: &str| fs::read_to_string(path).map_err(|error| format!("AWS_CA_BUNDLE: {path} can't be read: {error}"));
    trust::config(bundle.map(read).transpose()?.as_deref(), AUTHORITIES)
}

/// What names authorities of one's own.
pub(super) const AUTHORITIES: &str = "AWS_CA_BUNDLE";

/// Makes clients with this process's one way to do TLS.
#[derive(Debug)]
struct Connector(ClientConfig);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let client = Client::builder()
            .tls_backend_preconfigured(self.0.clone())
            .https_only(!plain)
            .http1_only()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .user_agent(concat!("usersync/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(HttpClient::new(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(variables: &[(&str, &str)]) -> Result<(String, String), String> {
        let bucket = Bucket::parse("reports/usersync").unwrap();
        let environment = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        connect(&bucket, &environment).map(|(_, server)| (server.address, server.region))
    }

    #[test]
    fn the_environment_says_where_and_who() {
        const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hush")];
        let with = |more: &[(&'static str, &'static str)]| tried(&[&KEYS[..], more].concat());
        let amazon = ("https://s3.eu-central-1.amazonaws.com".to_owned(), "eu-central-1".to_owned());
        assert_eq!(with(&[("AWS_REGION", "eu-central-1"), ("AWS_DEFAULT_REGION", "x")]), Ok(amazon.clone()));
        assert_eq!(with(&[("AWS_DEFAULT_REGION", "eu-central-1"), ("AWS_SESSION_TOKEN", "hush")]), Ok(amazon.clone()));
        // The role of the machine, of a task, of a service account.
        assert_eq!(tried(&[("AWS_REGION", "eu-central-1")]), Ok(amazon.clone()));
        let task = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x");
        assert_eq!(tried(&[("AWS_REGION", "eu-central-1"), task]), Ok(amazon.clone()));
        let account =
            [("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), ("AWS_ROLE_ARN", "arn"), ("AWS_REGION", "eu-central-1")];
        assert_eq!(tried(&account), Ok(amazon));
        for (variables, says) in [(&KEYS[..], true), (&account, true), (&[task], true), (&[("AWS_REGION", "x")], false)]
        {
            let environment =
                |name: &str| variables.iter().find(|(is, _)| *is == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(credentials_in(&environment), says, "{variables:?}");
        }
        let own = |address: &str| Ok((address.to_owned(), "us-east-1".to_owned()));
        assert_eq!(with(&[("AWS_ENDPOINT_URL", "https://s3.example.com/")]), own("https://s3.example.com"));
        let both = [("AWS_ENDPOINT_URL", "https://x.example.com"), ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000")];
        assert_eq!(with(&both), own("http://127.0.0.1:9000"));

        for (variables, words) in [
            (&[][..], "AWS_REGION is missing"),
            (&[("AWS_REGION", "evil.example.com/")][..], "no name of a region"),
            (&[KEYS[0]][..], "AWS_REGION is missing"),
            (&[KEYS[0], ("AWS_REGION", "x")][..], "AWS_SECRET_ACCESS_KEY is missing"),
            (&[KEYS[1], ("AWS_REGION", "x")][..], "AWS_ACCESS_KEY_ID is missing"),
            (&[("AWS_ENDPOINT_URL", "https://x")][..], "there are no credentials"),
            (&[("AWS_ENDPOINT_URL", "https://x"), ("AWS_ROLE_ARN", "arn")][..], "there are no credentials"),
            (&[("AWS_ENDPOINT_URL", "s3.example.com")][..], "AWS_ENDPOINT_URL is no address"),
            (&[("AWS_ENDPOINT_URL", "ftp://s3.example.com")][..], "AWS_ENDPOINT_URL is no address"),
            (&[("AWS_ENDPOINT_URL_S3", "https://a:hush@x")][..], "AWS_ENDPOINT_URL_S3 has credentials"),
            (&[KEYS[0], KEYS[1], ("AWS_REGION", "x"), ("AWS_CA_BUNDLE", "/none.pem")][..], "/none.pem can't be read"),
        ] {
            let why = tried(variables).unwrap_err();
            assert!(why.contains(words) && !why.contains("hush"), "{variables:?}: {why}");
        }
    }
}
