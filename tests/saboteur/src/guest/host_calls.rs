//! Orders that look at what the host hands in, or reach out of the component.

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::{Either, select};
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{FullBody, Request};
use spin_sdk::redis::{Connection, RedisParameter, RedisResult};
use spin_sdk::wasip3::http::types::RequestOptions;
use spin_sdk::wasip3::http_compat::{Request as HttpRequest, RequestOptionsExtension};

use super::Outcome;
use super::query::Query;

fn told<E: std::fmt::Debug>(error: E) -> String {
    format!("{error:?}")
}

/// The request line, the headers and the length of the body, one a line.
pub async fn echo(request: Request) -> Outcome {
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    for (name, value) in request.headers() {
        lines.push(format!("{name}: {}", value.to_str().unwrap_or("?")));
    }
    let body = request.into_body().bytes().await.map_err(told)?;
    lines.push(format!(
        "body {} bytes: {}",
        body.len(),
        String::from_utf8_lossy(&body)
    ));
    Ok(lines.join("\n"))
}

/// `?url=&first_byte_ms=&guest_ms=&method=&body=`: one outgoing call, with the host's timeout, the guest's, both or none.
pub async fn chain(query: &Query) -> Outcome {
    let mut request = HttpRequest::new(FullBody::new(Bytes::from(
        query.get("body").unwrap_or_default().to_owned(),
    )));
    *request.method_mut() = query.get("method").unwrap_or("GET").parse().map_err(told)?;
    *request.uri_mut() = query.text("url")?.parse().map_err(told)?;
    if query.get("first_byte_ms").is_some() {
        let options = RequestOptions::new();
        let nanoseconds = query.number("first_byte_ms", 0_u64)? * 1_000_000;
        options
            .set_first_byte_timeout(Some(nanoseconds))
            .map_err(told)?;
        request
            .extensions_mut()
            .insert(RequestOptionsExtension(options));
    }
    let started = Instant::now();
    let patience = Duration::from_millis(query.number("guest_ms", 600_000)?);
    let sent = pin!(spin_sdk::http::send(request));
    let timeout = pin!(spin_sdk::time::sleep(patience));
    match select(sent, timeout).await {
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
            let body = response.into_body().bytes().await.map_err(told)?;
            let millis = started.elapsed().as_millis();
            Ok(format!(
                "status {status} after {millis} ms\n{}",
                String::from_utf8_lossy(&body)
            ))
        }
    }
}

/// `?url=&count=`: so many calls at once, each read to its end; answers how many the host let out.
pub async fn crowd(query: &Query) -> Outcome {
    let url = query.text("url")?;
    let calls = (0..query.number("count", 1_usize)?).map(async |_| {
        let answer = spin_sdk::http::get(url).await.map_err(told)?;
        answer.into_body().bytes().await.map_err(told)
    });
    let answers = futures::future::join_all(calls).await;
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    let refused: Vec<_> = refused.collect();
    let answered = answers.len() - refused.len();
    let reason = refused.first().map_or("", |reason| reason);
    Ok(format!("{answered} answered {reason}"))
}

/// Calls itself, which calls itself, and so on: somebody has to end it.
pub async fn circle() -> Outcome {
    match spin_sdk::http::get("http://saboteur.spin.internal/circle").await {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = response.into_body().bytes().await.map_err(told)?;
            Ok(format!("{status} {}", String::from_utf8_lossy(&body)))
        }
        Err(error) => Ok(format!("{error:?}")),
    }
}

/// `?url=`: passes every header it got on to `url` (as a careless gateway would) and answers what came back.
pub async fn relay(query: &Query, request: Request) -> Outcome {
    let (parts, body) = request.into_parts();
    let body = body.bytes().await.map_err(told)?;
    let mut onward = HttpRequest::new(FullBody::new(body));
    *onward.method_mut() = parts.method;
    *onward.uri_mut() = query.text("url")?.parse().map_err(told)?;
    for (name, value) in &parts.headers {
        if name != "host" && name != "content-length" {
            onward.headers_mut().append(name, value.clone());
        }
    }
    let response = spin_sdk::http::send(onward).await.map_err(told)?;
    let status = response.status().as_u16();
    let body = response.into_body().bytes().await.map_err(told)?;
    Ok(format!(
        "status {status}\n{}",
        String::from_utf8_lossy(&body)
    ))
}

pub async fn variable(query: &Query) -> Outcome {
    spin_sdk::variables::get(query.text("name")?)
        .await
        .map_err(told)
}

pub fn environment(query: &Query) -> Outcome {
    std::env::var(query.text("name")?).map_err(told)
}

/// `?path=`: reads it; with `write=`, writes that text to it.
pub fn file(query: &Query) -> Outcome {
    let path = query.text("path")?;
    match query.get("write") {
        Some(text) => std::fs::write(path, text)
            .map(|()| "written".to_owned())
            .map_err(told),
        None => std::fs::read_to_string(path).map_err(told),
    }
}

/// `?out=&err=`: one line on each.
pub fn log(query: &Query) -> Outcome {
    println!("{}", query.get("out").unwrap_or("out"));
    eprintln!("{}", query.get("err").unwrap_or("err"));
    Ok("logged".to_owned())
}

/// `?address=&command=&argument=…`: any command; arguments of digits only are integers.
pub async fn redis(query: &Query) -> Outcome {
    let address = query.get("address").unwrap_or("redis://127.0.0.1:6379");
    let connection = Connection::open(address).await.map_err(told)?;
    if let Some(channel) = query.get("publish") {
        connection
            .publish(channel, query.text("payload")?)
            .await
            .map_err(told)?;
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
        .map_err(told)?;
    let words = results.into_iter().map(|result| match result {
        RedisResult::Nil => "nil".to_owned(),
        RedisResult::Status(status) => format!("status:{status}"),
        RedisResult::Int64(number) => format!("int:{number}"),
        RedisResult::Binary(bytes) => format!("bytes:{}", String::from_utf8_lossy(&bytes)),
    });
    Ok(words.collect::<Vec<_>>().join(" "))
}
