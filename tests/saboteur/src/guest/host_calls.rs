//! Actions that show what the host passes to the component, or that call other services.

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::{Either, select};
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{FullBody, Request};
use spin_sdk::redis::{Connection, RedisParameter, RedisResult};
use spin_sdk::wasip3::http::types::RequestOptions;
use spin_sdk::wasip3::http_compat::{Request as HttpRequest, RequestOptionsExtension};

use super::ActionResult;
use super::query::Query;

fn debug_text<E: std::fmt::Debug>(error: E) -> String {
    format!("{error:?}")
}

/// Returns the request line, the headers and the length of the body, one per line.
pub async fn echo(request: Request) -> ActionResult {
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    for (name, value) in request.headers() {
        lines.push(format!("{name}: {}", value.to_str().unwrap_or("?")));
    }
    let body = request.into_body().bytes().await.map_err(debug_text)?;
    lines.push(format!(
        "body {} bytes: {}",
        body.len(),
        String::from_utf8_lossy(&body)
    ));
    Ok(lines.join("\n"))
}

/// `?url=&first_byte_ms=&guest_ms=&method=&body=`: one outgoing call, with a timeout of the host, of the guest,
/// both or none.
pub async fn chain(query: &Query) -> ActionResult {
    let mut request = HttpRequest::new(FullBody::new(Bytes::from(
        query.get("body").unwrap_or_default().to_owned(),
    )));
    *request.method_mut() = query
        .get("method")
        .unwrap_or("GET")
        .parse()
        .map_err(debug_text)?;
    *request.uri_mut() = query.text("url")?.parse().map_err(debug_text)?;
    if query.get("first_byte_ms").is_some() {
        let options = RequestOptions::new();
        let nanoseconds = query.number("first_byte_ms", 0_u64)? * 1_000_000;
        options
            .set_first_byte_timeout(Some(nanoseconds))
            .map_err(debug_text)?;
        request
            .extensions_mut()
            .insert(RequestOptionsExtension(options));
    }
    let started = Instant::now();
    let timeout = Duration::from_millis(query.number("guest_ms", 600_000)?);
    let sent = pin!(spin_sdk::http::send(request));
    let elapsed = pin!(spin_sdk::time::sleep(timeout));
    match select(sent, elapsed).await {
        Either::Right(_) => Ok(format!(
            "guest gave up after {} ms",
            started.elapsed().as_millis()
        )),
        Either::Left((Err(error), _)) => Ok(format!(
            "error {error:?} after {} ms",
            started.elapsed().as_millis()
        )),
        Either::Left((Ok(response), _)) => {
            let status = response.status().as_u16();
            let body = response.into_body().bytes().await.map_err(debug_text)?;
            let millis = started.elapsed().as_millis();
            Ok(format!(
                "status {status} after {millis} ms\n{}",
                String::from_utf8_lossy(&body)
            ))
        }
    }
}

/// `?url=&count=`: this many concurrent calls, each read to its end. Returns the number of calls that the host
/// admitted.
pub async fn parallel(query: &Query) -> ActionResult {
    let url = query.text("url")?;
    let calls = (0..query.number("count", 1_usize)?).map(async |_| {
        let response = spin_sdk::http::get(url).await.map_err(debug_text)?;
        response.into_body().bytes().await.map_err(debug_text)
    });
    let responses = futures::future::join_all(calls).await;
    let refused = responses
        .iter()
        .filter_map(|response| response.as_ref().err());
    let refused: Vec<_> = refused.collect();
    let succeeded = responses.len() - refused.len();
    let reason = refused.first().map_or("", |reason| reason);
    Ok(format!("{succeeded} succeeded {reason}"))
}

/// Calls itself recursively, until the host detects the loop.
pub async fn call_loop() -> ActionResult {
    match spin_sdk::http::get("http://saboteur.spin.internal/loop").await {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = response.into_body().bytes().await.map_err(debug_text)?;
            Ok(format!("{status} {}", String::from_utf8_lossy(&body)))
        }
        Err(error) => Ok(format!("{error:?}")),
    }
}

/// `?url=`: forwards the request with every header, as a careless gateway would, and returns the response.
pub async fn relay(query: &Query, request: Request) -> ActionResult {
    let (parts, body) = request.into_parts();
    let body = body.bytes().await.map_err(debug_text)?;
    let mut onward = HttpRequest::new(FullBody::new(body));
    *onward.method_mut() = parts.method;
    *onward.uri_mut() = query.text("url")?.parse().map_err(debug_text)?;
    for (name, value) in &parts.headers {
        if name != "host" && name != "content-length" {
            onward.headers_mut().append(name, value.clone());
        }
    }
    let response = spin_sdk::http::send(onward).await.map_err(debug_text)?;
    let status = response.status().as_u16();
    let body = response.into_body().bytes().await.map_err(debug_text)?;
    Ok(format!(
        "status {status}\n{}",
        String::from_utf8_lossy(&body)
    ))
}

pub async fn variable(query: &Query) -> ActionResult {
    spin_sdk::variables::get(query.text("name")?)
        .await
        .map_err(debug_text)
}

pub fn environment(query: &Query) -> ActionResult {
    std::env::var(query.text("name")?).map_err(debug_text)
}

/// `?path=`: reads the file; with `write=`, writes that text to it.
pub fn file(query: &Query) -> ActionResult {
    let path = query.text("path")?;
    match query.get("write") {
        Some(text) => std::fs::write(path, text)
            .map(|()| "written".to_owned())
            .map_err(debug_text),
        None => std::fs::read_to_string(path).map_err(debug_text),
    }
}

/// `?out=&err=`: writes one line to each output.
pub fn log(query: &Query) -> ActionResult {
    println!("{}", query.get("out").unwrap_or("out"));
    eprintln!("{}", query.get("err").unwrap_or("err"));
    Ok("logged".to_owned())
}

/// `?address=&count=`: opens this many connections at the same time, and returns how many were opened.
pub async fn redis_connections(query: &Query) -> ActionResult {
    let address = query.text("address")?;
    let opening = (0..query.number("count", 1_usize)?).map(|_| Connection::open(address));
    let results = futures::future::join_all(opening).await;
    let opened = results.iter().filter(|result| result.is_ok()).count();
    let refused = results.iter().find_map(|result| result.as_ref().err());
    Ok(match refused {
        None => format!("{opened} opened"),
        Some(error) => format!("{opened} opened, then {error:?}"),
    })
}

/// `?address=&command=&argument=…`: executes any command; arguments of digits only are integers.
pub async fn redis(query: &Query) -> ActionResult {
    let address = query.get("address").unwrap_or("redis://127.0.0.1:6379");
    let connection = Connection::open(address).await.map_err(debug_text)?;
    if let Some(channel) = query.get("publish") {
        connection
            .publish(channel, query.text("payload")?)
            .await
            .map_err(debug_text)?;
        return Ok("published".to_owned());
    }
    let arguments = query
        .all("argument")
        .map(|argument| match argument.parse() {
            Ok(number) => RedisParameter::Int64(number),
            Err(_) => RedisParameter::Binary(argument.as_bytes().to_vec()),
        });
    let results = connection
        .execute(query.text("command")?, arguments.collect::<Vec<_>>())
        .await
        .map_err(debug_text)?;
    let words = results.into_iter().map(|result| match result {
        RedisResult::Nil => "nil".to_owned(),
        RedisResult::Status(status) => format!("status:{status}"),
        RedisResult::Int64(number) => format!("int:{number}"),
        RedisResult::Binary(bytes) => format!("bytes:{}", String::from_utf8_lossy(&bytes)),
    });
    Ok(words.collect::<Vec<_>>().join(" "))
}
