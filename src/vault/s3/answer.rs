//! answer: what a failed S3 call tells: by the error's code, the HTTP status, or the innermost cause.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use std::{error::Error, iter};

/// Long enough for what servers say, short enough for one line of a log.
const WHY_CHARS_MAX: usize = 240;

/// Why a call gave no result. Servers agree on codes and statuses; messages are for people, and often empty.
#[derive(Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No answer, or 5xx after all retries: it may work later.
    Unreachable(String),
    NoBucket,
    Denied {
        code: Option<String>,
        why: String,
    },
    Refused {
        code: Option<String>,
        status: u16,
        why: String,
    },
}

impl Trouble {
    pub fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(missing) = chain(error).find_map(|cause| cause.downcast_ref::<CredentialsError>()) {
            return Self::Denied { code: None, why: format!("no credentials: {}", innermost(missing)) };
        }
        let Some(response) = error.raw_response() else {
            return match error {
                SdkError::ConstructionFailure(_) => Self::unreadable(innermost(error)),
                _ => Self::Unreachable(innermost(error)),
            };
        };
        let status = response.status().as_u16();
        let code = error.code().map(str::to_owned);
        let why = match (error.code(), error.message().filter(|message| !message.is_empty())) {
            (Some(code), Some(message)) => one_line(&format!("{code}: {message}")),
            (Some(code), None) => code.to_owned(),
            (None, _) => format!("HTTP status {status}"),
        };
        match (error.code(), status) {
            (Some("NoSuchBucket"), _) => Self::NoBucket,
            // 400 on AWS, and still the credential's fault
            (Some("ExpiredToken" | "InvalidToken"), _) | (_, 401 | 403) => Self::Denied { code, why },
            (_, 429) => Self::Unreachable(why),
            (_, 500..) if status != 501 => Self::Unreachable(why),
            // An answer that is not S3's (a proxy's page, a cut line) has no code; its parser knows more.
            (None, 200..300) => Self::Refused { code, status, why: innermost(error) },
            _ => Self::Refused { code, status, why },
        }
    }

    /// An answer, or a request, that makes no sense.
    pub fn unreadable(why: String) -> Self {
        Self::Refused { code: None, status: 0, why }
    }

    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Denied { code, .. } | Self::Refused { code, .. } => code.as_deref(),
            Self::Unreachable(_) | Self::NoBucket => None,
        }
    }

    /// Is there no such version? AWS also calls a version id that it could not have given an invalid argument,
    /// and refuses the method (405) on a delete marker.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Refused { code, status, why } => {
                matches!(status, 404 | 405)
                    || code.as_deref() == Some("InvalidArgument") && why.to_lowercase().contains("version id")
            }
            _ => false,
        }
    }

    /// Is what was asked for merely not set? AWS and Ceph name it differently.
    pub fn is_unset(&self) -> bool {
        const CODES: [&str; 3] =
            ["NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "NoSuchLifecycleConfiguration"];
        self.code().is_some_and(|code| CODES.contains(&code))
    }

    /// Does the server know the credential, and only not allow this one thing?
    pub fn is_mere_denial(&self) -> bool {
        matches!(self, Self::Denied { code: Some(code), .. } if code == "AccessDenied")
    }
}

/// The last two links of an error's chain: what could not be done, and the system's reason, on one line.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = chain(error).map(ToString::to_string).collect();
    said.dedup();
    one_line(&said[said.len().saturating_sub(2)..].join(": "))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&link| link.source())
}

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(WHY_CHARS_MAX).collect()
}
