//! What a server answers, in plain words: what, why, what to do. No secret, and nothing that the server quotes.

use std::{error::Error as _, fmt};

use object_store::{
    Error,
    client::{HttpError, HttpErrorKind},
};

use super::{
    Bucket,
    connect::{ANSWER, AUTHORITIES, Server},
};
use crate::{sync::render::text::visible_cut, trust};

/// Characters of a cause that are shown.
const CAUSE: usize = 200;
/// Where a machine, or a task, asks for its role.
const ROLES: [&str; 2] = ["://169.254.", "://[fd00:ec2:"];

/// An error, with what it takes to speak of it.
pub(super) struct Words<'a> {
    pub error: &'a Error,
    pub bucket: &'a Bucket,
    pub server: &'a Server,
}

impl Words<'_> {
    /// Whether there is no object of that name, in a bucket that is there.
    pub fn is_missing(&self) -> bool {
        matches!(self.error, Error::NotFound { .. }) && self.code().as_deref() != Some("NoSuchBucket")
    }

    /// The server's word for what is wrong.
    fn code(&self) -> Option<String> {
        self.chain().find_map(|text| {
            let (_, rest) = text.split_once("<Code>")?;
            let (code, _) = rest.split_once("</Code>")?;
            let word = !code.is_empty() && code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
            word.then(|| code.to_owned())
        })
    }

    /// The error, and those that led to it.
    fn chain(&self) -> impl Iterator<Item = String> {
        let mut texts = vec![self.error.to_string()];
        let mut next = self.error.source();
        while let Some(error) = next {
            texts.push(error.to_string());
            next = error.source();
        }
        texts.into_iter()
    }

    fn http(&self) -> Option<&HttpError> {
        let mut next = self.error.source();
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<HttpError>() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }

    /// The HTTP status of an answer, without what the server says besides.
    fn status(&self) -> Option<String> {
        self.chain().find_map(|text| {
            let (_, rest) = text.split_once("status code: ")?;
            Some(visible_cut(rest.split(':').next().unwrap_or_default(), CAUSE))
        })
    }

    /// The deepest cause.
    fn cause(&self) -> String {
        visible_cut(&self.chain().last().unwrap_or_default(), CAUSE)
    }

    fn by_code(&self, code: &str) -> String {
        let (bucket, address, region) = (self.bucket.name(), &self.server.address, &self.server.region);
        match code {
            "NoSuchBucket" => {
                format!("{address} has no bucket {bucket}. Make it, or correct --reports; if it lies on another server, correct AWS_ENDPOINT_URL")
            }
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => self.denied(),
            "InvalidAccessKeyId" | "XAdminUserNotFound" => {
                format!("{address} does not know the access key. Check AWS_ACCESS_KEY_ID, and whether it is for this server")
            }
            "SignatureDoesNotMatch" => {
                "the secret key is not the one of the access key. Check AWS_SECRET_ACCESS_KEY".to_owned()
            }
            "RequestTimeTooSkewed" | "RequestExpired" => {
                format!("the clocks of this machine and of {address} differ by minutes. Have both set by a time server")
            }
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "ExpiredTokenException" => {
                "the session's token is not valid any more. Give a new AWS_SESSION_TOKEN with its keys, or keys that last".to_owned()
            }
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                format!("the bucket {bucket} lies in another region than {region}. Correct AWS_REGION")
            }
            "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" | "EntityTooLarge" => {
                format!("{address} has no room for it ({code}). Make room, or raise its limit")
            }
            busy => format!("{address} answered {busy}. If that goes on, see its log"),
        }
    }

    fn denied(&self) -> String {
        format!(
            "{} denies access. The credentials need s3:ListBucket on the bucket {}, and s3:GetObject, s3:PutObject, s3:DeleteObject \
             and s3:AbortMultipartUpload on what is in it",
            self.server.address,
            self.bucket.name()
        )
    }

    fn by_connection(&self, error: &HttpError) -> String {
        let address = &self.server.address;
        let tls = trust::in_tls(error);
        if let Some(why) =
            tls.and_then(|tls| trust::refused(tls, &self.server.host, AUTHORITIES, self.server.authorities))
        {
            return format!("{address}: {}", why.trim_end_matches('.'));
        }
        match error.kind() {
            HttpErrorKind::Connect => {
                format!(
                    "no connection to {address} ({}). Check AWS_ENDPOINT_URL, and the network in between",
                    self.cause()
                )
            }
            HttpErrorKind::Timeout => format!("{address} gave no answer within {} s", ANSWER.as_secs()),
            _ => format!("the connection to {address} broke ({})", self.cause()),
        }
    }
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles = self.chain().any(|text| ROLES.iter().any(|at| text.contains(at)));
        let text = match (self.code(), self.http(), self.error) {
            _ if roles => "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine, or the \
                           pod's service account, a role"
                .to_owned(),
            (Some(code), ..) => self.by_code(&code),
            (None, Some(error), _) => self.by_connection(error),
            (None, None, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) => self.denied(),
            (None, None, Error::NotFound { .. }) => "it is not there".to_owned(),
            (None, None, Error::InvalidPath { .. }) => format!(
                "{} holds an object with a name that can't be read. Give reports a bucket, or a prefix, of their own",
                self.bucket
            ),
            (None, None, _) if self.chain().any(|text| text.contains("without LOCATION")) => self.by_code("PermanentRedirect"),
            _ => match self.status() {
                Some(status) if ["401", "403"].iter().any(|denied| status.starts_with(denied)) => self.denied(),
                Some(status) => format!("{} answered {status}. If that goes on, see its log", self.server.address),
                None => format!("{}: {}", self.server.address, self.cause()),
            },
        };
        f.write_str(&text)
    }
}
