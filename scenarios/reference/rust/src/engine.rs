//! Connections to the engine: tried until it answers, with a token that may be exchanged.

use crate::settings::Engine;
use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::time::Duration;
use temporalio_client::{ClientTlsOptions, Connection, ConnectionOptions, TlsOptions};
use tokio::time::sleep;

const AGAIN: Duration = Duration::from_millis(500);
const REREAD: Duration = Duration::from_secs(5);

/// A connection; the engine may be down yet, then there is none until it answers.
pub async fn connect(engine: &Engine, identity: &str) -> Result<Connection, Box<dyn Error>> {
    let options = options(engine, identity)?;
    loop {
        match Connection::connect(options.clone()).await {
            Ok(connection) => return Ok(connection),
            Err(error) => eprintln!("{}: {error}", engine.address),
        }
        sleep(AGAIN).await;
    }
}

fn options(engine: &Engine, identity: &str) -> Result<ConnectionOptions, Box<dyn Error>> {
    let scheme = if engine.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let tls = engine.tls.as_ref().map(|tls| {
        let client = tls.identity.as_ref().map(|(certificate, key)| {
            ClientTlsOptions::builder()
                .client_cert(certificate.clone())
                .client_private_key(key.clone())
                .build()
        });
        TlsOptions::builder()
            .server_root_ca_cert(tls.ca.clone())
            .maybe_domain(tls.server_name.clone())
            .maybe_client_tls_options(client)
            .build()
    });
    let target = url::Url::parse(&format!("{scheme}://{}", engine.address))?;
    let token = engine.token_file.as_deref().map(bearer).transpose()?;
    Ok(ConnectionOptions::new(target)
        .identity(identity)
        .maybe_tls_options(tls)
        .maybe_headers(token)
        .build())
}

/// Take up a token that was exchanged in its file; never ends.
pub async fn keep_token(engine: &Engine, connections: &[Connection]) {
    loop {
        sleep(REREAD).await;
        let Some(Ok(token)) = engine.token_file.as_deref().map(bearer) else {
            continue; // there is none, or it is just being replaced
        };
        for connection in connections {
            if let Err(error) = connection.set_headers(token.clone()) {
                eprintln!("the token cannot be a header: {error}");
            }
        }
    }
}

/// As a plain header: the SDK's own API key would ask for TLS.
fn bearer(path: &str) -> Result<HashMap<String, String>, String> {
    let token = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let value = format!("Bearer {}", token.trim());
    Ok([("authorization".to_owned(), value)].into())
}
