//! client: the SDK's client, with every limit set on purpose.

use super::server_clock::ServerClock;
use crate::{
    secret::SecretError,
    vault::{S3Credentials, S3Settings},
};
use aws_config::{default_provider::credentials::DefaultCredentialsChain, provider_config::ProviderConfig};
use aws_credential_types::provider::{self, future};
use aws_sdk_s3::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, ProvideCredentials, Region, RequestChecksumCalculation,
        ResponseChecksumValidation, SharedHttpClient, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use std::time::Duration;
use tokio::sync::OnceCell;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(300);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(1200);
/// A stream that moves nothing for so long is broken; the SDK's own 5 s would break slow uplinks.
const STALL_GRACE: Duration = Duration::from_secs(30);
/// Five attempts, pauses doubling from half a second: a dead port is reported within eight seconds, and a throttled
/// PUT gets through.
const ATTEMPTS: u32 = 5;
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

pub fn open(settings: &S3Settings, server_clock: &ServerClock) -> Result<Client, SecretError> {
    let http = http_client();
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings.region.clone()))
        .force_path_style(settings.path_style)
        // No checksum but the ones we give: a second one, or a trailer, is refused by some servers.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(BACKOFF_MIN)
                .with_max_backoff(BACKOFF_MAX),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        )
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(STALL_GRACE).build())
        .interceptor(server_clock.clone())
        .http_client(http.clone());
    config.set_endpoint_url(settings.endpoint.clone());
    let config = match &settings.credentials {
        S3Credentials::Keys { access_key_id, secret_access_key, session_token, .. } => {
            let token = session_token.as_ref().map(|token| token.reveal_text().map(str::to_owned)).transpose()?;
            let secret = secret_access_key.reveal_text()?;
            config.credentials_provider(Credentials::new(access_key_id, secret, token, None, "strongroom"))
        }
        S3Credentials::AwsChain => {
            config.credentials_provider(AwsChain { http, region: settings.region.clone(), chain: OnceCell::new() })
        }
    };
    Ok(Client::from_conf(config.build()))
}

/// One connector for all calls, and so one pool of connections. The SDK's ready-made client for ring has no way to set
/// a proxy.
fn http_client() -> SharedHttpClient {
    let connector = Connector::builder()
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build();
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_settings, _components| connector.clone())
}

/// AWS's own chain, built at the first use: building it waits, and opening a vault does not.
#[derive(Debug)]
struct AwsChain {
    http: SharedHttpClient,
    region: String,
    chain: OnceCell<DefaultCredentialsChain>,
}

impl AwsChain {
    async fn load(&self) -> provider::Result {
        let chain = self.chain.get_or_init(|| async {
            let region = Region::new(self.region.clone());
            let config = ProviderConfig::empty().with_region(Some(region)).with_http_client(self.http.clone());
            DefaultCredentialsChain::builder().configure(config).build().await
        });
        chain.await.provide_credentials().await
    }
}

impl ProvideCredentials for AwsChain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}
