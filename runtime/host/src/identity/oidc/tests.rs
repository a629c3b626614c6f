//! An issuer whose key set changes: which keys the host uses.

use access_token::SigningKey;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// An issuer on this machine, whose key set the test chooses.
struct TestIssuer {
    url: String,
    keys: Arc<RwLock<String>>,
}

impl TestIssuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            keys: Arc::default(),
        };
        let (url, keys) = (issuer.url.clone(), issuer.keys.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let keys = keys.read().clone();
                tokio::spawn(answer(stream, url.clone(), keys));
            }
        });
        issuer
    }

    /// Publishes a key set, which the host fetches at once.
    async fn publish(&self, keys: &str, host: &Arc<OidcIssuer>) {
        keys.clone_into(&mut self.keys.write());
        // The last refresh was a moment ago.
        host.refresh.lock().await.last = None;
        host.refresh().await;
    }
}

/// Answers one request with the key set or the discovery document, and closes the connection.
async fn answer(mut stream: TcpStream, url: String, keys: String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let document = match head.starts_with(b"GET /keys ") {
        true => keys,
        false => json!({"issuer": url, "jwks_uri": format!("{url}/keys")}).to_string(),
    };
    let length = document.len();
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{document}"
    );
    let _ = stream.write_all(response.as_bytes()).await;
}

fn key_set() -> String {
    let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap());
    key.unwrap().public_set()
}

#[tokio::test]
async fn an_issuer_that_withdraws_all_its_keys_is_believed() {
    let (issuer, key_set) = (TestIssuer::start().await, key_set());
    let host = OidcIssuer::new(&issuer.url).unwrap();
    let symmetric = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
    for without_keys in [r#"{"keys":[]}"#, symmetric] {
        issuer.publish(&key_set, &host).await;
        assert!(host.keys().await.is_some());
        issuer.publish(without_keys, &host).await;
        assert!(host.keys().await.is_none(), "{without_keys}");
        // A failure does not bring the old keys back.
        issuer.publish("{}", &host).await;
        assert!(host.keys().await.is_none(), "{without_keys}");
    }
    issuer.publish(&key_set, &host).await;
    assert!(host.keys().await.is_some());
}

#[tokio::test]
async fn the_known_keys_stay_in_use_while_the_issuer_sends_something_else() {
    let issuer = TestIssuer::start().await;
    let host = OidcIssuer::new(&issuer.url).unwrap();
    issuer.publish(&key_set(), &host).await;
    for malformed in ["", "[]", "{}", r#"{"keys":7}"#] {
        issuer.publish(malformed, &host).await;
        assert!(host.keys().await.is_some(), "{malformed}");
    }
}

#[tokio::test]
async fn a_host_that_starts_while_the_issuer_has_no_keys_waits_for_them() {
    let issuer = TestIssuer::start().await;
    let host = OidcIssuer::new(&issuer.url).unwrap();
    issuer.publish(r#"{"keys":[]}"#, &host).await;
    assert!(host.keys().await.is_none());
    issuer.publish(&key_set(), &host).await;
    assert!(host.keys().await.is_some());
}
